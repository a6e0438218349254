import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimHi, dimSub, type Dim } from '../../../core/dim.ts';
import { symbolicOf, type Value } from '../../../graph/graph.ts';
import { Equal, Where } from '../../../ops/elementwise/index.ts';
import { Gather } from '../../../ops/movement/gather.ts';
import { rankOf } from '../axes.ts';
import type { ImportBuilder } from '../builder.ts';
import { indicesInto } from '../indices.ts';
import { element, lengthOf, reach, signOf, sizeOf, sizesValue } from '../sizes.ts';
import { cast, cutOf, reshape, slice, type Cut } from '../views.ts';

/** The masks of StridedSlice: bit i is about entry i of begin, end and strides. */
interface SliceMasks {
  /** Begin and end at the border of the axis, whatever is given. */
  readonly begin: number;
  readonly end: number;
  /** As many axes as are left, whole. */
  readonly ellipsis: number;
  /** A new axis of one element. */
  readonly newAxis: number;
  /** One element, whose axis is dropped; `end` and the stride do not count. */
  readonly shrinkAxis: number;
}
export const NO_MASKS: SliceMasks = { begin: 0, end: 0, ellipsis: 0, newAxis: 0, shrinkAxis: 0 };

/** x[begin:end:strides, …] as NumPy has it, with `...`, new axes and single indices by the masks. */
export function stridedSlice(c: ImportBuilder, x: Value, begin: Value, end: Value, strides: Value, masks: SliceMasks): Value {
  const count = lengthOf(c, begin);
  if (lengthOf(c, end) !== count || lengthOf(c, strides) !== count) c.reject('begin, end and strides must be equally many');
  const bit = (mask: number, i: number): boolean => ((mask >> i) & 1) === 1;
  const { shape } = x.type;
  const rank = rankOf(x);
  const entries = Array.from({ length: count }, (_, i) => i);
  const ellipsis = entries.filter(i => bit(masks.ellipsis, i));
  if (ellipsis.length > 1) c.reject('more than one ellipsis');
  const isNew = (i: number): boolean => bit(masks.newAxis, i) && !ellipsis.includes(i);
  const used = entries.filter(i => !ellipsis.includes(i) && !isNew(i)).length;
  if (used > rank) c.reject(`${used} indices into ${rank} axes`);

  const cuts = new Map<number, Cut>();
  /** Axes whose one index comes out when the model runs. */
  const picks: { readonly axis: number; readonly at: Value }[] = [];
  /** What each axis of the result is: an axis of x, or new. */
  const kept: (number | 'new')[] = [];
  let axis = 0;
  const rest = (many: number): void => {
    for (let i = 0; i < many; i++) kept.push(axis++);
  };
  for (const i of entries) {
    if (ellipsis.includes(i)) {
      rest(rank - used);
      continue;
    }
    if (isNew(i)) {
      kept.push('new');
      continue;
    }
    const size = must(shape[axis]);
    if (bit(masks.shrinkAxis, i)) {
      const at = element(c, begin, i);
      const known = symbolicOf(at)?.[0];
      if (known === undefined) picks.push({ axis, at });
      else cuts.set(axis, { start: placeOf(c, known, size), size: 1, step: 1 });
    } else {
      kept.push(axis);
      const step = sizeOf(c, element(c, strides, i), { what: 'stride', ...reach(size), clamp: true });
      if (step === 0) c.reject('a stride of 0');
      const forward = signOf(step) === 'not negative';
      if (signOf(step) === 'open' && (bit(masks.begin, i) || bit(masks.end, i)))
        return c.unsupported('a stride of either sign from or to the border comes out when the model runs');
      const bound = (v: Value, what: string): Dim => sizeOf(c, element(c, v, i), { what, ...reach(size), clamp: true });
      const from = bit(masks.begin, i) ? (forward ? 0 : dimSub(size, 1)) : bound(begin, 'begin');
      // Behind the last element, or before the first.
      const to = bit(masks.end, i) ? (forward ? size : dimSub(-1, size)) : bound(end, 'end');
      cuts.set(axis, cutOf(size, from, to, step));
    }
    axis++;
  }
  rest(rank - axis);
  const cut = slice(c, x, cuts);
  // From the last axis on, so that those before it keep their place.
  const picked = picks.reduceRight((v, p) => {
    const at = indicesInto(c, reshape(c, p.at, []), [must(shape[p.axis])]);
    return c.apply1(Gather, [v, at], { axis: p.axis });
  }, cut);
  return reshape(
    c,
    picked,
    kept.map(a => (a === 'new' ? 1 : must(cut.type.shape[a]))),
  );
}
/** The place of an index that may count from the end. */
function placeOf(c: ImportBuilder, at: Dim, size: Dim): Dim {
  if (typeof at === 'number' && typeof size === 'number' && (at < -size || at >= size))
    c.reject(`index ${at} of an axis of ${size} elements`);
  const sign = signOf(at);
  if (sign === 'open') return c.unsupported('an index that may count from either end; fix the free dimension with --dim');
  return sign === 'negative' ? dimAdd(at, size) : at;
}

/** A size from data, where -1 is all that are left. */
function sizeOrRest(c: ImportBuilder, size: Value, all: Dim): Value {
  const wide = cast(c, size, 'i64');
  return c.apply1(Where, [
    c.apply1(Equal, [wide, c.literal('i64', -1)]),
    sizesValue(
      c,
      [all],
      wide.type.shape.map(() => 1),
    ),
    wide,
  ]);
}
/** x from `begin` on, `size` elements of each axis; -1: all that are left. */
export function sliceBySizes(c: ImportBuilder, x: Value, begin: Value, size: Value): Value {
  const rank = rankOf(x);
  if (lengthOf(c, begin) !== rank || lengthOf(c, size) !== rank) c.reject(`begin and size must be for ${rank} axes`);
  const cuts = x.type.shape.map((d, a): readonly [number, Cut] => {
    const hi = dimHi(d);
    const start = sizeOf(c, element(c, begin, a), { what: 'begin', lo: 0, hi });
    const given = symbolicOf(element(c, size, a))?.[0];
    const all = dimSub(d, start);
    if (given === -1) return [a, { start, size: all, step: 1 }];
    const many = given ?? sizeOf(c, sizeOrRest(c, element(c, size, a), all), { what: 'size', lo: 0, hi });
    if (typeof many === 'number' && typeof all === 'number' && many > all)
      c.reject(`${many} elements of axis ${a}, which has ${all} left`);
    return [a, { start, size: many, step: 1 }];
  });
  return slice(c, x, new Map(cuts));
}
