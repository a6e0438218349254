/**
 * QuickScorer for trees that are not balanced, of up to 256 leaves; see `quickscorer.ts`.
 * ```
 * for tree:
 *   at[root] = all rows                                 masks in scratch, a bit for each row
 *   for node, parents first:
 *     at[left] = at[node] & ~mask[test]; at[right] = at[node] & mask[test]
 *   plane[b] = or of at[leaf] over the leaves whose number has bit b              8 leaves at a time
 *   for rows of a vector: place = planes as bytes; sums[group][row] += leaf[place]
 * row by row, for unit trees in turn: while a tree is at a node: node = next[node][bit[test of node]]
 * ```
 */
import { must } from '../../../core/diagnostic.ts';
import type { Buffer, KernelBuilder } from '../../../kernel/builder.ts';
import { add, and, int, konst, lt, mul, not, or, select, sub, vtype, type Expr } from '../../../kernel/ir.ts';
import type { TreeTables } from '../tables.ts';
import { addPlaces } from './quickscorer.ts';
import type { MaskLanes, Masks } from './masks.ts';
import type { TreeOrder, TreeSums } from './sums.ts';

/**
 * Trees of any shape as lists of nodes, parents before children, for trees of at most `MOST_LEAVES` leaves. A code of a tree is a node
 * (0: its root), or LEAF + the number of a leaf. Trees are in the order of `orderTrees`.
 */
interface Listed {
  readonly trees: number;
  /** [nodes]: tests; [nodes, 2]: codes of the left and the right child. */
  readonly tests: Int32Array;
  readonly next: Int32Array;
  /** [trees, 4]: the first node, how many there are, the first leaf, how many there are. */
  readonly places: Int32Array;
  /** [leaves, width]. */
  readonly values: Float32Array | Float64Array;
  /** The bits of a leaf's number in the largest tree. */
  readonly planes: number;
}
const MOST_LEAVES = 256;
const LEAF = 256;
const PLACE = 4;

/**
 * Undefined if a tree has more than `MOST_LEAVES` leaves (those of several parents counted each time). `tests` is by node. `filled`:
 * 2^planes values may be read from the first leaf of each tree on.
 */
export function listTrees(t: TreeTables, tests: Int32Array, order: TreeOrder, filled: boolean): Listed | undefined {
  const trees = order.tree.length;
  const places = new Int32Array(trees * PLACE);
  const ids: number[] = [];
  const next: number[] = [];
  const values: number[] = [];
  let leaves = 0;
  const addLeaf = (value: (w: number) => number): void => {
    for (let w = 0; w < t.width; w++) values.push(value(w));
    leaves++;
  };
  let most = 1;
  for (let i = 0; i < trees; i++) {
    const tree = order.tree[i] ?? -1;
    const [firstNode, firstLeaf] = [ids.length, leaves];
    const queue: number[] = [];
    const codeOf = (c: number): number => {
      if (c >= 0) return queue.push(c) - 1;
      addLeaf(w => t.values[~c * t.width + w] ?? 0);
      return LEAF + leaves - 1 - firstLeaf;
    };
    if (tree < 0) addLeaf(() => -0);
    else codeOf(must(t.root[tree]));
    for (const c of queue) {
      ids.push(tests[c] ?? 0);
      next.push(codeOf(t.left[c] ?? -1), codeOf(t.right[c] ?? -1));
      if (queue.length >= MOST_LEAVES) return undefined;
    }
    const own = leaves - firstLeaf;
    if (own > MOST_LEAVES) return undefined;
    most = Math.max(most, own);
    // A tree without nodes names one that exists.
    places.set([queue.length === 0 ? 0 : firstNode, queue.length, firstLeaf, own], i * PLACE);
  }
  const planes = Math.ceil(Math.log2(most));
  if (filled) for (let i = 1; i < 2 ** planes * t.width; i++) values.push(0);
  return {
    trees,
    tests: Int32Array.from(ids),
    next: Int32Array.from(next),
    places,
    values: t.values instanceof Float32Array ? Float32Array.from(values) : Float64Array.from(values),
    planes,
  };
}

export interface ListedTables {
  readonly trees: number;
  readonly planes: number;
  /** u16 or i32. */
  readonly tests: Buffer;
  /** u16. */
  readonly next: Buffer;
  readonly places: Buffer;
}

/** In scratch, in vectors: what `addPlaces` has there, the rows at each node, at each leaf, and at each 8 and 64 of them. */
const NODES = 64;
const LEAVES = NODES + LEAF;
export const LISTED_SCRATCH = LEAVES + MOST_LEAVES + MOST_LEAVES / 8 + MOST_LEAVES / 64;

/**
 * As `scoreComplete`, in another way: the rows at a node are a mask, and its test divides them among its children. Bit b of a row's leaf
 * is set if the row is at one of the leaves whose number has that bit.
 */
export function scoreListed(
  k: KernelBuilder,
  t: ListedTables,
  to: TreeSums,
  masks: Masks,
  sums: Buffer,
  scratch: Buffer,
  rows: Expr,
): void {
  const { lanes } = masks;
  const rowsType = vtype('u8', lanes);
  const at = (base: number, i: Expr): Expr => mul(add(i, base), lanes);
  const slots = 2 ** t.planes;
  k.for(0, t.trees, tree => {
    const place = k.let(mul(tree, PLACE));
    const [firstNode, nodes, firstLeaf, leaves] = [0, 1, 2, 3].map(i => k.let(k.load(t.places, add(place, i))));
    const all = k.let(konst(rowsType, 255));
    k.store(scratch, at(NODES, int(0)), all);
    k.store(scratch, at(LEAVES, int(0)), all);
    k.for(must(leaves), slots, l => k.store(scratch, at(LEAVES, l), konst(rowsType, 0)));
    k.for(0, must(nodes), n => {
      const node = k.let(add(must(firstNode), n));
      const mask = k.let(k.load(masks.bits, mul(k.load(t.tests, node), lanes), lanes));
      const here = k.let(k.load(scratch, at(NODES, n), lanes));
      const link = k.let(mul(node, 2));
      const [left, right] = [k.let(k.load(t.next, link)), k.let(k.load(t.next, add(link, 1)))];
      k.store(scratch, at(NODES, left), and(here, not(mask)));
      k.store(scratch, at(NODES, right), and(here, mask));
    });
    numberRows(k, t.planes, scratch, lanes);
    addPlaces(k, { planes: t.planes, first: must(firstLeaf), walk: undefined }, to, tree, masks, sums, scratch, rows);
  });
}
/** Makes the planes from the rows at each leaf. */
function numberRows(k: KernelBuilder, planes: number, scratch: Buffer, lanes: MaskLanes): void {
  let from = LEAVES;
  let to = LEAVES + MOST_LEAVES;
  for (let done = 0; done < planes; done += 3) {
    const n = 2 ** (planes - done);
    const chunk = Math.min(8, n);
    const bits = Math.log2(chunk);
    const sums = Array.from({ length: bits }, () => k.var(konst(vtype('u8', lanes), 0)));
    const source = from;
    const joined = to;
    k.for(0, n / chunk, c => {
      let x = Array.from({ length: chunk }, (_, i) => k.let(k.load(scratch, mul(add(mul(c, chunk), source + i), lanes), lanes)));
      for (const sum of sums) {
        const odd = x.filter((_, i) => i % 2 === 1).reduce(or);
        k.set(sum, or(sum, odd));
        x = Array.from({ length: x.length / 2 }, (_, i) => k.let(or(must(x[2 * i]), must(x[2 * i + 1]))));
      }
      if (n > chunk) k.store(scratch, mul(add(c, joined), lanes), must(x[0]));
    });
    // The highest bit is the first plane.
    sums.forEach((sum, i) => k.store(scratch, int((planes - 1 - done - i) * lanes), sum));
    from = to;
    to += n / chunk;
  }
}

/** As `interleaveTrees`. */
export function interleaveListed(
  k: KernelBuilder,
  t: ListedTables,
  unit: number,
  bits: Buffer,
  from: Expr,
  to: Expr,
  tell: (tree: Expr, leaf: Expr) => void,
): void {
  k.for(
    from,
    to,
    tree => {
      const each = Array.from({ length: unit }, (_, i) => {
        const place = k.let(mul(add(tree, i), PLACE));
        const [first, nodes, leaf] = [0, 1, 2].map(j => k.load(t.places, add(place, j)));
        // A tree without nodes is at its leaf.
        return { first: k.let(must(first)), leaf: k.let(must(leaf)), code: k.var(select(must(nodes), int(0), LEAF)) };
      });
      k.while(
        () => each.map(w => lt(w.code, LEAF)).reduce(or),
        () =>
          each.forEach(w => {
            const inside = k.let(lt(w.code, LEAF));
            const node = k.let(add(w.first, select(inside, w.code, 0)));
            const bit = k.load(bits, k.load(t.tests, node));
            const next = k.load(t.next, add(mul(node, 2), bit));
            k.set(w.code, select(inside, next, w.code));
          }),
      );
      each.forEach((w, i) => tell(add(tree, i), add(w.leaf, sub(w.code, LEAF))));
    },
    { step: unit },
  );
}
