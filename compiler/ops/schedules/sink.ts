/**
 * How a schedule stores: it gives an index for each group of merged axes; where memory does not let a group be merged, the index is taken
 * apart. The epilogue (elementwise consumers that fusion put behind the kernel) runs on each value on the way:
 * ```
 * store([row, column], v):
 *   idx = [row, column], or [n, y, x, column] by division, if [n, y, x] is one group that memory has gaps in
 *   out[idx] = relu(v + bias[idx] …)
 * ```
 */
import { must, noLoc } from '../../core/diagnostic.ts';
import { KernelBuilder, unflatten } from '../../kernel/builder.ts';
import { add, children, ex, I32, lane, type Expr, type Num, type Stmt, type VType } from '../../kernel/ir.ts';
import type { Sink } from '../lowering.ts';

/** A sink that takes one index for each group of merged axes. */
export interface MergedSink {
  store(k: KernelBuilder, idx: readonly Num[], value: Expr): void;
}
/**
 * A sink whose axes are indexed by groups. Where the memory behind it does not let a group be walked as one (a part of a larger
 * tensor), the index of the group is taken apart.
 */
export function mergeSink(sink: Sink, groups: readonly (readonly number[])[], convert: (v: Expr) => Expr = v => v): MergedSink {
  const mergeable = groups.every(g => g.slice(1).every((_, i) => sink.canMerge(must(g[i]))));
  if (mergeable) {
    const to = sink.merge(groups);
    return { store: (k, idx, v) => to.store(k, idx, convert(v)) };
  }
  const split = (k: KernelBuilder, idx: readonly Num[]): Num[] =>
    groups.flatMap((g, i): Num[] => {
      const at = idx[i] ?? 0;
      if (g.length === 1) return [at];
      return unflatten(
        k,
        k.let(ex(at)),
        g.map(a => must(sink.dims[a])),
      );
    });
  const alone = (groups.at(-1)?.length ?? 0) === 1;
  return {
    store: (k, idx, v) => {
      const value = convert(v);
      if (value.t.lanes === 1 || alone) {
        sink.store(k, split(k, idx), value);
        return;
      }
      // Neighbours in the merged last axis may lie in different rows of it.
      const x = k.let(value);
      for (let i = 0; i < x.t.lanes; i++)
        sink.store(
          k,
          split(
            k,
            idx.map((n, g) => (g === idx.length - 1 ? add(ex(n), i) : n)),
          ),
          lane(x, i),
        );
    },
  };
}

/** What a transcendental function counts when it is expanded. */
const MATH_COST = 25;
const mathOps: ReadonlySet<string> = new Set(['exp', 'log', 'sin', 'cos', 'tan', 'tanh', 'erf', 'sigmoid']);
/** A larger epilogue is not unrolled over the vectors of a block: the block goes through memory, and a loop stores it. */
const LARGE = 24;

/** Whether the epilogue of one value is so much code that it should be in the kernel once, in a loop. */
export function hasLargeEpilogue(sink: MergedSink, axes: number, type: VType): boolean {
  const k = new KernelBuilder();
  const variable = (t: VType, name: string): Expr => ({ k: 'var', t, name });
  sink.store(
    k,
    Array.from({ length: axes }, (_, i) => variable(I32, `a${i}`)),
    variable(type, 'value'),
  );
  const { kernel } = k.finish('epilogue', noLoc);
  return kernel.body.reduce((sum, s) => sum + statementCost(s), 0) > LARGE;
}
function statementCost(s: Stmt): number {
  switch (s.k) {
    case 'let':
    case 'set':
      return exprCost(s.value);
    case 'store':
      return exprCost(s.value) + 1;
    case 'prefetch':
    case 'call':
      return 1;
    case 'mma':
      return s.rows * s.columns;
    case 'for':
    case 'while':
      return blockCost(s.body) + 2;
    case 'if':
      return blockCost(s.then) + blockCost(s.else) + 1;
  }
}
const blockCost = (b: readonly Stmt[]): number => b.reduce((sum, s) => sum + statementCost(s), 0);
/** About how many instructions an expression takes; arithmetic of sizes and places counts nothing. */
export const exprCost = (e: Expr): number =>
  (e.k === 'const' || e.k === 'var'
    ? 0
    : e.k === 'un' && mathOps.has(e.op)
      ? MATH_COST
      : e.t.base === 'i32' && e.t.lanes === 1
        ? 0
        : 1) + children(e).reduce((sum, c) => sum + exprCost(c), 0);
