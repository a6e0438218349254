import { must } from '../core/diagnostic.ts';
import { fromNumbers, toNumbers } from '../core/tensor.ts';
import { graphBuilder, type GraphBuilder } from '../graph/build.ts';
import { mapGraph, type Graph, type Value } from '../graph/graph.ts';
import { dynamicallyQuantized } from '../import/shared/quant.ts';
import { Add, Mul } from '../ops/elementwise/index.ts';
import { MatMul } from '../ops/matmul/matmul.ts';
import { MatMulNBits } from '../ops/matmul/nbits.ts';
import { DequantizeLinear, QuantizeLinear } from '../ops/quant/quant.ts';
import { valueNames } from './names.ts';
import type { NodePlan, QuantizationPlan, ValuePlan } from './plan.ts';
import type { Scheme } from './scheme.ts';
import { sitesOf, type Site } from './sites.ts';
import { BLOCK, blockWeights, integerWeights, scaledRows } from './weights.ts';

/** A graph with what a plan says, and what it made of the result of each quantized node. */
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
  const graph = mapGraph(g, (n, inputs) => {
    const site = byNode.get(n);
    const how = site && planOf(plan, site.name);
    if (!site || !how) return undefined;
    const y = quantizedNode(site, must(inputs[site.k === 'table' ? 1 : 0]), how, plan.values[values.get(site.x) ?? ''], share);
    results.set(site, y);
    return [y];
  });
  return { graph, results };
}
const planOf = (plan: QuantizationPlan, name: string): NodePlan | undefined =>
  Object.hasOwn(plan.nodes, name) ? plan.nodes[name] : undefined;

/** Values that were quantized: those that several nodes read are so once. */
type Sharing = Map<Value, Map<string, Value>>;
export const sharing = (): Sharing => new Map();

/** The result of a node on an input, with both as the plan says. `range` is that of the input, where its scheme needs one. */
export function quantizedNode(site: Site, x: Value, how: NodePlan, range: ValuePlan | undefined, share: Sharing): Value {
  const b = graphBuilder({ loc: site.node.loc });
  if (site.k === 'table') return lookedUp(b, site, x);
  const smooth = how.scheme === 'int8' ? range?.smooth : undefined;
  const weights = smooth ? scaledRows(site, smooth) : site.weights;
  const y = (a: Value): Value => b.apply1(site.node.op, [a, integers(b, site, weights, how)], site.node.attrs);
  const shared = (key: string, make: () => Value): Value => {
    const of = share.get(x) ?? new Map<string, Value>();
    share.set(x, of);
    const had = of.get(key) ?? make();
    of.set(key, had);
    return had;
  };
  const result = ((): Value => {
    switch (how.scheme) {
      case 'int8':
        return y(shared('int8', () => rounded(b, smooth ? smoothedValue(x, site, smooth) : x, must(range))));
      case 'int8-dynamic':
        return y(
          shared('dynamic', () => {
            const d = dynamicallyQuantized(b, x);
            return b.apply1(DequantizeLinear, [d.y, d.scale, d.zero], { to: 'f32' });
          }),
        );
      case 'w4': {
        const { q, scales } = blockWeights(site.weights, site.channels === 0 ? 0 : 1);
        const [n, k] = [must(site.weights.dims[site.channels]), must(site.weights.dims[1 - site.channels])];
        return b.apply1(MatMulNBits, [x, b.constant(q), b.constant(scales)], { bits: 4, block: BLOCK, k, n });
      }
    }
  })();
  return how.bias && how.bias.some(v => v !== 0) ? b.apply1(Add, [result, channelConstant(b, site, how.bias)]) : result;
}
/** Rows of a table as bytes, each with a scale of its own. */
function lookedUp(b: GraphBuilder, site: Site, indices: Value): Value {
  const { q, scale } = integerWeights(site.weights, site.channels, false);
  const rows = (t: Value): Value => b.apply1(site.node.op, [t, indices], site.node.attrs);
  return b.apply1(DequantizeLinear, [rows(b.constant(q)), rows(b.constant(scale)), b.literal('i8', 0)], { to: 'f32' });
}
/** A value rounded to what bytes hold. */
function rounded(b: GraphBuilder, x: Value, { scale, zero }: ValuePlan): Value {
  const [s, z] = [b.literal('f32', scale), b.literal('u8', zero)];
  return b.apply1(DequantizeLinear, [b.apply1(QuantizeLinear, [x, s, z]), s, z], { to: 'f32' });
}
function integers(b: GraphBuilder, site: Site, weights: Site['weights'], how: NodePlan): Value {
  const { q, scale } = integerWeights(weights, site.channels, how.per === 'tensor');
  return b.apply1(DequantizeLinear, [b.constant(q), b.constant(scale), b.literal('i8', 0)], { to: 'f32' });
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
  const n = toNumbers(site.weights).length;
  const bytes = n + 4 * must(site.weights.dims[site.channels]);
  switch (how?.scheme) {
    case undefined:
      return 4 * n;
    case 'int8':
    case 'int8-dynamic':
      return bytes;
    case 'w4':
      return site.k === 'table' ? bytes : n / 2 + (4 * n) / BLOCK;
  }
}
/** Why a scheme does not serve a node; undefined where it does. */
export function obstacle(site: Site, scheme: Scheme): string | undefined {
  if (scheme !== 'w4' || site.k === 'table') return undefined;
  if (site.node.op !== MatMul) return 'weights of 4 bits are for products';
  const [n, k] = [must(site.weights.dims[site.channels]), must(site.weights.dims[1 - site.channels])];
  if (k % BLOCK !== 0) return `its ${k} rows are no multiple of a block of ${BLOCK}`;
  return n % COLUMNS === 0 ? undefined : `its ${n} columns are no multiple of ${COLUMNS}`;
}
/** Columns of 4-bit weights that kernels unpack together. */
const COLUMNS = 8;
