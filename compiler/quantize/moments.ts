import { must } from '../core/diagnostic.ts';
import { dimProd, type Dim } from '../core/dim.ts';
import { numel, toNumbers } from '../core/tensor.ts';
import { graphBuilder, type GraphBuilder } from '../graph/build.ts';
import type { Graph, NodeOf, Value } from '../graph/graph.ts';
import { Conv } from '../ops/conv/conv.ts';
import { nodeOf, type Typed } from '../ops/define.ts';
import { MatMul } from '../ops/matmul/matmul.ts';
import { Concat } from '../ops/movement/concat.ts';
import { Pad } from '../ops/movement/pad.ts';
import { Reshape, Slice, Transpose } from '../ops/movement/view.ts';
import { indices, toPlanar } from '../ops/spatial.ts';
import { eachSample, type Engine, type QuantizeProgress, type Samples } from './samples.ts';
import type { Site } from './sites.ts';

/** Tables of moments have as many rows and columns as weights meet inputs: larger ones are not made. */
const MOST_ROWS = 3072;
/** Memory of the tables that are filled in one pass over the samples, and the samples that fill them. */
const PASS = { bytes: 256e6, samples: 64 };

/** How many numbers each result of a node is the sum of. */
export const rowsOf = (s: Site): number => numel(s.weights.dims) / must(s.weights.dims[s.channels]);

/** What meets the weights of a node. */
export interface Moments {
  /** The sum of x xᵀ, [k, k] with k in the order of the weights of a channel. */
  readonly sum: Float64Array;
  /** How many x there were. */
  readonly count: number;
}
/**
 * What the inputs of nodes do together, over all samples. `visit` is called for each node that has such a table, which is not kept.
 */
export async function eachMoments(
  g: Graph,
  sites: readonly Site[],
  samples: Samples,
  engine: Engine,
  told: (p: QuantizeProgress) => void,
  visit: (site: Site, m: Moments) => void,
): Promise<void> {
  const groups = new Map<string, { readonly value: Table; readonly rows: number; readonly sites: Site[] }>();
  const ids = new Map<Value, number>();
  for (const s of sites) {
    const rows = rowsOf(s);
    if (rows > MOST_ROWS) continue;
    const id = ids.get(s.x) ?? ids.size;
    ids.set(s.x, id);
    // Nodes that read the same value by the same windows share a table.
    const key = `${id} ${windowKey(s)}`;
    const had = groups.get(key);
    const value = had?.value ?? momentsOf(s);
    if (!value) continue;
    if (had) had.sites.push(s);
    else groups.set(key, { value, rows, sites: [s] });
  }
  let left = [...groups.values()];
  let done = 0;
  while (left.length > 0) {
    let bytes = 0;
    const part = left.filter((p, i) => (bytes += 8 * p.rows ** 2) <= PASS.bytes || i === 0);
    left = left.slice(part.length);
    const outputs = part.flatMap((p, i) => [
      { name: `moments ${i}`, value: p.value.sum },
      { name: `one ${i}`, value: p.value.one },
    ]);
    const run = await engine({ ...g, outputs });
    const sums = part.map(p => ({ sum: new Float64Array(p.rows ** 2), count: 0 }));
    await eachSample(g, samples, (s, n) => {
      if (n >= PASS.samples) return;
      const got = run(s);
      sums.forEach((m, i) => {
        toNumbers(must(got.get(`moments ${i}`))).forEach((v, at) => (m.sum[at] = (m.sum[at] ?? 0) + v));
        m.count += numel(must(got.get(`one ${i}`)).dims);
      });
      told({ step: 'round', done: done + n + 1, of: undefined });
    });
    done += PASS.samples;
    part.forEach((p, i) => {
      for (const s of p.sites) visit(s, must(sums[i]));
    });
  }
}
const windowKey = (s: Site): string => {
  const conv = nodeOf(s.node, Conv);
  return conv ? JSON.stringify([s.weights.dims.slice(2), conv.attrs]) : '';
};
/** The table of a node for one sample, and one number of each x, which tells how many there are. */
interface Table {
  readonly sum: Value;
  readonly one: Value;
}
/** Undefined where a node has no table. */
function momentsOf(s: Site): Table | undefined {
  const b = graphBuilder({ loc: s.node.loc });
  const conv = nodeOf(s.node, Conv);
  if (conv) {
    if (conv.attrs.group !== 1) return undefined;
    const x = windows(b, s, conv);
    const one = b.apply1(Slice, [x], { starts: [0, 0], sizes: [1, must(x.type.shape[1])], steps: [1, 1] });
    return { sum: b.apply1(MatMul, [x, x], { transB: true }), one };
  }
  if (s.node.op !== MatMul) return undefined;
  const k = must(s.weights.dims[1 - s.channels]);
  const x = b.apply1(Reshape, [s.x], { shape: [dimProd(s.x.type.shape.slice(0, -1)), k] });
  const one = b.apply1(Slice, [x], { starts: [0, 0], sizes: [must(x.type.shape[0]), 1], steps: [1, 1] });
  return { sum: b.apply1(MatMul, [x, x], { transA: true }), one };
}
/** The windows that a convolution sums over: [channels and places of the kernel, all windows]. */
function windows(b: GraphBuilder, s: Site, conv: NodeOf<Typed<typeof Conv.attrs>>): Value {
  const { layout, pads, strides, dilations } = conv.attrs;
  const rank = s.x.type.shape.length;
  const n = rank - 2;
  const x = layout === 'NCHW' ? s.x : b.apply1(Transpose, [s.x], { perm: toPlanar(rank) });
  const out = must(conv.outputs[0]).type.shape;
  const places = layout === 'NCHW' ? out.slice(2) : out.slice(1, -1);
  const padded = pads.every(p => p === 0)
    ? x
    : b.apply1(Pad, [x], { begin: [0, 0, ...pads.slice(0, n)], end: [0, 0, ...pads.slice(n)] });
  const [batch, channels] = [must(x.type.shape[0]), must(x.type.shape[1])];
  const kernel = s.weights.dims.slice(2);
  const parts = Array.from(indices(kernel), at => {
    const starts = [0, 0, ...at.map((a, i) => a * must(dilations[i]))];
    const part = b.apply1(Slice, [padded], { starts, sizes: [batch, channels, ...places], steps: [1, 1, ...strides] });
    return b.apply1(Reshape, [part], { shape: [batch, channels, 1, dimProd(places)] });
  });
  const all = parts.length === 1 ? must(parts[0]) : b.apply1(Concat, parts, { axis: 2 });
  const first = b.apply1(Transpose, [all], { perm: [1, 2, 0, 3] });
  const shape: Dim[] = [rowsOf(s), dimProd([batch, ...places])];
  return b.apply1(Reshape, [first], { shape });
}
