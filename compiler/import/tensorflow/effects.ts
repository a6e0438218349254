import type { FunctionDef, NodeDef } from './records.ts';
import { isControl, splitRef, type Ref } from './refs.ts';
import type { Nodes, Scope, Session } from './scope.ts';

/** Nodes that run for what they do to variables: which of them run, and in which order. */

const ASSIGNS = /^Assign(?:Add|Sub)?VariableOp$/;
const READS = /^(?:ReadVariableOp|ResourceGather(?:Nd)?)$/;
/** The place of an output in a reference that is there for the order of things. */
export const ORDER = -1;

/** The functions that a node names. */
const functionsOf = (n: NodeDef): readonly string[] => [
  n.op,
  ...n.attr.flatMap(a => [a.value?.func?.name ?? '', ...(a.value?.list?.func.map(f => f.name) ?? [])]),
];
const assigning = new WeakMap<ReadonlyMap<string, FunctionDef>, ReadonlySet<string>>();
/** The functions that assign a variable, or call one that does. */
function assigningOf(functions: ReadonlyMap<string, FunctionDef>): ReadonlySet<string> {
  const had = assigning.get(functions);
  if (had) return had;
  const callers = new Map<string, string[]>();
  const found = new Set<string>();
  for (const [name, f] of functions)
    for (const n of f.nodes) {
      if (ASSIGNS.test(n.op)) found.add(name);
      for (const called of functionsOf(n)) if (functions.has(called)) callers.set(called, [...(callers.get(called) ?? []), name]);
    }
  for (const name of found) for (const caller of callers.get(name) ?? []) found.add(caller);
  assigning.set(functions, found);
  return found;
}
const effects = new WeakMap<Nodes, ReadonlySet<NodeDef>>();
/** All nodes of a list that assign a variable. */
function effectsIn(s: Session, nodes: Nodes): ReadonlySet<NodeDef> {
  const had = effects.get(nodes);
  if (had) return had;
  const functions = assigningOf(s.functions);
  const found = new Set<NodeDef>();
  for (const n of nodes.byName.values()) if (ASSIGNS.test(n.op) || functionsOf(n).some(f => functions.has(f))) found.add(n);
  effects.set(nodes, found);
  return found;
}
const nodeOf = (text: string): string => splitRef(isControl(text) ? text.slice(1) : text)[0];

/** The nodes that assign a variable when some nodes run. */
export function effectsOf(s: Session, nodes: Nodes, names: readonly string[]): readonly NodeDef[] {
  const all = effectsIn(s, nodes);
  if (all.size === 0) return [];
  const seen = new Set(names);
  const found: NodeDef[] = [];
  for (const name of seen) {
    const n = nodes.byName.get(name);
    if (!n) continue;
    if (all.has(n)) found.push(n);
    for (const i of n.input) seen.add(nodeOf(i));
  }
  return found;
}
/** What reads or assigns a variable before a node runs that does so, by the order that control inputs say. */
export function accessesBefore(s: Scope, n: NodeDef): readonly Ref[] {
  const all = effectsIn(s.session, s.nodes);
  const accesses = (x: NodeDef): boolean => all.has(x) || READS.test(x.op);
  if (!accesses(n)) return [];
  const found = new Set<string>();
  const seen = new Set(n.input.filter(isControl).map(nodeOf));
  for (const name of seen) {
    const x = s.nodes.byName.get(name);
    if (!x) continue;
    if (accesses(x)) found.add(name);
    else for (const i of x.input) if (isControl(i)) seen.add(nodeOf(i));
  }
  return [...found].map(node => ({ node, index: ORDER }));
}
