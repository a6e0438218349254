import { must } from '../../../core/diagnostic.ts';
import { staticDim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode } from '../registry.ts';
import { bothClasses, labelIf, labelOfGreatest, labelsOf, oneMinus, rows, transformed, transformOf } from './ml-scores.ts';

/** x times the coefficients, which are rows of one score each, plus intercepts. */
export function linearScores(n: OnnxNode, c: ImportCtx, x: Value, outputs: number, intercepts: readonly number[]): Value {
  const coefficients = n.floats('coefficients');
  const features = coefficients.length / outputs;
  const has = staticDim(must(x.type.shape[1]));
  if (!Number.isInteger(features) || (has !== undefined && has !== features))
    n.reject(`${coefficients.length} coefficients for ${outputs} scores of ${has ?? 'some'} features`);
  const y = c.apply1(MatMul, [x, c.literal('f32', coefficients, [outputs, features])], { transB: true });
  return intercepts.length === 0 ? y : c.apply1(e.Add, [y, c.literal('f32', intercepts)]);
}
export const linearRegressor: OnnxBuilder = (n, c) => {
  const y = linearScores(n, c, rows(n, c), n.int('targets', 1), n.floats('intercepts', []));
  return [transformed(c, y, transformOf(n))];
};
export const linearClassifier: OnnxBuilder = (n, c) => {
  const x = rows(n, c);
  const labels = labelsOf(n, c);
  const intercepts = n.floats('intercepts', []);
  const features = staticDim(must(x.type.shape[1])) ?? n.unsupported('features whose number is not fixed');
  const outputs = intercepts.length || Math.floor(n.floats('coefficients').length / features);
  const scores = linearScores(n, c, x, outputs, intercepts);
  const transform = transformOf(n);
  if (outputs > 1) return [labelOfGreatest(c, scores, labels), transformed(c, scores, transform)];
  // One score for two classes.
  const [no, yes] = [0, 1].map(i => (labels.count === 2 ? labels.label(i) : labels.number(i)));
  const label = labelIf(c, c.apply1(e.Greater, [scores, c.literal('f32', 0)]), must(yes), must(no));
  if (transform === 'PROBIT') n.unsupported('post_transform PROBIT of one score for two classes');
  const one = transform === 'LOGISTIC' ? transformed(c, scores, transform) : scores;
  return [label, labels.count === 2 ? bothClasses(c, oneMinus(c, one), one) : one];
};
