import { nodesOf, type Graph } from '../graph/graph.ts';
import { mapDeep } from './deep.ts';
import type { GraphPass } from './pass.ts';

/** Drops the definers that nothing needs; all other dead nodes are out of reach as it is. */
export const dce: GraphPass = {
  name: 'dce',
  doc: 'Nodes that give values to symbols which nothing uses any more go away.',
  run: g => trim(mapDeep(g, () => () => undefined)),
};
function trim(g: Graph): Graph {
  const live = new Set(nodesOf(g));
  const definers = g.symbolDefinitions.filter(v => v.def.k === 'node' && live.has(v.def));
  return definers.length === g.symbolDefinitions.length ? g : { ...g, symbolDefinitions: definers };
}
