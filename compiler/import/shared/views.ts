import { must } from '../../core/diagnostic.ts';
import { dimAdd, dimCeilDiv, dimMax, dimMin, dimMul, dimNeg, dimsEq, dimSub, type Dim } from '../../core/dim.ts';
import type { DType } from '../../core/dtype.ts';
import type { GraphBuilder } from '../../graph/build.ts';
import type { Value } from '../../graph/graph.ts';
import { Cast } from '../../ops/elementwise/index.ts';
import { Concat } from '../../ops/movement/concat.ts';
import { Expand, isWholeSlice, Reshape, Slice, Transpose } from '../../ops/movement/view.ts';
import { signOf } from './sizes.ts';

/** Views and casts as importers make them: nothing where nothing would change. */

export const cast = (c: GraphBuilder, x: Value, to: DType): Value => (x.type.dtype === to ? x : c.apply1(Cast, [x], { to }));
export const reshape = (c: GraphBuilder, x: Value, shape: readonly Dim[]): Value =>
  dimsEq(x.type.shape, shape) ? x : c.apply1(Reshape, [x], { shape });
export const transpose = (c: GraphBuilder, x: Value, perm: readonly number[]): Value =>
  perm.every((p, i) => p === i) ? x : c.apply1(Transpose, [x], { perm });
export const expand = (c: GraphBuilder, x: Value, shape: readonly Dim[]): Value =>
  dimsEq(x.type.shape, shape) ? x : c.apply1(Expand, [x], { shape });
export const concat = (c: GraphBuilder, xs: readonly Value[], axis: number): Value => {
  const some = xs.length > 1 ? xs.filter(x => x.type.shape[axis] !== 0) : xs;
  const used = some.length > 0 ? some : xs.slice(0, 1);
  return used.length === 1 ? must(used[0]) : c.apply1(Concat, used, { axis });
};
/** Part of one axis. */
export interface Cut {
  readonly start: Dim;
  readonly size: Dim;
  readonly step: Dim;
}
/** Cuts some axes and leaves the others whole. */
export function slice(c: GraphBuilder, x: Value, cuts: ReadonlyMap<number, Cut>): Value {
  const of = (a: number): Cut => cuts.get(a) ?? { start: 0, size: must(x.type.shape[a]), step: 1 };
  const all = x.type.shape.map((_, a) => of(a));
  const attrs = { starts: all.map(s => s.start), sizes: all.map(s => s.size), steps: all.map(s => s.step) };
  return isWholeSlice(x.type.shape, attrs) ? x : c.apply1(Slice, [x], attrs);
}
/** Some axes from their last element to the first. */
export const flip = (c: GraphBuilder, x: Value, axes: readonly number[]): Value =>
  slice(
    c,
    x,
    new Map(
      axes.map(a => {
        const size = must(x.type.shape[a]);
        return [a, { start: dimSub(size, 1), size, step: -1 }];
      }),
    ),
  );
/** 1 where d is negative, else 0. */
const isNegative = (d: Dim): Dim => dimMin(1, dimMax(0, dimNeg(d)));
const clampDim = (d: Dim, lo: Dim, hi: Dim): Dim => dimMax(lo, dimMin(d, hi));

/** The slice of an axis of n elements as NumPy and ONNX have it: ends may count from the end, and everything is clamped. */
export function cutOf(n: Dim, start: Dim, end: Dim, step: Dim): Cut {
  const resolve = (d: Dim): Dim => {
    const sign = signOf(d);
    return sign === 'not negative' ? d : sign === 'negative' ? dimAdd(d, n) : dimAdd(d, dimMul(n, isNegative(d)));
  };
  // 1 where the step is positive: bounds of a backward slice are one lower.
  const sign = signOf(step);
  const up: Dim = sign === 'not negative' ? 1 : sign === 'negative' ? 0 : dimSub(1, isNegative(step));
  const top = dimAdd(dimSub(n, 1), up);
  const from = clampDim(resolve(start), 0, dimMax(0, top));
  const to = clampDim(resolve(end), dimSub(up, 1), top);
  const direction = dimSub(dimMul(2, up), 1);
  const stride = dimMul(step, direction);
  const count = dimCeilDiv(dimMul(dimSub(to, from), direction), sign === 'open' ? dimMax(1, stride) : stride);
  return { start: from, size: dimMin(dimMax(0, count), n), step };
}
