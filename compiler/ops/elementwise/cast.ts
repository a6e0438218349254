import { bytesOf, DTYPES, isInt } from '../../core/dtype.ts';
import { must } from '../../core/diagnostic.ts';
import { rangeOf } from '../../core/dim.ts';
import { tensorType } from '../../core/shape.ts';
import { attr, defineOp } from '../define.ts';
import { convert } from './convert.ts';
import { elementwise } from './op.ts';

export const Cast = elementwise({
  name: 'Cast',
  doc: 'x as another element type: floats to integers truncate and saturate (to less than a byte they wrap), NaN gives 0, integers wrap, bool is x != 0',
  inputs: ['x'],
  attrs: { to: attr.dtype() },
  result: ([x], a, reject) => (x === 'text' || a.to === 'text' ? reject('texts are no numbers') : a.to),
  ofSizes: 'cast',
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
    if (DTYPES[t.dtype].bits !== DTYPES[c.attrs.to].bits) c.reject(`${t.dtype} and ${c.attrs.to} differ in width`);
    if (c.attrs.to === 'bool' && t.dtype !== 'bool') c.reject('cannot give bool');
    return [tensorType(c.attrs.to, t.shape)];
  },
  eval: (c, x) => [{ ...must(x), dtype: c.attrs.to }],
  lower: { k: 'view', ref: (x, c) => ({ ...x, buffer: { ...x.buffer, dtype: c.attrs.to } }) },
});
