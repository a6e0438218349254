import { fail, type Loc } from '../../core/diagnostic.ts';
import { fromNumbers } from '../../core/tensor.ts';
import { constant, type Value } from '../../graph/graph.ts';
import * as e from '../../ops/elementwise/index.ts';
import { applier, type Apply, type TreeImport, type TreeOptions } from '../shared/trees.ts';
import { importXgboost, xgbParts, type XgbFound } from './import.ts';
import { openXgboost, type Opened } from './open.ts';

/** Folds of a cross-validation; each pair is compared in a vote. */
const MAX_FOLDS = 64;

/**
 * The graph of a file of XGBoost, of any form; see `importXgboost` for the outputs. An archive with `xgboost-model-0`, `-1`, … predicts
 * what SageMaker's container does with it: the mean of the folds, and for classes (`multi:softmax`, `binary:hinge`) the least of those
 * that most folds say.
 */
export const importXgboostFile = (bytes: Uint8Array, o: TreeOptions = {}): TreeImport =>
  importOpened(openXgboost(bytes, o.file ?? 'model'), o);
/** The same of a file that is open. */
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
    fail('E102', { op: 'outputs', why: `the folds of a cross-validation have a ${o.outputs[0]} each` }, loc);
  const same = found.every(f => f.model.objective === first.model.objective && f.model.numFeature === first.model.numFeature);
  if (!same) fail('E102', { op: 'folds', why: 'the models differ in their objective or their number of features' }, loc);
  const make = applier(loc);
  const start = xgbParts(first, o);
  const all = [start, ...found.slice(1).map(f => xgbParts(f, o, start.x))];
  const each = all.flatMap(p => p.outputs.map(x => x.value));
  const votes = ['multi:softmax', 'binary:hinge'].includes(first.model.objective);
  return {
    graph: {
      name: o.name ?? 'model',
      inputs: [start.x],
      outputs: [{ name: 'prediction', value: votes ? most(make, each) : mean(make, each) }],
      symbolDefinitions: [],
    },
    warnings: start.warnings,
    ...(start.featureNames && { featureNames: start.featureNames }),
  };
}
const f32 = (v: number): Value => constant(fromNumbers('f32', [], [v]));
/** In float32 and in order, as NumPy does along the first axis. */
function mean(make: Apply, each: readonly Value[]): Value {
  const sum = each.reduce((a, b) => make(e.Add, [a, b]));
  return make(e.Div, [sum, f32(each.length)]);
}
/** The least of the most frequent. */
function most(make: Apply, each: readonly Value[]): Value {
  const count = each.map(a =>
    each.map(b => make(e.Where, [make(e.Equal, [a, b]), f32(1), f32(0)])).reduce((p, q) => make(e.Add, [p, q])),
  );
  const best = count.reduce((p, q) => make(e.Max, [p, q]));
  return each
    .map((a, i) => make(e.Where, [make(e.Equal, [count[i], best]), a, f32(Infinity)]))
    .reduce((p, q) => make(e.Min, [p, q]));
}
