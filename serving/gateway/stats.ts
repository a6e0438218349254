/** What the last minute was like: a slot a second, latencies in classes of 10 %. */
const SECONDS = 60;
const CLASSES = 160;
const GROWTH = Math.log(1.1);
interface Slot {
  second: number;
  count: number;
  failed: number;
  readonly classes: Uint32Array;
}
export interface Window {
  /** Requests of each of the last seconds, oldest first. */
  readonly rates: readonly number[];
  readonly failed: number;
  /** Milliseconds, of the last 10 seconds; undefined where there was no request. */
  readonly p50: number | undefined;
  readonly p99: number | undefined;
}
export class Stats {
  readonly #slots: Slot[] = Array.from({ length: SECONDS + 1 }, () => ({
    second: -1,
    count: 0,
    failed: 0,
    classes: new Uint32Array(CLASSES),
  }));
  #at(second: number): Slot | undefined {
    return this.#slots[second % this.#slots.length];
  }
  /** Counts a request that took so many milliseconds. */
  add(ms: number, failed: boolean): void {
    const second = Math.floor(performance.now() / 1000);
    const slot = this.#at(second);
    if (!slot) return;
    if (slot.second !== second) {
      slot.second = second;
      slot.count = slot.failed = 0;
      slot.classes.fill(0);
    }
    slot.count++;
    if (failed) slot.failed++;
    // From 10 µs to 40 s.
    const c = Math.min(CLASSES - 1, Math.max(0, Math.round(Math.log(ms / 0.01) / GROWTH)));
    slot.classes[c] = (slot.classes[c] ?? 0) + 1;
  }
  window(): Window {
    const now = Math.floor(performance.now() / 1000);
    const rates: number[] = [];
    const classes = new Uint32Array(CLASSES);
    let failed = 0;
    for (let s = now - SECONDS + 1; s <= now; s++) {
      const slot = s < 0 ? undefined : this.#at(s);
      const here = slot?.second === s;
      rates.push(here ? slot.count : 0);
      if (!here) continue;
      failed += slot.failed;
      if (s > now - 10) slot.classes.forEach((n, i) => (classes[i] = (classes[i] ?? 0) + n));
    }
    return { rates, failed, p50: quantile(classes, 0.5), p99: quantile(classes, 0.99) };
  }
}
function quantile(classes: Uint32Array, q: number): number | undefined {
  const all = classes.reduce((a, b) => a + b, 0);
  let sum = 0;
  for (const [i, n] of classes.entries()) {
    sum += n;
    if (all > 0 && sum >= q * all) return 0.01 * Math.exp(i * GROWTH);
  }
  return undefined;
}
