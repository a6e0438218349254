import { blocksOf } from './steps.ts';
import type { Program, Step } from './program.ts';

/** A step of a program that measurements tell apart: a call, or a parallel loop as a whole. */
export type TimedStep = Extract<Step, { k: 'call' | 'loop' }>;
/** The numbers by which instrumented code calls its clock: `tick(i)` after step i. */
export type Instrumentation = ReadonlyMap<Step, number>;

/** The steps of a program that are timed, those inside loops and branches too, in the order of the program. */
export function timedSteps(p: Program): TimedStep[] {
  const timed = (s: Step): readonly TimedStep[] =>
    s.k === 'call' || (s.k === 'loop' && s.parallel) ? [s] : blocksOf(s).flatMap(b => b.flatMap(timed));
  return p.steps.flatMap(timed);
}
export const ticksOf = (steps: readonly TimedStep[]): Instrumentation => new Map(steps.map((s, i) => [s, i]));
