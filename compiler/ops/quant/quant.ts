import { DTYPES, isFloat, isInt, regOf, limitsOf } from '../../core/dtype.ts';
import { must } from '../../core/diagnostic.ts';
import { fromNumbers, numel, toNumbers } from '../../core/tensor.ts';
import { add, div, max, min, mul, nearest, sub, type Expr } from '../../kernel/ir.ts';
import { attr } from '../define.ts';
import { broadcastIndex, elementwise } from '../elementwise/op.ts';
import { castTo } from '../elementwise/util.ts';
import { roundHalfEven } from '../../kernel/eval/scalar.ts';

/** Affine quantization: an integer q stands for the number (q - zero) * scale. Scales and zero points broadcast like any operand. */

const isOne = (e: Expr): boolean => (e.k === 'const' ? Number(e.value) === 1 : e.k === 'splat' && isOne(e.a));
const isZero = (e: Expr): boolean => (e.k === 'const' ? Number(e.value) === 0 : e.k === 'splat' && isZero(e.a));

export const QuantizeLinear = elementwise({
  name: 'QuantizeLinear',
  doc: 'x / scale rounded to the nearest integer (ties to even) plus zero, saturated to the type of zero.',
  inputs: ['x', 'scale', 'zero'],
  result: (types, _, reject) => {
    const [x, scale, zero] = [must(types[0]), must(types[1]), must(types[2])];
    if (!isFloat(x) || x !== scale) reject(`x is ${x} and the scale ${scale}; they must be floats of one type`);
    return isInt(zero) && DTYPES[zero].bytes <= 2 ? zero : reject(`cannot quantize to ${zero}`);
  },
  // In floats up to the end: what does not fit the integer has been clamped by then.
  scalar: ([x, scale, zero], c) => {
    const s = must(scale);
    const q = nearest(isOne(s) ? must(x) : div(must(x), s));
    const z = must(zero);
    const [lo, hi] = limitsOf(c.out);
    const moved = isZero(z) ? q : add(q, castTo(s.t.base, z));
    return castTo('i32', max(min(moved, Number(hi)), Number(lo)));
  },
  // The quotient is rounded to the type of x before it is rounded to an integer, as kernels do: else ties would differ.
  eval: (c, x, scale, zero) => {
    const [a, s, z] = [must(x), must(scale), must(zero)];
    const dims = c.dims(0);
    const [va, vs, vz] = [toNumbers(a), toNumbers(s), toNumbers(z)];
    const [pa, ps, pz] = [a, s, z].map(t => broadcastIndex(t.dims, dims));
    const [lo, hi] = limitsOf(z.dtype);
    const round = a.dtype === 'f64' ? (v: number): number => v : Math.fround;
    const out = new Float64Array(numel(dims));
    for (let i = 0; i < out.length; i++) {
      const q = roundHalfEven(round((va[must(pa)(i)] ?? 0) / (vs[must(ps)(i)] ?? 1))) + (vz[must(pz)(i)] ?? 0);
      out[i] = Number.isNaN(q) ? 0 : Math.min(Math.max(q, Number(lo)), Number(hi));
    }
    return [fromNumbers(z.dtype, dims, out)];
  },
});
export const DequantizeLinear = elementwise({
  name: 'DequantizeLinear',
  doc: '(x - zero) * scale',
  // Products of dequantized constants become products of integers (`integer-products`).
  fold: 'late',
  inputs: ['x', 'scale', 'zero'],
  attrs: { to: attr.dtype() },
  result: (types, a, reject) => {
    const [x, scale, zero] = [must(types[0]), must(types[1]), must(types[2])];
    if (!isInt(x) || x !== zero) reject(`x is ${x} and the zero point ${zero}; they must be integers of one type`);
    if (!isFloat(scale)) reject(`the scale is ${scale}, not a float`);
    return isFloat(a.to) ? a.to : reject(`cannot give ${a.to}`);
  },
  scalar: ([x, scale, zero], c) => {
    const reg = regOf(c.out);
    const d = isZero(must(zero)) ? must(x) : sub(must(x), must(zero));
    return mul(castTo(reg, d), castTo(reg, must(scale)));
  },
});
