import { dimMul, dimProd, dimsEq, showDim, type Dim } from './dim.ts';
import type { DType } from './dtype.ts';

/** A tensor has at most as many axes as NumPy gives one: loops are nested as deep. */
export const MOST_AXES = 64;
/** The type of a value: element type and sizes. Data lies compact and row-major unless a lowering says otherwise. */
export interface TensorType {
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}
export const tensorType = (dtype: DType, shape: readonly Dim[]): TensorType => ({ dtype, shape });
export const showType = (t: TensorType): string => `${t.dtype}[${t.shape.map(showDim).join(',')}]`;
export const typeEq = (a: TensorType, b: TensorType): boolean => a.dtype === b.dtype && dimsEq(a.shape, b.shape);
export const elements = (t: TensorType): Dim => dimProd(t.shape);
/** A non-negative axis, or undefined where it is out of range. */
export function normAxis(axis: number, rank: number): number | undefined {
  const a = axis < 0 ? axis + rank : axis;
  return Number.isInteger(a) && a >= 0 && a < rank ? a : undefined;
}
/** Row-major strides in elements. */
export function dimStrides(shape: readonly Dim[]): Dim[] {
  const out: Dim[] = new Array<Dim>(shape.length).fill(1);
  let s: Dim = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    out[i] = s;
    s = dimMul(s, shape[i] ?? 1);
  }
  return out;
}
/** The permutation that undoes `perm`. */
export function invertPerm(perm: readonly number[]): number[] {
  const out = new Array<number>(perm.length).fill(0);
  perm.forEach((p, i) => (out[p] = i));
  return out;
}
