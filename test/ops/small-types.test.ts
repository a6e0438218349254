import { describe, expect, it } from '@jest/globals';
import { isMiniFloat, MINI_FLOATS } from '../../compiler/core/codes.ts';
import { noLoc } from '../../compiler/core/diagnostic.ts';
import { DTYPES, limitsOf, type DType } from '../../compiler/core/dtype.ts';
import { fromNumbers, fromTyped, toNumbers, typed, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply1, input, type Graph, type Value } from '../../compiler/graph/graph.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { Cast } from '../../compiler/ops/elementwise/index.ts';
import { Transpose } from '../../compiler/ops/movement/view.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import { compiled } from '../conformance/compiled.ts';
import { target } from './problems.ts';

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

function graphOf(from: DType, n: number, make: (x: Value) => Value): Graph {
  const x = input('x', { dtype: from, shape: [n] });
  return { name: 'g', inputs: [x], outputs: [{ name: 'y', value: make(x) }], symbolDefinitions: [] };
}
const castTo = (x: Value, to: DType): Value => apply1(Cast, [x], { to }, noLoc);
/** The evaluator, kernels for several targets, WebAssembly and C give the same bits. */
async function everywhere(g: Graph, x: Tensor): Promise<Tensor> {
  const inputs = new Map([['x', x]]);
  const want = evaluate(g, inputs).get('y');
  if (!want) throw new Error('no result');
  for (const profile of ['wasm-mvp', 'wasm-simd', 'linux-x64-v3', 'linux-x64-v4']) {
    const got = interpretProgram(lowerGraph(g, target(profile)), inputs).get('y');
    expect([profile, got && bitsOf(got)]).toEqual([profile, bitsOf(want)]);
  }
  for (const way of ['wasm', 'c'] as const) {
    const got = (await compiled(way, g))(inputs).get('y');
    expect([way, got && bitsOf(got)]).toEqual([way, bitsOf(want)]);
  }
  return want;
}

describe.each(FLOATS)('%s', t => {
  it('stands for the numbers that ONNX lists', () => {
    const all = toNumbers(codes(t));
    for (const [code, v] of Object.entries(LISTED[t])) expect([code, all[Number(code)]]).toEqual([code, v]);
  });
  it('is read alike everywhere', async () => {
    const y = await everywhere(
      graphOf(t, 2 ** DTYPES[t].bits, x => castTo(x, 'f32')),
      codes(t),
    );
    expect([...toNumbers(y)]).toEqual([...toNumbers(codes(t))]);
  });
  it('is rounded alike everywhere, stored or not', async () => {
    const values = trials(t);
    const x = fromTyped('f32', [values.length], values);
    const stored = await everywhere(
      graphOf('f32', values.length, v => castTo(v, t)),
      x,
    );
    const fused = await everywhere(
      graphOf('f32', values.length, v => castTo(castTo(v, t), 'f32')),
      x,
    );
    expect([...toNumbers(fused)]).toEqual([...toNumbers(stored)]);
    if (t === 'f8e8m0') return;
    const off = [...toNumbers(stored)].flatMap((v, i) => {
      const want = nearest(t, values[i] ?? 0);
      return same(v, want) ? [] : [`${values[i]}: ${v}, not ${want}`];
    });
    expect(off).toEqual([]);
  });
});
describe.each(INTEGERS)('%s', t => {
  const [lo, hi] = limitsOf(t).map(Number) as [number, number];
  it('wraps', async () => {
    const values = [...Array.from({ length: 40 }, (_, i) => i - 20), 300.7, -300.7, NaN];
    const y = await everywhere(
      graphOf('f32', values.length, v => castTo(v, t)),
      fromNumbers('f32', [values.length], values),
    );
    const span = hi - lo + 1;
    const wrapped = values.map(v => (((((Number.isNaN(v) ? 0 : Math.trunc(v)) - lo) % span) + span) % span) + lo);
    expect([...toNumbers(y)]).toEqual(wrapped);
  });
  it('is what its lowest bits say, whatever lies in the byte', async () => {
    const x = fromTyped(
      t,
      [256],
      Uint8Array.from({ length: 256 }, (_, i) => i),
    );
    const y = await everywhere(
      graphOf(t, 256, v => castTo(v, 'i32')),
      x,
    );
    expect([...toNumbers(y)]).toEqual([...toNumbers(x)]);
    expect([Math.min(...toNumbers(x)), Math.max(...toNumbers(x))]).toEqual([lo, hi]);
  });
  it('moves', async () => {
    const x = input('x', { dtype: t, shape: [3, 5] });
    const g: Graph = {
      name: 'g',
      inputs: [x],
      outputs: [{ name: 'y', value: apply1(Transpose, [x], { perm: [1, 0] }, noLoc) }],
      symbolDefinitions: [],
    };
    await everywhere(
      g,
      fromNumbers(
        t,
        [3, 5],
        Array.from({ length: 15 }, (_, i) => lo + (i % (hi - lo + 1))),
      ),
    );
  });
});
