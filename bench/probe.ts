/**
 * Every operator alone, at a large and at an odd size, against onnxruntime-web and onnxruntime-node: `npm run bench -- probe [--filter TEXT]
 * [--from FILE] [--note TEXT] …`. Makes the table of operators in bench/RESULTS.md and keeps its figures in bench/suites/probe.json; with
 * --filter it measures some of them and writes nothing. Takes about an hour.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheDir, projectDir } from '../fixtures/paths.ts';
import type { BenchCase, BenchResult } from './index.ts';
import { randomRuns } from './index.ts';
import { probeModels } from './probe/operators.ts';
import { figuresOf, figuresText } from './results/figures.ts';
import { operatorsPart, withPart } from './results/markdown.ts';
import { FLAGS, run } from './script.ts';

const { values } = parseArgs({ options: { ...FLAGS, from: { type: 'string' }, note: { type: 'string', default: '' } } });
const made = join(cacheDir, 'probe');
mkdirSync(made, { recursive: true });
const [target = 'wasm-simd'] = values.target ?? [];
const models = probeModels();
const cases = models.map((m): BenchCase => {
  const path = join(made, `${m.name}.onnx`);
  writeFileSync(path, m.bytes);
  return {
    name: m.name,
    doc: m.doc,
    group: 'Operators',
    source: { k: 'model', path, options: { target } },
    against: ['onnxruntime-web', 'onnxruntime-node'],
    runs: (manifest, original) => randomRuns(manifest, original, { seed: 1 }).map(r => ({ ...r, label: m.doc })),
  };
});
const result =
  values.from === undefined
    ? await run('probe', cases, values, { rounds: 7, seconds: 2, processes: 1, coldStarts: 0 })
    : (JSON.parse(readFileSync(values.from, 'utf8')) as BenchResult);
if (values.filter === undefined) {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: projectDir, encoding: 'utf8' }).trim();
  const figures = figuresOf(result, commit, values.note);
  writeFileSync(join(projectDir, 'bench', 'suites', 'probe.json'), figuresText(figures));
  const path = join(projectDir, 'bench', 'RESULTS.md');
  writeFileSync(path, withPart(readFileSync(path, 'utf8'), 'operators', operatorsPart(figures)));
}
