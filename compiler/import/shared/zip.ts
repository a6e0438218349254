import { inflateSync } from 'fflate';
import { fail } from '../../core/diagnostic.ts';
import { crc32, unpackLimit } from './archive.ts';
import { textOf } from './cursor.ts';

/** A file in a zip archive. */
interface ZipEntry {
  readonly name: string;
  /** Bytes when unpacked, as the archive claims. */
  readonly size: number;
  /** The contents: a view of the archive where they are stored, else unpacked. E203: damaged, or other than the archive claims. */
  read(): Uint8Array;
}
/** Local header, entry of the directory, end of the directory: PKWARE's APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16. */
const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const STORED = 0;
const DEFLATED = 8;
export const isZip = (b: Uint8Array): boolean => b[0] === 0x50 && b[1] === 0x4b && b[2] === 3 && b[3] === 4;

/**
 * The files of a zip archive by its directory; what is stored stays a view of it, for which fflate would make copies of whole models.
 * `whole`: the bytes of the file that is packed at the outermost. E203: no directory, an offset or a size beyond the archive, encryption, a
 * packing other than deflate.
 */
export function readZip(bytes: Uint8Array, file: string, whole = bytes.length): ZipEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bad = (why: string, at = ''): never => fail('E203', { file, why: `zip: ${why}` }, { k: 'file', file, what: at });
  const end = endOf(view);
  if (end === undefined) return bad('its directory is missing');
  const count = view.getUint16(end + 10, true);
  const limit = unpackLimit(whole);
  const out: ZipEntry[] = [];
  let at = view.getUint32(end + 16, true);
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== CENTRAL) bad(`entry ${i} of its directory is not where it should be`);
    const [flags, method] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
    const [sum, packed, size] = [16, 20, 24].map(o => view.getUint32(at + o, true)) as [number, number, number];
    const [nameLength, extra, comment] = [28, 30, 32].map(o => view.getUint16(at + o, true)) as [number, number, number];
    const offset = view.getUint32(at + 42, true);
    if (at + 46 + nameLength > end) bad(`entry ${i} of its directory is cut off`);
    const name = textOf(bytes.subarray(at + 46, at + 46 + nameLength));
    at += 46 + nameLength + extra + comment;
    out.push({
      name,
      size,
      read: () => {
        if ((flags & 1) !== 0) bad('it is encrypted', name);
        if (offset + 30 > bytes.length || view.getUint32(offset, true) !== LOCAL)
          bad('no file is where the directory says', name);
        const from = offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
        if (from + packed > bytes.length)
          bad(`${packed} bytes are announced where ${Math.max(0, bytes.length - from)} are left`, name);
        const raw = bytes.subarray(from, from + packed);
        if (size > limit) bad(`it unpacks to more than ${limit} bytes`, name);
        const data = contents(raw, method, size, why => bad(why, name));
        if (data.length !== size || crc32(data) !== sum) bad('its checksum or its size is wrong', name);
        return data;
      },
    });
  }
  return out;
}
/** Where the end of the directory is: the last one that a comment of the archive's own length follows. */
function endOf(view: DataView): number | undefined {
  const last = view.byteLength - 22;
  for (let at = last; at >= 0 && at >= last - 0xffff; at--)
    if (view.getUint32(at, true) === END && view.getUint16(at + 20, true) === last - at) return at;
  return undefined;
}
function contents(raw: Uint8Array, method: number, size: number, bad: (why: string) => never): Uint8Array {
  if (method === STORED) return raw;
  if (method !== DEFLATED) return bad(`its packing (method ${method}) is not known; pack it with deflate`);
  try {
    // One byte more than announced shows what is longer; fflate never grows an array that is given.
    return inflateSync(raw, { out: new Uint8Array(size + 1) });
  } catch (e) {
    return bad(`it cannot be unpacked: ${e instanceof Error ? e.message : String(e)}`);
  }
}
