/**
 * The micro-kernel of `gemm.ts`: MR rows of A times the vectors of a row of B, summed in registers.
 * ```
 * acc[MR][NR / lanes] = 0                               unrolled: MR x NR / lanes vector registers
 * for each outer reduction loop (the rows of a convolution's kernel), if there are any:
 *   for k in the innermost one:                         the pointer into B is the loop variable
 *     b[j] = B[k][j * lanes ..]                         for all j, unrolled
 *     for i in 0..MR, unrolled:
 *       a = splat A[i][k]
 *       acc[i][j] += a * b[j]                           for all j, unrolled: fma, or mul and add, or dot of small integers
 * ```
 */
import { must } from '../../core/diagnostic.ts';
import type { Dim } from '../../core/dim.ts';
import { bytesOf, type DType } from '../../core/dtype.ts';
import { elementOf, type Buffer, type KernelBuilder } from '../../kernel/builder.ts';
import {
  add,
  baseBytes,
  constOf,
  dot,
  fma,
  konst,
  mul,
  reinterpret,
  splat,
  vtype,
  type Base,
  type Expr,
  type Lanes,
  type Num,
} from '../../kernel/ir.ts';
import type { Profile } from '../../target/profile.ts';
import { address, advance, inBytes, loadFrom } from './pointer.ts';

/** What a micro-kernel computes with. */
export interface Arith {
  readonly base: Base;
  readonly lanes: Lanes;
  readonly fma: boolean;
  /** Vector registers that a micro-kernel may fill. */
  readonly registers: number;
  /** Rows of two vectors of sums of dot products. */
  readonly dotRows: number;
  /** For words (i32) that hold small integers, in A and in B: the product of two words is the dot product of what they hold. */
  readonly dot?: DotTypes;
}
export interface DotTypes {
  readonly a: 'i8' | 'u8' | 'i16';
  readonly b: 'i8' | 'i16';
}
/** The lanes of a target for f32 and i32; scalar for the other types. */
export function arithOf(profile: Profile, base: Base): Arith {
  const wide = base === 'f32' || base === 'i32' || base === 'u32';
  return {
    base,
    lanes: wide ? (Math.max(1, profile.vector.bits / 32) as Lanes) : 1,
    fma: base === 'f32' && profile.vector.bits > 0 && profile.vector.fma !== 'none',
    registers: profile.registers,
    dotRows: profile.backEnd.dotRows(profile.registers),
  };
}
/** Rows and columns that a micro-kernel makes at once. */
export interface Block {
  readonly rows: number;
  readonly columns: number;
}
/**
 * A full panel is two vectors of f32, and never less than eight columns, so that the targets of a family share packed weights.
 */
export const usualColumns = (profile: Profile): number => Math.max(8, profile.vector.bits / 16);
/**
 * Rows of a micro-kernel of so many vectors: those of B, a splat and the accumulators fill the registers. A separate product takes some
 * more. One wide vector takes twice the rows, so that its multiply-adds do not wait for each other.
 */
export function registerRows(m: Arith, vectors: number): number {
  if (m.lanes === 1) return 4;
  if (m.dot) return m.fma ? m.dotRows : 4;
  if (vectors > 2) return Math.floor((m.registers - 1 - vectors - (m.fma ? 0 : 1)) / vectors);
  if (!m.fma) return 4;
  const rows = Math.floor((m.registers - 3) / 2);
  return vectors === 1 && m.lanes > 4 ? 2 * rows : rows;
}
/** a * b + c in the arithmetic of the kernel. */
export function mulAdd(m: Arith, a: Expr, b: Expr, c: Expr): Expr {
  if (!m.dot) return m.fma ? fma(a, b, c) : add(c, mul(a, b));
  const held = (word: Expr, of: Base): Expr => reinterpret(vtype(of, ((4 / baseBytes(of)) * word.t.lanes) as Lanes), word);
  return dot(held(b, m.dot.b), held(a, m.dot.a), c);
}
export const zero = (m: Arith): Expr => konst(vtype(m.base, m.lanes), 0);

/** One level of the walk over k: `n` steps (a size, or a number that the kernel computes) of `stride` elements of A. */
export interface ReductionLoop {
  readonly n: Dim | Expr;
  readonly stride: Num;
}
/** Where the rows of a tile lie, from its first row on, in elements: equally far apart, or each at a place of its own (row 0 at 0). */
export type RowLayout = { readonly k: 'stride'; readonly stride: Num } | { readonly k: 'each'; readonly at: readonly Expr[] };

/** A vector of a row of B, `at` elements from its beginning. */
export interface ColumnVector {
  readonly at: number;
  readonly lanes: Lanes;
}
/** `width` elements as vectors of `lanes`, and a narrower one, of four lanes at least, that covers what is left. */
export function columnVectors(width: number, lanes: Lanes): readonly ColumnVector[] {
  const out: ColumnVector[] = [];
  let at = 0;
  for (; at + lanes <= width; at += lanes) out.push({ at, lanes });
  if (at < width) out.push({ at, lanes: Math.max(Math.min(4, lanes), 2 ** Math.ceil(Math.log2(width - at))) as Lanes });
  return out;
}

/** One block of the result: some rows by some vectors, accumulated in registers. */
interface MicroKernel {
  readonly arith: Arith;
  readonly mr: number;
  /** Element (first row, k = 0) of A; `as`: its memory is seen as elements of another type. */
  readonly a: { readonly buffer: Buffer; readonly at: Num; readonly rows: RowLayout; readonly as?: DType };
  /** Element (k = 0, first column) of B; one step of k moves `step` elements. */
  readonly b: { readonly buffer: Buffer; readonly at: Num; readonly step: Num; readonly parts: readonly ColumnVector[] };
  /** Bytes from what is read of B to what to prefetch. */
  readonly ahead?: Expr;
  /** The walk over k, outermost first. B moves on by one step for each of its innermost steps. */
  readonly reduction: readonly ReductionLoop[];
}

/**
 * Emits the loops over k of one tile and gives the accumulated vectors [row][vector]. The innermost loop loads the vectors of B, then
 * for each row one splat of A and its multiply-adds: the order that V8 compiles without spills.
 */
export function microKernel(k: KernelBuilder, t: MicroKernel): readonly (readonly Expr[])[] {
  const { arith: m, mr: rows, a, b } = t;
  const acc = Array.from({ length: rows }, () => b.parts.map(p => k.var(zero({ ...m, lanes: p.lanes }))));
  const widths = [...new Set(b.parts.map(p => p.lanes))];
  const as = a.as ?? elementOf(a.buffer);
  const size = bytesOf(as);
  const places = rowPlaces(k, t);
  const step = constOf(typeof b.step === 'number' ? konst(vtype('i32'), b.step) : b.step);
  const last = must(t.reduction.at(-1), 'a walk over k');
  const pb = k.var(address(k, b.buffer, b.at));

  const multiply = (pa: Expr, q: Expr): void => {
    if (t.ahead) for (const line of linesOf(b.parts)) k.prefetch(b.buffer, add(q, add(t.ahead, line)));
    const vs = b.parts.map(p => k.let(loadFrom(k, b.buffer, q, p.at, p.lanes)));
    for (let i = 0; i < rows; i++) {
      const { from, at } = must(places[i]);
      const x = loadFrom(k, a.buffer, from ? add(pa, from) : pa, at, 1, as);
      const splats = new Map(widths.map(w => [w, k.let(splat(x, w))]));
      vs.forEach((v, j) => {
        const c = must(acc[i]?.[j]);
        k.set(c, mulAdd(m, must(splats.get(v.t.lanes)), v, c));
      });
    }
  };
  const innermost = (start: Expr): void => {
    if (last.n === 1) {
      multiply(start, pb);
      advance(k, pb, elementOf(b.buffer), b.step);
      return;
    }
    const pa = k.var(start);
    if (step === undefined) {
      k.for(0, last.n, () => {
        multiply(pa, pb);
        advance(k, pa, as, last.stride);
        advance(k, pb, elementOf(b.buffer), b.step);
      });
      return;
    }
    // The pointer into B is the loop variable: one addition and one comparison a step.
    const by = step * bytesOf(elementOf(b.buffer));
    const end = k.let(add(pb, mul(count(k, last.n), by)));
    k.for(
      pb,
      end,
      q => {
        multiply(pa, q);
        advance(k, pa, as, last.stride);
      },
      { step: by },
    );
    if (t.reduction.length > 1) k.set(pb, end);
  };
  const nest = (depth: number, start: Expr): void => {
    const seg = must(t.reduction[depth]);
    if (depth === t.reduction.length - 1) innermost(start);
    else if (seg.n === 1) nest(depth + 1, start);
    else k.for(0, seg.n, i => nest(depth + 1, k.let(add(start, mul(mul(i, seg.stride), size)))));
  };
  nest(0, k.let(address(k, a.buffer, a.at, as)));
  return acc;
}
/** Where the cache lines of a row of B begin, in bytes. */
const linesOf = (parts: readonly ColumnVector[]): number[] =>
  parts.filter((p, i) => i === 0 || (p.at * 4) % LINE === 0).map(p => p.at * 4);
const LINE = 64;
const count = (k: KernelBuilder, n: Dim | Expr): Expr => (typeof n === 'number' || n.k === 'poly' ? k.dim(n) : n);
/** The place of each row: a constant distance, or a distance in bytes held in a variable. */
function rowPlaces(k: KernelBuilder, t: MicroKernel): readonly { readonly from: Expr | undefined; readonly at: number }[] {
  const { rows, buffer, as = elementOf(buffer) } = t.a;
  return Array.from({ length: t.mr }, (_, i) => {
    if (i === 0) return { from: undefined, at: 0 };
    if (rows.k === 'each') return { from: k.let(inBytes(as, must(rows.at[i]))), at: 0 };
    const fixed = typeof rows.stride === 'number' ? rows.stride : constOf(rows.stride);
    return fixed === undefined ? { from: k.let(inBytes(as, mul(rows.stride, i))), at: 0 } : { from: undefined, at: i * fixed };
  });
}
