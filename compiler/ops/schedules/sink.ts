import { must } from '../../core/diagnostic.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import { unflatten } from '../../kernel/builder.ts';
import { add, ex, lane, type Expr, type Num } from '../../kernel/ir.ts';
import type { Sink } from '../lowering.ts';

/** A sink walked by groups of axes. */
export interface Walk {
  put(k: KernelBuilder, idx: readonly Num[], value: Expr): void;
}
/**
 * A sink whose axes are indexed by groups. Where the memory behind it does not let a group be walked as one (a part of a larger
 * tensor), the index of the group is taken apart.
 */
export function walkSink(sink: Sink, groups: readonly (readonly number[])[], convert: (v: Expr) => Expr = v => v): Walk {
  const mergeable = groups.every(g => g.slice(1).every((_, i) => sink.canMerge(must(g[i]))));
  if (mergeable) {
    const to = sink.merge(groups);
    return { put: (k, idx, v) => to.put(k, idx, convert(v)) };
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
    put: (k, idx, v) => {
      const value = convert(v);
      if (value.t.lanes === 1 || alone) {
        sink.put(k, split(k, idx), value);
        return;
      }
      // Neighbours in the merged last axis may lie in different rows of it.
      const x = k.let(value);
      for (let i = 0; i < x.t.lanes; i++)
        sink.put(
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
