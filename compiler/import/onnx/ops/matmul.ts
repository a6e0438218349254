import { fromNumbers, toNumbers } from '../../../core/tensor.ts';
import { tensorOf, type Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import type { ImportCtx, OnnxBuilder, OnnxOps } from '../registry.ts';
import { axesFrom, rankOf } from '../../shared/axes.ts';
import { einsum } from '../../shared/einsum.ts';
import { transpose } from '../../shared/views.ts';

/** x times a number: a constant is multiplied now. */
function scaled(c: ImportCtx, x: Value, by: number): Value {
  if (by === 1) return x;
  const t = tensorOf(x);
  if (t)
    return c.constant(
      fromNumbers(
        t.dtype,
        t.dims,
        toNumbers(t).map(v => v * by),
      ),
    );
  return c.apply1(e.Mul, [x, c.literal(x.type.dtype, by)]);
}
/** A product times a number, which goes into a constant operand. */
function product(c: ImportCtx, a: Value, b: Value, alpha: number, attrs: { transA?: boolean; transB?: boolean }): Value {
  if (alpha === 1) return c.apply1(MatMul, [a, b], attrs);
  if (tensorOf(b)) return c.apply1(MatMul, [a, scaled(c, b, alpha)], attrs);
  if (tensorOf(a)) return c.apply1(MatMul, [scaled(c, a, alpha), b], attrs);
  return scaled(c, c.apply1(MatMul, [a, b], attrs), alpha);
}
const gemm: OnnxBuilder = (n, c) => {
  const [a, b] = [n.input(0, 'A'), n.input(1, 'B')];
  if (rankOf(a) !== 2 || rankOf(b) !== 2) n.reject(`A and B have ${rankOf(a)} and ${rankOf(b)} axes; both must have 2`);
  const y = product(c, a, b, n.float('alpha', 1), { transA: n.bool('transA', false), transB: n.bool('transB', false) });
  const bias = n.inputs[2];
  const beta = n.float('beta', 1);
  return [bias && beta !== 0 ? c.apply1(e.Add, [y, scaled(c, bias, beta)]) : y];
};
const matMul: OnnxBuilder = (n, c) => [c.apply1(MatMul, [n.input(0, 'A'), n.input(1, 'B')])];
const fusedMatMul: OnnxBuilder = (n, c) => {
  // transBatch moves the first axis before the last two.
  const operand = (i: number, flag: string): Value => {
    const x = n.input(i);
    const rank = rankOf(x);
    if (!n.bool(flag, false) || rank < 3) return x;
    return transpose(c, x, [...axesFrom(x, 1).slice(0, -1), 0, rank - 1]);
  };
  const [a, b] = [operand(0, 'transBatchA'), operand(1, 'transBatchB')];
  // Vectors are not transposed.
  const attrs = { transA: n.bool('transA', false) && rankOf(a) > 1, transB: n.bool('transB', false) && rankOf(b) > 1 };
  return [product(c, a, b, n.float('alpha', 1), attrs)];
};
export const matMulOps: OnnxOps = {
  MatMul: matMul,
  Gemm: gemm,
  Einsum: (n, c) => [
    einsum(
      c,
      n.string('equation'),
      n.inputs.map((_, i) => n.input(i)),
    ),
  ],
  'com.microsoft.FusedMatMul': fusedMatMul,
  'com.microsoft.TransposeMatMul': fusedMatMul,
};
