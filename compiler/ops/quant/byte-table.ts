import { must } from '../../core/diagnostic.ts';
import type { DType } from '../../core/dtype.ts';
import { fromNumbers, toNumbers, type Tensor } from '../../core/tensor.ts';
import { add, lane, max, min, vec, type Expr } from '../../kernel/ir.ts';
import { attr } from '../define.ts';
import { elementwise } from '../elementwise/op.ts';
import { byteRange } from './integers.ts';

/** Elements of a table: one for each value that a byte has. */
export const BYTES = 256;
/** All values of a type of 8 bits in order, as the tables have them. */
export function allBytes(dtype: DType): Tensor {
  const [least] = must(byteRange(dtype));
  return fromNumbers(
    dtype,
    [BYTES],
    Array.from({ length: BYTES }, (_, i) => least + i),
  );
}

export const ByteTable = elementwise({
  name: 'ByteTable',
  doc: 'Any function of one byte: values[x] where x is u8, values[x + 128] where it is i8.',
  inputs: ['x'],
  attrs: { to: attr.dtype(), values: attr.floats() },
  result: ([x], { to, values }, reject) => {
    if (x === undefined || !byteRange(x)) reject(`x is ${x}, not u8 or i8`);
    return values.length === BYTES ? to : reject(`there are ${values.length} values, not ${BYTES}`);
  },
  eval: ({ attrs }, x) => {
    const t = must(x);
    const [least] = must(byteRange(t.dtype));
    const looked = toNumbers(t).map(v => attrs.values[v - least] ?? 0);
    return [fromNumbers(attrs.to, t.dims, looked)];
  },
  scalar: ([x], c) => {
    const [least] = must(byteRange(must(c.types[0])));
    const v = must(x);
    const clamp = asClamp(c.attrs.values, least);
    if (clamp && byteRange(c.out)) return min(max(clamp.offset === 0 ? v : add(v, clamp.offset), clamp.lo), clamp.hi);
    const values = must(c.table?.(fromNumbers(c.out, [BYTES], c.attrs.values)));
    const look = (at: Expr): Expr => c.k.load(values, add(at, -least));
    if (c.lanes === 1) return look(v);
    return vec(Array.from({ length: c.lanes }, (_, i) => look(lane(v, i))));
  },
});
/** A table that holds min(max(x + offset, lo), hi) for integers, as activations between equal scales do. */
function asClamp(
  values: readonly number[],
  least: number,
): { readonly offset: number; readonly lo: number; readonly hi: number } | undefined {
  const [lo, hi] = [must(values[0]), must(values.at(-1))];
  const inside = values.findIndex(v => v > lo);
  const offset = inside < 0 ? 0 : must(values[inside]) - (least + inside);
  const is = values.every((v, i) => v === Math.min(Math.max(least + i + offset, lo), hi));
  return is && Number.isInteger(offset) ? { offset, lo, hi } : undefined;
}
