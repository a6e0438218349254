import { DTYPES, isFloat, type DType, type TypedArray } from './dtype.ts';
import { codeOf } from './codes.ts';
import { InternalError } from './diagnostic.ts';

/**
 * A concrete tensor: row-major elements as little-endian bytes. The bytes are often a view of the model's file, so nothing may write
 * to them.
 */
export interface Tensor {
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly bytes: Uint8Array;
  /** What its elements are places in, where they are texts: see `texts.ts`. */
  readonly texts?: readonly string[];
}

export const numel = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** The elements as a typed array: a view where the bytes are aligned, else a copy. Types that are `isCoded` come as their bits. */
export function typed(t: Tensor): TypedArray {
  const { array: Ctor, bytes } = DTYPES[t.dtype];
  const n = Math.floor(t.bytes.byteLength / bytes);
  if (t.bytes.byteOffset % bytes === 0) return new Ctor(t.bytes.buffer as ArrayBuffer, t.bytes.byteOffset, n);
  return new Ctor(new Uint8Array(t.bytes).buffer, 0, n);
}

/** Every element as a JavaScript number (64-bit integers lose what a double cannot hold). */
export function toNumbers(t: Tensor): Float64Array {
  const a = typed(t);
  const code = codeOf(t.dtype);
  // Between arrays of numbers the engine converts at the speed of memory.
  if (!code && !(a instanceof BigInt64Array) && !(a instanceof BigUint64Array)) return new Float64Array(a);
  const out = new Float64Array(a.length);
  for (let i = 0; i < out.length; i++) out[i] = code ? code.decode(Number(a[i])) : Number(a[i]);
  return out;
}
/** Types whose arrays convert numbers as `fromNumbers` promises. */
const DIRECT = {
  f32: Float32Array,
  f64: Float64Array,
  i8: Int8Array,
  u8: Uint8Array,
  i16: Int16Array,
  u16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
} as const;
const isDirect = (t: DType): t is keyof typeof DIRECT => Object.hasOwn(DIRECT, t);
/** A tensor of `dtype` from numbers: floats are rounded, integers wrap as C casts do, bool is `!= 0`. */
export function fromNumbers(dtype: DType, dims: readonly number[], values: ArrayLike<number>): Tensor {
  const n = numel(dims);
  if (values.length !== n) throw new InternalError(`${values.length} values for a tensor of ${n}`);
  if (isDirect(dtype)) return fromTyped(dtype, dims, new DIRECT[dtype](values));
  const out = new DTYPES[dtype].array(n);
  const write = writer(dtype, out);
  for (let i = 0; i < n; i++) write(i, values[i] ?? 0);
  return fromTyped(dtype, dims, out);
}
/** Stores a number into a typed array of `dtype`, rounding or wrapping as that type does. */
export function writer(dtype: DType, out: TypedArray): (i: number, v: number) => void {
  if (out instanceof BigInt64Array || out instanceof BigUint64Array)
    return (i, v) => void (out[i] = Number.isFinite(v) ? BigInt(Math.trunc(v)) : 0n);
  const code = codeOf(dtype);
  if (code) return (i, v) => void (out[i] = code.encode(v));
  if (dtype === 'bool') return (i, v) => void (out[i] = v === 0 ? 0 : 1);
  return (i, v) => void (out[i] = v);
}
export function fromTyped(dtype: DType, dims: readonly number[], data: TypedArray): Tensor {
  return { dtype, dims, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}
export const scalar = (dtype: DType, v: number): Tensor => fromNumbers(dtype, [], [v]);
/** A tensor whose elements are all zero. */
export const zeros = (dtype: DType, dims: readonly number[]): Tensor =>
  fromTyped(dtype, dims, new DTYPES[dtype].array(numel(dims)));
/** The one value all elements share, or undefined. */
export function splatOf(t: Tensor): number | undefined {
  const n = numel(t.dims);
  if (n === 0) return undefined;
  const size = DTYPES[t.dtype].bytes;
  for (let i = size; i < t.bytes.length; i++) if (t.bytes[i] !== t.bytes[i % size]) return undefined;
  const v = toNumbers({ dtype: t.dtype, dims: [], bytes: t.bytes.subarray(0, size) })[0];
  return isFloat(t.dtype) || Number.isSafeInteger(v) ? v : undefined;
}
/** Row-major strides in elements. */
export function stridesOf(dims: readonly number[]): number[] {
  const out = new Array<number>(dims.length);
  let s = 1;
  for (let i = dims.length - 1; i >= 0; i--) {
    out[i] = s;
    s *= dims[i] ?? 1;
  }
  return out;
}
