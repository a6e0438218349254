import { must } from '../../core/diagnostic.ts';
import { dimHi } from '../../core/dim.ts';
import { isInt } from '../../core/dtype.ts';
import { showType, tensorType } from '../../core/shape.ts';
import { fromNumbers, toNumbers } from '../../core/tensor.ts';
import { add, and, cast, eq, I32, int, konst, mul, ne, vtype } from '../../kernel/ir.ts';
import { attr, defineOp } from '../define.ts';
import type { LowerCtx } from '../lowering.ts';

interface NGramAttrs {
  readonly mode: 'TF' | 'IDF' | 'TFIDF';
  readonly min: number;
  readonly max: number;
  readonly skips: number;
  readonly size: number;
  readonly counts: readonly number[];
  readonly pool: readonly number[];
  readonly indexes: readonly number[];
  readonly weights: readonly number[];
}
/** The n-grams of one length: where their items and their numbers begin, and how many there are. */
interface Group {
  readonly n: number;
  readonly at: number;
  readonly first: number;
  readonly count: number;
}
/** `counts[i]` is where the (i+1)-grams begin in the pool. */
function groups(a: NGramAttrs): Group[] {
  let first = 0;
  return a.counts.map((at, i) => {
    const n = i + 1;
    const count = ((a.counts[i + 1] ?? a.pool.length) - at) / n;
    const g = { n, at, first, count };
    first += count;
    return g;
  });
}
/** Lengths and distances that are looked for: single items only once. */
const passes = (a: NGramAttrs): { readonly g: Group; readonly step: number }[] =>
  groups(a)
    .filter(g => g.n >= a.min && g.n <= a.max && g.count > 0)
    .flatMap(g => Array.from({ length: g.n === 1 ? 1 : a.skips + 1 }, (_, s) => ({ g, step: s + 1 })));

export const NGrams = defineOp({
  name: 'NGrams',
  doc: 'How often each n-gram of a pool is in a row of integers, with up to `skips` items left out between its items; counted (TF), weighted where it is there (IDF), or both (TFIDF).',
  inputs: ['x'],
  attrs: {
    mode: attr.oneOf(['TF', 'IDF', 'TFIDF']),
    min: attr.int(),
    max: attr.int(),
    skips: attr.int(),
    size: attr.int(),
    counts: attr.ints(),
    pool: attr.ints(),
    indexes: attr.ints(),
    weights: attr.floats(),
  },
  infer: c => {
    const x = must(c.types[0]);
    if (!isInt(x.dtype) && x.dtype !== 'text') c.reject(`takes integers or texts, not ${x.dtype}`);
    if (x.shape.length < 1 || x.shape.length > 2) c.reject(`x is ${showType(x)}, must have one or two axes`);
    for (const g of groups(c.attrs))
      if (!Number.isInteger(g.count) || g.count < 0) c.reject(`the pool of ${g.n}-grams is cut off`);
    const total = groups(c.attrs).reduce((sum, g) => sum + g.count, 0);
    if (total !== c.attrs.indexes.length) c.reject(`${c.attrs.indexes.length} numbers for ${total} n-grams`);
    if (c.attrs.indexes.some(i => i < 0 || i >= c.attrs.size)) c.reject('a number is out of range');
    return [tensorType('f32', [...x.shape.slice(0, -1), c.attrs.size])];
  },
  eval: (c, x) => {
    const a = c.attrs;
    const t = must(x);
    const data = toNumbers(t);
    const length = t.dims.at(-1) ?? 0;
    const dims = c.dims(0);
    const rows = dims.length === 1 ? 1 : (dims[0] ?? 0);
    const out = new Float64Array(rows * a.size);
    for (let r = 0; r < rows; r++) {
      for (const { g, step } of passes(a))
        for (let i = 0; i < g.count; i++)
          for (let s = 0; s + step * (g.n - 1) < length; s++) {
            let same = true;
            for (let e = 0; e < g.n; e++) same &&= data[r * length + s + e * step] === a.pool[g.at + i * g.n + e];
            const to = r * a.size + (a.indexes[g.first + i] ?? 0);
            if (same) out[to] = (out[to] ?? 0) + 1;
          }
      for (let j = 0; j < a.size; j++) {
        const n = out[r * a.size + j] ?? 0;
        const w = a.weights[j] ?? 1;
        out[r * a.size + j] = a.mode === 'TF' ? n : a.mode === 'IDF' ? (n > 0 ? w : 0) : n * w;
      }
    }
    return [fromNumbers('f32', dims, out)];
  },
  lower: { k: 'kernel', build: lowerNGrams },
});
function lowerNGrams(c: LowerCtx<NGramAttrs>): void {
  const a = c.attrs;
  const out = must(c.out[0]);
  if (out.shape.some(d => dimHi(d) === 0)) return;
  const x = c.contiguous(0);
  const length = must(x.dims.at(-1));
  const rows = out.shape.length === 1 ? 1 : must(out.shape[0]);
  const wide = x.buffer.dtype === 'i64' || x.buffer.dtype === 'u64' ? 'i64' : 'i32';
  const pool = c.weights('pool', fromNumbers(wide, [a.pool.length], a.pool));
  const indexes = c.weights('indexes', fromNumbers('i32', [a.indexes.length], a.indexes));
  const weight = Array.from({ length: a.size }, (_, j) => a.weights[j] ?? 1);
  const weights = c.weights('weights', fromNumbers('f32', [a.size], weight));
  const found = c.temp('found', 'f32', a.size);
  const sink = c.sink(0);
  const F32 = vtype('f32');
  c.kernel('ngrams', k =>
    k.for(0, rows, r => {
      const row = k.let(mul(r, k.dim(length)));
      k.for(0, a.size, j => k.store(found, j, konst(F32, 0)));
      for (const { g, step } of passes(a))
        k.for(0, g.count, i =>
          k.for(0, add(k.dim(length), -step * (g.n - 1)), s => {
            const same = k.var(int(1));
            k.for(0, g.n, e => {
              const item = cast(vtype(wide), k.load(x.buffer, add(add(row, s), mul(e, step))));
              k.set(same, and(same, eq(item, k.load(pool, add(mul(i, g.n), add(e, g.at))))));
            });
            k.if(ne(same, 0), () => {
              const at = k.let(cast(I32, k.load(indexes, add(i, g.first))));
              k.store(found, at, add(k.load(found, at), konst(F32, 1)));
            });
          }),
        );
      k.for(0, a.size, j => {
        const n = k.let(k.load(found, j));
        const w = k.load(weights, j);
        const there = cast(F32, ne(n, konst(F32, 0)));
        sink.store(k, out.shape.length === 1 ? [j] : [r, j], a.mode === 'TF' ? n : mul(a.mode === 'IDF' ? there : n, w));
      });
    }),
  );
}
