import { dimFloorDiv, dimProd } from '../../../core/dim.ts';
import { must } from '../../../core/diagnostic.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { LayerNorm, LRN, Softmax } from '../../../ops/reduce/norm.ts';
import { Range } from '../../../ops/movement/range.ts';
import { ArgReduce } from '../../../ops/reduce/reduce.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode, OnnxOps } from '../registry.ts';
import { axesFrom, axisOf, positionOf, rankOf, sortedAxes } from '../../shared/axes.ts';
import { reshape } from '../../shared/views.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { batchNorm, perChannel } from '../../shared/channels.ts';

const add = (c: ImportCtx, a: Value, b: Value | undefined): Value => (b ? c.apply1(e.Add, [a, b]) : a);
const mul = (c: ImportCtx, a: Value, b: Value | undefined): Value => (b ? c.apply1(e.Mul, [a, b]) : a);

/**
 * Something along one axis, which defaults to -1. Before opset 13 the default was 1, and all axes from it on were taken as one.
 */
const alongAxis =
  (f: (c: ImportCtx, x: Value, axis: number) => Value): OnnxBuilder =>
  (n, c) => {
    const x = n.input(0);
    const rank = rankOf(x);
    if (n.opset >= 13) return [f(c, x, axisOf(n, n.int('axis', -1), rank))];
    const axis = positionOf(n, n.int('axis', 1), rank);
    if (axis === rank - 1) return [f(c, x, axis)];
    const { shape } = x.type;
    const flat = reshape(c, x, [dimProd(shape.slice(0, axis)), dimProd(shape.slice(axis))]);
    return [reshape(c, f(c, flat, 1), shape)];
  };
/** 1 at the first of the greatest elements, else 0. */
function hardmax(c: ImportCtx, x: Value, axis: number): Value {
  const best = c.apply1(ArgReduce, [x], { of: 'max', axis, keep: true });
  const n = must(x.type.shape[axis]);
  const places = c.apply1(Range, [c.literal('i64', 0), c.literal('i64', 1)], { n });
  const along = reshape(
    c,
    places,
    x.type.shape.map((_, i) => (i === axis ? n : 1)),
  );
  return c.apply1(e.Cast, [c.apply1(e.Equal, [best, along])], { to: x.type.dtype });
}

function batchNormalization(n: OnnxNode, c: ImportCtx): readonly (Value | undefined)[] {
  const x = n.input(0);
  const [scale, bias, mean, variance] = [n.input(1, 'scale'), n.input(2, 'B'), n.input(3, 'mean'), n.input(4, 'var')];
  const epsilon = n.float('epsilon', 1e-5);
  const rank = rankOf(x);
  if (n.opset >= 14 && n.bool('training_mode', false)) {
    const axes = axesFrom(x).filter(a => a !== 1);
    const flat = (v: Value): Value => reshape(c, v, mean.type.shape);
    const now = reduceOver(c, 'mean', x, axes, true);
    const d = c.apply1(e.Sub, [x, now]);
    const spread = reduceOver(c, 'mean', c.apply1(e.Mul, [d, d]), axes, true);
    const y = batchNorm(c, x, scale, bias, flat(now), flat(spread), epsilon, rank);
    const momentum = n.float('momentum', 0.9);
    const running = (old: Value, value: Value): Value => {
      const part = (v: Value, f: number): Value => c.apply1(e.Mul, [v, c.literal(v.type.dtype, f)]);
      const to = old.type.dtype;
      const fresh = value.type.dtype === to ? value : c.apply1(e.Cast, [value], { to });
      return c.apply1(e.Add, [part(old, momentum), part(fresh, 1 - momentum)]);
    };
    return [y, running(mean, flat(now)), running(variance, flat(spread))];
  }
  if (n.outputs.slice(1).some(o => o !== '') && n.opset < 14) n.unsupported('it is exported for training');
  const spatial = n.opset >= 9 || n.bool('spatial', true);
  return [batchNorm(c, x, scale, bias, mean, variance, epsilon, spatial ? rank : 0)];
}
/** Layer normalisation over the last axes. The mean and the inverse deviation are computed apart where they are wanted. */
const layerNorm =
  (center: boolean): OnnxBuilder =>
  (n, c) => {
    const x = n.input(0);
    const axes = axesFrom(x, axisOf(n, n.int('axis', -1), rankOf(x)));
    const epsilon = n.float('epsilon', 1e-5);
    const y = add(c, mul(c, c.apply1(LayerNorm, [x], { axes, epsilon, center }), n.input(1, 'scale')), n.inputs[2]);
    return [y, ...statistics(n, c, x, axes, epsilon, center)];
  };
/** The optional outputs: mean (absent without centring) and inverse deviation. */
function statistics(
  n: OnnxNode,
  c: ImportCtx,
  x: Value,
  axes: readonly number[],
  epsilon: number,
  center: boolean,
): (Value | undefined)[] {
  if (!n.wants(1) && !n.wants(2)) return [];
  const to = x.type.dtype === 'f64' ? 'f64' : 'f32';
  const wide = x.type.dtype === to ? x : c.apply1(e.Cast, [x], { to });
  const mean = center ? reduceOver(c, 'mean', wide, axes, true) : undefined;
  const d = mean ? c.apply1(e.Sub, [wide, mean]) : wide;
  const squares = reduceOver(c, 'mean', c.apply1(e.Mul, [d, d]), axes, true);
  const inverse = c.apply1(e.Reciprocal, [c.apply1(e.Sqrt, [c.apply1(e.Add, [squares, c.literal(to, epsilon)])])]);
  return center ? [mean, inverse] : [inverse];
}
/** Input plus skip (plus bias), then layer normalisation; the sum is the fourth output. */
const skipNorm =
  (center: boolean): OnnxBuilder =>
  (n, c) => {
    const [gamma, beta, bias] = center ? [n.input(2), n.inputs[3], n.inputs[4]] : [n.input(2), undefined, n.inputs[3]];
    const sum = add(c, c.apply1(e.Add, [n.input(0), n.input(1)]), bias);
    const axes = [rankOf(sum) - 1];
    const epsilon = n.float('epsilon', 1e-12);
    const y = add(c, mul(c, c.apply1(LayerNorm, [sum], { axes, epsilon, center }), gamma), beta);
    const extra = statistics(n, c, sum, axes, epsilon, center);
    return [y, ...(center ? [extra[0], extra[1]] : [undefined, extra[0]]), sum];
  };

const instanceNorm: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const rank = rankOf(x);
  const y = c.apply1(LayerNorm, [x], { axes: axesFrom(x, 2), epsilon: n.float('epsilon', 1e-5) });
  return [add(c, mul(c, y, perChannel(c, n.input(1), rank)), perChannel(c, n.input(2), rank))];
};
/** Scale and bias are a number a group in opset 18, a number a channel from 21 on. */
const groupNorm: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const rank = rankOf(x);
  if (rank < 2) n.reject(`needs a batch and channels, not ${rank} axes`);
  const groups = n.int('num_groups');
  const [batch, channels, ...rest] = x.type.shape;
  const each = dimFloorDiv(must(channels), groups);
  const apart = reshape(c, x, [must(batch), groups, each, ...rest]);
  const epsilon = n.float('epsilon', 1e-5);
  const y = c.apply1(LayerNorm, [apart], { axes: axesFrom(apart, 2), epsilon });
  const [scale, bias] = [n.input(1), n.input(2)];
  const scaled = (v: Value, r: number): Value => add(c, mul(c, v, perChannel(c, scale, r)), perChannel(c, bias, r));
  return [n.opset < 21 ? reshape(c, scaled(y, rank + 1), x.type.shape) : scaled(reshape(c, y, x.type.shape), rank)];
};

/** x divided by its norm along an axis; where that is 0, x. */
const lpNorm: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const axis = axisOf(n, n.int('axis', -1), rankOf(x));
  const p = n.int('p', 2);
  if (p !== 1 && p !== 2) n.reject(`p is ${p}, not 1 or 2`);
  const sum = reduceOver(c, 'sum', p === 1 ? c.apply1(e.Abs, [x]) : c.apply1(e.Mul, [x, x]), [axis], true);
  const norm = p === 1 ? sum : c.apply1(e.Sqrt, [sum]);
  const zero = c.apply1(e.Equal, [norm, c.literal(x.type.dtype, 0)]);
  return [c.apply1(e.Div, [x, c.apply1(e.Where, [zero, c.literal(x.type.dtype, 1), norm])])];
};
const meanVariance: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const axes = sortedAxes(n, n.ints('axes', [0, 2, 3]), rankOf(x));
  // The standard adds 1e-9 to the deviation; below the root that is its square.
  return [c.apply1(LayerNorm, [x], { axes, epsilon: 1e-18 })];
};
const lrn: OnnxBuilder = (n, c) => [
  c.apply1(LRN, [n.input(0)], {
    size: n.int('size'),
    alpha: n.float('alpha', 1e-4),
    beta: n.float('beta', 0.75),
    bias: n.float('bias', 1),
  }),
];

export const normOps: OnnxOps = {
  Softmax: alongAxis((c, x, axis) => c.apply1(Softmax, [x], { axis })),
  LogSoftmax: alongAxis((c, x, axis) => c.apply1(Softmax, [x], { axis, log: true })),
  Hardmax: alongAxis(hardmax),
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNorm(true),
  RMSNormalization: layerNorm(false),
  SimplifiedLayerNormalization: layerNorm(false),
  'com.microsoft.SimplifiedLayerNormalization': layerNorm(false),
  'com.microsoft.SkipLayerNormalization': skipNorm(true),
  'com.microsoft.SkipSimplifiedLayerNormalization': skipNorm(false),
  InstanceNormalization: instanceNorm,
  GroupNormalization: groupNorm,
  LpNormalization: lpNorm,
  MeanVarianceNormalization: meanVariance,
  LRN: lrn,
};
