/**
 * Boosted trees against onnxruntime-web and onnxruntime-node, one thread each, in one process and in turns: `npm run bench -- trees
 * [quick|goal|full] [--trees N,…] [--features N] [--bins N] [--strategy NAME] [--target NAME] [--python COMMAND] [--json FILE]`. `goal` (the default) is 500
 * trees of depth 6 at batches of 10,000 and 1, `quick` a few ensembles, `full` a grid of ensembles and batches (`--trees` chooses some).
 * Ensembles are random, of `--bins` thresholds a feature (histograms have at most 255); rows are normally distributed and new in every
 * call; a time is the best of the rounds, of a call with its copies in and out. The answers of all three are compared, and ours with the
 * reference evaluator. XGBoost's own predictor runs in a process of its own afterwards, where `--python` (python3) has it.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import * as ortNode from 'onnxruntime-node';
import * as ortWeb from 'onnxruntime-web';
import { fromTyped, toNumbers } from '../compiler/core/tensor.ts';
import { evaluate } from '../compiler/graph/evaluate.ts';
import { TREE_STRATEGIES } from '../compiler/ops/lowering.ts';
import { hasRelaxedSimd } from '../fixtures/engine.ts';
import { geomean } from './harness.ts';
import { forestGraph, randomForest, randomRows } from './trees/forest.ts';
import { forestOnnx } from './trees/onnx.ts';
import { loadOurs } from './trees/ours.ts';
import { bestInTurns } from './trees/turns.ts';
import { timeXgboost } from './trees/xgboost.ts';

const { values: args, positionals } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: {
    features: { type: 'string', default: '30' },
    bins: { type: 'string', default: '255' },
    trees: { type: 'string' },
    strategy: { type: 'string', default: 'auto' },
    target: { type: 'string' },
    python: { type: 'string', default: 'python3' },
    json: { type: 'string' },
  },
});
const GRIDS: Readonly<
  Record<string, { readonly ensembles: readonly (readonly [number, number])[]; readonly batches: readonly number[] }>
> = {
  goal: { ensembles: [[500, 6]], batches: [10_000, 1] },
  quick: {
    ensembles: [
      [10, 3],
      [100, 6],
      [500, 6],
      [1000, 8],
      [100, 10],
    ],
    batches: [1, 16, 1000],
  },
  full: {
    ensembles: [10, 100, 1000, 5000].flatMap(t => [3, 6, 8, 10].map((d): [number, number] => [t, d])),
    batches: [1, 16, 1000, 100_000],
  },
};
const grid = GRIDS[positionals[0] ?? 'goal'];
const strategy = TREE_STRATEGIES.find(s => s === args.strategy);
if (!grid || !strategy)
  throw new Error(`one of ${Object.keys(GRIDS).join(', ')}; --strategy one of ${TREE_STRATEGIES.join(', ')}`);
const features = Number(args.features);
const target = args.target ?? (hasRelaxedSimd() ? 'wasm-relaxed-simd' : 'wasm-simd');
const work = mkdtempSync(join(tmpdir(), 'sinter-bench-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));
ortWeb.env.wasm.numThreads = 1;

interface Row {
  readonly trees: number;
  readonly depth: number;
  readonly batch: number;
  /** Milliseconds. */
  readonly ours: number;
  readonly web: number;
  readonly node: number;
}
const rows: Row[] = [];

async function bench(trees: number, depth: number, batches: readonly number[]): Promise<void> {
  const forest = randomForest({ trees, depth, features, bins: Number(args.bins), seed: 42 });
  const most = Math.max(...batches);
  const graph = forestGraph(forest, features, most);
  const ours = await loadOurs(graph, target, join(work, `${trees}-${depth}`), strategy);
  const onnx = forestOnnx(forest, features);
  const web = await ortWeb.InferenceSession.create(onnx, { executionProviders: ['wasm'], logSeverityLevel: 3 });
  const node = await ortNode.InferenceSession.create(onnx, { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 });
  // At least two batches, so that none sees the rows it has just seen.
  const pool = randomRows(Math.max(4096, 2 * most), features, 7);
  const feedsOf = (batch: number): Float32Array[] =>
    Array.from({ length: Math.min(2048, Math.floor(pool.length / features / batch)) }, (_, i) =>
      pool.subarray(i * batch * features, (i + 1) * batch * features),
    );
  const check = feedsOf(Math.min(most, 200))[0] ?? pool;
  const dims = [check.length / features, features];
  const wanted = evaluate(graph, new Map([['features', fromTyped('f32', dims, check)]])).get('prediction');
  const want = wanted ? toNumbers(wanted) : new Float64Array();
  const got = ours.model.run({ features: { data: check, dims } })['prediction']?.data ?? check;
  const peers = [
    (await web.run({ features: new ortWeb.Tensor('float32', check, dims) }))['prediction'],
    (await node.run({ features: new ortNode.Tensor('float32', check, dims) }))['prediction'],
  ];
  const differs = want.findIndex((x, i) => !Object.is(x, got[i]));
  if (differs >= 0) throw new Error(`row ${differs}: ${got[differs]} instead of ${want[differs]}`);
  const apart = peers.map(p => want.reduce((m, x, i) => Math.max(m, Math.abs(x - Number(p?.data[i]))), 0));
  const zipped = [...ours.files].reduce(
    (n, [name, f]) => n + (/wasm$|weights$|index\.js$/.test(name) ? gzipSync(f).length : 0),
    0,
  );
  console.log(
    `# ${trees} trees of depth ${depth}: ${forest.feature.length} splits, compiled in ${(ours.compileMs / 1000).toFixed(1)} s to ` +
      `${(zipped / 1024).toFixed(0)} KB zipped; answers of the peers differ by ${Math.max(...apart).toExponential(1)}`,
  );
  for (const batch of batches) {
    const feeds = feedsOf(batch);
    const turn = <T>(make: (data: Float32Array) => T, run: (x: T) => unknown): (() => unknown) => {
      const all = feeds.map(make);
      let i = 0;
      return () => {
        const x = all[i++ % all.length];
        return x === undefined ? undefined : run(x);
      };
    };
    const [a = NaN, b = NaN, c = NaN] = await bestInTurns([
      turn(
        data => ({ features: { data, dims: [batch, features] } }),
        x => ours.model.run(x),
      ),
      turn(
        data => ({ features: new ortWeb.Tensor('float32', data, [batch, features]) }),
        x => web.run(x),
      ),
      turn(
        data => ({ features: new ortNode.Tensor('float32', data, [batch, features]) }),
        x => node.run(x),
      ),
    ]);
    rows.push({ trees, depth, batch, ours: a, web: b, node: c });
    const ms = (x: number): string => x.toFixed(x < 10 ? 4 : 1).padStart(10);
    console.log(
      `${String(trees).padStart(5)} ${String(depth).padStart(5)} ${String(batch).padStart(7)} ${ms(a)} ${ms(b)} ${ms(c)} ` +
        `${(b / a).toFixed(1).padStart(8)}x ${(c / a).toFixed(1).padStart(8)}x  ${((a * 1e6) / batch / trees).toFixed(2).padStart(7)}`,
    );
  }
  const theirs = timeXgboost(args.python, forest, features, pool, batches, work);
  if (theirs) {
    const mine = new Map(rows.filter(r => r.trees === trees && r.depth === depth).map(r => [r.batch, r.ours]));
    const answers = theirs.first.every((x, i) => i >= want.length || Object.is(x, want[i]));
    const text = batches.map(b => `${((theirs.times[b] ?? NaN) / (mine.get(b) ?? NaN)).toFixed(1)}x at batch ${b}`).join(', ');
    console.log(
      `  against XGBoost ${theirs.version} (Python, inplace_predict): ${text}; its answers ${answers ? 'have the same bits' : 'differ'}`,
    );
  }
  await web.release();
  await node.release();
}

console.log(`# Node ${process.version}, target ${target}, ${features} features; milliseconds of a call, best of the rounds`);
console.log('trees depth   batch       ours        web       node    web/ours node/ours  ns a row and tree');
// So that what the compiler itself loads is not part of the first ensemble's time.
await loadOurs(
  forestGraph(randomForest({ trees: 1, depth: 1, features: 1, bins: 1, seed: 1 }), 1, 1),
  target,
  join(work, 'first'),
);
for (const [trees, depth] of grid.ensembles)
  if (args.trees === undefined || args.trees.split(',').includes(String(trees))) await bench(trees, depth, grid.batches);
for (const peer of ['web', 'node'] as const) {
  const ratios = rows.map(r => r[peer] / r.ours);
  console.log(`onnxruntime-${peer}: geometric mean ${geomean(ratios).toFixed(1)}x, least ${Math.min(...ratios).toFixed(1)}x`);
}
if (args.json !== undefined) writeFileSync(args.json, JSON.stringify({ node: process.version, target, features, rows }, null, 1));
