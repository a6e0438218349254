import { InternalError } from '../core/diagnostic.ts';
import type { Base, BinOp, CmpOp, UnOp } from './ir.ts';

/** A scalar of the kernel language: 64-bit integers are bigints, everything else (u32 included) is a number in its own range. */
export type Value = number | bigint;
type Fn1 = (a: Value) => Value;
type Fn2 = (a: Value, b: Value) => Value;

const bad = (): never => {
  throw new InternalError('a number met a bigint: the kernel is ill-typed');
};
const num1 =
  (f: (a: number) => number): Fn1 =>
  a =>
    typeof a === 'number' ? f(a) : bad();
const num2 =
  (f: (a: number, b: number) => number): Fn2 =>
  (a, b) =>
    typeof a === 'number' && typeof b === 'number' ? f(a, b) : bad();
const big1 =
  (f: (a: bigint) => bigint): Fn1 =>
  a =>
    typeof a === 'bigint' ? f(a) : bad();
const big2 =
  (f: (a: bigint, b: bigint) => bigint): Fn2 =>
  (a, b) =>
    typeof a === 'bigint' && typeof b === 'bigint' ? f(a, b) : bad();

export const isBig = (b: Base): boolean => b === 'i64' || b === 'u64';
/** Bits of one lane. */
export const bitsOf = (b: Base): 8 | 16 | 32 | 64 =>
  ({ i8: 8, u8: 8, i16: 16, u16: 16, i32: 32, u32: 32, f32: 32, i64: 64, u64: 64, f64: 64 } as const)[b];

/** Brings the exact result of a number operation into the range of the base: integers wrap, f32 rounds. */
export function wrapNumber(base: Base): (x: number) => number {
  switch (base) {
    case 'i8':
      return x => (x << 24) >> 24;
    case 'u8':
      return x => x & 0xff;
    case 'i16':
      return x => (x << 16) >> 16;
    case 'u16':
      return x => x & 0xffff;
    case 'i32':
      return x => x | 0;
    case 'u32':
      return x => x >>> 0;
    case 'f32':
      return Math.fround;
    case 'f64':
      return x => x;
    case 'i64':
    case 'u64':
      return bad;
  }
}
const wrapBig = (base: Base): ((x: bigint) => bigint) =>
  base === 'i64' ? x => BigInt.asIntN(64, x) : x => BigInt.asUintN(64, x);
/** A constant as the base holds it. */
export const normalise = (base: Base, v: Value): Value => (isBig(base) ? wrapBig(base)(BigInt(v)) : wrapNumber(base)(Number(v)));

/** A binary operation on one lane. `count` of a shift is any scalar integer. */
export function binFn(base: Base, op: BinOp): Fn2 {
  if (op === 'shl' || op === 'shr') return shiftFn(base, op);
  if (isBig(base)) return big2(bigBin(wrapBig(base), op));
  return num2(base === 'f32' || base === 'f64' ? floatBin(base, op) : intBin(wrapNumber(base), op));
}
function floatBin(base: 'f32' | 'f64', op: BinOp): (a: number, b: number) => number {
  const r = base === 'f32' ? Math.fround : (x: number): number => x;
  switch (op) {
    case 'add':
      return (a, b) => r(a + b);
    case 'sub':
      return (a, b) => r(a - b);
    case 'mul':
      return (a, b) => r(a * b);
    case 'div':
      return (a, b) => r(a / b);
    case 'min':
      return (a, b) => (b < a ? b : a);
    case 'max':
      return (a, b) => (a < b ? b : a);
    case 'rem':
    case 'and':
    case 'or':
    case 'xor':
    case 'shl':
    case 'shr':
      throw new InternalError(`${op} of ${base}`);
  }
}
const zero = (): never => {
  throw new InternalError('division by zero in a kernel');
};
function intBin(wrap: (x: number) => number, op: BinOp): (a: number, b: number) => number {
  switch (op) {
    case 'add':
      return (a, b) => wrap(a + b);
    case 'sub':
      return (a, b) => wrap(a - b);
    case 'mul':
      return (a, b) => wrap(Math.imul(a, b));
    case 'div':
      return (a, b) => (b === 0 ? zero() : wrap(Math.trunc(a / b)));
    case 'rem':
      return (a, b) => (b === 0 ? zero() : wrap(a % b));
    case 'min':
      return (a, b) => (b < a ? b : a);
    case 'max':
      return (a, b) => (a < b ? b : a);
    case 'and':
      return (a, b) => wrap(a & b);
    case 'or':
      return (a, b) => wrap(a | b);
    case 'xor':
      return (a, b) => wrap(a ^ b);
    case 'shl':
    case 'shr':
      throw new InternalError('shifts have a function of their own');
  }
}
function bigBin(wrap: (x: bigint) => bigint, op: BinOp): (a: bigint, b: bigint) => bigint {
  switch (op) {
    case 'add':
      return (a, b) => wrap(a + b);
    case 'sub':
      return (a, b) => wrap(a - b);
    case 'mul':
      return (a, b) => wrap(a * b);
    case 'div':
      return (a, b) => (b === 0n ? zero() : wrap(a / b));
    case 'rem':
      return (a, b) => (b === 0n ? zero() : wrap(a % b));
    case 'min':
      return (a, b) => (b < a ? b : a);
    case 'max':
      return (a, b) => (a < b ? b : a);
    case 'and':
      return (a, b) => wrap(a & b);
    case 'or':
      return (a, b) => wrap(a | b);
    case 'xor':
      return (a, b) => wrap(a ^ b);
    case 'shl':
    case 'shr':
      throw new InternalError('shifts have a function of their own');
  }
}
function shiftFn(base: Base, op: 'shl' | 'shr'): Fn2 {
  const mask = bitsOf(base) - 1;
  const count = (c: Value): number => (typeof c === 'bigint' ? Number(BigInt.asUintN(6, c)) : c) & mask;
  if (base === 'f32' || base === 'f64') throw new InternalError(`${op} of ${base}`);
  if (isBig(base)) {
    const wrap = wrapBig(base);
    const f = op === 'shl' ? (a: bigint, n: bigint): bigint => wrap(a << n) : (a: bigint, n: bigint): bigint => a >> n;
    return (a, b) => (typeof a === 'bigint' ? f(a, BigInt(count(b))) : bad());
  }
  const wrap = wrapNumber(base);
  const f =
    op === 'shl'
      ? (a: number, n: number): number => wrap(a << n)
      : base.startsWith('u')
        ? (a: number, n: number): number => wrap(a >>> n)
        : (a: number, n: number): number => wrap(a >> n);
  return (a, b) => (typeof a === 'number' ? f(a, count(b)) : bad());
}

/** Round to nearest, ties to even, keeping the sign of zero. Exact for every f64. */
function nearestEven(x: number): number {
  if (!(Math.abs(x) < 2 ** 52)) return x;
  return x < 0 || Object.is(x, -0) ? -(-x + 2 ** 52 - 2 ** 52) : x + 2 ** 52 - 2 ** 52;
}
/** A machine operation on one lane; MathOps must have been expanded. */
export function unFn(base: Base, op: UnOp): Fn1 {
  const float = base === 'f32' || base === 'f64';
  if (isBig(base)) {
    const wrap = wrapBig(base);
    if (op === 'neg') return big1(a => wrap(-a));
    if (op === 'abs') return big1(a => wrap(a < 0n ? -a : a));
    if (op === 'not') return big1(a => wrap(~a));
    throw new InternalError(`${op} of ${base}`);
  }
  const wrap = wrapNumber(base);
  if (op === 'neg') return num1(float ? a => -a : a => wrap(-a));
  if (op === 'abs') return num1(float ? Math.abs : a => wrap(Math.abs(a)));
  if (op === 'not' && !float) return num1(a => wrap(~a));
  if (float) {
    if (op === 'sqrt') return num1(a => wrap(Math.sqrt(a)));
    if (op === 'ceil') return num1(Math.ceil);
    if (op === 'floor') return num1(Math.floor);
    if (op === 'trunc') return num1(Math.trunc);
    if (op === 'nearest') return num1(nearestEven);
  }
  throw new InternalError(`${op} of ${base} has no definition: MathOps are expanded before a kernel runs`);
}

export function cmpFn(op: CmpOp): (a: Value, b: Value) => boolean {
  switch (op) {
    case 'eq':
      return (a, b) => a === b;
    case 'ne':
      return (a, b) => a !== b;
    case 'lt':
      return (a, b) => a < b;
    case 'le':
      return (a, b) => a <= b;
    case 'gt':
      return (a, b) => a > b;
    case 'ge':
      return (a, b) => a >= b;
  }
}

const RANGE: Readonly<Record<Exclude<Base, 'f32' | 'f64' | 'i64' | 'u64'>, readonly [number, number]>> = {
  i8: [-128, 127],
  u8: [0, 255],
  i16: [-32768, 32767],
  u16: [0, 65535],
  i32: [-2147483648, 2147483647],
  u32: [0, 4294967295],
};
/** The nearest f32 of a 64-bit integer: one rounding, not two. */
function bigToF32(x: bigint): number {
  const a = x < 0n ? -x : x;
  if (a < 1n << 53n) return Math.fround(Number(x));
  // What is shifted out only matters as "some bit was set".
  const kept = (a >> 11n) | ((a & 2047n) === 0n ? 0n : 1n);
  const r = Math.fround(Number(kept)) * 2048;
  return x < 0n ? -r : r;
}
/** A conversion of one lane: float to integer truncates and saturates, NaN gives 0; integers wrap. */
export function castFn(from: Base, to: Base): Fn1 {
  if (to === 'f32') return a => (typeof a === 'bigint' ? bigToF32(a) : Math.fround(a));
  if (to === 'f64') return a => Number(a);
  const float = from === 'f32' || from === 'f64';
  if (to === 'i64' || to === 'u64') {
    const wrap = wrapBig(to);
    if (!float) return a => wrap(BigInt(a));
    const lo = to === 'i64' ? -(1n << 63n) : 0n;
    const hi = to === 'i64' ? (1n << 63n) - 1n : (1n << 64n) - 1n;
    return num1Big(a => {
      if (Number.isNaN(a)) return 0n;
      if (a <= Number(lo)) return lo;
      return a >= Number(hi) ? hi : BigInt(Math.trunc(a));
    });
  }
  const wrap = wrapNumber(to);
  if (isBig(from)) return a => (typeof a === 'bigint' ? wrap(Number(BigInt.asIntN(32, a))) : bad());
  if (!float) return num1(wrap);
  const [lo, hi] = RANGE[to];
  return num1(a => (Number.isNaN(a) ? 0 : Math.min(Math.max(Math.trunc(a), lo), hi) + 0));
}
const num1Big =
  (f: (a: number) => bigint): Fn1 =>
  a =>
    typeof a === 'number' ? f(a) : bad();

/** Writes and reads one lane in its machine form, little-endian. */
export function putLane(v: DataView, at: number, base: Base, x: Value): void {
  if (typeof x === 'bigint') {
    v.setBigInt64(at, BigInt.asIntN(64, x), true);
    return;
  }
  switch (base) {
    case 'i8':
    case 'u8': {
      v.setUint8(at, x);
      return;
    }
    case 'i16':
    case 'u16': {
      v.setUint16(at, x, true);
      return;
    }
    case 'i32':
    case 'u32': {
      v.setUint32(at, x, true);
      return;
    }
    case 'f32': {
      v.setFloat32(at, x, true);
      return;
    }
    case 'f64': {
      v.setFloat64(at, x, true);
      return;
    }
    case 'i64':
    case 'u64':
      return bad();
  }
}
export function getLane(v: DataView, at: number, base: Base): Value {
  switch (base) {
    case 'i8':
      return v.getInt8(at);
    case 'u8':
      return v.getUint8(at);
    case 'i16':
      return v.getInt16(at, true);
    case 'u16':
      return v.getUint16(at, true);
    case 'i32':
      return v.getInt32(at, true);
    case 'u32':
      return v.getUint32(at, true);
    case 'f32':
      return v.getFloat32(at, true);
    case 'f64':
      return v.getFloat64(at, true);
    case 'i64':
      return v.getBigInt64(at, true);
    case 'u64':
      return v.getBigUint64(at, true);
  }
}
