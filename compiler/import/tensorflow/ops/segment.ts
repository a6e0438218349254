import { must } from '../../../core/diagnostic.ts';
import { dimProd, type Dim } from '../../../core/dim.ts';
import { toNumbers } from '../../../core/tensor.ts';
import { symbolicOf, tensorOf, type Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { sizeOf, unbounded } from '../../shared/sizes.ts';
import { segmentsOf, type SegmentReduction } from '../../shared/tensorflow/segment.ts';
import { gather } from '../../shared/gather.ts';
import { cast, reshape } from '../../shared/views.ts';
import type { TfBuilder, TfCtx, TfOps } from '../registry.ts';

/** One more than the greatest number: how many segments there are. */
function segmentsIn(c: TfCtx, ids: Value): Dim {
  const known = symbolicOf(ids);
  if (known?.every(d => typeof d === 'number') === true) return Math.max(-1, ...known) + 1;
  const t = tensorOf(ids);
  if (t) return toNumbers(t).reduce((m, v) => Math.max(m, v), -1) + 1;
  const flat = reshape(c, cast(c, ids, 'i64'), [dimProd(ids.type.shape)]);
  const last = c.apply1(e.Add, [reduceOver(c, 'max', flat, [0], false), c.literal('i64', 1)]);
  return sizeOf(c, last, () => ({ what: 'segments', lo: 0, hi: unbounded(c, 'number of segments')() }));
}
/** Segments whose numbers are in order; those without elements are 0, or 1 of products. */
const sorted =
  (of: SegmentReduction): TfBuilder =>
  (n, c) => {
    const ids = n.input(1);
    return [segmentsOf(c, of, n.input(0), ids, segmentsIn(c, ids), of === 'prod' ? 1 : 0)];
  };
/** Segments of a number that is given; those without elements are what a reduction of nothing is. */
const unsorted =
  (of: SegmentReduction): TfBuilder =>
  (n, c) => {
    const count = sizeOf(c, n.input(2), () => ({ what: 'segments', lo: 0, hi: unbounded(c, 'number of segments')() }));
    return [segmentsOf(c, of, n.input(0), n.input(1), count)];
  };
/** Segments of chosen rows; `counted`: how many segments there are is given. */
const sparse =
  (of: SegmentReduction, counted: boolean): TfBuilder =>
  (n, c) => {
    const rows = gather(c, n.input(0), n.input(1), 0, false);
    const ids = n.input(2);
    const count = counted
      ? sizeOf(c, n.input(3), () => ({ what: 'segments', lo: 0, hi: unbounded(c, 'number of segments')() }))
      : segmentsIn(c, ids);
    return [segmentsOf(c, of, rows, ids, must<Dim>(count), 0)];
  };

export const segmentOps: TfOps = {
  SegmentMax: sorted('max'),
  SegmentMean: sorted('mean'),
  SegmentMin: sorted('min'),
  SegmentProd: sorted('prod'),
  SegmentSum: sorted('sum'),
  SparseSegmentMean: sparse('mean', false),
  SparseSegmentMeanWithNumSegments: sparse('mean', true),
  SparseSegmentSqrtN: sparse('sqrtn', false),
  SparseSegmentSqrtNWithNumSegments: sparse('sqrtn', true),
  SparseSegmentSum: sparse('sum', false),
  SparseSegmentSumWithNumSegments: sparse('sum', true),
  UnsortedSegmentMax: unsorted('max'),
  UnsortedSegmentMin: unsorted('min'),
  UnsortedSegmentProd: unsorted('prod'),
  UnsortedSegmentSum: unsorted('sum'),
};
