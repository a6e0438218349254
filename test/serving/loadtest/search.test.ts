import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { missOf, search, type Found, type Goal, type Measured } from '../../../serving/loadtest/search.ts';

const goal: Goal = { percentile: 99, below: 50 };
const measured = (rate: number, latency: number, more: Partial<Measured> = {}): Measured => ({
  rate,
  errors: {},
  overloaded: false,
  lag: 0.1,
  percentile: p => latency * (p / 99),
  ...more,
});
/** A queue with one server of 1 / `capacity` seconds: its latency grows without end towards its capacity. */
const queue =
  (capacity: number) =>
  (rate: number): Promise<Measured> =>
    Promise.resolve(measured(rate, rate < capacity ? 4605 / (capacity - rate) : Infinity, { overloaded: rate >= capacity }));
const find = (measure: (rate: number) => Promise<Measured>, start = 10, most = 1e5, precision = 0.05): Promise<Found<Measured>> =>
  search(measure, { goal, start, most, precision, confirm: 3 });

describe('missOf', () => {
  it('names what is missed', () => {
    expect(missOf(measured(1, 49.9), goal)).toBeUndefined();
    expect(missOf(measured(1, 50), goal)).toBe('latency');
    expect(missOf(measured(1, 49, { errors: { 'status 503': 1 } }), goal)).toBe('errors');
    expect(missOf(measured(1, 49, { overloaded: true }), goal)).toBe('overloaded');
  });
  it('does not blame the server for requests that left late', () => {
    expect(missOf(measured(1, 60, { lag: 31 }), goal)).toBe('generator');
    expect(missOf(measured(1, 60, { lag: 31, errors: { 'no answer': 1 } }), goal)).toBe('generator');
    expect(missOf(measured(1, 60, { lag: 31, errors: { 'status 500': 1 } }), goal)).toBe('errors');
    expect(missOf(measured(1, 600, { lag: 31 }), goal)).toBe('latency');
    expect(missOf(measured(1, 40, { lag: 30 }), goal)).toBeUndefined();
  });
});
describe('search', () => {
  it('finds the rate of a queue, from below and from above', async () => {
    // 4605 / (capacity - rate) is below 50 up to capacity - 92.1.
    for (const start of [1, 10, 400, 90_000]) {
      const { best, limit } = await find(queue(500), start);
      expect(best?.rate).toBeLessThan(407.9);
      expect(best?.rate).toBeGreaterThan(407.9 * 0.94);
      expect(['latency', 'overloaded']).toContain(limit);
    }
  });
  it('is as exact as it is asked to be, whatever the server can do', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 100, max: 90_000 }),
        fc.double({ min: 0.5, max: 1e5, noNaN: true }),
        async (capacity, start) => {
          const edge = capacity - 92.1;
          const { best } = await find(queue(capacity), start, 1e5, 0.1);
          if (best === undefined) throw new Error('nothing was found');
          expect(best.rate).toBeLessThanOrEqual(edge + 1e-6);
          expect(best.rate).toBeGreaterThanOrEqual(edge * 0.9 - 1e-6);
        },
      ),
    );
  });
  it('stops at the most that it may try', async () => {
    const tried: number[] = [];
    const { best, limit } = await find(rate => (tried.push(rate), queue(1e6)(rate)), 10, 70);
    expect(best?.rate).toBe(70);
    expect(limit).toBeUndefined();
    expect(tried).toEqual([10, 20, 40, 70, 70]);
  });
  it('lowers a rate that does not last', async () => {
    const { best, limit } = await search(async (rate, times) => (times === 1 ? queue(500)(rate) : queue(400)(rate)), {
      ...{ goal, start: 10, most: 1e5, precision: 0.05, confirm: 3 },
    });
    expect(best?.rate).toBeLessThan(307.9);
    expect(best?.rate).toBeGreaterThan(307.9 * 0.94);
    expect(limit).toBe('latency');
  });
  it('gives up where nothing is slow enough', async () => {
    const { best, limit } = await find(rate => Promise.resolve(measured(rate, 80)));
    expect(best).toBeUndefined();
    expect(limit).toBe('latency');
  });
  it('tries again what misses once', async () => {
    let hiccups = 0;
    const { best } = await find(rate =>
      rate === 20 && hiccups++ === 0 ? Promise.resolve(measured(rate, 500)) : queue(500)(rate),
    );
    expect(best?.rate).toBeGreaterThan(380);
    expect(hiccups).toBe(2);
  });
});
