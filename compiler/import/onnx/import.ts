import { CompileError, fail, must, type Loc, type Warning } from '../../core/diagnostic.ts';
import { quoteShell } from '../../core/quote.ts';
import { symbol, symbolsOf, type Dim } from '../../core/dim.ts';
import { input, type Graph, type Value } from '../../graph/graph.ts';
import { dataTypeName, decodeModel, dtypeOf } from './decode.ts';
import { importSession } from '../shared/builder.ts';
import {
  BATCH,
  inputShapes,
  rowRange,
  symbolName,
  type DeclaredInput,
  type DimChoices,
  type ShapeChoices,
  type SizeRange,
} from '../shared/dims.ts';
import { cutGraph, type Cut } from './cut.ts';
import { failUnsupported, Poisoned } from '../shared/unsupported.ts';
import { domainOf, opKey } from './node.ts';
import { blockOf } from './blocks.ts';
import { bordersOf, partName, tensorsOf } from './border.ts';
import { onnxOps } from './ops/index.ts';
import { blockedOps } from './ops/nchwc.ts';
import { sequenceOps } from './ops/sequence.ts';
import { textOps } from './ops/text.ts';
import { graphsOf, namesUsed } from './order.ts';
import { declaredSizes, functionKey, importBody, lookupItem, newFrame, type Scope, type Session } from './scope.ts';
import type { FunctionProto, GraphProto, ModelProto, NodeProto, TypeProto, ValueInfoProto } from './records.ts';
import { isSequence, isSpelt, isTensor, type Item, type OnnxBuilder } from './registry.ts';
import type { ExternalResolver } from '../shared/external.ts';

export type OnnxModel = ModelProto & { readonly graph: GraphProto };
export interface OnnxOptions {
  /** The file's name, for messages. */
  readonly file?: string;
  /** What the model's free dimensions may be; see `inputShapes` for the names and the defaults. */
  readonly dims?: DimChoices;
  /** The same for whole inputs, axis by axis. */
  readonly shapes?: ShapeChoices;
  /** Sizes of whole inputs, in the place of what the file says. */
  readonly inputSizes?: Readonly<Record<string, readonly Dim[]>>;
  /** Where the main graph is cut. */
  readonly cut?: Cut;
  /** Gives bytes of files beside the model. */
  readonly external?: ExternalResolver;
  /** The graph's name; else the file's own. */
  readonly name?: string;
  /** The table of operators. */
  readonly ops?: ReadonlyMap<string, OnnxBuilder>;
  /** Is told what each name of the main graph became, for tools that compare values by the file's names. */
  readonly onValue?: (name: string, value: Value) => void;
}
/** What the file says about itself. */
interface OnnxMeta {
  readonly irVersion: number;
  /** Version by domain; '' is the standard's. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly producer: string;
  readonly modelVersion: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** How many nodes of each operator, those of functions and sub-graphs once each. */
  readonly histogram: Readonly<Record<string, number>>;
}
export interface Imported {
  readonly graph: Graph;
  readonly meta: OnnxMeta;
  readonly warnings: readonly Warning[];
  /** The names of the classes, where a classifier of the model has them as text. */
  readonly labels?: readonly string[];
}

/** The oldest and the newest version of the standard operators that the tables are written for. */
const OPSETS = { from: 1, to: 28 };

/**
 * Imports an ONNX model. Weights stay views of `bytes`.
 *
 * Everything peculiar to the format ends here: versions of operators, functions (inlined), names (sub-graphs have explicit captures),
 * initialisers that are also inputs (constants here). Inputs that are not used stay inputs. The tensors of sequences are inputs and outputs of
 * their own; see `bordersOf`.
 *
 * E103: operators that are not supported, all of them. E104: a cycle. E105: a value that nothing defines. E106: an input that is no
 * tensor, or of an element type that Sinter has not. E102: an operator does not take what it is given. E2xx: the file is not what it
 * should be. E301, E302: free dimensions; see `inputShapes`.
 */
export function importOnnx(bytes: Uint8Array, options: OnnxOptions = {}): Imported {
  return importProto(decodeModel(bytes, options.file), options);
}
/** The same for records that are decoded already. */
export function importProto(whole: OnnxModel, options: OnnxOptions = {}): Imported {
  const file = options.file ?? 'model';
  const model = options.cut ? { ...whole, graph: cutGraph(whole.graph, options.cut, file) } : whole;
  const meta = metaOf(model);
  const session: Session = {
    ...importSession(
      file,
      Object.values(meta.histogram).reduce((a, b) => a + b, 0),
    ),
    ops: options.ops ?? operatorsOf(model.graph, options.external, file),
    sequenceOps,
    textOps,
    functions: new Map(model.functions.map(f => [functionKey(f.domain, f.name, f.overload), f])),
    external: options.external,
  };
  const version = meta.opsets[''];
  const loc: Loc = { k: 'file', file, what: '' };
  if (version !== undefined && (version < OPSETS.from || version > OPSETS.to)) {
    const message = `the model is written for operator set ${version}; Sinter knows ${OPSETS.from} to ${OPSETS.to} and reads it as near as it can`;
    session.warnings.push({ code: 'opset', message, loc });
  }
  const opsets = new Map(Object.entries(meta.opsets));
  // Files from before there were operator sets are of the first one.
  if (version === undefined) opsets.set('', model.irVersion > 0 && model.irVersion < 3 ? 1 : OPSETS.to);
  try {
    const looks = [...allNodes(model)].some(n => textOps.has(keyOf(n)));
    const graph = importGraph(model.graph, session, opsets, options, looks);
    if (session.unsupported.length === 0)
      return { graph, meta, warnings: session.warnings, ...(session.labels && { labels: session.labels }) };
  } catch (e) {
    const followUp = e instanceof Poisoned || (e instanceof CompileError && session.unsupported.length > 0);
    if (
      !followUp &&
      !(e instanceof CompileError && (e.code === 'E106' || e.code === 'E301') && missing(model, session).length > 0)
    )
      throw e;
  }
  const lacking = missing(model, session).map(n => ({
    op: keyOf(n),
    name: n.name === '' ? (n.output.find(o => o !== '') ?? '') : n.name,
  }));
  return failUnsupported(file, lacking, session.unsupported, howToCut(session, model.graph));
}

/** More places to cut at are not told. */
const FEW = 4;
/** What a user can do where a part of the model is not supported. */
function howToCut({ frontier: at = [], unsupported }: Session, g: GraphProto): string {
  const flags = (option: string, names: readonly string[]): string =>
    names.map(name => `${option} ${quoteShell(name)}`).join(' ');
  if (at.length > 0 && at.length <= FEW) return `what comes before can be compiled with ${flags('--outputs-at', at)}`;
  const [first] = unsupported;
  const behind = first?.loc.k === 'part' ? first.loc.name : '';
  const node = g.node.find(n => n.name === behind || n.output.includes(behind));
  const used = node?.output.some(o => g.node.some(other => other.input.includes(o))) === true;
  return !used ? '' : `what comes behind can be compiled with ${flags('--inputs-at', [behind])}`;
}

/** The table of operators, with those of blocked layouts for files that have such. */
function operatorsOf(g: GraphProto, external: ExternalResolver | undefined, file: string): ReadonlyMap<string, OnnxBuilder> {
  const block = blockOf(g, external, file);
  return block === undefined ? onnxOps : new Map([...onnxOps, ...Object.entries(blockedOps(block))]);
}

/** `looks`: the model looks into texts. */
function importGraph(
  g: GraphProto,
  session: Session,
  opsets: ReadonlyMap<string, number>,
  options: OnnxOptions,
  looks: boolean,
): Graph {
  const { file } = session;
  const loc: Loc = { k: 'file', file, what: '' };
  const frame = newFrame(undefined);
  const scope: Scope = {
    session,
    names: new Map(),
    parent: undefined,
    frame,
    attrs: new Map(),
    opsets,
    declared: declaredSizes([...g.valueInfo, ...g.output]),
    prefix: '',
    calls: new Set(),
    depth: 0,
  };
  const seenNames = new Set<string>();
  for (const name of constantNames(g))
    if (seenNames.size === seenNames.add(name).size) fail('E202', { file, why: `two initialisers have the name '${name}'` }, loc);
  const { dims = {}, shapes: chosen = {}, inputSizes = {} } = options;
  const border = bordersOf(freeInputs(g), dims, loc);
  const free = border.borders.flatMap(tensorsOf);
  if (new Set(free.map(i => i.name)).size < free.length) fail('E202', { file, why: 'two inputs have one name' }, loc);
  const dtypes = free.map(i => {
    const elem = i.type?.tensorType?.elemType;
    const dtype = elem === undefined ? undefined : dtypeOf(elem);
    return dtype ?? fail('E106', { type: showTypeProto(i.type), what: `input '${i.name}'` }, { ...loc, what: i.name });
  });
  const spelt = new Set(looks ? free.flatMap((i, at) => (dtypes[at] === 'text' ? [i.name] : [])) : []);
  const sizes = withWidths(declaredInputs(free), spelt, { dims: border.dims, shapes: chosen, inputSizes }, message =>
    session.warnings.push({ code: 'texts', message, loc }),
  );
  const shapes = inputShapes(sizes.declared, { file, ...sizes, batch: batchOf(g) }, w => session.warnings.push(w));
  const inputs = free.map((i, at): Value => {
    const shape = shapes.get(i.name) ?? [];
    for (const d of shape) for (const s of symbolsOf(d)) session.symbols.add(s.name);
    return input(i.name, { dtype: spelt.has(i.name) ? 'u8' : (dtypes[at] ?? 'f32'), shape });
  });
  const item = (v: Value, name: string): Item => (spelt.has(name) ? { spelt: v } : v);
  const byName = new Map(free.map((i, at) => [i.name, item(must(inputs[at]), i.name)]));
  for (const b of border.borders)
    if (b.k === 'absent') scope.names.set(b.name, { k: 'absent' });
    else if (b.k === 'tensor') scope.names.set(b.input.name, { k: 'value', value: must(byName.get(b.input.name)) });
    else {
      const parts = b.parts.map(p => must(byName.get(p.name)));
      if (parts.some(isSpelt))
        fail('E106', { type: 'seq(string)', what: `input '${b.name}' of a model that looks into texts` }, loc);
      scope.names.set(b.name, { k: 'value', value: { items: parts.filter(isTensor) } });
    }
  importBody(scope, g);
  session.frontier = frontier(g, scope.names);
  if (options.onValue)
    for (const [name, e] of scope.names) if (e.k === 'value' && isTensor(e.value)) options.onValue(name, e.value);
  const told: string[] = [];
  const outputs = g.output.flatMap(o => {
    const value = lookupItem(scope, o.name, { ...loc, what: o.name });
    if (isSpelt(value)) {
      told.push(o.name);
      return [{ name: o.name, value: value.spelt }];
    }
    if (!isSequence(value)) return [{ name: o.name, value }];
    return value.items.map((v, i) => ({ name: partName(o.name, i), value: v }));
  });
  const seen = new Set<string>();
  for (const o of outputs)
    if (seen.size === seen.add(o.name).size) fail('E202', { file, why: `two outputs have the name '${o.name}'` }, loc);
  if (g.output.length === 0) fail('E202', { file, why: 'its graph has no outputs' }, loc);
  const { texts } = session.texts;
  return {
    name: options.name ?? g.name,
    inputs,
    outputs,
    symbolDefinitions: frame.definers,
    ...(texts.length > 0 && { texts }),
    ...(spelt.size + told.length > 0 && { spelt: { inputs: [...spelt], outputs: told } }),
  };
}

/** The bytes that texts may have where nobody chose. */
const WIDTH = { lo: 1, hi: 256 };
/** Inputs of texts that are looked into with a last axis more: the bytes of each text, `<input>_bytes`, which a choice bounds. */
function withWidths(
  declared: readonly DeclaredInput[],
  spelt: ReadonlySet<string>,
  o: Required<Pick<OnnxOptions, 'dims' | 'shapes' | 'inputSizes'>>,
  warn: (message: string) => void,
): typeof o & { readonly declared: readonly DeclaredInput[] } {
  if (spelt.size === 0) return { ...o, declared };
  const dims = new Map(Object.entries(o.dims));
  const shapes = new Map(Object.entries(o.shapes));
  const inputSizes = new Map(Object.entries(o.inputSizes));
  for (const { name } of declared) {
    if (!spelt.has(name)) continue;
    const width = `${name}_bytes`;
    const chosen = dims.get(width);
    const hi = typeof chosen === 'object' ? chosen.hi : (chosen ?? WIDTH.hi);
    // A run is told how long its longest text is, and that is at least one byte.
    const sizes = inputSizes.get(name);
    if (sizes) {
      inputSizes.set(name, [...sizes, symbol(symbolName(width), 1, Math.max(1, hi))]);
      dims.delete(width);
      continue;
    }
    dims.set(width, { lo: 1, hi: Math.max(1, hi) });
    if (chosen === undefined)
      warn(`the texts of '${name}' may have up to ${hi} bytes of UTF-8 each; choose with --dim ${symbolName(width)}=N`);
    const axes = shapes.get(name);
    if (axes) shapes.set(name, [...axes, null]);
  }
  return {
    declared: declared.map(i => (spelt.has(i.name) && i.shape ? { ...i, shape: [...i.shape, `${i.name}_bytes`] } : i)),
    dims: Object.fromEntries(dims),
    shapes: Object.fromEntries(shapes),
    inputSizes: Object.fromEntries(inputSizes),
  };
}

const constantNames = (g: GraphProto): string[] => [
  ...g.initializer.map(t => t.name),
  ...g.sparseInitializer.map(t => t.values?.name ?? ''),
];
/** What could be computed and is wanted by nodes that could not be imported: where to cut the model. */
function frontier(g: GraphProto, names: Scope['names']): readonly string[] {
  const lost = (n: NodeProto): boolean => n.output.some(o => names.get(o)?.k === 'poison');
  const computed = new Set(g.node.filter(n => !lost(n) && n.opType !== 'Constant').flatMap(n => n.output));
  return [...new Set(g.node.filter(lost).flatMap(namesUsed))].filter(name => name !== '' && computed.has(name));
}
/** The inputs that a run is given: those that are initialisers too have fixed values. */
export function freeInputs(g: GraphProto): readonly ValueInfoProto[] {
  const fixed = new Set(constantNames(g));
  return g.input.filter(i => !fixed.has(i.name));
}
/** Inputs as the file declares them. */
export const declaredInputs = (inputs: readonly ValueInfoProto[]): DeclaredInput[] =>
  inputs.map(i => ({
    name: i.name,
    shape: i.type?.tensorType?.shape?.dim.map(d => {
      if (d.dimValue !== undefined && d.dimValue >= 0) return d.dimValue;
      return d.dimParam === '' ? undefined : d.dimParam;
    }),
  }));
/** What a batch is taken for: trees take rows of features, of which there are many as a matter of course. */
function batchOf(g: GraphProto): SizeRange {
  if (!g.node.some(n => n.domain === 'ai.onnx.ml' && n.opType.startsWith('TreeEnsemble'))) return BATCH;
  const columns = g.input.map(i => {
    const sizes = i.type?.tensorType?.shape?.dim ?? [];
    return sizes.slice(1).reduce((n, d) => n * Math.max(1, d.dimValue ?? 1), 1);
  });
  const { lo, hi } = rowRange(4 * Math.max(1, ...columns));
  return { lo, hi: Math.max(BATCH.hi, hi) };
}

/** A type in words, as the standard writes it. */
export function showTypeProto(t: TypeProto | undefined): string {
  if (t?.tensorType) return dataTypeName(t.tensorType.elemType);
  if (t?.sparseTensorType) return `sparse_tensor(${dataTypeName(t.sparseTensorType.elemType)})`;
  if (t?.sequenceType) return `seq(${showTypeProto(t.sequenceType.elemType)})`;
  if (t?.optionalType) return `optional(${showTypeProto(t.optionalType.elemType)})`;
  if (t?.mapType) return `map(${dataTypeName(t.mapType.keyType)}, ${showTypeProto(t.mapType.valueType)})`;
  if (t?.opaqueType) return `opaque(${t.opaqueType.name})`;
  return 'unknown';
}

/** Every node of the file with where it stands, those of sub-graphs and functions too. */
export function* allNodes(model: OnnxModel): Generator<NodeProto> {
  const todo: (readonly NodeProto[])[] = [model.graph.node, ...model.functions.map((f: FunctionProto) => f.node)];
  for (let list = todo.pop(); list; list = todo.pop())
    for (const n of list) {
      yield n;
      for (const g of graphsOf(n)) todo.push(g.node);
    }
}
/** An operator as tables have it. */
export const keyOf = (n: NodeProto): string => opKey(domainOf(n.domain), n.opType);
const missing = (model: OnnxModel, s: Session): NodeProto[] =>
  [...allNodes(model)].filter(
    n =>
      ![s.ops, s.sequenceOps, s.textOps].some(table => table.has(keyOf(n))) &&
      !s.functions.has(functionKey(n.domain, n.opType, n.overload)),
  );

function metaOf(m: OnnxModel): OnnxMeta {
  const histogram = new Map<string, number>();
  for (const n of allNodes(m)) histogram.set(keyOf(n), (histogram.get(keyOf(n)) ?? 0) + 1);
  return {
    irVersion: m.irVersion,
    opsets: Object.fromEntries(m.opsetImport.map(o => [domainOf(o.domain), o.version])),
    producer: [m.producerName, m.producerVersion].filter(s => s !== '').join(' '),
    modelVersion: m.modelVersion,
    metadata: Object.fromEntries(m.metadataProps.map(e => [e.key, e.value])),
    histogram: Object.fromEntries(histogram),
  };
}
