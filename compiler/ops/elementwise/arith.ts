import { dimAdd, dimFloorDiv, dimMax, dimMin, dimMod, dimMul, dimNeg, dimSub, rangeOf } from '../../core/dim.ts';
import { DTYPES, isFloat, isInt, type DType } from '../../core/dtype.ts';
import { must } from '../../core/diagnostic.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import {
  abs,
  add,
  and,
  cast,
  ceil,
  div,
  eq,
  floor,
  ge,
  gt,
  int,
  konst,
  lt,
  maskType,
  math,
  max,
  min,
  mul,
  ne,
  nearest,
  neg,
  not,
  or,
  reinterpret,
  rem,
  select,
  shl,
  shr,
  shuffle,
  sqrt,
  sub,
  trunc,
  vtype,
  xor,
  type Expr,
} from '../../kernel/ir.ts';
import { attr } from '../define.ts';
import { elementwise, floats, integers, numbers, sameDType } from './op.ts';
import { binary, castTo, constantOf, greatest, least, perLane, unary } from './util.ts';

export const Add = elementwise({
  name: 'Add',
  doc: 'a + b; integers wrap',
  inputs: ['a', 'b'],
  result: numbers,
  ofSizes: 'add',
  scalar: binary(add),
  known: ([a, b]) => dimAdd(must(a), must(b)),
});
export const Sub = elementwise({
  name: 'Sub',
  doc: 'a - b; integers wrap',
  inputs: ['a', 'b'],
  result: numbers,
  ofSizes: 'sub',
  scalar: binary(sub),
  known: ([a, b]) => dimSub(must(a), must(b)),
});
export const Mul = elementwise({
  name: 'Mul',
  doc: 'a * b; integers wrap',
  inputs: ['a', 'b'],
  result: numbers,
  ofSizes: 'mul',
  scalar: binary(mul),
  known: ([a, b]) => dimMul(must(a), must(b)),
});

const signed = (e: Expr): boolean => e.t.base === 'i32' || e.t.base === 'i64';
const unsigned = (e: Expr): boolean => e.t.base === 'u32' || e.t.base === 'u64';
/** An operand by which one may always divide: 1 where the divisor is 0, or -1 (the quotient of the least integer would not fit). */
const safeDivisor = (b: Expr): Expr => select(signed(b) ? or(eq(b, 0), eq(b, -1)) : eq(b, 0), 1, b);
/** Integer quotient towards zero; a zero divisor gives 0. */
function intDiv(k: KernelBuilder, a: Expr, b: Expr): Expr {
  const q = select(eq(b, 0), 0, div(a, k.let(safeDivisor(b))));
  return signed(b) ? select(eq(b, -1), sub(konst(a.t, 0), a), q) : q;
}
/** Remainder with the sign of the dividend; a zero divisor gives 0. */
const intRem = (k: KernelBuilder, a: Expr, b: Expr): Expr => rem(a, k.let(safeDivisor(b)));

export const Div = elementwise({
  name: 'Div',
  doc: 'a / b; integers round towards zero, and give 0 for a zero divisor',
  inputs: ['a', 'b'],
  result: numbers,
  ofSizes: 'div',
  scalar: (args, c) => {
    const [a, b] = [must(args[0]), must(args[1])];
    return isFloat(c.out) ? div(a, b) : perLane([a, b], ([x, y]) => intDiv(c.k, must(x), must(y)));
  },
  known: ([a, b]) => {
    const [x, y] = [must(a), must(b)];
    return rangeOf(x).lo >= 0 && rangeOf(y).lo > 0 ? dimFloorDiv(x, y) : undefined;
  },
});
export const Mod = elementwise({
  name: 'Mod',
  doc: 'Remainder of a / b. `fmod`: with the sign of a, as in C; else with the sign of b, as in Python. 0 for an integer b of 0.',
  inputs: ['a', 'b'],
  attrs: { fmod: attr.bool(false) },
  result: numbers,
  ofSizes: 'other',
  scalar: (args, c) =>
    perLane(args, ([x, y]) => {
      const [a, b] = [must(x), must(y)];
      if (isFloat(c.out)) return floatMod(c.k, a, b, c.attrs.fmod);
      const r = c.k.let(intRem(c.k, a, b));
      if (c.attrs.fmod || !signed(a)) return r;
      return select(and(ne(r, 0), ne(lt(r, 0), lt(b, 0))), add(r, b), r);
    }),
  known: ([a, b], at) => {
    const [x, y] = [must(a), must(b)];
    return rangeOf(y).lo > 0 && (!at.fmod || rangeOf(x).lo >= 0) ? dimMod(x, y) : undefined;
  },
});
/** Bits of the quotient of two single floats that are found at a time, and how often that is until all are: it is below 2^277. */
const [BITS, STEPS] = [28, 10];
/**
 * In f64. The size of b times powers of two that get smaller is taken off the size of a, which rounds nothing where both are single floats, whatever
 * the quotient; that of doubles is right up to 2^29.
 */
function floatMod(k: KernelBuilder, a: Expr, b: Expr, fmod: boolean): Expr {
  const x = k.let(castTo('f64', a));
  const y = k.let(castTo('f64', b));
  const size = k.let(abs(y));
  let left = k.let(abs(x));
  for (let i = a.t.base === 'f64' ? 0 : STEPS - 1; i >= 0; i--) {
    const part = i === 0 ? size : k.let(mul(size, 2 ** (BITS * i)));
    left = k.let(sub(left, mul(part, trunc(div(left, part)))));
  }
  // A finite number modulo an infinite one is the number itself, and so is a zero of either sign.
  const whole = and(eq(size, Infinity), lt(abs(x), Infinity));
  const r = k.let(select(or(whole, and(eq(x, 0), eq(left, 0))), x, select(lt(x, 0), neg(left), left)));
  const beyond = and(ne(r, 0), ne(lt(r, 0), lt(y, 0)));
  return castTo(a.t.base, fmod ? r : select(beyond, add(r, y), add(r, 0)));
}

/** Beside a number that is known there is one operation less. */
const extreme = (pick: (a: Expr, b: Expr) => Expr, plain: (a: Expr, b: Expr) => Expr) => (args: readonly Expr[]) => {
  const [a, b] = [must(args[0]), must(args[1])];
  return Number.isNaN(constantOf(b) ?? NaN) ? pick(a, b) : plain(a, b);
};
export const Min = elementwise({
  name: 'Min',
  doc: 'The smaller of a and b; NaN if either is NaN',
  inputs: ['a', 'b'],
  result: numbers,
  ofSizes: 'monotone',
  scalar: extreme(least, min),
  known: ([a, b]) => dimMin(must(a), must(b)),
});
export const Max = elementwise({
  name: 'Max',
  doc: 'The larger of a and b; NaN if either is NaN',
  inputs: ['a', 'b'],
  result: numbers,
  ofSizes: 'monotone',
  scalar: extreme(greatest, max),
  known: ([a, b]) => dimMax(must(a), must(b)),
});
export const Clip = elementwise({
  name: 'Clip',
  doc: 'min(max(x, lo), hi); NaN stays NaN',
  inputs: ['x'],
  attrs: { lo: attr.float.optional(), hi: attr.float.optional() },
  result: numbers,
  ofSizes: 'monotone',
  scalar: ([x], c) => {
    const { lo, hi } = c.attrs;
    const low = lo === undefined ? must(x) : max(must(x), lo);
    return hi === undefined ? low : min(low, hi);
  },
});

export const Neg = elementwise({
  name: 'Neg',
  doc: '-x',
  inputs: ['x'],
  result: sameDType(t => isFloat(t) || isInt(t), 'numbers'),
  ofSizes: 'monotone',
  scalar: unary(neg),
  known: ([x]) => dimNeg(must(x)),
});
export const Abs = elementwise({
  name: 'Abs',
  doc: '|x|',
  inputs: ['x'],
  result: numbers,
  ofSizes: 'other',
  scalar: unary(x => (unsigned(x) ? x : abs(x))),
  known: ([x]) => (rangeOf(must(x)).lo >= 0 ? x : undefined),
});
export const Sign = elementwise({
  name: 'Sign',
  doc: '-1, 0 or 1; NaN stays NaN',
  inputs: ['x'],
  result: numbers,
  // The sign of -0 is 0.
  scalar: unary(x => {
    const positive = select(gt(x, 0), 1, add(x, 0));
    return unsigned(x) ? positive : select(lt(x, 0), -1, positive);
  }),
});
export const Ceil = elementwise({
  name: 'Ceil',
  doc: 'The least integer >= x',
  inputs: ['x'],
  result: floats,
  ofSizes: 'ceil',
  scalar: unary(ceil),
});
export const Floor = elementwise({
  name: 'Floor',
  doc: 'The greatest integer <= x',
  inputs: ['x'],
  result: floats,
  ofSizes: 'floor',
  scalar: unary(floor),
});
export const Round = elementwise({
  name: 'Round',
  doc: 'The nearest integer, ties to even',
  inputs: ['x'],
  result: floats,
  ofSizes: 'monotone',
  scalar: unary(nearest),
});
export const Trunc = elementwise({
  name: 'Trunc',
  doc: 'x without its fraction',
  inputs: ['x'],
  result: floats,
  ofSizes: 'monotone',
  scalar: unary(trunc),
});
export const Sqrt = elementwise({
  name: 'Sqrt',
  doc: 'Square root',
  inputs: ['x'],
  result: floats,
  ofSizes: 'monotone',
  scalar: unary(sqrt),
});
export const Reciprocal = elementwise({
  name: 'Reciprocal',
  doc: '1 / x',
  inputs: ['x'],
  result: floats,
  ofSizes: 'other',
  scalar: unary(x => div(konst(x.t, 1), x)),
});

const powType = (types: readonly DType[], _: unknown, reject: (why: string) => never): DType => {
  const [a, b] = [must(types[0]), must(types[1])];
  if (a === 'bool' || b === 'bool') return reject(`takes numbers, not ${a} and ${b}`);
  return a;
};
export const Pow = elementwise({
  name: 'Pow',
  doc: 'a to the power b, of the type of a. Integers to integers wrap, for exponents up to 63; a negative one gives the integer part.',
  inputs: ['a', 'b'],
  result: powType,
  scalar: (args, c) => {
    const ints = c.types.every(isInt);
    const [x, p] = [must(args[0]), constantOf(must(args[1]))];
    if (isFloat(c.out) && p !== undefined && Math.abs(p) <= 8 && Number.isInteger(2 * p)) return smallPow(c.k, x, p);
    if (args.every(a => a.t.base === 'f32' && a.t.lanes >= 4) && isFloat(c.out))
      return singlePow(c.k, must(args[0]), must(args[1]));
    return perLane(args, ([a, b]) => (ints ? intPow(c.k, must(a), must(b)) : floatPow(c.k, must(a), must(b), c.out)));
  },
});
/** A whole or half power by products and a root, for every float: a half power of -infinity is infinity, of -0 that of 0. */
function smallPow(k: KernelBuilder, x: Expr, p: number): Expr {
  const half = !Number.isInteger(p);
  // Of large numbers the inverse has a power where the power has no inverse.
  let square = half ? k.let(abs(x)) : x;
  let root = half ? k.let(select(eq(x, -Infinity), Infinity, sqrt(add(x, 0)))) : undefined;
  if (p < 0) {
    square = k.let(div(1, square));
    root &&= k.let(div(1, root));
  }
  let result = root;
  for (let left = Math.floor(Math.abs(p)); left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result = result ? k.let(mul(result, square)) : square;
    if (left > 1) square = k.let(mul(square, square));
  }
  return result ?? konst(x.t, 1);
}
/** By squaring, over the low six bits of the exponent. */
function intPow(k: KernelBuilder, a: Expr, b: Expr): Expr {
  const e = k.let(castTo('i32', b));
  let base = a;
  let result: Expr = konst(a.t, 1);
  for (let bit = 0; bit < 6; bit++) {
    result = k.let(select(and(shr(e, bit), 1), mul(result, base), result));
    if (bit < 5) base = k.let(mul(base, base));
  }
  const one = konst(a.t, 1);
  const inverse = signed(a)
    ? select(eq(a, -1), select(and(e, 1), konst(a.t, -1), one), select(eq(a, 1), one, 0))
    : select(eq(a, 1), one, 0);
  return select(lt(b, 0), inverse, result);
}
/** exp(b * log|a|) in f64, so that whole powers come out exact after rounding to f32. */
function floatPow(k: KernelBuilder, a: Expr, b: Expr, out: DType): Expr {
  const x = k.let(castTo('f64', a));
  const y = k.let(castTo('f64', b));
  const { v, whole } = signedPow(k, x, y, math('exp', mul(y, math('log', abs(x)))));
  return castTo(a.t.base, isFloat(out) ? v : select(whole, nearest(v), v));
}
/** x to the power y from `p`, that of |x|: what is special is as in C's pow (Annex F). */
function signedPow(k: KernelBuilder, x: Expr, y: Expr, p: Expr): { readonly v: Expr; readonly whole: Expr } {
  // 1 to any power is 1, and -1 to infinity too.
  const r = k.let(select(eq(abs(x), 1), konst(x.t, 1), p));
  const odd = eq(sub(y, mul(floor(mul(y, 0.5)), 2)), 1);
  const whole = k.let(eq(floor(y), y));
  // Only zero and infinity have fractional powers where they are negative.
  const fraction = select(or(eq(x, 0), eq(x, -Infinity)), r, konst(x.t, NaN));
  const negative = select(whole, select(odd, neg(r), r), fraction);
  const isNegative = or(lt(x, 0), lt(div(1, x), 0));
  const v = k.let(select(eq(y, 0), konst(x.t, 1), select(isNegative, negative, r)));
  return { v, whole };
}
/**
 * The same for vectors of single floats: 2^(y log2|x|) in f64 to 1e-13, so that one in a million differs by its last bit. With
 * |x| = 2^n m, sqrt(1/2) <= m < sqrt(2), log2 m is s P(s^2) with s = (m - 1) / (m + 1), and 2^r is 1 + r Q(r) for |r| <= 1/2.
 */
function singlePow(k: KernelBuilder, x: Expr, y: Expr): Expr {
  const i32 = maskType(x.t);
  const size = k.let(abs(x));
  const small = k.let(lt(size, 2 ** -126));
  const bits = k.let(reinterpret(i32, select(small, mul(size, 2 ** 24), size)));
  const e = k.let(shr(sub(bits, konst(i32, 0x3f3504f3)), int(23)));
  const m = k.let(reinterpret(x.t, sub(bits, shl(e, int(23)))));
  const exponent = sub(cast(x.t, e), select(small, konst(x.t, 24), konst(x.t, 0)));
  // Of 0, infinity and NaN the logarithm itself.
  const n = k.let(select(eq(size, 0), konst(x.t, -Infinity), select(lt(size, Infinity), exponent, size)));
  const power = (part: (v: Expr) => Expr): Expr => {
    const wide = (v: Expr): Expr => k.let(castTo('f64', part(v)));
    const w = wide(m);
    const s = k.let(div(sub(w, 1), add(w, 1)));
    const log = add(wide(n), mul(s, horner(k, k.let(mul(s, s)), LOG2)));
    // Beyond, single floats are infinite or 0. NaN passes because it stands first.
    const t = k.let(max(min(mul(wide(y), log), 160), -160));
    const z = k.let(add(t, ROUND));
    const r = k.let(sub(t, sub(z, ROUND)));
    const scale = reinterpret(z.t, shl(reinterpret(vtype('i64', z.t.lanes), z), int(52)));
    return castTo('f32', k.let(mul(add(mul(r, horner(k, r, EXP2)), 1), scale)));
  };
  const lanes = x.t.lanes;
  const at = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);
  const [low, high] = [0, lanes / 2].map(from => k.let(power(v => shuffle(v, v, at(from, lanes / 2)))));
  return signedPow(k, x, y, shuffle(must(low), must(high), at(0, lanes))).v;
}
/** Adding it rounds a small number to an integer n, and the low bits are the exponent of 2^n. */
const ROUND = 1.5 * 2 ** 52 + 1023;
/** Chebyshev fits (mpmath.chebyfit), lowest power first: of log2(m) / s to 6e-16, and of (2^r - 1) / r to 6e-14. */
const LOG2 = [
  2.885390081777927, 0.9617966939243345, 0.5770780172463286, 0.4121984020482752, 0.32061638813224547, 0.2614442493522915,
  0.2429160853987535,
];
const EXP2 = [
  0.6931471805599453, 0.2402265069581299, 0.055504108664760424, 0.009618129159402558, 0.0013333558179043112,
  0.00015403455852453838, 0.00001525268684626772, 0.0000013255224878668817, 1.0203121063391729e-7,
];
const horner = (k: KernelBuilder, x: Expr, c: readonly number[]): Expr =>
  c.slice(0, -1).reduceRight<Expr>((p, v) => k.let(add(mul(p, x), v)), konst(x.t, must(c.at(-1))));

export const BitShift = elementwise({
  name: 'BitShift',
  doc: 'a shifted by b bits, `left` or right; counts of the width or more shift everything out',
  inputs: ['a', 'b'],
  attrs: { left: attr.bool() },
  result: integers,
  scalar: (args, c) =>
    perLane(args, ([x, y]) => {
      const [a, n] = [must(x), must(y)];
      return select(ge(n, DTYPES[c.out].bits), 0, c.attrs.left ? shl(a, n) : shr(a, n));
    }),
});
export const BitAnd = elementwise({ name: 'BitAnd', doc: 'a & b', inputs: ['a', 'b'], result: integers, scalar: binary(and) });
export const BitOr = elementwise({ name: 'BitOr', doc: 'a | b', inputs: ['a', 'b'], result: integers, scalar: binary(or) });
export const BitXor = elementwise({ name: 'BitXor', doc: 'a ^ b', inputs: ['a', 'b'], result: integers, scalar: binary(xor) });
export const BitNot = elementwise({ name: 'BitNot', doc: '~x', inputs: ['x'], result: integers, scalar: unary(not) });
