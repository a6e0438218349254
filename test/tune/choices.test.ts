/** Whatever is chosen, the answers are those of the reference. */
import { expect, it } from '@jest/globals';
import { symbol } from '../../compiler/core/dim.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { Conv, ConvTranspose } from '../../compiler/ops/conv/conv.ts';
import { ConvInteger } from '../../compiler/ops/conv/conv-integer.ts';
import { MatMulInteger } from '../../compiler/ops/matmul/matmul-integer.ts';
import { MatMul } from '../../compiler/ops/matmul/matmul.ts';
import type { Aspect, Choice, StepChoices, Tuned } from '../../compiler/ops/tuning.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import { verifyProgram } from '../../compiler/program/verify.ts';
import { races } from '../kernel/races.ts';
import { expectClose, inputsFor, noise, single, target } from '../ops/problems.ts';

const window = { strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1] };
const weights = (dims: readonly number[]): { shape: readonly number[]; constant: ReturnType<typeof noise> } => ({
  shape: dims,
  constant: noise('f32', dims, 3),
});
const bytes = (dims: readonly number[]): { shape: readonly number[]; constant: ReturnType<typeof noise> } => ({
  shape: dims,
  constant: noise('i8', dims, 3),
});
const GRAPHS: readonly (readonly [name: string, g: Graph, env: Readonly<Record<string, number>>])[] = [
  ['MatMul', single(MatMul, [{ shape: [29, 12] }, weights([12, 70])], {}), {}],
  ['MatMul of free rows', single(MatMul, [{ shape: [symbol('n', 1, 40), 12] }, weights([12, 43])], {}), { n: 23 }],
  ['MatMulInteger', single(MatMulInteger, [{ shape: [19, 12], dtype: 'u8' }, bytes([12, 37])], {}), {}],
  ['Conv 3x3', single(Conv, [{ shape: [1, 16, 10, 13] }, weights([12, 16, 3, 3])], window), {}],
  ['Conv of few channels', single(Conv, [{ shape: [1, 3, 6, 7] }, weights([36, 3, 3, 3])], window), {}],
  ['ConvInteger', single(ConvInteger, [{ shape: [1, 8, 5, 6], dtype: 'u8' }, bytes([20, 8, 3, 3])], window), {}],
  [
    'ConvTranspose',
    single(ConvTranspose, [{ shape: [1, 12, 4, 5] }, weights([12, 9, 2, 2])], {
      strides: [2, 2],
      pads: [0, 0, 0, 0],
      dilations: [1, 1],
      outputPadding: [0, 0],
    }),
    {},
  ],
];
const v3 = target('linux-x64-v3');
const tiny = { ...target('wasm-simd'), cache: { ...v3.cache, l1: 1024, l2: 4096 } };
const PROFILES = [target('wasm-relaxed-simd'), target('linux-x64-v4'), tiny];
/** Holds several tiles of a transform, and more of them. */
const roomy = { ...tiny, cache: { ...tiny.cache, l2: 160_000 } };
const CASES = GRAPHS.flatMap(([name, g, env]) =>
  [...PROFILES, ...(name === 'Conv 3x3' ? [roomy] : [])].map((p, i) => [`${name} for ${p.name} ${i}`, g, env, p] as const),
);

const tunedOf = (steps: Tuned['steps'], onChoice: (c: Choice) => void = () => undefined): Tuned => ({
  steps,
  file: 'f',
  onChoice,
});
const seen = new Set<Aspect>();
it.each(CASES)('each candidate gives the answers of the reference: %s', (_, g, env, profile) => {
  const inputs = inputsFor(g, env, 5);
  const want = evaluate(g, inputs);
  const done = new Set<string>();
  /** Tries choices, then those that come up with them. */
  const visit = (choices: Readonly<Record<string, StepChoices>>): void => {
    const own = JSON.stringify(choices);
    if (done.has(own)) return;
    done.add(own);
    const open: Choice[] = [];
    const tuned = tunedOf(choices, c => void open.push(c));
    const program = lowerGraph(runPasses(g, profile, undefined, tuned), profile, { tuned });
    verifyProgram(program);
    for (const [name, t] of want) expectClose(interpretProgram(program, inputs, races()).get(name), t);
    // One candidate at a time, besides the algorithm: the others are independent.
    const fixed = Object.values(choices).flatMap(c => Object.keys(c));
    if (fixed.some(a => a !== 'algorithm')) return;
    for (const c of open) {
      seen.add(c.aspect);
      for (const name of c.candidates)
        if (name !== c.estimate) visit({ ...choices, [c.step]: { ...choices[c.step], [c.aspect]: name } });
    }
  };
  visit({});
});
it('all aspects came up', () => {
  expect([...seen].sort()).toEqual(['algorithm', 'blocks', 'order', 'tiles']);
});
