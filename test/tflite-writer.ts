import { BUILTINS, OPTIONS, OPTIONS_2, TENSOR_TYPES } from '../compiler/import/tflite/schema.ts';

/** Writes TensorFlow Lite files for tests: FlatBuffers from the front to the back, each table before what it refers to. */

export interface TensorSpec {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly signature?: readonly number[];
  /** Contents: bytes as they lie in the file, or numbers of the type. */
  readonly data?: Uint8Array | readonly number[];
  readonly scale?: readonly number[];
  readonly zero?: readonly number[];
  readonly axis?: number;
  readonly variable?: boolean;
  readonly sparsity?: {
    readonly order: readonly number[];
    readonly blockMap: readonly number[];
    readonly dims: readonly SparseDimSpec[];
  };
}
export type SparseDimSpec = number | { readonly segments: readonly number[]; readonly indices: readonly number[] };
export interface OperatorSpec {
  /** The name of a builtin, or of a custom operator. */
  readonly op: string;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** The name of a table of options, and its fields. */
  readonly table?: string;
  readonly options?: Readonly<Record<string, number | boolean | string | readonly number[]>>;
  readonly customOptions?: Uint8Array;
}
export interface GraphSpec {
  readonly name?: string;
  readonly tensors: readonly TensorSpec[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly operators: readonly OperatorSpec[];
}
export interface ModelSpec {
  readonly graphs: readonly GraphSpec[];
  readonly signatures?: readonly {
    readonly key: string;
    readonly graph: number;
    readonly inputs: Readonly<Record<string, number>>;
    readonly outputs: Readonly<Record<string, number>>;
  }[];
  readonly metadata?: Readonly<Record<string, Uint8Array>>;
}

type Scalar = 'u8' | 'i8' | 'bool' | 'u16' | 'i32' | 'u32' | 'f32' | 'i64' | 'u64';
type Field =
  | { readonly k: 'number'; readonly type: Scalar; readonly value: number }
  | { readonly k: 'table'; readonly fields: Fields }
  | { readonly k: 'tables'; readonly items: readonly Fields[] }
  | { readonly k: 'numbers'; readonly type: Scalar; readonly values: readonly number[] }
  | { readonly k: 'bytes'; readonly bytes: Uint8Array; readonly align: number; readonly text: boolean };
type Fields = Readonly<Record<number, Field | undefined>>;

const SIZES: Readonly<Record<Scalar, number>> = { u8: 1, i8: 1, bool: 1, u16: 2, i32: 4, u32: 4, f32: 4, i64: 8, u64: 8 };
const number = (type: Scalar, value: number): Field => ({ k: 'number', type, value });
const numbers = (type: Scalar, values: readonly number[] | undefined): Field | undefined =>
  values && { k: 'numbers', type, values };
const text = (s: string): Field => ({ k: 'bytes', bytes: new TextEncoder().encode(s), align: 4, text: true });
const data = (bytes: Uint8Array): Field => ({ k: 'bytes', bytes, align: 16, text: false });
const tables = (items: readonly Fields[]): Field => ({ k: 'tables', items });

/** Bytes that grow. */
interface Out {
  bytes: Uint8Array;
  at: number;
}
const view = (o: Out): DataView => new DataView(o.bytes.buffer);
/** Takes `size` bytes at a place where what is `skip` bytes on is aligned. */
function take(o: Out, size: number, align: number, skip = 0): number {
  const at = Math.ceil((o.at + skip) / align) * align - skip;
  while (at + size > o.bytes.length) {
    const more = new Uint8Array(2 * o.bytes.length);
    more.set(o.bytes);
    o.bytes = more;
  }
  o.at = at + size;
  return at;
}
function put(o: Out, at: number, type: Scalar, v: number): void {
  const d = view(o);
  const set: Readonly<Record<Scalar, () => void>> = {
    u8: () => d.setUint8(at, v),
    bool: () => d.setUint8(at, v),
    i8: () => d.setInt8(at, v),
    u16: () => d.setUint16(at, v, true),
    i32: () => d.setInt32(at, v, true),
    u32: () => d.setUint32(at, v, true),
    f32: () => d.setFloat32(at, v, true),
    i64: () => d.setBigInt64(at, BigInt(v), true),
    u64: () => d.setBigUint64(at, BigInt(v), true),
  };
  set[type]();
}
/** Writes a table and what it refers to; gives where it begins. */
function writeTable(o: Out, fields: Fields): number {
  const ids = Object.keys(fields)
    .map(Number)
    .filter(id => fields[id] !== undefined);
  const count = Math.max(-1, ...ids) + 1;
  const sizeOf = (f: Field): number => (f.k === 'number' ? SIZES[f.type] : 4);
  // Larger ones first, so that all are aligned.
  const order = [...ids].sort((a, b) => sizeOf(fields[b] ?? text('')) - sizeOf(fields[a] ?? text('')));
  const places = new Map<number, number>();
  let size = 4;
  for (const id of order) {
    const s = sizeOf(fields[id] ?? text(''));
    size = Math.ceil((size + (s === 8 ? 4 : 0)) / s) * s - (s === 8 ? 4 : 0);
    places.set(id, size);
    size += s;
  }
  const vtable = take(o, 4 + 2 * count, 2);
  const at = take(o, size, 8, 4);
  put(o, vtable, 'u16', 4 + 2 * count);
  put(o, vtable + 2, 'u16', size);
  for (const [id, place] of places) put(o, vtable + 4 + 2 * id, 'u16', place);
  put(o, at, 'i32', at - vtable);
  for (const [id, place] of places) {
    const f = fields[id];
    if (!f) continue;
    if (f.k === 'number') put(o, at + place, f.type, f.value);
    else put(o, at + place, 'u32', writeField(o, f) - (at + place));
  }
  return at;
}
function writeField(o: Out, f: Exclude<Field, { k: 'number' }>): number {
  if (f.k === 'table') return writeTable(o, f.fields);
  if (f.k === 'bytes') {
    const at = take(o, 4 + f.bytes.length + (f.text ? 1 : 0), f.align, 4);
    put(o, at, 'u32', f.bytes.length);
    o.bytes.set(f.bytes, at + 4);
    return at;
  }
  if (f.k === 'numbers') {
    const size = SIZES[f.type];
    const at = take(o, 4 + size * f.values.length, Math.max(4, size), 4);
    put(o, at, 'u32', f.values.length);
    f.values.forEach((v, i) => put(o, at + 4 + i * size, f.type, v));
    return at;
  }
  const at = take(o, 4 + 4 * f.items.length, 4);
  put(o, at, 'u32', f.items.length);
  f.items.forEach((item, i) => put(o, at + 4 + 4 * i, 'u32', writeTable(o, item) - (at + 4 + 4 * i)));
  return at;
}

const ELEMENTS: Readonly<Record<string, (v: readonly number[]) => Uint8Array>> = {
  FLOAT32: v => new Uint8Array(Float32Array.from(v).buffer),
  FLOAT64: v => new Uint8Array(Float64Array.from(v).buffer),
  INT8: v => new Uint8Array(Int8Array.from(v).buffer),
  UINT8: v => Uint8Array.from(v),
  BOOL: v => Uint8Array.from(v),
  INT16: v => new Uint8Array(Int16Array.from(v).buffer),
  UINT16: v => new Uint8Array(Uint16Array.from(v).buffer),
  FLOAT16: v => new Uint8Array(Uint16Array.from(v).buffer),
  INT32: v => new Uint8Array(Int32Array.from(v).buffer),
  UINT32: v => new Uint8Array(Uint32Array.from(v).buffer),
  INT64: v => new Uint8Array(BigInt64Array.from(v.map(BigInt)).buffer),
  INT4: v =>
    Uint8Array.from({ length: Math.ceil(v.length / 2) }, (_, i) => ((v[2 * i] ?? 0) & 15) | (((v[2 * i + 1] ?? 0) & 15) << 4)),
};
const bytesOf = (t: TensorSpec): Uint8Array | undefined =>
  t.data === undefined || t.data instanceof Uint8Array ? t.data : ELEMENTS[t.type]?.(t.data);

/** The bytes of a file. */
export function writeTflite(m: ModelSpec): Uint8Array {
  const buffers: (Uint8Array | undefined)[] = [undefined];
  const codes: OperatorSpec[] = [];
  const subgraphs = m.graphs.map((g): Fields => {
    const tensor = (t: TensorSpec): Fields => {
      const bytes = bytesOf(t);
      if (bytes) buffers.push(bytes);
      const quantized = t.scale && {
        2: numbers('f32', t.scale),
        3: numbers('i64', t.zero ?? [0]),
        6: number('i32', t.axis ?? 0),
      };
      return {
        0: numbers('i32', t.shape),
        1: number('i8', TENSOR_TYPES.indexOf(t.type)),
        2: number('u32', bytes ? buffers.length - 1 : 0),
        3: text(t.name),
        4: quantized && { k: 'table', fields: quantized },
        5: t.variable === true ? number('bool', 1) : undefined,
        6: t.sparsity && { k: 'table', fields: sparsity(t.sparsity) },
        7: numbers('i32', t.signature),
        8: number('bool', 1),
      };
    };
    const operator = (o: OperatorSpec): Fields => {
      let code = codes.findIndex(c => c.op === o.op);
      if (code < 0) code = codes.push(o) - 1;
      const fields: Fields = { 0: number('u32', code), 1: numbers('i32', o.inputs), 2: numbers('i32', o.outputs) };
      return {
        ...fields,
        ...options(o),
        ...(o.customOptions && { 5: { k: 'bytes', bytes: o.customOptions, align: 4, text: false } }),
      };
    };
    const made = g.tensors.map(tensor);
    return {
      0: tables(made),
      1: numbers('i32', g.inputs),
      2: numbers('i32', g.outputs),
      3: tables(g.operators.map(operator)),
      4: text(g.name ?? 'main'),
    };
  });
  const metadata = Object.entries(m.metadata ?? {}).map(([name, bytes]): Fields => {
    buffers.push(bytes);
    return { 0: text(name), 1: number('u32', buffers.length - 1) };
  });
  const named = (names: Readonly<Record<string, number>>): Field =>
    tables(Object.entries(names).map(([name, at]) => ({ 0: text(name), 1: number('u32', at) })));
  const signatures = m.signatures?.map(s => ({
    0: named(s.inputs),
    1: named(s.outputs),
    2: text(s.key),
    4: number('u32', s.graph),
  }));
  const o: Out = { bytes: new Uint8Array(1024), at: 8 };
  const root = writeTable(o, {
    0: number('u32', 3),
    1: tables(codes.map(operatorCode)),
    2: tables(subgraphs),
    3: text('test'),
    4: tables(buffers.map(b => (b ? { 0: data(b) } : {}))),
    6: metadata.length > 0 ? tables(metadata) : undefined,
    7: signatures && tables(signatures),
  });
  put(o, 0, 'u32', root);
  o.bytes.set(new TextEncoder().encode('TFL3'), 4);
  return o.bytes.slice(0, o.at);
}
function operatorCode({ op }: OperatorSpec): Fields {
  const builtin = BUILTINS.indexOf(op);
  const code = builtin < 0 ? BUILTINS.indexOf('CUSTOM') : builtin;
  return {
    0: number('i8', Math.min(code, 127)),
    1: builtin < 0 ? text(op) : undefined,
    2: number('i32', 1),
    3: number('i32', code),
  };
}
function options(o: OperatorSpec): Fields {
  if (o.table === undefined) return {};
  const find = (union: readonly string[]): number => union.findIndex(row => row.split(' ')[0] === o.table);
  const [first, second] = [find(OPTIONS), find(OPTIONS_2)];
  const row = (first >= 0 ? OPTIONS[first] : OPTIONS_2[second]) ?? '';
  const fields: Record<number, Field> = {};
  row
    .split(' ')
    .slice(1)
    .forEach((spec, id) => {
      const [, name = '', type = '', list] = /^(\w+):(\w+?)(\[\])?(?:=.*)?$/.exec(spec) ?? [];
      const v = o.options?.[name];
      if (v === undefined) return;
      const kind = scalarOf(type);
      if (typeof v === 'string') fields[id] = text(v);
      else if (typeof v === 'object') fields[id] = { k: 'numbers', type: kind, values: v };
      else if (list === undefined) fields[id] = number(kind, Number(v));
    });
  const at = first >= 0 ? 3 : 11;
  return { [at]: number('u8', (first >= 0 ? first : second) + 1), [at + 1]: { k: 'table', fields } };
}
const scalarOf = (type: string): Scalar =>
  (['u8', 'i8', 'bool', 'u16', 'i32', 'u32', 'f32', 'i64', 'u64'] as const).find(s => s === type) ?? 'i32';
function sparsity(s: NonNullable<TensorSpec['sparsity']>): Fields {
  const list = (values: readonly number[]): Field => ({ k: 'table', fields: { 0: numbers('i32', values) } });
  const dim = (d: SparseDimSpec): Fields =>
    typeof d === 'number'
      ? { 0: number('i8', 0), 1: number('i32', d) }
      : { 0: number('i8', 1), 2: number('u8', 1), 3: list(d.segments), 4: number('u8', 1), 5: list(d.indices) };
  return { 0: numbers('i32', s.order), 1: numbers('i32', s.blockMap), 2: tables(s.dims.map(dim)) };
}
