import { concatBytes } from '../../compiler/core/bytes.ts';

/** Protobuf messages as trees of fields, whatever their schema is, changed and written again with lengths that fit. */

export type Next = () => number;
export const pick = <T>(next: Next, xs: readonly T[]): T | undefined => xs[Math.floor(next() * xs.length)];
export const SIZES = [
  -(2 ** 31),
  -7,
  -3,
  -2,
  -1,
  0,
  1,
  2,
  3,
  4,
  5,
  8,
  17,
  1000,
  65536,
  1e8,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 40,
  2 ** 53 - 1,
];
const FLOATS = [NaN, Infinity, -Infinity, 0, -0, -1, 1e-30, 1e30, 0.3];

type Field =
  | { readonly k: 'varint'; readonly n: number; readonly v: bigint }
  | { readonly k: 'fixed'; readonly n: number; readonly bytes: Uint8Array }
  | { readonly k: 'bytes'; readonly n: number; readonly bytes: Uint8Array }
  | { readonly k: 'message'; readonly n: number; readonly fields: readonly Field[] };

/** The fields of a message; undefined where bytes are none. */
function parse(b: Uint8Array, deep: number): Field[] | undefined {
  const out: Field[] = [];
  let at = 0;
  const varint = (): bigint | undefined => {
    let v = 0n;
    for (let shift = 0n; at < b.length && shift < 70n; shift += 7n) {
      const byte = b[at++] ?? 0;
      v |= BigInt(byte & 127) << shift;
      if (byte < 128) return v;
    }
    return undefined;
  };
  while (at < b.length) {
    const key = varint();
    if (key === undefined) return undefined;
    const [n, type] = [Number(key >> 3n), Number(key & 7n)];
    if (n === 0 || n > 2 ** 29) return undefined;
    if (type === 0) {
      const v = varint();
      if (v === undefined) return undefined;
      out.push({ k: 'varint', n, v });
    } else if (type === 5 || type === 1) {
      const size = type === 5 ? 4 : 8;
      if (at + size > b.length) return undefined;
      out.push({ k: 'fixed', n, bytes: b.slice(at, at + size) });
      at += size;
    } else if (type === 2) {
      const size = Number(varint() ?? -1n);
      if (size < 0 || at + size > b.length) return undefined;
      const bytes = b.slice(at, at + size);
      at += size;
      const fields = deep > 0 && size > 1 ? parse(bytes, deep - 1) : undefined;
      out.push(fields ? { k: 'message', n, fields } : { k: 'bytes', n, bytes });
    } else return undefined;
  }
  return out;
}
function varintBytes(v: bigint): number[] {
  const out: number[] = [];
  for (let left = BigInt.asUintN(64, v); ; left >>= 7n) {
    if (left < 128n) return [...out, Number(left)];
    out.push(Number(left & 127n) | 128);
  }
}
function write(fields: readonly Field[]): Uint8Array {
  const parts = fields.flatMap((f): Uint8Array[] => {
    const key = (type: number): number[] => varintBytes((BigInt(f.n) << 3n) | BigInt(type));
    if (f.k === 'varint') return [Uint8Array.from([...key(0), ...varintBytes(f.v)])];
    if (f.k === 'fixed') return [Uint8Array.from(key(f.bytes.length === 4 ? 5 : 1)), f.bytes];
    const body = f.k === 'bytes' ? f.bytes : write(f.fields);
    return [Uint8Array.from([...key(2), ...varintBytes(BigInt(body.length))]), body];
  });
  return concatBytes(parts);
}
/** Texts of a file: names of nodes, operators and attributes. */
function textsIn(fields: readonly Field[], into: Uint8Array[] = []): Uint8Array[] {
  for (const f of fields) {
    if (f.k === 'message') textsIn(f.fields, into);
    if (f.k === 'bytes' && f.bytes.length < 80) into.push(f.bytes);
  }
  return into;
}
function changedField(next: Next, f: Field, texts: readonly Uint8Array[]): Field | undefined {
  switch (f.k) {
    case 'varint':
      return { ...f, v: BigInt(pick(next, SIZES) ?? 0) };
    case 'fixed':
      return f.bytes.length === 4 ? { ...f, bytes: new Uint8Array(Float32Array.of(pick(next, FLOATS) ?? 0).buffer) } : f;
    case 'bytes': {
      if (next() < 0.6) return { ...f, bytes: pick(next, texts) ?? f.bytes };
      const bytes = f.bytes.slice(0, next() < 0.3 ? Math.floor(next() * f.bytes.length) : f.bytes.length);
      if (bytes.length > 0) bytes[Math.floor(next() * bytes.length)] = Math.floor(next() * 256);
      return { ...f, bytes };
    }
    case 'message':
      return next() < 0.15 ? undefined : { ...f, fields: changedList(next, f.fields, texts) };
  }
}
function changedList(next: Next, fields: readonly Field[], texts: readonly Uint8Array[]): readonly Field[] {
  const at = Math.floor(next() * fields.length);
  const f = fields[at];
  if (!f) return fields;
  switch (Math.floor(next() * 9)) {
    case 0:
      return fields.toSpliced(at, 1);
    case 1:
      return fields.toSpliced(at, 0, f);
    case 2: {
      const other = Math.floor(next() * fields.length);
      return fields.map((x, i) => (i === at ? (fields[other] ?? x) : i === other ? f : x));
    }
    default: {
      const made = changedField(next, f, texts);
      return made ? fields.toSpliced(at, 1, made) : fields.toSpliced(at, 1);
    }
  }
}
/** One or a few things changed in a message. */
export function mutateProtobuf(next: Next, bytes: Uint8Array): Uint8Array {
  let fields: readonly Field[] = parse(bytes, 12) ?? [];
  const texts = textsIn(fields);
  do fields = changedList(next, fields, texts);
  while (next() < 0.4);
  return write(fields);
}
