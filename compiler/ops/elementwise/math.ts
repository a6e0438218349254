import { math, type MathOp } from '../../kernel/ir.ts';
import { elementwise, floats } from './op.ts';
import { unary } from './util.ts';

/** A transcendental function: the kernel language expands it from one library. */
const transcendental = (name: string, op: MathOp, doc: string) =>
  elementwise({ name, doc, inputs: ['x'], result: floats, scalar: unary(x => math(op, x)) });

export const Exp = transcendental('Exp', 'exp', 'e to the power x');
export const Log = transcendental('Log', 'log', 'Natural logarithm');
export const Sin = transcendental('Sin', 'sin', 'Sine');
export const Cos = transcendental('Cos', 'cos', 'Cosine');
export const Tan = transcendental('Tan', 'tan', 'Tangent');
export const Asin = transcendental('Asin', 'asin', 'Inverse sine');
export const Acos = transcendental('Acos', 'acos', 'Inverse cosine');
export const Atan = transcendental('Atan', 'atan', 'Inverse tangent');
export const Sinh = transcendental('Sinh', 'sinh', 'Hyperbolic sine');
export const Cosh = transcendental('Cosh', 'cosh', 'Hyperbolic cosine');
export const Tanh = transcendental('Tanh', 'tanh', 'Hyperbolic tangent');
export const Asinh = transcendental('Asinh', 'asinh', 'Inverse hyperbolic sine');
export const Acosh = transcendental('Acosh', 'acosh', 'Inverse hyperbolic cosine');
export const Atanh = transcendental('Atanh', 'atanh', 'Inverse hyperbolic tangent');
export const Erf = transcendental('Erf', 'erf', 'Error function');
export const Sigmoid = transcendental('Sigmoid', 'sigmoid', '1 / (1 + exp(-x))');
