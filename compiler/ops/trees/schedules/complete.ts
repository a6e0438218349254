/**
 * The table of completed trees that `quickscorer.ts` and `interleave.ts` walk: no kernel, but when the model is compiled
 * ```
 * for tree: for node h in 1..2^depth: test[tree][h], or 0 below a leaf; children 2h and 2h + 1
 *           for leaf: value[tree][leaf], copied where the tree ends higher
 * ```
 */
import { must } from '../../../core/diagnostic.ts';
import type { TreeTables } from '../tables.ts';
import type { TreeOrder } from './sums.ts';

/**
 * Trees completed to one depth D: node h of a tree (1 to 2^D - 1) has the children 2h and 2h + 1, and h - 2^D is a leaf. Where a leaf
 * lies higher, the nodes below it have test 0, and all leaves below it are copies. Trees are in the order of `orderTrees`.
 */
interface Complete {
  readonly depth: number;
  readonly trees: number;
  /** [trees, 2^D]: the tests of the nodes, by h; entry 0 is of no meaning. */
  readonly tests: Int32Array;
  /** [trees, 2^D, width]. */
  readonly values: Float32Array | Float64Array;
}
/** `tests` is by node. */
export function completeTrees(t: TreeTables, tests: Int32Array, depth: number, order: TreeOrder): Complete {
  const size = 2 ** depth;
  const trees = order.tree.length;
  const out = new Int32Array(trees * size);
  const n = trees * size * t.width;
  const values = t.values instanceof Float32Array ? new Float32Array(n) : new Float64Array(n);
  const code = new Int32Array(2 * size);
  for (let i = 0; i < trees; i++) {
    const tree = order.tree[i] ?? -1;
    const at = i * size;
    if (tree < 0) {
      values.fill(-0, at * t.width, (at + size) * t.width);
      continue;
    }
    code[1] = must(t.root[tree]);
    for (let h = 1; h < size; h++) {
      const c = code[h] ?? -1;
      out[at + h] = c < 0 ? 0 : (tests[c] ?? 0);
      code[2 * h] = c < 0 ? c : (t.left[c] ?? -1);
      code[2 * h + 1] = c < 0 ? c : (t.right[c] ?? -1);
    }
    for (let l = 0; l < size; l++)
      for (let w = 0; w < t.width; w++) values[(at + l) * t.width + w] = t.values[~(code[size + l] ?? -1) * t.width + w] ?? 0;
  }
  return { depth, trees, tests: out, values };
}
