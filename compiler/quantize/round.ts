import { must } from '../core/diagnostic.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { inBlocks } from './insert.ts';
import { eachMoments, rowsOf } from './moments.ts';
import { movedText } from './moved.ts';
import { valueNames } from './names.ts';
import type { NodePlan, QuantizationPlan } from './plan.ts';
import type { Engine, QuantizeProgress, Samples } from './samples.ts';
import type { Site } from './sites.ts';
import { BLOCK, movedFor, scaledRows } from './weights.ts';

/** A plan whose integers of 4 bits are rounded for what the inputs of their nodes do together (`gptq.ts`). */
export async function roundedForData(
  { graph, names }: { readonly graph: Graph; readonly names: ReadonlyMap<Value, string> },
  plan: QuantizationPlan,
  sites: readonly Site[],
  samples: Samples,
  engine: Engine,
  told: (p: QuantizeProgress) => void,
): Promise<QuantizationPlan> {
  const values = valueNames(graph, names);
  const few = sites.filter(s => s.k === 'product' && plan.nodes[s.name]?.scheme === 'w4');
  const nodes: Record<string, NodePlan> = { ...plan.nodes };
  await eachMoments(graph, few, samples, engine, told, (site, moments) => {
    const how = must(nodes[site.name]);
    const smooth = plan.values[values.get(site.x) ?? '']?.smooth;
    const weights = smooth ? scaledRows(site, smooth) : site.weights;
    const o = {
      block: inBlocks(site) ? BLOCK : undefined,
      asymmetric: how.asymmetric,
      whole: how.per === 'tensor' && !inBlocks(site),
    };
    const moved = movedFor(
      weights,
      site.channels,
      o,
      smooth ? { ...moments, sum: divided(moments.sum, smooth, rowsOf(site)) } : moments,
    );
    if (moved?.some(m => m !== 0)) nodes[site.name] = { ...how, moved: movedText(moved) };
  });
  return { ...plan, nodes };
}
/** The moments of inputs whose channels are divided. */
function divided(moments: Float64Array, by: readonly number[], k: number): Float64Array {
  return moments.map((v, at) => v / (must(by[Math.floor(at / k)]) * must(by[at % k])));
}
