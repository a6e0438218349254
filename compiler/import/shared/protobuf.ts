import protobuf from 'protobufjs/minimal.js';
import { CompileError, fail } from '../../core/diagnostic.ts';

/**
 * A table-driven decoder for the protobuf wire format on top of protobufjs' reader. protobufjs' own reflection makes its decoders with
 * `Function`, which a Content-Security-Policy forbids where the compiler runs in a page, and copies numbers out of the file; here bytes
 * stay views of it.
 */
type Reader = ReturnType<typeof protobuf.Reader.create>;

interface Cursor {
  readonly r: Reader;
  /** The messages and fields being read, outermost first: the place to name when something is wrong. */
  readonly path: string[];
  /** Whether a text or message of the outermost level was met as the schema has it: then the file is damaged, not of another format. */
  begun: boolean;
  records: number;
  /** Where the message that is being read ends. */
  end: number;
  /** Short texts of lists: the same few come again and again. */
  readonly texts: Map<string, string>;
}

/** How to read one field whose value in the record is a `T`. */
interface Field<T> {
  readonly number: number;
  readonly wires: readonly number[];
  /** The value where the file leaves the field out. */
  readonly blank: T;
  /** Reads one occurrence, given what earlier ones left. */
  readonly read: (c: Cursor, had: T, wire: number) => T;
  /** Turns what `read` accumulated into the value, once the message ends. */
  readonly finish?: (had: T) => T;
}
export interface Message<T> {
  readonly name: string;
  readonly fields: { readonly [K in keyof T]: Field<T[K]> };
}
interface Slot {
  readonly key: string;
  /** For messages: the message and the field. */
  readonly label: string;
  /** Bit n: wire type n is right. */
  readonly wires: number;
  readonly field: Field<unknown>;
}
/** A message by field number, made once a message. */
interface Table {
  readonly blank: Readonly<Record<string, unknown>>;
  readonly byNumber: readonly (Slot | undefined)[];
  readonly finishing: readonly Slot[];
}

const VARINT = 0;
const FIXED64 = 1;
const LEN = 2;
const FIXED32 = 5;

/** Bounds for hostile files. Real models stay far below both: a node is about five records, a level of sub-graph three messages. */
const MAX_DEPTH = 600;
const MAX_RECORDS = 3_000_000;

const tables = new WeakMap<object, Table>();
function tableOf<T>(m: Message<T>): Table {
  const had = tables.get(m);
  if (had) return had;
  const blank: Record<string, unknown> = {};
  const byNumber: (Slot | undefined)[] = [];
  const finishing: Slot[] = [];
  for (const [key, f] of Object.entries(m.fields)) {
    const field = f as Field<unknown>;
    const slot = { key, label: `${m.name}.${key}`, wires: field.wires.reduce((bits, w) => bits | (1 << w), 0), field };
    blank[key] = slot.field.blank;
    while (byNumber.length <= slot.field.number) byNumber.push(undefined);
    byNumber[slot.field.number] = slot;
    if (slot.field.finish) finishing.push(slot);
  }
  const table = { blank, byNumber, finishing };
  tables.set(m, table);
  return table;
}

function body<T>(c: Cursor, m: Message<T>, end: number): T {
  if (c.path.length >= MAX_DEPTH) throw new RangeError(`more than ${MAX_DEPTH} messages inside each other`);
  if (++c.records > MAX_RECORDS) throw new RangeError(`more than ${MAX_RECORDS} records`);
  const table = tableOf(m);
  const record: Record<string, unknown> = { ...table.blank };
  const outermost = c.path.length === 0;
  const { r, path, end: outer } = c;
  c.end = end;
  while (r.pos < end) {
    const tag = r.tag();
    const wire = tag & 7;
    const slot = table.byNumber[tag >>> 3];
    if (slot === undefined) {
      r.skipType(wire, 0, tag >>> 3);
      continue;
    }
    path.push(slot.label);
    if (((slot.wires >> wire) & 1) === 0) throw new RangeError(`wire type ${wire} does not belong here`);
    if (outermost && wire === LEN) c.begun = true;
    record[slot.key] = slot.field.read(c, record[slot.key], wire);
    path.pop();
  }
  c.end = outer;
  if (r.pos !== end) throw new RangeError('a field is longer than its message');
  for (const { key, field } of table.finishing) if (field.finish) record[key] = field.finish(record[key]);
  return record as T;
}
function nested<T>(c: Cursor, m: Message<T>): T {
  const size = c.r.size();
  if (size > c.r.len - c.r.pos) throw new RangeError(`${size} bytes are announced, ${c.r.len - c.r.pos} are left`);
  return body(c, m, c.r.pos + size);
}

/** Reads a whole file, which should be `what`, as message `m`. E202: it is of another format. E203: it begins like one and is cut off or damaged. */
export function decodeMessage<T>(bytes: Uint8Array, m: Message<T>, what: string, file: string): T {
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const c: Cursor = { r: protobuf.Reader.create(plain), path: [], begun: false, records: 0, end: 0, texts: new Map() };
  try {
    return body(c, m, plain.length);
  } catch (e) {
    // The reader reports bad input as RangeError or plain Error; anything else is a bug of ours and goes on.
    if (e instanceof CompileError || !(e instanceof Error) || e instanceof TypeError || e instanceof ReferenceError) throw e;
    if (!c.begun) return fail('E202', { file, why: `it does not begin like ${what} (${e.message})` });
    const place = c.path.length > 6 ? [...c.path.slice(0, 2), '…', ...c.path.slice(-3)] : c.path;
    return fail('E203', { file, why: `${e.message}, at byte ${c.r.pos} (${place.join(' > ')})` });
  }
}

/** Shared by all records without elements in a list; `append` never writes to it. */
const none: readonly never[] = Object.freeze([]);
function append<T>(had: readonly T[], x: T): readonly T[] {
  if (had.length === 0) return [x];
  (had as T[]).push(x);
  return had;
}

/** Reads the element at hand and those of the same tag that follow at once: a list that is not packed is written so. */
function elements<T>(c: Cursor, had: readonly T[], number: number, wire: number, get: (c: Cursor) => T): readonly T[] {
  const list = append(had, get(c)) as T[];
  const { r } = c;
  const tag = number * 8 + wire;
  while (tag < 128 && r.pos < c.end && r.buf[r.pos] === tag) {
    r.pos++;
    list.push(get(c));
  }
  return list;
}
/** Texts up to this length are kept once, up to so many of them. */
const SHARED = { length: 32, count: 256 };
function sharedText(c: Cursor): string {
  const s = c.r.string();
  if (s.length > SHARED.length) return s;
  const had = c.texts.get(s);
  if (had !== undefined) return had;
  if (c.texts.size < SHARED.count) c.texts.set(s, s);
  return s;
}

/** A signed 64-bit varint as a number, clamped to what a number holds exactly. */
function int64(r: Reader): number {
  const v = r.int64();
  if (typeof v === 'number') return v;
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, v.high * 2 ** 32 + (v.low >>> 0)));
}

const one = <T>(number: number, wire: number, blank: T, get: (r: Reader) => T): Field<T> => ({
  number,
  wires: [wire],
  blank,
  read: c => get(c.r),
});
export const string = (n: number): Field<string> => one(n, LEN, '', r => r.string());
export const integer = (n: number): Field<number> => one(n, VARINT, 0, int64);
/** A bool. */
export const truth = (n: number): Field<boolean> => one(n, VARINT, false, r => int64(r) !== 0);
export const maybeString = (n: number): Field<string | undefined> => one<string | undefined>(n, LEN, undefined, r => r.string());
export const maybeInteger = (n: number): Field<number | undefined> => one<number | undefined>(n, VARINT, undefined, int64);
export const maybeFloat = (n: number): Field<number | undefined> =>
  one<number | undefined>(n, FIXED32, undefined, r => r.float());
export const maybeFixed32 = (n: number): Field<number | undefined> =>
  one<number | undefined>(n, FIXED32, undefined, r => r.fixed32());
export const maybeBytes = (n: number): Field<Uint8Array | undefined> =>
  one<Uint8Array | undefined>(n, LEN, undefined, r => r.bytes());
export const strings = (n: number): Field<readonly string[]> => ({
  number: n,
  wires: [LEN],
  blank: none,
  read: (c, had) => elements(c, had, n, LEN, sharedText),
});
/** A list of numbers, packed or one by one. */
const numbers = (n: number, wire: number, get: (r: Reader) => number): Field<readonly number[]> => {
  const one = (c: Cursor): number => get(c.r);
  return {
    number: n,
    wires: [wire, LEN],
    blank: none,
    read: (c, had, got) => {
      if (got === wire) return elements(c, had, n, wire, one);
      const end = c.r.size() + c.r.pos;
      if (end > c.r.len) throw new RangeError('the list ends after the file');
      let list = had;
      while (c.r.pos < end) list = append(list, get(c.r));
      if (c.r.pos !== end) throw new RangeError('the last number of a list is cut off');
      return list;
    },
  };
};
export const integers = (n: number): Field<readonly number[]> => numbers(n, VARINT, int64);
export const floats = (n: number): Field<readonly number[]> => numbers(n, FIXED32, r => r.float());
export const message = <T>(n: number, m: () => Message<T>): Field<T | undefined> => ({
  number: n,
  wires: [LEN],
  blank: undefined,
  // Protobuf would merge two occurrences. No writer makes them, and merging would cost hostile files nothing and us their square.
  read: (c, had) => {
    if (had !== undefined) throw new RangeError('the field is there twice');
    return nested(c, m());
  },
});
export const messages = <T>(n: number, m: () => Message<T>): Field<readonly T[]> => ({
  number: n,
  wires: [LEN],
  blank: none,
  read: (c, had) => append(had, nested(c, m())),
});

/** Bytes that grow; only while a message is being read. */
interface Pile {
  readonly pile: Uint8Array;
  readonly size: number;
}
const isPile = (x: object): x is Pile => 'pile' in x;
function heap(had: Uint8Array | Pile, more: Uint8Array): Pile {
  const size = isPile(had) ? had.size : had.length;
  let pile = isPile(had) ? had.pile : had;
  if (!isPile(had) || size + more.length > pile.length) {
    const grown = new Uint8Array(2 * (size + more.length));
    grown.set(pile.subarray(0, size));
    pile = grown;
  }
  pile.set(more, size);
  return { pile, size: size + more.length };
}
/**
 * The packed bytes of a list of numbers: a view of the file where the list was written in one piece, as writers do; else the pieces
 * put together.
 */
export function packed(n: number, kind: 'varint' | 'fixed32' | 'fixed64'): Field<Uint8Array | undefined> {
  const wire = kind === 'varint' ? VARINT : kind === 'fixed32' ? FIXED32 : FIXED64;
  return {
    number: n,
    wires: [wire, LEN],
    blank: undefined,
    read: ({ r }, had, got) => {
      const start = r.pos;
      const piece = got === LEN ? r.bytes() : r.skipType(got).raw(start, r.pos);
      return had === undefined ? piece : (heap(had, piece) as unknown as Uint8Array);
    },
    finish: had => (had !== undefined && isPile(had) ? had.pile.subarray(0, had.size) : had),
  };
}
/** `count` varints as little-endian integers of `size` bytes, or undefined where there are more or fewer, or one is malformed. */
export function varints(bytes: Uint8Array, count: number, size: number): Uint8Array | undefined {
  const out = new Uint8Array(count * size);
  const view = new DataView(out.buffer);
  let at = 0;
  for (let i = 0; i < count; i++) {
    let lo = 0;
    let hi = 0;
    let shift = 0;
    let b: number;
    do {
      if (at >= bytes.length || shift > 63) return undefined;
      b = bytes[at++] ?? 0;
      const low = b & 127;
      if (shift < 32) lo |= low << shift;
      if (shift >= 28) hi |= shift > 31 ? low << (shift - 32) : low >>> (32 - shift);
      shift += 7;
    } while (b > 127);
    if (size === 8) {
      view.setInt32(8 * i, lo, true);
      view.setInt32(8 * i + 4, hi, true);
    } else if (size === 4) view.setInt32(4 * i, lo, true);
    else if (size === 2) view.setInt16(2 * i, lo, true);
    else out[i] = lo;
  }
  return at === bytes.length ? out : undefined;
}
