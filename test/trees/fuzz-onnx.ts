// Random tree operators of ONNX, compiled, against onnxruntime-node: `npm run fuzz -- onnx-trees [COUNT] [SEED] [FROM]`. Sums without a
// transform must have its bits. Left out is what onnxruntime does otherwise than the standard, see fixtures/trees/make-onnx.py.
import * as ort from 'onnxruntime-node';
import { compile } from '../../compiler/index.ts';
import { randomStream } from '../../compiler/core/random.ts';
import { TREE_STRATEGIES } from '../../compiler/ops/lowering.ts';
import { loadBundle } from '../models/bundle.ts';
import { onnxTreeModel, type ListAttr } from './onnx-tree-writer.ts';

const [count = 300, seed = 1, from = 0] = process.argv.slice(2).map(Number);

interface Split {
  readonly feature: number;
  readonly mode: string;
  readonly value: number;
  readonly track: number;
  readonly yes: Tree;
  readonly no: Tree;
}
type Tree = Split | undefined;
const MODES = ['LEQ', 'LT', 'GTE', 'GT', 'EQ', 'NEQ'];
const f = Math.fround;
const single = new Float32Array(1);
const bits = new Int32Array(single.buffer);
/** The float n places from x. */
function beside(x: number, n: number): number {
  single[0] = x;
  bits[0] = (bits[0] ?? 0) + (x < 0 ? -n : n);
  return single[0];
}

interface Problem {
  readonly about: string;
  readonly model: Uint8Array;
  readonly rows: Float32Array | Float64Array;
  readonly features: number;
  readonly exact: boolean;
  /** Outputs to compare. */
  readonly names: readonly string[];
}
function problem(k: number): Problem {
  const next = randomStream(seed * 1_000_003 + k);
  const below = (n: number): number => Math.floor(next() * n);
  const chance = (p: number): boolean => next() < p;
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const double = chance(0.15);
  const num = (x: number): number => (double ? x : f(x));
  const features = 1 + below(8);
  const op = pick(['TreeEnsembleRegressor', 'TreeEnsembleClassifier', 'TreeEnsemble'] as const);
  const modes = chance(0.6) ? [pick(MODES)] : MODES;
  const tracks = chance(0.5);
  const cuts = Array.from({ length: 1 + below(40) }, () =>
    num(pick([next() * 4 - 2, Math.round(next() * 8) - 4, 1e30 * next(), 1e-40])),
  );
  const grow = (depth: number): Tree =>
    depth === 0 || chance(0.1)
      ? undefined
      : {
          ...{ feature: below(features), mode: pick(modes), value: pick(cuts), track: tracks ? below(2) : 0 },
          ...{ yes: grow(depth - 1), no: grow(depth - 1) },
        };
  const depth = below(9);
  const trees = Array.from({ length: 1 + below(depth > 6 ? 12 : 60) }, () => grow(depth));
  const classifier = op === 'TreeEnsembleClassifier';
  const targets = pick([1, 1, 2, 3, 5]);
  const how = classifier ? 'SUM' : pick(['SUM', 'SUM', 'AVERAGE', 'MIN', 'MAX']);
  const kind = targets === 1 ? 'one' : op === 'TreeEnsemble' ? pick(['one', 'any']) : pick(['one', 'all', 'any']);
  // Without a vote for the second of two classes, onnxruntime leaves scores unset where one base value is given.
  const baseFits = (classifier ? targets !== 2 : true) && (kind === 'all' || (kind === 'one' && trees.length >= targets));
  const base =
    op !== 'TreeEnsemble' && baseFits && chance(0.5) ? Array.from({ length: targets }, () => f(next() * 4 - 2)) : undefined;
  const transform = op === 'TreeEnsemble' || chance(0.6) ? 'NONE' : pick(['LOGISTIC', 'SOFTMAX']);
  const weight = (): number => num(chance(0.1) ? 0 : next() * 2 - 1);
  const votes = (t: number): readonly (readonly [number, number])[] => {
    if (kind === 'one') return [[t % targets, weight()]];
    if (kind === 'any' || op === 'TreeEnsemble') return [[below(targets), weight()]];
    return Array.from({ length: targets }, (_, g) => [g, weight()] as const);
  };
  const near = cuts.flatMap(c => [c, beside(c, 1), beside(c, -1)]);
  const odd = [NaN, Infinity, -Infinity, 0, -0, 1e-45, 3e38];
  const size = pick([1, 2, 15, 16, 17, 40, 130]);
  const cell = (): number => (chance(0.6) ? pick(near) : chance(0.3) ? pick(odd) : next() * 4 - 2);
  const numbers = Array.from({ length: size * features }, cell);
  const prefix = classifier ? 'class' : 'target';
  const attrs = op === 'TreeEnsemble' ? newAttrs(trees, votes, double) : oldAttrs(trees, votes, prefix, double);
  const model = onnxTreeModel(op, double ? 'f64' : 'f32', features, classifier ? 2 : 1, {
    ...attrs,
    ...(classifier ? { classlabels_int64s: Array.from({ length: targets }, (_, g) => 10 + 3 * g) } : { n_targets: targets }),
    ...(op === 'TreeEnsemble'
      ? { aggregate_function: ['AVERAGE', 'SUM', 'MIN', 'MAX'].indexOf(how) }
      : { post_transform: transform }),
    ...(op === 'TreeEnsembleRegressor' && { aggregate_function: how }),
    ...(base && (double ? { base_values_as_tensor: Float64Array.from(base) } : { base_values: { floats: base } })),
  });
  return {
    about: `${k}: ${op} of ${trees.length} trees, depth ${depth}, ${targets} targets (${kind}), ${how} ${transform}${base ? ' base' : ''}${double ? ' f64' : ''}, ${size} rows`,
    ...{ model, features, exact: transform === 'NONE', names: classifier ? ['Y', 'Z'] : ['Y'] },
    rows: double ? Float64Array.from(numbers) : Float32Array.from(numbers),
  };
}

type Votes = (tree: number) => readonly (readonly [target: number, weight: number])[];
type Attrs = Readonly<Record<string, ListAttr>>;
const floats = (list: readonly number[]): ListAttr => ({ floats: list });
/** The lists of the operators before version 5. */
function oldAttrs(trees: readonly Tree[], votes: Votes, prefix: string, double: boolean): Attrs {
  const nodes: { t: number; id: number; s: Tree; yes: number; no: number }[] = [];
  const given: { t: number; id: number; target: number; weight: number }[] = [];
  trees.forEach((tree, t) => {
    const todo: { s: Tree; id: number }[] = [{ s: tree, id: 0 }];
    let made = 1;
    for (const { s, id } of todo) {
      nodes.push({ t, id, s, yes: s ? made : 0, no: s ? made + 1 : 0 });
      if (s) todo.push({ s: s.yes, id: made++ }, { s: s.no, id: made++ });
      else for (const [target, weight] of votes(t)) given.push({ t, id, target, weight });
    }
  });
  const values = nodes.map(n => n.s?.value ?? 0);
  const weights = given.map(v => v.weight);
  return {
    nodes_treeids: nodes.map(n => n.t),
    nodes_nodeids: nodes.map(n => n.id),
    nodes_featureids: nodes.map(n => n.s?.feature ?? 0),
    nodes_modes: nodes.map(n => (n.s ? `BRANCH_${n.s.mode}` : 'LEAF')),
    nodes_truenodeids: nodes.map(n => n.yes),
    nodes_falsenodeids: nodes.map(n => n.no),
    nodes_missing_value_tracks_true: nodes.map(n => n.s?.track ?? 0),
    [`${prefix}_treeids`]: given.map(v => v.t),
    [`${prefix}_nodeids`]: given.map(v => v.id),
    [`${prefix}_ids`]: given.map(v => v.target),
    ...(double
      ? { nodes_values_as_tensor: Float64Array.from(values), [`${prefix}_weights_as_tensor`]: Float64Array.from(weights) }
      : { nodes_values: floats(values), [`${prefix}_weights`]: floats(weights) }),
  };
}
/** Those of version 5. */
function newAttrs(trees: readonly Tree[], votes: Votes, double: boolean): Attrs {
  const nodes: { s: Split; yes: number; no: number }[] = [];
  const leaves: (readonly [number, number])[] = [];
  const leaf = (t: number): number => leaves.push(votes(t)[0] ?? [0, 0]) - 1;
  const blank = { feature: 0, mode: 'LEQ', value: 0, track: 0, yes: undefined, no: undefined };
  const roots = trees.map((tree, t) => {
    const root = nodes.length;
    if (!tree) {
      const same = leaf(t);
      nodes.push({ s: blank, yes: same, no: same });
      return root;
    }
    const todo: { s: Split; put: (at: number) => void }[] = [{ s: tree, put: () => undefined }];
    for (const { s, put } of todo) {
      const n = { s, yes: 0, no: 0 };
      put(nodes.push(n) - 1);
      if (s.yes) todo.push({ s: s.yes, put: at => void (n.yes = at) });
      else n.yes = leaf(t);
      if (s.no) todo.push({ s: s.no, put: at => void (n.no = at) });
      else n.no = leaf(t);
    }
    return root;
  });
  const list = (v: readonly number[]): ListAttr => (double ? Float64Array.from(v) : Float32Array.from(v));
  return {
    tree_roots: roots,
    nodes_featureids: nodes.map(n => n.s.feature),
    nodes_modes: Uint8Array.from(nodes, n => MODES.indexOf(n.s.mode)),
    nodes_splits: list(nodes.map(n => n.s.value)),
    nodes_truenodeids: nodes.map(n => n.yes),
    nodes_falsenodeids: nodes.map(n => n.no),
    nodes_trueleafs: nodes.map(n => (n.s.yes ? 0 : 1)),
    nodes_falseleafs: nodes.map(n => (n.s.no ? 0 : 1)),
    nodes_missing_value_tracks_true: nodes.map(n => n.s.track),
    leaf_targetids: leaves.map(v => v[0]),
    leaf_weights: list(leaves.map(v => v[1])),
  };
}

const forced = TREE_STRATEGIES.filter(s => s !== 'auto');
let [good, refused] = [0, 0];
for (let k = from; k < from + count; k++) {
  const p = problem(k);
  const dims = [p.rows.length / p.features, p.features];
  const session = await ort.InferenceSession.create(p.model, { intraOpNumThreads: 1, logSeverityLevel: 4 }).catch(
    (e: unknown) => {
      process.stdout.write(`${p.about}: onnxruntime refuses it: ${String(e).slice(0, 120)}\n`);
      refused++;
      return undefined;
    },
  );
  if (!session) continue;
  const X = p.rows instanceof Float64Array ? new ort.Tensor('float64', p.rows, dims) : new ort.Tensor('float32', p.rows, dims);
  const want = await session.run({ X });
  let wrong = false;
  for (const treeStrategy of ['auto', forced[k % forced.length] ?? 'walk'] as const) {
    const { files } = await compile({ model: p.model, file: `${k}.onnx`, dims: { n: { min: 1, max: 200 } }, treeStrategy });
    const got = (await loadBundle(files)).run({ X: { data: p.rows, dims } });
    for (const name of p.names) {
      const [g, w] = [got[name]?.data ?? [], Array.from(want[name]?.data as ArrayLike<number | bigint>, Number)];
      const at = w.findIndex((v, i) => {
        const x = Number(g[i]);
        return !(x === v || (Number.isNaN(x) && Number.isNaN(v)) || (!p.exact && Math.abs(x - v) <= 1e-6 * (1 + Math.abs(v))));
      });
      if (at < 0 && g.length === w.length) continue;
      wrong = true;
      process.stdout.write(`${p.about}: ${name}[${at}] is ${Number(g[at])} instead of ${w[at]} (${treeStrategy})\n`);
    }
  }
  if (!wrong) good++;
}
process.stdout.write(`${good} of ${count - refused} models agree with onnxruntime\n`);
process.exitCode = good === count - refused ? 0 : 1;
