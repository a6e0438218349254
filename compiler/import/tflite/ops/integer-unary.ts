import { must } from '../../../core/diagnostic.ts';
import { limitsOf, type DType } from '../../../core/dtype.ts';
import type { Value } from '../../../graph/graph.ts';
import { erf, roundHalfEven } from '../../../kernel/eval/scalar.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Gather } from '../../../ops/movement/gather.ts';
import { cast } from '../../shared/views.ts';
import { targetOf } from '../integers.ts';
import { uniformOf } from '../quant.ts';
import type { TfliteBuilder, TfliteCtx, TfliteNode, TfliteOps } from '../registry.ts';
import {
  activationRange,
  fixedPoint,
  multipliedNumber,
  multipliedTwice,
  roundAway,
  saturated,
  type Fixed,
  type Target,
} from '../rounding.ts';

/** Operators of one quantized operand. What has 8 bits is looked up in a table of 256 results, which are computed here. */

const { fround } = Math;
interface Scaled {
  readonly scale: number;
  readonly zero: number;
}
/** The integer of the result for an integer of the operand. */
type Entry = (q: number) => number;

/** Elements of 8 bits by a table of results. */
function lookedUp(c: TfliteCtx, x: Value, t: Target, entry: Entry): Value {
  const signed = x.type.dtype === 'i8';
  const [lo, hi] = t.range;
  const at = (byte: number): number => {
    const q = entry(signed && byte > 127 ? byte - 256 : byte);
    return Number.isNaN(q) ? lo : Math.min(Math.max(q, lo), hi);
  };
  const table = c.literal(
    t.to,
    Array.from({ length: 256 }, (_, byte) => at(byte)),
  );
  const bytes = signed ? c.apply1(e.BitCast, [x], { to: 'u8' }) : x;
  return c.apply1(Gather, [table, cast(c, bytes, 'i32')], { axis: 0 });
}
const operandOf = (n: TfliteNode, c: TfliteCtx): Scaled => uniformOf(c, n.operand(0)) ?? n.reject('its operand is not quantized');
const wholeRange = (to: DType): readonly [number, number] => {
  const [lo, hi] = limitsOf(to).map(Number);
  return [must(lo), must(hi)];
};

/** A function of real numbers, in f32: quantize(f(dequantize(x))). */
const curve =
  (f: (x: number, n: TfliteNode) => number): TfliteBuilder =>
  (n, c) => {
    const [x, q] = [n.input(0), operandOf(n, c)];
    const t = targetOf(n, c, 'NONE');
    const real = (v: number): number => fround(f(fround(q.scale * (v - q.zero)), n));
    if (x.type.dtype === 'i16') return [interpolated(c, x, q, t, v => f(v, n))];
    const inverse = fround(1 / t.scale);
    const round =
      c.rounding === 'reference'
        ? (v: number): number => roundAway(fround(v * inverse))
        : (v: number): number => roundHalfEven(fround(v / t.scale));
    return [lookedUp(c, x, t, v => round(real(v)) + t.zero)];
  };
/** Steps of the table for 16 bits. */
const STEPS = 512;
/** A function of 16-bit integers by a table of 513 values and lines between them (LUTPopulateInt16 and LUTLookup in kernels/internal/common.h). */
function interpolated(c: TfliteCtx, x: Value, q: Scaled, t: Target & Scaled, f: (x: number) => number): Value {
  const [least, most] = [-(2 ** 15), 2 ** 15 - 1];
  const [from, to] = [fround(q.scale * (least - q.zero)), fround(q.scale * (most - q.zero))];
  const [low, high] = [fround(t.scale * (least - t.zero)), fround(t.scale * (most - t.zero))];
  const step = fround(fround(to - from) / STEPS);
  const inverse = fround(2 ** 16 / fround(high - low));
  const value = (v: number): number => fround(f(v));
  const at = (i: number): number => fround(from + fround(i * step));
  const clamp = (v: number): number => Math.min(Math.max(v, least), most);
  const table = Array.from({ length: STEPS + 1 }, (_, i) => {
    if (i === STEPS) return clamp(roundAway(fround(value(to) * inverse)));
    const sample = roundAway(fround(value(at(i)) * inverse));
    const between = roundAway(fround(fround(fround(value(at(i + 1)) * inverse) + sample) / 2));
    const middle = roundAway(fround(value(fround(at(i) + fround(step / 2))) * inverse));
    return clamp(sample - roundAway(fround((between - middle) / 2)));
  });
  const int = (v: number): Value => c.literal('i32', v);
  const wide = cast(c, x, 'i32');
  const index = c.apply1(e.Add, [c.apply1(e.BitShift, [wide, int(7)], { left: false }), int(STEPS / 2)]);
  const values = c.literal('i32', table);
  const take = (i: Value): Value => c.apply1(Gather, [values, i], { axis: 0 });
  const base = take(index);
  const slope = c.apply1(e.Sub, [take(c.apply1(e.Add, [index, int(1)])), base]);
  const part = c.apply1(e.Mul, [slope, c.apply1(e.BitAnd, [wide, int(127)])]);
  const delta = c.apply1(e.BitShift, [c.apply1(e.Add, [part, int(64)]), int(7)], { left: false });
  return cast(c, c.apply1(e.Add, [base, delta]), t.to);
}

/** x - zero times one of two factors, by its sign; rounded twice. */
function twoFactors(c: TfliteCtx, x: Value, zero: number, t: Target, same: Fixed, negative: Fixed): Value {
  if (x.type.dtype !== 'i16') return lookedUp(c, x, t, q => multipliedNumber(q - zero, q >= zero ? same : negative) + t.zero);
  const wide = cast(c, x, 'i32');
  const moved = zero === 0 ? wide : c.apply1(e.Sub, [wide, c.literal('i32', zero)]);
  const isNegative = c.apply1(e.Less, [moved, c.literal('i32', 0)]);
  const [p, q] = [multipliedTwice(c, moved, [same]), same === negative ? undefined : multipliedTwice(c, moved, [negative])];
  return saturated(c, q ? c.apply1(e.Where, [isNegative, q, p]) : p, t);
}
const isByte = (x: Value): boolean => x.type.dtype !== 'i16';

const leaky: TfliteBuilder = (n, c) => {
  const [x, q, t] = [n.input(0), operandOf(n, c), targetOf(n, c, 'NONE')];
  const alpha = n.int('alpha');
  const same = fround(q.scale / t.scale);
  if (c.rounding === 'xnnpack' && isByte(x)) {
    // Factors of 8 bits behind the point (XNNPACK, src/microparams-init.c, xnn_init_qs8_lrelu_scalar_params).
    const [p, m] = [roundHalfEven(fround(256 * same)), roundHalfEven(fround(256 * fround(same * alpha)))];
    return [lookedUp(c, x, t, v => Math.floor(((v - q.zero) * (v >= q.zero ? p : m) + 128) / 256) + t.zero)];
  }
  const negative = fround(fround(q.scale * alpha) / t.scale);
  return [twoFactors(c, x, q.zero, t, fixedPoint(same), fixedPoint(negative))];
};
/** RELU and its kin: the integers times the ratio of the scales, within a range. */
const clipped =
  (activation: string): TfliteBuilder =>
  (n, c) => {
    const [x, q, t] = [n.input(0), operandOf(n, c), targetOf(n, c, 'NONE')];
    const range = must(activationRange(activation, t, t.to, 'away'));
    const factor = fixedPoint(fround(q.scale / t.scale));
    return [twoFactors(c, x, q.zero, { ...t, range }, factor, factor)];
  };
const abs: TfliteBuilder = (n, c) => {
  const [x, q, t] = [n.input(0), operandOf(n, c), targetOf(n, c, 'NONE')];
  const factor = fixedPoint(fround(q.scale / t.scale));
  return [twoFactors(c, x, q.zero, t, factor, { ...factor, m: -factor.m })];
};
/** The square root, cut to an integer (SqrtEvalQuantized in tflite/kernels/elementwise.cc). */
const sqrt: TfliteBuilder = (n, c) => {
  const [x, q, t] = [n.input(0), operandOf(n, c), targetOf(n, c, 'NONE')];
  const entry = (v: number): number => Math.trunc(fround(fround(Math.sqrt(fround(q.scale * (v - q.zero)))) / t.scale)) + t.zero;
  if (isByte(x)) return [lookedUp(c, x, t, entry)];
  const real = c.apply1(e.Mul, [cast(c, x, 'f32'), c.literal('f32', q.scale)]);
  return [saturated(c, cast(c, c.apply1(e.Div, [c.apply1(e.Sqrt, [real]), c.literal('f32', t.scale)]), 'i32'), t)];
};

/** 16-bit arithmetic of gemmlowp: the high half of twice a product, rounded or cut. */
const highProduct = (a: number, b: number, rounded: boolean): number =>
  a === -32768 && b === -32768 ? 32767 : Math.trunc((a * b + (rounded ? (a * b >= 0 ? 2 ** 14 : 1 - 2 ** 14) : 0)) / 2 ** 15);
const saturate16 = (v: number): number => Math.min(Math.max(v, -32768), 32767);
const byPower = (v: number, by: number): number => (by <= 0 ? v : roundAway(v / 2 ** by));
/** The factor of 15 bits, and its exponent (HardSwishPrepare in tflite/kernels/activations.cc). */
function fixed16(factor: number): Fixed {
  const { m, shift } = fixedPoint(factor);
  return { m: Math.min((m + 2 ** 15) >> 16, 32767), shift };
}
/** x * relu6(x + 3) / 6 in 16-bit fixed point (tflite/kernels/internal/reference/hard_swish.h). */
const hardSwish: TfliteBuilder = (n, c) => {
  const [x, q, t] = [n.input(0), operandOf(n, c), targetOf(n, c, 'NONE')];
  if (!isByte(x)) return n.unsupported('16-bit integers');
  const fine = fround(fround(1 / 128) * q.scale);
  const out = fixed16(fround(fine / t.scale));
  const reluish = fixed16(fround(fine / fround(3 / 32768)));
  const entry = (v: number): number => {
    const high = (v - q.zero) * 128;
    const scaled = highProduct(high, out.m, true);
    let r = high;
    if (reluish.shift > 0) r = saturate16(r * 2 ** (reluish.shift - 1));
    r = highProduct(r, reluish.m, true);
    if (reluish.shift > 0) r = saturate16(r * 2);
    if (reluish.shift < 0) r = byPower(r, -reluish.shift);
    r = (r + 2 ** 15) >> 1;
    return byPower(highProduct(r, scaled, false), -out.shift) + t.zero;
  };
  return [lookedUp(c, x, t, entry)];
};

/** Integers of one scale as those of another. */
const requantize: TfliteBuilder = (n, c) => {
  const [x, q] = [n.input(0), operandOf(n, c)];
  const to = n.resultType(0);
  const given = n.result(0).quantization;
  const scale = given?.scale[0] ?? n.reject('its result is not quantized');
  const t: Target = { zero: given?.zero[0] ?? 0, to, range: wholeRange(to) };
  if (c.rounding === 'xnnpack' && isByte(x) && to === x.type.dtype) {
    const factor = roundHalfEven(fround(256 * fround(q.scale / scale)));
    return [lookedUp(c, x, t, v => Math.floor(((v - q.zero) * factor + 128) / 256) + t.zero)];
  }
  const factor = fixedPoint(q.scale / scale);
  return [twoFactors(c, x, q.zero, t, factor, factor)];
};

/** 65536 times the sigmoid at steps of 1 / 24, as sigmoid_table_uint16 in tflite/kernels/internal/common.h has it: here and there one more. */
const ONE_MORE = new Set([
  4, 8, 12, 14, 15, 16, 17, 19, 20, 21, 22, 25, 27, 28, 29, 30, 31, 33, 34, 35, 37, 39, 40, 41, 43, 44, 45, 46, 49, 50, 54, 62,
  63, 64, 66, 82, 86, 93, 100, 103, 112, 116, 135, 255,
]);
const SIGMOID = Array.from({ length: 256 }, (_, i) => Math.round(65536 / (1 + Math.exp(-i / 24))) + (ONE_MORE.has(i) ? 1 : 0));
/**
 * The sigmoid of 16-bit integers, or 2 * sigmoid(2 x) - 1, by lines between the values of that table
 * (tflite/kernels/internal/reference/integer_ops/logistic.h and tanh.h).
 */
const sigmoid16 =
  (of: 'logistic' | 'tanh'): TfliteBuilder =>
  (n, c) => {
    const [x, { scale }, t] = [n.input(0), operandOf(n, c), targetOf(n, c, 'NONE')];
    const power = Math.log2(scale);
    const shift = 12 + power;
    let [factor, right] = [3 * 2 ** shift, 0];
    if (!(Number.isInteger(power) && (shift === 0 || (of === 'tanh' && shift === 1)))) {
      factor = scale * 4096 * 3;
      for (; factor <= 32767 / 2 && right <= 30; right++) factor *= 2;
      factor = Math.trunc(factor);
    }
    const int = (v: number): Value => c.literal('i32', v);
    const add = (a: Value, b: Value): Value => c.apply1(e.Add, [a, b]);
    const downBy = (v: Value, by: number): Value => (by === 0 ? v : c.apply1(e.BitShift, [v, int(by)], { left: false }));
    const half = right > 0 ? 2 ** (right - 1) : 0;
    const place = downBy(add(c.apply1(e.Mul, [cast(c, x, 'i32'), int(factor)]), int(half)), right);
    const bits = of === 'logistic' ? 9 : 8;
    const size = c.apply1(e.Abs, [place]);
    const at = c.apply1(e.Min, [downBy(size, bits), int(255)]);
    const take = (i: Value): Value => c.apply1(Gather, [c.literal('i32', SIGMOID), i], { axis: 0 });
    const first = take(at);
    const slope = c.apply1(e.Sub, [take(c.apply1(e.Min, [add(at, int(1)), int(255)])), first]);
    const part = c.apply1(e.Mul, [slope, c.apply1(e.BitAnd, [size, int(2 ** bits - 1)])]);
    const inside = add(c.apply1(e.Mul, [first, int(2 ** bits)]), part);
    const most = of === 'logistic' ? 0x7fff * 2 ** 10 : 0xffff * 2 ** 8;
    const value = c.apply1(e.Where, [c.apply1(e.Less, [at, int(255)]), inside, int(most)]);
    const negative = c.apply1(e.Less, [place, int(0)]);
    const [up, down] = of === 'logistic' ? [512, 2 ** 25 + 511] : [-(2 ** 23) + 128, 2 ** 23 + 127];
    const signed = c.apply1(e.Where, [negative, c.apply1(e.Sub, [int(down), value]), add(value, int(up))]);
    return [cast(c, downBy(signed, of === 'logistic' ? 10 : 8), t.to)];
  };
/** One way for 8 bits, another for 16. */
const bySize =
  (bytes: TfliteBuilder, wide: TfliteBuilder): TfliteBuilder =>
  (n, c) =>
    (isByte(n.input(0)) ? bytes : wide)(n, c);

const { exp } = Math;
const gelu = (x: number, n: TfliteNode): number =>
  n.bool('approximate')
    ? 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)))
    : 0.5 * x * (1 + erf(x * Math.SQRT1_2));

/** Of these, each takes one quantized operand and has a quantized result. */
export const integerUnary: TfliteOps = {
  LOGISTIC: bySize(
    curve(x => 1 / (1 + exp(-x))),
    sigmoid16('logistic'),
  ),
  TANH: bySize(
    curve(x => Math.tanh(x)),
    sigmoid16('tanh'),
  ),
  ELU: curve(x => (x < 0 ? Math.expm1(x) : x)),
  GELU: curve(gelu),
  EXP: curve(x => exp(x)),
  LOG: curve(x => Math.log(x)),
  RSQRT: curve(x => 1 / Math.sqrt(x)),
  SQRT: sqrt,
  ABS: abs,
  NEG: (n, c) => [c.apply1(e.Neg, [n.input(0)])],
  LEAKY_RELU: leaky,
  RELU: clipped('RELU'),
  RELU6: clipped('RELU6'),
  RELU_N1_TO_1: clipped('RELU_N1_TO_1'),
  HARD_SWISH: hardSwish,
  QUANTIZE: requantize,
};
