import { isFloat } from '../../../core/dtype.ts';
import type { Value } from '../../../graph/graph.ts';
import { activation } from '../../shared/tensorflow/activation.ts';
import { affineOf, dequantized, quantizedAs, uniformOf } from '../quant.ts';
import type { TfliteBuilder, TfliteCtx, TfliteNode } from '../registry.ts';

/** Input i as real numbers, where it is quantized; else as it is. undefined: it is left out. */
export function realOr(n: TfliteNode, c: TfliteCtx, i: number): Value | undefined {
  const x = n.optional(i);
  const a = x && affineOf(c, n.operand(i));
  return x && a ? dequantized(c, x, a) : x;
}
/** The same of an input that must be there. */
export const real = (n: TfliteNode, c: TfliteCtx, i: number): Value => realOr(n, c, i) ?? n.input(i);
/** Output i from real numbers: quantized where the file says so. */
export function result(n: TfliteNode, c: TfliteCtx, i: number, y: Value): Value {
  const q = isFloat(y.type.dtype) ? uniformOf(c, n.result(i)) : undefined;
  return q ? quantizedAs(c, y, q, n.resultType(i)) : y;
}
/** An operator over real numbers: quantized operands are dequantized, and its results quantized. */
export const overReals =
  (f: (n: TfliteNode, c: TfliteCtx, xs: readonly Value[]) => Value): TfliteBuilder =>
  (n, c) => [
    result(
      n,
      c,
      0,
      f(
        n,
        c,
        n.items.map((_, i) => real(n, c, i)),
      ),
    ),
  ];
/** An operator that moves elements without a look at them: integers stay as they are where all have one scale. */
export const moving =
  (f: (n: TfliteNode, c: TfliteCtx, xs: readonly Value[]) => readonly Value[]): TfliteBuilder =>
  (n, c) => {
    if (sameScale(n)) return f(n, c, n.inputs);
    const ys = f(
      n,
      c,
      n.items.map((_, i) => real(n, c, i)),
    );
    return ys.map((y, i) => result(n, c, i, y));
  };
/** Whether all quantized operands and results have the same scale and zero point. */
export function sameScale(n: TfliteNode): boolean {
  const all = [...n.items.map((_, i) => n.quantization(i)), ...n.results.map(t => t?.quantization)];
  const told = all.flatMap(q => (q ? [`${q.scale.join()}/${q.zero.join()}`] : []));
  return new Set(told).size <= 1;
}
/** The activation that is fused into an operator, over real numbers. */
export const fused = (n: TfliteNode, c: TfliteCtx, y: Value): Value =>
  activation(c, n.activation, y) ?? n.unsupported(`its activation ${n.activation}`);
