import { mapSubgraphs } from '../graph/subgraphs.ts';
import { apply, mapGraph, subgraphs, type Graph, type Node, type Value } from '../graph/graph.ts';

/** What a pass does with one node: the values in the place of its results, or undefined to keep it. */
export type Step = (n: Node, inputs: readonly (Value | undefined)[]) => readonly Value[] | undefined;

/** `mapGraph` for the sub-graphs too, innermost first. `step` makes the function for one graph. Recursion is as deep as graphs nest. */
export function mapDeep(g: Graph, step: (g: Graph) => Step): Graph {
  const own = step(g);
  return mapGraph(g, (n, inputs) => {
    if (subgraphs(n).length === 0) return own(n, inputs);
    const attrs = mapSubgraphs(n.attrs, s => mapDeep(s, step));
    if (attrs === n.attrs) return own(n, inputs);
    const outputs = apply(n.op, inputs, attrs, n.loc);
    const [first] = outputs;
    return (first?.def.k === 'node' ? own(first.def, inputs) : undefined) ?? outputs;
  });
}
