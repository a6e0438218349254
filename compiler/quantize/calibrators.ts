import { must } from '../core/diagnostic.ts';
import { BINS, type Observation } from './observe.ts';
import { LEVELS, type Method } from './scheme.ts';

/** A range of floats, ends included. */
interface Range {
  readonly min: number;
  readonly max: number;
}
const HALF = BINS / 2;
/** The part of the elements that `percentile` keeps: onnxruntime's default. Half of the rest is cut off on each side. */
export const DEFAULT_PERCENTILE = 99.999;
/** Ranges that `mse` and `entropy` try for each end, the whole one included. */
const CANDIDATES = 64;

/**
 * The range that a method chooses for a value.
 * - `minmax`: all elements.
 * - `moving-average`: the average of the extremes of the samples, later ones counting more.
 * - `percentile`: without the outermost elements.
 * - `mse`: the least mean squared error of rounding and clipping, where rounding is off by scale²/12 in the mean.
 * - `entropy`: the least Kullback-Leibler divergence of the distribution after rounding and clipping (Migacz, "8-bit inference with
 *   TensorRT", 2017).
 */
export function rangeOf(o: Observation, method: Method, percentile = DEFAULT_PERCENTILE): Range {
  const all = { min: Math.min(0, o.min), max: Math.max(0, o.max) };
  if (o.count === 0 || o.width === 0) return { min: 0, max: 0 };
  switch (method) {
    case 'minmax':
      return all;
    case 'moving-average':
      return { min: Math.min(0, o.averageMin), max: Math.max(0, o.averageMax) };
    case 'percentile':
      return within(all, percentiles(o, percentile));
    case 'mse':
      return leastError(o, all);
    case 'entropy':
      return leastDivergence(o, all);
  }
}
const within = (all: Range, r: Range): Range => ({ min: Math.max(all.min, r.min), max: Math.min(all.max, r.max) });

function percentiles(o: Observation, percentile: number): Range {
  const cut = ((1 - percentile / 100) / 2) * o.count;
  let [lo, hi] = [0, BINS];
  for (let n = 0; lo < HALF && n + must(o.bins[lo]) <= cut; lo++) n += must(o.bins[lo]);
  for (let n = 0; hi > HALF && n + must(o.bins[hi - 1]) <= cut; hi--) n += must(o.bins[hi - 1]);
  return { min: (lo - HALF) * o.width, max: (hi - HALF) * o.width };
}

/** Sums over the bins of one side, from 0 outwards: how many elements, their sum, and that of their squares. */
interface Side {
  /** The squared error of clipping at a threshold, and how many elements it leaves. */
  clipped(threshold: number): { readonly error: number; readonly inside: number };
}
function side(o: Observation, sign: 1 | -1): Side {
  const [n, s, q] = [0, 0, 0].map(() => new Float64Array(HALF + 1)) as [Float64Array, Float64Array, Float64Array];
  for (let i = 0; i < HALF; i++) {
    const count = must(o.bins[sign === 1 ? HALF + i : HALF - 1 - i]);
    const v = (i + 0.5) * o.width;
    n[i + 1] = must(n[i]) + count;
    s[i + 1] = must(s[i]) + count * v;
    q[i + 1] = must(q[i]) + count * v * v;
  }
  return {
    clipped: threshold => {
      const at = Math.min(HALF, Math.max(0, Math.round(threshold / o.width)));
      const [dn, ds, dq] = [n, s, q].map(sum => must(sum[HALF]) - must(sum[at]));
      return {
        error: Math.max(0, must(dq) - 2 * threshold * must(ds) + threshold * threshold * must(dn)),
        inside: must(n[at]),
      };
    },
  };
}
function leastError(o: Observation, all: Range): Range {
  const [below, above] = [side(o, -1), side(o, 1)];
  let best = { range: all, error: Infinity };
  const tries = (end: number): number[] =>
    end === 0 ? [0] : Array.from({ length: CANDIDATES }, (_, i) => (end * (CANDIDATES - i)) / CANDIDATES);
  const [lows, highs] = [tries(-all.min), tries(all.max)];
  const ups = highs.map(h => above.clipped(h));
  for (const lo of lows) {
    const down = below.clipped(lo);
    highs.forEach((hi, i) => {
      const up = must(ups[i]);
      const scale = (lo + hi) / LEVELS;
      const error = down.error + up.error + ((down.inside + up.inside) * scale * scale) / 12;
      if (error < best.error) best = { range: { min: -lo, max: hi }, error };
    });
  }
  return best.range;
}

function leastDivergence(o: Observation, all: Range): Range {
  let best = { range: all, divergence: Infinity };
  for (let i = 0; i < CANDIDATES; i++) {
    const part = (CANDIDATES - i) / CANDIDATES;
    // Both ends move in together.
    const lo = Math.floor((all.min * part) / o.width) + HALF;
    const hi = Math.ceil((all.max * part) / o.width) + HALF;
    // Fewer bins than levels lose nothing.
    if (hi - lo < LEVELS) break;
    const d = divergence(o, Math.max(0, lo), Math.min(BINS, hi));
    if (d < best.divergence) best = { range: { min: all.min * part, max: all.max * part }, divergence: d };
  }
  return best.range;
}
/** KL(P | Q): P is the distribution with what lies outside of bins lo..hi put into the outermost, Q the same rounded to the levels. */
function divergence(o: Observation, lo: number, hi: number): number {
  const size = hi - lo;
  const inside = o.bins.slice(lo, hi);
  const p = inside.slice();
  for (let i = 0; i < lo; i++) p[0] = must(p[0]) + must(o.bins[i]);
  for (let i = hi; i < BINS; i++) p[size - 1] = must(p[size - 1]) + must(o.bins[i]);
  const q = new Float64Array(size);
  for (let level = 0; level < LEVELS; level++) {
    const [from, to] = [Math.floor((level * size) / LEVELS), Math.floor(((level + 1) * size) / LEVELS)];
    let [sum, used] = [0, 0];
    for (let i = from; i < to; i++) {
      sum += must(inside[i]);
      if (must(inside[i]) > 0) used++;
    }
    for (let i = from; i < to; i++) if (must(inside[i]) > 0) q[i] = sum / used;
  }
  const [np, nq] = [p, q].map(x => x.reduce((a, b) => a + b, 0));
  if (must(nq) === 0) return Infinity;
  let d = 0;
  for (let i = 0; i < size; i++) {
    const a = must(p[i]) / must(np);
    const b = Math.max(must(q[i]) / must(nq), 1e-12);
    if (a > 0) d += a * Math.log(a / b);
  }
  return d;
}
