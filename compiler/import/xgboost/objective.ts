import { fail } from '../../core/diagnostic.ts';
import type { GraphBuilder } from '../../graph/build.ts';
import { type Value } from '../../graph/graph.ts';
import * as e from '../../ops/elementwise/index.ts';
import { ArgReduce, Reduce } from '../../ops/reduce/reduce.ts';
import { flat } from '../shared/trees.ts';
import { logf } from './logf.ts';
import { before, type Version } from './records.ts';

/** How margins become predictions (`PredTransform`). */
type Link = 'identity' | 'sigmoid' | 'exp' | 'hinge' | 'softmax' | 'argmax';
/** How `base_score`, which lies in the space of predictions, becomes a margin (`ProbToMargin`). */
type Inverse = 'identity' | 'logit' | 'log';
interface Objective {
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

/** Of `expf` in glibc (2.27 and newer; ARM's optimized routines): 32 / ln 2, and the polynomial of 2^(r / 32). */
const EXPF = { steps: 46.16624130844683, a3: 0.0000016938359250920212, a2: 0.00023459809789509004, a1: 0.021660849396613134 };
/**
 * e to the power x in float32 with the error of glibc's, which is what XGBoost's predictions are made with: one float in 1,600 is not
 * the nearest. Powers of two come from an exponential in float64, which is as near as the library's table.
 */
function expf(c: GraphBuilder, x: Value): Value {
  const f64 = (v: number): Value => c.literal('f64', v);
  const add = (a: Value, b: Value): Value => c.apply1(e.Add, [a, b]);
  const mul = (a: Value, b: Value): Value => c.apply1(e.Mul, [a, b]);
  // Beyond, results are 0 and infinity.
  const z = mul(c.apply1(e.Clip, [c.apply1(e.Cast, [x], { to: 'f64' })], { lo: -150, hi: 150 }), f64(EXPF.steps));
  const k = c.apply1(e.Round, [z]);
  const r = c.apply1(e.Sub, [z, k]);
  const high = add(mul(r, f64(EXPF.a3)), f64(EXPF.a2));
  const y = add(mul(high, mul(r, r)), add(mul(r, f64(EXPF.a1)), f64(1)));
  return c.apply1(e.Cast, [mul(y, c.apply1(e.Exp, [mul(k, f64(Math.LN2 / 32))]))], { to: 'f32' });
}

/**
 * Predictions from margins [batch, groups], with the operations of XGBoost's float32 formulas. One group: [batch], else [batch, groups];
 * argmax: [batch].
 */
export function predictions(c: GraphBuilder, margin: Value, link: Link, version: Version): Value {
  const groups = margin.type.shape[1] ?? 1;
  const f32 = (v: number): Value => c.literal('f32', v);
  const exp = (x: Value): Value => expf(c, x);
  switch (link) {
    case 'identity':
      return flat(c, margin);
    case 'exp':
      return flat(c, exp(margin));
    case 'hinge':
      return flat(c, c.apply1(e.Where, [c.apply1(e.Greater, [margin, f32(0)]), f32(1), f32(0)]));
    case 'sigmoid': {
      // 1 / (exp(min(-x, 88.7)) + 1): the 1e-16 that XGBoost adds to the sum is lost in it. The bound is there since 1.3.
      const minus = c.apply1(e.Neg, [margin]);
      const x = before(version, 1, 3) ? minus : c.apply1(e.Min, [minus, f32(88.7)]);
      return flat(c, c.apply1(e.Div, [f32(1), c.apply1(e.Add, [exp(x), f32(1)])]));
    }
    case 'softmax': {
      if (groups === 1) return flat(c, margin);
      const most = c.apply1(Reduce, [margin], { of: 'max', axes: [1], keep: true });
      const parts = exp(c.apply1(e.Sub, [margin, most]));
      const sum = c.apply1(Reduce, [c.apply1(e.Cast, [parts], { to: 'f64' })], { of: 'sum', axes: [1], keep: true });
      return c.apply1(e.Div, [parts, c.apply1(e.Cast, [sum], { to: 'f32' })]);
    }
    case 'argmax': {
      const at = c.apply1(ArgReduce, [margin], { of: 'max', axis: 1, keep: false });
      return c.apply1(e.Cast, [at], { to: 'f32' });
    }
  }
}
