/**
 * Packs B[K][N] into panels of NR columns (`gemm.ts`), when the model is compiled (`packConstant`) or by a kernel (`packMatrix`):
 * ```
 * for panel in 0..N / NR:
 *   for k in 0..K:                                      columns lie together: whole vectors of a row
 *     packed[panel][k][0..NR) = B[k][panel * NR ..]
 *   for k in 0..K by 4:                                 k lies together: blocks of 4 x 4, transposed by shuffles
 *     packed[panel][k .. k + 4)[j .. j + 4) = transpose(B[k .. k + 4)[j .. j + 4))    for j in 0..NR by 4, unrolled
 * for k in 0..K: packed[last][k][0..restWidth) = the remaining columns, then zeros
 * ```
 */
import { DTYPES, regOf, type DType } from '../../core/dtype.ts';
import { must } from '../../core/diagnostic.ts';
import { dimFloorDiv, dimMul, rangeOf, type Dim } from '../../core/dim.ts';
import { fromTyped, toNumbers, typed, writer, type Tensor } from '../../core/tensor.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import { add, cast, int, konst, lt, mul, shuffle, vtype, type Expr, type Lanes, type Num } from '../../kernel/ir.ts';
import type { SlotBuffer } from '../lowering.ts';
import { packedSize, type Panels } from './gemm.ts';

/** A matrix of a constant: element (k, column) is at `offset` + k * `kStride` + column * `columnStride` of the tensor. */
export interface ConstMatrix {
  readonly offset: number;
  readonly kStride: number;
  readonly columnStride: number;
}
/** The numeric values of a constant in the type that kernels compute with. */
export function registerValues(t: Tensor): { readonly dtype: DType; readonly data: ReturnType<typeof typed> } {
  const dtype: DType = regOf(t.dtype);
  if (DTYPES[dtype].array === DTYPES[t.dtype].array && dtype === t.dtype) return { dtype, data: typed(t) };
  const from = toNumbers(t);
  const data = new DTYPES[dtype].array(from.length);
  const put = writer(dtype, data);
  from.forEach((v, i) => put(i, v));
  return { dtype, data };
}

/**
 * Packs constant matrices of `k` x `p.columns`, one after the other: panels of `p.width` columns, [panel][k][width], then a last one of
 * `p.restWidth` columns, filled up with zeros.
 */
export function packConstant(t: Tensor, matrices: readonly ConstMatrix[], k: number, p: Panels): Tensor {
  const { dtype, data } = registerValues(t);
  const size = Number(packedSize(p, k));
  const out = new DTYPES[dtype].array(size * matrices.length);
  const columns = Number(p.columns);
  const from = data as unknown as readonly number[];
  const to = out as unknown as number[];
  let q = 0;
  for (const m of matrices)
    for (let first = 0; first < columns; first += p.nr) {
      const n = Math.min(p.nr, columns - first);
      const width = n === p.nr ? p.nr : p.restWidth;
      let row = m.offset + first * m.columnStride;
      for (let i = 0; i < k; i++, row += m.kStride, q += width)
        for (let j = 0; j < n; j++) to[q + j] = must(from[row + j * m.columnStride]);
    }
  return fromTyped(dtype, [out.length], out);
}

/** A matrix that a kernel reads: lanes > 1 gives neighbours along `run`. */
interface ReadMatrix {
  readonly run: 'columns' | 'k' | 'none';
  at(k: Expr, column: Expr, lanes: Lanes): Expr;
}
/** Emits the packing of one matrix of `n` x `p.columns` into panels at `base` of `to`. */
export function packMatrix(b: KernelBuilder, m: ReadMatrix, n: Dim, p: Panels, to: SlotBuffer, base: Num, lanes: Lanes): void {
  const want = vtype(regOf(to.dtype));
  const one = (k: Expr, column: Expr): Expr => cast(want, m.at(k, column, 1));
  const place = (panel: Expr): Expr => b.let(add(base, mul(panel, b.dim(dimMul(n, p.nr)))));
  if (m.run === 'k' && lanes >= 4) {
    const blocks = dimMul(dimFloorDiv(n, 4), 4);
    b.for(0, p.full, panel => {
      const at = place(panel);
      b.for(0, blocks, k => transpose4(b, m, k, p, panel, to, at), { step: 4 });
      b.for(blocks, n, k => b.for(0, p.nr, j => b.store(to, add(at, add(mul(k, p.nr), j)), one(k, add(mul(panel, p.nr), j)))));
    });
  } else {
    const width: Lanes = m.run === 'columns' ? lanes : 1;
    b.for(0, p.full, panel => {
      const at = place(panel);
      const column = b.let(mul(panel, p.nr));
      b.for(0, n, k => {
        const row = b.let(add(at, mul(k, p.nr)));
        if (width === 1) b.for(0, p.nr, j => b.store(to, add(row, j), one(k, add(column, j))));
        else for (let j = 0; j < p.nr; j += width) b.store(to, add(row, j), m.at(k, add(column, j), width));
      });
    });
  }
  if (p.restWidth === 0 || rangeOf(p.rest).hi === 0) return;
  const rest = (): void => {
    const at = place(b.dim(p.full));
    const column = b.let(mul(b.dim(p.full), p.nr));
    b.for(0, n, k => {
      const row = b.let(add(at, mul(k, p.restWidth)));
      b.for(0, p.rest, j => b.store(to, add(row, j), one(k, add(column, j))));
      b.for(p.rest, p.restWidth, j => b.store(to, add(row, j), konst(want, 0)));
    });
  };
  if (typeof p.rest === 'number') rest();
  else b.if(lt(int(0), b.dim(p.rest)), rest);
}
/** Four steps of k of one panel, read along k and turned by shuffles. */
function transpose4(b: KernelBuilder, m: ReadMatrix, k: Expr, p: Panels, panel: Expr, to: SlotBuffer, at: Expr): void {
  for (let j = 0; j < p.nr; j += 4) {
    const rows = [0, 1, 2, 3].map(i => b.let(m.at(k, add(mul(panel, p.nr), j + i), 4)));
    turned(b, rows).forEach((v, i) => b.store(to, add(at, add(mul(add(k, i), p.nr), j)), v));
  }
}
/** The transpose of as many vectors as they have lanes: halves are interleaved again and again. */
export function turned(b: KernelBuilder, rows: readonly Expr[]): readonly Expr[] {
  const half = rows.length / 2;
  const zip = (from: number): number[] => Array.from({ length: 2 * half }, (_, i) => from + (i >> 1) + (i % 2) * 2 * half);
  const [low, high] = [zip(0), zip(half)];
  let now = rows;
  for (let n = 1; n < rows.length; n *= 2)
    now = Array.from({ length: half }, (_, i) => [must(now[i]), must(now[i + half])] as const).flatMap(([x, y]) => [
      b.let(shuffle(x, y, low)),
      b.let(shuffle(x, y, high)),
    ]);
  return now;
}
/** The elements of one matrix, in order, of each of `count` matrices that lie `stride` apart. */
export const everyMatrix = (count: number, stride: number, m: ConstMatrix): readonly ConstMatrix[] =>
  Array.from({ length: count }, (_, i) => ({ ...m, offset: m.offset + i * stride }));
