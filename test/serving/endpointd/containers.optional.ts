// Pipelines of containers, shadow variants, data capture, compilation jobs.
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  CreateCompilationJobCommand,
  CreateEndpointCommand,
  CreateEndpointConfigCommand,
  CreateModelCommand,
  DeleteCompilationJobCommand,
  DescribeCompilationJobCommand,
  StopCompilationJobCommand,
  type DescribeCompilationJobResponse,
  type OutputConfig,
} from '@aws-sdk/client-sagemaker';
import { image, MODEL_URL, ROLE, rows, startPlane, until, type Plane } from './plane.ts';

let p: Plane;
beforeAll(async () => {
  p = await startPlane();
  await p.model('bike', { Image: image('1.2-2') });
});
afterAll(() => p.close());

describe('containers', () => {
  it('are asked one by one by their hostnames', async () => {
    const container = (ContainerHostname: string, tag: string): object => ({
      ContainerHostname,
      Image: image(tag),
      ModelDataUrl: MODEL_URL,
    });
    await p.sagemaker.send(
      new CreateModelCommand({
        ModelName: 'direct',
        ExecutionRoleArn: ROLE,
        Containers: [container('lines', '1.2-2'), container('commas', '0.90-2')],
        InferenceExecutionConfig: { Mode: 'Direct' },
      }),
    );
    await p.endpoint('direct', [{ ModelName: 'direct' }]);
    const ask = (TargetContainerHostname?: string): ReturnType<Plane['invoke']> =>
      p.invoke({ EndpointName: 'direct', Body: rows.slice(0, 2).join('\n'), TargetContainerHostname });
    expect((await ask('lines')).text.trim().split('\n')).toHaveLength(2);
    expect((await ask('commas')).text.trim().split(',')).toHaveLength(2);
    await expect(ask('none')).rejects.toMatchObject({ name: 'ValidationError' });
    await expect(ask()).rejects.toMatchObject({ name: 'ValidationError' });
    expect(p.daemon.pids('direct')).toHaveLength(2);
    await p.remove('direct');
  });
  it('are a chain otherwise: what one answers is what the next is asked', async () => {
    const container = { Image: image('1.2-2'), ModelDataUrl: MODEL_URL };
    await p.sagemaker.send(
      new CreateModelCommand({ ModelName: 'serial', ExecutionRoleArn: ROLE, Containers: [container, container] }),
    );
    await p.endpoint('serial', [{ ModelName: 'serial' }]);
    // One number is not a row of the second model: the error names its container.
    await expect(p.invoke({ EndpointName: 'serial' })).rejects.toMatchObject({
      name: 'ModelError',
      message: expect.stringContaining('from container-2 with message') as unknown as string,
    });
    await p.remove('serial');
  });
});

describe('a shadow variant and data capture', () => {
  it('copies requests, and writes requests and answers to S3', async () => {
    const variant = { ModelName: 'bike', InstanceType: 'ml.m5.large' as const, InitialInstanceCount: 1 };
    await p.sagemaker.send(
      new CreateEndpointConfigCommand({
        EndpointConfigName: 'shadow',
        ProductionVariants: [{ ...variant, VariantName: 'real' }],
        ShadowProductionVariants: [{ ...variant, VariantName: 'shade', InitialVariantWeight: 1 }],
        DataCaptureConfig: {
          EnableCapture: true,
          InitialSamplingPercentage: 100,
          DestinationS3Uri: 's3://captured/data',
          CaptureOptions: [{ CaptureMode: 'InputAndOutput' }],
          CaptureContentTypeHeader: { CsvContentTypes: ['text/csv'] },
        },
      }),
    );
    await p.sagemaker.send(new CreateEndpointCommand({ EndpointName: 'shadow', EndpointConfigName: 'shadow' }));
    const d = await p.inService('shadow');
    expect(d).toMatchObject({
      ShadowProductionVariants: [{ VariantName: 'shade', CurrentInstanceCount: 1 }],
      DataCaptureConfig: { CaptureStatus: 'Started' },
    });
    for (let i = 0; i < 10; i++)
      expect((await p.invoke({ EndpointName: 'shadow', InferenceId: `id-${i}` })).variant).toBe('real');
    await until(async () => (await p.metric('Invocations', 'shadow', 'shade')) === 10);
    const keys = (): string[] => [...p.s3.objects.keys()].filter(k => k.startsWith('captured/'));
    const lines = (): string[] => keys().flatMap(k => p.s3.objects.get(k)?.toString().trim().split('\n') ?? []);
    await until(() => lines().length === 10);
    expect(keys()[0]).toMatch(/^captured\/data\/shadow\/real\/\d{4}\/\d\d\/\d\d\/\d\d\/[0-9a-f-]+\.jsonl$/);
    const one = JSON.parse(lines()[0] ?? '') as { captureData: object; eventMetadata: object };
    expect(one).toMatchObject({
      captureData: {
        endpointInput: { observedContentType: 'text/csv', mode: 'INPUT', data: rows[0], encoding: 'CSV' },
        endpointOutput: { mode: 'OUTPUT', encoding: 'CSV', data: expect.stringMatching(/^223\.26/) as unknown as string },
      },
      eventMetadata: { inferenceId: 'id-0' },
      eventVersion: '0',
    });
    await p.remove('shadow');
  });
});

describe('compilation jobs', () => {
  const start = (CompilationJobName: string, OutputConfig: Partial<OutputConfig>, S3Uri = MODEL_URL): Promise<unknown> =>
    p.sagemaker.send(
      new CreateCompilationJobCommand({
        CompilationJobName,
        RoleArn: ROLE,
        InputConfig: { S3Uri, Framework: 'XGBOOST' },
        OutputConfig: { S3OutputLocation: 's3://compiled/out', ...OutputConfig },
        StoppingCondition: { MaxRuntimeInSeconds: 300 },
      }),
    );
  const describeJob = (CompilationJobName: string): Promise<DescribeCompilationJobResponse> =>
    p.sagemaker.send(new DescribeCompilationJobCommand({ CompilationJobName }));
  async function ended(name: string): Promise<DescribeCompilationJobResponse> {
    await until(async () => ['COMPLETED', 'FAILED', 'STOPPED'].includes((await describeJob(name)).CompilationJobStatus ?? ''));
    return describeJob(name);
  }
  it('compile an archive for a device, and write the bundle to S3', async () => {
    await start('rasp', { TargetDevice: 'rasp4b' });
    await expect(start('rasp', { TargetDevice: 'rasp4b' })).rejects.toMatchObject({ name: 'ResourceInUse' });
    const job = await ended('rasp');
    expect(job).toMatchObject({
      CompilationJobStatus: 'COMPLETED',
      FailureReason: '',
      ModelArtifacts: { S3ModelArtifacts: 's3://compiled/out/model-rasp4b.tar.gz' },
    });
    const bytes = p.s3.objects.get('compiled/out/model-rasp4b.tar.gz') ?? Buffer.alloc(0);
    expect(job.ModelDigests?.ArtifactDigest).toBe(createHash('blake2b512').update(bytes).digest('hex'));
    await p.sagemaker.send(new DeleteCompilationJobCommand({ CompilationJobName: 'rasp' }));
    await expect(describeJob('rasp')).rejects.toMatchObject({ name: 'ResourceNotFound' });
  });
  it('fail with what there is for another device, for another file, and can be stopped', async () => {
    await start('inf', { TargetDevice: 'ml_inf1' });
    expect(await ended('inf')).toMatchObject({
      CompilationJobStatus: 'FAILED',
      FailureReason: expect.stringContaining('There is no compiler for ml_inf1. TargetDevice may be lambda') as unknown as string,
    });
    p.s3.objects.set('models/garbage.tar.gz', Buffer.from('not an archive'));
    await start('garbage', { TargetPlatform: { Os: 'LINUX', Arch: 'X86_64' } }, 's3://models/garbage.tar.gz');
    expect(await ended('garbage')).toMatchObject({
      CompilationJobStatus: 'FAILED',
      FailureReason: expect.stringContaining('ClientError') as unknown as string,
    });
    await start('stopped', { TargetDevice: 'rasp4b' });
    await p.sagemaker.send(new StopCompilationJobCommand({ CompilationJobName: 'stopped' }));
    expect((await ended('stopped')).CompilationJobStatus).toBe('STOPPED');
    await expect(
      start('both', { TargetDevice: 'lambda', TargetPlatform: { Os: 'LINUX', Arch: 'X86_64' } }),
    ).rejects.toMatchObject({ name: 'ValidationException' });
  });
});
