import { isFloat } from '../core/dtype.ts';
import type { Node, Value } from '../graph/graph.ts';
import { any, commutative, constantOf, num, op, rule, type Match, type Pattern, type Rule } from '../graph/rewrite.ts';
import { Add, Div, Exp, Log, Mul, Pow, Reciprocal, Sqrt, Sub } from '../ops/elementwise/index.ts';
import { attrsOf, nodeOf } from '../ops/define.ts';
import type { Reduction } from '../ops/reduce/axes.ts';
import { LayerNorm, Softmax } from '../ops/reduce/norm.ts';
import { Reduce } from '../ops/reduce/reduce.ts';
import { out, sameType, splat } from './match.ts';

/** Normalisations and softmax that an exporter spelt out. */

const reduced = (of: Reduction, x: Pattern, as: string): Pattern =>
  op(Reduce, [x], { as, when: n => nodeOf(n, Reduce)?.attrs.of === of && nodeOf(n, Reduce)?.attrs.keep === true });
/** The two ways to write a square. */
const squares = (x: string): readonly Pattern[] => [op(Mul, [any(x), any(x)]), op(Pow, [any(x), num(2, 0)])];
/** x / sqrt(mean of squares + epsilon), in every way to write it; `x` is named `name`. */
function rooted(x: Pattern, name: string): readonly ReturnType<typeof op>[] {
  return squares(name).flatMap(s => {
    const root = op(Sqrt, [commutative(Add, reduced('mean', s, 'squares'), constantOf('epsilon'))]);
    return [op(Div, [x, root]), commutative(Mul, x, op(Reciprocal, [root]))];
  });
}
const axesOf = (n: Node): readonly number[] => attrsOf(n, Reduce).axes;
const sameAxes = (a: Node, b: Node): boolean => axesOf(a).join() === axesOf(b).join();
function normalised(m: Match, x: Value, center: boolean): Value | undefined {
  const epsilon = splat(m.value('epsilon'));
  if (epsilon === undefined || !(epsilon >= 0) || !isFloat(x.type.dtype) || !sameType(x, out(m.root))) return undefined;
  return m.apply1(LayerNorm, [x], { axes: axesOf(m.node('squares')), epsilon, center });
}
const centred = op(Sub, [any('x'), reduced('mean', any('x'), 'mean')], { as: 'd' });
const norms: readonly Rule[] = [
  ...rooted(centred, 'd').map(p =>
    rule('layer normalisation spelt out', p, m =>
      sameAxes(m.node('mean'), m.node('squares')) ? normalised(m, m.value('x'), true) : undefined,
    ),
  ),
  ...rooted(any('x'), 'x').map(p => rule('root mean square normalisation spelt out', p, m => normalised(m, m.value('x'), false))),
];

/** Softmax of x where both reductions go over one axis. */
function softmax(m: Match, log: boolean): Value | undefined {
  const x = m.value('x');
  const [axis, ...more] = axesOf(m.node('sum'));
  if (axis === undefined || more.length > 0 || !sameAxes(m.node('sum'), m.node('most')) || !sameType(x, out(m.root)))
    return undefined;
  return m.apply1(Softmax, [x], { axis, log });
}
/**
 * The largest element must be taken off: without that, exponentials overflow and their quotient is not a number. The logarithm of a
 * softmax stays, for it is minus infinity where the softmax gets zero.
 */
const shifted = op(Sub, [any('x'), reduced('max', any('x'), 'most')], { as: 's' });
const exponential = op(Exp, [shifted], { as: 'e' });
const sum = reduced('sum', any('e'), 'sum');
const softmaxes: readonly Rule[] = [
  ...[op(Div, [exponential, sum]), commutative(Mul, exponential, op(Reciprocal, [sum]))].map(p =>
    rule('softmax spelt out', p, m => softmax(m, false)),
  ),
  rule('logarithm of softmax spelt out', op(Sub, [shifted, op(Log, [reduced('sum', op(Exp, [any('s')]), 'sum')])]), m =>
    softmax(m, true),
  ),
];

export const normRules: readonly Rule[] = [...norms, ...softmaxes];
