import { fail } from '../../../core/diagnostic.ts';
import { cursor, take, textOf, u8, type Cursor } from '../../shared/cursor.ts';

/**
 * A file of HDF5, as far as h5py writes it for Keras (HDF5 File Format Specification 3.0): superblocks 0 to 3, object headers of both
 * versions, groups as symbol tables or lists of links, data compact, contiguous or in chunks. Every address and size is compared with the
 * file before anything is made of it, and `steps` ends what pointers lead in circles.
 */
export interface H5File {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Structures that may still be read. */
  steps: number;
  /** Bytes that may still be made which are not in the file as they are. */
  room: number;
}
const SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
export const isHdf5 = (b: Uint8Array): boolean => SIGNATURE.every((x, i) => b[i] === x);

/** E203 at an object of the file. */
export const damaged = (f: H5File, why: string, what = ''): never =>
  fail('E203', { file: f.name, why: `HDF5: ${why}` }, { k: 'file', file: f.name, what });
/** E202: what HDF5 has and Keras does not write. */
export const unknown = (f: H5File, why: string, what = ''): never =>
  fail(
    'E202',
    { file: f.name, why: `HDF5: ${why}; open it with Keras or h5py and save it with their default settings` },
    { k: 'file', file: f.name, what },
  );
/** Reads from an address of the file on. `size`: where the part ends. */
export function part(f: H5File, address: number, what: string, size = f.bytes.length - address): Cursor {
  if (--f.steps < 0) damaged(f, 'its structures lead in circles');
  if (!(address >= 0 && size >= 0 && address + size <= f.bytes.length))
    damaged(
      f,
      size < 0
        ? `${what} lies at byte ${address}, and the file has ${f.bytes.length}`
        : `${what} of ${size} bytes at ${address} of ${f.bytes.length}`,
    );
  return cursor(f.bytes.subarray(address, address + size), f.name, `HDF5, ${what}`);
}
/** An unsigned integer of some bytes. Past 2^53 it is inexact, and larger than any file. */
export function uint(c: Cursor, size: number): number {
  let n = 0;
  for (let i = 0; i < size; i++) n += u8(c) * 2 ** (8 * i);
  return n;
}
/** An address; undefined where all its bits are set, which stands for none. */
export function address(c: Cursor): number | undefined {
  const b = take(c, 8);
  c.at -= 8;
  const n = uint(c, 8);
  return b.every(x => x === 0xff) ? undefined : n;
}
/** Checks the four letters that a structure begins with. */
export function expectMark(f: H5File, c: Cursor, mark: string): void {
  const got = textOf(take(c, 4));
  if (got !== mark) damaged(f, `${c.what} does not begin with '${mark}'`);
}
/** Text up to its first NUL. */
export function cText(b: Uint8Array): string {
  const end = b.indexOf(0);
  return textOf(end < 0 ? b : b.subarray(0, end));
}
