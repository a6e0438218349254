import { must } from '../core/diagnostic.ts';

/**
 * What is kept of the elements of a value over all samples: extremes, and a histogram whose width doubles as larger elements come.
 * The memory is the same for any number of samples.
 */
export interface Observation {
  readonly min: number;
  readonly max: number;
  /** Of the minima and maxima of single samples: their exponential moving average. */
  readonly averageMin: number;
  readonly averageMax: number;
  readonly samples: number;
  readonly count: number;
  /** How many elements are 0, which every scheme represents exactly; they are not in the histogram. */
  readonly zeros: number;
  /** Bin i counts elements from (i - BINS/2) * width up to the next. */
  readonly width: number;
  readonly bins: Float64Array;
}
interface Observer {
  /** Takes the elements of a value in one sample. Gives false where one of them is not finite. */
  add(data: Float32Array): boolean;
  result(): Observation;
}
export const BINS = 4096;
const HALF = BINS / 2;
/** The part of a new sample in the moving average: onnxruntime's. */
const AVERAGING = 0.01;

/** Begins to watch a value. */
export function observer(): Observer {
  let [min, max, averageMin, averageMax] = [Infinity, -Infinity, 0, 0];
  let [samples, count, zeros, width] = [0, 0, 0, 0];
  const bins = new Float64Array(BINS);
  const widen = (reach: number): void => {
    if (width === 0) {
      // A power of two, so that the bins do not depend on the order of the samples.
      width = 2 ** Math.ceil(Math.log2(reach / HALF));
      return;
    }
    while (width * HALF < reach) {
      // Two bins become one; those of both signs move towards the middle.
      const old = bins.slice();
      bins.fill(0);
      for (let i = 0; i < BINS; i++) {
        const to = HALF + Math.floor((i - HALF) / 2);
        bins[to] = must(bins[to]) + must(old[i]);
      }
      width *= 2;
    }
  };
  return {
    add: data => {
      let [lo, hi] = [Infinity, -Infinity];
      for (let i = 0; i < data.length; i++) {
        const v = data[i] ?? 0;
        if (v < lo) lo = v;
        if (v > hi) hi = v;
        if (v !== v) return false;
      }
      if (data.length === 0) return true;
      if (!Number.isFinite(lo) || !Number.isFinite(hi)) return false;
      min = Math.min(min, lo);
      max = Math.max(max, hi);
      averageMin = samples === 0 ? lo : averageMin + AVERAGING * (lo - averageMin);
      averageMax = samples === 0 ? hi : averageMax + AVERAGING * (hi - averageMax);
      samples++;
      count += data.length;
      const reach = Math.max(Math.abs(lo), Math.abs(hi));
      if (reach === 0) {
        zeros += data.length;
        return true;
      }
      if (reach > width * HALF) widen(reach);
      const scale = 1 / width;
      let none = 0;
      for (let i = 0; i < data.length; i++) {
        const v = data[i] ?? 0;
        if (v === 0) {
          none++;
          continue;
        }
        const bin = Math.min(BINS - 1, HALF + Math.floor(v * scale));
        bins[bin] = (bins[bin] ?? 0) + 1;
      }
      zeros += none;
      return true;
    },
    result: () => ({ min, max, averageMin, averageMax, samples, count, zeros, width, bins: bins.slice() }),
  };
}
/** The share of the elements outside of a range, by the histogram: bins that lie outside as a whole. */
export function shareOutside(o: Observation, min: number, max: number): number {
  let outside = 0;
  o.bins.forEach((n, i) => {
    const [from, to] = [(i - HALF) * o.width, (i - HALF + 1) * o.width];
    if (i < HALF ? to <= min : from > max) outside += n;
  });
  return o.count === 0 ? 0 : outside / o.count;
}
