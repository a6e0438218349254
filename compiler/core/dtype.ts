/** The numeric types a value can have while it sits in a register. */
export type Reg = 'i32' | 'u32' | 'i64' | 'u64' | 'f32' | 'f64';

interface DTypeInfo {
  /** Bytes of one element in memory. */
  readonly bytes: 1 | 2 | 4 | 8;
  /** What a scalar of this type is held in; narrow integers are extended, half floats widened. */
  readonly reg: Reg;
  readonly kind: 'float' | 'int' | 'uint' | 'bool';
  /** The typed array over its elements. f16 and bf16 are arrays of their bits. */
  readonly array: TypedArrayConstructor;
  /** The name onnxruntime and the manifest use for it. */
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
  f32: { bytes: 4, reg: 'f32', kind: 'float', array: Float32Array, ort: 'float32' },
  f64: { bytes: 8, reg: 'f64', kind: 'float', array: Float64Array, ort: 'float64' },
  f16: { bytes: 2, reg: 'f32', kind: 'float', array: Uint16Array, ort: 'float16' },
  bf16: { bytes: 2, reg: 'f32', kind: 'float', array: Uint16Array, ort: 'bfloat16' },
  i8: { bytes: 1, reg: 'i32', kind: 'int', array: Int8Array, ort: 'int8' },
  u8: { bytes: 1, reg: 'i32', kind: 'uint', array: Uint8Array, ort: 'uint8' },
  i16: { bytes: 2, reg: 'i32', kind: 'int', array: Int16Array, ort: 'int16' },
  u16: { bytes: 2, reg: 'i32', kind: 'uint', array: Uint16Array, ort: 'uint16' },
  i32: { bytes: 4, reg: 'i32', kind: 'int', array: Int32Array, ort: 'int32' },
  u32: { bytes: 4, reg: 'u32', kind: 'uint', array: Uint32Array, ort: 'uint32' },
  i64: { bytes: 8, reg: 'i64', kind: 'int', array: BigInt64Array, ort: 'int64' },
  u64: { bytes: 8, reg: 'u64', kind: 'uint', array: BigUint64Array, ort: 'uint64' },
  bool: { bytes: 1, reg: 'i32', kind: 'bool', array: Uint8Array, ort: 'bool' },
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
      return [-Infinity, Infinity];
    case 'bool':
      return [0, 1];
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
