/**
 * Pools over windows. Those that overlap, and all in NCHW, are done by rows (`rows.ts`), the others window by window:
 * ```
 * for n, for y, for x, parallel:
 *   for channel by lanes:
 *     acc = lowest or 0
 *     for ky inside: for kx inside: acc = max(acc, x[..]) or acc + x[..]
 *     y[..] = epilogue(acc, divided by the count)
 * ```
 * MaxPoolIndices is scalar and keeps the position of the first maximum. MaxUnpool clears, then scatters in order.
 */
import { must } from '../../../core/diagnostic.ts';
import { dimHi, dimProd } from '../../../core/dim.ts';
import { limitsOf, regOf } from '../../../core/dtype.ts';
import { dimStrides } from '../../../core/shape.ts';
import {
  add,
  and,
  cast,
  eq,
  ge,
  gt,
  I32,
  int,
  isFloatBase,
  konst,
  lt,
  mul,
  ne,
  or,
  vtype,
  type Expr,
} from '../../../kernel/ir.ts';
import { forAll, forLanes, lanesOf } from '../../loops.ts';
import type { LowerCtx } from '../../lowering.ts';
import { vectorLanes } from '../../reduce/schedules/axis-walk.ts';
import { channelAxis, layoutShape, spatialAxes } from '../../spatial.ts';
import type { PoolAttrs } from '../windows.ts';
import { lowerRows, overlaps } from './rows.ts';
import { countOf, foldOf, forTaps, result, spanOf, type Pool, type PoolKind } from './window.ts';

export function lowerPool(c: LowerCtx<PoolAttrs>, kind: PoolKind): void {
  const [a, src, sink] = [c.attrs, c.need(0), c.sink(0)];
  const rank = src.dims.length;
  const axes = spatialAxes(a.layout, rank);
  const p: Pool = {
    c,
    a,
    kind,
    fold: foldOf(kind, sink.dtype),
    src,
    sink,
    base: regOf(sink.dtype),
    lanes: sink.vector ? vectorLanes(c.profile, sink.dtype, src) : 1,
    channels: must(src.dims[channelAxis(a.layout, rank)]),
    sizes: axes.map(x => must(src.dims[x])),
    outs: axes.map(x => must(sink.dims[x])),
  };
  if (a.layout === 'NCHW' || (overlaps(a) && src.canMerge(rank - 2) && sink.canMerge(rank - 2))) lowerRows(p);
  else lowerPixels(p);
}
/** One window at a time, by lanes of channels. */
function lowerPixels(p: Pool): void {
  const { c, a, fold, src, sink, base } = p;
  c.kernel('pool', k =>
    forAll(k, [must(sink.dims[0]), ...p.outs], idx => {
      const n = must(idx[0]);
      const place = idx.slice(1);
      const spans = place.map((o, i) => spanOf(k, a, i, o, must(p.sizes[i])));
      const count = countOf(k, p, spans);
      forLanes(k, p.channels, p.lanes, (channel, width) => {
        const acc = k.var(konst(vtype(base, width), fold.start));
        forTaps(k, spans, at => {
          k.set(acc, fold.take(k, acc, cast(acc.t, src.at(k, layoutShape(a.layout, n, channel, at), width))));
        });
        sink.store(k, layoutShape(a.layout, n, channel, place), result(p.kind, acc, count));
      });
    }),
  );
}

/** Maximum and its flat position; the first of equal ones wins. */
export function lowerMaxIndices(c: LowerCtx<PoolAttrs & { readonly columns: boolean }>): void {
  const a = c.attrs;
  const src = c.need(0);
  const [values, positions] = [c.sink(0), c.sink(1)];
  const reg = vtype(regOf(values.dtype));
  const sizes = src.dims.slice(2);
  const strides = a.columns ? dimStrides([...sizes].reverse()).reverse() : dimStrides(sizes);
  const plane = dimProd(sizes);
  c.kernel('maxpool', k =>
    forAll(k, values.dims, idx => {
      const spans = sizes.map((s, i) => spanOf(k, a, i, must(idx[i + 2]), s));
      const best = k.var(konst(reg, Number(limitsOf(values.dtype)[0])));
      const where = k.var(int(0));
      const none = k.var(int(1));
      forTaps(k, spans, at => {
        const v = k.let(cast(reg, src.at(k, [...idx.slice(0, 2), ...at])));
        const flat = at.reduce<Expr>((sum, p, i) => add(sum, mul(p, k.dim(must(strides[i])))), int(0));
        const better = isFloatBase(reg.base) ? or(gt(v, best), and(ne(v, v), eq(best, best))) : gt(v, best);
        k.if(or(better, none), () => {
          k.set(best, v);
          k.set(where, flat);
          k.set(none, int(0));
        });
      });
      const planeAt = mul(add(mul(must(idx[0]), k.dim(must(src.dims[1]))), must(idx[1])), k.dim(plane));
      values.store(k, idx, best);
      positions.store(k, idx, cast(vtype('i64'), add(planeAt, where)));
    }),
  );
}
/** Clears the output, then puts each element in its place; places outside are left out. */
export function lowerUnpool(c: LowerCtx<unknown>): void {
  const to = must(c.sink(0).ref).buffer;
  const [x, at] = [c.contiguous(0), c.contiguous(1)];
  const size = dimProd(must(c.out[0]).shape);
  const reg = regOf(to.dtype);
  if (dimHi(size) === 0) return;
  c.kernel('clear', k =>
    forLanes(k, size, reg === to.dtype ? lanesOf(c.profile) : 1, (i, l) => k.store(to, i, konst(vtype(reg, l), 0))),
  );
  c.kernel('unpool', k =>
    k.for(0, dimProd(x.dims), i => {
      const p = k.let(cast(I32, k.load(at.buffer, i)));
      k.if(and(ge(p, 0), lt(p, k.dim(size))), () => k.store(to, p, k.load(x.buffer, i)));
    }),
  );
}
