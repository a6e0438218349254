// The time of the control plane. It may run faster than the wall clock, so that a cooldown of minutes passes in seconds.

export interface Clock {
  /** Milliseconds since 1970, of the control plane's time. */
  now(): number;
  /** Calls back after so many milliseconds of this time. The process may end before. */
  after(ms: number, run: () => void): { cancel(): void };
}
/** The longest that a timer of Node takes. */
const LONGEST_MS = 2 ** 31 - 1;

/** A clock that starts with the wall clock and is `rate` times as fast. */
export function createClock(rate = 1): Clock {
  const start = Date.now();
  const monotonic = performance.now();
  return {
    now: () => start + (performance.now() - monotonic) * rate,
    after: (ms, run) => {
      const timer = setTimeout(run, Math.min(LONGEST_MS, Math.max(0, ms / rate)));
      timer.unref();
      return { cancel: () => clearTimeout(timer) };
    },
  };
}
