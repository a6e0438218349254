import { isFloat } from '../core/dtype.ts';
import { relisted, textList, type TextList } from '../core/texts.ts';
import { toNumbers, typed, type Tensor } from '../core/tensor.ts';

export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}
/** How far two tensors are apart. */
export interface Difference {
  /** Whether |got - want| <= atol + rtol * |want| everywhere (integers: equal); NaN equals NaN. */
  readonly ok: boolean;
  /** The largest |got - want|; Infinity where only one is NaN or infinite. */
  readonly abs: number;
  /** The largest |got - want| / |want| where |want| > atol. */
  readonly rel: number;
  /** Where it is furthest beyond the tolerance, as a flat index; undefined for empty tensors. */
  readonly at: number | undefined;
  readonly got: number;
  readonly want: number;
  /** In words, where the tensors cannot be compared. */
  readonly why?: string;
}

/** Compares a tensor with what it should be. */
export function compare(got: Tensor, want: Tensor, tol: Tolerance): Difference {
  const unlike = (why: string): Difference => ({
    ok: false,
    abs: Infinity,
    rel: Infinity,
    at: undefined,
    got: NaN,
    want: NaN,
    why,
  });
  if (got.dtype !== want.dtype) return unlike(`type ${got.dtype} instead of ${want.dtype}`);
  if (got.dims.length !== want.dims.length || got.dims.some((d, i) => d !== want.dims[i]))
    return unlike(`shape [${got.dims.join(', ')}] instead of [${want.dims.join(', ')}]`);
  const exact = !isFloat(got.dtype);
  if (got.texts && want.texts) {
    const list = textList(want.texts);
    return compare(places(got, list), places(want, list), tol);
  }
  const a = exact ? typed(got) : toNumbers(got);
  const b = exact ? typed(want) : toNumbers(want);
  let [abs, rel, worst, at] = [0, 0, -1, 0];
  for (let i = 0; i < a.length; i++) {
    const x = a[i] ?? 0;
    const y = b[i] ?? 0;
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) continue;
    const d = Math.abs(Number(x) - Number(y));
    const diff = Number.isFinite(d) ? Math.max(d, Number.MIN_VALUE) : Infinity;
    const size = Math.abs(Number(y));
    if (diff > abs) abs = diff;
    if (size > tol.atol && diff / size > rel) rel = diff / size;
    const over = exact ? Infinity : diff === Infinity ? Infinity : diff / (tol.atol + tol.rtol * size);
    if (over > worst) [worst, at] = [over, i];
  }
  return { ok: worst <= 1, abs, rel, at: a.length === 0 ? undefined : at, got: Number(a[at]), want: Number(b[at]) };
}

/** Texts as integers that are equal where they are. */
const places = (t: Tensor, list: TextList): Tensor => ({ dtype: 'i32', dims: t.dims, bytes: relisted(t, list).bytes });

/** How far the sum of a distribution may be from 1. */
const ROUNDING = 1e-3;
/**
 * Where the last axis of `want` is a distribution over classes (no element is negative, each row's sum is 1): the rows, and in how many of
 * them the largest element of `got` is at the same place.
 */
export function classesOf(got: Tensor, want: Tensor): { readonly rows: number; readonly same: number } | undefined {
  const width = want.dims.at(-1) ?? 1;
  const w = toNumbers(want);
  if (!isFloat(want.dtype) || width < 2 || w.length === 0 || got.bytes.length !== want.bytes.length) return undefined;
  const g = toNumbers(got);
  const rows = w.length / width;
  let same = 0;
  for (let r = 0; r < rows; r++) {
    let [sum, a, b] = [0, 0, 0];
    for (let i = 0; i < width; i++) {
      const at = r * width;
      const x = w[at + i] ?? NaN;
      if (!(x >= 0)) return undefined;
      sum += x;
      if (x > (w[at + a] ?? 0)) a = i;
      if ((g[at + i] ?? 0) > (g[at + b] ?? 0)) b = i;
    }
    if (Math.abs(sum - 1) > ROUNDING) return undefined;
    if (a === b) same++;
  }
  return { rows, same };
}
/** The largest finite magnitude of a tensor. */
export const largest = (t: Tensor): number =>
  toNumbers(t).reduce((m, x) => (Number.isFinite(x) ? Math.max(m, Math.abs(x)) : m), 0);

/** The largest difference as a part of the largest magnitude: how far an intermediate value diverges, whatever its scale. */
export function divergence(got: Tensor, want: Tensor): number {
  if (got.dtype !== want.dtype || got.bytes.length !== want.bytes.length) return Infinity;
  const a = toNumbers(got);
  const b = toNumbers(want);
  let diff = 0;
  for (let i = 0; i < a.length; i++) {
    const x = a[i] ?? 0;
    const y = b[i] ?? 0;
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) continue;
    const d = Math.abs(x - y);
    diff = Math.max(diff, Number.isFinite(d) ? d : Infinity);
  }
  return diff === 0 ? 0 : diff / Math.max(largest(want), 1e-6);
}
/** The multi-dimensional index of a flat one. */
export function unravel(flat: number, dims: readonly number[]): number[] {
  const out: number[] = [];
  let rest = flat;
  for (const d of [...dims].reverse()) {
    out.unshift(rest % d);
    rest = Math.floor(rest / d);
  }
  return out;
}
