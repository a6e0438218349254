import type { DType } from '../../../core/dtype.ts';
import { skip, take, textOf, u16, u32, u8, type Cursor } from '../../shared/cursor.ts';
import { address, cText, damaged, expectMark, part, uint, unknown, type H5File } from './file.ts';
import { MESSAGE, messageCursor, messageOf, messagesAt, type Message } from './header.ts';

/** What an element is; `size` in bytes. */
export type ElementType =
  | { readonly k: 'number'; readonly dtype: DType; readonly size: number; readonly bigEndian: boolean }
  | { readonly k: 'text'; readonly size: number; readonly padded: boolean }
  | { readonly k: 'variable text'; readonly size: number }
  | { readonly k: 'other'; readonly size: number; readonly what: string };

/** A datatype message (section IV.A.2.d), or the committed type that a shared one points to. */
export function elementType(f: H5File, m: Message): ElementType {
  if ((m.flags & 2) === 0) return readType(f, messageCursor(f, m, 'a datatype'));
  const c = messageCursor(f, m, 'a shared datatype');
  const version = u8(c);
  skip(c, version === 1 ? 7 : 1);
  const at = address(c) ?? damaged(f, 'a shared datatype that is nowhere');
  const own = messageOf(messagesAt(f, at), MESSAGE.datatype);
  if (!own || (own.flags & 2) !== 0) return damaged(f, 'a shared datatype that is none');
  return elementType(f, own);
}
const CLASSES = ['', '', 'a time', '', 'a bit field', 'bytes', 'a record', 'a reference', '', 'a list', 'an array'];
function readType(f: H5File, c: Cursor): ElementType {
  const head = u8(c);
  const bits = uint(c, 3);
  const size = u32(c);
  const kind = head & 15;
  if (size === 0) return damaged(f, 'elements of 0 bytes');
  const bigEndian = (bits & 1) === 1;
  switch (kind) {
    case 0: {
      const dtype = ([8, 16, 32, 64] as const)
        .map(n => `${(bits & 8) === 0 ? 'u' : 'i'}${n}` as const)
        .find(t => Number(t.slice(1)) === size * 8);
      if (dtype === undefined) return unknown(f, `integers of ${size} bytes`);
      skip(c, 4);
      return { k: 'number', dtype, size, bigEndian };
    }
    case 1: {
      skip(c, 4);
      skip(c, 1);
      const exponent = u8(c);
      skip(c, 6);
      const dtype = FLOATS[`${size}:${exponent}`];
      return dtype ? { k: 'number', dtype, size, bigEndian } : unknown(f, `floats of ${size} bytes`);
    }
    case 3:
      return { k: 'text', size, padded: (bits & 15) === 2 };
    case 8: {
      const base = readType(f, c);
      if (base.k !== 'number' || base.size !== size) return unknown(f, 'an enumeration of what are no integers');
      const names = Array.from({ length: bits & 0xffff }, () => enumName(c, head >> 4));
      // How h5py writes bool.
      const bool = size === 1 && names.join() === 'FALSE,TRUE';
      return bool ? { ...base, dtype: 'bool' } : base;
    }
    case 9:
      return (bits & 15) === 1 ? { k: 'variable text', size } : { k: 'other', size, what: 'a list' };
    default:
      return { k: 'other', size, what: CLASSES[kind] ?? `of class ${kind}` };
  }
}
/** By bytes and bits of the exponent. */
const FLOATS: Readonly<Record<string, DType>> = {
  '2:5': 'f16',
  '2:8': 'bf16',
  '4:8': 'f32',
  '8:11': 'f64',
  '1:4': 'f8e4m3fn',
  '1:5': 'f8e5m2',
};
function enumName(c: Cursor, version: number): string {
  const from = c.at;
  while (u8(c) !== 0);
  const name = textOf(c.bytes.subarray(from, c.at - 1));
  if (version < 3) skip(c, (8 - ((c.at - from) % 8)) % 8);
  return name;
}

/** Sizes of the axes (section IV.A.2.b); undefined: a null space, which holds nothing. */
export function dataspace(f: H5File, c: Cursor): readonly number[] | undefined {
  const version = u8(c);
  const rank = u8(c);
  skip(c, 1);
  if (version === 1) skip(c, 5);
  else if (version === 2) {
    if (u8(c) === 2) return undefined;
  } else return unknown(f, `a dataspace of version ${version}`);
  const dims = Array.from({ length: rank }, () => uint(c, 8));
  const elements = dims.reduce((a, b) => a * b, 1);
  if (dims.length > 32 || !Number.isSafeInteger(elements)) damaged(f, `an array of ${dims.join('×')}`);
  return dims;
}

/** Texts of an attribute or a dataset, one after the other. */
export function texts(f: H5File, type: ElementType, bytes: Uint8Array, count: number): readonly string[] {
  const each = Array.from({ length: Math.min(count, Math.floor(bytes.length / type.size)) }, (_, i) =>
    bytes.subarray(i * type.size, (i + 1) * type.size),
  );
  if (type.k === 'text') return each.map(b => (type.padded ? textOf(b).trimEnd() : cText(b)));
  const heaps = new Map<number, ReadonlyMap<number, Uint8Array>>();
  return each.map(b => {
    const v = new DataView(b.buffer, b.byteOffset, b.byteLength);
    if (b.length !== 16) return damaged(f, 'a text is not where it should be');
    const [length, at, index] = [v.getUint32(0, true), Number(v.getBigUint64(4, true)), v.getUint32(12, true)];
    if (length === 0) return '';
    const heap = heaps.get(at) ?? globalHeap(f, at);
    heaps.set(at, heap);
    const data = heap.get(index);
    if (!data || data.length < length) return damaged(f, `a text of ${length} bytes is not in its heap`);
    return cText(data.subarray(0, length));
  });
}
/** Objects of a global heap by their numbers (section III.E). */
function globalHeap(f: H5File, at: number): ReadonlyMap<number, Uint8Array> {
  const head = part(f, at, 'a heap of texts');
  expectMark(f, head, 'GCOL');
  skip(head, 4);
  const size = uint(head, 8);
  const c = part(f, at, 'a heap of texts', size);
  c.at = 16;
  const out = new Map<number, Uint8Array>();
  while (c.at + 16 <= size) {
    const index = u16(c);
    if (index === 0) break;
    skip(c, 6);
    const length = uint(c, 8);
    out.set(index, take(c, length));
    skip(c, Math.min(size - c.at, (8 - (length % 8)) % 8));
  }
  return out;
}
