import type { Kernel } from '../kernel/ir.ts';
import type { Step } from './program.ts';

/** The steps inside of a step, block by block. */
export function blocksOf(s: Step): readonly (readonly Step[])[] {
  switch (s.k) {
    case 'call':
    case 'read':
    case 'check':
    case 'stop':
      return [];
    case 'branch':
      return [s.then, s.else];
    case 'loop':
      return [s.body];
  }
}
/** All steps in order, those inside of loops and branches after the loop or branch. */
export function* allSteps(steps: readonly Step[]): Generator<Step> {
  for (const s of steps) {
    yield s;
    for (const b of blocksOf(s)) yield* allSteps(b);
  }
}
/** The calls among all steps, in order. */
export const callsOf = (steps: readonly Step[]): Extract<Step, { k: 'call' }>[] =>
  [...allSteps(steps)].flatMap(s => (s.k === 'call' ? [s] : []));

/** The same steps with calls of other kernels. */
export const withKernels = (steps: readonly Step[], to: ReadonlyMap<Kernel, Kernel>): readonly Step[] =>
  steps.map(s => {
    switch (s.k) {
      case 'call':
        return { ...s, kernel: to.get(s.kernel) ?? s.kernel };
      case 'read':
      case 'check':
      case 'stop':
        return s;
      case 'branch':
        return { ...s, then: withKernels(s.then, to), else: withKernels(s.else, to) };
      case 'loop':
        return { ...s, body: withKernels(s.body, to) };
    }
  });
