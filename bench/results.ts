/**
 * Makes the tables of networks in bench/RESULTS.md and README.md: `npm run bench -- results [--from FILE] [--note TEXT] [--target NAME] …`. Measures the
 * networks of the standard suite in WebAssembly against onnxruntime-web and onnxruntime-node, or takes a result that
 * `sinter bench --json FILE` wrote; keeps the figures in bench/suites/results.json. `--note` tells readers of circumstances.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bestWasm } from '../fixtures/engine.ts';
import { projectDir } from '../fixtures/paths.ts';
import type { BenchResult } from './index.ts';
import { figuresOf, figuresText } from './results/figures.ts';
import { readmePart, resultsPart } from './results/markdown.ts';
import { writeParts } from './results/parts.ts';
import { casesFor, FLAGS, networks, run } from './script.ts';

const { values } = parseArgs({ options: { ...FLAGS, from: { type: 'string' }, note: { type: 'string', default: '' } } });
const targets = values.target ?? [bestWasm()];
const result =
  values.from === undefined
    ? await run('results', casesFor(networks(), targets, ['onnxruntime-web', 'onnxruntime-node']), values, { coldStarts: 0 })
    : (JSON.parse(readFileSync(values.from, 'utf8')) as BenchResult);
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: projectDir, encoding: 'utf8' }).trim();
const figures = figuresOf(result, commit, values.note);
writeFileSync(join(projectDir, 'bench', 'suites', 'results.json'), figuresText(figures));
writeParts('networks', readmePart(figures), resultsPart(figures));
