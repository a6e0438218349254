import { must } from '../../../core/diagnostic.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Expand } from '../../../ops/movement/view.ts';
import type { ImportCtx, OnnxNode } from '../registry.ts';
import { bothClasses, labelIf, transformed, type Labels, type Transform } from './ml-scores.ts';
import { floatList } from './trees-read.ts';
import type { Voted } from './trees-tables.ts';
import { slice } from '../../shared/views.ts';

/** Sums of leaves. */
export interface Scores {
  /** [batch, targets]. */
  readonly scores: Value;
  readonly voted: readonly Voted[];
  /** Votes of each row for each target, where that depends on the row. */
  readonly counts: Value | undefined;
}
/** Whether rows have votes for a class: all of them, none, or a condition [batch, 1]. */
type Has = boolean | Value;

/**
 * What a classifier of two classes answers in onnxruntime (TreeAggregatorClassifier::FinalizeScores and write_scores of 1.30), label and
 * scores [batch, 2]. A row that has votes for the second class is scored by both sums; the first base value is not used, and the second
 * makes the first sum the score. Without such votes there is one sum, of the first class, which counts for the second.
 * Where all weights are for one class, the labels are the model's and the limit is 0.5 if no weight is negative; else the labels are 1
 * and 0, and the limit is 0.
 */
export function binaryScores(
  n: OnnxNode,
  c: ImportCtx,
  { scores, voted, counts }: Scores,
  base: readonly number[],
  transform: Transform,
  labels: Labels,
): readonly Value[] {
  const { dtype } = scores.type;
  const number = (v: number): Value => c.literal(dtype, v);
  const column = (x: Value, at: number): Value => slice(c, x, new Map([[1, { start: at, size: 1, step: 1 }]]));
  const plus = (x: Value, by: number): Value => c.apply1(e.Add, [x, number(by)]);
  const minus = (x: Value): Value => c.apply1(e.Neg, [x]);
  const has = (g: number): Has =>
    voted[g] === 'depends' && counts ? c.apply1(e.Greater, [column(counts, g), number(0)]) : voted[g] !== 'never';
  const either = (cond: Has, yes: () => Value, no: () => Value): Value =>
    cond === true ? yes() : cond === false ? no() : c.apply1(e.Where, [cond, yes(), no()]);
  const single = (x: Value): Value => (dtype === 'f32' ? x : c.apply1(e.Cast, [x], { to: 'f32' }));
  const pair = (a: Value, b: Value): Value => bothClasses(c, single(a), single(b));

  const [s0, s1] = [column(scores, 0), column(scores, 1)];
  const [has0, has1] = [has(0), has(1)];
  const zero = c.apply1(Expand, [number(0)], { shape: s0.type.shape });
  const [b0 = 0, b1 = 0] = base;
  const first = base.length === 0 ? s0 : plus(s0, b0);
  const shown0 = either(
    has0,
    () => first,
    () => zero,
  );
  const second = base.length === 2 ? plus(s0, b1) : s1;

  const weights = floatList(n, 'class_weights');
  const oneClass = new Set(n.ints('class_ids', [])).size === 1;
  const positive = weights.every(w => !(w < 0));
  const score = either(
    has1,
    () => second,
    () => shown0,
  );
  const [no, yes] = [0, 1].map(i => (oneClass ? labels.label(i) : labels.number(i)));
  const label = labelIf(c, c.apply1(e.Greater, [score, number(oneClass && positive ? 0.5 : 0)]), must(yes), must(no));

  const both = (a: Value, b: Value): Value => transformed(c, pair(a, b), transform);
  const withSecond = (): Value =>
    base.length === 2
      ? both(
          either(
            has0,
            () => minus(second),
            () => zero,
          ),
          second,
        )
      : both(shown0, second);
  const withoutSecond = (): Value => {
    if (base.length === 2) return both(shown0, zero);
    if (transform === 'PROBIT') return n.unsupported('post_transform PROBIT of one score for two classes');
    if (transform === 'LOGISTIC') return transformed(c, pair(minus(shown0), shown0), transform);
    return pair(oneClass && positive ? c.apply1(e.Sub, [number(1), shown0]) : minus(shown0), shown0);
  };
  return [label, either(has1, withSecond, withoutSecond)];
}
