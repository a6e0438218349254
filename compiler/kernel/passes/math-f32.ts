import {
  abs,
  add,
  and,
  cast,
  div,
  eq,
  fma,
  gt,
  konst,
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
  type Num,
  type VType,
} from '../ir.ts';

/** What the formulas are made with. */
export interface Maths {
  /** Gives a value a name, so that it may be used more than once. */
  bind(e: Expr): Expr;
  /** a*b + c, in one operation where the target has that. */
  mad(a: Expr, b: Num, c: Num): Expr;
  /** Whether `mad` may round once. */
  readonly fused: boolean;
}
export const maths = (bind: (e: Expr) => Expr, fused: boolean): Maths => ({
  bind,
  fused,
  mad: (a, b, c) => {
    if (!fused) return add(mul(a, b), c);
    const [x, y] = [b, c].map(v => (typeof v === 'number' ? konst(a.t, v) : v));
    return x && y ? fma(a, x, y) : a;
  },
});

/** c[0]*x^n + … + c[n] by Horner's rule; `x` must be a name. */
export function poly(m: Maths, x: Expr, c: readonly number[]): Expr {
  const [first = 0, ...rest] = c;
  return rest.reduce<Expr>((p, k) => m.mad(p, x, k), konst(x.t, first));
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
/** Adding 1.5*2^23 rounds a number below 2^22 in magnitude to an integer n; with 126 more the low bits are the exponent of 2^(n-1). */
const ROUND = 12582912 + 126;

/** e^x; 0 below 1.7e-38, where n would be -126. Polynomial: Cephes expf. */
function exp(m: Maths, v: Expr): Expr {
  // NaN passes because it stands first. Above 88.73 the result is infinite, which the last product sees to.
  return expInRange(m, m.bind(max(min(v, 88.9), -87.3)));
}
/** e^x for -87.3 <= x <= 88.9. */
function expInRange(m: Maths, x: Expr): Expr {
  const z = m.bind(m.mad(x, Math.LOG2E, ROUND));
  const n = m.bind(sub(z, ROUND));
  const r = m.bind(m.mad(n, -LN2_LO, m.mad(n, -LN2_HI, x)));
  const p = poly(m, r, [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1]);
  const y = add(m.mad(p, mul(r, r), r), 1);
  const half = reinterpret(x.t, shl(reinterpret(bitsOfType(x.t), z), 23));
  return m.bind(mul(mul(y, half), 2));
}
/** Natural logarithm. Polynomial: Cephes logf. */
function log(m: Maths, x: Expr): Expr {
  const bits = bitsOfType(x.t);
  const small = m.bind(lt(x, 1.1754944e-38));
  const i = m.bind(reinterpret(bits, select(small, mul(x, 8388608), x)));
  // The exponent that leaves a mantissa in [sqrt(1/2), sqrt(2)).
  const e = m.bind(shr(sub(i, 0x3f3504f3), 23));
  const f = m.bind(sub(reinterpret(x.t, sub(i, shl(e, 23))), 1));
  const n = m.bind(sub(cast(x.t, e), select(small, konst(x.t, 23), konst(x.t, 0))));
  const z = m.bind(mul(f, f));
  const p = poly(
    m,
    f,
    [
      7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1,
      -2.4999993993e-1, 3.3333331174e-1,
    ],
  );
  const tail = m.mad(z, -0.5, m.mad(n, LN2_LO, mul(mul(p, f), z)));
  const finite = m.mad(n, LN2_HI, add(f, tail));
  // 0 gives -inf; negative numbers and NaN give NaN; infinity itself.
  const edge = select(eq(x, 0), konst(x.t, -Infinity), select(gt(x, 0), x, konst(x.t, NaN)));
  const normal = and(gt(x, 0), lt(x, Infinity));
  return m.bind(select(normal, finite, edge));
}

/** |x| = q*pi/2 + r with |r| <= pi/4: q as an integer and r. Exact enough to |x| = 1e5; far out r is only kept in range. */
function reduce(m: Maths, a: Expr): readonly [Expr, Expr] {
  const q = m.bind(nearest(mul(a, 2 / Math.PI)));
  // pi/2 in parts of 8 bits, so that their products with q are exact while q is below 2^16.
  const parts = [1.5703125, 4.825592041015625e-4, 1.26659870147705078125e-6, 9.920936294705029e-10];
  const r = parts.reduce<Expr>((x, p) => m.bind(m.mad(q, -p, x)), a);
  // The rounding of q lets r be a little more than pi/4; beyond 2^16 turns it may be anything.
  const in4 = m.bind(max(min(r, 0.8), -0.8));
  return [m.bind(cast(bitsOfType(a.t), q)), in4];
}
const sinPoly = (m: Maths, r: Expr, z: Expr): Expr =>
  m.mad(mul(poly(m, z, [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]), z), r, r);
const cosPoly = (m: Maths, z: Expr): Expr =>
  add(sub(mul(mul(poly(m, z, [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2]), z), z), mul(z, 0.5)), 1);
/** sin(|x|), or cos for a quarter turn more. */
function circular(m: Maths, a: Expr, quarter: 0 | 1): Expr {
  const [q0, r] = reduce(m, a);
  const q = quarter === 0 ? q0 : m.bind(add(q0, 1));
  const z = m.bind(mul(r, r));
  const y = select(ne(and(q, 1), 0), cosPoly(m, z), sinPoly(m, r, z));
  return m.bind(negateOdd(m.bind(y), shr(q, 1)));
}
function sin(m: Maths, x: Expr): Expr {
  const s = circular(m, m.bind(abs(x)), 0);
  const bits = bitsOfType(x.t);
  return m.bind(reinterpret(x.t, xor(reinterpret(bits, s), and(reinterpret(bits, x), signBit(x.t)))));
}
const cos = (m: Maths, x: Expr): Expr => circular(m, m.bind(abs(x)), 1);
/** Polynomial: Cephes tanf. */
function tan(m: Maths, x: Expr): Expr {
  const [q, r] = reduce(m, m.bind(abs(x)));
  const z = m.bind(mul(r, r));
  const p = poly(
    m,
    z,
    [9.38540185543e-3, 3.11992232697e-3, 2.44301354525e-2, 5.34112807005e-2, 1.33387994085e-1, 3.33331568548e-1],
  );
  const y = m.bind(m.mad(mul(p, z), r, r));
  const t = m.bind(select(ne(and(q, 1), 0), div(-1, y), y));
  const bits = bitsOfType(x.t);
  return m.bind(reinterpret(x.t, xor(reinterpret(bits, t), and(reinterpret(bits, x), signBit(x.t)))));
}

/** asin of a in 0..1 as the argument of the polynomial (Cephes asinf): above 1/2 it is pi/2 - 2*result. */
function asinCore(m: Maths, a: Expr): { readonly big: Expr; readonly y: Expr } {
  const big = m.bind(gt(a, 0.5));
  const z = m.bind(select(big, mul(sub(1, a), 0.5), mul(a, a)));
  const s = m.bind(select(big, sqrt(z), a));
  const p = poly(m, z, [4.2163199048e-2, 2.4181311049e-2, 4.5470025998e-2, 7.4953002686e-2, 1.6666752422e-1]);
  return { big, y: m.bind(m.mad(mul(p, z), s, s)) };
}
function asin(m: Maths, x: Expr): Expr {
  const { big, y } = asinCore(m, m.bind(abs(x)));
  return m.bind(withSign(m.bind(select(big, sub(Math.PI / 2, add(y, y)), y)), x));
}
function acos(m: Maths, x: Expr): Expr {
  const { big, y } = asinCore(m, m.bind(abs(x)));
  const twice = m.bind(add(y, y));
  const far = select(lt(x, 0), sub(Math.PI, twice), twice);
  // pi/2 in two parts keeps the last bit.
  const near = sub(Math.PI / 2, sub(m.bind(withSign(y, x)), -4.371139e-8));
  return m.bind(select(big, far, near));
}
/** Polynomial: Cephes atanf. */
function atan(m: Maths, x: Expr): Expr {
  const a = m.bind(abs(x));
  const far = m.bind(gt(a, 2.414213562373095));
  const mid = m.bind(gt(a, 0.4142135623730951));
  const t = m.bind(select(far, div(-1, a), select(mid, div(sub(a, 1), add(a, 1)), a)));
  const z = m.bind(mul(t, t));
  const p = poly(m, z, [8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1]);
  const y = m.mad(mul(p, z), t, t);
  const from = select(far, konst(x.t, Math.PI / 2), select(mid, konst(x.t, Math.PI / 4), konst(x.t, 0)));
  return m.bind(withSign(m.bind(add(from, y)), x));
}

/** e^|x| / 2 without overflow before the result does. */
function halfExp(m: Maths, a: Expr): Expr {
  const w = exp(m, m.bind(mul(a, 0.5)));
  return m.bind(mul(mul(w, 0.5), w));
}
/** Polynomial: Cephes sinhf. */
function sinh(m: Maths, x: Expr): Expr {
  const a = m.bind(abs(x));
  const h = halfExp(m, a);
  const z = m.bind(mul(a, a));
  const small = m.mad(mul(poly(m, z, [2.03721912945e-4, 8.33028376239e-3, 1.66667160211e-1]), z), a, a);
  return m.bind(withSign(m.bind(select(gt(a, 1), sub(h, div(0.25, h)), small)), x));
}
function cosh(m: Maths, x: Expr): Expr {
  const h = halfExp(m, m.bind(abs(x)));
  return m.bind(add(h, div(0.25, h)));
}
/**
 * A ratio of polynomials of degrees 13 and 6 (Eigen), which reaches 1 at the bound of x: that depends on the rounding, so a target that
 * may fuse gets a larger bound and a result cut off at 1. NaN passes because it stands first in min and max.
 */
function tanh(m: Maths, v: Expr): Expr {
  const bound = m.fused ? 7.99881172180175781 : 7.90531110763549805;
  const x = m.bind(max(min(v, bound), -bound));
  const z = m.bind(mul(x, x));
  const p = poly(
    m,
    z,
    [
      -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-8, 1.48572235717979e-5,
      6.37261928875436e-4, 4.89352455891786e-3,
    ],
  );
  const q = poly(m, z, [1.19825839466702e-6, 1.18534705686654e-4, 2.268434632439e-3, 4.89352518554385e-3]);
  const t = div(mul(p, x), q);
  return m.bind(m.fused ? max(min(t, 1), -1) : t);
}
/** Polynomial: Cephes asinhf. */
function asinh(m: Maths, x: Expr): Expr {
  const a = m.bind(abs(x));
  const z = m.bind(mul(a, a));
  const huge = m.bind(gt(a, 1500));
  const l = log(m, m.bind(select(huge, a, add(a, sqrt(add(z, 1))))));
  const p = poly(m, z, [2.0122003309e-2, -4.2699340972e-2, 7.4847586088e-2, -1.6666288134e-1]);
  const small = m.mad(mul(p, z), a, a);
  const large = add(l, select(huge, konst(x.t, Math.LN2), konst(x.t, 0)));
  return m.bind(withSign(m.bind(select(lt(a, 0.5), small, large)), x));
}
/** Polynomial: Cephes acoshf. */
function acosh(m: Maths, x: Expr): Expr {
  const z = m.bind(sub(x, 1));
  const huge = m.bind(gt(x, 1500));
  const l = log(m, m.bind(select(huge, x, add(x, sqrt(mul(z, add(x, 1)))))));
  const p = poly(m, z, [1.7596881071e-3, -7.5272886713e-3, 2.6454905019e-2, -1.1784741703e-1, 1.4142135263]);
  const large = add(l, select(huge, konst(x.t, Math.LN2), konst(x.t, 0)));
  return m.bind(select(lt(z, 0.5), mul(p, sqrt(z)), large));
}
/** Polynomial: Cephes atanhf. */
function atanh(m: Maths, x: Expr): Expr {
  const a = m.bind(abs(x));
  const z = m.bind(mul(a, a));
  const p = poly(m, z, [1.81740078349e-1, 8.2437030105e-2, 1.4669143173e-1, 1.997821645e-1, 3.33337300303e-1]);
  const small = m.mad(mul(p, z), a, a);
  const large = mul(log(m, m.bind(div(add(1, a), sub(1, a)))), 0.5);
  return m.bind(withSign(m.bind(select(lt(a, 0.5), small, large)), x));
}
const sigmoid = (m: Maths, x: Expr): Expr => m.bind(div(1, add(exp(m, m.bind(neg(x))), 1)));
/** An odd polynomial to 0.92, beyond it 1 - e^-poly. */
function erf(m: Maths, x: Expr): Expr {
  const a = m.bind(min(abs(x), 3.925));
  const z = m.bind(mul(a, a));
  const p = poly(m, z, [-5.99104969e-4, 4.99339588e-3, -2.67667342e-2, 1.12818025e-1, -3.76124859e-1, 1.28379151e-1]);
  const small = m.mad(p, a, a);
  const t = poly(m, a, [1.7294893e-5, -3.8320868e-4, 3.88393435e-3, -2.42545605e-2, 1.06777847e-1, 6.34846687e-1, 1.28717512e-1]);
  const e = expInRange(m, m.bind(neg(m.mad(t, a, a))));
  return m.bind(withSign(m.bind(select(gt(a, 0.921875), sub(1, e), small)), x));
}

/** The functions on f32 and vectors of it: a scalar gives the same bits as a lane. */
export const F32_MATH: Readonly<Record<MathOp, (m: Maths, x: Expr) => Expr>> = {
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
