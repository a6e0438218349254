import { ServeError } from './errors.ts';

export type Numbers =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;
/** A tensor as bundles take it and give it: elements in row-major order, float16 and bfloat16 as their bits. */
export interface Tensor {
  readonly data: Numbers | readonly string[];
  readonly dims: readonly number[];
  /** As manifest.json names it. */
  readonly type: string;
}
/** An element type of bundles that requests can carry. */
interface ElementType {
  /** As manifest.json names it. */
  readonly type: string;
  /** As the Open Inference Protocol names it. */
  readonly datatype: string;
  readonly bytes: number;
  /** Undefined: strings. */
  readonly array: (new (of: number | ArrayBuffer) => Numbers) | undefined;
  /** As NumPy names it; undefined where it has no such type. */
  readonly numpy: string | undefined;
}
const row = (
  type: string,
  datatype: string,
  bytes: number,
  array: ElementType['array'],
  numpy: string | undefined,
): ElementType => ({ type, datatype, bytes, array, numpy });
export const TYPES: readonly ElementType[] = [
  row('float32', 'FP32', 4, Float32Array, 'f4'),
  row('float64', 'FP64', 8, Float64Array, 'f8'),
  row('float16', 'FP16', 2, Uint16Array, 'f2'),
  row('bfloat16', 'BF16', 2, Uint16Array, undefined),
  row('int8', 'INT8', 1, Int8Array, 'i1'),
  row('int16', 'INT16', 2, Int16Array, 'i2'),
  row('int32', 'INT32', 4, Int32Array, 'i4'),
  row('int64', 'INT64', 8, BigInt64Array, 'i8'),
  row('uint8', 'UINT8', 1, Uint8Array, 'u1'),
  row('uint16', 'UINT16', 2, Uint16Array, 'u2'),
  row('uint32', 'UINT32', 4, Uint32Array, 'u4'),
  row('uint64', 'UINT64', 8, BigUint64Array, 'u8'),
  row('bool', 'BOOL', 1, Uint8Array, 'b1'),
  row('string', 'BYTES', 0, undefined, undefined),
];
const byName = new Map(TYPES.map(t => [t.type, t]));
export function typeOf(name: string): ElementType {
  return byName.get(name) ?? bad(`elements of type ${name} cannot be sent`);
}
export const datatypeOf = (type: string): string => byName.get(type)?.datatype ?? type.toUpperCase();

/** What is wrong with a request: 400. */
export function bad(message: string): never {
  throw new ServeError(400, message);
}
/** How many elements a shape has. 400 where a size is no number, or there are more than memory can hold. */
export function countOf(dims: readonly number[]): number {
  let n = 1;
  for (const d of dims) {
    if (!Number.isInteger(d) || d < 0) bad(`a size of ${JSON.stringify(d)} in the shape [${dims.join(', ')}]`);
    n *= d;
  }
  return n <= 2 ** 31 ? n : bad(`the shape [${dims.join(', ')}] holds ${n} elements`);
}
/** Little-endian bytes as elements, copied, since they may lie anywhere. 400 where they are not whole. */
export function fromBytes(type: string, bytes: Uint8Array, name: string): Numbers {
  const { array, bytes: size } = typeOf(type);
  if (!array) return bad(`input ${name} is of strings`);
  if (bytes.length % size !== 0) bad(`input ${name}: ${bytes.length} bytes are no whole number of ${type}`);
  const copy = new ArrayBuffer(bytes.length);
  new Uint8Array(copy).set(bytes);
  return new array(copy);
}
export const bytesOf = (data: Numbers): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
export const isTexts = (data: Tensor['data']): data is readonly string[] => Array.isArray(data);

/** For messages. */
const printable = (_: string, v: unknown): unknown => (typeof v === 'bigint' ? String(v) : v);
const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  int8: [-128, 127],
  int16: [-32768, 32767],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint8: [0, 255],
  uint16: [0, 65535],
  uint32: [0, 2 ** 32 - 1],
};
/**
 * Elements from a flat list of JSON values. null is NaN where the type has it. 400 with the place of the first that does not fit.
 */
export function fromList(type: string, list: readonly unknown[], name: string): Tensor['data'] {
  const { array } = typeOf(type);
  const wrong = (i: number): never =>
    bad(`input ${name}: element ${i} is ${JSON.stringify(list[i], printable).slice(0, 40)} and no ${type}`);
  if (!array) return list.map((v, i) => (typeof v === 'string' ? v : wrong(i)));
  const out = new array(list.length);
  const range = RANGES[type];
  const float = type.startsWith('float') || type === 'bfloat16';
  for (let i = 0; i < list.length; i++) {
    const v = list[i];
    if (out instanceof BigInt64Array || out instanceof BigUint64Array) {
      if ((typeof v !== 'bigint' && !Number.isSafeInteger(v)) || ((v as number) < 0 && out instanceof BigUint64Array))
        return wrong(i);
      out[i] = BigInt(v as number | bigint);
    } else if (type === 'bool') out[i] = typeof v === 'boolean' ? Number(v) : v === 0 || v === 1 ? v : wrong(i);
    else if (float) {
      const n =
        typeof v === 'number'
          ? v
          : v === null || v === 'NaN'
            ? NaN
            : v === 'Infinity'
              ? Infinity
              : v === '-Infinity'
                ? -Infinity
                : wrong(i);
      out[i] = type === 'float16' ? toHalf(n) : type === 'bfloat16' ? toBrain(n) : n;
    } else if (typeof v === 'number' && Number.isInteger(v) && range && v >= range[0] && v <= range[1]) out[i] = v;
    else return wrong(i);
  }
  return out;
}
/** Numbers of a tensor, small floats widened. */
function numbersOf(t: Tensor): ArrayLike<number | bigint> {
  if (isTexts(t.data)) return [];
  if (t.type === 'float16') return Float32Array.from(t.data as Uint16Array, fromHalf);
  if (t.type === 'bfloat16') return Float32Array.from(t.data as Uint16Array, fromBrain);
  return t.data;
}
/** Elements as JSON, without brackets: numbers that JSON has not are null, integers keep all their digits. */
export function jsonElements(t: Tensor): readonly string[] {
  if (isTexts(t.data)) return t.data.map(text => JSON.stringify(text));
  if (t.type === 'bool') return Array.from(bytesOf(t.data), v => (v === 0 ? 'false' : 'true'));
  const numbers = numbersOf(t);
  const out: string[] = [];
  for (let i = 0; i < numbers.length; i++) {
    const v = numbers[i] ?? 0;
    out.push(typeof v === 'bigint' || Number.isFinite(v) ? String(v) : 'null');
  }
  return out;
}
/** A tensor as nested lists of JSON. */
export function jsonNested(t: Tensor): string {
  const all = jsonElements(t);
  let at = 0;
  const level = (axis: number): string => {
    if (axis === t.dims.length) return all[at++] ?? 'null';
    const parts: string[] = [];
    for (let i = 0; i < (t.dims[axis] ?? 0); i++) parts.push(level(axis + 1));
    return `[${parts.join(', ')}]`;
  };
  return level(0);
}

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);
export const toBrain = (v: number): number => {
  float[0] = v;
  const bits = word[0] ?? 0;
  // To the nearest, to even; NaN stays NaN.
  return Number.isNaN(v) ? 0x7fc0 : ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
};
const fromBrain = (bits: number): number => {
  word[0] = bits << 16;
  return float[0] ?? NaN;
};
/** IEEE 754 binary16, to the nearest, to even. */
export function toHalf(v: number): number {
  const sign = v < 0 || Object.is(v, -0) ? 0x8000 : 0;
  const a = Math.abs(v);
  if (Number.isNaN(v)) return 0x7e00;
  if (a >= 65520) return sign | 0x7c00;
  if (a < 2 ** -14) return sign | even(a * 2 ** 24);
  const e = Math.floor(Math.log2(a));
  const exponent = a < 2 ** e ? e - 1 : a >= 2 ** (e + 1) ? e + 1 : e;
  return sign | (((exponent + 14) << 10) + even((a / 2 ** exponent) * 1024));
}
function even(x: number): number {
  const r = Math.round(x);
  return r - x === 0.5 && r % 2 === 1 ? r - 1 : r;
}
export function fromHalf(bits: number): number {
  const e = (bits >> 10) & 31;
  const m = bits & 1023;
  const a = e === 0 ? m * 2 ** -24 : e === 31 ? (m === 0 ? Infinity : NaN) : (1 + m / 1024) * 2 ** (e - 15);
  return bits & 0x8000 ? -a : a;
}
