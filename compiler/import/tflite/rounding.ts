import { must } from '../../core/diagnostic.ts';
import { limitsOf, type DType } from '../../core/dtype.ts';
import type { Value } from '../../graph/graph.ts';
import { roundHalfEven } from '../../kernel/eval/scalar.ts';
import * as e from '../../ops/elementwise/index.ts';
import { QuantizeLinear } from '../../ops/quant/quant.ts';
import { cast } from '../shared/views.ts';
import type { TfliteCtx } from './registry.ts';

/**
 * How integer sums become integers of the result: times a factor, rounded, plus the zero point, saturated.
 * `xnnpack` multiplies in f32 and rounds ties to even (XNNPACK, src/qs8-requantization/fp32-scalar-lrintf.c). `reference` multiplies by an
 * integer of 31 bits and rounds twice (gemmlowp's SaturatingRoundingDoublingHighMul and RoundingDivideByPOT; MultiplyByQuantizedMultiplier
 * in tflite/kernels/internal/common.cc); of 64-bit sums by one of 15 bits, once.
 */

/** What sums stand for: factors are doubles, one, or one for each index along the last axis of the sums. */
export interface Target {
  readonly zero: number;
  readonly to: DType;
  /** The range of the activation, in integers of the result. */
  readonly range: readonly [number, number];
}
/** An integer factor, m * 2 ** (shift - 31), where m is of 31 bits. */
export interface Fixed {
  readonly m: number;
  readonly shift: number;
}
/** The nearest such factor (QuantizeMultiplier in tflite/kernels/internal/quantization_util.cc). */
export function fixedPoint(factor: number): Fixed {
  if (factor === 0 || !Number.isFinite(factor)) return { m: 0, shift: 0 };
  let shift = Math.floor(Math.log2(Math.abs(factor))) + 1;
  // The logarithm of a number close to a power of two may be rounded.
  while (Math.abs(factor) >= 2 ** shift) shift++;
  while (Math.abs(factor) < 2 ** (shift - 1)) shift--;
  let m = Math.sign(factor) * Math.floor(Math.abs(factor) * 2 ** (31 - shift) + 0.5);
  if (m === 2 ** 31) [m, shift] = [m / 2, shift + 1];
  if (shift < -31) return { m: 0, shift: 0 };
  return shift > 30 ? { m: 2 ** 31 - 1, shift: 30 } : { m, shift };
}
/** One number where all are the same. */
const spread = (c: TfliteCtx, to: DType, values: readonly number[]): Value =>
  values.every(v => v === values[0]) ? c.literal(to, must(values[0])) : c.literal(to, values);
const shifted = (c: TfliteCtx, x: Value, by: readonly number[], left: boolean): Value =>
  by.every(s => s === 0) ? x : c.apply1(e.BitShift, [x, spread(c, x.type.dtype, by)], { left });

/** x * factor of integers, rounded twice: i32 to i32. */
export function multipliedTwice(c: TfliteCtx, x: Value, fixed: readonly Fixed[]): Value {
  const left = fixed.map(f => Math.max(0, f.shift));
  const right = fixed.map(f => Math.max(0, -f.shift));
  const factor = spread(
    c,
    'i64',
    fixed.map(f => f.m),
  );
  const product = c.apply1(e.Mul, [shifted(c, cast(c, x, 'i64'), left, true), factor]);
  const high = c.apply1(e.BitShift, [c.apply1(e.Add, [product, c.literal('i64', 2 ** 30)]), c.literal('i64', 31)], {
    left: false,
  });
  return cast(c, dividedByPower(c, high, right), 'i32');
}
/** The same of one number while compiling. */
export function multipliedNumber(x: number, { m, shift }: Fixed): number {
  const high = (BigInt(x) * 2n ** BigInt(Math.max(0, shift)) * BigInt(m) + 2n ** 30n) >> 31n;
  const by = BigInt(Math.max(0, -shift));
  return Number(by === 0n ? high : (high + 2n ** (by - 1n) - (high < 0n ? 1n : 0n)) >> by);
}
/** x / 2 ** by, to the nearest integer, half away from zero. */
function dividedByPower(c: TfliteCtx, x: Value, by: readonly number[]): Value {
  if (by.every(s => s === 0)) return x;
  const half = spread(
    c,
    'i64',
    by.map(s => (s === 0 ? 0 : 2 ** (s - 1))),
  );
  const negative = cast(c, c.apply1(e.Less, [x, c.literal('i64', 0)]), 'i64');
  // Where nothing is shifted, nothing is taken off.
  const some = by.map(s => Math.min(s, 1));
  const down = some.every(s => s === 1) ? negative : c.apply1(e.Mul, [negative, spread(c, 'i64', some)]);
  return shifted(c, c.apply1(e.Sub, [c.apply1(e.Add, [x, half]), down]), by, false);
}
/** x * factor of 64-bit sums, with a factor of 15 bits, rounded half up. */
export function multipliedWide(c: TfliteCtx, x: Value, fixed: readonly Fixed[]): Value {
  const reduced = fixed.map(({ m }) => (m < 0x7fff0000 ? Math.floor((m + 2 ** 15) / 2 ** 16) : 0x7fff));
  const total = fixed.map(f => 15 - f.shift);
  const product = c.apply1(e.Mul, [cast(c, x, 'i64'), spread(c, 'i64', reduced)]);
  const half = spread(
    c,
    'i64',
    total.map(s => 2 ** (s - 1)),
  );
  return shifted(c, c.apply1(e.Add, [product, half]), total, false);
}
/** x * factor of integers, rounded once, half up, as ruy multiplies what XNNPACK does not take: i32 to i32. */
export function multipliedOnce(c: TfliteCtx, x: Value, fixed: readonly Fixed[]): Value {
  const right = fixed.map(f => 31 - f.shift);
  const factor = spread(
    c,
    'i64',
    fixed.map(f => f.m),
  );
  const half = spread(
    c,
    'i64',
    right.map(s => 2 ** (s - 1)),
  );
  const product = c.apply1(e.Mul, [cast(c, x, 'i64'), factor]);
  return cast(c, shifted(c, c.apply1(e.Add, [product, half]), right, false), 'i32');
}
/** x * factor in f64, half away from zero: i32 to i32. */
export function multipliedInDoubles(c: TfliteCtx, x: Value, factors: readonly number[]): Value {
  const y = c.apply1(e.Mul, [cast(c, x, 'f64'), spread(c, 'f64', factors)]);
  return cast(c, roundedAway(c, y), 'i32');
}
/** The nearest integer, half away from zero, in floats. */
export function roundedAway(c: TfliteCtx, v: Value): Value {
  const whole = c.apply1(e.Trunc, [v]);
  const number = (k: number): Value => c.literal(v.type.dtype, k);
  const far = c.apply1(e.GreaterOrEqual, [c.apply1(e.Abs, [c.apply1(e.Sub, [v, whole])]), number(0.5)]);
  return c.apply1(e.Add, [whole, c.apply1(e.Where, [far, c.apply1(e.Sign, [v]), number(0)])]);
}
/** The same of one number while compiling. */
export const roundAway = (v: number): number => Math.sign(v) * Math.floor(Math.abs(v) + 0.5);

/** Integers plus the zero point, within the range of the activation. */
export function saturated(c: TfliteCtx, x: Value, { zero, to, range: [lo, hi] }: Target): Value {
  const moved = zero === 0 ? x : c.apply1(e.Add, [x, c.literal(x.type.dtype, zero)]);
  return cast(c, c.apply1(e.Clip, [moved], { lo, hi }), to);
}
/** f32(x) * f32(factor), rounded to even. */
export function scaled(c: TfliteCtx, x: Value, factors: readonly number[], t: Target): Value {
  const y = c.apply1(e.Mul, [cast(c, x, 'f32'), spread(c, 'f32', factors)]);
  const q = c.apply1(QuantizeLinear, [y, c.literal('f32', 1), c.literal(t.to, t.zero)]);
  const [least, greatest] = limitsOf(t.to);
  const [lo, hi] = t.range;
  return lo <= Number(least) && hi >= Number(greatest) ? q : c.apply1(e.Clip, [q], { lo, hi });
}

/** The integers between which an activation keeps a result (CalculateActivationRangeQuantized in tflite/kernels/kernel_util.cc). */
export function activationRange(
  activation: string,
  q: { readonly scale: number; readonly zero: number },
  to: DType,
  ties: 'even' | 'away',
): readonly [number, number] | undefined {
  const [least, greatest] = limitsOf(to).map(Number);
  const bounds: Readonly<Record<string, readonly [number, number]>> = {
    NONE: [-Infinity, Infinity],
    RELU: [0, Infinity],
    RELU6: [0, 6],
    RELU_N1_TO_1: [-1, 1],
  };
  const range = bounds[activation];
  if (!range) return undefined;
  const round = ties === 'even' ? roundHalfEven : roundAway;
  const at = (v: number): number => Math.min(Math.max(q.zero + round(Math.fround(v / q.scale)), must(least)), must(greatest));
  return [at(range[0]), at(range[1])];
}
