// Metrics as CloudWatch keeps them: statistics of each minute, by namespace, name and dimensions. In memory, the newest three days.

export type Dimensions = Readonly<Record<string, string>>;
export const MINUTE_MS = 60_000;
const KEPT_MINUTES = 3 * 24 * 60;
/** More series than this are refused: dimensions are given by callers. */
export const MAX_SERIES = 20_000;

export interface Point {
  /** The start of the minute. */
  readonly at: number;
  count: number;
  sum: number;
  min: number;
  max: number;
  /** Samples by size, for percentiles; buckets are 2 % wide. */
  readonly buckets: Map<number, number>;
}
export type Statistic = 'SampleCount' | 'Sum' | 'Average' | 'Minimum' | 'Maximum' | `p${number}`;
/** What a period of one or more minutes holds. */
export type Summary = Omit<Point, 'at'>;

export interface Series {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Dimensions;
  add(now: number, value: number, count?: number): void;
  /** A summary of samples that the caller has counted itself. */
  merge(now: number, summary: Omit<Summary, 'buckets'>): void;
  /** Makes sure that the minute has a sample: a metric that is idle is 0, not missing. */
  zero(now: number): void;
  /** The minutes from a time up to another, without those that have no samples. */
  points(from: number, until: number): readonly Point[];
}
export interface Metrics {
  series(namespace: string, name: string, dimensions: Dimensions): Series;
  find(namespace: string, name: string, dimensions: Dimensions): Series | undefined;
  all(): Iterable<Series>;
  /** Forgets the series that a test accepts. */
  drop(test: (s: Series) => boolean): void;
}

export function createMetrics(): Metrics {
  const known = new Map<string, Series>();
  return {
    series: (namespace, name, dimensions) => {
      const key = keyOf(namespace, name, dimensions);
      let s = known.get(key);
      if (s === undefined) {
        if (known.size >= MAX_SERIES) throw new RangeError(`more than ${MAX_SERIES} metrics`);
        known.set(key, (s = createSeries(namespace, name, dimensions)));
      }
      return s;
    },
    find: (namespace, name, dimensions) => known.get(keyOf(namespace, name, dimensions)),
    all: () => known.values(),
    drop: test => {
      for (const [key, s] of known) if (test(s)) known.delete(key);
    },
  };
}
const keyOf = (namespace: string, name: string, dimensions: Dimensions): string =>
  JSON.stringify([namespace, name, Object.entries(dimensions).sort(([a], [b]) => (a < b ? -1 : 1))]);

function createSeries(namespace: string, name: string, dimensions: Dimensions): Series {
  const minutes = new Map<number, Point>();
  let newest: Point | undefined;
  const point = (now: number): Point => {
    const at = Math.floor(now / MINUTE_MS) * MINUTE_MS;
    if (newest?.at === at) return newest;
    let p = minutes.get(at);
    if (p === undefined) {
      minutes.set(at, (p = { at, count: 0, sum: 0, min: Infinity, max: -Infinity, buckets: new Map() }));
      // Minutes come in order, but for what callers put in later.
      for (const old of minutes.keys()) {
        if (minutes.size <= KEPT_MINUTES) break;
        minutes.delete(old);
      }
    }
    if (newest === undefined || at > newest.at) newest = p;
    return p;
  };
  return {
    namespace,
    name,
    dimensions,
    add: (now, value, count = 1) => {
      const p = point(now);
      p.count += count;
      p.sum += value * count;
      if (value < p.min) p.min = value;
      if (value > p.max) p.max = value;
      const b = bucket(value);
      p.buckets.set(b, (p.buckets.get(b) ?? 0) + count);
    },
    merge: (now, s) => {
      const p = point(now);
      p.count += s.count;
      p.sum += s.sum;
      p.min = Math.min(p.min, s.min);
      p.max = Math.max(p.max, s.max);
    },
    zero: now => {
      const p = point(now);
      if (p.count > 0) return;
      p.count = 1;
      p.min = p.max = 0;
      p.buckets.set(0, 1);
    },
    points: (from, until) => [...minutes.values()].filter(p => p.at >= from && p.at < until).sort((a, b) => a.at - b.at),
  };
}

const LOG_WIDTH = Math.log(1.02);
/** 0 for 0; sizes below 1e-9 are 0 too. */
function bucket(v: number): number {
  const size = Math.abs(v);
  return size < 1e-9 ? 0 : Math.sign(v) * (2000 + Math.round(Math.log(size) / LOG_WIDTH));
}
const middle = (b: number): number => (b === 0 ? 0 : Math.sign(b) * Math.exp((Math.abs(b) - 2000) * LOG_WIDTH));

/** Periods of so many seconds, aligned to their length, of points; those without samples are left out. */
export function periods(points: readonly Point[], seconds: number): readonly (Summary & { readonly at: number })[] {
  const ms = Math.max(MINUTE_MS, seconds * 1000);
  const out = new Map<number, Point>();
  for (const p of points) {
    if (p.count === 0) continue;
    const at = Math.floor(p.at / ms) * ms;
    let sum = out.get(at);
    if (sum === undefined) out.set(at, (sum = { at, count: 0, sum: 0, min: Infinity, max: -Infinity, buckets: new Map() }));
    sum.count += p.count;
    sum.sum += p.sum;
    sum.min = Math.min(sum.min, p.min);
    sum.max = Math.max(sum.max, p.max);
    for (const [b, n] of p.buckets) sum.buckets.set(b, (sum.buckets.get(b) ?? 0) + n);
  }
  return [...out.values()].sort((a, b) => a.at - b.at);
}
/** One statistic of a summary; percentiles are right within a bucket, and undefined where only sums are known. */
export function statistic(s: Summary, which: Statistic): number | undefined {
  switch (which) {
    case 'SampleCount':
      return s.count;
    case 'Sum':
      return s.sum;
    case 'Average':
      return s.sum / s.count;
    case 'Minimum':
      return s.min;
    case 'Maximum':
      return s.max;
    default:
      return percentile(s, Number(which.slice(1)) / 100);
  }
}
export const isStatistic = (text: string): text is Statistic =>
  ['SampleCount', 'Sum', 'Average', 'Minimum', 'Maximum'].includes(text) || /^p(100|\d{1,2}(\.\d{1,10})?)$/.test(text);
function percentile(s: Summary, fraction: number): number | undefined {
  const sorted = [...s.buckets].sort(([a], [b]) => a - b);
  const total = sorted.reduce((n, [, c]) => n + c, 0);
  if (total === 0) return undefined;
  let seen = 0;
  for (const [b, n] of sorted) {
    seen += n;
    if (seen >= fraction * total) return Math.min(s.max, Math.max(s.min, middle(b)));
  }
  return s.max;
}
