import { CompileError, type Warning } from './core/diagnostic.ts';
import { DTYPES } from './core/dtype.ts';
import type { TensorType } from './core/shape.ts';
import { numel } from './core/tensor.ts';
import { showDim } from './core/dim.ts';
import { macsHi } from './graph/stats.ts';
import type { Value } from './graph/graph.ts';
import { dataTypeName, decodeModel, dtypeOf, type ModelProto, type TensorProto } from './import/onnx/decode.ts';
import { factsOf } from './import/facts.ts';
import { importOpen, openModel, type Format, type OpenModel } from './import/model.ts';
import { freeSizes, symbolName } from './import/shared/dims.ts';
import { importProto, type Imported } from './import/onnx/import.ts';
import { domainOf, opKey } from './import/onnx/node.ts';
import { onnxOps } from './import/onnx/ops/index.ts';
import { graphsOf } from './import/onnx/order.ts';
import type { GraphProto, NodeProto, ValueInfoProto } from './import/onnx/records.ts';
import type { TreeFacts } from './import/shared/trees.ts';
import { treeStats, type TreeStats } from './ops/trees/stats.ts';
import type { ExternalResolver } from './import/shared/external.ts';

export interface InspectOptions {
  readonly model: Uint8Array;
  readonly format?: Format;
  readonly file?: string;
  readonly external?: ExternalResolver;
}
export type Inspection = OnnxInspection | TreeInspection;
/** What a model of boosted trees is made of. */
export interface TreeInspection extends TreeFacts {
  readonly format: Exclude<Format, 'onnx'>;
  readonly file: string;
  readonly bytes: number;
  /** Undefined for linear boosters, and where the model cannot be compiled. */
  readonly trees: TreeStats | undefined;
  readonly inputs: readonly InspectedPort[];
  readonly outputs: readonly InspectedPort[];
  readonly problem: Problem | undefined;
  readonly warnings: readonly Warning[];
}
/** Why a model cannot be compiled as it is. */
type Problem = { readonly code: string; readonly message: string };
/** What an ONNX model is made of. */
export interface OnnxInspection {
  readonly format: 'onnx';
  readonly file: string;
  readonly bytes: number;
  readonly producer: string;
  readonly irVersion: number;
  readonly opsets: Readonly<Record<string, number>>;
  readonly inputs: readonly InspectedPort[];
  readonly outputs: readonly InspectedPort[];
  /** Names by which `--dim` chooses sizes, with where each stands. */
  readonly free: readonly { readonly name: string; readonly places: readonly string[] }[];
  /** How many nodes of each operator, most first; those of sub-graphs and functions too. */
  readonly operators: Readonly<Record<string, number>>;
  readonly parameters: { readonly tensors: number; readonly elements: number; readonly bytes: number };
  /** Multiply-adds of one run with free dimensions of the given sizes. */
  readonly macs: { readonly count: number; readonly at: Readonly<Record<string, number>> } | undefined;
  readonly problem: Problem | undefined;
  readonly warnings: readonly Warning[];
  readonly graph: Drawable;
}
export interface InspectedPort {
  readonly name: string;
  readonly type: string;
  /** null: the file says nothing. */
  readonly shape: readonly (number | string | null)[] | null;
}
/** A graph as the file has it, without its constants. */
export interface Drawable {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly DrawableNode[];
}
export interface DrawableNode {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Attributes worth a look, in words. */
  readonly notes: readonly string[];
  /** Sizes of the first output. */
  readonly shape: string;
  readonly supported: boolean;
  /** Branches and bodies, by the attribute's name. Input i of a body is input i of the node. */
  readonly graphs: readonly (readonly [name: string, graph: Drawable])[];
}

/** Tells what a model is made of, also where it cannot be compiled. E2xx where it cannot be read. */
export function inspect(o: InspectOptions): Inspection {
  const file = o.file ?? 'model';
  const open = openModel(o.model, file, o.format);
  const facts = factsOf(open, file);
  if (facts && open.k !== 'onnx') return inspectTrees(open, facts, o, file);
  const model = decodeModel(open.k === 'onnx' ? open.bytes : o.model, file);
  const g = model.graph;
  const constants = new Set([...g.initializer.map(t => t.name), ...g.sparseInitializer.map(t => t.values?.name ?? '')]);
  const free = freeSizes(g, name => !constants.has(name));
  const sizes = Object.fromEntries([...free.values()].map(f => [f.name, trialSize(f)]));
  const { imported, shapes, problem } = tryImport(model, file, o.external, sizes);
  const operators = new Map<string, number>();
  for (const n of nodesDeep(model)) operators.set(keyOf(n), (operators.get(keyOf(n)) ?? 0) + 1);
  const macs = imported && macsHi(imported.graph);
  return {
    format: 'onnx',
    file,
    bytes: o.model.length,
    producer: [model.producerName, model.producerVersion].filter(s => s !== '').join(' '),
    irVersion: model.irVersion,
    opsets: Object.fromEntries(model.opsetImport.map(x => [domainOf(x.domain) === '' ? 'ai.onnx' : x.domain, x.version])),
    inputs: g.input.filter(i => !constants.has(i.name)).map(port),
    outputs: g.output.map(port),
    free: [...free.values()].map(f => ({ name: f.name, places: f.places.map(p => `axis ${p.axis} of '${p.input}'`) })),
    operators: Object.fromEntries([...operators].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))),
    parameters: parameters(model),
    macs: macs === undefined ? undefined : { count: macs, at: sizes },
    problem,
    warnings: imported?.warnings ?? [],
    graph: drawable(g, model, shapes),
  };
}

function inspectTrees(
  m: Exclude<OpenModel, { readonly k: 'onnx' }>,
  facts: TreeFacts,
  o: InspectOptions,
  file: string,
): TreeInspection {
  const head = { format: m.k, file, bytes: o.model.length, ...facts };
  try {
    const { graph, warnings } = importOpen(m, { file });
    const ports = (list: readonly { readonly name: string; readonly type: TensorType }[]): InspectedPort[] =>
      list.map(p => ({
        name: p.name,
        type: DTYPES[p.type.dtype].ort,
        shape: p.type.shape.map(d => (typeof d === 'number' ? d : showDim(d))),
      }));
    return {
      ...head,
      trees: treeStats(graph),
      inputs: ports(graph.inputs.map(v => ({ name: v.def.k === 'input' ? v.def.name : '', type: v.type }))),
      outputs: ports(graph.outputs.map(x => ({ name: x.name, type: x.value.type }))),
      problem: undefined,
      warnings,
    };
  } catch (e) {
    // What is damaged is told as an error, what is only not supported as a fact.
    if (!(e instanceof CompileError) || !e.code.startsWith('E1')) throw e;
    const problem = { code: e.code, message: e.message };
    return { ...head, trees: undefined, inputs: [], outputs: [], problem, warnings: [] };
  }
}

/** A usual size for a dimension that nothing is known of. */
function trialSize(f: {
  readonly name: string;
  readonly places: readonly { readonly axis: number; readonly rank: number }[];
}): number {
  if (f.places.some(p => p.axis === 0 && p.rank > 1)) return 1;
  return f.places.some(p => p.rank === 4 && p.axis >= 2) ? 224 : 128;
}
function tryImport(
  model: ModelProto & { readonly graph: GraphProto },
  file: string,
  external: ExternalResolver | undefined,
  dims: Readonly<Record<string, number>>,
): { imported?: Imported; shapes: ReadonlyMap<string, string>; problem: Problem | undefined } {
  const shapes = new Map<string, string>();
  const onValue = (name: string, v: Value): void => void shapes.set(name, v.type.shape.map(showDim).join('×'));
  try {
    const imported = importProto(model, { file, dims, onValue, ...(external && { external }) });
    return { imported, shapes, problem: undefined };
  } catch (e) {
    if (!(e instanceof CompileError)) throw e;
    return { shapes, problem: { code: e.code, message: e.message } };
  }
}

const keyOf = (n: NodeProto): string => opKey(domainOf(n.domain), n.opType);
function* nodesDeep(m: ModelProto & { readonly graph: GraphProto }): Generator<NodeProto> {
  const open: (readonly NodeProto[])[] = [m.graph.node, ...m.functions.map(f => f.node)];
  for (let list = open.pop(); list; list = open.pop())
    for (const n of list) {
      yield n;
      for (const g of graphsOf(n)) open.push(g.node);
    }
}
function port(v: ValueInfoProto): InspectedPort {
  const t = v.type?.tensorType;
  const shape = t?.shape?.dim.map((d, i): number | string => {
    if (d.dimValue !== undefined && d.dimValue >= 0) return d.dimValue;
    return d.dimParam === undefined || d.dimParam === '' ? symbolName(`${v.name}_${i}`) : d.dimParam;
  });
  return { name: v.name, type: t ? dataTypeName(t.elemType) : 'not a tensor', shape: shape ?? null };
}
function parameters(m: ModelProto & { readonly graph: GraphProto }): OnnxInspection['parameters'] {
  let [tensors, elements, bytes] = [0, 0, 0];
  const add = (t: TensorProto): void => {
    const dtype = dtypeOf(t.dataType);
    const n = numel(t.dims);
    tensors++;
    elements += n;
    bytes += dtype === undefined ? (t.rawData?.length ?? 0) : n * DTYPES[dtype].bytes;
  };
  m.graph.initializer.forEach(add);
  m.graph.sparseInitializer.forEach(s => s.values && add(s.values));
  for (const n of nodesDeep(m)) {
    for (const a of n.attribute) if (a.t && n.opType === 'Constant') add(a.t);
    for (const g of graphsOf(n)) g.initializer.forEach(add);
  }
  return { tensors, elements, bytes };
}

/** Attributes that tell kernels apart at a glance, with the words for them; values of nothing but ones go without saying. */
const TELLING: readonly (readonly [name: string, word: string, silentOnes?: boolean])[] = [
  ['kernel_shape', ''],
  ['strides', 'stride ', true],
  ['dilations', 'dilation ', true],
  ['group', 'groups ', true],
  ['axis', 'axis '],
  ['axes', 'axes '],
  ['perm', 'to '],
  ['hidden_size', 'hidden '],
  ['direction', ''],
  ['mode', ''],
  ['alpha', 'alpha '],
];
/** Recursion is as deep as graphs are nested, which the decoder bounds. */
function drawable(g: GraphProto, m: ModelProto, shapes: ReadonlyMap<string, string>): Drawable {
  return {
    inputs: g.input.map(i => i.name),
    outputs: g.output.map(o => o.name),
    // Constants are weights spelt as nodes.
    nodes: g.node.filter(n => n.opType !== 'Constant').map(n => drawableNode(n, m, shapes)),
  };
}
function drawableNode(n: NodeProto, m: ModelProto, shapes: ReadonlyMap<string, string>): DrawableNode {
  const notes: string[] = [];
  for (const [name, word, silentOnes] of TELLING) {
    const a = n.attribute.find(x => x.name === name);
    if (!a) continue;
    const numbers = a.ints.length > 0 ? a.ints : a.i !== undefined ? [a.i] : [];
    if (silentOnes === true && numbers.every(x => x === 1)) continue;
    const value = numbers.length > 0 ? numbers.join('×') : (a.s ?? (a.f === undefined ? undefined : Number(a.f.toPrecision(4))));
    if (value !== undefined) notes.push(`${word}${value}`);
  }
  const isFunction = m.functions.some(f => f.name === n.opType && domainOf(f.domain) === domainOf(n.domain));
  const outputs = n.output.filter(x => x !== '');
  return {
    name: n.name,
    op: keyOf(n),
    inputs: n.input.filter(x => x !== ''),
    outputs,
    notes,
    shape: shapes.get(outputs[0] ?? '') ?? '',
    supported: isFunction || onnxOps.has(keyOf(n)),
    // Only main values have shapes by name: sub-graphs may use a name again.
    graphs: n.attribute.flatMap(a => (a.g ? [[a.name, drawable(a.g, m, new Map<string, string>())] as const] : [])),
  };
}
