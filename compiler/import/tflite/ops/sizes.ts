import { must } from '../../../core/diagnostic.ts';
import { showDim } from '../../../core/dim.ts';
import { broadcastShapes } from '../../../ops/elementwise/op.ts';
import { Range, RangeSize } from '../../../ops/movement/range.ts';
import { rankOf } from '../../shared/axes.ts';
import { sizeOf, sizesValue, unbounded } from '../../shared/sizes.ts';
import { cast, expand, reshape } from '../../shared/views.ts';
import { askedSizes } from '../asked.ts';
import type { TfliteBuilder, TfliteOps } from '../registry.ts';

/** Operators about sizes, and those that make tensors of sizes. */

const shape: TfliteBuilder = (n, c) => [cast(c, sizesValue(c, n.input(0).type.shape), n.resultType(0))];
const rank: TfliteBuilder = (n, c) => [cast(c, c.literal('i64', rankOf(n.input(0))), n.resultType(0))];
/** The shape that two shapes broadcast to. */
const broadcastArgs: TfliteBuilder = (n, c) => {
  const [a, b] = [c.dimsIn(n.input(0), 'first shape'), c.dimsIn(n.input(1), 'second shape')];
  const both = broadcastShapes(a, b, (x, y) => c.unsupported(`sizes ${showDim(x)} and ${showDim(y)} may differ`));
  return [cast(c, sizesValue(c, both), n.resultType(0))];
};
const fill: TfliteBuilder = (n, c) => {
  return [expand(c, reshape(c, n.input(1), []), askedSizes(n, c, n.input(0)))];
};
const range: TfliteBuilder = (n, c) => {
  const [start, limit, delta] = [0, 1, 2].map(i => reshape(c, n.input(i), []));
  const many = c.apply1(RangeSize, [start, limit, delta]);
  const most = unbounded(c, 'number of elements');
  return [c.apply1(Range, [must(start), must(delta)], { n: sizeOf(c, many, () => ({ what: 'range', lo: 0, hi: most() })) })];
};

export const sizeOps: TfliteOps = { SHAPE: shape, RANK: rank, BROADCAST_ARGS: broadcastArgs, FILL: fill, RANGE: range };
