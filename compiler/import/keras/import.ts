import { CompileError, fail, type Loc } from '../../core/diagnostic.ts';
import { symbolsOf } from '../../core/dim.ts';
import { input, type Graph, type Value } from '../../graph/graph.ts';
import type { ImportedGraph, ImportOptions } from '../importer.ts';
import { importBuilder, importSession } from '../shared/builder.ts';
import { BATCH, inputShapes, type DeclaredInput, type DimChoices } from '../shared/dims.ts';
import { isArray, type Json } from '../shared/json.ts';
import { failUnsupported, Poisoned } from '../shared/unsupported.ts';
import { dtypeNamed, policyOf } from './dtype.ts';
import { layerView } from './layer.ts';
import type { KerasModel } from './open.ts';
import {
  badConfig,
  graphRecord,
  isGraphClass,
  layerRecord,
  type GraphRecord,
  type LayerRecord,
  type NodeRecord,
} from './records.ts';
import type { KerasBuilder } from './registry.ts';
import { runGraph, runLayer, type Runner } from './run.ts';

/** Layers of a model, those inside of others too. Walked without recursion. */
export function layersOf(model: LayerRecord, file: string): readonly LayerRecord[] {
  const out: LayerRecord[] = [];
  const todo: LayerRecord[] = [model];
  const bad = badConfig(file);
  for (let l = todo.pop(); l; l = todo.pop()) {
    if (isGraphClass(l.cls, l.config)) {
      const list = l.config['layers'];
      if (Array.isArray(list)) for (const j of list as readonly Json[]) todo.push(layerRecord(j, bad));
    } else if (l.cls !== 'InputLayer') out.push(l);
    if (out.length + todo.length > MOST_LAYERS) fail('E202', { file, why: `more than ${MOST_LAYERS} layers` });
  }
  return out;
}
const MOST_LAYERS = 1_000_000;

/** An input as its layer declares it. The first axis is the batch. */
function declared(l: NodeRecord, file: string): { readonly input: DeclaredInput; readonly dtype: Value['type']['dtype'] } {
  const loc: Loc = { k: 'part', file, kind: 'layer', name: l.name, op: l.cls };
  const given = l.config['batch_shape'] ?? l.config['batch_input_shape'];
  const short = l.config['input_shape'] ?? l.config['shape'];
  const shape = isArray(given) ? [...given] : isArray(short) ? [null, ...short] : undefined;
  if (!shape)
    return fail(
      'E202',
      {
        file,
        why: 'the model does not say what its inputs are: it was never built; call it once, or begin it with keras.Input, and save it again',
      },
      loc,
    );
  for (const kind of ['sparse', 'ragged'])
    if (l.config[kind] === true) fail('E106', { type: `${kind} tensor`, what: `input '${l.name}'` }, loc);
  const name = typeof l.config['dtype'] === 'string' ? l.config['dtype'] : undefined;
  const dtype = name === undefined ? policyOf(l.config['dtype'] ?? null).compute : dtypeNamed(name);
  if (!dtype) return fail('E106', { type: name ?? 'unknown', what: `input '${l.name}'` }, loc);
  const sizes = shape.map((d, axis) => (typeof d === 'number' && d >= 0 ? d : axis === 0 ? 'batch' : undefined));
  return { input: { name: l.name, shape: sizes }, dtype };
}
/** The choices with one for the batch where nothing else shows that it is one: an input of one axis. */
function withBatch({ dims = {}, shapes }: ImportOptions, ports: readonly { readonly input: DeclaredInput }[]): DimChoices {
  const open = ports.filter(p => p.input.shape?.[0] === 'batch');
  const told = dims['batch'] !== undefined || shapes !== undefined || open.some(p => (p.input.shape?.length ?? 0) > 1);
  return told || open.length === 0 ? dims : { ...dims, batch: BATCH };
}
const inputLayers = (g: GraphRecord, file: string): readonly NodeRecord[] =>
  g.inputs.map(i => {
    const l =
      g.layers.find(x => x.name === i.layer) ?? fail('E105', { what: `layer '${i.layer}'` }, { k: 'file', file, what: g.name });
    return l.cls === 'InputLayer'
      ? l
      : fail('E202', { file, why: `the input '${l.name}' is no InputLayer` }, { k: 'file', file, what: l.name });
  });

/** Imports a model. E103: layers that are not supported, all of them; else the errors of layers and of `inputShapes`. */
export function importKeras(m: KerasModel, o: ImportOptions): ImportedGraph {
  const { file } = m;
  const layers = layersOf(m.model, file);
  const session = importSession(file, layers.length);
  const g = graphRecord(m.model, badConfig(file));
  const ports = inputLayers(g, file).map(l => declared(l, file));
  const shapes = inputShapes(
    ports.map(p => p.input),
    { file, dims: withBatch(o, ports), ...(o.shapes && { shapes: o.shapes }) },
    w => void session.warnings.push(w),
  );
  const inputs = ports.map((p): Value => {
    const shape = shapes.get(p.input.name) ?? [];
    for (const d of shape) for (const s of symbolsOf(d)) session.symbols.add(s.name);
    return input(p.input.name, { dtype: p.dtype, shape });
  });
  const definitions: Value[] = [];
  const at: { loc: Loc } = { loc: { k: 'file', file, what: '' } };
  const states: { readonly value: Value; readonly name: string; next?: Value }[] = [];
  const runner: Runner = { session, version: m.version, at, depth: 0, prefix: '', builder: () => c };
  const made = importBuilder(session, at, definitions);
  const c: KerasBuilder = {
    ...made,
    run: (record, weights, call) => runLayer(runner, record, weights, call),
    view: (record, weights) => layerView(c, file, m.version, record, weights),
    state: (name, start) => {
      const value = input(name, { dtype: start.dtype, shape: start.dims });
      const state: (typeof states)[number] = { value, name };
      states.push(state);
      return { value, next: v => void (state.next = v) };
    },
  };
  const graph = (): Graph => {
    const outs = runGraph(
      runner,
      g,
      m.weights,
      inputs.map(value => ({ value })),
    );
    return {
      name: o.name ?? g.name,
      inputs: [...inputs, ...states.map(s => s.value)],
      outputs: [
        ...g.outputs.map((x, i) => ({ name: x.name, value: outs[i]?.value ?? fail('E105', { what: `output '${x.name}'` }) })),
        ...states.flatMap(s => (s.next ? [{ name: `${s.name}_out`, value: s.next }] : [])),
      ],
      symbolDefinitions: definitions,
    };
  };
  const histogram: Record<string, number> = {};
  for (const l of layers) histogram[l.cls] = (histogram[l.cls] ?? 0) + 1;
  try {
    const done = graph();
    if (session.unsupported.length === 0) return { graph: done, warnings: session.warnings, histogram };
  } catch (e) {
    if (!(e instanceof Poisoned) && !(e instanceof CompileError && session.unsupported.length > 0)) throw e;
  }
  return failUnsupported(file, [], session.unsupported);
}
