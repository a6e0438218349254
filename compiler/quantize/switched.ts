import { must } from '../core/diagnostic.ts';
import { fromTyped, type Tensor } from '../core/tensor.ts';
import { graphBuilder } from '../graph/build.ts';
import { apply1, input, mapGraph, type Graph, type Value } from '../graph/graph.ts';
import { Where } from '../ops/elementwise/index.ts';
import { Reshape, Slice } from '../ops/movement/view.ts';
import { quantizedNode, sharing } from './insert.ts';
import { uniqueNames, valueNames } from './names.ts';
import { outputErrors, type OutputError } from './outputs.ts';
import type { QuantizationPlan } from './plan.ts';
import { eachSample, type Engine, type Sample, type Samples } from './samples.ts';
import { sitesOf } from './sites.ts';

/** How far outputs are off where only some of the quantized nodes are. */
export interface Trials {
  /** The names of the nodes that may be quantized, in the order of evaluation. */
  readonly nodes: readonly string[];
  /** On the first `most` samples, or on all. */
  errors(quantized: ReadonlySet<string>, most?: number): ReadonlyMap<string, OutputError>;
}
/** Samples and their outputs that are kept: more of them do not take part. */
const KEPT = { samples: 256, bytes: 256e6 };

/**
 * The model with a switch for each node: one compilation serves all choices of what is quantized. Both results of each node are computed.
 */
export async function openTrials(
  g: Graph,
  plan: QuantizationPlan,
  names: ReadonlyMap<Value, string>,
  samples: Samples,
  engine: Engine,
): Promise<Trials> {
  const values = valueNames(g, names);
  const sites = sitesOf(g).sites.filter(s => Object.hasOwn(plan.nodes, s.name));
  const at = new Map(sites.map((s, i) => [s.node, i]));
  const unique = uniqueNames();
  for (const v of g.inputs) if (v.def.k === 'input') unique(v.def.name);
  const name = unique('quantized');
  const switches = input(name, { dtype: 'bool', shape: [Math.max(1, sites.length)] });
  const share = sharing();
  const switched = mapGraph(g, (n, inputs) => {
    const i = at.get(n);
    if (i === undefined) return undefined;
    const site = must(sites[i]);
    const b = graphBuilder({ loc: n.loc });
    const on = b.apply1(Reshape, [b.apply1(Slice, [switches], { starts: [i], sizes: [1], steps: [1] })], { shape: [] });
    const range = plan.values[values.get(site.x) ?? ''];
    const got = quantizedNode(site, must(inputs[site.k === 'table' ? 1 : 0]), must(plan.nodes[site.name]), range, share);
    return [b.apply1(Where, [on, got, apply1(n.op, inputs, n.attrs, n.loc)])];
  });
  const run = await engine({ ...switched, inputs: [...g.inputs, switches] });
  const flags = (on: (node: string) => boolean): Tensor =>
    fromTyped(
      'bool',
      [Math.max(1, sites.length)],
      Uint8Array.from({ length: Math.max(1, sites.length) }, (_, i) => Number(on(sites[i]?.name ?? ''))),
    );
  let bytes = 0;
  const kept: { readonly sample: Sample; readonly want: ReadonlyMap<string, Tensor> }[] = [];
  const none = flags(() => false);
  await eachSample(g, samples, sample => {
    if (kept.length >= KEPT.samples || bytes > KEPT.bytes) return;
    const want = run(new Map([...sample, [name, none]]));
    for (const t of [...sample.values(), ...want.values()]) bytes += t.bytes.length;
    kept.push({ sample, want });
  });
  return {
    nodes: sites.map(s => s.name),
    errors: (quantized, most = Infinity) => {
      const sum = outputErrors();
      const on = flags(node => quantized.has(node));
      for (const { sample, want } of kept.slice(0, most)) sum.add(want, run(new Map([...sample, [name, on]])));
      return sum.result();
    },
  };
}
