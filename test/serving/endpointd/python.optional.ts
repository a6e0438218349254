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
import { until } from './plane.ts';

const python = judgesPython();
const folder = join(projectDir, 'serving/docs/walkthrough');

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
    daemon = await startDaemon({ port: 0, state, s3Endpoint: s3, clockRate: 60 });
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
        PYTHONDONTWRITEBYTECODE: '1',
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
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>(done => server.close(() => done()));
  return port;
}
