// The traps of reading XGBoost's models, one after the other: small models by hand, next to what the versions themselves predict
// (xgboost.test.ts).
import { describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { fromTyped, toNumbers } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { nextFloat } from '../../compiler/import/shared/thresholds.ts';
import { archives, casesOf, filesOf } from '../trees/cases.ts';
import { differences } from '../trees/check.ts';
import { tar } from '../trees/tar.ts';
import { byEvaluator } from '../trees/ways.ts';
import { document, json, ubjson, UBJSON_TYPES, type Tree, type Written } from '../trees/xgboost-writer.ts';
import { importModel, type ImportedModel, type ModelOptions } from '../../compiler/import/index.ts';

const f = Math.fround;
const load = (w: Written, o: Partial<ModelOptions> = {}): ImportedModel => importModel(json(document(w)), { file: 'm', ...o });
function run(m: ImportedModel, rows: readonly (readonly number[])[], output = 'prediction'): number[] {
  const columns = rows[0]?.length ?? 0;
  const x = fromTyped('f32', [rows.length, columns], Float32Array.from(rows.flat()));
  return [...toNumbers(must(evaluate(m.graph, new Map([['features', x]])).get(output)))];
}
const predict = (w: Written, rows: readonly (readonly number[])[], o: Partial<ModelOptions> = {}, output?: string): number[] =>
  run(load(w, o), rows, output);
const warnings = (m: ImportedModel): string => m.warnings.map(w => w.message).join('; ');
/** 1 for rows below the threshold, 2 for others. */
const stump = (t: number, missingLeft = false): Tree => ({ f: 0, t, missingLeft, l: 1, r: 2 });
const zero = { baseScore: '0E0', features: 1 };

describe('traps of XGBoost', () => {
  it('1: a split is x < threshold in float32', () => {
    const t = f(0.1);
    const w = { ...zero, trees: [stump(t)] };
    // As text the threshold is the shortest that gives the float.
    expect(predict(w, [[t], [-nextFloat(-t)], [nextFloat(t)], [0.1]])).toEqual([2, 1, 2, 2]);
    expect(predict({ ...zero, trees: [stump(0.1)] }, [[t]])).toEqual([2]);
    expect(predict({ ...zero, trees: [stump(0)] }, [[-0], [0], [-1e-45]])).toEqual([2, 2, 1]);
  });
  it('2: missing values go the default way; zero is a value; what else is missing is in the wrapper', () => {
    for (const left of [false, true])
      expect(predict({ ...zero, trees: [stump(-1, left)] }, [[NaN], [0]])).toEqual([left ? 1 : 2, 2]);
    const attributes = { scikit_learn: '{"missing": -7.5, "n_estimators": 1}' };
    expect(predict({ ...zero, trees: [stump(-1)], attributes }, [[-7.5], [NaN], [-8]])).toEqual([2, 2, 1]);
    const bare = { scikit_learn: '{"missing": NaN}' };
    expect(predict({ ...zero, trees: [stump(-1)], attributes: bare }, [[-7.5]])).toEqual([1]);
  });
  it.each([
    ['binary:logistic', '2.5E-1', [2, 0, 0], Math.log(0.25 / 0.75)],
    ['reg:logistic', '7E-1', [1, 5, 0], Math.log(0.7 / 0.3)],
    ['count:poisson', '2E0', [2, 0, 0], Math.log(2)],
    ['reg:gamma', '3E0', [1, 7, 0], Math.log(3)],
    ['reg:tweedie', '5E-1', [2, 0, 0], Math.log(0.5)],
    ['survival:cox', '4E0', [2, 0, 0], Math.log(4)],
    ['survival:aft', '5E0', [2, 0, 0], Math.log(5)],
    ['binary:logitraw', '2.5E-1', [2, 0, 0], 0.25],
    ['binary:logitraw', '2.5E-1', [1, 2, 0], Math.log(0.25 / 0.75)],
    ['binary:hinge', '2.5E-1', [2, 0, 0], 0.25],
    ['rank:ndcg', '2.5E-1', [2, 0, 0], 0.25],
    ['reg:squarederror', '1.5E0', [1, 0, 0], 1.5],
  ] as const)('3: base_score of %s is in the space of predictions (%s in %j)', (objective, baseScore, version, margin) => {
    const w = { objective, baseScore, version, features: 1, trees: [0] };
    expect(predict(w, [[1]], { outputs: ['margin'] }, 'margin')[0]).toBeCloseTo(margin, 6);
  });
  it('3: probabilities are kept away from 0 and 1 since 3.1', () => {
    const w = { objective: 'binary:logistic', baseScore: '1E0', features: 1, trees: [0] };
    const margin = (version: readonly [number, number, number]): number =>
      must(predict({ ...w, version }, [[1]], { outputs: ['margin'] }, 'margin')[0]);
    expect(margin([3, 1, 0])).toBeGreaterThan(13);
    expect(margin([3, 1, 0])).toBeLessThan(14);
    expect(margin([2, 0, 0])).toBe(Infinity);
  });
  it('4: base_score is a number or since 3.1 a list; one is for all outputs', () => {
    const w = { objective: 'reg:squarederror', targets: 2, features: 1, trees: [1, 1], info: [0, 1] };
    expect(predict({ ...w, baseScore: '[1E0,2E0]', version: [3, 1, 0] }, [[0]])).toEqual([2, 3]);
    expect(predict({ ...w, baseScore: '[5E-1]', version: [3, 1, 0] }, [[0]])).toEqual([1.5, 1.5]);
    expect(predict({ ...w, baseScore: '5E-1', version: [2, 0, 0] }, [[0]])).toEqual([1.5, 1.5]);
    const none = { features: 1, trees: [0] };
    // Before 1.2 digits before and after the point were rounded one by one.
    expect(predict({ ...none, baseScore: '1.066351', version: [1, 0, 2] }, [[0]])).toEqual([1.0663509368896484]);
    expect(predict({ ...none, baseScore: '1.066351', version: [1, 2, 0] }, [[0]])).toEqual([1.066351056098938]);
    expect(() => load({ ...w, baseScore: '[1,2,3]' })).toThrow(/E203: .*3 base scores for 2 outputs/);
    expect(() => load({ ...w, baseScore: 'much' })).toThrow(/learner_model_param\.base_score: E203/);
  });
  it('5: base scores of classes are margins', () => {
    const w = { objective: 'multi:softprob', classes: 3, features: 1, trees: [0, 0, 0], info: [0, 1, 2] };
    const margins = predict({ ...w, baseScore: '[1E0,2E0,3E0]' }, [[0]], { outputs: ['margin'] }, 'margin');
    expect(margins).toEqual([1, 2, 3]);
    expect(predict({ ...w, baseScore: '9E-1' }, [[0]], { outputs: ['margin'] }, 'margin')).toEqual([f(0.9), f(0.9), f(0.9)]);
  });
  it('6: a binary of before 1.0 holds base_score as a margin', () => {
    const cases = casesOf('xgboost-0.90.tar.gz').filter(c => c.name.startsWith('logistic-base'));
    expect(cases.map(c => c.file.split('.').at(-1))).toContain('model');
    expect(cases.flatMap(c => differences(c, byEvaluator(c)))).toEqual([]);
    // The same bytes as of 1.0: the number becomes a probability.
    const c = must(cases[0]);
    const newer = c.bytes.slice();
    const at = new TextDecoder().decode(newer.subarray(0, 4)) === 'binf' ? 4 : 0;
    new DataView(newer.buffer).setUint32(at + 20, 1, true);
    new DataView(newer.buffer).setFloat32(at, 0.3, true);
    const m = importModel(newer, { file: 'm', outputs: ['margin'] });
    const stumpless = importModel(c.bytes, { file: 'm', outputs: ['margin'] });
    const row = [[0, 0, 0, 0]];
    const base = new DataView(c.bytes.buffer, c.bytes.byteOffset).getFloat32(at, true);
    expect(must(run(m, row, 'margin')[0]) - must(run(stumpless, row, 'margin')[0])).toBeCloseTo(Math.log(0.3 / 0.7) - base, 5);
  });
  it('7: sums begin at the base since 1.3 (DART: 1.4), before that it comes last', () => {
    // 2^24 + 1 + 1 is 2^24 in float32, 1 + 1 + 2^24 is not.
    const w = { baseScore: '16777216', features: 1, trees: [1, 1] };
    expect(predict({ ...w, version: [1, 3, 0] }, [[0]])).toEqual([16777216]);
    expect(predict({ ...w, version: [1, 2, 1] }, [[0]])).toEqual([16777218]);
    expect(predict({ ...w, version: [1, 3, 3], weights: [1, 1] }, [[0]])).toEqual([16777218]);
    expect(predict({ ...w, version: [1, 4, 0], weights: [1, 1] }, [[0]])).toEqual([16777216]);
  });
  it('8: the sigmoid is bounded since 1.3; softmax is divided in float32', () => {
    const logistic = { objective: 'binary:logistic', baseScore: '5E-1', features: 1 };
    const low = (version: readonly [number, number, number]): number =>
      must(predict({ ...logistic, version, trees: [-120] }, [[0]])[0]);
    expect(low([1, 2, 0])).toBe(0);
    expect(low([1, 3, 0])).toBe(f(1 / f(Math.exp(f(88.7)))));
    expect(predict({ ...logistic, trees: [200] }, [[0]])).toEqual([1]);
    const m = [1, 2, 3].map(f);
    const parts = m.map(v => f(Math.exp(v - 3)));
    const sum = parts.reduce((a, b) => a + b);
    const w = { objective: 'multi:softprob', classes: 3, baseScore: '0E0', features: 1, trees: m, info: [0, 1, 2] };
    expect(predict(w, [[0]])).toEqual(parts.map(p => f(p / f(sum))));
    expect(predict({ ...w, objective: 'multi:softmax' }, [[0]])).toEqual([2]);
  });
  it('9: leaves of DART are weighted, wherever the weights are, and however few', () => {
    const w = { ...zero, trees: [stump(0), 10], weights: [0.1] };
    const want = [f(f(f(0.1) * 1) + 10), f(f(f(0.1) * 2) + 10)];
    expect(predict(w, [[-1], [1]])).toEqual(want);
    expect(predict({ ...w, weightsIn: 'model' }, [[-1], [1]])).toEqual(want);
  });
  it.each([
    [[1, 5, 0], 'left'],
    [[1, 6, 2], 'default'],
    [[1, 7, 0], 'default'],
    [[1, 7, 1], 'left'],
    [[2, 0, 0], 'left'],
  ] as const)('10: categories in the set go right; those that make no sense, in %j: %s', (version, way) => {
    for (const missingLeft of [false, true]) {
      const w = { ...zero, version, trees: [{ f: 0, t: 3e38, cats: [1, 3, 40], missingLeft, l: 1, r: 2 }] };
      expect(predict(w, [[0], [1], [2], [3], [40], [1.9]])).toEqual([1, 2, 1, 2, 2, 2]);
      const invalid = way === 'left' || missingLeft ? 1 : 2;
      expect(predict(w, [[-1], [64], [1e30], [Infinity]])).toEqual([invalid, invalid, invalid, invalid]);
      expect(predict(w, [[NaN]])).toEqual([missingLeft ? 1 : 2]);
    }
  });
  it('11: a table that re-codes categories is told of', () => {
    const w = { ...zero, trees: [{ f: 0, cats: [1], l: 1, r: 2 }], version: [3, 1, 0] as const };
    expect(
      warnings(load({ ...w, cats: { enc: [{ type: 1, values: [97], offsets: [0, 1] }], feature_segments: [0, 1] } })),
    ).toContain('categories were text when the model was trained; it takes their codes');
    expect(warnings(load({ ...w, cats: { enc: [], feature_segments: [], sorted_idx: [] } }))).toBe('');
  });
  it('12: groups come from tree_info, rounds from iteration_indptr, vectors from base_weights or leaf_weights', () => {
    const w = { ...zero, objective: 'reg:squarederror', targets: 2, trees: [1, 2, 4, 8], info: [0, 1, 1, 0] };
    expect(predict(w, [[0]])).toEqual([9, 6]);
    const rounds = { ...w, rounds: [0, 3, 4] };
    expect(predict(rounds, [[0]], { iterations: { first: 0, last: 0 } })).toEqual([1, 6]);
    expect(predict(w, [[0]], { iterations: { first: 1, last: 1 } })).toEqual([8, 4]);
    const parallel = { ...zero, parallel: 2, trees: [1, 2, 4, 8] };
    expect(predict(parallel, [[0]], { iterations: { first: 1, last: 1 } })).toEqual([12]);
    const vectors: Tree = { f: 0, t: 0, l: [1, 2], r: [3, 4] };
    for (const leafWeights of [false, true])
      expect(predict({ ...zero, targets: 2, trees: [vectors, [10, 20]], leafWeights }, [[-1], [1]])).toEqual([11, 22, 13, 24]);
    expect(() => load({ ...w, rounds: [0, 9] })).toThrow(/iteration_indptr: E203: .*its rounds do not cover its 4 trees/);
    expect(() => load({ ...w, info: [0, 1, 2, 0] })).toThrow(/tree 2: E203: .*it adds to output 2 of 2/);
  });
  it('13: the value of a leaf is in split_conditions; deleted nodes are of no harm', () => {
    const d = document({ ...zero, trees: [stump(0)] });
    const tree = treeOf(d);
    (tree['base_weights'] as number[]).fill(77);
    for (const [key, v] of Object.entries({
      left_children: -1,
      right_children: -1,
      split_indices: 2147483647,
      split_conditions: 5e33,
    }))
      (tree[key] as number[]).push(v);
    for (const key of ['base_weights', 'default_left', 'parents', 'split_type', 'sum_hessian']) (tree[key] as number[]).push(0);
    (tree['tree_param'] as Record<string, string>)['num_nodes'] = '4';
    expect(run(importModel(json(d), { file: 'm' }), [[-1], [1]])).toEqual([1, 2]);
  });
  it('14: all rounds are used, with a word about early stopping; wrappers stop at the best', () => {
    const attributes = { best_iteration: '0', best_score: '0.1' };
    const m = load({ ...zero, trees: [1, 2, 4], attributes });
    expect(run(m, [[0]])).toEqual([7]);
    expect(warnings(m)).toContain('the scikit-learn wrapper would use --iterations 0..0');
    expect(predict({ ...zero, trees: [1, 2, 4], attributes }, [[0]], { iterations: { first: 0, last: 0 } })).toEqual([1]);
    expect(() => load({ ...zero, trees: [1, 2] }, { iterations: { first: 0, last: 2 } })).toThrow(
      "0..2 is no range of the model's 2 rounds, 0..1",
    );
    expect(() => load({ ...zero, trees: [1, 2] }, { iterations: { first: 1, last: 0 } })).toThrow(/E403: option iterations/);
    for (const archive of archives('xgboost')) {
      const wrapped = casesOf(archive).filter(c => c.name === 'classifier');
      for (const c of wrapped) expect(differences(c, byEvaluator({ ...c, iterations: undefined }))).toEqual([]);
    }
  });
  it("15: SageMaker's container takes best_ntree_limit trees", () => {
    const attributes = { best_iteration: '1', best_ntree_limit: '2' };
    const bytes = json(document({ ...zero, trees: [1, 2, 4], attributes }));
    const m = importModel(tar('xgboost-model', bytes), { file: 'model.tar' });
    expect(run(m, [[0]])).toEqual([3]);
    expect(warnings(m)).toContain("SageMaker's container predicts with 2 of its 3 rounds");
    expect(run(importModel(bytes, { file: 'xgboost-model' }), [[0]])).toEqual([7]);
  });
  it('16: UBJSON is typed and big-endian, JSON has numbers as text, fields may be absent', () => {
    const cats: Tree = { f: 1, cats: [2, 33], l: stump(0.25, true), r: 3 };
    const w: Written = { baseScore: '2.5E-1', trees: [cats, stump(-1)], names: ['a', 'ü'], weights: [0.5, 0.25] };
    const rows = [
      [0.2, 2],
      [0.25, 1],
      [NaN, 0],
      [-2, 33],
    ];
    const want = predict(w, rows);
    for (const split_indices of ['l', 'L'] as const) {
      const bytes = ubjson(document(w), { ...UBJSON_TYPES, split_indices });
      expect(run(importModel(bytes, { file: 'm' }), rows)).toEqual(want);
    }
    const d = document({ ...w, trees: [stump(0.25, true), stump(-1)] });
    const plain = run(importModel(json(d), { file: 'm' }), rows);
    for (const [i, t] of treesOf(d).entries()) {
      t['default_left'] = (t['default_left'] as number[]).map(x => (i === 0 ? x === 1 : x));
      for (const key of Object.keys(t)) if (/^categories|split_type|^id$|parents/.test(key)) Reflect.deleteProperty(t, key);
    }
    expect(run(importModel(json(d), { file: 'm' }), rows)).toEqual(plain);
    expect(run(importModel(ubjson(d), { file: 'm' }), rows)).toEqual(plain);
    // Python writes bare NaN and Infinity.
    const text = new TextDecoder().decode(json(document({ ...zero, trees: [stump(1e9)] }))).replace('1000000000', 'Infinity');
    expect(run(importModel(new TextEncoder().encode(text), { file: 'm' }), [[3e38]])).toEqual([1]);
  });
  it('17: the bytes tell the format, whatever the name', () => {
    for (const archive of archives('xgboost'))
      for (const [name, bytes] of filesOf(archive))
        if (name !== 'expected.json')
          expect([name, importModel(bytes, { file: 'model.onnx' }).format]).toEqual([name, 'xgboost']);
  });
});

const treesOf = (d: unknown): Record<string, unknown>[] => {
  const booster = (d as { learner: { gradient_booster: Record<string, unknown> } }).learner.gradient_booster;
  const inner = (booster['gbtree'] ?? booster) as { model: { trees: Record<string, unknown>[] } };
  return inner.model.trees;
};
const treeOf = (d: unknown): Record<string, unknown> => must(treesOf(d)[0]);
