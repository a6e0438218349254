/**
 * Products of small integers, over words: 2 or 4 neighbours along k share a word of 32 bits in A and in B, and the multiply-add of
 * `gemm.ts` is a dot product of two words (VNNI, NEON's sdot, pmaddwd). Everything is exact.
 * ```
 * for row, parallel: for k by lanes:                    words[row][k] = A[row][k] - offset, as u8, i8 or i16; zeros fill the last word
 * gemm over words: acc[i][j] = dot(B[word][j], splat words[i][word], acc[i][j])
 * C[row][column] = epilogue(acc + (offset - zero) * sum over k of B[k][column])        the zero-point correction
 * ```
 */
import { must } from '../../core/diagnostic.ts';
import { dimFloorDiv, dimHi, dimMul, dimProd, isMultiple, type Dim } from '../../core/dim.ts';
import { fromTyped, toNumbers, typed, type Tensor } from '../../core/tensor.ts';
import { tensorOf, type Value } from '../../graph/graph.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import { add, and, cast, int, konst, MMA, mul, or, shl, splat, sub, vtype, type Expr, type Lanes } from '../../kernel/ir.ts';
import { forLanes, lanesOf } from '../loops.ts';
import type { LowerCtx, Ref, SlotBuffer, Source } from '../lowering.ts';
import type { Profile } from '../../target/profile.ts';
import type { Panels } from './gemm.ts';
import { everyMatrix, packConstant, type ConstMatrix } from './pack.ts';
import type { DotTypes } from './tile.ts';

/**
 * Products of small integers by dot products of words: neighbours along k share a word of 32 bits in both operands, so that the product
 * of floats (`gemm.ts`) serves, with words for floats. Everything is exact.
 */
export interface DotForm extends DotTypes {
  /** Elements in a word. */
  readonly group: 2 | 4;
  /** What is taken off the elements of A so that they fit their type. */
  readonly offset: number;
}
const FORMS: Readonly<Record<Profile['vector']['intDot'], readonly Omit<DotForm, 'offset'>[]>> = {
  none: [],
  i16: [{ a: 'i16', b: 'i16', group: 2 }],
  i8u8: [
    { a: 'u8', b: 'i8', group: 4 },
    { a: 'i16', b: 'i16', group: 2 },
  ],
  i8i8: [{ a: 'i8', b: 'i8', group: 4 }],
};
const LIMITS = { u8: [0, 255], i8: [-128, 127], i16: [-32768, 32767] } as const;
const fits = (lo: number, hi: number, type: keyof typeof LIMITS): boolean => lo >= LIMITS[type][0] && hi <= LIMITS[type][1];

/** The dot product of the target that takes integers `range[0]` to `range[1]` times those of B; undefined where there is none. */
export function dotForm(
  profile: Profile,
  range: readonly [number, number] | undefined,
  b: ArrayLike<number>,
): DotForm | undefined {
  if (!range) return undefined;
  const [lo, hi] = range;
  let [least, most] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    const v = must(b[i]);
    if (!Number.isInteger(v)) return undefined;
    least = Math.min(least, v);
    most = Math.max(most, v);
  }
  for (const f of FORMS[profile.vector.intDot]) {
    const offset = fits(lo, hi, f.a) ? 0 : lo - LIMITS[f.a][0];
    if (fits(lo - offset, hi - offset, f.a) && fits(least, most, f.b)) return { ...f, offset };
  }
  return undefined;
}
/** Words that hold a run of `n` elements. */
export const wordsOf = (f: DotForm, n: number): number => Math.ceil(n / f.group);
/** Words of a row from which on whole blocks are worth the zeros that fill it up. */
const WORTH_BLOCKS = 8;
/**
 * Words of a row for products by blocks (`mma`), which are multiples of MMA; undefined where the target has none, or the rows are too few
 * or too short.
 */
export const blockWords = (profile: Profile, f: DotForm, rows: Dim, words: number): number | undefined =>
  profile.vector.mma && f.a === 'u8' && dimHi(rows) >= MMA && words >= WORTH_BLOCKS ? Math.ceil(words / MMA) * MMA : undefined;

/**
 * Packs constant matrices as `packConstant` does, as words; `depth` elements a column, in runs of `run` that begin with a new word each.
 * Zeros fill a column up to `most` words.
 */
export function packWords(
  f: DotForm,
  data: ArrayLike<number>,
  matrices: readonly ConstMatrix[],
  depth: number,
  run: number,
  p: Panels,
  most?: number,
): Tensor {
  const columns = Number(p.columns);
  const perRun = wordsOf(f, run);
  const rows = most ?? (depth / run) * perRun;
  const words = new Int32Array(rows * columns * matrices.length);
  const bits = 32 / f.group;
  matrices.forEach((m, i) => {
    for (let k = 0; k < depth; k++) {
      const row = i * rows + Math.floor(k / run) * perRun + Math.floor((k % run) / f.group);
      const shift = bits * ((k % run) % f.group);
      for (let n = 0; n < columns; n++) {
        const v = must(data[m.offset + k * m.kStride + n * m.columnStride]);
        words[row * columns + n] = must(words[row * columns + n]) | ((v & (2 ** bits - 1)) << shift);
      }
    }
  });
  const each = everyMatrix(matrices.length, rows * columns, { offset: 0, kStride: columns, columnStride: 1 });
  return packConstant(fromTyped('i32', [words.length], words), each, rows, p);
}
/**
 * Packed words in memory. Pairs of 16 bits whose values fit eight are stored so where the back end can widen them when the model is loaded:
 * words[i] = bytes[2 i] and bytes[2 i + 1], each in its half.
 */
export function wordWeights(c: LowerCtx<unknown>, name: string, f: DotForm, packed: Tensor): SlotBuffer {
  const words = typed(packed) as Int32Array;
  const values = new Int16Array(words.buffer, words.byteOffset, f.b === 'i16' ? 2 * words.length : 0);
  if (f.b !== 'i16' || !c.prepares || values.some(v => v < -128 || v > 127)) return c.weights(name, packed);
  const bytes = c.weights(`${name}_bytes`, fromTyped('i8', [values.length], Int8Array.from(values)));
  return c.prepared(name, 'i32', words.length, (k, to) => {
    k.for(0, words.length, i => {
      const at = (n: number): Expr => cast(vtype('i32'), k.load(bytes, add(mul(i, 2), n)));
      k.store(to, i, or(and(at(0), 0xffff), shl(at(1), 16)));
    });
  });
}
type Correct = (k: KernelBuilder, column: Expr, v: Expr) => Expr;
/**
 * The zero-point correction of each column, which is added to the sums of stored elements: (offset - zero) times the sum of the column of
 * B. The zero point of A, a number, is input 2 of the node.
 */
export function correction(c: LowerCtx<unknown>, f: DotForm, columnSums: Int32Array): Correct {
  const zero = c.node.inputs[2];
  const known = zero ? tensorOf(zero) : fromTyped('i32', [], Int32Array.of(0));
  const by = known && f.offset - must(toNumbers(known)[0]);
  if (by === 0) return (_, __, v) => v;
  const table = c.weights(
    'offsets',
    fromTyped('i32', [columnSums.length], by === undefined ? columnSums : columnSums.map(n => by * n)),
  );
  return (k, column, v) => {
    const t = k.load(table, column, v.t.lanes);
    return add(v, by === undefined ? mul(t, splat(sub(f.offset, zeroOf(c, k)), v.t.lanes)) : t);
  };
}
/** The zero point of A: the one element of input 2, or 0 where it is left out. */
export function zeroOf(c: LowerCtx<unknown>, k: KernelBuilder): Expr {
  const zero = c.source(2);
  return zero
    ? zero.at(
        k,
        zero.dims.map(() => int(0)),
      )
    : int(0);
}

/** Whether a value lies where the caller put it: bytes at any address, which are no words. */
function isGiven(v: Value): boolean {
  let d = v.def;
  while (d.k === 'node' && d.op.lower.k === 'view' && d.inputs[0]) d = d.inputs[0].def;
  return d.k === 'input';
}
/** Memory of bytes as memory of words, if it can be seen so. */
function wordRef(r: Ref): Ref | undefined {
  const outer = r.strides.slice(0, -1);
  if (r.strides.at(-1) !== 1 || !isMultiple(r.buffer.offset, 4) || !outer.every(n => isMultiple(n, 4))) return undefined;
  const by4 = (n: Dim): Dim => dimFloorDiv(n, 4);
  return {
    buffer: r.buffer,
    dims: [...r.dims.slice(0, -1), by4(must(r.dims.at(-1)))],
    strides: [...outer.map(by4), 1],
  };
}
/** The bytes of `x`, which is input 0, as words where they lie; undefined where they must be copied. Their last axis is whole words. */
export function storedWords(c: LowerCtx<unknown>, f: DotForm, x: Source): Ref | undefined {
  const aligned = x.ref && (x.ref.strides.at(-1) !== 1 || !isGiven(must(c.node.inputs[0])));
  return aligned && f.group === 4 ? wordRef(c.rows(0)) : undefined;
}

/** Stores integers, `offset` taken off, as elements of words. */
function storeElements(k: KernelBuilder, f: DotForm, to: SlotBuffer, at: Expr, v: Expr): void {
  const { lanes } = v.t;
  const whole = cast(vtype('i32', lanes), v);
  const moved = f.offset === 0 ? whole : add(whole, konst(vtype('i32', lanes), -f.offset));
  k.store(to, at, lanes === 1 ? moved : cast(vtype(f.a, lanes), moved));
}
/** The rows of A, of `depth` elements each, as so many words: they are filled up with zeros. */
export function wordRows(c: LowerCtx<unknown>, f: DotForm, x: Source, depth: number, words: number): SlotBuffer {
  const padded = words * f.group;
  const outer = x.dims.slice(0, -1);
  const to = c.temp('words', f.a, dimMul(dimProd(outer), padded));
  const lanes: Lanes = x.vector ? lanesOf(c.profile) : 1;
  c.kernel('words', k => {
    const nest = (idx: readonly Expr[], row: Expr): void => {
      const n: Dim | undefined = outer[idx.length];
      if (n !== undefined) {
        k.for(0, n, i => nest([...idx, i], k.let(add(mul(row, k.dim(n)), i))), { parallel: idx.length === 0 });
        return;
      }
      const at = k.let(mul(row, padded));
      forLanes(k, depth, lanes, (i, l) => storeElements(k, f, to, add(at, i), x.at(k, [...idx, i], l)));
      k.for(depth, padded, i => k.store(to, add(at, i), int(0)));
    };
    nest([], int(0));
  });
  return to;
}
