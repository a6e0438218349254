import { must } from '../../core/diagnostic.ts';
import { dimMul, dimProd, type Dim } from '../../core/dim.ts';
import type { DType } from '../../core/dtype.ts';
import { tensorType } from '../../core/shape.ts';
import { fromNumbers, fromTyped, numel, stridesOf, toNumbers, typed, type Tensor } from '../../core/tensor.ts';
import { attr, defineOp } from '../define.ts';
import { broadcastShapes } from '../elementwise/op.ts';
import { lowerMatMul, matMulSpace } from './schedules/matmul.ts';

/** An operand as [...batch, rows, columns] after its own transposition; a vector is a row on the left and a column on the right. */
interface Sides {
  readonly batch: readonly Dim[];
  readonly rows: Dim;
  readonly columns: Dim;
}
function sides(shape: readonly Dim[], transposed: boolean, left: boolean): Sides {
  const [p, q] = [must(shape.at(-2) ?? 1), must(shape.at(-1))];
  if (shape.length === 1) return left ? { batch: [], rows: 1, columns: q } : { batch: [], rows: q, columns: 1 };
  return { batch: shape.slice(0, -2), rows: transposed ? q : p, columns: transposed ? p : q };
}

export const MatMul = defineOp({
  name: 'MatMul',
  doc: 'Matrix product over the last two axes, broadcast over the others (numpy.matmul). A vector on the left is a row, on the right a column.',
  inputs: ['a', 'b'],
  // `exact`: both operands hold integers, and all sums are exact in any order. `fewBits`: a narrower type holds the weights exactly, and they
  // are stored so. Passes keep both so.
  attrs: { transA: attr.bool(false), transB: attr.bool(false), exact: attr.bool(false), fewBits: attr.bool(false) },
  infer: c => {
    const a = must(c.types[0]);
    const b = must(c.types[1]);
    if (a.dtype !== b.dtype) c.reject(`operands of types ${a.dtype} and ${b.dtype}`);
    if (a.dtype === 'bool') c.reject('takes numbers, not bool');
    if (a.shape.length === 0 || b.shape.length === 0) c.reject('takes no scalars');
    const x = sides(a.shape, c.attrs.transA, true);
    const y = sides(b.shape, c.attrs.transB, false);
    c.same(x.columns, y.rows, 'the inner sizes');
    const out = broadcastShapes(x.batch, y.batch, (p, q, what) => c.same(p, q, what));
    if (a.shape.length > 1) out.push(x.rows);
    if (b.shape.length > 1) out.push(y.columns);
    return [tensorType(a.dtype, out)];
  },
  eval: (c, a, b) => {
    const x = must(a);
    const y = must(b);
    const p = matrix(x, c.attrs.transA, true);
    const q = matrix(y, c.attrs.transB, false);
    const dims = c.dims(0);
    const batch = dims.slice(0, dims.length - (x.dims.length > 1 ? 1 : 0) - (y.dims.length > 1 ? 1 : 0));
    const size = p.rows * q.columns;
    const one = multiplier(x, y, p, q);
    const out = new Float64Array(numel(dims));
    const [sa, sb] = [batchStrides(x, batch), batchStrides(y, batch)];
    const at = new Array<number>(batch.length).fill(0);
    for (let i = 0; i < numel(batch) && size > 0; i++) {
      const dot = (s: readonly number[]): number => s.reduce((sum, v, j) => sum + v * (at[j] ?? 0), 0);
      one(dot(sa), dot(sb), out, i * size);
      for (let j = batch.length - 1; j >= 0; j--) {
        const next = (at[j] ?? 0) + 1;
        at[j] = next < (batch[j] ?? 0) ? next : 0;
        if (at[j] !== 0) break;
      }
    }
    return [wrapped(x.dtype, dims, out)];
  },
  macs: n => {
    const a = must(n.inputs[0]).type.shape;
    return dimMul(dimProd(must(n.outputs[0]).type.shape), sides(a, n.attrs.transA, true).columns);
  },
  lower: {
    k: 'kernel',
    accepts: (i, n) => ((i === 1 ? n.inputs[1]?.def.k !== 'const' : n.attrs.exact) ? 'indexMap' : 'buffer'),
    iterationSpace: matMulSpace,
    build: lowerMatMul,
  },
});

interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly rowStride: number;
  readonly columnStride: number;
}
function matrix(t: Tensor, transposed: boolean, left: boolean): Matrix {
  const s = stridesOf(t.dims);
  const [p, q] = [t.dims.at(-2) ?? 1, t.dims.at(-1) ?? 1];
  if (t.dims.length === 1)
    return left ? { rows: 1, columns: q, rowStride: 0, columnStride: 1 } : { rows: q, columns: 1, rowStride: 1, columnStride: 0 };
  const [sp, sq] = [s.at(-2) ?? 0, s.at(-1) ?? 0];
  return transposed
    ? { rows: q, columns: p, rowStride: sq, columnStride: sp }
    : { rows: p, columns: q, rowStride: sp, columnStride: sq };
}
function batchStrides(t: Tensor, batch: readonly number[]): number[] {
  const own = t.dims.slice(0, -2);
  const s = stridesOf(t.dims);
  const pad = batch.length - own.length;
  return batch.map((_, i) => (i < pad || own[i - pad] === 1 ? 0 : (s[i - pad] ?? 0)));
}
/** Multiplies two matrices at offsets of the operands into `out`: exactly for 32-bit integers, in float64 else. */
function multiplier(
  a: Tensor,
  b: Tensor,
  p: Matrix,
  q: Matrix,
): (atA: number, atB: number, out: Float64Array, at: number) => void {
  if (a.dtype === 'i32' || a.dtype === 'u32') {
    const x = typed(a);
    const y = typed(b);
    return (atA, atB, out, at) => {
      for (let i = 0; i < p.rows; i++)
        for (let j = 0; j < q.columns; j++) {
          let sum = 0;
          for (let k = 0; k < p.columns; k++)
            sum =
              (sum +
                Math.imul(
                  Number(x[atA + i * p.rowStride + k * p.columnStride]),
                  Number(y[atB + k * q.rowStride + j * q.columnStride]),
                )) |
              0;
          out[at + i * q.columns + j] = sum;
        }
    };
  }
  const x = toNumbers(a);
  const y = toNumbers(b);
  return (atA, atB, out, at) => {
    for (let i = 0; i < p.rows; i++) {
      const to = out.subarray(at + i * q.columns, at + (i + 1) * q.columns);
      const v = (k: number): number => x[atA + i * p.rowStride + k * p.columnStride] ?? 0;
      let k = 0;
      // Four rows of b at once: an element of the result is read and written once for four products.
      for (; k + 4 <= p.columns; k += 4) {
        const [v0, v1, v2, v3] = [v(k), v(k + 1), v(k + 2), v(k + 3)];
        let from = atB + k * q.rowStride;
        for (let j = 0; j < to.length; j++, from += q.columnStride) {
          const two = v0 * (y[from] ?? 0) + v1 * (y[from + q.rowStride] ?? 0);
          to[j] = (to[j] ?? 0) + two + (v2 * (y[from + 2 * q.rowStride] ?? 0) + v3 * (y[from + 3 * q.rowStride] ?? 0));
        }
      }
      for (; k < p.columns; k++) {
        const one = v(k);
        let from = atB + k * q.rowStride;
        for (let j = 0; j < to.length; j++, from += q.columnStride) to[j] = (to[j] ?? 0) + one * (y[from] ?? 0);
      }
    }
  };
}
function wrapped(dtype: DType, dims: readonly number[], values: Float64Array): Tensor {
  return dtype === 'f64' ? fromTyped(dtype, dims, values) : fromNumbers(dtype, dims, values);
}
