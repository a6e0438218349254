/**
 * Real networks against onnxruntime-web, one thread, in one process: `npm run bench -- networks [--filter TEXT] [--target NAME]
 * [--rounds N] [--json FILE]`. The target defaults to the best that this engine runs (Node 24 has relaxed SIMD, Node 20 has not).
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import * as ort from 'onnxruntime-web';
import { compile } from '../compiler/index.ts';
import { DTYPES } from '../compiler/core/dtype.ts';
import { typed, type Tensor } from '../compiler/core/tensor.ts';
import { hasRelaxedSimd } from '../fixtures/engine.ts';
import { makeInputs } from '../fixtures/inputs.ts';
import { dimOptions } from '../fixtures/dims.ts';
import { locate, REAL_MODELS, type RealModel } from '../fixtures/models.ts';
import { geomean, ratio, roundRobin, type Timing } from './harness.ts';

interface OurTensor {
  readonly data: ArrayLike<number | bigint>;
  readonly dims: readonly number[];
}
interface OurModel {
  run(inputs: Readonly<Record<string, unknown>>): Readonly<Record<string, OurTensor>>;
}
interface Row {
  readonly model: string;
  readonly shape: string;
  readonly ours: Timing;
  readonly peer: Timing;
  readonly ratio: number;
  /** Largest difference to the peer, relative to the largest value of the output. */
  readonly difference: number;
}

const { values: args } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: {
    filter: { type: 'string', default: '' },
    target: { type: 'string' },
    rounds: { type: 'string', default: '25' },
    warm: { type: 'string', default: '600' },
    json: { type: 'string' },
  },
});
const target = args.target ?? (hasRelaxedSimd() ? 'wasm-relaxed-simd' : 'wasm-simd');
const peerVersion = (
  JSON.parse(
    readFileSync(join(dirname(createRequire(import.meta.url).resolve('onnxruntime-web')), '../package.json'), 'utf8'),
  ) as { version: string }
).version;

ort.env.wasm.numThreads = 1;
const work = mkdtempSync(join(tmpdir(), 'sinter-bench-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));

async function loadOurs(model: RealModel, path: string): Promise<OurModel> {
  const bytes = readFileSync(path);
  const { files } = await compile({ model: bytes, file: basename(path), target, dims: dimOptions(model, bytes) });
  const dir = join(work, model.name);
  mkdirSync(dir, { recursive: true });
  for (const [name, bytes] of files) writeFileSync(join(dir, name), bytes);
  const bundle = (await import(pathToFileURL(join(dir, 'index.js')).href)) as { load(): Promise<OurModel> };
  return bundle.load();
}
const ortTensor = (t: Tensor): ort.Tensor => new ort.Tensor(DTYPES[t.dtype].ort as 'float32', typed(t) as Float32Array, t.dims);

function difference(ours: Readonly<Record<string, OurTensor>>, peer: ort.InferenceSession.OnnxValueMapType): number {
  let worst = 0;
  for (const [name, want] of Object.entries(peer)) {
    const w = Array.from(want.data as ArrayLike<number | bigint>, Number);
    const g = Array.from(ours[name]?.data ?? [], Number);
    const scale = w.reduce((m, x) => Math.max(m, Math.abs(x)), 1e-30);
    if (g.length !== w.length) return Infinity;
    w.forEach((x, i) => (worst = Math.max(worst, Math.abs(x - (g[i] ?? NaN)) / scale)));
  }
  return worst;
}

async function bench(model: RealModel, path: string): Promise<Row[]> {
  const ours = await loadOurs(model, path);
  const session = await ort.InferenceSession.create(readFileSync(path), { executionProviders: ['wasm'], logSeverityLevel: 3 });
  const rows: Row[] = [];
  for (const shapes of model.runs) {
    const inputs = makeInputs(model, shapes);
    const feed = Object.fromEntries([...inputs].map(([k, t]) => [k, { data: typed(t), dims: t.dims }]));
    const peerFeed = Object.fromEntries([...inputs].map(([k, t]) => [k, ortTensor(t)]));
    const diff = difference(ours.run(feed), await session.run(peerFeed));
    const [a, b] = await roundRobin(
      [
        { name: 'sinter', run: () => ours.run(feed) },
        { name: 'onnxruntime-web', run: () => session.run(peerFeed) },
      ],
      { rounds: Number(args.rounds), sampleMs: 4, warmMs: Number(args.warm) },
    );
    if (!a || !b) continue;
    rows.push({ model: model.name, shape: shapes[0]?.join('x') ?? '', ours: a, peer: b, ratio: ratio(a, b), difference: diff });
    print(rows.at(-1));
  }
  await session.release();
  return rows;
}
const ms = (x: number): string => x.toFixed(3).padStart(9);
function print(r: Row | undefined): void {
  if (!r) return;
  console.log(
    `${r.model.padEnd(22)} ${r.shape.padEnd(14)} ${ms(r.ours.min)} ${ms(r.ours.median)} ${ms(r.peer.min)} ${ms(r.peer.median)} ` +
      `${r.ratio.toFixed(2).padStart(6)}x  ±${(100 * Math.max(r.ours.spread, r.peer.spread)).toFixed(0).padStart(2)} %  ${r.difference.toExponential(1)}`,
  );
}

console.log(`# Node ${process.version}, target ${target}, onnxruntime-web ${peerVersion} (wasm, 1 thread); milliseconds`);
console.log(
  `${'model'.padEnd(22)} ${'input'.padEnd(14)} ${'ours min'.padStart(9)} ${'median'.padStart(9)} ${'ort min'.padStart(9)} ${'median'.padStart(9)}   ratio spread  difference`,
);
const rows: Row[] = [];
for (const model of REAL_MODELS.filter(m => m.name.includes(args.filter))) {
  const path = locate(model.name);
  if (path === undefined) {
    console.log(`${model.name.padEnd(22)} not on this machine: npm run fixtures`);
    continue;
  }
  rows.push(...(await bench(model, path)));
}
if (rows.length > 0)
  console.log(
    `geometric mean of ${rows.length} ratios: ${geomean(rows.map(r => r.ratio)).toFixed(2)}x; slowest: ${Math.min(...rows.map(r => r.ratio)).toFixed(2)}x`,
  );
if (args.json !== undefined)
  writeFileSync(
    args.json,
    JSON.stringify({ node: process.version, target, peer: `onnxruntime-web ${peerVersion}`, rows }, null, 1),
  );
