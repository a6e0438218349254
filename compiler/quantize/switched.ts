import { must } from '../core/diagnostic.ts';
import { fromTyped, type Tensor } from '../core/tensor.ts';
import { graphBuilder } from '../graph/build.ts';
import { apply, input, mapGraph, type Graph, type Value } from '../graph/graph.ts';
import { Where } from '../ops/elementwise/index.ts';
import { Reshape, Slice } from '../ops/movement/view.ts';
import { quantizedNode, sharing } from './insert.ts';
import { uniqueNames, valueNames } from './names.ts';
import { outputErrors, type OutputError } from './outputs.ts';
import type { QuantizationPlan } from './plan.ts';
import { eachSample, type Engine, type Sample, type Samples } from './samples.ts';
import type { Scheme } from './scheme.ts';
import { sitesOf } from './sites.ts';

/** What nodes are; those that are not in it stay in floats. */
export type Schemes = ReadonlyMap<string, Scheme>;
/** How far outputs are off where only some of the nodes are quantized. */
export interface Trials {
  /** The names of the nodes that may be quantized, in the order of evaluation. */
  readonly nodes: readonly string[];
  /** On the first `most` samples, or on all. */
  errors(quantized: Schemes, most?: number): ReadonlyMap<string, OutputError>;
}
/** Samples and their outputs that are kept: more of them do not take part. */
const KEPT = { samples: 256, bytes: 256e6 };

/**
 * The model with a switch for each node and each scheme that it may have: one compilation serves all choices. All results of each node are
 * computed. What is inside of loops and branches stays in floats. `more`: what nodes are with the next more bits.
 */
export async function openTrials(
  g: Graph,
  plan: QuantizationPlan,
  more: QuantizationPlan['nodes'],
  names: ReadonlyMap<Value, string>,
  samples: Samples,
  engine: Engine,
): Promise<Trials> {
  const values = valueNames(g, names);
  const sites = sitesOf(g).sites.filter(s => !s.inside && Object.hasOwn(plan.nodes, s.name));
  const switches = sites.flatMap(site => {
    const up = Object.hasOwn(more, site.name) ? more[site.name] : undefined;
    return [must(plan.nodes[site.name]), ...(up ? [up] : [])].map(how => ({ site, how }));
  });
  const size = Math.max(1, switches.length);
  const own = new Map(sites.map(s => [s.node, s]));
  const unique = uniqueNames();
  for (const v of g.inputs) if (v.def.k === 'input') unique(v.def.name);
  const name = unique('quantized');
  const flags = input(name, { dtype: 'bool', shape: [size] });
  const share = sharing();
  const switched = mapGraph(g, (n, inputs) => {
    const site = own.get(n);
    if (!site) return undefined;
    const b = graphBuilder({ loc: n.loc });
    const range = plan.values[values.get(site.x) ?? ''];
    let outputs = apply(n.op, inputs, n.attrs, n.loc);
    switches.forEach((s, i) => {
      if (s.site !== site) return;
      const on = b.apply1(Reshape, [b.apply1(Slice, [flags], { starts: [i], sizes: [1], steps: [1] })], { shape: [] });
      const got = quantizedNode(site, inputs, s.how, range, share);
      outputs = got.map((v, o) => b.apply1(Where, [on, v, outputs[o]]));
    });
    return outputs;
  });
  const run = await engine({ ...switched, inputs: [...g.inputs, flags] });
  const set = (quantized: Schemes): Tensor => {
    const on = new Uint8Array(size);
    switches.forEach((s, i) => (on[i] = Number(quantized.get(s.site.name) === s.how.scheme)));
    return fromTyped('bool', [size], on);
  };
  let bytes = 0;
  const kept: { readonly sample: Sample; readonly want: ReadonlyMap<string, Tensor> }[] = [];
  const none = set(new Map());
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
      const on = set(quantized);
      for (const { sample, want } of kept.slice(0, most)) sum.add(want, run(new Map([...sample, [name, on]])));
      return sum.result();
    },
  };
}
