import { must } from '../../../core/diagnostic.ts';
import type { Value } from '../../../graph/graph.ts';
import type { Op } from '../../../ops/define.ts';
import { roundHalfEven } from '../../../kernel/eval/scalar.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import { MatMulInteger } from '../../../ops/matmul/matmul-integer.ts';
import { cast } from '../../shared/views.ts';
import { factorsOf, requantized, requantizedByRuy, targetOf } from '../integers.ts';
import { uniformOf } from '../quant.ts';
import type { TfliteBuilder, TfliteCtx, TfliteNode, TfliteOps } from '../registry.ts';
import { fixedPoint, multipliedTwice, saturated } from '../rounding.ts';

/** Operators of two quantized operands. */

const { fround } = Math;
interface Scaled {
  readonly scale: number;
  readonly zero: number;
}
const operandOf = (n: TfliteNode, c: TfliteCtx, i: number): Scaled =>
  uniformOf(c, n.operand(i)) ?? n.reject('an operand is not quantized');
/** Operand i without its zero point, as i32. */
function moved(n: TfliteNode, c: TfliteCtx, i: number): Value {
  const wide = cast(c, n.input(i), 'i32');
  const { zero } = operandOf(n, c, i);
  return zero === 0 ? wide : c.apply1(e.Sub, [wide, c.literal('i32', zero)]);
}
const isWide = (n: TfliteNode): boolean => n.input(0).type.dtype === 'i16';
const times = (c: TfliteCtx, x: Value, by: number): Value => c.apply1(e.Mul, [x, c.literal('i32', by)]);
const down = (c: TfliteCtx, x: Value, by: number): Value => c.apply1(e.BitShift, [x, c.literal('i32', by)], { left: false });

/** a + sign * b. */
const sum =
  (sign: 1 | -1): TfliteBuilder =>
  (n, c) => {
    const [p, q, t] = [operandOf(n, c, 0), operandOf(n, c, 1), targetOf(n, c)];
    const [a, b] = [moved(n, c, 0), moved(n, c, 1)];
    if (c.rounding === 'xnnpack' && !isWide(n)) {
      // Two factors of 21 bits (XNNPACK, src/microparams-init.c, xnn_init_qs8_add_minmax_scalar_params).
      const [fa, fb] = [fround(p.scale / t.scale), fround(q.scale / t.scale)];
      const shift = 20 - Math.floor(Math.log2(Math.max(fa, fb)));
      const [ma, mb] = [fa, fb].map(f => roundHalfEven(fround(f * 2 ** shift)));
      const both = c.apply1(e.Add, [times(c, a, must(ma)), times(c, b, sign * must(mb))]);
      return [saturated(c, down(c, c.apply1(e.Add, [both, c.literal('i32', 2 ** (shift - 1))]), shift), t)];
    }
    // Three factors of 31 bits, with as many bits behind the point as there is room for (tflite/kernels/add.cc).
    const left = isWide(n) ? 15 : 20;
    const twice = 2 * Math.max(p.scale, q.scale);
    const part = (x: Value, f: number): Value => multipliedTwice(c, times(c, x, 2 ** left), [fixedPoint(f)]);
    const [x, y] = [part(a, p.scale / twice), part(b, q.scale / twice)];
    const both = c.apply1(sign > 0 ? e.Add : e.Sub, [x, y]);
    return [saturated(c, multipliedTwice(c, both, [fixedPoint(twice / (2 ** left * t.scale))]), t)];
  };
const product: TfliteBuilder = (n, c) => {
  const [p, q, t] = [operandOf(n, c, 0), operandOf(n, c, 1), targetOf(n, c)];
  const sums = c.apply1(e.Mul, [moved(n, c, 0), moved(n, c, 1)]);
  const factors = factorsOf(p.scale, [q.scale], t.scale);
  return [
    isWide(n) ? saturated(c, multipliedTwice(c, sums, factors.double.map(fixedPoint)), t) : requantized(c, sums, factors, t),
  ];
};
/** (a - b) squared (tflite/kernels/squared_difference.cc). */
const difference: TfliteBuilder = (n, c) => {
  const [p, q, t] = [operandOf(n, c, 0), operandOf(n, c, 1), targetOf(n, c, 'NONE')];
  const left = 7;
  const twice = 2 * Math.max(p.scale, q.scale);
  const part = (i: number, f: number): Value => multipliedTwice(c, times(c, moved(n, c, i), 2 ** left), [fixedPoint(f)]);
  const d = c.apply1(e.Sub, [part(0, p.scale / twice), part(1, q.scale / twice)]);
  const factor = (twice * twice) / (2 ** (2 * left) * t.scale);
  return [saturated(c, multipliedTwice(c, c.apply1(e.Mul, [d, d]), [fixedPoint(factor)]), t)];
};
/** Comparisons of what integers stand for, with eight bits behind the point (tflite/kernels/comparisons.cc). */
const compared =
  (op: Op, negated = false): TfliteBuilder =>
  (n, c) => {
    // Of 16 bits the integers are compared as they are.
    const [a, b] = [0, 1].map(i => {
      if (isWide(n)) return n.input(i);
      const { scale } = operandOf(n, c, i);
      return multipliedTwice(c, times(c, moved(n, c, i), 256), [fixedPoint(scale)]);
    });
    const y = c.apply1(op, [a, b]);
    return [negated ? c.apply1(e.Not, [y]) : y];
  };
const prelu: TfliteBuilder = (n, c) => {
  const [p, q, t] = [operandOf(n, c, 0), operandOf(n, c, 1), targetOf(n, c, 'NONE')];
  const [x, slope] = [moved(n, c, 0), moved(n, c, 1)];
  const same = fixedPoint(fround(p.scale / t.scale));
  const factor = fixedPoint(fround(fround(p.scale * q.scale) / t.scale));
  const negative = multipliedTwice(c, c.apply1(e.Mul, [x, slope]), [factor]);
  const isNegative = c.apply1(e.Less, [x, c.literal('i32', 0)]);
  return [saturated(c, c.apply1(e.Where, [isNegative, negative, multipliedTwice(c, x, [same])]), t)];
};
/** A product of matrices, both of which come when the model runs. */
const matrices: TfliteBuilder = (n, c) => {
  const [p, q, t] = [operandOf(n, c, 0), operandOf(n, c, 1), targetOf(n, c, 'NONE')];
  const factors = factorsOf(p.scale, [q.scale], t.scale);
  const attrs = { transA: n.bool('adj_x'), transB: n.bool('adj_y') };
  const plain = !isWide(n) && !attrs.transA;
  const number = (i: number, zero: number): Value | undefined =>
    zero === 0 ? undefined : c.literal(n.input(i).type.dtype, zero);
  const doubles = (i: number): Value => cast(c, moved(n, c, i), 'f64');
  const sums = plain
    ? c.apply1(MatMulInteger, [n.input(0), n.input(1), number(0, p.zero), number(1, q.zero)], { transB: attrs.transB })
    : cast(c, c.apply1(MatMul, [doubles(0), doubles(1)], attrs), isWide(n) ? 'i64' : 'i32');
  return [isWide(n) ? requantized(c, sums, factors, t) : requantizedByRuy(c, sums, factors, t)];
};

/** Of these, both operands are quantized. */
export const integerBinary: TfliteOps = {
  ADD: sum(1),
  SUB: sum(-1),
  MUL: product,
  SQUARED_DIFFERENCE: difference,
  PRELU: prelu,
  BATCH_MATMUL: matrices,
  EQUAL: compared(e.Equal),
  NOT_EQUAL: compared(e.Equal, true),
  LESS: compared(e.Less),
  LESS_EQUAL: compared(e.LessOrEqual),
  GREATER: compared(e.Greater),
  GREATER_EQUAL: compared(e.GreaterOrEqual),
};
