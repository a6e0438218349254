import { bytesOf, DTYPES, isFloat, isInt, regOf, type DType } from '../core/dtype.ts';
import { must } from '../core/diagnostic.ts';
import { rangeOf } from '../core/dim.ts';
import { tensorType } from '../core/shape.ts';
import { and, clampInt, konst, ne, vtype, type Expr } from '../kernel/ir.ts';
import { attr, defineOp } from './define.ts';
import { elementwise } from './elementwise-op.ts';
import { castTo } from './elementwise-util.ts';

const NARROW: Partial<Record<DType, readonly [number, number]>> = {
  i8: [-128, 127],
  u8: [0, 255],
  i16: [-32768, 32767],
  u16: [0, 65535],
};
/** Converts a register value between element types: floats to integers truncate and saturate, integers wrap, bool is `!= 0`. */
export function convert(x: Expr, from: DType, to: DType): Expr {
  if (from === to) return x;
  if (to === 'bool') return ne(x, konst(x.t, 0));
  if (from === 'bool') return castTo(regOf(to), x.t.lanes === 1 ? x : and(x, konst(vtype('i32', x.t.lanes), 1)));
  const range = isFloat(from) ? NARROW[to] : undefined;
  const y = castTo(regOf(to), x);
  return range ? clampInt(y, range[0], range[1]) : y;
}
export const Cast = elementwise({
  name: 'Cast',
  doc: 'x as another element type: floats to integers truncate and saturate, NaN gives 0, integers wrap, bool is x != 0',
  inputs: ['x'],
  attrs: { to: attr.dtype() },
  result: (_, a) => a.to,
  scalar: ([x], c) => convert(must(x), must(c.types[0]), c.out),
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
/** The least and the greatest value of an integer type. */
export function intRange(t: DType): readonly [number, number] {
  const bits = bytesOf(t) * 8;
  return DTYPES[t].kind === 'int' ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
}
