import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimHi, dimMin, dimSub, type Dim } from '../../../core/dim.ts';
import { symbolicOf, type Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Pad } from '../../../ops/movement/pad.ts';
import { Eye } from '../../../ops/movement/range.ts';
import { axesFrom, positionOf, rankOf, sizeAt } from '../../shared/axes.ts';
import { gather, nonZero, unique } from '../../shared/gather.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { element, sizeOf, sizesValue, unbounded } from '../../shared/sizes.ts';
import { scatterInto, segmentsOf, type SegmentReduction } from '../../shared/tensorflow/segment.ts';
import { oneHot, suppressed, topK } from '../../shared/tensorflow/select.ts';
import { cast, expand, reshape, slice, transpose } from '../../shared/views.ts';
import { askedSizes } from '../asked.ts';
import type { TfliteBuilder, TfliteCtx, TfliteNode, TfliteOps } from '../registry.ts';
import { moving, real, result } from './real.ts';

/** Operators that choose elements, and that put them to places. */

const topK2: TfliteBuilder = (n, c) => [...topK(c, n.input(0), n.input(1), n.resultType(1))];
const oneHotOp: TfliteBuilder = (n, c) => {
  const indices = n.input(0);
  const depth = sizeOf(c, n.input(1), { what: 'depth', lo: 0, hi: 65536 });
  const axis = n.int('axis') < 0 ? rankOf(indices) : positionOf(c, n.int('axis'), rankOf(indices));
  return [oneHot(c, indices, depth, n.input(2), n.input(3), axis)];
};
/** Rows of indices of the elements that are not zero. */
const where: TfliteBuilder = (n, c) => [transpose(c, nonZero(c, n.input(0)), [1, 0])];
const uniqueOp: TfliteBuilder = (n, c) => {
  const [values, , place] = unique(c, n.input(0), 0, false);
  return [must(values), cast(c, must(place), n.resultType(1))];
};

/** The best boxes, filled up with zeros to the largest number of them, and how many they are. */
function suppression(n: TfliteNode, c: TfliteCtx): { readonly at: Value; readonly count: Value; readonly scores: Value } {
  const [boxes, scores, max] = [n.input(0), n.input(1), n.input(2)];
  const size = sizeAt(c, scores, 0);
  const most = symbolicOf(max)?.[0] ?? size;
  const rows = suppressed(
    c,
    reshape(c, boxes, [1, ...boxes.type.shape]),
    reshape(c, scores, [1, 1, size]),
    { max, iou: n.input(3), score: n.input(4) },
    dimMin(most, size),
  );
  const found = must(rows.type.shape[0]);
  const column = reshape(c, slice(c, rows, new Map([[1, { start: 2, size: 1, step: 1 }]])), [found]);
  const filled = (v: Value): Value => c.apply1(Pad, [v], { mode: 'constant', begin: [0], end: [dimSub(most, found)] });
  return {
    at: filled(cast(c, column, 'i32')),
    count: cast(c, sizesValue(c, [found], []), 'i32'),
    scores: filled(gather(c, scores, column, 0, false)),
  };
}
const nms4: TfliteBuilder = (n, c) => {
  const { at, count } = suppression(n, c);
  return [at, count];
};
const nms5: TfliteBuilder = (n, c) => {
  const sigma = symbolicOf(n.input(5)) ?? n.input(5).def;
  if (!Array.isArray(sigma) && !isZero(n.input(5))) n.unsupported('soft suppression (its sigma is not 0)');
  const { at, count, scores } = suppression(n, c);
  return [at, scores, count];
};
const isZero = (v: Value): boolean => v.def.k === 'const' && v.def.tensor.bytes.every(b => b === 0 || b === 128);

const scatterNd: TfliteBuilder = (n, c) => {
  const [at, updates] = [n.input(0), n.input(1)];
  const shape = askedSizes(n, c, n.input(2));
  const zeros = expand(c, c.literal(updates.type.dtype, 0), shape);
  return [scatterInto(c, zeros, at, updates, 'add')];
};
const sparseToDense: TfliteBuilder = (n, c) => {
  const [at, values, otherwise] = [n.input(0), n.input(2), n.input(3)];
  const shape = askedSizes(n, c, n.input(1));
  // A single index, a list of them into one axis, or rows.
  const many = rankOf(at) === 0 ? 1 : must(at.type.shape[0]);
  const rows = rankOf(at) === 2 ? at : reshape(c, at, [many, 1]);
  const base = expand(c, reshape(c, otherwise, []), shape);
  return [scatterInto(c, base, rows, expand(c, values, [many]), 'none')];
};
/** Ids ascend, so the last one tells how many segments there are. */
const segmentSum: TfliteBuilder = (n, c) => {
  const [x, ids] = [n.input(0), n.input(1)];
  const size = sizeAt(c, ids, 0);
  const last = typeof size === 'number' ? element(c, ids, size - 1) : n.unsupported('an open number of ids; fix it with --dim');
  const declared = n.declared(0)[0];
  const most = unbounded(c, 'number of segments');
  const read = { what: 'segments', lo: 0, hi: declared ?? most(), ...(declared !== undefined && { declared }) };
  const known = symbolicOf(last)?.[0];
  const count = known === undefined ? sizeOf(c, c.apply1(e.Add, [last, c.literal(last.type.dtype, 1)]), read) : dimAdd(known, 1);
  return [segmentsOf(c, 'sum', x, ids, count)];
};
const unsorted =
  (of: SegmentReduction): TfliteBuilder =>
  (n, c) => {
    const declared = n.declared(0)[0];
    const most = unbounded(c, 'number of segments');
    const read = () => ({ what: 'segments', lo: 0, hi: declared ?? most(), ...(declared !== undefined && { declared }) });
    return [segmentsOf(c, of, n.input(0), n.input(1), sizeOf(c, n.input(2), read))];
  };
const embedding: TfliteBuilder = (n, c) => [result(n, c, 0, gather(c, real(n, c, 1), n.input(0), 0, false))];

/** Where the diagonal of the last two axes is. */
const diagonal = (c: TfliteCtx, rows: Dim, cols: Dim): Value => c.apply1(Eye, [], { rows, cols, k: 0, dtype: 'bool' });
const matrixDiag: TfliteBuilder = moving((_, c, [x]) => {
  const v = must(x);
  const { shape } = v.type;
  const size = sizeAt(c, v, -1);
  const column = expand(c, reshape(c, v, [...shape, 1]), [...shape, size]);
  return [c.apply1(e.Where, [diagonal(c, size, size), column, c.literal(v.type.dtype, 0)])];
});
const matrixSetDiag: TfliteBuilder = moving((_, c, [x, d]) => {
  const [v, diag] = [must(x), must(d)];
  const [rows, cols] = [sizeAt(c, v, -2), sizeAt(c, v, -1)];
  const least = sizeAt(c, diag, -1);
  // The diagonal as a column where there are no more rows than columns, else as a row.
  const tall = dimHi(rows) > dimHi(cols);
  const around = diag.type.shape.slice(0, -1);
  const line = reshape(c, diag, tall ? [...around, 1, least] : [...around, least, 1]);
  return [c.apply1(e.Where, [diagonal(c, rows, cols), line, v])];
});
/** How many boundaries are not above each element. */
const bucketize: TfliteBuilder = (n, c) => {
  const x = n.input(0);
  const bounds = c.literal('f32', n.ints('boundaries'));
  const column = reshape(c, cast(c, x, 'f32'), [...x.type.shape, 1]);
  const hit = cast(c, c.apply1(e.GreaterOrEqual, [column, bounds]), 'i32');
  return [reduceOver(c, 'sum', hit, axesFrom(hit).slice(-1), false)];
};

export const selectOps: TfliteOps = {
  TOPK_V2: topK2,
  ONE_HOT: oneHotOp,
  WHERE: where,
  UNIQUE: uniqueOp,
  NON_MAX_SUPPRESSION_V4: nms4,
  NON_MAX_SUPPRESSION_V5: nms5,
  SCATTER_ND: scatterNd,
  SPARSE_TO_DENSE: sparseToDense,
  SEGMENT_SUM: segmentSum,
  UNSORTED_SEGMENT_SUM: unsorted('sum'),
  UNSORTED_SEGMENT_PROD: unsorted('prod'),
  UNSORTED_SEGMENT_MAX: unsorted('max'),
  UNSORTED_SEGMENT_MIN: unsorted('min'),
  EMBEDDING_LOOKUP: embedding,
  MATRIX_DIAG: matrixDiag,
  MATRIX_SET_DIAG: matrixSetDiag,
  BUCKETIZE: bucketize,
};
