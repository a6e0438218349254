/**
 * Softmax and layer normalisation: several passes over a group of elements while it is in the cache. x is read in each pass or, where it
 * is computed on the way, stored by the first one.
 * ```
 * softmax: for group, parallel:                         layer norm: for group, parallel:
 *   most = max of x                                       mean = sum of x / n            4 accumulators of vectors
 *   for element by lanes: s = exp(x - most); sum += s     var = sum of (x - mean)^2 / n  4 accumulators of vectors
 *   for element by lanes: y = epilogue(s * (1 / sum))     for element by lanes: y = epilogue((x - mean) / sqrt(var + epsilon))
 * ```
 * The last axis outside: a vector is that many groups side by side, and 4 vectors go through the passes together.
 */
import { must } from '../../../core/diagnostic.ts';
import { dimHi, dimMul, dimProd, type Dim } from '../../../core/dim.ts';
import { regOf } from '../../../core/dtype.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import {
  add,
  cast,
  div,
  int,
  konst,
  lane,
  math,
  max,
  mul,
  reduceLanes,
  splat,
  sqrt,
  sub,
  vtype,
  type Expr,
  type Lanes,
} from '../../../kernel/ir.ts';
import type { LowerCtx } from '../../lowering.ts';
import { lanesOf } from '../../loops.ts';
import { refIndex } from '../../ref.ts';
import { forBlocks, forAccumulators, nest, noIndex, vectorLanes, walkAxes, withAt, type AxisWalk } from './axis-walk.ts';

/*
 * What the passes hand on lies in scratch memory: in the result itself where there is no epilogue, else in a buffer for one group, so
 * that a computed input is computed once.
 */

/** Accumulators in flight. */
const WAYS = 4;

interface Scratch {
  /** Whether groups do not share it. */
  readonly apart: boolean;
  load(k: KernelBuilder, e: Element): Expr;
  store(k: KernelBuilder, e: Element, v: Expr): void;
}
/** Some neighbours of a group: where they lie, how many, and which of the vectors that are walked at once they belong to. */
interface Element {
  readonly idx: readonly Expr[];
  readonly lanes: Lanes;
  readonly vector: number;
}
function scratchOf<A>(c: LowerCtx<A>, w: AxisWalk, base: 'f32' | 'f64', apart: boolean): Scratch {
  const ref = w.y.ref;
  if (apart && ref?.buffer.dtype === base && (w.y.vector || !w.x.vector))
    return {
      apart: true,
      load: (k, e) => k.load(ref.buffer, refIndex(k, ref, e.idx), e.lanes),
      store: (k, e, v) => k.store(ref.buffer, refIndex(k, ref, e.idx), v),
    };
  const sizes = w.inside.map(g => must(w.dims[g]));
  const width = isRowwise(w) ? 1 : WAYS * lanesOf(c.profile);
  const buffer = c.scratch('group', base, dimMul(dimProd(sizes), width));
  const at = (k: KernelBuilder, e: Element): Expr =>
    w.inside.reduce<Expr>(
      (sum, g, i) => add(sum, mul(must(e.idx[g]), k.dim(dimMul(dimProd(sizes.slice(i + 1)), width)))),
      int(e.vector * e.lanes),
    );
  return {
    apart: false,
    load: (k, e) => k.load(buffer, at(k, e), e.lanes),
    store: (k, e, v) => k.store(buffer, at(k, e), v),
  };
}

/** What belongs to groups as a whole: one for each vector of groups that is worked on at once. */
type Whole = readonly Expr[];
/** A group being worked on, or some vectors of groups side by side. */
interface Group {
  /** Visits all elements. `way` tells apart accumulators that take turns. */
  each(ways: number, body: (e: Element, way: number) => void): void;
  /** A value over all elements: `start` folded with `step`. */
  fold(start: number, ways: number, step: (acc: Expr, e: Element) => Expr, join: 'add' | 'max'): Whole;
}
/** The whole of the group that some elements belong to, in as many lanes. */
function of(v: Whole, e: Element): Expr {
  const x = must(v[e.vector]);
  return x.t.lanes === e.lanes ? x : splat(x, e.lanes);
}
const JOIN = { add, max };
const isRowwise = (w: AxisWalk): boolean => w.inside.includes(w.rank - 1);

/** Runs `body` for every group, by whole vectors where the last axis allows. */
function forGroups(
  k: KernelBuilder,
  w: AxisWalk,
  base: 'f32' | 'f64',
  lanes: Lanes,
  parallel: boolean,
  body: (g: Group) => void,
): void {
  const last = w.rank - 1;
  /** Groups along the last axis: vectors of one group. */
  const rows = (start: readonly Expr[]): void => {
    const n = must(w.dims[last]);
    const l = typeof n === 'number' && n < lanes ? 1 : lanes;
    const outer = w.inside.filter(g => g !== last);
    const each: Group['each'] = (ways, visit) =>
      nest(k, w, outer, start, idx =>
        forBlocks(k, n, l, ways, (i, vectors, wide) => {
          for (let u = 0; u < vectors; u++) visit({ idx: withAt(idx, last, add(i, u * wide)), lanes: wide, vector: 0 }, u);
        }),
      );
    body({
      each,
      fold: (from, ways, step, how) => {
        const accs = Array.from({ length: ways }, () => k.var(konst(vtype(base, l), from)));
        const rest = l === 1 ? must(accs[0]) : k.var(konst(vtype(base), from));
        each(ways, (e, way) => {
          const acc = e.lanes === l ? must(accs[way]) : rest;
          k.set(acc, step(acc, e));
        });
        const all = accs.reduce((p, q) => k.let(JOIN[how](p, q)));
        if (l === 1) return [all];
        if (how === 'add') return [k.let(add(reduceLanes('add', all), rest))];
        return [Array.from({ length: l }, (_, i) => k.let(lane(all, i))).reduce((p, q) => k.let(max(p, q)), rest)];
      },
    });
  };
  /** Groups across the last axis: each lane is a group of its own. */
  const columns = (start: readonly Expr[], vectors: number, l: Lanes): void => {
    const down = w.inside.at(-1);
    const each: Group['each'] = (ways, visit) =>
      nest(k, w, w.inside.slice(0, -1), start, idx =>
        forAccumulators(k, down === undefined ? 1 : must(w.dims[down]), ways, (way, i) => {
          const row = down === undefined ? idx : withAt(idx, down, i);
          for (let u = 0; u < vectors; u++)
            visit({ idx: last < 0 ? row : withAt(row, last, add(must(row[last]), u * l)), lanes: l, vector: u }, way);
        }),
      );
    body({
      each,
      fold: (from, wanted, step, how) => {
        const ways = vectors > 1 || down === undefined ? 1 : wanted;
        const accs = Array.from({ length: vectors }, () =>
          Array.from({ length: ways }, () => k.var(konst(vtype(base, l), from))),
        );
        each(ways, (e, way) => {
          const acc = must(accs[e.vector]?.[way]);
          k.set(acc, step(acc, e));
        });
        return accs.map(a => a.reduce((p, q) => k.let(JOIN[how](p, q))));
      },
    });
  };
  if (isRowwise(w)) nest(k, w, w.outside, noIndex(w), rows, parallel);
  else
    nest(
      k,
      w,
      w.outside.filter(g => g !== last),
      noIndex(w),
      idx => {
        if (w.rank === 0) columns(idx, 1, 1);
        else
          forBlocks(k, must(w.dims[last]), lanes, WAYS, (j, vectors, l) => columns(withAt(idx, last, j), vectors, l), {
            parallel,
          });
      },
      parallel,
    );
}
const baseOf = (dtype: Parameters<typeof regOf>[0]): 'f32' | 'f64' => (regOf(dtype) === 'f64' ? 'f64' : 'f32');
/** Columns of groups up to this size are copied out: they would come from one set of the cache again and again. */
const SMALL = 512;

export function buildSoftmax(c: LowerCtx<{ readonly axis: number; readonly log: boolean }>): void {
  const { axis, log } = c.attrs;
  const source = c.need(0);
  const base = baseOf(source.dtype);
  const w = walkAxes(source, c.sink(0), [axis], 'full');
  const lanes = vectorLanes(c.profile, source.dtype, w.x);
  const apart = isRowwise(w) || dimHi(must(source.dims[axis])) > SMALL;
  const s = scratchOf(c, w, base, apart);
  const copied = source.ref === undefined || !apart;
  c.kernel(log ? 'log_softmax' : 'softmax', k =>
    forGroups(k, w, base, lanes, s.apart, g => {
      const read = (e: Element): Expr => (copied ? s.load(k, e) : w.x.at(k, e.idx, e.lanes));
      const first = (e: Element): Expr => {
        const x = k.let(w.x.at(k, e.idx, e.lanes));
        if (copied) s.store(k, e, x);
        return x;
      };
      const most = g.fold(-Infinity, WAYS, (acc, e) => max(acc, first(e)), 'max');
      const power = (e: Element): Expr => {
        const x = k.let(math('exp', sub(read(e), of(most, e))));
        if (!log) s.store(k, e, x);
        return x;
      };
      const sum = g.fold(0, 1, (acc, e) => add(acc, power(e)), 'add');
      if (log) {
        const shift = sum.map(v => k.let(math('log', v)));
        g.each(1, e => w.store(k, e.idx, sub(sub(read(e), of(most, e)), of(shift, e))));
      } else {
        const scale = sum.map(v => k.let(div(konst(v.t, 1), v)));
        g.each(1, e => w.store(k, e.idx, mul(s.load(k, e), of(scale, e))));
      }
    }),
  );
}

export function buildLayerNorm(
  c: LowerCtx<{ readonly axes: readonly number[]; readonly epsilon: number; readonly center: boolean }>,
): void {
  const { axes, epsilon, center } = c.attrs;
  const source = c.need(0);
  const base = baseOf(source.dtype);
  const w = walkAxes(source, c.sink(0), axes, 'full');
  const lanes = vectorLanes(c.profile, source.dtype, w.x);
  const s = source.ref === undefined ? scratchOf(c, w, base, true) : undefined;
  const count: Dim = dimProd(axes.map(a => must(source.dims[a])));
  c.kernel(center ? 'layer_norm' : 'rms_norm', k =>
    forGroups(k, w, base, lanes, s?.apart ?? true, g => {
      const n = k.let(cast(vtype(base), k.dim(count)));
      const mean = (v: Whole): Whole => v.map(x => k.let(div(x, splat(n, x.t.lanes))));
      const first = (e: Element): Expr => {
        const x = k.let(w.x.at(k, e.idx, e.lanes));
        s?.store(k, e, x);
        return x;
      };
      const again = (e: Element): Expr => s?.load(k, e) ?? w.x.at(k, e.idx, e.lanes);
      const middle = center ? mean(g.fold(0, WAYS, (acc, e) => add(acc, first(e)), 'add')) : undefined;
      const centred = (x: Expr, e: Element): Expr => (middle ? sub(x, of(middle, e)) : x);
      const square = (e: Element): Expr => {
        const d = k.let(middle ? centred(again(e), e) : first(e));
        return mul(d, d);
      };
      const spread = mean(g.fold(0, WAYS, (acc, e) => add(acc, square(e)), 'add'));
      const scale = spread.map(v => k.let(div(konst(v.t, 1), sqrt(add(v, epsilon)))));
      g.each(1, e => w.store(k, e.idx, mul(centred(again(e), e), of(scale, e))));
    }),
  );
}
