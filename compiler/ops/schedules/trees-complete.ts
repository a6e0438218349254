import { must } from '../../core/diagnostic.ts';
import type { TreeTables } from '../trees-tables.ts';

/**
 * Trees completed to one depth D: node h of a tree (1 to 2^D - 1) has the children 2h and 2h + 1, and h - 2^D is a leaf. Where a leaf
 * lies higher, the nodes below it have test 0, and all leaves below it are copies. Trees are sorted by group, and each group is filled
 * up to a multiple of `unit` trees with trees of -0, which change no sum.
 */
export interface Complete {
  readonly depth: number;
  readonly trees: number;
  /** i32[G + 1]: the first tree of each group, and their number. */
  readonly starts: Int32Array;
  /** i32[trees]. */
  readonly group: Int32Array;
  /** [trees, 2^D]: the tests of the nodes, by h; entry 0 is of no meaning. */
  readonly tests: Int32Array;
  /** [trees, 2^D]. */
  readonly values: Float32Array | Float64Array;
}
/** `tests` is by node. */
export function completeTrees(t: TreeTables, tests: Int32Array, depth: number, unit: number): Complete {
  const order = treesByGroup(t, unit);
  const size = 2 ** depth;
  const trees = order.tree.length;
  const out = new Int32Array(trees * size);
  const values = t.values instanceof Float32Array ? new Float32Array(trees * size) : new Float64Array(trees * size);
  const code = new Int32Array(2 * size);
  for (let i = 0; i < trees; i++) {
    const tree = order.tree[i] ?? -1;
    const at = i * size;
    if (tree < 0) {
      values.fill(-0, at, at + size);
      continue;
    }
    code[1] = must(t.root[tree]);
    for (let h = 1; h < size; h++) {
      const c = code[h] ?? -1;
      out[at + h] = c < 0 ? 0 : (tests[c] ?? 0);
      code[2 * h] = c < 0 ? c : (t.left[c] ?? -1);
      code[2 * h + 1] = c < 0 ? c : (t.right[c] ?? -1);
    }
    for (let l = 0; l < size; l++) values[at + l] = t.values[~(code[size + l] ?? -1)] ?? 0;
  }
  return { depth, trees, starts: order.starts, group: order.group, tests: out, values };
}

/** The trees sorted by group, filled up to multiples of `unit`: -1 is a tree that is not there. */
export function treesByGroup(
  t: TreeTables,
  unit: number,
): { readonly tree: Int32Array; readonly starts: Int32Array; readonly group: Int32Array } {
  const groups = t.base.length;
  const members: number[][] = Array.from({ length: groups }, () => []);
  t.group.forEach((g, i) => void members[g]?.push(i));
  const starts = new Int32Array(groups + 1);
  const tree: number[] = [];
  const group: number[] = [];
  members.forEach((of, g) => {
    starts[g] = tree.length;
    while (of.length % unit !== 0) of.push(-1);
    for (const i of of) {
      tree.push(i);
      group.push(g);
    }
  });
  starts[groups] = tree.length;
  return { tree: Int32Array.from(tree), starts, group: Int32Array.from(group) };
}
