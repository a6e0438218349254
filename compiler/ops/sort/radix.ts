/**
 * Sorting by digits: values become unsigned keys whose order is that of the values, and the keys, each with the index of its value, are
 * counted into order byte by byte from the lowest (LSD radix sort). The order is stable: equal values stay in the order of their indices.
 * ```
 * for entry, for byte of its key: counts[byte][its value]++
 * for byte from the lowest, where not all keys have the same:
 *   counts[byte] = exclusive running sum
 *   for entry in order: to[counts[byte][its value]++] = entry;  swap from and to
 * ```
 */
import { bytesOf, isFloat, type DType } from '../../core/dtype.ts';
import { dimMul, type Dim } from '../../core/dim.ts';
import type { Buffer, KernelBuilder } from '../../kernel/builder.ts';
import {
  add,
  and,
  cast,
  eq,
  I32,
  int,
  konst,
  lt,
  ne,
  not,
  or,
  reinterpret,
  select,
  shr,
  sub,
  vtype,
  xor,
  type Expr,
} from '../../kernel/ir.ts';
import type { LowerCtx } from '../lowering.ts';

/** Values of a byte. */
const RADIX = 256;

/** Entries in memory: two halves of `room` entries, between which sorting moves them. */
interface Entries {
  readonly keys: Buffer;
  readonly indices: Buffer;
  readonly counts: Buffer;
  readonly room: Dim;
  readonly dtype: DType;
}
/** Memory for entries whose keys come from values of this type; each iteration of a parallel loop has its own. */
export const newEntries = (c: LowerCtx<unknown>, dtype: DType, room: Dim): Entries => ({
  keys: c.scratch('keys', keyType(dtype), dimMul(room, 2)),
  indices: c.scratch('indices', 'i32', dimMul(room, 2)),
  counts: c.scratch('counts', 'i32', digitsOf(dtype) * RADIX),
  room,
  dtype,
});
const digitsOf = (dtype: DType): number => (dtype === 'f16' || dtype === 'bf16' ? 4 : bytesOf(dtype));
const keyType = (dtype: DType): 'i32' | 'i64' => (bytesOf(dtype) === 8 ? 'i64' : 'i32');

/**
 * The key of a value: as unsigned integers, keys are in the order of `comesBefore`, and equal where neither of two values comes before the
 * other: NaN is the largest, zeros are equal.
 */
export function keyOf(k: KernelBuilder, dtype: DType, value: Expr, descending: boolean): Expr {
  const type = vtype(keyType(dtype));
  const bits = bytesOf(keyType(dtype)) * 8;
  const top = konst(type, bits === 64 ? -(2n ** 63n) : -(2 ** 31));
  const whole = (key: Expr): Expr => (descending ? not(key) : key);
  if (!isFloat(dtype)) {
    const v = cast(type, value);
    if (bytesOf(dtype) < 4) {
      // A narrow integer keeps its width, so that its other bytes need not be sorted by.
      const narrow = dtype.startsWith('i') ? xor(v, 1 << (8 * bytesOf(dtype) - 1)) : v;
      return and(whole(narrow), 2 ** (8 * bytesOf(dtype)) - 1);
    }
    return whole(dtype.startsWith('i') ? xor(v, top) : v);
  }
  const v = k.let(value);
  const b = k.let(select(eq(v, 0), konst(type, 0), reinterpret(type, v)));
  // All bits of a negative number are turned over, of others only the sign.
  const key = xor(b, or(shr(b, bits - 1), top));
  return whole(select(ne(v, v), konst(type, bits === 64 ? -1n : -1), key));
}
const digit = (key: Expr, d: number): Expr => and(cast(I32, d === 0 ? key : shr(key, 8 * d)), RADIX - 1);

/** Sorts the first `n` entries, which lie from 0 on; gives where they lie afterwards: from 0 or from `room` on. */
export function sortEntries(k: KernelBuilder, e: Entries, n: Expr): Expr {
  const digits = digitsOf(e.dtype);
  const room = k.dim(e.room);
  const from = k.var(int(0));
  k.for(0, digits * RADIX, i => k.store(e.counts, i, int(0)));
  k.for(0, n, i => {
    const key = k.let(k.load(e.keys, i));
    for (let d = 0; d < digits; d++) {
      const at = k.let(add(digit(key, d), d * RADIX));
      k.store(e.counts, at, add(k.load(e.counts, at), 1));
    }
  });
  for (let d = 0; d < digits; d++) {
    const base = d * RADIX;
    const any = k.let(add(digit(k.load(e.keys, from), d), base));
    k.if(ne(k.load(e.counts, any), n), () => {
      const sum = k.var(int(0));
      k.for(base, base + RADIX, i => {
        const count = k.let(k.load(e.counts, i));
        k.store(e.counts, i, sum);
        k.set(sum, add(sum, count));
      });
      const to = k.let(sub(room, from));
      k.for(from, add(from, n), i => {
        const key = k.let(k.load(e.keys, i));
        const index = k.let(k.load(e.indices, i));
        const count = k.let(add(digit(key, d), base));
        const place = k.let(k.load(e.counts, count));
        k.store(e.counts, count, add(place, 1));
        k.store(e.keys, add(to, place), key);
        k.store(e.indices, add(to, place), index);
      });
      k.set(from, to);
    });
  }
  return from;
}

/** Whether key a is less than key b, as unsigned integers. */
export const keyLess = (a: Expr, b: Expr): Expr => {
  const top = konst(a.t, a.t.base === 'i64' ? -(2n ** 63n) : -(2 ** 31));
  return lt(xor(a, top), xor(b, top));
};
