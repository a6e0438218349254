/**
 * Pools over windows.
 * ```
 * channels last, stride 1 along the last axis:          other layouts and strides:
 * for n, for y, parallel:                               for n (, channel), for y, for x, parallel:
 *   for x on the left border: window                      window
 *   for (x, channel) by lanes, windows inside:          window:
 *     acc = lowest or 0                                   for channel by lanes (channels last), or the one channel:
 *     for ky inside: for kx, unrolled up to 5:              acc = lowest or 0
 *       acc = max(acc, x[..]) or acc + x[..]                for ky inside: for kx inside: acc = max(acc, x[..]) or acc + x[..]
 *     y[..] = epilogue(acc, divided by the count)           y[..] = epilogue(acc, divided by the count)
 *   for x on the right border: window
 * ```
 * MaxPoolIndices is scalar and keeps the position of the first maximum. MaxUnpool clears, then scatters in order.
 */
import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimHi, dimMax, dimMin, dimMul, dimProd, dimSub, type Dim } from '../../../core/dim.ts';
import { limitsOf, regOf } from '../../../core/dtype.ts';
import { dimStrides } from '../../../core/shape.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import {
  abs,
  add,
  and,
  cast,
  div,
  ge,
  gt,
  I32,
  int,
  konst,
  lt,
  math,
  max,
  min,
  mul,
  or,
  select,
  splat,
  sqrt,
  sub,
  vtype,
  type Base,
  type Expr,
  type Lanes,
  type Num,
} from '../../../kernel/ir.ts';
import { forAll, forLanes, lanesOf } from '../../loops.ts';
import type { LowerCtx } from '../../lowering.ts';
import { channelAxis, layoutShape, spatialAxes } from '../../spatial.ts';
import type { PoolAttrs } from '../windows.ts';

type PoolKind =
  { readonly k: 'max' } | { readonly k: 'average'; readonly countPads: boolean } | { readonly k: 'norm'; readonly p: number };

/** The taps of a window along one axis that meet the input: kernel elements lo..hi-1, the first of them at `start`. */
interface Span {
  readonly lo: Expr;
  readonly hi: Expr;
  /** Where kernel element 0 lies. */
  readonly start: Expr;
  readonly dilation: number;
}
/** Windows that never reach over the border need no limits. */
function alwaysInside(a: PoolAttrs): boolean {
  return a.pads.every(p => p === 0) && !a.ceil;
}
const ceilDiv = (a: Expr, by: number): Expr => (by === 1 ? a : div(add(a, by - 1), by));
function spanOf(k: KernelBuilder, a: PoolAttrs, axis: number, o: Expr, size: Dim): Span {
  const start = k.let(sub(mul(o, must(a.strides[axis])), k.dim(must(a.pads[axis]))));
  const dilation = must(a.dilations[axis]);
  const n = must(a.kernel[axis]);
  if (alwaysInside(a)) return { lo: int(0), hi: int(n), start, dilation };
  return {
    lo: k.let(ceilDiv(max(sub(0, start), 0), dilation)),
    hi: k.let(min(ceilDiv(max(sub(k.dim(size), start), 0), dilation), n)),
    start,
    dilation,
  };
}
/** Calls `body` with the input position of each tap. */
function forTaps(k: KernelBuilder, spans: readonly Span[], body: (at: readonly Expr[]) => void): void {
  const nest = (at: readonly Expr[]): void => {
    const s = spans[at.length];
    if (!s) body(at);
    else k.for(s.lo, s.hi, j => nest([...at, k.let(add(s.start, mul(j, s.dilation)))]));
  };
  nest([]);
}

/** Where windows move by one pixel, pixels and channels of a row are one run, so that few channels fill the vectors too. */
export function lowerPool(c: LowerCtx<PoolAttrs>, kind: PoolKind): void {
  const a = c.attrs;
  const src = c.need(0);
  const sink = c.sink(0);
  const rank = src.dims.length;
  const axes = spatialAxes(a.layout, rank);
  const channels = must(src.dims[channelAxis(a.layout, rank)]);
  const last = a.layout === 'NHWC';
  const lanes: Lanes = last && src.vector && sink.vector && sink.dtype === 'f32' ? lanesOf(c.profile) : 1;
  const base = regOf(sink.dtype);
  const sizes = axes.map(x => must(src.dims[x]));
  const outs = axes.map(x => must(sink.dims[x]));
  /** One window at a place of the output, for all channels or the one that is given. */
  const pixel = (k: KernelBuilder, n: Expr, place: readonly Expr[], outer: readonly Span[], channel: Expr | undefined): void => {
    const d = outer.length;
    const spans = [...outer, spanOf(k, a, d, must(place[d]), must(sizes[d]))];
    const count = countOf(k, kind, a, spans, sizes, base);
    const window = (at: Expr, width: Lanes): void => {
      const acc = k.var(konst(vtype(base, width), kind.k === 'max' ? Number(limitsOf(sink.dtype)[0]) : 0));
      forTaps(k, spans, taps => {
        const v = cast(acc.t, src.at(k, layoutShape(a.layout, n, at, taps), width));
        k.set(acc, combine(k, kind, acc, v));
      });
      sink.store(k, layoutShape(a.layout, n, at, place), result(kind, acc, count));
    };
    if (channel) window(channel, 1);
    else forLanes(k, channels, lanes, window);
  };
  const run = lanes > 1 && a.strides.at(-1) === 1 && src.canMerge(rank - 2) && sink.canMerge(rank - 2);
  const groups = Array.from({ length: rank - 1 }, (_, i) => (i === rank - 2 ? [i, i + 1] : [i]));
  const [rowSource, rowSink] = run ? [src.merge(groups), sink.merge(groups)] : [src, sink];
  /** A row of windows that move by one pixel. */
  const row = (k: KernelBuilder, n: Expr, place: readonly Expr[], outer: readonly Span[]): void => {
    const d = outer.length;
    const [dilation, taps] = [must(a.dilations[d]), must(a.kernel[d])];
    const [before, width] = [must(a.pads[d]), must(outs[d])];
    const first = dimMin(dimMax(before, 0), width);
    const room = dimSub(dimAdd(must(sizes[d]), before), (taps - 1) * dilation);
    const end = dimMax(first, dimMin(width, room));
    const borders = (from: Dim, to: Dim): void => k.for(from, to, x => pixel(k, n, [...place, x], outer, undefined));
    borders(0, first);
    const inside: Span = { lo: int(0), hi: int(taps), start: int(0), dilation };
    const count = countOf(k, kind, a, [...outer, inside], sizes, base);
    const origin = k.let(k.dim(dimMul(dimSub(first, before), channels)));
    const to = k.let(k.dim(dimMul(first, channels)));
    forLanes(k, dimMul(dimSub(end, first), channels), lanes, (i, width_) => {
      const acc = k.var(konst(vtype(base, width_), kind.k === 'max' ? Number(limitsOf(sink.dtype)[0]) : 0));
      forTaps(k, outer, at => {
        const tap = (q: Num): void => {
          const v = rowSource.at(k, [n, ...at, add(add(origin, i), mul(mul(q, dilation), k.dim(channels)))], width_);
          k.set(acc, combine(k, kind, acc, cast(acc.t, v)));
        };
        if (taps <= 5) for (let q = 0; q < taps; q++) tap(q);
        else k.for(0, taps, tap);
      });
      rowSink.store(k, [n, ...place, add(to, i)], result(kind, acc, count));
    });
    borders(end, width);
  };
  const outer = [must(sink.dims[0]), ...(last ? [] : [channels]), ...(run ? outs.slice(0, -1) : outs)];
  c.kernel('pool', k =>
    forAll(k, outer, idx => {
      const n = must(idx[0]);
      const place = idx.slice(last ? 1 : 2);
      const spans = outs.slice(0, -1).map((_, i) => spanOf(k, a, i, must(place[i]), must(sizes[i])));
      if (run) row(k, n, place, spans);
      else pixel(k, n, place, spans, last ? undefined : must(idx[1]));
    }),
  );
}
/** What an average divides by. */
function countOf(
  k: KernelBuilder,
  kind: PoolKind,
  a: PoolAttrs,
  spans: readonly Span[],
  sizes: readonly Dim[],
  base: Base,
): Expr | undefined {
  return kind.k === 'average' ? k.let(cast(vtype(base), counted(k, a, spans, kind.countPads, sizes))) : undefined;
}
/** How many elements an average is over. */
function counted(k: KernelBuilder, a: PoolAttrs, spans: readonly Span[], pads: boolean, sizes: readonly Dim[]): Expr {
  const nd = spans.length;
  const each = spans.map((s, i) => {
    if (alwaysInside(a)) return int(must(a.kernel[i]));
    if (!pads) return max(sub(s.hi, s.lo), 0);
    const room = sub(k.dim(dimAdd(must(sizes[i]), must(a.pads[i + nd]))), s.start);
    return min(ceilDiv(max(room, 0), s.dilation), must(a.kernel[i]));
  });
  return max(
    each.reduce((x, y) => mul(x, y)),
    1,
  );
}
function combine(k: KernelBuilder, kind: PoolKind, acc: Expr, v: Expr): Expr {
  switch (kind.k) {
    case 'max':
      return max(acc, v);
    case 'average':
      return add(acc, v);
    case 'norm': {
      const x = k.let(abs(v));
      let power = x;
      for (let i = 1; i < kind.p; i++) power = mul(power, x);
      return add(acc, power);
    }
  }
}
function result(kind: PoolKind, acc: Expr, count: Expr | undefined): Expr {
  switch (kind.k) {
    case 'max':
      return acc;
    case 'average':
      return div(acc, splat(must(count), acc.t.lanes));
    case 'norm': {
      if (kind.p === 1) return acc;
      if (kind.p === 2) return sqrt(acc);
      const root = math('exp', div(math('log', acc), konst(acc.t, kind.p)));
      return select(gt(acc, konst(acc.t, 0)), root, konst(acc.t, 0));
    }
  }
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
        k.if(or(gt(v, best), none), () => {
          k.set(best, max(v, best));
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
