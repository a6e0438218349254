import { must } from '../../../core/diagnostic.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Gather } from '../../../ops/movement/gather.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import { PairwiseCoupling } from '../../../ops/ml/pairwise.ts';
import { ArgReduce } from '../../../ops/reduce/reduce.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode } from '../registry.ts';
import { linearScores } from './ml-linear.ts';
import {
  bothClasses,
  labelAt,
  labelOfGreatest,
  labelsOf,
  oneMinus,
  rows,
  transformed,
  transformOf,
  type Labels,
} from './ml-scores.ts';
import { concat, reshape } from '../../shared/views.ts';
import { reduceOver } from '../../shared/reduce.ts';

const number = (c: ImportCtx, v: number): Value => c.literal('f32', v);
const two = (c: ImportCtx, op: typeof e.Add, a: Value, b: Value | number): Value =>
  c.apply1(op, [a, typeof b === 'number' ? number(c, b) : b]);

/** The kernel function between rows of x and `count` support vectors: [N, count]. */
function kernelValues(n: OnnxNode, c: ImportCtx, x: Value, count: number): Value {
  const vectors = n.floats('support_vectors');
  const features = vectors.length / count;
  if (!Number.isInteger(features)) n.reject(`${vectors.length} numbers for ${count} support vectors`);
  const params = n.floats('kernel_params', []);
  const [gamma, coef0, degree] = [params[0] ?? 0, params[1] ?? 0, params[2] ?? 3];
  const kind = n.string('kernel_type', 'LINEAR');
  const dot = (): Value => c.apply1(MatMul, [x, c.literal('f32', vectors, [count, features])], { transB: true });
  const affine = (): Value => two(c, e.Add, two(c, e.Mul, dot(), gamma), coef0);
  switch (kind) {
    case 'LINEAR':
      return dot();
    case 'POLY':
      return power(c, affine(), degree);
    case 'SIGMOID':
      return c.apply1(e.Tanh, [affine()]);
    case 'RBF': {
      // The distances themselves: |x|^2 - 2xs + |s|^2 would lose the digits of near ones.
      const d = two(c, e.Sub, reshape(c, x, [must(x.type.shape[0]), 1, features]), c.literal('f32', vectors, [count, features]));
      return c.apply1(e.Exp, [two(c, e.Mul, reduceOver(c, 'sum', two(c, e.Mul, d, d), [2], false), -gamma)]);
    }
    default:
      return n.reject(`kernel_type is '${kind}'`);
  }
}
function power(c: ImportCtx, x: Value, p: number): Value {
  if (!Number.isInteger(p) || p < 1 || p > 8) return two(c, e.Pow, x, p);
  let y = x;
  for (let i = 1; i < p; i++) y = two(c, e.Mul, y, x);
  return y;
}

export const svmRegressor: OnnxBuilder = (n, c) => {
  const x = rows(n, c);
  const count = n.int('n_supports', 0);
  const rho = n.floats('rho').slice(0, 1);
  const weights = n.floats('coefficients');
  const y =
    count === 0
      ? linearScores(n, c, x, 1, rho)
      : two(c, e.Add, c.apply1(MatMul, [kernelValues(n, c, x, count), c.literal('f32', weights, [count, 1])]), must(rho[0]));
  if (!n.bool('one_class', false)) return [transformed(c, y, transformOf(n))];
  return [c.apply1(e.Where, [two(c, e.Greater, y, 0), number(c, 1), number(c, -1)])];
};

/** Pairs of classes i < j, in the order in which scores come. */
const pairsOf = (k: number): readonly (readonly [number, number])[] =>
  Array.from({ length: k }, (_, i) => i).flatMap(i => Array.from({ length: k - i - 1 }, (_, j) => [i, i + 1 + j] as const));

/** The decision value of each pair of classes: positive for the first. */
function pairScores(n: OnnxNode, c: ImportCtx, x: Value, perClass: readonly number[]): Value {
  const count = perClass.reduce((a, b) => a + b, 0);
  const coefficients = n.floats('coefficients');
  if (coefficients.length !== count * (perClass.length - 1))
    n.reject(`${coefficients.length} coefficients for ${count} support vectors of ${perClass.length} classes`);
  if (perClass.some(m => m < 0)) n.reject('vectors_per_class has a negative number');
  c.room(count + (count * perClass.length * (perClass.length - 1)) / 2, 'a table of support vectors by pairs of classes');
  const pairs = pairsOf(perClass.length);
  const owner = perClass.flatMap((m, i) => new Array<number>(m).fill(i));
  // A vector of class i takes the coefficients of row j - 1 against a later class j, of row j against an earlier one.
  const table = owner.flatMap((own, s) =>
    pairs.map(([i, j]) => (own === i ? coefficients[(j - 1) * count + s] : own === j ? coefficients[i * count + s] : 0) ?? 0),
  );
  const sums = c.apply1(MatMul, [kernelValues(n, c, x, count), c.literal('f32', table, [count, pairs.length])]);
  return c.apply1(e.Add, [sums, c.literal('f32', n.floats('rho').slice(0, pairs.length))]);
}
/** How many pairs each class wins. */
function votes(c: ImportCtx, scores: Value, k: number): Value {
  c.room((k * k * (k - 1)) / 2, 'a table of classes by pairs of classes');
  const pairs = pairsOf(k);
  const first = c.apply1(e.Cast, [two(c, e.Greater, scores, 0)], { to: 'f32' });
  const gain = pairs.flatMap(([i, j]) => Array.from({ length: k }, (_, o) => (o === i ? 1 : o === j ? -1 : 0)));
  const base = Array.from({ length: k }, (_, o) => pairs.filter(([, j]) => j === o).length);
  const moved = c.apply1(MatMul, [first, c.literal('f32', gain, [pairs.length, k])]);
  return c.apply1(e.Add, [moved, c.literal('f32', base)]);
}
/** Probabilities of classes: each pair's by Platt's sigmoid, then coupled. */
function probabilities(n: OnnxNode, c: ImportCtx, scores: Value, k: number): Value {
  const [a, b] = [n.floats('prob_a'), n.floats('prob_b')];
  const logit = c.apply1(e.Add, [c.apply1(e.Mul, [scores, c.literal('f32', a)]), c.literal('f32', b)]);
  const wins = c.apply1(e.Clip, [oneMinus(c, c.apply1(e.Sigmoid, [logit]))], { lo: 1e-7, hi: 1 - 1e-7 });
  const pairs = pairsOf(k);
  const all = concat(c, [wins, oneMinus(c, wins), c.apply1(e.Mul, [wins, number(c, 0)])], 1);
  // Cell [i, j]: of the pair where i < j, else one minus that of the pair; the diagonal is not looked at.
  const place = Array.from({ length: k * k }, (_, at) => {
    const [i, j] = [Math.floor(at / k), at % k];
    const pair = pairs.findIndex(([p, q]) => p === Math.min(i, j) && q === Math.max(i, j));
    return i === j ? 2 * pairs.length : i < j ? pair : pairs.length + pair;
  });
  const r = gatherColumns(c, all, place);
  return c.apply1(PairwiseCoupling, [reshape(c, r, [must(r.type.shape[0]), k, k])], { classes: k });
}
const gatherColumns = (c: ImportCtx, x: Value, at: readonly number[]): Value =>
  c.apply1(Gather, [x, c.literal('i32', at)], { axis: 1 });

export const svmClassifier: OnnxBuilder = (n, c) => {
  const x = rows(n, c);
  const labels = labelsOf(n, c);
  const perClass = n.ints('vectors_per_class', []);
  const transform = transformOf(n);
  if (perClass.length === 0) return withoutVectors(n, c, x, labels);
  const k = perClass.length;
  const scores = pairScores(n, c, x, perClass);
  const label = labelAt(c, c.apply1(ArgReduce, [votes(c, scores, k)], { of: 'max', axis: 1, keep: false }), labels);
  if (n.has('prob_a')) return [label, transformed(c, probabilities(n, c, scores, k), transform)];
  if (k > 2) return [label, transformed(c, scores, transform)];
  switch (transform) {
    case 'NONE':
      return [label, bothClasses(c, c.apply1(e.Neg, [scores]), scores)];
    case 'LOGISTIC': {
      const one = transformed(c, scores, transform);
      return [label, bothClasses(c, oneMinus(c, one), one)];
    }
    case 'SOFTMAX':
    case 'SOFTMAX_ZERO':
      return [label, bothClasses(c, oneMinus(c, scores), scores)];
    case 'PROBIT':
      return n.unsupported('post_transform PROBIT of one score for two classes');
  }
};
/** A linear score for each class. Of two classes onnxruntime takes the second wherever the greater score is large enough. */
function withoutVectors(n: OnnxNode, c: ImportCtx, x: Value, labels: Labels): readonly Value[] {
  const rho = must(n.floats('rho')[0]);
  const scores = linearScores(n, c, x, labels.count, new Array<number>(labels.count).fill(rho));
  const out = transformed(c, scores, transformOf(n));
  if (labels.count !== 2) return [labelOfGreatest(c, scores, labels), out];
  const positive = n.floats('coefficients').every(v => v >= 0);
  const most = reduceOver(c, 'max', scores, [1], true);
  const second = positive ? two(c, e.GreaterOrEqual, most, 0.5) : two(c, e.Greater, most, 0);
  const greatest = labelOfGreatest(c, scores, labels);
  const flat = reshape(c, second, [must(second.type.shape[0])]);
  return [c.apply1(e.Where, [flat, labels.label(1), greatest]), out];
}
