import { must } from '../../../core/diagnostic.ts';
import { isFloat } from '../../../core/dtype.ts';
import type { Value } from '../../../graph/graph.ts';
import type { Attrs, Op } from '../../../ops/define.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Softmax } from '../../../ops/reduce/norm.ts';
import { rankOf } from '../../shared/axes.ts';
import { activation } from '../../shared/tensorflow/activation.ts';
import { l2Normalize, localResponse } from '../../shared/tensorflow/norm.ts';
import { cast, expand, reshape } from '../../shared/views.ts';
import type { TfliteBuilder, TfliteCtx, TfliteOps } from '../registry.ts';
import { targetOf } from '../integers.ts';
import { quantizedAs, uniformOf } from '../quant.ts';
import { roundedAway, saturated } from '../rounding.ts';
import { fused, moving, overReals } from './real.ts';

type Make = (c: TfliteCtx, ...xs: readonly Value[]) => Value;
const op =
  (of: Op, attrs: Attrs = {}): Make =>
  (c, ...xs) =>
    c.apply1(of, xs, attrs);
/** An operator of one or two real numbers. */
const simple = (f: Make): TfliteBuilder => overReals((_, c, xs) => f(c, ...xs));
const withActivation = (f: Make): TfliteBuilder => overReals((n, c, xs) => fused(n, c, f(c, ...xs)));
const act = (name: string): TfliteBuilder => overReals((n, c, [x]) => must(activation(c, name, x ?? n.input(0))));
/** Comparisons of quantized tensors compare what they stand for; where the scales are equal, the integers. */
const compare = (f: Make): TfliteBuilder => moving((_, c, xs) => [f(c, ...xs)]);
/** The greater or lesser of two: of integers of one scale as well. */
const extreme = (of: Op): TfliteBuilder => moving((_, c, xs) => [c.apply1(of, xs)]);

const square: Make = (c, x) => c.apply1(e.Mul, [must(x), must(x)]);
const difference: Make = (c, a, b) => square(c, c.apply1(e.Sub, [must(a), must(b)]));
const rsqrt: Make = (c, x) => c.apply1(e.Reciprocal, [c.apply1(e.Sqrt, [must(x)])]);
const floorDiv: Make = (c, a, b) => {
  const [x, y] = [must(a), must(b)];
  const quotient = c.apply1(e.Div, [x, y]);
  if (isFloat(x.type.dtype)) return c.apply1(e.Floor, [quotient]);
  // Towards zero unless something is left over and the signs differ.
  const zero = c.literal(x.type.dtype, 0);
  const left = c.apply1(e.Mod, [x, y], { fmod: true });
  const negative = (v: Value): Value => c.apply1(e.Less, [v, zero]);
  const differ = c.apply1(e.Xor, [negative(x), negative(y)]);
  const less = c.apply1(e.And, [c.apply1(e.Not, [c.apply1(e.Equal, [left, zero])]), differ]);
  return c.apply1(e.Sub, [quotient, cast(c, less, x.type.dtype)]);
};
const floorMod: Make = (c, a, b) => {
  const [x, y] = [must(a), must(b)];
  if (!isFloat(x.type.dtype)) return c.apply1(e.Mod, [x, y], { fmod: false });
  const zero = c.literal(x.type.dtype, 0);
  const left = c.apply1(e.Mod, [x, y], { fmod: true });
  const negative = (v: Value): Value => c.apply1(e.Less, [v, zero]);
  const differ = c.apply1(e.Xor, [negative(left), negative(y)]);
  const moved = c.apply1(e.And, [c.apply1(e.Not, [c.apply1(e.Equal, [left, zero])]), differ]);
  return c.apply1(e.Where, [moved, c.apply1(e.Add, [left, y]), left]);
};
/** The angle of (x, y), by that of y / x and the quadrant. */
const atan2: Make = (c, a, b) => {
  const [y, x] = [must(a), must(b)];
  const number = (v: number): Value => c.literal(y.type.dtype, v);
  const less = (v: Value): Value => c.apply1(e.Less, [v, number(0)]);
  const zero = (v: Value): Value => c.apply1(e.Equal, [v, number(0)]);
  // The sign of a zero tells the side.
  const minus = (v: Value): Value => c.apply1(e.Or, [less(v), less(c.apply1(e.Reciprocal, [v]))]);
  const signed = (v: number): Value => c.apply1(e.Where, [minus(y), number(-v), number(v)]);
  const near = c.apply1(e.Atan, [c.apply1(e.Div, [y, x])]);
  const turned = c.apply1(e.Where, [less(x), c.apply1(e.Add, [near, signed(Math.PI)]), near]);
  const upright = c.apply1(e.Where, [zero(x), signed(Math.PI / 2), turned]);
  const flat = c.apply1(e.Where, [minus(x), signed(Math.PI), y]);
  return c.apply1(e.Where, [zero(y), flat, upright]);
};
const sum: TfliteBuilder = overReals((n, c, xs) => xs.slice(1).reduce((a, b) => c.apply1(e.Add, [a, b]), xs[0] ?? n.input(0)));

const softmax: TfliteBuilder = overReals((n, c, [given]) => {
  const x = given ?? n.input(0);
  const beta = n.int('beta');
  const scaled = beta === 1 ? x : c.apply1(e.Mul, [x, c.literal(x.type.dtype, beta)]);
  return c.apply1(Softmax, [scaled], { axis: rankOf(x) - 1 });
});
/** One slope for each channel, or for each element of the axes that it has. */
const prelu: TfliteBuilder = overReals((_, c, [x, slope]) => c.apply1(e.PRelu, [must(x), must(slope)]));
const leaky: TfliteBuilder = overReals((n, c, [x]) => {
  const v = must(x);
  const alpha = n.int('alpha');
  // The operator takes the greater of both where alpha is at most one.
  return c.apply1(e.LeakyRelu, [v], { alpha });
});
const gelu: TfliteBuilder = overReals((n, c, [x]) =>
  c.apply1(e.Gelu, [must(x)], { approximate: n.bool('approximate') ? 'tanh' : 'none' }),
);
/** x within what a quantization of so many bits can hold, rounded to it (FakeQuantize in tflite/kernels/fake_quant.cc). */
const fakeQuant: TfliteBuilder = overReals((n, c, [x]) => {
  const { fround } = Math;
  const [least, most] = [n.bool('narrow_range') ? 1 : 0, 2 ** n.int('num_bits') - 1];
  const [lo, hi] = [n.int('min'), n.int('max')];
  if (!(lo <= 0 && hi >= 0 && lo < hi && most > least)) n.reject(`a range of ${lo} to ${hi}`);
  const scale = fround(fround(hi - lo) / fround(most - least));
  const start = fround(least - fround(lo / scale));
  const zero = start < least ? least : start > most ? most : Math.floor(start + 0.5);
  const [from, to] = [fround((least - zero) * scale), fround((most - zero) * scale)];
  const clipped = c.apply1(e.Clip, [must(x)], { lo: from, hi: to });
  const number = (v: number): Value => c.literal('f32', v);
  const steps = c.apply1(e.Mul, [c.apply1(e.Sub, [clipped, number(from)]), number(fround(1 / scale))]);
  const rounded = c.apply1(e.Floor, [c.apply1(e.Add, [steps, number(0.5)])]);
  return c.apply1(e.Add, [c.apply1(e.Mul, [rounded, number(scale)]), number(from)]);
});

/** `condition ? a : b`; a vector as the condition of larger tensors chooses rows. */
const select =
  (rows: boolean): TfliteBuilder =>
  (n, c) => {
    const condition = n.input(0);
    const wide = rows && rankOf(condition) === 1 && rankOf(n.input(1)) > 1;
    const shape = [...condition.type.shape, ...new Array<number>(Math.max(0, rankOf(n.input(1)) - 1)).fill(1)];
    const which = wide ? reshape(c, condition, shape) : condition;
    return moving((_, d, [, a, b]) => [d.apply1(e.Where, [which, must(a), must(b)])])(n, c);
  };
/** Floats as integers: ties go to even numbers in XNNPACK, else away from zero; its division of numbers for 16 bits is in f64. */
const quantize: TfliteBuilder = (n, c) => {
  const [x, t] = [cast(c, n.input(0), 'f32'), targetOf(n, c, 'NONE')];
  const xnnpack = c.rounding === 'xnnpack';
  if (xnnpack && t.to !== 'i16') return [quantizedAs(c, x, t, t.to)];
  const to = xnnpack ? 'f64' : 'f32';
  const quotient = c.apply1(e.Div, [cast(c, x, to), c.literal(to, t.scale)]);
  return [saturated(c, cast(c, roundedAway(c, quotient), 'i32'), t)];
};
const castTo: TfliteBuilder = (n, c) => [cast(c, n.input(0), n.resultType(0))];
const bitcast: TfliteBuilder = (n, c) => {
  const [x, to] = [n.input(0), n.resultType(0)];
  return [x.type.dtype === to ? x : c.apply1(e.BitCast, [x], { to })];
};
const zerosLike: TfliteBuilder = (n, c) => {
  const x = n.input(0);
  return [expand(c, c.literal(x.type.dtype, 0), x.type.shape)];
};
const shiftRight: TfliteBuilder = (n, c) => [c.apply1(e.BitShift, n.inputs, { left: false })];

export const elementwiseOps: TfliteOps = {
  ADD: withActivation(op(e.Add)),
  SUB: withActivation(op(e.Sub)),
  MUL: withActivation(op(e.Mul)),
  DIV: (n, c) =>
    uniformOf(c, n.operand(0)) ? n.unsupported('quotients of integers that have a scale') : withActivation(op(e.Div))(n, c),
  MAXIMUM: extreme(e.Max),
  MINIMUM: extreme(e.Min),
  POW: simple(op(e.Pow)),
  FLOOR_DIV: simple(floorDiv),
  FLOOR_MOD: simple(floorMod),
  SQUARED_DIFFERENCE: simple(difference),
  ATAN2: simple(atan2),
  ADD_N: sum,
  ABS: simple(op(e.Abs)),
  NEG: simple(op(e.Neg)),
  SIGN: simple(op(e.Sign)),
  CEIL: simple(op(e.Ceil)),
  FLOOR: simple(op(e.Floor)),
  ROUND: simple(op(e.Round)),
  SQRT: simple(op(e.Sqrt)),
  RSQRT: simple(rsqrt),
  SQUARE: simple(square),
  EXP: simple(op(e.Exp)),
  LOG: simple(op(e.Log)),
  SIN: simple(op(e.Sin)),
  COS: simple(op(e.Cos)),
  TANH: act('tanh'),
  LOGISTIC: act('sigmoid'),
  RELU: act('relu'),
  RELU6: act('relu6'),
  RELU_N1_TO_1: act('relu_n1_to_1'),
  RELU_0_TO_1: act('relu_0_to_1'),
  ELU: act('elu'),
  HARD_SWISH: act('hard_swish'),
  LOG_SOFTMAX: act('log_softmax'),
  LEAKY_RELU: leaky,
  PRELU: prelu,
  GELU: gelu,
  SOFTMAX: softmax,
  FAKE_QUANT: fakeQuant,
  L2_NORMALIZATION: overReals((n, c, [x]) => fused(n, c, l2Normalize(c, must(x), [rankOf(must(x)) - 1], 1e-6))),
  LOCAL_RESPONSE_NORMALIZATION: overReals((n, c, [x]) =>
    localResponse(c, must(x), { radius: n.int('radius'), bias: n.int('bias'), alpha: n.int('alpha'), beta: n.int('beta') }),
  ),
  EQUAL: compare(op(e.Equal)),
  NOT_EQUAL: compare((c, ...xs) => c.apply1(e.Not, [c.apply1(e.Equal, xs)])),
  LESS: compare(op(e.Less)),
  LESS_EQUAL: compare(op(e.LessOrEqual)),
  GREATER: compare(op(e.Greater)),
  GREATER_EQUAL: compare(op(e.GreaterOrEqual)),
  LOGICAL_AND: simple(op(e.And)),
  LOGICAL_OR: simple(op(e.Or)),
  LOGICAL_NOT: simple(op(e.Not)),
  BITWISE_XOR: (n, c) => [c.apply1(n.input(0).type.dtype === 'bool' ? e.Xor : e.BitXor, n.inputs)],
  RIGHT_SHIFT: shiftRight,
  SELECT: select(true),
  SELECT_V2: select(false),
  CAST: castTo,
  BITCAST: bitcast,
  ZEROS_LIKE: zerosLike,
  DEQUANTIZE: overReals((n, c, [x]) => cast(c, must(x), n.resultType(0))),
  // Of integers of one scale by those of another as well.
  QUANTIZE: quantize,
};
