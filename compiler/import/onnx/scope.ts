import { fail, must, opOf, type Loc } from '../../core/diagnostic.ts';
import { relisted } from '../../core/texts.ts';
import { constant, input, symbolicOf, type Graph, type Value } from '../../graph/graph.ts';
import { collecting, contexts, importBuilder, spend, type ImportSession } from '../shared/builder.ts';
import type { ExternalResolver } from '../shared/external.ts';
import { importedAt, Poisoned, Unsupported } from '../shared/unsupported.ts';
import { domainOf, OnnxNode, opKey, resolveAttrs, withAttrs, type AttrScope } from './node.ts';
import { FIRST_OPSET, oldWords } from './old.ts';
import { sorted } from './order.ts';
import type { TextBuilder } from './ops/text.ts';
import { placed, spellingOf } from './spelt.ts';
import { denseOf } from './sparse.ts';
import { tensorOf } from './tensor.ts';
import {
  isSequence,
  isSpelt,
  isTensor,
  mapItem,
  valuesOf,
  type Formal,
  type ImportCtx,
  type Item,
  type OnnxBuilder,
  type SequenceBuilder,
  type SubGraph,
} from './registry.ts';
import type {
  AttributeProto,
  FunctionProto,
  GraphProto,
  NodeProto,
  SparseTensorProto,
  TensorProto,
  ValueInfoProto,
} from './records.ts';

/** What is shared by everything that is imported from one file. */
export interface Session extends ImportSession {
  readonly ops: ReadonlyMap<string, OnnxBuilder>;
  readonly sequenceOps: ReadonlyMap<string, SequenceBuilder>;
  readonly textOps: ReadonlyMap<string, TextBuilder>;
  readonly functions: ReadonlyMap<string, FunctionProto>;
  readonly external: ExternalResolver | undefined;
  /** What could be computed and is wanted by nodes that could not be imported. */
  frontier?: readonly string[];
}

/** A name's meaning: a value, a constant still to be decoded, an optional input left out, or the result of a node that is not supported. */
type Entry =
  | { readonly k: 'value'; readonly value: Item }
  | { readonly k: 'tensor'; readonly proto: TensorProto }
  | { readonly k: 'sparse'; readonly proto: SparseTensorProto }
  | { readonly k: 'absent' }
  | { readonly k: 'poison' };

/** A graph that is being made. Values of the graphs around it enter through captures. */
interface Frame {
  readonly outer: Frame | undefined;
  /** Value outside → input inside, in order of first use. */
  readonly captures: Map<Value, Value>;
  readonly definers: Value[];
}
/** Names that are visible at a place. A function's body sees nothing of its caller. */
export interface Scope {
  readonly session: Session;
  readonly names: Map<string, Entry>;
  readonly parent: Scope | undefined;
  readonly frame: Frame;
  readonly attrs: AttrScope;
  readonly opsets: ReadonlyMap<string, number>;
  /** The sizes that the file declares for values of this graph. */
  readonly declared: Declared;
  /** Put before the names of nodes in messages. */
  readonly prefix: string;
  /** The functions that are being inlined. */
  readonly calls: ReadonlySet<string>;
  /** How many functions and sub-graphs this one is in. */
  readonly depth: number;
}
/** Sizes by name of the value; undefined: open. */
type Declared = ReadonlyMap<string, readonly (number | undefined)[]>;
/** What a graph says about its results and the values on the way to them. */
export function declaredSizes(values: readonly ValueInfoProto[]): Declared {
  const out = new Map<string, readonly (number | undefined)[]>();
  for (const v of values) {
    const shape = v.type?.tensorType?.shape;
    if (shape)
      out.set(
        v.name,
        shape.dim.map(d => d.dimValue),
      );
  }
  return out;
}
export const newFrame = (outer: Frame | undefined): Frame => ({ outer, captures: new Map(), definers: [] });

export const functionKey = (domain: string, name: string, overload: string): string =>
  `${domainOf(domain)}\0${name}\0${overload}`;

function locOf(s: Scope, n: NodeProto): Loc {
  const name = n.name === '' ? (n.output.find(o => o !== '') ?? '') : n.name;
  return { k: 'part', file: s.session.file, kind: 'node', name: s.prefix + name, op: opKey(domainOf(n.domain), n.opType) };
}

/** The tensor of a name, seen from this scope's graph. E105: nothing has it. */
function lookup(s: Scope, name: string, loc: Loc): Value {
  const item = lookupItem(s, name, loc);
  if (isTensor(item)) return item;
  throw new Unsupported(opOf(loc) || 'the graph', `'${name}' is ${isSequence(item) ? 'a sequence' : 'text'}`, loc);
}
/** The same for a tensor or a sequence. */
export function lookupItem(s: Scope, name: string, loc: Loc): Item {
  for (let at: Scope | undefined = s; at; at = at.parent) {
    const e = at.names.get(name);
    if (!e) continue;
    const item = itemOf(at, name, e);
    return at.frame === s.frame ? item : mapItem(item, v => bring(v, at.frame, s.frame));
  }
  return fail('E105', { what: `value '${name}'` }, loc);
}
/** Whether a name is that of an optional input left out. */
function isAbsent(s: Scope, name: string): boolean {
  for (let at: Scope | undefined = s; at; at = at.parent) {
    const e = at.names.get(name);
    if (e) return e.k === 'absent';
  }
  return false;
}
function itemOf(s: Scope, name: string, e: Entry): Item {
  const { external, file, room, texts } = s.session;
  switch (e.k) {
    case 'value':
      return e.value;
    case 'absent':
      return fail('E105', { what: `the optional value '${name}', which is left out` }, { k: 'file', file, what: name });
    case 'poison':
      throw new Poisoned();
    case 'tensor':
    case 'sparse': {
      const t = e.k === 'tensor' ? tensorOf(e.proto, external, file) : denseOf(e.proto, room, external, file);
      const value = constant(relisted(t, texts), name);
      s.names.set(name, { k: 'value', value });
      return value;
    }
  }
}
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

interface Body {
  readonly node: readonly NodeProto[];
  readonly initializer: readonly TensorProto[];
  readonly sparseInitializer: readonly SparseTensorProto[];
}
/** Declares the constants of a body and imports its nodes, whose inputs are already in `s.names`. */
export function importBody(s: Scope, body: Body): void {
  const { file } = s.session;
  for (const proto of body.initializer) {
    // An initialiser that is also an input was a default to override; Sinter fixes it.
    if (s.names.has(proto.name)) continue;
    s.names.set(proto.name, { k: 'tensor', proto });
  }
  for (const proto of body.sparseInitializer) {
    const name = proto.values?.name ?? '';
    if (!s.names.has(name)) s.names.set(name, { k: 'sparse', proto });
  }
  const order = sorted(body.node, new Set(s.names.keys()), n => locOf(s, n), file);
  for (const n of order) importNode(s, n);
}

function importNode(s: Scope, n: NodeProto): void {
  const { session } = s;
  const loc = locOf(s, n);
  spend(session, loc);
  const made = collecting(session, () => {
    const outs = build(s, n, loc);
    n.output.forEach((name, i) => {
      if (name !== '' && !outs[i]) throw new Unsupported(opOf(loc), `output ${i} ('${name}') is wanted`, loc);
    });
    return outs;
  });
  n.output.forEach((name, i) => {
    const value = made?.[i];
    if (name !== '') s.names.set(name, value ? { k: 'value', value } : { k: 'poison' });
  });
}

function build(s: Scope, n: NodeProto, loc: Loc): readonly (Item | undefined)[] {
  const { session } = s;
  const domain = domainOf(n.domain);
  const key = opKey(domain, n.opType);
  const attrs = resolveAttrs(n.attribute, s.attrs);
  const called = functionKey(n.domain, n.opType, n.overload);
  const fn = session.functions.get(called);
  const builder = session.ops.get(key);
  const sequences = session.sequenceOps.get(key);
  const texts = session.textOps.get(key);
  if (!fn && !builder && !sequences && !texts) throw new Unsupported(key, '', loc);
  const items = n.input.map(name => (name === '' || isAbsent(s, name) ? undefined : lookupItem(s, name, loc)));
  if (fn) return call(s, called, fn, items, attrs, n, loc);
  const overSequences = sequences && (!builder || items.some(isSequence));
  if (!overSequences)
    items.forEach((x, i) => {
      if (isSequence(x)) throw new Unsupported(key, `input ${i} is a sequence`, loc);
    });
  const opset = s.opsets.get(domain) ?? 1;
  const declared = n.output.map(name => s.declared.get(name));
  const parts = {
    proto: n,
    attrs,
    opset,
    loc,
    file: session.file,
    external: session.external,
    room: session.room,
    declared,
  };
  return importedAt(loc, () => {
    const c = ctxOf(s, { loc });
    const plain = items.map(x => (isTensor(x) ? x : undefined));
    const made = (inputs: readonly (Value | undefined)[]): readonly (Item | undefined)[] => {
      const given = new OnnxNode({ ...parts, inputs });
      const old = domain === '' && opset < FIRST_OPSET ? oldWords.get(n.opType)?.(given, c) : undefined;
      const node = old
        ? new OnnxNode({ ...parts, inputs: old.inputs ?? inputs, attrs: withAttrs(attrs, old.attrs ?? []) })
        : given;
      return overSequences ? sequences(node, c, items) : must(builder)(node, c);
    };
    const outs = texts
      ? texts(
          new OnnxNode({ ...parts, inputs: plain }),
          c,
          items.map(x => lettersOf(c, x)),
        )
      : overSequences || !items.some(isSpelt)
        ? made(plain)
        : overPlaces(c, items, made);
    const waiting = c.waiting();
    return outs.map(x => x && mapItem(x, waiting));
  });
}

/** What an operand holds, where it is text. */
function lettersOf(c: ImportCtx, x: Item | undefined): Value | undefined {
  if (isSpelt(x)) return x.spelt;
  return isTensor(x) && x.type.dtype === 'text' ? spellingOf(c, x) : undefined;
}
/** An operator that does not look into texts, on such as are known by what they hold. */
function overPlaces(
  c: ImportCtx,
  items: readonly (Item | undefined)[],
  made: (inputs: readonly (Value | undefined)[]) => readonly (Item | undefined)[],
): readonly (Item | undefined)[] {
  const operands = items.map(x => lettersOf(c, x));
  const { places, again } = placed(
    c,
    operands.filter(x => x !== undefined),
  );
  let at = 0;
  const inputs = items.map((x, i) => (operands[i] ? places[at++] : isTensor(x) ? x : undefined));
  return made(inputs).map(x => (isTensor(x) && x.type.dtype === 'text' ? { spelt: again(x) } : x));
}

const ctxOf = contexts((s: Scope, at: { readonly loc: Loc }): ImportCtx => ({
  ...importBuilder(s.session, at, s.frame.definers),
  graphs: subs => importGraphs(s, subs, at.loc),
  inline: (g, values) => tensorsAmong(inlineGraph(s, s.frame, g, values, at.loc), g, at.loc),
  inlineItems: (g, items) => inlineGraph(s, s.frame, g, items, at.loc),
  named: name => lookup(s, name, at.loc),
}));

/** The end of a path, where it is long. */
const ending = (path: string): string => (path.length > 200 ? `…${path.slice(-200)}` : path);
/** Functions and sub-graphs may be inside of each other so deep; walks over them are recursive. */
const DEEPEST = 100;
function deeper(s: Scope, loc: Loc): number {
  if (s.depth >= DEEPEST)
    fail(
      'E202',
      { file: s.session.file, why: `functions and sub-graphs are inside of each other more than ${DEEPEST} deep` },
      loc,
    );
  return s.depth + 1;
}
/** Puts the body of a function in the place of a call. */
function call(
  s: Scope,
  key: string,
  fn: FunctionProto,
  inputs: readonly (Item | undefined)[],
  given: AttrScope,
  n: NodeProto,
  loc: Loc,
): readonly (Item | undefined)[] {
  if (s.calls.has(key)) fail('E104', { node: `function '${fn.name}', which calls itself` }, loc);
  if (inputs.length > fn.input.length)
    fail('E102', { op: fn.name, why: `takes ${fn.input.length} inputs, not ${inputs.length}` }, loc);
  const attrs = new Map<string, AttributeProto>();
  for (const a of fn.attributeProto) attrs.set(a.name, a);
  for (const name of [...fn.attribute, ...fn.attributeProto.map(a => a.name)]) {
    const a = given.get(name);
    if (a) attrs.set(name, a);
  }
  const opsets = new Map(s.opsets);
  for (const o of fn.opsetImport) opsets.set(domainOf(o.domain), o.version);
  const inner: Scope = {
    ...s,
    names: new Map(),
    parent: undefined,
    attrs,
    opsets,
    declared: declaredSizes(fn.valueInfo),
    prefix: ending(`${s.prefix}${n.name === '' ? fn.name : n.name}/`),
    calls: new Set(s.calls).add(key),
    depth: deeper(s, loc),
  };
  const absent = new Set<string>();
  fn.input.forEach((name, i) => {
    const value = inputs[i];
    if (value) inner.names.set(name, { k: 'value', value });
    else absent.add(name);
  });
  const node =
    absent.size === 0 ? fn.node : fn.node.map(m => ({ ...m, input: m.input.map(name => (absent.has(name) ? '' : name)) }));
  importBody(inner, { node, initializer: [], sparseInitializer: [] });
  return fn.output.map((name, i) => ((n.output[i] ?? '') === '' ? undefined : lookupItem(inner, name, loc)));
}

/** Imports sub-graphs that a node will hold; see `ImportCtx.graphs`. */
function importGraphs(s: Scope, subs: readonly SubGraph[], loc: Loc): ReturnType<ImportCtx['graphs']> {
  const made = subs.map(sub => {
    const frame = newFrame(s.frame);
    const formals = sub.inputs.map((f, i) => formal(sub.graph.input[i]?.name ?? '', f));
    const items = inlineGraph(s, frame, sub.graph, formals, loc);
    if (!sub.sequences) tensorsAmong(items, sub.graph, loc);
    const outputs = sub.graph.output.flatMap((o, i) =>
      valuesOf(must(items[i])).map((value, part) => ({ name: part === 0 ? o.name : `${o.name}_${part}`, value })),
    );
    return { name: sub.graph.name, frame, formals, items, outputs };
  });
  const captures = [...new Set(made.flatMap(m => [...m.frame.captures.keys()]))];
  const graphs = made.map((m): Graph => {
    const ins = captures.map((v, i) => m.frame.captures.get(v) ?? formal(`capture${i}`, v));
    return { name: m.name, inputs: [...m.formals, ...ins], outputs: m.outputs, symbolDefinitions: m.frame.definers };
  });
  return { graphs, captures, items: made.map(m => m.items) };
}
function formal(name: string, f: Formal): Value {
  const v = input(name, f.type);
  return f.symbolic ? { ...v, symbolic: f.symbolic } : v;
}
/** Imports a sub-graph's nodes into `frame`, a graph that is being made at this scope. */
function inlineGraph(s: Scope, frame: Frame, g: GraphProto, inputs: readonly Item[], loc: Loc): readonly Item[] {
  if (inputs.length !== g.input.length)
    fail(
      'E102',
      {
        op: opOf(loc),
        why: `its sub-graph '${g.name}' takes ${g.input.length} inputs, not ${inputs.length}`,
      },
      loc,
    );
  const declared = declaredSizes([...g.valueInfo, ...g.output]);
  const inner: Scope = { ...s, names: new Map(), parent: s, frame, declared, depth: deeper(s, loc) };
  g.input.forEach((i, at) => inner.names.set(i.name, { k: 'value', value: must(inputs[at]) }));
  importBody(inner, g);
  return g.output.map(o => lookupItem(inner, o.name, loc));
}
/** What a sub-graph gives, where it gives tensors only. */
const tensorsAmong = (items: readonly Item[], g: GraphProto, loc: Loc): readonly Value[] =>
  items.map((x, i) => {
    if (isTensor(x)) return x;
    const what = isSequence(x) ? 'a sequence' : 'text that the model looks into';
    throw new Unsupported(opOf(loc) || 'the graph', `'${g.output[i]?.name ?? ''}' is ${what}`, loc);
  });
