/**
 * Resize, axis by axis or at once, from tables of taps (`resize-tables.ts`).
 * ```
 * several taps (rows): for output index of the axes before the last resized one, parallel:
 *   for i in the run of the last resized axis and those behind it, by lanes:
 *     line[i] = sum over the taps of the axes before: weight * x[index of the taps][i]          with copies of its ends around it
 *   for j of the last resized axis:
 *     for e behind it, by lanes: y[..][j][e] = epilogue(sum over taps: weight[j] * line[first[j] + tap][e])
 *     (nothing behind it: lanes over the taps)
 * one tap, or a line of which few elements count: for output index, parallel, axis by axis:
 *   for channel by lanes, if the last axis is not resized:
 *     y[..] = epilogue(sum over the taps of all axes of weight * x[index of the taps])         unrolled
 * ```
 */
import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimHi, dimMul, dimProd, type Dim } from '../../../core/dim.ts';
import { isFloat, limitsOf } from '../../../core/dtype.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import {
  add,
  cast,
  clampInt,
  eq,
  f32,
  int,
  konst,
  max,
  min,
  mul,
  reduceLanes,
  select,
  splat,
  vtype,
  type Expr,
  type Lanes,
} from '../../../kernel/ir.ts';
import { forLanes, lanesOf, narrower } from '../../loops.ts';
import { convert } from '../../elementwise/convert.ts';
import type { LowerCtx, SlotBuffer, Source } from '../../lowering.ts';
import { forBlocks } from '../../reduce/schedules/axis-walk.ts';
import { mergeSink } from '../../schedules/sink.ts';
import { isWholeAxis, type ResizeAttrs } from '../resize-attrs.ts';
import { makeTable, type Table } from './resize-tables.ts';

export function lowerResize(c: LowerCtx<ResizeAttrs>): void {
  const x = c.need(0);
  const out = must(c.out[0]);
  const tables: Table[] = [];
  out.shape.forEach((size, axis) => {
    const from = must(x.dims[axis]);
    if (!isWholeAxis(c.attrs, axis, from)) tables.push(makeTable(c, c.attrs, axis, from, size));
  });
  const last = tables.at(-1);
  if (last && c.attrs.mode !== 'nearest' && !overshoots(c) && paysLine(x, out.shape, tables)) lowerLines(c, tables, last);
  else lowerPoints(c, new Map(tables.map(t => [t.axis, t])));
}
/**
 * Whether it is less work to make whole lines of the input first: there each element of the input costs the taps of the axes before, and
 * each result those of its own axis, while at once each result costs the product of all taps. With nothing behind the axis, only lines are
 * computed by vectors.
 */
function paysLine(x: Source, shape: readonly Dim[], tables: readonly Table[]): boolean {
  const { axis, taps } = must(tables.at(-1));
  if (tables.some(t => t.taps > FEW)) return true;
  const before = tables.slice(0, -1).reduce((n, t) => n * t.taps, 1);
  const ratio = dimHi(must(x.dims[axis])) / Math.max(1, dimHi(must(shape[axis])));
  const speed = axis === shape.length - 1 ? 4 : 1;
  return taps + (ratio * before) / speed < taps * before;
}

/** Integers saturate after each axis, the last one first, as those of pictures that are resized row by row and then column by column. */
const overshoots = (c: LowerCtx<ResizeAttrs>): boolean => c.attrs.mode === 'cubic' && !isFloat(must(c.out[0]).dtype);
/** What is stored from a sum: integers are truncated and saturate, and what lies outside of a crop is the extrapolation value. */
function finished(k: KernelBuilder, c: LowerCtx<ResizeAttrs>, sum: Expr, outside: Expr): Expr {
  const { dtype } = must(c.out[0]);
  const whole = c.attrs.mode === 'nearest' || isFloat(dtype) ? sum : convert(k, k.let(sum), 'f32', dtype);
  return outside.k === 'const' ? whole : select(eq(outside, 0), k.let(whole), konst(whole.t, c.attrs.extrapolation));
}
const asF32 = (e: Expr): Expr => cast(vtype('f32', e.t.lanes), e);
/** Walks the output elements of a resized axis; `outside` becomes whether any axis so far is. */
function forElements(
  k: KernelBuilder,
  size: Dim,
  t: Table | undefined,
  outside: Expr,
  parallel: boolean,
  body: (i: Expr, outside: Expr) => void,
): void {
  k.for(0, size, i => body(i, t?.outside ? k.let(add(outside, k.load(t.outside, i))) : outside), { parallel });
}

/** Elements that are computed at once in a line: vectors. */
const WAYS = 4;
/** Weights of so many taps are kept in registers. */
const FEW = 8;

function lowerLines(c: LowerCtx<ResizeAttrs>, tables: readonly Table[], last: Table): void {
  const own = c.need(0);
  const shape = must(c.out[0]).shape;
  const rank = shape.length;
  const axis = last.axis;
  const axes = Array.from({ length: rank }, (_, i) => i);
  const mergeable = axes.slice(axis, -1).every(i => own.canMerge(i));
  const x = (mergeable ? own : c.sourceOf(c.contiguous(0))).merge([...axes.slice(0, axis).map(a => [a]), axes.slice(axis)]);
  const sink = mergeSink(c.sink(0), [
    ...axes.slice(0, axis + 1).map(a => [a]),
    ...(axis < rank - 1 ? [axes.slice(axis + 1)] : []),
  ]);
  const lanes: Lanes = lanesOf(c.profile);
  const inner = dimProd(shape.slice(axis + 1));
  const [from, to] = [must(own.dims[axis]), must(shape[axis])];
  const [run, around] = [dimMul(from, inner), dimMul(last.taps, inner)];
  const line = c.scratch('line', 'f32', dimAdd(run, dimMul(around, 2)));
  const byAxis = new Map(tables.slice(0, -1).map(t => [t.axis, t]));
  c.kernel('resize', k => {
    const [begin, end] = [k.let(k.dim(around)), k.let(k.dim(dimAdd(around, run)))];
    /** The line of an index of the axes before, of which `idx` is in the output. */
    const makeLine = (idx: readonly Expr[]): void =>
      forBlocks(k, run, x.vector ? lanes : 1, WAYS, (i, vectors, l) => {
        const accs = Array.from({ length: vectors }, () => k.var(konst(vtype('f32', l), 0)));
        const nest = (at: readonly Expr[], weight: Expr | undefined): void => {
          const t = byAxis.get(at.length);
          const o = idx[at.length];
          if (o === undefined) {
            const w = weight && k.let(splat(weight, l));
            accs.forEach((acc, u) => {
              const v = asF32(x.at(k, [...at, add(i, u * l)], l));
              k.set(acc, w ? add(acc, mul(v, w)) : v);
            });
          } else if (!t) nest([...at, o], weight);
          else
            k.for(0, t.taps, tap => {
              const place = clampInt(add(k.load(t.first, o), tap), 0, add(k.dim(must(own.dims[t.axis])), -1));
              const w = k.load(t.weight, add(mul(o, t.taps), tap));
              nest([...at, k.let(place)], k.let(weight ? mul(weight, w) : w));
            });
        };
        nest([], undefined);
        const at = k.let(add(begin, i));
        accs.forEach((acc, u) => k.store(line, add(at, u * l), acc));
      });
    const copyEnds = (): void => {
      const edge = (first: Expr, source: Expr): void =>
        k.for(0, last.taps, t => {
          const at = k.let(add(first, mul(t, k.dim(inner))));
          forLanes(k, inner, lanes, (e, l) => k.store(line, add(at, e), k.load(line, add(source, e), l)));
        });
      edge(int(0), begin);
      edge(end, k.let(add(end, mul(k.dim(inner), -1))));
    };
    const results = (idx: readonly Expr[], outside: Expr): void =>
      forElements(k, to, last, outside, false, (j, beyond) => {
        const first = k.let(mul(add(k.load(last.first, j), last.taps), k.dim(inner)));
        const weights = k.let(mul(j, last.taps));
        if (inner === 1) {
          sink.store(k, [...idx, j], finished(k, c, dotTaps(k, line, first, last.weight, weights, last.taps, lanes), beyond));
          return;
        }
        const few =
          last.taps <= FEW ? Array.from({ length: last.taps }, (_, t) => k.let(k.load(last.weight, add(weights, t)))) : [];
        forLanes(k, inner, lanes, (e, l) => {
          const at = k.let(add(first, e));
          const value = (t: Expr, w: Expr): Expr => mul(k.load(line, add(at, mul(t, k.dim(inner))), l), splat(w, l));
          if (few.length > 0) {
            const sum = few.map((w, t) => value(int(t), w)).reduce((a, b) => add(k.let(a), b));
            sink.store(k, [...idx, j, e], finished(k, c, sum, beyond));
            return;
          }
          const acc = k.var(konst(vtype('f32', l), 0));
          k.for(0, last.taps, t => k.set(acc, add(acc, value(t, k.let(k.load(last.weight, add(weights, t)))))));
          sink.store(k, [...idx, j, e], finished(k, c, acc, beyond));
        });
      });
    const walk = (idx: readonly Expr[], outside: Expr): void => {
      if (idx.length < axis) {
        forElements(k, must(shape[idx.length]), byAxis.get(idx.length), outside, true, (i, beyond) => walk([...idx, i], beyond));
        return;
      }
      makeLine(idx);
      copyEnds();
      results(idx, outside);
    };
    walk([], int(0));
  });
}
/** The sum of `n` neighbours in a line, each times its weight, by lanes over the taps. */
function dotTaps(k: KernelBuilder, line: SlotBuffer, from: Expr, weight: SlotBuffer, at: Expr, n: number, lanes: Lanes): Expr {
  const sums: Expr[] = [];
  let done = 0;
  for (const l of [lanes, ...narrower(lanes)]) {
    const count = Math.floor((n - done) / l);
    if (count === 0) continue;
    const product = (i: number): Expr => mul(k.load(line, add(from, done + i * l), l), k.load(weight, add(at, done + i * l), l));
    const total = Array.from({ length: count }, (_, i) => product(i)).reduce((a, b) => add(k.let(a), b));
    sums.push(k.let(reduceLanes('add', total)));
    done += count * l;
  }
  return k.let(sums.length === 0 ? f32(0) : sums.reduce((a, b) => add(a, b)));
}

function lowerPoints(c: LowerCtx<ResizeAttrs>, tables: ReadonlyMap<number, Table>): void {
  const x = c.need(0);
  const { shape } = must(c.out[0]);
  const sink = c.sink(0);
  const last = shape.length - 1;
  const lanes: Lanes = x.vector && sink.vector && !tables.has(last) ? lanesOf(c.profile) : 1;
  c.kernel('resize', k => {
    const walk = (idx: readonly Expr[], taps: ReadonlyMap<number, readonly Tap[]>, outside: Expr): void => {
      const axis = idx.length;
      const put = (at: readonly Expr[], n: Lanes): void =>
        sink.store(
          k,
          at,
          finished(
            k,
            c,
            overshoots(c) ? heldSum(k, x, [...tables.values()], at, n) : sumOfTaps(k, x, c.attrs.mode === 'nearest', at, taps, n),
            outside,
          ),
        );
      if (axis > last) {
        put(idx, 1);
        return;
      }
      const table = tables.get(axis);
      if (!table && axis === last) {
        forLanes(k, must(shape[axis]), lanes, (i, n) => put([...idx, i], n));
        return;
      }
      forElements(k, must(shape[axis]), table, outside, true, (i, beyond) => {
        const here = table && tapsAt(k, table, i, must(x.dims[axis]));
        walk([...idx, i], here ? new Map([...taps, [axis, here]]) : taps, beyond);
      });
    };
    walk([], new Map(), int(0));
  });
}
interface Tap {
  readonly index: Expr;
  readonly weight: Expr;
}
function tapsAt(k: KernelBuilder, t: Table, i: Expr, size: Dim): Tap[] {
  const first = k.let(k.load(t.first, i));
  if (t.taps === 1) return [{ index: first, weight: f32(1) }];
  return Array.from({ length: t.taps }, (_, j) => ({
    index: k.let(clampInt(add(first, j), 0, add(k.dim(size), -1))),
    weight: k.let(k.load(t.weight, add(mul(i, t.taps), j))),
  }));
}
/** The sums over the taps of one axis after the other, the last one innermost, each in the range of integers. */
function heldSum(k: KernelBuilder, x: Source, tables: readonly Table[], idx: readonly Expr[], n: Lanes): Expr {
  const [least, greatest] = limitsOf(x.dtype).map(Number);
  const [t, ...inner] = tables;
  if (!t) return asF32(x.at(k, idx, n));
  const o = must(idx[t.axis]);
  const acc = k.var(konst(vtype('f32', n), 0));
  k.for(0, t.taps, tap => {
    const place = k.let(clampInt(add(k.load(t.first, o), tap), 0, add(k.dim(must(x.dims[t.axis])), -1)));
    const v = heldSum(k, x, inner, idx.with(t.axis, place), n);
    k.set(acc, add(acc, mul(v, splat(k.let(k.load(t.weight, add(mul(o, t.taps), tap))), n))));
  });
  return k.let(min(max(acc, must(least)), must(greatest)));
}
/** The sum over the taps of all axes. */
function sumOfTaps(
  k: KernelBuilder,
  x: Source,
  nearest: boolean,
  idx: readonly Expr[],
  taps: ReadonlyMap<number, readonly Tap[]>,
  n: Lanes,
): Expr {
  const axes = [...taps];
  const sum = (depth: number, at: readonly Expr[], weight: Expr | undefined): Expr => {
    const next = axes[depth];
    if (!next) {
      const v = x.at(k, at, n);
      return nearest || weight === undefined ? v : mul(asF32(v), splat(weight, n));
    }
    const [axis, list] = next;
    return list
      .map(t =>
        sum(
          depth + 1,
          at.map((e, i) => (i === axis ? t.index : e)),
          nearest ? undefined : weight === undefined ? t.weight : k.let(mul(weight, t.weight)),
        ),
      )
      .reduce((a, b) => k.let(add(k.let(a), b)));
  };
  return sum(0, idx, undefined);
}
