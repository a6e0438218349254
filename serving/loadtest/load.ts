/**
 * Load at a fixed rate. The loop is open: when a request is sent does not depend on the answers, as with users who do not know of each other.
 * Its latency counts from the moment at which it was meant to be sent, so that what waits behind a slow answer is slow as well
 * ("coordinated omission": Gil Tene, How NOT to Measure Latency; https://github.com/giltene/wrk2).
 */
import { build, type Histogram } from 'hdr-histogram-js';
import { Pool, type Dispatcher } from 'undici';
import { randomStream, reasonOf, type Requests } from './request.ts';

export interface LoadOptions {
  /** Requests a second. */
  readonly rate: number;
  /** In seconds. */
  readonly duration: number;
  /** When requests are sent: at random (a Poisson process) or at even distances. */
  readonly arrivals: 'poisson' | 'even';
  /** The most requests under way; more wait, and their latency runs. */
  readonly connections: number;
  /** After which a request has failed, in seconds. */
  readonly timeout: number;
  /** The load ends early when as many are unanswered as are sent in this time, in seconds: the server does not keep up. */
  readonly patience: number;
  readonly seed: number;
}
/** Percentiles in milliseconds. */
export interface Latency {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}
export interface LoadResult {
  /** Requests a second: what was asked for, and what was answered rightly. */
  readonly rate: number;
  readonly answered: number;
  readonly sent: number;
  /** How many failed, by the status or the reason. */
  readonly errors: Readonly<Record<string, number>>;
  readonly latency: Latency;
  /** How much later than meant requests left, at the 99th percentile, in milliseconds: a fault of this program, not of the server. */
  readonly lag: number;
  /** Whether it ended early. */
  readonly overloaded: boolean;
  /** Any percentile of the latency, in milliseconds. */
  readonly percentile: (p: number) => number;
}
/** Microseconds, to three digits, up to ten minutes. */
const histogram = (): Histogram =>
  build({ bitBucketSize: 64, lowestDiscernibleValue: 1, highestTrackableValue: 600_000_000, numberOfSignificantValueDigits: 3 });
const record = (h: Histogram, ms: number): void => h.recordValue(Math.min(600_000_000, Math.max(1, Math.round(ms * 1000))));

/** Sends requests at the given rate and gives what came of them. `signal` ends it early. */
export async function runLoad(requests: Requests, o: LoadOptions, signal?: AbortSignal): Promise<LoadResult> {
  const { url, bodies, headers } = requests;
  const pool = new Pool(url.origin, {
    connections: o.connections,
    pipelining: 1,
    headersTimeout: o.timeout * 1000,
    bodyTimeout: o.timeout * 1000,
    connect: { timeout: o.timeout * 1000 },
  });
  const path = url.pathname + url.search;
  const latencies = histogram();
  const lags = histogram();
  const errors = new Map<string, number>();
  const failed = (why: string): void => void errors.set(why, (errors.get(why) ?? 0) + 1);
  const next = randomStream(o.seed);
  const gap = (): number => (o.arrivals === 'even' ? 1000 : -1000 * Math.log(1 - next())) / o.rate;
  const backlog = Math.max(o.connections, o.rate * o.patience);

  let sent = 0;
  let unanswered = 0;
  let closing = false;
  let drained: (() => void) | undefined;
  const send = (intended: number): void => {
    record(lags, performance.now() - intended);
    const body = bodies[sent % bodies.length] ?? null;
    sent++;
    unanswered++;
    let open = true;
    const done = (error: string | undefined): void => {
      if (!open) return;
      open = false;
      unanswered--;
      record(latencies, performance.now() - intended);
      if (error !== undefined) failed(closing ? 'no answer' : error);
      if (unanswered === 0) drained?.();
    };
    pool.dispatch({ origin: url.origin, path, method: 'POST', headers, body }, handler(done));
  };
  try {
    const start = performance.now();
    const end = start + o.duration * 1000;
    let due = start + gap();
    while (due < end && unanswered < backlog && signal?.aborted !== true) {
      const now = performance.now();
      while (due <= now && due < end && unanswered < backlog) {
        send(due);
        due += gap();
      }
      // A timer is a millisecond late or more; in the last one the loop turns instead, and answers are read on the way.
      const wait = due - performance.now();
      await (wait > 2 ? sleep(wait - 1.5) : turn());
    }
    const overloaded = unanswered >= backlog;
    if (unanswered > 0 && !overloaded && signal?.aborted !== true)
      await withTimeout(new Promise<void>(r => (drained = r)), o.timeout * 1000);
    const ended = Math.min(performance.now(), end);
    closing = true;
    await pool.destroy();
    const wrong = [...errors.values()].reduce((a, b) => a + b, 0);
    const percentile = (p: number): number => latencies.getValueAtPercentile(p) / 1000;
    return {
      rate: o.rate,
      answered: ((sent - wrong) / (ended - start)) * 1000,
      sent,
      errors: Object.fromEntries(errors),
      latency: {
        p50: percentile(50),
        p90: percentile(90),
        p99: percentile(99),
        p999: percentile(99.9),
        max: latencies.maxValue / 1000,
      },
      lag: lags.getValueAtPercentile(99) / 1000,
      overloaded,
      percentile,
    };
  } finally {
    if (!closing) await pool.destroy();
  }
}
function handler(done: (error: string | undefined) => void): Dispatcher.DispatchHandler {
  let status = 0;
  return {
    onRequestStart: () => undefined,
    onResponseStart: (_controller, code) => void (status = code),
    onResponseData: () => undefined,
    onResponseEnd: () => done(status >= 200 && status < 300 ? undefined : `status ${status}`),
    onResponseError: (_controller, e) => done(reasonOf(e)),
  };
}
const sleep = (ms: number): Promise<void> => new Promise(r => setTimeout(r, ms));
const turn = (): Promise<void> => new Promise(r => setImmediate(r));
async function withTimeout(p: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([p, new Promise<void>(r => (timer = setTimeout(r, ms)))]);
  clearTimeout(timer);
}
