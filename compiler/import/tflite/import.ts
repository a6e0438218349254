import { CompileError, fail, must, type Loc, type Warning } from '../../core/diagnostic.ts';
import { didYouMean } from '../../core/suggest.ts';
import { symbolsOf } from '../../core/dim.ts';
import { tensorType } from '../../core/shape.ts';
import { input, type Graph, type Value } from '../../graph/graph.ts';
import type { ImportedGraph, TfliteRounding } from '../importer.ts';
import { importSession } from '../shared/builder.ts';
import { tied } from '../shared/states.ts';
import { inputShapes, type DeclaredInput, type DimChoices, type ShapeChoices } from '../shared/dims.ts';
import type { ExternalResolver } from '../shared/external.ts';
import { failUnsupported, Poisoned } from '../shared/unsupported.ts';
import { labelsOf } from './metadata.ts';
import { tfliteOps } from './ops/index.ts';
import { variableName, type NamedTensor, type Operator, type Signature, type Subgraph, type TfliteModel } from './records.ts';
import { isResource } from './registry.ts';
import { importBody, locOf, lookup, valueOf, type Scope, type Session } from './scope.ts';
import { contentsOf, dtypeOf, isComplex } from './tensor.ts';

export interface TfliteOptions {
  /** The file's name, for messages. */
  readonly file: string;
  readonly name?: string;
  readonly dims?: DimChoices;
  readonly shapes?: ShapeChoices;
  readonly rounding?: TfliteRounding;
  /** The signature that is meant. */
  readonly signature?: string;
  /** Gives bytes of files beside the model. */
  readonly external?: ExternalResolver;
  /** Is told what each name of the main graph became. */
  readonly onValue?: (name: string, value: Value) => void;
}

/** The graph that a run executes, and what its inputs and outputs are called. */
export interface Entry {
  readonly graph: Subgraph;
  readonly inputs: readonly NamedTensor[];
  readonly outputs: readonly NamedTensor[];
}
/** The signature that is asked for; `serving_default`, or the first one. E403: there is none of the name. */
function signatureOf(m: TfliteModel, file: string, asked: string | undefined): Signature | undefined {
  if (asked === undefined) return m.signatures.find(s => s.key === 'serving_default') ?? m.signatures[0];
  const names = m.signatures.map(s => s.key);
  const why =
    names.length === 0 ? 'the model has no signatures' : `'${asked}' is none of ${names.join(', ')}${didYouMean(asked, names)}`;
  return m.signatures.find(s => s.key === asked) ?? fail('E403', { option: 'signature', why }, { k: 'file', file, what: '' });
}
/** The names are those of the signature, which the model's author gave; without one, those of the tensors. E202: there is no graph. */
export function entryOf(m: TfliteModel, { file, signature: asked }: Pick<TfliteOptions, 'file' | 'signature'>): Entry {
  const signature = signatureOf(m, file, asked);
  const graph = m.subgraphs[signature?.subgraph ?? 0] ?? fail('E202', { file, why: 'it holds no graph' });
  const named = (list: readonly number[], given: readonly NamedTensor[] | undefined): NamedTensor[] => {
    const names = new Set<string>();
    // A signature names all inputs and outputs; one that does not is no signature of this graph.
    const all = given && list.every(t => given.some(g => g.tensor === t)) ? given : list.map(t => ({ tensor: t, name: '' }));
    return all.map(({ tensor, name: raw }, i) => {
      const base = raw !== '' ? raw : (graph.tensors[tensor]?.name ?? '') || `value_${i}`;
      let name = base;
      for (let k = 1; names.has(name); k++) name = `${base}_${k}`;
      names.add(name);
      return { name, tensor };
    });
  };
  return { graph, inputs: named(graph.inputs, signature?.inputs), outputs: named(graph.outputs, signature?.outputs) };
}
/** Inputs as the file declares them. */
export const declaredInputs = ({ graph, inputs }: Entry): DeclaredInput[] =>
  inputs.map(({ name, tensor }) => {
    const t = must(graph.tensors[tensor]);
    const signature = t.signature?.length === t.shape.length ? t.signature : t.shape;
    return { name, shape: signature.map(d => (d < 0 ? undefined : d)) };
  });

/**
 * Imports a TensorFlow Lite model. Weights stay views of the file. Quantized tensors are integers, here as there.
 * E103: operators that are not supported, all of them. E102: an operator does not take what it is given. E105: a tensor that nothing
 * defines. E106: an element type that Sinter has not. E2xx: the file is not what it should be. E301, E302: free dimensions.
 */
export function importTflite(m: TfliteModel, o: TfliteOptions): ImportedGraph {
  const { file } = o;
  const session: Session = {
    ...importSession(
      file,
      m.subgraphs.reduce((n, g) => n + g.operators.length, 0),
    ),
    model: m,
    ops: tfliteOps,
    rounding: o.rounding ?? 'xnnpack',
    external: o.external,
    held: new Map(),
    changing: changedVariables(m),
    states: [],
  };
  const warnings: readonly Warning[] = session.warnings;
  const labels = labelsOf(m);
  try {
    const graph = importEntry(entryOf(m, o), session, o);
    if (session.unsupported.length === 0) return { graph, warnings, histogram: histogram(m), ...(labels && { labels }) };
  } catch (e) {
    const followUp = e instanceof Poisoned || (e instanceof CompileError && session.unsupported.length > 0);
    if (!followUp && !(e instanceof CompileError && e.code === 'E106' && lacking(m).length > 0)) throw e;
  }
  return failUnsupported(
    file,
    lacking(m),
    session.unsupported.filter(u => u.why !== '' || !lacking(m).some(l => l.op === u.op)),
  );

  function lacking(model: TfliteModel): { op: string; name: string }[] {
    return [...allOperators(model)].flatMap(({ g, o: operator }) => {
      const loc = locOf(session, g, operator);
      return tfliteOps.has(operator.op) ? [] : [{ op: operator.op, name: loc.k === 'part' ? loc.name : '' }];
    });
  }
}
/** Every operator of the file. */
function* allOperators(m: TfliteModel): Generator<{ readonly g: Subgraph; readonly o: Operator }> {
  for (const g of m.subgraphs) for (const o of g.operators) yield { g, o };
}
/** How many of each operator. */
export function histogram(m: TfliteModel): Record<string, number> {
  const count = new Map<string, number>();
  for (const { o } of allOperators(m)) count.set(o.op, (count.get(o.op) ?? 0) + 1);
  return Object.fromEntries([...count].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)));
}
/** Names of variables that are assigned other than by graphs that run once. */
function changedVariables(m: TfliteModel): ReadonlySet<string> {
  const init = new Set<number>();
  for (const { o } of allOperators(m))
    if (o.op === 'CALL_ONCE') init.add(Number(o.options.fields.get('init_subgraph_index') ?? 0));
  const names = new Set<string>();
  m.subgraphs.forEach((g, i) => {
    if (init.has(i)) return;
    const handles = new Map<number, string>();
    for (const o of g.operators) {
      const [first = -1] = o.op === 'VAR_HANDLE' ? o.outputs : o.inputs;
      if (o.op === 'VAR_HANDLE') handles.set(first, variableName(o.options));
      // A handle that came as an argument may be any.
      if (o.op === 'ASSIGN_VARIABLE') names.add(handles.get(first) ?? '');
    }
  });
  return names;
}

function importEntry(entry: Entry, session: Session, o: TfliteOptions): Graph {
  const { file } = session;
  const { graph } = entry;
  const loc: Loc = { k: 'file', file, what: '' };
  const scope: Scope = { session, graph, frame: { definers: [] }, items: [], calls: [session.model.subgraphs.indexOf(graph)] };
  const shapes = inputShapes(declaredInputs(entry), { file, dims: o.dims ?? {}, shapes: o.shapes ?? {} }, w =>
    session.warnings.push(w),
  );
  const inputs = entry.inputs.map(({ name, tensor }) => {
    const t = must(graph.tensors[tensor]);
    const dtype = dtypeOf(t.type);
    if (dtype === undefined || isComplex(t)) return fail('E106', { type: t.type.toLowerCase(), what: `input '${name}'` }, loc);
    const shape = shapes.get(name) ?? [];
    for (const d of shape) for (const s of symbolsOf(d)) session.symbols.add(s.name);
    const v = input(name, tensorType(dtype, shape));
    scope.items[tensor] = v;
    return v;
  });
  keepVariables(scope);
  importBody(scope);
  if (o.onValue)
    scope.items.forEach((x, i) => {
      if (x && x !== 'poison' && !isResource(x)) o.onValue?.(graph.tensors[i]?.name ?? '', x);
    });
  const outputs = entry.outputs.map(({ name, tensor }) => {
    const t = must(graph.tensors[tensor]);
    if (isComplex(t)) fail('E106', { type: t.type.toLowerCase(), what: `output '${name}'` }, loc);
    return { name, value: valueOf(scope, tensor, { ...loc, what: name }) };
  });
  if (outputs.length === 0) fail('E202', { file, why: 'its graph has no outputs' }, loc);
  const state = tied(session.states, new Set([...entry.inputs, ...entry.outputs].map(x => x.name)), session);
  return {
    name: o.name ?? graph.name,
    inputs: [...inputs, ...state.map(s => s.input)],
    outputs: [...outputs, ...state.map(s => s.output)],
    symbolDefinitions: scope.frame.definers,
  };
}
/** Tensors that keep their contents are inputs; they begin as zeros. */
function keepVariables(s: Scope): void {
  const { session, graph } = s;
  graph.tensors.forEach((t, at) => {
    const dtype = dtypeOf(t.type);
    if (!t.variable || !dtype || s.items[at] || contentsOf(session.model, t, session.external, session.file)) return;
    if (!graph.operators.some(o => o.inputs.includes(at))) return;
    const before = input(t.name, tensorType(dtype, t.shape));
    s.items[at] = before;
    const loc: Loc = { k: 'part', file: session.file, kind: 'tensor', name: t.name, op: '' };
    const after = (): Value => {
      const x = lookup(s, at, loc);
      return isResource(x) ? before : x;
    };
    session.states.push({ name: t.name, before, initial: undefined, after });
  });
}
