/** Milliseconds that a round of all entries may take together, about, and that warming up takes: engines compile in tiers. */
const BUDGET = 4000;
const WARM = 700;
/** Short calls are repeated to samples of this many milliseconds. */
const SAMPLE = 5;

/**
 * The best time of a call of each, in milliseconds. All take turns, so that whatever else the machine does meets them alike. Calls that
 * take seconds are made twice only.
 */
export async function bestInTurns(runs: readonly (() => unknown)[]): Promise<number[]> {
  const once = async (run: () => unknown, times: number): Promise<number> => {
    const start = performance.now();
    for (let i = 0; i < times; i++) {
      const done = run();
      if (done instanceof Promise) await done;
    }
    return (performance.now() - start) / times;
  };
  const best = runs.map(() => Infinity);
  const note = (i: number, t: number): void => void (best[i] = Math.min(best[i] ?? Infinity, t));
  const repeats: number[] = [];
  for (const [i, run] of runs.entries()) {
    const end = performance.now() + WARM;
    do note(i, await once(run, 1));
    while (performance.now() < end);
    repeats.push(Math.max(1, Math.round(SAMPLE / (best[i] ?? 1))));
  }
  const round = best.reduce((s, t, i) => s + t * (repeats[i] ?? 1), 0);
  const rounds = Math.max(1, Math.min(40, Math.floor(BUDGET / round)));
  for (let r = 0; r < rounds; r++) for (const [i, run] of runs.entries()) note(i, await once(run, repeats[i] ?? 1));
  return best;
}
