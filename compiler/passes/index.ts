import { applyPasses, type PassObserver } from '../core/pass.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tuned } from '../ops/tuning.ts';
import type { Profile } from '../target/profile.ts';
import { algorithm } from './algorithm.ts';
import { byteTables } from './byte-tables.ts';
import { canonicalise } from './canonicalise.ts';
import { constantFold, constantFoldAll } from './constant-fold.ts';
import { cse } from './cse.ts';
import { dce } from './dce.ts';
import { expandIntegers } from './expand-integers.ts';
import { foldAffine } from './fold-affine.ts';
import { halfProducts } from './half-products.ts';
import { idioms } from './idioms.ts';
import { integerProducts } from './integer-products.ts';
import { layout } from './layout.ts';
import type { GraphPass } from './pass.ts';
import { sizes } from './sizes.ts';

/** The passes over graphs in the order in which they run; some run more than once. A pass that is not in this list does not exist. */
export const graphPasses: readonly GraphPass[] = [
  // The importers' integers first: the passes after it see what they are on this target.
  expandIntegers,
  sizes,
  constantFold,
  cse,
  canonicalise,
  idioms,
  canonicalise,
  halfProducts,
  // What is dequantized, while the weights are still integers.
  integerProducts,
  expandIntegers,
  constantFoldAll,
  byteTables,
  foldAffine,
  layout,
  canonicalise,
  cse,
  dce,
  // Convolutions are what they will be, and with channels last.
  algorithm,
];
export const passNamed = (name: string): GraphPass | undefined => graphPasses.find(p => p.name === name);

/** Runs the passes for a target. */
export const runPasses = (graph: Graph, profile: Profile, observe?: PassObserver<Graph>, tuned?: Tuned): Graph =>
  applyPasses(graph, graphPasses, { profile, ...(tuned && { tuned }) }, observe);
