import { describe, expect, it } from '@jest/globals';
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { isCoded } from '../../compiler/core/codes.ts';
import { bytesOf, DTYPES, isDType, isInt, regOf, type DType, limitsOf } from '../../compiler/core/dtype.ts';
import { fromNumbers, fromTyped, numel, toNumbers, typed, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply1, input, type Graph } from '../../compiler/graph/graph.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import type { KernelBuilder } from '../../compiler/kernel/builder.ts';
import { vtype, type Expr } from '../../compiler/kernel/ir.ts';
import { broadcastNumbers, chunkFunction } from '../../compiler/kernel/eval/chunk.ts';
import type { Attrs, Op } from '../../compiler/ops/define.ts';
import * as e from '../../compiler/ops/elementwise/index.ts';
import { scalarFunction } from '../../compiler/kernel/eval/scalar.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import { compiled } from '../conformance/compiled.ts';
import { expectClose, noise, target } from './problems.ts';

function graphOf(op: Op, types: readonly DType[], n: number, attrs: Attrs = {}): Graph {
  const inputs = types.map((dtype, i) => input(`x${i}`, { dtype, shape: [n] }));
  return { name: op.name, inputs, outputs: [{ name: 'y', value: apply1(op, inputs, attrs, noLoc) }], symbolDefinitions: [] };
}
const run = (g: Graph, xs: readonly Tensor[], profile: string): Tensor | undefined =>
  interpretProgram(lowerGraph(g, target(profile)), named(xs)).get('y');
const named = (xs: readonly Tensor[]): Map<string, Tensor> => new Map(xs.map((t, i) => [`x${i}`, t]));
const evaluated = (g: Graph, xs: readonly Tensor[]): number[] => {
  const y = evaluate(g, named(xs)).get('y');
  return y ? [...toNumbers(y)] : [];
};

const SPECIAL = [
  -Infinity,
  -1e30,
  -100,
  -20,
  -3,
  -1.5,
  -1,
  -0.5,
  -1e-4,
  -0,
  0,
  1e-4,
  0.3,
  0.5,
  1,
  2.5,
  3,
  10,
  80,
  1e30,
  Infinity,
  NaN,
];
/** Where the argument of a periodic function says nothing any more. */
const MODERATE = SPECIAL.filter(v => Math.abs(v) <= 100 || Number.isNaN(v));
const PERIODIC = new Set(['Sin', 'Cos', 'Tan']);
/** Operators whose limits at infinity are computed as infinity times zero by everybody. */
const MINUS_INFINITY = new Set(['Mish', 'Swish', 'Gelu', 'HardSwish']);

describe('elementwise kernels at the ends of the range', () => {
  const ops = e.elementwiseOps.filter(op => op.inputs.length === 1 && !['Cast', 'BitCast', 'Not', 'BitNot'].includes(op.name));
  it.each(ops.map(op => [op.name, op] as const))('%s', (name, op) => {
    const values = PERIODIC.has(name) ? MODERATE : MINUS_INFINITY.has(name) ? SPECIAL.slice(1) : SPECIAL;
    const x = fromNumbers('f32', [values.length], values);
    const g = graphOf(op, ['f32'], values.length);
    const want = evaluate(g, named([x])).get('y');
    if (!want) throw new Error('no result');
    for (const profile of ['wasm-mvp', 'wasm-simd', 'linux-x64-v3', 'linux-x64-v4'])
      expectClose(run(g, [x], profile), want, 2e-6, 2e-7);
  });
});

describe('NaN', () => {
  const pair = (op: Op, a: readonly number[], b: readonly number[]): number[] => {
    const xs = [a, b].map(v => fromNumbers('f32', [v.length], v));
    const g = graphOf(op, ['f32', 'f32'], a.length);
    const y = run(g, xs, 'wasm-simd');
    expect(y && [...toNumbers(y)]).toEqual(evaluated(g, xs));
    return evaluated(g, xs);
  };
  it('goes through Max and Min from either side', () => {
    expect(pair(e.Max, [NaN, 1, 1, 2], [1, NaN, 2, 1])).toEqual([NaN, NaN, 2, 2]);
    expect(pair(e.Min, [NaN, 1, 1, 2], [1, NaN, 2, 1])).toEqual([NaN, NaN, 1, 1]);
  });
  it('stays in Relu and Clip', () => {
    const x = fromNumbers('f32', [4], [NaN, -1, 0.5, 9]);
    expect(evaluated(graphOf(e.Relu, ['f32'], 4), [x])).toEqual([NaN, 0, 0.5, 9]);
    expect(evaluated(graphOf(e.Clip, ['f32'], 4, { lo: 0, hi: 1 }), [x])).toEqual([NaN, 0, 0.5, 1]);
  });
  it('an upper bound below the lower one wins', () => {
    expect(evaluated(graphOf(e.Clip, ['f32'], 3, { lo: 2, hi: 1 }), [fromNumbers('f32', [3], [0, 1.5, 3])])).toEqual([1, 1, 1]);
  });
});

describe('powers', () => {
  it('of whole numbers are whole', () => {
    const a = [2, 3, -2, -3, 7, 10, 1, -1];
    const b = [10, 7, 5, 4, 3, 8, 1000, 1001];
    const xs = [a, b].map(v => fromNumbers('f32', [v.length], v));
    const y = run(graphOf(e.Pow, ['f32', 'f32'], a.length), xs, 'wasm-simd');
    expect(y && [...toNumbers(y)]).toEqual(a.map((v, i) => v ** (b[i] ?? 0)));
  });
  it('follow C at the ends', () => {
    const a = [0, 0, NaN, 1, -8, Infinity, -Infinity, 0.5, 2];
    const b = [0, -1, 0, NaN, 1 / 3, -1, 3, Infinity, -Infinity];
    const xs = [a, b].map(v => fromNumbers('f32', [v.length], v));
    expect(evaluated(graphOf(e.Pow, ['f32', 'f32'], a.length), xs)).toEqual([1, Infinity, 1, 1, NaN, 0, -Infinity, 0, 0]);
  });
});

describe('integers', () => {
  const INTS = Object.keys(DTYPES).filter(isDType).filter(isInt);
  /** All pairs of interesting numbers of a type. */
  function pairs(t: DType): readonly [Tensor, Tensor] {
    const [lo, hi] = limitsOf(t).map(BigInt);
    const some = [lo ?? 0n, hi ?? 0n, (lo ?? 0n) + 1n, 0n, 1n, 2n, 3n, 7n, 100n, ...(lo === 0n ? [] : [-1n, -2n, -7n])];
    const all = some.flatMap(a => some.map(b => [a, b] as const));
    const make = (v: readonly bigint[]): Tensor => {
      if (t === 'i64') return fromTyped(t, [v.length], BigInt64Array.from(v));
      return t === 'u64' ? fromTyped(t, [v.length], BigUint64Array.from(v)) : fromNumbers(t, [v.length], v.map(Number));
    };
    return [make(all.map(p => p[0])), make(all.map(p => p[1]))];
  }
  const wrap = (t: DType, v: bigint): bigint => {
    const bits = DTYPES[t].bits;
    return DTYPES[t].kind === 'int' ? BigInt.asIntN(bits, v) : BigInt.asUintN(bits, v);
  };
  const power = (a: bigint, b: bigint): bigint =>
    b < 0n ? (a === 1n ? 1n : a === -1n ? (b % 2n === 0n ? 1n : -1n) : 0n) : a ** b;
  const TRUE: readonly (readonly [string, Op, Attrs, (a: bigint, b: bigint, t: DType) => bigint | undefined])[] = [
    ['Add', e.Add, {}, (a, b) => a + b],
    ['Sub', e.Sub, {}, (a, b) => a - b],
    ['Mul', e.Mul, {}, (a, b) => a * b],
    ['Div', e.Div, {}, (a, b) => (b === 0n ? 0n : a / b)],
    ['Mod', e.Mod, {}, (a, b) => (b === 0n ? 0n : ((a % b) + b) % b)],
    ['fmod', e.Mod, { fmod: true }, (a, b) => (b === 0n ? 0n : a % b)],
    ['Max', e.Max, {}, (a, b) => (a < b ? b : a)],
    ['Min', e.Min, {}, (a, b) => (a < b ? a : b)],
    ['Pow', e.Pow, {}, (a, b) => (b > 63n ? undefined : power(a, b))],
    ['BitAnd', e.BitAnd, {}, (a, b) => a & b],
    ['BitXor', e.BitXor, {}, (a, b) => a ^ b],
    ['left', e.BitShift, { left: true }, (a, b, t) => (b < 0n ? undefined : b >= DTYPES[t].bits ? 0n : a << b)],
    ['right', e.BitShift, { left: false }, (a, b, t) => (b < 0n ? undefined : b >= DTYPES[t].bits ? 0n : a >> b)],
  ];
  it.each(TRUE)('%s wraps and never traps', (_, op, attrs, f) => {
    for (const t of INTS) {
      const [a, b] = pairs(t);
      const n = numel(a.dims);
      const g = graphOf(op, [t, t], n, attrs);
      const [x, y] = [typed(a), typed(b)];
      const reference = evaluate(g, named([a, b])).get('y');
      const results = [reference, run(g, [a, b], 'wasm-mvp'), run(g, [a, b], 'wasm-simd')];
      for (const r of results) {
        if (!r) throw new Error('no result');
        const got = typed(r);
        for (let i = 0; i < n; i++) {
          const want = f(BigInt(x[i] ?? 0), BigInt(y[i] ?? 0), t);
          if (want === undefined) continue;
          if (BigInt(got[i] ?? 0) !== wrap(t, want))
            throw new Error(`${t}: ${x[i]} and ${y[i]} give ${got[i]}, not ${wrap(t, want)}`);
        }
      }
    }
  });
});

describe('Cast', () => {
  // Types of a byte and less have small-types.test.ts.
  const types = Object.keys(DTYPES)
    .filter(isDType)
    .filter(t => t !== 'text' && (!isCoded(t) || bytesOf(t) > 1));
  const values = [
    -1e10,
    -40000.7,
    -129.5,
    -1.5,
    -1,
    -0.25,
    0,
    0.5,
    1,
    2.5,
    100,
    127.5,
    255.9,
    70000,
    3e9,
    1e20,
    Infinity,
    -Infinity,
    NaN,
  ];
  it.each(types.flatMap(from => types.map(to => [from, to] as const)))('%s to %s', (from, to) => {
    const usable = isInt(from) || from === 'bool' ? values.filter(v => Number.isFinite(v) && Math.abs(v) < 1e15) : values;
    const x = fromNumbers(from, [usable.length], usable);
    const g = graphOf(e.Cast, [from], usable.length, { to });
    const want = evaluate(g, named([x])).get('y');
    if (!want) throw new Error('no result');
    for (const profile of ['wasm-mvp', 'wasm-simd', 'linux-x64-v3', 'linux-x64-v4'])
      expectClose(run(g, [x], profile), want, 0, 0);
    if (to === 'f32' || to === 'f64' || to === 'f16' || to === 'bf16') return;
    // Floats saturate; NaN becomes 0 (true, as bool).
    const [lo, hi] = limitsOf(to).map(Number);
    if (!from.startsWith('f')) return;
    toNumbers(x).forEach((v, i) => {
      const exact = to === 'bool' ? Number(v !== 0) : Number.isNaN(v) ? 0 : Math.min(Math.max(Math.trunc(v), lo ?? 0), hi ?? 0);
      expect(toNumbers(want)[i]).toBe(exact + 0);
    });
  });
});

describe('half floats', () => {
  it('are rounded where a cast to them is fused with the cast back', () => {
    const values = [
      1 / 3,
      -1 / 3,
      2049,
      2051,
      65504,
      65519.9,
      65520,
      -1e6,
      1e-7,
      2.9e-8,
      3.1e-8,
      -6.1e-5,
      6.09e-5,
      0,
      Infinity,
      NaN,
      1e-30,
      3e38,
    ];
    const x = fromNumbers('f32', [values.length], values);
    for (const half of ['f16', 'bf16'] as const) {
      const v = input('x0', { dtype: 'f32', shape: [values.length] });
      const there = apply1(e.Cast, [v], { to: half }, noLoc);
      const g: Graph = {
        name: half,
        inputs: [v],
        outputs: [{ name: 'y', value: apply1(e.Cast, [there], { to: 'f32' }, noLoc) }],
        symbolDefinitions: [],
      };
      const want = fromNumbers('f32', x.dims, toNumbers(fromNumbers(half, x.dims, toNumbers(x))));
      for (const profile of ['wasm-mvp', 'wasm-simd', 'linux-x64-v3', 'linux-x64-v4'])
        expectClose(run(g, [x], profile), want, 0, 0);
    }
  });
});

describe('the reference over whole arrays', () => {
  const attrsOf = (op: Op): Attrs =>
    ({ BitShift: { left: true }, Cast: { to: 'i8' } } as Readonly<Record<string, Attrs>>)[op.name] ?? {};
  it.each(e.elementwiseOps.filter(op => op.lower.k === 'elementwise').map(op => [op.name, op] as const))(
    '%s is the reference of each element',
    (_, op) => {
      for (const t of ['f32', 'i32', 'u32', 'u8', 'bool'] as const) {
        const lower = op.lower;
        if (lower.k !== 'elementwise') return;
        const types = op.inputs.map((name): DType => (name === 'condition' ? 'bool' : t));
        let out: DType;
        let attrs: Attrs;
        try {
          const g = graphOf(op, types, 1, attrsOf(op));
          const v = g.outputs[0]?.value;
          if (v?.def.k !== 'node') return;
          out = v.type.dtype;
          attrs = v.def.attrs;
        } catch {
          continue;
        }
        const build = (k: KernelBuilder, args: readonly Expr[]): Expr => lower.scalar(args, { k, attrs, types, out, lanes: 1 });
        const regs = types.map(d => vtype(regOf(d)));
        const whole = chunkFunction(regs, build);
        const one = scalarFunction(regs, build);
        const n = 5000;
        const values = types.map((d, i) => toNumbers(noise(d, [n], i + 1)));
        const y = new Float64Array(n);
        if (!whole) throw new Error('no function of arrays');
        whole(values, y);
        for (let i = 0; i < n; i++) {
          const want = Number(one(values.map(v => v[i] ?? 0)));
          if (!Object.is(y[i], want) && y[i] !== want) throw new Error(`${t} [${i}]: ${y[i]} instead of ${want}`);
        }
      }
    },
  );
  it('repeats operands as they broadcast', () => {
    const v = Float64Array.of(1, 2, 3);
    expect([...broadcastNumbers(v, [3, 1], [2, 3, 2])]).toEqual([1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3]);
    expect([...broadcastNumbers(v, [3], [2, 3])]).toEqual([1, 2, 3, 1, 2, 3]);
    expect([...broadcastNumbers(Float64Array.of(7), [], [2, 0])]).toEqual([]);
  });
});
const rounded = (dtype: DType, v: number): number => toNumbers(fromNumbers(dtype, [1], [v]))[0] ?? NaN;
it('Mod is exact, whatever the quotient', async () => {
  const pool = [0, -0, 1, -1, 3, 0.1, 2.5, -7.25, 1e-45, 1e-38, 5e-324, 1e10, -3.4e38, 3.3e38, 1e300, Infinity, -Infinity, NaN];
  for (const dtype of ['f32', 'f16'] as const) {
    const values = [...toNumbers(fromNumbers(dtype, [pool.length], pool))];
    const pairs = values.flatMap(a => values.map(b => [a, b] as const));
    const tensors = new Map([
      [
        'a',
        fromNumbers(
          dtype,
          [pairs.length],
          pairs.map(p => p[0]),
        ),
      ],
      [
        'b',
        fromNumbers(
          dtype,
          [pairs.length],
          pairs.map(p => p[1]),
        ),
      ],
    ]);
    for (const fmod of [true, false]) {
      const [a, b] = ['a', 'b'].map(name => input(name, { dtype, shape: [pairs.length] }));
      const y = apply1(e.Mod, [a, b], { fmod }, noLoc);
      const graph = {
        name: 'mod',
        inputs: [a, b].filter(v => v !== undefined),
        outputs: [{ name: 'y', value: y }],
        symbolDefinitions: [],
      };
      const want = pairs.map(([p, q]) => {
        const r = p % q;
        return fmod ? r : r !== 0 && r < 0 !== q < 0 ? rounded(dtype, r + q) : r + 0;
      });
      const runs = [evaluate(graph, tensors), (await compiled('wasm', graph))(tensors)];
      for (const got of runs) expect([...toNumbers(must(got.get('y')))]).toEqual(want);
    }
  }
});
