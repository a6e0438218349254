import { fail, type Loc } from '../../core/diagnostic.ts';
import { CATEGORICAL, MISSING_LEFT, type TreeTables } from '../../ops/trees/tables.ts';
import { categorySets, layOut, treeLoc, type Layout } from '../shared/trees.ts';
import type { XgbTree, XgbTrees } from './records.ts';

/** The trees of a model as tables, and what leaf numbers and contributions need besides. */
interface XgbTables {
  readonly tables: TreeTables;
  /** i32[L]: the number of the node that a leaf is in its tree. */
  readonly id: Int32Array;
  /** f32: leaves before DART's weights, and those weights by tree. */
  readonly unweighted: Float32Array;
  readonly weight: Float32Array;
  /** f32[N] and f32[L]: sums of second derivatives. */
  readonly nodeCover: Float32Array;
  readonly leafCover: Float32Array;
  /** f32[T]: the expected value of a tree. */
  readonly mean: Float32Array;
}

/**
 * Trees `from` to `to` - 1 of a model. `base`: the margin of each group without trees.
 * E203, with the tree and the node: a tree that is none (see `layOut`), a feature or group that does not exist, a threshold that is no
 * number, categories out of range.
 */
export function xgbTables(
  m: XgbTrees,
  from: number,
  to: number,
  numFeature: number,
  base: Float32Array,
  file: string,
): XgbTables {
  const trees = m.trees.slice(from, to);
  const layouts = trees.map((t, i) =>
    layOut({ nodes: t.left.length, root: 0, left: t.left, right: t.right, isLeaf: n => t.left[n] === -1 }, file, from + i),
  );
  const count = (of: (l: Layout) => readonly number[]): number => layouts.reduce((sum, l) => sum + of(l).length, 0);
  const N = count(l => l.splits);
  const L = count(l => l.leaves);
  const width = trees[0]?.vectors?.size ?? 1;
  const ints = (n: number): Int32Array => new Int32Array(n);
  const floats = (n: number): Float32Array => new Float32Array(n);
  const tables = { feature: ints(N), left: ints(N), right: ints(N), threshold: floats(N), flags: new Uint8Array(N) };
  const out = { values: floats(L * width), id: ints(L), nodeCover: floats(N), leafCover: floats(L), mean: floats(trees.length) };
  const weight = Float32Array.from(trees, (_, i) => m.weights?.[from + i] ?? 1);
  const root = ints(trees.length);
  const categorical = trees.some(t => t.categories !== undefined);
  const [catStart, catWords] = categorical ? [ints(N), ints(N)] : [ints(0), ints(0)];
  const sets = categorySets();
  let n0 = 0;
  let l0 = 0;
  trees.forEach((t, i) => {
    const lay = layouts[i] ?? { splits: [], leaves: [], code: ints(0) };
    const loc = (node?: number): Loc => treeLoc(file, from + i, node);
    const bad = (why: string, node?: number): never => fail('E203', { file, why }, loc(node));
    if ((t.vectors?.size ?? 1) !== width) bad(`its leaves have ${t.vectors?.size ?? 1} values, those before ${width}`);
    const code = (node: number): number => {
      const c = lay.code[node] ?? 0;
      return c < 0 ? ~(~c + l0) : c + n0;
    };
    root[i] = code(0);
    lay.splits.forEach((node, s) => {
      const at = n0 + s;
      const f = t.feature[node] ?? -1;
      if (!(f >= 0 && f < numFeature)) bad(`it tests feature ${f} of ${numFeature}`, node);
      tables.feature[at] = f;
      tables.left[at] = code(t.left[node] ?? -1);
      tables.right[at] = code(t.right[node] ?? -1);
      const missing = (t.defaultLeft[node] ?? 0) !== 0 ? MISSING_LEFT : 0;
      const set = t.categories?.get(node);
      if (set) {
        const { start, words } = sets.add(set, why => bad(why, node));
        catStart[at] = start;
        catWords[at] = words;
      } else if (Number.isNaN(t.condition[node])) bad('its threshold is no number', node);
      else tables.threshold[at] = t.condition[node] ?? 0;
      tables.flags[at] = missing | (set ? CATEGORICAL : 0);
      out.nodeCover[at] = t.hessian[node] ?? 0;
    });
    lay.leaves.forEach((node, l) => {
      const at = l0 + l;
      out.id[at] = node;
      out.leafCover[at] = t.hessian[node] ?? 0;
      for (let w = 0; w < width; w++)
        out.values[at * width + w] =
          (t.vectors ? t.vectors.values[(t.vectors.row[node] ?? 0) * width + w] : t.condition[node]) ?? 0;
    });
    out.mean[i] = width === 1 ? meanOf(t, lay) : 0;
    n0 += lay.splits.length;
    l0 += lay.leaves.length;
  });
  const group = Int32Array.from(trees, (_, i) => (width > 1 ? 0 : (m.treeInfo[from + i] ?? -1)));
  group.forEach((g, i) => {
    if (g < 0 || g + width > base.length)
      fail('E203', { file, why: `it adds to output ${g} of ${base.length}` }, treeLoc(file, from + i));
  });
  const weighted = m.weights ? out.values.slice() : out.values;
  if (m.weights) {
    let at = 0;
    layouts.forEach((lay, i) => {
      for (let l = 0; l < lay.leaves.length * width; l++, at++) weighted[at] = (weighted[at] ?? 0) * (weight[i] ?? 1);
    });
  }
  return {
    tables: {
      ...tables,
      values: weighted,
      width,
      root,
      group,
      base,
      ...(categorical && { categories: Uint32Array.from(sets.words), catStart, catWords }),
    },
    id: out.id,
    unweighted: out.values,
    weight,
    nodeCover: out.nodeCover,
    leafCover: out.leafCover,
    mean: out.mean,
  };
}
/** The mean of the leaves by cover, in float32 from the leaves up: what XGBoost takes for the expected value. */
function meanOf(t: XgbTree, lay: Layout): number {
  const f = Math.fround;
  const mean = new Float32Array(t.left.length);
  for (const node of lay.leaves) mean[node] = t.condition[node] ?? 0;
  for (let s = lay.splits.length - 1; s >= 0; s--) {
    const node = lay.splits[s] ?? 0;
    const part = (child: number): number => f((mean[child] ?? 0) * (t.hessian[child] ?? 0));
    const sum = f(part(t.left[node] ?? 0) + part(t.right[node] ?? 0));
    mean[node] = sum / (t.hessian[node] ?? 0);
  }
  return mean[0] ?? 0;
}
