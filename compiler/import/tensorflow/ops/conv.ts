import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimHi, dimMul, dimProd, type Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Range } from '../../../ops/movement/range.ts';
import { spatialAxes, type Layout } from '../../../ops/spatial.ts';
import { axesFrom, rankOf } from '../../shared/axes.ts';
import { element, lengthOf, sizeOf, sizesValue } from '../../shared/sizes.ts';
import { activation } from '../../shared/tensorflow/activation.ts';
import {
  biasAdd,
  convolution,
  transposedConvolution,
  weightsFromDepthwise,
  weightsFromHWIO,
} from '../../shared/tensorflow/conv.ts';
import { fusedBatchNorm } from '../../shared/tensorflow/norm.ts';
import { averagePool, maxPool, maxPoolPlaces, type Pooling } from '../../shared/tensorflow/pool.ts';
import type { Padding, Window } from '../../shared/tensorflow/window.ts';
import { cast, reshape, slice, transpose } from '../../shared/views.ts';
import { patches } from '../patches.ts';
import type { TfBuilder, TfCtx, TfNode, TfOps } from '../registry.ts';

const FORMATS: Readonly<Record<number, string>> = { 3: 'NWC', 4: 'NHWC', 5: 'NDHWC' };
/** A number for each spatial axis, of a list for all axes. */
export function spatialOf(n: TfNode, list: readonly number[], layout: Layout, rank: number, what: string): readonly number[] {
  if (list.length !== rank) n.reject(`${what} has ${list.length} numbers for ${rank} axes`);
  const axes = spatialAxes(layout, rank);
  list.forEach((v, a) => {
    if (!axes.includes(a) && v !== 1) n.unsupported(`${what} of ${v} along the ${a === 0 ? 'batch' : 'channels'}`);
  });
  return axes.map(a => must(list[a]));
}
/** The padding that the attributes `padding` and `explicit_paddings` say. */
export function paddingOf(n: TfNode, layout: Layout, rank: number): Padding {
  const word = n.string('padding');
  switch (word) {
    case 'SAME':
      return { k: 'same' };
    case 'VALID':
      return { k: 'valid' };
    case 'EXPLICIT': {
      const all = n.ints('explicit_paddings', n.ints('explicit_pads', []));
      if (all.length !== 2 * rank) n.reject(`${all.length} explicit paddings for ${rank} axes`);
      const axes = spatialAxes(layout, rank);
      return { k: 'explicit', pads: [0, 1].flatMap(side => axes.map(a => must(all[2 * a + side]))) };
    }
    default:
      return n.reject(`padding '${word}'`);
  }
}
function windowOf(n: TfNode, rank: number): Window {
  const layout = n.layout(FORMATS[rank] ?? 'NHWC');
  const ones = new Array<number>(rank).fill(1);
  return {
    layout,
    strides: spatialOf(n, n.ints('strides'), layout, rank, 'strides'),
    dilations: spatialOf(n, n.ints('dilations', ones), layout, rank, 'dilations'),
    padding: paddingOf(n, layout, rank),
  };
}
const conv = (n: TfNode, c: TfCtx): Value => {
  const x = n.input(0);
  return convolution(c, x, weightsFromHWIO(c, n.input(1)), windowOf(n, rankOf(x)));
};
const depthwise = (n: TfNode, c: TfCtx): Value => {
  const x = n.input(0);
  return convolution(c, x, weightsFromDepthwise(c, n.input(1)), windowOf(n, rankOf(x)));
};
/** The gradient of a convolution; its first input is the shape of the result, or of its spatial axes. */
const transposed =
  (weights: (c: TfCtx, w: Value) => Value): TfBuilder =>
  (n, c) => {
    const [given, w, x] = [n.input(0), n.input(1), n.input(2)];
    const rank = rankOf(x);
    const o = windowOf(n, rank);
    const axes = spatialAxes(o.layout, rank);
    const whole = lengthOf(c, given) === rank;
    const spatial = axes.map((a, i): Dim => {
      const size = element(c, given, whole ? a : i);
      const from = must(x.type.shape[a]);
      const stride = must(o.strides[i]);
      // Sizes from data are those that the input can come from.
      const most = dimHi(dimAdd(dimMul(from, stride), dimMul(must(w.type.shape[i]), must(o.dilations?.[i] ?? 1))));
      return sizeOf(c, size, { what: 'size', lo: 0, hi: most });
    });
    return [transposedConvolution(c, x, weights(c, w), { ...o, sizes: spatial })];
  };
/** [I, O, …kernel] from [...kernel, O, I]. */
const transposedWeights = (c: TfCtx, w: Value): Value =>
  transpose(c, w, [rankOf(w) - 1, rankOf(w) - 2, ...axesFrom(w).slice(0, -2)]);
/** The same of a depthwise convolution: [C * M, 1, …kernel]; each group of M channels makes one. */
const depthwiseTransposed: TfBuilder = (n, c) => {
  const w = n.input(1);
  if (w.type.shape.at(-1) !== 1) n.unsupported('a channel multiplier');
  return transposed(weightsFromDepthwise)(n, c);
};

function poolingOf(n: TfNode, c: TfCtx, x: Value): Pooling {
  const rank = rankOf(x);
  const layout = n.layout(FORMATS[rank] ?? 'NHWC');
  const list = (i: number, name: string): readonly number[] => (n.items[i] ? c.intsIn(n.input(i), name) : n.ints(name));
  return {
    layout,
    kernel: spatialOf(n, list(1, 'ksize'), layout, rank, 'a window'),
    strides: spatialOf(n, list(2, 'strides'), layout, rank, 'strides'),
    padding: paddingOf(n, layout, rank),
  };
}
const pool =
  (f: (c: TfCtx, x: Value, o: Pooling) => Value): TfBuilder =>
  (n, c) => [f(c, n.input(0), poolingOf(n, c, n.input(0)))];
/** Where the maxima are: in a flattened picture, or with `include_batch_in_index` in all of them. */
const maxPoolWithArgmax: TfBuilder = (n, c) => {
  const x = n.input(0);
  const [y, place] = maxPoolPlaces(c, x, poolingOf(n, c, x));
  const [batch = 1, h = 1, w = 1, channels = 1] = x.type.shape;
  const longs = (d: Dim): Value => sizesValue(c, [d], []);
  const along = (d: Dim, axis: number): Value =>
    reshape(
      c,
      c.apply1(Range, [c.literal('i64', 0), c.literal('i64', 1)], { n: d }),
      [0, 1, 2, 3].map(a => (a === axis ? d : 1)),
    );
  const inPicture = c.apply1(e.Add, [c.apply1(e.Mul, [place, longs(channels)]), along(channels, 3)]);
  const before = c.apply1(e.Mul, [along(batch, 0), longs(dimProd([h, w, channels]))]);
  const at = n.bool('include_batch_in_index', false) ? c.apply1(e.Add, [inPicture, before]) : inPicture;
  return [y, cast(c, at, n.dtype('Targmax', 'i64'))];
};

const batchNorm: TfBuilder = (n, c) => {
  const x = n.input(0);
  const layout = n.layout();
  const training = n.bool('is_training', true);
  const [mean, variance] = [n.input(3), n.input(4)];
  const epsilon = n.float('epsilon', 1e-4);
  const made = fusedBatchNorm(c, x, n.input(1), n.input(2), training ? undefined : { mean, variance }, { layout, epsilon });
  const factor = n.float('exponential_avg_factor', 1);
  const running = (old: Value, now: Value): Value => {
    if (!training || factor === 1) return now;
    const part = (v: Value, f: number): Value => c.apply1(e.Mul, [v, c.literal(v.type.dtype, f)]);
    return c.apply1(e.Add, [part(old, 1 - factor), part(now, factor)]);
  };
  // What is kept for the gradient says nothing in inference.
  const kept = training ? [made.mean, made.variance, made.mean] : [];
  return [made.y, running(mean, made.mean), running(variance, made.variance), ...kept];
};
/** The batch normalisation from before there was a fused one: t, m, v, beta, gamma. */
const oldBatchNorm: TfBuilder = (n, c) => {
  const gamma = n.input(4);
  const scale = n.bool('scale_after_normalization')
    ? gamma
    : c.apply1(e.Add, [c.apply1(e.Mul, [gamma, c.literal(gamma.type.dtype, 0)]), c.literal(gamma.type.dtype, 1)]);
  const given = { mean: n.input(1), variance: n.input(2) };
  return [fusedBatchNorm(c, n.input(0), scale, n.input(3), given, { layout: 'NHWC', epsilon: n.float('variance_epsilon') }).y];
};

/** What comes after a fused convolution or product: a bias, then an activation. */
export function fused(n: TfNode, c: TfCtx, y: Value, layout: Layout): Value {
  const extra = n.inputs(2);
  return n.strings('fused_ops', []).reduce((v, op) => {
    switch (op) {
      case 'BiasAdd':
        return biasAdd(c, v, extra.shift(), layout);
      case 'LeakyRelu':
        return c.apply1(e.LeakyRelu, [v], { alpha: n.float('leakyrelu_alpha', 0.2) });
      case 'Prelu':
        return c.apply1(e.PRelu, [v, extra.shift() ?? n.reject('the slope of Prelu is missing')]);
      case 'Add':
        return c.apply1(e.Add, [v, extra.shift() ?? n.reject('what is added is missing')]);
      case 'FusedBatchNorm': {
        const [scale, offset, mean, variance] = extra.splice(0, 4);
        if (!scale || !offset || !mean || !variance) return n.reject('inputs of FusedBatchNorm are missing');
        return fusedBatchNorm(c, v, scale, offset, { mean, variance }, { layout, epsilon: n.float('epsilon', 1e-4) }).y;
      }
      default:
        return activation(c, op.replace('GeluExact', 'Gelu'), v) ?? n.unsupported(`the fused operator '${op}'`);
    }
  }, y);
}
const dilation2d: TfBuilder = (n, c) => {
  const [x, w] = [n.input(0), n.input(1)];
  const ones = [1, 1, 1, 1];
  const [kh, kw, channels] = w.type.shape;
  if (typeof kh !== 'number' || typeof kw !== 'number' || channels === undefined) return n.unsupported('a filter of open sizes');
  const o = {
    kernel: [kh, kw],
    strides: spatialOf(n, n.ints('strides'), 'NHWC', 4, 'strides'),
    dilations: spatialOf(n, n.ints('rates', ones), 'NHWC', 4, 'rates'),
    padding: paddingOf(n, 'NHWC', 4),
  };
  const taps = patches(c, x, { ...o, fill: -Infinity });
  const sums = taps.map((t, i) => {
    const at = new Map([
      [0, { start: Math.floor(i / kw), size: 1, step: 1 }],
      [1, { start: i % kw, size: 1, step: 1 }],
    ]);
    return c.apply1(e.Add, [t, reshape(c, slice(c, w, at), [channels])]);
  });
  return [sums.reduce((a, b) => c.apply1(e.Max, [a, b]))];
};

export const convOps: TfOps = {
  AvgPool: pool(averagePool),
  AvgPool3D: pool(averagePool),
  BatchNormWithGlobalNormalization: oldBatchNorm,
  BiasAdd: (n, c) => [biasAdd(c, n.input(0), n.input(1), n.layout())],
  BiasAddV1: (n, c) => [biasAdd(c, n.input(0), n.input(1), 'NHWC')],
  Conv2D: (n, c) => [conv(n, c)],
  Conv2DBackpropInput: transposed(transposedWeights),
  Conv3D: (n, c) => [conv(n, c)],
  Conv3DBackpropInput: transposed(transposedWeights),
  Conv3DBackpropInputV2: transposed(transposedWeights),
  DepthwiseConv2dNative: (n, c) => [depthwise(n, c)],
  DepthwiseConv2dNativeBackpropInput: depthwiseTransposed,
  Dilation2D: dilation2d,
  FusedBatchNorm: batchNorm,
  FusedBatchNormV2: batchNorm,
  FusedBatchNormV3: batchNorm,
  FusedDepthwiseConv2dNative: (n, c) => [fused(n, c, depthwise(n, c), n.layout())],
  MaxPool: pool(maxPool),
  MaxPool3D: pool(maxPool),
  MaxPoolV2: pool(maxPool),
  MaxPoolWithArgmax: maxPoolWithArgmax,
  _FusedConv2D: (n, c) => [fused(n, c, conv(n, c), n.layout())],
  _FusedDepthwiseConv2dNative: (n, c) => [fused(n, c, depthwise(n, c), n.layout())],
};
