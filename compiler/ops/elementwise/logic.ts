import { dimEq, dimsNeverEqual, dimSub, rangeOf, type Dim } from '../../core/dim.ts';
import { isFloat, isInt, type DType } from '../../core/dtype.ts';
import { must } from '../../core/diagnostic.ts';
import { and, eq, ge, gt, int, konst, le, lnot, lt, ne, or, select, xor, type Expr } from '../../kernel/ir.ts';
import { attr } from '../define.ts';
import { bools, elementwise, predicate } from './op.ts';
import { binary, unary } from './util.ts';

const isNumber = (t: DType): boolean => isFloat(t) || isInt(t);
/** Decides a comparison of symbolic integers, where their ranges decide it. */
const decide = (yes: (d: Dim) => boolean, no: (d: Dim) => boolean) => (args: readonly Dim[]) => {
  const d = dimSub(must(args[0]), must(args[1]));
  return yes(d) ? 1 : no(d) ? 0 : undefined;
};

export const Equal = elementwise({
  name: 'Equal',
  doc: 'a == b',
  inputs: ['a', 'b'],
  result: predicate(() => true, 'anything'),
  ofSizes: 'other',
  // Truth values in vectors are masks, which have no comparison of their own on every target.
  scalar: (args, c) => {
    const [a, b] = [must(args[0]), must(args[1])];
    return c.types[0] === 'bool' ? lnot(xor(a, b)) : eq(a, b);
  },
  known: ([a, b]) => (dimEq(must(a), must(b)) ? 1 : dimsNeverEqual(must(a), must(b)) ? 0 : undefined),
});
export const Less = elementwise({
  name: 'Less',
  doc: 'a < b',
  inputs: ['a', 'b'],
  result: predicate(isNumber, 'numbers'),
  ofSizes: 'other',
  scalar: binary(lt),
  known: decide(
    d => rangeOf(d).hi < 0,
    d => rangeOf(d).lo >= 0,
  ),
});
export const LessOrEqual = elementwise({
  name: 'LessOrEqual',
  doc: 'a <= b',
  inputs: ['a', 'b'],
  result: predicate(isNumber, 'numbers'),
  ofSizes: 'other',
  scalar: binary(le),
  known: decide(
    d => rangeOf(d).hi <= 0,
    d => rangeOf(d).lo > 0,
  ),
});
export const Greater = elementwise({
  name: 'Greater',
  doc: 'a > b',
  inputs: ['a', 'b'],
  result: predicate(isNumber, 'numbers'),
  ofSizes: 'other',
  scalar: binary(gt),
  known: decide(
    d => rangeOf(d).lo > 0,
    d => rangeOf(d).hi <= 0,
  ),
});
export const GreaterOrEqual = elementwise({
  name: 'GreaterOrEqual',
  doc: 'a >= b',
  inputs: ['a', 'b'],
  result: predicate(isNumber, 'numbers'),
  ofSizes: 'other',
  scalar: binary(ge),
  known: decide(
    d => rangeOf(d).lo >= 0,
    d => rangeOf(d).hi < 0,
  ),
});

/** Truth values that may be symbolic: only constants decide. */
const truth =
  (f: (a: boolean, b: boolean) => boolean) =>
  (args: readonly Dim[]): Dim | undefined => {
    const [a, b] = args;
    return typeof a === 'number' && typeof b === 'number' ? Number(f(a !== 0, b !== 0)) : undefined;
  };
export const And = elementwise({
  name: 'And',
  doc: 'a and b',
  inputs: ['a', 'b'],
  result: bools,
  scalar: binary(and),
  known: truth((a, b) => a && b),
});
export const Or = elementwise({
  name: 'Or',
  doc: 'a or b',
  inputs: ['a', 'b'],
  result: bools,
  scalar: binary(or),
  known: truth((a, b) => a || b),
});
export const Xor = elementwise({
  name: 'Xor',
  doc: 'Either a or b',
  inputs: ['a', 'b'],
  result: bools,
  scalar: binary(xor),
  known: truth((a, b) => a !== b),
});
export const Not = elementwise({
  name: 'Not',
  doc: 'not x',
  inputs: ['x'],
  result: bools,
  scalar: unary(lnot),
  known: ([x]) => (typeof x === 'number' ? Number(x === 0) : undefined),
});

export const Where = elementwise({
  name: 'Where',
  doc: 'a where the condition holds, else b',
  inputs: ['condition', 'a', 'b'],
  result: (types, _, reject) => {
    const [c, a, b] = types;
    if (c !== 'bool') return reject(`the condition is ${c ?? 'absent'}, not bool`);
    return a !== undefined && a === b ? a : reject(`operands of types ${a ?? '?'} and ${b ?? '?'}; they must be equal`);
  },
  scalar: ([c, a, b]) => select(must(c), must(a), must(b)),
  known: ([c, a, b]) => (typeof c === 'number' ? (c !== 0 ? a : b) : dimEq(must(a), must(b)) ? a : undefined),
});

export const IsNaN = elementwise({
  name: 'IsNaN',
  doc: 'Whether x is not a number',
  inputs: ['x'],
  result: predicate(isFloat, 'floats'),
  scalar: unary(x => ne(x, x)),
});
export const IsInf = elementwise({
  name: 'IsInf',
  doc: 'Whether x is infinite with a sign that is looked for',
  inputs: ['x'],
  attrs: { negative: attr.bool(true), positive: attr.bool(true) },
  result: predicate(isFloat, 'floats'),
  scalar: ([arg], c): Expr => {
    const x = must(arg);
    const { negative, positive } = c.attrs;
    if (negative && positive) return or(eq(x, Infinity), eq(x, -Infinity));
    if (positive || negative) return eq(x, positive ? Infinity : -Infinity);
    return x.t.lanes === 1 ? int(0) : ne(konst(x.t, 0), 0);
  },
});
