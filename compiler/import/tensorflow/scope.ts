import { fail, must, opOf, type Loc } from '../../core/diagnostic.ts';
import type { Tensor } from '../../core/tensor.ts';
import { constant, input, symbolicOf, type Graph, type Value } from '../../graph/graph.ts';
import { collecting, contexts, importBuilder, spend, type ImportSession } from '../shared/builder.ts';
import { importedAt, Poisoned, Unsupported } from '../shared/unsupported.ts';
import { mapItem, type Item } from './item.ts';
import { TfNode } from './node.ts';
import type { FunctionDef, NodeDef } from './records.ts';
import { accessesBefore, effectsOf, ORDER } from './effects.ts';
import { isControl, outputIndex, splitRef, type Ref } from './refs.ts';
import type { BodyOf, LookupTable, TfBuilder, TfCtx } from './registry.ts';

/** What is shared by everything that is imported from one model. */
export interface Session extends ImportSession {
  readonly ops: ReadonlyMap<string, TfBuilder>;
  readonly functions: ReadonlyMap<string, FunctionDef>;
  /** The value that a variable has in the checkpoint. */
  readonly variable: (key: string) => Tensor | undefined;
  readonly table: (key: string) => LookupTable | undefined;
  /** Variables that the model assigns: what they are before a run. */
  readonly before: ReadonlyMap<string, Value>;
  /** What variables have been given, by key, as values of the outermost graph. */
  readonly assigned: Map<string, Value>;
}
/** A graph that is being made. Values of the graphs around it enter through captures. */
interface Frame {
  readonly outer: Frame | undefined;
  /** Value outside → input inside, in order of first use. */
  readonly captures: Map<Value, Value>;
  readonly definers: Value[];
}
export const newFrame = (outer?: Frame): Frame => ({ outer, captures: new Map(), definers: [] });

/** A list of nodes by name: the main graph, or the body of a function, whose names of values are of another form. */
export interface Nodes {
  readonly byName: ReadonlyMap<string, NodeDef>;
  readonly isFunction: boolean;
}
type Made = readonly (Item | undefined)[] | 'poison';
/** A place where nodes are imported: the main graph, or one call of a function. A function sees nothing of its caller. */
export interface Scope {
  readonly session: Session;
  readonly nodes: Nodes;
  /** What nodes have given, and what arguments and inputs are, by name. */
  readonly made: Map<string, Made>;
  /** Values that are inputs of the model in the place of what gives them, by `node:index`. */
  readonly cut: ReadonlyMap<string, Item>;
  readonly frame: Frame;
  /** Put before the names of nodes in messages. */
  readonly prefix: string;
  /** The functions that are being inlined. */
  readonly calls: ReadonlySet<string>;
  readonly depth: number;
}

function locOf(s: Scope, n: NodeDef): Loc {
  return { k: 'part', file: s.session.file, kind: 'node', name: s.prefix + n.name, op: n.op };
}
/** Indexes nodes by their names. E202: two have one. */
export function nodesByName(list: readonly NodeDef[], file: string, isFunction: boolean): Nodes {
  const byName = new Map<string, NodeDef>();
  for (const n of list) {
    if (byName.has(n.name)) fail('E202', { file, why: `two nodes have the name '${n.name}'` }, { k: 'file', file, what: n.name });
    byName.set(n.name, n);
  }
  return { byName, isFunction };
}
const bodies = new WeakMap<FunctionDef, Nodes>();
function bodyOf(fn: FunctionDef, file: string): Nodes {
  const had = bodies.get(fn);
  if (had) return had;
  const made = nodesByName(fn.nodes, file, true);
  bodies.set(fn, made);
  return made;
}

/** The value that a name stands for. */
export function refOf(nodes: Nodes, text: string): Ref {
  const [node, argument, index] = splitRef(text);
  if (argument === undefined) return { node, index };
  const n = nodes.byName.get(node);
  const count = (attr: string): number => n?.attr.find(a => a.key === attr)?.value?.i ?? 1;
  return { node, index: n ? outputIndex(n.op, argument, index, count) : index };
}
const dataInputs = (n: NodeDef): readonly string[] => n.input.filter(i => !isControl(i));
const cutKey = (r: Ref): string => `${r.node}:${r.index}`;

/** The nodes that some values need, each after what it needs, with the outputs of each that are wanted; and those of `effects`, in their order. E104: a cycle. E105: an unknown name. */
export function needed(
  s: Scope,
  roots: readonly Ref[],
  effects: readonly NodeDef[] = [],
): readonly { readonly n: NodeDef; readonly wanted: ReadonlySet<number> }[] {
  const wanted = new Map<string, Set<number>>();
  const order: NodeDef[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const stack: { readonly n: NodeDef; readonly refs: readonly Ref[]; i: number }[] = [];
  const want = (r: Ref, by: NodeDef | undefined): void => {
    if (s.cut.has(cutKey(r))) return;
    const n = s.nodes.byName.get(r.node);
    if (!n) {
      if (s.made.has(r.node)) return;
      return fail('E105', { what: `value '${r.node}'` }, by ? locOf(s, by) : { k: 'file', file: s.session.file, what: r.node });
    }
    const outs = wanted.get(r.node) ?? new Set<number>();
    wanted.set(r.node, r.index === ORDER ? outs : outs.add(r.index));
    if (s.made.has(r.node) || state.get(r.node) === 'done') return;
    if (state.get(r.node) === 'open') return fail('E104', { node: `'${r.node}'` }, locOf(s, n));
    state.set(r.node, 'open');
    const before = effects.length > 0 ? accessesBefore(s, n) : [];
    stack.push({ n, refs: [...before, ...dataInputs(n).map(i => refOf(s.nodes, i))], i: 0 });
  };
  for (const root of [...roots, ...effects.map(e => ({ node: e.name, index: ORDER }))]) {
    want(root, undefined);
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const next = top.refs[top.i++];
      if (next) want(next, top.n);
      else {
        stack.pop();
        state.set(top.n.name, 'done');
        order.push(top.n);
      }
    }
  }
  return order.map(n => ({ n, wanted: wanted.get(n.name) ?? new Set() }));
}
/** Imports what some values need, and gives them; `last`: nodes that run too. Throws Poisoned where one needs what is not supported. */
export function importValues(s: Scope, roots: readonly Ref[], last: readonly string[] = []): readonly Item[] {
  const effects = effectsOf(s.session, s.nodes, [...roots.map(r => r.node), ...last]);
  for (const { n, wanted } of needed(s, roots, effects)) importNode(s, n, wanted);
  return roots.map(r => itemAt(s, r));
}
function itemAt(s: Scope, r: Ref): Item {
  const cut = s.cut.get(cutKey(r));
  if (cut) return cut;
  const made = s.made.get(r.node);
  if (made === 'poison') throw new Poisoned();
  const n = s.nodes.byName.get(r.node);
  return (
    made?.[r.index] ??
    fail(
      'E105',
      { what: `output ${r.index} of '${r.node}'` },
      n ? locOf(s, n) : { k: 'file', file: s.session.file, what: r.node },
    )
  );
}
function importNode(s: Scope, n: NodeDef, wanted: ReadonlySet<number>): void {
  const { session } = s;
  const loc = locOf(s, n);
  spend(session, loc);
  const made = collecting(session, () => {
    const builder = session.ops.get(n.op) ?? (session.functions.has(n.op) ? callOf(n.op) : undefined);
    if (!builder) throw new Unsupported(n.op, '', loc);
    const inputs = dataInputs(n).map(i => itemAt(s, refOf(s.nodes, i)));
    return importedAt(loc, () => {
      const c = ctxOf(s, { loc });
      const outs = builder(new TfNode({ def: n, inputs, loc, file: session.file, room: session.room, wanted }), c);
      for (const i of wanted) if (!outs[i]) throw new Unsupported(n.op, `output ${i} is wanted`, loc);
      const waiting = c.waiting();
      return outs.map(x => x && mapItem(x, waiting));
    });
  });
  s.made.set(n.name, made ?? 'poison');
}
/** A node whose operator is a function of the file. */
const callOf =
  (name: string): TfBuilder =>
  (n, c) =>
    c.call(
      name,
      n.items.map((_, i) => n.item(i)),
      i => n.wants(i),
    );

const ctxOf = contexts((s: Scope, at: { readonly loc: Loc }): TfCtx => {
  const { session } = s;
  return {
    ...importBuilder(session, at, s.frame.definers),
    call: (name, items, wants) => callFunction(s, name, items, at.loc, wants),
    bodies: list => importBodies(s, list, at.loc),
    resources: {
      variable: key => {
        const now = session.assigned.get(key) ?? session.before.get(key);
        if (now) return bring(now, outermost(s.frame), s.frame);
        const t = session.variable(key);
        return t && constant(t, key);
      },
      assign: (key, v) => {
        if (s.frame.outer) throw new Unsupported(opOf(at.loc), 'it assigns a variable inside of a loop or a branch', at.loc);
        session.assigned.set(key, v);
      },
      table: session.table,
    },
  };
});
const outermost = (f: Frame): Frame => (f.outer ? outermost(f.outer) : f);

/** A value of an enclosing graph as an input of this one. */
function bring(v: Value, from: Frame, to: Frame): Value {
  if (from === to || v.def.k === 'const') return v;
  const outside = bring(v, from, must(to.outer, 'enclosing graph'));
  const had = to.captures.get(outside);
  if (had) return had;
  const symbolic = symbolicOf(outside);
  const inside = input(`capture${to.captures.size}`, outside.type);
  const value: Value = symbolic ? { ...inside, symbolic } : inside;
  to.captures.set(outside, value);
  return value;
}

/** Functions may be inside of each other so deep; walks over them are recursive. */
const DEEPEST = 100;
/** The end of a path, where it is long. */
const ending = (path: string): string => (path.length > 200 ? `…${path.slice(-200)}` : path);
/** The scope of a call of a function, and the values that it returns. E104: it calls itself. E105: there is none of the name. */
function enter(
  s: Scope,
  name: string,
  items: readonly Item[],
  frame: Frame,
  loc: Loc,
): readonly [inner: Scope, ret: readonly Ref[], last: readonly string[]] {
  const { session } = s;
  const fn = session.functions.get(name) ?? fail('E105', { what: `function '${name}'` }, loc);
  if (s.calls.has(name)) fail('E104', { node: `function '${name}', which calls itself` }, loc);
  if (s.depth >= DEEPEST)
    fail('E202', { file: session.file, why: `functions are inside of each other more than ${DEEPEST} deep` }, loc);
  const formals = fn.signature?.inputArg ?? [];
  if (items.length !== formals.length)
    fail('E102', { op: opOf(loc), why: `function '${name}' takes ${formals.length} inputs, not ${items.length}` }, loc);
  const nodes = bodyOf(fn, session.file);
  const caller = loc.k === 'part' ? loc.name : '';
  const inner: Scope = {
    ...s,
    nodes,
    made: new Map(formals.map((f, i) => [f.name, [must(items[i])]])),
    cut: new Map(),
    frame,
    prefix: ending(`${caller}/`),
    calls: new Set(s.calls).add(name),
    depth: s.depth + 1,
  };
  const ret = (fn.signature?.outputArg ?? []).map(o => {
    const value = fn.ret.find(r => r.key === o.name)?.value;
    return refOf(nodes, value ?? fail('E105', { what: `result '${o.name}' of function '${name}'` }, loc));
  });
  return [inner, ret, fn.controlRet.flatMap(r => r.value ?? [])];
}
function callFunction(
  s: Scope,
  name: string,
  items: readonly Item[],
  loc: Loc,
  wants: (i: number) => boolean = () => true,
): readonly (Item | undefined)[] {
  const [inner, ret, last] = enter(s, name, items, s.frame, loc);
  const used = ret.filter((_, i) => wants(i));
  const given = [...importValues(inner, used, last)];
  return ret.map((_, i) => (wants(i) ? given.shift() : undefined));
}
/** See `TfCtx.bodies`. */
function importBodies(
  s: Scope,
  list: readonly BodyOf[],
  loc: Loc,
): { readonly graphs: readonly Graph[]; readonly captures: readonly Value[] } {
  const made = list.map(b => {
    const frame = newFrame(s.frame);
    const formals = b.formals.map((f, i): Value => {
      const v = input(`arg${i}`, f.type);
      return f.symbolic ? { ...v, symbolic: f.symbolic } : v;
    });
    const own = new Set(formals);
    const args = b.arguments(formals).map(x => mapItem(x, v => (own.has(v) ? v : bring(v, s.frame, frame))));
    const [inner, ret, last] = enter(s, b.name, args, frame, loc);
    const items = importValues(inner, ret, last);
    const outputs = importedAt(loc, () => b.results(items, ctxOf(inner, { loc }), args));
    return { name: b.name, frame, formals, outputs: outputs.map((value, i) => ({ name: `out${i}`, value })) };
  });
  const captures = [...new Set(made.flatMap(m => [...m.frame.captures.keys()]))];
  const graphs = made.map((m): Graph => {
    const ins = captures.map((v, i) => m.frame.captures.get(v) ?? input(`capture${i}`, v.type));
    return { name: m.name, inputs: [...m.formals, ...ins], outputs: m.outputs, symbolDefinitions: m.frame.definers };
  });
  return { graphs, captures };
}
