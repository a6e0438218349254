import { isCoded, storedAs } from '../../core/codes.ts';
import { InternalError } from '../../core/diagnostic.ts';
import { DTYPES, type DType } from '../../core/dtype.ts';
import { baseBytes, type Base, type VType } from '../../kernel/ir.ts';

const SCALAR: Readonly<Record<Base, string>> = {
  f32: 'float',
  f64: 'double',
  i8: 'int8_t',
  u8: 'uint8_t',
  i16: 'int16_t',
  u16: 'uint16_t',
  i32: 'int32_t',
  u32: 'uint32_t',
  i64: 'int64_t',
  u64: 'uint64_t',
};
/** The C type of a value; vectors are typedefs of their own (see `helpers.ts`). */
export const ctype = (t: VType): string => (t.lanes === 1 ? SCALAR[t.base] : vectorName(t));
export const vectorName = (t: VType): string => `${t.base}x${t.lanes}`;
/** How elements lie in memory: small floats as their bits, truth values as bytes. */
export function memoryBase(dtype: DType): Base {
  if (isCoded(dtype)) return storedAs(dtype);
  switch (dtype) {
    case 'bool':
      return 'u8';
    case 'text':
      return 'i32';
    case 'f32':
    case 'f64':
    case 'i8':
    case 'u8':
    case 'i16':
    case 'u16':
    case 'i32':
    case 'u32':
    case 'i64':
    case 'u64':
      return dtype;
  }
}
export const elementType = (dtype: DType): string => SCALAR[memoryBase(dtype)];
export const elementBytes = (dtype: DType): number => DTYPES[dtype].bytes;
export const vectorBytes = (t: VType): number => baseBytes(t.base) * t.lanes;

/** A number as a literal that is exactly it. Floats in hexadecimal. */
export function literal(base: Base, value: number | bigint): string {
  switch (base) {
    case 'f32':
      return hexFloat(Number(value), 'f');
    case 'f64':
      return hexFloat(Number(value), '');
    case 'i64': {
      const v = BigInt.asIntN(64, BigInt(value));
      return v === -(2n ** 63n) ? 'INT64_MIN' : `INT64_C(${v})`;
    }
    case 'u64':
      return `UINT64_C(${BigInt.asUintN(64, BigInt(value))})`;
    case 'u32':
      return `${Number(value) >>> 0}u`;
    case 'i32': {
      const v = Number(value) | 0;
      return v === -(2 ** 31) ? 'INT32_MIN' : String(v);
    }
    case 'i8':
    case 'u8':
    case 'i16':
    case 'u16':
      return String(value);
  }
}
function hexFloat(x: number, suffix: string): string {
  if (Number.isNaN(x)) return 'NAN';
  if (!Number.isFinite(x)) return x < 0 ? '-INFINITY' : 'INFINITY';
  const sign = x < 0 || Object.is(x, -0) ? '-' : '';
  const a = Math.abs(x);
  if (a === 0) return `${sign}0x0p+0${suffix}`;
  // The power of two below, found without rounding: logarithms of numbers near a power may round up.
  let e = Math.floor(Math.log2(a));
  if (2 ** e > a) e--;
  if (e < -1022) e = -1022;
  const m = a / 2 ** e;
  if (!(m < 2)) throw new InternalError(`${x} as hexadecimal`);
  const whole = Math.floor(m);
  let digits = '';
  for (let rest = m - whole; rest > 0; rest = rest * 16 - Math.floor(rest * 16)) digits += Math.floor(rest * 16).toString(16);
  return `${sign}0x${whole}${digits === '' ? '' : `.${digits}`}p${e < 0 ? '' : '+'}${e}${suffix}`;
}

const KEYWORDS = new Set(
  (
    'auto break case char const continue default do double else enum extern float for goto if inline int long register restrict return ' +
    'short signed sizeof static struct switch typedef union unsigned void volatile while main asm typeof bool true false'
  ).split(' '),
);
/** A C identifier like a name. */
export function identifier(name: string): string {
  const word = name.replace(/\W+/g, '_').replace(/^(?=\d)/, '_');
  return word === '' ? '_' : KEYWORDS.has(word) ? `${word}_` : word;
}
