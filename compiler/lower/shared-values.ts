import { equalData } from '../core/data.ts';
import type { Value } from '../graph/graph.ts';
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Expr, Lanes, Num } from '../kernel/ir.ts';

interface Bound {
  readonly idx: readonly Num[];
  readonly lanes: Lanes;
  readonly value: Expr;
}
/** Values of nodes that one evaluation of a fused expression has computed, so that an operand with several uses is computed once. */
export class SharedValues {
  private bound: Map<Value, Bound[]> | undefined;

  /** Runs one evaluation. What it binds is not known outside of it, where the names may not be visible. */
  evaluation<T>(f: () => T): T {
    const outer = this.bound;
    this.bound = new Map();
    try {
      return f();
    } finally {
      this.bound = outer;
    }
  }
  /** The value of a node at an index, bound by `make` when it is first asked for. */
  bind(k: KernelBuilder, v: Value, idx: readonly Num[], lanes: Lanes, make: () => Expr): Expr {
    const { bound } = this;
    if (!bound) return this.evaluation(() => this.bind(k, v, idx, lanes, make));
    let of = bound.get(v);
    if (!of) bound.set(v, (of = []));
    const had = of.find(b => b.lanes === lanes && equalData(b.idx, idx));
    if (had) return had.value;
    const value = k.let(make());
    of.push({ idx, lanes, value });
    return value;
  }
}
