/**
 * Serving: `npm run bench -- serving [--python COMMAND] [--connections 64] [--seconds 6] [--rounds 3]`. The bike model (fixtures/bike), one row a
 * request, over HTTP: `sinter serve` with one worker against FastAPI and uvicorn with XGBoost, where the Python has them, and against Node's
 * own server that answers the same text without a model. Each has a turn in every round; the median of the rounds is printed. Requests
 * come from wrk, where it is installed, else from autocannon, which takes a processor for itself. Needs `npm run build`.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compile, writeBundle } from '../compiler/node.ts';
import { projectDir } from '../fixtures/paths.ts';
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
interface Server {
  readonly name: string;
  readonly port: number;
  readonly command: readonly string[];
}
interface Found {
  readonly rate: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}
async function up(s: Server): Promise<ChildProcess> {
  const [program = '', ...args] = s.command;
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
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
      default: (o: object) => Promise<{ requests: { average: number }; latency: { p50: number; p99: number } }>;
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
  return { rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]), p50: ms(50), p99: ms(99) };
}
const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? NaN;

try {
  const bundle = join(work, 'bike');
  writeBundle(bundle, (await compile({ model })).files);
  const servers: Server[] = [
    {
      name: 'sinter serve, one worker',
      port: 18_080,
      command: [
        ...[process.execPath, join(projectDir, 'dist/compiler/cli/main.js'), 'serve', bundle],
        ...['--port', '18080', '--workers', '1', '--log-level', 'error'],
      ],
    },
    { name: 'node:http without a model', port: 18_082, command: [process.execPath, '-e', BARE, '18082'] },
  ];
  if (spawnSync(values.python, ['-c', 'import fastapi, uvicorn, xgboost'], { stdio: 'ignore' }).status === 0)
    servers.push({ name: 'FastAPI, uvicorn, XGBoost', port: 18_081, command: [values.python, '-c', FASTAPI, model, '18081'] });
  else console.log(`${values.python} has not fastapi, uvicorn and xgboost: --python names one that has`);
  const found = new Map<string, Found[]>(servers.map(s => [s.name, []]));
  // The first round warms up.
  for (let round = -1; round < Number(values.rounds); round++)
    for (const s of servers) {
      const child = await up(s);
      try {
        const r = await measure(s.port);
        if (round >= 0) found.get(s.name)?.push(r);
      } finally {
        const gone = new Promise(done => child.once('exit', done));
        child.kill('SIGTERM');
        await gone;
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
} finally {
  rmSync(work, { recursive: true, force: true });
}
