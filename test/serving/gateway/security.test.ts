/** What must not be possible: each promise of serving/README.md about it has a test here. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import * as tar from 'tar';
import { compile, writeBundle } from '../../../compiler/node.ts';
import { run } from '../../../serving/cli/index.ts';
import { checkSignature, SIGNATURE } from '../../../serving/core/signature.ts';
import type { Trust } from '../../../serving/core/trust.ts';
import type { Serving } from '../../../serving/gateway/serve.ts';
import { prepareModel } from '../../../serving/store/prepare.ts';
import { needs } from '../../needs.ts';
import { BIKE_MODEL, bikeBundle, cleanUp, post, PREDICTED, ROWS, started, temporary } from './models.ts';

const CSV = { 'content-type': 'text/csv' };
let bundle = '';
let server: Serving;
const log: string[] = [];
beforeAll(async () => {
  bundle = await bikeBundle();
  server = await started({
    models: [{ name: 'bike', path: bundle }],
    logger: pino({ level: 'debug' }, { write: (line: string) => void log.push(line) }),
    limits: { headersTimeout: 300, requestTimeout: 600 },
  });
});
afterAll(cleanUp);
/** Writes to a connection, and gives what comes back until it is closed. */
const raw = (text: string): Promise<string> =>
  new Promise((done, failed) => {
    const socket = connect(server.port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.on('data', b => (answer += b.toString()));
    socket.on('close', () => done(answer));
    socket.on('error', failed);
  });

it('listens on loopback alone', async () => {
  const others = Object.values(networkInterfaces()).flatMap(list => (list ?? []).filter(a => !a.internal && a.family === 'IPv4'));
  expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:/);
  for (const { address } of others) await expect(fetch(`http://${address}:${server.port}/ping`)).rejects.toThrow('fetch failed');
});
describe('limits', () => {
  it('end connections whose headers, or bodies, do not come', async () => {
    expect(await raw('POST /invocations HTTP/1.1\r\nhost: x\r\n')).toMatch(/^HTTP\/1\.1 408/);
    expect(await raw('POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n1')).toMatch(/^HTTP\/1\.1 408/);
  });
  it('refuse long headers, and bodies without a length', async () => {
    expect(await raw(`GET /ping HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431/);
    const chunk = `${(2 ** 20).toString(16)}\r\n${'1'.repeat(2 ** 20)}\r\n`;
    const body = `POST /invocations HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${chunk.repeat(7)}`;
    expect(await raw(body)).toMatch(/^HTTP\/1\.1 413/);
  });
  it('hold for what is no HTTP, and for paths that are none', async () => {
    expect(await raw('\x16\x03\x01hello\r\n\r\n')).toMatch(/^HTTP\/1\.1 400/);
    expect((await fetch(`${server.url}/v2/models/%zz`)).status).toBe(400);
    expect((await fetch(`${server.url}/v2/models/${'x'.repeat(2000)}`)).status).toBe(404);
  });
});
describe('a request', () => {
  it('names no file', async () => {
    const load = (url: string) => post(`${server.url}/models`, JSON.stringify({ model_name: 'x', url }));
    for (const path of ['/etc/passwd', bundle, '../../etc', 'file:///etc/passwd']) expect((await load(path)).status).toBe(400);
    expect((await fetch(`${server.url}/../../etc/passwd`)).status).toBe(404);
    expect((await post(`${server.url}/v2/repository/models/%2Fetc/load`, '{}')).status).toBe(400);
  });
  it('of a page of another origin is refused', async () => {
    const a = await post(`${server.url}/invocations`, ROWS[0] ?? '', { ...CSV, origin: 'https://example.com' });
    expect(a.status).toBe(403);
    expect((await post(`${server.url}/invocations`, ROWS[0] ?? '', { ...CSV, origin: server.url })).status).toBe(200);
  });
  it('leaves neither its headers nor its body in the log', async () => {
    await post(`${server.url}/invocations?token=SECRET1`, 'SECRET2,1', {
      ...CSV,
      authorization: 'Bearer SECRET3',
      'x-amz-security-token': 'SECRET4',
    });
    await post(`${server.url}/v2/models/bike/infer`, '{"id":"SECRET5"}');
    expect(log.filter(l => l.includes('"request"')).length).toBeGreaterThan(0);
    expect(log.join('')).not.toMatch(/SECRET/);
  });
});
describe('an archive', () => {
  const pack = (make: (dir: string) => void, ...names: readonly string[]): string => {
    const dir = temporary();
    make(dir);
    const file = join(temporary(), 'model.tar.gz');
    tar.c({ file, cwd: dir, gzip: true, sync: true, preservePaths: true }, [...names]);
    return file;
  };
  const refused = (path: string): Promise<unknown> =>
    prepareModel({ name: 'x', path }, { cache: temporary() }).then(
      () => 'it was taken',
      (e: unknown) => String(e),
    );
  it('of a bundle is unpacked', async () => {
    const file = join(temporary(), 'model.tar.gz');
    tar.c({ file, cwd: bundle, gzip: true, sync: true }, ['.']);
    const { bundle: at } = await prepareModel({ name: 'x', path: file }, { cache: temporary() });
    expect(readFileSync(join(at, 'manifest.json'))).toEqual(readFileSync(join(bundle, 'manifest.json')));
  });
  it('leaves its folder neither by paths nor by links', async () => {
    const outside = pack(
      dir => {
        mkdirSync(join(dir, 'a'));
        writeFileSync(join(dir, 'evil-of-sinter'), 'x');
        writeFileSync(join(dir, 'a/manifest.json'), '{}');
      },
      'a/manifest.json',
      'a/../evil-of-sinter',
    );
    expect(await refused(outside)).toContain("'a/../evil-of-sinter' leaves its folder");
    const link = pack(dir => {
      symlinkSync('/etc/passwd', join(dir, 'manifest.json'));
    }, 'manifest.json');
    expect(await refused(link)).toContain('SymbolicLink');
  });
  it('that is cut off, or no archive, is refused, and nothing is left of it', async () => {
    const file = join(temporary(), 'model.tar.gz');
    tar.c({ file, cwd: bundle, gzip: true, sync: true }, ['.']);
    const whole = readFileSync(file);
    writeFileSync(file, whole.subarray(0, whole.length / 2));
    const cache = temporary();
    await expect(prepareModel({ name: 'x', path: file }, { cache })).rejects.toThrow('no archive that can be read');
    writeFileSync(file, 'hello');
    await expect(prepareModel({ name: 'x', path: file }, { cache })).rejects.toThrow();
    expect(existsSync(cache) ? (await import('node:fs')).readdirSync(cache) : []).toEqual([]);
  });
});
describe('native code', () => {
  needs('cc', 'make').it('is loaded only where that is allowed, or where it is signed', async () => {
    const dir = join(temporary(), 'native');
    writeBundle(dir, (await compile({ model: BIKE_MODEL, target: 'native' })).files);
    execFileSync('make', ['-C', dir, 'model.node'], { stdio: 'pipe' });
    const models = [{ name: 'bike', path: dir }];
    const answers = async (trust: Trust): Promise<void> => {
      const { text } = await post(`${(await started({ models, trust })).url}/invocations`, ROWS[0] ?? '', CSV);
      expect(Math.fround(Number(text))).toBe(Math.fround(PREDICTED[0] ?? 0));
    };
    await expect(started({ models })).rejects.toThrow('--allow-native');
    await answers({ k: 'all' });
    const { key, trust } = await newKey();
    await expect(started({ models, trust })).rejects.toThrow('is not signed');
    expect((await sinter('sign', dir, '--key', key)).code).toBe(0);
    await answers(trust);
  });
});
describe('a signature', () => {
  it('is of every file, and of nothing else', async () => {
    const { key, trust } = await newKey();
    const keys = trust.k === 'signed' ? trust.keys : [];
    const dir = join(temporary(), 'bike');
    const signed = async (): Promise<void> => {
      rmSync(dir, { recursive: true, force: true });
      cpSync(bundle, dir, { recursive: true });
      mkdirSync(join(dir, 'more'));
      writeFileSync(join(dir, 'more/notes.txt'), 'of another team');
      expect(await sinter('sign', dir, '--key', key)).toMatchObject({ code: 0, err: '' });
    };
    await signed();
    expect(() => checkSignature(dir, keys)).not.toThrow();
    const list = JSON.parse(readFileSync(join(dir, SIGNATURE), 'utf8')) as { files: [string, string][] };
    const digest = createHash('sha256').update('of another team').digest('hex');
    const cases: readonly (readonly [RegExp, () => void])[] = [
      [/is not signed/, () => rmSync(join(dir, SIGNATURE))],
      [/has another index\.js than was signed/, () => appendFileSync(join(dir, 'index.js'), ' ')],
      [/lacks more\/notes\.txt/, () => rmSync(join(dir, 'more'), { recursive: true })],
      [/has more\/evil\.node, which was not signed/, () => writeFileSync(join(dir, 'more/evil.node'), '')],
      [/evil\.js is neither a file nor a folder/, () => symlinkSync('/etc/passwd', join(dir, 'evil.js'))],
      [/has a damaged signature\.json/, () => writeFileSync(join(dir, SIGNATURE), '{"files":[1]}')],
      [
        /its list of files was changed/,
        () => writeFileSync(join(dir, SIGNATURE), JSON.stringify({ ...list, files: [...list.files, ['evil.js', digest]] })),
      ],
    ];
    for (const [message, change] of cases) {
      await signed();
      change();
      expect(() => checkSignature(dir, keys)).toThrow(message);
    }
    await signed();
    const other = (await newKey()).trust;
    expect(() => checkSignature(dir, other.k === 'signed' ? other.keys : [])).toThrow('a key that is not trusted');
  });
  it('is asked of bundles of WebAssembly too, but not of what is compiled here', async () => {
    const { trust } = await newKey();
    await expect(started({ models: [{ name: 'bike', path: bundle }], trust })).rejects.toThrow('is not signed');
    const { url } = await started({ models: [{ name: 'bike', path: BIKE_MODEL }], trust, cache: temporary() });
    expect((await post(`${url}/invocations`, ROWS[0] ?? '', CSV)).status).toBe(200);
  });
  it('wants keys of Ed25519, and says where they are none', async () => {
    const file = join(temporary(), 'key.pem');
    writeFileSync(file, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }));
    expect((await sinter('sign', bundle, '--key', file)).err).toMatch(/not a key of Ed25519, but of ec/);
    expect((await sinter('serve', bundle, '--trust', file)).err).toMatch(/--trust .*key\.pem: not a key of Ed25519/);
    writeFileSync(file, 'hello');
    expect((await sinter('sign', bundle, '--key', file)).err).toMatch(/not a private key in PEM/);
    expect((await sinter('sign', temporary(), '--key', (await newKey()).key)).err).toMatch(/is not the folder of a bundle/);
    expect((await sinter('serve', bundle, '--trust', file, '--allow-native')).err).toMatch(/choose one/);
    expect(await sinter('sign', '--new-key', '--key', file)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/EEXIST/) as unknown,
    });
    expect(await sinter('sign', '--key', file)).toMatchObject({ code: 2 });
  });
});
/** Runs a command of the package. */
async function sinter(
  ...argv: readonly string[]
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let [out, err] = ['', ''];
  const code = await run(argv, { out: text => void (out += text), err: text => void (err += text) });
  return { code, out, err };
}
/** A new private key, and the trust in its public one. */
async function newKey(): Promise<{ readonly key: string; readonly trust: Trust }> {
  const key = join(temporary(), 'key.pem');
  expect(await sinter('sign', '--new-key', '--key', key)).toMatchObject({ code: 0, err: '' });
  expect(statSync(key).mode & 0o777).toBe(0o600);
  return { key, trust: { k: 'signed', keys: [readFileSync(`${key}.pub`, 'utf8')] } };
}
