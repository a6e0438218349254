/** The forms for Lambda and for workers, run: Lambda's events by Node alone, workers by Cloudflare's own runtime. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDir } from '../../../fixtures/paths.ts';
import { networkBundle } from './network.ts';
import { compileBike, predictions, rows, sinterExport, workFolder } from './bundles.ts';

const { dir, remove } = workFolder();
afterAll(remove);
beforeAll(async () => {
  await compileBike(join(dir, 'bike'));
});

interface Answer {
  readonly status: number;
  readonly body: string;
}
/** A request as both systems get it. */
type Ask = (method: string, path: string, body?: string, type?: string) => Promise<Answer>;
const numbers = (csv: string): number[] => csv.trim().split('\n').map(Number);
const infer = (inputs: unknown, more: object = {}): string => JSON.stringify({ inputs, ...more });
const bikeInput = (count: number): object => ({
  name: 'features',
  datatype: 'FP32',
  shape: [count, 13],
  data: rows.slice(0, count).map(r => r.split(',').map(c => (c === '' ? null : Number(c)))),
});
/** What the responder answers for the bike model, wherever it runs. */
async function checkBike(ask: Ask): Promise<void> {
  const csv = await ask('POST', '/invocations', `${rows.join('\n')}\n`, 'text/csv; charset=utf-8');
  expect(csv.status).toBe(200);
  expect(numbers(csv.body).map(Math.fround)).toEqual(predictions.map(Math.fround));
  const oip = await ask('POST', '/v2/models/bike/versions/1/infer', infer([bikeInput(5)], { id: 'a"b' }), 'application/json');
  expect(JSON.parse(oip.body)).toEqual({
    model_name: 'bike',
    model_version: '1',
    id: 'a"b',
    outputs: [{ name: 'prediction', datatype: 'FP32', shape: [5], data: numbers(csv.body).slice(0, 5) }],
  });
  const objects = await ask(
    'POST',
    '/invocations',
    JSON.stringify({ instances: [{ hour: 8, temp: 6.5 }, {}] }),
    'application/json',
  );
  expect(JSON.parse(objects.body)).toMatchObject({ predictions: [expect.any(Number), expect.any(Number)] });
  const about = await ask('GET', '/v2/models/bike');
  expect(JSON.parse(about.body)).toMatchObject({
    name: 'bike',
    inputs: [{ name: 'features', datatype: 'FP32', shape: [-1, 13] }],
  });
  for (const path of ['/v2/health/live', '/v2/health/ready', '/v2/models/bike/ready', '/v2', '/v2/'])
    expect(await ask('GET', path)).toMatchObject({ status: 200 });
}
const REFUSED: readonly (readonly [
  status: number,
  message: string,
  method: string,
  path: string,
  body?: string,
  type?: string,
])[] = [
  [404, 'there is nothing at /v2/models/other; the model is at /v2/models/bike', 'GET', '/v2/models/other'],
  [404, 'there is nothing at /', 'GET', '/'],
  [405, 'GET is not for /invocations', 'GET', '/invocations'],
  [405, 'POST is not for /v2/models/bike', 'POST', '/v2/models/bike', ''],
  [415, 'content type "text/plain"', 'POST', '/invocations', 'a', 'text/plain'],
  [400, 'row 2 has 2 columns instead of 13', 'POST', '/invocations', `${rows[0] ?? ''}\n1,2`, 'text/csv'],
  [400, 'row 1, column 3: "x" is no number', 'POST', '/invocations', '1,2,x,4,5,6,7,8,9,10,11,12,13', 'text/csv'],
  [400, 'the body has no rows', 'POST', '/invocations', '\n', 'text/csv'],
  [400, 'the body is not JSON', 'POST', '/invocations', '{"instances":', 'application/json'],
  [400, 'the body has no list "instances"', 'POST', '/invocations', '{}', 'application/json'],
  [400, "row 0 has 'hours', which is no feature", 'POST', '/invocations', '[{"hours":1}]', 'application/json'],
  [400, 'the body has no list "inputs"', 'POST', '/v2/models/bike/infer', '[]'],
  [400, 'input "x" is not of the model; its inputs are features', 'POST', '/v2/models/bike/infer', infer([{ name: 'x' }])],
  [400, 'input features is missing', 'POST', '/v2/models/bike/infer', infer([])],
  [400, 'input features is given twice', 'POST', '/v2/models/bike/infer', infer([bikeInput(1), bikeInput(1)])],
  [400, 'input features is of FP32, not "INT8"', 'POST', '/v2/models/bike/infer', infer([{ ...bikeInput(1), datatype: 'INT8' }])],
  [400, 'has the shape [1,12] instead of [-1,13]', 'POST', '/v2/models/bike/infer', infer([{ ...bikeInput(1), shape: [1, 12] }])],
  [
    400,
    'has 13 elements; its shape [2,13] holds 26',
    'POST',
    '/v2/models/bike/infer',
    infer([{ ...bikeInput(1), shape: [2, 13] }]),
  ],
  [400, 'binary tensors are not taken here', 'POST', '/v2/models/bike/infer', infer([{ ...bikeInput(1), data: undefined }])],
  [
    400,
    'element 1 is "2", not of FP32',
    'POST',
    '/v2/models/bike/infer',
    infer([{ ...bikeInput(1), data: [1, '2', ...Array.from({ length: 11 }, () => 0)] }]),
  ],
  [400, 'output "y" is not of the model', 'POST', '/v2/models/bike/infer', infer([bikeInput(1)], { outputs: [{ name: 'y' }] })],
  [400, 'batch', 'POST', '/v2/models/bike/infer', infer([{ name: 'features', datatype: 'FP32', shape: [0, 13], data: [] }])],
];
async function checkRefusals(ask: Ask): Promise<void> {
  for (const [status, message, ...request] of REFUSED) {
    const a = await ask(...request);
    expect({ request, ...a }).toEqual({ request, status, body: expect.stringContaining(JSON.stringify(message).slice(1, -1)) });
  }
  // It goes on after all of them.
  expect(await ask('POST', '/v2/models/bike/infer', infer([bikeInput(1)]))).toMatchObject({ status: 200 });
}

describe('lambda', () => {
  /** Events of a function URL, as the guide of AWS shows them, answered by a process of Node in the function's folder. */
  function lambdaAsk(folder: string, requests: readonly Parameters<Ask>[]): Answer[] {
    const events = requests.map(([method, path, body, type]) => ({
      version: '2.0',
      routeKey: '$default',
      rawPath: path,
      rawQueryString: '',
      headers: { host: 'abc.lambda-url.us-east-1.on.aws', ...(type !== undefined && { 'content-type': type }) },
      requestContext: {
        accountId: 'anonymous',
        apiId: 'abc',
        domainName: 'abc.lambda-url.us-east-1.on.aws',
        http: { method, path, protocol: 'HTTP/1.1', sourceIp: '203.0.113.1', userAgent: 'curl' },
        requestId: '1',
        routeKey: '$default',
        stage: '$default',
        time: '12/Mar/2020:19:03:58 +0000',
        timeEpoch: 1583348638390,
      },
      ...(body !== undefined && { body: type === 'text/csv' ? Buffer.from(body).toString('base64') : body }),
      isBase64Encoded: type === 'text/csv',
    }));
    writeFileSync(join(dir, 'events.json'), JSON.stringify(events));
    const script = `const { handler } = await import(process.argv[1] + '/index.mjs');
      const { readFileSync } = await import('node:fs');
      const answers = [];
      for (const e of JSON.parse(readFileSync(process.argv[2]))) answers.push(await handler(e));
      console.log(JSON.stringify(answers));`;
    const out = execFileSync(process.execPath, ['--input-type=module', '-e', script, folder, join(dir, 'events.json')], {
      cwd: '/',
    });
    const answers = JSON.parse(out.toString()) as { statusCode: number; body: string; headers: object }[];
    return answers.map(a => ({ status: a.statusCode, body: a.body }));
  }
  const ask =
    (folder: string): Ask =>
    (...request) =>
      Promise.resolve(lambdaAsk(folder, [request])[0] ?? { status: 0, body: '' });

  it('answers events of function URLs', async () => {
    const out = join(dir, 'lambda');
    expect(await sinterExport('lambda', join(dir, 'bike'), '--out', out)).toMatchObject({ code: 0, err: '' });
    await checkBike(ask(join(out, 'function')));
    const answers = lambdaAsk(
      join(out, 'function'),
      REFUSED.map(([, , ...request]) => request),
    );
    expect(answers.map(a => a.status)).toEqual(REFUSED.map(([status]) => status));
  });
});

describe('workers', () => {
  const running: ChildProcess[] = [];
  afterAll(async () => {
    for (const p of running) {
      if (p.exitCode === null) {
        p.kill();
        await once(p, 'exit');
      }
    }
  });
  /** A port that was free a moment ago. */
  async function freePort(): Promise<number> {
    const s = createServer().listen(0, '127.0.0.1');
    await once(s, 'listening');
    const { port } = s.address() as AddressInfo;
    s.close();
    await once(s, 'close');
    return port;
  }
  /** The program itself: node_modules/.bin/workerd starts it as a child, which would be left behind. */
  const processor = process.arch === 'x64' ? '64' : process.arch;
  const workerd = join(projectDir, `node_modules/@cloudflare/workerd-${process.platform}-${processor}/bin/workerd`);
  async function serve(folder: string): Promise<Ask> {
    const port = await freePort();
    const p = spawn(workerd, ['serve', 'config.capnp', '--socket-addr', `http=127.0.0.1:${port}`], {
      cwd: folder,
      stdio: 'ignore',
    });
    running.push(p);
    const ask: Ask = async (method, path, body, type) => {
      const r = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        ...(body !== undefined && { body }),
        ...(type !== undefined && { headers: { 'content-type': type } }),
      });
      return { status: r.status, body: await r.text() };
    };
    for (let i = 0; i < 200 && p.exitCode === null; i++) {
      try {
        await ask('GET', '/v2/health/live');
        return ask;
      } catch {
        await new Promise(r => setTimeout(r, 50));
      }
    }
    throw new Error(`workerd did not start, exit code ${p.exitCode}`);
  }

  it('answer for the bike model in workerd', async () => {
    const out = join(dir, 'worker');
    expect(await sinterExport('workers', join(dir, 'bike'), '--out', out)).toMatchObject({ code: 0, err: '' });
    const ask = await serve(out);
    await checkBike(ask);
    await checkRefusals(ask);
  });
  it('run a network with weights in a file of their own', async () => {
    const { input, output } = await networkBundle(join(dir, 'network'));
    expect(await sinterExport('workers', join(dir, 'network'), '--out', join(dir, 'network-worker'))).toMatchObject({
      code: 0,
      err: '',
    });
    // A rule without it makes wrangler refuse files of the same type that another rule knows.
    const { rules } = JSON.parse(readFileSync(join(dir, 'network-worker/wrangler.json'), 'utf8')) as { rules: object[] };
    for (const rule of rules) expect(rule).toMatchObject({ fallthrough: true });
    const ask = await serve(join(dir, 'network-worker'));
    const r = await ask('POST', `/v2/models/${input.model}/infer`, infer([input.tensor]), 'application/json');
    expect(r.status).toBe(200);
    const { outputs } = JSON.parse(r.body) as { outputs: { name: string; shape: number[]; data: number[] }[] };
    expect(outputs[0]).toMatchObject({ name: output.name, shape: output.dims });
    expect(outputs[0]?.data.map(Math.fround)).toEqual(output.data);
    expect(await ask('POST', '/invocations', '1,2', 'text/csv')).toMatchObject({ status: 404 });
  });
});
