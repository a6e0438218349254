import { must, fail } from '../../core/diagnostic.ts';
import { utf8 } from '../../core/bytes.ts';
import { dimHi, dimProd } from '../../core/dim.ts';
import { showType, tensorType } from '../../core/shape.ts';
import { fromNumbers, toNumbers } from '../../core/tensor.ts';
import type { Buffer, KernelBuilder } from '../../kernel/builder.ts';
import { add, and, eq, int, lt, mul, ne, sub, xor, type Expr } from '../../kernel/ir.ts';
import { attr, defineOp, type EvalCtx } from '../define.ts';
import type { LowerCtx } from '../lowering.ts';
import { checkSpelt, eachText, rowOf, spellings, spelt, textsIn } from './rows.ts';
import { byteAt, emitLength, type Row } from './search.ts';

/**
 * Between texts by what they hold and by their places in a list: the texts that the model knows, and behind them those of a tensor at hand, by
 * where each occurs first in it.
 */

/** The texts that the model knows, which are all known only when it is imported. */
function known(c: EvalCtx<unknown>): readonly string[] {
  return c.texts ?? fail('E502', { why: 'the texts of the model are not known yet' });
}
/** Bytes as a key of a map: those that are no UTF-8 stay apart. */
const keyOf = (t: Uint8Array): string => t.reduce((s, b) => s + String.fromCharCode(b), '');

export const TextPlaces = defineOp({
  name: 'TextPlaces',
  doc: 'The place of each text in the list of the texts that the model knows, followed by the texts of x.',
  inputs: ['x'],
  attrs: {},
  infer: c => [tensorType('text', checkSpelt(c, 0).shape.slice(0, -1))],
  eval: (c, x) => {
    const list = known(c);
    const places = new Map(list.map((t, i) => [keyOf(utf8(t)), i]));
    const at = spellings(must(x)).map((t, i) => {
      const key = keyOf(t);
      const had = places.get(key) ?? list.length + i;
      places.set(key, had);
      return had;
    });
    return [fromNumbers('text', c.dims(0), at)];
  },
  lower: { k: 'kernel', build: c => lowerPlaces(c) },
});

export const TextSpelling = defineOp({
  name: 'TextSpelling',
  doc: 'What the texts hold that `TextPlaces` gave the places of, cut off at `width` bytes.',
  inputs: ['places', 'x'],
  attrs: { width: attr.dim() },
  infer: c => {
    const places = must(c.types[0]);
    checkSpelt(c, 1);
    if (places.dtype !== 'text') c.reject(`takes places of texts, not ${showType(places)}`);
    return [tensorType('u8', [...places.shape, c.attrs.width])];
  },
  eval: (c, places, x) => {
    const list = known(c);
    const rows = spellings(must(x));
    const all = [...toNumbers(must(places))].map(p => (p < list.length ? utf8(must(list[p])) : must(rows[p - list.length])));
    return [spelt(must(places).dims, c.dim(c.attrs.width), all)];
  },
  lower: { k: 'kernel', build: c => lowerSpelling(c) },
});

/** The known texts in memory: their bytes, and where each begins. */
function knownIn(c: LowerCtx<unknown>): { readonly count: number; readonly bytes: Buffer; readonly starts: Buffer } {
  const all = c.texts.map(t => utf8(t));
  const starts = [0];
  for (const t of all) starts.push(must(starts.at(-1)) + t.length);
  const bytes = new Uint8Array(Math.max(1, must(starts.at(-1))));
  all.forEach((t, i) => {
    bytes.set(t, starts[i]);
  });
  return {
    count: all.length,
    bytes: c.weights('texts', { dtype: 'u8', dims: [bytes.length], bytes }),
    starts: c.weights('text_starts', fromNumbers('i32', [starts.length], starts)),
  };
}

/** FNV-1a in 32 bits. */
const SEED = 0x811c9dc5;
const PRIME = 0x01000193;
function hashOf(t: Uint8Array): number {
  let h = SEED | 0;
  for (const b of t) h = Math.imul(h ^ b, PRIME);
  return h;
}
/** Cells of a table for so many entries: a power of two, at most half full. */
const cellsFor = (entries: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, entries) * 2));
/** A table of known texts by their hashes: 1 more than the place of a text, or 0. */
function tableOf(texts: readonly string[]): number[] {
  const cells = new Array<number>(cellsFor(texts.length)).fill(0);
  texts.forEach((t, place) => {
    let i = hashOf(utf8(t)) & (cells.length - 1);
    while (cells[i] !== 0) i = (i + 1) & (cells.length - 1);
    cells[i] = place + 1;
  });
  return cells;
}

function lowerPlaces(c: LowerCtx<unknown>): void {
  const { x, width, sizes } = textsIn(c, 0);
  const all = knownIn(c);
  const table = tableOf(c.texts);
  const cells = c.weights('text_table', fromNumbers('i32', [table.length], table));
  const size = cellsFor(dimHi(dimProd(sizes)));
  const own = c.temp('own_texts', 'i32', size);
  const out = c.sink(0);
  c.kernel('text_places', k => {
    k.for(0, size, i => k.store(own, i, int(0)));
    eachText(
      k,
      sizes,
      (idx, n) => {
        const r = rowOf(k, x, n);
        const length = emitLength(k, r, k.dim(width));
        const hash = k.var(int(SEED | 0));
        k.for(0, length, p => k.set(hash, mul(xor(hash, byteAt(k, r, p)), PRIME)));
        const place = k.var(int(-1));
        const start = k.let(and(hash, table.length - 1));
        probe(k, cells, start, table.length, cell => {
          const at = k.let(sub(cell, 1));
          const from = k.let(k.load(all.starts, at));
          const same = equalBytes(k, r, length, { buffer: all.bytes, base: from }, sub(k.load(all.starts, add(at, 1)), from));
          k.if(ne(same, 0), () => k.set(place, at));
          return same;
        });
        k.if(lt(place, 0), () => {
          const free = probe(k, own, k.let(and(hash, size - 1)), size, cell => {
            const other = rowOf(k, x, k.let(sub(cell, 1)));
            const same = equalBytes(k, r, length, other, emitLength(k, other, k.dim(width)));
            k.if(ne(same, 0), () => k.set(place, add(cell, all.count - 1)));
            return same;
          });
          k.if(lt(place, 0), () => {
            k.store(own, free, add(n, 1));
            k.set(place, add(n, all.count));
          });
        });
        out.store(k, idx, place);
      },
      false,
    );
  });
}
/** Looks at the cells from `start` on until one is free or `found` says so; gives where that is. */
function probe(k: KernelBuilder, cells: Buffer, start: Expr, size: number, found: (cell: Expr) => Expr): Expr {
  const at = k.var(start);
  const going = k.var(int(1));
  k.while(
    () => ne(going, 0),
    () => {
      const cell = k.let(k.load(cells, at));
      k.if(
        eq(cell, 0),
        () => k.set(going, int(0)),
        () => {
          const same = found(cell);
          k.set(going, eq(same, 0));
          k.if(ne(going, 0), () => k.set(at, and(add(at, 1), size - 1)));
        },
      );
    },
  );
  return at;
}
function equalBytes(k: KernelBuilder, a: Row, length: Expr, b: Row, other: Expr): Expr {
  const same = k.var(eq(length, other));
  const p = k.var(int(0));
  k.while(
    () => and(ne(same, 0), lt(p, length)),
    () => {
      k.set(same, eq(byteAt(k, a, p), byteAt(k, b, p)));
      k.set(p, add(p, 1));
    },
  );
  return same;
}

function lowerSpelling(c: LowerCtx<unknown>): void {
  const places = c.contiguous(0);
  const x = c.contiguous(1);
  const width = must(x.dims.at(-1));
  const all = knownIn(c);
  const out = c.sink(0);
  const bytes = must(out.dims.at(-1));
  c.kernel('text_spelling', k =>
    eachText(k, places.dims, (idx, n) => {
      const at = k.let(k.load(places.buffer, n));
      k.if(
        lt(at, all.count),
        () => {
          const from = k.let(k.load(all.starts, at));
          const length = k.let(sub(k.load(all.starts, add(at, 1)), from));
          k.for(0, bytes, p => {
            const v = k.var(int(0));
            k.if(lt(p, length), () => k.set(v, k.load(all.bytes, add(from, p))));
            out.store(k, [...idx, p], v);
          });
        },
        () => {
          const r = rowOf(k, x, k.let(sub(at, all.count)));
          k.for(0, bytes, p => {
            const v = k.var(int(0));
            k.if(lt(p, k.dim(width)), () => k.set(v, byteAt(k, r, p)));
            out.store(k, [...idx, p], v);
          });
        },
      );
    }),
  );
}
