/**
 * Reads at places that come out of data. The taps of a place are shared by all channels.
 * ```
 * GridSample:      for n, for output place, parallel: taps = corners and weights of grid[n][place]
 *                    for channel: y[n][channel][place] = epilogue(sum of weight * x[n][channel][tap])         taps unrolled, scalar
 * DeformedColumns: the same for n, offset group, kernel element and output place, with mask
 * RoiAlign:        for roi, for bin y, for bin x, parallel: for sample y: for sample x: for channel: mean or max of 4 neighbours
 * RoiPool:         for roi, for bin y, for bin x, parallel: for channel: for y, x of the bin: max
 * ```
 */
import { must } from '../../../core/diagnostic.ts';
import type { Dim } from '../../../core/dim.ts';
import { regOf } from '../../../core/dtype.ts';
import { unflatten, type KernelBuilder } from '../../../kernel/builder.ts';
import {
  add,
  and,
  cast,
  ceil,
  clampInt,
  div,
  eq,
  F32,
  floor,
  ge,
  gt,
  I32,
  int,
  konst,
  le,
  lt,
  max,
  min,
  mul,
  nearest,
  ne,
  or,
  select,
  sub,
  vtype,
  within,
  type Expr,
  type Num,
  type VType,
} from '../../../kernel/ir.ts';
import { forAll } from '../../loops.ts';
import { greatest } from '../../elementwise/util.ts';
import type { LowerCtx, Source } from '../../lowering.ts';
import type { Steps } from '../../spatial.ts';
import type { Border, SampleMode } from '../sample-modes.ts';

/** One element of a sample along one axis: a safe index, its weight, and whether it counts (always: undefined). */
interface Tap {
  readonly at: Expr;
  readonly weight: Expr;
  readonly inside: Expr | undefined;
}
const real = (t: VType, x: Expr): Expr => cast(t, x);
/** The type that positions are computed in: that of the operand, at least f32. */
const floatOf = (x: Source): VType => (regOf(x.dtype) === 'f64' ? vtype('f64') : F32);

/** A position mirrored at both ends until it lies between them. */
function reflected(k: KernelBuilder, x: Expr, lo: Expr, hi: Expr): Expr {
  const range = k.let(sub(hi, lo));
  const below = k.let(lt(x, lo));
  const away = k.let(max(select(below, sub(lo, x), sub(x, hi)), konst(x.t, 0)));
  const flat = k.let(le(range, konst(x.t, 0)));
  const n = k.let(floor(div(away, select(flat, konst(x.t, 1), range))));
  const r = k.let(sub(away, mul(n, range)));
  const even = eq(sub(n, mul(floor(mul(n, konst(x.t, 0.5))), konst(x.t, 2))), konst(x.t, 0));
  const fromLow = eq(even, below);
  const mirrored = select(fromLow, add(lo, r), sub(hi, r));
  return k.let(select(flat, lo, select(le(away, konst(x.t, 0)), x, mirrored)));
}
const cubicFar = (x: Expr): Expr => {
  const c = (v: number): Expr => konst(x.t, v);
  return sub(mul(add(mul(sub(mul(c(-0.75), x), c(-3.75)), x), c(-6)), x), c(-3));
};
const cubicNear = (x: Expr): Expr => {
  const c = (v: number): Expr => konst(x.t, v);
  return add(mul(mul(sub(mul(c(1.25), x), c(2.25)), x), x), c(1));
};
/** The taps of a position in -1..1 along an axis of `size` elements. */
function gridTaps(k: KernelBuilder, position: Expr, size: Dim, mode: SampleMode, border: Border, corners: boolean): Tap[] {
  const t = position.t;
  const c = (v: number): Expr => konst(t, v);
  const n = k.let(real(t, k.dim(size)));
  const [lo, hi] = corners ? [c(0), k.let(sub(n, c(1)))] : [c(-0.5), k.let(sub(n, c(0.5)))];
  const shifted = add(position, c(1));
  const raw = corners ? mul(div(shifted, c(2)), sub(n, c(1))) : div(sub(mul(shifted, n), c(1)), c(2));
  let x = k.let(raw);
  x = k.let(select(eq(x, x), x, c(0)));
  if (mode === 'nearest') x = k.let(nearest(x));
  if (border === 'border') x = k.let(select(or(lt(x, lo), gt(x, hi)), max(min(x, sub(n, c(1))), c(0)), x));
  if (border === 'reflection') x = reflected(k, x, lo, hi);
  const last = sub(k.dim(size), 1);
  const tap = (i: Expr, weight: Expr): Tap => {
    if (border === 'zeros') return { at: k.let(clampInt(i, 0, last)), weight, inside: k.let(within(i, 0, k.dim(size))) };
    const at = border === 'border' ? i : cast(I32, reflected(k, k.let(real(t, i)), lo, hi));
    return { at: k.let(clampInt(at, 0, last)), weight, inside: undefined };
  };
  if (mode === 'nearest') return [tap(k.let(cast(I32, x)), c(1))];
  const below = k.let(floor(x));
  const first = k.let(cast(I32, below));
  const f = k.let(sub(x, below));
  if (mode === 'linear') return [tap(first, k.let(sub(c(1), f))), tap(k.let(add(first, 1)), f)];
  const weights = [cubicFar(k.let(add(f, c(1)))), cubicNear(f), cubicNear(k.let(sub(c(1), f))), cubicFar(k.let(sub(c(2), f)))];
  return weights.map((w, i) => tap(k.let(add(first, i - 1)), k.let(w)));
}
/** The sum over all combinations of taps; the weights are bound by `prepare`, so that channels share them. */
function prepare(k: KernelBuilder, axes: readonly (readonly Tap[])[]): readonly (Tap & { readonly place: readonly Expr[] })[] {
  let all: (Tap & { place: readonly Expr[] })[] = [];
  axes.forEach((taps, i) => {
    all =
      i === 0
        ? taps.map(t => ({ ...t, place: [t.at] }))
        : all.flatMap(a =>
            taps.map(t => ({
              at: t.at,
              place: [...a.place, t.at],
              weight: k.let(mul(a.weight, t.weight)),
              inside: a.inside && t.inside ? k.let(and(a.inside, t.inside)) : (a.inside ?? t.inside),
            })),
          );
  });
  return all;
}
function sampled(k: KernelBuilder, x: Source, head: readonly Num[], taps: ReturnType<typeof prepare>, t: VType): Expr {
  const terms = taps.map(p => {
    const v = real(t, x.at(k, [...head, ...p.place]));
    return mul(p.weight, p.inside ? select(p.inside, v, konst(t, 0)) : v);
  });
  return terms.reduce((a, b) => add(a, b));
}

export function lowerGridSample(
  c: LowerCtx<{ readonly mode: SampleMode; readonly border: Border; readonly alignCorners: boolean }>,
): void {
  const [x, grid] = [c.need(0), c.need(1)];
  const sink = c.sink(0);
  const sizes = x.dims.slice(2);
  const t = floatOf(grid);
  const value = vtype(regOf(sink.dtype));
  const { mode, border, alignCorners } = c.attrs;
  c.kernel('gridsample', k =>
    forAll(k, [must(sink.dims[0]), ...sink.dims.slice(2)], ([n = int(0), ...place]) => {
      const axes = sizes.map((s, i) => {
        const position = k.let(real(t, grid.at(k, [n, ...place, sizes.length - 1 - i])));
        return gridTaps(k, position, s, mode, border, alignCorners).map(p => ({ ...p, weight: k.let(real(value, p.weight)) }));
      });
      const taps = prepare(k, axes);
      k.for(0, must(sink.dims[1]), channel => sink.store(k, [n, channel, ...place], sampled(k, x, [n, channel], taps, value)));
    }),
  );
}

export function lowerDeformed(c: LowerCtx<Steps & { readonly kernel: readonly number[]; readonly offsetGroups: number }>): void {
  const [x, offset, mask] = [c.need(0), c.need(1), c.source(2)];
  const sink = c.sink(0);
  const { kernel, strides, dilations, pads, offsetGroups } = c.attrs;
  const sizes = x.dims.slice(2);
  const outs = offset.dims.slice(2);
  const nd = sizes.length;
  const t = vtype(regOf(sink.dtype));
  const size = kernel.reduce((a, b) => a * b, 1);
  const perGroup = (k: KernelBuilder): Expr => div(k.dim(must(x.dims[1])), offsetGroups);
  c.kernel('deform', k =>
    forAll(k, [must(x.dims[0]), offsetGroups, size, ...outs], ([n = int(0), g = int(0), e = int(0), ...place]) => {
      const j = unflatten(k, e, kernel);
      const first = k.let(add(mul(g, size), e));
      const axes = sizes.map((s, a): Tap[] => {
        const start = sub(add(mul(must(place[a]), must(strides[a])), mul(must(j[a]), must(dilations[a]))), k.dim(must(pads[a])));
        const move = real(t, offset.at(k, [n, add(mul(first, nd), a), ...place]));
        const p = k.let(add(real(t, start), move));
        const below = k.let(floor(p));
        const at = k.let(cast(I32, below));
        const f = k.let(sub(p, below));
        const tap = (i: Expr, weight: Expr): Tap => ({
          at: k.let(clampInt(i, 0, sub(k.dim(s), 1))),
          weight,
          inside: k.let(within(i, 0, k.dim(s))),
        });
        return [tap(at, k.let(sub(konst(t, 1), f))), tap(k.let(add(at, 1)), f)];
      });
      const taps = prepare(k, axes);
      const factor = mask ? k.let(real(t, mask.at(k, [n, first, ...place]))) : undefined;
      const flat = k.let(place.reduce<Expr>((sum, p, a) => add(mul(sum, k.dim(must(outs[a]))), p), int(0)));
      const count = k.let(perGroup(k));
      k.for(0, count, i => {
        const channel = k.let(add(mul(g, count), i));
        const v = sampled(k, x, [n, channel], taps, t);
        sink.store(k, [n, channel, e, flat], factor ? mul(factor, v) : v);
      });
    }),
  );
}

/** A position along an axis of n elements for RoiAlign: neighbours, and how far it is from the first. */
function roiAxis(
  k: KernelBuilder,
  v: Expr,
  n: Dim,
): { readonly lo: Expr; readonly hi: Expr; readonly f: Expr; readonly ok: Expr } {
  const t = v.t;
  const last = k.let(sub(k.dim(n), 1));
  const p = k.let(max(v, konst(t, 0)));
  const raw = k.let(cast(I32, p));
  const ends = k.let(ge(raw, last));
  const lo = k.let(clampInt(select(ends, last, raw), 0, last));
  return {
    lo,
    hi: k.let(min(add(lo, 1), last)),
    f: k.let(select(ends, konst(t, 0), sub(p, real(t, raw)))),
    ok: k.let(and(ge(v, konst(t, -1)), le(v, real(t, k.dim(n))))),
  };
}
export function lowerRoiAlign(
  c: LowerCtx<{
    readonly of: 'mean' | 'max';
    readonly height: number;
    readonly width: number;
    readonly samples: number;
    readonly scale: number;
    readonly halfPixel: boolean;
  }>,
): void {
  const [x, rois, batch] = [c.need(0), c.need(1), c.need(2)];
  const sink = c.sink(0);
  const { height, width, samples, scale, halfPixel, of } = c.attrs;
  const t = vtype(regOf(sink.dtype));
  const num = (v: number): Expr => konst(t, v);
  const [pictures, channels, h, w] = [must(x.dims[0]), must(x.dims[1]), must(x.dims[2]), must(x.dims[3])];
  const sums = c.scratch('sums', regOf(sink.dtype), channels);
  c.kernel('roialign', k =>
    forAll(k, [must(sink.dims[0]), height, width], ([r = int(0), ph = int(0), pw = int(0)]) => {
      const corner = (i: number): Expr => k.let(sub(mul(real(t, rois.at(k, [r, i])), num(scale)), num(halfPixel ? 0.5 : 0)));
      const [x0, y0, x1, y1] = [corner(0), corner(1), corner(2), corner(3)];
      const bin = (a: Expr, b: Expr, n: number): Expr => {
        const size = sub(b, a);
        return k.let(div(halfPixel ? size : max(size, num(1)), num(n)));
      };
      const [binH, binW] = [bin(y0, y1, height), bin(x0, x1, width)];
      const count = (b: Expr): Expr => (samples > 0 ? int(samples) : k.let(cast(I32, ceil(b))));
      const [nh, nw] = [count(binH), count(binW)];
      const picture = k.let(clampInt(cast(I32, batch.at(k, [r])), 0, sub(k.dim(pictures), 1)));
      const start = (at: Expr, p: Expr, b: Expr): Expr => k.let(add(at, mul(real(t, p), b)));
      const [sy, sx] = [start(y0, ph, binH), start(x0, pw, binW)];
      k.for(0, channels, channel => k.store(sums, channel, num(0)));
      const first = k.var(int(1));
      k.for(0, nh, iy =>
        k.for(0, nw, ix => {
          const place = (from: Expr, i: Expr, b: Expr, n: Expr): Expr =>
            k.let(add(from, div(mul(add(real(t, i), num(0.5)), b), real(t, n))));
          const a = roiAxis(k, place(sy, iy, binH, nh), h);
          const b = roiAxis(k, place(sx, ix, binW, nw), w);
          const ok = k.let(and(a.ok, b.ok));
          const [ga, gb] = [k.let(sub(num(1), a.f)), k.let(sub(num(1), b.f))];
          const corners = [
            { weight: k.let(mul(ga, gb)), y: a.lo, x: b.lo },
            { weight: k.let(mul(ga, b.f)), y: a.lo, x: b.hi },
            { weight: k.let(mul(a.f, gb)), y: a.hi, x: b.lo },
            { weight: k.let(mul(a.f, b.f)), y: a.hi, x: b.hi },
          ];
          k.for(0, channels, channel => {
            const parts = corners.map(p =>
              k.let(select(ok, mul(p.weight, real(t, x.at(k, [picture, channel, p.y, p.x]))), num(0))),
            );
            const had = k.let(k.load(sums, channel));
            const best = (): Expr => parts.reduce((p, q) => k.let(greatest(p, q)));
            const next =
              of === 'mean'
                ? add(
                    had,
                    parts.reduce((p, q) => add(p, q)),
                  )
                : best();
            k.store(sums, channel, of === 'mean' ? next : select(ne(first, 0), next, greatest(had, next)));
          });
          k.set(first, int(0));
        }),
      );
      const total = k.let(real(t, max(mul(nh, nw), 1)));
      k.for(0, channels, channel => {
        const sum = k.load(sums, channel);
        sink.store(k, [r, channel, ph, pw], of === 'mean' ? div(sum, total) : sum);
      });
    }),
  );
}
export function lowerRoiPool(c: LowerCtx<{ readonly height: number; readonly width: number; readonly scale: number }>): void {
  const [x, rois] = [c.need(0), c.need(1)];
  const sink = c.sink(0);
  const { height, width, scale } = c.attrs;
  const t = vtype(regOf(sink.dtype));
  const num = (v: number): Expr => konst(t, v);
  const [pictures, h, w] = [must(x.dims[0]), must(x.dims[2]), must(x.dims[3])];
  c.kernel('roipool', k =>
    forAll(k, [must(sink.dims[0]), height, width], ([r = int(0), ph = int(0), pw = int(0)]) => {
      const raw = (i: number): Expr => k.let(real(t, rois.at(k, [r, i])));
      // Halves are rounded away from zero.
      const corner = (i: number): Expr => {
        const v = k.let(mul(raw(i), num(scale)));
        return k.let(cast(I32, select(lt(v, num(0)), ceil(sub(v, num(0.5))), floor(add(v, num(0.5))))));
      };
      const [x0, y0, x1, y1] = [corner(1), corner(2), corner(3), corner(4)];
      const bin = (a: Expr, b: Expr, n: number): Expr => k.let(div(real(t, max(add(sub(b, a), 1), 1)), num(n)));
      const span = (p: Expr, b: Expr, start: Expr, n: Dim): readonly [Expr, Expr] => [
        k.let(clampInt(add(cast(I32, floor(mul(real(t, p), b))), start), 0, k.dim(n))),
        k.let(clampInt(add(cast(I32, ceil(mul(real(t, add(p, 1)), b))), start), 0, k.dim(n))),
      ];
      const [ya, yb] = span(ph, bin(y0, y1, height), y0, h);
      const [xa, xb] = span(pw, bin(x0, x1, width), x0, w);
      const picture = k.let(clampInt(cast(I32, raw(0)), 0, sub(k.dim(pictures), 1)));
      const empty = k.let(or(le(yb, ya), le(xb, xa)));
      k.for(0, must(sink.dims[1]), channel => {
        const best = k.var(select(empty, num(0), num(-Infinity)));
        k.for(ya, yb, y => k.for(xa, xb, xx => k.set(best, greatest(best, k.let(real(t, x.at(k, [picture, channel, y, xx])))))));
        sink.store(k, [r, channel, ph, pw], best);
      });
    }),
  );
}
