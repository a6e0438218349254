/**
 * Convolution with channels last as an implicit matrix product, without im2col: the rows of A are the windows where they lie in memory,
 * the columns of B output channels.
 * ```
 * for group, parallel:
 *   for n and the output axes before the rows, parallel:
 *     for block of MR output pixels:                    gemm.ts: blocks and panels, in the order that suits the caches
 *       for panel of NR output channels:
 *         acc[MR][NR] = 0                               registers
 *         for ky:                                       outer reduction loops
 *           for (kx, channel):                          one loop where they lie together, else two
 *             acc[i][j] += splat x[pixel i][ky, kx, channel] * w[ky, kx, channel][j]
 *         y[pixels][channels] = epilogue(acc)
 * ```
 * The pixels of a block lie a constant step apart, or in runs of a short row with a gap behind (`RowPlan`).
 */
import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimEq, dimHi, dimMul, dimProd, rangeOf, type Dim } from '../../../core/dim.ts';
import type { DType } from '../../../core/dtype.ts';
import { dimStrides, type TensorType } from '../../../core/shape.ts';
import type { Tensor } from '../../../core/tensor.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import { add, div, eq, int, mul, rem, select, sub, vtype, type Expr } from '../../../kernel/ir.ts';
import type { LowerCtx, SlotBuffer } from '../../lowering.ts';
import { permute, toChannelsLast, type WindowAttrs } from '../../spatial.ts';
import {
  blockSize,
  packedPanels,
  packedSize,
  gemm,
  type Panels,
  type BlockAddress,
  type GemmProblem,
} from '../../schedules/gemm.ts';
import { chooseOrder } from '../../schedules/blocks.ts';
import { MMA_ROWS, mmaGemm } from '../../schedules/mma.ts';
import type { ConstMatrix } from '../../schedules/pack.ts';
import { hasLargeEpilogue, type MergedSink } from '../../schedules/sink.ts';
import type { Arith, ReductionLoop } from '../../schedules/tile.ts';

export type ConvAttrs = WindowAttrs & { readonly group: number };

/** A convolution with channels last and constant weights. */
export interface ConvShape {
  /** Batch and spatial sizes of the output. */
  readonly out: readonly Dim[];
  /** Batch and spatial sizes of the input; with `padded`, of the copy with its border. */
  readonly in: readonly Dim[];
  readonly padded: boolean;
  /** Elements of a pixel of the input: channels, or words that hold them. */
  readonly channels: number;
  readonly outs: number;
  readonly group: number;
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}
/** The shape of a convolution of x with weights of sizes `w`; undefined where this is none that products compute. */
export function convShape(a: ConvAttrs, x: TensorType, w: readonly number[], y: TensorType): ConvShape | undefined {
  if (a.layout !== 'NHWC' || w.some(d => d === 0) || a.pads.some(p => rangeOf(p).lo < 0)) return undefined;
  const nd = x.shape.length - 2;
  const padded = a.pads.some(p => p !== 0);
  const spatial = x.shape.slice(1, -1);
  return {
    out: y.shape.slice(0, -1),
    in: [must(x.shape[0]), ...spatial.map((s, i) => (padded ? dimAdd(s, dimAdd(must(a.pads[i]), must(a.pads[i + nd]))) : s))],
    padded,
    channels: must(w[1]) * a.group,
    outs: must(w[0]),
    group: a.group,
    kernel: w.slice(2),
    strides: a.strides,
    dilations: a.dilations,
  };
}

/** Output axes (of batch and spatial) that are walked as rows of the product; the ones before are loops around it. */
export interface RowPlan {
  readonly first: number;
  /** The rows lie equally far apart; else they are runs of the last `runs` axes with a gap between. */
  readonly even: boolean;
  /** First axis of a run. */
  readonly run: number;
}
/** Distances between neighbouring outputs of each axis in the input, in elements. */
export function outSteps(s: ConvShape, strides: readonly Dim[]): Dim[] {
  return s.out.map((_, i) => (i === 0 ? must(strides[0]) : dimMul(must(strides[i]), must(s.strides[i - 1]))));
}
/** Rows of at most this many outputs are joined with those of the axis before, even if there is a gap between. */
const SHORT_ROW = 24;
export function planRows(s: ConvShape): RowPlan {
  const steps = outSteps(s, dimStrides([...s.in, s.channels]));
  let first = s.out.length - 1;
  let count = must(s.out[first]);
  let step = must(steps[first]);
  for (; first > 0; first--) {
    const [n, by] = [must(s.out[first - 1]), must(steps[first - 1])];
    if (n === 1) continue;
    if (count === 1) step = by;
    else if (!dimEq(by, dimMul(step, count))) break;
    count = dimMul(count, n);
  }
  const even = first === 0 || dimHi(count) > SHORT_ROW || (typeof count === 'number' && count % 6 === 0);
  return even ? { first, even, run: first } : { first: first - 1, even, run: first };
}
/** The axis whose step leads from one row of a run to the next. */
export const stepAxis = (s: ConvShape, rows: RowPlan): number => {
  for (let i = s.out.length - 1; i > rows.run; i--) if (s.out[i] !== 1) return i;
  return rows.run;
};
/** The axes of the output as they are walked. */
export const groupsOf = (rows: RowPlan, rank: number): number[][] => {
  const axes = Array.from({ length: rank - 1 }, (_, i) => i);
  return [...axes.slice(0, rows.first).map(a => [a]), axes.slice(rows.first), [rank - 1]];
};

/** Where element [n, …, c] of the input lies; `as`: its memory is seen as elements of another type. */
export interface ConvInput {
  readonly buffer: SlotBuffer;
  readonly strides: readonly Dim[];
  readonly as?: DType;
}
/** What the parts of a lowering share. */
export interface ConvProblem {
  readonly c: LowerCtx<ConvAttrs>;
  readonly s: ConvShape;
  readonly rows: RowPlan;
  readonly input: ConvInput;
  /** Words of a column of B, where products are computed by blocks (`mma`). */
  readonly blocks?: number | undefined;
  /** Steps of the output axes in the input. */
  readonly steps: readonly Dim[];
  readonly arith: Arith;
  readonly sink: MergedSink;
}

/** The walk over k: kernel axes outside, then the run of inputs that lie together. */
function reductionLoops(s: ConvShape, strides: readonly Dim[], k: KernelBuilder): ReductionLoop[] {
  const nd = s.kernel.length;
  const perGroup = s.channels / s.group;
  const out: ReductionLoop[] = [];
  for (let i = 0; i < nd - 1; i++)
    if (s.kernel[i] !== 1) out.push({ n: must(s.kernel[i]), stride: k.dim(dimMul(must(strides[i + 1]), must(s.dilations[i]))) });
  const last = must(s.kernel.at(-1));
  const pixel = must(strides[nd]);
  const together = s.group === 1 && s.dilations.at(-1) === 1 && dimEq(pixel, s.channels);
  if (last === 1 || together) return [...out, { n: last * perGroup, stride: 1 }];
  return [...out, { n: last, stride: k.dim(dimMul(pixel, must(s.dilations.at(-1)))) }, { n: perGroup, stride: 1 }];
}
/** The loops over the output axes before the rows. */
export function around(k: KernelBuilder, j: ConvProblem, body: (idx: readonly Expr[], at: Expr) => void): void {
  const nest = (idx: readonly Expr[], at: Expr): void => {
    const axis = idx.length;
    if (axis === j.rows.first) body(idx, at);
    else
      k.for(0, must(j.s.out[axis]), i => nest([...idx, i], k.let(add(at, mul(i, k.dim(must(j.steps[axis])))))), {
        parallel: true,
      });
  };
  nest([], int(0));
}
/** Where a block of `n` rows lies. */
function placeOf(k: KernelBuilder, j: ConvProblem, at: Expr, first: Expr, n: number): BlockAddress {
  const { s, rows, steps } = j;
  const step = k.dim(must(steps[stepAxis(s, rows)]));
  if (rows.even) return { at: k.let(add(at, mul(first, step))), rows: { k: 'stride', stride: step } };
  const length = k.dim(dimProd(s.out.slice(rows.run)));
  const outer = k.dim(must(steps[rows.first]));
  const begin = k.let(rem(first, length));
  const start = k.let(add(at, add(mul(div(first, length), outer), mul(begin, step))));
  const inRun = k.var(begin);
  const toNext = k.let(sub(outer, mul(sub(length, 1), step)));
  const places: Expr[] = [int(0)];
  for (let i = 1; i < n; i++) {
    k.set(inRun, add(inRun, 1));
    const ends = k.let(eq(inRun, length));
    places.push(k.let(add(must(places[i - 1]), select(ends, toNext, step))));
    k.set(inRun, select(ends, 0, inRun));
  }
  return { at: start, rows: { k: 'each', at: places } };
}
/** Products with B, which `p` cuts into panels: one packed matrix a group. `finish` makes a result of sums of a column. */
export function rowProducts(
  j: ConvProblem,
  p: Panels,
  b: SlotBuffer,
  finish: (k: KernelBuilder, column: Expr, v: Expr) => Expr = (_, __, v) => v,
): void {
  const { c, s, input, blocks } = j;
  const perGroup = s.channels / s.group;
  const outsPer = s.outs / s.group;
  const depth = depthOf(s);
  const column = blocks ?? depth;
  const size = Number(packedSize(p, column));
  const scratch = c.scratch('edge', j.arith.base, blocks === undefined ? blockSize(p) : MMA_ROWS * p.nr);
  const direct = j.rows.even && s.kernel.every(n => n === 1) && depth === blocks;
  const gathered = blocks === undefined || direct ? undefined : c.scratch('rows', 'i32', MMA_ROWS * blocks);
  const rows = dimProd(s.out.slice(j.rows.first));
  const largeEpilogue = hasLargeEpilogue(
    j.sink,
    j.rows.first + 2,
    vtype(must(c.out[0]).dtype === 'i32' ? 'i32' : 'f32', j.arith.lanes),
  );
  const order = chooseOrder(c, p, rows, 4 * depth * outsPer, 4 * depth);
  c.kernel('conv', k => {
    const group = (g: Expr): void =>
      around(k, j, (idx, at) => {
        const from = k.let(add(at, mul(g, perGroup)));
        const offset = k.let(mul(g, outsPer));
        const job: GemmProblem = {
          arith: j.arith,
          panels: p,
          a: { buffer: input.buffer, ...(input.as && { as: input.as }), block: (first, n) => placeOf(k, j, from, first, n) },
          b: packedPanels(k, b, k.let(mul(g, size)), p, column),
          reduction: reductionLoops(s, input.strides, k),
          scratch,
          parallel: true,
          largeEpilogue,
          store: (row, column, v) => {
            const own = add(offset, column);
            j.sink.store(k, [...idx, row, own], finish(k, own, v));
          },
        };
        if (blocks === undefined) gemm(k, job, rows, order);
        else mmaGemm(k, job, { words: blocks, ...(gathered && { rows: gathered }) }, rows, order);
      });
    k.for(0, s.group, group, { parallel: true });
  });
}
/** Elements of a column of B. */
export const depthOf = (s: ConvShape): number => (s.channels / s.group) * s.kernel.reduce((p, q) => p * q, 1);
/** Weights [O, C/g, …k] as [O, …k, C/g], the order in which the product walks the input. */
export const channelsLast = (w: Tensor): Tensor => permute(w, toChannelsLast(w.dims.length));
/** The matrices of each group in weights with channels last. */
export const groupMatrices = (group: number, outsPer: number, depth: number): ConstMatrix[] =>
  Array.from({ length: group }, (_, g) => ({ offset: g * outsPer * depth, kStride: 1, columnStride: depth }));
