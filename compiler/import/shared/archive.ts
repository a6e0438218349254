import { Gunzip, Unzlib } from 'fflate';
import { fail } from '../../core/diagnostic.ts';
import { textOf } from './cursor.ts';

/** Unpacked data may be this many times as large as packed (deflate can do 1032; models stay below 20), above the floor. */
const MAX_RATIO = 100;
const FLOOR = 64 * 2 ** 20;
const MAX_SIZE = 2 ** 31;

/** Bytes that what is packed in a file of `whole` bytes may unpack to. */
export const unpackLimit = (whole: number): number => Math.min(MAX_SIZE, Math.max(FLOOR, whole * MAX_RATIO));

const loc = (file: string, what: string): { readonly k: 'file'; readonly file: string; readonly what: string } => ({
  k: 'file',
  file,
  what,
});

/** gzip or zlib by their first bytes. */
export const isPacked = (b: Uint8Array): boolean =>
  (b[0] === 0x1f && b[1] === 0x8b) || (b[0] === 0x78 && [0x01, 0x5e, 0x9c, 0xda].includes(b[1] ?? -1));

/**
 * Unpacks gzip or zlib in pieces, so that the size that a file claims is never believed. `whole`: the bytes of the file that is packed
 * at the outermost, where archives lie in each other.
 * E203: damaged, cut off, or larger than `MAX_RATIO` times the file.
 */
export function unpack(bytes: Uint8Array, file: string, whole = bytes.length): Uint8Array {
  const limit = unpackLimit(whole);
  const parts: Uint8Array[] = [];
  let size = 0;
  const state = { done: false, members: 0 };
  const take = (data: Uint8Array, final: boolean): void => {
    parts.push(data);
    size += data.length;
    state.done ||= final;
  };
  const gzip = bytes[0] === 0x1f;
  const d = gzip ? new Gunzip(take) : new Unzlib(take);
  if (d instanceof Gunzip)
    d.onmember = () => {
      state.members++;
    };
  const PIECE = 1 << 16;
  try {
    for (let at = 0; at < bytes.length && size <= limit; at += PIECE)
      d.push(bytes.subarray(at, at + PIECE), at + PIECE >= bytes.length);
  } catch (e) {
    const why = e instanceof Error ? e.message : String(e);
    return fail('E203', { file, why: `it cannot be unpacked: ${why}` }, loc(file, ''));
  }
  if (size > limit) fail('E203', { file, why: `it unpacks to more than ${limit} bytes` }, loc(file, ''));
  if (!state.done) fail('E203', { file, why: 'it ends before the packed data does' }, loc(file, ''));
  const out = new Uint8Array(size);
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  // Of several parts one after the other, the sums are of each.
  if (state.members <= 1 && !sumHolds(bytes, out, gzip))
    fail('E203', { file, why: 'its checksum is wrong, or its end is missing' }, loc(file, ''));
  return out;
}
/** The checksum at the end: gzip's CRC-32 and length, or zlib's Adler-32. */
function sumHolds(packed: Uint8Array, data: Uint8Array, gzip: boolean): boolean {
  const end = packed.length - (gzip ? 8 : 4);
  if (end < 0) return false;
  const v = new DataView(packed.buffer, packed.byteOffset + end);
  return gzip
    ? v.getUint32(4, true) === data.length % 2 ** 32 && v.getUint32(0, true) === crc32(data)
    : v.getUint32(0) === adler32(data);
}
export function crc32(data: Uint8Array): number {
  const table = new Uint32Array(256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let k = 0; k < 8; k++) c = (c & 1) !== 0 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    table[n] = c;
  }
  let c = -1;
  for (const b of data) c = (table[(c ^ b) & 255] ?? 0) ^ (c >>> 8);
  return ~c >>> 0;
}
function adler32(data: Uint8Array): number {
  let [a, b] = [1, 0];
  // As many steps as the sums stay exact without a division.
  for (let at = 0; at < data.length;) {
    for (const end = Math.min(data.length, at + 4096); at < end; at++) {
      a += data[at] ?? 0;
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return b * 65536 + a;
}

const BLOCK = 512;
const MAX_ENTRIES = 100_000;
export const isTar = (b: Uint8Array): boolean => textOf(b.subarray(257, 262)) === 'ustar';

export interface TarFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}
/**
 * The regular files of a tar archive (ustar, GNU and pax long names), as views of it. Reading is all that is done, so the format's
 * links, devices and owners need no care, and a dependency would be larger than this.
 * E203: a bad checksum, a size beyond the archive. E202: a name that would leave the folder it is unpacked to.
 */
export function readTar(bytes: Uint8Array, file: string): TarFile[] {
  const out: TarFile[] = [];
  let long: string | undefined;
  for (let at = 0; at + BLOCK <= bytes.length;) {
    const h = bytes.subarray(at, at + BLOCK);
    if (h.every(b => b === 0)) break;
    const bad = (why: string): never => fail('E203', { file, why: `tar: ${why}` }, loc(file, `byte ${at}`));
    checkSum(h, bad);
    const size = tarNumber(h.subarray(124, 136), bad);
    const from = at + BLOCK;
    if (size > bytes.length - from) bad(`an entry of ${size} bytes in an archive of ${bytes.length}`);
    const data = bytes.subarray(from, from + size);
    at = from + Math.ceil(size / BLOCK) * BLOCK;
    const type = String.fromCharCode(h[156] ?? 0);
    if (type === 'L') long = cString(data);
    else if (type === 'x') long = /(?:^|\n)\d+ path=([^\n]*)\n/.exec(textOf(data))?.[1] ?? long;
    else {
      const ustar = textOf(h.subarray(257, 263)) === 'ustar\0' ? cString(h.subarray(345, 500)) : '';
      const name = long ?? (ustar === '' ? '' : `${ustar}/`) + cString(h.subarray(0, 100));
      long = undefined;
      if (name.split(/[/\\]/).includes('..') || /^(?:[/\\]|[A-Za-z]:)/.test(name))
        fail('E202', { file, why: `its entry '${name}' would leave the folder that it is unpacked to` }, loc(file, name));
      if (type === '0' || type === '\0' || type === '7') out.push({ name: name.replace(/^(?:\.\/)+/, ''), bytes: data });
      if (out.length > MAX_ENTRIES) bad(`more than ${MAX_ENTRIES} entries`);
    }
  }
  return out;
}
function cString(b: Uint8Array): string {
  const end = b.indexOf(0);
  return textOf(end < 0 ? b : b.subarray(0, end));
}
/** Octal digits, or with the top bit set a big-endian number. */
function tarNumber(b: Uint8Array, bad: (why: string) => never): number {
  if (((b[0] ?? 0) & 0x80) !== 0) {
    const n = b.subarray(1).reduce((sum, x) => sum * 256 + x, (b[0] ?? 0) & 0x7f);
    return Number.isSafeInteger(n) ? n : bad(`a size of ${n}`);
  }
  const s = cString(b).trim();
  return /^[0-7]*$/.test(s) ? parseInt(s === '' ? '0' : s, 8) : bad(`a size of '${s}'`);
}
function checkSum(h: Uint8Array, bad: (why: string) => never): void {
  // The field of the sum counts as blanks.
  const sum = h.reduce((s, b, i) => s + (i >= 148 && i < 156 ? 32 : b), 0);
  if (tarNumber(h.subarray(148, 156), bad) !== sum) bad('the checksum of an entry is wrong');
}
