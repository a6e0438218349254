import { fail } from '../../core/diagnostic.ts';
import { field, isArray, isObject, type Json } from '../shared/json.ts';

/** What the files of Keras 1 to 3 say, in one form. */

export type JsonObject = Readonly<Record<string, Json>>;
/** One result of one call of a layer. */
interface TensorRef {
  readonly layer: string;
  readonly call: number;
  readonly output: number;
}
/** What a call is given: tensors, constants of the file, lists of such. */
export type ArgRecord =
  | { readonly k: 'tensor'; readonly ref: TensorRef }
  | { readonly k: 'list'; readonly items: readonly ArgRecord[] }
  | { readonly k: 'json'; readonly json: Json };
interface CallRecord {
  readonly args: readonly ArgRecord[];
  readonly kwargs: ReadonlyMap<string, ArgRecord>;
}
/** A layer as a configuration has it, wherever it stands. */
export interface LayerRecord {
  /** As tables have it: `Dense`; operations of keras.ops begin with `ops.`, what is registered by others with its package and `>`. */
  readonly cls: string;
  readonly name: string;
  readonly config: JsonObject;
  /** Shapes that the layer was built with, where the file says so. */
  readonly build: Json;
}
/** A layer of a graph with its calls, in the order of the file. */
export interface NodeRecord extends LayerRecord {
  readonly calls: readonly CallRecord[];
}
/** A graph of layers: what Sequential and Functional are. */
export interface GraphRecord {
  readonly name: string;
  readonly layers: readonly NodeRecord[];
  readonly inputs: readonly TensorRef[];
  readonly outputs: readonly { readonly name: string; readonly ref: TensorRef }[];
}

/** Something of the file's configuration is not as it should be: E203. */
type Bad = (why: string, what?: string) => never;
export const badConfig =
  (file: string): Bad =>
  (why, what = '') =>
    fail('E203', { file, why: `its configuration: ${why}` }, { k: 'file', file, what });

const EMPTY: JsonObject = {};
export const textOf = (j: Json | undefined): string | undefined => (typeof j === 'string' ? j : undefined);
const listOf = (j: Json | undefined): readonly Json[] => (Array.isArray(j) ? (j as readonly Json[]) : []);
/** The class of a record: `ops.X` for operations, which share names with layers. */
function classOf(j: Json): string | undefined {
  const cls = textOf(field(j, 'class_name'));
  if (cls === undefined) return undefined;
  const module = textOf(field(j, 'module')) ?? '';
  if (/^keras\.(?:src\.)?ops\b/.test(module)) return `ops.${cls}`;
  // A class of somebody else may be called like one of Keras.
  return module === '' || /^(?:keras|tf_keras|tensorflow\.(?:python\.)?keras|builtins)\b/.test(module) ? cls : `${module}>${cls}`;
}
/** Reads a layer, with its name from its configuration. */
export function layerRecord(j: Json | undefined, bad: Bad): LayerRecord {
  const cls = j === undefined ? undefined : classOf(j ?? null);
  if (j === undefined || cls === undefined) return bad('a layer has no class');
  const own = field(j, 'config');
  const config = isObject(own) ? own : isArray(own) ? { layers: own } : EMPTY;
  const name = textOf(field(j, 'name')) ?? textOf(config['name']) ?? cls.toLowerCase();
  return { cls, name, config, build: field(j, 'build_config') ?? null };
}

/** Classes that are graphs of layers. */
export const isGraphClass = (cls: string, config: JsonObject): boolean =>
  cls === 'Sequential' ||
  ((cls === 'Functional' || cls === 'Model' || 'input_layers' in config) && Array.isArray(config['layers']));

/** The graph that a Sequential or Functional is. */
export function graphRecord(r: LayerRecord, bad: Bad): GraphRecord {
  return r.cls === 'Sequential' ? sequential(r, bad) : functional(r, bad);
}
const ref = (layer: string, call = 0, output = 0): TensorRef => ({ layer, call, output });

/** A chain of layers. The input is a layer of its own, or is told by the first layer or by what the model was built with. */
function sequential(r: LayerRecord, bad: Bad): GraphRecord {
  const list = listOf(r.config['layers']).map(j => layerRecord(j, bad));
  const [first] = list;
  if (!first) return bad('a model without layers', r.name);
  const head = first.cls === 'InputLayer' ? [] : [sequentialInput(r, first)];
  const names = unique([...head, ...list].map(l => l.name));
  const all = [...head, ...list].map((l, i) => ({ ...l, name: names[i] ?? l.name }));
  const layers = all.map((l, i): NodeRecord => {
    const before = all[i - 1];
    const args: ArgRecord[] = before ? [{ k: 'tensor', ref: ref(before.name) }] : [];
    return { ...l, calls: [{ args, kwargs: new Map() }] };
  });
  const last = all.at(-1)?.name ?? '';
  return { name: r.name, layers, inputs: [ref(all[0]?.name ?? '')], outputs: [{ name: last, ref: ref(last) }] };
}
/** What a model was built with has the batch of that time. */
const anyBatch = (shape: Json): Json => [null, ...(isArray(shape) ? Array.from(shape as readonly Json[]).slice(1) : [])];
function sequentialInput(r: LayerRecord, first: LayerRecord): LayerRecord {
  const inner = isGraphClass(first.cls, first.config) ? listOf(first.config['layers'])[0] : undefined;
  const own = [first.config, field(inner, 'config')];
  const shape =
    own.map(c => field(c, 'batch_input_shape') ?? field(c, 'batch_shape')).find(isArray) ??
    own.flatMap(c => {
      const short = field(c, 'input_shape');
      if (isArray(short)) return [[null, ...short]];
      const dim = field(c, 'input_dim');
      return typeof dim === 'number' ? [[null, dim]] : [];
    })[0] ??
    [field(r.build, 'input_shape'), r.config['build_input_shape'], field(first.build, 'input_shape')]
      .filter(isArray)
      .map(x => anyBatch(x))[0] ??
    null;
  const dtype = own.map(c => field(c, 'dtype')).find(d => typeof d === 'string') ?? null;
  const ints = first.cls === 'Embedding' && dtype === 'float32';
  return {
    cls: 'InputLayer',
    name: `${first.name}_input`,
    config: { batch_shape: shape, dtype: ints ? 'int32' : dtype },
    build: null,
  };
}
/** Names that come again get a number. */
function unique(names: readonly string[]): string[] {
  const seen = new Set<string>();
  return names.map(n => {
    let name = n;
    for (let i = 1; seen.has(name); i++) name = `${n}_${i}`;
    seen.add(name);
    return name;
  });
}

function functional(r: LayerRecord, bad: Bad): GraphRecord {
  const list = listOf(r.config['layers']);
  const names = new Set(list.flatMap(j => textOf(field(j, 'name')) ?? textOf(field(field(j, 'config'), 'name')) ?? []));
  const layers = list.map((j): NodeRecord => {
    const l = layerRecord(j, bad);
    const nodes = listOf(field(j, 'inbound_nodes'));
    // An input is made once; others are called as often as they have nodes.
    const calls = nodes.map(n => callRecord(n, names, bad));
    return { ...l, calls: l.cls === 'InputLayer' && calls.length === 0 ? [{ args: [], kwargs: new Map() }] : calls };
  });
  const inputs = refsIn(r.config['input_layers'], names).map(x => x.ref);
  const outs = refsIn(r.config['output_layers'], names);
  if (outs.length === 0) bad('a model without outputs', r.name);
  countFromOne(
    layers,
    outs.map(o => o.ref),
  );
  const outNames = unique(outs.map(o => o.key ?? o.ref.layer));
  return { name: r.name, layers, inputs, outputs: outs.map((o, i) => ({ name: outNames[i] ?? '', ref: o.ref })) };
}
/**
 * A model that is a layer was called once when it was made, and that call is counted and not written. All calls that are written are used,
 * so the greatest number tells: such a layer gets a call in front.
 */
function countFromOne(layers: NodeRecord[], outputs: readonly TensorRef[]): void {
  const most = new Map<string, number>();
  const see = (a: ArgRecord): void => {
    if (a.k === 'list') a.items.forEach(see);
    else if (a.k === 'tensor') most.set(a.ref.layer, Math.max(most.get(a.ref.layer) ?? 0, a.ref.call));
  };
  for (const ref of outputs) see({ k: 'tensor', ref });
  for (const l of layers) for (const call of l.calls) [...call.args, ...call.kwargs.values()].forEach(see);
  layers.forEach((l, i) => {
    if (isGraphClass(l.cls, l.config) && most.get(l.name) === l.calls.length) layers[i] = { ...l, calls: [NO_CALL, ...l.calls] };
  });
}
const NO_CALL: CallRecord = { args: [], kwargs: new Map() };
const isInt = (j: Json | undefined): j is number => typeof j === 'number' && Number.isInteger(j) && j >= 0;
/** `[layer, call, output]`, as all versions write it. */
function refOf(j: Json | undefined, names: ReadonlySet<string>): TensorRef | undefined {
  if (!Array.isArray(j)) return undefined;
  const [name, call, output] = j as readonly Json[];
  return typeof name === 'string' && names.has(name) && isInt(call) && isInt(output) ? ref(name, call, output) : undefined;
}
/** All references in nested lists and objects, with the keys of objects. */
function refsIn(
  j: Json | undefined,
  names: ReadonlySet<string>,
  depth = 0,
  key?: string,
): { key: string | undefined; ref: TensorRef }[] {
  const one = refOf(j, names);
  if (one) return [{ key, ref: one }];
  if (depth > DEEPEST) return [];
  if (Array.isArray(j)) return (j as readonly Json[]).flatMap(x => refsIn(x, names, depth + 1));
  return isObject(j) ? Object.entries(j).flatMap(([k, x]) => refsIn(x, names, depth + 1, k)) : [];
}
/** Arguments are nested a level or two. */
const DEEPEST = 16;

/** A call: an object of arguments (Keras 3), or a list of tensors of which the first may carry arguments by name. */
function callRecord(j: Json, names: ReadonlySet<string>, bad: Bad): CallRecord {
  if (isObject(j)) {
    const args = listOf(j['args']).map(a => argOf(a, bad));
    const kwargs = isObject(j['kwargs']) ? Object.entries(j['kwargs']).map(([k, a]) => [k, argOf(a, bad)] as const) : [];
    return { args, kwargs: new Map(kwargs) };
  }
  const list = listOf(j);
  // A single tensor may stand for itself.
  const entries = typeof list[0] === 'string' ? [list] : list;
  const kwargs = new Map<string, ArgRecord>();
  const items = entries.map((entry): ArgRecord => {
    if (!Array.isArray(entry)) return bad('a call is no list');
    const [name, , value, more] = entry as readonly Json[];
    if (isObject(more)) for (const [k, a] of Object.entries(more)) kwargs.set(k, oldArg(a, names));
    if (name === '_CONSTANT_VALUE') return { k: 'json', json: value ?? null };
    const to = refOf((entry as readonly Json[]).slice(0, 3), names);
    return to ? { k: 'tensor', ref: to } : bad(`a call uses ${JSON.stringify(name)}, which is no layer`);
  });
  const [only] = items;
  return { args: items.length === 1 && only ? [only] : [{ k: 'list', items }], kwargs };
}
/** Arguments by name in Keras 2: tensors are lists like everything else. */
function oldArg(j: Json, names: ReadonlySet<string>, depth = 0): ArgRecord {
  const to = refOf(j, names);
  if (to) return { k: 'tensor', ref: to };
  if (Array.isArray(j) && depth < DEEPEST && refsIn(j, names).length > 0)
    return { k: 'list', items: (j as readonly Json[]).map(x => oldArg(x, names, depth + 1)) };
  return { k: 'json', json: j };
}
/** An argument in Keras 3. */
function argOf(j: Json, bad: Bad, depth = 0): ArgRecord {
  if (depth > DEEPEST) return bad('arguments are nested too deep');
  if (field(j, 'class_name') === '__keras_tensor__') {
    const history = field(field(j, 'config'), 'keras_history');
    const [layer, call, output] = listOf(history);
    return typeof layer === 'string' && isInt(call) && isInt(output)
      ? { k: 'tensor', ref: ref(layer, call, output) }
      : bad('a tensor without a history');
  }
  if (Array.isArray(j)) return { k: 'list', items: (j as readonly Json[]).map(x => argOf(x, bad, depth + 1)) };
  if (field(j, 'class_name') === '__tuple__')
    return { k: 'list', items: listOf(field(j, 'items')).map(x => argOf(x, bad, depth + 1)) };
  return { k: 'json', json: j };
}
