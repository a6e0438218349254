import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import {
  dimAdd,
  dimFloorDiv,
  dimMax,
  dimMin,
  dimMod,
  dimMul,
  dimNeg,
  evalDim,
  parseDim,
  showDim,
  symbol,
  type Dim,
} from '../../compiler/core/dim.ts';
import { bytesOf, type DType } from '../../compiler/core/dtype.ts';
import { fromNumbers, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { emitWasm } from '../../compiler/backend/wasm/emit.ts';
import { KernelBuilder, type Buffer } from '../../compiler/kernel/builder.ts';
import { add, cast, gt, I32, mul, type Expr } from '../../compiler/kernel/ir.ts';
import { parseProgram } from '../../compiler/program/parse.ts';
import { printProgram } from '../../compiler/program/print.ts';
import { verifyProgram } from '../../compiler/program/verify.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import { runKernelPasses } from '../../compiler/program/passes/index.ts';
import type { Arg, MemoryPlan, Program, Slot, Step } from '../../compiler/program/program.ts';
import { SIMD } from '../kernel/wasm-run.ts';

const slot = (name: string, where: Slot['where'], dtype: DType, size: Dim, bytes?: Uint8Array): Slot =>
  bytes ? { name, where, dtype, size, bytes } : { name, where, dtype, size };
/** A call of a kernel over slots: the builder's buffers are the slots themselves. */
function call(name: string, build: (k: KernelBuilder, at: (s: Slot, offset?: Dim) => Buffer) => void): Step {
  const k = new KernelBuilder();
  const places = new Map<Buffer, { readonly slot: Slot; readonly offset: Dim }>();
  build(k, (s, offset = 0) => {
    const b = { name: s.name, dtype: s.dtype };
    places.set(b, { slot: s, offset });
    return b;
  });
  const { kernel, actuals } = k.finish(name, noLoc);
  const args = actuals.map((a): Arg => (a.k === 'int' ? { k: 'int', dim: a.dim } : { k: 'buf', ...must(places.get(a.buffer)) }));
  return { k: 'call', kernel, args, loc: noLoc, what: name };
}
/** Every slot after the other, weights first. */
function planOf(p: Program, size: (d: Dim) => number): MemoryPlan {
  const offsets = new Map<Slot, number>();
  const base = 64;
  let next = base;
  const place = (s: Slot): void => {
    offsets.set(s, next);
    next += (size(s.size) * bytesOf(s.dtype) + 15) & ~15;
  };
  p.slots.filter(s => s.where === 'weights').forEach(place);
  const weightsBytes = next - base;
  p.slots.filter(s => s.where !== 'weights').forEach(place);
  return {
    offsets,
    base,
    weightsBytes,
    commonBytes: weightsBytes,
    arenaBytes: next - base - weightsBytes,
    preparedBytes: 0,
    threadBytes: 0,
  };
}
/** Runs the module as the loader does. */
async function runWasm(
  p: Program,
  inputs: ReadonlyMap<string, Tensor>,
  sizes: ReadonlyMap<string, number>,
  embed: boolean,
): Promise<{ readonly out: Map<string, Tensor>; readonly symbols: number[] }> {
  const plan = planOf(p, d => (typeof d === 'number' ? d : 64));
  const { bytes } = await emitWasm(runKernelPasses(p, SIMD), plan, SIMD, { outside: embed ? 0 : plan.weightsBytes });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes)));
  const { memory, run, symbol: value } = exports;
  if (!(memory instanceof WebAssembly.Memory) || typeof run !== 'function') throw new Error('exports');
  expect(WebAssembly.Module.imports(new WebAssembly.Module(new Uint8Array(bytes)))).toEqual([]);
  expect(memory.buffer.byteLength).toBe(Math.ceil((plan.base + plan.weightsBytes + plan.arenaBytes) / 65536) * 65536);
  expect(() => memory.grow(1)).toThrow();
  const at = (s: Slot): number => must(plan.offsets.get(s));
  const all = new Uint8Array(memory.buffer);
  if (!embed) for (const s of p.slots) if (s.bytes) all.set(s.bytes, at(s));
  const { prepare } = exports;
  if (typeof prepare === 'function') Reflect.apply(prepare, undefined, []);
  for (const i of p.inputs) all.set(must(inputs.get(i.name)).bytes, at(i.slot));
  const given = p.symbols.filter(s => s.from === 'input').map(s => sizes.get(s.name));
  try {
    Reflect.apply(run, undefined, given);
  } catch (e) {
    const why = exports['trap'];
    throw typeof why === 'function' ? new Error(p.traps[Number(Reflect.apply(why, undefined, [])) - 1], { cause: e }) : e;
  }
  const symbols = typeof value === 'function' ? p.symbols.map((_, i) => Number(Reflect.apply(value, undefined, [i]))) : [];
  const env = new Map(p.symbols.map((s, i) => [s.name, symbols[i] ?? must(sizes.get(s.name))]));
  const out = new Map<string, Tensor>();
  for (const o of p.outputs) {
    const dims = o.type.shape.map(d => evalDim(d, env));
    const n = dims.reduce((a, b) => a * b, 1);
    out.set(o.name, { dtype: o.type.dtype, dims, bytes: all.slice(at(o.slot), at(o.slot) + n * bytesOf(o.type.dtype)) });
  }
  return { out, symbols };
}
const program = (p: Partial<Program> & Pick<Program, 'slots' | 'steps' | 'inputs' | 'outputs'>): Program => {
  const kernels = new Set<Extract<Step, { k: 'call' }>['kernel']>();
  const collect = (steps: readonly Step[]): void => {
    for (const s of steps) {
      if (s.k === 'call') kernels.add(s.kernel);
      if (s.k === 'branch') [s.then, s.else].forEach(collect);
      if (s.k === 'loop') collect(s.body);
    }
  };
  collect(p.prepare ?? []);
  collect(p.steps);
  return { name: 'p', kernels: [...kernels], prepare: [], symbols: [], guards: [], traps: [], ...p };
};
const numbers = (t: Tensor | undefined): number[] => [...toNumbers(must(t))];
async function both(
  p: Program,
  inputs: ReadonlyMap<string, Tensor>,
  sizes: ReadonlyMap<string, number> = new Map(),
): Promise<Map<string, Tensor>> {
  const want = interpretProgram(p, inputs);
  for (const embed of [true, false]) {
    const { out } = await runWasm(p, inputs, sizes, embed);
    for (const [name, t] of want) {
      expect(out.get(name)?.dims).toEqual(t.dims);
      expect(numbers(out.get(name))).toEqual(numbers(t));
    }
  }
  return want;
}

describe('programs in the interpreter and in WebAssembly', () => {
  it('sizes follow from the inputs; weights are embedded or copied, zeros left out', async () => {
    const n = symbol('n', 1, 16);
    const x = slot('x', 'input', 'f32', dimMul(n, 2));
    const y = slot('y', 'output', 'f32', dimAdd(dimMul(n, 2), 1));
    const values = new Float32Array(400);
    values.set([1, 2, 3], 0);
    values.set([10, 20], 300);
    const w = slot('w', 'weights', 'f32', 400, new Uint8Array(values.buffer));
    const step = call('scale', (k, at) => {
      const [a, b, c] = [at(x), at(w, 299), at(y, 1)];
      k.for(0, dimMul(n, 2), i => k.store(c, i, mul(k.load(a, i), k.load(b, 1))));
      k.store(c, -1, add(k.load(b, 2), k.load(b, 0)));
    });
    const p = program({
      slots: [x, y, w],
      steps: [step],
      inputs: [{ name: 'x', type: { dtype: 'f32', shape: [2, n] }, slot: x }],
      outputs: [{ name: 'y', type: { dtype: 'f32', shape: [dimAdd(dimMul(n, 2), 1)] }, slot: y }],
      symbols: [{ name: 'n', lo: 1, hi: 16, from: 'input' }],
    });
    const got = await both(p, new Map([['x', fromNumbers('f32', [2, 3], [1, 2, 3, 4, 5, 6])]]), new Map([['n', 3]]));
    expect(numbers(got.get('y'))).toEqual([20, 10, 20, 30, 40, 50, 60]);
    expect(must(got.get('y')).dims).toEqual([7]);
  });

  it('what is prepared when the program is loaded serves every run', async () => {
    const x = slot('x', 'input', 'f32', 2);
    const w = slot('w', 'weights', 'f32', 2, new Uint8Array(Float32Array.of(3, 5).buffer));
    const squares = slot('squares', 'prepared', 'f32', 2);
    const y = slot('y', 'output', 'f32', 2);
    const prepare = call('square', (k, at) => {
      const [a, b] = [at(w), at(squares)];
      k.for(0, 2, i => k.store(b, i, mul(k.load(a, i), k.load(a, i))));
    });
    const step = call('scale', (k, at) => {
      const [a, b, c] = [at(x), at(squares), at(y)];
      k.for(0, 2, i => k.store(c, i, mul(k.load(a, i), k.load(b, i))));
    });
    const type = { dtype: 'f32', shape: [2] } as const;
    const p = program({
      slots: [x, w, squares, y],
      prepare: [prepare],
      steps: [step],
      inputs: [{ name: 'x', type, slot: x }],
      outputs: [{ name: 'y', type, slot: y }],
    });
    verifyProgram(p);
    const got = await both(p, new Map([['x', fromNumbers('f32', [2], [2, 10])]]));
    expect(numbers(got.get('y'))).toEqual([18, 250]);
    expect(
      numbers(
        must(
          interpretProgram(parseProgram(printProgram(p, { data: true })), new Map([['x', fromNumbers('f32', [2], [1, 1])]])).get(
            'y',
          ),
        ),
      ),
    ).toEqual([9, 25]);
    expect(() => verifyProgram({ ...p, prepare: [] })).toThrow('scale reads squares, which is not prepared');
    expect(() => verifyProgram({ ...p, steps: [prepare, step] })).toThrow('square writes squares');
    expect(() => verifyProgram({ ...p, prepare: [step] })).toThrow('scale reads x before a run');
  });

  it('a size that is computed, and the output that has it', async () => {
    const x = slot('x', 'input', 'f32', 8);
    const count = slot('count', 'arena', 'i64', 2);
    const y = slot('y', 'output', 'f32', symbol('m', 0, 6));
    const m = symbol('m', 0, 6);
    const counting = call('count', (k, at) => {
      const [a, c] = [at(x), at(count, 1)];
      const sum = k.var(cast({ base: 'i64', lanes: 1 }, k.dim(0)));
      k.for(0, 8, i => k.set(sum, add(sum, cast({ base: 'i64', lanes: 1 }, gt(k.load(a, i), 0)))));
      k.store(c, 0, sum);
    });
    const taking = call('take', (k, at) => {
      const [a, b] = [at(x), at(y)];
      const next = k.var({ k: 'const', t: I32, value: 0 });
      k.for(0, 8, i =>
        k.if(gt(k.load(a, i), 0), () => {
          k.store(b, next, k.load(a, i));
          k.set(next, add(next, 1));
        }),
      );
    });
    const p = program({
      slots: [x, count, y],
      steps: [counting, { k: 'read', symbol: 'm', slot: count, offset: 1, trap: 0 }, { k: 'check', a: m, b: 4, trap: 1 }, taking],
      inputs: [{ name: 'x', type: { dtype: 'f32', shape: [8] }, slot: x }],
      outputs: [{ name: 'y', type: { dtype: 'f32', shape: [m] }, slot: y }],
      symbols: [{ name: 'm', lo: 0, hi: 6, from: 'run' }],
      traps: ['m is out of range', 'm is not 4'],
    });
    const inputs = new Map([['x', fromNumbers('f32', [8], [1, -1, 2, -2, 3, 0, 4, -5])]]);
    expect(numbers((await both(p, inputs)).get('y'))).toEqual([1, 2, 3, 4]);
    expect((await runWasm(p, inputs, new Map(), true)).symbols).toEqual([4]);
    for (const [x, why] of [
      [[1, 1, 1, 1, 1, 0, 0, 0], 'm is not 4'],
      [[1, 1, 1, 1, 1, 1, 1, 0], 'm is out of range'],
    ] as const) {
      const bad = new Map([['x', fromNumbers('f32', [8], x)]]);
      expect(() => interpretProgram(p, bad)).toThrow(why);
      await expect(runWasm(p, bad, new Map(), true)).rejects.toThrow(why);
    }
  });

  it('branches, and loops by count, by condition and by both', async () => {
    const flag = slot('flag', 'input', 'bool', 1);
    const y = slot('y', 'output', 'i32', 4);
    const go = slot('go', 'arena', 'bool', 1);
    const bump = (i: number, by: Dim): Step =>
      call(`bump${i}`, (k, at) => {
        const b = at(y, i);
        k.store(b, 0, add(k.load(b, 0), k.dim(by)));
      });
    const t = symbol('t', 0, 100);
    const setGo = call('go', (k, at) => {
      const [g, b] = [at(go), at(y, 2)];
      k.store(g, 0, gt(5, k.load(b, 0)) satisfies Expr);
    });
    const p = program({
      slots: [flag, y, go],
      steps: [
        { k: 'branch', cond: { slot: flag, offset: 0 }, then: [bump(0, 7)], else: [bump(0, 9), bump(0, 1)] },
        { k: 'loop', symbol: 't', trip: 4, cond: undefined, body: [bump(1, dimAdd(t, 10))] },
        setGo,
        { k: 'loop', symbol: 't', trip: undefined, cond: { slot: go, offset: 0 }, body: [bump(2, 2), setGo] },
        bump(3, t),
        { k: 'loop', symbol: 't', trip: 0, cond: undefined, body: [bump(3, 1000)] },
        { k: 'loop', symbol: 't', trip: 3, cond: { slot: go, offset: 0 }, body: [bump(3, 1000)] },
      ],
      inputs: [{ name: 'flag', type: { dtype: 'bool', shape: [1] }, slot: flag }],
      outputs: [{ name: 'y', type: { dtype: 'i32', shape: [4] }, slot: y }],
      symbols: [{ name: 't', lo: 0, hi: 100, from: 'run' }],
    });
    expect(numbers((await both(p, new Map([['flag', fromNumbers('bool', [1], [1])]]))).get('y'))).toEqual([7, 46, 6, 3]);
    expect(numbers((await both(p, new Map([['flag', fromNumbers('bool', [1], [0])]]))).get('y'))).toEqual([10, 46, 6, 3]);
  });

  it('many steps, and many in a branch', async () => {
    const x = slot('x', 'input', 'i32', 1);
    const y = slot('y', 'output', 'i32', 1);
    const one = call('one', (k, at) => {
      const b = at(y);
      k.store(b, 0, add(mul(k.load(b, 0), 3), k.load(at(x), 0)));
    });
    const many = new Array<Step>(131).fill(one);
    const p = program({
      slots: [x, y],
      steps: [...many, { k: 'branch', cond: { slot: x, offset: 0 }, then: many, else: [] }],
      inputs: [{ name: 'x', type: { dtype: 'i32', shape: [1] }, slot: x }],
      outputs: [{ name: 'y', type: { dtype: 'i32', shape: [1] }, slot: y }],
    });
    for (const v of [0, 5]) {
      let want = 0;
      for (let i = 0; i < (v === 0 ? 131 : 262); i++) want = (Math.imul(want, 3) + v) | 0;
      expect(numbers((await both(p, new Map([['x', fromNumbers('i32', [1], [v])]]))).get('y'))).toEqual([want]);
    }
  });

  it('sizes of any form are computed as evalDim computes them', async () => {
    const [s, t] = [symbol('s', 1, 40), symbol('t', 1, 40)];
    const leaf = fc.oneof(fc.constantFrom(s, t), fc.integer({ min: -9, max: 9 }));
    const { dim } = fc.letrec<{ dim: Dim }>(tie => ({
      dim: fc.oneof(
        { maxDepth: 3 },
        leaf,
        fc.tuple(tie('dim'), tie('dim')).map(([a, b]) => dimAdd(a, b)),
        fc.tuple(tie('dim'), leaf).map(([a, b]) => dimMul(a, b)),
        fc.tuple(tie('dim'), fc.oneof(fc.integer({ min: 1, max: 7 }), fc.constant(s))).map(([a, b]) => dimFloorDiv(a, b)),
        fc.tuple(tie('dim'), fc.integer({ min: 1, max: 7 })).map(([a, b]) => dimMod(a, b)),
        fc.tuple(tie('dim'), tie('dim')).map(([a, b]) => dimMin(a, b)),
        fc.tuple(tie('dim'), tie('dim')).map(([a, b]) => dimMax(a, dimNeg(b))),
      ),
    }));
    const x = slot('x', 'input', 'i32', dimMul(s, t));
    const y = slot('y', 'output', 'i32', 8);
    await fc.assert(
      fc.asyncProperty(
        fc.array(dim, { minLength: 8, maxLength: 8 }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 8 }),
        async (dims, sv, tv) => {
          const step = call('dims', (k, at) => {
            const b = at(y);
            dims.forEach((d, i) => k.store(b, i, k.dim(d)));
          });
          const p = program({
            slots: [x, y],
            steps: [step],
            inputs: [{ name: 'x', type: { dtype: 'i32', shape: [s, t] }, slot: x }],
            outputs: [{ name: 'y', type: { dtype: 'i32', shape: [8] }, slot: y }],
            symbols: (['s', 't'] as const).map(name => ({ name, lo: 1, hi: 40, from: 'input' as const })),
          });
          const env = new Map([
            ['s', sv],
            ['t', tv],
          ]);
          const inputs = new Map([['x', fromNumbers('i32', [sv, tv], new Array<number>(sv * tv).fill(0))]]);
          expect(numbers((await both(p, inputs, env)).get('y'))).toEqual(dims.map(d => evalDim(d, env) + 0));
          // And the text of a dimension means the same.
          const read = (d: Dim): Dim => parseDim(showDim(d), () => ({ lo: 1, hi: 40 }));
          expect(dims.map(d => evalDim(read(d), env) + 0)).toEqual(dims.map(d => evalDim(d, env) + 0));
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe('what is given to a program', () => {
  const n = symbol('n', 2, 5);
  const x = slot('x', 'input', 'f32', n);
  const z = slot('z', 'input', 'f32', dimAdd(dimMul(n, 2), 1));
  const p = program({
    slots: [x, z],
    steps: [],
    inputs: [
      { name: 'x', type: { dtype: 'f32', shape: [n] }, slot: x },
      { name: 'z', type: { dtype: 'f32', shape: [dimAdd(dimMul(n, 2), 1)] }, slot: z },
    ],
    outputs: [],
    symbols: [{ name: 'n', lo: 2, hi: 5, from: 'input' }],
    guards: [{ a: n, b: 3, what: 'the length' }],
  });
  const f32s = (k: number): Tensor => fromNumbers('f32', [k], new Array<number>(k).fill(0));
  const give =
    (a: Tensor, b: Tensor): (() => unknown) =>
    () =>
      interpretProgram(
        p,
        new Map([
          ['x', a],
          ['z', b],
        ]),
      );
  it('must be there, and of the right type, rank and size', () => {
    expect(give(f32s(3), f32s(7))).not.toThrow();
    expect(() => interpretProgram(p, new Map([['x', f32s(3)]]))).toThrow(/E501.*z.*is missing/);
    expect(give(fromNumbers('f64', [3], [0, 0, 0]), f32s(7))).toThrow(/E501.*type f64/);
    expect(give(fromNumbers('f32', [1, 3], [0, 0, 0]), f32s(7))).toThrow(/E501.*2 dimensions, not 1/);
    expect(give(f32s(3), f32s(8))).toThrow(/E501.*z.*size 0 is 8, must be 2\*n\+1 = 7/);
    expect(give(f32s(6), f32s(13))).toThrow(/E502.*size 0 gives n = 6, outside its range 2..5/);
    expect(give(f32s(4), f32s(9))).toThrow(/E502.*the length; they are 4 and 3/);
  });
});
