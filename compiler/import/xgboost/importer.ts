import type { Facts, Importer, Likeness } from '../importer.ts';
import { textOf } from '../shared/cursor.ts';
import { openTrees } from '../shared/tree-model.ts';
import { importOpened } from './folds.ts';
import { roundStarts, type XgbFound } from './import.ts';
import { formOf, isNamedModel, openXgboost, type Opened } from './open.ts';

export const xgboost: Importer<'xgboost'> = {
  name: 'xgboost',
  title: 'XGBoost',
  accepts: 'XGBoost as JSON, UBJSON, binary, pickle or the model.tar.gz of SageMaker',
  mainFile: 'xgboost-model',
  takes: ['iterations', 'outputs'],
  sniff,
  ownsArchive: files => files.some(f => isNamedModel(f.name) || sniff(f.bytes) === 'certain'),
  open: ({ name, bytes, whole }) => {
    const opened = openXgboost(bytes, name, whole);
    return openTrees(
      titleOf(opened),
      name,
      () => factsOf(opened, name),
      o => importOpened(opened, o),
    );
  },
};
/** How far into a file the names stand that only XGBoost's have. */
const HEAD = 1024;
function sniff(b: Uint8Array): Likeness {
  switch (formOf(b)) {
    case undefined:
      return 'no';
    // Other frameworks write these too.
    case 'json':
      return /"(?:learner|Model|Config)"/.test(textOf(b.subarray(0, HEAD))) ? 'certain' : 'possible';
    case 'pickle':
      return textOf(b.subarray(0, HEAD)).includes('xgboost.') ? 'certain' : 'possible';
    case 'packed':
    case 'tar':
      return 'possible';
    case 'ubjson':
    case 'binary':
    case 'snapshot':
      return 'certain';
  }
}

function titleOf({ found, folds }: Opened): string {
  const [first] = found;
  if (!first) return 'XGBoost';
  const { version } = first.model;
  const form = folds ? `archive of ${found.length} folds, ${first.form}` : first.form;
  return `XGBoost ${version[0] === 0 ? 'before 1.0' : version.join('.')}, ${form}`;
}
/** E203 where the rounds of the model make no sense. */
function factsOf({ found }: Opened, file: string): Facts {
  const [first] = found;
  if (!first) return {};
  const m = first.model;
  const b = m.booster;
  return {
    objective: m.objective,
    outputs: Math.max(1, m.numClass, m.numTarget),
    booster: b.k === 'linear' ? 'gblinear' : b.weights ? 'dart' : 'gbtree',
    ...(b.k === 'trees' && { rounds: roundStarts(b, m, file).length - 1 }),
    ...(found.length > 1 && { folds: found.length }),
    features: m.numFeature,
    ...(m.featureNames.length > 0 && { 'feature names': m.featureNames }),
    ...(first.labels && first.labels.length > 0 && { classes: first.labels }),
    missing: missingOf(first),
  };
}
function missingOf(f: XgbFound): string {
  const { missing } = f;
  const which = missing === undefined || Number.isNaN(missing) ? 'NaN' : `NaN and ${missing}`;
  return f.model.booster.k === 'linear' ? `${which}: left out of the sum` : `${which}: the default side of each split`;
}
