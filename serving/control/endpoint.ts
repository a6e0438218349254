/**
 * The life of an endpoint: Creating, InService, Updating, RollingBack, Failed, Deleting. `decide` is pure; what is to run and where traffic
 * goes follows from the state (`wanted`, `shares`), so that a state read back from the journal is all that a restart needs.
 */
import {
  begin,
  decide as decideDeployment,
  running,
  share,
  type Deployment,
  type DeploymentEvent,
  type Policy,
} from './deployment.ts';
import { complete, part, type Fleet, type Ready, type Wanted } from './fleet.ts';
import { omit } from './omit.ts';

export interface EndpointState {
  readonly name: string;
  readonly created: number;
  readonly modified: number;
  /** The fleet that serves; in an update, the one before it. */
  readonly live: Fleet;
  readonly phase: Phase;
  /** What is observed, by the fleet's id. */
  readonly ready: Readonly<Record<string, Ready>>;
  readonly failure?: string;
}
export type Phase =
  | { readonly k: 'creating' }
  | { readonly k: 'inService' }
  /** Other counts or weights of the same fleet; `before` is what it goes back to. */
  | { readonly k: 'resizing'; readonly before: Fleet }
  | { readonly k: 'updating'; readonly deployment: Deployment }
  /** Green stays until blue is whole again, which is at once unless blue was already smaller. */
  | { readonly k: 'rollingBack'; readonly deployment: Deployment }
  | { readonly k: 'failed' }
  | { readonly k: 'deleting' };
export type EndpointEvent =
  /** How many instances of a fleet are ready now. */
  | { readonly k: 'fleet'; readonly fleet: string; readonly ready: Ready }
  | { readonly k: 'fleetFailed'; readonly fleet: string; readonly reason: string }
  | { readonly k: 'update'; readonly green: Fleet; readonly policy: Policy }
  | { readonly k: 'resize'; readonly live: Fleet }
  | { readonly k: 'alarm'; readonly alarm: string }
  | { readonly k: 'delete' }
  /** No instance of it runs any more. */
  | { readonly k: 'stopped' }
  /** The daemon has been started again: no instance runs. */
  | { readonly k: 'restart' }
  | { readonly k: 'tick' };
export type Action =
  | { readonly k: 'scale'; readonly wanted: readonly Wanted[] }
  | { readonly k: 'route'; readonly shares: readonly Share[] }
  | { readonly k: 'wake'; readonly at: number }
  /** The endpoint is gone. */
  | { readonly k: 'end' };
export interface Share {
  readonly fleet: Fleet;
  /** Of the traffic, 0 to 1. */
  readonly share: number;
}
export interface Decision {
  readonly state: EndpointState;
  readonly actions: readonly Action[];
}
export type Status = 'Creating' | 'InService' | 'Updating' | 'RollingBack' | 'Failed' | 'Deleting';
const STATUS: Readonly<Record<Phase['k'], Status>> = {
  creating: 'Creating',
  inService: 'InService',
  resizing: 'Updating',
  updating: 'Updating',
  rollingBack: 'RollingBack',
  failed: 'Failed',
  deleting: 'Deleting',
};
export const status = (s: EndpointState): Status => STATUS[s.phase.k];

export function create(name: string, live: Fleet, now: number): Decision {
  const state: EndpointState = { name, created: now, modified: now, live, phase: { k: 'creating' }, ready: {} };
  return { state, actions: [{ k: 'scale', wanted: wanted(state) }] };
}
/** What is to run. */
export function wanted(s: EndpointState): readonly Wanted[] {
  switch (s.phase.k) {
    case 'updating':
      return running(s.phase.deployment, s.live);
    case 'rollingBack':
      return [...part(s.live, 1), ...running(s.phase.deployment, s.live).filter(w => w.fleet.id !== s.live.id)];
    case 'failed':
    case 'deleting':
      return [];
    case 'creating':
    case 'inService':
    case 'resizing':
      return part(s.live, 1);
  }
}
/** Where traffic goes. */
export function shares(s: EndpointState): readonly Share[] {
  switch (s.phase.k) {
    case 'updating': {
      const green = share(s.phase.deployment);
      return [
        { fleet: s.live, share: 1 - green },
        { fleet: s.phase.deployment.green, share: green },
      ].filter(x => x.share > 0);
    }
    case 'creating':
    case 'failed':
    case 'deleting':
      return [];
    case 'inService':
    case 'resizing':
    case 'rollingBack':
      return [{ fleet: s.live, share: 1 }];
  }
}

export function decide(s: EndpointState, event: EndpointEvent, now: number): Decision {
  if (event.k === 'restart') {
    const state = { ...s, ready: {} };
    return {
      state,
      actions: [
        { k: 'scale', wanted: wanted(state) },
        { k: 'route', shares: shares(state) },
        { k: 'wake', at: now },
      ],
    };
  }
  const seen = event.k === 'fleet' ? { ...s, ready: { ...s.ready, [event.fleet]: event.ready } } : s;
  const { state, wakeAt } = step(seen, event, now);
  const actions: Action[] = [];
  if (event.k === 'delete' || differ(wanted(s), wanted(state))) actions.push({ k: 'scale', wanted: wanted(state) });
  if (differ(shares(s), shares(state))) actions.push({ k: 'route', shares: shares(state) });
  if (wakeAt !== undefined) actions.push({ k: 'wake', at: wakeAt });
  if (state.phase.k === 'deleting' && event.k === 'stopped') actions.push({ k: 'end' });
  return { state, actions };
}
const differ = (a: unknown, b: unknown): boolean => JSON.stringify(a) !== JSON.stringify(b);

type Next = { readonly state: EndpointState; readonly wakeAt?: number };
function step(s: EndpointState, event: EndpointEvent, now: number): Next {
  const to = (phase: Phase, more: Partial<EndpointState> = {}): Next => ({ state: { ...s, ...more, phase, modified: now } });
  if (event.k === 'delete') return to({ k: 'deleting' });
  const { phase } = s;
  const ready = s.ready[s.live.id] ?? {};
  const failed = event.k === 'fleetFailed' ? event : undefined;
  switch (phase.k) {
    case 'creating':
      if (failed?.fleet === s.live.id) return to({ k: 'failed' }, { failure: failed.reason });
      return complete(part(s.live, 1), ready) ? to({ k: 'inService' }) : { state: s };
    case 'resizing':
      if (failed?.fleet === s.live.id) return to({ k: 'inService' }, { live: phase.before, failure: failed.reason });
      return complete(part(s.live, 1), ready) ? to({ k: 'inService' }) : { state: s };
    case 'inService':
      if (event.k === 'update') {
        const deployment = begin(event.green, event.policy, now);
        return step({ ...omit(s, 'failure'), modified: now, phase: { k: 'updating', deployment } }, { k: 'tick' }, now);
      }
      if (event.k === 'resize') {
        return step(
          { ...omit(s, 'failure'), live: event.live, modified: now, phase: { k: 'resizing', before: s.live } },
          { k: 'tick' },
          now,
        );
      }
      return { state: s };
    case 'updating': {
      const { green } = phase.deployment;
      const progress = decideDeployment(phase.deployment, deploymentEvent(event, green, s.ready[green.id] ?? {}), now);
      switch (progress.k) {
        case 'on':
          return progress.deployment === phase.deployment
            ? { state: s, wakeAt: progress.wakeAt }
            : { ...to({ k: 'updating', deployment: progress.deployment }), wakeAt: progress.wakeAt };
        case 'done':
          return to({ k: 'inService' }, { live: green, ready: { [green.id]: s.ready[green.id] ?? {} } });
        case 'failed':
          return step(
            { ...s, modified: now, failure: progress.reason, phase: { k: 'rollingBack', deployment: phase.deployment } },
            { k: 'tick' },
            now,
          );
      }
    }
    // oxlint-disable-next-line no-fallthrough -- the switch above gives a value in each case
    case 'rollingBack':
      return complete(part(s.live, 1), ready) ? to({ k: 'inService' }) : { state: s };
    case 'failed':
    case 'deleting':
      return { state: s };
  }
}
function deploymentEvent(event: EndpointEvent, green: Fleet, ready: Ready): DeploymentEvent {
  if (event.k === 'fleetFailed' && event.fleet === green.id) return { k: 'failed', reason: event.reason };
  if (event.k === 'alarm') return event;
  return { k: 'ready', ready };
}
