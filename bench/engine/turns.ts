/** Something that is timed. */
export interface Turn {
  /** Milliseconds that this many calls take together. */
  sample(calls: number): number | Promise<number>;
}
export interface TurnOptions {
  readonly rounds: number;
  /** No further round begins after so many seconds, if there were at least `FEWEST`. */
  readonly seconds: number;
  /** Milliseconds that a sample should last: short calls are repeated. */
  readonly sampleMs: number;
  /** Milliseconds of warm-up of each: at least, and at most. */
  readonly warmMs: readonly [least: number, most: number];
  readonly onRound?: (round: number) => void;
}
/** Milliseconds of one call, a sample a round. */
export interface Samples {
  readonly calls: number;
  readonly ms: readonly number[];
}
const FEWEST = 3;
/** Warm-up is over where this many milliseconds brought no call that is faster by this part than all before, several times running. */
const WINDOW = 250;
const GAIN = 0.03;
const CALM = 3;
/** What lasts no longer is not told from nothing by the clocks of browsers. */
const CLOCK_MS = 0.2;

/**
 * Times everybody in turns, so that whatever else the machine does meets all of them alike. Compare by `ratioOf`, never by times of
 * different runs. Every other round goes backwards: who is first in a round is not always the same.
 */
export async function takeTurns(turns: readonly Turn[], o: TurnOptions): Promise<Samples[]> {
  const calls: number[] = [];
  for (const t of turns) calls.push(Math.max(1, Math.round(o.sampleMs / Math.max(await warm(t, o.warmMs), 1e-6))));
  const ms: number[][] = turns.map(() => []);
  const end = performance.now() + 1000 * o.seconds;
  for (let r = 0; r < o.rounds && (r < FEWEST || performance.now() < end); r++) {
    o.onRound?.(r);
    for (let i = 0; i < turns.length; i++) {
      const who = r % 2 === 0 ? i : turns.length - 1 - i;
      const n = calls[who] ?? 1;
      const taken = await turns[who]?.sample(n);
      ms[who]?.push((taken ?? NaN) / n);
    }
  }
  return turns.map((_, i) => ({ calls: calls[i] ?? 1, ms: ms[i] ?? [] }));
}
/** Calls until it gets no faster, and gives the best milliseconds of a call. Engines compile what is called often again, and better. */
async function warm(t: Turn, [least, most]: readonly [number, number]): Promise<number> {
  const start = performance.now();
  let best = Infinity;
  let calm = 0;
  let calls = 1;
  while (calm < CALM || performance.now() - start < least) {
    let inWindow = Infinity;
    const end = performance.now() + Math.min(WINDOW, least);
    do {
      const taken = await t.sample(calls);
      if (taken < CLOCK_MS) calls *= 2;
      else inWindow = Math.min(inWindow, taken / calls);
    } while (performance.now() < end || inWindow === Infinity);
    calm = inWindow < best * (1 - GAIN) ? 0 : calm + 1;
    best = Math.min(best, inWindow);
    if (performance.now() - start > most) break;
  }
  return best;
}

/**
 * A loop of arithmetic that never changes. Its time tells how fast the machine is at the moment, so that times of different days and versions
 * can be compared.
 */
export function calibration(): Turn {
  const table = Float64Array.from({ length: 1024 }, (_, i) => 1 + i / 4096);
  const loop = (): number => {
    let [bits, sum] = [1, 0];
    for (let i = 0; i < 20_000; i++) {
      bits = (Math.imul(bits, 1664525) + 1013904223) | 0;
      sum = sum * 0.5 + (table[bits >>> 22] ?? 0);
    }
    return sum;
  };
  return timed(loop);
}
/** A turn of a function that is called in this process. */
export const timed = (run: () => unknown): Turn => ({
  sample: async calls => {
    const start = performance.now();
    for (let i = 0; i < calls; i++) {
      const done = run();
      if (done instanceof Promise) await done;
    }
    return performance.now() - start;
  },
});
/** A turn of calls one after the other, and again from the first: calls that differ by their inputs. */
export function timedOver(calls: readonly (() => unknown)[]): Turn {
  let next = 0;
  return timed(() => calls[next++ % calls.length]?.());
}
