import { describe, expect, it } from '@jest/globals';
import { noLoc } from '../../compiler/core/diagnostic.ts';
import { dimAdd, dimFloorDiv, dimMul, dimSub, evalDim, showDim, symbol, type Dim } from '../../compiler/core/dim.ts';
import { apply1, type Value } from '../../compiler/graph/graph.ts';
import { Add } from '../../compiler/ops/elementwise/index.ts';
import { Concat } from '../../compiler/ops/movement/concat.ts';
import { Pad, type PadMode } from '../../compiler/ops/movement/pad.ts';
import { compactRef, slotBuffer } from '../../compiler/ops/ref.ts';
import { Expand, Reshape, reshapeRef, Slice, Transpose } from '../../compiler/ops/movement/view.ts';
import { expectSame, type Problem } from './moves.ts';
import { cutOf } from '../../compiler/import/shared/views.ts';

const n = symbol('n', 1, 9);
const m = symbol('m', 1, 7);
const sizes = [
  { n: 1, m: 1 },
  { n: 5, m: 3 },
  { n: 9, m: 7 },
];
const turn = (perm: readonly number[]) => (v: Value) => apply1(Transpose, [v], { perm }, noLoc);
const twice = (v: Value): Value => apply1(Add, [v, v], {}, noLoc);
const whole = (shape: readonly Dim[]) => ({ starts: shape.map(() => 0), sizes: shape, steps: shape.map(() => 1) });

const problems: Problem[] = [
  { title: 'reshape', op: Reshape, operands: [{ shape: [n, 4, 6] }], attrs: { shape: [dimMul(n, 2), 12] }, sizes, after: twice },
  {
    title: 'reshape of a transposed tensor: a copy',
    op: Reshape,
    operands: [{ shape: [n, m, 4] }],
    attrs: { shape: [dimMul(n, m), 4] },
    before: turn([1, 0, 2]),
    sizes,
  },
  {
    title: 'reshape of a transposed tensor: no copy',
    op: Reshape,
    operands: [{ shape: [n, 6, m] }],
    attrs: { shape: [m, 1, n, 2, 3] },
    before: turn([2, 0, 1]),
    sizes,
    after: twice,
  },
  { title: 'transpose', op: Transpose, operands: [{ shape: [2, n, m, 5] }], attrs: { perm: [0, 2, 3, 1] }, sizes },
  {
    title: 'transpose of bytes',
    op: Transpose,
    operands: [{ shape: [n, m, 5], dtype: 'u8' }],
    attrs: { perm: [2, 1, 0] },
    sizes,
  },
  { title: 'transpose of i64', op: Transpose, operands: [{ shape: [n, 3], dtype: 'i64' }], attrs: { perm: [1, 0] }, sizes },
  {
    title: 'a slice backwards',
    op: Slice,
    operands: [{ shape: [n, 8, m] }],
    attrs: { starts: [dimSub(n, 1), 6, 0], sizes: [n, 3, m], steps: [-1, -2, 1] },
    sizes,
    after: twice,
  },
  {
    title: 'a slice of half floats',
    op: Slice,
    operands: [{ shape: [4, 9], dtype: 'f16' }],
    attrs: { ...whole([4, 9]), starts: [1, 2], sizes: [3, 4], steps: [1, 2] },
  },
  { title: 'expand', op: Expand, operands: [{ shape: [n, 1] }], attrs: { shape: [3, n, 5] }, sizes },
  { title: 'expand of booleans', op: Expand, operands: [{ shape: [1, 5], dtype: 'bool' }], attrs: { shape: [4, 5] } },
  {
    title: 'concat along the last axis',
    op: Concat,
    operands: [{ shape: [2, n] }, { shape: [2, m] }, { shape: [2, 4] }],
    attrs: { axis: 1 },
    before: twice,
    sizes,
  },
  { title: 'concat with nothing', op: Concat, operands: [{ shape: [0, 3] }, { shape: [n, 3] }], attrs: { axis: 0 }, sizes },
  { title: 'concat of one value with itself', op: Concat, operands: [{ shape: [n, 4] }], attrs: { axis: 0 }, sizes },
];
const modes: readonly PadMode[] = ['constant', 'edge', 'reflect', 'wrap'];
for (const mode of modes) {
  const from = symbol('n', 4, 9);
  problems.push({
    title: `pad ${mode}, all axes`,
    op: Pad,
    operands: [{ shape: [3, from, 6] }],
    attrs: { mode, begin: [1, 2, 3], end: [2, 0, 5] },
    sizes: [{ n: 4 }, { n: 9 }],
  });
  problems.push({
    title: `pad ${mode}, inner axes`,
    op: Pad,
    operands: [{ shape: [2, 5, from, 8] }],
    attrs: { mode, begin: [0, 1, 1, 0], end: [0, 2, dimSub(from, 2), 0] },
    before: twice,
    sizes: [{ n: 4 }, { n: 9 }],
  });
}
problems.push(
  {
    title: 'pad with a value, cutting off at the other end',
    op: Pad,
    operands: [{ shape: [5, 7] }, { shape: [], cycle: [7.5] }],
    attrs: { mode: 'constant', begin: [-1, 3], end: [2, -2] },
  },
  {
    title: 'pad of bytes and booleans',
    op: Pad,
    operands: [
      { shape: [5, 7], dtype: 'bool', cycle: [1, 0, 1] },
      { shape: [], dtype: 'bool', cycle: [1] },
    ],
    attrs: { mode: 'constant', begin: [1, 3], end: [2, 2] },
  },
  {
    title: 'pad of nothing',
    op: Pad,
    operands: [{ shape: [0, 3] }],
    attrs: { mode: 'constant', begin: [1, 0], end: [1, 1] },
  },
  {
    title: 'pad of wide integers',
    op: Pad,
    operands: [{ shape: [n, 3], dtype: 'i64' }],
    attrs: { begin: [1, 1], end: [0, 2] },
    sizes,
  },
);

describe('views, concatenation and pads: compiled code against the evaluator', () => {
  for (const p of problems) it(p.title, () => expectSame(p, ['wasm-simd', 'wasm-mvp']));
});

describe('reshape of strided memory', () => {
  const at = (shape: readonly Dim[]) => compactRef(slotBuffer({ name: 'x', dtype: 'f32', size: 1 }), shape);
  const strided = (shape: readonly Dim[], perm: readonly number[]) => {
    const r = at(shape);
    return { ...r, dims: perm.map(p => r.dims[p] ?? 1), strides: perm.map(p => r.strides[p] ?? 1) };
  };
  it('splits and joins axes within runs that lie together', () => {
    const r = reshapeRef(strided([4, 6, 5], [1, 0, 2]), [2, 3, 4, 5]);
    expect(r?.strides).toEqual([15, 5, 30, 1]);
    expect(reshapeRef(strided([6, 4, 5], [1, 0, 2]), [24, 5])).toBeUndefined();
    expect(reshapeRef(strided([6, 4, 5], [2, 0, 1]), [5, 24])?.strides).toEqual([1, 5]);
  });
  it('works with symbols', () => {
    const r = reshapeRef(strided([n, 6, m], [2, 0, 1]), [m, dimMul(n, 6)]);
    expect(r?.strides.map(showDim)).toEqual(['1', 'm']);
    expect(reshapeRef(strided([n, m], [1, 0]), [dimMul(n, m)])).toBeUndefined();
  });
});

describe('slices as ONNX means them', () => {
  // numpy's rule, on every combination of a small axis.
  const reference = (size: number, start: number, end: number, step: number): number[] => {
    const clamp = (v: number, lo: number, hi: number): number => Math.max(lo, Math.min(v < 0 ? v + size : v, hi));
    const out: number[] = [];
    if (size === 0) return out;
    if (step > 0) for (let i = clamp(start, 0, size); i < clamp(end, 0, size); i += step) out.push(i);
    else for (let i = clamp(start, 0, size - 1); i > clamp(end, -1, size - 1); i += step) out.push(i);
    return out;
  };
  it('clamps, counts from the end and goes backwards', () => {
    for (const size of [0, 1, 2, 5])
      for (let start = -7; start <= 7; start++)
        for (let end = -7; end <= 7; end++)
          for (const step of [1, 2, 3, -1, -2, -9]) {
            const cut = cutOf(size, start, end, step);
            const want = reference(size, start, end, step);
            expect([cut.size, ...(want.length > 0 ? [cut.start] : [])]).toEqual([want.length, ...want.slice(0, 1)]);
          }
  });
  it('gives the same with symbols for everything', () => {
    const d = (name: string): Dim => symbol(name, -9, 9);
    const cut = cutOf(symbol('size', 0, 6), d('start'), d('end'), d('step'));
    for (const size of [0, 3, 6])
      for (const start of [-9, -2, 0, 4, 9])
        for (const end of [-9, -2, 0, 4, 9])
          for (const step of [1, -1, 2, -3]) {
            const env = new Map(Object.entries({ size, start, end, step }));
            const want = reference(size, start, end, step);
            expect(evalDim(cut.size, env)).toBe(want.length);
            if (want.length > 0) expect(evalDim(cut.start, env)).toBe(want[0]);
          }
  });
  it('stays simple where it is simple', () => {
    const wide = symbol('s', 4, 100);
    expect(showDim(cutOf(wide, 1, 2 ** 63, 1).size)).toBe('s-1');
    expect(showDim(cutOf(wide, -3, -1, 1).start)).toBe('s-3');
    expect(cutOf(wide, -3, -1, 1).size).toBe(2);
    expect(showDim(cutOf(wide, -1, -(2 ** 63), -1).size)).toBe('s');
    expect(showDim(cutOf(dimAdd(wide, 1), 0, dimFloorDiv(wide, 2), 1).size)).toBe('floor((s)/(2))');
  });
});
