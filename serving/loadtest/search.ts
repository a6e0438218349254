/** The highest rate at which a server keeps a goal. */
import type { LoadResult } from './load.ts';

/** A latency, in milliseconds, that a percentile stays below; and nothing fails. */
export interface Goal {
  readonly percentile: number;
  readonly below: number;
}
/** What of a load is looked at. */
export type Measured = Pick<LoadResult, 'rate' | 'errors' | 'overloaded' | 'lag' | 'percentile'>;
/** Why a load does not keep the goal: undefined where it does. `generator`: this program was too slow, so nothing is known of the server. */
export type Miss = 'errors' | 'latency' | 'overloaded' | 'generator';
export function missOf(r: Measured, goal: Goal): Miss | undefined {
  const errors = Object.keys(r.errors);
  // The server said so itself, however late it was asked.
  if (errors.some(why => why.startsWith('status '))) return 'errors';
  const late = r.percentile(goal.percentile) >= goal.below;
  // Most of the time passed before a request had left.
  if ((r.overloaded || late) && r.lag > r.percentile(goal.percentile) / 2) return 'generator';
  if (r.overloaded) return 'overloaded';
  if (errors.length > 0) return 'errors';
  return late ? 'latency' : undefined;
}
export interface SearchOptions {
  readonly goal: Goal;
  /** Requests a second: the first rate, and the most that is tried. */
  readonly start: number;
  readonly most: number;
  /** How far the rate that is found may be below one that misses the goal, as a share of it. */
  readonly precision: number;
  readonly confirm: number;
}
/** Below this rate, in requests a second, it is given up. */
const LEAST = 0.1;

export interface Found<R> {
  /** The load at the highest rate that keeps the goal; undefined where none does. */
  readonly best: R | undefined;
  /** What ended the search upwards; undefined where even the most that was to be tried is kept. */
  readonly limit: Miss | undefined;
}
/**
 * Doubles the rate until the goal is missed, or halves it until it is kept, then halves the distance between the two. What misses is
 * tried again once, so that one hiccup does not decide. In the end the rate has to last for `confirm` times as long, because a queue that
 * grows slowly shows late; if it does not, it is lowered step by step.
 */
export async function search<R extends Measured>(
  measure: (rate: number, times: number) => Promise<R>,
  o: SearchOptions,
): Promise<Found<R>> {
  let limit: Miss | undefined;
  const attempt = async (rate: number, times = 1): Promise<R | undefined> => {
    for (let i = 0; i < 2; i++) {
      const r = await measure(rate, times);
      const miss = missOf(r, o.goal);
      if (miss === undefined) return r;
      limit = miss;
    }
    return undefined;
  };
  let rate = Math.min(o.start, o.most);
  let best = await attempt(rate);
  let missed = best ? undefined : rate;
  while (best && missed === undefined && rate < o.most) {
    rate = Math.min(o.most, rate * 2);
    const r = await attempt(rate);
    if (r) best = r;
    else missed = rate;
  }
  while (!best && rate > LEAST) {
    missed = rate;
    rate = Math.max(LEAST, rate / 2);
    best = await attempt(rate);
  }
  if (!best) return { best, limit };
  while (missed !== undefined && missed - best.rate > o.precision * missed) {
    const middle: number = (best.rate + missed) / 2;
    const r = await attempt(middle);
    if (r) best = r;
    else missed = middle;
  }
  for (let last = best.rate; last >= LEAST; last *= 1 - o.precision) {
    const r = await attempt(last, o.confirm);
    if (r) return { best: r, limit };
  }
  return { best: undefined, limit };
}
