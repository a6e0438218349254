import { fail } from '../../core/diagnostic.ts';

/** Reads numbers and text from bytes, with E203 where they end too early. Nothing is allocated for more than the bytes can hold. */
export interface Cursor {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly file: string;
  /** What is being read, for messages. */
  what: string;
  at: number;
}
export const cursor = (bytes: Uint8Array, file: string, what: string): Cursor => ({
  bytes,
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  file,
  what,
  at: 0,
});
export const left = (c: Cursor): number => c.bytes.length - c.at;
/** E203 at this place of the file. */
export function damaged(c: Cursor, why: string): never {
  return fail(
    'E203',
    { file: c.file, why },
    { k: 'file', file: c.file, what: c.what === '' ? `byte ${c.at}` : `${c.what}, byte ${c.at}` },
  );
}
/** Steps over n bytes and gives where they start. */
export function skip(c: Cursor, n: number): number {
  if (n > left(c)) damaged(c, `${n} bytes are announced where ${left(c)} are left`);
  c.at += n;
  return c.at - n;
}
export const take = (c: Cursor, n: number): Uint8Array => {
  const from = skip(c, n);
  return c.bytes.subarray(from, from + n);
};
export const u8 = (c: Cursor): number => c.view.getUint8(skip(c, 1));
export const u16 = (c: Cursor): number => c.view.getUint16(skip(c, 2), true);
export const i32 = (c: Cursor): number => c.view.getInt32(skip(c, 4), true);
export const u32 = (c: Cursor): number => c.view.getUint32(skip(c, 4), true);
export const f32 = (c: Cursor): number => c.view.getFloat32(skip(c, 4), true);
/** A 64-bit length or count. */
export function u64(c: Cursor): number {
  const n = c.view.getBigUint64(skip(c, 8), true);
  return n <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(n) : damaged(c, `a count of ${n}`);
}
const utf8 = new TextDecoder();
export const textOf = (b: Uint8Array): string => utf8.decode(b);
