// Target tracking, metrics and alarms by the AWS SDK for JavaScript, on a clock that runs 60 times faster: a minute is a second.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  DeleteScalingPolicyCommand,
  DeregisterScalableTargetCommand,
  DescribeScalableTargetsCommand,
  DescribeScalingActivitiesCommand,
  DescribeScalingPoliciesCommand,
  PutScalingPolicyCommand,
  RegisterScalableTargetCommand,
} from '@aws-sdk/client-application-auto-scaling';
import {
  DeleteAlarmsCommand,
  DescribeAlarmsCommand,
  GetMetricDataCommand,
  GetMetricStatisticsCommand,
  ListMetricsCommand,
  PutMetricAlarmCommand,
  PutMetricDataCommand,
  SetAlarmStateCommand,
} from '@aws-sdk/client-cloudwatch';
import { UpdateEndpointCommand } from '@aws-sdk/client-sagemaker';
import { image, startPlane, until, type Plane } from './plane.ts';

let p: Plane;
const EndpointName = 'scaled';
const target = {
  ServiceNamespace: 'sagemaker' as const,
  ResourceId: `endpoint/${EndpointName}/variant/v0`,
  ScalableDimension: 'sagemaker:variant:DesiredInstanceCount' as const,
};
const TARGET = 60;
beforeAll(async () => {
  p = await startPlane({ clockRate: 60 });
  await p.model('bike', { Image: image('1.2-2') });
  await p.endpoint(EndpointName, [{}]);
});
afterAll(() => p.close());
const count = async (): Promise<number> => (await p.describe(EndpointName)).ProductionVariants?.[0]?.CurrentInstanceCount ?? 0;
/** Calls at a rate, in the control plane's minutes, until something holds. */
async function at(callsPerMinute: number, what: () => Promise<boolean>): Promise<void> {
  const timer = setInterval(() => void p.invoke({ EndpointName }).catch(() => undefined), 1000 / callsPerMinute);
  try {
    await until(what, 100_000);
  } finally {
    clearInterval(timer);
  }
}

describe('target tracking', () => {
  it('refuses what is not there', async () => {
    await expect(
      p.scaling.send(new PutScalingPolicyCommand({ ...target, PolicyName: 'p', PolicyType: 'TargetTrackingScaling' })),
    ).rejects.toMatchObject({
      name: 'ObjectNotFoundException',
      message: `No scalable target registered for service namespace: sagemaker, resource ID: ${target.ResourceId}, scalable dimension: ${target.ScalableDimension}`,
    });
    const other = { ...target, ResourceId: 'endpoint/none/variant/v0' };
    await expect(
      p.scaling.send(new RegisterScalableTargetCommand({ ...other, MinCapacity: 1, MaxCapacity: 4 })),
    ).rejects.toMatchObject({ name: 'ValidationException' });
  });
  it('holds the calls an instance gets at the target: 3 instances at 2.2 times it, 1 when idle', async () => {
    await p.scaling.send(new RegisterScalableTargetCommand({ ...target, MinCapacity: 1, MaxCapacity: 4 }));
    const policy = await p.scaling.send(
      new PutScalingPolicyCommand({
        ...target,
        PolicyName: 'calls',
        PolicyType: 'TargetTrackingScaling',
        TargetTrackingScalingPolicyConfiguration: {
          TargetValue: TARGET,
          PredefinedMetricSpecification: { PredefinedMetricType: 'SageMakerVariantInvocationsPerInstance' },
          ScaleInCooldown: 60,
          ScaleOutCooldown: 60,
        },
      }),
    );
    expect(policy.Alarms?.map(a => a.AlarmName?.replace(/-[0-9a-f-]{36}$/, ''))).toEqual([
      `TargetTracking-${target.ResourceId}-AlarmHigh`,
      `TargetTracking-${target.ResourceId}-AlarmLow`,
    ]);
    const high = { AlarmNames: [policy.Alarms?.[0]?.AlarmName ?? ''] };
    const scaledOut = async (): Promise<boolean> => {
      const state = (await p.cloudwatch.send(new DescribeAlarmsCommand(high))).MetricAlarms?.[0]?.StateValue;
      return (await count()) >= 3 && state !== 'INSUFFICIENT_DATA';
    };
    await at(TARGET * 2.2, scaledOut);
    expect(await count()).toBeLessThanOrEqual(4);
    await until(async () => (await count()) === 1, 100_000);
    const { ScalingActivities } = await p.scaling.send(new DescribeScalingActivitiesCommand({ ServiceNamespace: 'sagemaker' }));
    expect(ScalingActivities?.length).toBeGreaterThanOrEqual(2);
    expect(ScalingActivities?.[0]).toMatchObject({
      StatusCode: 'Successful',
      Description: 'Setting desired instance count to 1.',
    });
  });
  it('guards its variant: an update may not drop it; its bounds clamp the count at once', async () => {
    await p.config('other', [{ VariantName: 'else' }]);
    await p.inService(EndpointName);
    await expect(
      p.sagemaker.send(new UpdateEndpointCommand({ EndpointName, EndpointConfigName: 'other' })),
    ).rejects.toMatchObject({
      message: expect.stringContaining('has a scalable target') as unknown as string,
    });
    await p.scaling.send(new RegisterScalableTargetCommand({ ...target, MinCapacity: 2 }));
    await until(async () => (await count()) === 2);
    const { ScalableTargets } = await p.scaling.send(new DescribeScalableTargetsCommand({ ServiceNamespace: 'sagemaker' }));
    expect(ScalableTargets).toMatchObject([{ ...target, MinCapacity: 2, MaxCapacity: 4 }]);
  });
  it('goes with its policies and alarms', async () => {
    await p.scaling.send(new DeleteScalingPolicyCommand({ ...target, PolicyName: 'calls' }));
    expect((await p.scaling.send(new DescribeScalingPoliciesCommand({ ServiceNamespace: 'sagemaker' }))).ScalingPolicies).toEqual(
      [],
    );
    expect((await p.cloudwatch.send(new DescribeAlarmsCommand({ AlarmNamePrefix: 'TargetTracking' }))).MetricAlarms).toEqual([]);
    await p.scaling.send(new DeregisterScalableTargetCommand(target));
    await expect(p.scaling.send(new DeregisterScalableTargetCommand(target))).rejects.toMatchObject({
      name: 'ObjectNotFoundException',
    });
    await p.scaling.send(new RegisterScalableTargetCommand({ ...target, MinCapacity: 1, MaxCapacity: 4 }));
    await until(async () => (await p.describe(EndpointName)).EndpointStatus === 'InService');
    await p.remove(EndpointName);
    expect((await p.scaling.send(new DescribeScalableTargetsCommand({ ServiceNamespace: 'sagemaker' }))).ScalableTargets).toEqual(
      [],
    );
  });
});

describe('CloudWatch', () => {
  const Dimensions = [{ Name: 'Line', Value: '7' }];
  it('keeps metrics of callers, and gives statistics of periods', async () => {
    const Timestamp = new Date(Math.floor(Date.now() / 300_000) * 300_000);
    const MetricData = [
      { MetricName: 'Scrap', Dimensions, Timestamp, Value: 2 },
      { MetricName: 'Scrap', Dimensions, Timestamp, Values: [4, 6], Counts: [1, 2] },
      // Large enough that the SDK packs it.
      ...Array.from({ length: 300 }, (_, i) => ({ MetricName: `Other${i}`, Dimensions, Timestamp, Value: i })),
    ];
    await p.cloudwatch.send(new PutMetricDataCommand({ Namespace: 'Factory', MetricData }));
    const range = { StartTime: Timestamp, EndTime: new Date(Timestamp.getTime() + 300_000) };
    const { Datapoints } = await p.cloudwatch.send(
      new GetMetricStatisticsCommand({
        Namespace: 'Factory',
        MetricName: 'Scrap',
        Dimensions,
        ...range,
        Period: 300,
        Statistics: ['Sum', 'Average', 'SampleCount', 'Minimum', 'Maximum'],
      }),
    );
    expect(Datapoints).toMatchObject([{ Timestamp, Sum: 18, Average: 4.5, SampleCount: 4, Minimum: 2, Maximum: 6 }]);
    const { MetricDataResults } = await p.cloudwatch.send(
      new GetMetricDataCommand({
        ...range,
        MetricDataQueries: [
          { Id: 'a', MetricStat: { Metric: { Namespace: 'Factory', MetricName: 'Scrap', Dimensions }, Period: 60, Stat: 'p50' } },
        ],
      }),
    );
    expect(MetricDataResults?.[0]?.Timestamps).toEqual([Timestamp]);
    expect(MetricDataResults?.[0]?.Values?.[0]).toBeCloseTo(4, 0);
    const { Metrics } = await p.cloudwatch.send(
      new ListMetricsCommand({ Namespace: 'Factory', MetricName: 'Scrap', Dimensions: [{ Name: 'Line' }] }),
    );
    expect(Metrics).toEqual([{ Namespace: 'Factory', MetricName: 'Scrap', Dimensions }]);
    await expect(
      p.cloudwatch.send(new PutMetricDataCommand({ Namespace: 'AWS/Mine', MetricData: [{ MetricName: 'a', Value: 1 }] })),
    ).rejects.toMatchObject({ name: expect.stringContaining('InvalidParameterValue') as unknown as string });
  });
  it('turns an alarm on when its metric breaks the threshold, and off by hand', async () => {
    const alarm = {
      AlarmName: 'scrap',
      Namespace: 'Factory',
      MetricName: 'Rejected',
      Dimensions,
      Statistic: 'Sum' as const,
      Period: 60,
      EvaluationPeriods: 1,
      Threshold: 10,
      ComparisonOperator: 'GreaterThanThreshold' as const,
    };
    await p.cloudwatch.send(new PutMetricAlarmCommand(alarm));
    const state = async (): Promise<string | undefined> =>
      (await p.cloudwatch.send(new DescribeAlarmsCommand({ AlarmNames: ['scrap'] }))).MetricAlarms?.[0]?.StateValue;
    expect(await state()).toBe('INSUFFICIENT_DATA');
    const put = async (): Promise<boolean> => {
      await p.cloudwatch.send(
        new PutMetricDataCommand({ Namespace: 'Factory', MetricData: [{ MetricName: 'Rejected', Dimensions, Value: 11 }] }),
      );
      return (await state()) === 'ALARM';
    };
    await until(put);
    await p.cloudwatch.send(new SetAlarmStateCommand({ AlarmName: 'scrap', StateValue: 'OK', StateReason: 'by hand' }));
    expect(await state()).toBe('OK');
    await p.cloudwatch.send(new DeleteAlarmsCommand({ AlarmNames: ['scrap'] }));
    expect(await state()).toBeUndefined();
    await expect(
      p.cloudwatch.send(new SetAlarmStateCommand({ AlarmName: 'scrap', StateValue: 'OK', StateReason: '' })),
    ).rejects.toMatchObject({
      name: expect.stringMatching(/ResourceNotFound/) as unknown as string,
    });
  });
});
