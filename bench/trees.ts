/**
 * Boosted trees against onnxruntime-web, onnxruntime-node and XGBoost's own predictor, one thread each, by the engine of `sinter bench`:
 * `npm run bench -- trees [quick|goal|full] [--trees N,…] [--features N] [--bins N] [--strategy NAME] [--target NAME] [--python COMMAND] [--rounds N]
 * [--processes N] [--json FILE]`. `goal` (the default) is 500 trees of depth 6 at batches of 10,000 and 1, `quick` a few ensembles, `full` a
 * grid of ensembles and batches (`--trees` chooses some). Ensembles are random, of `--bins` thresholds a feature (histograms have at most
 * 255); rows are normally distributed, and many, so that none is seen again soon.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { BenchCase, PeerName } from './index.ts';
import { FLAGS, run } from './script.ts';
import { temporaryFolder } from '../compiler/host/files.ts';
import { fromTyped } from '../compiler/core/tensor.ts';
import { TREE_STRATEGIES } from '../compiler/ops/lowering.ts';
import { bestWasm } from '../fixtures/engine.ts';
import { randomForest, randomRows } from './trees/forest.ts';
import { forestOnnx } from './trees/onnx.ts';
import { forestJson } from './trees/xgboost.ts';

const { values: args, positionals } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: {
    ...FLAGS,
    features: { type: 'string', default: '30' },
    bins: { type: 'string', default: '255' },
    trees: { type: 'string' },
    strategy: { type: 'string', default: 'auto' },
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
const targets = args.target ?? [bestWasm()];
const work = temporaryFolder();

const most = Math.max(...grid.batches);
// At least two batches, so that none sees the rows it has just seen.
const pool = randomRows(Math.max(4096, 2 * most), features, 7);
const runs: BenchCase['runs'] = () =>
  grid.batches.map(batch => ({
    label: `batch ${batch}`,
    feeds: Array.from({ length: Math.min(2048, Math.floor(pool.length / features / batch)) }, (_, i) => {
      const rows = pool.subarray(i * batch * features, (i + 1) * batch * features);
      return new Map([['features', fromTyped('f32', [batch, features], rows)]]);
    }),
  }));
/** Models of both forms, since each peer reads one. */
const cases = grid.ensembles
  .filter(([trees]) => args.trees === undefined || args.trees.split(',').includes(String(trees)))
  .flatMap(([trees, depth]) => {
    const forest = randomForest({ trees, depth, features, bins: Number(args.bins), seed: 42 });
    const about = `${trees} trees of depth ${depth}`;
    const of = (file: string, data: Uint8Array | string, against: readonly PeerName[]): BenchCase[] => {
      const path = join(work, `${trees}-${depth}-${file}`);
      writeFileSync(path, data);
      const options = { treeStrategy: strategy, dims: { batch: { min: 1, max: most } } };
      return targets.map(target => ({
        name: about,
        source: { k: 'model', path, options: { ...options, target } },
        against,
        runs,
      }));
    };
    return [
      ...of('forest.onnx', forestOnnx(forest, features), ['onnxruntime-web', 'onnxruntime-node']),
      ...of('forest.json', forestJson(forest, features), ['xgboost-python']),
    ];
  });
await run('trees', cases, args, { coldStarts: 0 });
