import { evaluate } from './alarms.ts';
import type { Metrics } from './metrics.ts';
import type { Registry } from './registry.ts';

/** Looks at all alarms; gives the names of those that are in ALARM. */
export function evaluateAlarms(r: Registry, metrics: Metrics, now: number): readonly string[] {
  const on: string[] = [];
  for (const [name, alarm] of [...r.alarms.entries()]) {
    const from = now - (alarm.evaluationPeriods + 1) * alarm.period * 1000;
    const points = metrics.find(alarm.namespace, alarm.metric, alarm.dimensions)?.points(from, now) ?? [];
    const next = evaluate(alarm, points, now);
    if (next !== alarm) r.alarms.put(name, next);
    if (next.value === 'ALARM') on.push(name);
  }
  return on;
}
