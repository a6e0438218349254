import { must } from '../../../core/diagnostic.ts';
import type { TreeTables } from '../tables.ts';
import type { TreeOrder } from './sums.ts';
import { kindOf, setsOf, type CategorySet } from './tests.ts';

/**
 * Trees as nodes that step to one of two neighbours. A row becomes values, one for each column: a feature in one of the ways that
 * missing values go, or a set of categories. From node n a row goes to n + step + (value >= bound): its left child, or the next
 * node, its right child. A leaf is a node with step 0 at column 0, whose value is always NaN, so that a row stays there, and its bound is
 * the leaf's value, or its number where leaves are vectors. Missing values that go left are NaN, those that go right infinity; at a set a row has 1 if it goes right, else 0,
 * and the bound is 1.
 */
interface Sparse {
  /** By column from 1 on: numbers, then sets. */
  readonly numbers: readonly NumberColumn[];
  readonly sets: readonly CategorySet[];
  /** i32[nodes, 2]: column and step. */
  readonly links: Int32Array;
  /** [nodes]: f64 where the rows or the values are. */
  readonly bounds: Float32Array | Float64Array;
  /** i32[trees]: the node each tree starts at; in the order of `orderTrees`. */
  readonly roots: Int32Array;
  /** Of vectors only: [leaves + 1, width], the last of -0. */
  readonly values: Float32Array | Float64Array | undefined;
}
export interface NumberColumn {
  readonly feature: number;
  readonly missing: 'left' | 'right';
  readonly zeros: boolean;
}
/** Undefined if there would be more nodes than `most`: children of several parents are in the table once for each. */
export function sparseTrees(t: TreeTables, order: TreeOrder, most: number): Sparse | undefined {
  const { sets, of: setOf } = setsOf(t);
  const isSet = (n: number): boolean => (setOf?.[n] ?? -1) >= 0;
  const keyOf = (n: number): number => (t.feature[n] ?? 0) * 4 + kindOf(t.flags[n] ?? 0);
  const keys = new Set<number>();
  for (let n = 0; n < t.feature.length; n++) if (!isSet(n)) keys.add(keyOf(n));
  // Kinds together, so that a loop makes the values of each.
  const sorted = [...keys].sort((a, b) => (a & 3) - (b & 3) || a - b);
  const numbers = sorted.map((key): NumberColumn => ({
    feature: key >> 2,
    missing: (key & 1) !== 0 ? 'left' : 'right',
    zeros: (key & 2) !== 0,
  }));
  const columnOf = new Map(sorted.map((key, i) => [key, i + 1]));
  const leaves = t.values.length / t.width;
  // The number of a leaf must be one of an f32.
  if (t.width > 1 && leaves >= 2 ** 24) return undefined;
  const f64 = t.values instanceof Float64Array || t.threshold instanceof Float64Array;
  // Child codes in the order of the table: a tree is laid out level by level, two children together.
  const codes: number[] = [];
  const roots = new Int32Array(order.tree.length);
  const step: number[] = [];
  for (let i = 0; i < roots.length; i++) {
    const tree = order.tree[i] ?? -1;
    roots[i] = codes.length;
    codes.push(tree < 0 ? NO_TREE : must(t.root[tree]));
    for (let at = must(roots[i]); at < codes.length; at++) {
      const c = codes[at] ?? -1;
      step.push(c < 0 ? 0 : codes.length - at);
      if (c >= 0) codes.push(t.left[c] ?? -1, t.right[c] ?? -1);
      if (codes.length > most) return undefined;
    }
  }
  const links = new Int32Array(2 * codes.length);
  const bounds = f64 ? new Float64Array(codes.length) : new Float32Array(codes.length);
  const leafOf = (c: number): number => (t.width > 1 ? (c === NO_TREE ? leaves : ~c) : c === NO_TREE ? -0 : (t.values[~c] ?? 0));
  codes.forEach((c, i) => {
    const set = c < 0 ? -1 : (setOf?.[c] ?? -1);
    links[2 * i] = c < 0 ? 0 : set < 0 ? (columnOf.get(keyOf(c)) ?? 0) : numbers.length + 1 + set;
    links[2 * i + 1] = step[i] ?? 0;
    bounds[i] = c < 0 ? leafOf(c) : set < 0 ? (t.threshold[c] ?? 0) : 1;
  });
  let values: Float32Array | Float64Array | undefined;
  if (t.width > 1) {
    values =
      t.values instanceof Float32Array
        ? new Float32Array(t.values.length + t.width)
        : new Float64Array(t.values.length + t.width);
    values.fill(-0);
    values.set(t.values);
  }
  return { numbers, sets, links, bounds, roots, values };
}
/** A code of no leaf: a tree that only fills up. */
const NO_TREE = -(2 ** 31);
