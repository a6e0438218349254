/**
 * The update of an endpoint from one fleet (blue) to another (green) in steps: green instances start, traffic moves, it bakes while alarms
 * are watched, blue instances that are no longer needed stop. Blue/green all at once, canary, linear and rolling differ only in their steps.
 */
import { complete, part, type Fleet, type Ready, type Wanted } from './fleet.ts';

export interface Policy {
  readonly steps: readonly Step[];
  /** How long each step bakes before the next. */
  readonly bakeMs: number;
  /** How long blue stays after the last step. */
  readonly terminationMs: number;
  /** The update fails when it takes longer. */
  readonly timeoutMs: number;
  /** Names of alarms that undo the update. */
  readonly alarms: readonly string[];
}
/** Fractions of 0 to 1. */
export interface Step {
  /** Of green's instances, that run before traffic moves. */
  readonly start: number;
  /** Of the traffic, that goes to green. */
  readonly share: number;
  /** Of blue's instances, that stay once the step has baked. */
  readonly keep: number;
}
export interface Deployment {
  readonly green: Fleet;
  readonly policy: Policy;
  readonly startedAt: number;
  /** The index of the step. */
  readonly at: number;
  readonly phase:
    | { readonly k: 'starting' }
    | { readonly k: 'baking'; readonly since: number }
    | { readonly k: 'terminating'; readonly since: number };
}
export type DeploymentEvent =
  | { readonly k: 'ready'; readonly ready: Ready }
  | { readonly k: 'failed'; readonly reason: string }
  | { readonly k: 'alarm'; readonly alarm: string }
  | { readonly k: 'tick' };
export type Progress =
  | { readonly k: 'on'; readonly deployment: Deployment; readonly wakeAt: number }
  | { readonly k: 'done' }
  | { readonly k: 'failed'; readonly reason: string };

export const ALL_AT_ONCE: readonly Step[] = [{ start: 1, share: 1, keep: 1 }];
/** A first part of the traffic, then the rest. */
export const canary = (share: number): readonly Step[] => [{ start: 1, share, keep: 1 }, ...ALL_AT_ONCE];
/** Equal parts of the traffic, one after another. */
export const linear = (share: number): readonly Step[] => batches(share).map(s => ({ start: 1, share: s, keep: 1 }));
/** Batches of instances: traffic moves as they start, and as many of blue stop. */
export const rolling = (batch: number): readonly Step[] => batches(batch).map(s => ({ start: s, share: s, keep: 1 - s }));
/** size, 2 size, .. 1. */
const batches = (size: number): readonly number[] =>
  Array.from({ length: Math.max(1, Math.ceil(1 / size - 1e-9)) }, (_, i) => Math.min(1, (i + 1) * size));

export const begin = (green: Fleet, policy: Policy, now: number): Deployment => ({
  green,
  policy,
  startedAt: now,
  at: 0,
  phase: { k: 'starting' },
});
const stepOf = (d: Deployment, at = d.at): Step => d.policy.steps[at] ?? { start: 1, share: 1, keep: 1 };
/** The share of the traffic that green has. */
export const share = (d: Deployment): number =>
  d.phase.k === 'starting' ? (d.at === 0 ? 0 : stepOf(d, d.at - 1).share) : stepOf(d).share;
/** The instances that run: green's, and those of blue that are still needed. */
export const running = (d: Deployment, blue: Fleet): readonly Wanted[] => [
  ...part(blue, d.at === 0 ? 1 : stepOf(d, d.at - 1).keep),
  ...part(d.green, stepOf(d).start),
];

export function decide(d: Deployment, event: DeploymentEvent, now: number): Progress {
  switch (event.k) {
    case 'failed':
      return event;
    case 'alarm':
      // A deployment that has all the traffic and has baked is not undone.
      return d.phase.k !== 'terminating' && d.policy.alarms.includes(event.alarm)
        ? { k: 'failed', reason: `Alarm ${event.alarm} went into ALARM during the deployment.` }
        : advance(d, {}, now);
    case 'ready':
      return advance(d, event.ready, now);
    case 'tick':
      return advance(d, {}, now);
  }
}
function advance(d: Deployment, ready: Ready, now: number): Progress {
  const { policy } = d;
  const on = (phase: Deployment['phase'], at = d.at): Progress => advance({ ...d, at, phase }, ready, now);
  const wait = (wakeAt: number): Progress => ({ k: 'on', deployment: d, wakeAt });
  const deadline = d.startedAt + policy.timeoutMs;
  if (d.phase.k !== 'terminating' && now >= deadline)
    return { k: 'failed', reason: `The deployment did not end within ${policy.timeoutMs / 1000} seconds.` };
  switch (d.phase.k) {
    case 'starting':
      return complete(part(d.green, stepOf(d).start), ready) ? on({ k: 'baking', since: now }) : wait(deadline);
    case 'baking': {
      const until = d.phase.since + policy.bakeMs;
      if (now < until) return wait(Math.min(until, deadline));
      return d.at + 1 < policy.steps.length ? on({ k: 'starting' }, d.at + 1) : on({ k: 'terminating', since: now });
    }
    case 'terminating': {
      const until = d.phase.since + policy.terminationMs;
      return now < until ? wait(until) : { k: 'done' };
    }
  }
}
