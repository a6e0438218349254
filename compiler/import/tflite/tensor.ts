import { fail, type Loc } from '../../core/diagnostic.ts';
import { DTYPES, type DType } from '../../core/dtype.ts';
import type { Room } from '../../core/room.ts';
import { fromTyped, numel, typed, type Tensor } from '../../core/tensor.ts';
import { unsafePath, type ExternalResolver } from '../shared/external.ts';
import type { TensorRecord, TfliteModel } from './records.ts';
import { sparsePlaces } from './sparse.ts';

/** How elements are held here. Complex numbers are pairs along a last axis; integers of less than a byte are bytes. */
const TYPES: Readonly<Record<string, DType>> = {
  FLOAT32: 'f32',
  FLOAT16: 'f16',
  BFLOAT16: 'bf16',
  FLOAT64: 'f64',
  FLOAT8_E4M3FN: 'f8e4m3fn',
  FLOAT8_E5M2: 'f8e5m2',
  INT2: 'i8',
  INT4: 'i8',
  INT8: 'i8',
  INT16: 'i16',
  INT32: 'i32',
  INT64: 'i64',
  UINT4: 'u8',
  UINT8: 'u8',
  UINT16: 'u16',
  UINT32: 'u32',
  UINT64: 'u64',
  BOOL: 'bool',
  COMPLEX64: 'f32',
  COMPLEX128: 'f64',
};
/** The element type of a tensor; undefined where it holds text or handles. */
export const dtypeOf = (type: string): DType | undefined => (Object.hasOwn(TYPES, type) ? TYPES[type] : undefined);
export const isComplex = (t: Pick<TensorRecord, 'type'>): boolean => t.type.startsWith('COMPLEX');
/** Bits of an element where several share a byte. */
const PACKED: Readonly<Record<string, number>> = { INT4: 4, UINT4: 4, INT2: 2 };

/** Bytes of a tensor as they lie in the file; undefined: it has none. */
export function contentsOf(
  m: TfliteModel,
  t: TensorRecord,
  external: ExternalResolver | undefined,
  file: string,
): Uint8Array | undefined {
  if (t.externalBuffer === 0) return t.buffer === 0 ? undefined : m.buffers[t.buffer];
  const loc: Loc = { k: 'part', file, kind: 'tensor', name: t.name, op: '' };
  const b =
    m.external[t.externalBuffer - 1] ?? fail('E203', { file, why: `a tensor has external buffer ${t.externalBuffer}` }, loc);
  const bad = (why: string): never => fail('E204', { why: `'${b.group}' ${why}` }, loc);
  const unsafe = unsafePath(b.group);
  if (unsafe !== undefined) return bad(unsafe);
  if (b.packing !== '') return bad(`is packed (${b.packing})`);
  return external ? external(b.group, b.offset, b.length) : bad('cannot be read: there are no files beside the model');
}
/**
 * The contents of a constant; bytes stay views of the file. E203: as many bytes as its shape does not have. E106: an element type that
 * Sinter has not. `room` bounds what is more than lies in the file.
 */
export function tensorOf(t: TensorRecord, bytes: Uint8Array, room: Room, file: string): Tensor {
  const loc: Loc = { k: 'part', file, kind: 'tensor', name: t.name, op: '' };
  const dtype = dtypeOf(t.type) ?? fail('E106', { type: t.type.toLowerCase(), what: `tensor '${t.name}'` }, loc);
  const bad = (why: string): never => fail('E203', { file, why: `tensor '${t.name}': ${why}` }, loc);
  const dims = isComplex(t) ? [...t.shape, 2] : [...t.shape];
  if (dims.some(d => d < 0)) bad(`a shape of ${dims.join(', ')}`);
  const count = numel(dims);
  if (t.sparsity) return densify(t, dtype, dims, bytes, room, bad);
  const bits = PACKED[t.type];
  const size = bits === undefined ? count * DTYPES[dtype].bytes : Math.ceil((count * bits) / 8);
  if (size !== bytes.length) bad(`${bytes.length} bytes for ${count} elements`);
  return bits === undefined ? { dtype, dims, bytes } : { dtype, dims, bytes: unpacked(bytes, count, bits, dtype === 'i8') };
}
/** Elements of less than a byte, the first in the lowest bits. */
function unpacked(packed: Uint8Array, count: number, bits: number, signed: boolean): Uint8Array {
  const [each, spare] = [8 / bits, 8 - bits];
  const out = signed ? new Int8Array(count) : new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const high = (packed[Math.floor(i / each)] ?? 0) << (spare - bits * (i % each));
    out[i] = (signed ? (high << 24) >> 24 : high & 255) >> spare;
  }
  return new Uint8Array(out.buffer);
}
function densify(
  t: TensorRecord,
  dtype: DType,
  dims: readonly number[],
  bytes: Uint8Array,
  room: Room,
  bad: (why: string) => never,
): Tensor {
  if (PACKED[t.type] !== undefined || !t.sparsity) return bad('a sparse tensor of less than a byte an element');
  room.take(numel(dims), 'a dense tensor', bad);
  const places = sparsePlaces(t.sparsity, dims, bad);
  const stored = typed({ dtype, dims: [], bytes });
  if (stored.length !== places.length) bad(`${stored.length} stored elements for ${places.length} places`);
  const out = new DTYPES[dtype].array(numel(dims));
  places.forEach((at, i) => (out[at] = stored[i] ?? 0));
  return fromTyped(dtype, dims, out);
}
