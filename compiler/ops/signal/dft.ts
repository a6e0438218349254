import { dimAdd, dimFloorDiv, type Dim } from '../../core/dim.ts';

/** cos(2 pi k / n), exact where it is 0, 1/2 or 1 in magnitude, and the same by symmetry. */
export function cosTurn(k: number, n: number): number {
  // The angle in eighths of a turn from the nearest quarter.
  const r = ((k % n) + n) % n;
  const quarter = Math.round((4 * r) / n) % 4;
  const rest = (r - (Math.round((4 * r) / n) * n) / 4) / n;
  const [c, s] = [Math.cos(2 * Math.PI * rest), Math.sin(2 * Math.PI * rest)];
  return [c, -s, -c, s][quarter] ?? 0;
}
export const sinTurn = (k: number, n: number): number => cosTurn(4 * k - n, 4 * n);

export interface DftAttrs {
  readonly axis: number;
  readonly length: Dim;
  readonly inverse: boolean;
  readonly onesided: boolean;
}
/** Elements along the axis of the result. */
export const dftSize = (a: DftAttrs): Dim => (a.onesided && !a.inverse ? dimAdd(dimFloorDiv(a.length, 2), 1) : a.length);
/** Frequency `k` of a one-sided spectrum of `n` stands for itself and its mirror, but for the ends. */
export const mirrored = (k: number, n: number): number => (k === 0 || 2 * k === n ? 1 : 2);
