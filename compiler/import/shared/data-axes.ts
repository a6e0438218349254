import { must } from '../../core/diagnostic.ts';
import { dimEq, dimHi } from '../../core/dim.ts';
import { showType } from '../../core/shape.ts';
import type { Value } from '../../graph/graph.ts';
import { And, Equal, Not, Or, Sub, Where } from '../../ops/elementwise/index.ts';
import { Gather } from '../../ops/movement/gather.ts';
import type { Reduction } from '../../ops/reduce/axes.ts';
import { ReduceTo } from '../../ops/reduce/reduce-to.ts';
import { Cumulative, Reduce } from '../../ops/reduce/reduce.ts';
import { rankOf } from './axes.ts';
import type { ImportBuilder } from './builder.ts';
import { indicesInto } from './indices.ts';
import { element, expectSize, lengthOf, oneOr, sizeOf, sizesOf, sizesValue } from './sizes.ts';
import { cast, reshape } from './views.ts';

/** Axes that come out when the model runs. How many there are is known, and so is the number of axes of what they lead to. */
interface DataAxes {
  /** For each of the axes whether it is among them, [rank] of bool. */
  readonly hit: Value;
  readonly count: number;
}
const column = (c: ImportBuilder, values: readonly number[]): Value => c.literal('i64', values, [values.length, 1]);
const longs = (c: ImportBuilder, v: Value): Value => cast(c, v, 'i64');

/** The axes in `given`, a vector, among `rank` of them; they may count from the end. A run with others stops. */
export function dataAxes(c: ImportBuilder, given: Value, rank: number): DataAxes {
  const count = lengthOf(c, given);
  if (given.type.shape.length !== 1) c.reject('the axes must be a vector');
  if (count === 0) return { hit: c.literal('bool', new Array<number>(rank).fill(0)), count };
  const at = longs(c, indicesInto(c, given, [rank]));
  const places = column(
    c,
    Array.from({ length: rank }, (_, a) => a),
  );
  return { hit: c.apply1(Reduce, [c.apply1(Equal, [places, at])], { of: 'max', axes: [1], keep: false }), count };
}
/** How many of the axes up to each one are not among them: [rank]. */
const others = (c: ImportBuilder, hit: Value): Value =>
  c.apply1(Cumulative, [longs(c, c.apply1(Not, [hit]))], { of: 'sum', axis: 0 });
/** The sizes of x without those axes, as a vector. */
export function sizesWithout(c: ImportBuilder, x: Value, axes: DataAxes): Value {
  const places = Array.from({ length: Math.max(0, rankOf(x) - axes.count) }, (_, i) => i + 1);
  // Size i is that of the axis which is the i-th that stays.
  const its = c.apply1(And, [c.apply1(Equal, [column(c, places), others(c, axes.hit)]), c.apply1(Not, [axes.hit])]);
  const sizes = c.apply1(Where, [its, sizesValue(c, x.type.shape), c.literal('i64', 0)]);
  return c.apply1(Reduce, [sizes], { of: 'sum', axes: [1], keep: false });
}
/** The sizes of x with ones at those axes, which are axes of the result. */
export function sizesWith(c: ImportBuilder, x: Value, axes: DataAxes): Value {
  const one = c.literal('i64', 1);
  // The size behind the last stands for places that ones take.
  const sizes = sizesValue(c, [...x.type.shape, 1]);
  const at = c.apply1(Sub, [others(c, axes.hit), one]);
  const place = c.apply1(Where, [axes.hit, c.literal('i64', rankOf(x)), at]);
  return c.apply1(Gather, [sizes, place], { axis: 0 });
}
/**
 * What `f` makes along an axis that comes out when the model runs, one of `axes`: all are computed, and one is taken. `f` gives undefined
 * where an axis cannot be, and `fits` says which have the sizes that the result is declared to have; a run with another axis stops.
 */
export function alongDataAxis(
  c: ImportBuilder,
  given: Value,
  rank: number,
  axes: readonly number[],
  f: (axis: number) => Value | undefined,
  fits: (y: Value) => boolean = () => true,
): Value {
  const at = longs(c, indicesInto(c, given, [rank]));
  const ways = axes.flatMap(axis => {
    const y = f(axis);
    return y && fits(y) ? [{ axis, y }] : [];
  });
  const [first, ...more] = ways;
  if (!first) return c.unsupported('its axis comes out when the model runs, and no axis gives the sizes that the file declares');
  for (const w of more)
    if (!w.y.type.shape.every((d, i) => dimEq(d, must(first.y.type.shape[i]))))
      c.unsupported(
        `its axis comes out when the model runs, and with it the shape of its result (${showType(first.y.type)} or ${showType(w.y.type)}): make the axis a constant, or declare the shape`,
      );
  const is = (axis: number): Value => c.apply1(Equal, [at, c.literal('i64', axis)]);
  if (ways.length < rank) {
    const some = ways.map(w => is(w.axis)).reduce((a, b) => c.apply1(Or, [a, b]));
    expectSize(c, longs(c, some), 1, `its axis must be ${ways.map(w => w.axis).join(' or ')}`);
  }
  return more.reduce((y, w) => c.apply1(Where, [is(w.axis), w.y, y]), first.y);
}

/** Reductions over axes that come out when the model runs. How many there are is known, so the number of axes left is too. */
export function reducingAtRunTime(
  c: ImportBuilder,
  x: Value,
  given: Value,
  keepdims: boolean,
): (of: Reduction, v: Value, keep?: boolean) => Value {
  const axes = dataAxes(c, given, rankOf(x));
  const short = c.apply1(Where, [axes.hit, c.literal('i64', 1), sizesValue(c, x.type.shape)]);
  const shape = x.type.shape.map((d, i) => {
    return d === 1 ? 1 : sizeOf(c, element(c, short, i), { what: 'kept', ...oneOr(d) });
  });
  const keep = (of: Reduction, v: Value): Value => c.apply1(ReduceTo, [v], { of, shape });
  if (keepdims) return keep;
  const most = Math.max(1, ...x.type.shape.map(dimHi));
  const dropped = sizesOf(c, sizesWithout(c, x, axes), () => ({ what: 'left', lo: 0, hi: most }));
  return (of, v, kept = false) => (kept ? keep(of, v) : reshape(c, keep(of, v), dropped));
}
