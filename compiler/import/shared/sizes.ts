import { dimHi, dimSub, rangeOf, staticDims, symbolsOf, type Dim, type Range } from '../../core/dim.ts';
import { isInt } from '../../core/dtype.ts';
import { boundsOf } from '../../core/float-size.ts';
import { symbolicOf, type Value } from '../../graph/graph.ts';
import { Concat } from '../../ops/movement/concat.ts';
import { DimOf, Sizes } from '../../ops/movement/shape.ts';
import { Slice } from '../../ops/movement/view.ts';
import type { ImportBuilder } from './builder.ts';

/** How a size is read from data, where nothing else tells it. */
export interface Read {
  /** What it is, for the symbol's name. */
  readonly what: string;
  readonly lo: number;
  readonly hi: number;
  /** Values outside mean the same as the nearest inside. */
  readonly clamp?: boolean;
  /** The size that the file declares: it is taken, and a run with another one stops. */
  readonly declared?: number;
}
/**
 * The largest size taken for each of some axes that only data tell, where nothing bounds them: storage is planned for it, so the more
 * axes there are, the smaller each may be. The user is told.
 */
export function unbounded(c: ImportBuilder, what: string, axes = 1): () => number {
  const most = Math.min(c.open(), axes <= 1 ? 65536 : axes === 2 ? 1024 : axes === 3 ? 128 : 32);
  let told = false;
  return () => {
    const each = axes > 1 ? ' along each axis' : '';
    if (!told) c.warn('size', `its ${what} is computed when the model runs; it is taken to be at most ${most}${each}`);
    told = true;
    return most;
  };
}

/** The one integer in `v` as a dimension: as known, else a symbol that is read when the model runs. */
export function sizeOf(c: ImportBuilder, v: Value, read: Read | (() => Read)): Dim {
  const known = symbolicOf(v)?.[0];
  if (known !== undefined) return known;
  const r = typeof read === 'function' ? read() : read;
  if (r.declared !== undefined) {
    expectSize(c, v, r.declared, `its ${r.what} is not what the file declares`, r.what);
    return r.declared;
  }
  // A symbol of one value is a number, which nothing would check.
  if (r.lo === r.hi && r.clamp !== true) {
    expectSize(c, v, r.lo, `its ${r.what} must be ${r.lo}`, r.what);
    return r.lo;
  }
  return readSize(c, v, r);
}
function readSize(c: ImportBuilder, v: Value, r: Read): Dim {
  const { lo, hi } = within(r, boundsIn(v));
  const d = c.symbol(r.what, lo, hi);
  const [s] = typeof d === 'number' ? [] : symbolsOf(d);
  if (s) c.apply1(DimOf, [v], { symbol: s.name, lo, hi, clamp: r.clamp ?? false });
  return d;
}
/** No size or number of elements is larger, and sums of a few stay in 32 bits. */
const ANY = 2 ** 29;
/** Has the run check that the one integer in `v` is `size`; `what` says what is wrong if not. */
export function expectSize(c: ImportBuilder, v: Value, size: Dim, what: string, name = 'given'): void {
  c.expect(symbolicOf(v)?.[0] ?? readSize(c, v, { what: name, lo: -ANY, hi: ANY }), size, what);
}
/** The same for a vector of integers. */
export function expectSizes(c: ImportBuilder, v: Value, sizes: readonly Dim[], what: string): void {
  sizes.forEach((d, i) => expectSize(c, element(c, v, i), d, what));
}
/** The range of a reading, made smaller by what the ranges of other sizes say. */
function within(r: Read, bounds: Range | undefined): Range {
  const both = bounds && { lo: Math.max(r.lo, bounds.lo), hi: Math.min(r.hi, bounds.hi) };
  return both && both.lo <= both.hi ? both : r;
}
/** The least and the greatest value of a number that follows from sizes, though by no expression of them. */
export function boundsIn(v: Value): Range | undefined {
  const [x] = v.floats ?? [];
  return x === undefined ? undefined : boundsOf(x);
}
/** The integers in a vector as dimensions; `read(i)` is asked about those that only data tell. */
export function sizesOf(c: ImportBuilder, v: Value, read: (i: number) => Read): readonly Dim[] {
  const known = symbolicOf(v);
  if (known) return known;
  const length = lengthOf(c, v);
  return Array.from({ length }, (_, i) => sizeOf(c, element(c, v, i), () => read(i)));
}
/**
 * Whole numbers that follow from sizes by way of floats: where no expression of the sizes is equal to them, they are symbols that are read
 * when the model runs, within the bounds that the ranges of the sizes give.
 */
export function measured(c: ImportBuilder, v: Value): Value {
  const shape = staticDims(v.type.shape);
  if (!v.floats || !shape || shape.length > 1 || !isInt(v.type.dtype)) return v;
  const bounds = v.floats.flatMap(x => boundsOf(x) ?? []);
  if (bounds.length < v.floats.length) return v;
  const values = bounds.map((b, i) => sizeOf(c, element(c, v, i), { what: 'size', ...b }));
  return c.apply1(Sizes, [], { values, shape, dtype: v.type.dtype });
}
/** No tensor has more axes, and no axis is split into more parts by data. */
const MOST_SIZES = 256;
/** How many elements a vector has, which must be fixed: it decides how many axes something has. */
export function lengthOf(c: ImportBuilder, v: Value): number {
  const [length] = v.type.shape;
  if (v.type.shape.length > 1) return c.reject('sizes must be a vector');
  if (length === undefined) return 1;
  if (typeof length !== 'number') return c.unsupported('how many axes the result has is known only when the model runs');
  return length <= MOST_SIZES ? length : c.reject(`${length} sizes in a vector`);
}
/** Element i of a vector, as a vector of one. Seen through a concatenation, so that what is known of its parts is known of it. */
export function element(c: ImportBuilder, v: Value, i: number): Value {
  if (v.type.shape.length === 0) return v;
  if (v.type.shape[0] === 1) return v;
  if (v.def.k === 'node' && v.def.op === Concat) {
    let at = i;
    for (const x of v.def.inputs) {
      const n = x?.type.shape[0];
      if (!x || typeof n !== 'number') break;
      if (at < n) return element(c, x, at);
      at -= n;
    }
  }
  return c.apply1(Slice, [v], { starts: [i], sizes: [1], steps: [1] });
}

/** Sizes as a tensor: a constant where they are numbers. */
export const sizesValue = (c: ImportBuilder, values: readonly Dim[], dims: readonly number[] = [values.length]): Value =>
  c.apply1(Sizes, [], { values, shape: dims, dtype: 'i64' });
/** Whether a dimension is never, always or perhaps negative. */
export function signOf(d: Dim): 'negative' | 'not negative' | 'open' {
  const r = rangeOf(d);
  return r.hi < 0 ? 'negative' : r.lo >= 0 ? 'not negative' : 'open';
}
/** How far an index may count in either direction along an axis, with one place more. */
export const reach = (n: Dim): { readonly lo: number; readonly hi: number } => ({ lo: -dimHi(n) - 1, hi: dimHi(n) + 1 });
export const spare = (whole: Dim, part: Dim): { readonly lo: number; readonly hi: number } => {
  const r = rangeOf(dimSub(whole, part));
  return { lo: Math.min(0, r.lo), hi: Math.max(0, r.hi) };
};
/** The range of a size that is either 1 or `d`. */
export const oneOr = (d: Dim): { readonly lo: number; readonly hi: number } => ({
  lo: Math.min(1, Math.max(0, rangeOf(d).lo)),
  hi: Math.max(1, dimHi(d)),
});
