import { showDim } from '../../core/dim.ts';
import { isGraph, nodesOf, tensorOf, type Graph, type Node, type Value } from '../../graph/graph.ts';
import { TreeEnsemble } from '../../ops/trees/ensemble.ts';
import { readTables, TREE_INPUTS } from '../../ops/trees/tables.ts';
import type { Drawing, DrawnNode } from '../importer.ts';
import { drawTrees } from './drawing-trees.ts';

/** A graph of operators to be drawn; the first trees of ensembles are in it. `columns` names the features that trees test. */
export const drawGraph = (g: Graph, columns?: readonly string[]): Drawing => drawn(g, columns, 'v');

/** `prefix` keeps names of values apart from those of other graphs. Recursion is as deep as graphs are nested. */
function drawn(g: Graph, columns: readonly string[] | undefined, prefix: string): Drawing {
  const names = new Map<Value, string>();
  for (const v of g.inputs) if (v.def.k === 'input') names.set(v, v.def.name);
  for (const o of g.outputs) if (!names.has(o.value)) names.set(o.value, o.name);
  const nameOf = (v: Value): string => {
    const had = names.get(v);
    if (had !== undefined) return had;
    const name = `${prefix}${names.size}`;
    names.set(v, name);
    return name;
  };
  const notes: string[] = [];
  const nodes = nodesOf(g).map((n): DrawnNode => {
    const trees = n.op === TreeEnsemble ? treesOf(n, columns) : undefined;
    if (trees?.note !== undefined) notes.push(trees.note);
    return {
      name: '',
      op: n.op.name,
      inputs: n.inputs.flatMap(v => (v && v.def.k !== 'const' ? [nameOf(v)] : [])),
      outputs: n.outputs.map(nameOf),
      notes: notesOf(n),
      shape: n.outputs[0]?.type.shape.map(showDim).join('×') ?? '',
      supported: true,
      graphs: trees?.graphs ?? bodies(n, columns, prefix),
    };
  });
  return {
    inputs: g.inputs.map(nameOf),
    outputs: g.outputs.map(o => o.name),
    nodes,
    ...(notes.length > 0 && { note: notes.join(' ') }),
  };
}
/** The last inputs of a node are those of its bodies: what these take from around them. */
function bodies(n: Node, columns: readonly string[] | undefined, prefix: string): DrawnNode['graphs'] {
  return Object.entries(n.attrs).flatMap(([name, a]) => {
    if (!isGraph(a)) return [];
    const body = drawn(a, columns, `${prefix}${name}.`);
    const used = n.inputs.filter(v => v && v.def.k !== 'const').length;
    const inputs = Array.from({ length: used }, (_, i) => body.inputs[body.inputs.length - used + i] ?? '');
    return [[name, { ...body, inputs }] as const];
  });
}
/** Numbers, words and short lists of numbers among the attributes. */
function notesOf(n: Node): string[] {
  return Object.entries(n.attrs).flatMap(([name, a]) => {
    if (typeof a === 'number' || typeof a === 'string') return [`${name} ${a}`];
    return Array.isArray(a) && a.length > 0 && a.length <= 8 && a.every(x => typeof x === 'number')
      ? [`${name} ${a.join('×')}`]
      : [];
  });
}
const treesOf = (n: Node, columns: readonly string[] | undefined): ReturnType<typeof drawTrees> =>
  drawTrees(readTables(n.inputs.slice(1, 1 + TREE_INPUTS.length).map(tensorOf)), columns);
