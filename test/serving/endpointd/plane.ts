import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApplicationAutoScalingClient } from '@aws-sdk/client-application-auto-scaling';
import { CloudWatchClient, GetMetricStatisticsCommand } from '@aws-sdk/client-cloudwatch';
import {
  CreateEndpointCommand,
  CreateEndpointConfigCommand,
  CreateModelCommand,
  DeleteEndpointCommand,
  DescribeEndpointCommand,
  SageMakerClient,
  waitUntilEndpointDeleted,
  waitUntilEndpointInService,
  type ContainerDefinition,
  type DescribeEndpointOutput,
  type ProductionVariant,
} from '@aws-sdk/client-sagemaker';
import { InvokeEndpointCommand, SageMakerRuntimeClient, type InvokeEndpointInput } from '@aws-sdk/client-sagemaker-runtime';
import { create as pack } from 'tar';
import { projectDir } from '../../../fixtures/paths.ts';
import { startDaemon, type Daemon, type DaemonOptions } from '../../../serving/control/daemon.ts';
import { startS3, type FakeS3 } from './s3.ts';

export const rows = readFileSync(join(projectDir, 'fixtures/bike/rows.csv'), 'utf8').trim().split('\n').slice(1);
export const predictions = readFileSync(join(projectDir, 'fixtures/bike/predictions.csv'), 'utf8')
  .trim()
  .split('\n')
  .slice(1)
  .map(Number);
export const ROLE = 'arn:aws:iam::000000000000:role/test';
export const image = (tag: string): string => `683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:${tag}`;

/** The model of fixtures/bike as XGBoost's container stores it: an archive of one file. */
export async function bikeArchive(): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'sinter-archive-'));
  copyFileSync(join(projectDir, 'fixtures/bike/model.json'), join(folder, 'xgboost-model'));
  await pack({ gzip: true, cwd: folder, file: join(folder, 'model.tar.gz'), portable: true }, ['xgboost-model']);
  const bytes = readFileSync(join(folder, 'model.tar.gz'));
  rmSync(folder, { recursive: true });
  return bytes;
}
export const credentials = { accessKeyId: 'none', secretAccessKey: 'none' };

/** Text or bytes are sent; the other members are optional. */
export type Invocation = Partial<Omit<InvokeEndpointInput, 'Body'>> & { readonly EndpointName: string; readonly Body?: string };
/** A control plane with an S3, and clients of the AWS SDK that know its URL and nothing else of it. */
export interface Plane {
  readonly daemon: Daemon;
  readonly s3: FakeS3;
  readonly state: string;
  readonly sagemaker: SageMakerClient;
  readonly runtime: SageMakerRuntimeClient;
  readonly scaling: ApplicationAutoScalingClient;
  readonly cloudwatch: CloudWatchClient;
  readonly log: string[];
  /** The text of an answer and the variant that gave it. */
  invoke(i: Invocation): Promise<{ text: string; variant: string; type: string }>;
  model(name: string, container?: Partial<ContainerDefinition>): Promise<void>;
  /** An endpoint in service, of a configuration of the same name. */
  endpoint(name: string, variants: readonly Partial<ProductionVariant>[]): Promise<void>;
  config(name: string, variants: readonly Partial<ProductionVariant>[]): Promise<void>;
  inService(name: string): Promise<DescribeEndpointOutput>;
  describe(name: string): Promise<DescribeEndpointOutput>;
  /** A metric of a variant, over the last hour. */
  metric(name: string, endpoint: string, variant: string, statistic?: 'Sum' | 'SampleCount'): Promise<number>;
  remove(name: string): Promise<void>;
  close(): Promise<void>;
}
export const MODEL_URL = 's3://models/bike/model.tar.gz';

export async function startPlane(options: Partial<DaemonOptions> = {}): Promise<Plane> {
  const s3 = await startS3();
  const state = options.state ?? mkdtempSync(join(tmpdir(), 'sinter-endpointd-'));
  mkdirSync(state, { recursive: true });
  s3.objects.set('models/bike/model.tar.gz', await bikeArchive());
  const log: string[] = [];
  const daemon = await startDaemon({
    port: 0,
    s3Endpoint: s3.url,
    log: e => log.push(`${e.endpoint ?? ''} ${e.message}`),
    ...options,
    state,
  });
  const client = { endpoint: daemon.url, region: 'us-east-1', credentials, maxAttempts: 1 };
  const sagemaker = new SageMakerClient(client);
  const runtime = new SageMakerRuntimeClient(client);
  const waiter = { client: sagemaker, minDelay: 1, maxDelay: 1, maxWaitTime: 100 };
  const describe = (EndpointName: string): Promise<DescribeEndpointOutput> =>
    sagemaker.send(new DescribeEndpointCommand({ EndpointName }));
  const plane: Plane = {
    daemon,
    s3,
    state,
    sagemaker,
    runtime,
    scaling: new ApplicationAutoScalingClient(client),
    cloudwatch: new CloudWatchClient(client),
    log,
    invoke: async i => {
      const Body = Buffer.from(i.Body ?? rows[0] ?? '');
      const out = await runtime.send(new InvokeEndpointCommand({ ContentType: 'text/csv', ...i, Body }));
      return {
        text: Buffer.from(out.Body).toString(),
        variant: out.InvokedProductionVariant ?? '',
        type: out.ContentType ?? '',
      };
    },
    model: async (ModelName, container) => {
      const PrimaryContainer = { Image: image('1.2-1'), ModelDataUrl: MODEL_URL, ...container };
      await sagemaker.send(new CreateModelCommand({ ModelName, ExecutionRoleArn: ROLE, PrimaryContainer }));
    },
    config: async (EndpointConfigName, variants) => {
      const ProductionVariants = variants.map((v, i) => ({
        VariantName: `v${i}`,
        ModelName: 'bike',
        InstanceType: 'ml.m5.large' as const,
        InitialInstanceCount: 1,
        ...v,
      }));
      await sagemaker.send(new CreateEndpointConfigCommand({ EndpointConfigName, ProductionVariants }));
    },
    endpoint: async (name, variants) => {
      await plane.config(name, variants);
      await sagemaker.send(new CreateEndpointCommand({ EndpointName: name, EndpointConfigName: name }));
      await plane.inService(name);
    },
    inService: async EndpointName => {
      await waitUntilEndpointInService(waiter, { EndpointName });
      return describe(EndpointName);
    },
    describe,
    metric: async (MetricName, endpoint, variant, statistic = 'Sum') => {
      const { Datapoints = [] } = await plane.cloudwatch.send(
        new GetMetricStatisticsCommand({
          Namespace: 'AWS/SageMaker',
          MetricName,
          Dimensions: [
            { Name: 'EndpointName', Value: endpoint },
            { Name: 'VariantName', Value: variant },
          ],
          StartTime: new Date(Date.now() - 3_600_000),
          EndTime: new Date(Date.now() + 60_000),
          Period: 60,
          Statistics: [statistic],
        }),
      );
      return Datapoints.reduce((sum, d) => sum + (d[statistic] ?? 0), 0);
    },
    remove: async EndpointName => {
      await sagemaker.send(new DeleteEndpointCommand({ EndpointName }));
      await waitUntilEndpointDeleted(waiter, { EndpointName });
    },
    close: async () => {
      await daemon.close();
      await s3.close();
      if (options.state === undefined) rmSync(state, { recursive: true, force: true });
    },
  };
  return plane;
}
/** Waits until something holds. */
export async function until(what: () => boolean | Promise<boolean>, ms = 60_000): Promise<void> {
  for (const end = Date.now() + ms; !(await what()); await new Promise(r => setTimeout(r, 50)))
    if (Date.now() > end) throw new Error(`it did not come true in ${ms} ms: ${String(what)}`);
}
