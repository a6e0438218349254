/**
 * Walks over trees of any shape (`sparse.ts`), several at once; a leaf is a node that steps to itself, so that no walk needs a branch.
 * ```
 * makeValues:  for row of the block: for column: values[row][column] = x[row][feature], missing as NaN or infinity
 * gatherRows:  for tree: for 4 rows at once:            n[4] = root
 *                do n[i] += step[n[i]] + (values[row i][column[n[i]]] >= bound[n[i]]) while one of them moved
 *                sums[row i] += bound[n[i]]
 * gatherTrees: for one row: for unit trees at once: the same with n[i] = root of tree i
 * ```
 */
import { must } from '../../../core/diagnostic.ts';
import type { Buffer, KernelBuilder } from '../../../kernel/builder.ts';
import { add, and, cast, eq, ge, I32, int, konst, mul, ne, or, select, vtype, type Expr } from '../../../kernel/ir.ts';
import type { Source } from '../../lowering.ts';
import { forSets, numberOf, type SetTables } from './values.ts';
import type { NumberColumn } from './sparse.ts';
import { addLeaves, placeOf, type TreeSums } from './sums.ts';

/** `Sparse` trees in memory. */
export interface SparseTables {
  readonly columns: number;
  readonly numbers: readonly NumberColumn[];
  /** i32: the feature of each column of numbers. */
  readonly features: Buffer;
  readonly x: Source;
  readonly sets: SetTables;
  /** u16 or i32 [nodes, 2]. */
  readonly links: Buffer;
  readonly bounds: Buffer;
  readonly roots: Buffer;
  readonly trees: number;
}

/**
 * The values of rows `first` to `first + count - 1` of x: [count, columns], in the dtype of the bounds. Rows up to the next multiple of
 * `unit`, which is a power of 2, have garbage in them but for column 0, so that their walks end.
 */
export function makeValues(k: KernelBuilder, t: SparseTables, unit: number, first: Expr, count: Expr, values: Buffer): void {
  const to = vtype(values.dtype === 'f64' ? 'f64' : 'f32');
  k.for(0, and(add(count, unit - 1), -unit), r => k.store(values, mul(r, t.columns), konst(to, NaN)));
  k.for(0, count, r => {
    const at = k.let(mul(r, t.columns));
    let from = 0;
    for (let i = 1; i <= t.numbers.length; i++) {
      const of = must(t.numbers[from]);
      const next = t.numbers[i];
      if (next?.missing === of.missing && next.zeros === of.zeros) continue;
      k.for(from, i, c => {
        const v = k.let(cast(to, numberOf(k, t.x, k.let(add(first, r)), k.let(k.load(t.features, c)), of.zeros)));
        k.store(values, add(add(at, c), 1), of.missing === 'left' ? v : select(eq(v, v), v, konst(to, Infinity)));
      });
      from = i;
    }
  });
  forSets(k, t.sets, (set, goesRight) => {
    k.for(0, count, r => {
      const at = add(add(mul(r, t.columns), t.numbers.length + 1), set);
      k.store(values, at, cast(to, goesRight(k.let(add(first, r)))));
    });
  });
}

/** Walks from nodes until all are at leaves, a step of each in turn; `values` says where the values of each walk are. Gives the leaves. */
function walk(
  k: KernelBuilder,
  t: SparseTables,
  to: TreeSums,
  from: readonly Expr[],
  values: Buffer,
  at: readonly Expr[],
): Expr[] {
  const nodes = from.map(n => k.var(n));
  const moved = k.var(int(1));
  k.while(
    () => ne(moved, 0),
    () => {
      const steps = nodes.map((n, i) => {
        const link = k.let(mul(n, 2));
        const v = k.load(values, add(must(at[i]), k.load(t.links, link)));
        const step = k.let(k.load(t.links, add(link, 1)));
        k.set(n, add(add(n, step), ge(v, k.load(t.bounds, n))));
        return step;
      });
      k.set(moved, steps.reduce(or));
    },
  );
  // A leaf's number is its node, whose bound is its value, or in the bound.
  return to.width > 1 ? nodes.map(n => k.let(cast(I32, k.load(t.bounds, n)))) : nodes;
}

/** Adds to the sums of `rows` rows the leaves of each tree, in order; `unit` rows are walked at once. */
export function gatherRows(
  k: KernelBuilder,
  t: SparseTables,
  unit: number,
  to: TreeSums,
  values: Buffer,
  sums: Buffer,
  pitch: number,
  rows: Expr,
): void {
  k.for(0, t.trees, tree => {
    const root = k.let(k.load(t.roots, tree));
    const sum = placeOf(k, to, pitch, tree);
    k.for(
      0,
      rows,
      r => {
        const first = k.let(mul(r, t.columns));
        const each = Array.from({ length: unit }, (_, i) => i);
        const leaves = walk(
          k,
          t,
          to,
          each.map(() => root),
          values,
          each.map(i => add(first, i * t.columns)),
        );
        addLeaves(k, to, sums, sum, r, leaves);
      },
      { step: unit },
    );
  });
}

/** Tells the leaves that a row, whose values start at `row`, reaches in the trees `from` to `to` - 1; `unit` at once. */
export function gatherTrees(
  k: KernelBuilder,
  t: SparseTables,
  unit: number,
  sums: TreeSums,
  values: Buffer,
  row: Expr,
  from: Expr,
  to: Expr,
  tell: (tree: Expr, leaf: Expr) => void,
): void {
  const first = k.let(row);
  k.for(
    from,
    to,
    tree => {
      const roots = Array.from({ length: unit }, (_, i) => k.load(t.roots, add(tree, i)));
      const leaves = walk(
        k,
        t,
        sums,
        roots,
        values,
        roots.map(() => first),
      );
      leaves.forEach((leaf, i) => tell(add(tree, i), leaf));
    },
    { step: unit },
  );
}
