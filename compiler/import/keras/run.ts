import { fail, must, type Loc } from '../../core/diagnostic.ts';
import { isFloat } from '../../core/dtype.ts';
import type { Value } from '../../graph/graph.ts';
import { collecting, spend, type ImportSession } from '../shared/builder.ts';
import { importedAt, Poisoned } from '../shared/unsupported.ts';
import type { Json } from '../shared/json.ts';
import { cast } from '../shared/views.ts';
import { layerView, type KerasVersion } from './layer.ts';
import { isOperation, layerTable, PASS_MASKS } from './layers/index.ts';
import {
  badConfig,
  graphRecord,
  isGraphClass,
  type ArgRecord,
  type GraphRecord,
  type LayerRecord,
  type NodeRecord,
} from './records.ts';
import type { Arg, Call, CallView, Flow, KerasBuilder } from './registry.ts';
import { snakeCase, type Weights } from './weights.ts';

/** What a model is run with, layer by layer. */
export interface Runner {
  readonly session: ImportSession;
  readonly version: KerasVersion;
  /** The builder, which runs layers in its turn. */
  readonly builder: () => KerasBuilder;
  /** Where the nodes come from that are made now. */
  readonly at: { loc: Loc };
  /** How many models this one is in. */
  depth: number;
  /** Put before names of layers in messages. */
  prefix: string;
}
/** Models may be in each other this deep; the walk over them is recursive. */
const DEEPEST = 50;

/** Runs one call of a layer or of a model. What is not supported is thrown as `Unsupported`. */
export function runLayer(r: Runner, given: LayerRecord, weights: Weights, call: Call): readonly Flow[] {
  const record = operationOf(r, given);
  const { file } = r.session;
  const c = r.builder();
  const outside = r.at.loc;
  const name = r.prefix + record.name;
  const loc: Loc = { k: 'part', file, kind: 'layer', name, op: record.cls };
  spend(r.session, loc);
  r.at.loc = loc;
  try {
    return importedAt(loc, () => {
      if (isGraphClass(record.cls, record.config)) return runModel(r, record, weights, call);
      const build = layerTable.get(record.cls);
      if (!build) return c.unsupported(unknownLayer(record));
      const view = layerView(c, file, r.version, record, weights);
      const seen = callView(c, isOperation(record.cls) ? undefined : view.dtype, call);
      const outs = build(view, c, seen);
      const mask = seen.flow()?.mask;
      return mask && PASS_MASKS.has(record.cls) ? outs.map(o => ('mask' in o ? o : { ...o, mask })) : outs;
    });
  } finally {
    r.at.loc = outside;
  }
}
/** Keras 3 writes no modules into .h5: an operation is told by the settings that only layers have. */
function operationOf(r: Runner, record: LayerRecord): LayerRecord {
  const cls = `ops.${record.cls}`;
  return r.version === 3 && !('trainable' in record.config) && layerTable.has(cls) ? { ...record, cls } : record;
}
const unknownLayer = (record: LayerRecord): string =>
  record.cls.includes('>') || !/^[A-Z]\w*$/.test(record.cls.replace('ops.', ''))
    ? 'it is a class of your own code, of which the file has the name only; build the model from layers of Keras'
    : 'Sinter does not know this layer; if it is of your own code, build the model from layers of Keras instead';

/** A model inside of a model. */
function runModel(r: Runner, record: LayerRecord, weights: Weights, call: Call): readonly Flow[] {
  if (r.depth >= DEEPEST)
    fail('E202', { file: r.session.file, why: `models are in each other more than ${DEEPEST} deep` }, r.at.loc);
  const graph = graphRecord(record, badConfig(r.session.file));
  const given = callView(r.builder(), undefined, call).flows;
  if (given.length !== graph.inputs.length) r.builder().reject(`takes ${graph.inputs.length} tensors, not ${given.length}`);
  const { prefix } = r;
  r.depth++;
  r.prefix = `${prefix}${record.name}/`;
  try {
    return runGraph(r, graph, weights, given);
  } finally {
    r.depth--;
    r.prefix = prefix;
  }
}

/** One call of one layer of a graph. */
const keyOf = (layer: string, call: number): string => `${layer}\0${call}`;
/** The outputs of a graph, given its inputs. Calls are made in the order in which they need each other. */
export function runGraph(r: Runner, g: GraphRecord, weights: Weights, inputs: readonly Flow[]): readonly Flow[] {
  const { file } = r.session;
  const layers = new Map(g.layers.map(l => [l.name, l]));
  const paths = pathsOf(g.layers);
  const results = new Map<string, readonly Flow[] | undefined>();
  g.inputs.forEach((i, at) => results.set(keyOf(i.layer, i.call), [must(inputs[at])]));
  for (const o of g.outputs)
    for (const { layer, call } of order(g, layers, o.ref.layer, o.ref.call, results, file)) {
      const l = must(layers.get(layer));
      const made = collecting(r.session, () => {
        const record = must(l.calls[call]);
        const args: Call = {
          args: record.args.map(a => argOf(a, results)),
          kwargs: new Map([...record.kwargs].map(([k, a]) => [k, argOf(a, results)])),
        };
        return runLayer(r, l, weights.child(must(paths.get(l.name)), l.name), args);
      });
      results.set(keyOf(layer, call), made);
    }
  return g.outputs.map(o => resultOf(o.ref, results));
}
function resultOf(ref: { readonly layer: string; readonly call: number; readonly output: number }, results: Results): Flow {
  const outs = results.get(keyOf(ref.layer, ref.call));
  if (!outs) throw new Poisoned();
  return outs[ref.output] ?? fail('E105', { what: `output ${ref.output} of layer '${ref.layer}'` });
}
type Results = ReadonlyMap<string, readonly Flow[] | undefined>;
function argOf(a: ArgRecord, results: Results): Arg {
  switch (a.k) {
    case 'tensor':
      return { k: 'flow', flow: resultOf(a.ref, results) };
    case 'list':
      return { k: 'list', items: a.items.map(i => argOf(i, results)) };
    case 'json':
      return a;
  }
}
/** References in the arguments of a call. Arguments are a few levels deep. */
const refsOf = (a: ArgRecord): readonly { readonly layer: string; readonly call: number }[] =>
  a.k === 'tensor' ? [a.ref] : a.k === 'list' ? a.items.flatMap(refsOf) : [];

interface Step {
  readonly layer: string;
  readonly call: number;
}
/** The calls that lead to one, it last, without those that have results. E104: a cycle. E105: what is not there. */
function order(
  g: GraphRecord,
  layers: ReadonlyMap<string, NodeRecord>,
  layer: string,
  call: number,
  done: Results,
  file: string,
): readonly Step[] {
  const out: Step[] = [];
  const seen = new Set<string>(done.keys());
  const open = new Set<string>();
  const loc = (what: string): Loc => ({ k: 'file', file, what });
  const stack: { readonly step: Step; readonly needs: readonly Step[]; i: number }[] = [];
  const push = (s: Step): void => {
    const key = keyOf(s.layer, s.call);
    if (seen.has(key)) return;
    if (open.has(key)) fail('E104', { node: `layer '${s.layer}'` }, loc(s.layer));
    const l = layers.get(s.layer) ?? fail('E105', { what: `layer '${s.layer}'` }, loc(g.name));
    const c = l.calls[s.call] ?? fail('E105', { what: `call ${s.call} of layer '${s.layer}'` }, loc(g.name));
    open.add(key);
    stack.push({ step: s, needs: [...c.args, ...c.kwargs.values()].flatMap(refsOf), i: 0 });
  };
  push({ layer, call });
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    const next = top.needs[top.i++];
    if (next) push(next);
    else {
      stack.pop();
      const key = keyOf(top.step.layer, top.step.call);
      open.delete(key);
      seen.add(key);
      out.push(top.step);
    }
  }
  return out;
}
/** Where .keras has the variables of each layer: its class with a number that counts those of one class. Operations have none. */
function pathsOf(layers: readonly NodeRecord[]): ReadonlyMap<string, string> {
  const counts = new Map<string, number>();
  return new Map(
    layers.map(l => {
      if (isOperation(l.cls)) return [l.name, 'nothing'];
      const snake = snakeCase(l.cls.split('>').at(-1) ?? l.cls);
      const n = counts.get(snake) ?? 0;
      counts.set(snake, n + 1);
      return [l.name, `layers/${snake}${n === 0 ? '' : `_${n}`}`];
    }),
  );
}

/** A call as builders read it. `dtype`: what floats among its tensors become. */
function callView(c: KerasBuilder, dtype: Value['type']['dtype'] | undefined, call: Call): CallView {
  const like = (f: Flow): Flow =>
    dtype !== undefined && isFloat(f.value.type.dtype) && isFloat(dtype) && f.value.type.dtype !== dtype
      ? { ...f, value: cast(c, f.value, dtype) }
      : f;
  const flat = (a: Arg): readonly Flow[] => (a.k === 'flow' ? [like(a.flow)] : a.k === 'list' ? a.items.flatMap(flat) : []);
  const flows = call.args.flatMap(flat);
  const given = [
    ...call.args.flatMap(flat),
    ...[call.kwargs.get('inputs'), call.kwargs.get('x')].flatMap(a => (a ? flat(a) : [])),
  ];
  const at = (name: string, place?: number): Arg | undefined =>
    call.kwargs.get(name) ?? (place === undefined ? undefined : call.args[place]);
  return {
    ...call,
    flows: flows.length > 0 ? flows : given,
    flow: (i = 0) => given[i],
    x: (i = 0) => given[i]?.value ?? c.reject(`tensor ${i} is missing`),
    named: (name, place) => {
      const a = at(name, place);
      return a === undefined ? undefined : flat(a)[0];
    },
    json: (name, place) => {
      const a = at(name, place);
      return a === undefined ? undefined : jsonOf(a);
    },
  };
}
/** An argument without tensors as it is in the file. */
function jsonOf(a: Arg): Json | undefined {
  if (a.k === 'json') return a.json;
  if (a.k === 'flow') return undefined;
  const items = a.items.map(jsonOf);
  return items.every(j => j !== undefined) ? items : undefined;
}
