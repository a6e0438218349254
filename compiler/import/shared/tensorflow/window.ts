import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimMax, dimMul, dimSub, type Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import { extent, spatialAxes, type Layout, type WindowAttrs } from '../../../ops/spatial.ts';
import { rankOf, type Rejects } from '../axes.ts';
import { samePads } from '../window.ts';

/** How the border of spatial axes is filled. `explicit`: elements before each axis, then those after each. */
export type Padding =
  | { readonly k: 'same' }
  | { readonly k: 'valid' }
  | { readonly k: 'explicit'; readonly pads: readonly Dim[] };
/** How a window slides over the spatial axes of a tensor, for convolutions and pools; a number for each axis. */
export interface Window {
  readonly layout: Layout;
  readonly strides: readonly number[];
  /** Default: 1. */
  readonly dilations?: readonly number[];
  readonly padding: Padding;
}
/** The layout that a data format of TensorFlow names: `NHWC`, `NDHWC`, `channels_last`, `NCHW`, … */
export const layoutOf = (format: string): Layout => (/^NC|first$/.test(format) ? 'NCHW' : 'NHWC');
/** The sizes of the spatial axes of a tensor. */
export const spatialSizes = (x: Value, layout: Layout): readonly Dim[] =>
  spatialAxes(layout, x.type.shape.length).map(a => must(x.type.shape[a]));

/**
 * The attributes of a window over x. SAME gives ceil(size / stride) elements along each axis, with the smaller half of the pads before it
 * (https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2). Rejected where x or the kernel is not for as many axes.
 */
export function windowAttrs(c: Rejects, x: Value, kernel: readonly Dim[], w: Window): WindowAttrs {
  const { layout, strides, padding } = w;
  checkAxes(c, x, kernel, strides);
  const dilations = w.dilations ?? strides.map(() => 1);
  return { layout, strides, dilations, pads: padsOf(spatialSizes(x, layout), kernel, { strides, dilations, padding }) };
}
/** x and the kernel must be for the axes along which the window slides. */
export function checkAxes(c: Rejects, x: Value, kernel: readonly Dim[], strides: readonly number[]): void {
  const axes = rankOf(x) - 2;
  if (axes !== strides.length || kernel.length !== strides.length)
    c.reject(`its window slides along ${strides.length} axes; the input has ${axes} of them, the filter ${kernel.length}`);
}
function padsOf(
  sizes: readonly Dim[],
  kernel: readonly Dim[],
  o: { readonly strides: readonly number[]; readonly dilations: readonly number[]; readonly padding: Padding },
): readonly Dim[] {
  switch (o.padding.k) {
    case 'same':
      return samePads(sizes, kernel, o.strides, o.dilations, 'after');
    case 'valid':
      return new Array<number>(2 * sizes.length).fill(0);
    case 'explicit':
      return o.padding.pads;
  }
}

/**
 * The pads with which a transposed convolution of `sizes` gives `wanted` sizes: those of the convolution that leads from `wanted` to
 * `sizes`. What the full result lacks are zeros at the end.
 */
export function transposedPads(
  sizes: readonly Dim[],
  wanted: readonly Dim[],
  kernel: readonly Dim[],
  o: { readonly strides: readonly number[]; readonly dilations: readonly number[]; readonly padding: Padding },
): readonly Dim[] {
  const forward = padsOf(wanted, kernel, o);
  const before = sizes.map((_, i) => must(forward[i]));
  const after = sizes.map((size, i) => {
    const full = dimAdd(dimMul(dimSub(size, 1), must(o.strides[i])), extent(must(kernel[i]), must(o.dilations[i])));
    return dimSub(dimSub(full, must(before[i])), must(wanted[i]));
  });
  return [...before, ...after];
}
/** The size that a transposed convolution has where none is given, as Keras and TFLite infer it. */
export function transposedSize(size: Dim, kernel: Dim, stride: number, dilation: number, padding: 'same' | 'valid'): Dim {
  return padding === 'same'
    ? dimMul(size, stride)
    : dimAdd(dimMul(size, stride), dimMax(0, dimSub(extent(kernel, dilation), stride)));
}
