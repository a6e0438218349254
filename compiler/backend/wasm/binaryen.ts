import type binaryen from 'binaryen';
import { InternalError } from '../../core/diagnostic.ts';

export type Binaryen = typeof binaryen;
type Module = binaryen.Module;
/** An expression of binaryen. It has one owner: an expression put into two places is a bug. */
export type ExpressionRef = number;
export type WasmType = number;

/** The C functions that binaryen.js exports beside its JavaScript wrappers; they know operations which the wrappers lack. */
interface CApi {
  readonly _BinaryenUnary: (m: number, op: number, a: ExpressionRef) => ExpressionRef;
  readonly _BinaryenBinary: (m: number, op: number, a: ExpressionRef, b: ExpressionRef) => ExpressionRef;
  readonly _BinaryenSIMDTernary: (m: number, op: number, a: ExpressionRef, b: ExpressionRef, c: ExpressionRef) => ExpressionRef;
  readonly _BinaryenSIMDShift: (m: number, op: number, a: ExpressionRef, count: ExpressionRef) => ExpressionRef;
  readonly _BinaryenSIMDExtract: (m: number, op: number, a: ExpressionRef, lane: number) => ExpressionRef;
  readonly _BinaryenSIMDReplace: (m: number, op: number, a: ExpressionRef, lane: number, value: ExpressionRef) => ExpressionRef;
  readonly _BinaryenSIMDLoad: (
    m: number,
    op: number,
    offset: number,
    align: number,
    ptr: ExpressionRef,
    memory: number,
  ) => ExpressionRef;
}
/** A module under construction, with operations by their names in binaryen (`AddVecF32x4`). */
export interface Assembler {
  readonly m: Module;
  readonly b: Binaryen;
  /** Whether WebAssembly has the operation. */
  has(op: string): boolean;
  un(op: string, a: ExpressionRef): ExpressionRef;
  bin(op: string, a: ExpressionRef, b: ExpressionRef): ExpressionRef;
  tern(op: string, a: ExpressionRef, b: ExpressionRef, c: ExpressionRef): ExpressionRef;
  shift(op: string, a: ExpressionRef, count: ExpressionRef): ExpressionRef;
  extract(op: string, a: ExpressionRef, lane: number): ExpressionRef;
  replace(op: string, a: ExpressionRef, lane: number, value: ExpressionRef): ExpressionRef;
  simdLoad(op: string, offset: number, align: number, ptr: ExpressionRef): ExpressionRef;
}

/** Loads binaryen, which is large, at the first use. */
export async function loadBinaryen(): Promise<Binaryen> {
  return (await import('binaryen')).default;
}

export function assembler(b: Binaryen): Assembler {
  const m = new b.Module();
  const c = b as unknown as CApi;
  const names = b as unknown as Readonly<Record<string, unknown>>;
  const code = (op: string): number => {
    const n = names[op];
    if (typeof n !== 'number') throw new InternalError(`WebAssembly has no operation ${op}`);
    return n;
  };
  return {
    m,
    b,
    has: op => typeof names[op] === 'number',
    un: (op, x) => c._BinaryenUnary(m.ptr, code(op), x),
    bin: (op, x, y) => c._BinaryenBinary(m.ptr, code(op), x, y),
    tern: (op, x, y, z) => c._BinaryenSIMDTernary(m.ptr, code(op), x, y, z),
    shift: (op, x, count) => c._BinaryenSIMDShift(m.ptr, code(op), x, count),
    extract: (op, x, lane) => c._BinaryenSIMDExtract(m.ptr, code(op), x, lane),
    replace: (op, x, lane, value) => c._BinaryenSIMDReplace(m.ptr, code(op), x, lane, value),
    simdLoad: (op, offset, align, ptr) => c._BinaryenSIMDLoad(m.ptr, code(op), offset, align, ptr, 0),
  };
}
