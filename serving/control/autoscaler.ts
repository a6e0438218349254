/**
 * The decisions of an auto-scaler: target tracking as AWS's Application Auto Scaling does it for the variants of SageMaker endpoints. It is
 * pure: `decide` is asked again and again, with what was measured and the time, and says how many instances there should be.
 *
 * A policy has two alarms on one metric, a point of it each minute. High: above the target for 3 minutes. Low: below 0.9 of the target for 15
 * minutes. While an alarm is on, the policy wants as many instances as would bring the metric to the target, because the metric of an
 * instance shrinks as instances are added (InvocationsPerInstance, processor time). Of several policies the largest wish counts; instances
 * are taken away only if every policy agrees, so where one has no data none are.
 * https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
 */

/** The length of a point, in milliseconds. */
export const PERIOD = 60_000;
/** How many points in a row turn each alarm on. */
export const HIGH_POINTS = 3;
export const LOW_POINTS = 15;
/** The low alarm is on below this share of the target. */
export const LOW_SHARE = 0.9;
/** Cooldowns, in seconds, where a policy gives none. */
export const COOLDOWN = 300;
/** Requests a second that an instance should get, as a share of what it can do, where nothing else is said. */
export const SAFETY_FACTOR = 0.5;

/**
 * The TargetValue for SageMakerVariantInvocationsPerInstance, in requests a minute: what an instance can do, in requests a second, times the
 * share of it that is used in peace. The rest carries the load while instances start.
 */
export const targetValue = (maxRps: number, safetyFactor = SAFETY_FACTOR): number => maxRps * safetyFactor * 60;

export interface Policy {
  readonly name: string;
  /** What the metric is held at, in its unit; above 0. */
  readonly target: number;
  /** In seconds. */
  readonly scaleOutCooldown: number;
  readonly scaleInCooldown: number;
  /** Whether it only adds instances. */
  readonly disableScaleIn: boolean;
}
/** One minute of a policy's metric. */
export interface Point {
  /** When the minute began, in milliseconds. */
  readonly at: number;
  /** The metric of one instance: a sum for InvocationsPerInstance, an average for others. */
  readonly value: number;
  /** How many instances were in service in that minute; on average, where it changed. */
  readonly instances: number;
}
export interface Change {
  /** When it was decided, in milliseconds. */
  readonly at: number;
  readonly to: number;
}
export interface ScalerState {
  readonly min: number;
  readonly max: number;
  readonly policies: readonly Policy[];
  /** How many instances are wanted now. */
  readonly instances: number;
  /** Whether the endpoint is being updated, by this scaler too: nothing is changed until it is in service again. */
  readonly updating: boolean;
  readonly lastOut?: Change;
  readonly lastIn?: Change;
}
export type AlarmState = 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';
export interface Alarms {
  readonly policy: string;
  readonly high: AlarmState;
  readonly low: AlarmState;
}
export interface ScalingAction {
  readonly k: 'out' | 'in';
  readonly from: number;
  readonly to: number;
  /** The policy that wanted it; none where the count was outside of min and max. */
  readonly policy?: string;
}
export interface Decision {
  readonly state: ScalerState;
  readonly action: ScalingAction | undefined;
  readonly alarms: readonly Alarms[];
}

/** The points that begin in the last `n` whole minutes before `now`, newest first; undefined where one is missing. */
function latest(points: readonly Point[], n: number, now: number): readonly Point[] | undefined {
  const ended = points.filter(p => p.at + PERIOD <= now && p.instances > 0).sort((a, b) => b.at - a.at);
  const run = ended.slice(0, n);
  const last = run.at(-1);
  // A minute may not be there yet when it is asked for, so the oldest point may be a minute older than the window.
  return last !== undefined && run.length === n && last.at > now - (n + 2) * PERIOD ? run : undefined;
}
/** How many instances bring the metric of this minute to the target. Sums of 1/n are not exact, and may not cost an instance. */
const needed = (p: Point, target: number): number => Math.ceil(((p.value * p.instances) / target) * (1 - 1e-9));

interface Wish extends Alarms {
  /** How many instances it wants; `any` where that is for others to say, undefined where its metric has no data. */
  readonly wants: number | 'any' | undefined;
}
function wish(of: Policy, points: readonly Point[], { instances: n, lastOut, lastIn }: ScalerState, now: number): Wish {
  const cooling = (change: Change | undefined, seconds: number): boolean =>
    change !== undefined && now < change.at + seconds * 1000;
  const recent = latest(points, HIGH_POINTS, now);
  const quiet = latest(points, LOW_POINTS, now);
  const high = recent === undefined ? 'INSUFFICIENT_DATA' : recent.every(p => p.value > of.target) ? 'ALARM' : 'OK';
  const low = quiet === undefined ? 'INSUFFICIENT_DATA' : quiet.every(p => p.value < LOW_SHARE * of.target) ? 'ALARM' : 'OK';
  const wants = (): Wish['wants'] => {
    const [newest] = recent ?? [];
    const more = high === 'ALARM' && newest !== undefined ? needed(newest, of.target) : 0;
    // What the last change added counts towards this one: while it settles, only a larger count is a reason to change.
    if (more > n && (!cooling(lastOut, of.scaleOutCooldown) || more > (lastOut?.to ?? 0))) return more;
    if (of.disableScaleIn) return 'any';
    if (newest === undefined) return undefined;
    if (low !== 'ALARM' || quiet === undefined || cooling(lastIn, of.scaleInCooldown)) return n;
    // Enough for the busiest of these minutes, so that what is left does not turn the other alarm on.
    return Math.min(n, Math.max(...quiet.map(p => needed(p, of.target))));
  };
  return { policy: of.name, high, low, wants: wants() };
}

/**
 * What is to be done now. `points`: the last 15 minutes or more of each policy's metric, by its name, in any order. Without data nothing is
 * done. `state` is to be kept and given again; the caller changes `updating`, and `instances` where someone else has set the count.
 */
export function decide(state: ScalerState, points: ReadonlyMap<string, readonly Point[]>, now: number): Decision {
  const wishes = state.policies.map(p => wish(p, points.get(p.name) ?? [], state, now));
  const alarms = wishes.map(({ policy, high, low }) => ({ policy, high, low }));
  const unchanged: Decision = { state, action: undefined, alarms };
  if (state.updating) return unchanged;
  const from = state.instances;
  const counts = wishes.flatMap(({ policy, wants }) => (wants === 'any' ? [] : [{ policy, wants: wants ?? from }]));
  const most = counts.reduce<(typeof counts)[number] | undefined>((a, b) => (a && a.wants >= b.wants ? a : b), undefined);
  const to = Math.min(state.max, Math.max(state.min, most?.wants ?? from));
  if (to === from) return unchanged;
  const change: Change = { at: now, to };
  const action: ScalingAction = {
    k: to > from ? 'out' : 'in',
    from,
    to,
    ...(most !== undefined && most.wants !== from && { policy: most.policy }),
  };
  return { state: { ...state, instances: to, ...(to > from ? { lastOut: change } : { lastIn: change }) }, action, alarms };
}
