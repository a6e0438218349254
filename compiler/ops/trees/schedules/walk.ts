/**
 * The plain walk: it serves every table, of any depth.
 * ```
 * for row, parallel:
 *   acc[groups] = start                                 scratch
 *   for tree:
 *     n = root
 *     while n is a node: n = test(x[row], n) ? left[n] : right[n]
 *     acc[group of tree + w] += values[leaf n][w]       or minimum, maximum
 *   y[row] = epilogue(end(acc))
 * ```
 */
import { must } from '../../../core/diagnostic.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import {
  abs,
  add,
  and,
  cast,
  div,
  eq,
  ge,
  gt,
  I32,
  int,
  konst,
  le,
  lt,
  mul,
  ne,
  or,
  select,
  shr,
  sub,
  vtype,
  type Expr,
} from '../../../kernel/ir.ts';
import type { LowerCtx, Ref } from '../../lowering.ts';
import { CATEGORICAL, MISSING_LEFT, TINY, ZERO_MISSING, type CategoryRules } from '../tables.ts';

export interface TreeAttrs extends CategoryRules {
  readonly aggregate: 'sum' | 'min' | 'max';
  readonly base: 'first' | 'last';
  readonly divide: number;
}

/** How sums start and end, for every strategy. */
export interface SumRules {
  readonly dtype: 'f32' | 'f64';
  readonly groups: number;
  /** What group g starts from. */
  readonly start: (k: KernelBuilder, g: Expr) => Expr;
  /** What becomes of the sum of group g. */
  readonly end: (k: KernelBuilder, g: Expr, s: Expr) => Expr;
}
export function sumRules(c: LowerCtx<TreeAttrs>): SumRules {
  const { aggregate, base, divide } = c.attrs;
  const bases = c.contiguous(9);
  const dtype = bases.buffer.dtype === 'f64' ? 'f64' : 'f32';
  const t = vtype(dtype);
  const zero = konst(t, aggregate === 'sum' ? 0 : aggregate === 'min' ? Infinity : -Infinity);
  return {
    dtype,
    groups: Number(must(bases.dims[0])),
    start: (k, g) => (base === 'first' ? k.load(bases.buffer, g) : zero),
    end: (k, g, s) => {
      const d = divide === 1 ? s : div(s, konst(t, divide));
      return base === 'last' ? add(d, k.load(bases.buffer, g)) : d;
    },
  };
}

export function sumByWalk(c: LowerCtx<TreeAttrs>): void {
  const { aggregate } = c.attrs;
  const walk = walker(c);
  const [values, group] = [c.contiguous(6), c.contiguous(8)];
  const width = must(values.dims[1]);
  const out = c.sink(0);
  const { start, end, groups, dtype } = sumRules(c);
  const acc = c.scratch('sums', dtype, groups);
  c.kernel('tree_walk', k => {
    const sum = (row: Expr): void => {
      k.for(0, groups, g => k.store(acc, g, start(k, g)));
      walk.trees(k, row, (tree, leaf) => {
        const to = k.let(width === groups ? int(0) : k.load(group.buffer, tree));
        const from = k.let(mul(leaf, k.dim(width)));
        k.for(0, width, w => {
          const at = k.let(add(to, w));
          const s = k.let(k.load(acc, at));
          const v = k.let(k.load(values.buffer, add(from, w)));
          const kept = aggregate === 'min' ? select(lt(v, s), v, s) : select(lt(s, v), v, s);
          k.store(acc, at, aggregate === 'sum' ? add(s, v) : kept);
        });
      });
      k.for(0, groups, g => out.store(k, [row, g], end(k, g, k.load(acc, g))));
    };
    k.for(0, must(out.dims[0]), sum, { parallel: true });
  });
}

export function leavesByWalk(c: LowerCtx<CategoryRules>): void {
  const walk = walker(c);
  const id = c.contiguous(13);
  const out = c.sink(0);
  c.kernel('tree_leaves', k => {
    k.for(0, must(out.dims[0]), row => {
      walk.trees(k, row, (tree, leaf) => out.store(k, [row, tree], k.load(id.buffer, leaf)));
    });
  });
}

interface Walker {
  /** For each tree in order, finds the leaf (bound, 0..L-1) that a row reaches. */
  trees(k: KernelBuilder, row: Expr, body: (tree: Expr, leaf: Expr) => void): void;
  /** The test at node n (bound) for a row, as 0 or 1 (bound). */
  goesLeft(k: KernelBuilder, row: Expr, n: Expr): Expr;
}
/** Reads the tables of an operator whose inputs are x and `TREE_INPUTS`. */
export function walker(c: LowerCtx<CategoryRules>): Walker {
  const x = c.need(0);
  const table = (i: number): Ref => c.contiguous(i);
  const [feature, threshold, left, right, flags, root] = [table(1), table(2), table(3), table(4), table(5), table(7)];
  const sets = c.types[10] && { words: table(10), start: table(11), length: table(12) };
  const trees = must(must(c.types[7]).shape[0]);
  const base = vtype(x.dtype === 'f64' ? 'f64' : 'f32');
  const goesLeft = (k: KernelBuilder, row: Expr, n: Expr): Expr => {
    const f = k.let(k.load(flags.buffer, n));
    const v = k.let(x.at(k, [row, k.let(k.load(feature.buffer, n))]));
    const zero = and(ne(and(f, ZERO_MISSING), 0), le(abs(v), konst(base, TINY)));
    const missingLeft = ne(and(f, MISSING_LEFT), 0);
    const numeric = select(or(ne(v, v), zero), missingLeft, lt(v, k.load(threshold.buffer, n)));
    if (!sets) return k.let(numeric);
    const go = k.var(int(0));
    k.if(
      ne(and(f, CATEGORICAL), 0),
      () => {
        const missing = k.let(ne(v, v));
        const words = k.let(k.load(sets.length.buffer, n));
        // NaN becomes 0 and is overruled; what is too large for an i32 saturates and is beyond the set.
        const category = k.let(cast(I32, v));
        const from = c.attrs.truncate ? gt(v, konst(base, -1)) : ge(v, konst(base, 0));
        const word = k.let(shr(category, 5));
        const valid = k.let(and(from, lt(word, words)));
        const invalid = c.attrs.invalid === 'left' ? or(eq(missing, 0), missingLeft) : missingLeft;
        k.set(go, invalid);
        k.if(and(valid, eq(missing, 0)), () => {
          const bits = k.load(sets.words.buffer, add(k.load(sets.start.buffer, n), word));
          k.set(go, eq(and(shr(cast(I32, bits), and(category, 31)), 1), 0));
        });
      },
      () => k.set(go, numeric),
    );
    return go;
  };
  return {
    goesLeft,
    trees: (k, row, body) =>
      k.for(0, trees, tree => {
        const n = k.var(k.load(root.buffer, tree));
        k.while(
          () => ge(n, 0),
          () => {
            const l = goesLeft(k, row, n);
            k.if(
              l,
              () => k.set(n, k.load(left.buffer, n)),
              () => k.set(n, k.load(right.buffer, n)),
            );
          },
        );
        body(tree, k.let(sub(-1, n)));
      }),
  };
}
