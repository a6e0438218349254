import { fail, type Loc } from '../../core/diagnostic.ts';
import { DTYPES, type DType } from '../../core/dtype.ts';
import { MOST_AXES } from '../../core/shape.ts';
import { numel, type Tensor } from '../../core/tensor.ts';
import { textTensor } from '../../core/texts.ts';
import { unsafePath, type ExternalResolver } from '../shared/external.ts';
import { varints } from '../shared/protobuf.ts';
import type { TensorProto } from './records.ts';

/** The schema's DataType by number: its name, and ours where there is one. */
const DATA_TYPES: readonly (readonly [name: string, dtype?: DType])[] = [
  ['undefined'],
  ['float32', 'f32'],
  ['uint8', 'u8'],
  ['int8', 'i8'],
  ['uint16', 'u16'],
  ['int16', 'i16'],
  ['int32', 'i32'],
  ['int64', 'i64'],
  ['string', 'text'],
  ['bool', 'bool'],
  ['float16', 'f16'],
  ['float64', 'f64'],
  ['uint32', 'u32'],
  ['uint64', 'u64'],
  ['complex64'],
  ['complex128'],
  ['bfloat16', 'bf16'],
  ['float8e4m3fn', 'f8e4m3fn'],
  ['float8e4m3fnuz', 'f8e4m3fnuz'],
  ['float8e5m2', 'f8e5m2'],
  ['float8e5m2fnuz', 'f8e5m2fnuz'],
  ['uint4', 'u4'],
  ['int4', 'i4'],
  ['float4e2m1', 'f4e2m1'],
  ['float8e8m0', 'f8e8m0'],
  ['uint2', 'u2'],
  ['int2', 'i2'],
];
/** The element type of ONNX's number for it; undefined where Sinter has none (complex …). */
export const dtypeOf = (dataType: number): DType | undefined => DATA_TYPES[dataType]?.[1];
/** ONNX's name of an element type, for messages. */
export const dataTypeName = (dataType: number): string => DATA_TYPES[dataType]?.[0] ?? `number ${dataType}`;
/** ONNX's number of an element type. */
export const dataTypeNumber = (t: DType): number => DATA_TYPES.findIndex(d => d[1] === t);

/** The number that the schema's word for an element type stands for (FLOAT, INT64 …); undefined: there is no such word. */
export function dataTypeOfWord(word: string): number | undefined {
  const name = { float: 'float32', double: 'float64' }[word.toLowerCase()] ?? word.toLowerCase();
  const at = DATA_TYPES.findIndex(d => d[0] === name);
  return at > 0 ? at : undefined;
}

/** Where the bytes of a tensor are in another file. E204 where that is not said properly. */
interface ExternalRange {
  readonly location: string;
  readonly offset: number;
  readonly length: number | undefined;
}
export function externalRange(t: TensorProto, file = 'model'): ExternalRange {
  const loc: Loc = { k: 'file', file, what: t.name };
  const entry = (key: string): string | undefined => t.externalData.find(e => e.key === key)?.value;
  const count = (key: string): number | undefined => {
    const text = entry(key);
    if (text === undefined || text === '') return undefined;
    const n = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
    return Number.isSafeInteger(n)
      ? n
      : fail('E204', { why: `its ${key} is ${JSON.stringify(text.slice(0, 40))}, not a number of bytes` }, loc);
  };
  const location = entry('location') ?? '';
  const why = unsafePath(location);
  if (why !== undefined) fail('E204', { why: `${JSON.stringify(location.slice(0, 200))} ${why}` }, loc);
  return { location, offset: count('offset') ?? 0, length: count('length') };
}
/**
 * The tensor with its elements; they are a view of the file's bytes where the file holds them as they are used. Files hold several elements of less
 * than a byte in one, the first in its lowest bits.
 * E106: an element type Sinter has not. E203: the bytes do not fit the sizes. E204: data in another file that cannot be had.
 */
export function tensorOf(t: TensorProto, external?: ExternalResolver, file = 'model'): Tensor {
  const what = t.name === '' ? 'a tensor' : `tensor '${t.name}'`;
  const damaged = (why: string): never => fail('E203', { file, why: `${what}: ${why}` });
  const dtype = dtypeOf(t.dataType);
  if (dtype === undefined) return fail('E106', { type: dataTypeName(t.dataType), what }, { k: 'file', file, what: t.name });
  const bad = t.dims.find(d => d < 0);
  if (bad !== undefined) damaged(`a size of ${bad}`);
  if (t.dims.length > MOST_AXES) damaged(`${t.dims.length} axes`);
  const count = numel(t.dims);
  const { bits, bytes: each } = DTYPES[dtype];
  const packed = bits < 8;
  const need = packed ? Math.ceil((count * bits) / 8) : count * each;
  const shape = `${dtype}[${t.dims.join(',')}]`;
  if (!Number.isSafeInteger(need)) damaged(`${shape} is absurdly large`);
  if (t.segmented !== undefined) fail('E106', { type: 'segment', what }, { k: 'file', file, what: t.name });
  const made = (bytes: Uint8Array): Tensor => ({ dtype, dims: t.dims, bytes: packed ? spread(bytes, count, dtype) : bytes });
  const sized = (bytes: Uint8Array): Tensor =>
    bytes.length === need ? made(bytes) : damaged(`${bytes.length} bytes of data, ${shape} has ${need}`);

  if (dtype === 'text') {
    if (t.stringData.length !== count) damaged(`${t.stringData.length} texts for string[${t.dims.join(',')}]`);
    return textTensor(t.dims, t.stringData);
  }
  if (t.dataLocation === 1) {
    const r = externalRange(t, file);
    const loc: Loc = { k: 'file', file, what: t.name };
    if (r.length !== undefined && r.length !== need)
      fail('E204', { why: `${r.length} bytes in '${r.location}' are named, ${shape} has ${need}` }, loc);
    if (external === undefined)
      return fail('E204', { why: `the data is in '${r.location}', and only the model's own bytes were given` }, loc);
    const bytes = external(r.location, r.offset, need);
    return bytes.length === need
      ? made(bytes)
      : fail('E204', { why: `'${r.location}' gives ${bytes.length} bytes at ${r.offset}, ${shape} has ${need}` }, loc);
  }
  if (t.rawData !== undefined && (t.rawData.length > 0 || count === 0)) return sized(t.rawData);
  const field = fieldOf(t, dtype);
  if (field.bytes === undefined) return count === 0 ? sized(new Uint8Array(0)) : damaged(`no data for ${shape}`);
  if (!field.varint) return sized(field.bytes);
  // Every varint is at least a byte: refuse before anything is allocated.
  const numbers = packed ? need : count;
  if (field.bytes.length < numbers)
    damaged(`${field.bytes.length} bytes of data hold fewer than the ${numbers} numbers of ${shape}`);
  const out = varints(field.bytes, numbers, each);
  return out === undefined ? damaged(`its data does not hold ${numbers} numbers for ${shape}`) : sized(out);
}
/** Which field of numbers holds elements of a type. */
function fieldOf(t: TensorProto, dtype: DType): { readonly bytes: Uint8Array | undefined; readonly varint: boolean } {
  switch (dtype) {
    case 'f32':
      return { bytes: t.floatData, varint: false };
    case 'f64':
      return { bytes: t.doubleData, varint: false };
    case 'i64':
      return { bytes: t.int64Data, varint: true };
    case 'u32':
    case 'u64':
      return { bytes: t.uint64Data, varint: true };
    case 'f16':
    case 'bf16':
    case 'f8e4m3fn':
    case 'f8e4m3fnuz':
    case 'f8e5m2':
    case 'f8e5m2fnuz':
    case 'f8e8m0':
    case 'f4e2m1':
    case 'i2':
    case 'u2':
    case 'i4':
    case 'u4':
    case 'i8':
    case 'u8':
    case 'i16':
    case 'u16':
    case 'i32':
    case 'bool':
    case 'text':
      return { bytes: t.int32Data, varint: true };
  }
}
/** Elements of less than a byte in a byte each; signs are extended. */
function spread(bytes: Uint8Array, count: number, dtype: DType): Uint8Array {
  const { bits, kind } = DTYPES[dtype];
  const per = 8 / bits;
  const up = 32 - bits;
  const out = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const low = (bytes[Math.floor(i / per)] ?? 0) >> ((i % per) * bits);
    out[i] = kind === 'int' ? (low << up) >> up : low & (2 ** bits - 1);
  }
  return out;
}
