import { must } from '../core/diagnostic.ts';
import { fromNumbers, numel, toNumbers, type Tensor } from '../core/tensor.ts';
import { graphBuilder, type GraphBuilder } from '../graph/build.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { dynamicallyQuantized } from '../import/shared/quant.ts';
import { ConvTranspose } from '../ops/conv/conv.ts';
import { nodeOf } from '../ops/define.ts';
import { Add, BitAnd, BitShift, Cast, Mul } from '../ops/elementwise/index.ts';
import { MatMul } from '../ops/matmul/matmul.ts';
import { MatMulNBits } from '../ops/matmul/nbits.ts';
import { Concat } from '../ops/movement/concat.ts';
import { Reshape } from '../ops/movement/view.ts';
import { DequantizeLinear, QuantizeLinear } from '../ops/quant/quant.ts';
import { Recurrent } from '../ops/recurrent/recurrent.ts';
import { mapDeep } from '../passes/deep.ts';
import { movedOf } from './moved.ts';
import { valueNames } from './names.ts';
import type { NodePlan, QuantizationPlan, ValuePlan } from './plan.ts';
import { isInteger, type Scheme } from './scheme.ts';
import { sitesOf, type Site } from './sites.ts';
import {
  BLOCK,
  blockWeights,
  fourBitWeights,
  halfWeights,
  halves,
  integerWeights,
  MOST_HALF,
  pairs,
  scaledRows,
  type IntegerWeights,
} from './weights.ts';

/** A graph with what a plan says, and what it made of the result of each quantized node that is not inside of another. */
interface Inserted {
  readonly graph: Graph;
  readonly results: ReadonlyMap<Site, Value>;
}
/**
 * Puts a plan into a graph as Quantize and Dequantize around operators of floats; the passes make integer kernels of them where the target
 * has these. `names`: what the model's file calls its values.
 */
export function insertQuantization(g: Graph, plan: QuantizationPlan, names: ReadonlyMap<Value, string>): Inserted {
  const values = valueNames(g, names);
  const byNode = new Map(sitesOf(g).sites.map(s => [s.node, s]));
  const share = sharing();
  const results = new Map<Site, Value>();
  const graph = mapDeep(g, () => (n, inputs) => {
    const site = byNode.get(n);
    const how = site && planOf(plan, site.name);
    if (!site || !how) return undefined;
    const outputs = quantizedNode(site, inputs, how, plan.values[values.get(site.x) ?? ''], share);
    if (!site.inside) results.set(site, must(outputs[0]));
    return outputs;
  });
  return { graph, results };
}
const planOf = (plan: QuantizationPlan, name: string): NodePlan | undefined =>
  Object.hasOwn(plan.nodes, name) ? plan.nodes[name] : undefined;

/** Values that were quantized: those that several nodes read are so once. */
type Sharing = Map<Value, Map<string, Value>>;
export const sharing = (): Sharing => new Map();

/**
 * The results of a node on other inputs, as the plan says. `range` is that of what it reads, where its scheme needs one. The node may be
 * given what came out of such rounding before it.
 */
export function quantizedNode(
  site: Site,
  inputs: readonly (Value | undefined)[],
  how: NodePlan,
  range: ValuePlan | undefined,
  share: Sharing,
): readonly Value[] {
  const b = graphBuilder({ loc: site.node.loc });
  const [first, ...more] = resultsOf(b, site, inputs, how, range, share);
  const biased = how.bias?.some(v => v !== 0) ? b.apply1(Add, [first, channelConstant(b, site, how.bias)]) : must(first);
  return [biased, ...more];
}
function resultsOf(
  b: GraphBuilder,
  site: Site,
  inputs: readonly (Value | undefined)[],
  how: NodePlan,
  range: ValuePlan | undefined,
  share: Sharing,
): readonly Value[] {
  const { scheme } = how;
  if (site.k === 'table') return [lookedUp(b, site, must(inputs[1]), scheme)];
  const x = must(inputs[0]);
  const shared = (key: string, make: () => Value): Value => {
    const of = share.get(x) ?? new Map<string, Value>();
    share.set(x, of);
    const had = of.get(key) ?? make();
    of.set(key, had);
    return had;
  };
  const whole = how.per === 'tensor';
  const onBytes = (a: Value, weights: Tensor): readonly Value[] => {
    const { q, scale } = integerWeights(weights, site.channels, whole);
    const w = b.apply1(DequantizeLinear, [b.constant(q), b.constant(scale), b.literal('i8', 0)], { to: 'f32' });
    return b.apply(site.node.op, [a, w], site.node.attrs);
  };
  switch (scheme) {
    case 'int8': {
      const smooth = range?.smooth;
      return onBytes(
        shared('int8', () => rounded(b, smooth ? smoothedValue(x, site, smooth) : x, must(range))),
        smooth ? scaledRows(site, smooth) : site.weights,
      );
    }
    case 'int8-dynamic': {
      const bytes = (): Value => {
        const d = dynamicallyQuantized(b, x);
        return b.apply1(DequantizeLinear, [d.y, d.scale, d.zero], { to: 'f32' });
      };
      return onBytes(shared('dynamic', bytes), site.weights);
    }
    case 'w8':
      return withFewBits(b, site, inputs, integerWeights(site.weights, site.channels, whole));
    case 'w4': {
      const smooth = range?.smooth;
      const weights = smooth ? scaledRows(site, smooth) : site.weights;
      const a = smooth ? shared('smooth', () => smoothedValue(x, site, smooth)) : x;
      const moved = movedIn(how, site);
      if (!inBlocks(site))
        return withFewBits(b, site, [a, ...inputs.slice(1)], fourBitWeights(weights, site.channels, whole, moved));
      const w = blockWeights(weights, site.channels === 0 ? 0 : 1, { ...how, moved });
      const [n, k] = [must(site.weights.dims[site.channels]), must(site.weights.dims[1 - site.channels])];
      const parts = [b.constant(pairs(w)), b.constant(w.scales), w.zeros && b.constant(w.zeros)];
      return [b.apply1(MatMulNBits, [a, ...parts], { bits: 4, block: BLOCK, k, n })];
    }
    case 'f16':
      return withWeights(b, site, inputs, floats(b, halfWeights(site.weights)));
  }
}
/** How far the integers of a node are from the nearest, where a plan says so. */
export const movedIn = (how: NodePlan, site: Site): Int8Array | undefined =>
  how.moved === undefined ? undefined : movedOf(how.moved, numel(site.weights.dims));
const floats = (b: GraphBuilder, t: Tensor): Value => b.apply1(Cast, [b.constant(t)], { to: 'f32' });
/** A node with weights that a narrower type holds: lowering stores them so (`lower/narrow.ts`). */
const withWeights = (b: GraphBuilder, site: Site, inputs: readonly (Value | undefined)[], w: Value): readonly Value[] =>
  b.apply(
    site.node.op,
    inputs.map((v, i) => (i === 1 ? w : v)),
    site.node.op === Recurrent ? site.node.attrs : { ...site.node.attrs, fewBits: true },
  );
/** A node on the integers of its weights; the scales of the channels come behind the sums. */
function withFewBits(
  b: GraphBuilder,
  site: Site,
  inputs: readonly (Value | undefined)[],
  { q, scale }: IntegerWeights,
): readonly Value[] {
  const w = floats(b, q);
  if (site.node.op === Recurrent) {
    const [all = 1] = toNumbers(scale);
    const rows = must(q.dims[0]);
    const scales =
      numel(scale.dims) === 1 ? fromNumbers('f32', [rows], new Float64Array(rows).fill(all)) : { ...scale, dims: [rows] };
    // Its eighth input is the scales of the rows.
    return withWeights(
      b,
      site,
      Array.from({ length: 8 }, (_, i) => (i === 7 ? b.constant(scales) : inputs[i])),
      w,
    );
  }
  const [sums] = withWeights(b, site, inputs, w);
  const scales = toNumbers(scale);
  // Groups of a transposed convolution share the scales of their channels.
  const groups = scales.length === 1 ? 1 : channelsOf(site) / scales.length;
  const factors =
    scales.length === 1
      ? b.constant({ ...scale, dims: [] })
      : channelConstant(b, site, Array.from({ length: groups }, () => [...scales]).flat());
  return [b.apply1(Mul, [sums, factors])];
}
/** Channels of the result, which follow from the weights. */
const channelsOf = ({ node, weights, channels }: Site): number =>
  must(weights.dims[channels]) * (nodeOf(node, ConvTranspose)?.attrs.group ?? 1);
/** Whether 4-bit weights are in blocks along what is summed, as `MatMulNBits` has them; else channels have a scale each. */
export const inBlocks = ({ node, weights, channels }: Site): boolean =>
  node.op === MatMul && must(weights.dims[1 - channels]) % BLOCK === 0 && must(weights.dims[channels]) % COLUMNS === 0;
/** Columns of 4-bit weights that kernels unpack together. */
const COLUMNS = 8;
/** Rows of a table in few bits, which are widened where they are looked up. */
function lookedUp(b: GraphBuilder, site: Site, indices: Value, scheme: Scheme): Value {
  const rows = (t: Tensor): Value => b.apply1(site.node.op, [b.constant(t), indices], site.node.attrs);
  if (scheme === 'f16') return b.apply1(Cast, [rows(halfWeights(site.weights))], { to: 'f32' });
  if (scheme === 'w4' && rowBlock(site) !== undefined) return fourBitRows(b, site, rows, must(rowBlock(site)));
  const { q, scale } = integerWeights(site.weights, site.channels, false);
  return b.apply1(DequantizeLinear, [rows(q), rows(scale), b.literal('i8', 0)], { to: 'f32' });
}
/** The elements of a row of a table that share a scale of 4-bit integers; undefined where rows have no halves. */
export function rowBlock({ weights }: Site): number | undefined {
  const width = must(weights.dims[1]);
  return width % 2 !== 0 ? undefined : width % BLOCK === 0 ? BLOCK : width;
}
function fourBitRows(b: GraphBuilder, site: Site, rows: (t: Tensor) => Value, block: number): Value {
  const w = blockWeights(site.weights, 0, { block });
  const exact = toNumbers(w.scales);
  const scales = fromNumbers('f16', w.scales.dims, exact);
  const isShort = toNumbers(scales).every((v, i) => v === exact[i]);
  const bytes = rows(halves(w));
  const last = bytes.type.shape.length - 1;
  const outer = bytes.type.shape.slice(0, last);
  const [low, high] = [
    b.apply1(BitAnd, [bytes, b.literal('u8', 15)]),
    b.apply1(BitShift, [bytes, b.literal('u8', 4)], { left: false }),
  ];
  const blocks = must(w.scales.dims[1]);
  const q = b.apply1(Reshape, [b.apply1(Concat, [low, high], { axis: last })], { shape: [...outer, blocks, block] });
  const scale = b.apply1(Reshape, [isShort ? b.apply1(Cast, [rows(scales)], { to: 'f32' }) : rows(w.scales)], {
    shape: [...outer, blocks, 1],
  });
  const y = b.apply1(DequantizeLinear, [q, scale, b.literal('u8', 8)], { to: 'f32' });
  return b.apply1(Reshape, [y], { shape: [...outer, blocks * block] });
}
/** A value rounded to what bytes hold. */
function rounded(b: GraphBuilder, x: Value, { scale, zero }: ValuePlan): Value {
  const [s, z] = [b.literal('f32', scale), b.literal('u8', zero)];
  return b.apply1(DequantizeLinear, [b.apply1(QuantizeLinear, [x, s, z]), s, z], { to: 'f32' });
}
/** A value with each channel divided: what is rounded in its place. */
export function smoothedValue(x: Value, site: Site, smooth: readonly number[]): Value {
  const b = graphBuilder({ loc: site.node.loc });
  const factors = smooth.map(s => 1 / s);
  return b.apply1(Mul, [x, shaped(b, factors, site.inAxis, site.x.type.shape.length)]);
}
/** Numbers for the channels of the result. */
const channelConstant = (b: GraphBuilder, site: Site, values: readonly number[]): Value =>
  shaped(b, values, site.outAxis, must(site.node.outputs[0]).type.shape.length);
function shaped(b: GraphBuilder, values: readonly number[], axis: number, rank: number): Value {
  const dims = Array.from({ length: rank - axis }, (_, i) => (i === 0 ? values.length : 1));
  return b.constant(fromNumbers('f32', dims, values));
}
/** Bytes of the weights of a node as they are stored. */
export function storedBytes(site: Site, how: NodePlan | undefined): number {
  const n = numel(site.weights.dims);
  const channels = how?.per === 'tensor' && site.k !== 'table' ? 1 : must(site.weights.dims[site.channels]);
  /** Integers of 4 bits with a half float a block, and half a byte for its zero. */
  const blocks = (size: number): number => n / 2 + (n / size) * (how?.asymmetric === true ? 2.5 : 2);
  switch (how?.scheme) {
    case undefined:
      return 4 * n;
    case 'int8':
    case 'int8-dynamic':
    case 'w8':
      return n + 4 * channels;
    case 'f16':
      return 2 * n;
    case 'w4': {
      const block = site.k === 'table' ? rowBlock(site) : inBlocks(site) ? BLOCK : undefined;
      if (block !== undefined) return blocks(block);
      return (site.k === 'table' ? n : n / 2) + 4 * channels;
    }
  }
}
/** Why a scheme does not serve a node; undefined where it does. */
export function obstacle(site: Site, scheme: Scheme): string | undefined {
  const { node, weights } = site;
  if (scheme === 'int8' && site.inside) return 'it is inside of a loop or a branch, whose values are not watched';
  if (isInteger(scheme) && (node.op === ConvTranspose || node.op === Recurrent))
    return `there is no integer kernel for ${node.op.name}`;
  if (scheme === 'f16' && toNumbers(weights).some(v => Math.abs(v) > MOST_HALF)) return `half floats end at ${MOST_HALF}`;
  return undefined;
}
