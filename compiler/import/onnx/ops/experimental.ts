import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimSub } from '../../../core/dim.ts';
import * as e from '../../../ops/elementwise/index.ts';
import type { OnnxBuilder, OnnxOps } from '../registry.ts';
import { rankOf } from '../../shared/axes.ts';
import { perChannel } from '../../shared/channels.ts';
import { slice } from '../../shared/views.ts';

/** Operators of the standard's first sets that it took back later; converters of Core ML and Caffe2 wrote them, and onnxruntime runs them. */

/** alpha * x + beta */
const affine: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const number = (v: number) => c.literal(x.type.dtype, v);
  const scaled = c.apply1(e.Mul, [x, number(n.float('alpha', 1))]);
  return [c.apply1(e.Add, [scaled, number(n.float('beta', 0))])];
};
/** scale * x, plus a bias for each channel. */
const imageScaler: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const scaled = c.apply1(e.Mul, [x, c.literal(x.type.dtype, n.float('scale', 1))]);
  return [c.apply1(e.Add, [scaled, perChannel(c, c.literal(x.type.dtype, n.floats('bias')), rankOf(x))])];
};
/** alpha * ln(exp(beta * x) + 1) */
const parametricSoftplus: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const number = (v: number) => c.literal(x.type.dtype, v);
  const inner = c.apply1(e.Softplus, [c.apply1(e.Mul, [x, number(n.float('beta'))])]);
  return [c.apply1(e.Mul, [inner, number(n.float('alpha'))])];
};
/** alpha * tanh(beta * x) */
const scaledTanh: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const number = (v: number) => c.literal(x.type.dtype, v);
  const inner = c.apply1(e.Tanh, [c.apply1(e.Mul, [x, number(n.float('beta'))])]);
  return [c.apply1(e.Mul, [inner, number(n.float('alpha'))])];
};
/** Pictures without a border (left, top, right, bottom), or from its corner on as large as `scale` (height, width) says. */
const crop: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const [, , height, width] = x.type.shape;
  if (rankOf(x) !== 4) n.reject('takes pictures of four axes');
  const [left = 0, top = 0, right = 0, bottom = 0] = n.ints('border');
  const [h, w] = n.ints('scale', []);
  const rows = h ?? dimSub(must(height), dimAdd(top, bottom));
  const columns = w ?? dimSub(must(width), dimAdd(left, right));
  return [
    slice(
      c,
      x,
      new Map([
        [2, { start: top, size: rows, step: 1 }],
        [3, { start: left, size: columns, step: 1 }],
      ]),
    ),
  ];
};

export const experimentalOps: OnnxOps = {
  Affine: affine,
  ImageScaler: imageScaler,
  ParametricSoftplus: parametricSoftplus,
  ScaledTanh: scaledTanh,
  Crop: crop,
};
