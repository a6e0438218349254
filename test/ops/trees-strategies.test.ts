import { describe, expect, it } from '@jest/globals';
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { symbol } from '../../compiler/core/dim.ts';
import { randomStream } from '../../compiler/core/random.ts';
import { fromTyped, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply1, constant, input, type Graph } from '../../compiler/graph/graph.ts';
import { showKernel } from '../../compiler/kernel/print.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import type { Attrs } from '../../compiler/ops/define.ts';
import type { TreeStrategy } from '../../compiler/ops/lowering.ts';
import { TreeEnsemble } from '../../compiler/ops/trees/ensemble.ts';
import { readTables } from '../../compiler/ops/trees/tables.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { compiled } from '../conformance/compiled.ts';
import { level, needs } from '../needs.ts';
import { expectBits } from './problems.ts';
import { randomForest, type ForestShape } from './random-trees.ts';

interface Problem {
  readonly title: string;
  readonly shape: ForestShape;
  readonly attrs?: Attrs;
}
const problems: Problem[] = [
  { title: 'stumps', shape: { trees: 5, depth: 1, features: 2, seed: 1 } },
  { title: 'two levels, groups', shape: { trees: 11, depth: 2, features: 3, groups: 3, seed: 2 } },
  { title: 'three levels, one tree', shape: { trees: 1, depth: 3, features: 1, seed: 3 } },
  { title: 'four levels, f64 sums', shape: { trees: 6, depth: 4, features: 3, values: 'f64', zeros: true, seed: 4 } },
  { title: 'five levels, f64 rows', shape: { trees: 6, depth: 5, features: 3, values: 'f64', rows: 'f64', seed: 5 } },
  { title: 'f64 rows, f32 sums', shape: { trees: 6, depth: 4, features: 3, rows: 'f64', seed: 6 } },
  { title: 'categories', shape: { trees: 9, depth: 5, features: 4, categorical: true, zeros: true, seed: 7 } },
  {
    title: 'categories truncated, invalid ones as missing, base last',
    shape: { trees: 9, depth: 5, features: 4, categorical: true, groups: 2, seed: 8 },
    attrs: { truncate: true, invalid: 'missing', base: 'last', divide: 9 },
  },
  { title: 'six levels, hundreds of thresholds', shape: { trees: 40, depth: 6, features: 2, cuts: 4096, seed: 9 } },
  { title: 'seven levels', shape: { trees: 5, depth: 7, features: 5, missing: false, seed: 10 } },
  { title: 'pairs over groups', shape: { trees: 7, depth: 4, features: 4, groups: 3, width: 2, seed: 17 } },
  { title: 'vectors of f64', shape: { trees: 5, depth: 6, features: 4, groups: 7, width: 7, values: 'f64', leafy: 0, seed: 18 } },
  {
    title: 'vectors at lists of nodes',
    shape: { trees: 5, depth: 14, features: 4, groups: 6, width: 5, leafy: 0.4, seed: 19 },
    attrs: { base: 'last', divide: 5 },
  },
  { title: 'nine full levels', shape: { trees: 5, depth: 9, features: 4, groups: 2, leafy: 0, seed: 15 } },
  {
    title: 'ten full levels, f64 sums',
    shape: { trees: 2, depth: 10, features: 4, values: 'f64', zeros: true, leafy: 0, seed: 16 },
  },
  { title: 'nine levels', shape: { trees: 4, depth: 9, features: 5, zeros: true, seed: 11 } },
  { title: 'lists of nodes, groups', shape: { trees: 7, depth: 12, features: 4, groups: 2, zeros: true, leafy: 0.4, seed: 13 } },
  {
    title: 'lists of nodes, f64 sums',
    shape: { trees: 5, depth: 20, features: 4, values: 'f64', categorical: true, leafy: 0.45, seed: 14 },
  },
  { title: 'forty levels', shape: { trees: 5, depth: 40, features: 3, categorical: true, seed: 12 } },
];
const batch = symbol('batch', 0, 600);
const sizes = [0, 1, 2, 15, 16, 17, 127, 128, 129, 300];

function graphOf(p: Problem, tables: readonly (Tensor | undefined)[]): Graph {
  const x = input('x', { dtype: p.shape.rows ?? 'f32', shape: [batch, p.shape.features] });
  const margin = apply1(TreeEnsemble, [x, ...tables.map(t => t && constant(t))], p.attrs ?? {}, noLoc);
  return { name: 'forest', inputs: [x], outputs: [{ name: 'margin', value: margin }], symbolDefinitions: [] };
}
/** Rows of thresholds, their neighbours on either side, and odd values. */
function rowsOn(p: Problem, tables: readonly (Tensor | undefined)[], rows: number): Tensor {
  const { threshold } = readTables(tables);
  const next = randomStream(rows + 1);
  const odd = [NaN, Infinity, -Infinity, 0, -0, 1e-36, -1e-35, 1e-34, 1e9, -0.5, -1, 31, 32, 63.9, 64];
  const f64 = p.shape.rows === 'f64';
  const one = (): number => {
    const r = next();
    const t = threshold[Math.floor(next() * threshold.length)] ?? 0;
    if (r < 0.2) return odd[Math.floor(next() * odd.length)] ?? 0;
    return r < 0.45 ? t : r < 0.6 ? neighbour(t, 1, f64) : r < 0.75 ? neighbour(t, -1, f64) : next() * 80 - 40;
  };
  const data = Array.from({ length: rows * p.shape.features }, one);
  const dims = [rows, p.shape.features];
  return f64 ? fromTyped('f64', dims, Float64Array.from(data)) : fromTyped('f32', dims, Float32Array.from(data));
}
const bits = new DataView(new ArrayBuffer(8));
/** The next number of the type above (1) or below (-1). */
function neighbour(x: number, side: 1 | -1, f64: boolean): number {
  if (x === 0) return side * (f64 ? 2 ** -1074 : 2 ** -149);
  const away = x > 0 === side > 0 ? 1 : -1;
  if (f64) {
    bits.setFloat64(0, x);
    bits.setBigInt64(0, bits.getBigInt64(0) + BigInt(away));
    return bits.getFloat64(0);
  }
  bits.setFloat32(0, x);
  bits.setInt32(0, bits.getInt32(0) + away);
  return bits.getFloat32(0);
}
const kernelsOf = (g: Graph, treeStrategy: TreeStrategy, target = 'wasm-simd'): string[] => {
  const [profile] = resolveTarget(target).profiles;
  return profile ? lowerGraph(g, profile, { treeStrategy }).kernels.map(k => k.name) : [];
};

describe('strategies for trees', () => {
  for (const p of problems) {
    const tables = randomForest(p.shape);
    const g = graphOf(p, tables);
    const wants = sizes.map(n => {
      const x = rowsOn(p, tables, n);
      return { n, x, want: must(evaluate(g, new Map([['x', x]])).get('margin')) };
    });
    for (const treeStrategy of ['auto', 'quickscorer', 'interleave', 'gather'] as const)
      it(`${p.title}, ${treeStrategy}: the bits of the evaluator at every number of rows`, async () => {
        for (const target of treeStrategy === 'quickscorer' ? ['wasm-simd'] : ['wasm-simd', 'wasm-mvp']) {
          const program = await compiled('program', g, target, { treeStrategy });
          const wasm = await compiled('wasm', g, target, { treeStrategy });
          for (const { n, x, want } of wants) {
            const inputs = new Map([['x', x]]);
            // The interpreter's are the same kernels: a row alone, rows behind a vector, and rows behind a block say what it does.
            for (const run of n === 1 || n === 17 || (n === 129 && treeStrategy === 'auto') ? [program, wasm] : [wasm])
              expectBits(run(inputs).get('margin'), want, `${n} rows`);
          }
        }
      }, 60_000);
  }

  const levels = ['linux-x64-v2', 'linux-x64-v3', 'linux-x64-v4'] as const;
  // The kernels are those of the interpreter, so each problem is tried at one level of the processor; `npm run trees -- --on c` tries more.
  problems
    .filter((_, i) => i % 2 === 1)
    .forEach((p, i) => {
      const target = must(levels[i % levels.length]);
      needs('gcc', level(target)).it(
        `${p.title}: as C for ${target}`,
        async () => {
          const tables = randomForest(p.shape);
          const g = graphOf(p, tables);
          // More rows than a block of 512 has.
          const x = rowsOn(p, tables, 530);
          const want = must(evaluate(g, new Map([['x', x]])).get('margin'));
          for (const treeStrategy of target === 'linux-x64-v2' ? (['auto', 'gather'] as const) : (['auto'] as const)) {
            const run = await compiled('c', g, target, { treeStrategy });
            expectBits(run(new Map([['x', x]])).get('margin'), want, p.title);
          }
        },
        60_000,
      );
    });

  for (const target of ['linux-x64-v3', 'linux-x64-v4'])
    it(`with tables in registers, ${target}: the bits of the evaluator`, async () => {
      for (const p of problems) {
        const tables = randomForest(p.shape);
        const g = graphOf(p, tables);
        const run = await compiled('program', g, target, { treeStrategy: 'quickscorer' });
        for (const n of [1, 23]) {
          const inputs = new Map([['x', rowsOn(p, tables, n)]]);
          expectBits(run(inputs).get('margin'), must(evaluate(g, inputs).get('margin')), p.title);
        }
      }
    }, 60_000);

  const forest = (shape: ForestShape, attrs: Attrs = {}): Graph => graphOf({ title: '', shape, attrs }, randomForest(shape));
  const usual = forest({ trees: 9, depth: 5, features: 4, seed: 1 });
  it('are what was asked for', () => {
    expect(kernelsOf(usual, 'quickscorer')).toContain('tree_compare');
    expect(kernelsOf(usual, 'interleave')).toEqual(['tree_rows']);
    expect(kernelsOf(usual, 'gather')).toContain('tree_gather');
    expect(kernelsOf(usual, 'walk')).toEqual(['tree_walk']);
  });
  it('are chosen by shape and target', () => {
    expect(kernelsOf(usual, 'auto')).toContain('tree_compare');
    expect(kernelsOf(usual, 'auto', 'wasm-mvp')).toEqual(['tree_rows']);
    expect(kernelsOf(forest({ trees: 7, depth: 12, features: 4, leafy: 0.4, seed: 13 }), 'auto')).toContain('tree_compare');
    const many = { trees: 1, depth: 13, features: 4, leafy: 0, seed: 1 };
    expect(kernelsOf(forest(many), 'auto')).toContain('tree_gather');
    const least = forest({ trees: 9, depth: 5, features: 4, seed: 1 }, { aggregate: 'min', base: 'last' });
    expect(kernelsOf(least, 'auto')).toEqual(['tree_walk']);
  });
  it('make code whose size does not grow with the trees', () => {
    const size = (trees: number, s: TreeStrategy): number => {
      const [profile] = resolveTarget('wasm-simd').profiles;
      const g = forest({ trees, depth: 5, features: 2, cuts: 16, missing: false, seed: 1 });
      return profile ? lowerGraph(g, profile, { treeStrategy: s }).kernels.map(showKernel).join().length : 0;
    };
    // From 100 on: what few trees need is too little to be stored in fewer bits, which takes a kernel.
    for (const s of ['quickscorer', 'interleave', 'gather', 'walk'] as const)
      expect(Math.abs(size(400, s) / size(100, s) - 1)).toBeLessThan(0.02);
  });
});
