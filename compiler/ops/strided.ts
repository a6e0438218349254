import { must } from '../core/diagnostic.ts';
import { DTYPES, type DType, type TypedArray } from '../core/dtype.ts';
import { fromTyped, numel, scalar, typed, type Tensor } from '../core/tensor.ts';

/** Where the elements of a tensor lie in another's flat data: element [i, j, …] at `offset` + i*strides[0] + j*strides[1] + … */
interface StridedWalk {
  readonly offset: number;
  readonly strides: readonly number[];
}

/** Calls `row` for each index of all axes but the last, with the flat positions in row-major order of several walks at once. */
export function forRows(dims: readonly number[], walks: readonly StridedWalk[], row: (at: readonly number[]) => void): void {
  if (numel(dims) === 0) return;
  const at = walks.map(w => w.offset);
  const idx = new Array<number>(dims.length).fill(0);
  for (;;) {
    row(at);
    let a = dims.length - 2;
    for (; a >= 0; a--) {
      const n = dims[a] ?? 1;
      const i = (idx[a] ?? 0) + 1;
      if (i < n) {
        idx[a] = i;
        walks.forEach((w, j) => (at[j] = (at[j] ?? 0) + (w.strides[a] ?? 0)));
        break;
      }
      idx[a] = 0;
      walks.forEach((w, j) => (at[j] = (at[j] ?? 0) - (n - 1) * (w.strides[a] ?? 0)));
    }
    if (a < 0) return;
  }
}

/**
 * The elements of a typed array for moving them unchanged: one loop serves all types. Elements of 64 bits are bigints, which nothing
 * but assignment between arrays of one type may touch.
 */
type Cells = { [i: number]: Cell; readonly length: number };
/** An element that is only moved. */
type Cell = { readonly cell: never };
export const cellsOf = (a: TypedArray): Cells => a as unknown as Cells;
/** The bits of a number as an element of this type. */
export const cellOf = (dtype: DType, v: number): Cell => must(cellsOf(typed(scalar(dtype, v)))[0]);
/** A new tensor, zero at first, and its elements. */
export function newCells(dtype: DType, dims: readonly number[]): { readonly cells: Cells; readonly tensor: Tensor } {
  const a = new DTYPES[dtype].array(numel(dims));
  return { cells: cellsOf(a), tensor: fromTyped(dtype, dims, a) };
}

/** A walk without axes of one element, and with axes that lie one after the other as one. */
function joined(dims: readonly number[], strides: readonly number[]): { readonly dims: number[]; readonly strides: number[] } {
  const out = { dims: [] as number[], strides: [] as number[] };
  dims.forEach((n, a) => {
    if (n === 1) return;
    const stride = strides[a] ?? 1;
    const before = out.strides.at(-1);
    if (before === n * stride) {
      out.dims.push(n * must(out.dims.pop()));
      out.strides.pop();
    } else out.dims.push(n);
    out.strides.push(stride);
  });
  return out;
}
/** A new compact tensor of the elements that a walk over `t` visits. */
export function gatherStrided(t: Tensor, dims: readonly number[], offset: number, strides: readonly number[]): Tensor {
  const from = cellsOf(typed(t));
  const { cells: to, tensor } = newCells(t.dtype, dims);
  // Short rows are slow: the last two axes are walked in one call.
  const walk = joined(dims, strides);
  const [n, step] = [walk.dims.pop() ?? 1, walk.strides.pop() ?? 1];
  const [rows, down] = [walk.dims.pop() ?? 1, walk.strides.pop() ?? 0];
  let q = 0;
  forRows([...walk.dims, 1], [{ offset, strides: [...walk.strides, 0] }], at => {
    for (let r = 0, row = at[0] ?? 0; r < rows; r++, row += down)
      for (let i = 0, p = row; i < n; i++, p += step) to[q++] = must(from[p]);
  });
  return tensor;
}
/** The same data with other dims. */
export const withDims = (t: Tensor, dims: readonly number[]): Tensor => ({ ...t, dims });
/** The index along each axis of a flat position. */
export function indexOf(flat: number, dims: readonly number[]): number[] {
  const out = new Array<number>(dims.length).fill(0);
  for (let a = dims.length - 1; a >= 0; a--) {
    const n = dims[a] ?? 1;
    out[a] = flat % n;
    flat = Math.floor(flat / n);
  }
  return out;
}
