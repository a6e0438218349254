/**
 * How a node is quantized. `int8`: inputs and weights are 8-bit integers, with ranges from calibration data. `int8-dynamic`: the same with
 * the range of the input found in each run. Of the weights alone, with arithmetic of floats: `w8` and `w4`, integers of 8 and 4 bits; `f16`,
 * half floats.
 */
export const SCHEMES = ['int8', 'int8-dynamic', 'w8', 'w4', 'f16'] as const;
export type Scheme = (typeof SCHEMES)[number];
/** Whether the arithmetic is of integers too. */
export const isInteger = (s: Scheme): boolean => s === 'int8' || s === 'int8-dynamic';
/** Whether a node is affected by what the plan says of the value it reads: its range, or the divisors of its channels. */
export const usesRange = (s: Scheme | undefined): boolean => s === 'int8' || s === 'w4';
/** The scheme of more bits that a node gets where it loses too much; undefined where that is floats. */
export const wider = (s: Scheme): Scheme | undefined => (s === 'w4' ? 'w8' : undefined);
/** How weights of 4 bits are rounded. */
export const ROUNDINGS = ['data', 'nearest'] as const;
export type Rounding = (typeof ROUNDINGS)[number];
/** How ranges of values are found in calibration data: see `calibrators.ts`. */
export const METHODS = ['minmax', 'moving-average', 'percentile', 'mse', 'entropy'] as const;
export type Method = (typeof METHODS)[number];

/** Activations are stored in bytes without a sign, with a zero point: 255 steps, and 0 is one of them. */
export const LEVELS = 255;

/** A range of floats as bytes hold it: q stands for (q - zero) * scale. */
interface Affine {
  readonly scale: number;
  readonly zero: number;
}
/** Below this a scale loses digits, and its reciprocal may be infinite. */
const LEAST_SCALE = 2 ** -100;

/**
 * Scale (a float of 32 bits) and zero point that hold a range, which is widened to hold 0; undefined where it has no width. The same formula
 * as in onnxruntime's quantize_static for u8.
 */
export function affineOf(min: number, max: number): Affine | undefined {
  const [lo, hi] = [Math.min(0, min), Math.max(0, max)];
  const scale = Math.fround((hi - lo) / LEVELS);
  if (!(scale >= LEAST_SCALE) || !Number.isFinite(scale)) return undefined;
  return { scale, zero: Math.min(LEVELS, Math.max(0, Math.round(-lo / scale))) };
}
/** The shortest decimal that is the same float of 32 bits. */
export function shortFloat(v: number): number {
  const f = Math.fround(v);
  for (let digits = 3; digits < 9; digits++) {
    const short = Number(f.toPrecision(digits));
    if (Math.fround(short) === f) return short;
  }
  return Number(f.toPrecision(9));
}
