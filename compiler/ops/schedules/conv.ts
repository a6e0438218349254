import { must } from '../../core/diagnostic.ts';
import { dimAdd, dimEq, dimHi, dimMul, dimProd, rangeOf, type Dim } from '../../core/dim.ts';
import { dimStrides, type TensorType } from '../../core/shape.ts';
import { fromTyped, type Tensor } from '../../core/tensor.ts';
import { tensorOf, type Node } from '../../graph/graph.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import { add, div, eq, int, lane, mul, rem, select, sub, vtype, type Expr } from '../../kernel/ir.ts';
import type { LowerCtx, SlotBuffer } from '../lowering.ts';
import { permute, toChannelsLast, type WindowAttrs } from '../spatial.ts';
import { lowerConvPlain } from './conv-plain.ts';
import { lowerDepthwise } from './depthwise.ts';
import { rowDots } from './dot.ts';
import { blockSize, orderOf, packedPanels, packedSize, panelsOf, product, type Place, type Product } from './gemm.ts';
import { packConstant, registerValues, type ConstMatrix } from './pack.ts';
import { padInto } from './pad.ts';
import { isCostly, walkSink, type Walk } from './sink.ts';
import { arithOf, type Arith, type Seg } from './tile.ts';
import { lowerWinograd, paysWinograd } from './winograd.ts';

export type ConvAttrs = WindowAttrs & { readonly group: number };

/** How a convolution is computed; a function of the node alone, so that fusion and lowering agree. */
export type ConvPlan =
  | { readonly k: 'plain' }
  | { readonly k: 'depthwise'; readonly shape: ConvShape }
  | { readonly k: 'winograd'; readonly shape: ConvShape }
  | { readonly k: 'gemm'; readonly shape: ConvShape; readonly rows: RowPlan };

/** A convolution with channels last and constant weights. */
export interface ConvShape {
  /** Batch and spatial sizes of the output. */
  readonly out: readonly Dim[];
  /** Batch and spatial sizes of the input; with `padded`, of the copy with its border. */
  readonly in: readonly Dim[];
  readonly padded: boolean;
  readonly channels: number;
  readonly outs: number;
  readonly group: number;
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}
/** Output axes (of batch and spatial) that are walked as rows of the product; the ones before are loops around it. */
export interface RowPlan {
  readonly first: number;
  /** The rows lie equally far apart; else they are runs of the last `runs` axes with a gap between. */
  readonly even: boolean;
  /** First axis of a run. */
  readonly run: number;
}

const attrsOf = (n: Node): ConvAttrs => n.attrs as unknown as ConvAttrs;

function shapeOf(n: Node): ConvShape | undefined {
  const a = attrsOf(n);
  const [x, w] = [must(n.inputs[0]).type, must(n.inputs[1])];
  const out = must(n.outputs[0]).type.shape;
  if (a.layout !== 'NHWC' || x.dtype !== 'f32' || !tensorOf(w)) return undefined;
  const dims = w.type.shape.map(Number);
  if (dims.some(d => d === 0)) return undefined;
  const nd = x.shape.length - 2;
  const kernel = dims.slice(2);
  if (a.pads.some(p => rangeOf(p).lo < 0)) return undefined;
  const padded = a.pads.some(p => p !== 0);
  const spatial = x.shape.slice(1, -1);
  return {
    out: out.slice(0, -1),
    in: [must(x.shape[0]), ...spatial.map((s, i) => (padded ? dimAdd(s, dimAdd(must(a.pads[i]), must(a.pads[i + nd]))) : s))],
    padded,
    channels: must(dims[1]) * a.group,
    outs: must(dims[0]),
    group: a.group,
    kernel,
    strides: a.strides,
    dilations: a.dilations,
  };
}
export function planConv(n: Node): ConvPlan {
  const shape = shapeOf(n);
  if (!shape) return { k: 'plain' };
  if (shape.group === shape.channels && shape.outs === shape.channels && shape.group > 1) return { k: 'depthwise', shape };
  const transforms = shape.group === 1 && shape.strides.every(n => n === 1) && n.attrs['direct'] !== true;
  if (transforms && paysWinograd(shape)) return { k: 'winograd', shape };
  return { k: 'gemm', shape, rows: planRows(shape) };
}
/** Distances between neighbouring outputs of each axis in the input, in elements. */
function outSteps(s: ConvShape, strides: readonly Dim[]): Dim[] {
  return s.out.map((_, i) => (i === 0 ? must(strides[0]) : dimMul(must(strides[i]), must(s.strides[i - 1]))));
}
/** Rows of at most this many outputs are joined with those of the axis before, even if there is a gap between. */
const SHORT_ROW = 24;
function planRows(s: ConvShape): RowPlan {
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
const stepAxis = (s: ConvShape, rows: RowPlan): number => {
  for (let i = s.out.length - 1; i > rows.run; i--) if (s.out[i] !== 1) return i;
  return rows.run;
};
const groupsOf = (rows: RowPlan, rank: number): number[][] => {
  const axes = Array.from({ length: rank - 1 }, (_, i) => i);
  return [...axes.slice(0, rows.first).map(a => [a]), axes.slice(rows.first), [rank - 1]];
};

export function convSpace(n: Node): readonly (readonly number[])[] {
  const rank = must(n.outputs[0]).type.shape.length;
  const plan = planConv(n);
  return plan.k === 'gemm' ? groupsOf(plan.rows, rank) : Array.from({ length: rank }, (_, i) => [i]);
}
export function acceptsConv(i: number, n: Node): 'point' | 'buffer' {
  if (i !== 0) return 'buffer';
  const plan = planConv(n);
  return (plan.k === 'gemm' || plan.k === 'winograd') && plan.shape.padded ? 'point' : 'buffer';
}

export function lowerConv(c: LowerCtx<ConvAttrs>): void {
  if (must(c.out[0]).shape.some(d => dimHi(d) === 0)) return;
  const plan = planConv(c.node);
  switch (plan.k) {
    case 'plain':
      lowerConvPlain(c);
      return;
    case 'depthwise':
      lowerDepthwise(c, { ...plan.shape, in: sizesOf(must(c.types[0])) });
      return;
    case 'winograd':
      lowerWinograd(c, plan.shape);
      return;
    case 'gemm':
      lowerConvGemm(c, plan.shape, plan.rows);
      return;
  }
}

/** Where element [n, …, c] of the input lies. */
interface Input {
  readonly buffer: SlotBuffer;
  readonly strides: readonly Dim[];
}
/** Batch and spatial sizes of a channels-last tensor. */
const sizesOf = (t: TensorType): readonly Dim[] => t.shape.slice(0, -1);
/** The input as the product reads it: padded by a copy where there are pads, else in place if the steps of its axes allow it. */
function inputOf(c: LowerCtx<ConvAttrs>, s: ConvShape, rows: RowPlan): Input {
  if (s.padded) return { buffer: padInto(c, c.need(0), s.in, c.attrs.pads), strides: dimStrides([...s.in, s.channels]) };
  const r = c.rows(0);
  const steps = outSteps(s, r.strides);
  const row = stepAxis(s, rows);
  // The rows of a run must lie equally far apart.
  let step = must(steps[row]);
  for (let i = row; i >= rows.run; i--) {
    if (s.out[i] === 1) continue;
    if (!dimEq(must(steps[i]), step)) return c.contiguous(0);
    step = dimMul(step, must(s.out[i]));
  }
  return r;
}
/** The walk over k: kernel axes outside, then the run of inputs that lie together. */
function segments(s: ConvShape, strides: readonly Dim[], k: KernelBuilder): Seg[] {
  const nd = s.kernel.length;
  const perGroup = s.channels / s.group;
  const out: Seg[] = [];
  for (let i = 0; i < nd - 1; i++)
    if (s.kernel[i] !== 1) out.push({ n: must(s.kernel[i]), stride: k.dim(dimMul(must(strides[i + 1]), must(s.dilations[i]))) });
  const last = must(s.kernel.at(-1));
  const pixel = must(strides[nd]);
  const together = s.group === 1 && s.dilations.at(-1) === 1 && dimEq(pixel, s.channels);
  if (last === 1 || together) return [...out, { n: last * perGroup, stride: 1 }];
  return [...out, { n: last, stride: k.dim(dimMul(pixel, must(s.dilations.at(-1)))) }, { n: perGroup, stride: 1 }];
}

/** What the parts of the lowering share. */
interface Job {
  readonly c: LowerCtx<ConvAttrs>;
  readonly s: ConvShape;
  readonly rows: RowPlan;
  readonly input: Input;
  /** Steps of the output axes in the input. */
  readonly steps: readonly Dim[];
  readonly arith: Arith;
  readonly walk: Walk;
}
function lowerConvGemm(c: LowerCtx<ConvAttrs>, s: ConvShape, rows: RowPlan): void {
  const input = inputOf(c, s, rows);
  const j: Job = {
    c,
    s,
    rows,
    input,
    steps: outSteps(s, input.strides),
    arith: arithOf(c.profile, 'f32'),
    walk: walkSink(c.sink(0), groupsOf(rows, s.out.length + 1)),
  };
  const depth = (s.channels / s.group) * s.kernel.reduce((p, q) => p * q, 1);
  if (s.outs === 1 && s.group === 1 && rows.even && depth === s.channels) lowerOneOutput(j);
  else lowerPanels(j, depth);
}
/** The loops over the output axes before the rows. */
function around(k: KernelBuilder, j: Job, body: (idx: readonly Expr[], at: Expr) => void): void {
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
function placeOf(k: KernelBuilder, j: Job, at: Expr, first: Expr, n: number): Place {
  const { s, rows, steps } = j;
  const step = k.dim(must(steps[stepAxis(s, rows)]));
  if (rows.even) return { at: k.let(add(at, mul(first, step))), rows: { k: 'stride', stride: step } };
  const length = k.dim(dimProd(s.out.slice(rows.run)));
  const outer = k.dim(must(steps[rows.first]));
  const inRun = k.var(rem(first, length));
  const start = k.let(add(at, add(mul(div(first, length), outer), mul(inRun, step))));
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
/** A 1x1 kernel with one output channel: a dot product for each pixel. */
function lowerOneOutput(j: Job): void {
  const { c, s, rows } = j;
  const { dtype, data } = registerValues(must(c.constant(1)));
  const column = c.weights('column', fromTyped(dtype, [data.length], data));
  c.kernel('conv', k =>
    around(k, j, (idx, at) =>
      rowDots(k, {
        arith: j.arith,
        rows: dimProd(s.out.slice(rows.first)),
        k: s.channels,
        parallel: true,
        a: { buffer: j.input.buffer, at, stride: must(j.steps[stepAxis(s, rows)]) },
        x: { buffer: column, at: 0 },
        put: (row, v) => {
          const x = k.let(v);
          for (let i = 0; i < x.t.lanes; i++) j.walk.put(k, [...idx, add(row, i), 0], lane(x, i));
        },
      }),
    ),
  );
}
function lowerPanels(j: Job, depth: number): void {
  const { c, s, input } = j;
  const perGroup = s.channels / s.group;
  const outsPer = s.outs / s.group;
  const p = panelsOf(c.profile, outsPer, j.arith);
  const size = Number(packedSize(p, depth));
  const b = c.weights(
    'kernel',
    packConstant(channelsLast(must(c.constant(1))), groupMatrices(s.group, outsPer, depth), depth, p),
  );
  const scratch = c.scratch('edge', 'f32', blockSize(p));
  const costly = isCostly(j.walk, j.rows.first + 2, vtype('f32', j.arith.lanes));
  const order = orderOf(c.profile, p, 4 * depth * outsPer, 4 * depth);
  c.kernel('conv', k => {
    const group = (g: Expr): void =>
      around(k, j, (idx, at) => {
        const from = k.let(add(at, mul(g, perGroup)));
        const offset = k.let(mul(g, outsPer));
        const job: Product = {
          arith: j.arith,
          panels: p,
          a: { buffer: input.buffer, block: (first, n) => placeOf(k, j, from, first, n) },
          b: packedPanels(k, b, k.let(mul(g, size)), p, depth),
          k: segments(s, input.strides, k),
          scratch,
          parallel: true,
          costly,
          put: (row, column, v) => j.walk.put(k, [...idx, row, add(offset, column)], v),
        };
        product(k, job, dimProd(s.out.slice(j.rows.first)), order);
      });
    k.for(0, s.group, group, { parallel: true });
  });
}
/** Weights [O, C/g, …k] as [O, …k, C/g], the order in which the product walks the input. */
const channelsLast = (w: Tensor): Tensor => permute(w, toChannelsLast(w.dims.length));
const groupMatrices = (group: number, outsPer: number, depth: number): ConstMatrix[] =>
  Array.from({ length: group }, (_, g) => ({ offset: g * outsPer * depth, kStride: 1, columnStride: depth }));
