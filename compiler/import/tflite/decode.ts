import { fail } from '../../core/diagnostic.ts';
import { bool, bytes, number, numbers, rootTable, table, tables, text, type NumberKind, type Table } from './flatbuffer.ts';
import { BUILTINS, OPTIONS, OPTIONS_2, TENSOR_TYPES } from './schema.ts';
import type {
  ExternalBuffer,
  NamedTensor,
  Operator,
  OptionValue,
  Options,
  Quantization,
  Signature,
  SparseDim,
  Sparsity,
  Subgraph,
  TensorRecord,
  TfliteModel,
} from './records.ts';

/** Numbers of fields are those of schema.fbs; see schema.ts. */

/** Whether bytes are a TensorFlow Lite model: the mark of the format follows the first offset. */
export const isTflite = (b: Uint8Array): boolean => b[4] === 0x54 && b[5] === 0x46 && b[6] === 0x4c && b[7] === 0x33;

/** Reads a file's records. E202: it is none of this format. E203: it is damaged. */
export function decodeModel(all: Uint8Array, file: string): TfliteModel {
  if (!isTflite(all)) fail('E202', { file, why: 'it does not begin as a TensorFlow Lite model does' });
  const t = rootTable(all, file);
  const version = number(t, 0, 'u32');
  if (version !== 3) fail('E202', { file, why: `it is of version ${version} of the format; version 3 is read` });
  const codes = tables(t, 1, operatorCode);
  const buffers = tables(t, 4, b => bufferOf(b, all, file));
  const groups = tables(t, 8, g => text(g, 0) ?? '');
  return {
    version,
    description: text(t, 3) ?? '',
    subgraphs: tables(t, 2, (g, i) => checked(subgraph(g, codes, file), i, file)),
    buffers,
    external: tables(t, 9, b => externalBuffer(b, groups)),
    signatures: tables(t, 7, signature),
    bytes: all,
    metadata: new Map(tables(t, 6, m => [text(m, 0) ?? '', buffers[number(m, 1, 'u32')] ?? new Uint8Array()] as const)),
  };
}

interface OperatorCode {
  readonly op: string;
  readonly custom: boolean;
  readonly version: number;
}
const CUSTOM = BUILTINS.indexOf('CUSTOM');
function operatorCode(t: Table): OperatorCode {
  // The older field holds up to 127 only.
  const code = Math.max(number(t, 0, 'i8'), number(t, 3, 'i32'));
  const custom = code === CUSTOM;
  const name = custom ? (text(t, 1) ?? '') : (BUILTINS[code] ?? `operator ${code}`);
  return { op: name, custom, version: number(t, 2, 'i32', 1) };
}
/** Contents lie in the buffer, or, in files beyond 2 GB, behind all tables. */
function bufferOf(t: Table, all: Uint8Array, file: string): Uint8Array | undefined {
  const [offset, size] = [number(t, 1, 'u64'), number(t, 2, 'u64')];
  if (offset <= 1) return bytes(t, 0);
  return part(all, offset, size, file, 'contents of a tensor');
}
/** E203: outside of the file. */
function part(all: Uint8Array, offset: number, size: number, file: string, what: string): Uint8Array {
  if (offset + size <= all.length) return all.subarray(offset, offset + size);
  const why = `${what} (${size} bytes from ${offset}) lie outside of its ${all.length} bytes`;
  return fail('E203', { file, why }, { k: 'file', file, what: '' });
}
const externalBuffer = (t: Table, groups: readonly string[]): ExternalBuffer => ({
  group: groups[number(t, 1, 'u32')] ?? '',
  offset: number(t, 2, 'u64'),
  length: number(t, 3, 'u64'),
  packing: text(t, 4) ?? '',
});

function subgraph(t: Table, codes: readonly OperatorCode[], file: string): Subgraph {
  return {
    tensors: tables(t, 0, tensor),
    inputs: numbers(t, 1, 'i32') ?? [],
    outputs: numbers(t, 2, 'i32') ?? [],
    operators: tables(t, 3, o => operator(o, codes, file)),
    name: text(t, 4) ?? '',
  };
}
/** E203: a number that is that of no tensor. */
function checked(g: Subgraph, i: number, file: string): Subgraph {
  const check = (list: readonly number[], what: string, least: number): void => {
    for (const n of list)
      if (n < least || n >= g.tensors.length)
        fail('E203', { file, why: `${what} is tensor ${n} of ${g.tensors.length}` }, { k: 'file', file, what: `subgraph ${i}` });
  };
  check(g.inputs, 'an input of the graph', 0);
  check(g.outputs, 'an output of the graph', 0);
  for (const o of g.operators) {
    check(o.inputs, `an input of a ${o.op}`, -1);
    check(o.outputs, `an output of a ${o.op}`, -1);
  }
  return g;
}
function tensor(t: Table): TensorRecord {
  const type = number(t, 1, 'i8');
  const quantized = table(t, 4);
  const sparse = table(t, 6);
  return {
    name: text(t, 3) ?? '',
    type: TENSOR_TYPES[type] ?? `type ${type}`,
    shape: numbers(t, 0, 'i32') ?? [],
    signature: numbers(t, 7, 'i32'),
    buffer: number(t, 2, 'u32'),
    externalBuffer: number(t, 10, 'u32'),
    quantization: quantized && quantization(quantized),
    variable: bool(t, 5),
    sparsity: sparse && sparsity(sparse),
  };
}
function quantization(t: Table): Quantization | undefined {
  const details = number(t, 4, 'u8') > 1;
  const scale = numbers(t, 2, 'f32') ?? [];
  if (scale.length === 0 && !details) return undefined;
  return { scale, zero: numbers(t, 3, 'i64') ?? [], axis: number(t, 6, 'i32'), details };
}
const sparsity = (t: Table): Sparsity => ({
  order: numbers(t, 0, 'i32') ?? [],
  blockMap: numbers(t, 1, 'i32') ?? [],
  dims: tables(t, 2, sparseDim),
});
/** How the indices of a sparse axis are stored, by the number of the union. */
const INDEX_KINDS: readonly (NumberKind | undefined)[] = [undefined, 'i32', 'u16', 'u8'];
function sparseDim(t: Table): SparseDim {
  if (number(t, 0, 'i8') === 0) return { k: 'dense', size: number(t, 1, 'i32') };
  const list = (id: number): readonly number[] => {
    const kind = INDEX_KINDS[number(t, id, 'u8')];
    const held = table(t, id + 1);
    return (kind && held && numbers(held, 0, kind)) ?? [];
  };
  return { k: 'csr', segments: list(2), indices: list(4) };
}

function operator(t: Table, codes: readonly OperatorCode[], file: string): Operator {
  const index = number(t, 0, 'u32');
  const code = codes[index] ?? fail('E203', { file, why: `an operator has code ${index} of ${codes.length}` });
  const [size, offset] = [number(t, 10, 'u64'), number(t, 9, 'u64')];
  return {
    ...code,
    inputs: numbers(t, 1, 'i32') ?? [],
    outputs: numbers(t, 2, 'i32') ?? [],
    options: optionsOf(t, 3, OPTIONS) ?? optionsOf(t, 11, OPTIONS_2) ?? { table: '', fields: new Map() },
    customOptions: offset > 1 ? part(t.f.bytes, offset, size, file, `options of ${code.op}`) : (bytes(t, 5) ?? new Uint8Array()),
  };
}
/** The table of options that the number in field `id` names, from the field after it. */
function optionsOf(t: Table, id: number, union: readonly string[]): Options | undefined {
  const row = union[number(t, id, 'u8') - 1];
  const held = table(t, id + 1);
  if (row === undefined || !held) return undefined;
  const [name = '', ...fields] = row.split(' ');
  return { table: name, fields: new Map(fields.map((f, i) => [f.slice(0, f.indexOf(':')), option(held, i, f)])) };
}
const KINDS: readonly NumberKind[] = ['bool', 'i8', 'u8', 'u32', 'i32', 'i64', 'f32'];
function option(t: Table, id: number, field: string): OptionValue {
  const [, type = '', otherwise = '0'] = /:([^=]+)=?(.*)/.exec(field) ?? [];
  if (type === 'text') return text(t, id) ?? '';
  const kind = KINDS.find(k => type === k || type === `${k}[]`) ?? 'i32';
  return type.endsWith('[]') ? (numbers(t, id, kind) ?? []) : number(t, id, kind, Number(otherwise));
}

const signature = (t: Table): Signature => ({
  inputs: tables(t, 0, named),
  outputs: tables(t, 1, named),
  key: text(t, 2) ?? '',
  subgraph: number(t, 4, 'u32'),
});
const named = (t: Table): NamedTensor => ({ name: text(t, 0) ?? '', tensor: number(t, 1, 'u32') });
