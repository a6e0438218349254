import { isMiniFloat, MINI_FLOATS, type MiniFloat } from '../core/codes.ts';
import { InternalError } from '../core/diagnostic.ts';
import { DTYPES, type DType } from '../core/dtype.ts';
import {
  add,
  and,
  cast,
  eq,
  ge,
  gt,
  konst,
  lt,
  mul,
  ne,
  nearest,
  or,
  reinterpret,
  select,
  shl,
  shr,
  sub,
  vtype,
  type Expr,
} from './ir.ts';

/**
 * The element types of core/codes.ts in integer arithmetic, on any number of lanes: exact both ways, to the nearest and ties to even. Every NaN becomes
 * the same one.
 */

/** Names a value, so that it can be used more than once. */
type Bind = (e: Expr) => Expr;

/** The value of an element, f32 or i32, from its bits, an i32. `bits` is named. */
export function decoded(dtype: DType, bits: Expr, bind: Bind): Expr {
  const f32 = vtype('f32', bits.t.lanes);
  if (dtype === 'f16') return fromF16(bits, f32);
  if (dtype === 'bf16') return reinterpret(f32, shl(bits, 16));
  if (dtype === 'f8e8m0') return fromE8M0(bits, f32);
  if (isMiniFloat(dtype)) return fromMiniFloat(MINI_FLOATS[dtype], bits, f32, bind);
  return wrapped(dtype, bits);
}
/** The bits of an element, an i32, from its value. `x` is named. */
export function encoded(dtype: DType, x: Expr, bind: Bind): Expr {
  if (DTYPES[dtype].kind !== 'float') return wrapped(dtype, x);
  const b = bind(reinterpret(vtype('i32', x.t.lanes), x));
  if (dtype === 'f16') return toF16(x, b, bind);
  if (dtype === 'bf16') return toBF16(x, b);
  if (dtype === 'f8e8m0') return toE8M0(b, bind);
  if (isMiniFloat(dtype)) return toMiniFloat(MINI_FLOATS[dtype], b, bind);
  throw new InternalError(`no code for ${dtype}`);
}
/** Brings i32 lanes into the range of an integer type of less than 32 bits, as storing and loading them would. */
export function wrapped(dtype: DType, x: Expr): Expr {
  const { bits, kind } = DTYPES[dtype];
  return kind === 'int' ? shr(shl(x, 32 - bits), 32 - bits) : and(x, 2 ** bits - 1);
}

/** A half's magnitude moved to an f32's place is too small by 2^112; multiplying makes small halves normal numbers on the way. */
function fromF16(h: Expr, t: Expr['t']): Expr {
  const magnitude = shl(and(h, 0x7fff), 13);
  const finite = reinterpret(h.t, mul(reinterpret(t, magnitude), 2 ** 112));
  const special = or(magnitude, 0x7f800000);
  const a = select(ge(and(h, 0x7fff), 0x7c00), special, finite);
  return reinterpret(t, or(a, shl(and(h, 0x8000), 16)));
}
const toBF16 = (x: Expr, b: Expr): Expr => select(ne(x, x), konst(b.t, 0x7fc0), shr(add(add(b, 0x7fff), and(shr(b, 16), 1)), 16));
function toF16(x: Expr, b: Expr, bind: Bind): Expr {
  const a = bind(and(b, 0x7fffffff));
  // Adding 1/2 to a number below 2^-14 leaves its multiple of 2^-24, rounded, in the low bits.
  const small = sub(reinterpret(b.t, add(reinterpret(x.t, a), 0.5)), 0x3f000000);
  const normal = shr(add(add(a, -0x37fff001), and(shr(a, 13), 1)), 13);
  const finite = select(lt(a, 0x38800000), small, normal);
  const signed = or(select(ge(a, 0x47800000), konst(b.t, 0x7c00), finite), and(shr(b, 16), 0x8000));
  return select(gt(a, 0x7f800000), konst(b.t, 0x7e00), signed);
}

/** Below the least normal number an element is an integer times a power of two, which needs no denormal numbers. */
function fromMiniFloat(f: MiniFloat, bits: Expr, t: Expr['t'], bind: Bind): Expr {
  const m = bind(and(bits, f.sign - 1));
  const small = reinterpret(m.t, mul(cast(t, m), 2 ** (1 - f.bias - f.mantissa)));
  const normal = add(shl(m, 23 - f.mantissa), (127 - f.bias) << 23);
  const finite = select(lt(m, 1 << f.mantissa), small, normal);
  const signed = bind(or(finite, shl(and(bits, f.sign), 31 - Math.log2(f.sign))));
  const nan = konst(m.t, 0x7fc00000);
  if (f.unsignedZero) return reinterpret(t, select(eq(bits, f.sign), nan, signed));
  if (f.max === f.sign - 1) return reinterpret(t, signed);
  const special = f.over === f.nan ? nan : select(gt(m, f.over), nan, or(konst(m.t, 0x7f800000), and(signed, -0x80000000)));
  return reinterpret(t, select(gt(m, f.max), special, signed));
}
function toMiniFloat(f: MiniFloat, b: Expr, bind: Bind): Expr {
  const t = vtype('f32', b.t.lanes);
  const a = bind(and(b, 0x7fffffff));
  const least = (128 - f.bias) << 23;
  const small = cast(b.t, nearest(mul(reinterpret(t, a), 2 ** (f.bias - 1 + f.mantissa))));
  const drop = 23 - f.mantissa;
  const normal = shr(add(add(a, (1 << (drop - 1)) - 1 - ((127 - f.bias) << 23)), and(shr(a, drop), 1)), drop);
  const m = bind(select(lt(a, least), small, normal));
  const sign = and(shr(b, 31 - Math.log2(f.sign)), f.sign);
  const finite = f.unsignedZero ? select(eq(m, 0), m, or(m, sign)) : or(m, sign);
  const over = f.unsignedZero ? konst(b.t, f.over) : or(konst(b.t, f.over), sign);
  return select(gt(a, 0x7f800000), konst(b.t, f.nan), select(gt(m, f.max), over, finite));
}

const fromE8M0 = (bits: Expr, t: Expr['t']): Expr =>
  reinterpret(t, select(eq(bits, 0), konst(bits.t, 0x400000), select(eq(bits, 255), konst(bits.t, 0x7fc00000), shl(bits, 23))));
function toE8M0(b: Expr, bind: Bind): Expr {
  const a = bind(and(b, 0x7fffffff));
  // The sum may pass the sign's bit only for NaN.
  const exponent = shr(add(a, 0x400000), 23);
  return select(lt(a, 0x800000), konst(b.t, 0), select(ge(a, 0x7f800000), konst(b.t, 255), exponent));
}
