import { showNumber } from '../../core/format.ts';
import { CATEGORICAL, MISSING_LEFT, type TreeTables } from '../../ops/trees/tables.ts';
import type { Drawing, DrawnInput, DrawnNode } from '../importer.ts';
import { nextDouble, nextFloat } from './thresholds.ts';

/** Splits and leaves that are drawn of an ensemble: nobody can read more. */
const MOST = 300;
/** Categories that are named. */
const CATEGORIES = 6;

/**
 * The first trees of an ensemble, as many as `MOST` boxes hold; of the first one, if it is larger, the levels next to its root. A box
 * is a split, with the question whose answer leads on, or a leaf with its value.
 */
export function drawTrees(
  t: TreeTables,
  columns: readonly string[] | undefined,
): { readonly graphs: readonly (readonly [name: string, graph: Drawing])[]; readonly note?: string } {
  const graphs: (readonly [string, Drawing])[] = [];
  let left = MOST;
  let cut = false;
  for (const [i, root] of t.root.entries()) {
    const tree = drawTree(t, i, root, columns, left);
    if (tree.cut && i > 0) break;
    cut ||= tree.cut;
    left -= tree.nodes.length;
    graphs.push([`tree ${i}`, { inputs: [], outputs: [], nodes: tree.nodes }]);
  }
  const all = t.root.length;
  const last = graphs.length - 1;
  const some = last > 0 ? `Trees 0 to ${last} of ${all} are drawn.` : `Tree 0 of ${all} is drawn.`;
  const note = cut ? `The first levels of tree 0 of ${all} are drawn.` : some;
  return { graphs, ...((cut || graphs.length < all) && { note }) };
}
/** Breadth first, so that what is left out is what is far from the root. */
function drawTree(
  t: TreeTables,
  tree: number,
  root: number,
  columns: readonly string[] | undefined,
  most: number,
): { readonly nodes: readonly DrawnNode[]; readonly cut: boolean } {
  const nodes: DrawnNode[] = [];
  const open: { readonly code: number; readonly from: readonly DrawnInput[] }[] = [{ code: root, from: [] }];
  for (const { code, from } of open) {
    if (nodes.length === most) break;
    const value = `tree ${tree}, ${nodes.length}`;
    nodes.push({
      name: `tree ${tree}, ${code < 0 ? `leaf ${~code}` : `split ${code}`}`,
      op: code < 0 ? 'leaf' : question(t, code, columns),
      inputs: from,
      outputs: [value],
      notes: [code < 0 ? valuesOf(t, ~code) : `missing: ${((t.flags[code] ?? 0) & MISSING_LEFT) !== 0 ? 'yes' : 'no'}`],
      shape: '',
      supported: true,
      graphs: [],
    });
    if (code < 0) continue;
    open.push(
      { code: t.left[code] ?? -1, from: [{ value, word: 'yes' }] },
      { code: t.right[code] ?? -1, from: [{ value, word: 'no' }] },
    );
  }
  return { nodes, cut: nodes.length < open.length };
}
const valuesOf = (t: TreeTables, leaf: number): string => {
  const all = Array.from(t.values.subarray(leaf * t.width, (leaf + 1) * t.width), showNumber);
  return all.length > 4 ? `${all.slice(0, 4).join(', ')}, …` : all.join(', ');
};
/** What is asked at a split: yes leads to the left. */
function question(t: TreeTables, split: number, columns: readonly string[] | undefined): string {
  const feature = t.feature[split] ?? 0;
  const name = columns?.[feature] ?? `feature ${feature}`;
  if (((t.flags[split] ?? 0) & CATEGORICAL) !== 0) {
    const set = categoriesOf(t, split);
    return `${name} not in {${set.slice(0, CATEGORIES).join(', ')}${set.length > CATEGORIES ? ', …' : ''}}`;
  }
  // Where x <= t was learnt, the table has the next number after t.
  const bound = t.threshold[split] ?? 0;
  const single = t.threshold instanceof Float32Array;
  const lower = single ? -nextFloat(-bound) : -nextDouble(-bound);
  const digits = (x: number): number => shortest(x, single).length;
  return digits(lower) < digits(bound)
    ? `${name} ≤ ${showNumber(Number(shortest(lower, single)))}`
    : `${name} < ${showNumber(Number(shortest(bound, single)))}`;
}
function categoriesOf(t: TreeTables, split: number): number[] {
  const [start, words] = [t.catStart?.[split] ?? 0, t.catWords?.[split] ?? 0];
  const out: number[] = [];
  for (let k = 0; k < 32 * words && out.length <= CATEGORIES; k++)
    if ((((t.categories?.[start + (k >> 5)] ?? 0) >>> (k & 31)) & 1) === 1) out.push(k);
  return out;
}
/** The shortest decimal number that is this one in its type. */
function shortest(x: number, single: boolean): string {
  if (!single || !Number.isFinite(x)) return String(x);
  for (let p = 1; p < 9; p++) if (Math.fround(Number(x.toPrecision(p))) === x) return String(Number(x.toPrecision(p)));
  return String(Number(x.toPrecision(9)));
}
