import { fail } from '../../core/diagnostic.ts';
import { DTYPES, type DType } from '../../core/dtype.ts';
import type { Room } from '../../core/room.ts';
import { MOST_AXES } from '../../core/shape.ts';
import { numel, type Tensor } from '../../core/tensor.ts';
import { varints } from '../shared/protobuf.ts';
import type { ShapeProto, TensorProto } from './records.ts';

/** The schema's DataType by number: its name, and ours where there is one. Quantized integers are integers. */
const DATA_TYPES: readonly (readonly [name: string, dtype?: DType])[] = [
  ['invalid'],
  ['float', 'f32'],
  ['double', 'f64'],
  ['int32', 'i32'],
  ['uint8', 'u8'],
  ['int16', 'i16'],
  ['int8', 'i8'],
  ['string'],
  ['complex64'],
  ['int64', 'i64'],
  ['bool', 'bool'],
  ['qint8', 'i8'],
  ['quint8', 'u8'],
  ['qint32', 'i32'],
  ['bfloat16', 'bf16'],
  ['qint16', 'i16'],
  ['quint16', 'u16'],
  ['uint16', 'u16'],
  ['complex128'],
  ['half', 'f16'],
  ['resource'],
  ['variant'],
  ['uint32', 'u32'],
  ['uint64', 'u64'],
];
export const [INT32, STRING, COMPLEX64, INT64, COMPLEX128] = [3, 7, 8, 9, 18] as const;
/** References to variables are numbered from here on. */
const REFERENCE = 100;
const plain = (type: number): number => (type > REFERENCE ? type - REFERENCE : type);
/** The element type of TensorFlow's number for it; undefined where Sinter has none (string, complex …). */
export const dtypeOf = (type: number): DType | undefined => DATA_TYPES[plain(type)]?.[1];
export const typeName = (type: number): string => DATA_TYPES[plain(type)]?.[0] ?? `number ${type}`;
/** TensorFlow's number of the type that a word such as `DT_FLOAT` stands for; 0: none. */
export const typeOfWord = (word: string): number => {
  const name = word.replace(/^DT_/, '').toLowerCase();
  return Math.max(
    0,
    DATA_TYPES.findIndex(d => d[0] === name),
  );
};
/** The element type of the parts of complex numbers. */
const partType = (type: number): DType | undefined =>
  plain(type) === COMPLEX64 ? 'f32' : plain(type) === COMPLEX128 ? 'f64' : undefined;

export const dimsOf = (s: ShapeProto | undefined): number[] => (s?.dim ?? []).map(d => d.size);

interface Place {
  readonly file: string;
  /** The node, for messages. */
  readonly name: string;
  readonly room: Room;
}
/**
 * The tensor with its elements, a view of the file's bytes where the file holds all of them. A list that is too short repeats its last element
 * (https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/framework/tensor.proto). Complex numbers are pairs along one
 * more axis.
 * E106: an element type that Sinter has not. E203: the bytes do not fit the sizes.
 */
export function tensorOf(t: TensorProto, p: Place): Tensor {
  const damaged = (why: string): never =>
    fail('E203', { file: p.file, why: `tensor of node '${p.name}': ${why}` }, { k: 'file', file: p.file, what: p.name });
  const part = partType(t.dtype);
  const dtype = part ?? dtypeOf(t.dtype);
  if (dtype === undefined)
    return fail('E106', { type: typeName(t.dtype), what: `node '${p.name}'` }, { k: 'file', file: p.file, what: p.name });
  const sizes = dimsOf(t.shape);
  const dims = part === undefined ? sizes : [...sizes, 2];
  if (dims.length > MOST_AXES) damaged(`${dims.length} axes`);
  const bad = dims.find(d => d < 0);
  if (bad !== undefined) damaged(`a size of ${bad}`);
  const count = numel(dims);
  const each = DTYPES[dtype].bytes;
  const shape = `${dtype}[${dims.join(',')}]`;
  const need = count * each;
  if (!Number.isSafeInteger(need)) damaged(`${shape} is absurdly large`);
  if (t.content !== undefined && t.content.length > 0) {
    if (t.content.length !== need) damaged(`${t.content.length} bytes of data, ${shape} has ${need}`);
    return { dtype, dims, bytes: t.content };
  }
  const given = elementsOf(t, dtype, part !== undefined) ?? damaged('its list of numbers is damaged');
  if (given.length === need) return { dtype, dims, bytes: given };
  if (given.length > need) damaged(`${given.length / each} numbers for ${shape}`);
  p.room.take(count, 'a constant', damaged);
  return { dtype, dims, bytes: repeated(given, need, part === undefined ? each : 2 * each) };
}
/** The elements that a list holds, as bytes; undefined where it is malformed. */
function elementsOf(t: TensorProto, dtype: DType, complex: boolean): Uint8Array | undefined {
  const none = new Uint8Array(0);
  const numbers = (list: Uint8Array | undefined): Uint8Array | undefined =>
    list === undefined ? none : varints(list, countVarints(list), DTYPES[dtype].bytes);
  const fixed = (list: Uint8Array | undefined): Uint8Array | undefined =>
    list === undefined ? none : list.length % DTYPES[dtype].bytes === 0 ? list : undefined;
  if (complex) return dtype === 'f32' ? fixed(t.complexes) : none;
  switch (dtype) {
    case 'f32':
      return fixed(t.floats);
    case 'f64':
      return fixed(t.doubles);
    case 'f16':
    case 'bf16':
      return numbers(t.halves);
    case 'i64':
      return numbers(t.int64s);
    case 'u32':
      return numbers(t.uint32s);
    case 'u64':
      return numbers(t.uint64s);
    case 'bool':
      return numbers(t.bools);
    case 'i8':
    case 'u8':
    case 'i16':
    case 'u16':
    case 'i32':
      return numbers(t.ints);
    // TensorFlow has no such constants.
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
    case 'text':
      return none;
  }
}
const countVarints = (list: Uint8Array): number => list.reduce((n, b) => n + (b < 128 ? 1 : 0), 0);
/** Bytes filled up with the last element; zeros where there is none. */
function repeated(given: Uint8Array, need: number, each: number): Uint8Array {
  const out = new Uint8Array(need);
  out.set(given);
  if (given.length < each) return out;
  // Twice as many each time.
  out.copyWithin(given.length, given.length - each, Math.min(need, given.length));
  let filled = given.length;
  while (filled < need) {
    const from = filled === given.length ? given.length - each : given.length;
    const size = Math.min(need - filled, Math.max(each, filled - from));
    out.copyWithin(filled, from, from + size);
    filled += size;
  }
  return out;
}

/** The texts of a tensor; the last one repeats. `room` is asked first. */
export function stringsOf(t: TensorProto, room: (count: number) => void): string[] {
  const [last = ''] = t.strings.slice(-1);
  const count = numel(dimsOf(t.shape));
  room(count);
  return Array.from({ length: count }, (_, i) => t.strings[i] ?? last);
}

/** A message that holds nothing. */
export const NOTHING: Omit<TensorProto, 'dtype' | 'shape'> = {
  content: undefined,
  floats: undefined,
  doubles: undefined,
  ints: undefined,
  int64s: undefined,
  bools: undefined,
  halves: undefined,
  uint32s: undefined,
  uint64s: undefined,
  complexes: undefined,
  strings: [],
};
/** A tensor from bytes. */
export const tensorProto = (
  dtype: number,
  dims: readonly number[],
  content: Uint8Array,
  strings: readonly string[] = [],
): TensorProto => ({
  ...NOTHING,
  dtype,
  shape: { dim: dims.map(size => ({ size })), unknownRank: false },
  content: numel(dims) === 0 ? undefined : content,
  strings,
});
