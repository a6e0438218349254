import type { LgbFound } from './lightgbm/import.ts';
import type { OpenModel } from './model.ts';
import type { TreeFacts } from './shared/trees.ts';
import { roundStarts, type XgbFound } from './xgboost/import.ts';
import type { Opened } from './xgboost/open.ts';

/** What a model of trees says about itself; undefined for ONNX. E203 where its rounds make no sense. */
export function factsOf(m: OpenModel, file: string): TreeFacts | undefined {
  switch (m.k) {
    case 'onnx':
      return undefined;
    case 'xgboost':
      return ofXgboost(m.opened, file);
    case 'lightgbm':
      return ofLightgbm(m.found);
  }
}
function ofXgboost(o: Opened, file: string): TreeFacts | undefined {
  const [first] = o.found;
  if (!first) return undefined;
  const m = first.model;
  const version = m.version[0] === 0 ? 'before 1.0' : m.version.join('.');
  const b = m.booster;
  return {
    by: `XGBoost ${version}`,
    form: o.folds ? `archive of ${o.found.length} folds, ${first.form}` : first.form,
    objective: m.objective,
    booster: b.k === 'linear' ? 'gblinear' : b.weights ? 'dart' : 'gbtree',
    groups: Math.max(1, m.numClass, m.numTarget),
    rounds: b.k === 'linear' ? 0 : roundStarts(b, m, file).length - 1,
    folds: o.found.length,
    features: m.numFeature,
    featureNames: m.featureNames,
    labels: first.labels ?? [],
    missing: missingXgboost(first),
  };
}
function missingXgboost(f: XgbFound): string {
  const { missing } = f;
  const which = missing === undefined || Number.isNaN(missing) ? 'NaN' : `NaN and ${missing}`;
  return f.model.booster.k === 'linear' ? `${which}: left out of the sum` : `${which}: the default side of each split`;
}
function ofLightgbm(f: LgbFound): TreeFacts {
  const m = f.model;
  let [zero, nan, none] = [false, false, false];
  for (const t of m.trees)
    for (const d of t.decision) {
      if ((d & 1) !== 0) continue;
      const kind = (d >> 2) & 3;
      if (kind === 1) zero = true;
      else if (kind === 2) nan = true;
      else none = true;
    }
  const parts = [
    ...(nan ? ['NaN: the default side of each split'] : []),
    ...(zero ? ['NaN and zero: the default side of each split'] : []),
    ...(none ? ['NaN counts as zero where training saw none'] : []),
  ];
  return {
    by: `LightGBM (format ${m.version})`,
    form: f.form,
    objective: m.objective.join(' ') || 'none',
    booster: m.average ? 'random forest' : 'gbdt or dart',
    groups: m.groups,
    rounds: m.trees.length / m.groups,
    folds: 1,
    features: m.features,
    featureNames: m.featureNames,
    labels: f.labels ?? [],
    missing: parts.join('; ') || 'no split looks at it',
  };
}
