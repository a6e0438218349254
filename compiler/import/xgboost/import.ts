import { fail, type Loc, type Warning } from '../../core/diagnostic.ts';
import { fromTyped } from '../../core/tensor.ts';
import { graphBuilder, type GraphBuilder } from '../../graph/build.ts';
import { constant, type Graph, type Value } from '../../graph/graph.ts';
import * as e from '../../ops/elementwise/index.ts';
import { LinearRows } from '../../ops/ml/linear-rows.ts';
import { TreeEnsemble, TreeLeaves } from '../../ops/trees/ensemble.ts';
import { TreeShap } from '../../ops/trees/shap.ts';
import { Reshape } from '../../ops/movement/view.ts';
import { asNumber, field, isArray, parseJsonText } from '../shared/json.ts';
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
import { marginOf, objectiveOf, predictions } from './objective.ts';
import { before, type XgbLinear, type XgbModel, type XgbTrees } from './records.ts';
import { xgbTables } from './tables.ts';

/** A model and how the object it was found in would predict with it. */
export interface XgbFound {
  readonly model: XgbModel;
  /** The value that stands for missing besides NaN. */
  readonly missing?: number;
  /** Rounds that the object would use; all where it does not say. */
  readonly rounds?: number;
  /** Who would: for the warning that says so. */
  readonly by?: string;
  /** What the file is, in words. */
  readonly form: string;
  /** The names of the classes. */
  readonly labels?: readonly string[];
}

/**
 * One XGBoost model as a graph: `features` f32 [batch, numFeature], NaN for missing, to `prediction`: what `Booster.predict` gives, [batch]
 * or [batch, groups]. Other outputs as asked: `margin`, of the same shape; `leaf` i32 [batch, trees], XGBoost's node numbers;
 * `contributions` f32 [batch, features + 1] or [batch, groups, features + 1].
 * E101: an objective that is not known. E102: outputs or rounds that the booster has not. E203: damaged trees.
 */
export function importXgboost(found: XgbFound, o: TreeOptions = {}): TreeImport {
  const parts = xgbParts(found, o);
  const { x, outputs, warnings } = parts;
  return {
    graph: { name: o.name ?? 'model', inputs: [x], outputs, symbolDefinitions: [] },
    warnings,
    ...(parts.featureNames && { featureNames: parts.featureNames }),
    ...(found.labels?.length === Math.max(2, found.model.numClass) && { labels: found.labels }),
  };
}
interface Parts {
  readonly x: Value;
  readonly outputs: Graph['outputs'];
  readonly warnings: Warning[];
  readonly featureNames?: readonly string[];
}
export function xgbParts(found: XgbFound, o: TreeOptions, shared?: Value): Parts {
  const { model } = found;
  const file = o.file ?? 'model';
  const loc: Loc = { k: 'file', file, what: '' };
  const c = graphBuilder({ loc });
  const warnings: Warning[] = [];
  const warn = (code: string, message: string): void => void warnings.push({ code, message, loc });
  if (model.numFeature > MAX_FEATURES) fail('E203', { file, why: `it announces ${model.numFeature} features` }, loc);
  const objective = objectiveOf(model.objective, model.version, file);
  const groups = Math.max(1, model.numClass, model.numTarget);
  if (groups > MAX_GROUPS) fail('E203', { file, why: `it announces ${groups} outputs` }, loc);
  const base = baseMargins(model, groups, objective.inverse, file);
  const count = model.booster.k === 'trees' ? model.booster.trees.length : 0;
  const x =
    shared ??
    featuresInput(model.numFeature, 'f32', o.dims ?? {}, rowBytes(model.numFeature, groups, count, o.outputs ?? []), loc);
  const rows = withMissing(c, x, found.missing ?? NaN);
  const built =
    model.booster.k === 'linear'
      ? linear(c, rows, model, model.booster, base, o, file)
      : trees(c, rows, found, model.booster, base, o, file, warn);
  const outputs = [{ name: 'prediction', value: predictions(c, built.margin, objective.link, model.version) }];
  for (const name of o.outputs ?? []) outputs.push({ name, value: name === 'margin' ? flat(c, built.margin) : built[name]() });
  const named = model.featureNames.length === model.numFeature && model.numFeature > 0;
  return { x, outputs, warnings, ...(named && { featureNames: model.featureNames }) };
}

/** The margin of each group before any tree. */
function baseMargins(m: XgbModel, groups: number, inverse: 'identity' | 'logit' | 'log', file: string): Float32Array {
  const { baseScore } = m;
  if (baseScore.length !== 1 && baseScore.length !== groups)
    fail(
      'E203',
      { file, why: `${baseScore.length} base scores for ${groups} outputs` },
      { k: 'file', file, what: 'learner.learner_model_param.base_score' },
    );
  const of = (b: number): number => (m.version[0] === 0 ? Math.fround(b) : marginOf(b, inverse, m.version));
  return Float32Array.from({ length: groups }, (_, g) => of(baseScore[baseScore.length === 1 ? 0 : g] ?? 0));
}
/** Rows in which the value that stands for missing became NaN. */
function withMissing(c: GraphBuilder, x: Value, missing: number): Value {
  if (Number.isNaN(missing)) return x;
  const f32 = (v: number): Value => c.literal('f32', v);
  return c.apply1(e.Where, [c.apply1(e.Equal, [x, f32(missing)]), f32(NaN), x]);
}

interface Built {
  readonly margin: Value;
  leaf(): Value;
  contributions(): Value;
}
function linear(c: GraphBuilder, x: Value, m: XgbModel, b: XgbLinear, base: Float32Array, o: TreeOptions, file: string): Built {
  const loc: Loc = { k: 'file', file, what: 'gblinear' };
  const groups = base.length;
  const features = m.numFeature;
  if (b.weights.length !== (features + 1) * groups)
    fail('E203', { file, why: `${b.weights.length} weights for ${features} features and ${groups} outputs` }, loc);
  if (o.iterations)
    fail('E403', { option: 'iterations', why: 'a linear booster keeps one set of weights for all its rounds' }, loc);
  // Where there is a base score for each output, linear boosters take the first for all.
  const bias = base.map((_, g) => Math.fround((b.weights[features * groups + g] ?? 0) + (base[0] ?? 0)));
  const weights = fromTyped('f32', [features, groups], b.weights.slice(0, features * groups));
  const margin = c.apply1(LinearRows, [x, constant(weights, 'weights'), constant(fromTyped('f32', [groups], bias), 'bias')]);
  const none = (what: string): never => fail('E403', { option: 'outputs', why: `a linear booster has no ${what}` }, loc);
  return {
    margin,
    leaf: () => none('leaves'),
    contributions: () => none('trees to work out contributions from'),
  };
}
function trees(
  c: GraphBuilder,
  x: Value,
  found: XgbFound,
  b: XgbTrees,
  base: Float32Array,
  o: TreeOptions,
  file: string,
  warn: (code: string, message: string) => void,
): Built {
  const m = found.model;
  const loc: Loc = { k: 'file', file, what: '' };
  const starts = roundStarts(b, m, file);
  const rounds = starts.length - 1;
  const chosen = roundsOf(found, o.iterations, rounds, loc, warn);
  if (o.iterations && treesOfRound(m, b) === undefined)
    warn('iterations', 'the file does not say how many trees a round has; one for each output is taken for a round');
  const [from, to] = [starts[chosen.from] ?? 0, starts[chosen.to] ?? 0];
  if (b.recoded)
    warn('recoded', 'categories were text when the model was trained; it takes their codes (0, 1, …) in the order of training');
  const t = xgbTables(b, from, to, m.numFeature, base, file);
  const { version } = m;
  // Sums start at the base since 1.3, DART's since 1.4.
  const first = !before(version, 1, b.weights ? 4 : 3);
  // Categories that training never saw went the way of missing ones from 1.6 to 1.7.0.
  const rules = { invalid: !before(version, 1, 6) && before(version, 1, 7, 1) ? 'missing' : 'left', truncate: false };
  const values = tableValues(t.tables);
  const f32 = (a: Float32Array, name: string): Value => constant(fromTyped('f32', [a.length], a), name);
  const margin = c.apply1(TreeEnsemble, [x, ...values], { base: first ? 'first' : 'last', ...rules });
  const groups = base.length;
  return {
    margin,
    leaf: () => c.apply1(TreeLeaves, [x, ...values, constant(fromTyped('i32', [t.id.length], t.id), 'id')], rules),
    contributions: () => {
      if (t.tables.width > 1)
        fail('E403', { option: 'outputs', why: 'leaves of several values have no contributions, in XGBoost neither' }, loc);
      const own = values.with(5, constant(fromTyped('f32', [t.unweighted.length, 1], t.unweighted), 'leaves'));
      const more = [f32(t.nodeCover, 'nodeCover'), f32(t.leafCover, 'leafCover'), f32(t.mean, 'mean'), f32(t.weight, 'weight')];
      const all = c.apply1(TreeShap, [x, ...own, ...more], { ...rules, running: before(version, 1, 0) });
      const [batch = 1, , columns = 1] = all.type.shape;
      return groups === 1 ? c.apply1(Reshape, [all], { shape: [batch, columns] }) : all;
    },
  };
}
/** Trees of a round for each output; after early stopping, attributes tell what the model does not. */
function treesOfRound(m: XgbModel, b: XgbTrees): number | undefined {
  if (b.parallelTrees !== undefined) return b.parallelTrees;
  const best = asNumber(m.attributes.get('best_iteration'));
  const limit = asNumber(m.attributes.get('best_ntree_limit'));
  const n = best === undefined || limit === undefined ? undefined : limit / (best + 1);
  return n !== undefined && Number.isInteger(n) && n > 0 ? n : undefined;
}
/** Where each round starts among the trees, and the end. */
export function roundStarts(b: XgbTrees, m: XgbModel, file: string): readonly number[] {
  const n = b.trees.length;
  if (b.rounds && b.rounds.length > 0) {
    const ok = b.rounds[0] === 0 && b.rounds.at(-1) === n && b.rounds.every((r, i) => i === 0 || r >= (b.rounds?.[i - 1] ?? 0));
    if (!ok) fail('E203', { file, why: `its rounds do not cover its ${n} trees` }, { k: 'file', file, what: 'iteration_indptr' });
    return b.rounds;
  }
  const vectors = (b.trees[0]?.vectors?.size ?? 1) > 1;
  const step = (vectors ? 1 : Math.max(1, m.numClass, m.numTarget)) * (treesOfRound(m, b) ?? 1);
  const starts = [0];
  for (let at = step; at <= n; at += step) starts.push(at);
  if (starts.at(-1) !== n) starts.push(n);
  return starts;
}
function roundsOf(
  found: XgbFound,
  asked: Iterations | undefined,
  rounds: number,
  loc: Loc,
  warn: (code: string, message: string) => void,
): Rounds {
  if (asked) return roundsAsked(asked, rounds, loc);
  const best = asNumber(found.model.attributes.get('best_iteration'));
  if (found.rounds !== undefined && found.rounds < rounds) {
    warn(
      'iterations',
      `${found.by ?? 'the wrapper'} predicts with ${found.rounds} of its ${rounds} rounds, and so does the compiled model; choose with --iterations`,
    );
    return { from: 0, to: found.rounds };
  }
  if (found.rounds === undefined && best !== undefined && best + 1 < rounds)
    warn(
      'iterations',
      `training stopped early, round ${best} was the best; all ${rounds} rounds are used, as Booster.predict does; the scikit-learn wrapper would use --iterations 0..${best}`,
    );
  return { from: 0, to: rounds };
}
/** What the scikit-learn wrapper left in the model's attributes: the value for missing, and since 1.0 the names of the classes. */
export function wrapperOf(m: XgbModel): { readonly missing?: number; readonly labels?: readonly string[] } {
  const text = m.attributes.get('scikit_learn');
  if (text === undefined) return {};
  try {
    const j = parseJsonText(text);
    const missing = asNumber(field(j, 'missing'));
    const classes = field(j, 'classes_') ?? field(field(j, '_le'), 'classes_');
    const labels = isArray(classes) ? Array.from(classes, String) : undefined;
    return {
      ...(missing !== undefined && { missing }),
      ...(labels?.some((l, i) => l !== String(i)) === true && { labels }),
    };
  } catch {
    return {};
  }
}
