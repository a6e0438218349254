import { applyPasses, type PassObserver } from '../core/pass.ts';
import type { Graph } from '../graph/graph.ts';
import type { Profile } from '../target/profile.ts';
import { algebra } from './canonicalise.ts';
import { constantFold, constantFoldAll } from './constant-fold.ts';
import { cse } from './cse.ts';
import { dce } from './dce.ts';
import { direct } from './no-winograd.ts';
import { expandIntegers } from './expand-integers.ts';
import { foldAffine } from './fold-affine.ts';
import { integerProducts } from './integer-products.ts';
import { layout } from './layout.ts';
import type { GraphPass } from './pass.ts';
import { recover } from './idioms.ts';
import { sizes } from './sizes.ts';

/** The passes over graphs, in order. */
export const graphPasses = (profile: Profile): readonly GraphPass[] => [
  expandIntegers,
  sizes,
  constantFold,
  cse,
  algebra,
  recover,
  algebra,
  integerProducts,
  expandIntegers,
  constantFoldAll,
  foldAffine,
  ...(profile.memory.scarce ? [direct] : []),
  layout,
  algebra,
  cse,
  dce,
];

/** Every pass, for running one by its name. */
export const allPasses: readonly GraphPass[] = [
  expandIntegers,
  sizes,
  constantFold,
  constantFoldAll,
  cse,
  algebra,
  recover,
  integerProducts,
  foldAffine,
  direct,
  layout,
  dce,
];
export const passNamed = (name: string): GraphPass | undefined => allPasses.find(p => p.name === name);

/** Runs the passes of a profile. */
export const runPasses = (graph: Graph, profile: Profile, observe?: PassObserver<Graph>): Graph =>
  applyPasses(graph, graphPasses(profile), profile, observe);
