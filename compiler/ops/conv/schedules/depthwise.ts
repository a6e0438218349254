/**
 * Depthwise convolution, channels last, one filter a channel.
 * ```
 * for n, for output row y, parallel:
 *   for x on the left border: pixel
 *   for 4 output pixels x .. x + 3 with their windows inside:
 *     for channel by lanes:
 *       acc[4] = 0                                      registers
 *       for ky of the rows inside the input:
 *         w[kx] = weights[ky, kx][channel ..]           all kx, unrolled, in registers
 *         each input of the row that the four windows use is loaded once: acc[p] += x * w[kx]
 *       y[x .. x + 3][channel ..] = epilogue(acc)
 *   for x on the right border: pixel
 * pixel: for channel by lanes: acc = 0; for ky, kx inside: acc += x * w; y = epilogue(acc)
 * ```
 */
import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimFloorDiv, dimMax, dimMin, dimSub, dimCeilDiv, dimProd, rangeOf, type Dim } from '../../../core/dim.ts';
import { fromTyped, typed, type Tensor } from '../../../core/tensor.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import { add, div, ge, int, konst, le, max, min, mul, sub, vtype, type Expr, type Lanes, type Num } from '../../../kernel/ir.ts';
import { forLanes } from '../../loops.ts';
import type { LowerCtx, SlotBuffer } from '../../lowering.ts';
import type { WindowAttrs } from '../../spatial.ts';
import { hasLargeEpilogue, mergeSink, type MergedSink } from '../../schedules/sink.ts';
import { arithOf, mulAdd, type Arith } from '../../schedules/tile.ts';

/** One filter a channel, channels last. */
interface DepthwiseShape {
  /** Batch and spatial sizes. */
  readonly out: readonly Dim[];
  readonly in: readonly Dim[];
  readonly channels: number;
  readonly kernel: readonly number[];
}
interface DepthwiseProblem {
  readonly s: DepthwiseShape;
  readonly a: WindowAttrs;
  readonly arith: Arith;
  readonly x: { readonly buffer: SlotBuffer; readonly strides: readonly Dim[] };
  readonly weights: SlotBuffer;
  readonly sink: MergedSink;
  /** Where a tile's sums go before one loop stores them, if the epilogue is large code. */
  readonly scratch: SlotBuffer | undefined;
}
/** Output pixels of a row that are computed together: their sums, the weights of a kernel row and an input fit the registers. */
const TILE = 4;

/** The rows of the kernel are a loop, so that its limits leave out rows outside of the input and the body stays short. */
export function lowerDepthwise(c: LowerCtx<WindowAttrs>, s: DepthwiseShape): void {
  const r = c.rows(0);
  const each = Array.from({ length: s.out.length + 1 }, (_, i) => [i]);
  const arith = arithOf(c.profile, 'f32');
  const sink = mergeSink(c.sink(0), each);
  const largeEpilogue = hasLargeEpilogue(sink, each.length, vtype('f32', arith.lanes));
  const j: DepthwiseProblem = {
    s,
    a: c.attrs,
    arith,
    scratch: largeEpilogue ? c.scratch('sums', 'f32', TILE * arith.lanes) : undefined,
    x: r,
    weights: c.weights('kernel', byChannel(must(c.constant(1)))),
    sink,
  };
  c.kernel('depthwise', k => outerAxes(k, j, [], int(0), []));
}
/** Weights [C, 1, …k] as [...k, C]. */
function byChannel(w: Tensor): Tensor {
  const channels = must(w.dims[0]);
  const from = typed(w);
  const taps = from.length / channels;
  const out = new Float32Array(from.length);
  for (let i = 0; i < channels; i++) for (let t = 0; t < taps; t++) out[t * channels + i] = Number(from[i * taps + t]);
  return fromTyped('f32', [taps, channels], out);
}

/** A window's rows along an outer axis: kernel elements lo..hi-1 meet the input. */
interface Span {
  readonly lo: Expr;
  readonly hi: Expr;
  /** Elements of the input and of the weights from one to the next. */
  readonly step: Dim;
  readonly weights: number;
}
/** Loops over batch and all spatial axes but the last. `at`: where kernel element 0 of the window lies in the input. */
function outerAxes(k: KernelBuilder, j: DepthwiseProblem, idx: readonly Expr[], at: Expr, spans: readonly Span[]): void {
  const axis = idx.length;
  const { s, a, x } = j;
  if (axis === s.out.length - 1) {
    row(k, j, idx, at, spans);
    return;
  }
  k.for(
    0,
    must(s.out[axis]),
    i => {
      const stride = k.dim(must(x.strides[axis]));
      if (axis === 0) {
        outerAxes(k, j, [i], k.let(mul(i, stride)), []);
        return;
      }
      const d = axis - 1;
      const start = k.let(sub(mul(i, must(a.strides[d])), k.dim(must(a.pads[d]))));
      const dilation = must(a.dilations[d]);
      const span: Span = {
        ...limits(k, j, d, start),
        step: mulDim(must(x.strides[axis]), dilation),
        weights: s.kernel.slice(d + 1).reduce((p, q) => p * q, s.channels),
      };
      outerAxes(k, j, [...idx, i], k.let(add(at, mul(start, stride))), [...spans, span]);
    },
    { parallel: true },
  );
}
const mulDim = (d: Dim, n: number): Dim => (n === 1 ? d : dimProd([d, n]));
/** The kernel elements along spatial axis d that meet the input, for a window that starts at `start`. */
function limits(k: KernelBuilder, j: DepthwiseProblem, d: number, start: Expr): { readonly lo: Expr; readonly hi: Expr } {
  const { s, a } = j;
  const n = must(s.kernel[d]);
  const dilation = must(a.dilations[d]);
  const nd = s.kernel.length;
  const up = (e: Expr): Expr => (dilation === 1 ? e : div(add(e, dilation - 1), dilation));
  const lo = a.pads[d] === 0 ? int(0) : k.let(up(max(sub(0, start), 0)));
  const hi = a.pads[d + nd] === 0 ? int(n) : k.let(min(up(max(sub(k.dim(must(s.in[d + 1])), start), 0)), n));
  return { lo, hi };
}

/** One row of output pixels: the left border, tiles, the right border. */
function row(k: KernelBuilder, j: DepthwiseProblem, idx: readonly Expr[], at: Expr, spans: readonly Span[]): void {
  const { s, a } = j;
  const d = s.kernel.length - 1;
  const [stride, dilation, before] = [must(a.strides[d]), must(a.dilations[d]), must(a.pads[d])];
  const width = must(s.out[d + 1]);
  // Pixels first..last-1 have their whole window inside.
  const first = dimMin(dimMax(dimCeilDiv(before, stride), 0), width);
  const room = dimSub(dimAdd(must(s.in[d + 1]), before), (must(s.kernel[d]) - 1) * dilation + 1);
  const last = dimMax(first, dimMin(width, dimAdd(dimFloorDiv(room, stride), 1)));
  const inside = dimSub(last, first);
  const borders = (from: Dim, to: Dim): void => {
    if (rangeOf(dimSub(to, from)).hi > 0) k.for(from, to, ox => border(k, j, idx, at, spans, ox));
  };
  const tiles = (): void => {
    const count = dimCeilDiv(inside, TILE);
    const exact = typeof inside === 'number' && inside % TILE === 0;
    k.for(0, count, t => {
      const begin = k.let(add(mul(t, TILE), k.dim(first)));
      const ox = exact ? begin : k.let(min(begin, k.dim(dimSub(last, TILE))));
      tile(k, j, idx, at, spans, ox, exact ? undefined : k.let(sub(begin, ox)));
    });
  };
  borders(0, first);
  const r = rangeOf(inside);
  if (r.lo >= TILE) tiles();
  else if (r.hi < TILE) borders(first, last);
  else k.if(ge(k.dim(inside), TILE), tiles, () => borders(first, last));
  borders(last, width);
}
/** A vector of channels of `TILE` neighbouring pixels from `ox` on; those before `skip` are known already. */
function tile(
  k: KernelBuilder,
  j: DepthwiseProblem,
  idx: readonly Expr[],
  at: Expr,
  spans: readonly Span[],
  ox: Expr,
  skip: Expr | undefined,
): void {
  const { s, a, x } = j;
  const d = s.kernel.length - 1;
  const [stride, dilation] = [must(a.strides[d]), must(a.dilations[d])];
  const pixel = must(x.strides[d + 1]);
  const start = k.let(add(at, mul(sub(mul(ox, stride), k.dim(must(a.pads[d]))), k.dim(pixel))));
  const taps = must(s.kernel[d]);
  channelBlocks(k, j, (channel, m) => {
    const acc = Array.from({ length: TILE }, () => k.var(konst(vtype('f32', m.lanes), 0)));
    rows(k, spans, start, channel, (from, weights) => {
      const w = Array.from({ length: taps }, (_, q) => k.let(k.load(j.weights, add(weights, q * s.channels), m.lanes)));
      // Each input once, for all pixels and kernel columns that need it.
      const uses = new Map<number, { readonly pixel: number; readonly tap: number }[]>();
      for (let p = 0; p < TILE; p++)
        for (let q = 0; q < taps; q++) {
          const offset = p * stride + q * dilation;
          const had = uses.get(offset);
          if (had) had.push({ pixel: p, tap: q });
          else uses.set(offset, [{ pixel: p, tap: q }]);
        }
      for (const [offset, us] of [...uses].sort((p, q) => p[0] - q[0])) {
        const v = k.let(k.load(x.buffer, add(from, mul(k.dim(pixel), offset)), m.lanes));
        for (const u of us) k.set(must(acc[u.pixel]), mulAdd(m, v, must(w[u.tap]), must(acc[u.pixel])));
      }
    });
    const { scratch } = j;
    if (scratch) {
      acc.forEach((v, p) => k.store(scratch, p * m.lanes, v));
      k.for(skip ?? 0, TILE, p => j.sink.store(k, [...idx, add(ox, p), channel], k.load(scratch, mul(p, m.lanes), m.lanes)));
      return;
    }
    acc.forEach((v, p) => {
      const put = (): void => j.sink.store(k, [...idx, add(ox, p), channel], v);
      if (skip === undefined || p === TILE - 1) put();
      else k.if(le(skip, p), put);
    });
  });
}
/** One pixel whose window may reach over the border. */
function border(k: KernelBuilder, j: DepthwiseProblem, idx: readonly Expr[], at: Expr, spans: readonly Span[], ox: Num): void {
  const { s, a, x } = j;
  const d = s.kernel.length - 1;
  const first = k.let(sub(mul(ox, must(a.strides[d])), k.dim(must(a.pads[d]))));
  const pixel = must(x.strides[d + 1]);
  const start = k.let(add(at, mul(first, k.dim(pixel))));
  const { lo, hi } = limits(k, j, d, first);
  channelBlocks(k, j, (channel, m) => {
    const acc = k.var(konst(vtype('f32', m.lanes), 0));
    rows(k, spans, start, channel, (from, weights) =>
      k.for(lo, hi, q => {
        const v = k.load(x.buffer, add(from, mul(mul(q, must(a.dilations[d])), k.dim(pixel))), m.lanes);
        k.set(acc, mulAdd(m, v, k.load(j.weights, add(weights, mul(q, s.channels)), m.lanes), acc));
      }),
    );
    j.sink.store(k, [...idx, ox, channel], acc);
  });
}
const channelBlocks = (k: KernelBuilder, j: DepthwiseProblem, body: (channel: Expr, m: Arith) => void): void =>
  forLanes(k, j.s.channels, j.arith.lanes, (channel, lanes: Lanes) =>
    body(channel, { ...j.arith, lanes, fma: j.arith.fma && lanes > 1 }),
  );
/** Loops over the kernel's outer axes; `body` gets where the row of inputs and of weights begins. */
function rows(
  k: KernelBuilder,
  spans: readonly Span[],
  start: Expr,
  channel: Expr,
  body: (from: Expr, weights: Expr) => void,
): void {
  const nest = (depth: number, from: Expr, weights: Expr): void => {
    const span = spans[depth];
    if (!span) body(from, weights);
    else k.for(span.lo, span.hi, i => nest(depth + 1, add(from, mul(i, k.dim(span.step))), add(weights, mul(i, span.weights))));
  };
  nest(0, k.let(add(start, channel)), channel);
}
