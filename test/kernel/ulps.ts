import type { MathOp } from '../../compiler/kernel/ir.ts';

/** What kernels promise: largest relative errors in units of the last place (2^-23, 2^-52). */
export const ULPS: Readonly<Record<MathOp, { readonly f32: number; readonly f64: number }>> = {
  exp: { f32: 1, f64: 2 },
  log: { f32: 1, f64: 2 },
  sin: { f32: 2, f64: 16 },
  cos: { f32: 2, f64: 16 },
  tan: { f32: 2.5, f64: 16 },
  asin: { f32: 2, f64: 3 },
  acos: { f32: 2, f64: 3 },
  atan: { f32: 2, f64: 2 },
  sinh: { f32: 2.5, f64: 4 },
  cosh: { f32: 2.5, f64: 4 },
  tanh: { f32: 2.6, f64: 4 },
  asinh: { f32: 2, f64: 4 },
  acosh: { f32: 2, f64: 4 },
  atanh: { f32: 2, f64: 4 },
  erf: { f32: 1.5, f64: 16 },
  sigmoid: { f32: 1.5, f64: 3 },
};
