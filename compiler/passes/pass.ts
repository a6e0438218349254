import type { Pass } from '../core/pass.ts';
import type { Graph } from '../graph/graph.ts';
import type { Profile } from '../target/profile.ts';
import { rewriteGraph, type Rule } from '../graph/rewrite.ts';

/** A pass over graphs. It is idempotent: its own result is a fixpoint. `rules`: those that it applies on a target, where it works by rules. */
export interface GraphPass extends Pass<Graph> {
  readonly rules?: (profile: Profile) => readonly Rule[];
}
/** A pass that applies rewriting rules until none applies. */
export const rewrites = (name: string, doc: string, rules: readonly Rule[]): GraphPass => ({
  name,
  doc,
  rules: () => rules,
  run: g => rewriteGraph(g, rules),
});
