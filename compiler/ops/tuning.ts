/**
 * What schedules choose by estimates and measurements may choose better. Each choice is made by `choose`: of candidates with names, the one
 * that was found best for a step of this shape on some machine, else the estimate's.
 */
import { fail, must } from '../core/diagnostic.ts';
import type { Node } from '../graph/graph.ts';
import { stepKey } from '../graph/print.ts';

/**
 * What is chosen of a step, in the order in which one depends on the other: how it is computed; rows by columns of a micro-kernel; how rows and
 * panels are nested; tiles that are transformed together.
 */
export const ASPECTS = ['algorithm', 'blocks', 'order', 'tiles'] as const;
export type Aspect = (typeof ASPECTS)[number];
/** Names of candidates. */
export type StepChoices = Readonly<Partial<Record<Aspect, string>>>;
/** A choice between several candidates, as it comes up. */
export interface Choice {
  readonly step: string;
  readonly node: Node;
  readonly aspect: Aspect;
  readonly candidates: readonly string[];
  readonly estimate: string;
}
/** What was found best, by step, for one profile. */
export interface Tuned {
  readonly steps: Readonly<Record<string, StepChoices>>;
  /** What errors call the place where it is from. */
  readonly file: string;
  /** Is told of every choice. */
  readonly onChoice?: (c: Choice) => void;
}
/** The candidate for an aspect of a node. E209 where what was found best is no candidate. */
export function choose<T>(
  tuned: Tuned | undefined,
  node: Node,
  aspect: Aspect,
  candidates: Readonly<Record<string, T>>,
  estimate: string,
): T {
  const names = Object.keys(candidates);
  if (!tuned || names.length === 1) return must(candidates[estimate]);
  const step = stepKey(node);
  tuned.onChoice?.({ step, node, aspect, candidates: names, estimate });
  const name = (Object.hasOwn(tuned.steps, step) && tuned.steps[step]?.[aspect]) || estimate;
  if (!Object.hasOwn(candidates, name))
    fail('E209', { file: tuned.file, why: `${aspect} of ${step} are ${name}, which is none of ${names.join(', ')}` }, node.loc);
  return must(candidates[name]);
}
