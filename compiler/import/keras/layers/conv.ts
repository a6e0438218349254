import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimCeilDiv, dimEq, dimMul, dimSub, staticDims, type Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import type { Layout } from '../../../ops/spatial.ts';
import { rankOf } from '../../shared/axes.ts';
import {
  biasAdd,
  convolution,
  transposedConvolution,
  weightsFromDepthwise,
  weightsFromHWIO,
} from '../../shared/tensorflow/conv.ts';
import { spatialSizes, transposedSize, type Padding } from '../../shared/tensorflow/window.ts';
import type { LayerView } from '../layer.ts';
import type { KerasBuilder, LayerBuilder, LayerTable } from '../registry.ts';
import { activate } from './functions.ts';

/** How the window of a layer slides over `n` spatial axes. */
export function windowOf(l: LayerView, n: number) {
  const padding = l.text('padding', 'valid');
  return { layout: l.layout, strides: l.ints('strides', n, 1), dilations: l.ints('dilation_rate', n, 1), padding };
}
/** Padding by its name; `causal` fills the front of the only axis. */
export function paddingOf(l: LayerView, kernel: readonly Dim[], dilations: readonly number[], name: string): Padding {
  switch (name) {
    case 'valid':
    case 'same':
      return { k: name };
    case 'causal':
      return { k: 'explicit', pads: [dimMul(dimSub(must(kernel[0]), 1), must(dilations[0])), 0] };
    default:
      return l.bad(`'padding' is '${name}'`);
  }
}
const biased = (l: LayerView): boolean => l.bool('use_bias', l.bool('bias', true));
/** Checks how many axes a layer is for. */
function spatial(c: KerasBuilder, x: Value, n: number): Value {
  return rankOf(x) === n + 2 ? x : c.reject(`the input has ${rankOf(x)} axes, must have ${n + 2}`);
}
function finish(l: LayerView, c: KerasBuilder, y: Value, bias: Value | undefined, layout: Layout) {
  return [{ value: activate(l, c, biasAdd(c, y, bias, layout)) }];
}

/** A convolution over n spatial axes whose weights [O, I, …kernel] come out of the variable that `named` gives. */
const conv =
  (weightsFrom: (c: KerasBuilder, w: Value) => Value, named: (l: LayerView) => string) =>
  (n: number): LayerBuilder =>
  (l, c, call) => {
    const x = spatial(c, call.x(), n);
    const w = windowOf(l, n);
    const [kernel, bias] = l.variables(named(l), biased(l) && 'bias');
    const weights = weightsFrom(c, must(kernel));
    const padding = paddingOf(l, weights.type.shape.slice(2), w.dilations, w.padding);
    return finish(l, c, convolution(c, x, weights, { ...w, padding }), bias, w.layout);
  };
const plain = conv(weightsFromHWIO, () => 'kernel');
// Keras 3 calls it kernel.
const depthwise = conv(weightsFromDepthwise, l => (l.variable('depthwise_kernel', 0) ? 'depthwise_kernel' : 'kernel'));
/** A depthwise convolution, then one of single elements. */
const separable =
  (n: number): LayerBuilder =>
  (l, c, call) => {
    const x = spatial(c, call.x(), n);
    const w = windowOf(l, n);
    const [deep, point, bias] = l.variables('depthwise_kernel', 'pointwise_kernel', biased(l) && 'bias');
    const weights = weightsFromDepthwise(c, must(deep));
    const padding = paddingOf(l, weights.type.shape.slice(2), w.dilations, w.padding);
    const between = convolution(c, x, weights, { ...w, padding });
    const ones = w.strides.map(() => 1);
    const y = convolution(c, between, weightsFromHWIO(c, must(point)), {
      layout: w.layout,
      strides: ones,
      padding: { k: 'valid' },
    });
    return finish(l, c, y, bias, w.layout);
  };
/** The size of an axis where `output_padding` is given (keras/src/backend/common/backend_utils.py). */
function paddedSize(size: Dim, kernel: Dim, stride: number, dilation: number, same: boolean, more: number): Dim {
  const reach = dimAdd(dimMul(dimSub(kernel, 1), dilation), 1);
  const base = dimAdd(dimMul(dimSub(size, 1), stride), reach);
  // SAME takes half of the kernel away on each side.
  const half = (d: Dim): Dim => (typeof d === 'number' ? 2 * Math.floor(d / 2) : d);
  return dimAdd(same ? dimSub(base, half(reach)) : base, more);
}
/**
 * TensorFlow crops as the convolution from the result to the input would pad. Sizes that no such convolution has are cropped as JAX and
 * PyTorch do (keras/src/backend/common/backend_utils.py).
 */
function transposedPadding(
  x: Value,
  w: Value,
  sizes: readonly Dim[],
  o: ReturnType<typeof windowOf>,
  more: readonly number[] | undefined,
): Padding {
  if (o.padding !== 'same') return { k: 'valid' };
  const inputs = spatialSizes(x, o.layout);
  const fits = sizes.every((d, i) => dimEq(dimCeilDiv(d, must(o.strides[i])), must(inputs[i])));
  const kernel = staticDims(w.type.shape.slice(2));
  if (fits || !more || !kernel) return { k: 'same' };
  const before = kernel.map((k, i) => {
    const reach = (k - 1) * must(o.dilations[i]) + 1;
    const all = reach + (reach % 2) - 2 + must(more[i]);
    return reach - 1 - Math.min(Math.ceil(all / 2), reach - 1);
  });
  return { k: 'explicit', pads: [...before, ...before.map(() => 0)] };
}
const transposed =
  (n: number): LayerBuilder =>
  (l, c, call) => {
    const x = spatial(c, call.x(), n);
    const w = windowOf(l, n);
    const [kernel, bias] = l.variables('kernel', biased(l) && 'bias');
    // [...kernel, O, I] in Keras: what comes in is the last axis.
    const weights = weightsFromHWIO(c, must(kernel));
    if (w.padding !== 'same' && w.padding !== 'valid') l.bad(`'padding' is '${w.padding}'`);
    const same = w.padding === 'same';
    const given = l.json('output_padding');
    const more = given === undefined || given === null ? undefined : l.ints('output_padding', n);
    const sizes = spatialSizes(x, w.layout).map((size, i) => {
      const [k, s, d] = [must(weights.type.shape[i + 2]), must(w.strides[i]), must(w.dilations[i])];
      return more ? paddedSize(size, k, s, d, same, must(more[i])) : transposedSize(size, k, s, d, same ? 'same' : 'valid');
    });
    const y = transposedConvolution(c, x, weights, { ...w, padding: transposedPadding(x, weights, sizes, w, more), sizes });
    return finish(l, c, y, bias, w.layout);
  };
export const convLayers: LayerTable = {
  Conv1D: plain(1),
  Conv2D: plain(2),
  Conv3D: plain(3),
  Convolution1D: plain(1),
  Convolution2D: plain(2),
  Convolution3D: plain(3),
  Conv1DTranspose: transposed(1),
  Conv2DTranspose: transposed(2),
  Conv3DTranspose: transposed(3),
  Deconvolution2D: transposed(2),
  DepthwiseConv1D: depthwise(1),
  DepthwiseConv2D: depthwise(2),
  SeparableConv1D: separable(1),
  SeparableConv2D: separable(2),
  SeparableConvolution2D: separable(2),
};
