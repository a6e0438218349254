import { must } from '../../../core/diagnostic.ts';
import { dimProd } from '../../../core/dim.ts';
import { symbolicOf, type Value } from '../../../graph/graph.ts';
import type { Reduction } from '../../../ops/reduce/axes.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Softmax } from '../../../ops/reduce/norm.ts';
import { axesFrom, axisOf, rankOf, sortedAxes } from '../../shared/axes.ts';
import { reducingAtRunTime } from '../../shared/data-axes.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { sizesValue } from '../../shared/sizes.ts';
import { localResponse } from '../../shared/tensorflow/norm.ts';
import { argReduce, cumulative, reduction, type TfReduction } from '../../shared/tensorflow/reduce.ts';
import { oneHot } from '../../shared/tensorflow/select.ts';
import { cast, concat, reshape, slice } from '../../shared/views.ts';
import type { TfBuilder, TfCtx, TfOps } from '../registry.ts';

const reduce =
  (of: TfReduction): TfBuilder =>
  (n, c) => {
    const x = n.input(0);
    const keep = n.bool('keep_dims', false);
    const given = n.input(1);
    if (symbolicOf(given)) return [reduction(c, of, x, sortedAxes(n, c.intsIn(given, 'axes'), rankOf(x)), keep)];
    const plain = { all: 'min', any: 'max', norm: undefined, logSumExp: undefined } as const;
    const fold = of in plain ? plain[of as keyof typeof plain] : (of as Reduction);
    if (fold === undefined) return n.unsupported('its axes are computed when the model runs; they must be constants');
    return [reducingAtRunTime(c, x, reshape(c, given, [dimProd(given.type.shape)]), keep)(fold, x)];
  };
const arg =
  (of: 'max' | 'min'): TfBuilder =>
  (n, c) => {
    const x = n.input(0);
    const axis = axisOf(n, n.items[1] ? must(c.intsIn(n.input(1), 'axis')[0]) : 0, rankOf(x));
    return [argReduce(c, of, x, axis, n.dtype('output_type', 'i64'))];
  };
const running =
  (of: 'sum' | 'prod'): TfBuilder =>
  (n, c) => {
    const x = n.input(0);
    const axis = axisOf(n, must(c.intsIn(n.input(1), 'axis')[0]), rankOf(x));
    return [cumulative(c, of, x, { axis, exclusive: n.bool('exclusive', false), reverse: n.bool('reverse', false) })];
  };
/** log(cumsum(exp(x))) with the greatest of the whole axis taken out. */
const runningLogSumExp: TfBuilder = (n, c) => {
  const x = n.input(0);
  const axis = axisOf(n, must(c.intsIn(n.input(1), 'axis')[0]), rankOf(x));
  const most = reduceOver(c, 'max', x, [axis], true);
  const sum = cumulative(c, 'sum', c.apply1(e.Exp, [c.apply1(e.Sub, [x, most])]), {
    axis,
    exclusive: n.bool('exclusive', false),
    reverse: n.bool('reverse', false),
  });
  return [c.apply1(e.Add, [c.apply1(e.Log, [sum]), most])];
};
const softmax =
  (log: boolean): TfBuilder =>
  (n, c) => [c.apply1(Softmax, [n.input(0)], { axis: rankOf(n.input(0)) - 1, log })];
/** The loss of logits against labels, a row each. */
const crossEntropy = (c: TfCtx, logits: Value, labels: Value): Value => {
  const log = c.apply1(Softmax, [logits], { axis: 1, log: true });
  return c.apply1(e.Neg, [reduceOver(c, 'sum', c.apply1(e.Mul, [labels, log]), [1], false)]);
};
/** The loss, and its gradient. */
const lossAndGradient = (c: TfCtx, logits: Value, labels: Value): readonly Value[] => [
  crossEntropy(c, logits, labels),
  c.apply1(e.Sub, [c.apply1(Softmax, [logits], { axis: 1 }), labels]),
];
const softmaxLoss: TfBuilder = (n, c) => lossAndGradient(c, n.input(0), n.input(1));
const sparseSoftmaxLoss: TfBuilder = (n, c) => {
  const logits = n.input(0);
  const one = (v: number): Value => c.literal(logits.type.dtype, v);
  return lossAndGradient(c, logits, oneHot(c, n.input(1), must(logits.type.shape[1]), one(1), one(0), 1));
};
const l2Loss: TfBuilder = (n, c) => {
  const x = n.input(0);
  const sum = reduceOver(c, 'sum', c.apply1(e.Mul, [x, x]), axesFrom(x), false);
  return [c.apply1(e.Mul, [sum, c.literal(x.type.dtype, 0.5)])];
};
const lrn: TfBuilder = (n, c) => [
  localResponse(c, n.input(0), {
    radius: n.int('depth_radius', 5),
    bias: n.float('bias', 1),
    alpha: n.float('alpha', 1),
    beta: n.float('beta', 0.5),
  }),
];
/** Whether the class of a row is among its k best: those that are greater are fewer than k. */
const inTopK: TfBuilder = (n, c) => {
  const [scores, targets] = [n.input(0), n.input(1)];
  const k = n.items[2] ? n.input(2) : c.literal('i32', n.int('k'));
  const [, classes = 1] = scores.type.shape;
  const hot = oneHot(c, targets, classes, c.literal('f32', 1), c.literal('f32', 0), 1);
  const own = reduceOver(
    c,
    'sum',
    c.apply1(e.Where, [c.apply1(e.Greater, [hot, c.literal('f32', 0)]), scores, c.literal('f32', 0)]),
    [1],
    true,
  );
  const better = reduceOver(c, 'sum', cast(c, c.apply1(e.Greater, [scores, own]), 'i64'), [1], false);
  const wide = cast(c, targets, 'i64');
  const known = c.apply1(e.And, [
    c.apply1(e.GreaterOrEqual, [wide, c.literal('i64', 0)]),
    c.apply1(e.Less, [wide, sizesValue(c, [classes], [])]),
  ]);
  return [c.apply1(e.And, [c.apply1(e.Less, [better, cast(c, reshape(c, k, []), 'i64')]), known])];
};
/** Cross product of the last axis, which has three elements. */
const cross: TfBuilder = (n, c) => {
  const [a, b] = [n.input(0), n.input(1)];
  const axis = rankOf(a) - 1;
  const at = (v: Value, i: number): Value => slice(c, v, new Map([[axis, { start: i % 3, size: 1, step: 1 }]]));
  const part = (i: number): Value =>
    c.apply1(e.Sub, [c.apply1(e.Mul, [at(a, i + 1), at(b, i + 2)]), c.apply1(e.Mul, [at(a, i + 2), at(b, i + 1)])]);
  return [concat(c, [part(0), part(1), part(2)], axis)];
};
export const reduceOps: TfOps = {
  All: reduce('all'),
  Any: reduce('any'),
  ArgMax: arg('max'),
  ArgMin: arg('min'),
  Cross: cross,
  CumulativeLogsumexp: runningLogSumExp,
  Cumprod: running('prod'),
  Cumsum: running('sum'),
  EuclideanNorm: reduce('norm'),
  InTopK: inTopK,
  InTopKV2: inTopK,
  L2Loss: l2Loss,
  LogSoftmax: softmax(true),
  LRN: lrn,
  Max: reduce('max'),
  Mean: reduce('mean'),
  Min: reduce('min'),
  Prod: reduce('prod'),
  Softmax: softmax(false),
  SoftmaxCrossEntropyWithLogits: softmaxLoss,
  SparseSoftmaxCrossEntropyWithLogits: sparseSoftmaxLoss,
  Sum: reduce('sum'),
};
