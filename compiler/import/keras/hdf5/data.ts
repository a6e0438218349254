import { Unzlib } from 'fflate';
import { bytesOf } from '../../../core/dtype.ts';
import { numel, type Tensor } from '../../../core/tensor.ts';
import { skip, take, u16, u32, u8, type Cursor } from '../../shared/cursor.ts';
import { address, damaged, expectMark, part, uint, unknown, type H5File } from './file.ts';
import { MESSAGE, messageCursor, messageOf, type Message } from './header.ts';
import { dataspace, elementType, type ElementType } from './types.ts';

/** An array of the file, with its contents still where they lie. */
interface H5Dataset {
  readonly type: ElementType;
  readonly dims: readonly number[];
  /** Row-major elements: a view of the file where they lie in one piece. */
  read(): Uint8Array;
}
export function datasetOf(f: H5File, messages: readonly Message[], what: string): H5Dataset | undefined {
  const [t, s, l] = [MESSAGE.datatype, MESSAGE.dataspace, MESSAGE.layout].map(m => messageOf(messages, m));
  if (!t || !s || !l) return undefined;
  const type = elementType(f, t);
  const dims = dataspace(f, messageCursor(f, s, 'a dataspace')) ?? [0];
  return { type, dims, read: () => layout(f, l, messageOf(messages, MESSAGE.filters), type, dims, what) };
}
/** The tensor of numbers. E202: it holds no numbers. */
export function tensorOfDataset(f: H5File, d: H5Dataset, what: string): Tensor {
  const { type } = d;
  if (type.k !== 'number') return unknown(f, `a weight that is ${type.k === 'other' ? type.what : 'text'}`, what);
  const bytes = d.read();
  return {
    dtype: type.dtype,
    dims: d.dims,
    bytes: type.bigEndian && type.size > 1 ? swapped(bytes, bytesOf(type.dtype)) : bytes,
  };
}
function swapped(b: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(b.length);
  for (let i = 0; i < b.length; i += size) for (let j = 0; j < size; j++) out[i + j] = b[i + size - 1 - j] ?? 0;
  return out;
}
/** Bytes that are not in the file as they are: asked for before they are allocated. */
function made(f: H5File, bytes: number, what: string): Uint8Array {
  f.room -= bytes;
  if (!(bytes >= 0 && f.room >= 0)) damaged(f, `${bytes} bytes are more than a file of ${f.bytes.length} can unpack to`, what);
  return new Uint8Array(bytes);
}

/** Where the elements lie (section IV.A.2.i). */
function layout(
  f: H5File,
  m: Message,
  filters: Message | undefined,
  type: ElementType,
  dims: readonly number[],
  what: string,
): Uint8Array {
  const size = numel(dims) * type.size;
  const c = messageCursor(f, m, 'a layout');
  const version = u8(c);
  if (version < 3 || version > 4) return unknown(f, `a layout of version ${version}`, what);
  const kind = u8(c);
  const whole = (b: Uint8Array): Uint8Array =>
    b.length === size ? b : damaged(f, `${b.length} bytes for an array of ${dims.join('×')}`, what);
  switch (kind) {
    case 0:
      return whole(take(c, u16(c)));
    case 1: {
      const at = address(c);
      // Nothing was ever written: it is all fill value, which Keras leaves zero.
      if (at === undefined) return made(f, size, what);
      const stored = uint(c, 8);
      if (stored !== size) damaged(f, `${stored} bytes for an array of ${dims.join('×')}`, what);
      return part(f, at, `'${what}'`, size).bytes;
    }
    case 2:
      return chunked(f, c, version, { dims, size: type.size, filters: filters ? filtersOf(f, filters) : [], what });
    default:
      return unknown(f, `a layout of class ${kind}`, what);
  }
}
interface Chunked {
  readonly dims: readonly number[];
  readonly size: number;
  readonly filters: readonly Filter[];
  readonly what: string;
}
/** Chunks by a B-tree, or in version 4 a single one. */
function chunked(f: H5File, c: Cursor, version: number, d: Chunked): Uint8Array {
  if (version === 4) {
    const flags = u8(c);
    const rank = u8(c);
    const width = u8(c);
    const chunk = Array.from({ length: rank }, () => uint(c, width));
    const index = u8(c);
    if (index !== 1) return unknown(f, "chunks in the form of libver='latest'", d.what);
    const filtered = (flags & 2) !== 0 ? uint(c, 8) : numel(d.dims) * d.size;
    if ((flags & 2) !== 0) skip(c, 4);
    const out = made(f, numel(d.dims) * d.size, d.what);
    const at = address(c);
    if (at !== undefined)
      place(
        f,
        d,
        chunk.slice(0, -1),
        d.dims.map(() => 0),
        part(f, at, `'${d.what}'`, filtered).bytes,
        0,
        out,
      );
    return out;
  }
  const rank = u8(c) - 1;
  if (rank !== d.dims.length) return damaged(f, 'its chunks have other axes', d.what);
  const tree = address(c);
  const chunk = Array.from({ length: rank }, () => u32(c));
  if (chunk.some(n => n === 0)) damaged(f, 'chunks of no size', d.what);
  const out = made(f, numel(d.dims) * d.size, d.what);
  if (tree !== undefined) chunks(f, d, chunk, tree, out, undefined);
  return out;
}
/** A node of the B-tree of chunks and what is below it (section III.A.1). Levels go down, so the recursion is short. */
function chunks(f: H5File, d: Chunked, chunk: readonly number[], at: number, out: Uint8Array, above: number | undefined): void {
  const c = part(f, at, 'a tree of chunks');
  expectMark(f, c, 'TREE');
  const [type, level] = [u8(c), u8(c)];
  if (type !== 1 || (above !== undefined && level !== above - 1)) damaged(f, 'a tree of chunks is no such tree', d.what);
  const used = u16(c);
  skip(c, 16);
  for (let i = 0; i < used; i++) {
    const [size, mask] = [u32(c), u32(c)];
    const start = d.dims.map(() => uint(c, 8));
    skip(c, 8);
    const child = address(c) ?? damaged(f, 'a tree of chunks ends in nothing', d.what);
    if (level > 0) chunks(f, d, chunk, child, out, level);
    else place(f, d, chunk, start, part(f, child, `'${d.what}'`, size).bytes, mask, out);
  }
}
/** Undoes the filters of a chunk and copies what of it is inside. */
function place(
  f: H5File,
  d: Chunked,
  chunk: readonly number[],
  start: readonly number[],
  raw: Uint8Array,
  mask: number,
  out: Uint8Array,
): void {
  const bytes = numel(chunk) * d.size;
  let data = raw;
  d.filters.forEach((_, i, all) => {
    const n = all.length - 1 - i;
    const filter = all[n];
    if (filter && ((mask >> n) & 1) === 0) data = undo(f, filter, data, bytes, d);
  });
  if (data.length !== bytes) damaged(f, `a chunk of ${data.length} bytes instead of ${bytes}`, d.what);
  if (start.some((s, a) => !(s < (d.dims[a] ?? 0)))) damaged(f, 'a chunk outside of its array', d.what);
  const rank = chunk.length;
  const inside = chunk.map((n, a) => Math.min(n, (d.dims[a] ?? 0) - (start[a] ?? 0)));
  const row = (inside[rank - 1] ?? 1) * d.size;
  const rows = numel(inside.slice(0, -1));
  const at = inside.map(() => 0);
  for (let r = 0; r < rows; r++) {
    let [from, to] = [0, 0];
    for (let a = 0; a < rank; a++) {
      from = from * (chunk[a] ?? 1) + (at[a] ?? 0);
      to = to * (d.dims[a] ?? 1) + (start[a] ?? 0) + (at[a] ?? 0);
    }
    out.set(data.subarray(from * d.size, from * d.size + row), to * d.size);
    for (let a = rank - 2; a >= 0; a--) {
      at[a] = (at[a] ?? 0) + 1;
      if ((at[a] ?? 0) < (inside[a] ?? 0)) break;
      at[a] = 0;
    }
  }
}

interface Filter {
  readonly id: number;
  readonly values: readonly number[];
}
const NAMES: Readonly<Record<number, string>> = {
  4: 'szip',
  5: 'n-bit',
  6: 'scale-offset',
  32000: 'lzf',
  32001: 'blosc',
  32015: 'zstd',
};
/** The filters that chunks went through, in this order (section IV.A.2.l). */
function filtersOf(f: H5File, m: Message): Filter[] {
  const c = messageCursor(f, m, 'filters');
  const version = u8(c);
  const count = u8(c);
  if (version === 1) skip(c, 6);
  else if (version !== 2) unknown(f, `filters of version ${version}`);
  return Array.from({ length: count }, () => {
    const id = u16(c);
    const named = version === 1 || id >= 256 ? u16(c) : 0;
    skip(c, 2);
    const n = u16(c);
    skip(c, version === 1 ? Math.ceil(named / 8) * 8 : named);
    const values = Array.from({ length: n }, () => u32(c));
    if (version === 1 && n % 2 === 1) skip(c, 4);
    return { id, values };
  });
}
/** `bytes`: what the chunk has in the end. */
function undo(f: H5File, filter: Filter, data: Uint8Array, bytes: number, d: Chunked): Uint8Array {
  switch (filter.id) {
    case 1:
      return inflated(f, data, bytes, d.what);
    case 2:
      return unshuffled(data, filter.values[0] ?? d.size);
    case 3:
      return checked(f, data, d.what);
    default:
      return unknown(f, `packed by ${NAMES[filter.id] ?? `filter ${filter.id}`}`, d.what);
  }
}
function inflated(f: H5File, data: Uint8Array, bytes: number, what: string): Uint8Array {
  // A checksum may follow the data proper.
  const out = made(f, bytes + 4, what);
  const state = { size: 0, done: false };
  const z = new Unzlib((part, final) => {
    if (state.size + part.length > out.length) damaged(f, 'a chunk unpacks to more than it holds', what);
    out.set(part, state.size);
    state.size += part.length;
    state.done ||= final;
  });
  try {
    const PIECE = 1 << 16;
    for (let at = 0; at < data.length; at += PIECE) z.push(data.subarray(at, at + PIECE), at + PIECE >= data.length);
  } catch (e) {
    if (e instanceof Error && 'holes' in e) throw e;
    damaged(f, `a chunk cannot be unpacked: ${e instanceof Error ? e.message : String(e)}`, what);
  }
  if (!state.done) damaged(f, 'a chunk ends before its packed data does', what);
  f.room += out.length;
  return out.subarray(0, state.size);
}
/** All first bytes of the elements, then all second ones … as elements again. */
function unshuffled(data: Uint8Array, size: number): Uint8Array {
  const out = data.slice();
  const n = Math.floor(data.length / Math.max(1, size));
  for (let b = 0; b < size; b++) for (let i = 0; i < n; i++) out[i * size + b] = data[b * n + i] ?? 0;
  return out;
}
/** Data without the Fletcher32 checksum that follows them, which must be theirs. */
function checked(f: H5File, data: Uint8Array, what: string): Uint8Array {
  const n = data.length - 4;
  if (n < 0) return damaged(f, 'a chunk without its checksum', what);
  let [a, b] = [0, 0];
  for (let i = 0; i < n; i += 2) {
    a = (a + (data[i] ?? 0) * 256 + (i + 1 < n ? (data[i + 1] ?? 0) : 0)) % 65535;
    b = (b + a) % 65535;
  }
  const v = new DataView(data.buffer, data.byteOffset + n, 4);
  if (v.getUint16(0, true) % 65535 !== a || v.getUint16(2, true) % 65535 !== b)
    damaged(f, 'the checksum of a chunk is wrong', what);
  return data.subarray(0, n);
}
