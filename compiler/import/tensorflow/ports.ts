import { fail, type Loc } from '../../core/diagnostic.ts';
import { didYouMean } from '../../core/suggest.ts';
import type { ImportOptions } from '../importer.ts';
import { closure, readersOf } from './frames.ts';
import type { Port, Signature, TfModel } from './model.ts';
import type { NodeDef, ShapeProto } from './records.ts';
import { isControl, outputCount, splitRef } from './refs.ts';

/** What is imported of a model: its inputs and outputs. */
export interface Border {
  /** Whether the inputs are only those placeholders that something needs. */
  readonly guessed: boolean;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}
const FLOAT = 1;
/** Operators that are there for what they do besides giving values, or that give what is no result. */
const NO_RESULT =
  /^(?:Assert|Const|NoOp|Placeholder.*|Print.*|.*Summary.*|Save.*|Restore.*|Assign.*|VarHandleOp|Variable.*|VarIsInitializedOp|IsVariableInitialized|HashTable.*|InitializeTable.*|LookupTableImport.*|MutableHashTable.*|ReadVariableOp)$/;
/** Operators that read values only to look at them. */
const ONLOOKER = /^(?:Assert|Print.*|.*Summary.*|NoOp|Save.*)$/;

/** The signature that is meant: by name, `serving_default`, or the only one. E403: none of the name, or several. */
function signatureOf(m: TfModel, asked: string | undefined): Signature | undefined {
  const loc: Loc = { k: 'file', file: m.file, what: '' };
  const names = m.signatures.map(s => s.name);
  if (asked !== undefined) {
    const why =
      names.length === 0 ? 'the model has no signatures' : `'${asked}' is none of ${names.join(', ')}${didYouMean(asked, names)}`;
    return m.signatures.find(s => s.name === asked) ?? fail('E403', { option: 'signature', why }, loc);
  }
  const found = m.signatures.find(s => s.name === 'serving_default') ?? (m.signatures.length === 1 ? m.signatures[0] : undefined);
  if (found || m.signatures.length === 0) return found;
  const why = `the model has several; choose with --signature one of ${names.join(', ')}`;
  return fail('E403', { option: 'signature', why }, loc);
}

/** Where a model begins and ends: what the options say, its signature, or its placeholders and what nothing reads. E403: no such name. */
export function borderOf(m: TfModel, o: ImportOptions): Border {
  const chosen = signatureOf(m, o.signature);
  const nodes = new Map(m.nodes.map(n => [n.name, n]));
  const port = (option: string, name: string): Port => {
    const [node] = splitRef(name);
    const n = nodes.get(node);
    if (!n) {
      const why = `there is no node '${node}'${didYouMean(node, [...nodes.keys()])}`;
      return fail('E403', { option, why }, { k: 'file', file: m.file, what: '' });
    }
    return portOf(n, name);
  };
  const cut = (o.inputsAt ?? []).map(name => port('inputs-at', name));
  const named = o.inputNames?.map(name => chosen?.inputs.find(p => p.name === name) ?? port('input-names', name));
  const given = named ?? (chosen && (chosen.inputs.length > 0 || !m.partial) ? chosen.inputs : undefined);
  const own = given ?? m.nodes.filter(n => n.op === 'Placeholder').map(n => portOf(n, n.name));
  return {
    guessed: given === undefined,
    inputs: [...own.filter(p => !cut.some(x => x.ref === p.ref)), ...cut],
    outputs: outputsOf(m, o, chosen, port),
  };
}
function outputsOf(
  m: TfModel,
  o: ImportOptions,
  chosen: Signature | undefined,
  port: (option: string, name: string) => Port,
): readonly Port[] {
  if (o.outputsAt && o.outputsAt.length > 0) return o.outputsAt.map(name => port('outputs-at', name));
  const all = chosen?.outputs ?? unread(m.nodes);
  if (!o.outputs || o.outputs.length === 0) return all;
  return o.outputs.map(name => all.find(p => p.name === name) ?? port('outputs', name));
}
/** The type and sizes that a node says it has. */
function portOf(n: NodeDef, name: string): Port {
  const attr = (...keys: readonly string[]) => keys.map(k => n.attr.find(a => a.key === k)?.value).find(v => v !== undefined);
  const type = attr('dtype', 'DstT', 'output_type', 'Tout', 'T', 'type')?.type;
  const shape = attr('shape')?.shape ?? attr('_output_shapes')?.list?.shape[splitRef(name)[2]] ?? wavShape(n);
  return { name: name.replace(/:0$/, ''), ref: name, type: type ?? FLOAT, shape };
}
/** Audio that is cut or filled up to a number of samples. */
function wavShape(n: NodeDef): ShapeProto | undefined {
  const of = (key: string): number => n.attr.find(a => a.key === key)?.value?.i ?? -1;
  if (n.op !== 'DecodeWav') return undefined;
  return { unknownRank: false, dim: [{ size: of('desired_samples') }, { size: of('desired_channels') }] };
}
/** What nothing reads. The outputs of TF.js's converter are in the order of their names Identity, Identity_1, … */
function unread(nodes: readonly NodeDef[]): readonly Port[] {
  const read = new Set<string>();
  for (const n of nodes) if (!ONLOOKER.test(n.op)) for (const i of n.input) if (!isControl(i)) read.add(splitRef(i)[0]);
  const all = nodes.filter(n => !read.has(n.name) && !NO_RESULT.test(n.op) && !isResource(n));
  // Functions that TensorFlow 2 froze give these, whatever else nothing reads, such as the counters of their loops.
  const results = all.filter(n => /^Identity(?:_\d+)?$/.test(n.name));
  const ends = results.length > 0 ? results : computed(nodes, all);
  const numbered = results.length > 0;
  const place = (n: NodeDef): number => Number(/_(\d+)$/.exec(n.name)?.[1] ?? 0);
  return (numbered ? [...ends].sort((a, b) => place(a) - place(b)) : ends).flatMap(n =>
    Array.from({ length: outputCount(n.op) ?? listed(n) }, (_, i) => portOf(n, i === 0 ? n.name : `${n.name}:${i}`)),
  );
}
/** Lists of tensors, handles of variables and the like. */
const RESOURCES = [20, 21];
const isResource = (n: NodeDef): boolean => n.attr.some(a => a.key === 'T' && RESOURCES.includes(a.value?.type ?? 0));
/** Those of some nodes that depend on an input, if there are any. */
function computed(nodes: readonly NodeDef[], ends: readonly NodeDef[]): readonly NodeDef[] {
  const { of } = readersOf(nodes);
  const placeholders = nodes.filter(n => n.op === 'Placeholder');
  const fed = closure(placeholders, n => of.get(n.name) ?? []);
  const some = ends.filter(n => fed.has(n));
  return some.length > 0 ? some : ends;
}
/** How many outputs a node has whose attributes count them. */
function listed(n: NodeDef): number {
  const of = (key: string): number | undefined => n.attr.find(a => a.key === key)?.value?.i;
  if (n.op === 'Split' || n.op === 'SplitV') return of('num_split') ?? 1;
  if (n.op === 'Unpack') return of('num') ?? 1;
  if (n.op === 'DynamicPartition') return of('num_partitions') ?? 1;
  return n.attr.find(a => a.key === 'Tout' || (n.op === 'IdentityN' && a.key === 'T'))?.value?.list?.type.length ?? 1;
}
