import type { Buffer, KernelBuilder } from '../../kernel/builder.ts';
import { add, and, eq, ge, gt, int, le, lt, mul, ne, select, shr, type Expr, type Num } from '../../kernel/ir.ts';

/**
 * A deterministic automaton over bytes as one list of integers, with which each text is searched in time that its length bounds, whatever the
 * expression was:
 *
 *     [columns, state at the beginning of the text, state behind byte 0 … 255, column of byte 0 … 255, then the rows]
 *
 * A row has an entry for each column, of which the last is the end of the text: twice the next state, and 1 more if a match ends in front of
 * the byte. From state 0 no match is reached. Of the matches at a place the longest counts.
 */
export const HEADER = { columns: 0, begin: 1, behind: 2, column: 258, rows: 514 } as const;

/** What the bytes from `at` on up to `end` begin with: where the match ends; -1: no match. */
export function matchAt(a: ArrayLike<number>, bytes: ArrayLike<number>, at: number, end: number): number {
  const columns = a[HEADER.columns] ?? 1;
  let state = (at === 0 ? a[HEADER.begin] : a[HEADER.behind + (bytes[at - 1] ?? 0)]) ?? 0;
  let found = -1;
  for (let p = at; state !== 0; p++) {
    const column = p < end ? (a[HEADER.column + (bytes[p] ?? 0)] ?? 0) : columns - 1;
    const e = a[HEADER.rows + state * columns + column] ?? 0;
    if (e & 1) found = p;
    state = p < end ? e >> 1 : 0;
  }
  return found;
}
/** The first match from `at` on; undefined: there is none. Characters of several bytes are not entered. */
export function searchFrom(
  a: ArrayLike<number>,
  bytes: ArrayLike<number>,
  at: number,
  end: number,
): readonly [number, number] | undefined {
  for (let s = at; s <= end; s++) {
    if (s < end && isInside(bytes[s] ?? 0)) continue;
    const to = matchAt(a, bytes, s, end);
    if (to >= 0) return [s, to];
  }
  return undefined;
}
/** Whether a byte goes on with a character. */
export const isInside = (byte: number): boolean => byte >= 0x80 && byte < 0xc0;
const inside = (byte: Expr): Expr => and(ge(byte, 0x80), lt(byte, 0xc0));

/** A row of bytes in memory. */
export interface Row {
  readonly buffer: Buffer;
  /** Where it begins. */
  readonly base: Expr;
}
export const byteAt = (k: KernelBuilder, r: Row, i: Num): Expr => k.load(r.buffer, add(r.base, i));

/** `matchAt` in a kernel: sets `found`. */
export function emitMatch(k: KernelBuilder, automaton: Buffer, r: Row, at: Expr, end: Expr, found: Expr): void {
  const columns = k.let(k.load(automaton, HEADER.columns));
  const state = k.var(k.load(automaton, HEADER.begin));
  k.if(gt(at, 0), () => k.set(state, k.load(automaton, add(byteAt(k, r, add(at, -1)), HEADER.behind))));
  const p = k.var(at);
  k.set(found, int(-1));
  k.while(
    () => ne(state, 0),
    () => {
      const column = k.var(add(columns, -1));
      k.if(lt(p, end), () => k.set(column, k.load(automaton, add(byteAt(k, r, p), HEADER.column))));
      const e = k.let(k.load(automaton, add(add(mul(state, columns), column), HEADER.rows)));
      k.set(found, select(ne(and(e, 1), 0), p, found));
      k.set(state, select(lt(p, end), shr(e, 1), 0));
      k.set(p, add(p, 1));
    },
  );
}
/** `searchFrom` in a kernel: sets where the first match begins and ends; the end is -1 where there is none. */
export function emitSearch(k: KernelBuilder, automaton: Buffer, r: Row, at: Expr, end: Expr, begin: Expr, to: Expr): void {
  const s = k.var(at);
  k.set(to, int(-1));
  k.while(
    () => and(le(s, end), lt(to, 0)),
    () => {
      const starts = k.var(int(1));
      k.if(lt(s, end), () => k.set(starts, eq(inside(byteAt(k, r, s)), 0)));
      k.if(ne(starts, 0), () => {
        k.set(begin, s);
        emitMatch(k, automaton, r, s, end, to);
      });
      k.set(s, add(s, 1));
    },
  );
}
/** The bytes of a row up to the zeros at its end. */
export function emitLength(k: KernelBuilder, r: Row, width: Num): Expr {
  const n = k.var(typeof width === 'number' ? int(width) : width);
  const more = k.var(gt(n, 0));
  k.while(
    () => ne(more, 0),
    () => {
      k.if(
        ne(byteAt(k, r, add(n, -1)), 0),
        () => k.set(more, int(0)),
        () => {
          k.set(n, add(n, -1));
          k.set(more, gt(n, 0));
        },
      );
    },
  );
  return n;
}
/** The place behind the character at `at`. */
export function emitNext(k: KernelBuilder, r: Row, at: Expr, end: Expr): Expr {
  const p = k.var(add(at, 1));
  const more = k.var(lt(p, end));
  k.while(
    () => ne(more, 0),
    () => {
      k.if(
        inside(k.let(byteAt(k, r, p))),
        () => {
          k.set(p, add(p, 1));
          k.set(more, lt(p, end));
        },
        () => k.set(more, int(0)),
      );
    },
  );
  return p;
}
/** How many characters there are from `from` to `to`. */
export function emitCharacters(k: KernelBuilder, r: Row, from: Expr, to: Expr): Expr {
  const n = k.var(int(0));
  k.for(from, to, p => k.set(n, add(n, eq(inside(k.let(byteAt(k, r, p))), 0))));
  return n;
}
