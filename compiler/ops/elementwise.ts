import { add, div, max, mul, sub } from '../kernel/ir.ts';
import { dimAdd, dimMul, dimSub } from '../core/dim.ts';
import { must } from '../core/diagnostic.ts';
import type { Expr } from '../kernel/ir.ts';
import { elementwise, floats, numbers } from './elementwise-op.ts';

const two = (f: (a: Expr, b: Expr) => Expr) => (args: readonly Expr[]) => f(must(args[0]), must(args[1]));

export const Add = elementwise({
  name: 'Add',
  doc: 'a + b',
  inputs: ['a', 'b'],
  result: numbers,
  scalar: two(add),
  known: ([a, b]) => dimAdd(must(a), must(b)),
});
export const Sub = elementwise({
  name: 'Sub',
  doc: 'a - b',
  inputs: ['a', 'b'],
  result: numbers,
  scalar: two(sub),
  known: ([a, b]) => dimSub(must(a), must(b)),
});
export const Mul = elementwise({
  name: 'Mul',
  doc: 'a * b',
  inputs: ['a', 'b'],
  result: numbers,
  scalar: two(mul),
  known: ([a, b]) => dimMul(must(a), must(b)),
});
export const FloatDiv = elementwise({
  name: 'Div',
  doc: 'a / b of floats',
  inputs: ['a', 'b'],
  result: floats,
  scalar: two(div),
});
export const Relu = elementwise({
  name: 'Relu',
  doc: 'max(x, 0); NaN stays NaN',
  inputs: ['x'],
  result: numbers,
  scalar: ([x]) => max(must(x), 0),
});
