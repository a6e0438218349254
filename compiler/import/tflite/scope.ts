import { fail, must, opOf, type Loc } from '../../core/diagnostic.ts';
import { numel, zeros } from '../../core/tensor.ts';
import { constant, input, tensorOf as contentsOfValue, type Value } from '../../graph/graph.ts';
import type { TfliteRounding } from '../importer.ts';
import { collecting, contexts, importBuilder, spend, type ImportSession } from '../shared/builder.ts';
import type { ExternalResolver } from '../shared/external.ts';
import { importedAt, Poisoned, Unsupported } from '../shared/unsupported.ts';
import { FLEX } from './flex.ts';
import { TfliteNode } from './node.ts';
import type { Operator, Subgraph, TensorRecord, TfliteModel } from './records.ts';
import { isResource, type Item, type Resource, type TfliteBuilder, type TfliteCtx } from './registry.ts';
import type { State } from '../shared/states.ts';
import { contentsOf, dtypeOf, isComplex, tensorOf } from './tensor.ts';

/** What is shared by everything that is imported from one file. */
export interface Session extends ImportSession {
  readonly model: TfliteModel;
  readonly ops: ReadonlyMap<string, TfliteBuilder>;
  readonly rounding: TfliteRounding;
  readonly external: ExternalResolver | undefined;
  /** What resources hold, by name. */
  readonly held: Map<string, Held>;
  /** Variables that runs change, by name. */
  readonly changing: ReadonlySet<string>;
  /** What is kept from run to run, in the order in which it was met. */
  readonly states: State[];
}
interface Held {
  readonly value: Value;
  /** The graph whose value it is. */
  readonly frame: Frame | undefined;
}
/** A graph that is being made; values of it are of no use in another one. */
interface Frame {
  readonly definers: Value[];
}
/** One graph of the file while it is imported. */
export interface Scope {
  readonly session: Session;
  readonly graph: Subgraph;
  readonly frame: Frame;
  /** By the number of the tensor; `poison`: made by an operator that is not supported. */
  readonly items: (Item | 'poison' | undefined)[];
  /** The graphs of the file that are being imported, for one that calls itself. */
  readonly calls: readonly number[];
}

export const locOf = (s: Session, g: Subgraph, o: Operator): Loc => {
  const first = o.outputs.find(i => i >= 0);
  return { k: 'part', file: s.file, kind: 'node', name: (first !== undefined && g.tensors[first]?.name) || o.op, op: o.op };
};

/** A tensor of the graph: what an operator made of it, or its contents. E105: neither. */
export function lookup(s: Scope, i: number, loc: Loc): Item {
  const had = s.items[i];
  if (had === 'poison') throw new Poisoned();
  if (had) return had;
  const t = must(s.graph.tensors[i]);
  const { model, external, file, room } = s.session;
  const bytes = contentsOf(model, t, external, file);
  const empty = !bytes && t.shape.length > 0 && numel(t.shape) === 0;
  if (!bytes && !empty) return fail('E105', { what: `tensor '${t.name}'` }, loc);
  const v = constant(bytes ? tensorOf(t, bytes, room, file) : zeros(dtypeOf(t.type) ?? 'f32', t.shape), t.name);
  s.items[i] = v;
  return v;
}
/** A tensor that is no handle. */
export function valueOf(s: Scope, i: number, loc: Loc): Value {
  const x = lookup(s, i, loc);
  if (!isResource(x)) return x;
  throw new Unsupported(opOf(loc) || 'the graph', `'${s.graph.tensors[i]?.name ?? ''}' is a handle`, loc);
}

/** Imports the operators of a graph, whose inputs are already in `s.items`. They are in the order in which they run. */
export function importBody(s: Scope): void {
  for (const o of s.graph.operators) importOperator(s, o);
}
function importOperator(s: Scope, o: Operator): void {
  const { session } = s;
  const loc = locOf(session, s.graph, o);
  spend(session, loc);
  const made = collecting(session, () => build(s, o, loc));
  o.outputs.forEach((at, i) => {
    if (at >= 0) s.items[at] = made ? made[i] : 'poison';
  });
}
/** Operators that take complex numbers as pairs along a last axis, or give such. */
const COMPLEX = new Set(['RFFT2D', 'COMPLEX_ABS', 'REAL', 'IMAG', 'RESHAPE']);

function build(s: Scope, o: Operator, loc: Loc): readonly (Item | undefined)[] {
  const { session, graph } = s;
  const builder = session.ops.get(o.op);
  if (!builder) throw new Unsupported(o.op, '', loc);
  const record = (i: number): TensorRecord | undefined => (i < 0 ? undefined : graph.tensors[i]);
  const [operands, results] = [o.inputs.map(record), o.outputs.map(record)];
  if (!COMPLEX.has(o.op) && !o.op.startsWith(FLEX) && [...operands, ...results].some(t => t && isComplex(t)))
    throw new Unsupported(o.op, 'it works on complex numbers', loc);
  const items = o.inputs.map(i => (i < 0 ? undefined : lookup(s, i, loc)));
  return importedAt(loc, () => {
    const c = ctxOf(s, { loc, operator: o });
    const outs = builder(new TfliteNode({ operator: o, items, operands, results, loc }), c);
    const waiting = c.waiting();
    return outs.map(x => (x === undefined || isResource(x) ? x : waiting(x)));
  });
}

/** The operator that a scope is at. */
interface At {
  readonly loc: Loc;
  readonly operator: Operator;
}
const ctxOf = contexts((s: Scope, at: At): TfliteCtx => {
  const { session } = s;
  const ctx: TfliteCtx = {
    ...importBuilder(session, at, s.frame.definers),
    rounding: session.rounding,
    inline: (i, items) => run(s, s.frame, i, items, at.loc),
    graph: (types, f) => {
      const frame: Frame = { definers: [] };
      const inputs = types.map((t, k) => input(`in${k}`, t));
      const inner: Scope = { session, graph: s.graph, frame, items: [], calls: s.calls };
      const made = f(ctxOf(inner, at), inputs);
      const outputs = made.map((value, k) => ({ name: `out${k}`, value }));
      return { name: opOf(at.loc), inputs, outputs, symbolDefinitions: frame.definers };
    },
    once: i => {
      run(s, s.frame, i, [], at.loc);
      for (const [name, { value }] of session.held) if (session.changing.has(name)) keepVariable(s, name, value);
    },
    leave: (i, v) => {
      const place = at.operator.inputs[i] ?? -1;
      if (s.graph.tensors[place]?.variable !== true) ctx.reject(`input ${i} must be a variable`);
      s.items[place] = v;
    },
    held: r => heldBy(s, r, at.loc),
    hold: (r, value) => {
      const before = session.held.get(r.name);
      if (before?.frame && before.frame !== s.frame) ctx.unsupported('a variable that a branch or the body of a loop changes');
      session.held.set(r.name, { value, frame: s.frame });
    },
  };
  return ctx;
});
function heldBy(s: Scope, r: Resource, loc: Loc): Value {
  const held = s.session.held.get(r.name) ?? fail('E105', { what: `what '${r.name}' holds` }, loc);
  if (held.frame === s.frame || held.value.def.k === 'const') return held.value;
  throw new Unsupported(opOf(loc), `a variable that changes is read in a branch or in the body of a loop`, loc);
}
/** A variable that runs change is an input, what it holds at the end an output. */
function keepVariable(s: Scope, name: string, value: Value): void {
  const { session } = s;
  const before = input(name, value.type);
  session.held.set(name, { value: before, frame: s.frame });
  session.states.push({ name, before, initial: contentsOfValue(value), after: () => session.held.get(name)?.value ?? before });
}
const subgraphOf = (s: Session, i: number, loc: Loc): Subgraph =>
  s.model.subgraphs[i] ?? fail('E102', { op: opOf(loc), why: `there is no graph ${i} in the file` }, loc);
/** Graphs may call each other this deep. */
const DEEPEST = 100;
function run(s: Scope, frame: Frame, i: number, items: readonly Item[], loc: Loc): readonly Item[] {
  const graph = subgraphOf(s.session, i, loc);
  if (s.calls.includes(i)) fail('E104', { node: `graph '${graph.name}', which calls itself` }, loc);
  if (s.calls.length >= DEEPEST)
    fail('E202', { file: s.session.file, why: `graphs call each other more than ${DEEPEST} deep` }, loc);
  if (items.length !== graph.inputs.length)
    fail('E102', { op: opOf(loc), why: `graph '${graph.name}' takes ${graph.inputs.length} inputs, not ${items.length}` }, loc);
  const inner: Scope = { session: s.session, graph, frame, items: [], calls: [...s.calls, i] };
  graph.inputs.forEach((at, k) => (inner.items[at] = must(items[k])));
  importBody(inner);
  return graph.outputs.map(at => lookup(inner, at, loc));
}
