import { assert, must, showLoc } from '../core/diagnostic.ts';
import { dimEq, showDim, symbolsOf, type Dim } from '../core/dim.ts';
import { subgraphs, type Node } from '../graph/graph.ts';
import type { Step, SymbolInfo } from '../program/program.ts';
import { newTrap, record, type State } from './state.ts';

/** Symbolic sizes while a graph is lowered: guards and checks, symbols that get their value at run time, loops that count with one. */

/**
 * Sizes that must be equal for a node: a guard of the model where they follow from the inputs and the node runs always, else a step,
 * since only then both have a value. `checked`: what was checked before in this graph.
 */
export function checkSizes(state: State, n: Node, isWhole: boolean, checked: Set<string>): void {
  for (const g of n.guards) {
    if (dimEq(g.a, g.b)) continue;
    const key = `${showDim(g.a)} = ${showDim(g.b)}`;
    if (checked.has(key)) continue;
    checked.add(key);
    const symbols = [...symbolsOf(g.a), ...symbolsOf(g.b)].map(s => must(state.symbols.get(s.name), `symbol ${s.name}`));
    const what = `${g.what} (${showLoc(n.loc)})`;
    if (isWhole && symbols.every(s => s.from === 'input')) state.guards.push({ ...g, what });
    else state.steps.push({ k: 'check', a: g.a, b: g.b, trap: newTrap(state, what) });
  }
}
/** A run-time symbol of a node, with the range that the node's types and attributes give it. */
export function defineSymbol(state: State, name: string, n: Node): SymbolInfo {
  const find = (d: unknown): void => {
    if (typeof d === 'object' && d !== null && 'k' in d && d.k === 'poly')
      for (const s of symbolsOf(d as Dim))
        if (s.name === name) state.symbols.set(name, { name, lo: s.lo, hi: s.hi, from: 'run' });
  };
  for (const v of n.outputs) {
    v.type.shape.forEach(find);
    v.symbolic?.forEach(find);
  }
  for (const a of Object.values(n.attrs)) {
    find(a);
    if (Array.isArray(a)) a.forEach(find);
  }
  for (const g of subgraphs(n)) for (const o of g.outputs) o.value.type.shape.forEach(find);
  if (!state.symbols.has(name)) state.symbols.set(name, { name, lo: 0, hi: 2 ** 31 - 1, from: 'run' });
  return must(state.symbols.get(name));
}
export function addLoop(
  state: State,
  symbol: Dim,
  how: Pick<Extract<Step, { k: 'loop' }>, 'trip' | 'cond' | 'parallel'>,
  body: () => void,
): void {
  const [s] = symbolsOf(symbol);
  assert(s !== undefined, 'a loop counts with a symbol');
  state.symbols.set(s.name, { name: s.name, lo: s.lo, hi: s.hi, from: 'run' });
  state.steps.push({ k: 'loop', symbol: s.name, ...how, body: record(state, body) });
}
