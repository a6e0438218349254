// What must not take the service down: requests that end processes, too many at once, bodies and archives that are broken.
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CreateEndpointCommand, CreateEndpointConfigCommand } from '@aws-sdk/client-sagemaker';
import { compile, writeBundle } from 'sinter';
import { create as pack } from 'tar';
import { projectDir } from '../../../fixtures/paths.ts';
import { startLoad } from './load.ts';
import { image, rows, startPlane, until, type Plane } from './plane.ts';

let p: Plane;
/** A row whose first value ends the process of the model below. */
const FATAL = `666${(rows[0] ?? '').slice(1)}`;
/** A row that it computes for a tenth of a second. */
const SLOWER = `888${(rows[0] ?? '').slice(1)}`;
/** A row that it computes for a second. */
const SLOW = `777${(rows[0] ?? '').slice(1)}`;
beforeAll(async () => {
  p = await startPlane();
  await p.model('bike', { Image: image('1.2-2') });
  p.s3.objects.set('models/deadly.tar.gz', await deadlyArchive());
  await p.model('deadly', { ModelDataUrl: 's3://models/deadly.tar.gz' });
  await p.endpoint('deadly', [{ ModelName: 'deadly', InitialInstanceCount: 2 }]);
});
afterAll(() => p.close());
/** The bundle of the bike model, with an index.js that ends its process, or keeps it busy, for some rows. */
async function deadlyArchive(): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'sinter-deadly-'));
  const dir = join(folder, 'bundle');
  writeBundle(dir, (await compile({ model: join(projectDir, 'fixtures/bike/model.json') })).files);
  renameSync(join(dir, 'index.js'), join(dir, 'real.js'));
  writeFileSync(
    join(dir, 'index.js'),
    `export * from './real.js';
import { load as real } from './real.js';
export async function load() {
  const model = await real();
  const run = inputs => {
    for (const { data } of Object.values(inputs)) {
      if (data?.includes(666)) process.abort();
      const ms = data?.includes(777) ? 1000 : data?.includes(888) ? 100 : 0;
      for (const end = Date.now() + ms; Date.now() < end;);
    }
    return model.run(inputs);
  };
  return { profile: model.profile, run };
}
`,
  );
  await pack({ gzip: true, cwd: dir, file: join(folder, 'a.tar.gz'), portable: true }, ['.']);
  const bytes = readFileSync(join(folder, 'a.tar.gz'));
  rmSync(folder, { recursive: true });
  return bytes;
}
const EndpointName = 'deadly';
const url = (): string => `${p.daemon.url}/endpoints/${EndpointName}/invocations`;

describe('a request that ends the process', () => {
  it('costs two processes and no other request, and is refused from then on', async () => {
    const before = p.log.length;
    const deaths = (): number => p.log.slice(before).filter(l => / ended with /.test(l)).length;
    const load = startLoad(url(), rows[0] ?? '');
    await until(() => load.answered > 50);
    for (let i = 0; i < 5; i++)
      await expect(p.invoke({ EndpointName, Body: FATAL })).rejects.toMatchObject({
        name: 'ModelError',
        OriginalStatusCode: 500,
      });
    await until(() => p.daemon.pids(EndpointName).length === 2);
    expect([...new Set((await load.stop()).failed)]).toEqual([]);
    expect(deaths()).toBe(2);
  });
});

describe('too many requests at once', () => {
  it('are refused at once, and the rest is answered', async () => {
    const answers = await Promise.all(
      Array.from({ length: 600 }, () =>
        fetch(url(), { method: 'POST', headers: { 'content-type': 'text/csv' }, body: SLOW }).then(async r => {
          await r.arrayBuffer();
          return r.status;
        }),
      ),
    );
    expect(new Set(answers)).toEqual(new Set([200, 503]));
    // Two instances hold a hundred each.
    expect(answers.filter(s => s === 200).length).toBeGreaterThanOrEqual(200);
    expect((await p.invoke({ EndpointName })).variant).toBe('v0');
  }, 120_000);
});

describe('a slow shadow', () => {
  it('gets what it can take, and production does not wait for it', async () => {
    const variant = { InstanceType: 'ml.m5.large' as const, InitialInstanceCount: 1 };
    await p.sagemaker.send(
      new CreateEndpointConfigCommand({
        EndpointConfigName: 'shaded',
        ProductionVariants: [{ ...variant, VariantName: 'real', ModelName: 'bike' }],
        ShadowProductionVariants: [{ ...variant, VariantName: 'shade', ModelName: 'deadly', InitialVariantWeight: 1 }],
      }),
    );
    await p.sagemaker.send(new CreateEndpointCommand({ EndpointName: 'shaded', EndpointConfigName: 'shaded' }));
    await p.inService('shaded');
    const load = startLoad(`${p.daemon.url}/endpoints/shaded/invocations`, SLOWER);
    await until(() => load.answered >= 500);
    const { total, failed, counts } = await load.stop();
    expect([...new Set(failed)]).toEqual([]);
    expect([...counts.keys()]).toEqual(['real']);
    const shaded = await p.metric('Invocations', 'shaded', 'shade');
    expect(shaded).toBeGreaterThan(0);
    // 64 copies wait at most: had production waited for the shadow, the two would be as close as that.
    expect(total - shaded).toBeGreaterThan(100);
  });
});

describe('the server', () => {
  const post = async (path: string, body: BodyInit, headers: Record<string, string> = {}): Promise<string> => {
    const r = await fetch(`${p.daemon.url}${path}`, { method: 'POST', body, headers });
    return `${r.status} ${r.headers.get('x-amzn-errortype') ?? ''} ${await r.text()}`;
  };
  it('listens on loopback', () => {
    expect(p.daemon.url).toMatch(/^http:\/\/127\.0\.0\.1:/);
  });
  it('answers what it does not know, and what is too long, with an error of the protocol', async () => {
    expect(await post('/', '{}')).toMatch(/^400 UnknownOperationException .*names no service/);
    expect(await post('/', '{}', { 'x-amz-target': 'SageMaker.CreateTrainingJob' })).toMatch(/^400 UnknownOperationException/);
    expect(await post('/', '{', { 'x-amz-target': 'SageMaker.ListModels' })).toMatch(/^400 SerializationException/);
    expect(await post('/nothing', '')).toMatch(/^404 UnknownOperationException/);
    expect(await post('/endpoints/deadly/invocations-response-stream', '')).toMatch(/^404 .*neither streamed/);
    expect(await post('/endpoints/%E0%A4%A/invocations', '')).toMatch(/^400 ValidationError/);
    expect(await post('/endpoints/..%2f..%2fetc/invocations', '')).toMatch(/^400 ValidationError .*not found/);
    expect(await post('/moto-api/reset', '')).toMatch(/^404/);
    expect(await post('/endpoints/deadly/invocations', new Uint8Array(6_291_457))).toMatch(/^413 RequestEntityTooLarge/);
    expect(await post('/', new Uint8Array((4 << 20) + 1), { 'x-amz-target': 'SageMaker.ListModels' })).toMatch(/^413/);
  });
  it('stands connections that end in the middle', async () => {
    for (const text of [
      'POST / HTTP/1.1\r\n',
      'POST /endpoints/deadly/invocations HTTP/1.1\r\ncontent-length: 100\r\n\r\n1,2',
      '\0\0\0',
      `GET / HTTP/1.1\r\nx: ${'a'.repeat(100_000)}\r\n\r\n`,
    ])
      await new Promise<void>(done => {
        const socket = connect(Number(new URL(p.daemon.url).port), '127.0.0.1', () =>
          socket.write(text, () => setTimeout(() => socket.destroy(), 20)),
        );
        socket.on('close', () => done()).on('error', () => undefined);
      });
    expect((await p.invoke({ EndpointName })).variant).toBe('v0');
  });
  it('answers 200 bodies of any form with a status, and no instance dies', async () => {
    const pids = p.daemon.pids(EndpointName);
    const types = [
      'text/csv',
      'text/libsvm',
      'application/json',
      'application/x-npy',
      'application/x-recordio-protobuf',
      'text/html',
      '',
      'a/b;c="',
    ];
    const bodies = [
      '',
      'a',
      '1,2',
      '\0',
      '{"instances": [[',
      '[[[[[[[[',
      '1:1e999 2:nan',
      `${'1,'.repeat(100_000)}1`,
      '0 1:2 1:3',
      '\uFFFD\uD83D',
      '\x93NUMPY\x01\x00',
      '\x0a\x23\xd7\xce',
      '[{"features": null}]',
    ];
    const statuses = new Set<number>();
    for (const type of types)
      for (const body of bodies)
        for (const accept of ['*/*', 'application/json']) {
          const r = await fetch(url(), {
            method: 'POST',
            headers: { 'content-type': type, accept },
            body: Buffer.from(body, 'latin1'),
          });
          await r.arrayBuffer();
          statuses.add(r.status);
        }
    expect([...statuses].filter(s => s !== 200 && s !== 424)).toEqual([]);
    expect(p.daemon.pids(EndpointName)).toEqual(pids);
  });
  it('fails an endpoint whose archive is damaged, leaves its folder, or is no model', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sinter-bad-'));
    writeFileSync(join(folder, 'x'), 'x');
    await pack({ gzip: true, cwd: folder, file: join(folder, 'a.tar.gz'), preservePaths: true }, [join(folder, 'x')]);
    const good = p.s3.objects.get('models/bike/model.tar.gz') ?? Buffer.alloc(0);
    const bad: Readonly<Record<string, Buffer>> = {
      absolute: readFileSync(join(folder, 'a.tar.gz')),
      cut: good.subarray(0, good.length / 2),
      text: Buffer.from('text'),
    };
    rmSync(folder, { recursive: true });
    for (const [name, bytes] of Object.entries(bad)) {
      p.s3.objects.set(`models/${name}.tar.gz`, bytes);
      await p.model(name, { ModelDataUrl: `s3://models/${name}.tar.gz` });
      await p.config(name, [{ ModelName: name }]);
      await p.sagemaker.send(new CreateEndpointCommand({ EndpointName: name, EndpointConfigName: name }));
    }
    for (const name of Object.keys(bad)) {
      await until(async () => (await p.describe(name)).EndpointStatus === 'Failed');
      await p.remove(name);
    }
  });
});
