import { fail } from '../../core/diagnostic.ts';
import { textOf } from '../shared/cursor.ts';

/**
 * FlexBuffers (https://flatbuffers.dev/flatbuffers_internals/#flexbuffers), how options of custom operators are written: a tree of
 * maps, lists and scalars that is read from its end.
 */
export type Flex = null | boolean | number | string | Uint8Array | readonly Flex[] | FlexMap;
export interface FlexMap {
  readonly [key: string]: Flex;
}
export const isFlexMap = (x: Flex): x is FlexMap =>
  typeof x === 'object' && x !== null && !Array.isArray(x) && !(x instanceof Uint8Array);

/** Lists and maps may lie in each other this deep. */
const MAX_DEPTH = 16;

interface State {
  readonly b: Uint8Array;
  readonly v: DataView;
  readonly bad: (why: string) => never;
  /** Values that may still be read: places may be shared. */
  left: number;
}
/** Types, the upper six bits of a byte; the lower two say how wide what it stands for is. */
const T = {
  null: 0,
  int: 1,
  uint: 2,
  float: 3,
  key: 4,
  string: 5,
  indirectInt: 6,
  indirectUint: 7,
  indirectFloat: 8,
  map: 9,
  vector: 10,
  vectorInt: 11,
  vectorFloat: 13,
  vectorKey: 14,
  blob: 25,
  bool: 26,
  vectorBool: 36,
};

/** E203: cut off, places outside, lists in lists without end. Empty bytes are null. */
export function readFlex(b: Uint8Array, file: string, what: string): Flex {
  if (b.length === 0) return null;
  const bad = (why: string): never => fail('E203', { file, why: `options of ${what}: ${why}` }, { k: 'file', file, what });
  const s: State = { b, v: new DataView(b.buffer, b.byteOffset, b.byteLength), bad, left: 4 * b.length };
  const width = b[b.length - 1] ?? 0;
  if (b.length < 3 || ![1, 2, 4, 8].includes(width) || b.length < 2 + width) bad('they are no FlexBuffer');
  return value(s, b.length - 2 - width, width, b[b.length - 2] ?? 0, 0);
}
function uint(s: State, at: number, width: number): number {
  if (at < 0 || at + width > s.b.length) s.bad('a place outside of them');
  if (width === 1) return s.v.getUint8(at);
  if (width === 2) return s.v.getUint16(at, true);
  return width === 4 ? s.v.getUint32(at, true) : Number(s.v.getBigUint64(at, true));
}
function int(s: State, at: number, width: number): number {
  uint(s, at, width);
  if (width === 1) return s.v.getInt8(at);
  if (width === 2) return s.v.getInt16(at, true);
  return width === 4 ? s.v.getInt32(at, true) : Number(s.v.getBigInt64(at, true));
}
function float(s: State, at: number, width: number): number {
  uint(s, at, width);
  if (width < 4) return s.bad(`a float of ${width} bytes`);
  return width === 4 ? s.v.getFloat32(at, true) : s.v.getFloat64(at, true);
}
/** An offset counts backwards from where it lies. */
const follow = (s: State, at: number, width: number): number => at - uint(s, at, width);

function value(s: State, at: number, parent: number, packed: number, depth: number): Flex {
  if (--s.left < 0 || depth > MAX_DEPTH) s.bad('they unfold to more than they hold');
  const [type, width] = [packed >> 2, 1 << (packed & 3)];
  if (type === T.null) return null;
  if (type === T.int) return int(s, at, parent);
  if (type === T.uint) return uint(s, at, parent);
  if (type === T.float) return float(s, at, parent);
  if (type === T.bool) return uint(s, at, parent) !== 0;
  const to = follow(s, at, parent);
  if (type === T.indirectInt) return int(s, to, width);
  if (type === T.indirectUint) return uint(s, to, width);
  if (type === T.indirectFloat) return float(s, to, width);
  if (type === T.key) return key(s, to);
  if (type === T.string || type === T.blob) {
    const n = length(s, to, width, 1);
    const b = s.b.subarray(to, to + n);
    return type === T.string ? textOf(b) : b;
  }
  if (type === T.map) return map(s, to, width, depth + 1);
  const n = length(s, to, width, width);
  const items = (read: (i: number) => Flex): Flex[] => {
    s.left -= n;
    return s.left < 0 ? s.bad('they unfold to more than they hold') : Array.from({ length: n }, (_, i) => read(i));
  };
  if (type === T.vector) return elements(s, to, width, n, depth + 1);
  if (type >= T.vectorInt && type < T.vectorKey) {
    const read = type === T.vectorInt ? int : type === T.vectorFloat ? float : uint;
    return items(i => read(s, to + i * width, width));
  }
  if (type === T.vectorBool) return items(i => uint(s, to + i * width, width) !== 0);
  if (type === T.vectorKey) return items(i => key(s, follow(s, to + i * width, width)));
  return s.bad(`a value of type ${type}`);
}
/** The number of elements of a list, which lies before them. */
function length(s: State, at: number, width: number, size: number): number {
  const n = uint(s, at - width, width);
  return n * size <= s.b.length - at ? n : s.bad(`a list of ${n} elements`);
}
function key(s: State, at: number): string {
  const end = s.b.indexOf(0, at);
  if (at < 0 || end < 0) s.bad('a key without an end');
  s.left -= end - at;
  return textOf(s.b.subarray(at, end));
}
/** The types of the elements follow them, a byte each. */
function elements(s: State, at: number, width: number, n: number, depth: number): Flex[] {
  if (at + n * (width + 1) > s.b.length) s.bad(`a list of ${n} elements`);
  return Array.from({ length: n }, (_, i) => value(s, at + i * width, width, uint(s, at + n * width + i, 1), depth));
}
/** Before the values lie the place of the keys and how wide these are. */
function map(s: State, at: number, width: number, depth: number): FlexMap {
  const n = length(s, at, width, width);
  const keys = follow(s, at - 3 * width, width);
  const wide = uint(s, at - 2 * width, width);
  if (![1, 2, 4, 8].includes(wide)) s.bad('keys of no width');
  const values = elements(s, at, width, n, depth);
  return Object.fromEntries(values.map((v, i) => [key(s, follow(s, keys + i * wide, wide)), v]));
}
