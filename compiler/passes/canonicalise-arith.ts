import { must } from '../core/diagnostic.ts';
import { DTYPES, isFloat, isInt, type DType } from '../core/dtype.ts';
import { fromNumbers, splatOf, toNumbers, type Tensor } from '../core/tensor.ts';
import { constant, type Value } from '../graph/graph.ts';
import { any, commutative, constantOf, op, rule, type Match, type Rule } from '../graph/rewrite.ts';
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
import { hasNoSign, isNeverMinusZero } from './sign.ts';

/**
 * Rules over numbers. Each gives at most as many operators, none of them slower, and changes no result by more than the rounding of its
 * steps: not for zeros of either sign, denormals, infinities and NaN.
 */

/** The value x, if it can stand for the root as it is. */
const keep = (m: Match, x: Value): Value | undefined => (sameType(x, out(m.root)) ? x : undefined);
/** Whether x and c are both floats, or both integers. */
const alikeNumbers = (m: Match): true | undefined => isFloatValue(m.value('x')) === isFloatValue(m.value('c')) || undefined;
const exactly = (v: number) => constantOf('c', t => splatOf(t) === v);
/** Zeros that change no sum: of floats those with a minus, since -0 + 0 is 0. */
const noTerm = constantOf('c', t => Object.is(splatOf(t), isFloat(t.dtype) ? -0 : 0));
/** The inverses of powers of two, if their type holds them: dividing by the one is exactly the same as multiplying by the other. */
function exactInverses(t: Tensor): Tensor | undefined {
  const inverses = fromNumbers(
    t.dtype,
    t.dims,
    toNumbers(t).map(v => 1 / v),
  );
  const held = toNumbers(inverses);
  const exact = toNumbers(t).every((v, i) => Number.isInteger(Math.log2(Math.abs(v))) && held[i] === 1 / v);
  return exact ? inverses : undefined;
}

const neutral: Rule[] = [
  rule('x + -0', commutative(Add, any('x'), noTerm), m => keep(m, m.value('x'))),
  rule('x + 0', commutative(Add, any('x', isNeverMinusZero), exactly(0)), m => keep(m, m.value('x'))),
  rule('x - 0', op(Sub, [any('x'), constantOf('c', t => Object.is(splatOf(t), 0))]), m => keep(m, m.value('x'))),
  rule('x * 1', commutative(Mul, any('x'), exactly(1)), m => keep(m, m.value('x'))),
  rule('x / 1', op(Div, [any('x'), exactly(1)]), m => keep(m, m.value('x'))),
  rule('x ** 1', op(Pow, [any('x'), exactly(1)]), m => alikeNumbers(m) && keep(m, m.value('x'))),
  rule('x and true', commutative(And, any('x'), exactly(1)), m => keep(m, m.value('x'))),
  rule('x or false', commutative(Or, any('x'), exactly(0)), m => keep(m, m.value('x'))),
];

const powers: Rule[] = [
  // An integer to the power of a float is computed as floats: it saturates where a product wraps.
  rule('x ** 2', op(Pow, [any('x'), exactly(2)]), m => {
    const x = m.value('x');
    return keep(m, x) && alikeNumbers(m) && m.apply1(Mul, [x, x]);
  }),
  rule('x ** 3', op(Pow, [any('x'), exactly(3)]), m => {
    const x = m.value('x');
    return keep(m, x) && alikeNumbers(m) && m.apply1(Mul, [m.apply1(Mul, [x, x]), x]);
  }),
  // Of -infinity the power is infinity and the root is not a number; of -0 they are 0 and -0.
  rule('x ** 0.5', op(Pow, [any('x', hasNoSign), exactly(0.5)]), m => keep(m, m.value('x')) && m.apply1(Sqrt, [m.value('x')])),
  rule(
    'x ** -1',
    op(Pow, [any('x', isFloatValue), exactly(-1)]),
    m => keep(m, m.value('x')) && m.apply1(Reciprocal, [m.value('x')]),
  ),
  rule(
    'x ** -0.5',
    op(Pow, [any('x', hasNoSign), exactly(-0.5)]),
    m => keep(m, m.value('x')) && m.apply1(Reciprocal, [m.apply1(Sqrt, [m.value('x')])]),
  ),
  rule('x / 2**n', op(Div, [any('x', isFloatValue), constantOf('c')]), m => {
    const inverses = exactInverses(m.tensor('c'));
    return inverses && m.apply1(Mul, [m.value('x'), constant(inverses)]);
  }),
  rule(
    '1 / x',
    op(Div, [exactly(1), any('x', isFloatValue)]),
    m => keep(m, m.value('x')) && m.apply1(Reciprocal, [m.value('x')]),
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
  rule('0 - x', op(Sub, [noTerm, any('x')]), m => keep(m, m.value('x')) && m.apply1(Neg, [m.value('x')])),
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
      // Of zeros of both signs the first operand comes out, which a bound never is.
      if (c === 0 && y !== x) return undefined;
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
  if (Object.is(low, 0) && high === undefined) return m.apply1(Relu, [x]);
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
    // Bounds that leave one number, or none, are told by the last of them, which also tells zeros apart.
    const zeros = [outer.lo, outer.hi, inner.lo, inner.hi].some(v => Object.is(v, -0));
    return !zeros && (lo ?? -Infinity) < (hi ?? Infinity) ? clipped(m, inner.x, lo, hi) : undefined;
  }),
  rule('a bound as Relu or Clip', op([Max, Min], [], { more: true }), m => {
    const b = boundsOf(out(m.root));
    return b && clipped(m, b.x, b.lo, b.hi);
  }),
  rule('a Clip that is a Relu, or nothing', op(Clip, [any('x')]), m => {
    const { lo, hi } = attrsOf(m.root, Clip);
    // The largest float is a bound: it stops infinities.
    if (!isFloatValue(m.value('x')) || !(lo === -Infinity || hi === Infinity || (Object.is(lo, 0) && hi === undefined)))
      return undefined;
    return clipped(m, m.value('x'), lo, hi);
  }),
];

/** Whether every number of one type is a number of the other. */
function holds(wide: DType, narrow: DType): boolean {
  if (wide === narrow) return true;
  if (wide === 'bool') return false;
  if (narrow === 'bool') return true;
  const [w, n] = [DTYPES[wide], DTYPES[narrow]];
  // The powers of two of f8e8m0 are beyond f16, and the smallest beyond the normal numbers of others.
  if (isFloat(narrow)) return isFloat(wide) && w.bytes > n.bytes && (narrow !== 'f8e8m0' || w.bytes >= 4);
  if (isFloat(wide)) return n.bits <= (wide === 'f64' ? 53 : wide === 'f32' ? 24 : wide === 'f16' ? 11 : wide === 'bf16' ? 8 : 0);
  return n.kind === 'uint' ? w.bits > n.bits || (w.kind === 'uint' && w.bits === n.bits) : w.kind === 'int' && w.bits >= n.bits;
}
const casts: Rule[] = [
  rule('a cast to the same type', op(Cast, [any('x')]), m => keep(m, m.value('x'))),
  rule('a cast of a cast that loses nothing', op(Cast, [op(Cast, [any('x')])]), m => {
    const x = m.value('x');
    const middle = must(m.root.inputs[0]).type.dtype;
    const to = out(m.root).type.dtype;
    if (!holds(middle, x.type.dtype)) return undefined;
    // Integers wrap on the way to narrower ones, floats saturate: only wrapping goes in one step as in two.
    if (
      !(
        to === 'bool' ||
        isFloat(to) ||
        (isInt(x.type.dtype) && isInt(middle)) ||
        isFloat(x.type.dtype) ||
        x.type.dtype === 'bool'
      )
    )
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
