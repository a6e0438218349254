import { must } from '../core/diagnostic.ts';
import { bytesOf, DTYPES, isFloat, isInt, type DType } from '../core/dtype.ts';
import { fromNumbers, splatOf, toNumbers } from '../core/tensor.ts';
import { constant, type Value } from '../graph/graph.ts';
import { any, commutative, constantOf, num, op, rule, type Match, type Rule } from '../graph/rewrite.ts';
import {
  Add,
  And,
  Cast,
  Clip,
  Div,
  Max,
  Min,
  Mul,
  Neg,
  Not,
  Or,
  Pow,
  Reciprocal,
  Relu,
  Sqrt,
  Sub,
  Where,
} from '../ops/elementwise/index.ts';
import { attrsOf } from '../ops/define.ts';
import { Expand } from '../ops/movement/view.ts';
import { isFloatValue, out, sameType, splat } from './match.ts';

/** Rules over numbers. Each gives at most as many operators, none of them slower, and changes no result by more than rounding. */

/** The value x, if it can stand for the root as it is. */
const keep = (m: Match, x: Value): Value | undefined => (sameType(x, out(m.root)) ? x : undefined);
const exactly = (v: number) => constantOf('c', t => splatOf(t) === v);
/** Whether dividing by a number is exactly the same as multiplying by its inverse. */
function isPowerOfTwo(v: number): boolean {
  const e = Math.log2(Math.abs(v));
  return Number.isInteger(e) && Math.abs(e) <= 100;
}

const neutral: Rule[] = [
  rule('x + 0', commutative(Add, any('x'), exactly(0)), m => keep(m, m.value('x'))),
  rule('x - 0', op(Sub, [any('x'), exactly(0)]), m => keep(m, m.value('x'))),
  rule('x * 1', commutative(Mul, any('x'), exactly(1)), m => keep(m, m.value('x'))),
  rule('x / 1', op(Div, [any('x'), exactly(1)]), m => keep(m, m.value('x'))),
  rule('x ** 1', op(Pow, [any('x'), exactly(1)]), m => keep(m, m.value('x'))),
  rule('x and true', commutative(And, any('x'), exactly(1)), m => keep(m, m.value('x'))),
  rule('x or false', commutative(Or, any('x'), exactly(0)), m => keep(m, m.value('x'))),
];

const powers: Rule[] = [
  rule('x ** 2', op(Pow, [any('x'), exactly(2)]), m => keep(m, m.value('x')) && m.apply1(Mul, [m.value('x'), m.value('x')])),
  rule('x ** 3', op(Pow, [any('x'), exactly(3)]), m => {
    const x = m.value('x');
    return keep(m, x) && m.apply1(Mul, [m.apply1(Mul, [x, x]), x]);
  }),
  // Not for -infinity, whose power is infinity and whose root is not a number: no model takes the root of that.
  rule('x ** 0.5', op(Pow, [any('x', isFloatValue), exactly(0.5)]), m => keep(m, m.value('x')) && m.apply1(Sqrt, [m.value('x')])),
  rule(
    'x ** -1',
    op(Pow, [any('x', isFloatValue), exactly(-1)]),
    m => keep(m, m.value('x')) && m.apply1(Reciprocal, [m.value('x')]),
  ),
  rule(
    'x ** -0.5',
    op(Pow, [any('x', isFloatValue), exactly(-0.5)]),
    m => keep(m, m.value('x')) && m.apply1(Reciprocal, [m.apply1(Sqrt, [m.value('x')])]),
  ),
  rule('x / 2**n', op(Div, [any('x', isFloatValue), constantOf('c', t => toNumbers(t).every(isPowerOfTwo))]), m => {
    const c = m.tensor('c');
    return m.apply1(Mul, [
      m.value('x'),
      constant(
        fromNumbers(
          c.dtype,
          c.dims,
          toNumbers(c).map(v => 1 / v),
        ),
      ),
    ]);
  }),
  rule('1 / x', op(Div, [num(1, 0), any('x', isFloatValue)]), m => keep(m, m.value('x')) && m.apply1(Reciprocal, [m.value('x')])),
  rule(
    'y * (1 / x)',
    commutative(Mul, any('y'), op(Reciprocal, [any('x')], { once: true })),
    m =>
      // Where x is smaller than y, fewer divisions and more products are the better trade.
      keep(m, m.value('x')) && m.apply1(Div, [m.value('y'), m.value('x')]),
  ),
];

const signs: Rule[] = [
  rule('-(-x)', op(Neg, [op(Neg, [any('x')])]), m => m.value('x')),
  rule('not not x', op(Not, [op(Not, [any('x')])]), m => m.value('x')),
  rule('x * -1', commutative(Mul, any('x'), exactly(-1)), m => keep(m, m.value('x')) && m.apply1(Neg, [m.value('x')])),
  rule('x + (-y)', commutative(Add, any('x'), op(Neg, [any('y')], { once: true })), m =>
    m.apply1(Sub, [m.value('x'), m.value('y')]),
  ),
  rule('x - (-y)', op(Sub, [any('x'), op(Neg, [any('y')], { once: true })]), m => m.apply1(Add, [m.value('x'), m.value('y')])),
  rule('0 - x', op(Sub, [num(0, 0), any('x')]), m => keep(m, m.value('x')) && m.apply1(Neg, [m.value('x')])),
];

/** The bounds of a Relu, a Clip, or a Min or Max with a number. */
interface Bounds {
  readonly x: Value;
  readonly lo: number | undefined;
  readonly hi: number | undefined;
}
function boundsOf(v: Value | undefined): Bounds | undefined {
  if (v?.def.k !== 'node') return undefined;
  const { op: o, inputs } = v.def;
  const x = inputs[0];
  if (!x) return undefined;
  switch (o) {
    case Relu:
      return { x, lo: 0, hi: undefined };
    case Clip:
      return { x, ...attrsOf(v.def, Clip) };
    case Max:
    case Min: {
      const [c, y] = splat(inputs[1]) === undefined ? [splat(inputs[0]), inputs[1]] : [splat(inputs[1]), x];
      if (c === undefined || Number.isNaN(c) || !y || !sameType(y, v)) return undefined;
      return o === Max ? { x: y, lo: c, hi: undefined } : { x: y, lo: undefined, hi: c };
    }
  }
  return undefined;
}
const clips = [Relu, Clip, Max, Min];
/** Bounds one after the other as one: Clip takes the lower bound first, so the upper one wins where they cross. */
function clipped(m: Match, x: Value, lo: number | undefined, hi: number | undefined): Value {
  const low = lo === -Infinity ? undefined : lo;
  const high = hi === Infinity ? undefined : hi;
  if (low === undefined && high === undefined) return x;
  if (low === 0 && high === undefined) return m.apply1(Relu, [x]);
  return m.apply1(Clip, [x], { ...(low === undefined ? {} : { lo: low }), ...(high === undefined ? {} : { hi: high }) });
}
const bounds: Rule[] = [
  rule('bounds of bounds', op(clips, [], { more: true }), m => {
    const outer = boundsOf(out(m.root));
    const inner = boundsOf(outer?.x);
    if (!outer || !inner || !sameType(inner.x, out(m.root))) return undefined;
    const within = (v: number | undefined, lo: number | undefined, hi: number | undefined): number | undefined =>
      v === undefined ? undefined : Math.min(Math.max(v, lo ?? -Infinity), hi ?? Infinity);
    const lo = within(inner.lo, outer.lo, outer.hi) ?? outer.lo;
    const hi = within(inner.hi, outer.lo, outer.hi) ?? outer.hi;
    return clipped(m, inner.x, lo, hi);
  }),
  rule('a bound as Relu or Clip', op([Max, Min], [], { more: true }), m => {
    const b = boundsOf(out(m.root));
    return b && clipped(m, b.x, b.lo, b.hi);
  }),
  rule('a Clip that is a Relu, or nothing', op(Clip, [any('x')]), m => {
    const { lo, hi } = attrsOf(m.root, Clip);
    // Exporters write the largest float where they mean no bound.
    const open = (v: number | undefined, sign: number): boolean => v === undefined || v * sign >= 3.4028234663852886e38;
    if (!isFloatValue(m.value('x'))) return undefined;
    const [low, high] = [open(lo, -1) ? undefined : lo, open(hi, 1) ? undefined : hi];
    if (low === lo && high === hi && !(lo === 0 && hi === undefined)) return undefined;
    return clipped(m, m.value('x'), low, high);
  }),
];

/** Whether every number of one type is a number of the other. */
function holds(wide: DType, narrow: DType): boolean {
  if (wide === narrow) return true;
  if (wide === 'bool') return false;
  if (narrow === 'bool') return true;
  const [w, n] = [DTYPES[wide], DTYPES[narrow]];
  if (isFloat(narrow)) return isFloat(wide) && w.bytes > n.bytes;
  if (isFloat(wide)) return bytesOf(narrow) * 8 <= (wide === 'f64' ? 53 : wide === 'f32' ? 24 : wide === 'f16' ? 11 : 8);
  return n.kind === 'uint'
    ? w.bytes > n.bytes || (w.kind === 'uint' && w.bytes === n.bytes)
    : w.kind === 'int' && w.bytes >= n.bytes;
}
const casts: Rule[] = [
  rule('a cast to the same type', op(Cast, [any('x')]), m => keep(m, m.value('x'))),
  rule('a cast of a cast that loses nothing', op(Cast, [op(Cast, [any('x')])]), m => {
    const x = m.value('x');
    const middle = must(m.root.inputs[0]).type.dtype;
    const to = out(m.root).type.dtype;
    if (!holds(middle, x.type.dtype)) return undefined;
    // Integers wrap on the way to narrower ones, floats saturate: only wrapping goes in one step as in two.
    if (!(
      to === 'bool' ||
      isFloat(to) ||
      (isInt(x.type.dtype) && isInt(middle)) ||
      isFloat(x.type.dtype) ||
      x.type.dtype === 'bool'
    ))
      return undefined;
    return x.type.dtype === to ? x : m.apply1(Cast, [x], { to });
  }),
];

const choices: Rule[] = [
  rule('a choice that is made', op(Where, [constantOf('c'), any('a'), any('b')]), m => {
    const all = toNumbers(m.tensor('c'));
    const pick = all.every(v => v !== 0) ? m.value('a') : all.every(v => v === 0) ? m.value('b') : undefined;
    if (!pick || all.length === 0) return undefined;
    return keep(m, pick) ?? m.apply1(Expand, [pick], { shape: out(m.root).type.shape });
  }),
  rule('a choice between equals', op(Where, [any('c'), any('a'), any('a')]), m => keep(m, m.value('a'))),
  rule('a choice turned round', op(Where, [op(Not, [any('c')]), any('a'), any('b')]), m =>
    m.apply1(Where, [m.value('c'), m.value('b'), m.value('a')]),
  ),
];

export const arithmeticRules: readonly Rule[] = [...neutral, ...powers, ...signs, ...bounds, ...casts, ...choices];
