import type { Ratio, Spread } from './result.ts';

/** The value below which a part `q` of sorted samples lies, between neighbours by interpolation (Hyndman and Fan's type 7). */
export function quantile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1);
  const [below = NaN, above = below] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return below + (above - below) * (at - Math.floor(at));
}
const ascending = (xs: readonly number[]): number[] => [...xs].sort((a, b) => a - b);
export const median = (xs: readonly number[]): number => quantile(ascending(xs), 0.5);
export const geomean = (xs: readonly number[]): number => Math.exp(xs.reduce((s, x) => s + Math.log(x), 0) / xs.length);

export function spreadOf(samples: readonly number[]): Spread {
  const s = ascending(samples);
  return { min: quantile(s, 0), median: quantile(s, 0.5), lo: quantile(s, 0.25), hi: quantile(s, 0.75), count: s.length };
}
/** Half the distance between the quartiles as a part of the median. */
export const relativeSpread = (s: { readonly median: number; readonly lo: number; readonly hi: number }): number =>
  (s.hi - s.lo) / 2 / s.median;

/** By what part of the distance between the outermost processes a range goes beyond them. */
const BEYOND = 0.5;
/**
 * `theirs / ours` of each round, all processes together. The range is that between the quartiles of the rounds, widened to the medians of the
 * single processes and half their distance beyond: rounds of one process share its memory layout and its compiled code, so that they agree
 * more than two processes do. With three processes of 25 rounds, about one repetition in fifty has a median outside (a test simulates it).
 */
export function ratioOf(
  to: Ratio['to'],
  processes: readonly { readonly ours: readonly number[]; readonly theirs: readonly number[] }[],
): Ratio {
  const rounds = processes.map(p => p.ours.map((x, i) => (p.theirs[i] ?? NaN) / x));
  const all = spreadOf(rounds.flat());
  const medians = rounds.map(median);
  const [least, most] = [Math.min(...medians), Math.max(...medians)];
  const beyond = (most / least) ** BEYOND;
  return {
    to,
    median: all.median,
    lo: Math.min(all.lo, least / beyond),
    hi: Math.max(all.hi, most * beyond),
    rounds: all.count,
  };
}
