import { textOf } from '../shared/cursor.ts';

/**
 * FlexBuffers (https://flatbuffers.dev/internals/#flexbuffers), as far as the options of custom operators are made of them: maps and lists
 * of numbers, and texts as bytes. Offsets go backwards; what lies outside gives `bad`.
 */
type Flex = number | Uint8Array | FlexMap | readonly Flex[] | undefined;
interface FlexMap {
  readonly [key: string]: Flex;
}
type Bad = (why: string) => never;
/** How deep values may be inside of each other, and how many there may be. */
const DEEPEST = 8;
const MOST = 4096;

/** A place in a buffer. */
interface Reader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly bad: Bad;
  left: number;
}
/** The value that a buffer holds; undefined for what is of a kind that options have not. */
export function readFlex(bytes: Uint8Array, bad: Bad): Flex {
  const r: Reader = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), bad, left: MOST };
  if (bytes.length < 3) return bad('its options are too short');
  const [type = 0, width = 0] = bytes.subarray(-2);
  return value(r, bytes.length - 2 - width, width, type, DEEPEST);
}
function unsigned(r: Reader, at: number, width: number): number {
  if (at < 0 || at + width > r.bytes.length) return r.bad('its options lie outside of their bytes');
  switch (width) {
    case 1:
      return r.view.getUint8(at);
    case 2:
      return r.view.getUint16(at, true);
    case 4:
      return r.view.getUint32(at, true);
    case 8:
      return Number(r.view.getBigUint64(at, true));
    default:
      return r.bad(`its options have numbers of ${width} bytes`);
  }
}
function signed(r: Reader, at: number, width: number): number {
  const v = unsigned(r, at, width);
  return v >= 2 ** (8 * width - 1) ? v - 2 ** (8 * width) : v;
}
function float(r: Reader, at: number, width: number): number {
  unsigned(r, at, width);
  if (width === 4) return r.view.getFloat32(at, true);
  return width === 8 ? r.view.getFloat64(at, true) : r.bad(`its options have floats of ${width} bytes`);
}
/** Kinds of values, by their number; those from 6 to 8 lie somewhere else. */
const KIND = { int: 1, uint: 2, float: 3, key: 4, text: 5, map: 9, list: 10, blob: 25, bool: 26 } as const;
const INDIRECT: Readonly<Record<number, number>> = { 6: KIND.int, 7: KIND.uint, 8: KIND.float };

/** A value at a place of its parent, of `width` bytes; `packed` is its kind and the width of what it refers to. */
function value(r: Reader, at: number, width: number, packed: number, deep: number): Flex {
  if (--r.left < 0 || deep < 0) return r.bad('its options are too many');
  const kind = packed >> 2;
  const inner = 1 << (packed & 3);
  const target = (): number => at - unsigned(r, at, width);
  const other = INDIRECT[kind];
  if (other !== undefined) return number(r, target(), inner, other);
  switch (kind) {
    case KIND.int:
    case KIND.uint:
    case KIND.float:
    case KIND.bool:
      return number(r, at, width, kind);
    case KIND.key:
      return undefined;
    case KIND.text:
    case KIND.blob: {
      const place = target();
      const size = unsigned(r, place - inner, inner);
      if (size > r.bytes.length - place) return r.bad('a text of its options lies outside of their bytes');
      return r.bytes.subarray(place, place + size);
    }
    case KIND.map:
    case KIND.list:
      return elements(r, target(), inner, kind === KIND.map, deep - 1);
    default:
      return undefined;
  }
}
function number(r: Reader, at: number, width: number, kind: number): number {
  if (kind === KIND.float) return float(r, at, width);
  return kind === KIND.int ? signed(r, at, width) : unsigned(r, at, width);
}
function keyAt(r: Reader, at: number): string {
  unsigned(r, at, 1);
  const end = r.bytes.indexOf(0, at);
  return end < 0 ? r.bad('a name of its options has no end') : textOf(r.bytes.subarray(at, end));
}
function elements(r: Reader, at: number, width: number, named: boolean, deep: number): Flex {
  const size = unsigned(r, at - width, width);
  if (size * (width + 1) > r.bytes.length - at) return r.bad('a list of its options lies outside of their bytes');
  const each = (i: number): Flex => value(r, at + i * width, width, unsigned(r, at + size * width + i, 1), deep);
  if (!named) return Array.from({ length: size }, (_, i) => each(i));
  const list = at - 3 * width;
  const keys = list - unsigned(r, list, width);
  const keyWidth = unsigned(r, at - 2 * width, width);
  return Object.fromEntries(
    Array.from({ length: size }, (_, i) => {
      const place = keys + i * keyWidth;
      return [keyAt(r, place - unsigned(r, place, keyWidth)), each(i)] as const;
    }),
  );
}
