import { isCoded } from '../../core/codes.ts';
import { isFloat, regOf, type DType } from '../../core/dtype.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import { decoded, encoded } from '../../kernel/codes.ts';
import {
  abs,
  add,
  and,
  clampInt,
  ge,
  konst,
  lt,
  mul,
  ne,
  reinterpret,
  select,
  shr,
  sub,
  vtype,
  type Expr,
} from '../../kernel/ir.ts';
import { castTo } from './util.ts';

const NARROW: Partial<Record<DType, readonly [number, number]>> = {
  i8: [-128, 127],
  u8: [0, 255],
  i16: [-32768, 32767],
  u16: [0, 65535],
};
/**
 * An f32 rounded to what a half float can hold, ties to even. Storing does that too, but what is fused behind a cast must see it.
 * By integer arithmetic on the bits; below 2^-14, where f16 has a fixed step of 2^-24, by adding a number whose f32 neighbours lie as
 * far apart.
 */
export function roundToHalf(k: KernelBuilder, x: Expr, to: 'f16' | 'bf16'): Expr {
  const bits = to === 'f16' ? 13 : 16;
  const i32 = vtype('i32', x.t.lanes);
  const b = k.let(reinterpret(i32, x));
  const tie = and(shr(b, bits), 1);
  const up = and(add(add(b, 2 ** (bits - 1) - 1), tie), -(2 ** bits));
  const r = k.let(select(ne(x, x), x, reinterpret(x.t, up)));
  if (to === 'bf16') return r;
  const small = lt(abs(x), 2 ** -14);
  const finite = k.let(select(small, sub(add(x, 0.75), 0.75), r));
  return select(ge(abs(finite), 65536), mul(finite, Infinity), finite);
}
/** Converts a register value between element types: floats to integers truncate and saturate (to less than a byte they wrap), integers wrap, bool is `!= 0`. */
export function convert(k: KernelBuilder, x: Expr, from: DType, to: DType): Expr {
  if (from === to) return x;
  if (to === 'bool') return ne(x, konst(x.t, 0));
  if (from === 'bool') return castTo(regOf(to), x.t.lanes === 1 ? x : and(x, konst(vtype('i32', x.t.lanes), 1)));
  const range = isFloat(from) ? NARROW[to] : undefined;
  const y = castTo(regOf(to), x);
  if (to === 'f16' || to === 'bf16') return roundToHalf(k, k.let(y), to);
  if (isCoded(to) && isFloat(to)) return decoded(to, k.let(encoded(to, k.let(y), e => k.let(e))), e => k.let(e));
  return range ? clampInt(y, range[0], range[1]) : y;
}
