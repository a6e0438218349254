import { toNumbers, type Tensor } from '../../core/tensor.ts';
import type { ExternalResolver } from '../shared/external.ts';
import { NCHWC, plainFilter } from './ops/nchwc.ts';
import { graphsOf } from './order.ts';
import type { GraphProto, NodeProto, TensorProto } from './records.ts';
import { tensorOf } from './tensor.ts';

/** The sizes of blocks that onnxruntime has, by processor. */
const BLOCKS = [8, 16] as const;

/**
 * How many channels are in a block of a file that onnxruntime optimised, which it does not say: what the sizes of its filters and results
 * allow, else the block under which output channels differ most in the size of their weights. Undefined where neither decides, and for files
 * without blocks.
 */
export function blockOf(g: GraphProto, external: ExternalResolver | undefined, file: string): number | undefined {
  const all = gathered(g);
  if (!all.nodes.some(n => n.domain === NCHWC)) return undefined;
  const filters = all.nodes.flatMap(n => {
    const w = all.tensors.get(n.input[1] ?? '');
    return n.domain === NCHWC && n.opType === 'Conv' && w?.dims.length === 4 ? [{ n, w }] : [];
  });
  const fits = BLOCKS.filter(
    block => filters.every(f => fitsFilter(f.n, f.w, block, all.makers)) && all.nodes.every(n => fitsNode(n, block, all)),
  );
  if (fits.length < 2) return fits[0];
  return likelier(
    filters
      .map(f => f.w)
      .filter(w => w.dataType === 1)
      .map(w => tensorOf(w, external, file)),
  );
}

interface Gathered {
  readonly nodes: readonly NodeProto[];
  /** Constants by name. */
  readonly tensors: ReadonlyMap<string, TensorProto>;
  /** The node that makes a value. */
  readonly makers: ReadonlyMap<string, NodeProto>;
}
function gathered(main: GraphProto): Gathered {
  const nodes: NodeProto[] = [];
  const tensors = new Map<string, TensorProto>();
  const makers = new Map<string, NodeProto>();
  const todo = [main];
  for (let g = todo.pop(); g; g = todo.pop()) {
    for (const t of g.initializer) tensors.set(t.name, t);
    for (const n of g.node) {
      nodes.push(n);
      for (const o of n.output) makers.set(o, n);
      todo.push(...graphsOf(n));
    }
  }
  return { nodes, tensors, makers };
}
const attribute = (n: NodeProto, name: string): number => n.attribute.find(a => a.name === name)?.i ?? 0;

/** A filter is of whole blocks of output channels; blocked data meets whole blocks of input channels, plain data fewer than a block. */
function fitsFilter(n: NodeProto, w: TensorProto, block: number, makers: Gathered['makers']): boolean {
  const [o = 0, i = 0] = w.dims;
  if (o === 0 || o % block !== 0) return false;
  if (attribute(n, 'group') > 1) return i === 1 || i % block === 0;
  const blocked = makers.get(n.input[0] ?? '')?.domain === NCHWC;
  return blocked ? i % block === 0 : i < block || i % block === 0;
}
function fitsNode(n: NodeProto, block: number, all: Gathered): boolean {
  const to = n.domain === '' && n.opType === 'Reshape' ? all.tensors.get(n.input[1] ?? '') : undefined;
  if (to?.dataType === 7 && to.dims.length === 1 && to.dims[0] === 5) {
    // To see the blocks as an axis: [0, channels / block, 0, 0, block].
    const [a, , b, c, last] = toNumbers(tensorOf(to));
    return a !== 0 || b !== 0 || c !== 0 || last === block;
  }
  // A result has less than a block of channels that fill it up.
  if (n.domain !== NCHWC || n.opType !== 'ReorderOutput') return true;
  const held = channelsOf(n.input[0] ?? '', all.makers, all.tensors);
  const more = held === undefined ? 0 : held - attribute(n, 'channels');
  return more >= 0 && more < block;
}
/** How far results are followed back. */
const STEPS = 64;
/** The channels of blocked data, by the convolution that it comes from. */
function channelsOf(name: string, makers: Gathered['makers'], tensors: Gathered['tensors']): number | undefined {
  let maker = makers.get(name);
  for (let i = 0; i < STEPS && maker?.domain === NCHWC && maker.opType !== 'Conv'; i++) maker = makers.get(maker.input[0] ?? '');
  const w = maker?.domain === NCHWC && maker.opType === 'Conv' ? tensors.get(maker.input[1] ?? '') : undefined;
  return w?.dims.length === 4 ? w.dims[0] : undefined;
}

/** Standard deviations by which one block must be likelier than the other. */
const DECISIVE = 6;
/**
 * Of two orders of the same weights the right one is that in which more output channels are nothing but the zeros that fill a block, and each of the
 * others has a scale of its own: the logarithm of the likelihood of normal weights with a variance for each channel. For weights that are all
 * alike it moves by about the root of the number of channels.
 */
function likelier(filters: readonly Tensor[]): number | undefined {
  const [a, b] = BLOCKS.map(block => filters.map(t => ordered(plainFilter(t, block))));
  const gain = (of: (o: Ordered) => number): number => total(b, of) - total(a, of);
  const channels = filters.reduce((sum, t) => sum + (t.dims[0] ?? 0), 0);
  const empty = gain(o => o.empty);
  const likelihood = gain(o => o.likelihood);
  if (empty === 0 && !(Math.abs(likelihood) > DECISIVE * Math.sqrt(channels))) return undefined;
  return (empty === 0 ? likelihood : empty) > 0 ? BLOCKS[1] : BLOCKS[0];
}
const total = (list: readonly Ordered[] = [], of: (o: Ordered) => number): number => list.reduce((sum, o) => sum + of(o), 0);
/** How well the weights of a filter fit its output channels. */
interface Ordered {
  /** Channels of zeros. */
  readonly empty: number;
  readonly likelihood: number;
}
function ordered(t: Tensor): Ordered {
  const values = toNumbers(t);
  const each = values.length / (t.dims[0] ?? 1);
  let [empty, likelihood] = [0, 0];
  for (let from = 0; from < values.length; from += each) {
    let [squares, used] = [0, 0];
    for (let i = from; i < from + each; i++) {
      const v = values[i] ?? 0;
      squares += v * v;
      if (v !== 0) used++;
    }
    if (used === 0) empty++;
    else likelihood -= (used / 2) * Math.log(squares / used);
  }
  return { empty, likelihood };
}
