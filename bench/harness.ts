/** What is timed: `run` is called again and again; the figures are of one call. */
export interface Entry {
  readonly name: string;
  run(): unknown;
}
/** Milliseconds of one call, and the samples they come from (one a round, in the order of the rounds). */
export interface Timing {
  readonly name: string;
  readonly min: number;
  readonly median: number;
  /** Half the distance between the quartiles, relative to the median. */
  readonly spread: number;
  readonly samples: readonly number[];
}
export interface RoundRobinOptions {
  readonly rounds: number;
  /** Milliseconds a sample should last, so that short calls are repeated. */
  readonly sampleMs: number;
  /** Milliseconds of warm-up for each entry: engines compile in tiers. */
  readonly warmMs: number;
}

/**
 * Times the entries in turns, so that whatever else the machine does meets all of them alike. Compare two entries by
 * `ratio`, never by times of different runs.
 */
export async function roundRobin(entries: readonly Entry[], opt: RoundRobinOptions): Promise<Timing[]> {
  const repeats: number[] = [];
  for (const e of entries) {
    const start = performance.now();
    let best = Infinity;
    for (let n = 0; n < 3 || performance.now() - start < opt.warmMs; n++) {
      const t = performance.now();
      await e.run();
      best = Math.min(best, performance.now() - t);
    }
    repeats.push(Math.max(1, Math.round(opt.sampleMs / Math.max(best, 1e-3))));
  }
  const samples: number[][] = entries.map(() => []);
  for (let r = 0; r < opt.rounds; r++)
    for (const [i, e] of entries.entries()) {
      const n = repeats[i] ?? 1;
      const t = performance.now();
      for (let j = 0; j < n; j++) {
        const done = e.run();
        if (done instanceof Promise) await done;
      }
      samples[i]?.push((performance.now() - t) / n);
    }
  return entries.map((e, i) => summary(e.name, samples[i] ?? []));
}
export function summary(name: string, samples: readonly number[]): Timing {
  const s = [...samples].sort((a, b) => a - b);
  const at = (q: number): number => s[Math.min(s.length - 1, Math.floor(q * s.length))] ?? NaN;
  return { name, min: at(0), median: at(0.5), spread: (at(0.75) - at(0.25)) / 2 / at(0.5), samples };
}
/** How many times faster `a` is than `b`: the median of the ratios of each round. */
export function ratio(a: Timing, b: Timing): number {
  const r = a.samples.map((x, i) => (b.samples[i] ?? NaN) / x).sort((p, q) => p - q);
  return r[r.length >> 1] ?? NaN;
}
export const geomean = (xs: readonly number[]): number => Math.exp(xs.reduce((s, x) => s + Math.log(x), 0) / xs.length);
