import {
  abs,
  add,
  and,
  cast,
  div,
  eq,
  gt,
  konst,
  lt,
  max,
  min,
  mul,
  ne,
  nearest,
  neg,
  reinterpret,
  select,
  shl,
  shr,
  sqrt,
  sub,
  xor,
  type Expr,
  type MathOp,
} from '../ir.ts';
import { bitsOfType, negateOdd, poly, signBit, withSign, type Maths } from './math-f32.ts';

// The polynomials are Chebyshev fits (mpmath.chebyfit at 50 digits) of the function named, over the interval where each is used; the
// error of every fit is below 3e-18.

const LN2_HI = 0.6931471803691238;
const LN2_LO = 1.9082149292705877e-10;
/** Adding 1.5*2^52 rounds a number below 2^51 in magnitude to an integer n; with 1022 more the low bits are the exponent of 2^(n-1). */
const ROUND = 6755399441055744 + 1022;

/** e^x; 0 below 3.2e-308, where n would be -1022. */
function exp(m: Maths, v: Expr): Expr {
  // NaN passes because it stands first. Above 709.79 the result is infinite, which the last product sees to.
  const x = m.bind(max(min(v, 709.9), -708.3));
  const z = m.bind(m.mad(x, Math.LOG2E, ROUND));
  const n = m.bind(sub(z, ROUND));
  const r = m.bind(m.mad(n, -LN2_LO, m.mad(n, -LN2_HI, x)));
  // (e^r - 1 - r) / r^2 on |r| <= ln 2 / 2
  const p = poly(
    m,
    r,
    [
      2.091483843120066e-9, 2.5105513541847086e-8, 2.755727333321154e-7, 0.0000027557254685728803, 0.000024801587325709113,
      0.0001984126987538548, 0.0013888888888883761, 0.008333333333325973, 0.04166666666666667, 0.1666666666666667, 0.5,
    ],
  );
  const y = add(m.mad(p, mul(r, r), r), 1);
  const half = reinterpret(x.t, shl(reinterpret(bitsOfType(x.t), z), 52));
  return m.bind(mul(mul(y, half), 2));
}
/** Natural logarithm by s = f / (2 + f), log(1 + f) = 2 atanh(s). */
function log(m: Maths, x: Expr): Expr {
  const bits = bitsOfType(x.t);
  const small = m.bind(lt(x, 2.2250738585072014e-308));
  const i = m.bind(reinterpret(bits, select(small, mul(x, 4503599627370496), x)));
  // The exponent that leaves a mantissa in [sqrt(1/2), sqrt(2)).
  const e = m.bind(shr(sub(i, konst(bits, 0x3fe6a09e667f3bcdn)), 52));
  const f = m.bind(sub(reinterpret(x.t, sub(i, shl(e, 52))), 1));
  const n = m.bind(sub(cast(x.t, e), select(small, konst(x.t, 52), konst(x.t, 0))));
  const s = m.bind(div(f, add(f, 2)));
  const z = m.bind(mul(s, s));
  // (2 atanh(s) / s - 2) / s^2 on |s| <= 0.1717
  const p = poly(
    m,
    z,
    [
      0.13088714507747484, 0.1326857329894926, 0.15386247170362732, 0.18181795502739437, 0.22222222393000648, 0.2857142857079793,
      0.40000000000000885, 0.6666666666666666,
    ],
  );
  const half = m.bind(mul(mul(f, f), 0.5));
  const tail = add(mul(s, add(half, mul(z, p))), mul(n, LN2_LO));
  const finite = sub(mul(n, LN2_HI), sub(sub(half, tail), f));
  const edge = select(eq(x, 0), konst(x.t, -Infinity), select(gt(x, 0), x, konst(x.t, NaN)));
  return m.bind(select(and(gt(x, 0), lt(x, Infinity)), finite, edge));
}
/** log(1 + y) without the loss in 1 + y (Kahan). Where `huge`, log(y) + ln 2 instead. */
function log1p(m: Maths, y: Expr, huge?: Expr): Expr {
  const u = m.bind(add(y, 1));
  const d = sub(u, 1);
  const l = log(m, huge ? m.bind(select(huge, y, u)) : u);
  const near = select(eq(u, 1), y, mul(l, div(y, d)));
  return m.bind(huge ? select(huge, add(l, Math.LN2), near) : near);
}

/** |x| = q*pi/2 + r with |r| <= pi/4. pi/2 in parts of 33 bits: their products with q are exact while q is below 2^20. */
function reduce(m: Maths, a: Expr): readonly [Expr, Expr] {
  const q = m.bind(nearest(mul(a, 2 / Math.PI)));
  const r = [1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21].reduce<Expr>(
    (x, p) => m.bind(sub(x, mul(q, p))),
    a,
  );
  return [m.bind(cast(bitsOfType(a.t), q)), m.bind(max(min(r, 0.7854), -0.7854))];
}
const sinPoly = (m: Maths, r: Expr, z: Expr): Expr => {
  const p = poly(
    m,
    z,
    [
      -7.586696964319367e-13, 1.6058531616384064e-10, -2.505210623243116e-8, 0.000002755731921933912, -0.00019841269841265065,
      0.008333333333333331, -0.16666666666666666,
    ],
  );
  return add(mul(mul(p, z), r), r);
};
const cosPoly = (m: Maths, z: Expr): Expr => {
  const p = poly(
    m,
    z,
    [
      4.745871816762601e-14, -1.1470460886163255e-11, 2.08767557910713e-9, -2.75573192214028e-7, 0.000024801587301584645,
      -0.0013888888888888887, 0.041666666666666664,
    ],
  );
  return add(sub(mul(mul(p, z), z), mul(z, 0.5)), 1);
};
/** sin(|x|), or cos for a quarter turn more. */
function circular(m: Maths, a: Expr, quarter: 0 | 1): Expr {
  const [q0, r] = reduce(m, a);
  const q = quarter === 0 ? q0 : m.bind(add(q0, 1));
  const z = m.bind(mul(r, r));
  return m.bind(negateOdd(m.bind(select(ne(and(q, 1), 0), cosPoly(m, z), sinPoly(m, r, z))), shr(q, 1)));
}
/** y with its sign flipped where s is negative. */
function flipSign(y: Expr, s: Expr): Expr {
  const bits = bitsOfType(y.t);
  return reinterpret(y.t, xor(reinterpret(bits, y), and(reinterpret(bits, s), signBit(y.t))));
}
const sin = (m: Maths, x: Expr): Expr => m.bind(flipSign(circular(m, m.bind(abs(x)), 0), x));
const cos = (m: Maths, x: Expr): Expr => circular(m, m.bind(abs(x)), 1);
function tan(m: Maths, x: Expr): Expr {
  const [q, r] = reduce(m, m.bind(abs(x)));
  const z = m.bind(mul(r, r));
  const s = m.bind(sinPoly(m, r, z));
  const c = m.bind(cosPoly(m, z));
  const odd = m.bind(ne(and(q, 1), 0));
  return m.bind(flipSign(m.bind(div(select(odd, neg(c), s), select(odd, s, c))), x));
}

/** asin(s) on 0 <= s <= 1/2; above 1/2 of s = sqrt((1 - a) / 2), so that asin(a) = pi/2 - 2*result. */
function asinCore(m: Maths, a: Expr): { readonly big: Expr; readonly y: Expr } {
  const big = m.bind(gt(a, 0.5));
  const z = m.bind(select(big, mul(sub(1, a), 0.5), mul(a, a)));
  const s = m.bind(select(big, sqrt(z), a));
  const p = poly(
    m,
    z,
    [
      0.02961201126495512, -0.01924167174674304, 0.019554513336123378, 0.0030448799094556773, 0.009319560794767446,
      0.009621842970100282, 0.011566459612121669, 0.01396378001220357, 0.017352816540325496, 0.02237215744350722,
      0.03038194447553234, 0.044642857142551895, 0.07500000000000118, 0.16666666666666666,
    ],
  );
  return { big, y: m.bind(add(mul(mul(p, z), s), s)) };
}
function asin(m: Maths, x: Expr): Expr {
  const { big, y } = asinCore(m, m.bind(abs(x)));
  return m.bind(withSign(m.bind(select(big, sub(Math.PI / 2, add(y, y)), y)), x));
}
function acos(m: Maths, x: Expr): Expr {
  const { big, y } = asinCore(m, m.bind(abs(x)));
  const twice = m.bind(add(y, y));
  const far = select(lt(x, 0), sub(Math.PI, twice), twice);
  const near = sub(Math.PI / 2, sub(withSign(y, x), 6.123233995736766e-17));
  return m.bind(select(big, far, near));
}
function atan(m: Maths, x: Expr): Expr {
  const a = m.bind(abs(x));
  const far = m.bind(gt(a, 2.414213562373095));
  const mid = m.bind(gt(a, 0.4142135623730951));
  const t = m.bind(select(far, div(-1, a), select(mid, div(sub(a, 1), add(a, 1)), a)));
  const z = m.bind(mul(t, t));
  const p = poly(
    m,
    z,
    [
      0.01628532732275549, -0.034570174391823104, 0.045515781496647055, -0.052304509666811966, 0.05878928549229719,
      -0.06666424846721739, 0.07692296372859808, -0.09090908753425743, 0.11111111105153937, -0.14285714285659812,
      0.19999999999999804, -0.3333333333333333,
    ],
  );
  const y = add(mul(mul(p, z), t), t);
  const from = select(far, konst(x.t, Math.PI / 2), select(mid, konst(x.t, Math.PI / 4), konst(x.t, 0)));
  return m.bind(withSign(m.bind(add(from, y)), x));
}

/** e^a / 2 without overflow before the result does. */
function halfExp(m: Maths, a: Expr): Expr {
  const w = exp(m, m.bind(mul(a, 0.5)));
  return m.bind(mul(mul(w, 0.5), w));
}
/** sinh on 0 <= a <= 1. */
function sinhSmall(m: Maths, a: Expr): Expr {
  const z = m.bind(mul(a, a));
  const p = poly(
    m,
    z,
    [
      2.8445264169895285e-15, 7.646625361656657e-13, 1.6059048396350562e-10, 2.5052108364058043e-8, 0.000002755731922404034,
      0.00019841269841269773, 0.008333333333333333, 0.16666666666666666,
    ],
  );
  return m.bind(add(mul(mul(p, z), a), a));
}
function sinh(m: Maths, x: Expr): Expr {
  const a = m.bind(abs(x));
  const h = halfExp(m, a);
  return m.bind(withSign(m.bind(select(gt(a, 1), sub(h, div(0.25, h)), sinhSmall(m, a))), x));
}
function cosh(m: Maths, x: Expr): Expr {
  const h = halfExp(m, m.bind(abs(x)));
  return m.bind(add(h, div(0.25, h)));
}
/** 1 - 2 / (e^2a + 1), near 0 sinh / sqrt(1 + sinh^2). */
function tanh(m: Maths, x: Expr): Expr {
  const a = m.bind(abs(x));
  const e = exp(m, m.bind(add(a, a)));
  const s = sinhSmall(m, m.bind(min(a, 1)));
  const small = div(s, sqrt(add(mul(s, s), 1)));
  return m.bind(withSign(m.bind(select(lt(a, 0.6), small, sub(1, div(2, add(e, 1))))), x));
}
/** log(a + sqrt(a^2 + 1)) = log1p(a + a^2 / (1 + sqrt(1 + a^2))). */
function asinh(m: Maths, x: Expr): Expr {
  const a = m.bind(abs(x));
  const z = m.bind(mul(a, a));
  const huge = m.bind(gt(a, 1e10));
  const y = select(huge, a, add(a, div(z, add(sqrt(add(z, 1)), 1))));
  return m.bind(withSign(log1p(m, m.bind(y), huge), x));
}
function acosh(m: Maths, x: Expr): Expr {
  const t = m.bind(sub(x, 1));
  const huge = m.bind(gt(x, 1e10));
  // Below 1 the product may be positive again: the root of t itself is NaN there.
  const y = add(t, mul(sqrt(t), sqrt(add(t, 2))));
  return log1p(m, m.bind(select(huge, x, y)), huge);
}
function atanh(m: Maths, x: Expr): Expr {
  const a = m.bind(abs(x));
  const y = mul(log1p(m, m.bind(div(add(a, a), sub(1, a)))), 0.5);
  // log1p of infinity would divide infinities.
  return m.bind(withSign(m.bind(select(eq(a, 1), konst(x.t, Infinity), y)), x));
}
const sigmoid = (m: Maths, x: Expr): Expr => m.bind(div(1, add(exp(m, m.bind(neg(x))), 1)));
/** erf(x) / x - 1 to 1; beyond it 1 - e^(-x^2) * g((x - 2.5) / (x + 2.5)). */
function erf(m: Maths, x: Expr): Expr {
  const a = m.bind(min(abs(x), 6));
  const z = m.bind(mul(a, a));
  const p = poly(
    m,
    z,
    [
      5.957176147748911e-11, -1.1372848856791674e-9, 1.4659775274047436e-8, -1.6350312701054695e-7, 0.0000016461000484121368,
      -0.000014925595266831182, 0.0001205533111164271, -0.000854832698083379, 0.0052239776248180145, -0.026866170645076792,
      0.11283791670954879, -0.3761263890318375, 0.12837916709551256,
    ],
  );
  const u = m.bind(div(sub(a, 2.5), add(a, 2.5)));
  const g = poly(
    m,
    u,
    [
      6.961191560229168e-8, 3.441892461295565e-7, 7.773331597404786e-8, -0.0000018020038653448608, -0.0000022981102519735954,
      0.000007552594323139502, 0.000018614457552080004, -0.00003418223813331523, -0.0001288771713312957, 0.00022838037890860082,
      0.0008759154501337608, -0.002642365964297403, -0.003993701165858238, 0.03992253907558476, -0.1250330523788293,
      0.2517131932174493, -0.37173673394897333, 0.2108063640611436,
    ],
  );
  const big = sub(1, mul(exp(m, m.bind(neg(z))), g));
  return m.bind(withSign(m.bind(select(gt(a, 1), big, add(mul(p, a), a))), x));
}

/** The functions on f64 and vectors of it, to about 1e-15. */
export const F64_MATH: Readonly<Record<MathOp, (m: Maths, x: Expr) => Expr>> = {
  exp,
  log,
  sin,
  cos,
  tan,
  asin,
  acos,
  atan,
  sinh,
  cosh,
  tanh,
  asinh,
  acosh,
  atanh,
  erf,
  sigmoid,
};
