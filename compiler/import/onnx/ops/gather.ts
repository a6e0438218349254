import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimHi, dimMin, dimMul, dimProd, dimSub } from '../../../core/dim.ts';
import { symbolicOf, type Value } from '../../../graph/graph.ts';
import { Col2Im } from '../../../ops/conv/col2im.ts';
import { GatherElements, GatherND, OneHot, ReverseSequence, Trilu } from '../../../ops/movement/gather.ts';
import { NonMaxSuppression } from '../../../ops/sort/nms.ts';
import { REDUCTIONS, ScatterElements, ScatterND, TensorScatter, type Reduction } from '../../../ops/movement/scatter.ts';
import { TopK } from '../../../ops/sort/topk.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode, OnnxOps } from '../registry.ts';
import { axisOf, rankOf } from '../../shared/axes.ts';
import { declaredOr } from './declared.ts';
import { dilationsOf, perAxis, stridesOf } from './window.ts';
import { compress, flatten, gather as gatherAlong, indexTuples, nonZero, unique } from '../../shared/gather.ts';
import { indicesInto } from '../../shared/indices.ts';
import { sizeOf, sizesOf, unbounded } from '../../shared/sizes.ts';
import { cast, reshape } from '../../shared/views.ts';

const gather: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  return [gatherAlong(c, x, n.input(1), axisOf(n, n.int('axis', 0), rankOf(x)))];
};

const gatherElements: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const axis = axisOf(n, n.int('axis', 0), rankOf(x));
  return [c.apply1(GatherElements, [x, indicesInto(c, n.input(1), [must(x.type.shape[axis])])], { axis })];
};
const reductionOf = (n: OnnxNode): Reduction => {
  const r = n.string('reduction', 'none');
  return REDUCTIONS.find(x => x === r) ?? n.reject(`reduction '${r}'`);
};
const scatterElements: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const axis = axisOf(n, n.int('axis', 0), rankOf(x));
  const at = indicesInto(c, n.input(1), [must(x.type.shape[axis])]);
  return [c.apply1(ScatterElements, [x, at, n.input(2)], { axis, reduction: reductionOf(n) })];
};
const gatherND =
  (batched: boolean): OnnxBuilder =>
  (n, c) => {
    const [x, at] = [n.input(0), n.input(1)];
    const batch = batched ? n.int('batch_dims', 0) : 0;
    return [c.apply1(GatherND, [x, indexTuples(c, x, at, batch)], { batch })];
  };
const scatterND: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  return [c.apply1(ScatterND, [x, indexTuples(c, x, n.input(1), 0), n.input(2)], { reduction: reductionOf(n) })];
};
const tensorScatter: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const mode = n.string('mode', 'linear');
  if (mode !== 'linear' && mode !== 'circular') n.reject(`mode '${mode}'`);
  const axis = axisOf(n, n.int('axis', -2), rankOf(x));
  const circular = mode === 'circular';
  const [update, start] = [n.input(1), n.inputs[2]];
  const size = must(x.type.shape[axis]);
  const starts = circular ? size : dimAdd(dimSub(size, update.type.shape[axis] ?? 0), 1);
  return [c.apply1(TensorScatter, [x, update, start && indicesInto(c, start, [starts], false)], { axis, circular })];
};

const oneHot: OnnxBuilder = (n, c) => {
  const indices = n.input(0);
  const rank = rankOf(indices) + 1;
  const axis = axisOf(n, n.int('axis', -1), rank);
  const [depth = 0] = sizesOf(c, reshape(c, cast(c, n.input(1), 'i64'), [1]), () =>
    declaredOr(n, 0, axis, 'depth', () => ({ lo: 0, hi: unbounded(c, 'depth')() })),
  );
  return [c.apply1(OneHot, [indices, n.input(2)], { axis, depth })];
};

/** The input and the axis of an operator that takes all elements as a vector where it has no axis. */
function alongAxisOrAll(n: OnnxNode, c: ImportCtx): readonly [x: Value, axis: number] {
  const x = n.input(0);
  return n.has('axis') ? [x, axisOf(n, n.int('axis'), rankOf(x))] : [flatten(c, x), 0];
}
const compressOp: OnnxBuilder = (n, c) => {
  const [x, axis] = alongAxisOrAll(n, c);
  return [compress(c, x, n.input(1), axis)];
};
const uniqueOp: OnnxBuilder = (n, c) => {
  const [x, axis] = alongAxisOrAll(n, c);
  return unique(c, x, axis, n.bool('sorted', true));
};

const topK: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const axis = axisOf(n, n.int('axis', -1), rankOf(x));
  const hi = dimHi(must(x.type.shape[axis]));
  const k = n.opset < 10 ? n.int('k') : sizeOf(c, n.input(1, 'K'), { what: 'k', lo: 0, hi });
  return c.apply(TopK, [x], { k, axis, largest: n.bool('largest', true) });
};

const nonMaxSuppression: OnnxBuilder = (n, c) => {
  const [boxes, scores] = [n.input(0), n.input(1)];
  const limit = n.inputs[2] ?? c.literal('i64', 0);
  const most = symbolicOf(limit)?.[0];
  const [batch = 1, classes = 1, count = 1] = scores.type.shape;
  const each = most === undefined ? count : dimMin(count, most);
  const hi = dimHi(dimMul(dimMul(batch, classes), each));
  const center = n.int('center_point_box', 0) === 1;
  return [
    c.apply1(NonMaxSuppression, [boxes, scores, limit, n.inputs[3], n.inputs[4]], {
      center,
      count: c.symbol('selected', 0, Math.max(0, hi)),
    }),
  ];
};

const trilu: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const [h = 1, w = 1] = x.type.shape.slice(-2);
  const k = n.inputs[1] ? sizeOf(c, n.inputs[1], { what: 'diagonal', lo: -dimHi(h) - 1, hi: dimHi(w) + 1, clamp: true }) : 0;
  return [c.apply1(Trilu, [x], { upper: n.bool('upper', true), k })];
};
const reverseSequence: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const batch = axisOf(n, n.int('batch_axis', 1), rankOf(x));
  const time = axisOf(n, n.int('time_axis', 0), rankOf(x));
  const lengths = indicesInto(c, n.input(1), [dimAdd(must(x.type.shape[time]), 1)], false);
  return [c.apply1(ReverseSequence, [x, lengths], { batch, time })];
};
const col2im: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  if (rankOf(x) !== 3) n.reject(`takes 3 axes, not ${rankOf(x)}`);
  const hi = dimHi(dimProd(x.type.shape.slice(1)));
  const image = sizesOf(c, n.input(1), i => declaredOr(n, 0, i + 2, 'image', () => ({ lo: 1, hi })));
  const block = sizesOf(c, n.input(2), () => ({ what: 'block', lo: 1, hi: dimHi(must(x.type.shape[1])) }));
  return [
    c.apply1(Col2Im, [x], {
      image,
      block,
      strides: stridesOf(n, image.length),
      dilations: dilationsOf(n, image.length),
      pads: perAxis(n, 'pads', 2 * image.length, 0),
    }),
  ];
};

export const gatherOps: OnnxOps = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND(true),
  ScatterElements: scatterElements,
  Scatter: scatterElements,
  ScatterND: scatterND,
  TensorScatter: tensorScatter,
  OneHot: oneHot,
  Compress: compressOp,
  NonZero: (n, c) => [nonZero(c, n.input(0))],
  Unique: uniqueOp,
  TopK: topK,
  NonMaxSuppression: nonMaxSuppression,
  Trilu: trilu,
  ReverseSequence: reverseSequence,
  Col2Im: col2im,
  'com.microsoft.Trilu': trilu,
  'com.microsoft.GatherND': gatherND(false),
};
