/** The numeric types a value can have while it sits in a register. */
export type Reg = 'i32' | 'u32' | 'i64' | 'u64' | 'f32' | 'f64';

interface DTypeInfo {
  /** Bytes of one element in memory. */
  readonly bytes: 1 | 2 | 4 | 8;
  /** Bits that count of it; files pack what is less than a byte. */
  readonly bits: 2 | 4 | 8 | 16 | 32 | 64;
  /** What a scalar of this type is held in; narrow integers are extended, small floats widened. */
  readonly reg: Reg;
  readonly kind: 'float' | 'int' | 'uint' | 'bool' | 'text';
  /** The typed array over its elements: of their bits where the type is `isCoded`. */
  readonly array: TypedArrayConstructor;
  /** The name that ONNX, onnxruntime and the manifest use for it. */
  readonly ort: string;
}
export type TypedArray =
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
type TypedArrayConstructor =
  | Float32ArrayConstructor
  | Float64ArrayConstructor
  | Int8ArrayConstructor
  | Uint8ArrayConstructor
  | Int16ArrayConstructor
  | Uint16ArrayConstructor
  | Int32ArrayConstructor
  | Uint32ArrayConstructor
  | BigInt64ArrayConstructor
  | BigUint64ArrayConstructor;

/** Element types a tensor may be stored in: the one table everything else reads. */
export const DTYPES = {
  f32: { bytes: 4, bits: 32, reg: 'f32', kind: 'float', array: Float32Array, ort: 'float32' },
  f64: { bytes: 8, bits: 64, reg: 'f64', kind: 'float', array: Float64Array, ort: 'float64' },
  f16: { bytes: 2, bits: 16, reg: 'f32', kind: 'float', array: Uint16Array, ort: 'float16' },
  bf16: { bytes: 2, bits: 16, reg: 'f32', kind: 'float', array: Uint16Array, ort: 'bfloat16' },
  f8e4m3fn: { bytes: 1, bits: 8, reg: 'f32', kind: 'float', array: Uint8Array, ort: 'float8e4m3fn' },
  f8e4m3fnuz: { bytes: 1, bits: 8, reg: 'f32', kind: 'float', array: Uint8Array, ort: 'float8e4m3fnuz' },
  f8e5m2: { bytes: 1, bits: 8, reg: 'f32', kind: 'float', array: Uint8Array, ort: 'float8e5m2' },
  f8e5m2fnuz: { bytes: 1, bits: 8, reg: 'f32', kind: 'float', array: Uint8Array, ort: 'float8e5m2fnuz' },
  f8e8m0: { bytes: 1, bits: 8, reg: 'f32', kind: 'float', array: Uint8Array, ort: 'float8e8m0' },
  f4e2m1: { bytes: 1, bits: 4, reg: 'f32', kind: 'float', array: Uint8Array, ort: 'float4e2m1' },
  i2: { bytes: 1, bits: 2, reg: 'i32', kind: 'int', array: Int8Array, ort: 'int2' },
  u2: { bytes: 1, bits: 2, reg: 'i32', kind: 'uint', array: Uint8Array, ort: 'uint2' },
  i4: { bytes: 1, bits: 4, reg: 'i32', kind: 'int', array: Int8Array, ort: 'int4' },
  u4: { bytes: 1, bits: 4, reg: 'i32', kind: 'uint', array: Uint8Array, ort: 'uint4' },
  i8: { bytes: 1, bits: 8, reg: 'i32', kind: 'int', array: Int8Array, ort: 'int8' },
  u8: { bytes: 1, bits: 8, reg: 'i32', kind: 'uint', array: Uint8Array, ort: 'uint8' },
  i16: { bytes: 2, bits: 16, reg: 'i32', kind: 'int', array: Int16Array, ort: 'int16' },
  u16: { bytes: 2, bits: 16, reg: 'i32', kind: 'uint', array: Uint16Array, ort: 'uint16' },
  i32: { bytes: 4, bits: 32, reg: 'i32', kind: 'int', array: Int32Array, ort: 'int32' },
  u32: { bytes: 4, bits: 32, reg: 'u32', kind: 'uint', array: Uint32Array, ort: 'uint32' },
  i64: { bytes: 8, bits: 64, reg: 'i64', kind: 'int', array: BigInt64Array, ort: 'int64' },
  u64: { bytes: 8, bits: 64, reg: 'u64', kind: 'uint', array: BigUint64Array, ort: 'uint64' },
  bool: { bytes: 1, bits: 8, reg: 'i32', kind: 'bool', array: Uint8Array, ort: 'bool' },
  /** The place of a text in a list: `core/texts.ts`. */
  text: { bytes: 4, bits: 32, reg: 'i32', kind: 'text', array: Int32Array, ort: 'string' },
} as const satisfies Record<string, DTypeInfo>;

export type DType = keyof typeof DTYPES;
export const isDType = (s: string): s is DType => Object.hasOwn(DTYPES, s);
export const bytesOf = (t: DType): number => DTYPES[t].bytes;
export const regOf = (t: DType): Reg => DTYPES[t].reg;
export const isFloat = (t: DType): boolean => DTYPES[t].kind === 'float';
/** Integers of any sign; bool is not one. */
export const isInt = (t: DType): boolean => DTYPES[t].kind === 'int' || DTYPES[t].kind === 'uint';
/** The least and the greatest value of a type: what maximum and minimum of nothing are. */
export function limitsOf(t: DType): readonly [number | bigint, number | bigint] {
  switch (t) {
    case 'f32':
    case 'f64':
    case 'f16':
    case 'bf16':
    case 'f8e4m3fn':
    case 'f8e4m3fnuz':
    case 'f8e5m2':
    case 'f8e5m2fnuz':
    case 'f8e8m0':
    case 'f4e2m1':
      return [-Infinity, Infinity];
    case 'bool':
      return [0, 1];
    case 'text':
      return [0, 2147483647];
    case 'i2':
      return [-2, 1];
    case 'u2':
      return [0, 3];
    case 'i4':
      return [-8, 7];
    case 'u4':
      return [0, 15];
    case 'i8':
      return [-128, 127];
    case 'u8':
      return [0, 255];
    case 'i16':
      return [-32768, 32767];
    case 'u16':
      return [0, 65535];
    case 'i32':
      return [-2147483648, 2147483647];
    case 'u32':
      return [0, 4294967295];
    case 'i64':
      return [-(2n ** 63n), 2n ** 63n - 1n];
    case 'u64':
      return [0n, 2n ** 64n - 1n];
  }
}
