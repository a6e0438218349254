import { fail, must } from '../../core/diagnostic.ts';
import type { DType, TypedArray } from '../../core/dtype.ts';
import { fromTyped } from '../../core/tensor.ts';
import type { GraphBuilder } from '../../graph/build.ts';
import { constant, type Value } from '../../graph/graph.ts';
import * as e from '../../ops/elementwise/index.ts';
import { Gather, GatherElements } from '../../ops/movement/gather.ts';
import { Reshape } from '../../ops/movement/view.ts';
import { Cumulative } from '../../ops/reduce/reduce.ts';
import { treeLoc } from '../shared/trees.ts';
import { cast, slice } from '../shared/views.ts';
import type { LgbTree, LinearLeaves } from './parse.ts';

/** A leaf's linear model: its constant and the sum of coefficients times features. */
const plain = (t: LgbTree): LinearLeaves => ({
  constants: t.values,
  features: Array.from(t.values, () => []),
  coefficients: Array.from(t.values, () => []),
});

/**
 * The raw scores f64 [batch, groups] of trees whose leaves are linear models. `leaf` i32 [batch, trees] counts the leaves of all trees. As
 * `Tree::Predict` of LightGBM, in float64 and in the order of a leaf's features and of the trees; where one of its features is missing, a leaf
 * gives its plain value. E203: a feature that does not exist.
 */
export function linearScores(
  c: GraphBuilder,
  x: Value,
  leaf: Value,
  trees: readonly LgbTree[],
  groups: number,
  file: string,
): Value {
  const columns = must(x.type.shape[1]);
  const models = trees.map((t, i) => checked(t.linear ?? plain(t), t, Number(columns), file, i));
  const slots = models.reduce((most, m) => m.features.reduce((a, f) => Math.max(a, f.length), most), 0);
  const table = (dtype: DType, values: TypedArray): Value =>
    c.apply1(Gather, [constant(fromTyped(dtype, [values.length], values)), leaf], { axis: 0 });
  const all = <T>(of: (m: LinearLeaves) => readonly T[]): T[] => models.flatMap(of);
  const features = all(m => m.features);
  const coefficients = all(m => m.coefficients);
  let sum = table('f64', Float64Array.from(all(m => [...m.constants])));
  let missing: Value | undefined;
  for (let k = 0; k < slots; k++) {
    const used = table(
      'bool',
      Uint8Array.from(features, f => (k < f.length ? 1 : 0)),
    );
    const column = table(
      'i32',
      Int32Array.from(features, f => f[k] ?? 0),
    );
    const v = cast(c, c.apply1(GatherElements, [x, column], { axis: 1 }), 'f64');
    const term = c.apply1(e.Mul, [
      table(
        'f64',
        Float64Array.from(coefficients, w => w[k] ?? 0),
      ),
      v,
    ]);
    sum = c.apply1(e.Where, [used, c.apply1(e.Add, [sum, term]), sum]);
    const absent = c.apply1(e.And, [used, c.apply1(e.IsNaN, [v])]);
    missing = missing ? c.apply1(e.Or, [missing, absent]) : absent;
  }
  const values = table('f64', Float64Array.from(trees.flatMap(t => [...t.values])));
  const scores = missing ? c.apply1(e.Where, [missing, values, sum]) : sum;
  const rounds = trees.length / groups;
  const [batch = 1] = leaf.type.shape;
  const byRound = c.apply1(Reshape, [scores], { shape: [batch, rounds, groups] });
  const running = c.apply1(Cumulative, [byRound], { of: 'sum', axis: 1 });
  const last = slice(c, running, new Map([[1, { start: rounds - 1, size: 1, step: 1 }]]));
  return c.apply1(Reshape, [last], { shape: [batch, groups] });
}
function checked(m: LinearLeaves, t: LgbTree, columns: number, file: string, tree: number): LinearLeaves {
  const bad = (why: string): never => fail('E203', { file, why }, treeLoc(file, tree));
  const n = t.values.length;
  if (m.constants.length !== n || m.features.length !== n || m.coefficients.length !== n)
    bad(`linear models for other than its ${n} leaves`);
  m.features.forEach((list, i) => {
    if (list.length !== m.coefficients[i]?.length) bad(`leaf ${i} has ${list.length} features and other coefficients`);
    for (const f of list) if (!(Number.isInteger(f) && f >= 0 && f < columns)) bad(`leaf ${i} uses feature ${f} of ${columns}`);
  });
  return m;
}
