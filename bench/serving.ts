/**
 * Serving: `npm run bench -- serving [--python COMMAND] [--connections 64] [--seconds 6] [--rounds 3]`, over HTTP, in two parts.
 *
 * The bike model (fixtures/bike), one row a request: `sinter serve` with one worker against FastAPI and uvicorn with XGBoost, where the
 * Python has them, fastify with onnxruntime-node (one thread), and Node's own server that answers the same text without a model. Each has a
 * turn in every round; the median of the rounds is printed. Requests come from wrk, where it is installed, else from autocannon, which takes
 * a processor for itself.
 *
 * A network of about 10 ms (PP-OCR's detector, 192x192), binary tensors of the Open Inference Protocol on two connections, so that one waits
 * while the other is computed: `sinter serve` with one worker against the bundle alone in a process, in turns.
 *
 * Needs `npm run build`.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createRequire } from 'node:module';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';
import { must } from '../compiler/core/diagnostic.ts';
import { importXgboost } from '../compiler/import/xgboost/import.ts';
import { parseJsonText } from '../compiler/import/shared/json.ts';
import { readDocument } from '../compiler/import/xgboost/document.ts';
import { tensorOf } from '../compiler/graph/graph.ts';
import { allNodes } from '../compiler/graph/stats.ts';
import { TreeEnsemble } from '../compiler/ops/trees/ensemble.ts';
import { readTables, TREE_INPUTS } from '../compiler/ops/trees/tables.ts';
import { compile, writeBundle } from '../compiler/node.ts';
import { locate } from '../fixtures/models.ts';
import { projectDir } from '../fixtures/paths.ts';
import { forestOnnx } from './trees/onnx.ts';
import { table } from './results/markdown.ts';

const { values } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    connections: { type: 'string', default: '64' },
    seconds: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '3' },
  },
});
const model = join(projectDir, 'fixtures/bike/model.json');
const row = readFileSync(join(projectDir, 'fixtures/bike/rows.csv'), 'utf8').split('\n')[1] ?? '';
const predicted = Number(readFileSync(join(projectDir, 'fixtures/bike/predictions.csv'), 'utf8').split('\n')[1]);
const work = mkdtempSync(join(tmpdir(), 'sinter-bench-serving-'));

/** XGBoost by its fastest way for few rows, behind the fastest loop that uvicorn has. */
const FASTAPI = `
import sys, numpy as np, uvicorn, xgboost
from fastapi import FastAPI, Request, Response
booster = xgboost.Booster(); booster.load_model(sys.argv[1]); booster.set_param("nthread", 1)
app = FastAPI()
@app.get("/ping")
async def ping(): return {}
@app.post("/invocations")
async def invocations(request: Request):
  text = (await request.body()).decode()
  rows = np.array([[float(v) for v in line.split(",")] for line in text.split("\\n")], dtype=np.float32)
  return Response("".join(f"{v}\\n" for v in booster.inplace_predict(rows).tolist()), media_type="text/csv")
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error", access_log=False)
`;
/** What HTTP alone takes in Node. */
const BARE = `
require('node:http').createServer((req, res) => {
  req.on('data', () => {}); req.on('end', () => { res.writeHead(200, { 'content-type': 'text/csv', 'content-length': 19 }); res.end('223.26068115234375\\n'); });
}).listen(Number(process.argv[1]), '127.0.0.1');
`;
/** onnxruntime behind the fastest framework of Node that is widely used. */
const FASTIFY = `
const { InferenceSession, Tensor } = require('onnxruntime-node');
const app = require('fastify')();
const [model, port] = process.argv.slice(1);
app.addContentTypeParser('text/csv', { parseAs: 'string' }, (request, body, done) => done(null, body));
app.get('/ping', () => ({}));
InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1 }).then(session => {
  app.post('/invocations', async (request, reply) => {
    const rows = request.body.split('\\n').map(line => line.split(',').map(Number));
    const features = new Tensor('float32', Float32Array.from(rows.flat()), [rows.length, rows[0].length]);
    const { prediction } = await session.run({ features });
    reply.type('text/csv');
    return prediction.data.reduce((text, v) => text + v + '\\n', '');
  });
  return app.listen({ port: Number(port), host: '127.0.0.1' });
});
`;
/** A bundle alone: runs a second for each line that it reads, and says how many runs that were. */
const ALONE = `
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
const [index, name, dims, file] = process.argv.slice(1);
const { load } = await import(index);
const model = await load();
const bytes = readFileSync(file);
const inputs = { [name]: { dims: JSON.parse(dims), data: new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4) } };
for (let i = 0; i < 20; i++) model.run(inputs);
console.log('ready');
for await (const seconds of createInterface({ input: process.stdin })) {
  const begun = performance.now();
  let n = 0;
  while (performance.now() - begun < 1000 * Number(seconds)) { model.run(inputs); n++; }
  console.log(n / (performance.now() - begun) * 1000);
}
`;
const serve = (bundle: string, port: number): readonly string[] => [
  ...[process.execPath, join(projectDir, 'dist/bundled/sinter.js'), 'serve', bundle],
  ...['--port', String(port), '--workers', '1', '--log-level', 'error'],
];
interface Server {
  readonly name: string;
  readonly port: number;
  readonly command: readonly string[];
  /** The folder whose packages it finds. */
  readonly cwd?: string;
}
interface Found {
  readonly rate: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}
async function up(s: Server): Promise<ChildProcess> {
  const [program = '', ...args] = s.command;
  const child = spawn(program, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    ...(s.cwd !== undefined && { cwd: s.cwd }),
  });
  for (let n = 0; n < 300 && child.exitCode === null; n++) {
    const ok = await fetch(`http://127.0.0.1:${s.port}/ping`).then(
      r => r.ok,
      () => false,
    );
    if (ok) return child;
    await new Promise(done => setTimeout(done, 100));
  }
  child.kill();
  throw new Error(`${s.name} did not start`);
}
const hasWrk = spawnSync('wrk', ['--version'], { stdio: 'ignore' }).error === undefined;
async function measure(port: number): Promise<Found> {
  const url = `http://127.0.0.1:${port}/invocations`;
  if (!hasWrk) {
    const { default: autocannon } = (await import(
      createRequire(join(projectDir, 'serving/package.json')).resolve('autocannon')
    )) as {
      default: (o: object) => Promise<{
        requests: { average: number };
        latency: { p50: number; p99: number };
      }>;
    };
    const r = await autocannon({
      url,
      method: 'POST',
      body: row,
      headers: { 'content-type': 'text/csv' },
      connections: Number(values.connections),
      duration: Number(values.seconds),
    });
    return { rate: r.requests.average, p50: r.latency.p50, p99: r.latency.p99 };
  }
  const lua = join(work, 'post.lua');
  writeFileSync(lua, `wrk.method = "POST"\nwrk.body = "${row}"\nwrk.headers["content-type"] = "text/csv"\n`);
  const args = ['-t1', `-c${values.connections}`, `-d${values.seconds}s`, '--latency', '-s', lua, url];
  const text = await new Promise<string>((done, failed) => {
    const child = spawn('wrk', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (b: Buffer) => (out += b.toString()));
    child.on('error', failed);
    child.on('close', () => done(out));
  });
  if (/Non-2xx/.test(text)) throw new Error(`some requests failed:\n${text}`);
  const ms = (percent: number): number => {
    const [, n = 'NaN', unit = ''] = new RegExp(`${percent}%\\s+([\\d.]+)(us|ms|s)`).exec(text) ?? [];
    return Number(n) * (unit === 'us' ? 1e-3 : unit === 's' ? 1e3 : 1);
  };
  return {
    rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]),
    p50: ms(50),
    p99: ms(99),
  };
}
const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? NaN;
const rounds = Number(values.rounds);
async function down(child: ChildProcess): Promise<void> {
  const gone = new Promise(done => child.once('exit', done));
  child.kill('SIGTERM');
  await gone;
}
/** The model as ONNX. */
function bikeOnnx(): Uint8Array {
  const document = readDocument(parseJsonText(readFileSync(model, 'utf8')), model);
  const { graph } = importXgboost({ model: document, form: 'JSON' });
  const node = must([...allNodes(graph)].find(n => n.op === TreeEnsemble));
  const tables = readTables(node.inputs.slice(1, 1 + TREE_INPUTS.length).map(tensorOf));
  return forestOnnx(tables, row.split(',').length);
}

async function rows(): Promise<void> {
  const bundle = join(work, 'bike');
  const onnx = join(work, 'bike.onnx');
  writeBundle(bundle, (await compile({ model })).files);
  writeFileSync(onnx, bikeOnnx());
  const cwd = join(projectDir, 'serving');
  const servers: Server[] = [
    {
      name: 'sinter serve, one worker',
      port: 18_080,
      command: serve(bundle, 18_080),
    },
    {
      name: 'fastify, onnxruntime-node',
      port: 18_083,
      command: [process.execPath, '-e', FASTIFY, onnx, '18083'],
      cwd,
    },
    {
      name: 'node:http without a model',
      port: 18_082,
      command: [process.execPath, '-e', BARE, '18082'],
    },
  ];
  if (
    spawnSync(values.python, ['-c', 'import fastapi, uvicorn, xgboost'], {
      stdio: 'ignore',
    }).status === 0
  )
    servers.push({
      name: 'FastAPI, uvicorn, XGBoost',
      port: 18_081,
      command: [values.python, '-c', FASTAPI, model, '18081'],
    });
  else console.log(`${values.python} has not fastapi, uvicorn and xgboost: --python names one that has`);
  const found = new Map<string, Found[]>(servers.map(s => [s.name, []]));
  // The first round warms up.
  for (let round = -1; round < rounds; round++)
    for (const s of servers) {
      const child = await up(s);
      try {
        await check(s);
        const r = await measure(s.port);
        if (round >= 0) found.get(s.name)?.push(r);
      } finally {
        await down(child);
      }
    }
  const load = hasWrk ? 'wrk' : 'autocannon';
  console.log(`${values.connections} connections of ${load}, ${availableParallelism()} processors, one row a request\n`);
  const lines = [...found].map(([name, runs]) => [
    name,
    median(runs.map(r => r.rate)).toFixed(0),
    `${median(runs.map(r => r.p50)).toFixed(2)} ms`,
    `${median(runs.map(r => r.p99)).toFixed(2)} ms`,
  ]);
  console.log(table(['', 'requests a second', 'median', 'p99'], lines));
}
/** Throws where a server does not answer what XGBoost predicts. */
async function check(s: Server): Promise<void> {
  const r = await fetch(`http://127.0.0.1:${s.port}/invocations`, {
    method: 'POST',
    headers: { 'content-type': 'text/csv' },
    body: row,
  });
  const text = await r.text();
  if (!(Math.abs(Number(text) - predicted) < 1e-4 * predicted))
    throw new Error(`${s.name} answers ${r.status} ${text}, not ${predicted}`);
}

const SIDE = 192;
async function network(): Promise<void> {
  const bundle = join(work, 'network');
  const dims = [1, 3, SIDE, SIDE];
  const { files, report } = await compile({
    model: must(locate('ppocr-det')),
    shapes: { x: dims },
  });
  writeBundle(bundle, files);
  const name = must(report.inputs[0]).name;
  const image = Float32Array.from({ length: 3 * SIDE * SIDE }, (_, i) => Math.sin(i / 7) + Math.cos(i / 555));
  const data = join(work, 'image.bin');
  writeFileSync(data, image);
  const input = {
    name,
    shape: dims,
    datatype: 'FP32',
    parameters: { binary_data_size: image.byteLength },
  };
  const head = Buffer.from(
    JSON.stringify({
      inputs: [input],
      parameters: { binary_data_output: true },
    }),
  );
  const body = Buffer.concat([head, Buffer.from(image.buffer)]);
  const alone = spawn(
    process.execPath,
    ['--input-type=module', '-e', ALONE, pathToFileURL(join(bundle, 'index.js')).href, name, JSON.stringify(dims), data],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const line = (): Promise<string> => new Promise(done => alone.stdout.once('data', (d: Buffer) => done(d.toString())));
  const server = await up({
    name: 'sinter serve',
    port: 18_084,
    command: serve(bundle, 18_084),
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 2 });
  const ask = (): Promise<void> =>
    new Promise((done, failed) => {
      const options = {
        agent,
        method: 'POST',
        headers: { 'inference-header-content-length': head.length },
      };
      const r = request('http://127.0.0.1:18084/v2/models/network/infer', options, answer => {
        answer.resume();
        answer.on('end', () => (answer.statusCode === 200 ? done() : failed(new Error(`status ${answer.statusCode ?? 0}`))));
      });
      r.on('error', failed);
      r.end(body);
    });
  /** Answers a second of two connections. */
  const served = async (seconds: number): Promise<number> => {
    const begun = performance.now();
    let n = 0;
    const loop = async (): Promise<void> => {
      for (; performance.now() - begun < 1000 * seconds; n++) await ask();
    };
    await Promise.all([loop(), loop()]);
    return (n / (performance.now() - begun)) * 1000;
  };
  const itself = (seconds: number): Promise<number> => {
    alone.stdin.write(`${seconds}\n`);
    return line().then(Number);
  };
  try {
    await line();
    await served(1);
    // Short turns, so that both see the same machine.
    const turns = Array.from({ length: Math.max(3, rounds * 5) });
    const pairs: (readonly [alone: number, served: number])[] = [];
    for (const _ of turns) pairs.push([await itself(1), await served(1)]);
    const [own, answered] = [median(pairs.map(p => p[0])), median(pairs.map(p => p[1]))];
    const ratio = median(pairs.map(([a, b]) => b / a));
    console.log(
      `\nPP-OCR's detector, ${SIDE}x${SIDE}, two connections: ${answered.toFixed(1)} a second from sinter serve, one worker;`,
    );
    console.log(
      `${own.toFixed(1)} (${(1000 / own).toFixed(1)} ms each) from the bundle alone; the median ratio is ${ratio.toFixed(3)}`,
    );
  } finally {
    agent.destroy();
    alone.kill();
    await down(server);
  }
}
try {
  await rows();
  await network();
} finally {
  rmSync(work, { recursive: true, force: true });
}
