/** Trained models, archives and folders as `sinter serve` takes them: compiled on load, and once only. */
import { afterAll, describe, expect, it } from '@jest/globals';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tar from 'tar';
import { pythonFloat } from '../../../serving/core/python.ts';
import type { Serving } from '../../../serving/gateway/serve.ts';
import { discover } from '../../../serving/store/discover.ts';
import { BIKE_MODEL, bikeBundle, cleanUp, post, PREDICTED, ROWS, started, temporary } from './models.ts';

const CSV = { 'content-type': 'text/csv' };
const cache = temporary();
afterAll(cleanUp);
const serving = (path: string, env = {}): Promise<Serving> => started({ models: [{ name: 'm', path }], cache, env });
const answer = async (s: Serving, headers = {}): Promise<string> =>
  (await post(`${s.url}/invocations`, ROWS.slice(0, 2).join('\n'), { ...CSV, ...headers })).text;
const lines = (values: readonly number[]): string => values.map(v => `${pythonFloat(Math.fround(v))}\n`).join('');
/** The first trees of the bike model with another objective, or another base score. */
function changed(objective: string, score: string): string {
  const m = JSON.parse(readFileSync(BIKE_MODEL, 'utf8')) as {
    learner: {
      objective: { name: string };
      learner_model_param: { base_score: string };
      gradient_booster: {
        model: {
          gbtree_model_param: { num_trees: string };
          iteration_indptr?: number[];
          tree_info: number[];
          trees: unknown[];
        };
      };
    };
  };
  m.learner.objective.name = objective;
  m.learner.learner_model_param.base_score = score;
  const { model } = m.learner.gradient_booster;
  model.trees = model.trees.slice(0, 3);
  model.tree_info = model.tree_info.slice(0, 3);
  model.gbtree_model_param.num_trees = '3';
  if (model.iteration_indptr) model.iteration_indptr = model.iteration_indptr.slice(0, 4);
  return JSON.stringify(m);
}

describe('a trained model', () => {
  it('is compiled, answers as XGBoost, and the second time comes from the cache', async () => {
    const first = await serving(BIKE_MODEL);
    expect(await answer(first)).toBe(lines(PREDICTED.slice(0, 2)));
    const kept = readdirSync(cache).filter(f => f.startsWith('compiled-'));
    expect(kept.length).toBe(1);
    const folder = join(temporary(), 'model');
    mkdirSync(folder);
    writeFileSync(join(folder, '.hidden'), 'x');
    writeFileSync(join(folder, 'xgboost-model'), readFileSync(BIKE_MODEL));
    const again = await serving(folder);
    expect(await answer(again)).toBe(lines(PREDICTED.slice(0, 2)));
    expect(readdirSync(cache).filter(f => f.startsWith('compiled-'))).toEqual(kept);
    const status = (await (await fetch(`${again.url}/sinter/status`)).json()) as {
      models: { checked: string; objective: string }[];
    };
    expect(status.models[0]).toMatchObject({ checked: '1 file, golden rows of the evaluator', objective: 'reg:squarederror' });
  });
  it('of several folds answers their mean, or the first alone', async () => {
    const dir = temporary();
    writeFileSync(join(dir, 'xgboost-model-0'), changed('reg:squarederror', '0'));
    writeFileSync(join(dir, 'xgboost-model-1'), changed('reg:squarederror', '1024'));
    const archive = join(temporary(), 'model.tar.gz');
    tar.c({ file: archive, cwd: dir, gzip: true, sync: true }, readdirSync(dir));
    const [folder, packed, one, onePacked] = [
      await serving(dir),
      await serving(archive),
      await serving(dir, { SAGEMAKER_INFERENCE_ENSEMBLE: 'false' }),
      await serving(archive, { SAGEMAKER_INFERENCE_ENSEMBLE: 'false' }),
    ];
    const first = await answer(one);
    expect(await answer(onePacked)).toBe(first);
    const mean = await answer(folder);
    expect(await answer(packed)).toBe(mean);
    const [a, b] = [Number(first.split('\n')[0]), Number(mean.split('\n')[0])];
    expect(b).toBeCloseTo(a + 512, 2);
    // Five compilations from sources.
  }, 300_000);
  it('that is none, or is damaged, is refused, and leaves nothing behind', async () => {
    const own = temporary();
    const file = join(temporary(), 'model.json');
    const begin = (text: string): Promise<unknown> => {
      writeFileSync(file, text);
      return started({ models: [{ name: 'm', path: file }], cache: own });
    };
    await expect(begin('hello')).rejects.toThrow('is not a model that Sinter reads');
    await expect(begin(readFileSync(BIKE_MODEL, 'utf8').slice(0, 1000))).rejects.toThrow('cannot be compiled');
    expect(existsSync(own) ? readdirSync(own) : []).toEqual([]);
  });
});
describe('SAGEMAKER_INFERENCE_OUTPUT', () => {
  it('chooses parts of predictions of classes, in all types of answers', async () => {
    const file = join(temporary(), 'model.json');
    writeFileSync(file, changed('binary:logistic', '5E-1'));
    const plain = await serving(file);
    const p = Number((await answer(plain)).split('\n')[0]);
    const s = await serving(file, { SAGEMAKER_INFERENCE_OUTPUT: 'predicted_label, probabilities,predicted_score,labels' });
    const both = `[${pythonFloat(1 - p)}, ${pythonFloat(p)}]`;
    const label = p > 0.5 ? 1 : 0;
    expect((await answer(s)).split('\n')[0]).toBe(`${label},"${both}",nan,"[0, 1]"`);
    const object = `{"predicted_label": ${label}, "labels": [0, 1], "probabilities": ${both}, "predicted_score": NaN}`;
    expect(await answer(s, { accept: 'application/json' })).toMatch(`{"predictions": [${object}, {`);
    expect((await answer(s, { accept: 'application/jsonlines' })).split('\n')[0]).toBe(object);
    expect(Buffer.from(await answer(s, { accept: 'application/x-recordio-protobuf' }), 'latin1').length).toBeGreaterThan(50);
  });
});
describe('what is served', () => {
  it('is one model, or all in a folder of several, by their names', async () => {
    const dir = temporary();
    const bundle = await bikeBundle();
    for (const name of ['a', 'b']) tar.c({ file: join(dir, `${name}.tar.gz`), cwd: bundle, gzip: true, sync: true }, ['.']);
    expect(discover(dir).map(m => m.name)).toEqual(['a', 'b']);
    expect(discover(`bike=${bundle}`)).toEqual([{ name: 'bike', path: bundle }]);
    expect(discover(BIKE_MODEL)).toEqual([{ name: 'model', path: BIKE_MODEL }]);
    expect(() => discover('/nowhere')).toThrow('there is no model at /nowhere');
    const s = await started({ models: discover(dir), cache });
    const headers = { ...CSV, 'x-amzn-sagemaker-target-model': 'b' };
    expect((await post(`${s.url}/invocations`, ROWS[0] ?? '', headers)).text).toBe(lines(PREDICTED.slice(0, 1)));
    expect((await post(`${s.url}/invocations`, ROWS[0] ?? '', CSV)).status).toBe(404);
  });
});
