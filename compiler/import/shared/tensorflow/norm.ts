import { must } from '../../../core/diagnostic.ts';
import { dimMax, dimProd, dimSub, type Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { LRN } from '../../../ops/reduce/norm.ts';
import { channelAxis, toChannelsLast, toPlanar, type Layout } from '../../../ops/spatial.ts';
import { axesFrom, rankOf } from '../axes.ts';
import type { ImportBuilder } from '../builder.ts';
import { batchNorm } from '../channels.ts';
import { reduceOver } from '../reduce.ts';
import { sizesValue } from '../sizes.ts';
import { cast, reshape, transpose } from '../views.ts';

/** The mean and the mean square of deviations over some axes, which stay with size 1. */
export function moments(c: ImportBuilder, x: Value, axes: readonly number[]): readonly [mean: Value, variance: Value] {
  const mean = reduceOver(c, 'mean', x, axes, true);
  const d = c.apply1(e.Sub, [x, mean]);
  return [mean, reduceOver(c, 'mean', c.apply1(e.Mul, [d, d]), axes, true)];
}
interface BatchNormed {
  readonly y: Value;
  /** What the statistics are after this batch: those of the batch in training (the variance of a sample), else those given. */
  readonly mean: Value;
  readonly variance: Value;
}
/** Fused batch normalisation of TensorFlow. Without given statistics, or in training, they are those of the batch. */
export function fusedBatchNorm(
  c: ImportBuilder,
  x: Value,
  scale: Value,
  offset: Value,
  given: { readonly mean: Value; readonly variance: Value } | undefined,
  o: { readonly layout: Layout; readonly epsilon: number },
): BatchNormed {
  const rank = rankOf(x);
  const across = o.layout === 'NHWC' ? 0 : rank;
  // Halves are normalised in the type of the statistics.
  const wide = cast(c, x, scale.type.dtype);
  const normed = (mean: Value, variance: Value): Value =>
    cast(c, batchNorm(c, wide, scale, offset, mean, variance, o.epsilon, across), x.type.dtype);
  if (given) return { y: normed(given.mean, given.variance), ...given };
  const axis = channelAxis(o.layout, rank);
  const axes = axesFrom(x).filter(a => a !== axis);
  const [mean, variance] = moments(c, wide, axes).map(v => reshape(c, v, [must(x.type.shape[axis])]));
  const [m, v] = [must(mean), must(variance)];
  const count = dimProd(axes.map((a): Dim => must(x.type.shape[a])));
  const float = (d: Dim): Value => cast(c, sizesValue(c, [d], []), v.type.dtype);
  const sample = c.apply1(e.Div, [c.apply1(e.Mul, [v, float(count)]), float(dimMax(1, dimSub(count, 1)))]);
  return { y: normed(m, v), mean: m, variance: sample };
}

/** x / (bias + alpha * sum of squares over 2 * radius + 1 channels) ** beta; channels are the last axis. alpha is not divided by the window. */
export function localResponse(
  c: ImportBuilder,
  x: Value,
  o: { readonly radius: number; readonly bias: number; readonly alpha: number; readonly beta: number },
): Value {
  const rank = rankOf(x);
  const size = 2 * o.radius + 1;
  const y = c.apply1(LRN, [transpose(c, x, toPlanar(rank))], { size, alpha: o.alpha * size, beta: o.beta, bias: o.bias });
  return transpose(c, y, toChannelsLast(rank));
}
/** x / sqrt(max(sum of squares over some axes, epsilon)). */
export function l2Normalize(c: ImportBuilder, x: Value, axes: readonly number[], epsilon: number): Value {
  const sum = reduceOver(c, 'sum', c.apply1(e.Mul, [x, x]), axes, true);
  const least = c.apply1(e.Max, [sum, c.literal(x.type.dtype, epsilon)]);
  return c.apply1(e.Div, [x, c.apply1(e.Sqrt, [least])]);
}
