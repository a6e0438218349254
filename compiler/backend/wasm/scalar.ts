import { InternalError } from '../../core/diagnostic.ts';
import type { Base, BinOp, CmpOp, UnOp } from '../../kernel/ir.ts';
import type { ExpressionRef } from './binaryen.ts';
import { twice, type Fn } from './fn.ts';

/** How binaryen spells the scalar type in operation names. */
const NAME = { i32: 'Int32', u32: 'Int32', i64: 'Int64', u64: 'Int64', f32: 'Float32', f64: 'Float64' } as const;
type Reg = keyof typeof NAME;
export const regBase = (b: Base): Reg => {
  if (b === 'i8' || b === 'u8' || b === 'i16' || b === 'u16') return 'i32';
  return b;
};
export const typeOf = (f: Fn, b: Base): number => {
  const { b: types } = f.asm;
  return { Int32: types.i32, Int64: types.i64, Float32: types.f32, Float64: types.f64 }[NAME[regBase(b)]];
};
const isFloat = (b: Base): boolean => b === 'f32' || b === 'f64';
const sign = (b: Base): 'S' | 'U' => (b.startsWith('u') ? 'U' : 'S');
const TITLE = {
  add: 'Add',
  sub: 'Sub',
  mul: 'Mul',
  div: 'Div',
  rem: 'Rem',
  and: 'And',
  or: 'Or',
  xor: 'Xor',
  shl: 'Shl',
  shr: 'Shr',
} as const;
const CMP: Readonly<Record<CmpOp, string>> = { eq: 'Eq', ne: 'Ne', lt: 'Lt', le: 'Le', gt: 'Gt', ge: 'Ge' };

/** A binary operation on scalars of one base; a shift count has been brought to the width of `a`. */
export function scalarBin(f: Fn, base: Base, op: BinOp, a: ExpressionRef, b: ExpressionRef): ExpressionRef {
  const reg = regBase(base);
  const n = NAME[reg];
  switch (op) {
    case 'min':
    case 'max': {
      const t = typeOf(f, reg);
      const [a1, a2] = twice(f, t, a);
      const [b1, b2] = twice(f, t, b);
      // min = b < a ? b : a, max = a < b ? b : a: the choice is between b and a in both.
      const c = op === 'min' ? scalarCmp(f, reg, 'lt', b2, a2) : scalarCmp(f, reg, 'lt', a2, b2);
      return f.asm.m.select(c, b1, a1);
    }
    case 'div':
      return f.asm.bin(isFloat(reg) ? `Div${n}` : `Div${sign(reg)}${n}`, a, b);
    case 'rem':
    case 'shr':
      return f.asm.bin(`${TITLE[op]}${sign(reg)}${n}`, a, b);
    case 'add':
    case 'sub':
    case 'mul':
    case 'and':
    case 'or':
    case 'xor':
    case 'shl':
      return f.asm.bin(`${TITLE[op]}${n}`, a, b);
  }
}
export function scalarCmp(f: Fn, base: Base, op: CmpOp, a: ExpressionRef, b: ExpressionRef): ExpressionRef {
  const reg = regBase(base);
  const s = isFloat(reg) || op === 'eq' || op === 'ne' ? '' : sign(reg);
  return f.asm.bin(`${CMP[op]}${s}${NAME[reg]}`, a, b);
}
const zero = (f: Fn, reg: Reg): ExpressionRef => (NAME[reg] === 'Int64' ? f.asm.m.i64.const(0n) : f.asm.m.i32.const(0));
export function scalarUn(f: Fn, base: Base, op: UnOp, a: ExpressionRef): ExpressionRef {
  const reg = regBase(base);
  const n = NAME[reg];
  if (isFloat(reg)) {
    const title = {
      neg: 'Neg',
      abs: 'Abs',
      sqrt: 'Sqrt',
      ceil: 'Ceil',
      floor: 'Floor',
      trunc: 'Trunc',
      nearest: 'Nearest',
    } as Readonly<Partial<Record<UnOp, string>>>;
    const name = title[op];
    if (name !== undefined) return f.asm.un(`${name}${n}`, a);
  } else {
    if (op === 'neg') return f.asm.bin(`Sub${n}`, zero(f, reg), a);
    if (op === 'not') return f.asm.bin(`Xor${n}`, a, NAME[reg] === 'Int64' ? f.asm.m.i64.const(-1n) : f.asm.m.i32.const(-1));
    if (op === 'abs') {
      if (sign(reg) === 'U') return a;
      const t = f.temp(typeOf(f, reg));
      const { m } = f.asm;
      const get = (): ExpressionRef => m.local.get(t, typeOf(f, reg));
      const negated = f.asm.bin(`Sub${n}`, zero(f, reg), m.local.tee(t, a, typeOf(f, reg)));
      return m.select(scalarCmp(f, reg, 'lt', get(), zero(f, reg)), negated, get());
    }
  }
  throw new InternalError(`${op} of ${base} reached the WebAssembly emitter`);
}
/** A conversion; narrow integers count as i32. */
export function scalarCast(f: Fn, fromBase: Base, toBase: Base, a: ExpressionRef): ExpressionRef {
  const from = regBase(fromBase);
  const to = regBase(toBase);
  const n = NAME[from];
  const w = NAME[to];
  if (n === w) return a;
  if (isFloat(to)) {
    if (isFloat(from)) return f.asm.un(to === 'f64' ? 'PromoteFloat32' : 'DemoteFloat64', a);
    return f.asm.un(`Convert${sign(from)}${n}To${w}`, a);
  }
  if (isFloat(from)) {
    if (f.profile.features.includes('sat-float-to-int')) return f.asm.un(`TruncSat${sign(to)}${n}To${w}`, a);
    return f.asm.m.call(f.helper(`sat:${from}:${to}`), [a], typeOf(f, to));
  }
  return f.asm.un(w === 'Int32' ? 'WrapInt64' : `Extend${sign(from)}Int32`, a);
}
/** The same bits as another scalar type of the same width. */
export function scalarReinterpret(f: Fn, from: Base, to: Base, a: ExpressionRef): ExpressionRef {
  const n = NAME[regBase(from)];
  const w = NAME[regBase(to)];
  return n === w ? a : f.asm.un(`Reinterpret${n}`, a);
}

/**
 * The body of `sat:f32:i32` and its like: a saturating conversion out of trapping ones. With x = NaN giving 0, and x outside the range
 * giving its nearest end, the trapping conversion never sees what it traps on. Parameter 0 is x.
 */
export function satBody(f: Pick<Fn, 'asm'>, from: 'f32' | 'f64', to: Base): ExpressionRef {
  const { asm } = f;
  const { m, b } = asm;
  const wide = to === 'i64' || to === 'u64';
  const unsigned = to.startsWith('u');
  const lo = unsigned ? 0n : wide ? -(1n << 63n) : -(1n << 31n);
  const hi = unsigned ? (wide ? (1n << 64n) - 1n : (1n << 32n) - 1n) : wide ? (1n << 63n) - 1n : (1n << 31n) - 1n;
  const konst = (v: bigint): ExpressionRef => (wide ? m.i64.const(v) : m.i32.const(Number(BigInt.asIntN(32, v))));
  const t = from === 'f32' ? b.f32 : b.f64;
  const num = from === 'f32' ? m.f32 : m.f64;
  const x = (): ExpressionRef => m.local.get(0, t);
  // The first float that is too large is 2^k exactly, and so is the lowest that is in range when signed.
  const above = Number(hi + 1n);
  const convert = asm.un(`Trunc${unsigned ? 'U' : 'S'}${NAME[from]}To${NAME[wide ? 'i64' : 'i32']}`, x());
  const inRange = m.if(num.lt(x(), num.const(above)), convert, konst(hi));
  // Unsigned: everything below 0 gives 0. Signed: below or at the lowest value gives it.
  const low = unsigned ? num.gt(x(), num.const(0)) : num.gt(x(), num.const(Number(lo)));
  return m.if(low, inRange, m.if(num.eq(x(), x()), konst(lo), konst(0n)));
}
