import { must } from '../../../core/diagnostic.ts';
import { dimNeg, type Dim } from '../../../core/dim.ts';
import { isFloat } from '../../../core/dtype.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Det } from '../../../ops/matmul/linalg.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import { Trilu } from '../../../ops/movement/gather.ts';
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
  return [
    product(c, must(a), must(b), n.bool('adj_x', n.bool('transpose_x', false)), n.bool('adj_y', n.bool('transpose_y', false))),
  ];
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

const fixed = (n: TfNode, d: Dim | undefined): number =>
  typeof d === 'number' ? d : n.unsupported('matrices of open size; fix it with --dim');

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
  const rows = c.literal(
    'i64',
    Array.from({ length: size }, (_, i) => i),
    [size, 1],
  );
  const column = (v: Value, k: number): Value => slice(c, v, new Map([[rank - 1, { start: k, size: 1, step: 1 }]]));
  const is = (k: number): Value => c.apply1(e.Equal, [rows, c.literal('i64', k)]);
  const pick = (v: Value, at: Value): Value =>
    reduceOver(c, 'sum', c.apply1(e.Where, [at, v, c.literal(dtype, 0)]), [rank - 2], true);
  for (let k = 0; k < size; k++) {
    // The row from k on whose element is the largest changes places with row k.
    const magnitude = c.apply1(e.Where, [
      c.apply1(e.Less, [rows, c.literal('i64', k)]),
      c.literal(dtype, -1),
      c.apply1(e.Abs, [column(m, k)]),
    ]);
    const most = reduceOver(c, 'max', magnitude, [rank - 2], true);
    const first = reduceOver(
      c,
      'min',
      c.apply1(e.Where, [c.apply1(e.Equal, [magnitude, most]), rows, c.literal('i64', size)]),
      [rank - 2],
      true,
    );
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
  Einsum: (n, c) => [einsum(c, n.string('equation'), n.inputs())],
  LogMatrixDeterminant: logDeterminant,
  MatMul: (n, c) => [matMul(n, c)],
  MatrixBandPart: bandPart,
  MatrixDeterminant: (n, c) => [c.apply1(Det, [n.input(0)])],
  MatrixInverse: inverse,
  MatrixSolve: solve,
  _FusedMatMul: (n, c) => [fused(n, c, matMul(n, c), 'NHWC')],
};
