import { afterEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../../serving/cli/loadtest.ts';
import { runLoad, type LoadOptions, type LoadResult } from '../../../serving/loadtest/load.ts';
import type { LoadtestResult } from '../../../serving/loadtest/loadtest.ts';
import { queued, startServer, type Handle, type TestServer } from './server.ts';

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});
async function server(handle: Handle, get?: Readonly<Record<string, unknown>>): Promise<TestServer> {
  const s = await startServer(handle, get);
  open.push(() => s.close());
  return s;
}
function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'sinter-loadtest-'));
  open.push(() => rmSync(dir, { recursive: true }));
  return dir;
}
const load = (url: URL, o: Partial<LoadOptions>): Promise<LoadResult> =>
  runLoad(
    { url, headers: { 'content-type': 'text/csv' }, bodies: [Buffer.from('1,2'), Buffer.from('3,4')] },
    { rate: 100, duration: 1, arrivals: 'even', connections: 64, timeout: 5, patience: 1, seed: 1, ...o },
  );
const ok: Handle = (_body, res) => void res.end('ok');

describe('runLoad', () => {
  it('sends as many as the rate says, the bodies in turn', async () => {
    const s = await server(ok);
    const r = await load(s.url, { rate: 200 });
    expect(r).toMatchObject({ sent: 199, errors: {}, overloaded: false });
    expect(s.bodies).toHaveLength(199);
    expect(s.bodies.filter(b => b === '1,2')).toHaveLength(100);
    const poisson = await load(s.url, { rate: 200, arrivals: 'poisson' });
    expect(Math.abs(poisson.sent - 200)).toBeLessThan(60);
  });
  it('counts what waits behind a slow answer as slow', async () => {
    // One request stalls the server for half of the time: a closed loop would see one slow answer in a hundred.
    let stalled = 0;
    const s = await server((_body, res, n) => {
      if (n === 20) stalled = Date.now() + 500;
      setTimeout(() => res.end('ok'), Math.max(0, stalled - Date.now()));
    });
    const r = await load(s.url, { connections: 1 });
    expect(r.sent).toBe(99);
    expect(r.errors).toEqual({});
    expect(r.percentile(80)).toBeGreaterThan(100);
    expect(r.latency.max).toBeGreaterThanOrEqual(450);
  });
  it('ends early where the server does not keep up, and leaves no request behind', async () => {
    const s = await server(queued(1, 50));
    const r = await load(s.url, { rate: 400, duration: 60, patience: 0.5, timeout: 30 });
    expect(r.overloaded).toBe(true);
    expect(r.sent).toBeLessThan(1000);
    expect(r.errors['no answer']).toBeGreaterThan(100);
  });
  it('counts errors by their status or reason', async () => {
    const s = await server((_body, res, n) => {
      if (n % 4 === 0) res.destroy();
      else if (n % 2 === 0) res.writeHead(503).end('busy');
      else res.end('ok');
    });
    const r = await load(s.url, { connections: 1 });
    expect(r.errors['status 503']).toBeGreaterThanOrEqual(20);
    expect(Object.keys(r.errors)).toHaveLength(2);
    expect(Object.values(r.errors).reduce((a, b) => a + b, 0)).toBeGreaterThanOrEqual(40);
    const silent = await server(() => undefined);
    const none = await load(silent.url, { rate: 20, timeout: 0.3, patience: 5 });
    expect(Object.values(none.errors).reduce((a, b) => a + b, 0)).toBe(none.sent);
  });
});

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
async function sinter(...argv: string[]): Promise<Said> {
  let out = '';
  let err = '';
  const code = await run(argv, { out: text => void (out += text), err: text => void (err += text) });
  return { code, out, err };
}
const FAST = ['--warmup', '0.2', '--duration', '0.7'];
function csv(): string {
  const file = join(folder(), 'row.csv');
  writeFileSync(file, '1,2,3\n');
  return file;
}

describe('sinter loadtest', () => {
  it('finds less than a server can do, and says what to scale at', async () => {
    // Four at a time of 20 ms each: never more than 200 a second.
    const s = await server(queued(4, 20));
    const dir = folder();
    const { code, out, err } = await sinter(
      ...[s.url.href, '--body', csv(), '--goal', 'p90<150ms', '--precision', '0.4', '--instances', '2', ...FAST],
      ...['--html', join(dir, 'a.html'), '--json', join(dir, 'a.json')],
    );
    expect(err).toBe('');
    expect(code).toBe(0);
    const r = JSON.parse(readFileSync(join(dir, 'a.json'), 'utf8')) as LoadtestResult;
    expect(r.best).toBeGreaterThan(10);
    expect(r.best).toBeLessThan(220);
    expect(r.scalingTarget).toBeCloseTo(((r.best ?? 0) / 2) * 0.5 * 60, 6);
    expect(r.steps.length).toBeGreaterThan(2);
    // What misses once is tried again.
    const kept = r.steps.filter(x => x.miss === undefined).map(x => x.rate);
    const missed = r.steps.filter(x => x.miss !== undefined && !kept.includes(x.rate)).map(x => x.rate);
    expect(missed.filter(rate => rate <= (r.best ?? 0))).toEqual([]);
    expect(out).toMatch(/requests a second keep p90 < 150 ms without errors\. Above it /);
    expect(out).toContain(`= ${Math.floor(r.scalingTarget ?? 0)} invocations a minute for each instance`);
    const page = readFileSync(join(dir, 'a.html'), 'utf8');
    expect(page).toMatch(/<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    expect(page).not.toMatch(/NaN|undefined|<script|https?:\/\/(?!www\.w3\.org\/|127\.0\.0\.1)/);
    expect(s.types.every(t => t === 'text/csv')).toBe(true);
  });
  it('makes inputs as the metadata of a model says', async () => {
    const inputs = [
      { name: 'x', datatype: 'FP32', shape: [-1, 3] },
      { name: 'n', datatype: 'INT64', shape: [2] },
      { name: 'b', datatype: 'BOOL', shape: [1] },
      { name: 't', datatype: 'BYTES', shape: [1, 1] },
    ];
    const s = await server(ok, { '/v2/models/m': { name: 'm', inputs }, '/v2/models': { models: [{ name: 'm' }] } });
    for (const path of ['/v2/models/m', '/v2/models/m/infer', '/']) {
      const r = await sinter(new URL(path, s.url).href, '--rate', '50', '--rows', '4', '--json', '--goal', 'p90<5s', ...FAST);
      expect(r).toMatchObject({ code: 0 });
      expect(JSON.parse(r.out)).toMatchObject({ url: new URL('/v2/models/m/infer', s.url).href, best: 50 });
    }
    const body = JSON.parse(s.bodies[0] ?? '') as { inputs: { shape: number[]; data: unknown[] }[] };
    expect(body.inputs.map(i => i.shape)).toEqual([[4, 3], [2], [1], [1, 1]]);
    expect(body.inputs.map(i => i.data.length)).toEqual([12, 2, 1, 1]);
    expect(body.inputs.map(i => typeof i.data[0])).toEqual(['number', 'number', 'boolean', 'string']);
    expect(new Set(s.bodies).size).toBe(16);
  });
  it('says so where one rate does not keep the goal', async () => {
    const s = await server((_body, res, n) => (n > 3 ? void res.writeHead(500).end() : void res.end()));
    const r = await sinter(s.url.href, '--body', csv(), '--rate', '50', '--warmup', '0', '--duration', '0.5');
    expect(r.code).toBe(1);
    expect(r.out).toMatch(/requests fail: \d+ × status 500/);
    expect(r.out).toContain('No rate that was tried keeps p99 < 50 ms without errors: requests fail.');
  });
  it('does not wait for an answer that never ends, nor keep one that is too long', async () => {
    const slow = await server((_body, res) => void res.write('a'));
    const r = await sinter(slow.url.href, '--body', csv(), '--timeout', '0.3');
    expect(r).toMatchObject({ code: 1 });
    expect(r.err).toMatch(/fails: .*(timeout|aborted)/i);
    const endless = await server((_body, res) => {
      const more = (): void => {
        while (!res.destroyed && res.write(Buffer.alloc(2 ** 20)));
      };
      res.on('drain', more);
      more();
    });
    expect((await sinter(endless.url.href, '--body', csv())).err).toMatch(/fails: the answer is longer than 64 MiB/);
    const step = await load(slow.url, { rate: 20, timeout: 0.3, patience: 5 });
    expect(Object.values(step.errors).reduce((a, b) => a + b, 0)).toBe(step.sent);
  });
  it('says what is wrong before it begins', async () => {
    const s = await server((_body, res) => void res.writeHead(415).end('Content type x is not known'), {
      '/v2/models': { models: [{ name: 'a' }, { name: 'b' }] },
      '/v2/models/odd': { name: 'odd' },
      '/v2/models/big': { inputs: [{ name: 'x', datatype: 'FP32', shape: [1e6, 1e6] }] },
      '/v2/models/new': { inputs: [{ name: 'x', datatype: 'FP8', shape: [1] }] },
    });
    const at = (path: string): string => new URL(path, s.url).href;
    const file = csv();
    const cases: readonly (readonly [RegExp, readonly string[]])[] = [
      [/POST .* answers 415: Content type x is not known/, [at('/invocations'), '--body', file]],
      [/has several models: choose one of \/v2\/models\/a, \/v2\/models\/b/, [at('/')]],
      [/GET .*none answers 404: not here/, [at('/v2/models/none')]],
      [/says nothing of its inputs: give a request with --body/, [at('/invocations')]],
      [/does not say what inputs the model takes/, [at('/v2/models/odd')]],
      [/input x would have 1000000000000 elements/, [at('/v2/models/big')]],
      [/type FP8, of which there are no random values/, [at('/v2/models/new')]],
      [/cannot read .*none\.csv: ENOENT/, [at('/'), '--body', join(folder(), 'none.csv')]],
      [/content type of .* is not known by its name/, [at('/'), '--body', join(folder(), 'row')]],
      [/GET http:\/\/127\.0\.0\.1:1\/v2\/models\/m fails: .*ECONNREFUSED/, ['http://127.0.0.1:1/v2/models/m']],
      [/POST http:\/\/127\.0\.0\.1:1\/ fails: .*ECONNREFUSED/, ['127.0.0.1:1', '--body', file]],
    ];
    for (const [message, argv] of cases) {
      const r = await sinter(...argv);
      expect(r.err).toMatch(message);
      expect(r.code).toBe(1);
    }
    const usage = [
      ['--goal', 'fast'],
      ['--goal', 'p100<5ms'],
      ['--rate', '0'],
      ['--header', 'no'],
      ['--seed', 'x'],
      ['ftp://x'],
      ['--nonsense'],
    ];
    for (const argv of usage)
      expect(await sinter(...(argv[0]?.startsWith('ftp') ? argv : [at('/'), ...argv]))).toMatchObject({ code: 2, out: '' });
    expect(await sinter()).toMatchObject({ code: 2 });
    expect((await sinter('--help')).out).toContain('sinter loadtest http://');
  });
});
