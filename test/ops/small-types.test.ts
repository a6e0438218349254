import { describe, expect, it } from '@jest/globals';
import { isMiniFloat, MINI_FLOATS } from '../../compiler/core/codes.ts';
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { DTYPES, limitsOf, type DType } from '../../compiler/core/dtype.ts';
import { fromNumbers, fromTyped, toNumbers, typed, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply1, input, type Graph, type Value } from '../../compiler/graph/graph.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { Add, Cast, Div, Exp, Mul, Sub } from '../../compiler/ops/elementwise/index.ts';
import { MatMul } from '../../compiler/ops/matmul/matmul.ts';
import { Reduce } from '../../compiler/ops/reduce/reduce.ts';
import { Transpose } from '../../compiler/ops/movement/view.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import { compiled } from '../conformance/compiled.ts';
import { noise, target } from './problems.ts';

const FLOATS = ['f8e4m3fn', 'f8e4m3fnuz', 'f8e5m2', 'f8e5m2fnuz', 'f4e2m1', 'f8e8m0'] as const satisfies readonly DType[];
const INTEGERS = ['i4', 'u4', 'i2', 'u2'] as const satisfies readonly DType[];
const codes = (t: DType): Tensor => {
  const n = 2 ** DTYPES[t].bits;
  return fromTyped(
    t,
    [n],
    Uint8Array.from({ length: n }, (_, i) => i),
  );
};
const bitsOf = (t: Tensor): number[] => [...typed(t)].map(v => Number(v) & 255);

/** Greatest and least positive numbers, and what the ends of the codes stand for, as ONNX lists them. */
const LISTED: Readonly<Record<(typeof FLOATS)[number], Readonly<Record<number, number>>>> = {
  f8e4m3fn: { 0x00: 0, 0x80: -0, 0x01: 2 ** -9, 0x08: 2 ** -6, 0x38: 1, 0x7e: 448, 0xfe: -448, 0x7f: NaN, 0xff: NaN },
  f8e4m3fnuz: { 0x00: 0, 0x80: NaN, 0x01: 2 ** -10, 0x08: 2 ** -7, 0x40: 1, 0x7f: 240, 0xff: -240 },
  f8e5m2: { 0x00: 0, 0x80: -0, 0x01: 2 ** -16, 0x3c: 1, 0x7b: 57344, 0x7c: Infinity, 0xfc: -Infinity, 0x7d: NaN, 0xff: NaN },
  f8e5m2fnuz: { 0x00: 0, 0x80: NaN, 0x01: 2 ** -17, 0x40: 1, 0x7f: 57344, 0xff: -57344 },
  f4e2m1: { 0: 0, 1: 0.5, 2: 1, 3: 1.5, 4: 2, 5: 3, 6: 4, 7: 6, 8: -0, 15: -6 },
  f8e8m0: { 0: 2 ** -127, 1: 2 ** -126, 127: 1, 254: 2 ** 127, 255: NaN },
};
/** All finite numbers of a type, what lies between two of them, and what lies just beside both. */
function trials(t: DType): Float32Array {
  const all = [...toNumbers(codes(t))].filter(Number.isFinite).sort((a, b) => a - b);
  const between = all.slice(1).map((v, i) => (v + (all[i] ?? 0)) / 2);
  const beside = [...all, ...between].flatMap(v => [v, v * (1 + 2 ** -20), v * (1 - 2 ** -20)]);
  const [most = 0] = all.slice(-1);
  const ends = [
    most * 1.04,
    most * 1.0625,
    most * 1.07,
    most * 1.125,
    most * 1.13,
    most * 1.5,
    1e30,
    1e-30,
    1e-42,
    Infinity,
    NaN,
    0,
    -0,
  ];
  return Float32Array.from([...beside, ...ends, ...ends.map(v => -v)]);
}
/** The nearest number by search, ties to the even code; beyond the greatest as ONNX's casts without saturation. */
function nearest(t: DType, x: number): number {
  if (Number.isNaN(x)) return t === 'f4e2m1' ? -0 : NaN;
  const all = [...toNumbers(codes(t))].map((v, code) => ({ v, code })).filter(c => Number.isFinite(c.v));
  const magnitudes = [...new Set(all.map(c => Math.abs(c.v)))].sort((p, q) => p - q);
  const [second = 0, most = 0] = magnitudes.slice(-2);
  const a = Math.abs(x);
  // Half a step beyond the greatest number the next one would be as near; it is even where the greatest is odd.
  const half = most + (most - second) / 2;
  const odd = isMiniFloat(t) && MINI_FLOATS[t].max % 2 === 1;
  if (t !== 'f4e2m1' && (a > half || (a === half && odd))) return t === 'f8e5m2' ? Math.sign(x) * Infinity : NaN;
  const within = Math.sign(x) * Math.min(a, most);
  return all.reduce((p, c) => {
    const [d, e] = [Math.abs(c.v - within), Math.abs(p.v - within)];
    return d < e || (d === e && c.code % 2 === 0 && p.code % 2 !== 0) ? c : p;
  }).v;
}
const same = (a: number, b: number): boolean => a === b || (Number.isNaN(a) && Number.isNaN(b));

const castTo = (x: Value, to: DType): Value => apply1(Cast, [x], { to }, noLoc);
/** The evaluator, kernels, WebAssembly and C give the same bits for all outputs of a graph over inputs `x` and `q`. */
async function everywhere(
  x: Tensor,
  q: Tensor,
  make: (x: Value, q: Value) => Readonly<Record<string, Value>>,
): Promise<ReadonlyMap<string, Tensor>> {
  const [vx, vq] = [input('x', { dtype: x.dtype, shape: x.dims }), input('q', { dtype: q.dtype, shape: q.dims })];
  const outputs = Object.entries(make(vx, vq)).map(([name, value]) => ({ name, value }));
  const g: Graph = { name: 'g', inputs: [vx, vq], outputs, symbolDefinitions: [] };
  const inputs = new Map([
    ['x', x],
    ['q', q],
  ]);
  const bits = (o: ReadonlyMap<string, Tensor>): (readonly [string, number[]])[] => [...o].map(([name, t]) => [name, bitsOf(t)]);
  const want = evaluate(g, inputs);
  for (const profile of ['wasm-mvp', 'wasm-simd', 'linux-x64-v4'])
    expect([profile, bits(interpretProgram(lowerGraph(g, target(profile)), inputs))]).toEqual([profile, bits(want)]);
  for (const way of ['wasm', 'c'] as const) expect([way, bits((await compiled(way, g))(inputs))]).toEqual([way, bits(want)]);
  return want;
}
const numbersOf = (o: ReadonlyMap<string, Tensor>, name: string): number[] => [...toNumbers(must(o.get(name)))];

describe.each(FLOATS)('%s', t => {
  it('stands for the numbers that ONNX lists', () => {
    const all = toNumbers(codes(t));
    for (const [code, v] of Object.entries(LISTED[t])) expect([code, all[Number(code)]]).toEqual([code, v]);
  });
  it('is read and rounded alike everywhere, stored or not', async () => {
    const values = trials(t);
    const y = await everywhere(fromTyped('f32', [values.length], values), codes(t), (x, q) => ({
      stored: castTo(x, t),
      fused: castTo(castTo(x, t), 'f32'),
      read: castTo(q, 'f32'),
    }));
    expect(numbersOf(y, 'read')).toEqual([...toNumbers(codes(t))]);
    const stored = numbersOf(y, 'stored');
    expect(numbersOf(y, 'fused')).toEqual(stored);
    if (t === 'f8e8m0') return;
    const off = stored.flatMap((v, i) => {
      const want = nearest(t, values[i] ?? 0);
      return same(v, want) ? [] : [`${values[i]}: ${v}, not ${want}`];
    });
    expect(off).toEqual([]);
  });
});
describe.each(INTEGERS)('%s', t => {
  const [lo, hi] = limitsOf(t).map(Number) as [number, number];
  it('wraps, is what its lowest bits say whatever lies in the byte, and moves', async () => {
    const values = [...Array.from({ length: 40 }, (_, i) => i - 20), 300.7, -300.7, NaN];
    const q = fromTyped(
      t,
      [16, 16],
      Uint8Array.from({ length: 256 }, (_, i) => i),
    );
    const y = await everywhere(fromNumbers('f32', [values.length], values), q, (x, v) => ({
      wrapped: castTo(x, t),
      read: castTo(v, 'i32'),
      moved: castTo(apply1(Transpose, [v], { perm: [1, 0] }, noLoc), 'i32'),
    }));
    const span = hi - lo + 1;
    const wrapped = values.map(v => (((((Number.isNaN(v) ? 0 : Math.trunc(v)) - lo) % span) + span) % span) + lo);
    expect(numbersOf(y, 'wrapped')).toEqual(wrapped);
    const all = [...toNumbers(q)];
    expect(numbersOf(y, 'read')).toEqual(all);
    expect(numbersOf(y, 'moved')).toEqual(all.map((_, i) => all[(i % 16) * 16 + Math.floor(i / 16)]));
    expect([Math.min(...all), Math.max(...all)]).toEqual([lo, hi]);
  });
});

describe('half floats', () => {
  it.each(['f16', 'bf16'] as const)('%s are rounded after each operator, also where several are one kernel', async t => {
    const x = input('x', { dtype: t, shape: [4, 16] });
    const w = input('w', { dtype: t, shape: [16, 16] });
    const product = apply1(MatMul, [x, w], {}, noLoc);
    const sum = apply1(Add, [apply1(Mul, [product, x], {}, noLoc), product], {}, noLoc);
    const chain = apply1(
      Div,
      [apply1(Sub, [apply1(Mul, [x, x], {}, noLoc), x], {}, noLoc), apply1(Exp, [x], {}, noLoc)],
      {},
      noLoc,
    );
    const total = apply1(Reduce, [apply1(Mul, [chain, x], {}, noLoc)], { of: 'max', axes: [1], keep: false }, noLoc);
    const outs = [sum, chain, total];
    const g: Graph = {
      name: 'halves',
      inputs: [x, w],
      outputs: outs.map((value, i) => ({ name: `y${i}`, value })),
      symbolDefinitions: [],
    };
    const inputs = new Map([
      ['x', noise(t, [4, 16], 3)],
      ['w', noise(t, [16, 16], 4)],
    ]);
    const want = evaluate(g, inputs);
    const got = (await compiled('wasm', g))(inputs);
    for (const [name, v] of want) expect([name, ...toNumbers(must(got.get(name)))]).toEqual([name, ...toNumbers(v)]);
  });
});
