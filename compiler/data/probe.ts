import { fromTyped, typed, type Tensor } from '../core/tensor.ts';
import { tensorOf, type Graph } from '../graph/graph.ts';
import { allNodes } from '../graph/stats.ts';
import { nextFloat } from '../import/shared/thresholds.ts';
import { CATEGORICAL, readTables, TREE_INPUTS } from '../ops/trees/tables.ts';
import { TreeEnsemble } from '../ops/trees/ensemble.ts';
import { random } from './random.ts';

/**
 * Random rows that try the splits of decision trees, which plain random numbers seldom reach: thresholds exactly and one float to
 * either side, categories, missing and infinite values. Undefined where no trees look at that input.
 */
export function probing(graph: Graph, name: string): ((rows: Tensor, seed: number) => Tensor) | undefined {
  const byFeature = new Map<number, number[]>();
  for (const n of allNodes(graph)) {
    const x = n.inputs[0];
    if (n.op !== TreeEnsemble || x?.def.k !== 'input' || x.def.name !== name || x.type.dtype !== 'f32') continue;
    const t = readTables(n.inputs.slice(1, 1 + TREE_INPUTS.length).map(tensorOf));
    t.feature.forEach((f, i) => {
      const list = byFeature.get(f) ?? [];
      byFeature.set(f, list);
      if (((t.flags[i] ?? 0) & CATEGORICAL) === 0) list.push(t.threshold[i] ?? 0);
      else for (let k = 0; k < 4; k++) list.push((i * 7 + k * 13) % (32 * Math.max(1, t.catWords?.[i] ?? 1)));
    });
  }
  if (byFeature.size === 0) return undefined;
  return (rows, seed) => {
    const next = random(seed);
    const columns = rows.dims[1] ?? 1;
    const odd = [NaN, NaN, NaN, Infinity, -Infinity, 0, -0];
    const data = Float32Array.from(typed(rows) as Float32Array, (v, i) => {
      const list = byFeature.get(i % columns) ?? [];
      const r = next();
      if (r < 0.1) return odd[Math.floor(next() * odd.length)] ?? 0;
      if (r < 0.2 || list.length === 0) return v;
      const t = list[Math.floor(next() * list.length)] ?? 0;
      const side = next();
      return side < 0.4 ? t : side < 0.6 ? nextFloat(t) : side < 0.8 ? -nextFloat(-t) : t + v;
    });
    return fromTyped('f32', rows.dims, data);
  };
}
