/**
 * Models of public repositories, compiled, against the values that are given with them: `npm run corpus`, on machines that have the folder
 * trees in ../shared/corpus or in SINTER_CORPUS. No package holds these models, so `npm test` has no part in it. The
 * values were computed from float64 rows; a compiled model takes float32 rows, so a row may fall to the other side of a threshold: how
 * many do is stated.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { CompileError, must } from '../../compiler/core/diagnostic.ts';
import { compile } from '../../compiler/index.ts';
import type { CompileOptions } from '../../compiler/options.ts';
import { corpusFile } from '../../fixtures/paths.ts';
import { loadBundle } from '../models/bundle.ts';
import { furthest } from '../trees/check.ts';

const folder = must(corpusFile('trees'), 'the models are neither in ../shared/corpus/trees nor in trees of SINTER_CORPUS');
const read = (name: string): string => readFileSync(join(folder, 'leaves', name), 'utf8');
/** Lines of numbers. */
const table = (name: string): number[][] =>
  read(name)
    .split('\n')
    .filter(l => l.trim() !== '')
    .map(l =>
      l
        .trim()
        .split(/[\t ]+/)
        .map(Number),
    );
/** Rows of `label feature:value …`; a feature that is not there is `absent`. */
const libsvm = (name: string, features: number, absent: number): number[][] =>
  read(name)
    .split('\n')
    .filter(l => l.trim() !== '')
    .map(l => {
      const row = new Array<number>(features).fill(absent);
      for (const cell of l.trim().split(' ').slice(1)) {
        const [f = '', v = ''] = cell.split(':');
        if (Number(f) < features) row[Number(f)] = Number(v);
      }
      return row;
    });

interface Given {
  readonly model: string;
  readonly rows: () => number[][];
  readonly output: 'prediction' | 'margin' | 'leaf';
  readonly values: string;
  readonly iterations?: CompileOptions['iterations'];
  /** Relative, to the larger of 1 and the value. */
  readonly near: number;
  /** What the given values are multiplied by. */
  readonly times?: number;
  /** Rows on the other side of a threshold in float32. */
  readonly other?: number;
}
const agaricus = (): number[][] => libsvm('agaricus_test.libsvm', 127, NaN);
const given: readonly Given[] = [
  { model: 'xgagaricus.model', rows: agaricus, output: 'prediction', values: 'xgagaricus_true_predictions.txt', near: 1e-7 },
  {
    ...{ model: 'xg_dart_agaricus.model', rows: agaricus, output: 'margin', values: 'xg_dart_agaricus_true_predictions.txt' },
    ...{ iterations: { first: 0, last: 9 }, near: 1e-7 },
  },
  {
    model: 'xgblin_agaricus.model',
    rows: agaricus,
    output: 'prediction',
    values: 'xgblin_agaricus_true_predictions.txt',
    near: 1e-6,
  },
  {
    model: 'xgblin_agaricus.model',
    rows: agaricus,
    output: 'margin',
    values: 'xgblin_agaricus_true_raw_predictions.txt',
    near: 1e-6,
  },
  {
    ...{ model: 'xgdermatology.model', rows: () => libsvm('dermatology_test.libsvm', 33, NaN), output: 'margin' },
    ...{ values: 'xgdermatology_true_predictions.txt', near: 1e-6 },
  },
  ...(['gamma_AvgClaimAmount', 'poisson_Frequency', 'tweedie_PurePremium'] as const).map((n): Given => ({
    ...{ model: `genlin_fmtp_${n}.model`, rows: () => table(`genlin_fmtp_${n}_features.tsv`), output: 'prediction' },
    ...{ values: `genlin_fmtp_${n}_true_predictions.txt`, near: 1e-12 },
  })),
  {
    ...{ model: 'lg_dart_breast_cancer.model', rows: () => table('breast_cancer_test.tsv'), output: 'prediction' },
    ...{ values: 'lg_dart_breast_cancer_true_predictions.txt', near: 1e-12 },
  },
  {
    ...{ model: 'lg_breast_cancer.txt', rows: () => table('lg_breast_cancer_data.txt'), output: 'leaf' },
    ...{ values: 'lg_breast_cancer_data_pred_leaves.txt', near: 0 },
  },
  {
    ...{ model: 'lg_kddcup99.model', rows: () => table('kddcup99_test.tsv'), output: 'margin' },
    ...{ values: 'lg_kddcup99_true_predictions.txt', near: 1e-12 },
  },
  {
    ...{ model: 'lg_rf_iris.model', rows: () => libsvm('iris_test.libsvm', 4, 0), output: 'margin' },
    // Of a forest the means are given; LightGBM's own raw scores are sums over 30 trees.
    ...{ values: 'lg_rf_iris_true_predictions.txt', near: 1e-12, times: 30 },
  },
  {
    ...{ model: 'lgmulticlass.model', rows: () => table('multiclass_test.tsv').map(r => r.slice(1)), output: 'prediction' },
    ...{ values: 'lgmulticlass_true_predictions.txt', near: 1e-12, other: 1 },
  },
  {
    ...{ model: 'lgmulticlass.model', rows: () => table('multiclass_test.tsv').map(r => r.slice(1)), output: 'margin' },
    ...{ values: 'lgmulticlass_true_raw_predictions.txt', near: 1e-12, other: 1 },
  },
];

async function answers(
  file: string,
  rows: readonly (readonly number[])[],
  o: Partial<CompileOptions>,
): Promise<Map<string, number[]>> {
  const model = readFileSync(join(folder, file));
  const { files } = await compile({ model: new Uint8Array(model), file, ...o });
  const loaded = await loadBundle(files);
  const data = Float32Array.from(rows.flat());
  const out = loaded.run({ features: { data, dims: [rows.length, rows[0]?.length ?? 0] } });
  return new Map(Object.entries(out).map(([k, t]) => [k, Array.from(t.data, Number)]));
}

describe('models of leaves', () => {
  it.each(given.map(g => [`${g.model} ${g.output}`, g] as const))('%s', async (_, g) => {
    const rows = g.rows();
    const outputs = g.output === 'prediction' ? [] : [g.output];
    const got =
      (await answers(`leaves/${g.model}`, rows, { outputs, ...(g.iterations && { iterations: g.iterations }) })).get(g.output) ??
      [];
    const want = table(g.values);
    expect(want.length).toBe(rows.length);
    const width = got.length / rows.length;
    const other = want.filter((row, r) =>
      row.some((v, i) => {
        const w = v * (g.times ?? 1);
        return !(Math.abs((got[r * width + i] ?? NaN) - w) <= g.near * Math.max(1, Math.abs(w)));
      }),
    );
    expect(width).toBe(want[0]?.length);
    expect(other.length).toBe(g.other ?? 0);
  });
});
describe('models that XGBoost 0.90 and 1.0.0rc1 saved', () => {
  const stored = JSON.parse(readFileSync(new URL('../../fixtures/trees/corpus.json', import.meta.url), 'utf8')) as Record<
    string,
    { readonly features: number; readonly margin: string; readonly prediction: string }
  >;
  const floats = (s: string): number[] => [...new Float32Array(new Uint8Array(Buffer.from(s, 'base64')).buffer)];
  it.each(Object.entries(stored))('%s', async (name, want) => {
    const rows = Array.from({ length: 40 }, (_, r) =>
      Array.from({ length: want.features }, (_, c) =>
        (r * 3 + c) % 11 === 0 ? NaN : (((r * 7 + c * 13 + r * c) % 23) - 11) / 8,
      ),
    );
    const got = await answers(`xgboost-0.90-1.0.0rc1/${name}`, rows, { outputs: ['margin'] });
    expect(got.get('margin')).toEqual(floats(want.margin));
    expect(furthest(got.get('prediction') ?? [], floats(want.prediction), true).ulps).toBeLessThanOrEqual(1);
  });
  it('covers all files', () => expect(Object.keys(stored)).toEqual(readdirSync(join(folder, 'xgboost-0.90-1.0.0rc1')).sort()));
});
// Pickles of scikit-learn, dumps of LightGBM as JSON, parts of models, and text of other sorts.
const models = new Set(given.map(g => g.model));
const others = readdirSync(join(folder, 'leaves')).filter(f => !models.has(f) && f !== 'model_simple.txt');
it.each(others)('%s is no model', async name => {
  const model = new Uint8Array(readFileSync(join(folder, 'leaves', name)));
  await expect(compile({ model, file: name })).rejects.toThrow(CompileError);
  await expect(compile({ model, file: name })).rejects.toThrow(/E20[123]/);
});
// No value is missing here: NaN is 0.
it('model_simple.txt: two trees with categories, by hand', async () => {
  const rows = [
    [340.5, 100],
    [340.5, 99],
    [341, 99],
    [341, 100.7],
    [NaN, NaN],
  ];
  const got = await answers('leaves/model_simple.txt', rows, { outputs: ['margin'] });
  const [set, low, high] = [
    0.56697267424823339 + 0.12883103567558912,
    0.3584987837673016 - 0.063872842243335157,
    0.41213915936587919 - 0.016484332942214807,
  ];
  expect(got.get('margin')).toEqual([set, low, high, set, low].map(v => expect.closeTo(v, 12)));
});
