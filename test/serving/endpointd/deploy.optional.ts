// Changes of an endpoint under load, with retries off: no request is lost, each answer is of one version.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { PutMetricAlarmCommand, SetAlarmStateCommand } from '@aws-sdk/client-cloudwatch';
import {
  CreateEndpointCommand,
  UpdateEndpointCommand,
  UpdateEndpointWeightsAndCapacitiesCommand,
  type DeploymentConfig,
  type TrafficRoutingConfig,
} from '@aws-sdk/client-sagemaker';
import { startLoad, type Outcome } from './load.ts';
import { image, rows, startPlane, until, type Plane } from './plane.ts';

let p: Plane;
/** Waits of a deployment are so many times shorter. */
const RATE = 20;
beforeAll(async () => {
  p = await startPlane({ clockRate: RATE });
  await p.model('bike', { Image: image('1.2-2') });
  await p.config('blue', [{ VariantName: 'v', InitialInstanceCount: 2 }]);
  await p.config('green', [{ VariantName: 'w', InitialInstanceCount: 2 }]);
  await p.model('broken', { ModelDataUrl: 's3://models/none.tar.gz' });
  await p.config('broken', [{ VariantName: 'w', ModelName: 'broken' }]);
});
afterAll(() => p.close());
const EndpointName = 'blue';
let load: ReturnType<typeof startLoad>;
beforeEach(async () => {
  await p.sagemaker.send(new CreateEndpointCommand({ EndpointName, EndpointConfigName: 'blue' }));
  await p.inService(EndpointName);
  load = startLoad(`${p.daemon.url}/endpoints/${EndpointName}/invocations`, rows[0] ?? '');
  await until(() => load.answered > 50);
});
afterEach(async () => {
  await load.stop();
  await p.remove(EndpointName);
});
const update = (EndpointConfigName: string, DeploymentConfig?: DeploymentConfig): Promise<unknown> =>
  p.sagemaker.send(new UpdateEndpointCommand({ EndpointName, EndpointConfigName, DeploymentConfig }));
const blueGreen = (more: Partial<TrafficRoutingConfig>, alarm?: string): DeploymentConfig => ({
  BlueGreenUpdatePolicy: {
    TrafficRoutingConfiguration: { Type: 'ALL_AT_ONCE', WaitIntervalInSeconds: 40, ...more },
    TerminationWaitInSeconds: 10,
  },
  ...(alarm !== undefined && { AutoRollbackConfiguration: { Alarms: [{ AlarmName: alarm }] } }),
});
/** Nothing was lost, and all answers are right. */
async function intact(): Promise<Outcome> {
  const answered = load.answered;
  await until(() => load.answered > answered + 50);
  const outcome = await load.stop();
  expect([...new Set(outcome.failed)]).toEqual([]);
  for (const texts of outcome.texts.values()) expect([...texts]).toEqual([...texts].filter(t => /^223\.26068/.test(t)));
  return outcome;
}
/** The shares of traffic that the new version had, one after the other. */
async function sharesSeen(): Promise<number[]> {
  const seen: number[] = [];
  await until(async () => {
    const d = await p.describe(EndpointName);
    const share = d.PendingDeploymentSummary?.ProductionVariants?.[0]?.CurrentWeight;
    if (share !== undefined && share > 0 && seen.at(-1) !== share) seen.push(share);
    return d.EndpointStatus === 'InService';
  });
  return seen;
}

describe('an update under load', () => {
  it('all at once', async () => {
    const before = p.daemon.pids(EndpointName);
    await update('green');
    await expect(update('blue')).rejects.toMatchObject({
      message: expect.stringContaining('Cannot update in-progress endpoint') as unknown as string,
    });
    const d = await p.inService(EndpointName);
    expect(d).toMatchObject({ EndpointConfigName: 'green', ProductionVariants: [{ VariantName: 'w', CurrentInstanceCount: 2 }] });
    expect(d.PendingDeploymentSummary).toBeUndefined();
    expect([...(await intact()).counts.keys()].sort()).toEqual(['v', 'w']);
    await until(() => before.every(pid => !alive(pid)));
  });
  it('canary', async () => {
    await update('green', blueGreen({ Type: 'CANARY', CanarySize: { Type: 'CAPACITY_PERCENT', Value: 30 } }));
    expect(await sharesSeen()).toEqual([0.3, 1]);
    await intact();
  });
  it('linear', async () => {
    await update('green', blueGreen({ Type: 'LINEAR', LinearStepSize: { Type: 'INSTANCE_COUNT', Value: 1 } }));
    expect(await sharesSeen()).toEqual([0.5, 1]);
    await intact();
  });
  it('rolling', async () => {
    await update('green', {
      RollingUpdatePolicy: { MaximumBatchSize: { Type: 'CAPACITY_PERCENT', Value: 50 }, WaitIntervalInSeconds: 40 },
    });
    expect(await sharesSeen()).toEqual([0.5, 1]);
    expect(p.daemon.pids(EndpointName)).toHaveLength(2);
    await intact();
  });
  it('is undone by an alarm', async () => {
    await p.cloudwatch.send(
      new PutMetricAlarmCommand({
        AlarmName: 'errors',
        Namespace: 'AWS/SageMaker',
        MetricName: 'InvocationModelErrors',
        Dimensions: [
          { Name: 'EndpointName', Value: EndpointName },
          { Name: 'VariantName', Value: 'w' },
        ],
        Statistic: 'Average',
        Period: 60,
        EvaluationPeriods: 1,
        Threshold: 0.5,
        ComparisonOperator: 'GreaterThanThreshold',
      }),
    );
    await update(
      'green',
      blueGreen({ Type: 'CANARY', WaitIntervalInSeconds: 3600, CanarySize: { Type: 'CAPACITY_PERCENT', Value: 50 } }, 'errors'),
    );
    await until(
      async () => ((await p.describe(EndpointName)).PendingDeploymentSummary?.ProductionVariants?.[0]?.CurrentWeight ?? 0) > 0,
    );
    await p.cloudwatch.send(new SetAlarmStateCommand({ AlarmName: 'errors', StateValue: 'ALARM', StateReason: 'test' }));
    const d = await p.inService(EndpointName);
    expect(d).toMatchObject({ EndpointConfigName: 'blue', FailureReason: 'Alarm errors went into ALARM during the deployment.' });
    await until(() => p.daemon.pids(EndpointName).length === 2);
    await intact();
  });
  it('goes back where the new version does not start', async () => {
    await update('broken');
    await until(async () => (await p.describe(EndpointName)).EndpointStatus === 'InService');
    expect(await p.describe(EndpointName)).toMatchObject({
      EndpointConfigName: 'blue',
      FailureReason: expect.stringContaining('ping health check') as unknown as string,
    });
    expect([...(await intact()).counts.keys()]).toEqual(['v']);
  });
  it('of counts, up and down', async () => {
    for (const DesiredInstanceCount of [3, 1]) {
      const DesiredWeightsAndCapacities = [{ VariantName: 'v', DesiredInstanceCount }];
      await p.sagemaker.send(new UpdateEndpointWeightsAndCapacitiesCommand({ EndpointName, DesiredWeightsAndCapacities }));
      expect(await p.inService(EndpointName)).toMatchObject({
        ProductionVariants: [{ CurrentInstanceCount: DesiredInstanceCount }],
      });
    }
    expect(p.daemon.pids(EndpointName)).toHaveLength(1);
    await intact();
  });
  it('keeps counts and weights where that is asked for', async () => {
    const DesiredWeightsAndCapacities = [{ VariantName: 'v', DesiredInstanceCount: 1, DesiredWeight: 3 }];
    await p.sagemaker.send(new UpdateEndpointWeightsAndCapacitiesCommand({ EndpointName, DesiredWeightsAndCapacities }));
    await p.inService(EndpointName);
    const ask = { EndpointName, EndpointConfigName: 'blue', RetainAllVariantProperties: true };
    await p.sagemaker.send(
      new UpdateEndpointCommand({ ...ask, ExcludeRetainedVariantProperties: [{ VariantPropertyType: 'DesiredWeight' }] }),
    );
    expect(await p.inService(EndpointName)).toMatchObject({
      ProductionVariants: [{ DesiredInstanceCount: 1, DesiredWeight: 1 }],
    });
    await intact();
  });
});

describe('a failure under load', () => {
  it('kill -9 of one instance, and of all at once', async () => {
    const kill = async (pids: readonly number[]): Promise<void> => {
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      await until(() => p.daemon.pids(EndpointName).length === 2 && !p.daemon.pids(EndpointName).some(x => pids.includes(x)));
    };
    await kill(p.daemon.pids(EndpointName).slice(0, 1));
    await kill(p.daemon.pids(EndpointName));
    await intact();
  });
  it('an update while no instance is ready: requests that wait go where the new version is', async () => {
    for (const pid of p.daemon.pids(EndpointName)) process.kill(pid, 'SIGKILL');
    await update('green');
    await p.inService(EndpointName);
    await intact();
  });
  it('kill -9 of a zone', async () => {
    const [zone] = p.daemon.zones();
    process.kill(zone?.pid ?? 0, 'SIGKILL');
    await until(() => p.log.some(l => l.includes(`${zone?.name ?? ''} is lost`)));
    await until(() => p.daemon.pids(EndpointName).length === 2 && p.daemon.zones().every(z => z.pid !== undefined));
    await intact();
  });
});
function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
