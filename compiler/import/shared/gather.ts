import { must } from '../../core/diagnostic.ts';
import { maxOf, minOf } from '../../core/extremes.ts';
import { dimAdd, dimHi, dimMin, dimProd, rangeOf, staticDims, type Dim } from '../../core/dim.ts';
import { toNumbers } from '../../core/tensor.ts';
import { symbolicOf, tensorOf, type Value } from '../../graph/graph.ts';
import { Gather } from '../../ops/movement/gather.ts';
import { Compress, NonZero } from '../../ops/sort/select.ts';
import { Unique } from '../../ops/sort/unique.ts';
import { rankOf } from './axes.ts';
import type { ImportBuilder } from './builder.ts';
import { indicesInto } from './indices.ts';
import { reshape, slice } from './views.ts';

/** Elements by their places, and places by what is there. */

/** Indices that are known and evenly spaced: then a gather is a slice. */
function evenly(indices: readonly Dim[] | undefined, n: Dim): { readonly start: Dim; readonly step: number } | undefined {
  const known = indices && staticDims(indices);
  const [first, second] = known ?? [];
  if (!known || first === undefined) return undefined;
  const step = second === undefined ? 1 : second - first;
  if (step === 0 || known.some((v, i) => v !== first + i * step || v < 0 !== first < 0)) return undefined;
  const [low, high] = [minOf(known, Infinity), maxOf(known, -Infinity)];
  const size = rangeOf(n).lo;
  // Perhaps out of range: that is for the run to say.
  if (low < 0 ? -low > size : high >= size) return undefined;
  return { start: first < 0 ? dimAdd(first, n) : first, step };
}
/** Slices of x along an axis, which becomes the axes of the indices; `negative`: whether these may count from the end. */
export function gather(c: ImportBuilder, x: Value, indices: Value, axis: number, negative = true): Value {
  const { shape } = x.type;
  const even = evenly(symbolicOf(indices), must(shape[axis]));
  if (!even) return c.apply1(Gather, [x, indicesInto(c, indices, [must(shape[axis])], negative)], { axis });
  const size = dimProd(indices.type.shape);
  const cut = slice(c, x, new Map([[axis, { ...even, size }]]));
  return reshape(c, cut, [...shape.slice(0, axis), ...indices.type.shape, ...shape.slice(axis + 1)]);
}
/** Tuples of indices, the last axis of `v`, into the axes of x from `first` on. */
export function indexTuples(c: ImportBuilder, x: Value, v: Value, first: number, negative = true): Value {
  const length = v.type.shape.at(-1);
  // What does not fit the axes is for the operator to say.
  if (typeof length !== 'number' || length === 0 || first + length > rankOf(x)) return v;
  return indicesInto(c, v, x.type.shape.slice(first, first + length), negative);
}

/** All elements as a vector. */
export const flatten = (c: ImportBuilder, x: Value): Value => reshape(c, x, [dimProd(x.type.shape)]);
/** The slices along an axis where a vector of truth values says so. */
export function compress(c: ImportBuilder, x: Value, condition: Value, axis: number): Value {
  const size = must(x.type.shape[axis]);
  const known = symbolicOf(condition);
  if (known && staticDims(known)) {
    const kept = known.flatMap((b, i) => (b !== 0 ? [i] : []));
    return c.apply1(Gather, [x, c.literal('i64', kept)], { axis });
  }
  const count = c.symbol('count', 0, dimHi(dimMin(size, condition.type.shape[0] ?? 0)));
  return c.apply1(Compress, [x, condition], { axis, count });
}
/** The places of elements that are not zero, [rank, count] of i64, in row-major order. */
export function nonZero(c: ImportBuilder, given: Value): Value {
  const x = rankOf(given) === 0 ? reshape(c, given, [1]) : given;
  const t = tensorOf(x);
  const known = t && toNumbers(t).reduce((sum, v) => sum + (v !== 0 ? 1 : 0), 0);
  return c.apply1(NonZero, [x], { count: known ?? c.symbol('count', 0, dimHi(dimProd(x.type.shape))) });
}
/** The different slices along an axis; where each is first; which one each slice is; how often each comes. All but the first are i64. */
export function unique(c: ImportBuilder, x: Value, axis: number, sorted: boolean): readonly Value[] {
  const size = must(x.type.shape[axis]);
  return c.apply(Unique, [x], { axis, sorted, count: c.symbol('unique', rangeOf(size).lo > 0 ? 1 : 0, dimHi(size)) });
}
