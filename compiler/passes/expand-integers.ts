import { must } from '../core/diagnostic.ts';
import type { DType } from '../core/dtype.ts';
import { toNumbers } from '../core/tensor.ts';
import { tensorOf, type Value } from '../graph/graph.ts';
import { commutative, constantOf, op, rewriteGraph, rule, type Match, type Rule } from '../graph/rewrite.ts';
import { ConvInteger } from '../ops/conv/conv-integer.ts';
import { Conv } from '../ops/conv/conv.ts';
import { Add, Cast, Mul, Round, Sub } from '../ops/elementwise/index.ts';
import { attrsOf, nodeOf } from '../ops/define.ts';
import { MatMulInteger } from '../ops/matmul/matmul-integer.ts';
import { MatMul } from '../ops/matmul/matmul.ts';
import { Slice } from '../ops/movement/view.ts';
import { Reduce } from '../ops/reduce/reduce.ts';
import { channelAxis } from '../ops/spatial.ts';
import type { Profile } from '../target/profile.ts';
import { channelCuts, depthCuts, EXACT, isZero, operandsOf, type Shifted } from './exact-sums.ts';
import { out } from './match.ts';
import type { GraphPass } from './pass.ts';

/**
 * Products of 8-bit integers, exactly, by the kernels for f32: sums of integers below 2^24 are exact in f32 in any order. Longer sums
 * are cut into parts that stay below, and the parts are added as i32.
 */

const cast = (m: Match, v: Value, to: DType): Value => (v.type.dtype === to ? v : m.apply1(Cast, [v], { to }));
/** The operand in a type that holds all differences. */
const shift = (m: Match, s: Shifted, to: DType): Value =>
  isZero(s.zero) ? cast(m, s.x, to) : m.apply1(Sub, [cast(m, s.x, to), cast(m, must(s.zero), to)]);
/** Indices start..end-1 of an axis. */
function part(m: Match, v: Value, axis: number, start: number, end: number): Value {
  const { shape } = v.type;
  if (start === 0 && shape[axis] === end) return v;
  const starts = shape.map((_, i) => (i === axis ? start : 0));
  const sizes = shape.map((d, i) => (i === axis ? end - start : d));
  return m.apply1(Slice, [v], { starts, sizes, steps: shape.map(() => 1) });
}
/** Sums as i32. Convolutions may be computed by transforms that leave a small error: it is rounded away. */
const asI32 = (m: Match, v: Value): Value => (v.type.dtype === 'i32' ? v : cast(m, m.apply1(Round, [v]), 'i32'));
/** Adds up the parts of a sum, and gives it the type of the root. */
function total(m: Match, parts: readonly Value[]): Value {
  const sum = parts.length === 1 ? must(parts[0]) : parts.map(v => asI32(m, v)).reduce((a, b) => m.apply1(Add, [a, b]));
  return out(m.root).type.dtype === 'i32' ? asI32(m, sum) : cast(m, sum, 'f32');
}

/** A ConvInteger by convolutions of floats; of i32 where floats hold nothing. */
function convolution(m: Match): Value {
  const [x, w] = operandsOf(m.root);
  const { strides, pads, dilations, layout, group } = attrsOf(m.root, ConvInteger);
  const attrs = { strides, pads, dilations, layout, group };
  const cuts = channelCuts(x, w);
  if (!cuts || (cuts.length > 2 && group !== 1))
    return total(m, [m.apply1(Conv, [shift(m, x, 'i32'), shift(m, w, 'i32')], attrs)]);
  const [fx, fw] = [shift(m, x, 'f32'), shift(m, w, 'f32')];
  const channels = channelAxis(layout, x.x.type.shape.length);
  const sums = (start: number, end: number): Value => {
    const [px, pw] = cuts.length === 2 ? [fx, fw] : [part(m, fx, channels, start, end), part(m, fw, 1, start, end)];
    return m.apply1(Conv, [px, pw], { ...attrs, exact: true });
  };
  return total(
    m,
    cuts.slice(1).map((to, i) => sums(must(cuts[i]), to)),
  );
}
/** A MatMulInteger by products of floats; of i32 where floats hold nothing. */
function product(m: Match): Value {
  const [a, b] = operandsOf(m.root);
  const { transB } = attrsOf(m.root, MatMulInteger);
  const cuts = depthCuts(a, b, transB);
  if (!cuts) return total(m, [m.apply1(MatMul, [shift(m, a, 'i32'), shift(m, b, 'i32')], { transB })]);
  const rankB = b.x.type.shape.length;
  const across = transB ? rankB - 1 : Math.max(0, rankB - 2);
  // A zero point that is not known yet is taken off the sums: what is multiplied stays within 8 bits.
  const number = a.zero && !tensorOf(a.zero) && a.zero.type.shape.every(d => d === 1);
  const afterwards = number === true && tensorOf(b.x) !== undefined && rankB === 2;
  const [fa, fb] = [shift(m, afterwards ? { x: a.x, zero: undefined } : a, 'f32'), shift(m, b, 'f32')];
  const sums = (start: number, end: number): Value => {
    const pb = part(m, fb, across, start, end);
    const y = m.apply1(MatMul, [part(m, fa, a.x.type.shape.length - 1, start, end), pb], { transB, exact: true });
    if (!afterwards) return y;
    const columns = m.apply1(Reduce, [pb], { of: 'sum', axes: [across], keep: false });
    return m.apply1(Sub, [y, m.apply1(Mul, [cast(m, must(a.zero), 'f32'), columns])]);
  };
  return total(
    m,
    cuts.slice(1).map((to, i) => sums(must(cuts[i]), to)),
  );
}

/** Sums that are wanted as floats are made as such, if floats hold them all. */
const integerOps = [ConvInteger, MatMulInteger];
function inFloats(m: Match): Value | undefined {
  const n = m.node('sums');
  const [x, w] = operandsOf(n);
  const product = nodeOf(n, MatMulInteger);
  const cuts = product ? depthCuts(x, w, product.attrs.transB) : channelCuts(x, w);
  const floats = out(m.root).type.dtype === 'f32' && cuts?.length === 2;
  return floats ? m.apply1(n.op, n.inputs, { ...n.attrs, to: 'f32' }) : undefined;
}
const sums = op(integerOps, [], { more: true, once: true, as: 'sums', when: n => attrsOf(n, ...integerOps).to === 'i32' });
const promises: readonly Rule[] = [
  rule('sums of integers as floats', op(Cast, [sums]), inFloats),
  rule('sums of integers and a bias as floats', op(Cast, [commutative(Add, sums, constantOf('bias'), { once: true })]), m => {
    if (toNumbers(m.tensor('bias')).some(v => Math.abs(v) > EXACT)) return undefined;
    const y = inFloats(m);
    return y && m.apply1(Add, [y, m.apply1(Cast, [m.value('bias')], { to: 'f32' })]);
  }),
];
const expansions = (profile: Profile): readonly Rule[] => [
  rule(
    'integers in floats',
    op(integerOps, [], { more: true, when: n => n.op.native?.(n, profile) === false && !profile.memory.scarce }),
    m => (m.root.op === ConvInteger ? convolution(m) : product(m)),
  ),
];

export const expandIntegers: GraphPass = {
  name: 'expand-integers',
  doc: 'Products and convolutions of integers become exact ones of floats where the target has no faster dot products, and room for weights of floats.',
  rules: profile => [...promises, ...expansions(profile)],
  run: (g, { profile }) => rewriteGraph(rewriteGraph(g, promises), expansions(profile)),
};
