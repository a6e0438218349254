import { InternalError, type Loc } from '../core/diagnostic.ts';
import { dimEq } from '../core/dim.ts';
import { splatOf, type Tensor } from '../core/tensor.ts';
import { showType, type TensorType } from '../core/shape.ts';
import { graphBuilder, type GraphBuilder } from './build.ts';
import { mapSubgraphs } from './subgraphs.ts';
import { apply, nodesOf, subgraphs, tensorOf, type Graph, type Node, type Value } from './graph.ts';
import type { Op } from '../ops/define.ts';

/**
 * Rewriting by patterns. A rule looks for an expression and says what to put in its place:
 * ```
 * rule('double negation', op(Neg, op(Neg, any('x'))), m => m.value('x'))
 * ```
 */
export type Pattern =
  | { readonly k: 'any'; readonly as: string; when?(v: Value): boolean }
  | { readonly k: 'const'; readonly as: string; when?(t: Tensor): boolean }
  | {
      readonly k: 'op';
      readonly ops: readonly Op[];
      readonly inputs: readonly (Pattern | undefined)[];
      readonly as?: string;
      when?(n: Node): boolean;
      /** Used by this expression alone, so that it goes away with it. */
      readonly once: boolean;
      /** The two inputs may come in either order. */
      readonly commutes: boolean;
      /** Inputs after the listed ones may be there. */
      readonly more: boolean;
      /** Which of its results is meant. */
      readonly output: number;
    };
type OpPattern = Extract<Pattern, { readonly k: 'op' }>;

/** Any value. The same name twice means the same value. */
export const any = (as: string, when?: (v: Value) => boolean): Pattern => ({ k: 'any', as, ...(when ? { when } : {}) });
/** A constant. */
export const constantOf = (as: string, when?: (t: Tensor) => boolean): Pattern => ({ k: 'const', as, ...(when ? { when } : {}) });
/** A constant whose elements are all this number, to within rounding of its type. */
export const num = (v: number, tolerance = 1e-6): Pattern =>
  constantOf('', t => {
    const s = splatOf(t);
    return s !== undefined && Math.abs(s - v) <= tolerance * Math.max(1, Math.abs(v));
  });
interface OpOptions {
  readonly as?: string;
  readonly when?: (n: Node) => boolean;
  readonly once?: boolean;
  readonly more?: boolean;
  readonly output?: number;
}
/** A node of an operator (or one of several) whose inputs match; undefined stands for an input left out. */
export function op(ops: Op | readonly Op[], inputs: readonly (Pattern | undefined)[], o: OpOptions = {}): OpPattern {
  const list = Array.isArray(ops) ? (ops as readonly Op[]) : [ops as Op];
  const { once = false, more = false, output = 0, ...rest } = o;
  return { k: 'op', ops: list, inputs, once, more, output, commutes: false, ...rest };
}
/** The same where the two inputs may be swapped. */
export const commutative = (ops: Op | readonly Op[], a: Pattern, b: Pattern, o: OpOptions = {}): OpPattern => ({
  ...op(ops, [a, b], o),
  commutes: true,
});

/** What a rule matched, and the builder of what takes its place. Nodes made through it come from all matched nodes together. */
export interface Match extends GraphBuilder {
  /** What an `any` or `constantOf` found, or the result of a named node. */
  value(as: string): Value;
  tensor(as: string): Tensor;
  node(as: string): Node;
  /** Whether the value has no other use than one. */
  usedOnce(v: Value): boolean;
  /** How many uses a value has; of one made in this sweep it is not known yet, and taken for 2. */
  uses(v: Value): number;
  readonly root: Node;
  /** The matched nodes together. */
  readonly loc: Loc;
}
export interface Rule {
  readonly name: string;
  readonly pattern: OpPattern;
  /** What stands for the results of the root (one value for the first of them), or undefined where the rule does not apply. */
  build(m: Match): Value | readonly Value[] | undefined;
}
export const rule = (name: string, pattern: OpPattern, build: Rule['build']): Rule => ({ name, pattern, build });

interface Found {
  readonly values: Map<string, Value>;
  readonly nodes: Map<string, Node>;
  /** All matched nodes, the root first. */
  readonly all: Node[];
}
type Uses = (v: Value) => number;
/** Counts another use. */
type Use = (v: Value) => void;

/** Patterns are a few operators deep, so recursion is fine here. */
function match(p: Pattern, v: Value | undefined, uses: Uses, f: Found): boolean {
  if (!v) return false;
  switch (p.k) {
    case 'any':
      return (p.when?.(v) ?? true) && bindValue(f, p.as, v);
    case 'const': {
      const t = tensorOf(v);
      return t !== undefined && (p.when?.(t) ?? true) && bindValue(f, p.as, v);
    }
    case 'op':
      return v.def.k === 'node' && v.index === p.output && (!p.once || uses(v) === 1) && matchNode(p, v.def, uses, f);
  }
}
function bindValue(f: Found, as: string, v: Value): boolean {
  if (as === '') return true;
  const had = f.values.get(as);
  if (had) return had === v || (tensorOf(had) !== undefined && tensorOf(had) === tensorOf(v));
  f.values.set(as, v);
  return true;
}
function matchNode(p: OpPattern, n: Node, uses: Uses, f: Found): boolean {
  if (!p.ops.includes(n.op)) return false;
  const given = n.inputs.length;
  if (!p.more && given > p.inputs.length && n.inputs.slice(p.inputs.length).some(v => v !== undefined)) return false;
  f.all.push(n);
  if (p.as !== undefined) {
    f.nodes.set(p.as, n);
    const out = n.outputs[p.output];
    if (out && !bindValue(f, p.as, out)) return false;
  }
  const inOrder = (order: readonly (Pattern | undefined)[]): boolean =>
    order.every((q, i) => (q ? match(q, n.inputs[i], uses, f) : n.inputs[i] === undefined));
  if (p.when && !p.when(n)) return false;
  if (!p.commutes) return inOrder(p.inputs);
  const saved = { values: new Map(f.values), nodes: new Map(f.nodes), all: f.all.length };
  if (inOrder(p.inputs)) return true;
  restore(f.values, saved.values);
  restore(f.nodes, saved.nodes);
  f.all.length = saved.all;
  return inOrder([p.inputs[1], p.inputs[0]]);
}
function restore<K, V>(to: Map<K, V>, from: ReadonlyMap<K, V>): void {
  to.clear();
  for (const [k, v] of from) to.set(k, v);
}

/** What the rules say for a node, if one of them applies. */
function rewriteNode(n: Node, rules: ReadonlyMap<Op, readonly Rule[]>, uses: Uses, use: Use): readonly Value[] | undefined {
  for (const r of rules.get(n.op) ?? []) {
    const f: Found = { values: new Map(), nodes: new Map(), all: [] };
    if (!matchNode(r.pattern, n, uses, f)) continue;
    const loc: Loc = f.all.length === 1 ? n.loc : { k: 'fused', by: r.name, from: f.all.map(x => x.loc) };
    const get = <T>(map: ReadonlyMap<string, T>, as: string): T => map.get(as) ?? unknown(r, as);
    const built = r.build({
      ...graphBuilder({ loc }),
      value: as => get(f.values, as),
      tensor: as => tensorOf(get(f.values, as)) ?? unknown(r, as),
      node: as => get(f.nodes, as),
      usedOnce: v => uses(v) === 1,
      uses,
      root: n,
      loc,
    });
    if (!built) continue;
    const values: readonly Value[] = 'type' in built ? [built] : built;
    n.outputs.forEach((o, i) => {
      const v = values[i];
      if (v && !mayReplace(o.type, v.type))
        throw new InternalError(`rule '${r.name}' puts a ${showType(v.type)} in the place of a ${showType(o.type)}`);
    });
    // What was matched is probably used by what was built; too high a count only puts a rule off until the next sweep.
    f.values.forEach(use);
    return values;
  }
  return undefined;
}
function unknown(r: Rule, as: string): never {
  throw new InternalError(`rule '${r.name}' has nothing named '${as}'`);
}
/** The new type may know a size that the old one left open. */
function mayReplace(old: TensorType, now: TensorType): boolean {
  return (
    old.dtype === now.dtype &&
    old.shape.length === now.shape.length &&
    old.shape.every((d, i) => {
      const e = now.shape[i] ?? 0;
      return typeof d !== 'number' || typeof e !== 'number' || dimEq(d, e);
    })
  );
}

/** A rewrite of one node is rewritten itself at most this often in a row. */
const CHAIN = 64;
/** Sweeps over the graph; each must have changed something for the next to follow. */
const SWEEPS = 12;

/**
 * Applies rules until none applies, first come first served. A sweep visits each node once, after its inputs; only rules whose root is
 * the node's operator are tried.
 */
export function rewriteGraph(g: Graph, rules: readonly Rule[]): Graph {
  const index = new Map<Op, Rule[]>();
  for (const r of rules)
    for (const o of r.pattern.ops) {
      const list = index.get(o);
      if (list) list.push(r);
      else index.set(o, [r]);
    }
  let now = g;
  for (let i = 0; i < SWEEPS; i++) {
    const next = sweep(now, index);
    if (next === now) return now;
    now = next;
  }
  return now;
}
function sweep(g: Graph, rules: ReadonlyMap<Op, readonly Rule[]>): Graph {
  // How often values of the old graph are used, carried over to what stands for them. Values made by a rule in this sweep have no count.
  const count = new Map<Value, number>();
  const use = (v: Value): void => void count.set(v, (count.get(v) ?? 0) + 1);
  const nodes = nodesOf(g);
  for (const n of nodes) for (const v of n.inputs) if (v) use(v);
  for (const o of g.outputs) use(o.value);
  const uses: Uses = v => count.get(v) ?? 2;

  const map = new Map<Value, Value>();
  const get = (v: Value): Value => map.get(v) ?? v;
  let changed = false;
  for (const n of nodes) {
    const inputs = n.inputs.map(v => v && get(v));
    let attrs = n.attrs;
    if (subgraphs(n).length > 0) attrs = mapSubgraphs(n.attrs, s => sweep(s, rules));
    let outs: readonly Value[] =
      attrs === n.attrs && inputs.every((v, i) => v === n.inputs[i]) ? n.outputs : apply(n.op, inputs, attrs, n.loc);
    if (attrs !== n.attrs) changed = true;
    for (let i = 0; i < CHAIN; i++) {
      const [first] = outs;
      if (first?.def.k !== 'node') break;
      const whole = first.def;
      if (outs.some((v, j) => v !== whole.outputs[j]) || outs.length !== whole.outputs.length) break;
      const built = rewriteNode(whole, rules, uses, use);
      if (!built) break;
      changed = true;
      outs = whole.outputs.map((v, j) => built[j] ?? v);
    }
    n.outputs.forEach((v, i) => {
      const w = outs[i];
      if (!w || w === v) return;
      map.set(v, w);
      count.set(w, (count.get(w) ?? 0) + (count.get(v) ?? 0));
    });
  }
  if (!changed) return g;
  return {
    ...g,
    outputs: g.outputs.map(o => ({ name: o.name, value: get(o.value) })),
    symbolDefinitions: g.symbolDefinitions.map(get),
  };
}
