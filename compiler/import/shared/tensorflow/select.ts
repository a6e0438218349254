import { must } from '../../../core/diagnostic.ts';
import { dimHi, type Dim } from '../../../core/dim.ts';
import type { DType } from '../../../core/dtype.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { OneHot } from '../../../ops/movement/gather.ts';
import { NonMaxSuppression } from '../../../ops/sort/nms.ts';
import { TopK } from '../../../ops/sort/topk.ts';
import { rankOf, sizeAt } from '../axes.ts';
import type { ImportBuilder } from '../builder.ts';
import { sizeOf, sizesValue } from '../sizes.ts';
import { cast, concat, reshape } from '../views.ts';

/** The k largest elements of the last axis in order, and where they are; of equal ones the lower index comes first. */
export function topK(c: ImportBuilder, x: Value, k: Value, indices: DType): readonly [Value, Value] {
  const axis = rankOf(x) - 1;
  const hi = dimHi(sizeAt(c, x, axis));
  const outs = c.apply(TopK, [x], { k: sizeOf(c, k, { what: 'k', lo: 0, hi }), axis, largest: true });
  return [must(outs[0]), cast(c, must(outs[1]), indices)];
}
/** `on` where the index along the new axis is the one in `indices`, else `off`; an index outside is nowhere. */
export function oneHot(c: ImportBuilder, indices: Value, depth: Dim, on: Value, off: Value, axis: number): Value {
  const wide = cast(c, indices, 'i64');
  // The operator counts negative ones from the end.
  const outside = c.apply1(e.Less, [wide, c.literal('i64', 0)]);
  const at = c.apply1(e.Where, [outside, sizesValue(c, [depth], []), wide]);
  const values = concat(c, [reshape(c, off, [1]), reshape(c, on, [1])], 0);
  return c.apply1(OneHot, [at, values], { axis, depth });
}

/** Which boxes to keep, and how many. */
interface Suppression {
  /** As an integer. */
  readonly max: Value;
  /** Boxes that overlap a better one by more are dropped. */
  readonly iou: Value;
  /** Boxes whose score is not above it are dropped. */
  readonly score?: Value;
}
/**
 * The boxes [batch, n, 4] that are left of scores [batch, classes, n] when each class drops those that overlap a better one: rows of
 * [batch, class, box] of i64. A box is two opposite corners (y, x).
 */
export function suppressed(c: ImportBuilder, boxes: Value, scores: Value, o: Suppression, most: Dim): Value {
  const single = (v: Value): Value => reshape(c, cast(c, v, 'f32'), [1]);
  const count = c.symbol('selected', 0, dimHi(most));
  const limit = reshape(c, cast(c, o.max, 'i64'), [1]);
  return c.apply1(
    NonMaxSuppression,
    [cast(c, boxes, 'f32'), cast(c, scores, 'f32'), limit, single(o.iou), o.score && single(o.score)],
    { center: false, count },
  );
}
