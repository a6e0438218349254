import { must } from '../../../core/diagnostic.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Gather, GatherElements } from '../../../ops/movement/gather.ts';
import { Softmax } from '../../../ops/reduce/norm.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode, OnnxOps } from '../registry.ts';
import { axesFrom, rankOf } from '../../shared/axes.ts';
import { indicesInto } from '../../shared/indices.ts';
import { reshape } from '../../shared/views.ts';
import { reduceOver } from '../../shared/reduce.ts';

/** The negated log-probability of each target class: logs [N, C, …] at targets [N, …], weighted and reduced as the node says. */
function negativeLogLikelihood(n: OnnxNode, c: ImportCtx, logs: Value, target: Value, weight: Value | undefined): Value {
  if (rankOf(logs) < 2 || rankOf(target) !== rankOf(logs) - 1)
    n.reject(`targets with ${rankOf(target)} axes for an input with ${rankOf(logs)}`);
  const ignored = n.int('ignore_index', undefined);
  const { dtype } = logs.type;
  const counts =
    ignored === undefined ? undefined : c.apply1(e.Not, [c.apply1(e.Equal, [target, c.literal(target.type.dtype, ignored)])]);
  // What is ignored may be no class at all.
  const classes = counts ? c.apply1(e.Where, [counts, target, c.literal(target.type.dtype, 0)]) : target;
  const at = indicesInto(c, classes, [must(logs.type.shape[1])], false);
  const [batch, ...rest] = target.type.shape;
  const picked = c.apply1(GatherElements, [logs, reshape(c, at, [must(batch), 1, ...rest])], { axis: 1 });
  const loss = c.apply1(e.Neg, [reshape(c, picked, target.type.shape)]);
  const each = weight ? c.apply1(Gather, [weight, at], { axis: 0 }) : undefined;
  const share = counts ? c.apply1(e.Where, [counts, each ?? c.literal(dtype, 1), c.literal(dtype, 0)]) : each;
  const weighted = share ? c.apply1(e.Mul, [loss, share]) : loss;
  const over = (of: 'sum' | 'mean', v: Value): Value => reduceOver(c, of, v, axesFrom(v), false);
  const reduction = n.string('reduction', 'mean');
  switch (reduction) {
    case 'none':
      return weighted;
    case 'sum':
      return over('sum', weighted);
    case 'mean':
      return share ? c.apply1(e.Div, [over('sum', weighted), over('sum', share)]) : over('mean', loss);
    default:
      return n.reject(`reduction is '${reduction}', not none, sum or mean`);
  }
}
const nll: OnnxBuilder = (n, c) => [negativeLogLikelihood(n, c, n.input(0), n.input(1), n.inputs[2])];
const softmaxCrossEntropy: OnnxBuilder = (n, c) => {
  const logs = c.apply1(Softmax, [n.input(0)], { axis: 1, log: true });
  return [negativeLogLikelihood(n, c, logs, n.input(1), n.inputs[2]), logs];
};

export const lossOps: OnnxOps = {
  NegativeLogLikelihoodLoss: nll,
  SoftmaxCrossEntropyLoss: softmaxCrossEntropy,
};
