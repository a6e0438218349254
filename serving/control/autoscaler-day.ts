/** A day of traffic on a simulated clock, to see and to test what the auto-scaler does with it. */
import {
  COOLDOWN,
  decide,
  PERIOD,
  targetValue,
  type Point,
  type Policy,
  type ScalerState,
  type ScalingAction,
} from './autoscaler.ts';

export interface DayOptions {
  /** Requests a second at a time in milliseconds. */
  readonly traffic: (at: number) => number;
  /** What one instance can do, in requests a second. */
  readonly maxRps: number;
  readonly safetyFactor: number;
  readonly min: number;
  readonly max: number;
  /** How long instances take to start, in milliseconds; the endpoint is being updated in that time. */
  readonly startup: number;
  /** In milliseconds. */
  readonly length: number;
  readonly scaleOutCooldown?: number;
  readonly scaleInCooldown?: number;
}
/** A moment of the day. */
export interface Moment {
  /** In milliseconds from its start. */
  readonly at: number;
  readonly rps: number;
  /** How many instances serve. */
  readonly instances: number;
  /** How many the safety factor asks for, within min and max. */
  readonly needed: number;
}
export interface Day {
  readonly moments: readonly Moment[];
  readonly actions: readonly (ScalingAction & { readonly at: number })[];
}
/** The time between two moments, in milliseconds. */
export const STEP = 10_000;

/**
 * How long, in milliseconds, more may be needed than serves: the minute that the load rises in, three that turn the alarm on, and twice
 * the start of instances, because a change waits for the one before it.
 */
export const longestDelay = (startup: number): number => 4 * PERIOD + 2 * startup + STEP;

export function simulateDay(o: DayOptions): Day {
  const { maxRps, safetyFactor, min, max } = o;
  const target = targetValue(maxRps, safetyFactor);
  const policy: Policy = {
    name: 'invocations',
    target,
    scaleOutCooldown: o.scaleOutCooldown ?? COOLDOWN,
    scaleInCooldown: o.scaleInCooldown ?? COOLDOWN,
    disableScaleIn: false,
  };
  const points: Point[] = [];
  const moments: Moment[] = [];
  const actions: (ScalingAction & { at: number })[] = [];
  let state: ScalerState = { min, max, policies: [policy], instances: min, updating: false };
  let serving = min;
  let ready = 0;
  let minute = { requests: 0, each: 0 };
  for (let at = 0; at < o.length; at += STEP) {
    if (state.updating && at >= ready) {
      state = { ...state, updating: false };
      serving = state.instances;
    }
    const decision = decide(state, new Map([[policy.name, points.slice(-20)]]), at);
    state = decision.state;
    if (decision.action) {
      actions.push({ ...decision.action, at });
      state = { ...state, updating: true };
      ready = at + o.startup;
    }
    const rps = o.traffic(at);
    moments.push({ at, rps, instances: serving, needed: Math.min(max, Math.max(min, Math.ceil(rps / (maxRps * safetyFactor)))) });
    const requests = (rps * STEP) / 1000;
    minute = { requests: minute.requests + requests, each: minute.each + requests / serving };
    if ((at + STEP) % PERIOD === 0) {
      const instances = minute.each > 0 ? minute.requests / minute.each : serving;
      points.push({ at: at + STEP - PERIOD, value: minute.each, instances });
      minute = { requests: 0, each: 0 };
    }
  }
  return { moments, actions };
}

const HOUR = 60 * PERIOD;
export const DAY = 24 * HOUR;
/** Load that comes on top of the day's own, as a multiple of it. */
export interface Burst {
  readonly from: number;
  readonly to: number;
  readonly times: number;
}
export const BURSTS: readonly Burst[] = [
  { from: 8.5 * HOUR, to: 9 * HOUR, times: 2 },
  { from: 13 * HOUR, to: 13.05 * HOUR, times: 3 },
  { from: 18 * HOUR, to: 19 * HOUR, times: 1.6 },
  { from: 22.4 * HOUR, to: 22.6 * HOUR, times: 4 },
];
/** Requests a second of a day: least at four in the morning, most at four in the afternoon, with bursts and a wobble of 4 %. */
export const dayTraffic =
  (least: number, most: number, bursts: readonly Burst[] = BURSTS) =>
  (at: number): number => {
    const middle = (least + most) / 2 - ((most - least) / 2) * Math.cos((2 * Math.PI * (at - 4 * HOUR)) / DAY);
    const wobble = 1 + 0.02 * Math.sin(at / 47_000) + 0.02 * Math.sin(at / 171_000 + 1);
    return bursts.reduce((rps, b) => (at >= b.from && at < b.to ? rps * b.times : rps), middle * wobble);
  };
