import type { TypedArray } from '../../core/dtype.ts';
import { cursor, damaged, left, skip, take, textOf, u8, type Cursor } from './cursor.ts';
import type { Json } from './json.ts';

/** Objects and arrays may lie in each other this deep; models need about ten. */
const MAX_DEPTH = 64;
/** Values other than elements of typed arrays; a tree of XGBoost takes about forty. */
const MAX_VALUES = 20_000_000;

interface State {
  readonly c: Cursor;
  values: number;
}
const ascii = (s: string): number => s.charCodeAt(0);
const SIZES: Readonly<Record<number, number>> = {
  [ascii('i')]: 1,
  [ascii('U')]: 1,
  [ascii('I')]: 2,
  [ascii('l')]: 4,
  [ascii('L')]: 8,
  [ascii('d')]: 4,
  [ascii('D')]: 8,
};

/**
 * Universal Binary JSON, draft 12, as XGBoost writes it: big-endian numbers, arrays of one type (`[$type#count`) as typed arrays.
 * E203: cut off, an unknown marker, a count beyond the bytes that are left, nesting too deep.
 */
export function decodeUbjson(bytes: Uint8Array, file: string): Json {
  const s: State = { c: cursor(bytes, file, 'UBJSON'), values: 0 };
  const j = value(s, u8(s.c), 0);
  if (left(s.c) > 0) damaged(s.c, `${left(s.c)} bytes follow the end`);
  return j;
}
function value(s: State, marker: number, depth: number): Json {
  const { c } = s;
  if (++s.values > MAX_VALUES) damaged(c, `it holds more than ${MAX_VALUES} values`);
  switch (String.fromCharCode(marker)) {
    case 'Z':
      return null;
    case 'T':
      return true;
    case 'F':
      return false;
    case 'C':
      return String.fromCharCode(u8(c));
    case 'S':
    case 'H':
      return text(s);
    case '[':
      return array(s, depth + 1);
    case '{':
      return object(s, depth + 1);
    default: {
      const n = number(c, marker);
      return typeof n !== 'bigint' || !Number.isSafeInteger(Number(n)) ? n : Number(n);
    }
  }
}
function number(c: Cursor, marker: number): number | bigint {
  const size = SIZES[marker];
  if (size === undefined) return damaged(c, `the byte ${marker} is no marker of UBJSON`);
  const at = skip(c, size);
  switch (String.fromCharCode(marker)) {
    case 'i':
      return c.view.getInt8(at);
    case 'U':
      return c.view.getUint8(at);
    case 'I':
      return c.view.getInt16(at);
    case 'l':
      return c.view.getInt32(at);
    case 'L':
      return c.view.getBigInt64(at);
    case 'd':
      return c.view.getFloat32(at);
    default:
      return c.view.getFloat64(at);
  }
}
/** A length or a count, with its type before it. */
function count(c: Cursor): number {
  const marker = u8(c);
  if (marker === ascii('d') || marker === ascii('D')) damaged(c, 'a length that is no integer');
  const n = Number(number(c, marker));
  return n >= 0 && n <= c.bytes.length ? n : damaged(c, `a length of ${n} in a file of ${c.bytes.length} bytes`);
}
const text = (s: State): string => textOf(take(s.c, count(s.c)));

interface Head {
  readonly type: number | undefined;
  readonly count: number | undefined;
}
/** `$type` and `#count`, which may be missing. */
function head(c: Cursor): Head {
  let type: number | undefined;
  if (c.bytes[c.at] === ascii('$')) {
    c.at++;
    type = u8(c);
    if (c.bytes[c.at] !== ascii('#')) damaged(c, 'a container with a type needs a count');
  }
  if (c.bytes[c.at] !== ascii('#')) return { type, count: undefined };
  c.at++;
  return { type, count: count(c) };
}
function enter(c: Cursor, depth: number): void {
  if (depth > MAX_DEPTH) damaged(c, `arrays and objects lie more than ${MAX_DEPTH} deep in each other`);
}
function array(s: State, depth: number): Json {
  const { c } = s;
  enter(c, depth);
  const h = head(c);
  if (h.count === undefined) {
    const out: Json[] = [];
    for (let m = u8(c); m !== ascii(']'); m = u8(c)) if (m !== ascii('N')) out.push(value(s, m, depth));
    return out;
  }
  if (h.type !== undefined && SIZES[h.type] !== undefined) return typedArray(c, h.type, h.count);
  if (h.count > left(c)) damaged(c, `an array of ${h.count} elements with ${left(c)} bytes left`);
  const out: Json[] = [];
  for (let i = 0; i < h.count; i++) out.push(value(s, h.type ?? u8(c), depth));
  return out;
}
function typedArray(c: Cursor, marker: number, n: number): TypedArray {
  const size = SIZES[marker] ?? 1;
  const at = skip(c, n * size);
  const swapped = new Uint8Array(n * size);
  for (let i = 0; i < n; i++) for (let b = 0; b < size; b++) swapped[i * size + b] = c.bytes[at + i * size + size - 1 - b] ?? 0;
  const { buffer } = swapped;
  switch (String.fromCharCode(marker)) {
    case 'i':
      return new Int8Array(buffer);
    case 'U':
      return swapped;
    case 'I':
      return new Int16Array(buffer);
    case 'l':
      return new Int32Array(buffer);
    case 'L':
      return new BigInt64Array(buffer);
    case 'd':
      return new Float32Array(buffer);
    default:
      return new Float64Array(buffer);
  }
}
function object(s: State, depth: number): Json {
  const { c } = s;
  enter(c, depth);
  const h = head(c);
  // Without a prototype, a key `__proto__` is a key like others.
  const out = Object.create(null) as Record<string, Json>;
  if (h.count !== undefined && h.count > left(c)) damaged(c, `an object of ${h.count} fields with ${left(c)} bytes left`);
  for (let i = 0; h.count === undefined || i < h.count; i++) {
    if (h.count === undefined && c.bytes[c.at] === ascii('}')) {
      c.at++;
      break;
    }
    const key = text(s);
    out[key] = value(s, h.type ?? u8(c), depth);
  }
  return out;
}
