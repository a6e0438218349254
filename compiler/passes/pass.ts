import type { Pass } from '../core/pass.ts';
import type { Graph } from '../graph/graph.ts';
import { rewriteGraph, type Rule } from '../graph/rewrite.ts';

/** A pass over graphs. It is idempotent: its own result is a fixpoint. */
export type GraphPass = Pass<Graph>;
/** A pass that applies rewriting rules until none applies. */
export const rewrites = (name: string, doc: string, rules: readonly Rule[]): GraphPass => ({
  name,
  doc,
  run: g => rewriteGraph(g, rules),
});
