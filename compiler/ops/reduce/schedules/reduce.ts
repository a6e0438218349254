/**
 * Reductions; axes of one kind are merged (`axis-walk.ts`).
 * ```
 * the last axis is reduced:                             the last axis is left:
 * for index of the axes left, parallel:                 for index of the other axes left, parallel:
 *   acc[4] = start                                        for j in the last axis by 4 vectors, then 1, then elements, parallel:
 *   for the outer reduced axes:                             acc[4] = start
 *     for i in the last axis by 4 vectors, 1, elements:     for the reduced axes: acc[u] = step(acc[u], x[i][j + u])
 *       acc[u] = step(acc[u], x[.. i + u ..])             (a single vector: 4 accumulators take turns over the innermost one)
 *   y = epilogue(fold of acc, then of its lanes)            y[j + u] = epilogue(acc[u])
 * ```
 * acc lies in vector registers. ArgReduce keeps a vector of best values and one of their places. Cumulative is a loop along its axis,
 * with vectors across where another axis is innermost. ReduceTo is scalar.
 */
import { must } from '../../../core/diagnostic.ts';
import { dimEq, dimFloorDiv, dimHi, dimMax, dimMul, dimProd, isMultiple, type Dim } from '../../../core/dim.ts';
import { isFloat, regOf, type DType, limitsOf } from '../../../core/dtype.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import {
  add,
  and,
  cast,
  div,
  eq,
  ge,
  gt,
  int,
  konst,
  lane,
  le,
  lt,
  min,
  mul,
  ne,
  or,
  reduceLanes,
  select,
  sub,
  vec,
  vtype,
  type Expr,
  type Lanes,
} from '../../../kernel/ir.ts';
import { wrapNarrow } from '../../elementwise/op.ts';
import { greatest, least, perLane } from '../../elementwise/util.ts';
import type { LowerCtx, SlotBuffer } from '../../lowering.ts';
import { forAll, inOrder } from '../../loops.ts';
import { forBlocks, forAccumulators, nest, noIndex, vectorLanes, walkAxes, withAt, type AxisWalk } from './axis-walk.ts';
import type { Reduction } from '../axes.ts';

/** Accumulators in flight: enough to hide the latency of an addition. */
const WAYS = 4;

interface Fold {
  readonly start: number | bigint;
  /** `x` is bound. */
  step(acc: Expr, x: Expr): Expr;
}
function foldOf(of: Reduction, dtype: DType): Fold {
  const [lowest, highest] = limitsOf(dtype);
  switch (of) {
    case 'sum':
    case 'mean':
      return { start: 0, step: add };
    case 'prod':
      return { start: 1, step: mul };
    case 'max':
      return { start: lowest, step: greatest };
    case 'min':
      return { start: highest, step: least };
  }
}
/** Folds accumulators, then their lanes. */
function collapse(k: KernelBuilder, f: Fold, of: Reduction, accs: readonly Expr[]): Expr {
  const one = accs.reduce((a, b) => k.let(f.step(a, b)));
  if (one.t.lanes === 1) return one;
  if (of === 'sum' || of === 'mean') return reduceLanes('add', one);
  return Array.from({ length: one.t.lanes }, (_, i) => k.let(lane(one, i))).reduce((a, b) => k.let(f.step(a, b)));
}
/** What is stored from what was folded. */
function finish(k: KernelBuilder, of: Reduction, dtype: DType, total: Expr, count: Dim): Expr {
  if (of !== 'mean') return wrapNarrow(dtype, total);
  const n = k.let(cast(vtype(total.t.base), k.dim(count)));
  if (isFloat(dtype)) return div(total, total.t.lanes === 1 ? n : { k: 'splat', t: total.t, a: n });
  const by = k.let(select(eq(n, 0), 1, n));
  return wrapNarrow(
    dtype,
    perLane([total], ([t]) => div(must(t), by)),
  );
}

/** Sum, mean, product, maximum or minimum. */
export function buildReduce(
  c: LowerCtx<{ readonly of: Reduction; readonly axes: readonly number[]; readonly keep: boolean }>,
): void {
  const { of, axes, keep } = c.attrs;
  const source = c.need(0);
  const w = walkAxes(source, c.sink(0), axes, keep ? 'keep' : 'drop');
  const dtype = source.dtype;
  const f = foldOf(of, dtype);
  const lanes = vectorLanes(c.profile, dtype, w.x);
  const count = dimProd(axes.map(a => must(source.dims[a])));
  const done = (k: KernelBuilder, idx: readonly Expr[], total: Expr): void =>
    w.store(k, idx, finish(k, of, dtype, k.let(total), count));
  c.kernel(`reduce_${of}`, k => {
    if (w.rank === 0) done(k, [], w.x.at(k, []));
    else if (w.inside.includes(w.rank - 1)) reduceRows(k, w, f, of, regOf(dtype), lanes, done);
    else reduceColumns(k, w, f, regOf(dtype), lanes, done);
  });
}
type Done = (k: KernelBuilder, idx: readonly Expr[], total: Expr) => void;

/** The last axes are taken together: vectors along them. */
function reduceRows(
  k: KernelBuilder,
  w: AxisWalk,
  f: Fold,
  of: Reduction,
  base: Expr['t']['base'],
  wide: Lanes,
  done: Done,
): void {
  const last = w.rank - 1;
  const n = must(w.dims[last]);
  const lanes = typeof n === 'number' && n < wide ? 1 : wide;
  const ways = typeof n === 'number' ? Math.max(1, Math.min(WAYS, Math.floor(n / lanes))) : WAYS;
  nest(
    k,
    w,
    w.outside,
    noIndex(w),
    out => {
      const accs = Array.from({ length: ways }, () => k.var(konst(vtype(base, lanes), f.start)));
      const rest = lanes === 1 ? accs : [k.var(konst(vtype(base), f.start))];
      nest(
        k,
        w,
        w.inside.filter(g => g !== last),
        out,
        idx =>
          forBlocks(k, n, lanes, ways, (i, vectors, l) => {
            const to = l === lanes ? accs : rest;
            for (let u = 0; u < vectors; u++) {
              const acc = must(to[u]);
              k.set(acc, f.step(acc, k.let(w.x.at(k, withAt(idx, last, add(i, u * l)), l))));
            }
          }),
      );
      const total = collapse(k, f, of, accs);
      done(k, out, lanes === 1 ? total : f.step(k.let(total), must(rest[0])));
    },
    true,
  );
}
/** The last axis is left: vectors along it, each walks down all rows. */
function reduceColumns(k: KernelBuilder, w: AxisWalk, f: Fold, base: Expr['t']['base'], lanes: Lanes, done: Done): void {
  const last = w.rank - 1;
  const rows = w.inside.at(-1);
  const columns = (start: readonly Expr[], vectors: number, l: Lanes): void => {
    const at = (idx: readonly Expr[], u: number): readonly Expr[] => withAt(idx, last, add(must(start[last]), u * l));
    const ways = vectors > 1 || rows === undefined ? 1 : WAYS;
    const accs = Array.from({ length: vectors * ways }, () => k.var(konst(vtype(base, l), f.start)));
    nest(k, w, w.inside.slice(0, -1), start, idx =>
      forAccumulators(k, rows === undefined ? 1 : must(w.dims[rows]), ways, (turn, i) => {
        const row = rows === undefined ? idx : withAt(idx, rows, i);
        for (let u = 0; u < vectors; u++) {
          const acc = must(accs[u + turn]);
          k.set(acc, f.step(acc, k.let(w.x.at(k, at(row, u), l))));
        }
      }),
    );
    if (vectors > 1) accs.forEach((total, u) => done(k, at(start, u), total));
    else
      done(
        k,
        start,
        accs.reduce((p, q) => k.let(f.step(p, q))),
      );
  };
  nest(
    k,
    w,
    w.outside.filter(g => g !== last),
    noIndex(w),
    idx =>
      forBlocks(k, must(w.dims[last]), lanes, WAYS, (j, vectors, l) => columns(withAt(idx, last, j), vectors, l), {
        parallel: true,
      }),
    true,
  );
}

/** A reduction over axes that come out when the model runs: an axis is walked either by the result or inside. */
export function buildReduceTo(c: LowerCtx<{ readonly of: Reduction; readonly shape: readonly Dim[] }>): void {
  const { of, shape } = c.attrs;
  const x = c.need(0);
  const y = c.sink(0);
  const f = foldOf(of, x.dtype);
  const inside = x.dims.map((d, i) => (dimEq(d, must(shape[i])) ? 1 : dimFloorDiv(d, dimMax(must(shape[i]), 1))));
  c.kernel(`reduce_${of}_to`, k =>
    forAll(k, shape, idx => {
      const total = k.var(konst(vtype(regOf(x.dtype)), f.start));
      inOrder(k, inside, at =>
        k.set(
          total,
          f.step(
            total,
            k.let(
              x.at(
                k,
                idx.map((i, a) => add(i, must(at[a]))),
              ),
            ),
          ),
        ),
      );
      y.store(k, idx, finish(k, of, x.dtype, total, dimProd(inside)));
    }),
  );
}

/** Index of the greatest or least element along an axis. */
export function buildArgReduce(
  c: LowerCtx<{ readonly of: 'max' | 'min'; readonly axis: number; readonly keep: boolean; readonly last: boolean }>,
): void {
  const { of, axis, keep, last } = c.attrs;
  const source = c.need(0);
  const w = walkAxes(source, c.sink(0), [axis], keep ? 'keep' : 'drop');
  const dtype = source.dtype;
  const base = regOf(dtype);
  const lanes = vectorLanes(c.profile, dtype, w.x);
  const start = of === 'max' ? limitsOf(dtype)[0] : limitsOf(dtype)[1];
  const float = isFloat(dtype);
  /** NaN wins over all numbers, as in NumPy. */
  const isBetter = (x: Expr, best: Expr): Expr => {
    const better = of === 'max' ? gt(x, best) : lt(x, best);
    return float ? or(better, and(ne(x, x), eq(best, best))) : better;
  };
  const isEqual = (x: Expr, best: Expr): Expr => (float ? or(eq(x, best), and(ne(x, x), ne(best, best))) : eq(x, best));
  /** Whether x, which comes later, wins: of equals the first does, or the last. */
  const beats = (x: Expr, best: Expr): Expr => {
    if (!last) return isBetter(x, best);
    const asGood = of === 'max' ? ge(x, best) : le(x, best);
    return float ? or(asGood, ne(x, x)) : asGood;
  };
  // An axis of size 1 may have been merged away.
  const g = w.inside[0] ?? -1;
  const n = w.dims[g] ?? 1;
  const put = (k: KernelBuilder, idx: readonly Expr[], at: Expr): void => w.store(k, idx, cast(vtype('i64'), at));
  /** Takes x at place `at` where it beats the best so far. */
  const take = (k: KernelBuilder, best: Expr, where: Expr, x: Expr, at: Expr): void => {
    const wins = k.let(beats(x, best));
    k.set(best, select(wins, x, best));
    k.set(where, select(wins, at, where));
  };
  const fresh = (k: KernelBuilder, l: Lanes): readonly [Expr, Expr] => [
    k.var(konst(vtype(base, l), start)),
    k.var(konst(vtype('i32', l), 0)),
  ];
  const rows = (k: KernelBuilder): void => {
    const l = typeof n === 'number' && n < 2 * lanes ? 1 : lanes;
    nest(
      k,
      w,
      w.outside,
      noIndex(w),
      idx => {
        const [best, where] = fresh(k, l);
        const counter = l === 1 ? undefined : k.var(vec(Array.from({ length: l }, (_, i) => int(i))));
        let [b, at] = [best, where];
        const scalars = (): void => {
          if (l === 1) return;
          b = k.var(lane(best, 0));
          at = k.var(lane(where, 0));
          for (let i = 1; i < l; i++) {
            const x = k.let(lane(best, i));
            const j = k.let(lane(where, i));
            // Lanes hold different places: of equals the first wins, or the last.
            const tie = and(isEqual(x, b), last ? gt(j, at) : lt(j, at));
            const wins = k.let(or(isBetter(x, b), tie));
            k.set(b, select(wins, x, b));
            k.set(at, select(wins, j, at));
          }
        };
        const main = dimMul(dimFloorDiv(n, l), l);
        k.for(
          0,
          main,
          i => {
            take(k, best, where, k.let(w.x.at(k, withAt(idx, g, i), l)), counter ?? i);
            if (counter) k.set(counter, add(counter, konst(counter.t, l)));
          },
          { step: l },
        );
        scalars();
        if (!isMultiple(n, l)) k.for(main, n, i => take(k, b, at, k.let(w.x.at(k, withAt(idx, g, i))), i));
        put(k, idx, at);
      },
      true,
    );
  };
  const columns = (k: KernelBuilder): void => {
    const inner = w.rank - 1;
    nest(
      k,
      w,
      w.outside.filter(o => o !== inner),
      noIndex(w),
      idx =>
        forBlocks(
          k,
          must(w.dims[inner]),
          lanes,
          1,
          (j, _, l) => {
            const [best, where] = fresh(k, l);
            k.for(0, n, i => {
              const x = k.let(w.x.at(k, withAt(withAt(idx, inner, j), g, i), l));
              take(k, best, where, x, l === 1 ? i : { k: 'splat', t: vtype('i32', l), a: i });
            });
            for (let u = 0; u < l; u++) put(k, withAt(idx, inner, add(j, u)), lane(where, u));
          },
          { parallel: true },
        ),
      true,
    );
  };
  c.kernel(`arg${of}`, k => (g === w.rank - 1 ? rows(k) : columns(k)));
}

/** Vectors of a line of the cache, which is read as a whole wherever a step along an outer axis leads. */
const LINE = 4;
/** Neighbours whose running sums are kept in memory: few enough for the first cache, and much of a row. */
const CHUNK = 512;
/**
 * Running sum or product.
 * ```
 * along the last axis:       one after the other
 * along another, parallel:   for chunk of neighbours: for i: for neighbour by lanes: sums[neighbour] += x[i][neighbour]    by rows, as they lie
 * of few neighbours:         for i: the sums stay in registers
 * ```
 */
export function buildCumulative(
  c: LowerCtx<{ readonly of: 'sum' | 'prod'; readonly axis: number; readonly exclusive: boolean; readonly reverse: boolean }>,
): void {
  const { of, axis, exclusive, reverse } = c.attrs;
  const source = c.need(0);
  const w = walkAxes(source, c.sink(0), [axis], 'full');
  const dtype = source.dtype;
  const f = foldOf(of, dtype);
  // An axis of size 1 may have been merged away.
  const g = w.inside[0] ?? -1;
  const n = w.dims[g] ?? 1;
  const inner = w.rank - 1;
  /** Sums of `vectors` neighbours of `l` lanes, in step. */
  const run = (k: KernelBuilder, idx: readonly Expr[], vectors: number, l: Lanes): void => {
    const sums = Array.from({ length: vectors }, () => k.var(konst(vtype(regOf(dtype), l), f.start)));
    k.for(0, n, i => {
      const at = withAt(idx, g, reverse ? k.let(sub(sub(k.dim(n), 1), i)) : i);
      sums.forEach((acc, v) => {
        const place = v === 0 ? at : withAt(at, inner, add(must(at[inner]), v * l));
        const next = k.let(f.step(acc, k.let(w.x.at(k, place, l))));
        w.store(k, place, k.let(wrapNarrow(dtype, exclusive ? acc : next)));
        k.set(acc, next);
      });
    });
  };
  const lanes = vectorLanes(c.profile, dtype, w.x);
  const neighbours = must(w.dims[inner]);
  const sums = g !== inner && dimHi(neighbours) > LINE * lanes ? c.scratch('sums', regOf(dtype), CHUNK) : undefined;
  const chunk = (k: KernelBuilder, idx: readonly Expr[], j: Expr, memory: SlotBuffer): void => {
    const count = k.let(min(sub(k.dim(neighbours), j), CHUNK));
    const whole = lanes === 1 ? count : k.let(and(count, -lanes));
    const each = (body: (v: Expr, l: Lanes) => void): void => {
      k.for(0, whole, v => body(v, lanes), { step: lanes });
      if (!isMultiple(neighbours, lanes)) k.for(whole, count, v => body(v, 1));
    };
    each((v, l) => k.store(memory, v, konst(vtype(regOf(dtype), l), f.start)));
    k.for(0, n, i => {
      const row = withAt(idx, g, reverse ? k.let(sub(sub(k.dim(n), 1), i)) : i);
      each((v, l) => {
        const at = withAt(row, inner, k.let(add(j, v)));
        const acc = k.let(k.load(memory, v, l));
        const next = k.let(f.step(acc, k.let(w.x.at(k, at, l))));
        w.store(k, at, k.let(wrapNarrow(dtype, exclusive ? acc : next)));
        k.store(memory, v, next);
      });
    });
  };
  c.kernel(`cumulative_${of}`, k =>
    nest(
      k,
      w,
      w.outside.filter(o => o !== inner),
      noIndex(w),
      idx => {
        if (g === inner) run(k, idx, 1, 1);
        else if (sums) k.for(0, neighbours, j => chunk(k, idx, j, sums), { step: CHUNK, parallel: true });
        else forBlocks(k, neighbours, lanes, LINE, (j, m, l) => run(k, withAt(idx, inner, j), m, l), { parallel: true });
      },
      true,
    ),
  );
}
