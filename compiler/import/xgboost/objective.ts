import { fail } from '../../core/diagnostic.ts';
import { fromNumbers } from '../../core/tensor.ts';
import { constant, type Value } from '../../graph/graph.ts';
import * as e from '../../ops/elementwise.ts';
import { ArgReduce, Reduce } from '../../ops/reduce.ts';
import { flat, type Apply } from '../trees.ts';
import { logf } from './logf.ts';
import { before, type Version } from './records.ts';

/** How margins become predictions (`PredTransform`). */
export type Link = 'identity' | 'sigmoid' | 'exp' | 'hinge' | 'softmax' | 'argmax';
/** How `base_score`, which lies in the space of predictions, becomes a margin (`ProbToMargin`). */
type Inverse = 'identity' | 'logit' | 'log';
export interface Objective {
  readonly link: Link;
  readonly inverse: Inverse;
}
const objective = (link: Link, inverse: Inverse = 'identity'): Objective => ({ link, inverse });
const OBJECTIVES: Readonly<Record<string, Objective>> = {
  'reg:squarederror': objective('identity'),
  'reg:linear': objective('identity'),
  'reg:squaredlogerror': objective('identity'),
  'reg:pseudohubererror': objective('identity'),
  'reg:absoluteerror': objective('identity'),
  'reg:quantileerror': objective('identity'),
  'reg:expectileerror': objective('identity'),
  'rank:pairwise': objective('identity'),
  'rank:ndcg': objective('identity'),
  'rank:map': objective('identity'),
  'reg:logistic': objective('sigmoid', 'logit'),
  'binary:logistic': objective('sigmoid', 'logit'),
  'binary:logitraw': objective('identity'),
  'binary:hinge': objective('hinge'),
  'count:poisson': objective('exp', 'log'),
  'reg:gamma': objective('exp', 'log'),
  'reg:tweedie': objective('exp', 'log'),
  'survival:cox': objective('exp', 'log'),
  'survival:aft': objective('exp', 'log'),
  'multi:softmax': objective('argmax'),
  'multi:softprob': objective('softmax'),
};
/** E101: an objective that is not known, whose link function therefore is not either. */
export function objectiveOf(name: string, version: Version, file: string): Objective {
  // Before 1.0, objectives for GPUs had names of their own.
  const plain = name.replace(/^gpu:/, '');
  // Since 1.3 the base score of raw margins is one itself.
  if (plain === 'binary:logitraw' && before(version, 1, 3)) return objective('identity', 'logit');
  return (
    (Object.hasOwn(OBJECTIVES, plain) ? OBJECTIVES[plain] : undefined) ??
    fail('E101', { op: `objective ${name}`, why: '; only its margin is known' }, { k: 'file', file, what: '' })
  );
}

/** What probabilities are kept away from 0 and 1 by, since 3.1. */
const EPSILON = Math.fround(1e-6);
/** The margin of a base score, in float32 as XGBoost computes it. */
export function marginOf(base: number, inverse: Inverse, version: Version): number {
  const f = Math.fround;
  switch (inverse) {
    case 'identity':
      return f(base);
    case 'log':
      return logf(f(base));
    case 'logit': {
      const p = before(version, 3, 1) ? f(base) : Math.max(EPSILON, Math.min(f(base), f(1 - EPSILON)));
      return f(-logf(f(f(1 / p) - 1)));
    }
  }
}

/**
 * Predictions from margins [batch, groups], with the operations of XGBoost's float32 formulas; exponentials are computed in float64 and
 * rounded, which is the nearest float to what any C library gives. One group: [batch], else [batch, groups]; argmax: [batch].
 */
export function predictions(make: Apply, margin: Value, link: Link, version: Version): Value {
  const groups = margin.type.shape[1] ?? 1;
  const f32 = (v: number): Value => constant(fromNumbers('f32', [], [v]));
  const exp = (x: Value): Value => make(e.Cast, [make(e.Exp, [make(e.Cast, [x], { to: 'f64' })])], { to: 'f32' });
  switch (link) {
    case 'identity':
      return flat(make, margin);
    case 'exp':
      return flat(make, exp(margin));
    case 'hinge':
      return flat(make, make(e.Where, [make(e.Greater, [margin, f32(0)]), f32(1), f32(0)]));
    case 'sigmoid': {
      // 1 / (exp(min(-x, 88.7)) + 1): the 1e-16 that XGBoost adds to the sum is lost in it. The bound is there since 1.3.
      const minus = make(e.Neg, [margin]);
      const x = before(version, 1, 3) ? minus : make(e.Min, [minus, f32(88.7)]);
      return flat(make, make(e.Div, [f32(1), make(e.Add, [exp(x), f32(1)])]));
    }
    case 'softmax': {
      if (groups === 1) return flat(make, margin);
      const most = make(Reduce, [margin], { of: 'max', axes: [1], keep: true });
      const parts = exp(make(e.Sub, [margin, most]));
      const sum = make(Reduce, [make(e.Cast, [parts], { to: 'f64' })], { of: 'sum', axes: [1], keep: true });
      return make(e.Div, [parts, make(e.Cast, [sum], { to: 'f32' })]);
    }
    case 'argmax': {
      const at = make(ArgReduce, [margin], { of: 'max', axis: 1, keep: false });
      return make(e.Cast, [at], { to: 'f32' });
    }
  }
}
