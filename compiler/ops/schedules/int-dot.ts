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
import { fromTyped, numel, toNumbers, typed, type Tensor } from '../../core/tensor.ts';
import { tensorOf, type Value } from '../../graph/graph.ts';
import { rangeOf } from '../quant/integers.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import { add, and, cast, int, konst, MMA, mul, or, shl, splat, sub, vtype, type Expr, type Lanes } from '../../kernel/ir.ts';
import { forLanes, lanesOf } from '../loops.ts';
import { WEIGHT_GROUP, type LowerCtx, type Ref, type SlotBuffer, type Source } from '../lowering.ts';
import type { Profile } from '../../target/profile.ts';
import { packedSize, type Panels } from './gemm.ts';
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
/** The bytes that the dot product of a target takes as A without moving them; undefined where there is none of bytes. */
export function dotBytes(profile: Profile): 'u8' | 'i8' | undefined {
  const type = FORMS[profile.vector.intDot][0]?.a;
  return type === 'i16' ? undefined : type;
}
const LIMITS = { u8: [0, 255], i8: [-128, 127], i16: [-32768, 32767] } as const;
const fits = (lo: number, hi: number, type: keyof typeof LIMITS): boolean => lo >= LIMITS[type][0] && hi <= LIMITS[type][1];

/** The dot product of the target that takes integers `range[0]` to `range[1]` times those of B, in `own`; undefined where there is none. */
export function dotForm(
  profile: Profile,
  range: readonly [number, number] | undefined,
  own: readonly [number, number] | undefined,
): DotForm | undefined {
  if (!range || !own) return undefined;
  const [lo, hi] = range;
  const [least, most] = own;
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

/** Constant matrices that words are made of: `depth` elements a column, in runs of `run` that begin with a new word each. */
interface WordMatrices {
  /** The elements, whole numbers. */
  readonly data: ArrayLike<number>;
  readonly matrices: readonly ConstMatrix[];
  readonly depth: number;
  readonly run: number;
  /** Words of a column, where zeros fill it up. */
  readonly most?: number | undefined;
}
/**
 * The words of constant matrices, packed as `packConstant` does. Elements that fit eight bits are stored so, packed as those of floats are, where
 * the back end can join them when the model is loaded: then the modules of all targets have the same weights.
 */
export function wordWeights(c: LowerCtx<unknown>, name: string, f: DotForm, w: WordMatrices, p: Panels): SlotBuffer {
  const range = rangeOf(w.data);
  if (!c.prepares || !fits(...range, 'i8') || w.most !== undefined) return c.weights(name, packWords(f, w, p));
  const bytes = packConstant(fromTyped('i32', [w.data.length], Int32Array.from(w.data)), w.matrices, w.depth, p);
  const stored = new Int8Array(Math.ceil(numel(bytes.dims) / WEIGHT_GROUP) * WEIGHT_GROUP);
  stored.set(typed(bytes) as Int32Array);
  const from = c.weights(`${name}_bytes`, fromTyped('i8', [stored.length], stored));
  const words = (w.depth / w.run) * wordsOf(f, w.run) * w.matrices.length;
  return c.prepared(name, 'i32', Number(packedSize(p, words)), (k, to) => joinWords(k, f, w, p, lanesOf(c.profile), from, to));
}
/**
 * Emits the joining of bytes, packed as floats are, to words:
 * ```
 * for matrix: for panel: for run: for word of a run: for column of the panel by lanes:
 *   words[matrix][panel][run, word][column] = the elements of the word in bytes[matrix][panel][run, element][column], each in its place
 * ```
 * Sizes are parameters, so that layers share the kernel.
 */
function joinWords(
  k: KernelBuilder,
  f: DotForm,
  w: WordMatrices,
  p: Panels,
  lanes: Lanes,
  from: SlotBuffer,
  to: SlotBuffer,
): void {
  const [bits, mask] = [32 / f.group, 2 ** (32 / f.group) - 1];
  const whole = k.param(Math.floor(w.run / f.group));
  const tail = w.run % f.group;
  const runs = k.param(w.depth / w.run);
  const word = (width: number, element: Expr, at: Expr, count: number): void => {
    // The last panel may be narrower than a vector.
    let n = lanes;
    while (width % n !== 0) n = (n / 2) as Lanes;
    for (let j = 0; j < width; j += n) {
      const parts = Array.from({ length: count }, (_, e) => {
        const v = cast(vtype('i32', n), k.load(from, add(element, e * width + j), n));
        const own = e === f.group - 1 ? v : and(v, konst(v.t, mask));
        return e === 0 ? own : shl(own, e * bits);
      });
      k.store(to, add(at, j), parts.reduce(or));
    }
  };
  // The places in both, which move on from word to word.
  const [element, at] = [k.var(int(0)), k.var(int(0))];
  const step = (width: number, count: number): void => {
    word(width, element, at, count);
    k.set(element, add(element, count * width));
    k.set(at, add(at, width));
  };
  const panel = (width: number): void =>
    k.for(0, runs, () => {
      k.for(0, whole, () => step(width, f.group));
      if (tail > 0) step(width, tail);
    });
  k.for(0, k.param(w.matrices.length), () => {
    k.for(0, k.param(Number(p.full)), () => panel(p.nr));
    if (p.restWidth > 0) panel(p.restWidth);
  });
}
/** Constant matrices as words, packed when the model is compiled. */
function packWords(f: DotForm, { data, matrices, depth, run, most }: WordMatrices, p: Panels): Tensor {
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
