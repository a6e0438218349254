import { DTYPES, type DType } from './dtype.ts';

/** How a number lies in the bits of an element whose type JavaScript has no array for. */
interface Code {
  /** The number that the bits of an element stand for. */
  decode(bits: number): number;
  /** The bits of the nearest number, ties to even; integers wrap. */
  encode(x: number): number;
}

const scratch = new DataView(new ArrayBuffer(4));
/** The value of an IEEE half from its bits. */
function fromF16(h: number): number {
  const e = (h >> 10) & 31;
  const m = h & 1023;
  const v = e === 0 ? m * 2 ** -24 : e === 31 ? (m === 0 ? Infinity : NaN) : (1 + m / 1024) * 2 ** (e - 15);
  return h & 0x8000 ? -v : v;
}
/** The bits of the nearest IEEE half. */
function toF16(x: number): number {
  scratch.setFloat32(0, x);
  const b = scratch.getUint32(0);
  const sign = (b >>> 16) & 0x8000;
  const a = Math.abs(x);
  if (Number.isNaN(x)) return sign | 0x7e00;
  if (a >= 65520) return sign | 0x7c00;
  return sign | magnitude(a, 10, 15);
}
/** The exponent and mantissa of a positive number, rounded to `mantissa` bits; what carries goes on into the exponent. */
function magnitude(a: number, mantissa: number, bias: number): number {
  if (a < 2 ** (1 - bias)) return roundEven(a * 2 ** (bias - 1 + mantissa));
  const e = Math.floor(Math.log2(a));
  const exponent = a < 2 ** e ? e - 1 : a >= 2 ** (e + 1) ? e + 1 : e;
  return ((exponent + bias) << mantissa) + roundEven((a / 2 ** exponent - 1) * 2 ** mantissa);
}
function roundEven(x: number): number {
  const f = Math.floor(x);
  const d = x - f;
  return d > 0.5 || (d === 0.5 && f % 2 === 1) ? f + 1 : f;
}
function fromBF16(h: number): number {
  scratch.setUint32(0, (h << 16) >>> 0);
  return scratch.getFloat32(0);
}
/** The bits of the nearest bfloat16. */
function toBF16(x: number): number {
  scratch.setFloat32(0, x);
  const b = scratch.getUint32(0);
  if (Number.isNaN(x)) return 0x7fc0;
  return ((b + 0x7fff + ((b >>> 16) & 1)) >>> 16) & 0xffff;
}

/** A float of a byte or less with a sign, exponent and mantissa; see https://onnx.ai/onnx/technical/float8.html and float4.html. */
export interface MiniFloat {
  /** Bits of the mantissa. */
  readonly mantissa: number;
  readonly bias: number;
  /** The bit of the sign. */
  readonly sign: number;
  /** The magnitude of the greatest finite number. */
  readonly max: number;
  /** What numbers beyond it become, and NaN; with the sign, where the type has a negative zero. */
  readonly over: number;
  readonly nan: number;
  /** Whether the bits of a negative zero are the one NaN. */
  readonly unsignedZero: boolean;
}
export const MINI_FLOATS = {
  f8e4m3fn: { mantissa: 3, bias: 7, sign: 0x80, max: 0x7e, over: 0x7f, nan: 0x7f, unsignedZero: false },
  f8e4m3fnuz: { mantissa: 3, bias: 8, sign: 0x80, max: 0x7f, over: 0x80, nan: 0x80, unsignedZero: true },
  f8e5m2: { mantissa: 2, bias: 15, sign: 0x80, max: 0x7b, over: 0x7c, nan: 0x7e, unsignedZero: false },
  f8e5m2fnuz: { mantissa: 2, bias: 16, sign: 0x80, max: 0x7f, over: 0x80, nan: 0x80, unsignedZero: true },
  f4e2m1: { mantissa: 1, bias: 1, sign: 8, max: 7, over: 7, nan: 8, unsignedZero: false },
} as const satisfies Partial<Record<DType, MiniFloat>>;
type MiniFloatType = keyof typeof MINI_FLOATS;
export const isMiniFloat = (t: DType): t is MiniFloatType => Object.hasOwn(MINI_FLOATS, t);

/** The number of a magnitude that is finite. */
function finite(f: MiniFloat, m: number): number {
  const [e, fraction, one] = [m >> f.mantissa, m & (2 ** f.mantissa - 1), 2 ** f.mantissa];
  return e === 0 ? fraction * 2 ** (1 - f.bias - f.mantissa) : (one + fraction) * 2 ** (e - f.bias - f.mantissa);
}
/** The greatest finite number of a type. */
export const greatest = (t: MiniFloatType): number => finite(MINI_FLOATS[t], MINI_FLOATS[t].max);
function miniFloat(f: MiniFloat): Code {
  const infinite = !f.unsignedZero && f.over !== f.nan;
  return {
    decode: bits => {
      const m = bits & (f.sign - 1);
      const negative = (bits & f.sign) !== 0;
      if (f.unsignedZero && negative && m === 0) return NaN;
      const v = m <= f.max ? finite(f, m) : infinite && m === f.over ? Infinity : NaN;
      return negative ? -v : v;
    },
    encode: x => {
      if (Number.isNaN(x)) return f.nan;
      const m = Math.abs(x) === Infinity ? f.sign : magnitude(Math.abs(x), f.mantissa, f.bias);
      const bits = m > f.max ? f.over : m;
      const negative = x < 0 || Object.is(x, -0);
      return negative && !(f.unsignedZero && (bits === 0 || bits === f.over)) ? bits | f.sign : bits;
    },
  };
}
/** Powers of two: an exponent alone. The sign is lost, and what is no number, or beyond the greatest, is NaN. */
const E8M0: Code = {
  decode: bits => (bits === 255 ? NaN : 2 ** (bits - 127)),
  encode: x => {
    scratch.setFloat32(0, Math.abs(x));
    const b = scratch.getUint32(0);
    return Math.min(255, b < 0x800000 ? 0 : (b + 0x400000) >>> 23);
  },
};
const integer = (bits: number, signed: boolean): Code => {
  const wrap = (v: number): number => (signed ? (v << (32 - bits)) >> (32 - bits) : v & (2 ** bits - 1));
  return { decode: wrap, encode: wrap };
};

/** The types whose arrays hold bits. An element of less than a byte has a byte of its own. */
const CODES = {
  f16: { decode: fromF16, encode: toF16 },
  bf16: { decode: fromBF16, encode: toBF16 },
  f8e4m3fn: miniFloat(MINI_FLOATS.f8e4m3fn),
  f8e4m3fnuz: miniFloat(MINI_FLOATS.f8e4m3fnuz),
  f8e5m2: miniFloat(MINI_FLOATS.f8e5m2),
  f8e5m2fnuz: miniFloat(MINI_FLOATS.f8e5m2fnuz),
  f8e8m0: E8M0,
  f4e2m1: miniFloat(MINI_FLOATS.f4e2m1),
  i4: integer(4, true),
  u4: integer(4, false),
  i2: integer(2, true),
  u2: integer(2, false),
} as const satisfies Partial<Record<DType, Code>>;
type CodedType = keyof typeof CODES;
/** Whether elements of a type are bits that have to be decoded. */
export const isCoded = (t: DType): t is CodedType => Object.hasOwn(CODES, t);
export const codeOf = (t: DType): Code | undefined => (isCoded(t) ? CODES[t] : undefined);
/** The integers that the bits of such a type lie in memory as. */
export function storedAs(t: CodedType): 'u8' | 'i8' | 'u16' {
  if (DTYPES[t].bytes === 2) return 'u16';
  return DTYPES[t].kind === 'int' ? 'i8' : 'u8';
}
