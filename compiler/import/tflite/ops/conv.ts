import type { Value } from '../../../graph/graph.ts';
import { rankOf } from '../../shared/axes.ts';
import { biasAdd, convolution, transposedConvolution, weightsFromOHWI } from '../../shared/tensorflow/conv.ts';
import type { Padding, Window } from '../../shared/tensorflow/window.ts';
import { reshape, transpose } from '../../shared/views.ts';
import { askedSizes } from '../asked.ts';
import { isQuantized, quantizedConvolution, quantizedTransposed } from '../integers.ts';
import type { TfliteBuilder, TfliteCtx, TfliteNode, TfliteOps } from '../registry.ts';
import { fused, real, realOr, result } from './real.ts';

export const paddingOf = (n: TfliteNode): Padding => ({ k: n.padding === 'SAME' ? 'same' : 'valid' });
type Axes = readonly ('d' | 'h' | 'w')[];
const PLANE: Axes = ['h', 'w'];
const VOLUME: Axes = ['d', 'h', 'w'];
const strides = (n: TfliteNode, axes: Axes): number[] => axes.map(a => n.int(`stride_${a}`));
const dilations = (n: TfliteNode, axes: Axes): number[] => axes.map(a => n.int(`dilation_${a}_factor`) || 1);
/** How the window of an operator slides; `axes` are the letters of its spatial axes. */
const windowOf = (n: TfliteNode, axes: Axes): Window => ({ layout: 'NHWC', strides: strides(n, axes), padding: paddingOf(n) });
const dilatedWindow = (n: TfliteNode, axes: Axes): Window => ({ ...windowOf(n, axes), dilations: dilations(n, axes) });

/** A convolution whose weights [O, I, …kernel] come out of the file's by `weights`. */
const conv =
  (axes: Axes, weights: (c: TfliteCtx, w: Value) => Value): TfliteBuilder =>
  (n, c) => {
    const window = dilatedWindow(n, axes);
    if (isQuantized(n, c)) return [quantizedConvolution(n, c, weights, window)];
    const y = convolution(c, real(n, c, 0), weights(c, real(n, c, 1)), window);
    return [result(n, c, 0, fused(n, c, biasAdd(c, y, realOr(n, c, 2), 'NHWC')))];
  };
/** Weights [C * M, 1, H, W] of a depthwise convolution from [1, H, W, C * M]. */
const depthwiseWeights = (c: TfliteCtx, w: Value): Value => {
  const [one, h = 1, width = 1, channels = 1] = rankOf(w) === 4 ? w.type.shape : c.reject('the filter must have four axes');
  if (one !== 1) c.reject('the first axis of the filter must have one element');
  return transpose(c, reshape(c, w, [h, width, channels, 1]), [2, 3, 0, 1]);
};
/** Weights [O, I, D, H, W] from [D, H, W, I, O]. */
const volumeWeights = (c: TfliteCtx, w: Value): Value => transpose(c, w, [4, 3, 0, 1, 2]);

/** A transposed convolution: the sizes of the result, the filter, x, and perhaps a bias. */
const transposed =
  (axes: Axes, weights: (c: TfliteCtx, w: Value) => Value): TfliteBuilder =>
  (n, c) => {
    const sizes = askedSizes(n, c, n.input(0)).slice(1, axes.length + 1);
    const window = { ...windowOf(n, axes), sizes };
    if (isQuantized(n, c, 2)) return [quantizedTransposed(n, c, weights(c, n.input(1)), window)];
    const y = transposedConvolution(c, real(n, c, 2), weights(c, real(n, c, 1)), window);
    return [result(n, c, 0, fused(n, c, biasAdd(c, y, realOr(n, c, 3), 'NHWC')))];
  };

export const convOps: TfliteOps = {
  CONV_2D: conv(PLANE, weightsFromOHWI),
  DEPTHWISE_CONV_2D: conv(PLANE, depthwiseWeights),
  CONV_3D: conv(VOLUME, volumeWeights),
  // The filter is [O, H, W, I], and one of a gradient has its channels the other way round.
  TRANSPOSE_CONV: transposed(PLANE, (c, w) => transpose(c, w, [3, 0, 1, 2])),
  // [D, H, W, O, I]
  CONV_3D_TRANSPOSE: transposed(VOLUME, (c, w) => transpose(c, w, [4, 3, 0, 1, 2])),
};
