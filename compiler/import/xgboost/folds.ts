import { fail, type Loc } from '../../core/diagnostic.ts';
import { graphBuilder, type GraphBuilder } from '../../graph/build.ts';
import type { Value } from '../../graph/graph.ts';
import * as e from '../../ops/elementwise/index.ts';
import type { TreeImport, TreeOptions } from '../shared/trees.ts';
import { importXgboost, xgbParts, type XgbFound } from './import.ts';
import type { Opened } from './open.ts';

/** Folds of a cross-validation; each pair is compared in a vote. */
const MAX_FOLDS = 64;

/**
 * The graph of an open file of XGBoost; see `importXgboost` for the outputs. An archive with `xgboost-model-0`, `-1`, … predicts
 * what SageMaker's container does with it: the mean of the folds, and for classes (`multi:softmax`, `binary:hinge`) the least of those
 * that most folds say.
 */
export function importOpened({ found, folds }: Opened, o: TreeOptions): TreeImport {
  const [first] = found;
  if (first && !folds) return importXgboost(first, o);
  return importFolds(found, o, { k: 'file', file: o.file ?? 'model', what: '' });
}
function importFolds(found: readonly XgbFound[], o: TreeOptions, loc: Loc): TreeImport {
  const [first] = found;
  if (!first || found.length > MAX_FOLDS)
    return fail('E102', { op: 'folds', why: `${found.length} models are no cross-validation` }, loc);
  if (o.outputs && o.outputs.length > 0)
    fail('E403', { option: 'outputs', why: `the folds of a cross-validation have a ${o.outputs[0]} each` }, loc);
  const same = found.every(f => f.model.objective === first.model.objective && f.model.numFeature === first.model.numFeature);
  if (!same) fail('E102', { op: 'folds', why: 'the models differ in their objective or their number of features' }, loc);
  const c = graphBuilder({ loc });
  const start = xgbParts(first, o);
  const all = [start, ...found.slice(1).map(f => xgbParts(f, o, start.x))];
  const each = all.flatMap(p => p.outputs.map(x => x.value));
  const votes = ['multi:softmax', 'binary:hinge'].includes(first.model.objective);
  return {
    graph: {
      name: o.name ?? 'model',
      inputs: [start.x],
      outputs: [{ name: 'prediction', value: votes ? most(c, each) : mean(c, each) }],
      symbolDefinitions: [],
    },
    warnings: start.warnings,
    ...(start.featureNames && { featureNames: start.featureNames }),
  };
}
/** In float32 and in order, as NumPy does along the first axis. */
function mean(c: GraphBuilder, each: readonly Value[]): Value {
  const sum = each.reduce((a, b) => c.apply1(e.Add, [a, b]));
  return c.apply1(e.Div, [sum, c.literal('f32', each.length)]);
}
/** The least of the most frequent. */
function most(c: GraphBuilder, each: readonly Value[]): Value {
  const f32 = (v: number): Value => c.literal('f32', v);
  const count = each.map(a =>
    each.map(b => c.apply1(e.Where, [c.apply1(e.Equal, [a, b]), f32(1), f32(0)])).reduce((p, q) => c.apply1(e.Add, [p, q])),
  );
  const best = count.reduce((p, q) => c.apply1(e.Max, [p, q]));
  return each
    .map((a, i) => c.apply1(e.Where, [c.apply1(e.Equal, [count[i], best]), a, f32(Infinity)]))
    .reduce((p, q) => c.apply1(e.Min, [p, q]));
}
