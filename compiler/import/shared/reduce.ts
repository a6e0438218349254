import type { GraphBuilder } from '../../graph/build.ts';
import type { Value } from '../../graph/graph.ts';
import type { Reduction } from '../../ops/reduce/axes.ts';
import { Reduce } from '../../ops/reduce/reduce.ts';

/** A reduction of x; without axes it is x. */
export const reduceOver = (c: GraphBuilder, of: Reduction, x: Value, axes: readonly number[], keep: boolean): Value =>
  axes.length === 0 ? x : c.apply1(Reduce, [x], { of, axes, keep });
