import { bytesOf, isFloat, isInt, regOf, type DType } from '../../core/dtype.ts';
import { must } from '../../core/diagnostic.ts';
import { rangeOf } from '../../core/dim.ts';
import { tensorType } from '../../core/shape.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
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
import { attr, defineOp } from '../define.ts';
import { elementwise } from './op.ts';
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
function roundToHalf(k: KernelBuilder, x: Expr, to: 'f16' | 'bf16'): Expr {
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
/** Converts a register value between element types: floats to integers truncate and saturate, integers wrap, bool is `!= 0`. */
export function convert(k: KernelBuilder, x: Expr, from: DType, to: DType): Expr {
  if (from === to) return x;
  if (to === 'bool') return ne(x, konst(x.t, 0));
  if (from === 'bool') return castTo(regOf(to), x.t.lanes === 1 ? x : and(x, konst(vtype('i32', x.t.lanes), 1)));
  const range = isFloat(from) ? NARROW[to] : undefined;
  const y = castTo(regOf(to), x);
  if (to === 'f16' || to === 'bf16') return roundToHalf(k, k.let(y), to);
  return range ? clampInt(y, range[0], range[1]) : y;
}
export const Cast = elementwise({
  name: 'Cast',
  doc: 'x as another element type: floats to integers truncate and saturate, NaN gives 0, integers wrap, bool is x != 0',
  inputs: ['x'],
  attrs: { to: attr.dtype() },
  result: (_, a) => a.to,
  scalar: ([x], c) => convert(c.k, must(x), must(c.types[0]), c.out),
  known: ([x], a) => {
    const d = must(x);
    if (isInt(a.to)) return bytesOf(a.to) >= 4 ? d : undefined;
    if (a.to !== 'bool') return undefined;
    const r = rangeOf(d);
    return r.lo > 0 || r.hi < 0 ? 1 : r.lo === 0 && r.hi === 0 ? 0 : undefined;
  },
});
export const BitCast = defineOp({
  name: 'BitCast',
  doc: 'The bits of x as another element type of the same width',
  inputs: ['x'],
  attrs: { to: attr.dtype() },
  infer: c => {
    const t = must(c.types[0]);
    if (bytesOf(t.dtype) !== bytesOf(c.attrs.to)) c.reject(`${t.dtype} and ${c.attrs.to} differ in width`);
    if (c.attrs.to === 'bool' && t.dtype !== 'bool') c.reject('cannot give bool');
    return [tensorType(c.attrs.to, t.shape)];
  },
  eval: (c, x) => [{ ...must(x), dtype: c.attrs.to }],
  lower: { k: 'view', ref: (x, c) => ({ ...x, buffer: { ...x.buffer, dtype: c.attrs.to } }) },
});
