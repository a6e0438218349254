import { must } from '../../core/diagnostic.ts';
import { dimAdd, dimCeilDiv, dimHi, dimMin, dimMul, dimProd, dimSub, isMultiple, symbol, type Dim } from '../../core/dim.ts';
import { dimStrides } from '../../core/shape.ts';
import { fromTyped, typed, type Tensor } from '../../core/tensor.ts';
import { unflatten, type KernelBuilder } from '../../kernel/builder.ts';
import { add, int, konst, lt, min, mul, sub, type Expr, type Lanes } from '../../kernel/ir.ts';
import { forLanes } from '../loops.ts';
import type { LowerCtx, SlotBuffer } from '../lowering.ts';
import type { WindowAttrs } from '../spatial.ts';
import { packedSize, PANEL, panelsOf, product, tileRows, type Product } from './gemm.ts';
import { packConstant } from './pack.ts';
import { padInto } from './pad.ts';
import { walkSink, type Walk } from './sink.ts';
import { arithOf, mulAdd, type Arith } from './tile.ts';

/**
 * Winograd's F(4x4, 3x3): a tile of 4x4 outputs from 6x6 inputs takes 36 products a pair of channels instead of 144. Inputs and
 * outputs of a tile are transformed by the matrices of Lavin and Gray (Fast Algorithms for Convolutional Neural Networks, 2015); in
 * between there are 36 matrix products [tiles x channels][channels x outputs]. Tiles go in chunks that stay in the cache.
 */
const OUT = 4;
const IN = OUT + 2;
const POINTS = IN * IN;

/** A 3x3 convolution with stride 1, channels last. */
export interface WinogradShape {
  /** Batch, height and width of the output and of the input. */
  readonly out: readonly Dim[];
  readonly channels: number;
  readonly outs: number;
}
/** Fewer channels, or fewer tiles, do not pay for the transforms and for weights four times as large. */
export const paysWinograd = (s: WinogradShape): boolean =>
  s.channels >= 16 && s.outs >= 8 && s.channels * s.outs <= 1 << 15 && dimHi(tileCount(s)) >= 12;
const tileCount = (s: WinogradShape): Dim =>
  dimProd([must(s.out[0]), dimCeilDiv(must(s.out[1]), OUT), dimCeilDiv(must(s.out[2]), OUT)]);

interface Job {
  readonly s: WinogradShape;
  readonly arith: Arith;
  /** Tiles along each axis: batch, rows, columns. */
  readonly grid: readonly Dim[];
  /** First tile of the chunk and how many there are. */
  readonly first: Dim;
  readonly count: Dim;
  /** Tiles of a full chunk. */
  readonly chunk: number;
  readonly scratch: SlotBuffer;
  /** Transformed inputs [36][chunk][channels] and products [36][chunk][outs]. */
  readonly inputs: SlotBuffer;
  readonly products: SlotBuffer;
}
export function lowerWinograd(c: LowerCtx<WindowAttrs>, s: WinogradShape): void {
  const grid = [must(s.out[0]), dimCeilDiv(must(s.out[1]), OUT), dimCeilDiv(must(s.out[2]), OUT)];
  const total = dimProd(grid);
  const arith = arithOf(c.profile, 'f32');
  const perTile = 4 * POINTS * (s.channels + s.outs);
  const most = 12 * Math.max(1, Math.round((0.6 * c.profile.cache.l2) / perTile / 12));
  const chunk = typeof total === 'number' ? Math.min(total, most) : most;
  const chunks = dimCeilDiv(total, chunk);
  // With the border, as large as the tiles need.
  const sizes = [grid[0] ?? 1, dimAdd(dimMul(OUT, must(grid[1])), 2), dimAdd(dimMul(OUT, must(grid[2])), 2)];
  const whole = must(c.types[0]).shape.slice(0, -1);
  const fits = sizes.every((n, i) => n === whole[i]);
  const x = fits ? c.contiguous(0).buffer : padInto(c, c.need(0), sizes, c.attrs.pads);
  const p = panelsOf(s.outs);
  const size = Number(packedSize(p, s.channels));
  const weights = c.weights('winograd', transformed(must(c.constant(1)), s));
  const scratch = c.temp('tile', 'f32', POINTS * arith.lanes);
  const edge = c.temp('edge', 'f32', PANEL * tileRows(arith));
  const inputs = c.temp('tiles', 'f32', POINTS * chunk * s.channels);
  const products = c.temp('products', 'f32', POINTS * chunk * s.outs);
  const walk = walkSink(c.sink(0), [[0], [1], [2], [3]]);
  const body = (at: Dim): void => {
    const first = dimMul(at, chunk);
    const count = isMultiple(total, chunk) ? chunk : dimMin(chunk, dimSub(total, first));
    const j: Job = { s, arith, grid, first, count, chunk, scratch, inputs, products };
    c.kernel('winograd_in', k => inputTiles(k, j, x, sizes));
    c.kernel('winograd', k =>
      k.for(0, POINTS, point => {
        const from = k.let(mul(point, chunk * s.channels));
        const to = k.let(mul(point, chunk * s.outs));
        const job: Product = {
          arith,
          profile: c.profile,
          a: {
            buffer: inputs,
            block: row => ({ at: k.let(add(from, mul(row, s.channels))), rows: { k: 'stride', stride: s.channels } }),
          },
          b: {
            buffer: weights,
            base: k.let(mul(point, size)),
            step: PANEL,
            restStep: p.restWidth,
            panel: n => mul(n, s.channels * PANEL),
            stride: s.channels * PANEL,
          },
          k: [{ n: s.channels, stride: 1 }],
          scratch: edge,
          put: (row, column, v) => k.store(products, add(to, add(mul(row, s.outs), column)), v),
        };
        product(k, job, count, p, { k: 'rows' });
      }),
    );
    c.kernel('winograd_out', k => outputTiles(k, j, walk));
  };
  if (chunks === 1) {
    body(0);
    return;
  }
  const at = symbol('winograd_chunk', 0, dimHi(chunks) - 1);
  c.loop(at, chunks, undefined, () => body(at));
}

/** The weights [O, C, 3, 3] as 36 packed matrices [C x O]: G w Gᵀ for each pair of channels. */
function transformed(w: Tensor, s: WinogradShape): Tensor {
  const g = [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
  ].flat();
  const from = typed(w);
  const pairs = s.outs * s.channels;
  const out = new Float32Array(POINTS * pairs);
  const half = new Float64Array(IN * 3);
  for (let pair = 0; pair < pairs; pair++) {
    for (let i = 0; i < IN; i++)
      for (let j = 0; j < 3; j++) {
        let sum = 0;
        for (let q = 0; q < 3; q++) sum += (g[i * 3 + q] ?? 0) * Number(from[pair * 9 + q * 3 + j]);
        half[i * 3 + j] = sum;
      }
    for (let i = 0; i < IN; i++)
      for (let j = 0; j < IN; j++) {
        let sum = 0;
        for (let q = 0; q < 3; q++) sum += (half[i * 3 + q] ?? 0) * (g[j * 3 + q] ?? 0);
        out[(i * IN + j) * pairs + pair] = sum;
      }
  }
  const matrices = Array.from({ length: POINTS }, (_, i) => ({ offset: i * pairs, kStride: 1, columnStride: s.channels }));
  return packConstant(fromTyped('f32', [out.length], out), matrices, s.channels, panelsOf(s.outs));
}

/** Calls `body` for each tile of the chunk with its number there and its place in the grid. */
function forTiles(k: KernelBuilder, j: Job, body: (t: Expr, place: readonly Expr[]) => void): void {
  k.for(0, j.count, t => body(t, unflatten(k, k.let(add(t, k.dim(j.first))), j.grid)));
}
/** One pass of the input transform over six values. */
function inputPass(k: KernelBuilder, m: Arith, d: readonly Expr[]): readonly Expr[] {
  const x = (i: number): Expr => must(d[i]);
  const times = (f: number, v: Expr, plus: Expr): Expr => mulAdd(m, v, konst(v.t, f), plus);
  const a = k.let(times(-4, x(2), x(4)));
  const b = k.let(times(-4, x(1), x(3)));
  const c = k.let(sub(x(4), x(2)));
  const half = k.let(sub(x(3), x(1)));
  const e = k.let(add(half, half));
  return [
    times(4, x(0), times(-5, x(2), x(4))),
    add(a, b),
    sub(a, b),
    add(c, e),
    sub(c, e),
    times(4, x(1), times(-5, x(3), x(5))),
  ];
}
/** One pass of the output transform: four values from six. */
function outputPass(k: KernelBuilder, m: Arith, d: readonly Expr[]): readonly Expr[] {
  const x = (i: number): Expr => must(d[i]);
  const times = (f: number, v: Expr, plus: Expr): Expr => mulAdd(m, v, konst(v.t, f), plus);
  const a = k.let(add(x(1), x(2)));
  const b = k.let(sub(x(1), x(2)));
  const c = k.let(add(x(3), x(4)));
  const e = k.let(sub(x(3), x(4)));
  return [add(add(x(0), a), c), times(2, e, b), times(4, c, a), add(times(8, e, b), x(5))];
}
const withLanes = (m: Arith, lanes: Lanes): Arith => ({ ...m, lanes, fma: m.fma && lanes > 1 });
const six = [0, 1, 2, 3, 4, 5];

/** Bᵀ d B of each tile: first along its columns into scratch, then along its rows. */
function inputTiles(k: KernelBuilder, j: Job, x: SlotBuffer, sizes: readonly Dim[]): void {
  const { s, scratch } = j;
  const strides = dimStrides([...sizes, s.channels]);
  forTiles(k, j, (t, [n = int(0), ty = int(0), tx = int(0)]) => {
    const corner = k.let(
      add(mul(n, k.dim(must(strides[0]))), add(mul(ty, k.dim(dimMul(OUT, must(strides[1])))), mul(tx, OUT * s.channels))),
    );
    const row = k.dim(must(strides[1]));
    const to = k.let(mul(t, s.channels));
    forLanes(k, s.channels, j.arith.lanes, (channel, lanes) => {
      const m = withLanes(j.arith, lanes);
      const at = k.let(add(corner, channel));
      const into = k.let(add(to, channel));
      k.for(0, IN, column => {
        const from = k.let(add(at, mul(column, s.channels)));
        const d = six.map(i => k.let(k.load(x, add(from, mul(row, i)), lanes)));
        inputPass(k, m, d).forEach((v, i) => k.store(scratch, add(mul(column, lanes), i * IN * lanes), v));
      });
      k.for(0, IN, i => {
        const d = six.map(q => k.let(k.load(scratch, add(mul(i, IN * lanes), q * lanes), lanes)));
        const first = k.let(add(into, mul(i, IN * j.chunk * s.channels)));
        inputPass(k, m, d).forEach((v, q) => k.store(j.inputs, add(first, q * j.chunk * s.channels), v));
      });
    });
  });
}
/** Aᵀ m A of each tile, stored where it is inside of the output. */
function outputTiles(k: KernelBuilder, j: Job, walk: Walk): void {
  const { s, scratch } = j;
  const [height, width] = [must(s.out[1]), must(s.out[2])];
  const ragged = !isMultiple(width, OUT);
  forTiles(k, j, (t, [n = int(0), ty = int(0), tx = int(0)]) => {
    const y0 = k.let(mul(ty, OUT));
    const x0 = k.let(mul(tx, OUT));
    const from = k.let(mul(t, s.outs));
    const rows = isMultiple(height, OUT) ? int(OUT) : k.let(min(sub(k.dim(height), y0), OUT));
    forLanes(k, s.outs, j.arith.lanes, (channel, lanes) => {
      const m = withLanes(j.arith, lanes);
      const at = k.let(add(from, channel));
      k.for(0, IN, column => {
        const first = k.let(add(at, mul(column, j.chunk * s.outs)));
        const d = six.map(i => k.let(k.load(j.products, add(first, i * IN * j.chunk * s.outs), lanes)));
        outputPass(k, m, d).forEach((v, i) => k.store(scratch, add(mul(column, lanes), i * IN * lanes), v));
      });
      k.for(0, rows, i => {
        const d = six.map(q => k.let(k.load(scratch, add(mul(i, IN * lanes), q * lanes), lanes)));
        const y = k.let(add(y0, i));
        outputPass(k, m, d)
          .map(v => k.let(v))
          .forEach((v, q) => {
            const column = k.let(add(x0, q));
            const put = (): void => walk.put(k, [n, y, column, channel], v);
            if (ragged && q > 0) k.if(lt(column, k.dim(width)), put);
            else put();
          });
      });
    });
  });
}
