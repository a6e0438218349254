import { left, skip, take, u16, u32, u8, type Cursor } from '../../shared/cursor.ts';
import { address, damaged, expectMark, part, uint, unknown, type H5File } from './file.ts';

/** Messages of object headers that are read, by their number (section IV.A.2). */
export const MESSAGE = {
  dataspace: 0x1,
  linkInfo: 0x2,
  datatype: 0x3,
  link: 0x6,
  layout: 0x8,
  filters: 0xb,
  attribute: 0xc,
  continuation: 0x10,
  symbolTable: 0x11,
  attributeInfo: 0x15,
} as const;
export interface Message {
  readonly type: number;
  /** Bit 1: the message lies elsewhere, and this is a pointer to it. */
  readonly flags: number;
  readonly bytes: Uint8Array;
}
export const messageCursor = (f: H5File, m: Message, what: string): Cursor => {
  const c = part(f, 0, what, 0);
  return { ...c, bytes: m.bytes, view: new DataView(m.bytes.buffer, m.bytes.byteOffset, m.bytes.byteLength), at: 0 };
};

/** The address of the root group's header (section II.A). */
export function rootAddress(f: H5File): number {
  const c = part(f, 8, 'its superblock');
  const version = u8(c);
  const sizes = (): void => {
    if (u8(c) !== 8 || u8(c) !== 8) unknown(f, 'its addresses are not of 64 bits');
  };
  if (version <= 1) {
    skip(c, 4);
    sizes();
    skip(c, version === 0 ? 9 : 13);
    const base = address(c);
    if (base !== 0) unknown(f, 'its data do not begin at the start of the file');
    // Free space, end of the file, driver, name of the link.
    skip(c, 32);
  } else if (version <= 3) {
    sizes();
    skip(c, 1);
    if (address(c) !== 0) unknown(f, 'its data do not begin at the start of the file');
    skip(c, 16);
  } else unknown(f, `its superblock is of version ${version}`);
  return address(c) ?? damaged(f, 'it has no root group');
}

/** The messages of an object's header, of all its blocks. */
export function messagesAt(f: H5File, at: number): readonly Message[] {
  const c = part(f, at, 'an object header');
  return c.bytes[0] === 1 ? headerV1(f, c) : headerV2(f, c);
}
/** Walks blocks of messages; `read` reads one message of a block. */
function walk(
  f: H5File,
  first: Cursor,
  more: (at: number, size: number) => Cursor,
  read: (c: Cursor) => Message | undefined,
): Message[] {
  const out: Message[] = [];
  const blocks = [first];
  for (let c = blocks.shift(); c; c = blocks.shift())
    for (let m = read(c); m; m = read(c)) {
      if (m.type === MESSAGE.continuation) {
        const p = messageCursor(f, m, 'a continuation');
        const from = address(p) ?? damaged(f, 'a continuation without an address');
        blocks.push(more(from, uint(p, 8)));
      } else out.push(m);
    }
  return out;
}
function headerV1(f: H5File, c: Cursor): readonly Message[] {
  skip(c, 8);
  const size = u32(c);
  skip(c, 4);
  const block = (from: number, bytes: number): Cursor => part(f, from, 'an object header', bytes);
  const start = c.bytes.byteOffset - f.bytes.byteOffset + c.at;
  return walk(f, block(start, size), block, b => {
    if (left(b) < 8) return undefined;
    const [type, length] = [u16(b), u16(b)];
    const flags = u8(b);
    skip(b, 3);
    return { type, flags, bytes: take(b, length) };
  });
}
function headerV2(f: H5File, c: Cursor): readonly Message[] {
  expectMark(f, c, 'OHDR');
  const version = u8(c);
  if (version !== 2) unknown(f, `an object header of version ${version}`);
  const flags = u8(c);
  skip(c, ((flags & 0x20) !== 0 ? 16 : 0) + ((flags & 0x10) !== 0 ? 4 : 0));
  const size = uint(c, 1 << (flags & 3));
  const start = c.bytes.byteOffset - f.bytes.byteOffset + c.at;
  const more = (from: number, bytes: number): Cursor => {
    const b = part(f, from, 'an object header', bytes - 4);
    expectMark(f, b, 'OCHK');
    return b;
  };
  const order = (flags & 4) !== 0 ? 2 : 0;
  return walk(f, part(f, start, 'an object header', size), more, b => {
    if (left(b) < 4 + order) return undefined;
    const type = u8(b);
    const length = u16(b);
    const own = u8(b);
    skip(b, order);
    return { type, flags: own, bytes: take(b, length) };
  });
}
/** The only message of a type. */
export const messageOf = (list: readonly Message[], type: number): Message | undefined => list.find(m => m.type === type);
