import {
  abs,
  add,
  and,
  cast,
  div,
  eq,
  ge,
  gt,
  konst,
  le,
  lt,
  max,
  min,
  mul,
  ne,
  nearest,
  neg,
  or,
  reinterpret,
  select,
  shl,
  shr,
  sqrt,
  sub,
  vtype,
  xor,
  type Expr,
  type MathOp,
  type VType,
} from '../ir.ts';

/** Gives a value a name, so that it may be used more than once. */
export type Bind = (e: Expr) => Expr;

/** c[0]*x^n + … + c[n] by Horner's rule; `x` must be a name. */
export function poly(x: Expr, c: readonly number[]): Expr {
  const [first = 0, ...rest] = c;
  return rest.reduce<Expr>((p, k) => add(mul(p, x), k), konst(x.t, first));
}
/** The integers as wide as the lanes of a float type. */
export const bitsOfType = (t: VType): VType => vtype(t.base === 'f64' ? 'i64' : 'i32', t.lanes);
export const signBit = (t: VType): Expr => konst(bitsOfType(t), t.base === 'f64' ? -(1n << 63n) : -2147483648);
/** x, which is not negative, with the sign of s. */
export function withSign(x: Expr, s: Expr): Expr {
  const bits = bitsOfType(x.t);
  return reinterpret(x.t, or(reinterpret(bits, x), and(reinterpret(bits, s), signBit(x.t))));
}
/** x negated where the lowest bit of the integer `odd` is set. */
export function negateOdd(x: Expr, odd: Expr): Expr {
  const bits = bitsOfType(x.t);
  return reinterpret(x.t, xor(reinterpret(bits, x), shl(odd, bits.base === 'i64' ? 63 : 31)));
}

const LN2_HI = 0.693359375;
const LN2_LO = -2.1219444e-4;
/** Adding it to a number below 2^22 in magnitude rounds that to an integer, which then stands in the low bits. */
const MAGIC = 12582912;

/** e^x; 0 where the result would be below the smallest normal number. Polynomial: Cephes expf. */
function exp(bind: Bind, x: Expr): Expr {
  const z = bind(add(mul(x, Math.LOG2E), MAGIC));
  const n = bind(sub(z, MAGIC));
  const r = bind(sub(sub(x, mul(n, LN2_HI)), mul(n, LN2_LO)));
  const p = poly(r, [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1]);
  const y = add(add(mul(p, mul(r, r)), r), 1);
  const bits = bitsOfType(x.t);
  // 2^n by adding n to the exponent. Out of range this is garbage, which is not chosen.
  const scaled = reinterpret(x.t, add(reinterpret(bits, y), shl(reinterpret(bits, z), 23)));
  // x above the largest finite result gives infinity, and NaN stays NaN, by the multiplication.
  return bind(select(le(x, 88.72283), select(ge(x, -87.33654), scaled, 0), mul(x, 1e38)));
}
/** Natural logarithm. Polynomial: Cephes logf. */
function log(bind: Bind, x: Expr): Expr {
  const bits = bitsOfType(x.t);
  const small = bind(lt(x, 1.1754944e-38));
  const i = bind(reinterpret(bits, select(small, mul(x, 8388608), x)));
  // The exponent that leaves a mantissa in [sqrt(1/2), sqrt(2)).
  const e = bind(shr(sub(i, 0x3f3504f3), 23));
  const f = bind(sub(reinterpret(x.t, sub(i, shl(e, 23))), 1));
  const n = bind(sub(cast(x.t, e), select(small, konst(x.t, 23), konst(x.t, 0))));
  const z = bind(mul(f, f));
  const p = poly(
    f,
    [
      7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1,
      -2.4999993993e-1, 3.3333331174e-1,
    ],
  );
  const tail = sub(add(mul(mul(p, f), z), mul(n, LN2_LO)), mul(z, 0.5));
  const finite = add(add(f, tail), mul(n, LN2_HI));
  // 0 gives -inf; negative numbers and NaN give NaN; infinity itself.
  const edge = select(eq(x, 0), konst(x.t, -Infinity), select(gt(x, 0), x, konst(x.t, NaN)));
  const normal = and(gt(x, 0), lt(x, Infinity));
  return bind(select(normal, finite, edge));
}

/** |x| = q*pi/2 + r with |r| <= pi/4: q as an integer and r. Exact enough to |x| = 1e5 and beyond; far out r is kept in range. */
function reduce(bind: Bind, a: Expr): readonly [Expr, Expr] {
  const q = bind(nearest(mul(a, 2 / Math.PI)));
  // pi/2 in parts of 8 bits, so that their products with q are exact while q is below 2^16.
  const parts = [1.5703125, 4.825592041015625e-4, 1.26659870147705078125e-6, 9.920936294705029e-10];
  const r = parts.reduce<Expr>((x, p) => bind(sub(x, mul(q, p))), a);
  // The rounding of q lets r be a little more than pi/4; beyond 2^16 turns it may be anything.
  const in4 = bind(max(min(r, 0.8), -0.8));
  return [bind(cast(bitsOfType(a.t), q)), in4];
}
const sinPoly = (r: Expr, z: Expr): Expr =>
  add(mul(mul(poly(z, [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]), z), r), r);
const cosPoly = (z: Expr): Expr =>
  add(sub(mul(mul(poly(z, [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2]), z), z), mul(z, 0.5)), 1);
/** sin(|x|), or cos for a quarter turn more. */
function circular(bind: Bind, a: Expr, quarter: 0 | 1): Expr {
  const [q0, r] = reduce(bind, a);
  const q = quarter === 0 ? q0 : bind(add(q0, 1));
  const z = bind(mul(r, r));
  const y = select(ne(and(q, 1), 0), cosPoly(z), sinPoly(r, z));
  return bind(negateOdd(bind(y), shr(q, 1)));
}
function sin(bind: Bind, x: Expr): Expr {
  const s = circular(bind, bind(abs(x)), 0);
  const bits = bitsOfType(x.t);
  return bind(reinterpret(x.t, xor(reinterpret(bits, s), and(reinterpret(bits, x), signBit(x.t)))));
}
const cos = (bind: Bind, x: Expr): Expr => circular(bind, bind(abs(x)), 1);
/** Polynomial: Cephes tanf. */
function tan(bind: Bind, x: Expr): Expr {
  const [q, r] = reduce(bind, bind(abs(x)));
  const z = bind(mul(r, r));
  const p = poly(z, [9.38540185543e-3, 3.11992232697e-3, 2.44301354525e-2, 5.34112807005e-2, 1.33387994085e-1, 3.33331568548e-1]);
  const y = bind(add(mul(mul(p, z), r), r));
  const t = bind(select(ne(and(q, 1), 0), div(-1, y), y));
  const bits = bitsOfType(x.t);
  return bind(reinterpret(x.t, xor(reinterpret(bits, t), and(reinterpret(bits, x), signBit(x.t)))));
}

/** asin of a in 0..1 as the argument of the polynomial (Cephes asinf): above 1/2 it is pi/2 - 2*result. */
function asinCore(bind: Bind, a: Expr): { readonly big: Expr; readonly y: Expr } {
  const big = bind(gt(a, 0.5));
  const z = bind(select(big, mul(sub(1, a), 0.5), mul(a, a)));
  const s = bind(select(big, sqrt(z), a));
  const p = poly(z, [4.2163199048e-2, 2.4181311049e-2, 4.5470025998e-2, 7.4953002686e-2, 1.6666752422e-1]);
  return { big, y: bind(add(mul(mul(p, z), s), s)) };
}
function asin(bind: Bind, x: Expr): Expr {
  const { big, y } = asinCore(bind, bind(abs(x)));
  return bind(withSign(bind(select(big, sub(Math.PI / 2, add(y, y)), y)), x));
}
function acos(bind: Bind, x: Expr): Expr {
  const { big, y } = asinCore(bind, bind(abs(x)));
  const twice = bind(add(y, y));
  const far = select(lt(x, 0), sub(Math.PI, twice), twice);
  // pi/2 in two parts keeps the last bit.
  const near = sub(Math.PI / 2, sub(bind(withSign(y, x)), -4.371139e-8));
  return bind(select(big, far, near));
}
/** Polynomial: Cephes atanf. */
function atan(bind: Bind, x: Expr): Expr {
  const a = bind(abs(x));
  const far = bind(gt(a, 2.414213562373095));
  const mid = bind(gt(a, 0.4142135623730951));
  const t = bind(select(far, div(-1, a), select(mid, div(sub(a, 1), add(a, 1)), a)));
  const z = bind(mul(t, t));
  const p = poly(z, [8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1]);
  const y = add(mul(mul(p, z), t), t);
  const from = select(far, konst(x.t, Math.PI / 2), select(mid, konst(x.t, Math.PI / 4), konst(x.t, 0)));
  return bind(withSign(bind(add(from, y)), x));
}

/** e^|x| / 2 without overflow before the result does. */
function halfExp(bind: Bind, a: Expr): Expr {
  const w = exp(bind, bind(mul(a, 0.5)));
  return bind(mul(mul(w, 0.5), w));
}
/** Polynomial: Cephes sinhf. */
function sinh(bind: Bind, x: Expr): Expr {
  const a = bind(abs(x));
  const h = halfExp(bind, a);
  const z = bind(mul(a, a));
  const small = add(mul(mul(poly(z, [2.03721912945e-4, 8.33028376239e-3, 1.66667160211e-1]), z), a), a);
  return bind(withSign(bind(select(gt(a, 1), sub(h, div(0.25, h)), small)), x));
}
function cosh(bind: Bind, x: Expr): Expr {
  const h = halfExp(bind, bind(abs(x)));
  return bind(add(h, div(0.25, h)));
}
/** A ratio of polynomials of degrees 13 and 6 (Eigen). NaN passes because it stands first in min and max. */
function tanh(bind: Bind, v: Expr): Expr {
  const x = bind(max(min(v, 7.90531110763549805), -7.90531110763549805));
  const z = bind(mul(x, x));
  const p = poly(
    z,
    [
      -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-8, 1.48572235717979e-5,
      6.37261928875436e-4, 4.89352455891786e-3,
    ],
  );
  const q = poly(z, [1.19825839466702e-6, 1.18534705686654e-4, 2.268434632439e-3, 4.89352518554385e-3]);
  return bind(div(mul(p, x), q));
}
/** log(2^k * y) for y up to the largest number: log(y) + ln 2 without forming 2*y. */
const LN2 = Math.LN2;
/** Polynomial: Cephes asinhf. */
function asinh(bind: Bind, x: Expr): Expr {
  const a = bind(abs(x));
  const z = bind(mul(a, a));
  const huge = bind(gt(a, 1500));
  const l = log(bind, bind(select(huge, a, add(a, sqrt(add(z, 1))))));
  const p = poly(z, [2.0122003309e-2, -4.2699340972e-2, 7.4847586088e-2, -1.6666288134e-1]);
  const small = add(mul(mul(p, z), a), a);
  const large = add(l, select(huge, konst(x.t, LN2), konst(x.t, 0)));
  return bind(withSign(bind(select(lt(a, 0.5), small, large)), x));
}
/** Polynomial: Cephes acoshf. */
function acosh(bind: Bind, x: Expr): Expr {
  const z = bind(sub(x, 1));
  const huge = bind(gt(x, 1500));
  const l = log(bind, bind(select(huge, x, add(x, sqrt(mul(z, add(x, 1)))))));
  const p = poly(z, [1.7596881071e-3, -7.5272886713e-3, 2.6454905019e-2, -1.1784741703e-1, 1.4142135263]);
  const large = add(l, select(huge, konst(x.t, LN2), konst(x.t, 0)));
  return bind(select(lt(z, 0.5), mul(p, sqrt(z)), large));
}
/** Polynomial: Cephes atanhf. */
function atanh(bind: Bind, x: Expr): Expr {
  const a = bind(abs(x));
  const z = bind(mul(a, a));
  const p = poly(z, [1.81740078349e-1, 8.2437030105e-2, 1.4669143173e-1, 1.997821645e-1, 3.33337300303e-1]);
  const small = add(mul(mul(p, z), a), a);
  const large = mul(log(bind, bind(div(add(1, a), sub(1, a)))), 0.5);
  return bind(withSign(bind(select(lt(a, 0.5), small, large)), x));
}
const sigmoid = (bind: Bind, x: Expr): Expr => bind(div(1, add(exp(bind, bind(neg(x))), 1)));
/** An odd polynomial to 0.92, beyond it 1 - e^-poly. */
function erf(bind: Bind, x: Expr): Expr {
  const a = bind(min(abs(x), 3.925));
  const z = bind(mul(a, a));
  const p = poly(z, [-5.99104969e-4, 4.99339588e-3, -2.67667342e-2, 1.12818025e-1, -3.76124859e-1, 1.28379151e-1]);
  const small = add(mul(p, a), a);
  const t = poly(a, [1.7294893e-5, -3.8320868e-4, 3.88393435e-3, -2.42545605e-2, 1.06777847e-1, 6.34846687e-1, 1.28717512e-1]);
  const e = exp(bind, bind(neg(add(mul(t, a), a))));
  return bind(withSign(bind(select(gt(a, 0.921875), sub(1, e), small)), x));
}

/** The functions on f32 and vectors of it: a scalar gives the same bits as a lane. */
export const F32_MATH: Readonly<Record<MathOp, (bind: Bind, x: Expr) => Expr>> = {
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
