import { must } from '../../../core/diagnostic.ts';
import { staticDim } from '../../../core/dim.ts';
import type { DType } from '../../../core/dtype.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { ArgReduce } from '../../../ops/reduce/reduce.ts';
import { TreeEnsemble } from '../../../ops/trees/ensemble.ts';
import { MAX_GROUPS, tableValues } from '../../shared/trees.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode, OnnxOps } from '../registry.ts';
import {
  labelAt,
  labelIf,
  labelOfGreatest,
  labelsOf,
  transformed,
  transformOf,
  type Labels,
  type Transform,
} from './ml-scores.ts';
import { binaryScores, type Scores } from './trees-binary.ts';
import { floatList, readTreesV3, readTreesV5, type OnnxTrees } from './trees-read.ts';
import { onnxTables, type Aggregate, type Voted } from './trees-tables.ts';
import { rankOf } from '../../shared/axes.ts';
import { reshape, slice } from '../../shared/views.ts';

/**
 * Trees of ai.onnx.ml. Where the standard is silent, and in what binary classifiers answer, they follow onnxruntime (1.30:
 * tree_ensemble_aggregator.h and write_scores of ml_common.h). Sums are in the type of the rows, f32 or f64, in the order of the trees.
 */

/** A choice of what leaves are put together to. `divide`: sums are divided by the number of trees. */
interface Together {
  readonly aggregate: Aggregate;
  readonly divide: boolean;
}
const TOGETHER: Readonly<Record<'AVERAGE' | 'SUM' | 'MIN' | 'MAX', Together>> = {
  AVERAGE: { aggregate: 'sum', divide: true },
  SUM: { aggregate: 'sum', divide: false },
  MIN: { aggregate: 'min', divide: false },
  MAX: { aggregate: 'max', divide: false },
};
const TRANSFORMS: readonly Transform[] = ['NONE', 'SOFTMAX', 'LOGISTIC', 'SOFTMAX_ZERO', 'PROBIT'];

const to = (c: ImportCtx, v: Value, dtype: DType): Value => (v.type.dtype === dtype ? v : c.apply1(e.Cast, [v], { to: dtype }));
/** The input as rows of f32 or f64; a vector is one row. */
function treeRows(n: OnnxNode, c: ImportCtx): { readonly x: Value; readonly features: number; readonly single: boolean } {
  const given = n.input(0);
  const single = given.type.dtype !== 'f64';
  const x = to(c, given, single ? 'f32' : 'f64');
  const rows = rankOf(x) === 1 ? reshape(c, x, [1, must(x.type.shape[0])]) : x;
  if (rankOf(rows) !== 2) n.reject(`takes rows of features, not a tensor with ${rankOf(x)} axes`);
  const features = staticDim(must(rows.type.shape[1])) ?? n.unsupported('features whose number is not fixed; fix it with --dim');
  return { x: rows, features, single };
}
function targetCount(n: OnnxNode, count: number): number {
  return count >= 1 && count <= MAX_GROUPS ? count : n.reject(`${count} targets`);
}

function ensemble(
  n: OnnxNode,
  c: ImportCtx,
  trees: OnnxTrees,
  o: { readonly targets: number; readonly base: readonly number[]; readonly count: boolean } & Together,
): Scores {
  const { x, features, single } = treeRows(n, c);
  const { targets, aggregate } = o;
  const made = onnxTables(n, trees, { ...o, features, single, base: aggregate === 'sum' ? o.base : [] });
  const divide = o.divide && trees.root.length > 0 ? trees.root.length : 1;
  const y = c.apply1(TreeEnsemble, [x, ...tableValues(made.tables)], { aggregate, base: 'last', divide });
  const { voted } = made;
  if (aggregate === 'sum') {
    if (!made.counted) return { scores: y, voted, counts: undefined };
    const part = (start: number): Value => slice(c, y, new Map([[1, { start, size: targets, step: 1 }]]));
    return { scores: part(0), voted, counts: part(targets) };
  }
  // Without a vote there is nothing but the base.
  const literal = (v: number | readonly number[]): Value => c.literal(single ? 'f32' : 'f64', v);
  const none = c.apply1(e.Equal, [y, literal(aggregate === 'min' ? Infinity : -Infinity)]);
  const found = voted.every(v => v === 'always') ? y : c.apply1(e.Where, [none, literal(0), y]);
  return { scores: o.base.length === 0 ? found : c.apply1(e.Add, [found, literal(o.base)]), voted, counts: undefined };
}
function baseValues(n: OnnxNode, fits: (count: number) => boolean, targets: number): readonly number[] {
  const base = floatList(n, 'base_values');
  return base.length === 0 || fits(base.length) ? base : n.reject(`${base.length} base values for ${targets} targets`);
}
/** The transform of a regressor: onnxruntime leaves a single target as it is, but for PROBIT. */
function regression(c: ImportCtx, scores: Value, t: Transform, targets: number, dtype: DType): Value {
  if (targets === 1 && t !== 'PROBIT') return to(c, scores, dtype);
  return t === 'NONE' ? to(c, scores, dtype) : to(c, transformed(c, to(c, scores, 'f32'), t), dtype);
}

const regressor: OnnxBuilder = (n, c) => {
  const targets = targetCount(n, n.int('n_targets', 1));
  const name = n.string('aggregate_function', 'SUM');
  const together = Object.entries(TOGETHER).find(([k]) => k === name)?.[1] ?? n.reject(`aggregate_function is '${name}'`);
  const base = baseValues(n, k => k === targets, targets);
  const { scores } = ensemble(n, c, readTreesV3(n, 'target', targets), { targets, base, count: false, ...together });
  return [regression(c, scores, transformOf(n), targets, 'f32')];
};
const treeEnsemble: OnnxBuilder = (n, c) => {
  const targets = targetCount(n, n.int('n_targets', 1));
  const how = n.int('aggregate_function', 1);
  const together = Object.values(TOGETHER)[how] ?? n.reject(`aggregate_function is ${how}`);
  const transform = n.int('post_transform', 0);
  const t = TRANSFORMS[transform] ?? n.reject(`post_transform is ${transform}`);
  if (targets > 1 && (t === 'SOFTMAX' || t === 'LOGISTIC'))
    c.warn(
      'post-transform',
      `post_transform ${transform} is ${t}, as the standard numbers it; onnxruntime (1.32) numbers it otherwise`,
    );
  const { scores } = ensemble(n, c, readTreesV5(n, targets), { targets, base: [], count: false, ...together });
  return [regression(c, scores, t, targets, n.input(0).type.dtype)];
};

const classifier: OnnxBuilder = (n, c) => {
  const labels = labelsOf(n, c, 'classlabels_int64s');
  const targets = targetCount(n, labels.count);
  const trees = readTreesV3(n, 'class', targets);
  const base = baseValues(n, k => (targets === 2 ? k <= 2 : k === targets), targets);
  const transform = transformOf(n);
  const name = n.string('aggregate_function', 'SUM');
  if (name !== 'SUM') n.unsupported(`aggregate_function ${name} of a classifier`);
  const sum = { ...TOGETHER.SUM, targets };
  const done = (label: Value, scores: Value): readonly Value[] => [label, to(c, scores, 'f32')];
  if (targets === 1) {
    const { scores } = ensemble(n, c, trees, { ...sum, base, count: false });
    const zero = c.literal(scores.type.dtype, 0);
    const label = labelIf(c, c.apply1(e.Greater, [scores, zero]), labels.number(1), labels.number(0));
    return done(label, transform === 'PROBIT' ? transformed(c, to(c, scores, 'f32'), transform) : scores);
  }
  if (targets === 2) return binaryScores(n, c, ensemble(n, c, trees, { ...sum, base: [], count: true }), base, transform, labels);
  const { scores, voted, counts } = ensemble(n, c, trees, { ...sum, base, count: base.length === 0 });
  const label = base.length > 0 ? labelOfGreatest(c, scores, labels) : greatestVoted(c, scores, voted, counts, labels);
  return done(label, transformed(c, to(c, scores, 'f32'), transform));
};
/** The label of the greatest score among the classes that have votes. */
function greatestVoted(c: ImportCtx, scores: Value, voted: readonly Voted[], counts: Value | undefined, labels: Labels): Value {
  if (voted.every(v => v === 'always')) return labelOfGreatest(c, scores, labels);
  const literal = (v: readonly number[] | number): Value => c.literal(scores.type.dtype, v);
  const none = c.apply1(e.Equal, [counts ?? literal(voted.map(v => (v === 'never' ? 0 : 1))), literal(0)]);
  const kept = c.apply1(e.Where, [none, literal(-Infinity), scores]);
  return labelAt(c, c.apply1(ArgReduce, [kept], { of: 'max', axis: 1, keep: false }), labels);
}
export const treeOnnxOps: OnnxOps = {
  'ai.onnx.ml.TreeEnsembleRegressor': regressor,
  'ai.onnx.ml.TreeEnsembleClassifier': classifier,
  'ai.onnx.ml.TreeEnsemble': treeEnsemble,
};
