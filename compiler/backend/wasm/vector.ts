import { InternalError } from '../../core/diagnostic.ts';
import { putLane, type Value } from '../../kernel/arith.ts';
import {
  baseBytes,
  isFloatBase,
  isUnsigned,
  vtype,
  type Base,
  type BinOp,
  type CmpOp,
  type UnOp,
  type VType,
} from '../../kernel/ir.ts';
import type { ExpressionRef } from './binaryen.ts';
import { twice, type Fn } from './fn.ts';
import { scalarBin, scalarCast } from './scalar.ts';

/** How binaryen spells the vector type in operation names. */
const shape = (b: Base): string =>
  ({
    i8: 'I8x16',
    u8: 'I8x16',
    i16: 'I16x8',
    u16: 'I16x8',
    i32: 'I32x4',
    u32: 'I32x4',
    i64: 'I64x2',
    u64: 'I64x2',
    f32: 'F32x4',
    f64: 'F64x2',
  })[b];
const sign = (b: Base): 'S' | 'U' => (isUnsigned(b) ? 'U' : 'S');
export const vectorBytes = (t: VType): number => t.lanes * baseBytes(t.base);

/** A vector of up to 128 bits from the values of its lanes; the rest is filled by repeating them. */
export function constBytes(base: Base, lanes: readonly Value[]): Uint8Array {
  const bytes = new Uint8Array(16);
  const v = new DataView(bytes.buffer);
  const size = baseBytes(base);
  for (let i = 0; i < 16 / size; i++) putLane(v, i * size, base, lanes[i % lanes.length] ?? 0);
  return bytes;
}
/** One lane as a scalar. */
export function extract(f: Fn, base: Base, v: ExpressionRef, lane: number): ExpressionRef {
  const narrow = baseBytes(base) < 4;
  return f.asm.extract(`ExtractLane${narrow ? sign(base) : ''}Vec${shape(base)}`, v, lane);
}
export const replace = (f: Fn, base: Base, v: ExpressionRef, lane: number, x: ExpressionRef): ExpressionRef =>
  f.asm.replace(`ReplaceLaneVec${shape(base)}`, v, lane, x);
export const splatOf = (f: Fn, base: Base, x: ExpressionRef): ExpressionRef => f.asm.un(`SplatVec${shape(base)}`, x);

/** Lane by lane, for what the instruction set lacks. */
function lanewise(
  f: Fn,
  from: Base,
  to: Base,
  n: number,
  vs: readonly ExpressionRef[],
  op: (xs: readonly ExpressionRef[]) => ExpressionRef,
): ExpressionRef {
  const { m, b } = f.asm;
  const pre: ExpressionRef[] = [];
  const temps = vs.map(v => {
    const t = f.temp(b.v128);
    pre.push(m.local.set(t, v));
    return t;
  });
  const at = (i: number): ExpressionRef => op(temps.map(t => extract(f, from, m.local.get(t, b.v128), i)));
  let out = splatOf(f, to, at(0));
  for (let i = 1; i < n; i++) out = replace(f, to, out, i, at(i));
  return m.block(null, [...pre, out], b.v128);
}
/** Moves whole lanes: result lane i is lane from[i] of a, or of b from `n` on. */
export function shuffleLanes(
  f: Fn,
  size: number,
  from: readonly number[],
  n: number,
  a: ExpressionRef,
  b: ExpressionRef,
): ExpressionRef {
  const bytes = Array.from({ length: 16 }, (_, i) => {
    const l = from[Math.floor(i / size)] ?? 0;
    return (l < n ? l * size : 16 + (l - n) * size) + (i % size);
  });
  return f.asm.m.i8x16.shuffle(a, b, bytes);
}

const VEC: Readonly<Partial<Record<BinOp, string>>> = { add: 'Add', sub: 'Sub', mul: 'Mul', and: 'And', or: 'Or', xor: 'Xor' };
export function vectorBin(f: Fn, t: VType, op: BinOp, a: ExpressionRef, b: ExpressionRef): ExpressionRef {
  const { asm } = f;
  const s = shape(t.base);
  const float = isFloatBase(t.base);
  switch (op) {
    case 'and':
    case 'or':
    case 'xor':
      return asm.bin(`${VEC[op] ?? ''}Vec128`, a, b);
    case 'add':
    case 'sub':
      return asm.bin(`${VEC[op] ?? ''}Vec${s}`, a, b);
    case 'mul':
      if (asm.has(`MulVec${s}`)) return asm.bin(`MulVec${s}`, a, b);
      return mulBytes(f, a, b);
    case 'shl':
      return asm.shift(`ShlVec${s}`, a, b);
    case 'shr':
      return asm.shift(`Shr${sign(t.base)}Vec${s}`, a, b);
    case 'min':
    case 'max': {
      const title = op === 'min' ? 'Min' : 'Max';
      if (float) return asm.bin(`P${title}Vec${s}`, a, b);
      if (asm.has(`${title}${sign(t.base)}Vec${s}`)) return asm.bin(`${title}${sign(t.base)}Vec${s}`, a, b);
      const [a1, a2] = twice(f, asm.b.v128, a);
      const [b1, b2] = twice(f, asm.b.v128, b);
      const c = op === 'min' ? vectorCmp(f, t, 'lt', b2, a2) : vectorCmp(f, t, 'lt', a2, b2);
      return asm.tern('BitselectVec128', b1, a1, c);
    }
    case 'div':
      if (float) return asm.bin(`DivVec${s}`, a, b);
      return lanewise(f, t.base, t.base, t.lanes, [a, b], ([x = 0, y = 0]) => scalarBin(f, laneReg(t.base), op, x, y));
    case 'rem':
      return lanewise(f, t.base, t.base, t.lanes, [a, b], ([x = 0, y = 0]) => scalarBin(f, laneReg(t.base), op, x, y));
  }
}
/** Narrow lanes compute as i32. */
const laneReg = (b: Base): Base => (baseBytes(b) < 4 ? 'i32' : b);
/** i8x16 multiplication: 16-bit products of the halves, of which the low bytes are kept. */
function mulBytes(f: Fn, a: ExpressionRef, b: ExpressionRef): ExpressionRef {
  const v128 = f.asm.b.v128;
  const [a1, a2] = twice(f, v128, a);
  const [b1, b2] = twice(f, v128, b);
  const low = f.asm.bin('ExtMulLowUVecI16x8', a1, b1);
  const high = f.asm.bin('ExtMulHighUVecI16x8', a2, b2);
  return f.asm.m.i8x16.shuffle(
    low,
    high,
    Array.from({ length: 16 }, (_, i) => i * 2),
  );
}
export function vectorUn(f: Fn, t: VType, op: UnOp, a: ExpressionRef): ExpressionRef {
  const { asm } = f;
  if (op === 'not' && !isFloatBase(t.base)) return asm.un('NotVec128', a);
  if (op === 'abs' && isUnsigned(t.base)) return a;
  const titles: Readonly<Partial<Record<UnOp, string>>> = {
    neg: 'Neg',
    abs: 'Abs',
    sqrt: 'Sqrt',
    ceil: 'Ceil',
    floor: 'Floor',
    trunc: 'Trunc',
    nearest: 'Nearest',
  };
  const title = titles[op];
  const name = `${title ?? '?'}Vec${shape(t.base)}`;
  if (title !== undefined && asm.has(name)) return asm.un(name, a);
  throw new InternalError(`${op} of ${t.base}x${t.lanes} reached the WebAssembly emitter`);
}
const CMP: Readonly<Record<CmpOp, string>> = { eq: 'Eq', ne: 'Ne', lt: 'Lt', le: 'Le', gt: 'Gt', ge: 'Ge' };
/** A mask: lanes of 0 or -1. */
export function vectorCmp(f: Fn, t: VType, op: CmpOp, a: ExpressionRef, b: ExpressionRef): ExpressionRef {
  const { asm } = f;
  const plain = isFloatBase(t.base) || op === 'eq' || op === 'ne';
  const name = `${CMP[op]}${plain ? '' : sign(t.base)}Vec${shape(t.base)}`;
  if (asm.has(name)) return asm.bin(name, a, b);
  // u64: flip the sign bits and compare signed.
  const flip = (x: ExpressionRef): ExpressionRef => asm.bin('XorVec128', x, asm.m.v128.const(constBytes('i64', [-(1n << 63n)])));
  return asm.bin(`${CMP[op]}SVec${shape(t.base)}`, flip(a), flip(b));
}

/** A conversion between vectors of equally many lanes, each of at most 128 bits. */
export function vectorCast(f: Fn, from: VType, to: VType, a: ExpressionRef): ExpressionRef {
  const { asm } = f;
  const x = from.base;
  const y = to.base;
  const fromBytes = baseBytes(x);
  const toBytes = baseBytes(y);
  if (!isFloatBase(x) && !isFloatBase(y)) return intCast(f, from, to, a);
  if (x === y) return a;
  if (x === 'f32' && y === 'f64') return asm.un('PromoteLowVecF32x4ToVecF64x2', a);
  if (x === 'f64' && y === 'f32') return asm.un('DemoteZeroVecF64x2ToVecF32x4', a);
  if (isFloatBase(y)) {
    if (fromBytes === 8) return lanewise(f, x, y, to.lanes, [a], ([v = 0]) => scalarCast(f, x, y, v));
    const base: Base = fromBytes < 4 ? 'i32' : x;
    const wide = fromBytes < 4 ? intCast(f, from, vtype('i32', from.lanes), a) : a;
    return asm.un(y === 'f32' ? `Convert${sign(base)}VecI32x4ToVecF32x4` : `ConvertLow${sign(base)}VecI32x4ToVecF64x2`, wide);
  }
  if (toBytes === 8) return lanewise(f, x, y, to.lanes, [a], ([v = 0]) => scalarCast(f, x, y, v));
  const s = toBytes < 4 ? 'S' : sign(y);
  const whole = asm.un(x === 'f32' ? `TruncSat${s}VecF32x4ToVecI32x4` : `TruncSatZero${s}VecF64x2ToVecI32x4`, a);
  if (toBytes === 4) return whole;
  const [w1, w2] = twice(f, asm.b.v128, whole);
  const half = asm.bin(`Narrow${toBytes === 2 ? sign(y) : 'S'}VecI32x4ToVecI16x8`, w1, w2);
  if (toBytes === 2) return half;
  const [h1, h2] = twice(f, asm.b.v128, half);
  return asm.bin(`Narrow${sign(y)}VecI16x8ToVecI8x16`, h1, h2);
}
/** Integers wrap: wider by extension, narrower by dropping bytes. */
function intCast(f: Fn, from: VType, to: VType, a: ExpressionRef): ExpressionRef {
  const fromBytes = baseBytes(from.base);
  const toBytes = baseBytes(to.base);
  if (toBytes < fromBytes) {
    const [a1, a2] = twice(f, f.asm.b.v128, a);
    const bytes = Array.from({ length: 16 }, (_, i) => (Math.floor(i / toBytes) * fromBytes + (i % toBytes)) % 16);
    return f.asm.m.i8x16.shuffle(a1, a2, bytes);
  }
  let v = a;
  for (let n = fromBytes; n < toBytes; n *= 2) v = extend(f, n, sign(from.base), 'Low', v);
  return v;
}
function extend(f: Fn, bytes: number, s: 'S' | 'U', half: 'Low' | 'High', v: ExpressionRef): ExpressionRef {
  const [x, y] = bytes === 1 ? ['I8x16', 'I16x8'] : bytes === 2 ? ['I16x8', 'I32x4'] : ['I32x4', 'I64x2'];
  return f.asm.un(`Extend${half}${s}Vec${x}ToVec${y}`, v);
}
export function vectorWiden(f: Fn, from: VType, half: 'low' | 'high', a: ExpressionRef): ExpressionRef {
  const size = baseBytes(from.base);
  if (vectorBytes(from) === 16 || half === 'low') return extend(f, size, sign(from.base), half === 'low' ? 'Low' : 'High', a);
  // The upper half of a short vector is not the upper half of the register.
  const n = from.lanes / 2;
  const [a1, a2] = twice(f, f.asm.b.v128, a);
  const moved = shuffleLanes(
    f,
    size,
    Array.from({ length: 16 / size }, (_, i) => (i < n ? n + i : 0)),
    from.lanes,
    a1,
    a2,
  );
  return extend(f, size, sign(from.base), 'Low', moved);
}
/** Folds the lanes pairwise, the upper half onto the lower. */
export function vectorReduce(f: Fn, t: VType, op: 'add' | 'min' | 'max', a: ExpressionRef): ExpressionRef {
  const v128 = f.asm.b.v128;
  const size = baseBytes(t.base);
  let v = a;
  for (let h = t.lanes / 2; h >= 1; h /= 2) {
    const tmp = f.temp(v128);
    const get = (): ExpressionRef => f.asm.m.local.get(tmp, v128);
    // Operands may be evaluated in any order, so the local is set before both.
    const set = f.asm.m.local.set(tmp, v);
    const high = shuffleLanes(
      f,
      size,
      Array.from({ length: 16 / size }, (_, i) => (i < h ? h + i : 0)),
      16,
      get(),
      get(),
    );
    v = f.asm.m.block(null, [set, vectorBin(f, t, op, get(), high)], v128);
  }
  return extract(f, t.base, v, 0);
}
/** i32 sums of products of adjacent pairs (i16) or fours (i8 by i8 or u8). */
export function vectorDot(
  f: Fn,
  left: VType,
  right: VType,
  a: ExpressionRef,
  b: ExpressionRef,
  acc: ExpressionRef,
): ExpressionRef {
  const { asm } = f;
  if (left.base === 'i16') return asm.bin('AddVecI32x4', asm.bin('DotSVecI16x8ToVecI32x4', a, b), acc);
  // The engine has been asked whether it takes the second operand so.
  if (f.profile.vector.intDot === `${left.base}${right.base}`) return asm.tern('RelaxedDotI8x16I7x16AddSToVecI32x4', a, b, acc);
  const v128 = asm.b.v128;
  const [a1, a2] = twice(f, v128, a);
  const [b1, b2] = twice(f, v128, b);
  // Products of eight bits, one of them signed, fit 16.
  const pairs = (half: 'Low' | 'High', x: ExpressionRef, y: ExpressionRef): ExpressionRef =>
    asm.un(
      'ExtAddPairwiseSVecI16x8ToI32x4',
      asm.bin('MulVecI16x8', extend(f, 1, 'S', half, x), extend(f, 1, sign(right.base), half, y)),
    );
  const [l1, l2] = twice(f, v128, pairs('Low', a1, b1));
  const [h1, h2] = twice(f, v128, pairs('High', a2, b2));
  const even = shuffleLanes(f, 4, [0, 2, 4, 6], 4, l1, h1);
  const odd = shuffleLanes(f, 4, [1, 3, 5, 7], 4, l2, h2);
  return asm.bin('AddVecI32x4', asm.bin('AddVecI32x4', even, odd), acc);
}
/** a*b+c, rounded as the target does. */
export function vectorFma(f: Fn, t: VType, a: ExpressionRef, b: ExpressionRef, c: ExpressionRef): ExpressionRef {
  const { asm } = f;
  const s = shape(t.base);
  if (f.profile.vector.fma !== 'none' && isFloatBase(t.base)) return asm.tern(`RelaxedMaddVec${s}`, a, b, c);
  // The sum first: engines let the result of an operation take the register of its first operand.
  return vectorBin(f, t, 'add', c, vectorBin(f, t, 'mul', a, b));
}
/** The same on scalars, with the same result as in a lane. */
export function scalarFma(f: Fn, t: VType, a: ExpressionRef, b: ExpressionRef, c: ExpressionRef): ExpressionRef {
  if (f.profile.vector.fma === 'none') return scalarBin(f, t.base, 'add', c, scalarBin(f, t.base, 'mul', a, b));
  const [x, y, z] = [a, b, c].map(v => splatOf(f, t.base, v));
  return x !== undefined && y !== undefined && z !== undefined ? extract(f, t.base, vectorFma(f, t, x, y, z), 0) : a;
}
