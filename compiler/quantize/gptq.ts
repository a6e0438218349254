/**
 * Weights rounded so that the results on given inputs are off by least (GPTQ; Frantar et al. 2022, arXiv 2210.17323). Columns are rounded one after
 * the other, those that meet the largest inputs first; what the rounding of one does to the sums is made up for by those that are left:
 * ```
 * H = sum of x xᵀ over the inputs + damping;  H⁻¹ = Uᵀ U, U upper triangular
 * for column i:  e = (w[i] - rounded(w[i])) / U[i, i];  for j > i: w[j] -= e U[i, j]
 * ```
 */
import { must } from '../core/diagnostic.ts';
import type { Moments } from './moments.ts';

/** The part of the mean moment that is added to each: what inputs that were not seen may do. */
const DAMPING = 0.01;

/** The numbers that a weight may be, which no rounding changes. */
export interface Grid {
  /** Rows (a channel of the results each) and columns of the weights. */
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
  /** The integer for a value at a place, and what that stands for. */
  integer(at: number, value: number): number;
  number(at: number, integer: number): number;
}
/** The integers of the weights of a grid; undefined where the moments tell nothing. */
export function fittedIntegers(g: Grid, moments: Moments): Int8Array | undefined {
  const { rows, columns } = g;
  const order = columnsByMoment(moments.sum, columns);
  const u = order && inverseFactor(moments, order);
  if (!u) return undefined;
  const q = new Int8Array(rows * columns);
  const w = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    const from = row * columns;
    for (let i = 0; i < columns; i++) w[i] = must(g.values[from + must(order[i])]);
    for (let i = 0; i < columns; i++) {
      const at = from + must(order[i]);
      const v = w[i] ?? 0;
      const integer = g.integer(at, v);
      q[at] = integer;
      const start = i * columns;
      const e = (v - g.number(at, integer)) / (u[start + i] ?? 1);
      if (e !== 0) for (let j = i + 1; j < columns; j++) w[j] = (w[j] ?? 0) - e * (u[start + j] ?? 0);
    }
  }
  return q;
}
/** Columns, the largest moment first; undefined where none has any. */
function columnsByMoment(moments: Float64Array, k: number): Int32Array | undefined {
  const diagonal = Float64Array.from({ length: k }, (_, i) => must(moments[i * k + i]));
  if (!diagonal.every(Number.isFinite) || !diagonal.some(d => d > 0)) return undefined;
  return Int32Array.from(diagonal.keys()).sort((a, b) => must(diagonal[b]) - must(diagonal[a]) || a - b);
}
/**
 * U with (moments + damping)⁻¹ = Uᵀ U in the given order: the moments are R Rᵀ with R upper triangular, found from the last column on, and U is
 * the inverse of R.
 */
function inverseFactor({ sum: moments, count }: Moments, order: Int32Array): Float64Array | undefined {
  const k = order.length;
  // What few inputs do together says little of others: 1 for many, and less where there are fewer than columns.
  const together = count / (count + k / 4);
  let sum = 0;
  for (let i = 0; i < k; i++) sum += must(moments[i * k + i]);
  const damping = (DAMPING * sum) / k;
  const r = new Float64Array(k * k);
  // Row i of r, from its diagonal on: sums over the columns behind both.
  for (let j = k - 1; j >= 0; j--)
    for (let i = j; i >= 0; i--) {
      const both = must(moments[must(order[i]) * k + must(order[j])]);
      let s = i === j ? both + damping : both * together;
      for (let m = j + 1; m < k; m++) s -= (r[i * k + m] ?? 0) * (r[j * k + m] ?? 0);
      if (i === j) {
        if (!(s > 0)) return undefined;
        r[i * k + i] = Math.sqrt(s);
      } else r[i * k + j] = s / must(r[j * k + j]);
    }
  const u = new Float64Array(k * k);
  const row = new Float64Array(k);
  // R U = I, from the last row on: row i of U is (unit row i - sum of r[i, m] row m) / r[i, i].
  for (let i = k - 1; i >= 0; i--) {
    row.fill(0);
    row[i] = 1;
    for (let m = i + 1; m < k; m++) {
      const f = r[i * k + m] ?? 0;
      if (f !== 0) for (let j = m; j < k; j++) row[j] = (row[j] ?? 0) - f * (u[m * k + j] ?? 0);
    }
    const d = must(r[i * k + i]);
    for (let j = i; j < k; j++) u[i * k + j] = (row[j] ?? 0) / d;
  }
  return u;
}
