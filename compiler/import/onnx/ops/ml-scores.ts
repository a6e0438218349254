import { must } from '../../../core/diagnostic.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Gather } from '../../../ops/movement/gather.ts';
import { Softmax } from '../../../ops/reduce/norm.ts';
import { ArgReduce } from '../../../ops/reduce/reduce.ts';
import type { ImportCtx, OnnxNode } from '../registry.ts';
import { rankOf } from '../../shared/axes.ts';
import { cast, concat, reshape } from '../../shared/views.ts';
import { reduceOver } from '../../shared/reduce.ts';

/** What the classifiers and regressors of ai.onnx.ml share: rows of features, transforms of scores, labels. */

/** The input as rows of f32; a vector is one row. */
export function rows(n: OnnxNode, c: ImportCtx): Value {
  const x = cast(c, n.input(0), 'f32');
  if (rankOf(x) === 1) return reshape(c, x, [1, must(x.type.shape[0])]);
  return rankOf(x) === 2 ? x : n.reject(`takes rows of features, not a tensor with ${rankOf(x)} axes`);
}
const TRANSFORMS = ['NONE', 'SOFTMAX', 'LOGISTIC', 'SOFTMAX_ZERO', 'PROBIT'] as const;
export type Transform = (typeof TRANSFORMS)[number];
export function transformOf(n: OnnxNode): Transform {
  const t = n.string('post_transform', 'NONE');
  return TRANSFORMS.find(k => k === t) ?? n.reject(`post_transform is '${t}'`);
}
const number = (c: ImportCtx, v: number): Value => c.literal('f32', v);

/** Applies a transform to scores [N, classes]. */
export function transformed(c: ImportCtx, scores: Value, t: Transform): Value {
  switch (t) {
    case 'NONE':
      return scores;
    case 'SOFTMAX':
      return c.apply1(Softmax, [scores], { axis: 1 });
    case 'LOGISTIC':
      return c.apply1(e.Sigmoid, [scores]);
    case 'SOFTMAX_ZERO':
      return softmaxZero(c, scores);
    case 'PROBIT':
      return probit(c, scores);
  }
}
/** A softmax that leaves out scores of zero. */
function softmaxZero(c: ImportCtx, x: Value): Value {
  const most = reduceOver(c, 'max', x, [1], true);
  const zero = c.apply1(e.LessOrEqual, [c.apply1(e.Abs, [x]), number(c, 1e-7)]);
  const part = c.apply1(e.Exp, [c.apply1(e.Sub, [x, most])]);
  const sum = reduceOver(c, 'sum', c.apply1(e.Where, [zero, number(c, 0), part]), [1], true);
  const small = c.apply1(e.Mul, [x, c.apply1(e.Exp, [c.apply1(e.Neg, [most])])]);
  return c.apply1(e.Div, [c.apply1(e.Where, [zero, small, part]), sum]);
}
/** sqrt(2) * erfinv(2x - 1), with Winitzki's approximation of erfinv and the constants of onnxruntime. */
function probit(c: ImportCtx, x: Value): Value {
  const two = (op: typeof e.Add, a: Value, b: Value | number): Value =>
    c.apply1(op, [a, typeof b === 'number' ? number(c, b) : b]);
  const y = two(e.Sub, two(e.Mul, x, 2), 1);
  const log = c.apply1(e.Log, [two(e.Sub, number(c, 1), two(e.Mul, y, y))]);
  const v = two(e.Add, two(e.Mul, log, 0.5), 2 / (Math.PI * 0.147));
  const root = c.apply1(e.Sqrt, [two(e.Sub, two(e.Mul, v, v), two(e.Mul, log, 1 / 0.147))]);
  const size = c.apply1(e.Sqrt, [two(e.Sub, root, v)]);
  return two(e.Mul, two(e.Mul, size, c.apply1(e.Sign, [y])), Math.SQRT2);
}
/** Two columns: of the other class, and of the one the scores [N, 1] are for. */
export const bothClasses = (c: ImportCtx, other: Value, one: Value): Value => concat(c, [other, one], 1);
export const oneMinus = (c: ImportCtx, v: Value): Value => c.apply1(e.Sub, [number(c, 1), v]);

/** The labels of a classifier, numbers or texts. */
export interface Labels {
  readonly count: number;
  /** Whether each label is its place among them. */
  readonly places: boolean;
  /** A vector of the labels, i64 or text. */
  readonly all: Value;
  label(i: number): Value;
  /** A number in the place of a label, where the classifier does not answer with its own. */
  number(v: number): Value;
}
export function labelsOf(
  n: OnnxNode,
  c: ImportCtx,
  attribute: 'classlabels_ints' | 'classlabels_int64s' = 'classlabels_ints',
): Labels {
  const text = n.strings('classlabels_strings', []);
  const ints = n.ints(attribute, []);
  const isText = text.length > 0;
  const names = isText ? text : ints.map(String);
  c.labels(names);
  const one = (name: string, v: number): Value => (isText ? c.texts([name], []) : c.literal('i64', v));
  return {
    count: names.length,
    places: !isText && ints.every((v, i) => v === i),
    all: isText ? c.texts(text) : c.literal('i64', ints),
    label: i => one(must(names[i]), ints[i] ?? i),
    number: v => one(String(v), v),
  };
}
/** The label of the greatest score of each row. */
export const labelOfGreatest = (c: ImportCtx, scores: Value, labels: Labels): Value =>
  labelAt(c, c.apply1(ArgReduce, [scores], { of: 'max', axis: 1, keep: false }), labels);
export const labelAt = (c: ImportCtx, place: Value, labels: Labels): Value =>
  labels.places ? place : c.apply1(Gather, [labels.all, place], { axis: 0 });
/** One of two labels for each row, by a condition [N, 1]. */
export function labelIf(c: ImportCtx, condition: Value, yes: Value, no: Value): Value {
  const flat = reshape(c, condition, [must(condition.type.shape[0])]);
  return c.apply1(e.Where, [flat, yes, no]);
}
