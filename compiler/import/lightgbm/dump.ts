import { fail, type Loc } from '../../core/diagnostic.ts';
import { asNumber, field, isArray, isObject, parseJson, type Json } from '../shared/json.ts';
import { treeLoc } from '../shared/trees.ts';
import type { FeatureRange, LgbModel, LgbTree, LinearLeaves } from './parse.ts';

/** Whether a file begins as the JSON of `Booster.dump_model` does, its keys as LightGBM writes them or sorted. */
export const looksDumped = (head: string): boolean => /^\s*\{\s*"(?:name"\s*:\s*"tree"|average_output"\s*:)/.test(head);

/** Words of all sets of categories of a model: 128 million categories. */
const MAX_WORDS = 1 << 22;

/**
 * Reads the JSON of `Booster.dump_model`, whose numbers are those of the text model.
 * E203, with the tree: a node that lacks something, numbers of nodes that do not count them.
 */
export function parseDump(bytes: Uint8Array, file: string): LgbModel {
  const root = parseJson(bytes, file);
  const loc: Loc = { k: 'file', file, what: 'header' };
  const bad = (why: string): never => fail('E203', { file, why }, loc);
  const count = (key: string): number => {
    const n = asNumber(field(root, key)) ?? NaN;
    return Number.isInteger(n) && n >= 0 ? n : bad(`'${key}' is no count`);
  };
  const list = field(root, 'tree_info');
  if (!isArray(list)) return bad("'tree_info' is missing: it is no whole model");
  const words = { left: MAX_WORDS };
  const trees = Array.from(list, (t, i) => tree(field(t, 'tree_structure'), file, i, words));
  const groups = count('num_tree_per_iteration');
  if (groups === 0 || trees.length % groups !== 0) bad(`${trees.length} trees for ${groups} outputs`);
  const [objective, names, recoded] = ['objective', 'feature_names', 'pandas_categorical'].map(key => field(root, key));
  const featureNames = isArray(names) ? Array.from(names, textOf) : [];
  const infos = field(root, 'feature_infos');
  return {
    version: textOf(field(root, 'version')),
    groups,
    features: count('max_feature_idx') + 1,
    objective: textOf(objective)
      .split(/\s+/)
      .filter(w => w !== ''),
    average: field(root, 'average_output') === true,
    featureNames,
    ranges: featureNames.map(name => rangeIn(field(infos, name))),
    recoded: isArray(recoded) && recoded.length > 0,
    trees,
  };
}
/** `{ min_value, max_value }` of a feature in the training data. */
function rangeIn(info: Json | undefined): FeatureRange | undefined {
  const [lo = NaN, hi = NaN] = ['min_value', 'max_value'].map(key => asNumber(field(info, key)));
  return lo <= hi ? { lo, hi } : undefined;
}
const textOf = (j: Json | undefined): string => (typeof j === 'string' ? j : '');
const MISSING_TYPES = ['None', 'Zero', 'NaN'];

/** Splits and leaves have LightGBM's numbers; children as in `LgbTree`. */
function tree(root: Json | undefined, file: string, index: number, budget: { left: number }): LgbTree {
  const bad = (why: string): never => fail('E203', { file, why }, treeLoc(file, index));
  const [splits, leaves] = nodesOf(root, bad);
  const number = (j: Json, key: string): number => asNumber(field(j, key)) ?? bad(`'${key}' of a node is missing or no number`);
  const counts = (nodes: readonly Json[], key: string): Float64Array | undefined =>
    nodes.every(j => asNumber(field(j, key)) !== undefined) ? Float64Array.from(nodes, j => number(j, key)) : undefined;
  const child = (j: Json, key: string): number => {
    const c = field(j, key) ?? bad(`'${key}' of a node is missing`);
    return isSplit(c) ? number(c, 'split_index') : ~leafIndex(c);
  };
  const sets: number[][] = [];
  const threshold = (j: Json): number => {
    if (field(j, 'decision_type') !== '==') return number(j, 'threshold');
    sets.push(bitset(textOf(field(j, 'threshold')), budget, bad));
    return sets.length - 1;
  };
  const decision = (j: Json): number => {
    const type = MISSING_TYPES.indexOf(textOf(field(j, 'missing_type')));
    const categorical = field(j, 'decision_type') === '==' ? 1 : 0;
    return categorical | (field(j, 'default_left') === true ? 2 : 0) | (Math.max(0, type) << 2);
  };
  const thresholds = Float64Array.from(splits, threshold);
  let words = 0;
  const boundaries = Int32Array.from([0, ...sets.map(s => (words += s.length))]);
  return {
    feature: Int32Array.from(splits, j => number(j, 'split_feature')),
    threshold: thresholds,
    decision: Uint8Array.from(splits, decision),
    left: Int32Array.from(splits, j => child(j, 'left_child')),
    right: Int32Array.from(splits, j => child(j, 'right_child')),
    values: Float64Array.from(leaves, j => number(j, 'leaf_value')),
    leafCount: counts(leaves, 'leaf_count'),
    nodeCount: counts(splits, 'internal_count'),
    boundaries,
    words: Uint32Array.from(sets.flat()),
    linear: leaves.some(j => field(j, 'leaf_const') !== undefined) ? linearOf(leaves, number, bad) : undefined,
  };
}
const isSplit = (j: Json): boolean => field(j, 'split_feature') !== undefined;
/** A tree of nothing but a leaf does not number it. */
const leafIndex = (j: Json): number => asNumber(field(j, 'leaf_index')) ?? 0;
/** The splits and the leaves of a tree in the order of their numbers. */
function nodesOf(
  root: Json | undefined,
  bad: (why: string) => never,
): readonly [splits: readonly Json[], leaves: readonly Json[]] {
  const splits: (readonly [number, Json])[] = [];
  const leaves: (readonly [number, Json])[] = [];
  const todo = [root];
  while (todo.length > 0) {
    const j = todo.pop();
    if (!isObject(j)) return bad('a node is no object');
    if (isSplit(j)) {
      splits.push([asNumber(field(j, 'split_index')) ?? -1, j]);
      todo.push(field(j, 'left_child'), field(j, 'right_child'));
    } else leaves.push([leafIndex(j), j]);
  }
  const ordered = (nodes: (readonly [number, Json])[], what: string): readonly Json[] => {
    nodes.sort(([a], [b]) => a - b);
    nodes.forEach(([n], i) => n === i || bad(`its ${nodes.length} ${what} are not numbered from 0`));
    return nodes.map(([, j]) => j);
  };
  return [ordered(splits, 'splits'), ordered(leaves, 'leaves')];
}
/** Categories, `0||3||5`, as bits of 32-bit words. */
function bitset(text: string, budget: { left: number }, bad: (why: string) => never): number[] {
  const all = text.split('||').map(w => (/^\d+$/.test(w) ? Number(w) : -1));
  const most = all.reduce((a, b) => Math.max(a, b), -1);
  if (!all.every(n => Number.isInteger(n) && n >= 0)) bad(`its categories are '${text.slice(0, 20)}'`);
  const size = Math.floor(most / 32) + 1;
  if (size > budget.left) bad(`a category of ${most}`);
  budget.left -= size;
  const words = new Array<number>(size).fill(0);
  for (const n of all) words[n >> 5] = ((words[n >> 5] ?? 0) | (1 << (n & 31))) >>> 0;
  return words;
}
function linearOf(leaves: readonly Json[], number: (j: Json, key: string) => number, bad: (why: string) => never): LinearLeaves {
  const numbers = (j: Json, key: string): number[] => {
    const list = field(j, key);
    return isArray(list)
      ? Array.from(list, x => asNumber(x) ?? bad(`'${key}' of a leaf has what is no number`))
      : bad(`'${key}' of a leaf is missing`);
  };
  return {
    constants: Float64Array.from(leaves, j => number(j, 'leaf_const')),
    features: leaves.map(j => numbers(j, 'leaf_features')),
    coefficients: leaves.map(j => numbers(j, 'leaf_coeff')),
  };
}
