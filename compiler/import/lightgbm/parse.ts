import { fail, type Loc } from '../../core/diagnostic.ts';
import { treeLoc } from '../shared/trees.ts';

/** What a text model of LightGBM holds. Arrays of a tree have the lengths they must have; contents are not checked. */
export interface LgbModel {
  /** `v3`, `v4`: of the format, not of LightGBM. */
  readonly version: string;
  /** Trees of a round: one for each output. */
  readonly groups: number;
  readonly features: number;
  /** `binary sigmoid:1` in words; empty where the model was trained with a function of the user's own. */
  readonly objective: readonly string[];
  /** A random forest: outputs are means over the rounds. */
  readonly average: boolean;
  readonly featureNames: readonly string[];
  /** The least and the greatest value of each feature in training; undefined of categories, and where the file does not say. */
  readonly ranges: readonly (FeatureRange | undefined)[];
  /** Whether categories of data frames are re-coded before. */
  readonly recoded: boolean;
  readonly trees: readonly LgbTree[];
}
/** The least and the greatest value of a feature in the training data. */
export interface FeatureRange {
  readonly lo: number;
  readonly hi: number;
}
/** Children: c >= 0 is a split, c < 0 is leaf ~c. A tree of one leaf has no splits. */
export interface LgbTree {
  readonly feature: Int32Array;
  readonly threshold: Float64Array;
  /** Bit 0: categorical, bit 1: missing goes left, bits 2 and 3: what is missing (0 nothing, 1 zero, 2 NaN). */
  readonly decision: Uint8Array;
  readonly left: Int32Array;
  readonly right: Int32Array;
  readonly values: Float64Array;
  /** Rows of training data; undefined where the file does not say. */
  readonly leafCount: Float64Array | undefined;
  readonly nodeCount: Float64Array | undefined;
  /** Split i with `threshold` k goes by words `boundaries[k]` to `boundaries[k + 1]` of `words`. */
  readonly boundaries: Int32Array;
  readonly words: Uint32Array;
  /** Of a linear tree. */
  readonly linear: LinearLeaves | undefined;
}
/** The linear models of the leaves, by leaf: a constant, and a coefficient for each of some features. */
export interface LinearLeaves {
  readonly constants: Float64Array;
  readonly features: readonly (readonly number[])[];
  readonly coefficients: readonly (readonly number[])[];
}

/** Whether a file begins as LightGBM's text models do. */
export const looksLightgbm = (head: string): boolean => /^tree\r?\n(?:\w+=|\r?\n)/.test(head);

type Fields = ReadonlyMap<string, string>;
/**
 * Reads a model that `Booster.save_model` of LightGBM wrote (versions v2 to v4 of the format).
 * E203, with the tree: a field that is missing, of another length or no number.
 */
export function parseLightgbm(text: string, file: string): LgbModel {
  const end = /^end of trees\s*$/m.exec(text);
  if (!end) return fail('E203', { file, why: "'end of trees' is missing: it is cut off" }, { k: 'file', file, what: '' });
  const blocks = text.slice(0, end.index).split(/^Tree=\d+\s*$/m);
  const head = fields(blocks[0] ?? '');
  const loc: Loc = { k: 'file', file, what: 'header' };
  const bad = (why: string): never => fail('E203', { file, why }, loc);
  const count = (key: string): number => {
    const n = Number(head.get(key) ?? NaN);
    return Number.isInteger(n) && n >= 0 ? n : bad(`'${key}' is no count`);
  };
  const names = (head.get('feature_names') ?? '').split(' ').filter(n => n !== '');
  const trees = blocks.slice(1).map((b, i) => tree(fields(b), file, i));
  const groups = count('num_tree_per_iteration');
  if (groups === 0 || trees.length % groups !== 0) bad(`${trees.length} trees for ${groups} outputs`);
  const recoded = /^pandas_categorical:\s*(\S.*)$/m.exec(text.slice(end.index))?.[1]?.trim();
  return {
    version: head.get('version') ?? '',
    groups,
    features: count('max_feature_idx') + 1,
    objective: (head.get('objective') ?? '').split(/\s+/).filter(w => w !== ''),
    average: head.has('average_output'),
    featureNames: names,
    ranges: (head.get('feature_infos') ?? '').split(' ').map(rangeIn),
    recoded: recoded !== undefined && recoded !== 'null' && recoded !== '[]',
    trees,
  };
}
/** `[least:greatest]` */
function rangeIn(info: string): FeatureRange | undefined {
  const [lo = NaN, hi = NaN] = /^\[(.*):(.*)\]$/.exec(info)?.slice(1).map(Number) ?? [];
  return lo <= hi ? { lo, hi } : undefined;
}
/** `key=value` by lines; a word alone is a key. */
function fields(block: string): Fields {
  const out = new Map<string, string>();
  for (const line of block.split('\n')) {
    const at = line.indexOf('=');
    const key = (at < 0 ? line : line.slice(0, at)).trim();
    if (key !== '') out.set(key, at < 0 ? '' : line.slice(at + 1).trim());
  }
  return out;
}
function tree(f: Fields, file: string, index: number): LgbTree {
  const bad = (why: string): never => fail('E203', { file, why }, treeLoc(file, index));
  const leaves = Number(f.get('num_leaves') ?? NaN);
  const cats = Number(f.get('num_cat') ?? 0);
  if (!Number.isInteger(leaves) || leaves < 1 || !Number.isInteger(cats) || cats < 0)
    bad("'num_leaves' or 'num_cat' is no count");
  const n = leaves - 1;
  const list = <T extends Int32Array | Uint32Array | Uint8Array | Float64Array>(
    make: new (n: number) => T,
    key: string,
    size: number,
  ): T => {
    const text = f.get(key) ?? '';
    const words = text === '' ? [] : text.split(/\s+/);
    if (words.length !== size) bad(`'${key}' has ${words.length} numbers instead of ${size}`);
    const out = new make(size);
    words.forEach((w, i) => {
      const v = number(w);
      if (Number.isNaN(v) || (!(out instanceof Float64Array) && !Number.isInteger(v)))
        bad(`'${key}' has '${w.slice(0, 20)}' for a number`);
      out[i] = v;
    });
    return out;
  };
  const optional = (key: string, size: number): Float64Array | undefined =>
    f.has(key) && (f.get(key) !== '' || size === 0) ? list(Float64Array, key, size) : undefined;
  const linear = (): LinearLeaves => {
    const counts = list(Int32Array, 'num_features', leaves);
    const total = counts.reduce((a, b) => a + b, 0);
    const [features, coefficients] = [list(Int32Array, 'leaf_features', total), list(Float64Array, 'leaf_coeff', total)];
    let at = 0;
    const ends = Array.from(counts, n => (n >= 0 ? (at += n) : bad(`a leaf has ${n} features`)));
    const parts = (of: Int32Array | Float64Array): number[][] =>
      ends.map((end, i) => [...of.subarray(end - (counts[i] ?? 0), end)]);
    return { constants: list(Float64Array, 'leaf_const', leaves), features: parts(features), coefficients: parts(coefficients) };
  };
  const boundaries = cats === 0 ? new Int32Array(1) : list(Int32Array, 'cat_boundaries', cats + 1);
  return {
    feature: list(Int32Array, 'split_feature', n),
    threshold: list(Float64Array, 'threshold', n),
    decision: f.has('decision_type') ? list(Uint8Array, 'decision_type', n) : new Uint8Array(n),
    left: list(Int32Array, 'left_child', n),
    right: list(Int32Array, 'right_child', n),
    values: list(Float64Array, 'leaf_value', leaves),
    leafCount: optional('leaf_count', leaves),
    nodeCount: optional('internal_count', n),
    boundaries,
    words: cats === 0 ? new Uint32Array(0) : list(Uint32Array, 'cat_threshold', boundaries[cats] ?? 0),
    linear: (f.get('is_linear') ?? '0') === '0' ? undefined : linear(),
  };
}
/** A number as C prints it; NaN where it is none. */
function number(w: string): number {
  if (/^[+-]?inf(?:inity)?$/i.test(w)) return w.startsWith('-') ? -Infinity : Infinity;
  return w === '' ? NaN : Number(w);
}
