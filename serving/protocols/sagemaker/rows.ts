import { ServeError } from '../../core/errors.ts';

export type Floats = Float32Array | Float64Array;
/** Rows of features, one after another; a missing value is NaN. */
export interface Rows {
  readonly data: Floats;
  readonly rows: number;
  readonly columns: number;
}
/** What rows are parsed for. */
export interface RowsWanted {
  readonly columns: number;
  readonly type: 'float32' | 'float64';
}
export const floats = (type: RowsWanted['type'], n: number): Floats =>
  type === 'float32' ? new Float32Array(n) : new Float64Array(n);
/** A body that cannot be read as its content type says: 415, as the container of XGBoost has it. */
export function unreadable(what: string, why: string): never {
  throw new ServeError(415, `Loading ${what} data failed with Exception, please ensure data is in ${what} format:\n ${why}`);
}
/**
 * Rows as wide as a model wants them. A row may lack the last column, which is then missing, as that container allows it. 400 for other
 * widths.
 */
export function fitted(r: Rows, want: RowsWanted, what: string): Rows {
  const { columns } = want;
  if (r.columns === columns) return r;
  if (r.columns !== columns - 1) return inconsistent(r.columns, columns, what);
  const data = floats(want.type, r.rows * columns).fill(NaN);
  for (let i = 0; i < r.rows; i++) data.set(r.data.subarray(i * r.columns, (i + 1) * r.columns), i * columns);
  return { data, rows: r.rows, columns };
}
export function inconsistent(got: number, want: number, what: string): never {
  throw new ServeError(
    400,
    `Unable to evaluate payload provided: Feature size of ${what} inference data ${got} is not consistent with feature size of trained model ${want}.`,
  );
}
