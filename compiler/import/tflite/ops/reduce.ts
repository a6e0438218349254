import { must } from '../../../core/diagnostic.ts';
import type { Value } from '../../../graph/graph.ts';
import { axisOf, rankOf, sortedAxes } from '../../shared/axes.ts';
import { argReduce, cumulative, reduction, type TfReduction } from '../../shared/tensorflow/reduce.ts';
import type { TfliteBuilder, TfliteCtx, TfliteNode, TfliteOps } from '../registry.ts';
import { uniformOf } from '../quant.ts';
import { moving, overReals } from './real.ts';

/** The axes that an operator reduces, each once; none means that nothing is. */
function axesOf(n: TfliteNode, c: TfliteCtx, x: Value): readonly number[] {
  const given = c.intsIn(n.input(1), 'axes').map(a => axisOf(c, a, rankOf(x)));
  return sortedAxes(c, [...new Set(given)], rankOf(x));
}
const reduce =
  (of: TfReduction): TfliteBuilder =>
  (n, c) => {
    const wrap = of === 'max' || of === 'min' ? (f: Parameters<typeof moving>[0]) => moving(f) : realOne;
    return wrap((m, d, [x]) => [reduction(d, of, must(x), axesOf(m, d, must(x)), m.bool('keep_dims'))])(n, c);
  };
const realOne = (f: Parameters<typeof moving>[0]): TfliteBuilder => overReals((n, c, xs) => must(f(n, c, xs)[0]));
const arg =
  (of: 'max' | 'min'): TfliteBuilder =>
  (n, c) => {
    const x = n.input(0);
    const [axis = 0] = c.intsIn(n.input(1), 'axis');
    return [argReduce(c, of, x, axisOf(c, axis, rankOf(x)), n.resultType(0))];
  };
const cumsum: TfliteBuilder = overReals((n, c, [x]) => {
  const [axis = 0] = c.intsIn(n.input(1), 'axis');
  const at = axisOf(c, axis, rankOf(must(x)));
  return cumulative(c, 'sum', must(x), { axis: at, exclusive: n.bool('exclusive'), reverse: n.bool('reverse') });
});

export const reduceOps: TfliteOps = {
  MEAN: reduce('mean'),
  SUM: reduce('sum'),
  REDUCE_PROD: (n, c) =>
    uniformOf(c, n.operand(0)) ? n.unsupported('products of integers that have a scale') : reduce('prod')(n, c),
  REDUCE_MAX: reduce('max'),
  REDUCE_MIN: reduce('min'),
  REDUCE_ANY: reduce('any'),
  REDUCE_ALL: reduce('all'),
  ARG_MAX: arg('max'),
  ARG_MIN: arg('min'),
  CUMSUM: cumsum,
};
