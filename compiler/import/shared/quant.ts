import { must } from '../../core/diagnostic.ts';
import type { DType } from '../../core/dtype.ts';
import type { GraphBuilder } from '../../graph/build.ts';
import type { Value } from '../../graph/graph.ts';
import * as e from '../../ops/elementwise/index.ts';
import { MatMulInteger } from '../../ops/matmul/matmul-integer.ts';
import { DequantizeLinear, QuantizeLinear } from '../../ops/quant/quant.ts';
import { axesFrom, rankOf } from './axes.ts';
import { reduceOver } from './reduce.ts';
import { cast, reshape } from './views.ts';

/** Quantized numbers as frameworks write them: integers with a scale and a zero point. */

/** Whether it has one element, of whatever rank. */
export const isSingle = (v: Value): boolean => v.type.shape.every(d => d === 1);

/** A scalar or one-element operand as a scalar; others as they are. */
export const flat = (c: GraphBuilder, v: Value): Value => (isSingle(v) ? reshape(c, v, []) : v);
/** The real numbers that a quantized tensor stands for; scale and zero point are numbers. */
export const dequantized = (c: GraphBuilder, x: Value, scale: Value, zero: Value | undefined): Value =>
  c.apply1(DequantizeLinear, [x, flat(c, scale), zero ? flat(c, zero) : c.literal(x.type.dtype, 0)], { to: 'f32' });
/** Real numbers as integers; `otherwise` is their type where there is no zero point. */
export const quantized = (c: GraphBuilder, y: Value, scale: Value, zero: Value | undefined, otherwise: DType): Value =>
  c.apply1(QuantizeLinear, [y, cast(c, flat(c, scale), 'f32'), zero ? flat(c, zero) : c.literal(otherwise, 0)]);
/** An integer sum times the product of the scales over that of the result, quantized. Scales are numbers, or shaped to meet the sum. */
export function requantized(
  c: GraphBuilder,
  acc: Value,
  scales: readonly Value[],
  to: Value,
  zero: Value | undefined,
  otherwise: DType,
): Value {
  const wide = scales.map(s => cast(c, s, 'f32'));
  const product = wide.reduce((a, b) => c.apply1(e.Mul, [a, b]));
  const factor = c.apply1(e.Div, [product, cast(c, flat(c, to), 'f32')]);
  const y = c.apply1(e.Mul, [cast(c, acc, 'f32'), factor]);
  return c.apply1(QuantizeLinear, [y, c.literal('f32', 1), zero ? flat(c, zero) : c.literal(otherwise, 0)]);
}
/** A scale or zero point of rows of A (a column) or of columns of B (a row). */
export function sideways(c: GraphBuilder, v: Value, perRow: boolean): Value {
  if (isSingle(v)) return reshape(c, v, []);
  return rankOf(v) === 1 && perRow ? reshape(c, v, [must(v.type.shape[0]), 1]) : v;
}
/** A matrix product of integers as i32. Zero points of rows of A or columns of B are vectors. */
export const integerProduct = (c: GraphBuilder, a: Value, b: Value, aZero: Value | undefined, bZero: Value | undefined): Value =>
  c.apply1(MatMulInteger, [a, b, aZero && sideways(c, aZero, true), bZero && sideways(c, bZero, false)]);
/** x as u8, with scale and zero point from its range, which always holds 0. */
export function dynamicallyQuantized(
  c: GraphBuilder,
  x: Value,
): { readonly y: Value; readonly scale: Value; readonly zero: Value } {
  const number = (v: number): Value => c.literal('f32', v);
  const bound = (of: 'min' | 'max'): Value =>
    c.apply1(of === 'min' ? e.Min : e.Max, [reduceOver(c, of, x, axesFrom(x), false), number(0)]);
  const [low, high] = [bound('min'), bound('max')];
  const range = c.apply1(e.Div, [c.apply1(e.Sub, [high, low]), number(255)]);
  // Where all elements are 0 any scale does.
  const scale = c.apply1(e.Where, [c.apply1(e.Equal, [range, number(0)]), number(1), range]);
  const start = c.apply1(e.Div, [c.apply1(e.Neg, [low]), scale]);
  const zero = c.apply1(e.Cast, [c.apply1(e.Clip, [c.apply1(e.Round, [start])], { lo: 0, hi: 255 })], { to: 'u8' });
  return { y: c.apply1(QuantizeLinear, [x, scale, zero]), scale, zero };
}
