import { must } from '../../compiler/core/diagnostic.ts';
import { toNumbers, typed, type Tensor } from '../../compiler/core/tensor.ts';
import { importFor } from '../../compiler/compile.ts';
import { nodesOf, tensorOf } from '../../compiler/graph/graph.ts';
import { attrsOf } from '../../compiler/ops/define.ts';
import { TreeLeaves } from '../../compiler/ops/trees/ensemble.ts';
import { goesLeft, readTables, type CategoryRules, type TreeTables } from '../../compiler/ops/trees/tables.ts';
import type { TreeCase } from './cases.ts';
import { optionsOf } from './ways.ts';

/** Where a row first leaves the library's way: its tree, the node's test and the value. Undefined where leaves are not known, or equal. */
export function firstDeparture(c: TreeCase, outputs: ReadonlyMap<string, Tensor>): string | undefined {
  const leaf = outputs.get('leaf');
  if (!leaf || !c.leaf) return undefined;
  const got = toNumbers(leaf);
  const at = c.leaf.findIndex((v, i) => v !== got[i]);
  const trees = leaf.dims[1] ?? 1;
  if (at < 0) return 'every row reaches the leaves that it should';
  const [row, tree] = [Math.floor(at / trees), at % trees];
  const node = nodesOf(importFor(optionsOf(c)).graph).find(n => n.op === TreeLeaves);
  if (!node) return `row ${row}, tree ${tree}`;
  const ins = node.inputs.slice(1).map(tensorOf);
  const t = readTables(ins);
  const ids = toNumbers(must(ins[12]));
  const rules: CategoryRules = attrsOf(node, TreeLeaves);
  const x = (typed(c.rows) as Float32Array).subarray(row * (c.rows.dims[1] ?? 1));
  const wanted = pathTo(t, must(t.root[tree]), code => Number(ids[~code]) === c.leaf?.[at]);
  for (const n of wanted) {
    const v = must(x[must(t.feature[n.node])]);
    const left = goesLeft(t, rules, n.node, v);
    if (left !== n.left)
      return (
        `row ${row}, tree ${tree}, node ${n.node}: feature ${t.feature[n.node]} is ${v}, threshold ${t.threshold[n.node]}, ` +
        `flags ${t.flags[n.node]}; it goes ${left ? 'left' : 'right'}, leaf ${got[at]} instead of ${c.leaf[at]}`
      );
  }
  return `row ${row}, tree ${tree}: the tables lead to leaf ${c.leaf[at]}, the code to ${got[at]}`;
}
interface Turn {
  readonly node: number;
  readonly left: boolean;
}
/** The turns from a root to the leaf that is looked for. */
function pathTo(t: TreeTables, root: number, isIt: (code: number) => boolean): readonly Turn[] {
  const stack: { readonly code: number; readonly path: readonly Turn[] }[] = [{ code: root, path: [] }];
  for (let top = stack.pop(); top; top = stack.pop()) {
    const { code, path } = top;
    if (code < 0) {
      if (isIt(code)) return path;
      continue;
    }
    for (const left of [true, false])
      stack.push({ code: must((left ? t.left : t.right)[code]), path: [...path, { node: code, left }] });
  }
  return [];
}
