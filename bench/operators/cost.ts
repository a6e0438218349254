import { type Loc, showLoc } from '../../compiler/core/diagnostic.ts';
import { evalDim, symbolsOf, type Dim } from '../../compiler/core/dim.ts';
import { bytesOf } from '../../compiler/core/dtype.ts';
import { elements } from '../../compiler/core/shape.ts';
import { nodesOf, type Graph, type Node, type Value } from '../../compiler/graph/graph.ts';
import { allNodes } from '../../compiler/graph/stats.ts';
import type { TimedStep } from '../../compiler/program/instrumentation.ts';

/** What a set of steps does for the model: the nodes that became kernels together. */
interface Work {
  /** Indices of the steps. */
  readonly steps: readonly number[];
  /** The operators after all passes, such as `Conv + Relu`. */
  readonly what: string;
  readonly nodes: readonly string[];
  /** Of one run: operations of arithmetic where operators tell, and bytes if each operand moved once. */
  readonly flops: number | undefined;
  readonly bytes: number;
}

/**
 * The steps of a program by what they compute: steps that share a node of the model belong together. `graph` is what was lowered, `env` has
 * the sizes of the run, `times` how often each step ran in it.
 */
export function workOf(
  graph: Graph,
  steps: readonly TimedStep[],
  env: ReadonlyMap<string, number>,
  times: readonly number[],
): Work[] {
  const places = steps.map(s => leaves(locOf(s)));
  const groups = together(places.map(p => p.map(showLoc)));
  const of = new Map<string, number>();
  groups.forEach((list, g) => list.forEach(i => places[i]?.forEach(l => of.set(showLoc(l), g))));
  const nodes: Node[][] = groups.map(() => []);
  const all = allNodes(graph);
  const home = new Map<Node, number>();
  for (const n of all) {
    const g = leaves(n.loc).flatMap(l => of.get(showLoc(l)) ?? [])[0];
    if (g === undefined) continue;
    home.set(n, g);
    nodes[g]?.push(n);
  }
  const outermost = new Set(nodesOf(graph));
  const used = usersOf(graph, all);
  return groups.map((list, g) => {
    const inside = nodes[g] ?? [];
    // A body of the model's own loops works each time; loops that a schedule divides one operator into do its work once.
    const once = inside.every(n => outermost.has(n));
    const runs = once ? 1 : list.reduce((s, i) => s + (times[i] ?? 0), 0) / list.length;
    const macs = inside.flatMap(n => valueOf(n.op.macs?.(n), env) ?? []);
    const ops = new Set(inside.map(n => n.op.name));
    const first = steps[list[0] ?? 0];
    const kernel = first?.k === 'call' ? first.what : 'loop';
    return {
      steps: list,
      what: ops.size > 0 ? [...ops].join(' + ') : kernel,
      nodes: [...new Set(list.flatMap(i => (places[i] ?? []).map(nameOf)))],
      flops: macs.length === 0 ? undefined : 2 * runs * macs.reduce((a, b) => a + b),
      bytes: runs * moved(inside, v => (used.get(v) ?? []).some(u => u === undefined || home.get(u) !== g), env),
    };
  });
}
const locOf = (s: TimedStep): Loc => {
  if (s.k === 'call') return s.loc;
  return { k: 'fused', by: 'loop', from: s.body.flatMap(x => (x.k === 'call' ? [x.loc] : [])) };
};
function leaves(l: Loc): Loc[] {
  if (l.k === 'fused') return l.from.flatMap(leaves);
  return l.k === 'none' ? [] : [l];
}
function nameOf(l: Loc): string {
  switch (l.k) {
    case 'part':
      return l.name;
    case 'file':
      return l.what;
    case 'text':
    case 'fused':
    case 'none':
      return showLoc(l);
  }
}
/** Indices of lists that share an element, directly or by way of others. */
function together(lists: readonly (readonly string[])[]): number[][] {
  const parent = lists.map((_, i) => i);
  const root = (i: number): number => {
    let r = i;
    while (parent[r] !== r) r = parent[r] ?? r;
    return r;
  };
  const owner = new Map<string, number>();
  lists.forEach((list, i) => {
    for (const key of list) {
      const had = owner.get(key);
      if (had === undefined) owner.set(key, i);
      else parent[root(i)] = root(had);
    }
  });
  const out = new Map<number, number[]>();
  lists.forEach((_, i) => out.set(root(i), [...(out.get(root(i)) ?? []), i]));
  return [...out.values()];
}
/** Who reads a value; undefined: the caller of the model. */
function usersOf(graph: Graph, all: readonly Node[]): Map<Value, (Node | undefined)[]> {
  const out = new Map<Value, (Node | undefined)[]>();
  const add = (v: Value | undefined, by: Node | undefined): void => {
    if (!v) return;
    const list = out.get(v) ?? [];
    out.set(v, list);
    list.push(by);
  };
  for (const n of all) for (const v of n.inputs) add(v, n);
  for (const o of graph.outputs) add(o.value, undefined);
  return out;
}
/** Bytes that come from outside of the nodes, each value once, and that leave them. */
function moved(nodes: readonly Node[], leavesThem: (v: Value) => boolean, env: ReadonlyMap<string, number>): number {
  const made = new Set(nodes.flatMap(n => n.outputs));
  const read = new Map<Value, number>();
  const count = (v: Value): number => valueOf(elements(v.type), env) ?? 0;
  for (const n of nodes)
    for (const v of n.inputs) {
      if (!v || made.has(v)) continue;
      // Of a large table, an index map reads what its output holds.
      const { k } = n.op.lower;
      const some =
        k === 'indexMap' || k === 'elementwise'
          ? Math.min(
              count(v),
              n.outputs.reduce((s, o) => s + count(o), 0),
            )
          : count(v);
      read.set(v, Math.max(read.get(v) ?? 0, some));
    }
  const written = [...made].filter(leavesThem);
  const bytes = (v: Value, n: number): number => n * bytesOf(v.type.dtype);
  return [...read].reduce((s, [v, n]) => s + bytes(v, n), 0) + written.reduce((s, v) => s + bytes(v, count(v)), 0);
}
/** A size where all its symbols are known. */
function valueOf(d: Dim | undefined, env: ReadonlyMap<string, number>): number | undefined {
  if (d === undefined) return undefined;
  return symbolsOf(d).every(s => env.has(s.name)) ? evalDim(d, env) : undefined;
}
