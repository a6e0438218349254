import { cursor, damaged, left, take, textOf, u32, u8, type Cursor } from '../shared/cursor.ts';
import { maskedCrc } from './crc32c.ts';

/** Where a block of a table lies. */
interface Handle {
  readonly offset: number;
  readonly size: number;
}
const FOOTER = 48;
/** The last 8 bytes of a table. */
const MAGIC = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];

function varint(c: Cursor): number {
  let value = 0;
  for (let shift = 0; shift < 56; shift += 7) {
    const b = u8(c);
    value += (b & 127) * 2 ** shift;
    if (b < 128) return Number.isSafeInteger(value) ? value : damaged(c, `a number of ${value}`);
  }
  return damaged(c, 'a number that does not end');
}
const handle = (c: Cursor): Handle => ({ offset: varint(c), size: varint(c) });

/**
 * The entries of a table of LevelDB, as TensorFlow's checkpoints have it
 * (https://github.com/google/leveldb/blob/main/doc/table_format.md). E203: damaged, or a wrong checksum; E202: compressed.
 */
export function readTable(bytes: Uint8Array, file: string): Map<string, Uint8Array> {
  const c = cursor(bytes, file, 'table');
  if (bytes.length < FOOTER || !MAGIC.every((b, i) => bytes[bytes.length - 8 + i] === b))
    damaged(c, 'it does not end as a table of LevelDB does');
  c.at = bytes.length - FOOTER;
  handle(c);
  const index = handle(c);
  const out = new Map<string, Uint8Array>();
  for (const [, value] of block(bytes, index, file)) {
    const at = cursor(value, file, 'index');
    for (const [key, data] of block(bytes, handle(at), file)) out.set(key, data);
  }
  return out;
}
/** Keys are cut where they are as the key before them. */
function block(bytes: Uint8Array, h: Handle, file: string): readonly (readonly [key: string, value: Uint8Array])[] {
  const whole = cursor(bytes, file, 'table');
  whole.at = Math.min(h.offset, bytes.length);
  const data = take(whole, h.size);
  const [type, sum] = [u8(whole), u32(whole)];
  if (maskedCrc(data, Uint8Array.of(type)) !== sum) damaged(whole, 'the checksum of a block is wrong');
  if (type !== 0) damaged(whole, 'a block is compressed, which TensorFlow does not do');
  const c = cursor(data, file, 'block');
  if (data.length < 4) damaged(c, 'a block without an end');
  const restarts = c.view.getUint32(data.length - 4, true);
  const end = data.length - 4 - 4 * restarts;
  if (end < 0) damaged(c, `${restarts} restarts in a block of ${data.length} bytes`);
  const out: (readonly [string, Uint8Array])[] = [];
  let last = new Uint8Array(0);
  while (c.at < end) {
    const [shared, own, size] = [varint(c), varint(c), varint(c)];
    if (shared > last.length || own + size > left(c)) damaged(c, 'an entry that does not fit');
    const key = new Uint8Array(shared + own);
    key.set(last.subarray(0, shared));
    key.set(take(c, own), shared);
    last = key;
    out.push([textOf(key), take(c, size)]);
  }
  return out;
}
