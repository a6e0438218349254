/**
 * Winograd's F(4, 3) (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2015), in chunks of tiles that stay in the cache:
 * ```
 * for chunk of tiles, parallel:                         with a single chunk, the loops inside are parallel instead
 *   for tile: for channel by lanes:                     V = Bt d B, two passes of 6 by way of 36 vectors in scratch
 *     inputs[36][tile][channel] = transform of the 6 x 6 inputs
 *   for point in 0..36: for group:                      gemm.ts, U as `transformedWeights` leaves it
 *     products[point][tile][out] = inputs[point][tile][channel] U[point][group][channel][out]
 *   for tile: for out channel by lanes:                 At m A, as above
 *     y[4 x 4 pixels][out] = epilogue(transform of products[36][tile][out])
 * ```
 * Kernels of three along one axis have 6 points.
 */
import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimCeilDiv, dimHi, dimMin, dimMul, dimProd, dimSub, isMultiple, symbol, type Dim } from '../../../core/dim.ts';
import { dimStrides } from '../../../core/shape.ts';
import { fromTyped, typed } from '../../../core/tensor.ts';
import { unflatten, type KernelBuilder } from '../../../kernel/builder.ts';
import { add, cast, int, konst, lt, mul, splat, sub, vtype, type Expr, type Lanes, type Num } from '../../../kernel/ir.ts';
import { forLanes, lanesOf } from '../../loops.ts';
import type { LowerCtx, SlotBuffer } from '../../lowering.ts';
import type { WindowAttrs } from '../../spatial.ts';
import { blockSize, packedPanels, packedSize, gemm, type Panels, type GemmProblem } from '../../schedules/gemm.ts';
import { choosePanels } from '../../schedules/blocks.ts';
import { packConstant } from '../../schedules/pack.ts';
import { padInto } from './pad.ts';
import { hasLargeEpilogue, mergeSink, type MergedSink } from '../../schedules/sink.ts';
import { arithOf, mulAdd, type Arith } from '../../schedules/tile.ts';

/**
 * Four outputs of a kernel of three from six inputs take 6 products instead of 12 along one axis, 36 instead of 144 along two. A dilated
 * kernel works on each of the interleaved pictures alone.
 */
const OUT = 4;
const IN = OUT + 2;
/**
 * The transform evaluates polynomials at 0, ±A, ±B and infinity. These points balance the powers of both around 1, which makes the error a
 * third of that of the customary ±1, ±2 (with 64 channels 6e-7 of the root mean square instead of 1.8e-6; a direct sum has 3e-7). All
 * factors are exact.
 */
const A = 3 / 4;
const B = 3 / 2;
const [AA, BB] = [A * A, B * B];

/** A convolution with stride 1 and channels last over one or two spatial axes. */
interface WinogradShape {
  /** Batch and spatial sizes of the output. */
  readonly out: readonly Dim[];
  readonly channels: number;
  readonly outs: number;
  readonly group: number;
  readonly kernel: readonly number[];
  readonly dilations: readonly number[];
}
/** How one spatial axis is cut: an axis with a kernel of one stays as it is. */
interface Axis {
  readonly size: Dim;
  /** Outputs and inputs of a tile. */
  readonly out: number;
  readonly in: number;
  readonly dilation: number;
  /** Tiles of each interleaved picture. */
  readonly tiles: Dim;
  /** Inputs that the tiles reach over. */
  readonly reach: Dim;
}
function axisOf(size: Dim, kernel: number, dilation: number): Axis {
  if (kernel === 1) return { size, out: 1, in: 1, dilation: 1, tiles: size, reach: size };
  const tiles = dimCeilDiv(size, OUT * dilation);
  return { size, out: OUT, in: IN, dilation, tiles, reach: dimMul(dilation, dimAdd(dimMul(OUT, tiles), 2)) };
}
/** Rows and columns; a signal is a picture of one row. */
function axesOf(s: WinogradShape): readonly [Axis, Axis] {
  const all = s.kernel.map((n, i) => axisOf(must(s.out[i + 1]), n, must(s.dilations[i])));
  const [first, second] = all;
  return second ? [must(first), second] : [axisOf(1, 1, 1), must(first)];
}
const tileCount = (s: WinogradShape): Dim => dimProd([must(s.out[0]), ...axesOf(s).map(a => dimMul(a.dilation, a.tiles))]);
/** Products of the transformed kernel, in proportion to those of the kernel itself. */
function proportion(s: WinogradShape): number {
  return axesOf(s).reduce((p, a) => {
    const outs = Math.max(1, dimHi(a.size));
    return a.out === 1 ? p : (p * a.dilation * dimHi(a.tiles) * IN) / (3 * outs);
  }, 1);
}
/** Kernels of three along an axis or two. */
export const isWinograd = (kernel: readonly number[]): boolean =>
  kernel.length <= 2 && kernel.every(n => n === 1 || n === 3) && kernel.includes(3);
/** Of these, where the transforms, and weights up to four times as large, are worth it. */
export function paysWinograd(s: WinogradShape): boolean {
  if ((s.channels / s.group) * s.outs > 1 << 15 || proportion(s) > 0.67) return false;
  // The transforms take as long for each group, and its products, of few channels, are less to save.
  if (s.group > 1 && (s.channels / s.group < 12 || s.outs / s.group < 8)) return false;
  const both = s.kernel.every(n => n === 3);
  return both
    ? s.channels >= 16 && s.outs >= 8 && dimHi(tileCount(s)) >= 12
    : s.channels >= 24 && s.outs >= 24 && dimHi(tileCount(s)) >= 8;
}

interface WinogradChunk {
  readonly s: WinogradShape;
  readonly arith: Arith;
  readonly rows: Axis;
  readonly columns: Axis;
  /** First tile of the chunk and how many there are. */
  readonly first: Dim;
  readonly count: Dim;
  /** Whether the loops over them may be shared by threads. */
  readonly parallel: boolean;
  readonly scratch: SlotBuffer;
  /** The epilogue is much code: the outputs of a line go through memory, and one loop stores them. */
  readonly largeEpilogue: boolean;
  readonly line: SlotBuffer;
  /** Transformed inputs [point][chunk][channels] and products [point][chunk][outs], and the distances between points. */
  readonly inputs: SlotBuffer;
  readonly inputStep: number;
  readonly products: SlotBuffer;
  readonly productStep: number;
}
/** Elements from one point to the next: an odd number of cache lines, so that the points do not fall on the same sets. */
const pointStep = (n: number): number => (Math.ceil(n / 16) | 1) * 16;

export function lowerWinograd(c: LowerCtx<WindowAttrs>, s: WinogradShape): void {
  const [rows, columns] = axesOf(s);
  const points = rows.in * columns.in;
  const total = tileCount(s);
  const arith = arithOf(c.profile, 'f32');
  const perTile = 4 * points * (s.channels + s.outs);
  const tilesIn = (share: number): number => 12 * Math.max(1, Math.round((share * c.profile.cache.l2) / perTile / 12));
  const sizesOfChunks = [0.6, 0.3, 1.2].map(tilesIn).filter(n => n === tilesIn(0.6) || n <= dimHi(total));
  const most = c.choose('tiles', Object.fromEntries(sizesOfChunks.map(n => [String(n), n])), String(tilesIn(0.6)));
  const chunk = typeof total === 'number' ? Math.min(total, most) : most;
  const chunks = dimCeilDiv(total, chunk);
  // With the border, as large as the tiles need.
  const sizes = [must(s.out[0]), ...(s.kernel.length === 1 ? [columns.reach] : [rows.reach, columns.reach])];
  const whole = must(c.types[0]).shape.slice(0, -1);
  const fits = c.attrs.pads.every(p => p === 0) && sizes.every((n, i) => n === whole[i]);
  const x = fits ? c.contiguous(0).buffer : padInto(c, c.need(0), sizes, c.attrs.pads);
  const strides = dimStrides([...sizes, s.channels]);
  const [depth, outsPer] = [s.channels / s.group, s.outs / s.group];
  const p = choosePanels(c, outsPer, arith);
  const size = Number(packedSize(p, depth));
  const weights = transformedWeights(c, s, rows, columns, p);
  const scratch = c.scratch('tile', 'f32', points * arith.lanes);
  const edge = c.scratch('edge', 'f32', blockSize(p));
  const [inputStep, productStep] = [pointStep(chunk * s.channels), pointStep(chunk * s.outs)];
  // Several chunks may be done at the same time, each with memory of its own; a single one is shared by its kernels' loops.
  const parallel = chunks === 1;
  const memory = (name: string, size: number): SlotBuffer =>
    parallel ? c.temp(name, 'f32', size) : c.scratch(name, 'f32', size);
  const inputs = memory('tiles', points * inputStep);
  const products = memory('products', points * productStep);
  const sink = mergeSink(c.sink(0), s.out.map((_, i) => [i]).concat([[s.out.length]]));
  const largeEpilogue = hasLargeEpilogue(sink, s.out.length + 1, vtype('f32', arith.lanes));
  const line = c.scratch('line', 'f32', OUT * arith.lanes);
  const body = (at: Dim): void => {
    const first = dimMul(at, chunk);
    const count = isMultiple(total, chunk) ? chunk : dimMin(chunk, dimSub(total, first));
    const j: WinogradChunk = {
      s,
      arith,
      rows,
      columns,
      first,
      count,
      parallel,
      scratch,
      largeEpilogue,
      line,
      inputs,
      inputStep,
      products,
      productStep,
    };
    c.kernel('winograd_in', k => inputTiles(k, j, x, strides));
    c.kernel('winograd', k => {
      const at = (point: Expr, g: Expr): void => {
        const from = k.let(add(mul(point, inputStep), mul(g, depth)));
        const to = k.let(add(mul(point, productStep), mul(g, outsPer)));
        const job: GemmProblem = {
          arith,
          panels: p,
          a: {
            buffer: inputs,
            block: row => ({ at: k.let(add(from, mul(row, s.channels))), rows: { k: 'stride', stride: s.channels } }),
          },
          b: packedPanels(k, weights, k.let(mul(add(mul(point, s.group), g), size)), p, depth),
          reduction: [{ n: depth, stride: 1 }],
          scratch: edge,
          store: (row, column, v) => k.store(products, add(to, add(mul(row, s.outs), column)), v),
        };
        gemm(k, job, count, { k: 'rows' });
      };
      k.for(0, points, point => k.for(0, s.group, g => at(point, g)), { parallel });
    });
    c.kernel('winograd_out', k => outputTiles(k, j, sink));
  };
  if (chunks === 1) {
    body(0);
    return;
  }
  const at = symbol('winograd_chunk', 0, dimHi(chunks) - 1);
  c.parallelLoop(at, chunks, () => body(at));
}

/** The matrix G of an axis, a row a point. */
function pointsOf(axis: Axis): readonly (readonly number[])[] {
  const at = (x: number, scale: number): readonly number[] => [1 / scale, x / scale, (x * x) / scale];
  const [atA, atB] = [2 * AA * (AA - BB), 2 * BB * (BB - AA)];
  return axis.out === 1 ? [[1]] : [at(0, AA * BB), at(A, atA), at(-A, atA), at(B, atB), at(-B, atB), [0, 0, 1]];
}
/**
 * The weights [O, C, …k] as packed matrices [C x O], one for each point and group: U = G w Gᵀ, in doubles. Where the back end can, they are stored as
 * a matrix for each element of the kernel, and this is done when the model is loaded, with the same bits: that is up to four times as small.
 */
function transformedWeights(c: LowerCtx<WindowAttrs>, s: WinogradShape, rows: Axis, columns: Axis, p: Panels): SlotBuffer {
  const [gy, gx] = [pointsOf(rows), pointsOf(columns)];
  const [ky, kx] = [must(gy[0]).length, must(gx[0]).length];
  const [depth, outsPer] = [s.channels / s.group, s.outs / s.group];
  const matrices = Array.from({ length: ky * kx * s.group }, (_, i) => ({
    offset: Math.floor(i / s.group) + (i % s.group) * outsPer * depth * ky * kx,
    kStride: ky * kx,
    columnStride: depth * ky * kx,
  }));
  const packed = packConstant(must(c.constant(1)), matrices, depth, p);
  const size = s.group * Number(packedSize(p, depth));
  const points = rows.in * columns.in;
  if (!c.prepares) {
    const w = typed(packed);
    const out = new Float32Array(points * size);
    for (let i = 0; i < size; i++)
      gy.forEach((fy, row) => {
        const t = Array.from({ length: kx }, (_, x) => dot(fy, y => Number(w[(y * kx + x) * size + i])));
        gx.forEach((fx, column) => {
          out[(row * columns.in + column) * size + i] = dot(fx, x => must(t[x]));
        });
      });
    return c.weights('winograd', fromTyped('f32', [out.length], out));
  }
  const table = (name: string, g: readonly (readonly number[])[]): SlotBuffer =>
    c.weights(name, fromTyped('f64', [g.length * must(g[0]).length], Float64Array.from(g.flat())));
  const [w, fy, fx] = [c.weights('kernels', packed), table('winograd_rows', gy), table('winograd_columns', gx)];
  return c.prepared('winograd', 'f32', points * size, (k, to) => {
    const n = k.param(size);
    const sum = (terms: readonly Expr[]): Expr => k.let(terms.reduce((a, b) => add(a, b)));
    /** The points of `count` elements from `i` on. A row of points at a time: all of them would be more lines than the cache has for one address. */
    const transform = (i: Expr, count: number, lanes: Lanes): void => {
      const factor = (f: SlotBuffer, at: Expr): Expr => (lanes === 1 ? k.load(f, at) : splat(k.load(f, at), lanes));
      k.for(0, rows.in, row => {
        const f = Array.from({ length: ky }, (_, y) => k.let(factor(fy, add(mul(row, ky), y))));
        k.for(
          0,
          count,
          part => {
            const at = k.let(add(i, part));
            const tap = (e: number): Expr => cast(vtype('f64', lanes), k.load(w, add(at, mul(e, n)), lanes));
            const t = Array.from({ length: kx }, (_, x) => sum(f.map((v, y) => mul(v, tap(y * kx + x)))));
            k.for(0, columns.in, column => {
              const u = sum(t.map((v, x) => mul(factor(fx, add(mul(column, kx), x)), v)));
              k.store(to, add(at, mul(add(mul(row, columns.in), column), n)), cast(vtype('f32', lanes), u));
            });
          },
          { step: lanes },
        );
      });
    };
    const lanes = Math.max(1, lanesOf(c.profile) / 2) as Lanes;
    const rest = size % LINE;
    const whole = rest === 0 ? n : k.param(size - rest);
    k.for(0, whole, i => transform(i, LINE, lanes), { step: LINE });
    if (rest > 0) k.for(whole, n, i => transform(i, 1, 1));
  });
}
/** Floats of a line of the cache. */
const LINE = 16;
/** The sum, in order, of the factors times what `of` gives for each. */
function dot(factors: readonly number[], of: (i: number) => number): number {
  let sum = must(factors[0]) * of(0);
  for (let i = 1; i < factors.length; i++) sum += must(factors[i]) * of(i);
  return sum;
}

/** Where a tile is: batch, and its first output row and column. */
interface TilePosition {
  readonly n: Expr;
  readonly y: Expr;
  readonly x: Expr;
}
/** Calls `body` for each tile of the chunk with its number there and its place. */
function forTiles(k: KernelBuilder, j: WinogradChunk, body: (t: Expr, place: TilePosition) => void): void {
  const { rows, columns, s } = j;
  const grid = [must(s.out[0]), rows.dilation, rows.tiles, columns.dilation, columns.tiles];
  const tile = (t: Expr): void => {
    const [n = int(0), py = int(0), ty = int(0), px = int(0), tx = int(0)] = unflatten(k, k.let(add(t, k.dim(j.first))), grid);
    body(t, {
      n,
      y: k.let(add(py, mul(ty, rows.out * rows.dilation))),
      x: k.let(add(px, mul(tx, columns.out * columns.dilation))),
    });
  };
  k.for(0, j.count, tile, { parallel: j.parallel });
}
const scaled = (f: number, v: Expr): Expr => mul(v, konst(v.t, f));
const timesBy =
  (m: Arith) =>
  (f: number, v: Expr, plus: Expr): Expr =>
    mulAdd(m, v, konst(v.t, f), plus);
/** One pass of the input transform over six values. */
function inputPass(k: KernelBuilder, m: Arith, d: readonly Expr[]): readonly Expr[] {
  const x = (i: number): Expr => must(d[i]);
  const times = timesBy(m);
  const a = k.let(times(-BB, x(2), x(4)));
  const b = k.let(times(-A * BB, x(1), scaled(A, x(3))));
  const c = k.let(times(-AA, x(2), x(4)));
  const e = k.let(times(-B * AA, x(1), scaled(B, x(3))));
  return [
    times(AA * BB, x(0), times(-AA - BB, x(2), x(4))),
    add(a, b),
    sub(a, b),
    add(c, e),
    sub(c, e),
    times(AA * BB, x(1), times(-AA - BB, x(3), x(5))),
  ];
}
/** One pass of the output transform: four values from six. */
function outputPass(k: KernelBuilder, m: Arith, d: readonly Expr[]): readonly Expr[] {
  const x = (i: number): Expr => must(d[i]);
  const times = timesBy(m);
  const a = k.let(add(x(1), x(2)));
  const b = k.let(sub(x(1), x(2)));
  const c = k.let(add(x(3), x(4)));
  const e = k.let(sub(x(3), x(4)));
  return [
    add(add(x(0), a), c),
    times(B, e, scaled(A, b)),
    times(BB, c, scaled(AA, a)),
    add(times(B * BB, e, scaled(A * AA, b)), x(5)),
  ];
}
const withLanes = (m: Arith, lanes: Lanes): Arith => ({ ...m, lanes, fma: m.fma && lanes > 1 });
const six = [0, 1, 2, 3, 4, 5];

/** Bᵀ d B of each tile: with two axes first along its columns into scratch, then along its rows. */
function inputTiles(k: KernelBuilder, j: WinogradChunk, x: SlotBuffer, strides: readonly Dim[]): void {
  const { s, scratch, rows, columns } = j;
  const row = k.dim(s.kernel.length === 1 ? 0 : dimMul(must(strides[1]), rows.dilation));
  const pixel = s.channels * columns.dilation;
  forTiles(k, j, (t, place) => {
    const corner = k.let(
      add(
        mul(place.n, k.dim(must(strides[0]))),
        add(s.kernel.length === 1 ? int(0) : mul(place.y, k.dim(must(strides[1]))), mul(place.x, s.channels)),
      ),
    );
    const to = k.let(mul(t, s.channels));
    forLanes(k, s.channels, j.arith.lanes, (channel, lanes) => {
      const m = withLanes(j.arith, lanes);
      const at = k.let(add(corner, channel));
      const into = k.let(add(to, channel));
      const put = (first: Expr, vs: readonly Expr[]): void =>
        vs.forEach((v, q) => k.store(j.inputs, add(first, q * j.inputStep), v));
      if (rows.out === 1 || columns.out === 1) {
        const d = six.map(i => k.let(k.load(x, add(at, rows.out === 1 ? i * pixel : mul(row, i)), lanes)));
        put(into, inputPass(k, m, d));
        return;
      }
      k.for(0, IN, column => {
        const from = k.let(add(at, mul(column, pixel)));
        const d = six.map(i => k.let(k.load(x, add(from, mul(row, i)), lanes)));
        inputPass(k, m, d).forEach((v, i) => k.store(scratch, add(mul(column, lanes), i * IN * lanes), v));
      });
      k.for(0, IN, i => {
        const d = six.map(q => k.let(k.load(scratch, add(mul(i, IN * lanes), q * lanes), lanes)));
        put(k.let(add(into, mul(i, IN * j.inputStep))), inputPass(k, m, d));
      });
    });
  });
}
/** Aᵀ m A of each tile, stored where it is inside of the output. */
function outputTiles(k: KernelBuilder, j: WinogradChunk, sink: MergedSink): void {
  const { s, scratch, rows, columns } = j;
  /** Whether tiles may reach over the end of an axis. */
  const ragged = (a: Axis): boolean => !isMultiple(a.size, a.out * a.dilation);
  forTiles(k, j, (t, place) => {
    const from = k.let(mul(t, s.outs));
    forLanes(k, s.outs, j.arith.lanes, (channel, lanes) => {
      const m = withLanes(j.arith, lanes);
      const at = k.let(add(from, channel));
      const put = (y: Expr, x: Expr, v: Expr): void =>
        sink.store(k, s.kernel.length === 1 ? [place.n, x, channel] : [place.n, y, x, channel], v);
      /** Four values along an axis from `first` on. */
      const line = (a: Axis, first: Expr, vs: readonly Expr[], each: (at: Expr, v: Expr) => void): void => {
        const inside = (q: Num, where: Expr, v: Expr): void => {
          if (ragged(a) && (q !== 0 || a.dilation > 1)) k.if(lt(where, k.dim(a.size)), () => each(where, v));
          else each(where, v);
        };
        if (j.largeEpilogue) {
          vs.forEach((v, q) => k.store(j.line, q * lanes, v));
          k.for(0, OUT, q => inside(q, k.let(add(first, mul(q, a.dilation))), k.load(j.line, mul(q, lanes), lanes)));
          return;
        }
        vs.map(v => k.let(v)).forEach((v, q) => {
          inside(q, k.let(add(first, q * a.dilation)), v);
        });
      };
      const points = (first: Expr, step: number): Expr[] =>
        six.map(i => k.let(k.load(j.products, add(first, i * step * j.productStep), lanes)));
      if (rows.out === 1) {
        line(columns, place.x, outputPass(k, m, points(at, 1)), (x, v) => put(place.y, x, v));
        return;
      }
      if (columns.out === 1) {
        line(rows, place.y, outputPass(k, m, points(at, 1)), (y, v) => put(y, place.x, v));
        return;
      }
      k.for(0, IN, column => {
        const d = points(k.let(add(at, mul(column, j.productStep))), IN);
        outputPass(k, m, d).forEach((v, i) => k.store(scratch, add(mul(column, lanes), i * IN * lanes), v));
      });
      k.for(0, OUT, i => {
        const y = k.let(add(place.y, mul(i, rows.dilation)));
        const row = (): void => {
          const d = six.map(q => k.let(k.load(scratch, add(mul(i, IN * lanes), q * lanes), lanes)));
          line(columns, place.x, outputPass(k, m, d), (x, v) => put(y, x, v));
        };
        if (ragged(rows)) k.if(lt(y, k.dim(rows.size)), row);
        else row();
      });
    });
  });
}
