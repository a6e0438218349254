import { type Graph, tensorOf } from '../../graph/graph.ts';
import { allNodes } from '../../graph/stats.ts';
import { TreeEnsemble } from './ensemble.ts';
import { readTables, treeDepths, TREE_INPUTS } from './tables.ts';

/** The size of decision trees. */
export interface TreeStats {
  readonly trees: number;
  /** Splits and leaves. */
  readonly nodes: number;
  readonly leaves: number;
  /** Steps from a root to the deepest leaf. */
  readonly depth: number;
  /** Columns of a row, and how many of them any split looks at. */
  readonly features: number;
  readonly used: number;
}
/** All tree ensembles of a graph together; undefined where there are none. */
export function treeStats(g: Graph): TreeStats | undefined {
  let found = false;
  let [trees, nodes, leaves, depth, features] = [0, 0, 0, 0, 0];
  const used = new Set<number>();
  for (const n of allNodes(g)) {
    if (n.op !== TreeEnsemble) continue;
    found = true;
    const t = readTables(n.inputs.slice(1, 1 + TREE_INPUTS.length).map(tensorOf));
    const l = t.values.length / Math.max(1, t.width);
    trees += t.root.length;
    leaves += l;
    nodes += l + t.feature.length;
    for (const d of treeDepths(t)) depth = Math.max(depth, d);
    for (const f of t.feature) used.add(f);
    features = Math.max(features, Number(n.inputs[0]?.type.shape[1] ?? 0));
  }
  return found ? { trees, nodes, leaves, depth, features, used: used.size } : undefined;
}
