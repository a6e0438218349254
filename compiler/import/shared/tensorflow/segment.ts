import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimProd, type Dim } from '../../../core/dim.ts';
import { isFloat, limitsOf, type DType } from '../../../core/dtype.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { ScatterND, type Reduction } from '../../../ops/movement/scatter.ts';
import { rankOf } from '../axes.ts';
import type { ImportBuilder } from '../builder.ts';
import { indexTuples } from '../gather.ts';
import { sizesValue } from '../sizes.ts';
import { cast, expand, reshape, slice } from '../views.ts';

export type SegmentReduction = 'sum' | 'mean' | 'sqrtn' | 'prod' | 'min' | 'max';
const SCATTER: Readonly<Record<SegmentReduction, Reduction>> = {
  sum: 'add',
  mean: 'add',
  sqrtn: 'add',
  prod: 'mul',
  min: 'min',
  max: 'max',
};
/** What a reduction of nothing is. */
function identityOf(of: SegmentReduction, t: DType): number {
  const [least, greatest] = limitsOf(t).map(Number);
  switch (of) {
    case 'min':
      return must(greatest);
    case 'max':
      return must(least);
    case 'prod':
      return 1;
    case 'sum':
    case 'mean':
    case 'sqrtn':
      return 0;
  }
}
/**
 * Slices of x combined by their number in `ids`, whose axes are the first of x. Negative numbers are dropped, and so are those of
 * `count` and more. `empty`: what a segment without slices is, where that is not the reduction of nothing.
 */
export function segmentsOf(c: ImportBuilder, of: SegmentReduction, x: Value, ids: Value, count: Dim, empty?: number): Value {
  const { dtype, shape } = x.type;
  const first = rankOf(ids);
  const inner = shape.slice(first);
  const many = dimProd(shape.slice(0, first));
  const rows = reshape(c, x, [many, ...inner]);
  const limit = sizesValue(c, [count], []);
  const flat = reshape(c, cast(c, ids, 'i64'), [many]);
  const inside = c.apply1(e.And, [c.apply1(e.GreaterOrEqual, [flat, c.literal('i64', 0)]), c.apply1(e.Less, [flat, limit])]);
  // What is dropped goes to a row behind the last.
  const at = reshape(c, c.apply1(e.Where, [inside, flat, limit]), [many, 1]);
  const whole = dimAdd(count, 1);
  const gathered = (start: number, updates: Value, reduction: Reduction): Value => {
    const zeros = expand(c, c.literal(updates.type.dtype, start), [whole, ...updates.type.shape.slice(1)]);
    const y = c.apply1(ScatterND, [zeros, at, updates], { reduction });
    return slice(c, y, new Map([[0, { start: 0, size: count, step: 1 }]]));
  };
  // The greatest float is infinity.
  const start = isFloat(dtype) && (of === 'min' || of === 'max') ? (of === 'min' ? Infinity : -Infinity) : identityOf(of, dtype);
  const y = gathered(start, rows, SCATTER[of]);
  const counted = (): Value => {
    const ones = expand(c, c.literal('i64', 1), [many]);
    const n = gathered(0, ones, 'add');
    return reshape(c, n, [count, ...inner.map(() => 1)]);
  };
  if (of === 'mean' || of === 'sqrtn') {
    const n = cast(c, c.apply1(e.Max, [counted(), c.literal('i64', 1)]), dtype);
    return c.apply1(e.Div, [y, of === 'mean' ? n : c.apply1(e.Sqrt, [n])]);
  }
  const otherwise = empty ?? identityOf(of, dtype);
  if (otherwise === start) return y;
  const none = c.apply1(e.Equal, [counted(), c.literal('i64', 0)]);
  return c.apply1(e.Where, [none, c.literal(dtype, otherwise), y]);
}

/** Slices of `updates` put at index tuples into zeros of a shape; those of one place are added. */
export function scatterInto(c: ImportBuilder, into: Value, at: Value, updates: Value, reduction: Reduction): Value {
  const wide = cast(c, updates, into.type.dtype);
  return c.apply1(ScatterND, [into, indexTuples(c, into, at, 0, false), wide], { reduction });
}
