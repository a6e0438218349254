/**
 * MatMul and Gemm, chosen in this order:
 * ```
 * known ranges of integers, dot products on the target:  words (int-dot.ts), by gemm or mma
 * B has one column, for all batches the same:            y[row] = A[row] . b                   (dot.ts)
 * A is one row, B made at run time lies along k:         y[column] = Bt[column] . a            (dot.ts)
 * else, for batch, parallel:                             C[batch] = A[batch] x panels of B[batch]      (gemm.ts)
 * ```
 * Where all batches share B, batches and rows are one axis of rows. A constant B is packed when the model is compiled; a small one in
 * rows is used as it lies; any other is packed by a kernel before.
 */
import { must } from '../../../core/diagnostic.ts';
import { dimEq, dimHi, dimMul, dimProd, type Dim } from '../../../core/dim.ts';
import { isFloat, regOf, type DType } from '../../../core/dtype.ts';
import { dimStrides } from '../../../core/shape.ts';
import { fromTyped } from '../../../core/tensor.ts';
import type { NodeOf } from '../../../graph/graph.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import { add, cast, int, mul, vtype, type Expr, type Lanes } from '../../../kernel/ir.ts';
import { wrapNarrow } from '../../elementwise/op.ts';
import type { LowerCtx, Ref, SlotBuffer } from '../../lowering.ts';
import { rowDots } from '../../schedules/dot.ts';
import {
  blockSize,
  packedPanels,
  packedSize,
  gemm,
  type PanelMemory,
  type Panels,
  type GemmProblem,
} from '../../schedules/gemm.ts';
import { chooseOrder, choosePanels } from '../../schedules/blocks.ts';
import { everyMatrix, packConstant, packMatrix, registerValues } from '../../schedules/pack.ts';
import { hasLargeEpilogue, mergeSink, type MergedSink } from '../../schedules/sink.ts';
import { arithOf, type Arith } from '../../schedules/tile.ts';

interface MatMulAttrs {
  readonly transA: boolean;
  readonly transB: boolean;
}
/** Which operands lie transposed. */
interface Sides {
  readonly transA?: boolean;
  readonly transB: boolean;
}
/** Whether B is one matrix for all rows of A, so that batches are rows. */
export const sharedB = (n: NodeOf<Sides>): boolean =>
  must(n.inputs[1])
    .type.shape.slice(0, -2)
    .every(d => d === 1) &&
  (!n.attrs.transA || must(n.inputs[0]).type.shape.length <= 2);
/** Whether the result has one column for each row. */
export const oneColumn = (n: NodeOf<Sides>): boolean => {
  const b = must(n.inputs[1]).type.shape;
  return b.length === 1 || b.at(n.attrs.transB ? -2 : -1) === 1;
};

/** Axes of the result as the schedule walks them: with one B the batches and rows are one axis. */
export function matMulSpace(n: NodeOf<Sides>): readonly (readonly number[])[] {
  const rank = must(n.outputs[0]).type.shape.length;
  const axes = Array.from({ length: rank }, (_, i) => i);
  if (!sharedB(n)) return axes.map(i => [i]);
  if (oneColumn(n) || must(n.inputs[0]).type.shape.length === 1) return [axes];
  return [axes.slice(0, -1), axes.slice(-1)];
}

/** An operand as [...batch, rows, columns] in memory. */
interface Operand {
  readonly buffer: SlotBuffer;
  readonly batch: readonly Dim[];
  readonly batchStrides: readonly Dim[];
  readonly dims: readonly [Dim, Dim];
  readonly strides: readonly [Dim, Dim];
}
function operand(r: Ref, transposed: boolean, left: boolean): Operand {
  const d = r.dims;
  const s = r.strides;
  if (d.length === 1) {
    const [n, by] = [must(d[0]), must(s[0])];
    return left
      ? { buffer: r.buffer, batch: [], batchStrides: [], dims: [1, n], strides: [0, by] }
      : { buffer: r.buffer, batch: [], batchStrides: [], dims: [n, 1], strides: [by, 0] };
  }
  const dims = [must(d.at(-2)), must(d.at(-1))] as const;
  const strides = [must(s.at(-2)), must(s.at(-1))] as const;
  const swap = ([p, q]: readonly [Dim, Dim]): readonly [Dim, Dim] => (transposed ? [q, p] : [p, q]);
  return { buffer: r.buffer, batch: d.slice(0, -2), batchStrides: s.slice(0, -2), dims: swap(dims), strides: swap(strides) };
}
/** Batches and rows as one axis, if they lie so. */
function mergeRows(o: Operand): Operand | undefined {
  let [rows, stride]: [Dim, Dim] = [o.dims[0], o.strides[0]];
  for (let i = o.batch.length - 1; i >= 0; i--) {
    const n = must(o.batch[i]);
    if (n === 1) continue;
    if (rows === 1) stride = must(o.batchStrides[i]);
    else if (!dimEq(must(o.batchStrides[i]), dimMul(stride, rows))) return undefined;
    rows = dimMul(rows, n);
  }
  return { buffer: o.buffer, batch: [], batchStrides: [], dims: [rows, o.dims[1]], strides: [stride, o.strides[1]] };
}
/** The offset of an operand's matrix for an index of the result's batch axes. */
function batchOffset(k: KernelBuilder, batch: readonly Dim[], strides: readonly Dim[], idx: readonly Expr[]): Expr {
  const pad = idx.length - batch.length;
  return batch.reduce<Expr>((sum, n, i) => (n === 1 ? sum : add(sum, mul(must(idx[i + pad]), k.dim(must(strides[i]))))), int(0));
}

export function lowerMatMul(c: LowerCtx<MatMulAttrs>): void {
  const out = must(c.out[0]);
  if (out.shape.some(d => dimHi(d) === 0)) return;
  const shared = sharedB(c.node);
  const left = (r: Ref): Operand => operand(r, c.attrs.transA, true);
  const split = left(c.need(0).ref ?? c.rows(0));
  const a = shared ? (mergeRows(split) ?? must(mergeRows(left(c.contiguous(0))), 'rows of compact memory')) : split;
  const dtype = out.dtype;
  const narrow = !isFloat(dtype) && regOf(dtype) !== dtype;
  const arith: Arith = { ...arithOf(c.profile, regOf(dtype)), ...(narrow && { lanes: 1, fma: false }) };
  const sink = mergeSink(c.sink(0), matMulSpace(c.node), narrow ? v => wrapNarrow(dtype, v) : v => v);
  const columns = columnsOf(c);
  const job: MatMulProblem = { c, a, arith, sink, k: a.dims[1], columns, shared, batch: batchAxes(c) };
  if (columns === 1 && dotColumn(job)) return;
  if (shared && a.dims[0] === 1 && dotRow(job)) return;
  panelProduct(job);
}
function columnsOf(c: LowerCtx<MatMulAttrs>): Dim {
  const b = must(c.types[1]).shape;
  return b.length === 1 ? 1 : must(b.at(c.attrs.transB ? -2 : -1));
}
/** The batch axes of the result. */
function batchAxes(c: LowerCtx<MatMulAttrs>): readonly Dim[] {
  const out = must(c.out[0]).shape;
  const [a, b] = [must(c.types[0]).shape, must(c.types[1]).shape];
  return out.slice(0, out.length - (a.length > 1 ? 1 : 0) - (b.length > 1 ? 1 : 0));
}
interface MatMulProblem {
  readonly c: LowerCtx<MatMulAttrs>;
  readonly a: Operand;
  readonly arith: Arith;
  readonly sink: MergedSink;
  readonly k: Dim;
  readonly columns: Dim;
  readonly shared: boolean;
  readonly batch: readonly Dim[];
}

/** B is one column: dot products of the rows of A with it, if both lie along k. */
function dotColumn(j: MatMulProblem): boolean {
  const { c, a, arith } = j;
  if (!j.shared || a.strides[1] !== 1 || a.buffer.dtype !== regOf(a.buffer.dtype)) return false;
  const fixed = c.constant(1);
  let x: SlotBuffer;
  if (fixed) {
    const { dtype, data } = registerValues(fixed);
    x = c.weights('column', fromTyped(dtype, [data.length], data));
  } else x = c.contiguous(1).buffer;
  c.kernel('matmul', k =>
    rowDots(k, {
      arith,
      rows: a.dims[0],
      k: j.k,
      parallel: true,
      a: { buffer: a.buffer, at: 0, stride: a.strides[0] },
      x: { buffer: x, at: 0 },
      store: (row, v) => j.sink.store(k, [row], v),
    }),
  );
  return true;
}
/** A is one row and B, made at run time, lies along k. */
function dotRow(j: MatMulProblem): boolean {
  const { c, a, arith } = j;
  const r = c.need(1).ref;
  if (c.constant(1) || !r || a.strides[1] !== 1 || a.buffer.dtype !== regOf(a.buffer.dtype)) return false;
  const b = operand(r, c.attrs.transB, false);
  if (b.strides[0] !== 1) return false;
  const single = matMulSpace(c.node).length === 1;
  c.kernel('matmul', k =>
    rowDots(k, {
      arith,
      rows: j.columns,
      k: j.k,
      parallel: true,
      a: { buffer: b.buffer, at: 0, stride: b.strides[1] },
      x: { buffer: a.buffer, at: 0 },
      store: (column, v) => j.sink.store(k, single ? [column] : [int(0), column], v),
    }),
  );
  return true;
}

/** The matrix B for an index of the result's batch axes, as panels in memory. */
type PlacedB = (k: KernelBuilder, idx: readonly Expr[]) => PanelMemory;
function panelProduct(j: MatMulProblem): void {
  const { c, a, arith } = j;
  const p = choosePanels(c, j.columns, arith);
  const b = placedB(j, p);
  const scratch = c.scratch('edge', regOf(must(c.out[0]).dtype), blockSize(p));
  const largeEpilogue = hasLargeEpilogue(j.sink, matMulSpace(c.node).length, vtype(arith.base, arith.lanes));
  const rowBytes = 4 * dimHi(j.k);
  const order = chooseOrder(c, p, a.dims[0], rowBytes * dimHi(j.columns), rowBytes);
  const single = matMulSpace(c.node).length === 1 && j.shared;
  const [hasRows, hasColumns] = [must(c.types[0]).shape.length > 1, must(c.types[1]).shape.length > 1];
  c.kernel('matmul', k => {
    const body = (idx: readonly Expr[]): void => {
      const from = j.shared ? int(0) : k.let(batchOffset(k, a.batch, a.batchStrides, idx));
      const product_: GemmProblem = {
        arith,
        panels: p,
        a: {
          buffer: a.buffer,
          block: first => ({
            at: k.let(add(from, mul(first, k.dim(a.strides[0])))),
            rows: { k: 'stride', stride: k.dim(a.strides[0]) },
          }),
        },
        b: b(k, idx),
        reduction: [{ n: j.k, stride: k.dim(a.strides[1]) }],
        scratch,
        parallel: true,
        few: true,
        largeEpilogue,
        store: (row, column, v) => {
          if (j.shared) j.sink.store(k, single ? [hasRows ? row : column] : [row, column], v);
          else j.sink.store(k, [...idx, ...(hasRows ? [row] : []), ...(hasColumns ? [column] : [])], v);
        },
      };
      gemm(k, product_, a.dims[0], order);
    };
    const nest = (idx: readonly Expr[]): void => {
      const n = j.shared ? undefined : j.batch[idx.length];
      if (n === undefined) body(idx);
      else k.for(0, n, i => nest([...idx, i]), { parallel: true });
    };
    nest([]);
  });
}
/** At most this many bytes of B are used as they lie; a larger B is packed so that the walk over it is one stream. */
const DIRECT_LIMIT = 1 << 17;

function placedB(j: MatMulProblem, p: Panels): PlacedB {
  const { c } = j;
  const size = packedSize(p, j.k);
  const own = must(c.types[1]).shape.slice(0, -2);
  const count = dimProd(own);
  const fixed = c.constant(1);
  const packed =
    (buffer: SlotBuffer): PlacedB =>
    (k, idx) => {
      const strides = dimStrides(own).map(s => dimMul(s, size));
      return packedPanels(k, buffer, j.shared ? int(0) : k.let(batchOffset(k, own, strides, idx)), p, j.k);
    };
  const [columns, depth] = [j.columns, j.k];
  if (fixed && typeof columns === 'number' && typeof depth === 'number' && typeof count === 'number') {
    const m =
      c.attrs.transB && fixed.dims.length > 1 ? { kStride: 1, columnStride: depth } : { kStride: columns, columnStride: 1 };
    return packed(c.weights('matrix', packConstant(fixed, everyMatrix(count, columns * depth, { ...m, offset: 0 }), depth, p)));
  }
  const plain = c.need(1).ref;
  if (plain) {
    const b = operand(plain, c.attrs.transB, false);
    const small = dimHi(j.k) * dimHi(columns) * 4 <= DIRECT_LIMIT || dimHi(j.a.dims[0]) <= 2 * p.mr;
    const whole = j.arith.lanes === 1 || (typeof columns === 'number' && p.rest === p.restWidth);
    if (b.strides[1] === 1 && small && whole && plain.buffer.dtype === regOf(plain.buffer.dtype))
      return (k, idx) => {
        const step = typeof b.strides[0] === 'number' ? b.strides[0] : k.dim(b.strides[0]);
        return {
          buffer: b.buffer,
          base: j.shared ? int(0) : k.let(batchOffset(k, b.batch, b.batchStrides, idx)),
          step,
          restStep: step,
          panel: n => mul(n, p.nr),
          stride: p.nr,
        };
      };
  }
  return packed(packAtRunTime(j, p, size, own));
}
function packAtRunTime(j: MatMulProblem, p: Panels, size: Dim, own: readonly Dim[]): SlotBuffer {
  const { c } = j;
  const source = c.need(1);
  const rank = source.dims.length;
  const reg: DType = regOf(source.dtype);
  const to = c.temp('panels', reg, dimMul(dimProd(own), size));
  const lanes: Lanes = source.vector && source.dtype === reg ? j.arith.lanes : 1;
  c.kernel('pack', k => {
    const nest = (idx: readonly Expr[]): void => {
      const n = own[idx.length];
      if (n !== undefined) {
        k.for(0, n, i => nest([...idx, i]), { parallel: true });
        return;
      }
      const strides = dimStrides(own);
      const base = k.let(idx.reduce<Expr>((sum, i, axis) => add(sum, mul(i, k.dim(dimMul(must(strides[axis]), size)))), int(0)));
      packMatrix(
        k,
        {
          run: rank === 1 ? 'none' : c.attrs.transB ? 'k' : 'columns',
          at: (row, column, n) =>
            cast(
              vtype(reg, n),
              source.at(k, rank === 1 ? [row] : c.attrs.transB ? [...idx, column, row] : [...idx, row, column], n),
            ),
        },
        j.k,
        p,
        to,
        base,
        lanes,
      );
    };
    nest([]);
  });
  return to;
}
