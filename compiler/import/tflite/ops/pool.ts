import type { Value } from '../../../graph/graph.ts';
import { averagePool, maxPool, type Pooling } from '../../shared/tensorflow/pool.ts';
import * as e from '../../../ops/elementwise/index.ts';
import type { TfliteCtx, TfliteNode, TfliteOps } from '../registry.ts';
import { paddingOf } from './conv.ts';
import { fused, overReals, sameScale } from './real.ts';

export const poolOf = (n: TfliteNode): Pooling => ({
  layout: 'NHWC',
  kernel: [n.int('filter_height'), n.int('filter_width')],
  strides: [n.int('stride_h'), n.int('stride_w')],
  padding: paddingOf(n),
});
const root = (n: TfliteNode, c: TfliteCtx, x: Value): Value =>
  c.apply1(e.Sqrt, [averagePool(c, c.apply1(e.Mul, [x, x]), poolOf(n))]);

export const poolOps: TfliteOps = {
  AVERAGE_POOL_2D: overReals((n, c, [x]) => fused(n, c, averagePool(c, x ?? n.input(0), poolOf(n)))),
  MAX_POOL_2D: (n, c) =>
    sameScale(n) && n.activation === 'NONE'
      ? [maxPool(c, n.input(0), poolOf(n))]
      : overReals((m, d, [x]) => fused(m, d, maxPool(d, x ?? m.input(0), poolOf(m))))(n, c),
  L2_POOL_2D: overReals((n, c, [x]) => fused(n, c, root(n, c, x ?? n.input(0)))),
};
