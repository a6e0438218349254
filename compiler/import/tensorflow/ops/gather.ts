import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimHi, dimMul, dimProd, type Dim } from '../../../core/dim.ts';
import { toNumbers } from '../../../core/tensor.ts';
import { symbolicOf, tensorOf, type Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Gather, GatherND, ReverseSequence } from '../../../ops/movement/gather.ts';
import { Range } from '../../../ops/movement/range.ts';
import { ScatterND, type Reduction } from '../../../ops/movement/scatter.ts';
import { TopK } from '../../../ops/sort/topk.ts';
import { axisOf, positionOf, rankOf } from '../../shared/axes.ts';
import { compress, flatten, gather, indexTuples, nonZero, unique } from '../../shared/gather.ts';
import { indicesInto } from '../../shared/indices.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { lengthOf, sizeOf, sizesOf, sizesValue, unbounded } from '../../shared/sizes.ts';
import { scatterInto } from '../../shared/tensorflow/segment.ts';
import { oneHot, topK } from '../../shared/tensorflow/select.ts';
import { cast, concat, expand, reshape, transpose } from '../../shared/views.ts';
import type { TfBuilder, TfCtx, TfNode, TfOps } from '../registry.ts';

/** Slices along an axis; `batch` axes of both go together. */
export function gatherAlong(n: TfNode, c: TfCtx, x: Value, at: Value, axis: number, batch: number): Value {
  if (batch === 0) return gather(c, x, at, axis, false);
  if (batch > axis) return n.reject(`${batch} batch axes before axis ${axis}`);
  // The axis goes behind the batch, and then where the operator has it.
  const rank = rankOf(x);
  const between = Array.from({ length: axis - batch }, (_, i) => batch + i);
  const front = transpose(c, x, [
    ...Array.from({ length: batch }, (_, i) => i),
    axis,
    ...between,
    ...Array.from({ length: rank - axis - 1 }, (_, i) => axis + 1 + i),
  ]);
  const inside = indicesInto(c, reshape(c, at, [...at.type.shape, 1]), [must(front.type.shape[batch])], false);
  const y = c.apply1(GatherND, [front, inside], { batch });
  const many = rankOf(at) - batch;
  const moved = between.map((_, i) => batch + many + i);
  const own = Array.from({ length: many }, (_, i) => batch + i);
  const rest = Array.from({ length: rankOf(y) - batch - many - moved.length }, (_, i) => batch + many + moved.length + i);
  return transpose(c, y, [...Array.from({ length: batch }, (_, i) => i), ...moved, ...own, ...rest]);
}
const gatherV2: TfBuilder = (n, c) => {
  const [x, at] = [n.input(0), n.input(1)];
  const axis = axisOf(n, n.items[2] ? must(c.intsIn(n.input(2), 'axis')[0]) : 0, rankOf(x));
  const batch = n.int('batch_dims', 0);
  return [gatherAlong(n, c, x, at, axis, batch < 0 ? batch + rankOf(at) : batch)];
};
const gatherNd: TfBuilder = (n, c) => {
  const [x, at] = [n.input(0), n.input(1)];
  return [c.apply1(GatherND, [x, indexTuples(c, x, at, 0, false)], { batch: 0 })];
};
const scatterNd: TfBuilder = (n, c) => {
  const [at, updates] = [n.input(0), n.input(1)];
  const most = unbounded(c, 'shape', lengthOf(c, n.input(2)));
  const shape = sizesOf(c, n.input(2), () => ({ what: 'size', lo: 0, hi: most() }));
  return [scatterInto(c, expand(c, c.literal(updates.type.dtype, 0), shape), at, updates, 'add')];
};
const scatter =
  (reduction: Reduction | 'sub'): TfBuilder =>
  (n, c) => {
    const [x, at, given] = [n.input(0), n.input(1), n.input(2)];
    const updates = reduction === 'sub' ? c.apply1(e.Neg, [given]) : given;
    return [scatterInto(c, x, at, updates, reduction === 'sub' ? 'add' : reduction)];
  };
/** A tensor of one value with others at places, which are numbers, places or tuples. */
const sparseToDense: TfBuilder = (n, c) => {
  const [at, values, other] = [n.input(0), n.input(2), n.input(3)];
  const most = unbounded(c, 'shape', lengthOf(c, n.input(1)));
  const shape = sizesOf(c, n.input(1), () => ({ what: 'size', lo: 0, hi: most() }));
  const tuples = rankOf(at) === 2 ? at : reshape(c, at, [dimProd(at.type.shape), 1]);
  const updates = expand(c, values, [must(tuples.type.shape[0])]);
  return [scatterInto(c, expand(c, reshape(c, other, []), shape), tuples, updates, 'none')];
};
const oneHotOp: TfBuilder = (n, c) => {
  const at = n.input(0);
  const axis = positionOf(n, n.int('axis', -1) < 0 ? rankOf(at) : n.int('axis'), rankOf(at));
  const depth = sizeOf(c, reshape(c, cast(c, n.input(1), 'i64'), [1]), () => ({
    what: 'depth',
    lo: 0,
    hi: unbounded(c, 'depth')(),
  }));
  return [oneHot(c, at, depth, n.input(2), n.input(3), axis)];
};
const topKOp: TfBuilder = (n, c) => {
  const k = n.items[1] ? n.input(1) : c.literal('i32', n.int('k'));
  return topK(c, n.input(0), k, n.dtype('index_type', 'i32'));
};
/** Element n in order of the last axis. */
const nthElement: TfBuilder = (n, c) => {
  const x = n.input(0);
  const axis = rankOf(x) - 1;
  const size = must(x.type.shape[axis]);
  const place = reshape(c, n.input(1), []);
  const sorted = must(c.apply(TopK, [x], { k: size, axis, largest: n.bool('reverse', false) })[0]);
  return [c.apply1(Gather, [sorted, indicesInto(c, place, [size], false)], { axis })];
};
const where: TfBuilder = (n, c) => [transpose(c, nonZero(c, n.input(0)), [1, 0])];
const uniqueOp: TfBuilder = (n, c) => {
  const x = n.input(0);
  const axes = n.items[1] ? c.intsIn(n.input(1), 'axis') : [];
  const axis = axes.length > 0 ? axisOf(n, must(axes[0]), rankOf(x)) : 0;
  const [y, , which, count] = unique(c, axes.length > 0 ? x : flatten(c, x), axis, false);
  const to = n.dtype('out_idx', 'i32');
  return [y, cast(c, must(which), to), cast(c, must(count), to)];
};
/** The elements of x that are not in y, and where they are. */
const listDiff: TfBuilder = (n, c) => {
  const [x, y] = [n.input(0), n.input(1)];
  const [m = 0, k = 0] = [x.type.shape[0], y.type.shape[0]];
  const same = c.apply1(e.Equal, [reshape(c, x, [m, 1]), reshape(c, y, [1, k])]);
  const kept = k === 0 ? expand(c, c.literal('bool', 1), [m]) : c.apply1(e.Not, [reduceOver(c, 'max', same, [1], false)]);
  const places = c.apply1(Range, [c.literal('i64', 0), c.literal('i64', 1)], { n: m });
  const at = compress(c, places, kept, 0);
  return [c.apply1(Gather, [x, at], { axis: 0 }), cast(c, at, n.dtype('out_idx', 'i32'))];
};
/** Where each number is. */
const invertPermutation: TfBuilder = (n, c) => {
  const x = n.input(0);
  const known = symbolicOf(x);
  const numbers = known?.every(d => typeof d === 'number') === true ? known : undefined;
  if (numbers)
    return [
      c.literal(
        x.type.dtype,
        numbers.map((_, i) => numbers.indexOf(i)),
      ),
    ];
  const size = must(x.type.shape[0]);
  const places = cast(c, c.apply1(Range, [c.literal('i64', 0), c.literal('i64', 1)], { n: size }), x.type.dtype);
  const zeros = expand(c, c.literal(x.type.dtype, 0), [size]);
  return [scatterInto(c, zeros, reshape(c, x, [size, 1]), places, 'none')];
};
/** The slices with the number i in `partitions`, for each i. */
const dynamicPartition: TfBuilder = (n, c) => {
  const [x, numbers] = [n.input(0), n.input(1)];
  const many = dimProd(numbers.type.shape);
  const rows = reshape(c, x, [many, ...x.type.shape.slice(rankOf(numbers))]);
  const flat = reshape(c, numbers, [many]);
  const count = n.int('num_partitions');
  c.room(count, 'a list of partitions');
  return Array.from({ length: count }, (_, i) =>
    n.wants(i) ? compress(c, rows, c.apply1(e.Equal, [flat, c.literal(flat.type.dtype, i)]), 0) : undefined,
  );
};
/** Slices put to the places that indices say; later ones win. */
const dynamicStitch: TfBuilder = (n, c) => {
  const count = n.items.length / 2;
  const [places, data] = [n.inputs(0, count), n.inputs(count)];
  const inner = must(data[0]).type.shape.slice(rankOf(must(places[0])));
  const rows = data.map((d, i) => reshape(c, d, [dimProd(must(places[i]).type.shape), ...inner]));
  const at = concat(
    c,
    places.map(p => flatten(c, p)),
    0,
  );
  const known = symbolicOf(at);
  const numbers = tensorOf(at);
  const most = numbers ? toNumbers(numbers).reduce((m, v) => Math.max(m, v), -1) : undefined;
  const greatest = known?.every(d => typeof d === 'number') === true ? Math.max(-1, ...known) : most;
  const all = dimProd(at.type.shape);
  const size: Dim =
    greatest === undefined
      ? sizeOf(c, c.apply1(e.Add, [reduceOver(c, 'max', cast(c, at, 'i64'), [0], false), c.literal('i64', 1)]), {
          what: 'stitched',
          lo: 0,
          hi: dimHi(all),
        })
      : greatest + 1;
  const updates = concat(c, rows, 0);
  const zeros = expand(c, c.literal(updates.type.dtype, 0), [size, ...inner]);
  return [c.apply1(ScatterND, [zeros, reshape(c, indicesInto(c, at, [size], false), [all, 1]), updates], { reduction: 'none' })];
};
const reverseSequence: TfBuilder = (n, c) => {
  const x = n.input(0);
  const time = axisOf(n, n.int('seq_dim'), rankOf(x));
  const batch = axisOf(n, n.int('batch_dim', 0), rankOf(x));
  const lengths = indicesInto(c, n.input(1), [dimAdd(must(x.type.shape[time]), 1)], false);
  return [c.apply1(ReverseSequence, [x, lengths], { batch, time })];
};
/** How many (or how much weight of) elements have each number, of all of them or row by row. */
const bincount: TfBuilder = (n, c) => {
  const dense = n.op === 'DenseBincount';
  const [x, size, weights] = [n.input(0), n.input(1), n.input(2)];
  const count = sizeOf(c, size, () => ({ what: 'size', lo: 0, hi: unbounded(c, 'size')() }));
  const rows = dense && rankOf(x) === 2 ? must(x.type.shape[0]) : undefined;
  const binary = n.bool('binary_output', false);
  const { dtype } = weights.type;
  const weighted = !binary && weights.type.shape.every(d => d !== 0) && rankOf(weights) > 0;
  const ids = cast(c, flatten(c, x), 'i64');
  const total = dimMul(rows ?? 1, count);
  const limit = sizesValue(c, [count], []);
  const inside = c.apply1(e.And, [c.apply1(e.GreaterOrEqual, [ids, c.literal('i64', 0)]), c.apply1(e.Less, [ids, limit])]);
  let at = ids;
  if (rows !== undefined) {
    const starts = c.apply1(Range, [c.literal('i64', 0), sizesValue(c, [count], [])], { n: rows });
    at = flatten(c, c.apply1(e.Add, [cast(c, x, 'i64'), reshape(c, starts, [rows, 1])]));
  }
  const safe = c.apply1(e.Where, [inside, at, sizesValue(c, [total], [])]);
  const ones = expand(c, c.literal(dtype, 1), ids.type.shape);
  const zeros = expand(c, c.literal(dtype, 0), [dimAdd(total, 1)]);
  const sums = c.apply1(
    ScatterND,
    [zeros, reshape(c, safe, [must(ids.type.shape[0]), 1]), weighted ? flatten(c, weights) : ones],
    {
      reduction: binary ? 'max' : 'add',
    },
  );
  const kept = gather(c, sums, c.apply1(Range, [c.literal('i64', 0), c.literal('i64', 1)], { n: total }), 0);
  return [rows === undefined ? kept : reshape(c, kept, [rows, count])];
};
/** For each value the place among sorted bounds, row by row. */
const searchSorted =
  (left: boolean): TfBuilder =>
  (n, c) => {
    const [bounds, values] = [n.input(0), n.input(1)];
    const [rows = 1, many = 1] = bounds.type.shape;
    const b = reshape(c, bounds, [rows, 1, many]);
    const v = reshape(c, values, [...values.type.shape, 1]);
    const below = c.apply1(left ? e.Less : e.LessOrEqual, [b, v]);
    return [cast(c, reduceOver(c, 'sum', cast(c, below, 'i64'), [2], false), n.dtype('out_type', 'i32'))];
  };
const bucketize: TfBuilder = (n, c) => {
  const x = n.input(0);
  const bounds = n.floats('boundaries', []);
  const wide = cast(c, x, x.type.dtype === 'f64' ? 'f64' : 'f32');
  const above = c.apply1(e.GreaterOrEqual, [reshape(c, wide, [...x.type.shape, 1]), c.literal(wide.type.dtype, bounds)]);
  return [cast(c, reduceOver(c, 'sum', cast(c, above, 'i64'), [rankOf(x)], false), 'i32')];
};
/** How the parts of a concatenation begin: the shapes with running sums along one axis. */
const concatOffset: TfBuilder = (n, c) => {
  const [axis = 0] = c.intsIn(n.input(0), 'axis');
  let at: Dim = 0;
  return n.inputs(1).map(v => {
    const shape = c.dimsIn(v, 'shape');
    const offset = shape.map((_, a) => (a === (axis < 0 ? axis + shape.length : axis) ? at : 0));
    at = dimAdd(at, must(shape.at(axis)));
    return cast(c, sizesValue(c, offset), v.type.dtype);
  });
};

export const gatherOps: TfOps = {
  Bincount: bincount,
  Bucketize: bucketize,
  ConcatOffset: concatOffset,
  DenseBincount: bincount,
  DynamicPartition: dynamicPartition,
  DynamicStitch: dynamicStitch,
  Gather: gatherV2,
  GatherNd: gatherNd,
  GatherV2: gatherV2,
  InvertPermutation: invertPermutation,
  ListDiff: listDiff,
  LowerBound: searchSorted(true),
  NthElement: nthElement,
  OneHot: oneHotOp,
  ParallelDynamicStitch: dynamicStitch,
  ReverseSequence: reverseSequence,
  ScatterNd: scatterNd,
  ScatterNdNonAliasingAdd: scatter('add'),
  SparseToDense: sparseToDense,
  TensorScatterAdd: scatter('add'),
  TensorScatterMax: scatter('max'),
  TensorScatterMin: scatter('min'),
  TensorScatterSub: scatter('sub'),
  TensorScatterUpdate: scatter('none'),
  TopK: topKOp,
  TopKV2: topKOp,
  Unique: uniqueOp,
  UniqueV2: uniqueOp,
  UniqueWithCounts: uniqueOp,
  UniqueWithCountsV2: uniqueOp,
  UpperBound: searchSorted(false),
  Where: where,
};
