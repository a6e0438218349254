// The A/B exercise by the AWS SDK for JavaScript: two variants, weights, target variants, deletion.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  CreateEndpointCommand,
  CreateModelCommand,
  DeleteModelCommand,
  DescribeEndpointCommand,
  DescribeModelCommand,
  ListEndpointsCommand,
  ListModelsCommand,
  ListTagsCommand,
  AddTagsCommand,
  DeleteTagsCommand,
  UpdateEndpointWeightsAndCapacitiesCommand,
} from '@aws-sdk/client-sagemaker';
import { ModelError } from '@aws-sdk/client-sagemaker-runtime';
import { startLoad } from './load.ts';
import { image, predictions, ROLE, rows, startPlane, until, type Plane } from './plane.ts';

let p: Plane;
const OLD = 'version-0-90-2';
const NEW = 'version-1-2-2';
beforeAll(async () => {
  p = await startPlane();
  await p.model('old', { Image: image('0.90-2-cpu-py3') });
  await p.model('new', { Image: image('1.2-2') });
  await p.endpoint('xgboost-bikerental', [
    { VariantName: OLD, ModelName: 'old', InitialVariantWeight: 1 },
    { VariantName: NEW, ModelName: 'new', InitialVariantWeight: 1 },
  ]);
});
afterAll(() => p.close());
const EndpointName = 'xgboost-bikerental';
const url = (): string => `${p.daemon.url}/endpoints/${EndpointName}/invocations`;
/** So many calls, and how many of them the variant answered. */
async function share(calls: number, variant: string): Promise<number> {
  const load = startLoad(url(), rows[0] ?? '');
  await until(() => load.answered >= calls);
  const { counts, total, failed } = await load.stop();
  expect([...new Set(failed)]).toEqual([]);
  return (counts.get(variant) ?? 0) / total;
}

describe('A/B test of two versions', () => {
  it('answers with what XGBoost predicts, in the form of the version of the container', async () => {
    const Body = rows.slice(0, 5).join('\n');
    const old = await p.invoke({ EndpointName, Body, TargetVariant: OLD });
    expect(old).toMatchObject({ variant: OLD, type: expect.stringContaining('text/csv') as unknown as string });
    const numbers = old.text.split(',').map(Number);
    expect(numbers).toHaveLength(5);
    numbers.forEach((n, i) => expect(Math.fround(n)).toBe(Math.fround(predictions[i] ?? 0)));
    const fresh = await p.invoke({ EndpointName, Body, TargetVariant: NEW });
    expect(fresh.variant).toBe(NEW);
    expect(fresh.text.trim().split('\n').map(Number)).toEqual(numbers);
  });
  it('sends each variant its share of 10,000 calls', async () => {
    expect(Math.abs((await share(10_000, OLD)) - 0.5)).toBeLessThan(0.02);
  });
  it('follows changed weights', async () => {
    const DesiredWeightsAndCapacities = [
      { VariantName: OLD, DesiredWeight: 9 },
      { VariantName: NEW, DesiredWeight: 1 },
    ];
    await p.sagemaker.send(new UpdateEndpointWeightsAndCapacitiesCommand({ EndpointName, DesiredWeightsAndCapacities }));
    const d = await p.inService(EndpointName);
    expect(d.ProductionVariants?.map(v => v.CurrentWeight)).toEqual([9, 1]);
    expect(Math.abs((await share(10_000, OLD)) - 0.9)).toBeLessThan(0.015);
  });
  it('gives the errors of the service, which SDKs know', async () => {
    await expect(p.invoke({ EndpointName: 'none' })).rejects.toMatchObject({
      name: 'ValidationError',
      message: 'Endpoint none of account 000000000000 not found.',
    });
    await expect(p.invoke({ EndpointName, TargetVariant: 'none' })).rejects.toMatchObject({ name: 'ValidationError' });
    await expect(p.invoke({ EndpointName, TargetModel: 'm.tar.gz' })).rejects.toMatchObject({ name: 'ValidationError' });
    await expect(p.invoke({ EndpointName, TargetContainerHostname: 'a' })).rejects.toMatchObject({ name: 'ValidationError' });
    const wrong = await p.invoke({ EndpointName, ContentType: 'image/png' }).catch((e: unknown) => e);
    expect(wrong).toBeInstanceOf(ModelError);
    expect(wrong).toMatchObject({
      OriginalStatusCode: 415,
      message: expect.stringMatching(/^Received client error \(415\) from primary/) as unknown as string,
    });
    await expect(p.sagemaker.send(new DescribeEndpointCommand({ EndpointName: 'none' }))).rejects.toMatchObject({
      name: 'ValidationException',
      message: 'Could not find endpoint "arn:aws:sagemaker:us-east-1:000000000000:endpoint/none".',
    });
    await expect(p.model('old')).rejects.toMatchObject({
      message: expect.stringContaining('Cannot create already existing model') as unknown as string,
    });
    await expect(p.config('c', [{ ModelName: 'none' }])).rejects.toMatchObject({
      message: expect.stringContaining('Could not find model') as unknown as string,
    });
    await expect(
      p.sagemaker.send(new CreateEndpointCommand({ EndpointName: 'e', EndpointConfigName: 'none' })),
    ).rejects.toMatchObject({
      message: 'Could not find endpoint configuration "arn:aws:sagemaker:us-east-1:000000000000:endpoint-config/none".',
    });
    const bad = new CreateModelCommand({ ModelName: '-', PrimaryContainer: { Image: 'a', Mode: 'Several' as 'SingleModel' } });
    await expect(p.sagemaker.send(bad)).rejects.toMatchObject({
      message:
        "2 validation errors detected: Value '-' at 'modelName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9]([\\-a-zA-Z0-9]*[a-zA-Z0-9])?; " +
        "Value 'Several' at 'primaryContainer.mode' failed to satisfy constraint: Member must satisfy enum value set: [SingleModel, MultiModel]",
    });
  });
  it('lists in pages, describes and tags', async () => {
    for (const i of [1, 2, 3]) await p.model(`listed-${i}`);
    const first = await p.sagemaker.send(
      new ListModelsCommand({ NameContains: 'listed', MaxResults: 2, SortBy: 'Name', SortOrder: 'Ascending' }),
    );
    expect(first.Models?.map(m => m.ModelName)).toEqual(['listed-1', 'listed-2']);
    const second = await p.sagemaker.send(
      new ListModelsCommand({
        NameContains: 'listed',
        MaxResults: 2,
        SortBy: 'Name',
        SortOrder: 'Ascending',
        NextToken: first.NextToken,
      }),
    );
    expect(second.Models?.map(m => m.ModelName)).toEqual(['listed-3']);
    expect(second.NextToken).toBeUndefined();
    const m = await p.sagemaker.send(new DescribeModelCommand({ ModelName: 'listed-1' }));
    expect(m).toMatchObject({ ModelName: 'listed-1', ExecutionRoleArn: ROLE, PrimaryContainer: { Image: image('1.2-1') } });
    expect(m.CreationTime).toBeInstanceOf(Date);
    const ResourceArn = m.ModelArn ?? '';
    await p.sagemaker.send(
      new AddTagsCommand({
        ResourceArn,
        Tags: [
          { Key: 'a', Value: '1' },
          { Key: 'b', Value: '2' },
        ],
      }),
    );
    await p.sagemaker.send(new DeleteTagsCommand({ ResourceArn, TagKeys: ['a'] }));
    expect((await p.sagemaker.send(new ListTagsCommand({ ResourceArn }))).Tags).toEqual([{ Key: 'b', Value: '2' }]);
    for (const i of [1, 2, 3]) await p.sagemaker.send(new DeleteModelCommand({ ModelName: `listed-${i}` }));
    await expect(p.sagemaker.send(new ListTagsCommand({ ResourceArn }))).rejects.toMatchObject({ name: 'ValidationException' });
  });
  it('fails an endpoint whose model does not load, and says why', async () => {
    await p.model('broken', { ModelDataUrl: 's3://models/none.tar.gz' });
    await p.config('broken', [{ ModelName: 'broken' }]);
    await p.sagemaker.send(new CreateEndpointCommand({ EndpointName: 'broken', EndpointConfigName: 'broken' }));
    await until(async () => (await p.describe('broken')).EndpointStatus === 'Failed');
    expect((await p.describe('broken')).FailureReason).toMatch(
      /^The primary container for production variant v0 did not pass the ping health check\..*there is no object s3:\/\/models\/none\.tar\.gz/,
    );
    await expect(p.invoke({ EndpointName: 'broken' })).rejects.toMatchObject({ name: 'ValidationError' });
    await p.remove('broken');
  });
  it('is gone with its processes when it is deleted', async () => {
    const pids = p.daemon.pids(EndpointName);
    expect(pids).toHaveLength(2);
    await p.remove(EndpointName);
    await expect(p.describe(EndpointName)).rejects.toMatchObject({
      message: expect.stringContaining('Could not find endpoint') as unknown as string,
    });
    expect((await p.sagemaker.send(new ListEndpointsCommand({}))).Endpoints).toEqual([]);
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow();
  });
});
