/**
 * One row over completed trees, `unit` trees at once, so that loads of independent walks overlap:
 * ```
 * for tree by unit:
 *   h[unit] = 1                                         registers
 *   for level in 0..depth, unrolled: h[i] = 2 * h[i] + bits[test[tree + i][h[i]]]              no branches
 *   leaf[tree + i] = h[i] - 2^depth
 * ```
 */
import type { Buffer, KernelBuilder } from '../../../kernel/builder.ts';
import { add, int, mul, shl, sub, type Expr } from '../../../kernel/ir.ts';
import type { CompleteTables } from './quickscorer.ts';

/**
 * Tells the leaves that one row reaches in the trees `from` to `to` - 1, in order. `unit` trees are walked at once, a step in each
 * in turn, so that their loads overlap; the number of trees is a multiple of it. bits: of `makeBits`.
 */
export function interleaveTrees(
  k: KernelBuilder,
  t: CompleteTables,
  unit: number,
  bits: Buffer,
  from: Expr,
  to: Expr,
  tell: (tree: Expr, leaf: Expr) => void,
): void {
  const size = 2 ** t.depth;
  const each = Array.from({ length: unit }, (_, i) => i);
  k.for(
    from,
    to,
    tree => {
      const node = k.let(mul(tree, size));
      let at: readonly Expr[] = each.map(() => int(1));
      for (let d = 0; d < t.depth; d++)
        at = at.map((h, i) => {
          const test = k.load(t.tests, add(add(node, h), i * size));
          return k.let(add(shl(h, 1), k.load(bits, test)));
        });
      at.forEach((h, i) => tell(add(tree, i), add(node, sub(h, size - i * size))));
    },
    { step: unit },
  );
}
