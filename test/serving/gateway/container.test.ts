/** `sinter serve` as a SageMaker container, over HTTP: the answers of AWS's container of XGBoost, byte for byte. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pythonFloat } from '../../../serving/core/python.ts';
import { writeNpy } from '../../../serving/protocols/sagemaker/npy.ts';
import type { ServeOptions } from '../../../serving/gateway/serve.ts';
import { bikeBundle, cleanUp, post, PREDICTED, ROWS, started, temporary } from './models.ts';

const CSV = { 'content-type': 'text/csv' };
const five = ROWS.slice(0, 5);
/** As the container prints what XGBoost gave: the file has float32s by their shortest digits. */
const printed = PREDICTED.slice(0, 5).map(v => pythonFloat(Math.fround(v)));
let bundle = '';
const bike = (o: Partial<ServeOptions> = {}): Promise<string> =>
  started({ models: [{ name: 'bike', path: bundle }], ...o }).then(s => s.url);
beforeAll(async () => {
  bundle = await bikeBundle();
});
afterAll(cleanUp);

describe('a container of one model', () => {
  let url = '';
  beforeAll(async () => {
    url = await bike();
  });
  const invoke = (body: string | Uint8Array, headers: Readonly<Record<string, string>> = CSV) =>
    post(`${url}/invocations`, body, headers);

  it('answers /ping and /execution-parameters', async () => {
    const ping = await fetch(`${url}/ping`);
    expect([ping.status, await ping.text()]).toEqual([200, '']);
    expect(await (await fetch(`${url}/execution-parameters`)).json()).toEqual({
      MaxConcurrentTransforms: availableParallelism(),
      BatchStrategy: 'MULTI_RECORD',
      MaxPayloadInMB: 6,
    });
  });
  it('answers CSV with a value a line', async () => {
    expect(await invoke(five.join('\n'))).toEqual({
      status: 200,
      type: 'text/csv; charset=utf-8',
      text: printed.map(p => `${p}\n`).join(''),
    });
  });
  it('answers JSON with scores', async () => {
    const { text, type } = await invoke(five.slice(0, 2).join('\n'), { ...CSV, accept: 'application/json' });
    expect([text, type]).toEqual([`{"predictions": [{"score": ${printed[0]}}, {"score": ${printed[1]}}]}`, 'application/json']);
  });
  it('reads the same rows as libsvm, JSON and .npy', async () => {
    const rows = five.map(r => r.split(',').map(Number));
    const expected = printed.map(p => `${p}\n`).join('');
    const libsvm = rows.map(r => `0 ${r.map((v, i) => `${i}:${v}`).join(' ')}`).join('\n');
    expect((await invoke(libsvm, { 'content-type': 'text/x-libsvm' })).text).toBe(expected);
    expect(
      (
        await invoke(
          libsvm.replaceAll(/(\d+):/g, (_, i: string) => `${Number(i) + 1}:`),
          {},
        )
      ).status,
    ).toBe(415);
    expect((await invoke(JSON.stringify({ instances: rows }), { 'content-type': 'application/json' })).text).toBe(expected);
    const npy = writeNpy({ type: 'float32', dims: [5, 13], data: Float32Array.from(rows.flat()) });
    expect((await invoke(npy, { 'content-type': 'application/x-npy' })).text).toBe(expected);
  });
  it('reads JSON objects by the names of features', async () => {
    const { featureNames } = JSON.parse(readFileSync(join(bundle, 'manifest.json'), 'utf8')) as { featureNames: string[] };
    const row = Object.fromEntries((five[0] ?? '').split(',').map((v, i) => [featureNames[i] ?? '', Number(v)]));
    const json = { 'content-type': 'application/json' };
    expect((await invoke(JSON.stringify([row]), json)).text).toBe(`${printed[0]}\n`);
    const wrong = await invoke(JSON.stringify([{ ...row, tmp: 1 }]), json);
    expect(wrong.status).toBe(400);
    expect(wrong.text).toContain("row 1 has 'tmp'");
  });
  it('reads compressed bodies', async () => {
    const { text } = await invoke(gzipSync(five[0] ?? ''), { ...CSV, 'content-encoding': 'gzip' });
    expect(text).toBe(`${printed[0]}\n`);
  });
  it.each([
    ['an empty body', '', CSV, 204, ''],
    ['an unknown type', 'x', { 'content-type': 'image/png' }, 415, 'image/png is not an accepted ContentType'],
    ['labels in CSV', '1,2', { 'content-type': 'text/csv; label_size=2' }, 415, 'label_size must be equal to 1'],
    ['words', 'a,b', CSV, 415, 'row 1, column 1'],
    ['ragged rows', '1,2\n3', CSV, 415, 'row 2 has 1 column, row 1 has 2'],
    ['too few columns', '1,2', CSV, 400, 'Unable to evaluate payload provided: Feature size of csv inference data 2'],
    ['a type of answer that is not there', five[0] ?? '', { ...CSV, accept: 'image/png' }, 406, 'Accept type image/png'],
    ['records that cannot be written', five[0] ?? '', { ...CSV, accept: 'application/jsonlines' }, 500, ''],
    ['no JSON', '{', { 'content-type': 'application/json' }, 415, ''],
    ['JSON of other types', '[["x"]]', { 'content-type': 'application/json' }, 400, ''],
    ['text that says it is gzip', 'x', { ...CSV, 'content-encoding': 'gzip' }, 400, 'no gzip'],
    ['an unknown encoding', 'x', { ...CSV, 'content-encoding': 'br' }, 415, "'br'"],
    ['damaged RecordIO', 'abcdefgh', { 'content-type': 'application/x-recordio-protobuf' }, 415, 'Invalid RecordIO magic'],
    ['a damaged .npy', '\x93NUMPY', { 'content-type': 'application/x-npy' }, 415, ''],
  ])('says what is wrong with %s', async (_, body, headers, status, text) => {
    const a = await invoke(body, headers);
    expect(a.status).toBe(status);
    expect(a.text).toContain(text);
  });
  it('refuses what is too long, also unfolded', async () => {
    expect((await invoke(Buffer.alloc(6 * 2 ** 20 + 1, '1'))).status).toBe(413);
    const bomb = gzipSync(Buffer.alloc(65 * 2 ** 20, '1'));
    expect(bomb.length).toBeLessThan(2 ** 20);
    expect((await invoke(bomb, { ...CSV, 'content-encoding': 'gzip' })).status).toBe(413);
  });
  it('runs requests that come together in one run, with the answers of each alone', async () => {
    const alone: string[] = [];
    for (const row of ROWS) alone.push((await invoke(row)).text);
    const bad = 'a,b';
    const together = await Promise.all([...ROWS, bad, ...ROWS].map(row => invoke(row)));
    expect(together.map(a => a.text).filter((_, i) => i !== ROWS.length)).toEqual([...alone, ...alone]);
    expect(together[ROWS.length]?.status).toBe(415);
  });
  it('runs more rows than a run takes', async () => {
    const rows = Array.from({ length: 12_000 }, (_, i) => ROWS[i % ROWS.length]).join('\n');
    const { text } = await invoke(rows);
    const got = text.trimEnd().split('\n');
    expect(got.length).toBe(12_000);
    expect(got.every((v, i) => Math.fround(Number(v)) === Math.fround(PREDICTED[i % ROWS.length] ?? NaN))).toBe(true);
  });
});
describe('its tag and environment', () => {
  it('make CSV one line up to 1.2-1', async () => {
    const url = await bike({ contract: { k: 'xgboost', tag: '0.90-2-cpu-py3' } });
    const a = await post(`${url}/invocations`, five.join('\n'), { ...CSV, accept: 'application/json' });
    expect([a.text, a.type]).toEqual([printed.join(','), 'text/csv; charset=utf-8']);
  });
  it('make a batch job a value a line', async () => {
    const url = await bike({ env: { SAGEMAKER_BATCH: 'true' } });
    expect((await post(`${url}/invocations`, five.join('\n'), CSV)).text).toBe(`${printed.join('\n')}\n`);
  });
  it('choose the type of answers, and refuse outputs that the objective has not', async () => {
    const json = await bike({ env: { SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT: 'application/json' } });
    expect((await post(`${json}/invocations`, five[0] ?? '', CSV)).text).toBe(`{"predictions": [{"score": ${printed[0]}}]}`);
    const selected = await bike({ env: { SAGEMAKER_INFERENCE_OUTPUT: 'predicted_score' } });
    const a = await post(`${selected}/invocations`, five[0] ?? '', CSV);
    expect([a.status, a.text]).toEqual([500, 'Objective `` unsupported for selectable inference predictions.']);
  });
});
describe('a container of many models', () => {
  it('loads, lists, answers and unloads them, from its folder alone', async () => {
    const root = temporary();
    for (const name of ['a', 'b']) {
      mkdirSync(join(root, name));
      cpSync(bundle, join(root, name, 'model'), { recursive: true });
    }
    const { url } = await started({ models: [], modelRoot: root, env: { SAGEMAKER_MULTI_MODEL: 'true' }, maxModels: 2 });
    const load = (name: string, path: string) => post(`${url}/models`, JSON.stringify({ model_name: name, url: path }));
    expect((await fetch(`${url}/ping`)).status).toBe(200);
    expect((await load('A', join(root, 'a/model'))).status).toBe(200);
    const again = await load('A', join(root, 'a/model'));
    expect([again.status, JSON.parse(again.text)]).toEqual([
      409,
      { code: 409, type: 'ConflictStatusException', message: 'Model A is already registered.' },
    ]);
    for (const path of ['/etc', `${root}/../`, `${root}/nothing`, bundle, root]) expect((await load('C', path)).status).toBe(400);
    expect((await load('x/y.tar.gz', join(root, 'b/model'))).status).toBe(200);
    expect((await load('third', join(root, 'b/model'))).status).toBe(507);
    expect(await (await fetch(`${url}/models`)).json()).toEqual({
      models: [
        { modelName: 'A', modelUrl: join(root, 'a/model') },
        { modelName: 'x/y.tar.gz', modelUrl: join(root, 'b/model') },
      ],
    });
    const invoke = (name: string, headers = {}) =>
      post(`${url}/models/${encodeURIComponent(name)}/invoke`, five.slice(0, 2).join('\n'), { ...CSV, ...headers });
    expect((await invoke('A')).text).toBe(`[${printed[0]}, ${printed[1]}]`);
    expect((await invoke('x/y.tar.gz', { accept: 'text/csv' })).text).toBe(`${printed[0]},${printed[1]}`);
    expect((await invoke('A', { accept: 'image/png' })).status).toBe(415);
    const unknown = await invoke('B');
    expect([unknown.status, JSON.parse(unknown.text)]).toEqual([
      404,
      { code: 404, type: 'ModelNotFoundException', message: 'Model not found: B' },
    ]);
    expect((await fetch(`${url}/models/A`, { method: 'DELETE' })).status).toBe(200);
    expect((await fetch(`${url}/models/A`)).status).toBe(404);
    expect((await invoke('A')).status).toBe(404);
    expect((await load('A', join(root, 'a/model'))).status).toBe(200);
  });
});
