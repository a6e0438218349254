// The walk-throughs of serving/docs by boto3 and the SageMaker Python SDK, with moto's S3.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { projectDir } from '../../../fixtures/paths.ts';
import { startDaemon, type Daemon } from '../../../serving/control/daemon.ts';
import { needs } from '../../needs.ts';
import { judges, judgesPython } from '../judges.ts';
import { servingProgram } from '../program.ts';
import { predictions, rows, until } from './plane.ts';

const python = judgesPython();
const folder = join(projectDir, 'serving/docs/walkthrough');

// Four minutes a second; a thousand calls, which says as much of the weights within the bounds that belong to it.
const CLOCK_RATE = 240;

needs(judges('boto3', 'sagemaker', 'moto.server')).describe('by boto3 and sagemaker < 3', () => {
  let moto: ChildProcess;
  let s3 = '';
  const state = mkdtempSync(join(tmpdir(), 'sinter-endpointd-'));
  let daemon: Daemon;
  beforeAll(async () => {
    const port = await freePort();
    s3 = `http://127.0.0.1:${port}`;
    moto = spawn(python, ['-m', 'moto.server', '-p', String(port)], { stdio: 'ignore' });
    await until(() =>
      fetch(s3).then(
        () => true,
        () => false,
      ),
    );
    daemon = await startDaemon({ port: 0, state, s3Endpoint: s3, clockRate: CLOCK_RATE });
  });
  afterAll(async () => {
    await daemon.close();
    moto.kill('SIGKILL');
    rmSync(state, { recursive: true, force: true });
  });
  const run = (script: string): Promise<string> =>
    new Promise(resolve => {
      const env = {
        ...process.env,
        AWS_ENDPOINT_URL: daemon.url,
        AWS_ENDPOINT_URL_S3: s3,
        AWS_ACCESS_KEY_ID: 'none',
        AWS_SECRET_ACCESS_KEY: 'none',
        AWS_DEFAULT_REGION: 'us-east-1',
        SAGEMAKER_SUPPRESS_V2_WARNING: '1',
        CLOCK_RATE: String(CLOCK_RATE),
        CALLS: '1000',
      };
      const child = spawn(python, [script], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
      let text = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (d: Buffer) => (text += d.toString()));
      child.on('close', code => resolve(`${text}\nexit ${code ?? -1}`));
    });
  it('an A/B test of two versions, with weights and auto-scaling', async () => {
    const text = await run('ab_test.py');
    expect(text).toMatch(/\nexit 0$/);
    expect(text.match(/^ok /gm)).toHaveLength(9);
  }, 300_000);
  it('many models under one prefix', async () => {
    const text = await run('multi_model.py');
    expect(text).toMatch(/\nexit 0$/);
    expect(text.match(/^ok /gm)).toHaveLength(9);
  }, 300_000);
  it('are served without endpointd too, from where they lie', async () => {
    const prefix = 's3://sagemaker-us-east-1-000000000000/bikerental-hyper/model/';
    const serve = async (what: string, ask: (url: string) => Promise<void>): Promise<string> => {
      const args = [await servingProgram(), 'serve', what, '--port', '0', '--workers', '1', '--cache', join(state, 'models')];
      const env = { ...process.env, AWS_ENDPOINT_URL_S3: s3, AWS_ACCESS_KEY_ID: undefined, AWS_PROFILE: undefined };
      const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
      let text = '';
      let asked: Promise<void> | undefined;
      child.stderr.on('data', (d: Buffer) => (text += d.toString()));
      child.stdout.on('data', (d: Buffer) => {
        text += d.toString();
        const [, url] = /listening on (http:\S+)/.exec(text) ?? [];
        if (url !== undefined && text.includes('ready: ')) asked ??= ask(url).finally(() => child.kill());
      });
      const code = await new Promise(done => child.on('close', done));
      await asked;
      return `${text}\nexit ${String(code)}`;
    };
    const all = await serve(prefix, async url => {
      expect(await (await fetch(`${url}/v2/models`)).json()).toEqual({ models: ['depth-3', 'depth-6', 'depth-9'] });
      const inputs = [{ name: 'features', shape: [1, 13], datatype: 'FP32', data: (rows[0] ?? '').split(',').map(Number) }];
      const r = await fetch(`${url}/v2/models/depth-6/infer`, { method: 'POST', body: JSON.stringify({ inputs }) });
      const { outputs } = (await r.json()) as { outputs: { name: string; data: number[] }[] };
      expect(outputs.find(o => o.name === 'prediction')?.data.map(Math.fround)).toEqual([Math.fround(predictions[0] ?? 0)]);
    });
    expect(all).toMatch(/exit 0$/);
    const one = await serve(`${prefix}depth-3/output/model.tar.gz`, async url => {
      const r = await fetch(`${url}/invocations`, {
        method: 'POST',
        headers: { 'content-type': 'text/csv' },
        body: rows[0] ?? '',
      });
      expect(Math.fround(Number(await r.text()))).toBe(Math.fround(predictions[0] ?? 0));
    });
    expect(one).toMatch(/ready: depth-3\n[^]*exit 0$/);
    const nothing = (): Promise<void> => Promise.resolve();
    expect(await serve(`${prefix}none/`, nothing)).toMatch(/error: there is no \.tar\.gz below s3:.*\n\nexit 1$/);
    expect(await serve('s3://no-such-bucket/x.tar.gz', nothing)).toMatch(/error: s3:.* cannot be fetched: .*\n\nexit 1$/);
  }, 120_000);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>(done => server.close(() => done()));
  return port;
}
