import { describe, expect, it } from '@jest/globals';
import { noLoc } from '../../compiler/core/diagnostic.ts';
import { symbol } from '../../compiler/core/dim.ts';
import { fromNumbers, fromTyped, typed, zeros } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply1, constant, input, tensorOf, type Graph, type Value } from '../../compiler/graph/graph.ts';
import type { Attrs } from '../../compiler/ops/define.ts';
import { LinearRows } from '../../compiler/ops/ml/linear-rows.ts';
import { TreeEnsemble, TreeLeaves } from '../../compiler/ops/trees/ensemble.ts';
import { TreeShap } from '../../compiler/ops/trees/shap.ts';
import { readTables } from '../../compiler/ops/trees/tables.ts';
import { compiled } from '../conformance/compiled.ts';
import { expectBits } from './problems.ts';
import { randomForest, randomRows, type ForestShape } from './random-trees.ts';

const batch = symbol('batch', 0, 64);
interface Problem {
  readonly title: string;
  readonly shape: ForestShape;
  readonly attrs?: Attrs;
  /** Contributions are summed over the trees as they come. */
  readonly running?: boolean;
}
const problems: Problem[] = [
  { title: 'numbers', shape: { trees: 7, depth: 4, features: 5, seed: 1 } },
  { title: 'leaves only', shape: { trees: 3, depth: 0, features: 2, seed: 2 } },
  { title: 'no trees', shape: { trees: 0, depth: 0, features: 2, groups: 2, seed: 2 } },
  { title: 'stumps', shape: { trees: 9, depth: 1, features: 1, seed: 3 } },
  { title: 'deep', shape: { trees: 2, depth: 40, features: 3, seed: 4 } },
  { title: 'groups', shape: { trees: 9, depth: 3, features: 3, groups: 3, seed: 5 }, running: true },
  { title: 'vector leaves', shape: { trees: 5, depth: 3, features: 3, groups: 3, width: 3, seed: 6 } },
  { title: 'categories', shape: { trees: 9, depth: 5, features: 4, categorical: true, seed: 7 } },
  {
    title: 'categories, invalid ones as missing',
    shape: { trees: 9, depth: 5, features: 4, categorical: true, seed: 8 },
    attrs: { invalid: 'missing' },
  },
  {
    title: 'categories, truncated',
    shape: { trees: 9, depth: 5, features: 4, categorical: true, seed: 9 },
    attrs: { truncate: true },
  },
  {
    title: 'zeros missing, f64 sums',
    shape: { trees: 9, depth: 5, features: 4, categorical: true, zeros: true, values: 'f64', seed: 10 },
    attrs: { truncate: true },
  },
  { title: 'f64 rows', shape: { trees: 9, depth: 5, features: 4, values: 'f64', rows: 'f64', seed: 11 } },
  { title: 'average', shape: { trees: 9, depth: 5, features: 4, seed: 12 }, attrs: { base: 'last', divide: 9 } },
  { title: 'base last', shape: { trees: 9, depth: 5, features: 4, seed: 12 }, attrs: { base: 'last' } },
  { title: 'min', shape: { trees: 9, depth: 5, features: 4, groups: 2, seed: 13 }, attrs: { base: 'last', aggregate: 'min' } },
  { title: 'max', shape: { trees: 9, depth: 5, features: 4, groups: 2, seed: 14 }, attrs: { base: 'last', aggregate: 'max' } },
];

function forest(p: Problem): Graph {
  const { features, seed } = p.shape;
  const x = input('x', { dtype: p.shape.rows ?? 'f32', shape: [batch, features] });
  const tables = randomForest(p.shape).map(t => t && constant(t));
  const leaves = tables[5]?.type.shape[0];
  const id = constant(
    fromTyped(
      'i32',
      [Number(leaves)],
      Int32Array.from({ length: Number(leaves) }, (_, i) => (i * 7 + seed) % 101),
    ),
  );
  const sets: (Value | undefined)[] = tables.length > 9 ? tables : [...tables, undefined, undefined, undefined];
  const { invalid, truncate } = p.attrs ?? {};
  return {
    name: 'forest',
    inputs: [x],
    outputs: [
      { name: 'margin', value: apply1(TreeEnsemble, [x, ...tables], p.attrs ?? {}, noLoc) },
      ...(p.shape.width === undefined && p.shape.depth <= 8
        ? [
            {
              name: 'contributions',
              value: apply1(TreeShap, [x, ...sets, ...covers(tables)], { invalid, truncate, running: p.running }, noLoc),
            },
          ]
        : []),
      { name: 'leaf', value: apply1(TreeLeaves, [x, ...sets, id], { invalid, truncate }, noLoc) },
    ],
    symbolDefinitions: [],
  };
}

/** Covers, means and weights for `TreeShap`: a node's cover is the sum of those of its children. */
function covers(tables: readonly (Value | undefined)[]): Value[] {
  const t = readTables(tables.map(tensorOf));
  const leaf = t.values.map((_, i) => 1 + (i % 5));
  const node =
    t.values.slice(0, 0).constructor === Float64Array ? new Float64Array(t.feature.length) : new Float32Array(t.feature.length);
  const of = (c: number): number => (c < 0 ? leaf[~c] : node[c]) ?? 0;
  for (let n = t.feature.length - 1; n >= 0; n--) node[n] = of(t.left[n] ?? 0) + of(t.right[n] ?? 0);
  const dtype = t.values instanceof Float64Array ? 'f64' : 'f32';
  const per = (f: (i: number) => number): Value =>
    constant(
      fromNumbers(
        dtype,
        [t.root.length],
        Array.from({ length: t.root.length }, (_, i) => f(i)),
      ),
    );
  return [
    constant(fromTyped(dtype, [node.length], node)),
    constant(fromTyped(dtype, [leaf.length], leaf)),
    per(i => i / 7 - 0.3),
    per(i => 1 / (i + 1)),
  ];
}

describe('tree ensembles', () => {
  for (const p of problems)
    it(`${p.title}: compiled code gives the bits of the evaluator`, async () => {
      const g = forest(p);
      for (const target of ['wasm-mvp', 'wasm-simd']) {
        const ways = [await compiled('program', g, target), await compiled('wasm', g, target)];
        for (const rows of [0, 1, 19]) {
          const inputs = new Map([['x', randomRows(rows, p.shape.features, rows, p.shape.rows)]]);
          const want = evaluate(g, inputs);
          for (const run of ways) {
            const got = run(inputs);
            for (const [name, t] of want) expectBits(got.get(name), t, name);
          }
        }
      }
    });

  it('linear rows leave missing features out, and sum in order', async () => {
    const x = input('x', { dtype: 'f32', shape: [batch, 3] });
    const f32 = (dims: readonly number[], v: readonly number[]): Value => constant(fromNumbers('f32', dims, v));
    const w = f32([3, 2], [1e8, 1, -1e8, 2, 1, 0.1]);
    const g: Graph = {
      name: 'g',
      inputs: [x],
      outputs: [{ name: 'y', value: apply1(LinearRows, [x, w, f32([2], [0.5, 1])], {}, noLoc) }],
      symbolDefinitions: [],
    };
    const inputs = new Map([['x', fromNumbers('f32', [3, 3], [1, 1, 1, NaN, 2, 3, NaN, NaN, NaN])]]);
    const want = [1, 1 + 1 + 2 + Math.fround(0.1), -2e8, Math.fround(5 + Math.fround(Math.fround(0.1) * 3)), 0.5, 1].map(
      Math.fround,
    );
    for (const run of [(i: typeof inputs) => evaluate(g, i), await compiled('program', g), await compiled('wasm', g)])
      expect([...typed(run(inputs).get('y') ?? zeros('f32', []))]).toEqual(want);
  });
});
