import { must } from '../../core/diagnostic.ts';
import { isInt, type DType } from '../../core/dtype.ts';
import { axisOf, rankOf } from '../shared/axes.ts';
import type { Value } from '../../graph/graph.ts';
import { DequantizeLinear, QuantizeLinear } from '../../ops/quant/quant.ts';
import type { Quantization, TensorRecord } from './records.ts';
import { dtypeOf } from './tensor.ts';
import type { TfliteCtx } from './registry.ts';

/** How integers stand for real numbers: a scale and a zero point, or one of each for each index along an axis. */
export interface Affine {
  readonly scale: readonly number[];
  readonly zero: readonly number[];
  readonly axis: number;
}
/** Element types whose tensors may be quantized. Of 32 bits are sums and biases, which stay integers. */
const QUANTIZED: readonly DType[] = ['i8', 'u8', 'i16'];

/** How the elements of a tensor stand for real numbers; undefined where they stand for themselves. E101: in blocks. */
export function affineOf(c: TfliteCtx, t: TensorRecord): Affine | undefined {
  const q = t.quantization;
  const dtype = dtypeOf(t.type);
  if (!q || !dtype || !QUANTIZED.includes(dtype)) return undefined;
  if (q.details) return c.unsupported(`'${t.name}' is quantized in blocks`);
  return affine(c, t, q);
}
function affine(c: TfliteCtx, t: TensorRecord, q: Quantization): Affine {
  const n = q.scale.length;
  const zero = Array.from({ length: n }, (_, i) => q.zero[i] ?? q.zero[0] ?? 0);
  if (n > 1 && t.shape[q.axis] !== n) c.reject(`'${t.name}' has ${n} scales for axis ${q.axis} of ${t.shape.join('x')}`);
  return { scale: q.scale, zero, axis: q.axis };
}
/** The one scale and zero point of a tensor; undefined where it is not quantized. E101: there are several. */
export function uniformOf(c: TfliteCtx, t: TensorRecord): { readonly scale: number; readonly zero: number } | undefined {
  const a = affineOf(c, t);
  if (!a) return undefined;
  if (a.scale.length > 1) return c.unsupported(`'${t.name}' has a scale for each index of an axis`);
  return { scale: must(a.scale[0]), zero: a.zero[0] ?? 0 };
}

/** The real numbers that the integers of a tensor stand for. */
export function dequantized(c: TfliteCtx, x: Value, a: Affine): Value {
  const behind = a.scale.length === 1 ? 0 : rankOf(x) - 1 - axisOf(c, a.axis, rankOf(x));
  const dims = a.scale.length === 1 ? [] : [a.scale.length, ...new Array<number>(behind).fill(1)];
  return c.apply1(DequantizeLinear, [x, c.literal('f32', a.scale, dims), c.literal(x.type.dtype, a.zero, dims)], { to: 'f32' });
}
/** Real numbers as integers of the tensor's type; ties go to even numbers. */
export const quantizedAs = (c: TfliteCtx, y: Value, q: { readonly scale: number; readonly zero: number }, to: DType): Value =>
  isInt(to) ? c.apply1(QuantizeLinear, [y, c.literal('f32', q.scale), c.literal(to, q.zero)]) : y;
