// Alarms over metrics: whether the newest periods break a threshold. Pure.
import { periods, statistic, type Dimensions, type Point, type Statistic } from './metrics.ts';
import { omit } from './omit.ts';

export type AlarmValue = 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';
export interface Alarm {
  readonly name: string;
  readonly description?: string;
  readonly namespace: string;
  readonly metric: string;
  readonly dimensions: Dimensions;
  readonly statistic: Statistic;
  readonly unit?: string;
  /** Seconds. */
  readonly period: number;
  readonly evaluationPeriods: number;
  readonly datapointsToAlarm: number;
  readonly threshold: number;
  readonly comparison: Comparison;
  readonly missing: 'breaching' | 'notBreaching' | 'ignore' | 'missing';
  readonly actionsEnabled: boolean;
  readonly actions: {
    readonly ok: readonly string[];
    readonly alarm: readonly string[];
    readonly insufficient: readonly string[];
  };
  readonly value: AlarmValue;
  readonly reason: string;
  readonly reasonData?: string;
  readonly updated: number;
  readonly configured: number;
  /** Until when a value that was set by hand stands. */
  readonly setUntil?: number;
}
export type Comparison =
  | 'GreaterThanOrEqualToThreshold'
  | 'GreaterThanThreshold'
  | 'LessThanThreshold'
  | 'LessThanOrEqualToThreshold';
export const isComparison = (text: string): text is Comparison => Object.hasOwn(SIGN, text);
const SIGN: Readonly<Record<Comparison, string>> = {
  GreaterThanOrEqualToThreshold: '>=',
  GreaterThanThreshold: '>',
  LessThanThreshold: '<',
  LessThanOrEqualToThreshold: '<=',
};
function breaks(a: Alarm, v: number): boolean {
  switch (a.comparison) {
    case 'GreaterThanOrEqualToThreshold':
      return v >= a.threshold;
    case 'GreaterThanThreshold':
      return v > a.threshold;
    case 'LessThanThreshold':
      return v < a.threshold;
    case 'LessThanOrEqualToThreshold':
      return v <= a.threshold;
  }
}

/** The alarm after a look at the points of its metric; the same value where nothing changes. Only periods that have ended count. */
export function evaluate(a: Alarm, points: readonly Point[], now: number): Alarm {
  if (a.setUntil !== undefined && now < a.setUntil) return a;
  const ms = a.period * 1000;
  const end = Math.floor(now / ms) * ms;
  const from = end - a.evaluationPeriods * ms;
  const values = periods(
    points.filter(p => p.at >= from && p.at < end),
    a.period,
  ).flatMap(p => statistic(p, a.statistic) ?? []);
  const absent = a.evaluationPeriods - values.length;
  const broken = values.filter(v => breaks(a, v)).length + (a.missing === 'breaching' ? absent : 0);
  const known = values.length + (a.missing === 'breaching' || a.missing === 'notBreaching' ? absent : 0);
  const [value, reason] =
    broken >= a.datapointsToAlarm
      ? ([
          'ALARM',
          `Threshold Crossed: ${broken} of ${a.evaluationPeriods} datapoints [${values.join(', ')}] ${SIGN[a.comparison]} ${a.threshold}.`,
        ] as const)
      : known > 0
        ? ([
            'OK',
            `Threshold not crossed: ${broken} of ${a.evaluationPeriods} datapoints [${values.join(', ')}] ${SIGN[a.comparison]} ${a.threshold}.`,
          ] as const)
        : a.missing === 'ignore'
          ? ([a.value, a.reason] as const)
          : (['INSUFFICIENT_DATA', `Insufficient Data: no datapoints in ${a.evaluationPeriods} periods.`] as const);
  return value === a.value
    ? a.setUntil === undefined
      ? a
      : omit(a, 'setUntil')
    : { ...omit(a, 'setUntil'), value, reason, updated: now };
}
