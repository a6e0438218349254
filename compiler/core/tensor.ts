import { DTYPES, isFloat, type DType, type TypedArray } from './dtype.ts';
import { InternalError } from './diagnostic.ts';

/**
 * A concrete tensor: row-major elements as little-endian bytes. The bytes are often a view of the model's file, so nothing may write
 * to them.
 */
export interface Tensor {
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly bytes: Uint8Array;
}

export const numel = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** The elements as a typed array: a view where the bytes are aligned, else a copy. f16 and bf16 come as their bits. */
export function typed(t: Tensor): TypedArray {
  const { array: Ctor, bytes } = DTYPES[t.dtype];
  const n = Math.floor(t.bytes.byteLength / bytes);
  if (t.bytes.byteOffset % bytes === 0) return new Ctor(t.bytes.buffer as ArrayBuffer, t.bytes.byteOffset, n);
  return new Ctor(new Uint8Array(t.bytes).buffer, 0, n);
}

const scratch = new DataView(new ArrayBuffer(4));
/** The value of an IEEE half from its bits. */
export function fromF16(h: number): number {
  const e = (h >> 10) & 31;
  const m = h & 1023;
  const v = e === 0 ? m * 2 ** -24 : e === 31 ? (m === 0 ? Infinity : NaN) : (1 + m / 1024) * 2 ** (e - 15);
  return h & 0x8000 ? -v : v;
}
/** The bits of the nearest IEEE half, ties to even. */
export function toF16(x: number): number {
  scratch.setFloat32(0, x);
  const b = scratch.getUint32(0);
  const sign = (b >>> 16) & 0x8000;
  const a = Math.abs(x);
  if (Number.isNaN(x)) return sign | 0x7e00;
  if (a >= 65520) return sign | 0x7c00;
  if (a < 2 ** -14) return sign | roundEven(a * 2 ** 24);
  const e = Math.floor(Math.log2(a));
  const exp = a < 2 ** e ? e - 1 : a >= 2 ** (e + 1) ? e + 1 : e;
  return sign | (((exp + 15) << 10) + roundEven((a / 2 ** exp - 1) * 1024));
}
function roundEven(x: number): number {
  const f = Math.floor(x);
  const d = x - f;
  return d > 0.5 || (d === 0.5 && f % 2 === 1) ? f + 1 : f;
}
export function fromBF16(h: number): number {
  scratch.setUint32(0, (h << 16) >>> 0);
  return scratch.getFloat32(0);
}
/** The bits of the nearest bfloat16, ties to even. */
export function toBF16(x: number): number {
  scratch.setFloat32(0, x);
  const b = scratch.getUint32(0);
  if (Number.isNaN(x)) return 0x7fc0;
  return ((b + 0x7fff + ((b >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Every element as a JavaScript number (64-bit integers lose what a double cannot hold). */
export function toNumbers(t: Tensor): Float64Array {
  const a = typed(t);
  const half = t.dtype === 'f16' || t.dtype === 'bf16';
  // Between arrays of numbers the engine converts at the speed of memory.
  if (!half && !(a instanceof BigInt64Array) && !(a instanceof BigUint64Array)) return new Float64Array(a);
  const out = new Float64Array(a.length);
  if (t.dtype === 'f16') for (let i = 0; i < out.length; i++) out[i] = fromF16(Number(a[i]));
  else if (t.dtype === 'bf16') for (let i = 0; i < out.length; i++) out[i] = fromBF16(Number(a[i]));
  else for (let i = 0; i < out.length; i++) out[i] = Number(a[i]);
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
  f16: undefined,
  bf16: undefined,
  i64: undefined,
  u64: undefined,
  bool: undefined,
} as const satisfies Record<DType, unknown>;
/** A tensor of `dtype` from numbers: floats are rounded, integers wrap as C casts do, bool is `!= 0`. */
export function fromNumbers(dtype: DType, dims: readonly number[], values: ArrayLike<number>): Tensor {
  const n = numel(dims);
  if (values.length !== n) throw new InternalError(`${values.length} values for a tensor of ${n}`);
  const direct = DIRECT[dtype];
  if (direct) return fromTyped(dtype, dims, new direct(values));
  const out = new DTYPES[dtype].array(n);
  const write = writer(dtype, out);
  for (let i = 0; i < n; i++) write(i, values[i] ?? 0);
  return fromTyped(dtype, dims, out);
}
/** Stores a number into a typed array of `dtype`, rounding or wrapping as that type does. */
export function writer(dtype: DType, out: TypedArray): (i: number, v: number) => void {
  if (out instanceof BigInt64Array || out instanceof BigUint64Array)
    return (i, v) => void (out[i] = Number.isFinite(v) ? BigInt(Math.trunc(v)) : 0n);
  if (dtype === 'f16') return (i, v) => void (out[i] = toF16(v));
  if (dtype === 'bf16') return (i, v) => void (out[i] = toBF16(v));
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
