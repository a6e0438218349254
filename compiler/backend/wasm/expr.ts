import { isCoded } from '../../core/codes.ts';
import { InternalError } from '../../core/diagnostic.ts';
import { bytesOf, type DType } from '../../core/dtype.ts';
import { normalise, type Value } from '../../kernel/arith.ts';
import { baseBytes, constOf, showVType, type Expr, type VType } from '../../kernel/ir.ts';
import type { ExpressionRef } from './binaryen.ts';
import { twice, type Fn } from './fn.ts';
import { regBase, scalarBin, scalarCast, scalarCmp, scalarReinterpret, scalarUn, typeOf } from './scalar.ts';
import {
  constBytes,
  extract,
  replace,
  shuffleLanes,
  splatOf,
  vectorBin,
  vectorBytes,
  vectorCast,
  vectorCmp,
  vectorDot,
  scalarFma,
  vectorFma,
  vectorReduce,
  vectorUn,
  vectorWiden,
} from './vector.ts';

/** A kernel expression as a WebAssembly expression. Each call makes a new tree. */
export function emitExpr(f: Fn, e: Expr): ExpressionRef {
  const { asm } = f;
  const { m } = asm;
  const t = e.t;
  const wide = t.lanes > 1;
  if (wide && vectorBytes(t) > 16) throw new InternalError(`a ${showVType(t)} does not fit a WebAssembly vector`);
  switch (e.k) {
    case 'const':
      return wide ? m.v128.const(constBytes(t.base, [normalise(t.base, e.value)])) : scalarConst(f, t, e.value);
    case 'var':
      return f.get(e.name);
    case 'load': {
      const a = address(f, e.buf, e.dtype, e.at, e.base);
      return wide ? vectorLoad(f, t, a) : scalarLoad(f, e.dtype, a);
    }
    case 'addr': {
      const a = address(f, e.buf, e.dtype, e.at, undefined);
      return a.offset === 0 ? a.ptr : m.i32.add(a.ptr, m.i32.const(a.offset));
    }
    case 'bin': {
      if (wide) {
        const count = e.op === 'shl' || e.op === 'shr' ? scalarCast(f, e.b.t.base, 'i32', emitExpr(f, e.b)) : emitExpr(f, e.b);
        return vectorBin(f, t, e.op, emitExpr(f, e.a), count);
      }
      if (e.op === 'shl' || e.op === 'shr')
        return scalarBin(f, t.base, e.op, emitExpr(f, e.a), scalarCast(f, e.b.t.base, t.base, emitExpr(f, e.b)));
      return scalarBin(f, t.base, e.op, emitExpr(f, e.a), emitExpr(f, e.b));
    }
    case 'un':
      return wide ? vectorUn(f, t, e.op, emitExpr(f, e.a)) : scalarUn(f, t.base, e.op, emitExpr(f, e.a));
    case 'cmp':
      if (!wide && e.op === 'eq' && constOf(e.b) === 0) return m.i32.eqz(emitExpr(f, e.a));
      return (wide ? vectorCmp : cmpScalars)(f, e.a.t, e.op, emitExpr(f, e.a), emitExpr(f, e.b));
    case 'select': {
      if (e.c.t.lanes > 1 && isZero(e.b)) return asm.bin('AndVec128', emitExpr(f, e.c), emitExpr(f, e.a));
      if (e.c.t.lanes > 1 && isZero(e.a)) return asm.bin('AndNotVec128', emitExpr(f, e.b), emitExpr(f, e.c));
      const a = emitExpr(f, e.a);
      const b = emitExpr(f, e.b);
      const c = emitExpr(f, e.c);
      return e.c.t.lanes > 1 ? asm.tern('BitselectVec128', a, b, c) : m.select(c, a, b);
    }
    case 'cast':
      return wide ? vectorCast(f, e.a.t, t, emitExpr(f, e.a)) : scalarCast(f, e.a.t.base, t.base, emitExpr(f, e.a));
    case 'reinterpret':
      return reinterpretRef(f, e.a.t, t, emitExpr(f, e.a));
    case 'splat':
      return splat(f, t, e.a);
    case 'vec': {
      const values = e.parts.map(p => (p.k === 'const' ? normalise(t.base, p.value) : undefined));
      const known = values.filter(v => v !== undefined);
      if (known.length === values.length) return m.v128.const(constBytes(t.base, known));
      const [first, ...rest] = e.parts;
      if (!first) throw new InternalError('vec of nothing');
      return rest.reduce((v, p, i) => replace(f, t.base, v, i + 1, emitExpr(f, p)), splat(f, t, first));
    }
    case 'lane':
      return extract(f, e.a.t.base, emitExpr(f, e.a), e.lane);
    case 'shuffle': {
      const size = baseBytes(t.base);
      if (e.b === e.a || (e.a.k === 'var' && e.b.k === 'var' && e.a.name === e.b.name)) {
        const [a1, a2] = doubled(f, e.a);
        return shuffleLanes(f, size, e.lanes, e.a.t.lanes, a1, a2);
      }
      return shuffleLanes(f, size, e.lanes, e.a.t.lanes, emitExpr(f, e.a), emitExpr(f, e.b));
    }
    case 'permute':
      throw new InternalError('WebAssembly has no permute');
    case 'widen':
      return vectorWiden(f, e.a.t, e.half, emitExpr(f, e.a));
    case 'fma': {
      const [a, b, c] = [emitExpr(f, e.a), emitExpr(f, e.b), emitExpr(f, e.c)];
      return wide ? vectorFma(f, t, a, b, c) : scalarFma(f, t, a, b, c);
    }
    case 'dot':
      return vectorDot(f, e.a.t, e.b.t, emitExpr(f, e.a), emitExpr(f, e.b), emitExpr(f, e.acc));
    case 'reduce':
      return vectorReduce(f, e.a.t, e.op, emitExpr(f, e.a));
  }
}
const cmpScalars = (f: Fn, t: VType, op: Parameters<typeof scalarCmp>[2], a: ExpressionRef, b: ExpressionRef): ExpressionRef =>
  scalarCmp(f, t.base, op, a, b);

/** An expression that is used twice: variables are read twice, everything else is kept in a scratch local. */
function doubled(f: Fn, e: Expr): readonly [ExpressionRef, ExpressionRef] {
  if (e.k === 'var' || e.k === 'const') return [emitExpr(f, e), emitExpr(f, e)];
  return twice(f, e.t.lanes > 1 ? f.asm.b.v128 : typeOf(f, e.t.base), emitExpr(f, e));
}
/** Whether every bit is 0. */
const isZero = (e: Expr): boolean =>
  (e.k === 'const' && (e.value === 0n || Object.is(e.value, 0))) || (e.k === 'splat' && isZero(e.a));
function scalarConst(f: Fn, t: VType, value: Value): ExpressionRef {
  const { m } = f.asm;
  switch (regBase(t.base)) {
    case 'i32':
    case 'u32':
      return m.i32.const(Number(value) | 0);
    case 'i64':
    case 'u64':
      return m.i64.const(BigInt.asIntN(64, BigInt(value)));
    case 'f32':
      return m.f32.const(Number(value));
    case 'f64':
      return m.f64.const(Number(value));
  }
}
function splat(f: Fn, t: VType, a: Expr): ExpressionRef {
  const { asm } = f;
  if (a.k === 'const') return asm.m.v128.const(constBytes(t.base, [normalise(t.base, a.value)]));
  const size = baseBytes(t.base);
  if (a.k === 'load' && !isCoded(a.dtype) && bytesOf(a.dtype) === size) {
    const at = address(f, a.buf, a.dtype, a.at, a.base);
    return asm.simdLoad(`Load${size * 8}SplatVec128`, at.offset, size, at.ptr);
  }
  return splatOf(f, t.base, emitExpr(f, a));
}
function reinterpretRef(f: Fn, from: VType, to: VType, a: ExpressionRef): ExpressionRef {
  if (from.lanes === 1 && to.lanes === 1) return scalarReinterpret(f, from.base, to.base, a);
  if (from.lanes === 1) return splatOf(f, from.base, a);
  return to.lanes === 1 ? extract(f, to.base, a, 0) : a;
}

interface Address {
  readonly ptr: ExpressionRef;
  /** Bytes added by the access itself. */
  readonly offset: number;
}
/** The address of an element: constants go into the offset of the access where the rest cannot be negative. */
function address(f: Fn, buf: string, dtype: DType, at: Expr, base: Expr | undefined): Address {
  const { m } = f.asm;
  const size = bytesOf(dtype);
  if (base) {
    const c = constOf(at);
    if (c === undefined || c < 0) throw new InternalError(`an access to ${buf} with a base needs a constant, non-negative index`);
    return { ptr: emitExpr(f, base), offset: c * size };
  }
  const c = constOf(at);
  if (c !== undefined)
    return c >= 0 ? { ptr: f.get(buf), offset: c * size } : { ptr: m.i32.add(f.get(buf), m.i32.const(c * size)), offset: 0 };
  const [rest, k] = at.k === 'bin' && at.op === 'add' && constOf(at.b) !== undefined ? [at.a, constOf(at.b) ?? 0] : [at, 0];
  if (k > 0 && f.nonNegative(rest)) return { ptr: m.i32.add(f.get(buf), scaled(f, rest, size)), offset: k * size };
  return { ptr: m.i32.add(f.get(buf), scaled(f, at, size)), offset: 0 };
}
/** An index in bytes. Constant factors are folded. */
function scaled(f: Fn, e: Expr, size: number): ExpressionRef {
  const { m } = f.asm;
  if (size === 1) return emitExpr(f, e);
  if (e.k === 'bin') {
    const q = constOf(e.b);
    if (q !== undefined && e.op === 'mul') return m.i32.mul(emitExpr(f, e.a), m.i32.const(Math.imul(q, size)));
    if (q !== undefined && e.op === 'add') return m.i32.add(scaled(f, e.a, size), m.i32.const(Math.imul(q, size)));
  }
  return m.i32.shl(emitExpr(f, e), m.i32.const(Math.log2(size)));
}
function scalarLoad(f: Fn, dtype: DType, { ptr, offset }: Address): ExpressionRef {
  const { m } = f.asm;
  if (isCoded(dtype)) throw new InternalError(`a load of ${dtype} reached the WebAssembly emitter`);
  switch (dtype) {
    case 'f32':
      return m.f32.load(offset, 4, ptr);
    case 'f64':
      return m.f64.load(offset, 8, ptr);
    case 'i8':
      return m.i32.load8_s(offset, 1, ptr);
    case 'u8':
    case 'bool':
      return m.i32.load8_u(offset, 1, ptr);
    case 'i16':
      return m.i32.load16_s(offset, 2, ptr);
    case 'u16':
      return m.i32.load16_u(offset, 2, ptr);
    case 'i32':
    case 'u32':
    case 'text':
      return m.i32.load(offset, 4, ptr);
    case 'i64':
    case 'u64':
      return m.i64.load(offset, 8, ptr);
  }
}
function vectorLoad(f: Fn, t: VType, { ptr, offset }: Address): ExpressionRef {
  const { m } = f.asm;
  const align = baseBytes(t.base);
  switch (vectorBytes(t)) {
    case 16:
      return m.v128.load(offset, align, ptr);
    case 8:
      return m.v128.load64_zero(offset, align, ptr);
    case 4:
      return m.v128.load32_zero(offset, align, ptr);
    case 2:
      return f.asm.simdLoad('Load16SplatVec128', offset, 1, ptr);
    default:
      throw new InternalError(`a load of ${showVType(t)}`);
  }
}
/** A store of a scalar or a vector. */
export function emitStore(f: Fn, buf: string, dtype: DType, at: Expr, base: Expr | undefined, value: Expr): ExpressionRef {
  const { m } = f.asm;
  const { ptr, offset } = address(f, buf, dtype, at, base);
  const v = emitExpr(f, value);
  const align = bytesOf(dtype);
  if (value.t.lanes > 1) {
    switch (vectorBytes(value.t)) {
      case 16:
        return m.v128.store(offset, align, ptr, v);
      case 8:
        return m.v128.store64_lane(offset, align, 0, ptr, v);
      case 4:
        return m.v128.store32_lane(offset, align, 0, ptr, v);
      case 2:
        return m.v128.store16_lane(offset, align, 0, ptr, v);
      default:
        throw new InternalError(`a store of ${showVType(value.t)}`);
    }
  }
  if (isCoded(dtype)) throw new InternalError(`a store of ${dtype} reached the WebAssembly emitter`);
  switch (dtype) {
    case 'f32':
      return m.f32.store(offset, 4, ptr, v);
    case 'f64':
      return m.f64.store(offset, 8, ptr, v);
    case 'i8':
    case 'u8':
    case 'bool':
      return m.i32.store8(offset, 1, ptr, v);
    case 'i16':
    case 'u16':
      return m.i32.store16(offset, 2, ptr, v);
    case 'i32':
    case 'u32':
    case 'text':
      return m.i32.store(offset, 4, ptr, v);
    case 'i64':
    case 'u64':
      return m.i64.store(offset, 8, ptr, v);
  }
}
