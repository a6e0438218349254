/** The Open Inference Protocol, as clients that others wrote speak it: tritonclient and KServe's. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { compile, writeBundle } from '../../../compiler/node.ts';
import type { Serving } from '../../../serving/gateway/serve.ts';
import { needs } from '../../needs.ts';
import { model, node, value } from '../../onnx-writer.ts';
import { judge, judges } from '../judges.ts';
import { bikeBundle, cleanUp, post, PREDICTED, ROWS, started, temporary } from './models.ts';

/** Gives back what it gets, of five types: by ONNX's numbers of them. */
const TYPES = { i64: 7, f64: 11, b: 9, u8: 2, f16: 10 };
const identities = (): Uint8Array =>
  model(
    Object.entries(TYPES).flatMap(([name, type]) => [
      node('Identity', [name], [`y_${name}`]),
      value(11, name, type, ['n']),
      value(12, `y_${name}`, type, ['n']),
    ]),
  );
let server: Serving;
const rows = ROWS.map(r => r.split(',').map(v => (v === '' ? NaN : Number(v))));
beforeAll(async () => {
  const types = join(temporary(), 'types');
  writeBundle(types, (await compile({ model: identities(), dims: { n: { min: 1, max: 64 } } })).files);
  server = await started({
    models: [
      { name: 'bike', path: await bikeBundle() },
      { name: 'types', path: types },
    ],
    grpcPort: 0,
  });
});
afterAll(cleanUp);
const infer = (body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  post(`${server.url}/v2/models/bike/infer`, JSON.stringify(body), headers);
const input = (more: object = {}): object => ({ name: 'features', datatype: 'FP32', shape: [1, 13], data: rows[0], ...more });

describe('REST', () => {
  it('has health and metadata', async () => {
    const get = async (path: string): Promise<unknown> => (await fetch(server.url + path)).json();
    for (const path of ['/v2/health/live', '/v2/health/ready', '/v2/models/bike/ready', '/v2/models/bike/versions/1/ready'])
      expect((await fetch(server.url + path)).status).toBe(200);
    expect(await get('/v2')).toMatchObject({ name: 'sinter', extensions: ['binary_tensor_data', 'model_repository'] });
    expect(await get('/v2/models')).toEqual({ models: ['bike', 'types'] });
    expect(await get('/v2/models/bike')).toEqual({
      name: 'bike',
      versions: ['1'],
      platform: 'sinter_wasm-simd',
      inputs: [{ name: 'features', datatype: 'FP32', shape: [-1, 13] }],
      outputs: [{ name: 'prediction', datatype: 'FP32', shape: [-1] }],
    });
    expect((await fetch(`${server.url}/v2/models/cat`)).status).toBe(404);
    expect((await fetch(`${server.url}/v2/models/bike/versions/2`)).status).toBe(404);
  });
  it('takes data flat and nested, and keeps the id', async () => {
    for (const data of [rows[0], [rows[0]]]) {
      const a = await infer({ id: 'x"1', inputs: [input({ data })] });
      const { outputs, ...rest } = JSON.parse(a.text) as { outputs: { data: number[] }[] };
      expect(rest).toEqual({ id: 'x"1', model_name: 'bike', model_version: '1' });
      expect(outputs).toEqual([{ name: 'prediction', datatype: 'FP32', shape: [1], data: [Math.fround(PREDICTED[0] ?? 0)] }]);
    }
  });
  it.each([
    ['no JSON', '{', 'failed to parse'],
    ['no object', '[]', 'no JSON object'],
    ['no inputs', {}, "no list of 'inputs'"],
    ['an input that is not there', { inputs: [input({ name: 'x' })] }, "unexpected inference input 'x'"],
    ['another type', { inputs: [input({ datatype: 'FP64' })] }, "expects 'FP32'"],
    ['another shape', { inputs: [input({ shape: [1, 12] })] }, 'unexpected shape'],
    ['a size that is none', { inputs: [input({ shape: [-1, 13] })] }, 'a size of -1'],
    ['a size that is too large', { inputs: [input({ shape: [1e9, 13] })] }, 'holds 13000000000 elements'],
    ['too few data', { inputs: [input({ shape: [2, 13] })] }, 'has 13 elements'],
    ['data of other types', { inputs: [input({ data: rows[0]?.map(String) })] }, 'element 0 is "1" and no float32'],
    ['an input twice', { inputs: [input(), input()] }, 'given twice'],
    ['an output that is not there', { inputs: [input()], outputs: [{ name: 'y' }] }, "unexpected inference output 'y'"],
    ['classes', { inputs: [input()], outputs: [{ name: 'prediction', parameters: { classification: 2 } }] }, 'classification'],
    ['more bytes than there are', { inputs: [input({ parameters: { binary_data_size: 52 } })] }, 'binary_data_size is 52'],
  ])('says what is wrong with %s', async (_, body, text) => {
    const a = typeof body === 'string' ? await post(`${server.url}/v2/models/bike/infer`, body) : await infer(body);
    expect(a.status).toBe(400);
    expect((JSON.parse(a.text) as { error: string }).error).toContain(text);
  });
  it('takes one raw tensor and answers it raw', async () => {
    const r = await fetch(`${server.url}/v2/models/bike/infer`, {
      method: 'POST',
      body: new Uint8Array(Float32Array.from(rows.slice(0, 2).flat()).buffer),
      headers: { 'Inference-Header-Content-Length': '0' },
    });
    const length = Number(r.headers.get('inference-header-content-length'));
    const body = await r.arrayBuffer();
    expect([...new Float32Array(body.slice(length))]).toEqual(PREDICTED.slice(0, 2).map(Math.fround));
  });
  it('refuses a header length that is longer than the body, and bombs', async () => {
    expect((await infer({}, { 'inference-header-content-length': '99' })).status).toBe(400);
    const bomb = gzipSync(Buffer.alloc(65 * 2 ** 20, ' '));
    expect((await post(`${server.url}/v2/models/bike/infer`, bomb, { 'content-encoding': 'gzip' })).status).toBe(413);
  });
  it('unloads and loads models of its repository, and no others', async () => {
    const index = async (): Promise<unknown> => JSON.parse((await post(`${server.url}/v2/repository/index`, '')).text);
    const change = async (name: string, what: string, body = '') =>
      (await post(`${server.url}/v2/repository/models/${encodeURIComponent(name)}/${what}`, body)).status;
    expect(await change('types', 'unload')).toBe(200);
    expect(await index()).toEqual([
      { name: 'bike', version: '1', state: 'READY', reason: '' },
      { name: 'types', version: '1', state: 'UNAVAILABLE', reason: 'unloaded' },
    ]);
    expect(await change('../../etc/passwd', 'load')).toBe(400);
    expect(await change('types', 'load', '{"parameters":{"file:1/model.py":"eA=="}}')).toBe(400);
    expect(await change('types', 'load')).toBe(200);
    expect((await fetch(`${server.url}/v2/models/types/ready`)).status).toBe(200);
  });
});

/** What all clients do: metadata, then rows of both models, and an error. */
const TRITON = `
import sys, numpy as np
null = np.nan
kind, url = sys.argv[1:3]
if kind == "http":
  import tritonclient.http as c
else:
  import tritonclient.grpc as c
from tritonclient.utils import InferenceServerException
client = c.InferenceServerClient(url)
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("bike")
meta = client.get_model_metadata("bike") if kind == "http" else client.get_model_metadata("bike", as_json=True)
assert meta["inputs"][0]["name"] == "features", meta
index = client.get_model_repository_index() if kind == "http" else client.get_model_repository_index(as_json=True)["models"]
assert {m["name"] for m in index} == {"bike", "types"}, index
rows = np.array(eval(sys.argv[3]), dtype=np.float32)
def infer(model, arrays, outputs=None, **more):
  inputs = []
  for name, (a, t) in arrays.items():
    i = c.InferInput(name, list(a.shape), t)
    i.set_data_from_numpy(a)
    inputs.append(i)
  return client.infer(model, inputs, outputs=outputs, **more)
def show(a): print(a.tolist())
show(infer("bike", {"features": (rows, "FP32")}, request_id="7").as_numpy("prediction"))
compressed = {"request_compression_algorithm": "gzip", "response_compression_algorithm": "gzip"} if kind == "http" else {"compression_algorithm": "gzip"}
many = np.tile(rows, (400, 1))
show(infer("bike", {"features": (many, "FP32")}, **compressed).as_numpy("prediction")[-len(rows):])
if kind == "http":
  i = c.InferInput("features", list(rows.shape), "FP32"); i.set_data_from_numpy(rows, binary_data=False)
  show(client.infer("bike", [i], outputs=[c.InferRequestedOutput("prediction", binary_data=False)]).as_numpy("prediction"))
else:
  show(infer("bike", {"features": (rows, "FP32")}, [c.InferRequestedOutput("prediction")]).as_numpy("prediction"))
a = {"i64": (np.array([2**60 + 1, -5, 7], dtype=np.int64), "INT64"), "f64": (np.array([0.1, 1e300, -0.0]), "FP64"),
     "b": (np.array([True, False, True]), "BOOL"), "u8": (np.array([0, 255, 3], dtype=np.uint8), "UINT8"),
     "f16": (np.array([0.5, 65504, -2], dtype=np.float16), "FP16")}
r = infer("types", a)
for name, (v, _) in a.items():
  got = r.as_numpy("y_" + name)
  assert got.dtype == v.dtype and (got == v).all(), (name, got, v)
for model, arrays, text in [("cat", {"features": (rows, "FP32")}, "unknown model"), ("bike", {"features": (rows[:, :12].copy(), "FP32")}, "unexpected shape"), ("bike", {"x": (rows, "FP32")}, "unexpected inference input")]:
  try:
    infer(model, arrays)
    raise SystemExit("no error for " + text)
  except InferenceServerException as e:
    assert text in str(e), e
client.unload_model("types")
assert not [m for m in (client.get_model_repository_index() if kind == "http" else client.get_model_repository_index(as_json=True)["models"]) if m["name"] == "types" and m["state"] == "READY"]
client.load_model("types")
assert client.is_model_ready("types")
`;
const KSERVE = `
import asyncio, sys, numpy as np
from kserve import InferRequest, InferInput, InferenceRESTClient, InferenceGRPCClient
from kserve.inference_client import RESTConfig
null = np.nan
http, grpc, text = sys.argv[1:4]
rows = np.array(eval(text), dtype=np.float32)
def request(binary):
  i = InferInput(name="features", shape=list(rows.shape), datatype="FP32")
  i.set_data_from_numpy(rows, binary_data=binary)
  return InferRequest(model_name="bike", infer_inputs=[i])
async def main():
  rest = InferenceRESTClient(RESTConfig(protocol="v2"))
  assert await rest.is_server_live(http) and await rest.is_server_ready(http) and await rest.is_model_ready(http, "bike")
  for binary in (False, True):
    r = await rest.infer(http, request(binary), model_name="bike")
    print(r.outputs[0].as_numpy().tolist())
  g = InferenceGRPCClient(grpc)
  assert await g.is_server_ready() and await g.is_model_ready("bike")
  for binary in (False, True):
    r = await g.infer(request(binary))
    print(r.outputs[0].as_numpy().tolist())
asyncio.run(main())
`;
const wanted = JSON.stringify(PREDICTED.map(Math.fround));
const printed = (out: string): string[] =>
  out
    .trim()
    .split('\n')
    .map(line => JSON.stringify((JSON.parse(line) as number[]).map(Math.fround)));
needs(judges('tritonclient.http', 'tritonclient.grpc')).describe('tritonclient', () => {
  it.each(['http', 'grpc'])('speaks %s', async kind => {
    const address = `127.0.0.1:${kind === 'http' ? server.port : (server.grpcPort ?? 0)}`;
    expect(printed(await judge(TRITON, [kind, address, JSON.stringify(rows)]))).toEqual([wanted, wanted, wanted]);
  });
});
needs(judges('kserve')).describe("KServe's client", () => {
  it('speaks REST and gRPC', async () => {
    const out = await judge(KSERVE, [server.url, `127.0.0.1:${server.grpcPort ?? 0}`, JSON.stringify(rows)]);
    expect(
      printed(
        out
          .split('\n')
          .filter(l => l.startsWith('['))
          .join('\n'),
      ),
    ).toEqual([wanted, wanted, wanted, wanted]);
  });
});
