import { must } from '../core/diagnostic.ts';
import { dimsEq } from '../core/dim.ts';
import { isFloat } from '../core/dtype.ts';
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
 * Scales and offsets by channel go into the weights of the convolution or product before or after them: batch normalisation,
 * learnt scales, biases one after the other. All of it is computed in float64 and rounded once.
 */

/** A convolution or product with constant weights, and where its channels are. */
interface Linear {
  readonly node: Node;
  readonly x: Value;
  readonly weights: Tensor;
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
  if (product?.exact === true || nodeOf(n, Conv)?.attrs.exact === true) return undefined;
  if (product) {
    if (w.length < 2 || x.type.shape.length < 2) return undefined;
    const turned = product.transB;
    const [k, c] = turned ? [w.length - 1, w.length - 2] : [w.length - 2, w.length - 1];
    return {
      node: n,
      x,
      weights,
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
}
/** Steps looked at in a row: what is longer has been shortened from below, or there is no product under it. */
const LONGEST = 8;
const CHAIN = [Add, Sub, Mul, Div, Neg];
/** One step of arithmetic with constants: its operand that is not one, and what is done to it. */
function step(n: Node, axis: number, size: number): Affine | undefined {
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
/** All steps from a value down to something else, as one. Every value on the way has no other use. */
function chain(m: Match, v: Value, axis: number, size: number): Affine {
  let now: Affine = { x: v, scale: new Float64Array(size).fill(1), offset: new Float64Array(size) };
  for (let steps = 0; steps < LONGEST; steps++) {
    const { x, scale, offset } = now;
    const d = x.def;
    if (d.k !== 'node' || !CHAIN.includes(d.op) || !(x === out(m.root) || m.usedOnce(x))) return now;
    const s = step(d, axis, size);
    if (!s) return now;
    now = {
      x: s.x,
      scale: scale.map((k, i) => k * must(s.scale[i])),
      offset: offset.map((o, i) => o + must(scale[i]) * must(s.offset[i])),
    };
  }
  return now;
}
const finite = (a: Float64Array): boolean => a.every(Number.isFinite);

/** Visits the weights in runs that lie between the same two channels. */
function eachRun(l: Linear, visit: (from: number, to: number, start: number, end: number) => void): void {
  const { dims } = l.weights;
  const [na, nb] = [must(dims[l.axis]), must(dims[l.axis + 1])];
  const inner = numel(dims.slice(l.axis + 2));
  let at = 0;
  for (let outer = numel(dims.slice(0, l.axis)); outer > 0; outer--)
    for (let a = 0; a < na; a++) for (let b = 0; b < nb; b++, at += inner) visit(l.from(a, b), l.to(a, b), at, at + inner);
}
/** Weights with each multiplied by what its channels say. */
function scaled(l: Linear, factor: (from: number, to: number) => number): Value {
  const data = toNumbers(l.weights);
  eachRun(l, (from, to, start, end) => {
    const k = factor(from, to);
    for (let i = start; i < end; i++) data[i] = (data[i] ?? 0) * k;
  });
  return constant(fromNumbers(l.weights.dtype, l.weights.dims, data));
}
/** What each channel of the result gets from an offset of the channels of x. */
function throughWeights(l: Linear, offset: Float64Array): Float64Array {
  const data = toNumbers(l.weights);
  const sum = new Float64Array(l.outs);
  eachRun(l, (from, to, start, end) => {
    let s = 0;
    for (let i = start; i < end; i++) s += data[i] ?? 0;
    sum[to] = (sum[to] ?? 0) + s * (offset[from] ?? 0);
  });
  return sum;
}
/** Adds numbers by channel to a result. */
function withOffset(m: Match, y: Value, axis: number, offset: Float64Array): Value {
  if (offset.every(v => v === 0)) return y;
  const shape = [offset.length, ...new Array<number>(y.type.shape.length - axis - 1).fill(1)];
  return m.apply1(Add, [y, m.literal(y.type.dtype, offset, shape)]);
}

const after: Rule = rule('scale and offset after a product', op(CHAIN, [], { more: true }), m => {
  const root = out(m.root);
  // The channels are known once the product is found: look for it first, through anything.
  const l = below(m, root);
  if (!l) return undefined;
  const c = chain(m, root, l.outAxis, l.outs);
  if (c.x !== out(l.node) || !m.usedOnce(c.x) || !finite(c.scale) || !finite(c.offset)) return undefined;
  const plain = c.scale.every(v => v === 1);
  // One Add of constants is how an offset is written.
  if (plain && m.root.op === Add && m.root.inputs.includes(c.x)) return undefined;
  if (!plain && !ownWeights(m, l)) return undefined;
  const w = plain ? l.node.inputs[1] : scaled(l, (_, to) => must(c.scale[to]));
  const y = plain ? c.x : m.apply1(l.node.op, [l.x, w], l.node.attrs);
  return withOffset(m, y, l.outAxis, c.offset);
});
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

const before: Rule = rule('scale and offset before a product', op(linearOps, [], { more: true }), m => {
  const l = linear(m.root);
  if (!l || !m.usedOnce(l.x) || !ownWeights(m, l)) return undefined;
  const c = chain(m, l.x, l.inAxis, l.ins);
  if (c.x === l.x || !finite(c.scale) || !finite(c.offset)) return undefined;
  const shifts = c.offset.some(v => v !== 0);
  const uniform = l.node.op === MatMul || nodeOf(l.node, Conv)?.attrs.pads.every(p => p === 0);
  if (!shifts || uniform) {
    const y = m.apply1(l.node.op, [c.x, scaled(l, from => must(c.scale[from]))], l.node.attrs);
    return shifts ? withOffset(m, y, l.outAxis, throughWeights(l, c.offset)) : y;
  }
  // At a border that is padded with zeros there is nothing to add the offset to: it stays, and only the scale goes on.
  const offset = c.offset.map((t, i) => t / must(c.scale[i]));
  if (c.scale.every(v => v === 1) || !finite(offset)) return undefined;
  const x = withOffset(m, c.x, l.inAxis, offset);
  return m.apply1(l.node.op, [x, scaled(l, from => must(c.scale[from]))], l.node.attrs);
});

export const foldAffine = rewrites('fold-affine', 'Scales and offsets by channel go into the weights beside them.', [
  after,
  before,
]);
