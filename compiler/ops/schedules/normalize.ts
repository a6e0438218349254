import { must } from '../../core/diagnostic.ts';
import { dimMul, dimProd, type Dim } from '../../core/dim.ts';
import { regOf } from '../../core/dtype.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
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
} from '../../kernel/ir.ts';
import type { LowerCtx } from '../lowering.ts';
import { lanesOf } from '../loops.ts';
import { refIndex } from '../ref.ts';
import { forBlocks, forTurns, nest, noIndex, vectorLanes, walkAxes, withAt, type AxisWalk } from './axis-walk.ts';

/**
 * Kernels that take several passes over groups of elements: softmax and the normalisations. What the passes hand on lies in scratch
 * memory: in the result itself where nothing is fused behind, else in a buffer for one group, so that a computed input is computed once.
 */

/** Accumulators in flight. */
const WAYS = 4;

interface Scratch {
  /** Whether groups do not share it. */
  readonly apart: boolean;
  load(k: KernelBuilder, idx: readonly Expr[], l: Lanes): Expr;
  store(k: KernelBuilder, idx: readonly Expr[], v: Expr): void;
}
function scratchOf<A>(c: LowerCtx<A>, w: AxisWalk, base: 'f32' | 'f64', across: boolean): Scratch {
  const ref = w.y.ref;
  if (ref?.buffer.dtype === base && (w.y.vector || !w.x.vector))
    return {
      apart: true,
      load: (k, idx, l) => k.load(ref.buffer, refIndex(k, ref, idx), l),
      store: (k, idx, v) => k.store(ref.buffer, refIndex(k, ref, idx), v),
    };
  const sizes = w.inside.map(g => must(w.dims[g]));
  const width = across ? lanesOf(c.profile) : 1;
  const buffer = c.temp('row', base, dimMul(dimProd(sizes), width));
  const at = (k: KernelBuilder, idx: readonly Expr[]): Expr =>
    w.inside.reduce<Expr>((sum, g, i) => add(sum, mul(must(idx[g]), k.dim(dimMul(dimProd(sizes.slice(i + 1)), width)))), int(0));
  return {
    apart: false,
    load: (k, idx, l) => k.load(buffer, at(k, idx), l),
    store: (k, idx, v) => k.store(buffer, at(k, idx), v),
  };
}

/** A group being worked on: how its elements are visited, and how values gathered from them become one. */
interface Group {
  readonly k: KernelBuilder;
  /** The type of what belongs to the group as a whole. */
  readonly wide: Lanes;
  /** Visits all elements, `l` at a time. `way` tells apart accumulators that take turns. */
  each(ways: number, body: (idx: readonly Expr[], l: Lanes, way: number) => void): void;
  /** A value over all elements: `start` folded with `step`. */
  fold(start: number, ways: number, step: (acc: Expr, idx: readonly Expr[], l: Lanes) => Expr, join: 'add' | 'max'): Expr;
}
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
  const rowwise = w.inside.includes(last);
  const join2 = (how: 'add' | 'max') => (how === 'add' ? add : max);
  const rows = (start: readonly Expr[]): void => {
    const n = must(w.dims[last]);
    const l = typeof n === 'number' && n < lanes ? 1 : lanes;
    const each: Group['each'] = (ways, visit) =>
      nest(
        k,
        w,
        w.inside.filter(g => g !== last),
        start,
        idx =>
          forBlocks(k, n, l, ways, (i, vectors, at) => {
            for (let u = 0; u < vectors; u++) visit(withAt(idx, last, add(i, u * at)), at, u);
          }),
      );
    body({
      k,
      wide: 1,
      each,
      fold: (from, ways, step, how) => {
        const accs = Array.from({ length: ways }, () => k.var(konst(vtype(base, l), from)));
        const rest = l === 1 ? must(accs[0]) : k.var(konst(vtype(base), from));
        each(ways, (idx, at, way) => {
          const acc = at === l ? must(accs[way]) : rest;
          k.set(acc, step(acc, idx, at));
        });
        const all = accs.reduce((p, q) => k.let(join2(how)(p, q)));
        if (l === 1) return all;
        if (how === 'add') return k.let(add(reduceLanes('add', all), rest));
        return Array.from({ length: l }, (_, i) => k.let(lane(all, i))).reduce((p, q) => k.let(max(p, q)), rest);
      },
    });
  };
  const columns = (start: readonly Expr[], l: Lanes): void => {
    const down = w.inside.at(-1);
    const each: Group['each'] = (ways, visit) =>
      nest(k, w, w.inside.slice(0, -1), start, idx => {
        if (down === undefined) visit(idx, l, 0);
        else forTurns(k, must(w.dims[down]), ways, (way, i) => visit(withAt(idx, down, i), l, way));
      });
    body({
      k,
      wide: l,
      each,
      fold: (from, ways, step, how) => {
        const accs = Array.from({ length: down === undefined ? 1 : ways }, () => k.var(konst(vtype(base, l), from)));
        each(accs.length, (idx, _, way) => {
          const acc = must(accs[way]);
          k.set(acc, step(acc, idx, l));
        });
        return accs.reduce((p, q) => k.let(join2(how)(p, q)));
      },
    });
  };
  if (rowwise) nest(k, w, w.outside, noIndex(w), rows, parallel);
  else
    nest(
      k,
      w,
      w.outside.filter(g => g !== last),
      noIndex(w),
      idx => {
        if (w.rank === 0) columns(idx, 1);
        else forBlocks(k, must(w.dims[last]), lanes, 1, (j, _, l) => columns(withAt(idx, last, j), l));
      },
      parallel,
    );
}
/** What belongs to a group, beside `l` of its elements. */
const beside = (v: Expr, l: Lanes): Expr => (v.t.lanes === l ? v : splat(v, l));
const baseOf = (dtype: Parameters<typeof regOf>[0]): 'f32' | 'f64' => (regOf(dtype) === 'f64' ? 'f64' : 'f32');

export function buildSoftmax(c: LowerCtx<{ readonly axis: number; readonly log: boolean }>): void {
  const { axis, log } = c.attrs;
  const source = c.need(0);
  const base = baseOf(source.dtype);
  const w = walkAxes(source, c.sink(0), [axis], 'full');
  const lanes = vectorLanes(c.profile, source.dtype, w.x);
  const computed = source.ref === undefined;
  const s = scratchOf(c, w, base, !w.inside.includes(w.rank - 1));
  c.kernel(log ? 'log_softmax' : 'softmax', k =>
    forGroups(k, w, base, lanes, s.apart, g => {
      const read = (idx: readonly Expr[], l: Lanes): Expr => (computed ? s.load(k, idx, l) : w.x.at(k, idx, l));
      const most = g.fold(
        -Infinity,
        WAYS,
        (acc, idx, l) => {
          const x = k.let(w.x.at(k, idx, l));
          if (computed) s.store(k, idx, x);
          return max(acc, x);
        },
        'max',
      );
      const sum = g.fold(
        0,
        1,
        (acc, idx, l) => {
          const e = k.let(math('exp', sub(read(idx, l), beside(most, l))));
          if (!log) s.store(k, idx, e);
          return add(acc, e);
        },
        'add',
      );
      if (log) {
        const shift = k.let(math('log', sum));
        g.each(1, (idx, l) => w.put(k, idx, sub(sub(read(idx, l), beside(most, l)), beside(shift, l))));
      } else {
        const scale = k.let(div(konst(sum.t, 1), sum));
        g.each(1, (idx, l) => w.put(k, idx, mul(s.load(k, idx, l), beside(scale, l))));
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
  const computed = source.ref === undefined;
  const s = computed ? scratchOf(c, w, base, !w.inside.includes(w.rank - 1)) : undefined;
  const count: Dim = dimProd(axes.map(a => must(source.dims[a])));
  c.kernel(center ? 'layer_norm' : 'rms_norm', k =>
    forGroups(k, w, base, lanes, s?.apart ?? true, g => {
      const n = k.let(splat(k.let(cast(vtype(base), k.dim(count))), g.wide));
      const first = (idx: readonly Expr[], l: Lanes): Expr => {
        const x = k.let(w.x.at(k, idx, l));
        s?.store(k, idx, x);
        return x;
      };
      const again = (idx: readonly Expr[], l: Lanes): Expr => s?.load(k, idx, l) ?? w.x.at(k, idx, l);
      const mean = center
        ? k.let(
            div(
              g.fold(0, WAYS, (acc, idx, l) => add(acc, first(idx, l)), 'add'),
              n,
            ),
          )
        : undefined;
      const centred = (x: Expr, l: Lanes): Expr => (mean ? sub(x, beside(mean, l)) : x);
      const squares = g.fold(
        0,
        WAYS,
        (acc, idx, l) => {
          const d = k.let(centred(mean ? again(idx, l) : first(idx, l), l));
          return add(acc, mul(d, d));
        },
        'add',
      );
      const scale = k.let(div(konst(n.t, 1), sqrt(add(div(squares, n), epsilon))));
      g.each(1, (idx, l) => w.put(k, idx, mul(centred(again(idx, l), l), beside(scale, l))));
    }),
  );
}
