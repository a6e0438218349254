import { expect } from '@jest/globals';
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { randomStream } from '../../compiler/core/random.ts';
import { fromTyped, toNumbers } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply1, constant, input, type Graph } from '../../compiler/graph/graph.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { TreeEnsemble } from '../../compiler/ops/trees/ensemble.ts';
import { planMemory } from '../../compiler/program/plan.ts';
import { showKernel } from '../../compiler/kernel/print.ts';
import { randomForest } from '../ops/random-trees.ts';
import { profileNamed } from '../kernel/wasm-run.ts';
import { level, needs } from '../needs.ts';
import { native } from './build.ts';

// Other tests compile without optimization, where GCC 12 is right: with -O3 it mixed up lanes of several vectors of doubles that were chosen by
// `at[i] < 4 ? a[at[i]] : b[at[i] - 4]`, as soon as a table had more than two vectors.
needs('cc', level('linux-x64-v3')).it(
  'tables of doubles in registers are looked up as defined where the compiler optimizes as for bundles',
  () => {
    const features = 2;
    const rows = 64;
    const tables = randomForest({ trees: 4, depth: 6, features, values: 'f64', rows: 'f64', seed: 5 });
    const x = input('x', { dtype: 'f64', shape: [rows, features] });
    const margin = apply1(TreeEnsemble, [x, ...tables.map(t => t && constant(t))], {}, noLoc);
    const g: Graph = { name: 'forest', inputs: [x], outputs: [{ name: 'margin', value: margin }], symbolDefinitions: [] };
    const profile = profileNamed('linux-x64-v3');
    const program = lowerGraph(g, profile);
    expect(program.kernels.map(showKernel).join()).toMatch(/permute/);
    const next = randomStream(3);
    const data = Float64Array.from({ length: rows * features }, () => next() * 80 - 40);
    const inputs = new Map([['x', fromTyped('f64', [rows, features], data)]]);
    const got = native(program, planMemory(program, profile), profile, { flags: ['-O3'] })(inputs);
    expect(toNumbers(must(got.get('margin')))).toEqual(toNumbers(must(evaluate(g, inputs).get('margin'))));
  },
  60_000,
);
