import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { must } from '../../compiler/core/diagnostic.ts';
import { rangeOf } from '../../compiler/quantize/calibrators.ts';
import { observer, shareOutside, type Observation } from '../../compiler/quantize/observe.ts';
import { affineOf, METHODS, shortFloat } from '../../compiler/quantize/scheme.ts';

const floats = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -100, max: 100 }), {
  minLength: 1,
  maxLength: 200,
});
const samples = fc.array(floats, { minLength: 1, maxLength: 5 });
function observed(all: readonly (readonly number[])[]): Observation {
  const o = observer();
  for (const s of all) expect(o.add(Float32Array.from(s))).toBe(true);
  return o.result();
}
/** Mostly near 0, with a few far off. */
const heavyTail = Array.from({ length: 20_000 }, (_, i) => Math.tan(((i + 0.5) / 20_000 - 0.5) * 3.1));
const error = (data: readonly number[], min: number, max: number): number => {
  const { scale, zero } = must(affineOf(min, max));
  return data.reduce((s, v) => {
    const q = Math.min(255, Math.max(0, Math.round(v / scale) + zero));
    return s + (v - (q - zero) * scale) ** 2;
  }, 0);
};

describe('ranges', () => {
  it('hold 0 and lie within the extremes, by every method', () =>
    fc.assert(
      fc.property(samples, fc.constantFrom(...METHODS), (all, method) => {
        const { min, max } = rangeOf(observed(all), method);
        const data = all.flat();
        expect(min <= 0 && max >= 0).toBe(true);
        expect(min >= Math.min(0, ...data) && max <= Math.max(0, ...data)).toBe(true);
      }),
      { numRuns: 40 },
    ));
  it('of all elements are the extremes, and nothing lies outside', () =>
    fc.assert(
      fc.property(samples, all => {
        const o = observed(all);
        const data = all.flat().map(Math.fround);
        const r = rangeOf(o, 'minmax');
        expect(r).toEqual({ min: Math.min(0, ...data), max: Math.max(0, ...data) });
        expect(shareOutside(o, r.min, r.max)).toBe(0);
      }),
    ));
  it('do not depend on the order of samples, but for the moving average', () =>
    fc.assert(
      fc.property(samples, fc.constantFrom('minmax', 'percentile', 'mse', 'entropy'), (all, method) => {
        expect(rangeOf(observed([...all].reverse()), method)).toEqual(rangeOf(observed(all), method));
      }),
      { numRuns: 40 },
    ));
  it('of percentiles leave out that part of the elements', () => {
    const o = observed([heavyTail]);
    const { min, max } = rangeOf(o, 'percentile', 99);
    const outside = heavyTail.filter(v => v < min || v > max).length / heavyTail.length;
    expect(outside).toBeLessThanOrEqual(0.01);
    expect(outside).toBeGreaterThan(0.005);
    expect(shareOutside(o, min, max)).toBeCloseTo(outside, 3);
  });
  it('of the least error have no larger one than those of other methods', () => {
    // So many elements that one far off is worth less than steps half as wide for the others.
    const data = [...Array.from({ length: 40 }, () => heavyTail.filter(v => Math.abs(v) < 2)).flat(), 5];
    const o = observed([data]);
    const of = (method: 'mse' | 'minmax' | 'percentile'): number => {
      const { min, max } = rangeOf(o, method);
      return error(data, min, max);
    };
    expect(of('mse')).toBeLessThan(0.95 * of('minmax'));
    expect(of('mse')).toBeLessThanOrEqual(1.02 * of('percentile'));
  });
  it('of the least divergence cut off what is far away', () => {
    const { max } = rangeOf(observed([[...heavyTail, 5000]]), 'entropy');
    expect(max).toBeLessThan(2500);
  });
  it('of zeros have no width, whatever the method', () => {
    for (const method of METHODS) expect(rangeOf(observed([[0, 0], [0]]), method)).toEqual({ min: 0, max: 0 });
    expect(affineOf(0, 0)).toBeUndefined();
  });
});
describe('observers', () => {
  it('tell what is not finite', () => {
    for (const v of [NaN, Infinity, -Infinity]) expect(observer().add(Float32Array.of(1, v))).toBe(false);
  });
  it('count each element once, however far the range grows', () =>
    fc.assert(
      fc.property(fc.array(fc.double({ min: -30, max: 30, noNaN: true }), { minLength: 1, maxLength: 50 }), exponents => {
        const o = observed(exponents.map(e => [2 ** e, -(2 ** e) / 3, 0]));
        expect(o.bins.reduce((a, b) => a + b, 0) + o.zeros).toBe(3 * exponents.length);
        expect(o.count).toBe(3 * exponents.length);
      }),
    ));
});
describe('scales', () => {
  const ends = fc.float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(0.001), max: 1000 });
  it('bring what lies in the range back to within half a step, and 0 exactly', () =>
    fc.assert(
      fc.property(ends, ends, fc.double({ min: 0, max: 1, noNaN: true }), (a, b, at) => {
        const { scale, zero } = must(affineOf(-a, b));
        const v = -a + at * (a + b);
        const q = Math.min(255, Math.max(0, Math.round(v / scale) + zero));
        expect(Math.abs((q - zero) * scale - v)).toBeLessThanOrEqual(scale * 1.01);
        expect(Number.isInteger(zero) && zero >= 0 && zero <= 255).toBe(true);
      }),
    ));
  it('are written as the shortest decimals that are the same floats', () =>
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), v => {
        expect(Math.fround(shortFloat(v)) === Math.fround(v)).toBe(true);
      }),
    ));
});
