import { fail } from '../../core/diagnostic.ts';
import { isPacked, isTar, readTar, unpack } from '../shared/archive.ts';
import { cursor, skip, textOf, u64 } from '../shared/cursor.ts';
import { asNumber, parseJson } from '../shared/json.ts';
import { isPickle } from '../shared/pickle-names.ts';
import { decodeUbjson } from '../shared/ubjson.ts';
import { decodeBinary, looksBinary } from './binary.ts';
import { readDocument, withParallel } from './document.ts';
import { wrapperOf, type XgbFound } from './import.ts';
import { readPickledBooster } from './pickled.ts';
import type { XgbModel } from './records.ts';

/** A snapshot of XGBoost 1.0 to 1.2 begins so: the length of the model, the model, and its configuration as JSON. */
const SNAPSHOT = 'CONFIG-offset:';
/** Archives may lie in archives this deep (a .tar.gz is two). */
const MAX_NESTING = 4;

/** What bytes of XGBoost are, by their first ones; undefined: nothing of XGBoost's. */
type XgbForm = 'json' | 'ubjson' | 'binary' | 'snapshot' | 'pickle' | 'packed' | 'tar';
export function formOf(b: Uint8Array): XgbForm | undefined {
  if (isPacked(b)) return 'packed';
  if (isTar(b)) return 'tar';
  if (isPickle(b)) return 'pickle';
  if (b[0] === 0x7b) return /^[SLlIUiC#$}]$/.test(String.fromCharCode(b[1] ?? 0)) && b[1] !== 0x7d ? 'ubjson' : 'json';
  const head = textOf(b.subarray(0, SNAPSHOT.length));
  if (head === SNAPSHOT) return 'snapshot';
  if (/^\s*\{/.test(head)) return 'json';
  return looksBinary(b) || head.startsWith('binf') ? 'binary' : undefined;
}
/** One model, or the folds of a cross-validation, in the order of their numbers. */
export interface Opened {
  readonly found: readonly XgbFound[];
  /** Folds: the container of SageMaker predicts with the mean, or with what most say. */
  readonly folds: boolean;
}
/**
 * The XGBoost models in a file of any form: what the bytes say counts, not the name. `whole`: how large the file is as it lies on disk.
 * E202: another thing. E203: cut off or damaged, with the place.
 */
export function openXgboost(bytes: Uint8Array, file: string, whole = bytes.length): Opened {
  return open(bytes, file, 0, false, whole);
}
function open(bytes: Uint8Array, file: string, depth: number, container: boolean, whole: number): Opened {
  const form = formOf(bytes);
  const other = (why: string): never => fail('E202', { file, why }, { k: 'file', file, what: '' });
  if (form === 'packed')
    return depth >= MAX_NESTING
      ? other('it is packed too many times')
      : open(unpack(bytes, file, whole), file, depth + 1, container, whole);
  if (form === 'tar') {
    if (depth >= MAX_NESTING) other('it is packed too many times');
    const found = members(bytes, file, other).map(m => open(m.bytes, `${file}/${m.name}`, depth + 1, true, whole).found);
    return { found: found.flat(), folds: found.length > 1 };
  }
  if (form === undefined) return other('it is none of the forms that XGBoost writes');
  return { found: [one(bytes, form, file, container)], folds: false };
}
/** Whether a file of an archive has the name that SageMaker's containers look for. */
export const isNamedModel = (name: string): boolean => /^xgboost-model(?:-\d+)?$/.test(name.split('/').at(-1) ?? '');
/** `xgboost-model` of SageMaker's model.tar.gz, or the folds `xgboost-model-0`, `-1`, …; else the only file there is. */
function members(
  bytes: Uint8Array,
  file: string,
  other: (why: string) => never,
): readonly { readonly name: string; readonly bytes: Uint8Array }[] {
  const all = readTar(bytes, file);
  const named = all.filter(f => isNamedModel(f.name));
  const number = (name: string): number => Number(/-(\d+)$/.exec(name)?.[1] ?? -1);
  if (named.length > 0) return named.sort((a, b) => number(a.name) - number(b.name));
  const models = all.filter(f => formOf(f.bytes) !== undefined && formOf(f.bytes) !== 'packed');
  if (models.length === 1) return models;
  return other(
    models.length === 0
      ? 'the archive holds no xgboost-model and no other file of XGBoost'
      : `the archive holds ${models.length} models (${models
          .slice(0, 3)
          .map(m => m.name)
          .join(', ')}, …) and none is named xgboost-model`,
  );
}
const FORM = { json: 'JSON', ubjson: 'UBJSON', binary: 'binary', snapshot: 'snapshot', pickle: 'pickle' } as const;
function one(
  bytes: Uint8Array,
  form: 'json' | 'ubjson' | 'binary' | 'snapshot' | 'pickle',
  file: string,
  container: boolean,
): XgbFound {
  if (form !== 'pickle') {
    const model = decode(bytes, form, file);
    const limit = container ? asNumber(model.attributes.get('best_ntree_limit')) : undefined;
    return { model, form: FORM[form], ...wrapperOf(model), ...limited(model, limit) };
  }
  const p = readPickledBooster(bytes, file);
  const inner = formOf(p.handle);
  if (inner === undefined || inner === 'packed' || inner === 'tar' || inner === 'pickle')
    return fail(
      'E202',
      { file, why: 'its booster holds a model of no form that XGBoost writes' },
      { k: 'file', file, what: 'pickle' },
    );
  const decoded = decode(p.handle, inner, file);
  const model = decoded.featureNames.length === 0 ? { ...decoded, featureNames: p.featureNames } : decoded;
  const words = `pickle of ${p.wrapper?.name ?? 'a Booster'}, ${FORM[inner]} inside`;
  if (!p.wrapper) return { model, form: words, ...limited(model, container ? p.treeLimit : undefined) };
  const { missing, name, labels } = p.wrapper;
  const about = { model, form: words, missing, ...(labels && { labels }) };
  // Wrappers kept it themselves first, in the attributes of the model since 2.1.
  const bestIteration = p.wrapper.bestIteration ?? asNumber(model.attributes.get('best_iteration'));
  if (bestIteration === undefined) return about;
  // Before 1.4, wrappers counted trees.
  const counted =
    model.booster.k === 'trees' && p.treeLimit !== undefined ? p.treeLimit / (model.booster.parallelTrees ?? 1) : undefined;
  return { ...about, rounds: Math.ceil(counted ?? bestIteration + 1), by: name };
}
/** SageMaker's containers predict with `best_ntree_limit` trees of each output, where the booster has it. */
function limited(m: XgbModel, limit: number | undefined): { readonly rounds?: number; readonly by?: string } {
  if (limit === undefined || limit <= 0 || m.booster.k !== 'trees') return {};
  return { rounds: Math.ceil(limit / (m.booster.parallelTrees ?? 1)), by: "SageMaker's container" };
}
function decode(bytes: Uint8Array, form: 'json' | 'ubjson' | 'binary' | 'snapshot', file: string): XgbModel {
  switch (form) {
    case 'json':
      return readDocument(parseJson(bytes, file), file);
    case 'ubjson':
      return readDocument(decodeUbjson(bytes, file), file);
    case 'binary':
      return decodeBinary(bytes, file);
    case 'snapshot': {
      const c = cursor(bytes, file, 'snapshot');
      skip(c, SNAPSHOT.length);
      const n = u64(c);
      const from = skip(c, n);
      const inner = bytes.subarray(from, from + n);
      const model = decode(inner, looksBinary(inner) ? 'binary' : 'json', file);
      return { ...model, booster: withParallel(model.booster, parseJson(bytes.subarray(c.at), file, 'snapshot')) };
    }
  }
}
