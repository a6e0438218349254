import { fail } from '../../core/diagnostic.ts';
import { textOf } from '../shared/cursor.ts';

/**
 * FlatBuffers (https://flatbuffers.dev/internals), read with every offset, length and table held against the file first. The `flatbuffers`
 * package has no verifier, and what it reads past the end is 0.
 */

/** A file of tables. */
interface Flat {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly file: string;
  /** Bytes that tables and lists may still be made of: two offsets may lead to one place, so that a file unfolds to more than it holds. */
  left: number;
}
/** A table: where it begins, and the places of its fields. */
export interface Table {
  readonly f: Flat;
  readonly at: number;
  /** Bytes of the table itself. */
  readonly size: number;
  readonly vtable: number;
  readonly fields: number;
}
/** A file may unfold to some times its bytes; what is shared in files of TensorFlow is a few lists. */
const UNFOLD = { least: 1 << 16, times: 8 };

/** E203 at a byte of the file. */
function damaged(f: Flat, at: number, why: string): never {
  return fail('E203', { file: f.file, why }, { k: 'file', file: f.file, what: `byte ${at}` });
}
function inside(f: Flat, at: number, size: number, what: string): number {
  if (at < 0 || size > f.bytes.length - at) damaged(f, at, `${what} of ${size} bytes lies outside of the file`);
  return at;
}
function spend(f: Flat, at: number, bytes: number): void {
  f.left -= bytes;
  if (f.left < 0) damaged(f, at, 'its tables refer to each other so often that they unfold to more than the file');
}
const offset = (f: Flat, at: number): number => at + f.view.getUint32(inside(f, at, 4, 'an offset'), true);

/** The table that a file begins with. E203: it is cut off, or there is none. */
export function rootTable(bytes: Uint8Array, file: string): Table {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const f: Flat = { view, bytes, file, left: UNFOLD.least + UNFOLD.times * bytes.length };
  return tableAt(f, offset(f, 0));
}
function tableAt(f: Flat, at: number): Table {
  const vtable = at - f.view.getInt32(inside(f, at, 4, 'a table'), true);
  inside(f, vtable, 4, 'the list of fields of a table');
  const [length, size] = [f.view.getUint16(vtable, true), f.view.getUint16(vtable + 2, true)];
  if (length < 4 || length % 2 === 1) damaged(f, vtable, `a list of fields of ${length} bytes`);
  inside(f, vtable, length, 'the list of fields of a table');
  inside(f, at, size, 'a table');
  spend(f, at, length + size);
  return { f, at, size, vtable, fields: (length - 4) / 2 };
}
/** Where field `id` of `size` bytes lies; undefined where the table has it not. */
function place(t: Table, id: number, size: number): number | undefined {
  if (id >= t.fields) return undefined;
  const o = t.f.view.getUint16(t.vtable + 4 + 2 * id, true);
  if (o === 0) return undefined;
  if (o + size > t.size) damaged(t.f, t.at, `field ${id} lies outside of its table`);
  return t.at + o;
}

/** Kinds of numbers, by how many bytes each has. */
const NUMBERS = {
  bool: { size: 1, get: (v: DataView, at: number) => v.getUint8(at) },
  i8: { size: 1, get: (v: DataView, at: number) => v.getInt8(at) },
  u8: { size: 1, get: (v: DataView, at: number) => v.getUint8(at) },
  u16: { size: 2, get: (v: DataView, at: number) => v.getUint16(at, true) },
  i32: { size: 4, get: (v: DataView, at: number) => v.getInt32(at, true) },
  u32: { size: 4, get: (v: DataView, at: number) => v.getUint32(at, true) },
  f32: { size: 4, get: (v: DataView, at: number) => v.getFloat32(at, true) },
  // Beyond 2^53 they are rounded: no size or place in a file is as large.
  i64: { size: 8, get: (v: DataView, at: number) => Number(v.getBigInt64(at, true)) },
  u64: { size: 8, get: (v: DataView, at: number) => Number(v.getBigUint64(at, true)) },
} as const;
export type NumberKind = keyof typeof NUMBERS;

/** A number; `otherwise` where the table has it not. */
export function number(t: Table, id: number, kind: NumberKind, otherwise = 0): number {
  const { size, get } = NUMBERS[kind];
  const at = place(t, id, size);
  return at === undefined ? otherwise : get(t.f.view, at);
}
export const bool = (t: Table, id: number): boolean => number(t, id, 'bool') !== 0;

/** What a field refers to. */
function target(t: Table, id: number): number | undefined {
  const at = place(t, id, 4);
  return at === undefined ? undefined : offset(t.f, at);
}
/** Where the elements of a list begin, and how many there are. */
function list(t: Table, id: number, size: number): { readonly at: number; readonly length: number } | undefined {
  const at = target(t, id);
  if (at === undefined) return undefined;
  const length = t.f.view.getUint32(inside(t.f, at, 4, 'a list'), true);
  inside(t.f, at + 4, length * size, `a list of ${length} elements`);
  return { at: at + 4, length };
}
/** Bytes as a view of the file. */
export function bytes(t: Table, id: number): Uint8Array | undefined {
  const l = list(t, id, 1);
  return l && t.f.bytes.subarray(l.at, l.at + l.length);
}
export function text(t: Table, id: number): string | undefined {
  const b = bytes(t, id);
  if (!b) return undefined;
  spend(t.f, t.at, b.length);
  return textOf(b);
}
export function numbers(t: Table, id: number, kind: NumberKind): number[] | undefined {
  const { size, get } = NUMBERS[kind];
  const l = list(t, id, size);
  if (!l) return undefined;
  spend(t.f, l.at, l.length * size);
  return Array.from({ length: l.length }, (_, i) => get(t.f.view, l.at + i * size));
}
export function table(t: Table, id: number): Table | undefined {
  const at = target(t, id);
  return at === undefined ? undefined : tableAt(t.f, at);
}
/** A list of tables, each read by `read`. */
export function tables<T>(t: Table, id: number, read: (t: Table, i: number) => T): T[] {
  const l = list(t, id, 4);
  if (!l) return [];
  spend(t.f, l.at, l.length * 4);
  return Array.from({ length: l.length }, (_, i) => read(tableAt(t.f, offset(t.f, l.at + 4 * i)), i));
}
