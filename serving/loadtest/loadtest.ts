/** A load test: one rate, or a search of the highest that keeps a goal. */
import { targetValue } from '../control/autoscaler.ts';
import { runLoad, type LoadOptions, type LoadResult } from './load.ts';
import { ask, LoadtestError, reasonOf, type Requests } from './request.ts';
import { missOf, search, type Goal, type Miss } from './search.ts';

export interface LoadtestOptions extends Omit<LoadOptions, 'rate' | 'patience'> {
  readonly goal: Goal;
  /** Requests a second: only this rate is tried. */
  readonly rate?: number | undefined;
  readonly maxRate: number;
  readonly precision: number;
  /** Seconds of requests, one after the other, before anything is measured. */
  readonly warmup: number;
  readonly safetyFactor: number;
  /** How many instances share the load. */
  readonly instances: number;
}
export interface Step extends Omit<LoadResult, 'percentile'> {
  readonly miss: Miss | undefined;
  /** The percentile of the goal, in milliseconds. */
  readonly atGoal: number;
}
export interface LoadtestResult {
  readonly url: string;
  readonly goal: Goal;
  /** In the order in which they were tried. */
  readonly steps: readonly Step[];
  /** Requests a second: the highest rate that keeps the goal, by all instances; undefined where none does. */
  readonly best: number | undefined;
  /** What is missed above it; undefined where nothing higher was tried. */
  readonly limit: Miss | undefined;
  readonly safetyFactor: number;
  readonly instances: number;
  /** The target for SageMakerVariantInvocationsPerInstance: invocations a minute of one instance. */
  readonly scalingTarget: number | undefined;
}
/** Latencies beyond the percentile that a step must have seen, for it to mean something. */
const BEYOND = 10;
/** How much longer than others the last step is. */
const CONFIRM = 3;
/** No other step is longer, in seconds. */
const LONGEST = 120;

/** Tests the server; `onStep` hears of each step. Errors: LoadtestError where already the first request fails, or where it is stopped. */
export async function loadtest(
  requests: Requests,
  o: LoadtestOptions,
  onStep: (s: Step) => void = () => undefined,
  signal?: AbortSignal,
): Promise<LoadtestResult> {
  const median = await warmUp(requests, o, signal);
  const steps: Step[] = [];
  const measure = async (rate: number, times = 1): Promise<LoadResult> => {
    const samples = BEYOND / (1 - o.goal.percentile / 100);
    const duration = o.rate === undefined ? times * Math.max(o.duration, Math.min(LONGEST, samples / rate)) : o.duration;
    const patience = Math.min(o.timeout, Math.max(1, (20 * o.goal.below) / 1000));
    const r = await runLoad(requests, { ...o, rate, duration, patience, seed: o.seed + steps.length }, signal);
    if (signal?.aborted === true) throw new LoadtestError('stopped');
    const { percentile, ...rest } = r;
    const step: Step = { ...rest, miss: missOf(r, o.goal), atGoal: percentile(o.goal.percentile) };
    steps.push(step);
    onStep(step);
    return r;
  };
  let best: number | undefined;
  let limit: Miss | undefined;
  if (o.rate === undefined) {
    const start = Math.max(1, 500 / median);
    const found = await search(measure, { goal: o.goal, start, most: o.maxRate, precision: o.precision, confirm: CONFIRM });
    best = found.best?.rate;
    limit = found.limit;
  } else {
    limit = missOf(await measure(o.rate), o.goal);
    if (limit === undefined) best = o.rate;
  }
  const { safetyFactor, instances, goal } = o;
  const scalingTarget = best === undefined ? undefined : targetValue(best / instances, safetyFactor);
  return { url: requests.url.href, goal, steps, best, limit, safetyFactor, instances, scalingTarget };
}

/** Sends one request after the other; gives the median of their times in milliseconds. */
async function warmUp({ url, headers, bodies }: Requests, o: LoadtestOptions, signal?: AbortSignal): Promise<number> {
  const times: number[] = [];
  const end = performance.now() + o.warmup * 1000;
  do {
    const start = performance.now();
    const wrong = await once(url, headers, bodies[times.length % bodies.length] ?? new Uint8Array(), o.timeout * 1000);
    times.push(performance.now() - start);
    if (wrong !== undefined) throw new LoadtestError(`POST ${url.href} ${wrong}`);
  } while (performance.now() < end && signal?.aborted !== true);
  // Where several were sent, the first ones wait for what the server does once.
  const settled = times.slice(Math.floor(times.length / 2)).sort((a, b) => a - b);
  return settled[Math.floor(settled.length / 2)] ?? 1;
}
/** Undefined where the answer is right. */
async function once(url: URL, headers: Requests['headers'], body: Uint8Array, timeout: number): Promise<string | undefined> {
  try {
    const { status, text } = await ask(url, { method: 'POST', headers, body }, timeout);
    return status >= 200 && status < 300 ? undefined : `answers ${status}: ${text.slice(0, 300)}`;
  } catch (e) {
    return `fails: ${reasonOf(e)}`;
  }
}
