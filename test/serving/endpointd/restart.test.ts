// kill -9 of the daemon: what it knew is there again, and serves.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import {
  RegisterScalableTargetCommand,
  DescribeScalableTargetsCommand,
  ApplicationAutoScalingClient,
} from '@aws-sdk/client-application-auto-scaling';
import {
  CreateEndpointCommand,
  CreateEndpointConfigCommand,
  CreateModelCommand,
  DeleteModelCommand,
  DescribeEndpointCommand,
  ListEndpointsCommand,
  ListTagsCommand,
  SageMakerClient,
  UpdateEndpointWeightsAndCapacitiesCommand,
  waitUntilEndpointInService,
} from '@aws-sdk/client-sagemaker';
import { InvokeEndpointCommand, SageMakerRuntimeClient } from '@aws-sdk/client-sagemaker-runtime';
import { projectDir } from '../../../fixtures/paths.ts';
import { needs } from '../../needs.ts';
import { servingProgram } from '../program.ts';
import { bikeArchive, credentials, image, MODEL_URL, ROLE, rows, until } from './plane.ts';
import { startS3, type FakeS3 } from './s3.ts';

let s3: FakeS3;
const state = mkdtempSync(join(tmpdir(), 'sinter-endpointd-'));
const running = new Set<ChildProcess>();
beforeAll(async () => {
  s3 = await startS3();
  s3.objects.set('models/bike/model.tar.gz', await bikeArchive());
});
afterAll(async () => {
  for (const c of running) c.kill('SIGKILL');
  await s3.close();
  rmSync(state, { recursive: true, force: true });
});
/** Starts `sinter endpointd` as a process; gives its URL, or what it says where it does not start. */
async function start(): Promise<{ readonly child: ChildProcess; readonly url: string; readonly error: string }> {
  const args = [await servingProgram(), 'endpointd', '--port', '0', '--state', state, '--s3-endpoint', s3.url];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: projectDir });
  running.add(child);
  return new Promise(resolve => {
    let out = '';
    let error = '';
    child.stderr.on('data', (d: Buffer) => (error += d.toString()));
    child.stdout.on('data', (d: Buffer) => {
      out += d.toString();
      const [, url] = /listening on (http:\S+)/.exec(out) ?? [];
      if (url !== undefined) resolve({ child, url, error });
    });
    child.on('close', () => {
      running.delete(child);
      resolve({ child, url: '', error });
    });
  });
}

needs('ps').it('survives kill -9, with what was asked for last', async () => {
  const first = await start();
  const of = (endpoint: string): { endpoint: string; region: string; credentials: typeof credentials; maxAttempts: number } => ({
    endpoint,
    region: 'us-east-1',
    credentials,
    maxAttempts: 1,
  });
  let sagemaker = new SageMakerClient(of(first.url));
  const EndpointName = 'kept';
  const Tags = [{ Key: 'line', Value: '7' }];
  await sagemaker.send(
    new CreateModelCommand({
      ModelName: 'bike',
      ExecutionRoleArn: ROLE,
      PrimaryContainer: { Image: image('1.2-2'), ModelDataUrl: MODEL_URL },
    }),
  );
  await sagemaker.send(
    new CreateEndpointConfigCommand({
      EndpointConfigName: 'c',
      ProductionVariants: [{ VariantName: 'v', ModelName: 'bike', InstanceType: 'ml.m5.large', InitialInstanceCount: 1 }],
    }),
  );
  const made = await sagemaker.send(new CreateEndpointCommand({ EndpointName, EndpointConfigName: 'c', Tags }));
  await waitUntilEndpointInService({ client: sagemaker, minDelay: 1, maxDelay: 1, maxWaitTime: 60 }, { EndpointName });
  await new ApplicationAutoScalingClient(of(first.url)).send(
    new RegisterScalableTargetCommand({
      ServiceNamespace: 'sagemaker',
      ResourceId: `endpoint/${EndpointName}/variant/v`,
      ScalableDimension: 'sagemaker:variant:DesiredInstanceCount',
      MinCapacity: 1,
      MaxCapacity: 4,
    }),
  );
  // A running endpoint needs its model's record no more.
  await sagemaker.send(new DeleteModelCommand({ ModelName: 'bike' }));
  await sagemaker.send(
    new UpdateEndpointWeightsAndCapacitiesCommand({
      EndpointName,
      DesiredWeightsAndCapacities: [{ VariantName: 'v', DesiredInstanceCount: 2 }],
    }),
  );
  const second = await start();
  expect(second.error).toContain(`is in use by process ${first.child.pid ?? 0}`);
  const children = childrenOf(first.child.pid ?? 0);
  expect(children.length).toBeGreaterThanOrEqual(3);
  first.child.kill('SIGKILL');
  await until(() => first.child.signalCode === 'SIGKILL');

  // Its instances and zones end with it.
  await until(() => !children.some(lives));

  const again = await start();
  sagemaker = new SageMakerClient(of(again.url));
  // The first instance is still being started: the request waits for it.
  const answer = await new SageMakerRuntimeClient(of(again.url)).send(
    new InvokeEndpointCommand({ EndpointName, ContentType: 'text/csv', Body: rows[0] ?? '' }),
  );
  expect(Buffer.from(answer.Body).toString()).toMatch(/^223\.26068/);
  await until(async () => {
    const d = await sagemaker.send(new DescribeEndpointCommand({ EndpointName }));
    return d.EndpointStatus === 'InService' && d.ProductionVariants?.[0]?.CurrentInstanceCount === 2;
  });
  expect((await sagemaker.send(new ListTagsCommand({ ResourceArn: made.EndpointArn }))).Tags).toEqual(Tags);
  expect((await sagemaker.send(new ListEndpointsCommand({}))).Endpoints).toHaveLength(1);
  const targets = await new ApplicationAutoScalingClient(of(again.url)).send(
    new DescribeScalableTargetsCommand({ ServiceNamespace: 'sagemaker' }),
  );
  expect(targets.ScalableTargets).toHaveLength(1);
  again.child.kill('SIGTERM');
  await until(() => again.child.exitCode !== null);
  expect(again.child.exitCode).toBe(0);
});
function childrenOf(pid: number): readonly number[] {
  const { stdout } = spawnSync('ps', ['-e', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  return stdout.split('\n').flatMap(line => {
    const [child, parent] = line.trim().split(/\s+/).map(Number);
    return parent === pid && child !== undefined ? child : [];
  });
}
function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
