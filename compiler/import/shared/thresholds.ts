const f = new Float32Array(1);
const bits = new Int32Array(f.buffer);

/** The next float32 after a float32, towards infinity. */
export function nextFloat(x: number): number {
  if (Number.isNaN(x) || x === Infinity) return x;
  if (x === 0) return 2 ** -149;
  f[0] = x;
  bits[0] = (bits[0] ?? 0) + (x > 0 ? 1 : -1);
  return f[0];
}
/** The greatest float32 that is at most x. */
function floorFloat(x: number): number {
  const r = Math.fround(x);
  return r <= x ? r : -nextFloat(-r);
}
/** The float32 u such that, for every float32 v, v < u holds exactly if v <= x. There is none for infinity, which must be handled before. */
export const atMost = (x: number): number => nextFloat(floorFloat(x));
/** The least float32 that is at least x: for every float32 v, v < x holds exactly if v is below it. */
export const atLeast = (x: number): number => -floorFloat(-x);

const d = new Float64Array(1);
const dbits = new BigInt64Array(d.buffer);
/** The next double after a double, towards infinity. */
export function nextDouble(x: number): number {
  if (Number.isNaN(x) || x === Infinity) return x;
  if (x === 0) return Number.MIN_VALUE;
  d[0] = x;
  dbits[0] = (dbits[0] ?? 0n) + (x > 0 ? 1n : -1n);
  return d[0];
}

/**
 * How many significant bits a number other than 0 has, or the one before it if that has fewer (thresholds are often moved up by one step), and
 * the power of 2 that it begins with.
 */
export function significantBits(x: number): { readonly bits: number; readonly exponent: number } {
  d[0] = Math.abs(x);
  const raw = dbits[0] ?? 0n;
  const bits = (n: bigint): number => {
    let m = (n & (2n ** 52n - 1n)) | (2n ** 52n);
    let count = 53;
    for (; (m & 1n) === 0n; m >>= 1n) count--;
    return count;
  };
  return { bits: Math.min(bits(raw), bits(x > 0 ? raw - 1n : raw + 1n)), exponent: Number(raw >> 52n) - 1023 };
}
