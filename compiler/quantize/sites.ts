import { must, opOf, type Loc } from '../core/diagnostic.ts';
import { numel, toNumbers, type Tensor } from '../core/tensor.ts';
import { nodesOf, tensorOf, type Graph, type Node, type Value } from '../graph/graph.ts';
import { allNodes } from '../graph/stats.ts';
import { nodeOf } from '../ops/define.ts';
import { Conv, ConvTranspose } from '../ops/conv/conv.ts';
import { Gather } from '../ops/movement/gather.ts';
import { MatMul } from '../ops/matmul/matmul.ts';
import { Recurrent } from '../ops/recurrent/recurrent.ts';
import { uniqueNames } from './names.ts';

/** A node with constant weights: what is quantized, by its name. */
export interface Site {
  /** A product or convolution of a value with weights; or rows that are looked up in a table. */
  readonly k: 'product' | 'table';
  readonly name: string;
  readonly node: Node;
  /** As the model calls the operator. */
  readonly op: string;
  /** What is multiplied with the weights, or the indices of the rows. */
  readonly x: Value;
  readonly weights: Tensor;
  /** The axis of the weights that belongs to the channels (or columns) of the result, of each group where there are several; of a table, its rows. */
  readonly channels: number;
  /** The axis of x whose elements meet the rows of the weights, and that of the result which holds its channels. */
  readonly inAxis: number;
  readonly outAxis: number;
  /** In the body of a loop or branch, whose values are not watched. */
  readonly inside: boolean;
}
/** A node with weights that stays in floats, and why. */
interface LeftFloat {
  readonly name: string;
  readonly op: string;
  readonly why: string;
}
interface Sites {
  readonly sites: readonly Site[];
  readonly left: readonly LeftFloat[];
}

/**
 * What may be quantized of a graph, in the order of evaluation, and what has weights and may not be. What is inside of loops and branches comes
 * behind what is not.
 */
export function sitesOf(g: Graph): Sites {
  const unique = uniqueNames();
  const sites: Site[] = [];
  const left: LeftFloat[] = [];
  const own = nodesOf(g);
  const seen = new Set(own);
  const add = (node: Node, otherwise: string, inside: boolean): void => {
    if (!isWeighted(node)) return;
    const name = unique(nameOf(node.loc) ?? otherwise);
    const op = opOf(node.loc) || node.op.name;
    const found = siteOf(node);
    if (typeof found === 'string') left.push({ name, op, why: found });
    else sites.push({ name, op, node, ...found, inside });
  };
  own.forEach((node, at) => add(node, `${node.op.name} ${at}`, false));
  for (const n of allNodes(g)) if (!seen.has(n)) add(n, n.op.name, true);
  return { sites, left };
}
const nameOf = (loc: Loc): string | undefined => (loc.k === 'part' && loc.name !== '' ? loc.name : undefined);
const isWeighted = (n: Node): boolean => isTable(n) || isProduct(n);
const isProduct = (n: Node): boolean =>
  (n.op === Conv || n.op === MatMul || n.op === ConvTranspose || n.op === Recurrent) &&
  n.inputs.slice(1).some(v => v?.def.k === 'const' && v.type.shape.length > 1);
/** Tables with fewer elements are not worth the work of their scales. */
const TABLE = 4096;
/** Whether rows of floats are looked up in a table of many. */
const isTable = (n: Node): boolean => {
  const gather = nodeOf(n, Gather);
  const table = tensorOf(n.inputs[0]);
  return gather?.attrs.axis === 0 && table?.dtype === 'f32' && table.dims.length === 2 && numel(table.dims) >= TABLE;
};

type Found = Pick<Site, 'k' | 'x' | 'weights' | 'channels' | 'inAxis' | 'outAxis'>;
/** What is multiplied with what, or why the node stays as it is. */
function siteOf(n: Node): Found | string {
  if (isTable(n)) return tableOf(n);
  const [x, w] = n.inputs;
  const weights = tensorOf(w);
  if (!x || !weights) return 'its weights are not constant';
  if (x.def.k === 'const') return 'nothing of it depends on the inputs';
  if (x.type.dtype !== 'f32') return `it computes in ${x.type.dtype}`;
  if (numel(weights.dims) === 0) return 'it has no weights';
  if (toNumbers(weights).some(v => !Number.isFinite(v))) return 'its weights are not finite';
  const rank = must(n.outputs[0]).type.shape.length;
  const conv = nodeOf(n, Conv);
  if (conv) {
    const axis = conv.attrs.layout === 'NHWC' ? rank - 1 : 1;
    return { k: 'product', x, weights, channels: 0, inAxis: axis, outAxis: axis };
  }
  const transposed = nodeOf(n, ConvTranspose);
  if (transposed) {
    const axis = transposed.attrs.layout === 'NHWC' ? rank - 1 : 1;
    return { k: 'product', x, weights, channels: 1, inAxis: axis, outAxis: axis };
  }
  // Of a recurrent network the weights of its states: those of its inputs are a product before it.
  if (n.op === Recurrent) return { k: 'product', x, weights, channels: 0, inAxis: rank - 1, outAxis: rank - 1 };
  const product = nodeOf(n, MatMul);
  if (!product) return 'it is no product';
  if (product.attrs.transA) return 'its left operand is transposed';
  if (weights.dims.length !== 2) return `its weights have ${weights.dims.length} axes`;
  return {
    k: 'product',
    x,
    weights,
    channels: product.attrs.transB ? 0 : 1,
    inAxis: x.type.shape.length - 1,
    outAxis: rank - 1,
  };
}
function tableOf(n: Node): Found | string {
  const weights = must(tensorOf(n.inputs[0]));
  const x = must(n.inputs[1]);
  if (x.def.k === 'const') return 'nothing of it depends on the inputs';
  if (toNumbers(weights).some(v => !Number.isFinite(v))) return 'its weights are not finite';
  const last = must(n.outputs[0]).type.shape.length - 1;
  return { k: 'table', x, weights, channels: 0, inAxis: 0, outAxis: last };
}
