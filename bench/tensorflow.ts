/**
 * TensorFlow's family against its own runtimes, one thread: `npm run bench -- tensorflow [--only wasm,native] [--python COMMAND] [--note TEXT]
 * [--from FILE] …`. In WebAssembly against LiteRT.js and TensorFlow.js, as C against LiteRT of Python, where these are installed. Keeps the
 * figures in bench/suites/tensorflow.json and makes the tables of bench/RESULTS.md and README.md of them. Relaxed SIMD, which LiteRT.js takes where it is, needs
 * Node 22: `npx -p node@24 node --import tsx bench/run.ts tensorflow`.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { bestWasm } from '../fixtures/engine.ts';
import { cacheDir, projectDir } from '../fixtures/paths.ts';
import { readSuite, type BenchResult } from './index.ts';
import { figuresOf, figuresText, type Figures } from './results/figures.ts';
import { writeParts } from './results/parts.ts';
import { readmeTensorflow, tensorflowPart } from './results/tensorflow.ts';
import { casesFor, FLAGS, run } from './script.ts';
import { tfSuiteModels } from './suites/tensorflow.ts';

const { values } = parseArgs({
  options: {
    ...FLAGS,
    from: { type: 'string' },
    note: { type: 'string', default: '' },
    only: { type: 'string', default: 'wasm,native' },
  },
});
const made = join(cacheDir, 'suite');
mkdirSync(made, { recursive: true });
const file = join(made, 'tensorflow.json');
writeFileSync(
  file,
  JSON.stringify({
    models: tfSuiteModels(
      path => relative(made, path),
      () => true,
    ),
  }),
);
const models = readSuite(file).models.filter(m => m.here);

const kept = join(projectDir, 'bench', 'suites', 'tensorflow.json');
const wasm = values.target ?? [bestWasm()];
const vectors = /\bavx512_vnni\b/.test(readFileSync('/proc/cpuinfo', 'utf8')) ? 'linux-x64-v4' : 'linux-x64-v3';
const cases = [
  ...(values.only.includes('wasm') ? casesFor(models, wasm, ['litert-js', 'tfjs-wasm']) : []),
  ...(values.only.includes('native')
    ? casesFor(
        models.filter(m => m.path.endsWith('.tflite')),
        [vectors],
        ['litert-python'],
      )
    : []),
];
const result =
  values.from === undefined
    ? await run('tensorflow', cases, values, { coldStarts: 5 })
    : (JSON.parse(readFileSync(values.from, 'utf8')) as BenchResult | Figures);
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: projectDir, encoding: 'utf8' }).trim();
const figures = 'rows' in result ? result : figuresOf(result, commit, values.note);
writeFileSync(kept, figuresText(figures));
writeParts('tensorflow', readmeTensorflow(figures), tensorflowPart(figures));
