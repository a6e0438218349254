import { must } from '../../../core/diagnostic.ts';
import { dimMul, type Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import { Conv, ConvTranspose } from '../../../ops/conv/conv.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { channelAxis, type Layout } from '../../../ops/spatial.ts';
import { axesFrom, rankOf, sizeAt } from '../axes.ts';
import type { ImportBuilder } from '../builder.ts';
import { reshape, transpose } from '../views.ts';
import { checkAxes, spatialSizes, transposedPads, windowAttrs, type Window } from './window.ts';

/**
 * Convolutions over any number of spatial axes in either data format. The graph's convolutions know both layouts, so nothing is transposed
 * but weights, which are [O, I, …kernel] there.
 */

/** Weights [O, I, …kernel] from TensorFlow's [...kernel, I, O]. */
export const weightsFromHWIO = (c: ImportBuilder, w: Value): Value =>
  transpose(c, w, [rankOf(w) - 1, rankOf(w) - 2, ...axesFrom(w).slice(0, -2)]);
/** Weights [O, I, …kernel] from TFLite's [O, ...kernel, I]. */
export const weightsFromOHWI = (c: ImportBuilder, w: Value): Value =>
  transpose(c, w, [0, rankOf(w) - 1, ...axesFrom(w, 1).slice(0, -1)]);
/** Weights [C * M, 1, …kernel] of a depthwise convolution from TensorFlow's [...kernel, C, M]: channel c * M + m is the m-th of channel c. */
export function weightsFromDepthwise(c: ImportBuilder, w: Value): Value {
  const { shape } = w.type;
  const [channels, multiplier] = shape.slice(-2);
  return weightsFromHWIO(c, reshape(c, w, [...shape.slice(0, -2), 1, dimMul(must(channels), must(multiplier))]));
}

/** x convolved with weights [O, I, …kernel]. There are as many groups as I goes into the channels of x. */
export function convolution(c: ImportBuilder, x: Value, w: Value, o: Window): Value {
  if (rankOf(w) !== rankOf(x)) c.reject(`the filter has ${rankOf(w)} axes, the input has ${rankOf(x)}`);
  const group = groupsOf(c, sizeAt(c, x, channelAxis(o.layout, rankOf(x))), sizeAt(c, w, 1));
  return c.apply1(Conv, [x, w], { ...windowAttrs(c, x, w.type.shape.slice(2), o), group });
}
function groupsOf(c: ImportBuilder, channels: Dim, each: Dim): number {
  if (typeof channels !== 'number' || typeof each !== 'number') return c.unsupported('the number of its channels must be fixed');
  return each > 0 && channels % each === 0 ? channels / each : c.reject(`${channels} channels for a filter of ${each} channels`);
}

export interface TransposedWindow extends Window {
  /** The sizes of the spatial axes of the result: several lead to the same input. */
  readonly sizes: readonly Dim[];
}
/** The transposed convolution (the gradient of a convolution) of x with weights [I, O, …kernel]. */
export function transposedConvolution(c: ImportBuilder, x: Value, w: Value, o: TransposedWindow): Value {
  if (rankOf(w) !== rankOf(x)) c.reject(`the filter has ${rankOf(w)} axes, the input has ${rankOf(x)}`);
  const kernel = w.type.shape.slice(2);
  const { layout, strides, padding } = o;
  const dilations = o.dilations ?? strides.map(() => 1);
  checkAxes(c, x, kernel, strides);
  if (o.sizes.length !== kernel.length) c.reject(`${o.sizes.length} sizes of the result for ${kernel.length} axes`);
  const channels = sizeAt(c, x, channelAxis(layout, rankOf(x)));
  return c.apply1(ConvTranspose, [x, w], {
    layout,
    strides,
    dilations,
    pads: transposedPads(spatialSizes(x, layout), o.sizes, kernel, { strides, dilations, padding }),
    group: groupsOf(c, channels, sizeAt(c, w, 0)),
    outputPadding: strides.map(() => 0),
  });
}
/** Adds a bias of one number a channel. */
export function biasAdd(c: ImportBuilder, x: Value, bias: Value | undefined, layout: Layout): Value {
  if (!bias) return x;
  const behind = layout === 'NHWC' || rankOf(x) < 3 ? [] : axesFrom(x, 2).map(() => 1);
  return c.apply1(e.Add, [x, reshape(c, bias, [...bias.type.shape, ...behind])]);
}
