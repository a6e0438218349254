import { must } from '../../core/diagnostic.ts';
import { showDim } from '../../core/dim.ts';
import type { DType } from '../../core/dtype.ts';
import { foldNode } from '../../graph/fold.ts';
import type { Value } from '../../graph/graph.ts';
import { ConvInteger } from '../../ops/conv/conv-integer.ts';
import { Conv } from '../../ops/conv/conv.ts';
import * as e from '../../ops/elementwise/index.ts';
import { MatMulInteger } from '../../ops/matmul/matmul-integer.ts';
import { MatMul } from '../../ops/matmul/matmul.ts';
import { channelAxis } from '../../ops/spatial.ts';
import { rankOf, sizeAt } from '../shared/axes.ts';
import { transposedConvolution, type TransposedWindow } from '../shared/tensorflow/conv.ts';
import { windowAttrs, type Window } from '../shared/tensorflow/window.ts';
import { cast } from '../shared/views.ts';
import { affineOf, uniformOf, type Affine } from './quant.ts';
import type { TfliteCtx, TfliteNode } from './registry.ts';
import {
  activationRange,
  fixedPoint,
  multipliedInDoubles,
  multipliedOnce,
  multipliedTwice,
  multipliedWide,
  saturated,
  scaled,
  type Target,
} from './rounding.ts';

/** Operators over quantized tensors that are computed in integers. */

/** Whether the first input and the result are quantized. */
export const isQuantized = (n: TfliteNode, c: TfliteCtx, i = 0): boolean =>
  affineOf(c, n.operand(i)) !== undefined && affineOf(c, n.result(0)) !== undefined;
/** Where integers of output 0 go. */
export function targetOf(n: TfliteNode, c: TfliteCtx, activation = n.activation): Target & { readonly scale: number } {
  const q = uniformOf(c, n.result(0)) ?? n.reject('its result is not quantized');
  const to = n.resultType(0);
  const range = activationRange(activation, q, to, c.rounding === 'reference' ? 'away' : 'even');
  return { ...q, to, range: range ?? n.unsupported(`its activation ${activation} over integers`) };
}
const { fround } = Math;
/** What sums of products of two scales are multiplied by: in f32, step by step, and in f64. */
interface Factors {
  readonly single: readonly number[];
  readonly double: readonly number[];
}
export const factorsOf = (x: number, w: readonly number[], y: number): Factors => ({
  single: w.map(s => fround(fround(fround(x) * fround(s)) / fround(y))),
  double: w.map(s => (x * s) / y),
});
/** Sums as integers of the result. */
export function requantized(c: TfliteCtx, sums: Value, f: Factors, t: Target): Value {
  if (sums.type.dtype === 'i64') return saturated(c, multipliedWide(c, sums, f.double.map(fixedPoint)), t);
  return c.rounding === 'reference'
    ? saturated(c, multipliedTwice(c, sums, f.double.map(fixedPoint)), t)
    : scaled(c, sums, f.single, t);
}

/** The same of what XNNPACK does not take. */
export const requantizedByRuy = (c: TfliteCtx, sums: Value, f: Factors, t: Target): Value => {
  const multiplied = c.rounding === 'reference' ? multipliedTwice : multipliedOnce;
  return saturated(c, multiplied(c, sums, f.double.map(fixedPoint)), t);
};

/** Products of numbers of 16 bits are summed in f64, which holds them all: |sum| < 2 ** 53. */
const isWide = (x: Value): boolean => x.type.dtype === 'i16';
const wideSums = (c: TfliteCtx, y: Value, bias: Value | undefined): Value =>
  cast(c, bias ? c.apply1(e.Add, [y, cast(c, bias, 'f64')]) : y, bias?.type.dtype === 'i32' ? 'i32' : 'i64');
const inDoubles = (c: TfliteCtx, x: Value, zero: number): Value => {
  const y = cast(c, x, 'f64');
  return zero === 0 ? y : c.apply1(e.Sub, [y, c.literal('f64', zero)]);
};
const withBias = (c: TfliteCtx, sums: Value, bias: Value | undefined): Value =>
  bias ? c.apply1(e.Add, [sums, cast(c, bias, 'i32')]) : sums;
/** The zero point of weights, which is one number. */
const zeroOf = (n: TfliteNode, w: Affine): number =>
  w.zero.every(z => z === w.zero[0]) ? must(w.zero[0]) : n.unsupported('weights with several zero points');

/** A constant of any size that is moved about: what sums there can be follows from its contents. */
const settled = (v: Value): Value => (v.def.k === 'node' ? (foldNode(v.def, Infinity)?.values[v.index] ?? v) : v);

/** A convolution of integers with weights [O, I, …kernel] that `weights` makes of the file's. */
export function quantizedConvolution(
  n: TfliteNode,
  c: TfliteCtx,
  weights: (c: TfliteCtx, w: Value) => Value,
  window: Window,
): Value {
  const x = n.input(0);
  const q = uniformOf(c, n.operand(0)) ?? n.reject('its input is not quantized');
  const wq = affineOf(c, n.operand(1)) ?? n.unsupported('integers with weights that are not quantized');
  const w = settled(weights(c, n.input(1)));
  const bias = n.optional(2);
  const t = targetOf(n, c);
  const channels = sizeAt(c, x, channelAxis(window.layout, rankOf(x)));
  const each = sizeAt(c, w, 1);
  if (typeof channels !== 'number' || typeof each !== 'number' || each < 1 || channels % each !== 0)
    return n.reject(`${showDim(channels)} channels for a filter of ${showDim(each)} channels`);
  const attrs = { ...windowAttrs(c, x, w.type.shape.slice(2), window), group: channels / each };
  const zero = zeroOf(n, wq);
  const factors = factorsOf(q.scale, wq.scale, t.scale);
  if (isWide(x)) {
    const y = c.apply1(Conv, [inDoubles(c, x, q.zero), inDoubles(c, w, zero)], attrs);
    return requantized(c, wideSums(c, y, bias), factors, t);
  }
  const number = (to: DType, v: number): Value | undefined => (v === 0 ? undefined : c.literal(to, v));
  const sums = c.apply1(ConvInteger, [x, w, number(x.type.dtype, q.zero), number(w.type.dtype, zero)], attrs);
  const all = withBias(c, sums, bias);
  // XNNPACK takes no convolutions with weights of 4 bits.
  return n.operand(1).type === 'INT4' ? requantizedByRuy(c, all, factors, t) : requantized(c, all, factors, t);
}

/** A transposed convolution of integers with weights [I, O, …kernel] and a bias. `sizes` are those of the result. */
export function quantizedTransposed(n: TfliteNode, c: TfliteCtx, w: Value, window: TransposedWindow): Value {
  const x = n.input(2);
  const q = uniformOf(c, n.operand(2)) ?? n.reject('its input is not quantized');
  const wq = affineOf(c, n.operand(1)) ?? n.unsupported('integers with weights that are not quantized');
  const t = targetOf(n, c, n.activation);
  const factors = factorsOf(q.scale, wq.scale, t.scale);
  const y = transposedConvolution(c, inDoubles(c, x, q.zero), inDoubles(c, w, zeroOf(n, wq)), window);
  const bias = n.optional(3);
  if (isWide(x)) return requantized(c, wideSums(c, y, bias), factors, t);
  return requantized(c, withBias(c, cast(c, y, 'i32'), bias), factors, t);
}
/** x [..., I] of integers times weights [O, I]. */
export function quantizedProduct(n: TfliteNode, c: TfliteCtx, x: Value): Value {
  const w = n.input(1);
  const q = uniformOf(c, n.operand(0)) ?? n.reject('its input is not quantized');
  const wq = affineOf(c, n.operand(1)) ?? n.unsupported('integers with weights that are not quantized');
  const t = targetOf(n, c);
  const zero = zeroOf(n, wq);
  const factors = factorsOf(q.scale, wq.scale, t.scale);
  const bias = n.optional(2);
  if (isWide(x)) {
    const y = c.apply1(MatMul, [inDoubles(c, x, q.zero), inDoubles(c, w, zero)], { transB: true });
    return saturated(c, multipliedInDoubles(c, wideSums(c, y, bias), factors.double), t);
  }
  const number = (to: DType, v: number): Value | undefined => (v === 0 ? undefined : c.literal(to, v));
  const sums = c.apply1(MatMulInteger, [x, w, number(x.type.dtype, q.zero), number(w.type.dtype, zero)], { transB: true });
  const all = withBias(c, sums, bias);
  // The reference kernels multiply in f64 (tflite/kernels/internal/reference/integer_ops/fully_connected.h).
  if (c.rounding === 'reference') return saturated(c, multipliedInDoubles(c, all, factors.double), t);
  return requantized(c, all, factors, t);
}
