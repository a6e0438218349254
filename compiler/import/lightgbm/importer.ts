import type { Facts, Importer } from '../importer.ts';
import { textOf } from '../shared/cursor.ts';
import { isPickle } from '../shared/pickle-names.ts';
import { openTrees } from '../shared/tree-model.ts';
import { looksDumped, parseDump } from './dump.ts';
import { importLightgbm, type LgbFound } from './import.ts';
import { looksLightgbm, parseLightgbm } from './parse.ts';
import { looksPickledLightgbm, readPickledLightgbm } from './pickled.ts';

export const lightgbm: Importer<'lightgbm'> = {
  name: 'lightgbm',
  title: 'LightGBM',
  accepts: 'LightGBM as text, JSON or pickle',
  takes: ['iterations', 'outputs'],
  sniff: b => {
    const head = textOf(b.subarray(0, 64));
    const ours = isPickle(b) ? looksPickledLightgbm(b) : looksLightgbm(head) || looksDumped(head);
    return ours ? 'certain' : 'no';
  },
  open: ({ name, bytes }) => {
    const found: LgbFound = isPickle(bytes)
      ? readPickledLightgbm(bytes, name)
      : looksDumped(textOf(bytes.subarray(0, 64)))
        ? { model: parseDump(bytes, name), form: 'JSON' }
        : { model: parseLightgbm(textOf(bytes), name), form: 'text' };
    const title = `LightGBM (format ${found.model.version}), ${found.form}`;
    return openTrees(
      title,
      name,
      () => factsOf(found),
      o => importLightgbm(found, o),
    );
  },
};

function factsOf(f: LgbFound): Facts {
  const m = f.model;
  return {
    objective: m.objective.join(' ') || 'none',
    outputs: m.groups,
    booster: m.average ? 'random forest' : 'gbdt or dart',
    rounds: m.trees.length / m.groups,
    features: m.features,
    ...(m.featureNames.length > 0 && { 'feature names': m.featureNames }),
    ...(f.labels && f.labels.length > 0 && { classes: f.labels }),
    missing: missingOf(f),
  };
}
/** Which values are missing, and where they go. */
function missingOf(f: LgbFound): string {
  let [zero, nan, none] = [false, false, false];
  for (const t of f.model.trees)
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
  return parts.join('; ') || 'no split looks at it';
}
