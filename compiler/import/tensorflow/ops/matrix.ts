import { must } from '../../../core/diagnostic.ts';
import { dimNeg, type Dim } from '../../../core/dim.ts';
import { isFloat } from '../../../core/dtype.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Det } from '../../../ops/matmul/linalg.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import { Gather, Trilu } from '../../../ops/movement/gather.ts';
import { axesFrom, rankOf } from '../../shared/axes.ts';
import { einsum } from '../../shared/einsum.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { signOf, sizeOf } from '../../shared/sizes.ts';
import { cast, concat, expand, reshape, slice, transpose } from '../../shared/views.ts';
import type { TfBuilder, TfCtx, TfNode, TfOps } from '../registry.ts';
import { fused } from './conv.ts';

/** A product of matrices; integers are multiplied as what holds their products. */
function product(c: TfCtx, a: Value, b: Value, transA: boolean, transB: boolean): Value {
  const { dtype } = a.type;
  if (isFloat(dtype)) return c.apply1(MatMul, [a, b], { transA, transB });
  const turned = (v: Value, turn: boolean): Value =>
    turn ? transpose(c, v, [...axesFrom(v).slice(0, -2), rankOf(v) - 1, rankOf(v) - 2]) : v;
  const [x, y] = [turned(a, transA), turned(b, transB)];
  const [rows = 1, inner = 1] = x.type.shape.slice(-2);
  const cols = y.type.shape.at(-1) ?? 1;
  const left = reshape(c, x, [...x.type.shape.slice(0, -2), rows, inner, 1]);
  const right = reshape(c, y, [...y.type.shape.slice(0, -2), 1, inner, cols]);
  return reduceOver(c, 'sum', c.apply1(e.Mul, [left, right]), [Math.max(rankOf(left), rankOf(right)) - 2], false);
}
const matMul = (n: TfNode, c: TfCtx): Value =>
  product(c, n.input(0), n.input(1), n.bool('transpose_a', false), n.bool('transpose_b', false));
const batchMatMul: TfBuilder = (n, c) => {
  const to = n.op === 'BatchMatMulV3' ? n.dtype('Tout') : n.input(0).type.dtype;
  const [a, b] = [n.input(0), n.input(1)].map(v => cast(c, v, to));
  return [product(c, must(a), must(b), n.bool('adj_x', n.bool('transpose_x', false)), n.bool('adj_y', n.bool('transpose_y', false)))];
};

const bandPart: TfBuilder = (n, c) => {
  const x = n.input(0);
  const [lower, upper] = [1, 2].map(i => sizeOf(c, reshape(c, n.input(i), [1]), { what: 'band', lo: -1, hi: 2 ** 20 }));
  const cut = (v: Value, d: Dim | undefined, isUpper: boolean): Value => {
    const sign = signOf(must(d));
    if (sign === 'negative') return v;
    if (sign === 'open') return n.unsupported('a band whose width comes out when the model runs');
    return c.apply1(Trilu, [v], isUpper ? { upper: false, k: must(d) } : { upper: true, k: dimNeg(must(d)) });
  };
  return [cut(cut(x, lower, false), upper, true)];
};

/** The diagonals from k0 to k1 of matrices of a size, as rows of one length, and how each is aligned in its row. */
interface Diagonals {
  readonly rows: number;
  readonly cols: number;
  readonly k0: number;
  readonly k1: number;
  readonly longest: number;
  /** Where diagonal d begins in its row, and how long it is. */
  span(d: number): { readonly start: number; readonly length: number };
}
function diagonalsOf(n: TfNode, rows: number, cols: number, k0: number, k1: number): Diagonals {
  if (k0 > k1 || k0 <= -rows || k1 >= cols) n.reject(`diagonals ${k0} to ${k1} of a matrix of ${rows} x ${cols}`);
  const length = (d: number): number => Math.min(rows + Math.min(d, 0), cols - Math.max(d, 0));
  const longest = Math.min(rows + Math.min(k1, 0), cols - Math.max(k0, 0));
  // Before the third version they are on the left.
  const align = n.op.endsWith('V3') ? n.string('align', 'RIGHT_LEFT') : 'LEFT_LEFT';
  const [above = 'LEFT', below = 'LEFT'] = align.split('_');
  const left = (d: number): boolean => (d >= 0 && above === 'LEFT') || (d <= 0 && below === 'LEFT');
  return { rows, cols, k0, k1, longest, span: d => ({ start: left(d) ? 0 : longest - length(d), length: length(d) }) };
}
/** The first and the last diagonal that an input names; 0 where it is absent. */
function rangeOfDiagonals(n: TfNode, c: TfCtx, i: number): readonly [number, number] {
  const v = n.items[i] ? c.intsIn(n.input(i), 'diagonals') : [0];
  const [k0 = 0, k1 = k0] = v;
  return [k0, k1];
}
const fixed = (n: TfNode, d: Dim | undefined): number =>
  typeof d === 'number' ? d : n.unsupported('diagonals of matrices of open size; fix it with --dim');
/** Elements of a vector of numbers, with `others` behind them, chosen by place. */
function choose(c: TfCtx, x: Value, inner: number, others: readonly Value[], places: readonly number[], shape: readonly Dim[]): Value {
  const outer = x.type.shape.slice(0, rankOf(x) - inner);
  const flat = (v: Value, tail: number): Value => {
    const size = v.type.shape.slice(rankOf(v) - tail).reduce<number>((a, d) => a * (typeof d === 'number' ? d : 1), 1);
    return expand(c, reshape(c, v, [...v.type.shape.slice(0, rankOf(v) - tail), size]), [...outer, size]);
  };
  const all = concat(c, [flat(x, inner), ...others.map(v => flat(v, rankOf(v) - (rankOf(v) > outer.length ? outer.length : 0)))], outer.length);
  return reshape(c, c.apply1(Gather, [all, c.literal('i64', places)], { axis: outer.length }), [...outer, ...shape]);
}
const diagPart: TfBuilder = (n, c) => {
  const x = n.input(0);
  const [rows, cols] = x.type.shape.slice(-2).map(d => fixed(n, d));
  const [k0, k1] = rangeOfDiagonals(n, c, 1);
  const d = diagonalsOf(n, must(rows), must(cols), k0, k1);
  c.room((k1 - k0 + 1) * d.longest, 'diagonals');
  const padding = n.items[2] ? reshape(c, n.input(2), []) : c.literal(x.type.dtype, 0);
  const places: number[] = [];
  for (let k = k1; k >= k0; k--) {
    const { start, length } = d.span(k);
    for (let j = 0; j < d.longest; j++) {
      const i = j - start;
      const inside = i >= 0 && i < length;
      places.push(inside ? (i + Math.max(-k, 0)) * d.cols + i + Math.max(k, 0) : d.rows * d.cols);
    }
  }
  return [choose(c, x, 2, [padding], places, k0 === k1 ? [d.longest] : [k1 - k0 + 1, d.longest])];
};
/** For each element of a matrix its place among the rows of diagonals; -1 where it is on none of them. */
function placesInMatrix(d: Diagonals): number[] {
  const out: number[] = [];
  for (let i = 0; i < d.rows; i++)
    for (let j = 0; j < d.cols; j++) {
      const k = j - i;
      const at = i - Math.max(-k, 0) + (k >= d.k0 && k <= d.k1 ? d.span(k).start : 0);
      out.push(k >= d.k0 && k <= d.k1 ? (d.k1 - k) * d.longest + at : -1);
    }
  return out;
}
const diag: TfBuilder = (n, c) => {
  const x = n.input(0);
  const [k0, k1] = rangeOfDiagonals(n, c, 1);
  const longest = fixed(n, x.type.shape.at(-1));
  const size = (i: number): number => (n.items[i] ? must(c.intsIn(n.input(i), 'size')[0]) : -1);
  const [givenRows, givenCols] = [size(2), size(3)];
  const [leastRows, leastCols] = [longest - Math.min(k1, 0), longest + Math.max(k0, 0)];
  const square = Math.max(leastRows, leastCols);
  const rows = givenRows >= 0 ? givenRows : givenCols >= 0 ? leastRows : square;
  const cols = givenCols >= 0 ? givenCols : givenRows >= 0 ? leastCols : square;
  c.room(rows * cols, 'a matrix');
  const d = diagonalsOf(n, rows, cols, k0, k1);
  if (d.longest !== longest) n.reject(`diagonals of ${longest} elements in a matrix of ${rows} x ${cols}`);
  const padding = n.items[4] ? reshape(c, n.input(4), []) : c.literal(x.type.dtype, 0);
  const inner = k0 === k1 ? 1 : 2;
  const count = (k1 - k0 + 1) * longest;
  return [choose(c, x, inner, [padding], placesInMatrix(d).map(p => (p < 0 ? count : p)), [rows, cols])];
};
const setDiag: TfBuilder = (n, c) => {
  const [x, values] = [n.input(0), n.input(1)];
  const [rows, cols] = x.type.shape.slice(-2).map(d => fixed(n, d));
  const [k0, k1] = rangeOfDiagonals(n, c, 2);
  const d = diagonalsOf(n, must(rows), must(cols), k0, k1);
  const area = d.rows * d.cols;
  c.room(area, 'a matrix');
  return [choose(c, x, 2, [values], placesInMatrix(d).map((p, i) => (p < 0 ? i : area + p)), [d.rows, d.cols])];
};
/** A tensor of twice the axes, with x where both halves of an index are equal. */
const wideDiag: TfBuilder = (n, c) => {
  const x = n.input(0);
  const count = x.type.shape.map(d => fixed(n, d)).reduce((a, b) => a * b, 1);
  c.room(count * count, 'a matrix');
  const places = Array.from({ length: count * count }, (_, i) => (Math.floor(i / count) === i % count ? i % count : count));
  return [choose(c, reshape(c, x, [count]), 1, [c.literal(x.type.dtype, 0)], places, [...x.type.shape, ...x.type.shape])];
};
const wideDiagPart: TfBuilder = (n, c) => {
  const x = n.input(0);
  const half = x.type.shape.slice(0, rankOf(x) / 2);
  const count = half.map(d => fixed(n, d)).reduce((a, b) => a * b, 1);
  return [reshape(c, c.apply1(Gather, [reshape(c, x, [count * count]), c.literal('i64', Array.from({ length: count }, (_, i) => i * (count + 1)))], { axis: 0 }), half)];
};

/** The largest matrices that are inverted, by steps that are written out. */
const LARGEST_INVERSE = 16;
/** Rows of [matrix, right side] of batches, by elimination with the largest pivot of each column; gives the right side. */
function solved(n: TfNode, c: TfCtx, a: Value, right: Value): Value {
  const size = fixed(n, a.type.shape.at(-1));
  if (size > LARGEST_INVERSE) return n.unsupported(`matrices of ${size} rows; up to ${LARGEST_INVERSE} are solved`);
  const rank = rankOf(a);
  const { dtype } = a.type;
  const width = size + fixed(n, right.type.shape.at(-1));
  let m = concat(c, [a, right], rank - 1);
  const rows = c.literal('i64', Array.from({ length: size }, (_, i) => i), [size, 1]);
  const column = (v: Value, k: number): Value => slice(c, v, new Map([[rank - 1, { start: k, size: 1, step: 1 }]]));
  const is = (k: number): Value => c.apply1(e.Equal, [rows, c.literal('i64', k)]);
  const pick = (v: Value, at: Value): Value => reduceOver(c, 'sum', c.apply1(e.Where, [at, v, c.literal(dtype, 0)]), [rank - 2], true);
  for (let k = 0; k < size; k++) {
    // The row from k on whose element is the largest changes places with row k.
    const magnitude = c.apply1(e.Where, [c.apply1(e.Less, [rows, c.literal('i64', k)]), c.literal(dtype, -1), c.apply1(e.Abs, [column(m, k)])]);
    const most = reduceOver(c, 'max', magnitude, [rank - 2], true);
    const first = reduceOver(c, 'min', c.apply1(e.Where, [c.apply1(e.Equal, [magnitude, most]), rows, c.literal('i64', size)]), [rank - 2], true);
    const isPivot = c.apply1(e.Equal, [rows, first]);
    const [pivot, own] = [pick(m, isPivot), pick(m, is(k))];
    const swapped = c.apply1(e.Where, [is(k), pivot, c.apply1(e.Where, [isPivot, own, m])]);
    const scaled = c.apply1(e.Div, [pivot, column(pivot, k)]);
    const rest = c.apply1(e.Sub, [swapped, c.apply1(e.Mul, [column(swapped, k), scaled])]);
    m = c.apply1(e.Where, [is(k), scaled, rest]);
  }
  return slice(c, m, new Map([[rank - 1, { start: size, size: width - size, step: 1 }]]));
}
const turnedIf = (c: TfCtx, v: Value, turn: boolean): Value =>
  turn ? transpose(c, v, [...axesFrom(v).slice(0, -2), rankOf(v) - 1, rankOf(v) - 2]) : v;
const inverse: TfBuilder = (n, c) => {
  const x = turnedIf(c, n.input(0), n.bool('adjoint', false));
  const size = fixed(n, x.type.shape.at(-1));
  const one = c.literal(
    x.type.dtype,
    Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0)),
    [size, size],
  );
  return [solved(n, c, x, expand(c, one, x.type.shape))];
};
const solve: TfBuilder = (n, c) => [solved(n, c, turnedIf(c, n.input(0), n.bool('adjoint', false)), n.input(1))];
const logDeterminant: TfBuilder = (n, c) => {
  const d = c.apply1(Det, [n.input(0)]);
  return [c.apply1(e.Sign, [d]), c.apply1(e.Log, [c.apply1(e.Abs, [d])])];
};

export const matrixOps: TfOps = {
  BatchMatMul: batchMatMul,
  BatchMatMulV2: batchMatMul,
  BatchMatMulV3: batchMatMul,
  BatchMatrixBandPart: bandPart,
  Diag: wideDiag,
  DiagPart: wideDiagPart,
  Einsum: (n, c) => [einsum(c, n.string('equation'), n.inputs())],
  LogMatrixDeterminant: logDeterminant,
  MatMul: (n, c) => [matMul(n, c)],
  MatrixBandPart: bandPart,
  MatrixDeterminant: (n, c) => [c.apply1(Det, [n.input(0)])],
  MatrixDiag: diag,
  MatrixDiagPart: diagPart,
  MatrixDiagPartV2: diagPart,
  MatrixDiagPartV3: diagPart,
  MatrixDiagV2: diag,
  MatrixDiagV3: diag,
  MatrixInverse: inverse,
  MatrixSetDiag: setDiag,
  MatrixSetDiagV2: setDiag,
  MatrixSetDiagV3: setDiag,
  MatrixSolve: solve,
  _FusedMatMul: (n, c) => [fused(n, c, matMul(n, c), 'NHWC')],
};
