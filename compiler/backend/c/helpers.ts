import type { Base, VType } from '../../kernel/ir.ts';
import { fma, unary, wrap, type UnaryOp, type WrapOp } from './helpers/arith.ts';
import { bits, convert } from './helpers/convert.ts';
import { dot, mma } from './helpers/dot.ts';
import { pick, splat } from './helpers/pick.ts';
import { extreme, permute, reduce } from './helpers/vectors.ts';
import { helperWriter } from './helpers/writer.ts';

/**
 * The small functions that kernels call, made when they are first asked for. Those that C cannot say well for vectors use what the
 * compiler says the target has (`__AVX__`, `__ARM_NEON`, …), with a portable form beside it.
 */
export interface Helpers {
  /** Declares a vector type and gives its name; a scalar type needs nothing. */
  type(t: VType): string;
  /** The type of a vector somewhere in memory, with the alignment of its elements. */
  loose(t: VType): string;
  /** The name of a scalar type that may alias any other. */
  alias(base: Base): string;
  min(t: VType): string;
  max(t: VType): string;
  splat(t: VType): string;
  /** Picks by the bits of a mask. */
  pick(t: VType): string;
  wrap(op: WrapOp, t: VType): string;
  unary(op: UnaryOp, t: VType): string;
  fma(t: VType): string;
  /** Conversion of numbers: floats to integers saturate, NaN gives 0. `fits`: a float that is a number is within the range of i32. */
  convert(from: VType, to: VType, fits?: boolean): string;
  /** The same bits as another type. */
  bits(from: VType, to: VType): string;
  reduce(op: 'add' | 'min' | 'max', t: VType): string;
  dot(a: VType, b: VType, acc: VType): string;
  /** Lanes of two vectors by index. */
  permute(t: VType): string;
  /** The product of words of `mma`. */
  mma(rows: number, columns: number): string;
  /** Everything asked for, in order. */
  text(): string;
}

export function newHelpers(): Helpers {
  const w = helperWriter();
  return {
    type: t => w.type(t),
    loose: t => w.loose(t),
    alias: base => w.alias(base),
    min: t => extreme(w, 'min', t),
    max: t => extreme(w, 'max', t),
    splat: t => splat(w, t),
    pick: t => pick(w, t),
    wrap: (op, t) => wrap(w, op, t),
    unary: (op, t) => unary(w, op, t),
    fma: t => fma(w, t),
    convert: (from, to, fits) => convert(w, from, to, fits),
    bits: (from, to) => bits(w, from, to),
    reduce: (op, t) => reduce(w, op, t),
    dot: (a, b, acc) => dot(w, a, b, acc),
    permute: t => permute(w, t),
    mma: (rows, columns) => mma(w, rows, columns),
    text: () => w.text(),
  };
}
