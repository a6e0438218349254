import { must } from '../../core/diagnostic.ts';
import { typed, type Tensor } from '../../core/tensor.ts';

/**
 * Trees as tables: all trees of an ensemble after one another. N nodes (splits), L leaves, T trees, G groups (outputs of a row), F features.
 *
 * A child code c >= 0 is node c, c < 0 is leaf ~c (that is -1 - c). A tree is the child code of its root, so a tree may be a lone leaf.
 * The children of node i have larger numbers than i: no cycles, and one pass in either direction sees parents or children first. A
 * child may have several parents (importers share what follows a test for equality, which is two nodes); leaves may be shared too.
 *
 * The test at a node, for v = the row's value of the node's feature, in this order:
 * 1. v is NaN, or `ZERO_MISSING` is set and |v| <= TINY: go left if `MISSING_LEFT` is set, else right.
 * 2. `CATEGORICAL` is not set: go left if v < threshold, else right. (Never NaN thresholds; x <= t is x < next number after t.)
 * 3. `CATEGORICAL` is set: the category is v truncated to an integer. It is invalid if v < 0 (with attribute `truncate`: if v <= -1)
 *    or if it is beyond the node's set (category >= 32 * catWords). Invalid ones go left (with attribute `invalid: missing`: as 1.).
 *    Others go right if they are in the set, else left. An empty set with `invalid: left` is a node whose numbers all go left.
 */
export interface TreeTables {
  /** i32[N]: 0..F-1. */
  readonly feature: Int32Array;
  /** f32[N] or f64[N], as the rows; of no meaning at categorical splits. */
  readonly threshold: Float32Array | Float64Array;
  /** i32[N]: child codes. */
  readonly left: Int32Array;
  readonly right: Int32Array;
  /** u8[N]: MISSING_LEFT | CATEGORICAL | ZERO_MISSING. */
  readonly flags: Uint8Array;
  /** f32 or f64 [L, width], row-major: leaf l adds value w to group `group[tree] + w`. */
  readonly values: Float32Array | Float64Array;
  readonly width: number;
  /** i32[T]: child codes. */
  readonly root: Int32Array;
  /** i32[T]: 0..G-width. */
  readonly group: Int32Array;
  /** As `values`, [G]: what is there without trees. */
  readonly base: Float32Array | Float64Array;
  /**
   * Sets of categories, absent where no split is categorical. u32[W]: category k of the node is in the set if bit k % 32 of word
   * catStart + (k >> 5) is set.
   */
  readonly categories?: Uint32Array;
  /** i32[N]: where the set of a node starts in `categories`, and how many words it has; 0 at numerical splits. */
  readonly catStart?: Int32Array;
  readonly catWords?: Int32Array;
}

/** Flag: missing values go left. */
export const MISSING_LEFT = 1;
/** Flag: the split is a set of categories. */
export const CATEGORICAL = 2;
/** Flag: zero counts as missing (LightGBM); no meaning at categorical splits. */
export const ZERO_MISSING = 4;
/** What LightGBM takes for zero: |v| <= this (its kZeroThreshold, a float). */
export const TINY = Math.fround(1e-35);

/** The tables among an operator's inputs (see `TREE_INPUTS`), x left out. */
export const TREE_INPUTS = [
  'feature',
  'threshold',
  'left',
  'right',
  'flags',
  'values',
  'root',
  'group',
  'base',
  'categories?',
  'catStart?',
  'catWords?',
] as const;

const floats = (t: Tensor): Float32Array | Float64Array => typed(t) as Float32Array | Float64Array;
const ints = (t: Tensor): Int32Array => typed(t) as Int32Array;
/** Typed views of the tables, given in the order of `TREE_INPUTS`. Inference has checked their types. */
export function readTables(ins: readonly (Tensor | undefined)[]): TreeTables {
  const at = (i: number): Tensor => must(ins[i], TREE_INPUTS[i]);
  const [categories, catStart, catWords] = [ins[9], ins[10], ins[11]];
  return {
    feature: ints(at(0)),
    threshold: floats(at(1)),
    left: ints(at(2)),
    right: ints(at(3)),
    flags: typed(at(4)) as Uint8Array,
    values: floats(at(5)),
    width: must(at(5).dims[1]),
    root: ints(at(6)),
    group: ints(at(7)),
    base: floats(at(8)),
    ...(categories &&
      catStart &&
      catWords && { categories: typed(categories) as Uint32Array, catStart: ints(catStart), catWords: ints(catWords) }),
  };
}

/** What is wrong with tables, in words, or undefined: everything that the evaluator and the schedules rely on. Linear. */
export function checkTables(t: TreeTables, features: number): string | undefined {
  const nodes = t.feature.length;
  const leaves = t.values.length / Math.max(1, t.width);
  const code = (c: number, above: number): boolean => (c >= 0 ? c > above && c < nodes : ~c < leaves);
  for (let n = 0; n < nodes; n++) {
    const f = t.feature[n] ?? -1;
    if (f < 0 || f >= features) return `node ${n} tests feature ${f} of ${features}`;
    for (const c of [must(t.left[n]), must(t.right[n])])
      if (!code(c, n)) return `node ${n} has child ${c}, of ${nodes} nodes and ${leaves} leaves`;
    if (Number.isNaN(t.threshold[n])) return `node ${n} has no number for a threshold`;
    if (((t.flags[n] ?? 0) & CATEGORICAL) !== 0) {
      const start = t.catStart?.[n] ?? -1;
      const words = t.catWords?.[n] ?? -1;
      if (start < 0 || words < 0 || start + words > (t.categories?.length ?? 0)) return `node ${n} has no set of categories`;
    }
  }
  for (let i = 0; i < t.root.length; i++) {
    if (!code(t.root[i] ?? 0, -1)) return `tree ${i} starts at ${t.root[i]}, of ${nodes} nodes and ${leaves} leaves`;
    const g = t.group[i] ?? -1;
    if (g < 0 || g + t.width > t.base.length) return `tree ${i} adds to group ${g} of ${t.base.length}`;
  }
  return undefined;
}

/** The steps from each tree's root to its deepest leaf; 0: the tree is a leaf. One pass over the tables. */
export function treeDepths(t: TreeTables): Int32Array {
  const below = new Int32Array(t.feature.length);
  const depth = (c: number): number => (c < 0 ? 0 : (below[c] ?? 0));
  for (let n = below.length - 1; n >= 0; n--) below[n] = 1 + Math.max(depth(must(t.left[n])), depth(must(t.right[n])));
  return t.root.map(depth);
}
/** Rules of a whole ensemble: how categories are read. */
export interface CategoryRules {
  readonly invalid: 'left' | 'missing';
  readonly truncate: boolean;
}
/** The leaf (0..L-1) that a row reaches from a child code. `x` holds the row from `at` on. */
export function reach(t: TreeTables, rules: CategoryRules, x: ArrayLike<number>, at: number, code: number): number {
  let n = code;
  while (n >= 0) n = goesLeft(t, rules, n, x[at + (t.feature[n] ?? 0)] ?? NaN) ? (t.left[n] ?? -1) : (t.right[n] ?? -1);
  return ~n;
}
/** The test at node n of the value v of its feature. */
export function goesLeft(t: TreeTables, rules: CategoryRules, n: number, v: number): boolean {
  const flags = t.flags[n] ?? 0;
  const missingLeft = (flags & MISSING_LEFT) !== 0;
  if (Number.isNaN(v)) return missingLeft;
  if ((flags & CATEGORICAL) === 0) {
    if ((flags & ZERO_MISSING) !== 0 && Math.abs(v) <= TINY) return missingLeft;
    return v < (t.threshold[n] ?? 0);
  }
  const category = Math.trunc(v);
  const valid = (rules.truncate ? v > -1 : v >= 0) && category < 32 * (t.catWords?.[n] ?? 0);
  if (!valid) return rules.invalid === 'left' || missingLeft;
  const word = t.categories?.[(t.catStart?.[n] ?? 0) + (category >> 5)] ?? 0;
  return ((word >>> (category & 31)) & 1) === 0;
}
