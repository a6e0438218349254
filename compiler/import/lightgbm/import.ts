import { fail, type Loc, type Warning } from '../../core/diagnostic.ts';
import { fromTyped } from '../../core/tensor.ts';
import { graphBuilder, type GraphBuilder } from '../../graph/build.ts';
import { constant, type Value } from '../../graph/graph.ts';
import * as e from '../../ops/elementwise/index.ts';
import { Reduce } from '../../ops/reduce/reduce.ts';
import { TreeEnsemble, TreeLeaves } from '../../ops/trees/ensemble.ts';
import { TreeShap } from '../../ops/trees/shap.ts';
import { Reshape } from '../../ops/movement/view.ts';
import {
  featuresInput,
  flat,
  MAX_FEATURES,
  MAX_GROUPS,
  roundsAsked,
  rowBytes,
  tableValues,
  type Iterations,
  type Rounds,
  type TreeImport,
  type TreeOptions,
} from '../shared/trees.ts';
import type { LgbModel, LgbTree } from './parse.ts';
import { needsDoubles } from './doubles.ts';
import { linearScores } from './linear.ts';
import { lgbTables, type LgbTables } from './tables.ts';

/** A model and how the object that it was found in would predict with it. */
export interface LgbFound {
  readonly model: LgbModel;
  readonly form: 'text' | 'JSON' | 'pickle';
  /** Rounds that a pickled booster would use after early stopping; all where it does not say. */
  readonly rounds?: number;
  /** The names of the classes. */
  readonly labels?: readonly string[];
}

/**
 * A model of LightGBM as a graph: `features` [batch, features], f32 or (see `needsDoubles`) f64, NaN for missing, to `prediction` f64: what `Booster.predict`
 * gives, [batch] or [batch, classes]. Sums are in float64 as LightGBM's. Other outputs as asked: `margin` (`raw_score=True`), `leaf` i32
 * [batch, trees], `contributions` f64 [batch, features + 1] or [batch, classes, features + 1].
 * E101: an objective that is not known. E102: outputs or rounds that the model has not. E203: damaged. E403: contributions of linear trees.
 */
export function importLightgbm(found: LgbFound, o: TreeOptions = {}): TreeImport {
  const file = o.file ?? 'model';
  const m = found.model;
  const loc: Loc = { k: 'file', file, what: '' };
  const c = graphBuilder({ loc });
  const warnings: Warning[] = [];
  if (m.features > MAX_FEATURES) fail('E203', { file, why: `it announces ${m.features} features` }, loc);
  if (m.groups > MAX_GROUPS) fail('E203', { file, why: `it announces ${m.groups} outputs` }, loc);
  if (m.recoded)
    warnings.push({
      code: 'recoded',
      message: 'categories of data frames were re-coded in training; the compiled model takes their codes',
      loc,
    });
  const { from, to } = rounds(found, o.iterations, loc, warnings);
  const trees = m.trees.slice(from * m.groups, to * m.groups);
  const linear = trees.some(tree => tree.linear);
  // Linear leaves multiply the features as doubles.
  const dtype = linear || needsDoubles(trees, m.ranges) ? 'f64' : 'f32';
  const t = lgbTables(trees, from * m.groups, m.groups, m.features, dtype, file);
  const x = featuresInput(
    m.features,
    dtype,
    o.dims ?? {},
    2 * rowBytes(m.features, m.groups, m.trees.length, o.outputs ?? []),
    loc,
  );
  const values = tableValues(t.tables);
  const rules = { truncate: true };
  const leaves = (id: Int32Array): Value =>
    c.apply1(TreeLeaves, [x, ...values, constant(fromTyped('i32', [id.length], id), 'id')], rules);
  const margin = linear
    ? linearScores(c, x, leaves(countedLeaves(t.id, trees)), trees, m.groups, file)
    : c.apply1(TreeEnsemble, [x, ...values], rules);
  // Of a forest LightGBM's raw score is the sum; predictions come from the mean over the rounds.
  const f64 = (v: number): Value => c.literal('f64', v);
  const mean = m.average && to > from ? c.apply1(e.Div, [margin, f64(to - from)]) : margin;
  const outputs = [{ name: 'prediction', value: predictions(c, mean, m, file) }];
  for (const name of o.outputs ?? [])
    outputs.push({
      name,
      value:
        name === 'margin'
          ? flat(c, margin)
          : name === 'leaf'
            ? leaves(t.id)
            : linear
              ? fail('E403', { option: 'outputs', why: 'linear trees have no contributions, in LightGBM either' }, loc)
              : contributions(c, x, values, t, loc),
    });
  return {
    graph: { name: o.name ?? 'model', inputs: [x], outputs, symbolDefinitions: [] },
    warnings,
    ...(m.featureNames.length === m.features && { featureNames: m.featureNames }),
    ...(found.labels?.length === Math.max(2, m.groups) && { labels: found.labels }),
  };
}
/** The numbers of leaves in their trees as numbers among the leaves of all trees. */
function countedLeaves(id: Int32Array, trees: readonly LgbTree[]): Int32Array {
  const out = id.slice();
  let first = 0;
  for (const t of trees) {
    for (let i = 0; i < t.values.length; i++) out[first + i] = (out[first + i] ?? 0) + first;
    first += t.values.length;
  }
  return out;
}
function rounds(found: LgbFound, asked: Iterations | undefined, loc: Loc, warnings: Warning[]): Rounds {
  const all = found.model.trees.length / found.model.groups;
  if (!asked && found.rounds !== undefined && found.rounds < all) {
    const message = `the pickled booster predicts with ${found.rounds} of its ${all} rounds, and so does the compiled model; choose with --iterations`;
    warnings.push({ code: 'iterations', message, loc });
    return { from: 0, to: found.rounds };
  }
  if (!asked) return { from: 0, to: all };
  return roundsAsked(asked, all, loc);
}
function contributions(c: GraphBuilder, x: Value, values: readonly (Value | undefined)[], t: LgbTables, loc: Loc): Value {
  if (!t.nodeCover || !t.leafCover)
    return fail('E403', { option: 'outputs', why: 'the file has no row counts, which contributions need' }, loc);
  const f64 = (a: Float64Array, name: string): Value => constant(fromTyped('f64', [a.length], a), name);
  const weight = new Float64Array(t.mean.length).fill(1);
  const more = [f64(t.nodeCover, 'nodeCover'), f64(t.leafCover, 'leafCover'), f64(t.mean, 'mean'), f64(weight, 'weight')];
  const sets = values.length < 12 ? [...values, undefined, undefined, undefined] : values;
  const all = c.apply1(TreeShap, [x, ...sets, ...more], { truncate: true, running: true });
  const [batch = 1, groups, columns = 1] = all.type.shape;
  return groups === 1 ? c.apply1(Reshape, [all], { shape: [batch, columns] }) : all;
}

/** What the objective makes of raw scores [batch, groups], in float64 (`ConvertOutput`). E101: an objective that is not known. */
function predictions(c: GraphBuilder, raw: Value, m: LgbModel, file: string): Value {
  const [name = 'none', ...words] = m.objective;
  const parameter = (key: string, otherwise: number): number => {
    const word = words.find(w => w.startsWith(`${key}:`));
    const v = word === undefined ? otherwise : Number(word.slice(key.length + 1));
    return Number.isFinite(v)
      ? v
      : fail('E203', { file, why: `'${word ?? key}' is no number` }, { k: 'file', file, what: 'objective' });
  };
  const f64 = (v: number): Value => c.literal('f64', v);
  const sigmoid = (x: Value, slope: number): Value => {
    const minus = c.apply1(e.Mul, [f64(-slope), x]);
    return c.apply1(e.Div, [f64(1), c.apply1(e.Add, [f64(1), c.apply1(e.Exp, [minus])])]);
  };
  switch (name) {
    case 'none':
    case 'custom':
    case 'lambdarank':
    case 'rank_xendcg':
    case 'huber':
    case 'fair':
    case 'quantile':
    case 'mape':
      return flat(c, raw);
    case 'regression':
    case 'regression_l2':
    case 'regression_l1':
      // `sqrt`: trained on square roots with their sign.
      return flat(c, words.includes('sqrt') ? c.apply1(e.Mul, [c.apply1(e.Mul, [c.apply1(e.Sign, [raw]), raw]), raw]) : raw);
    case 'poisson':
    case 'gamma':
    case 'tweedie':
      return flat(c, c.apply1(e.Exp, [raw]));
    case 'binary':
      return flat(c, sigmoid(raw, parameter('sigmoid', 1)));
    case 'cross_entropy':
      return flat(c, sigmoid(raw, 1));
    case 'cross_entropy_lambda':
      return flat(c, c.apply1(e.Softplus, [raw]));
    case 'multiclassova':
      return sigmoid(raw, parameter('sigmoid', 1));
    case 'multiclass': {
      const parts = c.apply1(e.Exp, [c.apply1(e.Sub, [raw, c.apply1(Reduce, [raw], { of: 'max', axes: [1], keep: true })])]);
      return c.apply1(e.Div, [parts, c.apply1(Reduce, [parts], { of: 'sum', axes: [1], keep: true })]);
    }
  }
  return fail('E101', { op: `objective ${name}`, why: '' }, { k: 'file', file, what: 'objective' });
}
