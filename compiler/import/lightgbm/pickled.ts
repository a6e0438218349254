import { fail } from '../../core/diagnostic.ts';
import { textOf } from '../shared/cursor.ts';
import { attribute, isPickled, type Pickled } from '../shared/pickle-value.ts';
import { readPickle } from '../shared/pickle.ts';
import { allows } from '../shared/pickle-names.ts';
import { labelsOf } from '../shared/pickle-numpy.ts';
import type { LgbFound } from './import.ts';
import { parseLightgbm } from './parse.ts';

const isAllowed = allows([
  /^lightgbm\.(?:basic\.Booster|sklearn\.LGBM(?:Model|Classifier|Regressor|Ranker)|compat\._?LGBMLabelEncoder)$/,
]);

/** Whether a pickle begins with an object of LightGBM. */
export const looksPickledLightgbm = (bytes: Uint8Array): boolean => textOf(bytes.subarray(0, 160)).includes('lightgbm.');

/**
 * The booster in a pickle, alone or in its scikit-learn wrapper: its text model, and the rounds that its own `predict` uses after early
 * stopping. Nothing is executed. E202: another thing, or a name that models do not need. E203: cut off.
 */
export function readPickledLightgbm(bytes: Uint8Array, file: string): LgbFound {
  const root = readPickle(bytes, file, isAllowed);
  const refuse = (why: string): never => fail('E202', { file, why }, { k: 'file', file, what: 'pickle' });
  if (!isPickled(root, 'object') || !root.of.startsWith('lightgbm.')) return refuse('it is no pickle of a LightGBM model');
  const wrapped = root.of !== 'lightgbm.basic.Booster';
  const booster = wrapped ? attribute(root, '_Booster') : root;
  if (!isPickled(booster, 'object')) return refuse(`its ${root.of} is not trained`);
  // `handle` before 4.0.
  const text = attribute(booster, '_handle') ?? attribute(booster, 'handle');
  if (typeof text !== 'string') return refuse('its booster holds no model');
  const best = whole(attribute(booster, 'best_iteration'));
  const model = parseLightgbm(text, file);
  const labels = wrapped ? labelsOf(attribute(root, '_classes')) : undefined;
  return { model, form: 'pickle', ...(best !== undefined && best > 0 && { rounds: best }), ...(labels && { labels }) };
}
const whole = (p: Pickled | undefined): number | undefined => (typeof p === 'number' && Number.isInteger(p) ? p : undefined);
