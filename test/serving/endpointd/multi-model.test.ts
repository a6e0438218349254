// The multi-model exercise by the AWS SDK for JavaScript, and what a cache of models must stand.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ModelNotReadyException } from '@aws-sdk/client-sagemaker-runtime';
import { startLoad } from './load.ts';
import { bikeArchive, image, predictions, rows, startPlane, until, type Plane } from './plane.ts';

let p: Plane;
const PREFIX = 'models/bikerental-hyper/model';
const name = (n: number): string => `bikerental-hyper-${n}/output/model.tar.gz`;
let archive: Buffer;
beforeAll(async () => {
  p = await startPlane({ modelRoom: 20 });
  archive = await bikeArchive();
  for (const n of [1, 2]) p.s3.objects.set(`${PREFIX}/${name(n)}`, archive);
  const container = { Image: image('1.2-1'), Mode: 'MultiModel' as const, ModelDataUrl: `s3://${PREFIX}` };
  await p.model('bike', container);
  await p.endpoint('multi', [{ InitialInstanceCount: 2 }]);
  await p.model('uncached', { ...container, MultiModelConfig: { ModelCacheSetting: 'Disabled' } });
  await p.endpoint('uncached', [{ ModelName: 'uncached' }]);
});
afterAll(() => p.close());
const EndpointName = 'multi';
const ask = (TargetModel: string): ReturnType<Plane['invoke']> =>
  p.invoke({ EndpointName, TargetModel, Body: rows.slice(0, 5).join('\n') });
const total = (metric: string, statistic: 'Sum' | 'SampleCount', endpoint = EndpointName): Promise<number> =>
  p.metric(metric, endpoint, 'v0', statistic);

describe('a multi-model endpoint', () => {
  it('reads no model before it is asked for, answers in JSON, and keeps it', async () => {
    expect([...p.s3.reads.keys()].filter(k => k.startsWith(PREFIX))).toEqual([]);
    const first = await ask(name(1));
    expect(first.type).toContain('application/json');
    expect((JSON.parse(first.text) as number[]).map(Math.fround)).toEqual(predictions.slice(0, 5).map(Math.fround));
    expect(await total('ModelCacheHit', 'Sum')).toBe(0);
    await ask(name(1));
    expect(await total('ModelCacheHit', 'Sum')).toBe(1);
    expect(await total('ModelCacheHit', 'SampleCount')).toBe(2);
    expect(await total('ModelLoadingTime', 'SampleCount')).toBe(1);
    expect(p.s3.reads.get(`${PREFIX}/${name(1)}`)).toBe(1);
    await ask(name(2));
  });
  it('takes an archive that came later', async () => {
    await expect(ask(name(3))).rejects.toMatchObject({
      name: 'ValidationError',
      message: expect.stringMatching(
        /^Failed to download model data\(bucket: models, key: bikerental-hyper\/model\/bikerental-hyper-3\/output\/model.tar.gz\)/,
      ) as unknown as string,
    });
    p.s3.objects.set(`${PREFIX}/${name(3)}`, archive);
    expect((await ask(name(3))).variant).toBe('v0');
  });
  it('does not let a name leave the prefix, and needs one', async () => {
    for (const bad of ['../secret.tar.gz', 'a/../../b', '/'])
      await expect(ask(bad)).rejects.toMatchObject({ name: 'ValidationError' });
    await expect(p.invoke({ EndpointName })).rejects.toMatchObject({ name: 'ValidationError' });
  });
  it('answers for 200 models in room for 20, and an instance downloads one once for 20 who wait for it', async () => {
    const names = Array.from({ length: 200 }, (_, i) => `many/${i}.tar.gz`);
    for (const n of names) p.s3.objects.set(`${PREFIX}/${n}`, archive);
    const [first = ''] = names;
    await Promise.all(Array.from({ length: 20 }, () => ask(first)));
    // Where the instance that reads it is busy, the other one may be asked, and read it once too.
    expect(p.s3.reads.get(`${PREFIX}/${first}`)).toBeLessThanOrEqual(2);
    // 200 and 77 share no factor: every name comes twice, far from where it came before.
    const order = Array.from({ length: 400 }, (_, i) => names[(i * 77) % 200] ?? '');
    const workers = Array.from({ length: 6 }, async () => {
      for (let n = order.pop(); n !== undefined; n = order.pop()) expect(JSON.parse((await ask(n)).text)).toHaveLength(5);
    });
    await Promise.all(workers);
    expect(await total('ModelUnloadingTime', 'SampleCount')).toBeGreaterThan(300);
  });
  it('unloads after each call where the cache is disabled', async () => {
    for (let i = 0; i < 3; i++) await p.invoke({ EndpointName: 'uncached', TargetModel: name(1) });
    expect(await total('ModelCacheHit', 'Sum', 'uncached')).toBe(0);
    expect(await total('ModelUnloadingTime', 'SampleCount', 'uncached')).toBe(3);
  });
  it('serves what is loaded while S3 is down', async () => {
    await ask(name(1));
    const load = startLoad(`${p.daemon.url}/endpoints/multi/invocations`, rows[0] ?? '', 4, {
      'x-amzn-sagemaker-target-model': name(1),
    });
    p.s3.down = true;
    const lost = await ask('unknown.tar.gz').catch((e: unknown) => e);
    expect(lost).toBeInstanceOf(Error);
    expect(lost).not.toBeInstanceOf(ModelNotReadyException);
    await until(() => load.answered > 200);
    p.s3.down = false;
    expect([...new Set((await load.stop()).failed)]).toEqual([]);
  });
});
