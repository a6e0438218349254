import type { Dim } from '../../core/dim.ts';
import type { GraphBuilder } from '../../graph/build.ts';
import type { Value } from '../../graph/graph.ts';
import * as e from '../../ops/elementwise/index.ts';
import { reshape } from './views.ts';

/** What has a value for each channel, axis 1. */

/** A vector over the channels of `x` (axis 1), shaped so that it meets them. */
export const perChannel = (c: GraphBuilder, v: Value, rank: number): Value =>
  rank <= 2 ? v : reshape(c, v, [...v.type.shape, ...new Array<Dim>(rank - 2).fill(1)]);
/** Adds a bias of one value a channel. */
export function addBias(c: GraphBuilder, y: Value, bias: Value | undefined): Value {
  if (!bias) return y;
  const [channels = 1] = bias.type.shape;
  return c.apply1(e.Add, [y, reshape(c, bias, [channels, ...y.type.shape.slice(2).map(() => 1)])]);
}
/** Scale and shift of a batch normalisation whose statistics are given: constants stay constants. Channels are axis 1 of `rank`; rank 0: as they are. */
export function batchNorm(
  c: GraphBuilder,
  x: Value,
  scale: Value,
  bias: Value,
  mean: Value,
  variance: Value,
  epsilon: number,
  rank: number,
): Value {
  const to = x.type.dtype;
  const like = (v: Value): Value => (v.type.dtype === to ? v : c.apply1(e.Cast, [v], { to }));
  const [s, b, m, v] = [like(scale), like(bias), like(mean), like(variance)];
  const factor = c.apply1(e.Div, [s, c.apply1(e.Sqrt, [c.apply1(e.Add, [v, c.literal(to, epsilon)])])]);
  const shift = c.apply1(e.Sub, [b, c.apply1(e.Mul, [m, factor])]);
  return c.apply1(e.Add, [c.apply1(e.Mul, [x, perChannel(c, factor, rank)]), perChannel(c, shift, rank)]);
}
