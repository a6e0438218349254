/** The largest float32. */
export const MOST = 3.4028234663852886e38;
const POSITIVE = [
  0,
  1e-45,
  1e-40,
  1.2e-38,
  1e-20,
  1e-6,
  0.1,
  0.5,
  1,
  1.5,
  2.5,
  3,
  6,
  20,
  87,
  89,
  1e4,
  1e20,
  2e38,
  MOST,
  Infinity,
];
/** NaN, and numbers of both signs where functions of float32 turn, overflow, vanish or lose digits. */
export const FLOAT_EDGES: readonly number[] = [NaN, ...POSITIVE, ...POSITIVE.map(v => -v)];
