import { fail, must, type Loc } from '../../core/diagnostic.ts';
import { attrKind } from './decode.ts';
import type { GraphProto, NodeProto } from './records.ts';

/** The sub-graphs among a node's attributes. */
export function graphsOf(n: NodeProto): readonly GraphProto[] {
  if (n.attribute.length === 0) return [];
  const out: GraphProto[] = [];
  for (const a of n.attribute) {
    const kind = attrKind(a);
    if (kind === 'graph' && a.g) out.push(a.g);
    else if (kind === 'graphs') for (const g of a.graphs) out.push(g);
  }
  return out;
}

const free = new WeakMap<GraphProto, ReadonlySet<string>>();
/** The names that a sub-graph takes from around it. Recursion is as deep as graphs are nested, which the decoder bounds. */
function freeNames(g: GraphProto): ReadonlySet<string> {
  const had = free.get(g);
  if (had) return had;
  const own = new Set<string>();
  for (const i of g.input) own.add(i.name);
  for (const t of g.initializer) own.add(t.name);
  for (const s of g.sparseInitializer) own.add(s.values?.name ?? '');
  for (const n of g.node) for (const o of n.output) own.add(o);
  const out = new Set<string>();
  const use = (name: string): void => {
    if (name !== '' && !own.has(name)) out.add(name);
  };
  for (const n of g.node) for (const name of namesUsed(n)) use(name);
  for (const o of g.output) use(o.name);
  free.set(g, out);
  return out;
}
/** The names that a node needs before it can run: its inputs, and what its sub-graphs take from around. */
export function namesUsed(n: NodeProto): readonly string[] {
  const subs = graphsOf(n);
  return subs.length === 0 ? n.input : [...n.input, ...subs.flatMap(g => [...freeNames(g)])];
}

/**
 * The nodes in an order in which every value is made before it is used; files are in such an order by the standard, and then it is
 * kept. E104: there is none. E202: a name is given to two values.
 */
export function sorted(
  nodes: readonly NodeProto[],
  given: ReadonlySet<string>,
  locOf: (n: NodeProto) => Loc,
  file: string,
): readonly NodeProto[] {
  const maker = new Map<string, number>();
  nodes.forEach((n, i) => {
    for (const o of n.output) {
      if (o === '') continue;
      if (maker.has(o) || given.has(o)) fail('E202', { file, why: `two values have the name '${o}'` }, locOf(n));
      maker.set(o, i);
    }
  });
  const needs = nodes.map(n => {
    const ids: number[] = [];
    for (const name of namesUsed(n)) {
      const m = name === '' || given.has(name) ? undefined : maker.get(name);
      if (m === undefined) continue;
      ids.push(m);
    }
    return ids;
  });
  if (needs.every((ids, i) => ids.every(m => m < i))) return nodes;

  const out: NodeProto[] = [];
  const state = new Uint8Array(nodes.length); // 0: new, 1: waits for what it needs, 2: done
  const next = new Uint32Array(nodes.length);
  for (let root = 0; root < nodes.length; root++) {
    const stack = state[root] === 0 ? [root] : [];
    for (let i = stack.at(-1); i !== undefined; i = stack.at(-1)) {
      state[i] = 1;
      const at = next[i] ?? 0;
      next[i] = at + 1;
      const dep = needs[i]?.[at];
      if (dep === undefined) {
        state[i] = 2;
        stack.pop();
        out.push(must(nodes[i]));
      } else if (state[dep] === 1) {
        const n = must(nodes[dep]);
        fail('E104', { node: `'${n.name === '' ? (n.output[0] ?? '') : n.name}' (${n.opType})` }, locOf(n));
      } else if (state[dep] === 0) stack.push(dep);
    }
  }
  return out;
}
