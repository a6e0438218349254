/** What may go wrong under load, with clients that try nothing again: workers that die, bodies that kill them, too many requests. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import type { Serving } from '../../../serving/gateway/serve.ts';
import { startPool } from '../../../serving/gateway/pool.ts';
import { bikeBundle, cleanUp, post, PREDICTED, ROWS, started, temporary } from './models.ts';

const CSV = { 'content-type': 'text/csv' };
let bundle = '';
beforeAll(async () => {
  bundle = await bikeBundle();
});
const loads: { stop(): unknown }[] = [];
afterEach(async () => {
  await Promise.all(loads.splice(0).map(l => l.stop()));
});
afterAll(cleanUp);
const models = (path = bundle) => [{ name: 'bike', path }];

/** Sends rows over connections that stay open until it is stopped, and counts what comes back. */
function load(server: Serving, connections: number): { stop(): Promise<Readonly<Record<string, number>>> } {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const counts: Record<string, number> = {};
  const count = (what: string): void => void (counts[what] = (counts[what] ?? 0) + 1);
  let going = true;
  const one = (i: number): Promise<void> =>
    new Promise(done => {
      const req = request({ port: server.port, path: '/invocations', method: 'POST', agent, headers: CSV }, res => {
        let text = '';
        res.on('data', (b: Buffer) => (text += b.toString()));
        res.on('end', () => {
          const right = Math.fround(Number(text)) === Math.fround(PREDICTED[i % ROWS.length] ?? NaN);
          count(res.statusCode === 200 && !right ? 'wrong' : String(res.statusCode));
          done();
        });
      });
      req.on('error', e => {
        count(e.message);
        done();
      });
      req.end(ROWS[i % ROWS.length]);
    });
  const loops = Array.from({ length: connections }, async (_, i) => {
    for (let n = i; going; n++) await one(n);
  });
  const running = {
    stop: async () => {
      going = false;
      await Promise.all(loops);
      agent.destroy();
      return counts;
    },
  };
  loads.push(running);
  return running;
}
/** The processes of a server's workers. */
const workersOf = async (server: Serving): Promise<number> =>
  ((await (await fetch(`${server.url}/sinter/status`)).json()) as { workers: number }).workers;
/** A bundle whose index.js has something before its code. */
function changed(before: string): string {
  const dir = join(temporary(), 'changed');
  cpSync(bundle, dir, { recursive: true });
  const file = join(dir, 'index.js');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, `${before}\n${text}`);
  return dir;
}

describe('a worker that is killed', () => {
  it('loses no request, idle or busy, and is replaced', async () => {
    const pids = new Map<string, number>();
    const server = await started({
      models: models(),
      workers: 2,
      logger: logOf(e => e.pid !== undefined && pids.set(e.worker ?? '', e.pid)),
    });
    const traffic = load(server, 16);
    for (let n = 0; n < 4; n++) {
      const worker = `worker-${n % 2}`;
      const pid = pids.get(worker) ?? 0;
      await pause(200);
      process.kill(pid, 'SIGKILL');
      // The next one is killed while this one is coming back; then both must be back.
      if (n % 2 === 1) while (pids.get(worker) === pid || (await workersOf(server)) < 2) await pause(50);
    }
    const counts = await traffic.stop();
    expect(Object.keys(counts)).toEqual(['200']);
    expect(counts['200']).toBeGreaterThan(50);
    expect(await workersOf(server)).toBe(2);
  });
  it('is waited for where it is the only one', async () => {
    const pids: number[] = [];
    const server = await started({ models: models(), logger: logOf(e => e.pid !== undefined && pids.push(e.pid)) });
    const traffic = load(server, 4);
    await pause(300);
    process.kill(pids[0] ?? 0, 'SIGKILL');
    while (pids.length < 2) await pause(50);
    expect(Object.keys(await traffic.stop())).toEqual(['200']);
    expect(pids.length).toBe(2);
  });
});
describe('a body that kills workers', () => {
  it('ends two of them at most, is refused then, and costs no other request its answer', async () => {
    // The temperature -273 ends the process.
    const deadly = changed(`const { includes } = Array.prototype;
const run0 = Float32Array.prototype.set;
globalThis.process.on('exit', () => undefined);
Float32Array.prototype.set = function (x, at) { if (includes.call(x, -273)) globalThis.process.abort(); return run0.call(this, x, at); };`);
    const lost: string[] = [];
    const server = await started({
      models: models(deadly),
      workers: 2,
      logger: logOf(e => e.msg === 'worker ended' && lost.push(e.why ?? '')),
    });
    const traffic = load(server, 8);
    await pause(200);
    const poison = (ROWS[0] ?? '').replace(/6\.5/, '-273');
    const first = await post(`${server.url}/invocations`, poison, CSV);
    expect([first.status, lost]).toEqual([424, ['SIGABRT', 'SIGABRT']]);
    expect((await post(`${server.url}/invocations`, poison, CSV)).status).toBe(424);
    await pause(500);
    expect(Object.keys(await traffic.stop())).toEqual(['200']);
    expect(lost.length).toBe(2);
  });
});
describe('too many requests', () => {
  it('get 503 at once, and the rest their answers', async () => {
    const server = await started({ models: models(), maxQueue: 4 });
    const all = await Promise.all(
      Array.from({ length: 200 }, (_, i) => post(`${server.url}/invocations`, ROWS[i % ROWS.length] ?? '', CSV)),
    );
    const statuses = all.map(a => a.status);
    expect(statuses.every(s => s === 200 || s === 503)).toBe(true);
    expect(statuses.filter(s => s === 200).length).toBeGreaterThan(3);
    expect(statuses.filter(s => s === 503).length).toBeGreaterThan(0);
    expect((await post(`${server.url}/invocations`, ROWS[0] ?? '', CSV)).status).toBe(200);
  });
});
describe('the end', () => {
  it('finishes what was begun, and says before that it is not ready', async () => {
    const server = await started({ models: models() });
    const traffic = load(server, 4);
    await pause(300);
    const closed = server.close();
    await pause(100);
    expect((await fetch(`${server.url}/ping`)).status).toBe(503);
    expect((await fetch(`${server.url}/v2/health/ready`)).status).toBe(503);
    await pause(400);
    expect(Object.keys(await traffic.stop())).toEqual(['200']);
    await closed;
    await expect(fetch(`${server.url}/ping`)).rejects.toThrow('fetch failed');
  });
});
describe('models that cannot be served', () => {
  const starting = async (path: string): Promise<string> => {
    const { pool, first } = startPool(models(path), {
      workers: 1,
      maxQueue: 1,
      timeout: 1000,
      maxModels: 1,
      cache: temporary(),
      tell: () => undefined,
    });
    const why = await first.then(
      () => 'it started',
      (e: unknown) => String(e),
    );
    await pool.close();
    return why;
  };
  it('say why: changed code, wrong golden rows, code that does not load, no model', async () => {
    const damaged = changed('');
    const wasm = readFileSync(join(damaged, 'model.wasm'));
    wasm[wasm.length - 5] = (wasm.at(-5) ?? 0) ^ 1;
    writeFileSync(join(damaged, 'model.wasm'), wasm);
    expect(await starting(damaged)).toContain('model.wasm is not what manifest.json says');

    const golden = changed('');
    const data = (values: readonly number[]): string => Buffer.from(Float32Array.from(values).buffer).toString('base64');
    const inputs = { features: { type: 'float32', dims: [1, 13], data: data((ROWS[0] ?? '').split(',').map(Number)) } };
    const write = (value: number): void =>
      writeFileSync(
        join(golden, 'serving.json'),
        JSON.stringify({
          golden: {
            by: 'evaluator',
            rtol: 1e-3,
            atol: 1e-5,
            inputs,
            outputs: { prediction: { type: 'float32', dims: [1], data: data([value]) } },
          },
        }),
      );
    write(PREDICTED[0] ?? 0);
    expect(await starting(golden)).toBe('it started');
    write((PREDICTED[0] ?? 0) + 1);
    expect(await starting(golden)).toContain('of the golden rows, prediction gives 223.26068115234375 instead of 224.26068');

    expect(await starting(changed('throw new Error("no");'))).toContain('cannot be loaded: no');
    expect(await starting(changed('process.exit(7);'))).toContain('7');
    expect(await starting('/nowhere')).toContain('there is no model at /nowhere');
  });
});

interface Line {
  readonly msg: string;
  readonly worker?: string;
  readonly pid?: number;
  readonly why?: string;
}
/** A log whose lines are given to `hear`. */
function logOf(hear: (line: Line) => unknown): NonNullable<Parameters<typeof started>[0]['logger']> {
  return pino({ level: 'info', base: null }, { write: (text: string) => void hear(JSON.parse(text) as Line) });
}
