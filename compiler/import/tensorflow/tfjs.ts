import { fromBase64 } from '../../core/bytes.ts';
import { fail } from '../../core/diagnostic.ts';
import { DTYPES, type DType } from '../../core/dtype.ts';
import type { ModelFile } from '../importer.ts';
import { asList, asNumber, asText, field, isArray, isObject, parseJson, type Json } from '../shared/json.ts';
import type { Port, Signature, TfModel } from './model.ts';
import type { AttrValue, Entry, FunctionDef, NodeDef, ShapeProto, TensorProto } from './records.ts';
import { NOTHING, STRING, typeOfWord } from './tensor.ts';
import { openWeights, type Weights } from './tfjs-weights.ts';

/**
 * model.json of a graph model: a GraphDef in protobuf's JSON (https://protobuf.dev/programming-guides/json/), whose constants are in
 * files beside it.
 */
export function openTfjs(file: ModelFile): TfModel {
  const root = parseJson(file.bytes, file.name);
  const topology = field(root, 'modelTopology');
  const nodes = asList(field(topology, 'node'));
  if (nodes.length === 0) fail('E202', { file: file.name, why: 'its modelTopology has no nodes' });
  const weights = openWeights(file, field(root, 'weightsManifest'));
  const functions = asList(field(field(topology, 'library'), 'function')).map(j => functionOf(j, weights));
  const signature = field(root, 'signature') ?? field(field(root, 'userDefinedMetadata'), 'signature');
  const written = (key: string): string => asText(field(root, key));
  return {
    file: file.name,
    title: 'TensorFlow.js graph model',
    nodes: nodes.map(j => nodeOf(j, weights)),
    functions,
    signatures: signatureOf(signature),
    partial: true,
    variable: () => undefined,
    table: () => undefined,
    facts: {
      ...(written('generatedBy') !== '' && { 'written by': `TensorFlow ${written('generatedBy')}` }),
      ...(written('convertedBy') !== '' && { 'converted by': written('convertedBy') }),
    },
  };
}
const entries = (j: Json | undefined): readonly (readonly [string, Json])[] => (isObject(j) ? Object.entries(j) : []);

/** What the file says of inputs and outputs; a signature without inputs, as older converters wrote it, says where it ends only. */
function signatureOf(j: Json | undefined): readonly Signature[] {
  const ports = (of: Json | undefined): readonly Port[] =>
    entries(of).map(([name, p]) => ({
      name: name.replace(/:0$/, ''),
      ref: asText(field(p, 'name')) || name,
      type: typeOfWord(asText(field(p, 'dtype'))),
      shape: shapeOf(field(p, 'tensorShape')),
    }));
  const outputs = ports(field(j, 'outputs'));
  if (outputs.length === 0) return [];
  const numbered = outputs.every(p => /^Identity(?:_\d+)?$/.test(p.name));
  const place = (p: Port): number => Number(/_(\d+)$/.exec(p.name)?.[1] ?? 0);
  const inputs = ports(field(j, 'inputs')).filter(p => p.type !== 0);
  return [{ name: 'serving_default', inputs, outputs: numbered ? [...outputs].sort((a, b) => place(a) - place(b)) : outputs }];
}
function nodeOf(j: Json, weights: Weights): NodeDef {
  const name = asText(field(j, 'name'));
  const op = asText(field(j, 'op'));
  const attr = entries(field(j, 'attr')).map(([key, v]): Entry<AttrValue> => {
    const weight = op === 'Const' && key === 'value' ? weights(name) : undefined;
    return { key, value: weight ? { tensor: weight } : attrOf(v) };
  });
  return { name, op, input: asList(field(j, 'input')).map(asText), attr };
}
function functionOf(j: Json, weights: Weights): FunctionDef {
  const signature = field(j, 'signature');
  const args = (key: string) =>
    asList(field(signature, key)).map(a => ({ name: asText(field(a, 'name')), type: typeOf(field(a, 'type')) ?? 0 }));
  return {
    signature: { name: asText(field(signature, 'name')), inputArg: args('inputArg'), outputArg: args('outputArg') },
    nodes: asList(field(j, 'nodeDef')).map(n => nodeOf(n, weights)),
    ret: entries(field(j, 'ret')).map(([key, v]) => ({ key, value: asText(v) })),
    controlRet: entries(field(j, 'controlRet')).map(([key, v]) => ({ key, value: asText(v) })),
  };
}
/** Enums are names or numbers. */
const typeOf = (j: Json | undefined): number | undefined =>
  j === undefined ? undefined : typeof j === 'string' && /^[A-Z]/.test(j) ? typeOfWord(j) : asNumber(j);
/** Texts are base64, or lists of character codes. */
function bytesText(j: Json | undefined): string | undefined {
  if (typeof j === 'string') return latin1(base64(j));
  return isArray(j) ? String.fromCharCode(...asList(j).map(v => asNumber(v) ?? 0)) : undefined;
}
const latin1 = (b: Uint8Array): string => new TextDecoder().decode(b);
/** Both alphabets; what is no base64 is nothing. */
const base64 = (s: string): Uint8Array => fromBase64(s.replaceAll('-', '+').replaceAll('_', '/')) ?? new Uint8Array(0);
function shapeOf(j: Json | undefined): ShapeProto | undefined {
  if (!isObject(j)) return undefined;
  return {
    dim: asList(field(j, 'dim')).map(d => ({ size: asNumber(field(d, 'size')) ?? 0 })),
    unknownRank: field(j, 'unknownRank') === true,
  };
}
const truth = (j: Json | undefined): number | undefined => (typeof j === 'boolean' ? Number(j) : undefined);
function attrOf(j: Json): AttrValue {
  const l = field(j, 'list');
  const numbers = (key: string): number[] => asList(field(l, key)).map(v => asNumber(v) ?? 0);
  const tensor = field(j, 'tensor');
  const func = field(j, 'func');
  return {
    s: bytesText(field(j, 's')),
    i: asNumber(field(j, 'i')),
    f: asNumber(field(j, 'f')),
    b: truth(field(j, 'b')),
    type: typeOf(field(j, 'type')),
    shape: shapeOf(field(j, 'shape')),
    tensor: tensor === undefined ? undefined : tensorOf(tensor),
    func: func === undefined ? undefined : { name: asText(field(func, 'name')) },
    list: isObject(l)
      ? {
          s: asList(field(l, 's')).map(v => bytesText(v) ?? ''),
          i: numbers('i'),
          f: numbers('f'),
          b: asList(field(l, 'b')).map(v => truth(v) ?? 0),
          type: asList(field(l, 'type')).map(v => typeOf(v) ?? 0),
          shape: asList(field(l, 'shape')).flatMap(v => shapeOf(v) ?? []),
          func: asList(field(l, 'func')).map(v => ({ name: asText(field(v, 'name')) })),
        }
      : undefined,
  };
}
/** A tensor written out in the JSON itself. */
function tensorOf(j: Json): TensorProto {
  const dtype = typeOf(field(j, 'dtype')) ?? 0;
  const pack = (key: string, of: DType): Uint8Array | undefined => {
    const values = asList(field(j, key));
    if (values.length === 0) return undefined;
    const a = new DTYPES[of].array(values.length);
    values.forEach((v, i) => (a[i] = of === 'i64' ? BigInt(asText(v) || String(asNumber(v) ?? 0)) : (asNumber(v) ?? 0)));
    return new Uint8Array(a.buffer);
  };
  const content = field(j, 'tensorContent');
  const shape = shapeOf(field(j, 'tensorShape'));
  const lists: readonly (readonly [string, DType])[] = [
    ['floatVal', 'f32'],
    ['doubleVal', 'f64'],
    ['intVal', 'i32'],
    ['int64Val', 'i64'],
    ['boolVal', 'bool'],
  ];
  const given = lists.map(([key, of]) => pack(key, of)).find(b => b !== undefined);
  const bytes = typeof content === 'string' ? base64(content) : given;
  return {
    ...NOTHING,
    dtype,
    shape,
    content: bytes,
    strings: dtype === STRING ? asList(field(j, 'stringVal')).map(v => bytesText(v) ?? '') : [],
  };
}
