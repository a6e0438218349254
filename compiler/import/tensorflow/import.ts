import { CompileError, fail, must, type Loc } from '../../core/diagnostic.ts';
import { quoteShell } from '../../core/quote.ts';
import { dimHi, dimProd, dimsEq, symbolsOf } from '../../core/dim.ts';
import { showType } from '../../core/shape.ts';
import { scalar } from '../../core/tensor.ts';
import { constant, input, nodesOf, type Graph, type Value } from '../../graph/graph.ts';
import type { ImportedGraph, ImportOptions } from '../importer.ts';
import { importSession } from '../shared/builder.ts';
import { inputShapes, type DeclaredInput } from '../shared/dims.ts';
import { tied, type State } from '../shared/states.ts';
import { failUnsupported, Poisoned } from '../shared/unsupported.ts';
import { isValue, type Item } from './item.ts';
import type { Port, TfModel } from './model.ts';
import { tfOps } from './ops/index.ts';
import { borderOf, type Border } from './ports.ts';
import type { NodeDef } from './records.ts';
import { importValues, needed, newFrame, nodesByName, refOf, type Nodes, type Scope, type Session } from './scope.ts';
import { dtypeOf, STRING, typeName } from './tensor.ts';

/** Sizes as a port declares them; undefined: not even how many. */
const declaredShape = (p: Port): DeclaredInput['shape'] =>
  p.shape === undefined || p.shape.unknownRank ? undefined : p.shape.dim.map(d => (d.size < 0 ? undefined : d.size));
const declared = (p: Port): DeclaredInput => ({ name: p.name, shape: declaredShape(p) });

/**
 * Imports a model of TensorFlow: what its outputs need, functions inlined. E101, E103: what is not supported. E104: a cycle. E105: a name
 * that nothing has. E106: an element type that Sinter has not. E102: an operator does not take what it is given. E2xx: the file is not
 * what it should be. E30x: free dimensions; see `inputShapes`. E403: a name among the options that nothing has.
 */
export function importTf(m: TfModel, o: ImportOptions): ImportedGraph {
  for (const most of OPEN) {
    const { imported, open } = importWith(m, o, most);
    if (!open || nodesOf(imported.graph).every(n => n.outputs.every(v => dimHi(dimProd(v.type.shape)) <= LARGEST)))
      return imported;
  }
  return importWith(m, o, LEAST_OPEN).imported;
}
/** What sizes that only data tell are taken to be at most: the largest with which no tensor has more elements than the number below. */
const OPEN = [65536, 4096];
const LEAST_OPEN = 512;
const LARGEST = 2 ** 26;
/** The import with a bound for sizes that only data tell; `open`: whether there are such. */
function importWith(
  m: TfModel,
  o: ImportOptions,
  most: number,
  before: ReadonlyMap<string, Value> = new Map(),
): { readonly imported: ImportedGraph; readonly open: boolean } {
  const { file } = m;
  const border = borderOf(m, o);
  const nodes = nodesByName(m.nodes, file, false);
  const count = m.nodes.length + m.functions.reduce((n, f) => n + f.nodes.length, 0);
  const session: Session = {
    ...importSession(file, count, most),
    ops: tfOps,
    functions: new Map(m.functions.map(f => [f.signature?.name ?? '', f])),
    variable: m.variable,
    table: m.table,
    before,
    assigned: new Map(),
  };
  const loc: Loc = { k: 'file', file, what: '' };
  if (border.outputs.length === 0) fail('E202', { file, why: 'it has no outputs; name some with --outputs-at' }, loc);
  try {
    const graph = graphOf(m, o, border, session, nodes);
    const changed = changedIn(m, session);
    if (session.unsupported.length === 0 && changed.size > 0) return importWith(m, o, most, new Map([...before, ...changed]));
    if (session.unsupported.length === 0) {
      const histogram = countOperators(reachable(m, nodes, border));
      const labels = session.labels && { labels: session.labels };
      return { imported: { graph, warnings: session.warnings, histogram, ...labels }, open: session.open.asked };
    }
  } catch (e) {
    const followUp = e instanceof Poisoned || (e instanceof CompileError && session.unsupported.length > 0);
    if (!followUp && !(e instanceof CompileError && (e.code === 'E106' || e.code === 'E301'))) throw e;
    if (!followUp && lacking(m, nodes, border).length === 0) throw e;
  }
  return failUnsupported(file, lacking(m, nodes, border), session.unsupported, howToCut(session));
}
function graphOf(m: TfModel, o: ImportOptions, border: Border, session: Session, nodes: Nodes): Graph {
  const { file } = m;
  const frame = newFrame();
  const cut = new Map<string, Item>();
  const plain: Scope = { session, nodes, made: new Map(), cut, frame, prefix: '', calls: new Set(), depth: 0 };
  const roots = border.outputs.map(p => refOf(nodes, p.ref));
  // Of a graph without a signature, inputs are what the outputs need.
  const keys = new Map(border.inputs.map(p => [keyOf(nodes, p), p]));
  const reached = new Set(roots.map(r => `${r.node}:${r.index}`));
  for (const { n } of needed({ ...plain, cut: placeholders(nodes, border) }, roots))
    for (const i of n.input) reached.add(keyOfRef(nodes, i));
  const isUsed = (p: Port): boolean => reached.has(keyOf(nodes, p));
  const used = border.guessed ? border.inputs.filter(isUsed) : border.inputs;
  const shapes = inputShapes(used.map(declared), { file, dims: o.dims ?? {}, shapes: o.shapes ?? {} }, w =>
    session.warnings.push(w),
  );
  const inputs = used.map((p): Value => {
    const dtype =
      dtypeOf(p.type) ??
      (p.type === STRING ? 'text' : undefined) ??
      fail('E106', { type: typeName(p.type), what: `input '${p.name}'` }, { k: 'file', file, what: p.name });
    const shape = shapes.get(p.name) ?? [];
    for (const d of shape) for (const s of symbolsOf(d)) session.symbols.add(s.name);
    return input(p.name, { dtype, shape });
  });
  used.forEach((p, i) => cut.set(keyOf(nodes, p), must(inputs[i])));
  for (const p of used) rateOf(p, nodes, session, cut);
  if (keys.size < border.inputs.length) fail('E202', { file, why: 'two inputs are one value' }, { k: 'file', file, what: '' });
  const items = importValues(plain, roots);
  if (o.onValue) for (const [name, made] of plain.made) if (made !== 'poison' && isValue(made[0])) o.onValue(name, made[0]);
  const outputs = items.map((x, i) => ({
    name: must(border.outputs[i]).name,
    value: tensorOfItem(x, must(border.outputs[i]), file),
  }));
  const { texts } = session.texts;
  const graph: Graph = {
    name: o.name ?? m.file.replace(/\.[^.]*$/, ''),
    inputs,
    outputs,
    symbolDefinitions: frame.definers,
    ...(texts.length > 0 && { texts }),
  };
  const names = new Set([...used.map(p => p.name), ...outputs.map(x => x.name)]);
  const states = tied(statesOf(m, session, outputs, graph), names, session);
  return {
    ...graph,
    inputs: [...inputs, ...states.map(x => x.input)],
    outputs: [...outputs, ...states.map(x => x.output)],
  };
}
/** Variables that the model assigns and that are not known to be states yet, as inputs. Which they are comes out of an import. */
function changedIn(m: TfModel, { before, assigned }: Session): ReadonlyMap<string, Value> {
  return new Map(
    m.nodes.flatMap(({ name }) => {
      const first = assigned.has(name) && !before.has(name) ? m.variable(name) : undefined;
      return first ? [[name, input(name, { dtype: first.dtype, shape: first.dims })] as const] : [];
    }),
  );
}
/** Variables as inputs and outputs. One that a run gives a value before it looks at it keeps nothing. */
function statesOf(
  m: TfModel,
  s: Session,
  outputs: readonly { readonly name: string; readonly value: Value }[],
  g: Graph,
): readonly State[] {
  const all = [...s.before].map(([name, before]): State => ({
    name,
    before,
    initial: m.variable(name),
    after: () => {
      const now = s.assigned.get(name) ?? before;
      const same = now.type.dtype === before.type.dtype && dimsEq(now.type.shape, before.type.shape);
      const why = `: '${name}' is ${showType(before.type)}, and is given ${showType(now.type)}`;
      return same ? now : fail('E101', { op: 'AssignVariableOp', why }, { k: 'file', file: m.file, what: name });
    },
  }));
  const whole: Graph = { ...g, outputs: [...outputs, ...all.map(x => ({ name: x.name, value: x.after() }))] };
  const read = new Set(nodesOf(whole).flatMap(n => n.inputs));
  return all.filter(x => read.has(x.before) || outputs.some(o => o.value === x.before));
}
/** Whose samples are an input, a .wav file tells no rate either: it is taken to be the number of samples, as of a second. */
function rateOf(p: Port, nodes: Nodes, s: Session, cut: Map<string, Item>): void {
  const { node } = refOf(nodes, p.ref);
  const n = nodes.byName.get(node);
  const rate = n?.attr.find(a => a.key === 'desired_samples')?.value?.i;
  if (n?.op !== 'DecodeWav' || rate === undefined || cut.has(`${node}:1`)) return;
  cut.set(`${node}:1`, constant(scalar('i32', rate)));
  const message = `the sample rate of '${node}' is taken to be ${rate}, its number of samples`;
  s.warnings.push({ code: 'rate', message, loc: { k: 'file', file: s.file, what: node } });
}
const keyOf = (nodes: Nodes, p: Port): string => keyOfRef(nodes, p.ref);
function keyOfRef(nodes: Nodes, text: string): string {
  const r = refOf(nodes, text);
  return `${r.node}:${r.index}`;
}
/** Something in the place of each input, for walks that end there. */
const placeholders = (nodes: Nodes, border: Border): ReadonlyMap<string, Item> =>
  new Map(border.inputs.map(p => [keyOf(nodes, p), { k: 'handle', key: '' }]));
/** Complex numbers are given as pairs along one more axis. */
function tensorOfItem(x: Item, p: Port, file: string): Value {
  if (isValue(x)) return x;
  if (x.k === 'complex') return x.pair;
  const what = x.k === 'text' ? 'string' : x.k === 'handle' ? 'resource' : 'variant';
  return fail('E106', { type: what, what: `output '${p.name}'` }, { k: 'file', file, what: p.name });
}
/** The nodes that the outputs need, those of functions that they name too, each function once. */
function reachable(m: TfModel, nodes: Nodes, border: Border): readonly NodeDef[] {
  const scope: Scope = {
    session: {
      ...importSession(m.file, 0),
      ops: tfOps,
      functions: new Map(),
      variable: m.variable,
      table: m.table,
      before: new Map(),
      assigned: new Map(),
    },
    nodes,
    made: new Map(),
    cut: placeholders(nodes, border),
    frame: newFrame(),
    prefix: '',
    calls: new Set(),
    depth: 0,
  };
  const functions = new Map(m.functions.map(f => [f.signature?.name ?? '', f]));
  const out: NodeDef[] = [];
  const seen = new Set<string>();
  const todo: NodeDef[] = needed(
    scope,
    border.outputs.map(p => refOf(nodes, p.ref)),
  ).map(x => x.n);
  for (let n = todo.pop(); n; n = todo.pop()) {
    out.push(n);
    const called = [n.op, ...n.attr.flatMap(a => [a.value?.func?.name ?? '', ...(a.value?.list?.func.map(f => f.name) ?? [])])];
    for (const name of called) {
      const fn = functions.get(name);
      if (!fn || seen.has(name)) continue;
      seen.add(name);
      const inner = nodesByName(fn.nodes, m.file, true);
      const args = new Map((fn.signature?.inputArg ?? []).map(a => [a.name, [] as const]));
      const ret = fn.ret.flatMap(r => (r.value === undefined ? [] : [refOf(inner, r.value)]));
      todo.push(...needed({ ...scope, nodes: inner, made: args, cut: new Map() }, ret).map(x => x.n));
    }
  }
  return out;
}
function countOperators(nodes: readonly NodeDef[]): Record<string, number> {
  const count = new Map<string, number>();
  for (const n of nodes) count.set(n.op, (count.get(n.op) ?? 0) + 1);
  return Object.fromEntries(count);
}
/** The nodes whose operator no table has. */
const lacking = (m: TfModel, nodes: Nodes, border: Border): { op: string; name: string }[] => {
  const functions = new Set(m.functions.map(f => f.signature?.name));
  return reachable(m, nodes, border).flatMap(n => (tfOps.has(n.op) || functions.has(n.op) ? [] : [{ op: n.op, name: n.name }]));
};
/** What a user can do where a part of the model is not supported. */
function howToCut({ unsupported }: Session): string {
  const at = unsupported.flatMap(u => (u.loc.k === 'part' && u.why !== '' ? [u.loc.name] : []));
  const [only] = at;
  return at.length !== 1 || only === undefined || only.includes('/')
    ? ''
    : `what comes behind can be compiled with --inputs-at ${quoteShell(only)}`;
}
