import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  COOLDOWN,
  decide,
  PERIOD,
  targetValue,
  type Decision,
  type Point,
  type Policy,
  type ScalerState,
} from '../../../serving/control/autoscaler.ts';
import {
  BURSTS,
  DAY,
  dayTraffic,
  longestDelay,
  simulateDay,
  STEP,
  type Day,
  type DayOptions,
} from '../../../serving/control/autoscaler-day.ts';

const policy = (changes: Partial<Policy> = {}): Policy => ({
  name: 'p',
  target: 100,
  scaleOutCooldown: COOLDOWN,
  scaleInCooldown: COOLDOWN,
  disableScaleIn: false,
  ...changes,
});
const scaler = (changes: Partial<ScalerState> = {}): ScalerState => ({
  min: 1,
  max: 10,
  policies: [policy()],
  instances: 2,
  updating: false,
  ...changes,
});
const NOW = 100 * PERIOD;
/** Points of the minutes before `now`, the newest last. */
const points = (values: readonly number[], instances = 2, now = NOW): Point[] =>
  values.map((value, i) => ({ at: now - (values.length - i) * PERIOD, value, instances }));
const many = (n: number, value: number): number[] => Array.from({ length: n }, () => value);
const decideOne = (s: ScalerState, p: readonly Point[], now = NOW): Decision => decide(s, new Map([['p', p]]), now);

describe('decide', () => {
  it('adds what brings the metric to the target, after three minutes above it', () => {
    expect(decideOne(scaler({ instances: 1 }), points([220, 220], 1)).action).toBeUndefined();
    expect(decideOne(scaler({ instances: 1 }), points([90, 220, 220], 1)).action).toBeUndefined();
    const d = decideOne(scaler({ instances: 1 }), points([220, 220, 220], 1));
    expect(d.action).toEqual({ k: 'out', from: 1, to: 3, policy: 'p' });
    expect(d.state).toMatchObject({ instances: 3, lastOut: { at: NOW, to: 3 } });
    expect(d.alarms).toEqual([{ policy: 'p', high: 'ALARM', low: 'INSUFFICIENT_DATA' }]);
  });
  it('takes instances away after fifteen minutes below 0.9 of the target, as many as the busiest of them can spare', () => {
    const s = scaler({ instances: 8 });
    expect(decideOne(s, points(many(14, 10), 8)).action).toBeUndefined();
    expect(decideOne(s, points([...many(7, 10), 91, ...many(7, 10)], 8)).action).toBeUndefined();
    expect(decideOne(s, points([60, ...many(14, 10)], 8)).action).toEqual({ k: 'in', from: 8, to: 5, policy: 'p' });
    expect(decideOne(s, points(many(15, 0), 8)).action).toMatchObject({ to: 1 });
  });
  it('knows how many instances a minute was measured with', () => {
    // Eight instances served 80 each, six now would each get 107.
    expect(decideOne(scaler({ instances: 8 }), points([...many(14, 40), 80], 8)).action).toMatchObject({ to: 7 });
    // What was measured with one says nothing of three that serve now.
    expect(decideOne(scaler({ instances: 3 }), points([220, 220, 220], 1)).action).toBeUndefined();
  });
  it('goes further out within the cooldown only if more is needed than the last change gave', () => {
    const s = scaler({ instances: 4, lastOut: { at: NOW - 60_000, to: 4 } });
    expect(decideOne(s, points([150, 150, 150], 2)).action).toBeUndefined();
    expect(decideOne(s, points([150, 150, 150], 4)).action).toMatchObject({ k: 'out', to: 6 });
    const lowered = { ...s, instances: 3 };
    expect(decideOne(lowered, points([130, 130, 130], 3)).action).toBeUndefined();
    expect(decideOne({ ...lowered, lastOut: { at: NOW - 300_000, to: 4 } }, points([130, 130, 130], 3)).action).toMatchObject({
      to: 4,
    });
  });
  it('goes in once a cooldown, and out in spite of it', () => {
    const s = scaler({ instances: 4, lastIn: { at: NOW - 299_999, to: 4 } });
    expect(decideOne(s, points(many(15, 10), 4)).action).toBeUndefined();
    expect(decideOne(s, points(many(15, 10), 4, NOW + 60_000), NOW + 60_000).action).toMatchObject({ k: 'in' });
    expect(decideOne(s, points([130, 130, 130], 4)).action).toMatchObject({ k: 'out' });
  });
  it('does nothing without data, with old data, or with a gap', () => {
    const s = scaler({ instances: 4 });
    const none = { action: undefined, alarms: [{ policy: 'p', high: 'INSUFFICIENT_DATA', low: 'INSUFFICIENT_DATA' }], state: s };
    expect(decideOne(s, [])).toEqual(none);
    expect(decideOne(s, points(many(15, 500), 4, NOW - 3 * PERIOD))).toEqual(none);
    expect(
      decideOne(
        s,
        points([500, 500, 500], 4).filter((_, i) => i !== 1),
      ),
    ).toEqual(none);
    expect(
      decideOne(
        s,
        points(many(15, 10), 4).filter((_, i) => i !== 7),
      ).action,
    ).toBeUndefined();
    // The minute that has not ended is not looked at, and one that comes late is waited for.
    expect(decideOne(s, points([500, 500, 500], 4, NOW + 30_000))).toEqual(none);
    expect(decideOne(s, points([500, 500, 500], 4, NOW - PERIOD)).action).toMatchObject({ k: 'out' });
  });
  it('waits while the endpoint is updated, and goes on after', () => {
    const s = scaler({ instances: 1, updating: true });
    expect(decideOne(s, points([220, 220, 220], 1))).toMatchObject({ action: undefined, alarms: [{ high: 'ALARM' }] });
    expect(decideOne({ ...s, updating: false }, points([220, 220, 220], 1)).action).toMatchObject({ to: 3 });
  });
  it('clamps to the least and the most', () => {
    expect(decideOne(scaler({ max: 3 }), points([900, 900, 900])).action).toMatchObject({ to: 3 });
    expect(decideOne(scaler({ instances: 1, min: 2 }), [])).toMatchObject({ action: { k: 'out', from: 1, to: 2 } });
    expect(decideOne(scaler({ instances: 9, max: 4 }), []).action).toEqual({ k: 'in', from: 9, to: 4 });
    expect(decideOne(scaler({ instances: 5, min: 5 }), points(many(15, 0), 5)).action).toBeUndefined();
    expect(decideOne(scaler({ policies: [] }), []).action).toBeUndefined();
  });
  it('of several policies takes the largest count, and goes in only if all agree', () => {
    const s = scaler({ instances: 4, policies: [policy({ name: 'a' }), policy({ name: 'b', target: 50 })] });
    const both = (a: readonly Point[], b: readonly Point[]): Decision =>
      decide(
        s,
        new Map([
          ...([
            ['a', a],
            ['b', b],
          ] as const),
        ]),
        NOW,
      );
    expect(both(points([150, 150, 150], 4), points([90, 90, 90], 4)).action).toEqual({ k: 'out', from: 4, to: 8, policy: 'b' });
    expect(both(points(many(15, 10), 4), points(many(15, 48), 4)).action).toBeUndefined();
    expect(both(points(many(15, 60), 4), points(many(15, 10), 4)).action).toEqual({ k: 'in', from: 4, to: 3, policy: 'a' });
    expect(both(points(many(15, 10), 4), []).action).toBeUndefined();
    expect(both(points([150, 150, 150], 4), []).action).toMatchObject({ to: 6 });
    const outOnly = { ...s, policies: [policy({ name: 'a' }), policy({ name: 'b', disableScaleIn: true })] };
    expect(decide(outOnly, new Map([['a', points(many(15, 10), 4)]]), NOW).action).toMatchObject({ k: 'in', to: 1 });
    expect(
      decide({ ...outOnly, policies: outOnly.policies.slice(1) }, new Map([['b', points(many(15, 10), 4)]]), NOW).action,
    ).toBeUndefined();
  });
  it('loses no instance to the rounding of sums', () => {
    const third = Array.from({ length: 300 }, () => 1 / 3).reduce((a, b) => a + b, 0);
    expect(third).not.toBe(100);
    expect(
      decideOne(scaler({ instances: 4, policies: [policy({ target: third - 1e-12 })] }), points(many(15, 100 * 0.75), 4)).action,
    ).toMatchObject({
      to: 3,
    });
  });
  it('keeps its promises whatever is measured', () => {
    const value = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 1000 }), fc.double({ min: 0, max: 1e9, noNaN: true }));
    const point = fc.record({
      at: fc.integer({ min: 70, max: 103 }).map(m => m * PERIOD),
      value,
      instances: fc.integer({ min: 0, max: 9 }),
    });
    const change = fc.option(fc.record({ at: fc.integer({ min: 80 * PERIOD, max: NOW }), to: fc.integer({ min: 1, max: 9 }) }), {
      nil: undefined,
    });
    fc.assert(
      fc.property(
        fc.array(point, { maxLength: 40 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 5, max: 10 }),
        fc.integer({ min: 0, max: 12 }),
        fc.boolean(),
        change,
        change,
        (all, min, max, instances, updating, lastOut, lastIn) => {
          const s = scaler({ min, max, instances, updating, ...(lastOut && { lastOut }), ...(lastIn && { lastIn }) });
          const d = decideOne(s, all);
          if (updating) expect(d.action).toBeUndefined();
          if (!d.action) {
            expect(d.state).toEqual(s);
            return;
          }
          expect(d.action.to).toBeGreaterThanOrEqual(min);
          expect(d.action.to).toBeLessThanOrEqual(max);
          expect(d.state.instances).toBe(d.action.to);
          expect(d.action.k === 'out').toBe(d.action.to > instances);
          if (instances < min || instances > max) return;
          expect(d.alarms[0]?.[d.action.k === 'out' ? 'high' : 'low']).toBe('ALARM');
        },
      ),
    );
  });
});

const options: DayOptions = {
  traffic: dayTraffic(30, 330),
  maxRps: 50,
  safetyFactor: 0.5,
  min: 2,
  max: 60,
  startup: 60_000,
  length: DAY,
};
/** The moments at which fewer serve than were needed all the time for as long as scaling may take. */
function late({ moments }: Day, startup: number): number[] {
  const n = longestDelay(startup) / STEP;
  return moments.flatMap((m, i) =>
    i >= n && m.instances < Math.min(...moments.slice(i - n, i + 1).map(x => x.needed)) ? [m.at] : [],
  );
}
describe('a day of traffic', () => {
  const day = simulateDay(options);
  it('has never fewer instances than the safety factor asks for, for longer than the documented delay', () => {
    expect(late(day, options.startup)).toEqual([]);
    expect(Math.max(...day.moments.map(m => m.instances))).toBeGreaterThanOrEqual(21);
    // The factor of safety carries the rest: an instance is never asked for more than it can do outside of bursts.
    const started = longestDelay(options.startup);
    const calm = day.moments.filter(m => m.at > started && !BURSTS.some(b => m.at >= b.from && m.at < b.to));
    expect(calm.filter(m => m.rps > m.instances * options.maxRps)).toEqual([]);
  });
  it('follows the load back, and does not flap', () => {
    const { moments, actions } = day;
    expect(moments.at(-1)?.instances).toBeLessThanOrEqual(1.3 * (moments.at(-1)?.needed ?? 0));
    const turns = actions.filter((a, i) => i > 0 && actions[i - 1]?.k !== a.k);
    // Four bursts and one hill: out and in again for each.
    expect(turns.length).toBeLessThanOrEqual(2 * (BURSTS.length + 1));
    for (const [i, a] of actions.entries()) {
      const before = actions[i - 1];
      if (a.k === 'in' && before?.k === 'in') expect(a.at - before.at).toBeGreaterThanOrEqual(COOLDOWN * 1000);
      if (a.k === 'in' && before?.k === 'out') expect(a.at - before.at).toBeGreaterThanOrEqual(10 * PERIOD);
    }
  });
  it('leaves a load that does not change alone, however it wobbles', () => {
    for (const rps of [30, 49, 50, 51, 99, 100, 101, 260]) {
      const { actions } = simulateDay({ ...options, traffic: dayTraffic(rps, rps, []) });
      expect(actions.filter(a => a.k === 'in')).toEqual([]);
      expect(actions.length).toBeLessThanOrEqual(4);
    }
  });
  it('holds for any steps of load, starts and factors', () => {
    const step = fc.record({ minutes: fc.integer({ min: 1, max: 40 }), rps: fc.integer({ min: 0, max: 600 }) });
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 12 }),
        fc.constantFrom(0, 10_000, 60_000, 240_000),
        fc.constantFrom(0.3, 0.5, 1),
        (steps, startup, safetyFactor) => {
          const plan = steps.flatMap(s => Array.from({ length: s.minutes * 6 }, () => s.rps));
          const o = {
            ...options,
            startup,
            safetyFactor,
            length: plan.length * STEP,
            traffic: (at: number) => plan[at / STEP] ?? 0,
          };
          expect(late(simulateDay(o), startup)).toEqual([]);
        },
      ),
      { numRuns: 100 },
    );
  });
});
it('the target is what an instance can do in a minute, times the safety factor', () => {
  expect(targetValue(100)).toBe(3000);
  expect(targetValue(40, 0.25)).toBe(600);
});
