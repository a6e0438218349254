// CloudWatch: metrics and alarms over one metric.
import type {
  DeleteAlarmsInput,
  DescribeAlarmsInput,
  DescribeAlarmsOutput,
  Dimension,
  GetMetricDataInput,
  GetMetricDataOutput,
  GetMetricStatisticsInput,
  GetMetricStatisticsOutput,
  ListMetricsInput,
  ListMetricsOutput,
  MetricAlarm,
  MetricDatum,
  PutMetricAlarmInput,
  PutMetricDataInput,
  SetAlarmStateInput,
} from '@aws-sdk/client-cloudwatch';
import type { Checked } from '../../protocols/aws/check.ts';
import { AwsError } from '../../protocols/aws/errors.ts';
import { isComparison, type Alarm } from '../alarms.ts';
import { isStatistic, MAX_SERIES, periods, statistic, type Dimensions, type Metrics, type Statistic } from '../metrics.ts';
import type { Registry } from '../registry.ts';
import { arn, type Caller } from './caller.ts';
import { paginate } from './lists.ts';

type In<T> = Checked<T>;
const MAX_ALARMS = 5000;
const missing = (name: string): AwsError => new AwsError('MissingParameter', `The parameter ${name} is required.`);
const invalid = (message: string): AwsError => new AwsError('InvalidParameterValue', message);
const mixed = (message: string): AwsError => new AwsError('InvalidParameterCombination', message);
const dimensionsOf = (all: readonly In<Dimension>[] | undefined): Dimensions =>
  Object.fromEntries((all ?? []).map(d => [d.Name, d.Value]));
const listed = (d: Dimensions): Dimension[] => Object.entries(d).map(([Name, Value]) => ({ Name, Value }));
function period(seconds: number): number {
  if (seconds < 1 || (seconds % 60 !== 0 && ![1, 5, 10, 20, 30].includes(seconds)))
    throw invalid('Period must be 1, 5, 10, 20, 30 or a multiple of 60.');
  // Metrics are kept by the minute.
  return Math.max(60, seconds);
}
function statisticOf(text: string): Statistic {
  if (!isStatistic(text))
    throw invalid(
      `The statistic ${text} is not one that endpointd computes: SampleCount, Sum, Average, Minimum, Maximum, p0 to p100.`,
    );
  return text;
}

export function putMetricData(m: Metrics, i: In<PutMetricDataInput>, c: Caller): object {
  if (i.Namespace.startsWith('AWS/')) throw invalid('The value AWS/ for parameter Namespace is invalid.');
  const data = [...(i.MetricData ?? []), ...(i.EntityMetricData ?? []).flatMap(e => e.MetricData ?? [])];
  for (const d of data) check(d);
  for (const d of data) {
    const at = d.Timestamp?.getTime() ?? c.now;
    const series = room(() => m.series(i.Namespace, d.MetricName, dimensionsOf(d.Dimensions)));
    if (d.Value !== undefined) series.add(at, d.Value);
    (d.Values ?? []).forEach((v, n) => series.add(at, v, d.Counts?.[n] ?? 1));
    const s = d.StatisticValues;
    if (s !== undefined) series.merge(at, { count: s.SampleCount, sum: s.Sum, min: s.Minimum, max: s.Maximum });
  }
  return {};
}
function check(d: In<MetricDatum>): void {
  const forms = [d.Value, d.Values, d.StatisticValues].filter(x => x !== undefined).length;
  if (forms === 0) throw missing('MetricData.member.Value');
  if (forms > 1) throw mixed('The parameters Value, Values and StatisticValues are mutually exclusive.');
  if (d.Counts !== undefined && d.Counts.length !== d.Values?.length)
    throw mixed('The parameters Values and Counts must have the same length.');
}
function room<T>(run: () => T): T {
  try {
    return run();
  } catch (e) {
    if (e instanceof RangeError) throw new AwsError('LimitExceeded', `endpointd keeps at most ${MAX_SERIES} metrics.`);
    throw e;
  }
}
export function getMetricStatistics(m: Metrics, i: In<GetMetricStatisticsInput>): GetMetricStatisticsOutput {
  const wanted = [...(i.Statistics ?? []), ...(i.ExtendedStatistics ?? [])].map(statisticOf);
  if (wanted.length === 0) throw mixed('Statistics or ExtendedStatistics must be given.');
  if (i.StartTime >= i.EndTime) throw invalid('The parameter StartTime must be less than the parameter EndTime.');
  const points =
    m.find(i.Namespace, i.MetricName, dimensionsOf(i.Dimensions))?.points(floor(i.StartTime), i.EndTime.getTime()) ?? [];
  const extended = new Set(i.ExtendedStatistics);
  const data = periods(points, period(i.Period)).map(p => {
    const values = wanted.map(s => [s, statistic(p, s)] as const);
    const more = Object.fromEntries(values.filter(([s]) => extended.has(s)));
    return {
      Timestamp: new Date(p.at),
      ...Object.fromEntries(values.filter(([s]) => !extended.has(s))),
      ...(extended.size > 0 && { ExtendedStatistics: more as Record<string, number> }),
      Unit: 'None' as const,
    };
  });
  return { Label: i.MetricName, Datapoints: data };
}
/** A period that has begun before is asked for whole. */
const floor = (t: Date): number => Math.floor(t.getTime() / 60_000) * 60_000;

export function getMetricData(m: Metrics, i: In<GetMetricDataInput>): GetMetricDataOutput {
  if (i.StartTime >= i.EndTime) throw invalid('The parameter StartTime must be less than the parameter EndTime.');
  const results = i.MetricDataQueries.filter(q => q.ReturnData !== false).map(q => {
    const stat = q.MetricStat;
    if (stat === undefined) throw invalid(`The query ${q.Id} has no MetricStat; endpointd computes no expressions.`);
    const { Namespace, MetricName, Dimensions: dimensions } = stat.Metric;
    const which = statisticOf(stat.Stat);
    const points =
      m.find(Namespace ?? '', MetricName ?? '', dimensionsOf(dimensions))?.points(floor(i.StartTime), i.EndTime.getTime()) ?? [];
    const values = periods(points, period(stat.Period)).flatMap(p => {
      const v = statistic(p, which);
      return v === undefined ? [] : [{ at: p.at, v }];
    });
    if (i.ScanBy !== 'TimestampAscending') values.reverse();
    return {
      Id: q.Id,
      Label: q.Label ?? MetricName ?? '',
      Timestamps: values.map(x => new Date(x.at)),
      Values: values.map(x => x.v),
      StatusCode: 'Complete' as const,
    };
  });
  return { MetricDataResults: results, Messages: [] };
}
export function listMetrics(m: Metrics, i: In<ListMetricsInput>): ListMetricsOutput {
  const all = [...m.all()].filter(
    s =>
      (i.Namespace === undefined || s.namespace === i.Namespace) &&
      (i.MetricName === undefined || s.name === i.MetricName) &&
      (i.Dimensions ?? []).every(
        d => Object.hasOwn(s.dimensions, d.Name) && (d.Value === undefined || s.dimensions[d.Name] === d.Value),
      ),
  );
  const { page, next } = paginate(all, i.NextToken, 500);
  return { Metrics: page.map(s => ({ Namespace: s.namespace, MetricName: s.name, Dimensions: listed(s.dimensions) })), ...next };
}

export function putMetricAlarm(r: Registry, i: In<PutMetricAlarmInput>, c: Caller): object {
  if (i.Metrics !== undefined || i.EvaluationCriteria !== undefined)
    throw invalid('endpointd takes alarms over one metric: give Namespace, MetricName and Statistic.');
  const need = <T>(v: T | undefined, name: string): T => {
    if (v === undefined) throw missing(name);
    return v;
  };
  const comparison = need(i.ComparisonOperator, 'ComparisonOperator');
  if (!isComparison(comparison)) throw invalid(`endpointd does not detect anomalies: ${comparison}.`);
  const treat = i.TreatMissingData ?? 'missing';
  if (treat !== 'breaching' && treat !== 'notBreaching' && treat !== 'ignore' && treat !== 'missing')
    throw invalid(`The value ${treat} for parameter TreatMissingData is invalid.`);
  if ((i.Statistic === undefined) === (i.ExtendedStatistic === undefined))
    throw mixed('Exactly one of Statistic and ExtendedStatistic must be given.');
  const evaluationPeriods = need(i.EvaluationPeriods, 'EvaluationPeriods');
  const datapointsToAlarm = i.DatapointsToAlarm ?? evaluationPeriods;
  if (datapointsToAlarm > evaluationPeriods) throw invalid('DatapointsToAlarm must not be larger than EvaluationPeriods.');
  const seconds = period(need(i.Period, 'Period'));
  if (seconds * evaluationPeriods > 86_400 * 7) throw invalid('An alarm looks at most at the last seven days.');
  const before = r.alarms.get(i.AlarmName);
  if (before === undefined && [...r.alarms.values()].length >= MAX_ALARMS)
    throw new AwsError('LimitExceeded', `endpointd keeps at most ${MAX_ALARMS} alarms.`);
  const alarm: Alarm = {
    name: i.AlarmName,
    ...(i.AlarmDescription === undefined ? {} : { description: i.AlarmDescription }),
    namespace: need(i.Namespace, 'Namespace'),
    metric: need(i.MetricName, 'MetricName'),
    dimensions: dimensionsOf(i.Dimensions),
    statistic: statisticOf(i.Statistic ?? i.ExtendedStatistic ?? ''),
    ...(i.Unit === undefined ? {} : { unit: i.Unit }),
    period: seconds,
    evaluationPeriods,
    datapointsToAlarm,
    threshold: need(i.Threshold, 'Threshold'),
    comparison,
    missing: treat,
    actionsEnabled: i.ActionsEnabled ?? true,
    actions: { ok: i.OKActions ?? [], alarm: i.AlarmActions ?? [], insufficient: i.InsufficientDataActions ?? [] },
    value: before?.value ?? 'INSUFFICIENT_DATA',
    reason: before?.reason ?? 'Unchecked: Initial alarm creation',
    updated: before?.updated ?? c.now,
    configured: c.now,
  };
  r.alarms.put(i.AlarmName, alarm);
  return {};
}
export function describeAlarms(r: Registry, i: In<DescribeAlarmsInput>, c: Caller): DescribeAlarmsOutput {
  const all = [...r.alarms.values()].filter(
    a =>
      (i.AlarmNames === undefined || i.AlarmNames.includes(a.name)) &&
      (i.AlarmNamePrefix === undefined || a.name.startsWith(i.AlarmNamePrefix)) &&
      (i.StateValue === undefined || a.value === i.StateValue) &&
      (i.ActionPrefix === undefined || a.actions.alarm.some(x => x.startsWith(i.ActionPrefix ?? ''))) &&
      (i.AlarmTypes === undefined || i.AlarmTypes.includes('MetricAlarm')),
  );
  const { page, next } = paginate(all, i.NextToken, i.MaxRecords ?? 50);
  return { MetricAlarms: page.map(a => described(a, c)), CompositeAlarms: [], ...next };
}
export const alarmArn = (c: Pick<Caller, 'region' | 'account'>, name: string): string => arn(c, `alarm:${name}`, 'cloudwatch');
const described = (a: Alarm, c: Caller): MetricAlarm => ({
  AlarmName: a.name,
  AlarmArn: alarmArn(c, a.name),
  AlarmDescription: a.description,
  AlarmConfigurationUpdatedTimestamp: new Date(a.configured),
  ActionsEnabled: a.actionsEnabled,
  OKActions: [...a.actions.ok],
  AlarmActions: [...a.actions.alarm],
  InsufficientDataActions: [...a.actions.insufficient],
  StateValue: a.value,
  StateReason: a.reason,
  StateReasonData: a.reasonData,
  StateUpdatedTimestamp: new Date(a.updated),
  StateTransitionedTimestamp: new Date(a.updated),
  MetricName: a.metric,
  Namespace: a.namespace,
  ...(a.statistic.startsWith('p') ? { ExtendedStatistic: a.statistic } : { Statistic: a.statistic as 'Sum' }),
  Dimensions: listed(a.dimensions),
  Period: a.period,
  Unit: a.unit as 'None' | undefined,
  EvaluationPeriods: a.evaluationPeriods,
  DatapointsToAlarm: a.datapointsToAlarm,
  Threshold: a.threshold,
  ComparisonOperator: a.comparison,
  TreatMissingData: a.missing,
});
export function deleteAlarms(r: Registry, i: In<DeleteAlarmsInput>): object {
  for (const name of i.AlarmNames) r.alarms.delete(name);
  return {};
}
/** The value stands for one period; `told` hears at once of one that is in ALARM. */
export function setAlarmState(r: Registry, i: In<SetAlarmStateInput>, c: Caller, told: (alarm: string) => void): object {
  const a = r.alarms.get(i.AlarmName);
  if (a === undefined) throw new AwsError('ResourceNotFound', `There is no alarm ${i.AlarmName}.`, 404);
  r.alarms.put(i.AlarmName, {
    ...a,
    value: i.StateValue,
    reason: i.StateReason,
    ...(i.StateReasonData === undefined ? {} : { reasonData: i.StateReasonData }),
    updated: c.now,
    setUntil: c.now + a.period * 1000,
  });
  if (i.StateValue === 'ALARM') told(i.AlarmName);
  return {};
}
