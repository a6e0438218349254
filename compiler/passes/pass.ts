import type { Graph } from '../graph/graph.ts';
import { rewriteGraph, type Rule } from '../graph/rewrite.ts';
import type { Profile } from '../target/profile.ts';

export interface PassCtx {
  readonly profile: Profile;
}
/** A step of the compiler from graph to graph: the same results for the same inputs, never a worse program. Its own result is a fixpoint. */
export interface Pass {
  readonly name: string;
  readonly doc: string;
  /** The same graph object where there was nothing to do. */
  run(g: Graph, ctx: PassCtx): Graph;
}
/** A pass that applies rewriting rules until none applies. */
export const rewrites = (name: string, doc: string, rules: readonly Rule[]): Pass => ({
  name,
  doc,
  run: g => rewriteGraph(g, rules),
});
