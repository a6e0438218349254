// The pure parts: endpoints and deployments on a simulated clock, alarms, metrics, the journal, routes.
import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { evaluate, type Alarm } from '../../../serving/control/alarms.ts';
import { ALL_AT_ONCE, canary, linear, rolling, type Policy } from '../../../serving/control/deployment.ts';
import {
  create,
  decide,
  shares,
  status,
  wanted,
  type EndpointEvent,
  type EndpointState,
} from '../../../serving/control/endpoint.ts';
import type { Fleet } from '../../../serving/control/fleet.ts';
import { openJournal } from '../../../serving/control/journal.ts';
import { createMetrics, periods, statistic } from '../../../serving/control/metrics.ts';
import { choose, type Route } from '../../../serving/control/routing.ts';

const fleet = (id: string, count = 4): Fleet => ({
  id,
  config: id,
  variants: [{ name: 'v', model: 'm', instanceType: 'ml.m5.large', count, weight: 1, shadow: false, routing: 'RANDOM' }],
});
const policy = (more: Partial<Policy>): Policy => ({
  steps: ALL_AT_ONCE,
  bakeMs: 100,
  terminationMs: 50,
  timeoutMs: 10_000,
  alarms: [],
  ...more,
});
/** An endpoint whose instances start at once: what was seen at each time that something changed. */
function simulate(
  more: Partial<Policy>,
  inject: (now: number) => EndpointEvent | undefined = () => undefined,
): { seen: string[]; state: EndpointState } {
  let state = create('e', fleet('blue'), 0).state;
  const seen: string[] = [];
  const send = (e: EndpointEvent, now: number): void => {
    state = decide(state, e, now).state;
  };
  const observe = (now: number): void => {
    for (const id of ['blue', 'green']) {
      const n = wanted(state)
        .filter(w => w.fleet.id === id)
        .reduce((sum, w) => sum + w.count, 0);
      send({ k: 'fleet', fleet: id, ready: { v: n } }, now);
    }
  };
  observe(0);
  send({ k: 'update', green: fleet('green'), policy: policy(more) }, 0);
  for (let now = 0; now <= 2000; now += 10) {
    const event = inject(now);
    if (event) send(event, now);
    send({ k: 'tick' }, now);
    observe(now);
    const green = shares(state).find(s => s.fleet.id === 'green')?.share ?? 0;
    const running = (id: string): number =>
      wanted(state)
        .filter(w => w.fleet.id === id)
        .reduce((sum, w) => sum + w.count, 0);
    const line = `${status(state)} ${green} ${running('blue')}+${running('green')}`;
    if (seen.at(-1)?.replace(/^\d+ /, '') !== line) seen.push(`${now} ${line}`);
  }
  return { seen, state };
}

describe('a deployment', () => {
  it('all at once: bakes, then lets blue go', () => {
    expect(simulate({}).seen).toEqual(['0 Updating 1 4+4', '150 InService 1 0+4']);
  });
  it('canary', () => {
    expect(simulate({ steps: canary(0.3) }).seen).toEqual(['0 Updating 0.3 4+4', '100 Updating 1 4+4', '250 InService 1 0+4']);
  });
  it('linear, whose last step is what is left', () => {
    const { seen } = simulate({ steps: linear(0.4) });
    expect(seen).toEqual(['0 Updating 0.4 4+4', '100 Updating 0.8 4+4', '200 Updating 1 4+4', '350 InService 1 0+4']);
  });
  it('rolling: as many of blue stop as of green have started', () => {
    expect(simulate({ steps: rolling(0.25) }).seen).toEqual([
      '0 Updating 0.25 4+1',
      '100 Updating 0.5 3+2',
      '200 Updating 0.75 2+3',
      '300 Updating 1 1+4',
      '450 InService 1 0+4',
    ]);
  });
  it('goes back on an alarm while it bakes, and not after', () => {
    const alarm =
      (at: number) =>
      (now: number): EndpointEvent | undefined =>
        now === at ? { k: 'alarm', alarm: 'a' } : undefined;
    const back = simulate({ steps: canary(0.3), alarms: ['a'] }, alarm(50));
    expect(back.seen).toEqual(['0 Updating 0.3 4+4', '50 InService 0 4+0']);
    expect(back.state).toMatchObject({ live: { id: 'blue' }, failure: 'Alarm a went into ALARM during the deployment.' });
    expect(simulate({ alarms: ['a'] }, alarm(120)).state.live.id).toBe('green');
    expect(simulate({ alarms: ['b'] }, alarm(50)).state.live.id).toBe('green');
  });
  it('goes back when it takes too long, or green fails', () => {
    expect(simulate({ timeoutMs: 60 }).state).toMatchObject({
      live: { id: 'blue' },
      failure: expect.stringContaining('did not end') as unknown as string,
    });
    const failed = simulate({}, now => (now === 20 ? { k: 'fleetFailed', fleet: 'green', reason: 'no' } : undefined));
    expect(failed.state).toMatchObject({ live: { id: 'blue' }, failure: 'no', phase: { k: 'inService' } });
  });
});

describe('an endpoint', () => {
  const events: fc.Arbitrary<EndpointEvent> = fc.oneof(
    fc.record({ k: fc.constant('fleet' as const), fleet: fc.constantFrom('blue', 'green'), ready: fc.record({ v: fc.nat(4) }) }),
    fc.record({ k: fc.constant('fleetFailed' as const), fleet: fc.constantFrom('blue', 'green'), reason: fc.constant('no') }),
    fc.record({
      k: fc.constant('update' as const),
      green: fc.constant(fleet('green')),
      policy: fc.constantFrom(policy({}), policy({ steps: rolling(0.5) }), policy({ steps: canary(0.1), alarms: ['a'] })),
    }),
    fc.record({ k: fc.constant('resize' as const), live: fc.constantFrom(fleet('blue', 1), fleet('blue', 3)) }),
    fc.constant({ k: 'alarm' as const, alarm: 'a' }),
    fc.constant({ k: 'restart' as const }),
    fc.constant({ k: 'tick' as const }),
  );
  it('sends all of its traffic somewhere once it was in service, to instances that run, whatever happens', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(events, fc.nat(200)), { maxLength: 60 }), list => {
        let now = 0;
        let state = decide(create('e', fleet('blue'), 0).state, { k: 'fleet', fleet: 'blue', ready: { v: 4 } }, 0).state;
        for (const [event, ms] of list) {
          now += ms;
          const next = decide(state, event, now);
          state = next.state;
          const to = shares(state);
          expect(to.reduce((sum, s) => sum + s.share, 0)).toBeCloseTo(1);
          for (const { fleet: f } of to) expect(wanted(state).some(w => w.fleet.id === f.id && w.count > 0)).toBe(true);
          // What is journalled is all there is.
          expect(JSON.parse(JSON.stringify(state))).toEqual(state);
        }
      }),
    );
  });
  it('is gone once it is deleted and nothing runs', () => {
    let d = create('e', fleet('blue'), 0);
    d = decide(d.state, { k: 'delete' }, 1);
    expect(d.actions).toEqual([{ k: 'scale', wanted: [] }]);
    expect(status(d.state)).toBe('Deleting');
    expect(decide(d.state, { k: 'stopped' }, 2).actions).toEqual([{ k: 'end' }]);
  });
});

describe('the choice of a variant', () => {
  const route = {
    endpoint: 'e',
    arn: '',
    fleets: [
      {
        share: 0.25,
        config: 'a',
        shadow: undefined,
        capture: undefined,
        variants: [{ variant: { name: 'x', weight: 1 } }, { variant: { name: 'y', weight: 3 } }],
      },
      {
        share: 0.75,
        config: 'b',
        shadow: undefined,
        capture: undefined,
        variants: [{ variant: { name: 'x', weight: 0 } }, { variant: { name: 'y', weight: 2 } }],
      },
    ],
  } as unknown as Route;
  it('follows shares and weights', () => {
    const counts = new Map<string, number>();
    const N = 40_000;
    // Evenly spread numbers in the place of random ones.
    for (let i = 0; i < N; i++) {
      const numbers = [((i * 7919) % N) / N, ((i * 104_729) % 9973) / 9973];
      const c = choose(route, undefined, () => numbers.shift() ?? 0);
      const key = `${c?.fleet.config ?? ''}${c?.variant.variant.name ?? ''}`;
      counts.set(key, (counts.get(key) ?? 0) + 1 / N);
    }
    expect(counts.get('ax')).toBeCloseTo(0.0625, 2);
    expect(counts.get('ay')).toBeCloseTo(0.1875, 2);
    expect(counts.get('by')).toBeCloseTo(0.75, 2);
    expect(counts.get('bx')).toBeUndefined();
  });
  it('takes the one that is named, whatever its weight', () => {
    expect(choose(route, 'x', () => 0.9)?.fleet.config).toBe('b');
    expect(choose(route, 'z', () => 0.9)).toBeUndefined();
  });
});

describe('metrics and alarms', () => {
  const MINUTE = 60_000;
  it('sum up minutes to periods', () => {
    const s = createMetrics().series('N', 'm', { d: '1' });
    for (let i = 1; i <= 100; i++) s.add(5 * MINUTE, i);
    s.add(6 * MINUTE, 1000);
    const [p] = periods(s.points(0, 10 * MINUTE), 300);
    expect(p).toMatchObject({ at: 5 * MINUTE, count: 101, sum: 6050, min: 1, max: 1000 });
    expect(p && statistic(p, 'p50')).toBeCloseTo(51, -0.5);
    expect(p && statistic(p, 'p100')).toBe(1000);
    s.zero(5 * MINUTE);
    expect(s.points(5 * MINUTE, 6 * MINUTE)[0]?.count).toBe(100);
  });
  const alarm: Alarm = {
    name: 'a',
    namespace: 'N',
    metric: 'm',
    dimensions: {},
    statistic: 'Sum',
    period: 60,
    evaluationPeriods: 3,
    datapointsToAlarm: 2,
    threshold: 10,
    comparison: 'GreaterThanThreshold',
    missing: 'missing',
    actionsEnabled: true,
    actions: { ok: [], alarm: [], insufficient: [] },
    value: 'INSUFFICIENT_DATA',
    reason: '',
    updated: 0,
    configured: 0,
  };
  const after = (values: readonly (number | undefined)[], more: Partial<Alarm> = {}): string => {
    const s = createMetrics().series('N', 'm', {});
    values.forEach((v, i) => v !== undefined && s.add(i * MINUTE, v));
    const now = values.length * MINUTE;
    return evaluate({ ...alarm, ...more }, s.points(0, now), now).value;
  };
  it('turn on by so many points of the newest periods', () => {
    expect(after([11, 11, 1])).toBe('ALARM');
    expect(after([11, 1, 1])).toBe('OK');
    expect(after([11, 11, 1, 1])).toBe('OK');
    expect(after([10, 10, 10])).toBe('OK');
    expect(after([10, 10, 10], { comparison: 'GreaterThanOrEqualToThreshold' })).toBe('ALARM');
  });
  it('treat missing points as they are told', () => {
    const none = [undefined, undefined, undefined];
    expect(after(none)).toBe('INSUFFICIENT_DATA');
    expect(after(none, { missing: 'breaching' })).toBe('ALARM');
    expect(after(none, { missing: 'notBreaching' })).toBe('OK');
    expect(after(none, { missing: 'ignore', value: 'ALARM' })).toBe('ALARM');
    expect(after([11, undefined, 11])).toBe('ALARM');
  });
});

describe('the journal', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sinter-journal-'));
  const path = join(folder, 'journal.jsonl');
  const all = (): unknown => {
    const j = openJournal(path);
    const out = Object.fromEntries(['a', 'b'].map(k => [k, Object.fromEntries(j.all(k))]));
    j.close();
    return out;
  };
  it('is what was written, cut off at any byte: a state that was, never a part of one', () => {
    rmSync(path, { force: true });
    const j = openJournal(path);
    const states: unknown[] = [{ a: {}, b: {} }];
    for (const [kind, key, value] of [
      ['a', 'x', 1],
      ['a', 'y', { t: 'é\n' }],
      ['b', 'x', [1]],
      ['a', 'x', undefined],
      ['a', 'y', 3],
    ] as const) {
      if (value === undefined) j.delete(kind, key);
      else j.put(kind, key, value);
      states.push(Object.fromEntries(['a', 'b'].map(k => [k, Object.fromEntries(j.all(k))])));
    }
    j.close();
    const bytes = readFileSync(path);
    for (let n = 0; n <= bytes.length; n++) {
      writeFileSync(path, bytes);
      truncateSync(path, n);
      const back = all();
      expect(states).toContainEqual(back);
      // Opened again it is the same: reading has mended it.
      expect(all()).toEqual(back);
    }
    rmSync(path);
  });
  it('refuses a line in the middle that is damaged', () => {
    writeFileSync(path, '["a","x",1]\n');
    appendFileSync(path, 'garbage\n["a","y",2]\n');
    expect(() => openJournal(path)).toThrow(/journal\.jsonl:2 is not a line of a journal/);
    rmSync(folder, { recursive: true });
  });
});
