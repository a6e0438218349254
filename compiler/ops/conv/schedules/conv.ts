/**
 * Convolution, one of four ways (`planConv`): depthwise, Winograd, implicit matrix product (`rows.ts`), or plain. A 1x1 kernel with one
 * output channel is a dot product of each pixel:
 * ```
 * for n and the output axes before the rows, parallel:
 *   for pixel by 4, parallel: y[pixel] = epilogue(x[pixel] . w)                 (dot.ts)
 * ```
 */
import { must } from '../../../core/diagnostic.ts';
import { dimEq, dimHi, dimMul, dimProd, type Dim } from '../../../core/dim.ts';
import { dimStrides, type TensorType } from '../../../core/shape.ts';
import { fromTyped } from '../../../core/tensor.ts';
import { tensorOf, type NodeOf } from '../../../graph/graph.ts';
import { add, lane } from '../../../kernel/ir.ts';
import type { LowerCtx } from '../../lowering.ts';
import { lowerConvPlain } from './plain.ts';
import {
  around,
  channelsLast,
  convShape,
  depthOf,
  groupMatrices,
  groupsOf,
  outSteps,
  planRows,
  rowProducts,
  stepAxis,
  type ConvAttrs,
  type ConvShape,
  type ConvInput,
  type ConvProblem,
  type RowPlan,
} from './rows.ts';
import { lowerDepthwise } from './depthwise.ts';
import { rowDots } from '../../schedules/dot.ts';
import { choosePanels } from '../../schedules/blocks.ts';
import { packConstant, registerValues } from '../../schedules/pack.ts';
import { padInto } from './pad.ts';
import { mergeSink } from '../../schedules/sink.ts';
import { arithOf } from '../../schedules/tile.ts';
import { isWinograd, lowerWinograd, paysWinograd } from './winograd.ts';

/** How a convolution is computed; a function of the node alone, so that fusion and lowering agree. */
type ConvPlan =
  | { readonly k: 'plain' }
  | { readonly k: 'depthwise'; readonly shape: ConvShape }
  | { readonly k: 'winograd'; readonly shape: ConvShape }
  | { readonly k: 'gemm'; readonly shape: ConvShape; readonly rows: RowPlan };

/** Whether floats are convolved by transforms, which take a fraction of the products. */
export const transforms = (s: ConvShape): boolean => canTransform(s) && paysWinograd(s);
const canTransform = (s: ConvShape): boolean => s.strides.every(n => n === 1) && isWinograd(s.kernel);
/** `auto`: by the estimate; the others as they say, where that can be done. */
export const ALGORITHMS = ['auto', 'direct', 'transform'] as const;
type Algorithm = (typeof ALGORITHMS)[number];
/** How a convolution of floats that is not depthwise is computed. */
function algorithmOf(wanted: Algorithm, s: ConvShape): 'direct' | 'transform' {
  const byTransform = wanted === 'auto' ? transforms(s) : wanted === 'transform' && canTransform(s);
  return byTransform ? 'transform' : 'direct';
}
/** How the estimate has a convolution computed that may be computed either way; undefined: there is but one. */
export function usualAlgorithm(n: NodeOf<ConvAttrs & { readonly algorithm: Algorithm }>): 'direct' | 'transform' | undefined {
  const plan = planConv(n);
  return (plan.k === 'gemm' || plan.k === 'winograd') && canTransform(plan.shape) ? algorithmOf('auto', plan.shape) : undefined;
}
function planConv(n: NodeOf<ConvAttrs & { readonly algorithm: Algorithm }>): ConvPlan {
  const [x, w] = [must(n.inputs[0]).type, tensorOf(n.inputs[1])];
  const shape = w && x.dtype === 'f32' ? convShape(n.attrs, x, w.dims, must(n.outputs[0]).type) : undefined;
  if (!shape) return { k: 'plain' };
  if (shape.group === shape.channels && shape.outs === shape.channels && shape.group > 1) return { k: 'depthwise', shape };
  if (algorithmOf(n.attrs.algorithm, shape) === 'transform') return { k: 'winograd', shape };
  return { k: 'gemm', shape, rows: planRows(shape) };
}
export function convSpace(n: NodeOf<ConvAttrs & { readonly algorithm: Algorithm }>): readonly (readonly number[])[] {
  const rank = must(n.outputs[0]).type.shape.length;
  const plan = planConv(n);
  return plan.k === 'gemm' ? groupsOf(plan.rows, rank) : Array.from({ length: rank }, (_, i) => [i]);
}
export function acceptsConv(i: number, n: NodeOf<ConvAttrs & { readonly algorithm: Algorithm }>): 'indexMap' | 'buffer' {
  if (i !== 0) return 'buffer';
  const plan = planConv(n);
  return (plan.k === 'gemm' || plan.k === 'winograd') && plan.shape.padded ? 'indexMap' : 'buffer';
}

export function lowerConv(c: LowerCtx<ConvAttrs & { readonly algorithm: Algorithm }>): void {
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

/** Batch and spatial sizes of a channels-last tensor. */
const sizesOf = (t: TensorType): readonly Dim[] => t.shape.slice(0, -1);
/** The input as the product reads it: padded by a copy where there are pads, else in place if the steps of its axes allow it. */
function inputOf(c: LowerCtx<ConvAttrs>, s: ConvShape, rows: RowPlan): ConvInput {
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

function lowerConvGemm(c: LowerCtx<ConvAttrs>, s: ConvShape, rows: RowPlan): void {
  const input = inputOf(c, s, rows);
  const arith = arithOf(c.profile, 'f32');
  const steps = outSteps(s, input.strides);
  const j: ConvProblem = { c, s, rows, input, steps, arith, sink: mergeSink(c.sink(0), groupsOf(rows, s.out.length + 1)) };
  const depth = depthOf(s);
  if (s.outs === 1 && s.group === 1 && rows.even && depth === s.channels) {
    lowerOneOutput(j);
    return;
  }
  const outsPer = s.outs / s.group;
  const p = choosePanels(c, outsPer, arith);
  const matrices = groupMatrices(s.group, outsPer, depth);
  rowProducts(j, p, c.weights('kernel', packConstant(channelsLast(must(c.constant(1))), matrices, depth, p)));
}
/** A 1x1 kernel with one output channel: a dot product for each pixel. */
function lowerOneOutput(j: ConvProblem): void {
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
        store: (row, v) => {
          const x = k.let(v);
          for (let i = 0; i < x.t.lanes; i++) j.sink.store(k, [...idx, add(row, i), 0], lane(x, i));
        },
      }),
    ),
  );
}
