import { must } from '../../../core/diagnostic.ts';
import { dimHi, dimProd, type Dim } from '../../../core/dim.ts';
import { regOf } from '../../../core/dtype.ts';
import { typed } from '../../../core/tensor.ts';
import { tensorOf, type NodeOf } from '../../../graph/graph.ts';
import { add, cast, int, konst, mul, sub, vtype, type Expr } from '../../../kernel/ir.ts';
import type { Profile } from '../../../target/profile.ts';
import { forAll } from '../../loops.ts';
import type { LowerCtx, SlotBuffer, Source } from '../../lowering.ts';
import { byteRange, constantOperand, constantRange } from '../../quant/integers.ts';
import { isCompact } from '../../ref.ts';
import { chooseOrder, choosePanels } from '../../schedules/blocks.ts';
import { blockSize, gemm, packedPanels, panelsOf, type GemmProblem } from '../../schedules/gemm.ts';
import {
  blockWords,
  correction,
  dotForm,
  wordWeights,
  storedWords,
  wordRows,
  wordsOf,
  type DotForm,
} from '../../schedules/int-dot.ts';
import { MMA_ROWS, mmaGemm, mmaPanels } from '../../schedules/mma.ts';
import { hasLargeEpilogue, mergeSink } from '../../schedules/sink.ts';
import { arithOf, type Arith } from '../../schedules/tile.ts';
import { matMulSpace, oneColumn, sharedB } from './matmul.ts';

interface MatMulIntegerAttrs {
  readonly transB: boolean;
  readonly to: 'i32' | 'f32';
}

/**
 * The dot product of a target that computes a MatMulInteger: B is one constant matrix of several columns, and the zero point of A is a
 * number. undefined: there is none.
 */
export function wordForm(profile: Profile, n: NodeOf<MatMulIntegerAttrs>): DotForm | undefined {
  const b = tensorOf(n.inputs[1]);
  const a = must(n.inputs[0]).type;
  const single = n.inputs[2]?.type.shape.every(d => d === 1) ?? true;
  if (!b || b.dims.length < 2 || a.shape.length < 2 || !single || !sharedB(n) || oneColumn(n)) return undefined;
  return dotForm(profile, byteRange(a.dtype), constantRange(n));
}

/**
 * By dot products of words, else one sum after the other:
 * ```
 * words[row][w]     = elements 4w … 4w+3 of row `row` of A     (in place where they lie so)
 * sums[row][column] = Σ w: dot(words[row][w], B[w][column])    (by panels, as `gemm.ts`; by blocks of rows and columns, as `mma.ts`)
 * out[row][column]  = sums[row][column] + (offset - aZero) * Σ k: B[k][column]
 * ```
 */
export function lowerMatMulInteger(c: LowerCtx<MatMulIntegerAttrs>): void {
  const out = must(c.out[0]);
  if (out.shape.some(d => dimHi(d) === 0)) return;
  const b = constantOperand(c.node);
  const form = wordForm(c.profile, c.node);
  if (!b || !form) {
    lowerPlain(c);
    return;
  }
  const values = typed(b) as Int32Array;
  const source = c.need(0);
  const [p0, p1] = [must(b.dims.at(-2)), must(b.dims.at(-1))];
  const [depth, columns] = c.attrs.transB ? [p1, p0] : [p0, p1];
  const rows = dimProd(source.dims.slice(0, -1));
  const m = { offset: 0, ...(c.attrs.transB ? { kStride: 1, columnStride: depth } : { kStride: columns, columnStride: 1 }) };
  const arith: Arith = { ...arithOf(c.profile, 'i32'), fma: form.group === 4, dot: form };
  const blocks = blockWords(c.profile, form, rows, wordsOf(form, depth));
  const words = blocks ?? wordsOf(form, depth);
  const p = blocks === undefined ? choosePanels(c, columns, arith) : mmaPanels(panelsOf(c.profile, columns, arith));
  const packed = wordWeights(c, 'matrix', form, { data: values, matrices: [m], depth, run: depth, most: blocks }, p);
  const sums = new Int32Array(columns);
  for (let n = 0; n < columns; n++)
    for (let k = 0; k < depth; k++) sums[n] = must(sums[n]) + must(values[k * m.kStride + n * m.columnStride]);
  const correct = correction(c, form, sums);
  const a = rowWords(c, form, source, depth, words);
  const space = matMulSpace(c.node);
  const sink = mergeSink(c.sink(0), space);
  const scratch = c.scratch('edge', 'i32', blocks === undefined ? blockSize(p) : MMA_ROWS * p.nr);
  const order = chooseOrder(c, p, rows, 4 * words * columns, 4 * words);
  const largeEpilogue = hasLargeEpilogue(sink, space.length, vtype(c.attrs.to, arith.lanes));
  c.kernel('matmul', k => {
    const g: GemmProblem = {
      arith,
      panels: p,
      a: { buffer: a, as: 'i32', block: first => ({ at: k.let(mul(first, words)), rows: { k: 'stride', stride: words } }) },
      b: packedPanels(k, packed, 0, p, words),
      reduction: [{ n: words, stride: 1 }],
      scratch,
      parallel: true,
      few: true,
      largeEpilogue,
      store: (row, column, v) => sink.store(k, [row, column], cast(vtype(c.attrs.to, v.t.lanes), correct(k, column, v))),
    };
    if (blocks === undefined) gemm(k, g, rows, order);
    else mmaGemm(k, g, { words }, rows, order);
  });
}
/** The rows of A as so many words each: where they lie, if they are whole words without gaps, else copied. */
function rowWords(c: LowerCtx<unknown>, f: DotForm, a: Source, depth: number, words: number): SlotBuffer {
  const stored = f.offset === 0 && depth === words * f.group ? storedWords(c, f, a) : undefined;
  return stored && isCompact(stored) ? stored.buffer : wordRows(c, f, a, depth, words);
}

/** Any operands: one result after the other. */
function lowerPlain(c: LowerCtx<MatMulIntegerAttrs>): void {
  const [a, b] = [c.need(0), c.need(1)];
  const [aZero, bZero] = [c.source(2)?.broadcast(a.dims), c.source(3)?.broadcast(b.dims)];
  const sink = c.sink(0);
  const [hasRows, hasColumns] = [a.dims.length > 1, b.dims.length > 1];
  const reg = vtype('i32');
  const less = (v: Expr, zero: Expr | undefined): Expr => (zero ? sub(cast(reg, v), cast(reg, zero)) : cast(reg, v));
  c.kernel('matmul', k =>
    forAll(k, sink.dims, idx => {
      const batch = idx.slice(0, idx.length - (hasRows ? 1 : 0) - (hasColumns ? 1 : 0));
      const row = hasRows ? [must(idx[batch.length])] : [];
      const column = hasColumns ? [must(idx.at(-1))] : [];
      /** The part of the batch index that an operand has axes for. */
      const own = (dims: readonly Dim[]): Expr[] => {
        const outer = dims.slice(0, -2);
        return outer.map((n, i) => (n === 1 ? int(0) : must(batch[batch.length - outer.length + i])));
      };
      const acc = k.var(konst(reg, 0));
      k.for(0, must(a.dims.at(-1)), i => {
        const atA = [...own(a.dims), ...row, i];
        const atB = c.attrs.transB ? [...own(b.dims), ...column, i] : [...own(b.dims), i, ...column];
        const x = less(a.at(k, atA), aZero?.at(k, atA));
        k.set(acc, add(acc, mul(x, less(b.at(k, atB), bZero?.at(k, atB)))));
      });
      sink.store(k, idx, cast(vtype(regOf(sink.dtype)), acc));
    }),
  );
}
