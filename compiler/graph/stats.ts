import { dimAdd, dimHi, type Dim } from '../core/dim.ts';
import { nodesOf, subgraphs, type Const, type Graph, type Node } from './graph.ts';

/** The live nodes of a graph and of the graphs inside it. */
export function allNodes(g: Graph): Node[] {
  const out: Node[] = [];
  const open = [g];
  for (let top = open.pop(); top; top = open.pop())
    for (const n of nodesOf(top)) {
      out.push(n);
      for (const s of subgraphs(n)) open.push(s);
    }
  return out;
}

/** Multiply-adds of one run; bodies of loops and branches count once. undefined: no operator of the graph counts its own. */
export function macsOf(g: Graph): Dim | undefined {
  let sum: Dim | undefined;
  for (const n of allNodes(g)) {
    const d = n.op.macs?.(n);
    if (d !== undefined) sum = sum === undefined ? d : dimAdd(sum, d);
  }
  return sum;
}
/** The same at the largest sizes. */
export const macsHi = (g: Graph): number | undefined => {
  const d = macsOf(g);
  return d === undefined ? undefined : dimHi(d);
};

/** The constants that live nodes use, each once. */
export function constantsOf(g: Graph): Const[] {
  const out = new Set<Const>();
  const add = (def: Const | { readonly k: string }): void => {
    if (isConst(def)) out.add(def);
  };
  for (const n of allNodes(g)) {
    for (const v of n.inputs) if (v) add(v.def);
    for (const s of subgraphs(n)) for (const o of s.outputs) add(o.value.def);
  }
  for (const o of g.outputs) add(o.value.def);
  return [...out];
}
const isConst = (d: Const | { readonly k: string }): d is Const => d.k === 'const';

/** How many nodes there are of each operator, most first. */
export function histogram(g: Graph): Map<string, number> {
  const out = new Map<string, number>();
  for (const n of allNodes(g)) out.set(n.op.name, (out.get(n.op.name) ?? 0) + 1);
  return new Map([...out].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)));
}
