import { must } from '../core/diagnostic.ts';
import { dimsEq } from '../core/dim.ts';
import { isFloat, type DType } from '../core/dtype.ts';
import { fromNumbers, numel, toNumbers, type Tensor } from '../core/tensor.ts';
import { constant, tensorOf, type Node, type Value } from '../graph/graph.ts';
import { op, rule, type Match, type Rule } from '../graph/rewrite.ts';
import { Conv, ConvTranspose } from '../ops/conv/conv.ts';
import { Add, Div, Mul, Neg, Sub } from '../ops/elementwise/index.ts';
import { attrsOf, nodeOf, type Op } from '../ops/define.ts';
import { MatMul } from '../ops/matmul/matmul.ts';
import { channelAxis } from '../ops/spatial.ts';
import { out } from './match.ts';
import { rewrites } from './pass.ts';

/**
 * Scales by channel go into the weights of the convolution or product before or after them, and offsets after it become one: batch
 * normalisation, learnt scales, biases one after the other. All of it is computed in float64 and rounded once. Terms of the sums change by
 * a rounding each, so what stays as it is:
 * - offsets before a product, because x - mean is exact where x is near the mean, and a sum of products is not;
 * - offsets that cancel each other, because adding and taking off a large number rounds;
 * - scales that weights do not survive: those that get infinite, or so small that their digits are lost.
 */

/** A convolution or product with constant weights, and where its channels are. */
interface Linear {
  readonly node: Node;
  readonly x: Value;
  readonly weights: Tensor;
  /** Weights of few bits stay as they are, and are stored so: a scale of their sums is one multiplication. */
  readonly fewBits: boolean;
  /** Axis of the result, and of x, that holds its channels; and how many they are. */
  readonly outAxis: number;
  readonly outs: number;
  readonly inAxis: number;
  readonly ins: number;
  /** The two neighbouring axes of the weights that say between which channels a weight lies: the first of them. */
  readonly axis: number;
  /** Those channels, by the indices along the two axes. */
  from(a: number, b: number): number;
  to(a: number, b: number): number;
}
const linearOps: readonly Op[] = [Conv, ConvTranspose, MatMul];
function linear(n: Node | undefined): Linear | undefined {
  const x = n?.inputs[0];
  const weights = tensorOf(n?.inputs[1]);
  if (!n || !x || !weights || !isFloat(x.type.dtype) || !linearOps.includes(n.op)) return undefined;
  const rank = out(n).type.shape.length;
  const w = weights.dims;
  const product = nodeOf(n, MatMul)?.attrs;
  // Integers stay integers, for exact products.
  const conv = nodeOf(n, Conv)?.attrs;
  if (product?.exact === true || conv?.exact === true) return undefined;
  const fewBits = (product ?? conv ?? nodeOf(n, ConvTranspose)?.attrs)?.fewBits === true;
  if (product) {
    if (w.length < 2 || x.type.shape.length < 2) return undefined;
    const turned = product.transB;
    const [k, c] = turned ? [w.length - 1, w.length - 2] : [w.length - 2, w.length - 1];
    return {
      node: n,
      x,
      weights,
      fewBits,
      outAxis: rank - 1,
      outs: must(w[c]),
      inAxis: x.type.shape.length - (product.transA ? 2 : 1),
      ins: must(w[k]),
      axis: w.length - 2,
      from: (a, b) => (turned ? b : a),
      to: (a, b) => (turned ? a : b),
    };
  }
  const { layout, group } = attrsOf(n, Conv, ConvTranspose);
  const axis = channelAxis(layout, rank);
  const [first, second] = [must(w[0]), must(w[1])];
  // Conv: [outs, ins / group, …]; ConvTranspose: [ins, outs / group, …]. The second counts within the group of the first.
  const other = (a: number, b: number): number => Math.floor(a / (first / group)) * second + b;
  const straight = n.op === Conv;
  return {
    node: n,
    x,
    weights,
    fewBits,
    outAxis: axis,
    inAxis: axis,
    outs: straight ? first : second * group,
    ins: straight ? second * group : first,
    axis: 0,
    from: straight ? other : a => a,
    to: straight ? a => a : other,
  };
}

/** The numbers of a constant along one axis, if it is the same along all others and does not make the value larger. */
function alongAxis(c: Value | undefined, of: Value, axis: number, size: number): Float64Array | undefined {
  const t = tensorOf(c);
  const rank = of.type.shape.length;
  if (!t || t.dims.length > rank || t.dtype !== of.type.dtype) return undefined;
  const pad = rank - t.dims.length;
  if (!t.dims.every((d, a) => d === 1 || (a + pad === axis && d === size))) return undefined;
  const all = toNumbers(t);
  return all.length === 1 ? new Float64Array(size).fill(must(all[0])) : all.length === size ? all : undefined;
}
/** scale * x + offset, by channel. */
interface Affine {
  readonly x: Value;
  readonly scale: Float64Array;
  readonly offset: Float64Array;
  /** The largest |offset| among the steps and their sums, as it is in the result. */
  readonly largest: Float64Array;
  /** How many steps it stands for. */
  readonly steps: number;
}
type Step = Omit<Affine, 'largest' | 'steps'>;
/** Steps looked at in a row: what is longer has been shortened from below, or there is no product under it. */
const LONGEST = 8;
const CHAIN = [Add, Sub, Mul, Div, Neg];
/** One step of arithmetic with constants: its operand that is not one, and what is done to it. */
function step(n: Node, axis: number, size: number): Step | undefined {
  const [a, b] = n.inputs;
  const fill = (v: number): Float64Array => new Float64Array(size).fill(v);
  const same = (v: Value | undefined): v is Value => v !== undefined && dimsEq(v.type.shape, out(n).type.shape);
  const read = (v: Value | undefined): Float64Array | undefined => alongAxis(v, out(n), axis, size);
  const [left, right] = [read(a), read(b)];
  switch (n.op) {
    case Neg:
      return same(a) ? { x: a, scale: fill(-1), offset: fill(0) } : undefined;
    case Add:
      if (right && same(a)) return { x: a, scale: fill(1), offset: right };
      return left && same(b) ? { x: b, scale: fill(1), offset: left } : undefined;
    case Sub:
      if (right && same(a)) return { x: a, scale: fill(1), offset: right.map(v => -v) };
      return left && same(b) ? { x: b, scale: fill(-1), offset: left } : undefined;
    case Mul:
      if (right && same(a)) return { x: a, scale: right, offset: fill(0) };
      return left && same(b) ? { x: b, scale: left, offset: fill(0) } : undefined;
    case Div:
      return right && same(a) ? { x: a, scale: right.map(v => 1 / v), offset: fill(0) } : undefined;
  }
  return undefined;
}
/** All steps from a value down to something else, as one; up to the first offset without `offsets`. Every value on the way has no other use. */
function chain(m: Match, v: Value, axis: number, size: number, offsets: boolean): Affine {
  const zeros = new Float64Array(size);
  let now: Affine = { x: v, scale: zeros.map(() => 1), offset: zeros, largest: zeros, steps: 0 };
  for (let steps = 0; steps < LONGEST; steps++) {
    const { x, scale, offset, largest } = now;
    const d = x.def;
    if (d.k !== 'node' || !CHAIN.includes(d.op) || !(x === out(m.root) || m.usedOnce(x))) return now;
    const s = step(d, axis, size);
    if (!s || (!offsets && s.offset.some(o => o !== 0))) return now;
    const term = s.offset.map((o, i) => o * must(scale[i]));
    now = {
      x: s.x,
      scale: scale.map((k, i) => k * must(s.scale[i])),
      offset: offset.map((o, i) => o + must(term[i])),
      steps: steps + 1,
      largest: largest.map((l, i) => Math.max(l, Math.abs(must(term[i])), Math.abs(must(offset[i]) + must(term[i])))),
    };
  }
  return now;
}
const finite = (a: Float64Array): boolean => a.every(Number.isFinite);
/** Scales between which and 1 nothing overflows or underflows, where x and its sums stay within 2^64 of 1. */
const FAR = 2 ** 64;
const moderate = (scale: Float64Array): boolean => scale.every(k => k === 0 || (Math.abs(k) <= FAR && Math.abs(k) >= 1 / FAR));

/** Visits the weights in runs that lie between the same two channels. */
function eachRun(l: Linear, visit: (from: number, to: number, start: number, end: number) => void): void {
  const { dims } = l.weights;
  const [na, nb] = [must(dims[l.axis]), must(dims[l.axis + 1])];
  const inner = numel(dims.slice(l.axis + 2));
  let at = 0;
  for (let outer = numel(dims.slice(0, l.axis)); outer > 0; outer--)
    for (let a = 0; a < na; a++) for (let b = 0; b < nb; b++, at += inner) visit(l.from(a, b), l.to(a, b), at, at + inner);
}
/** Three bits above the smallest normal number: what is rounded off below is little beside a weight of this size. */
const LEAST: Partial<Record<DType, number>> = { f64: 2 ** -1019, f32: 2 ** -123, bf16: 2 ** -123, f16: 2 ** -11 };
/** Weights with each multiplied by what its channels say; undefined if one overflows, or all of a channel lose digits. */
function scaled(l: Linear, factor: (from: number, to: number) => number): Value | undefined {
  const data = toNumbers(l.weights);
  // The largest weight of each channel of x, and of each of the result.
  const largest = (): readonly Float64Array[] => [new Float64Array(l.ins), new Float64Array(l.outs)];
  const [before, after] = [largest(), largest()];
  const raise = (of: readonly Float64Array[], from: number, to: number, v: number): void => {
    const [x, y] = [must(of[0]), must(of[1])];
    if (v > (x[from] ?? 0)) x[from] = v;
    if (v > (y[to] ?? 0)) y[to] = v;
  };
  eachRun(l, (from, to, start, end) => {
    const k = factor(from, to);
    let most = 0;
    for (let i = start; i < end; i++) {
      const w = data[i] ?? 0;
      data[i] = w * k;
      most = Math.max(most, Math.abs(w));
    }
    if (k !== 0) raise(before, from, to, most);
    raise(after, from, to, most * Math.abs(k));
  });
  const t = fromNumbers(l.weights.dtype, l.weights.dims, data);
  const least = must(LEAST[t.dtype]);
  const lost = before.some((list, side) => list.some((b, channel) => b >= least && (after[side]?.[channel] ?? 0) < least));
  return !lost && finite(toNumbers(t)) ? constant(t) : undefined;
}
/** How large |weights| times the scale are together for each channel of the result: the size of its sums where x is about 1. */
function sizeOfSums(l: Linear, scale: Float64Array): Float64Array {
  const data = toNumbers(l.weights);
  const sum = new Float64Array(l.outs);
  eachRun(l, (_, to, start, end) => {
    for (let i = start; i < end; i++) sum[to] = (sum[to] ?? 0) + Math.abs((data[i] ?? 0) * (scale[to] ?? 0));
  });
  return sum;
}
/** Adds numbers by channel to a result. */
const withOffset = (m: Match, y: Value, axis: number, offset: Float64Array): Value =>
  offset.every(v => v === 0) ? y : m.apply1(Add, [y, byChannel(m, y, axis, offset)]);
const withScale = (m: Match, y: Value, axis: number, scale: Float64Array): Value =>
  scale.every(v => v === 1) ? y : m.apply1(Mul, [y, byChannel(m, y, axis, scale)]);
function byChannel(m: Match, y: Value, axis: number, values: Float64Array): Value {
  const shape = [values.length, ...new Array<number>(y.type.shape.length - axis - 1).fill(1)];
  return m.literal(y.type.dtype, values, shape);
}

const after: Rule = rule('scale and offset after a product', op(CHAIN, [], { more: true }), m => {
  const root = out(m.root);
  // The channels are known once the product is found: look for it first, through anything.
  const l = below(m, root);
  if (!l) return undefined;
  const c = chain(m, root, l.outAxis, l.outs, true);
  if (c.x !== out(l.node) || !m.usedOnce(c.x) || !moderate(c.scale) || !finite(c.offset)) return undefined;
  const plain = c.scale.every(v => v === 1);
  if (l.fewBits) {
    const left = Number(!plain) + Number(c.offset.some(v => v !== 0));
    return c.steps > left && !cancels(l, c)
      ? withOffset(m, withScale(m, c.x, l.outAxis, c.scale), l.outAxis, c.offset)
      : undefined;
  }
  // One Add of constants is how an offset is written.
  if (plain && m.root.op === Add && m.root.inputs.includes(c.x)) return undefined;
  if ((!plain && !ownWeights(m, l)) || cancels(l, c)) return undefined;
  const w = plain ? l.node.inputs[1] : scaled(l, (_, to) => must(c.scale[to]));
  return w && withOffset(m, plain ? c.x : m.apply1(l.node.op, [l.x, w], l.node.attrs), l.outAxis, c.offset);
});
/** So many times larger than what is left of them, offsets are there to round. */
const CANCELS = 2 ** 10;
/** Whether offsets cancel each other: in a channel to less than its sums could be, or in all channels to less than they are themselves. */
function cancels(l: Linear, c: Affine): boolean {
  const sums = sizeOfSums(l, c.scale);
  const left = c.offset.map(o => CANCELS * Math.abs(o));
  const beyond = c.largest.some((v, i) => v > Math.max(must(left[i]), CANCELS * must(sums[i])));
  return beyond || (c.largest.length > 0 && c.largest.every((v, i) => v > must(left[i])));
}
/** The product that a chain of arithmetic with constants begins with. */
function below(m: Match, v: Value): Linear | undefined {
  let x: Value | undefined = v;
  for (let steps = 0; x?.def.k === 'node' && steps < LONGEST; steps++) {
    const d: Node = x.def;
    const l = linear(d);
    if (l) return x.index === 0 ? l : undefined;
    if (!CHAIN.includes(d.op) || !(steps === 0 || m.usedOnce(x))) return undefined;
    const rest: readonly (Value | undefined)[] = d.inputs.filter(i => tensorOf(i) === undefined);
    if (rest.length !== 1) return undefined;
    x = rest[0];
  }
  return undefined;
}
/** Weights that others use too stay shared. */
const ownWeights = (m: Match, l: Linear): boolean => m.usedOnce(must(l.node.inputs[1]));

const before: Rule = rule('scale before a product', op(linearOps, [], { more: true }), m => {
  const l = linear(m.root);
  if (!l || l.fewBits || !m.usedOnce(l.x) || !ownWeights(m, l)) return undefined;
  const c = chain(m, l.x, l.inAxis, l.ins, false);
  const w = c.x === l.x || !moderate(c.scale) ? undefined : scaled(l, from => must(c.scale[from]));
  return w && m.apply1(l.node.op, [c.x, w], l.node.attrs);
});

export const foldAffine = rewrites(
  'fold-affine',
  'Scales by channel go into the weights beside them, offsets after them become one.',
  [after, before],
);
