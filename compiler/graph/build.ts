import { fail, type Loc } from '../core/diagnostic.ts';
import type { DType } from '../core/dtype.ts';
import { fromNumbers, type Tensor } from '../core/tensor.ts';
import type { Attrs, Op } from '../ops/define.ts';
import { asConstant, foldNode } from './fold.ts';
import { apply, constant, tensorOf, type Node, type Value } from './graph.ts';

/** Makes the nodes of a graph. Importers and rewriting rules build with it; their helpers take it as their first parameter. */
export interface GraphBuilder {
  /** The results of a new node. E102 where the operator does not take these inputs or attributes. */
  apply(op: Op, inputs: readonly (Value | undefined)[], attrs?: Attrs): readonly Value[];
  /** `apply` for an operator with one result. */
  apply1(op: Op, inputs: readonly (Value | undefined)[], attrs?: Attrs): Value;
  constant(t: Tensor, name?: string): Value;
  /** A constant of the given type from numbers; without `dims` a vector for an array and a scalar for a number. */
  literal(dtype: DType, values: number | ArrayLike<number>, dims?: readonly number[]): Value;
}

/** What a builder does besides making nodes. */
interface BuilderOptions {
  /** Called before each node is made: throws where there are too many. */
  readonly spend?: () => void;
  /**
   * Results of constants up to `limit` bytes are computed at once, so that chains over constants and static shapes are constants; `spend` is
   * told of their bytes. `keep` names nodes that stay nodes.
   */
  readonly eager?: { limit(): number; keep(n: Node): boolean; spend(bytes: number): void };
  /** Collects a result of each node that gives run-time symbols a value: what `Graph.symbolDefinitions` takes. */
  readonly symbolDefinitions?: Value[];
}

/** A builder of nodes that come from where `at` says: a fixed place, or one that moves from node to node of a file. */
export function graphBuilder(at: { readonly loc: Loc }, o: BuilderOptions = {}): GraphBuilder {
  const make: GraphBuilder['apply'] = (op, inputs, attrs = {}) => {
    o.spend?.();
    const outs = apply(op, inputs, attrs, at.loc);
    const [first] = outs;
    if (first?.def.k !== 'node') return outs;
    if (o.symbolDefinitions && op.definesSymbols && op.definesSymbols(first.def).length > 0) {
      o.symbolDefinitions.push(first);
      return outs;
    }
    if (!o.eager || o.eager.keep(first.def)) return outs;
    const done = foldNode(first.def, o.eager.limit())?.values;
    for (const v of done ?? []) o.eager.spend(tensorOf(v)?.bytes.length ?? 0);
    return done ?? outs.map(asConstant);
  };
  return {
    apply: make,
    apply1: (op, inputs, attrs) => {
      const [v] = make(op, inputs, attrs);
      return v ?? fail('E102', { op: op.name, why: 'it has no result' }, at.loc);
    },
    constant,
    literal: (dtype, values, dims) => {
      const list = typeof values === 'number' ? [values] : values;
      return constant(fromNumbers(dtype, dims ?? (typeof values === 'number' ? [] : [list.length]), list));
    },
  };
}
