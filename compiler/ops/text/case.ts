import { must } from '../../core/diagnostic.ts';
import { dimCeilDiv, dimMul } from '../../core/dim.ts';
import { tensorType } from '../../core/shape.ts';
import { fromNumbers } from '../../core/tensor.ts';
import { add, and, eq, gt, int, le, lt, mul, ne, or, select, shr, within, xor, type Expr } from '../../kernel/ir.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import type { LowerCtx, Sink, SlotBuffer } from '../lowering.ts';
import { attr, defineOp } from '../define.ts';
import { checkSpelt, eachText, rowOf, spellings, spelt, textsIn } from './rows.ts';
import { byteAt, emitLength, type Row } from './search.ts';

/** No character beyond has another case. */
const CASED = 0x1ffff;
/** The characters beyond ASCII whose other case is one character: what they are, ascending, and what they become. */
function changes(upper: boolean): { readonly from: readonly number[]; readonly to: readonly number[] } {
  const from: number[] = [];
  const to: number[] = [];
  for (let cp = 0x80; cp <= CASED; cp++) {
    const c = String.fromCodePoint(cp);
    const other = upper ? c.toUpperCase() : c.toLowerCase();
    const now = must(other.codePointAt(0));
    if (now === cp || other.length !== String.fromCodePoint(now).length) continue;
    from.push(cp);
    to.push(now);
  }
  return { from, to };
}

export const TextCase = defineOp({
  name: 'TextCase',
  doc: 'Texts in upper or lower case, character by character: those whose other case is several characters stay, and so do bytes that are no UTF-8.',
  inputs: ['x'],
  attrs: { upper: attr.bool() },
  infer: c => {
    const x = checkSpelt(c, 0);
    // A character of two bytes may become one of three.
    const width = dimCeilDiv(dimMul(3, must(x.shape.at(-1))), 2);
    return [tensorType('u8', [...x.shape.slice(0, -1), width])];
  },
  eval: (c, x) => {
    const { from, to } = changes(c.attrs.upper);
    const table = new Map(from.map((cp, i) => [cp, to[i] ?? cp]));
    const first = c.attrs.upper ? 97 : 65;
    const out = spellings(must(x)).map(t => {
      const bytes: number[] = [];
      for (let i = 0; i < t.length;) {
        const b = must(t[i]);
        const [cp, size] = characterAt(t, i);
        if (b < 128) bytes.push(b >= first && b < first + 26 ? b ^ 32 : b);
        else if (size === 0) bytes.push(b);
        else bytes.push(...new TextEncoder().encode(String.fromCodePoint(table.get(cp) ?? cp)));
        i += Math.max(1, size);
      }
      return Uint8Array.from(bytes);
    });
    const dims = c.dims(0);
    return [spelt(dims.slice(0, -1), must(dims.at(-1)), out)];
  },
  lower: { k: 'kernel', build: c => lowerCase(c) },
});
/** The character of two to four bytes at a place and its bytes; 0 bytes where there is none. */
function characterAt(t: Uint8Array, i: number): readonly [number, number] {
  const b = t[i] ?? 0;
  const size = b >= 0xc2 && b < 0xe0 ? 2 : b >= 0xe0 && b < 0xf0 ? 3 : b >= 0xf0 && b < 0xf5 ? 4 : 0;
  if (size === 0 || i + size > t.length) return [0, 0];
  let cp = b & (0xff >> (size + 1));
  for (let j = 1; j < size; j++) {
    const next = t[i + j] ?? 0;
    if (next < 0x80 || next >= 0xc0) return [0, 0];
    cp = cp * 64 + (next & 63);
  }
  // Neither in more bytes than it needs, nor half of a pair, nor beyond the last.
  const bad = cp < must([0, 0, 0x80, 0x800, 0x10000][size]) || (cp >= 0xd800 && cp < 0xe000) || cp > 0x10ffff;
  return bad ? [0, 0] : [cp, size];
}

function lowerCase(c: LowerCtx<{ readonly upper: boolean }>): void {
  const { x, width, sizes } = textsIn(c, 0);
  const out = c.sink(0);
  const { from, to } = changes(c.attrs.upper);
  const tables = {
    from: c.weights('case_from', fromNumbers('i32', [from.length], from)),
    to: c.weights('case_to', fromNumbers('i32', [to.length], to)),
    count: from.length,
  };
  const first = c.attrs.upper ? 97 : 65;
  c.kernel('text_case', k =>
    eachText(k, sizes, (idx, n) => {
      const row = rowOf(k, x, n);
      const length = emitLength(k, row, k.dim(width));
      const [i, o] = [k.var(int(0)), k.var(int(0))];
      const emit = (byte: Expr): void => {
        out.store(k, [...idx, o], byte);
        k.set(o, add(o, 1));
      };
      k.while(
        () => lt(i, length),
        () => {
          const b = k.let(byteAt(k, row, i));
          const size = k.var(int(0));
          const cp = k.var(int(0));
          k.if(
            lt(b, 128),
            () => emit(k.let(select(within(b, first, first + 26), xor(b, 32), b))),
            () => {
              emitCharacter(k, row, i, length, b, cp, size);
              k.if(
                ne(size, 0),
                () => emitUtf8(k, changed(k, tables, cp), emit),
                () => emit(b),
              );
            },
          );
          k.set(i, add(i, k.let(select(gt(size, 1), size, 1))));
        },
      );
      rest(k, out, idx, o);
    }),
  );
}
/** Zeros behind the end of a text. */
export function rest(k: KernelBuilder, out: Sink, idx: readonly Expr[], from: Expr): void {
  k.for(from, must(out.dims.at(-1)), p => out.store(k, [...idx, p], int(0)));
}
interface Tables {
  readonly from: SlotBuffer;
  readonly to: SlotBuffer;
  readonly count: number;
}
function changed(k: KernelBuilder, t: Tables, cp: Expr): Expr {
  const [lo, hi] = [k.var(int(0)), k.var(int(t.count))];
  k.while(
    () => lt(lo, hi),
    () => {
      const mid = k.let(shr(add(lo, hi), 1));
      const below = k.let(lt(k.load(t.from, mid), cp));
      k.set(hi, select(below, hi, mid));
      k.set(lo, select(below, add(mid, 1), lo));
    },
  );
  const out = k.var(cp);
  k.if(lt(lo, t.count), () => k.if(eq(k.load(t.from, lo), cp), () => k.set(out, k.load(t.to, lo))));
  return out;
}
/** `characterAt` in a kernel; `b` is the first byte, beyond ASCII. */
function emitCharacter(k: KernelBuilder, r: Row, i: Expr, length: Expr, b: Expr, cp: Expr, size: Expr): void {
  const want = k.let(select(within(b, 0xc2, 0xe0), 2, select(within(b, 0xe0, 0xf0), 3, select(within(b, 0xf0, 0xf5), 4, 0))));
  k.if(and(gt(want, 0), le(add(i, want), length)), () => {
    k.set(cp, and(b, k.let(shr(int(0xff), add(want, 1)))));
    k.set(size, want);
    k.for(1, want, j => {
      const next = k.let(byteAt(k, r, add(i, j)));
      k.set(size, select(within(next, 0x80, 0xc0), size, 0));
      k.set(cp, add(mul(cp, 64), and(next, 63)));
    });
    const least = select(gt(want, 3), 0x10000, select(gt(want, 2), 0x800, 0x80));
    const bad = or(lt(cp, least), or(within(cp, 0xd800, 0xe000), gt(cp, 0x10ffff)));
    k.set(size, select(k.let(bad), 0, size));
  });
}
function emitUtf8(k: KernelBuilder, cp: Expr, emit: (byte: Expr) => void): void {
  const part = (bits: number): Expr => add(and(shr(cp, bits), 63), 0x80);
  k.if(
    lt(cp, 0x80),
    () => emit(cp),
    () =>
      k.if(
        lt(cp, 0x800),
        () => {
          emit(add(shr(cp, 6), 0xc0));
          emit(part(0));
        },
        () =>
          k.if(
            lt(cp, 0x10000),
            () => {
              emit(add(shr(cp, 12), 0xe0));
              emit(part(6));
              emit(part(0));
            },
            () => {
              emit(add(shr(cp, 18), 0xf0));
              emit(part(12));
              emit(part(6));
              emit(part(0));
            },
          ),
      ),
  );
}
