import { fail } from '../../core/diagnostic.ts';
import { CATEGORICAL, MISSING_LEFT, TINY, ZERO_MISSING, type TreeTables } from '../../ops/trees/tables.ts';
import { layOut, treeLoc, type Layout } from '../shared/trees.ts';
import { atMost, nextDouble } from '../shared/thresholds.ts';
import type { LgbTree } from './parse.ts';

export interface LgbTables {
  readonly tables: TreeTables;
  /** i32[L]: LightGBM's number of a leaf in its tree. */
  readonly id: Int32Array;
  /** f64[N] and f64[L]: rows of training data; undefined where the file does not say. */
  readonly nodeCover: Float64Array | undefined;
  readonly leafCover: Float64Array | undefined;
  /** f64[T]: the expected value of a tree. */
  readonly mean: Float64Array;
}
const MISSING = { none: 0, zero: 1, nan: 2 };

/**
 * Trees as tables over rows of float32 or float64 (`dtype`). LightGBM compares in float64: x <= t holds for an x of either type exactly if x
 * is below the number of its type after the greatest one that is not above t. It takes what is at most 1e-35 for zero, before it compares.
 * In categorical splits it goes left if the category is in the set, so children change places.
 * E203, with the tree and the node: no tree (see `layOut`), a feature that does not exist, a set of categories out of range.
 */
export function lgbTables(
  trees: readonly LgbTree[],
  first: number,
  groups: number,
  features: number,
  dtype: 'f32' | 'f64',
  file: string,
): LgbTables {
  const after = dtype === 'f64' ? nextDouble : atMost;
  const layouts = trees.map((t, i) => layOut(rawTree(t), file, first + i));
  const count = (of: (l: Layout) => readonly number[]): number => layouts.reduce((sum, l) => sum + of(l).length, 0);
  const N = count(l => l.splits);
  const L = count(l => l.leaves);
  const feature = new Int32Array(N);
  const threshold = dtype === 'f64' ? new Float64Array(N) : new Float32Array(N);
  const left = new Int32Array(N);
  const right = new Int32Array(N);
  const flags = new Uint8Array(N);
  const values = new Float64Array(L);
  const id = new Int32Array(L);
  const root = new Int32Array(trees.length);
  const mean = new Float64Array(trees.length);
  const counted = trees.every(t => t.left.length === 0 || (t.leafCount !== undefined && t.nodeCount !== undefined));
  const nodeCover = counted ? new Float64Array(N) : undefined;
  const leafCover = counted ? new Float64Array(L) : undefined;
  const sets = newSets(N);
  let n0 = 0;
  let l0 = 0;
  trees.forEach((t, i) => {
    const lay = layouts[i] ?? { splits: [], leaves: [], code: new Int32Array(1) };
    const splits = t.left.length;
    const bad = (why: string, node: number): never => fail('E203', { file, why }, treeLoc(file, first + i, node));
    const code = (c: number): number => {
      const k = lay.code[c < 0 ? splits + ~c : c] ?? 0;
      return k < 0 ? ~(~k + l0) : k + n0;
    };
    root[i] = code(splits === 0 ? ~0 : 0);
    lay.splits.forEach((node, s) => {
      const at = n0 + s;
      const f = t.feature[node] ?? -1;
      if (!(f >= 0 && f < features)) bad(`it tests feature ${f} of ${features}`, node);
      feature[at] = f;
      const limit = t.threshold[node] ?? 0;
      const d = t.decision[node] ?? 0;
      const [l, r] = [code(t.left[node] ?? 0), code(t.right[node] ?? 0)];
      if ((d & 1) === 0) {
        const kind = (d >> 2) & 3;
        const missingLeft = kind === MISSING.none ? 0 <= limit : (d & 2) !== 0;
        [left[at], right[at]] = [l, r];
        flags[at] = (missingLeft ? MISSING_LEFT : 0) | (kind === MISSING.zero ? ZERO_MISSING : 0);
        if (limit === Infinity) flags[at] |= CATEGORICAL;
        else threshold[at] = after(Math.abs(limit) > TINY ? limit : limit < 0 ? before(-TINY) : TINY);
      } else {
        // What is missing is in no set.
        [left[at], right[at]] = [r, l];
        flags[at] = CATEGORICAL | MISSING_LEFT;
        sets.add(at, t, limit, why => bad(why, node));
      }
      if (nodeCover) nodeCover[at] = t.nodeCount?.[node] ?? 0;
    });
    lay.leaves.forEach((node, l) => {
      const leaf = node - splits;
      values[l0 + l] = t.values[leaf] ?? 0;
      id[l0 + l] = leaf;
      if (leafCover) leafCover[l0 + l] = t.leafCount?.[leaf] ?? 0;
    });
    mean[i] = expected(t);
    n0 += lay.splits.length;
    l0 += lay.leaves.length;
  });
  const categorical = flags.some(f => (f & CATEGORICAL) !== 0);
  return {
    tables: {
      ...{ feature, threshold, left, right, flags, values, width: 1, root },
      group: Int32Array.from(trees, (_, i) => (first + i) % groups),
      base: new Float64Array(groups),
      ...(categorical && { categories: Uint32Array.from(sets.words), catStart: sets.start, catWords: sets.count }),
    },
    id,
    nodeCover,
    leafCover,
    mean,
  };
}
/** The greatest double below a float. */
const before = (x: number): number => x * (1 + 2 ** -52);

/** Splits are nodes 0 to n - 1, leaves follow. */
function rawTree(t: LgbTree): Parameters<typeof layOut>[0] {
  const n = t.left.length;
  const node = (c: number): number => (c < 0 ? n + ~c : c < n ? c : -1);
  return { nodes: n + t.values.length, root: 0, left: t.left.map(node), right: t.right.map(node), isLeaf: k => k >= n };
}
function expected(t: LgbTree): number {
  if (t.left.length === 0) return t.values[0] ?? 0;
  const total = t.nodeCount?.[0] ?? NaN;
  return t.values.reduce((sum, v, i) => sum + ((t.leafCount?.[i] ?? NaN) / total) * v, 0);
}
interface Sets {
  readonly words: number[];
  readonly start: Int32Array;
  readonly count: Int32Array;
  add(at: number, t: LgbTree, index: number, bad: (why: string) => never): void;
}
function newSets(nodes: number): Sets {
  const words: number[] = [];
  const start = new Int32Array(nodes);
  const count = new Int32Array(nodes);
  return {
    words,
    start,
    count,
    add: (at, t, index, bad) => {
      const [from = -1, to = -1] = Number.isInteger(index) && index >= 0 ? t.boundaries.subarray(index, index + 2) : [];
      if (from < 0 || to < from || to > t.words.length) bad(`its categories are words ${from} to ${to} of ${t.words.length}`);
      start[at] = words.length;
      count[at] = to - from;
      for (let i = from; i < to; i++) words.push(t.words[i] ?? 0);
    },
  };
}
