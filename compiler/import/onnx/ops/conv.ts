import { must } from '../../../core/diagnostic.ts';
import { dimSub, type Dim } from '../../../core/dim.ts';
import { isFloat } from '../../../core/dtype.ts';
import type { Value } from '../../../graph/graph.ts';
import type { Attrs } from '../../../ops/define.ts';
import { Conv, ConvTranspose } from '../../../ops/conv/conv.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Pad } from '../../../ops/movement/pad.ts';
import { AveragePool, LpPool, MaxPool, MaxPoolIndices, MaxUnpool } from '../../../ops/pool/pool.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode, OnnxOps } from '../registry.ts';
import { dilationsOf, outputPaddingOf, perAxis, stridesOf, transposedPads, windowOf } from './window.ts';
import { axesFrom, rankOf } from '../../shared/axes.ts';
import { transpose } from '../../shared/views.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { declaredOr } from './declared.ts';
import { lengthOf, sizesOf } from '../../shared/sizes.ts';
import { addBias } from '../../shared/channels.ts';

const spatialOf = (x: Value): readonly Dim[] => x.type.shape.slice(2);
function checkKernel(n: OnnxNode, w: Value): readonly Dim[] {
  const kernel = spatialOf(w);
  n.ints('kernel_shape', undefined)?.forEach((k, i) => {
    if (typeof kernel[i] === 'number' && kernel[i] !== k) n.reject(`kernel_shape says ${k} where the weights have ${kernel[i]}`);
  });
  return kernel;
}
/** x and w as an operator on [N, C, …] takes them; w is input `at`. */
export function operands(n: OnnxNode, at = 1): readonly [Value, Value] {
  const [x, w] = [n.input(0, 'X'), n.input(at, 'W')];
  if (rankOf(x) < 3) n.reject(`X has ${rankOf(x)} axes, at least 3 are needed`);
  if (rankOf(w) !== rankOf(x)) n.reject(`W has ${rankOf(w)} axes, X has ${rankOf(x)}`);
  return [x, w];
}
/** The attributes of a convolution of x with w. */
export const convAttrs = (n: OnnxNode, x: Value, w: Value): Attrs => ({
  ...windowOf(n, spatialOf(x), checkKernel(n, w)),
  group: n.int('group', 1),
});
const convolve = (n: OnnxNode, c: ImportCtx, x: Value, w: Value): Value => c.apply1(Conv, [x, w], convAttrs(n, x, w));
const conv: OnnxBuilder = (n, c) => {
  const [x, w] = operands(n);
  return [addBias(c, convolve(n, c, x, w), n.inputs[2])];
};
const convTranspose: OnnxBuilder = (n, c) => {
  const [x, w] = operands(n);
  const count = rankOf(x) - 2;
  const outputPadding = outputPaddingOf(n, count);
  const y = c.apply1(ConvTranspose, [x, w], {
    strides: stridesOf(n, count),
    dilations: dilationsOf(n, count),
    pads: transposedPads(n, spatialOf(x), checkKernel(n, w), outputPadding),
    group: n.int('group', 1),
    outputPadding,
  });
  return [addBias(c, y, n.inputs[2])];
};
/** The activation of a fused operator of onnxruntime. */
function activation(n: OnnxNode, c: ImportCtx, y: Value): Value {
  const kind = n.string('activation', '');
  const p = n.floats('activation_params', []);
  switch (kind) {
    case '':
      return y;
    case 'Relu':
      return c.apply1(e.Relu, [y]);
    case 'Tanh':
      return c.apply1(e.Tanh, [y]);
    case 'Sigmoid':
      return c.apply1(e.Sigmoid, [y]);
    case 'LeakyRelu':
      return c.apply1(e.LeakyRelu, [y], { alpha: p[0] ?? 0.01 });
    case 'HardSigmoid':
      return c.apply1(e.HardSigmoid, [y], { alpha: p[0] ?? 0.2, beta: p[1] ?? 0.5 });
    case 'Clip':
      return c.apply1(e.Clip, [y], { ...(p[0] === undefined ? {} : { lo: p[0] }), ...(p[1] === undefined ? {} : { hi: p[1] }) });
    default:
      return n.unsupported(`the activation '${kind}' is not known`);
  }
}
/** A convolution of x with w, then a bias, a sum and an activation. */
export function fusedConvolution(n: OnnxNode, c: ImportCtx, x: Value, w: Value): Value {
  const y = addBias(c, convolve(n, c, x, w), n.inputs[2]);
  const sum = n.inputs[3];
  return activation(n, c, sum ? c.apply1(e.Add, [y, sum]) : y);
}
const fusedConv: OnnxBuilder = (n, c) => {
  const [x, w] = operands(n);
  return [fusedConvolution(n, c, x, w)];
};

/** What all pools share. */
export function poolAttrs(n: OnnxNode, x: Value): Record<string, boolean | readonly Dim[]> {
  if (rankOf(x) < 3) n.reject(`X has ${rankOf(x)} axes, at least 3 are needed`);
  const kernel = n.ints('kernel_shape');
  return { ...windowOf(n, spatialOf(x), kernel), kernel, ceil: n.bool('ceil_mode', false) };
}
export const maxPool: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const attrs = poolAttrs(n, x);
  if (!n.wants(1)) return [c.apply1(MaxPool, [x], attrs)];
  return c.apply(MaxPoolIndices, [x], { ...attrs, columns: n.int('storage_order', 0) === 1 });
};
export const averagePool: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  return [c.apply1(AveragePool, [x], { ...poolAttrs(n, x), countPads: n.bool('count_include_pad', false) })];
};
const lpPool: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  return [c.apply1(LpPool, [x], { ...poolAttrs(n, x), p: n.int('p', 2) })];
};
/** A pool of onnxruntime over channels-last data. */
const nhwcMaxPool: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const rank = rankOf(x);
  const planar = transpose(c, x, [0, rank - 1, ...axesFrom(x, 1).slice(0, -1)]);
  return [transpose(c, c.apply1(MaxPool, [planar], poolAttrs(n, planar)), [0, ...axesFrom(x, 2), 1])];
};
export const globalPool =
  (of: 'mean' | 'max'): OnnxBuilder =>
  (n, c) => {
    const x = n.input(0);
    if (rankOf(x) < 3) n.reject(`X has ${rankOf(x)} axes, at least 3 are needed`);
    return [reduceOver(c, of, x, axesFrom(x, 2), true)];
  };
const globalLpPool: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const p = n.int('p', 2);
  const axes = axesFrom(x, 2);
  const size = c.apply1(e.Abs, [x]);
  if (p === 1) return [reduceOver(c, 'sum', size, axes, true)];
  const exponent = (v: number): Value => c.literal(x.type.dtype, v);
  if (p === 2) return [c.apply1(e.Sqrt, [reduceOver(c, 'sum', c.apply1(e.Mul, [x, x]), axes, true)])];
  const sum = reduceOver(c, 'sum', c.apply1(e.Pow, [size, exponent(p)]), axes, true);
  return [c.apply1(e.Pow, [sum, exponent(1 / p)])];
};
const maxUnpool: OnnxBuilder = (n, c) => {
  const [x, positions] = [n.input(0), n.input(1)];
  if (!isFloat(x.type.dtype)) n.reject(`takes floats, not ${x.type.dtype}`);
  const count = rankOf(x) - 2;
  const kernel = perAxis(n, 'kernel_shape', count);
  const strides = stridesOf(n, count);
  const pads = perAxis(n, 'pads', 2 * count, 0);
  const given = n.inputs[2];
  const natural = spatialOf(x).map((s, i): Dim => {
    const size = typeof s === 'number' ? s : n.unsupported('sizes that are not fixed');
    return (size - 1) * must(strides[i]) + must(kernel[i]) - must(pads[i]) - must(pads[i + count]);
  });
  const own = [...x.type.shape.slice(0, 2), ...natural];
  const y = c.apply1(MaxUnpool, [x, positions], { shape: own });
  if (!given) return [y];
  // Positions are for the natural shape; what is wanted beyond it are zeros.
  if (lengthOf(c, given) !== own.length) n.reject(`an output shape of ${lengthOf(c, given)} sizes for ${own.length} axes`);
  const open = (): never =>
    n.unsupported('its output shape is computed when the model runs; it must be a constant, or the file must declare it');
  const shape = sizesOf(c, given, i => declaredOr(n, 0, i, 'output shape', open));
  const end = shape.map((d, i) => dimSub(d, must(own[i])));
  return [end.every(d => d === 0) ? y : c.apply1(Pad, [y], { begin: end.map(() => 0), end })];
};

export const convOps: OnnxOps = {
  Conv: conv,
  ConvTranspose: convTranspose,
  'com.microsoft.FusedConv': fusedConv,
  'com.microsoft.NhwcMaxPool': nhwcMaxPool,
  MaxPool: maxPool,
  AveragePool: averagePool,
  LpPool: lpPool,
  GlobalAveragePool: globalPool('mean'),
  GlobalMaxPool: globalPool('max'),
  GlobalLpPool: globalLpPool,
  MaxUnpool: maxUnpool,
};
