import { describe, expect, it } from '@jest/globals';
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { randomTensor } from '../../compiler/core/random.ts';
import { fromNumbers, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply1, constant, input, nodesOf, type Graph, type Value } from '../../compiler/graph/graph.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { Conv } from '../../compiler/ops/conv/conv.ts';
import { Add, Mul, Relu } from '../../compiler/ops/elementwise/index.ts';
import { MatMul } from '../../compiler/ops/matmul/matmul.ts';
import { cse } from '../../compiler/passes/cse.ts';
import type { Program } from '../../compiler/program/program.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { expectClose } from '../ops/problems.ts';

const profile = must(resolveTarget('wasm-simd').profiles[0]);
const graphOf = (x: Value, y: Value): Graph => ({
  name: 'g',
  inputs: [x],
  outputs: [{ name: 'y', value: y }],
  symbolDefinitions: [],
});
/** The same contents in other memory. */
const copy = (t: Tensor): Tensor => ({ ...t, bytes: t.bytes.slice() });
const USES = 12;
/** The bytes of each of the weights that kernels read. */
function weights(p: Program): number[] {
  const read = new Set(p.steps.flatMap(s => (s.k === 'call' ? s.args.flatMap(a => (a.k === 'buf' ? [a.slot] : [])) : [])));
  return [...read].flatMap(s => s.bytes?.length ?? []);
}
/** Bytes of weights of a program that uses `w` many times, and of `w`; the program computes what the evaluator does. */
function sizes(
  shape: readonly number[],
  w: Tensor,
  use: (x: Value, w: Value) => Value,
  own: (t: Tensor) => Tensor,
): [number, number] {
  const x = input('x', { dtype: 'f32', shape });
  let y: Value = x;
  for (let i = 0; i < USES; i++) y = apply1(Relu, [use(y, constant(own(w)))], {}, noLoc);
  const program = lowerGraph(graphOf(x, y), profile);
  const given = new Map([['x', randomTensor('f32', shape, 3)]]);
  expectClose(interpretProgram(program, given).get('y'), must(evaluate(graphOf(x, y), given).get('y')));
  return [weights(program).reduce((a, b) => a + b, 0), w.bytes.length];
}
const scaled = (dims: readonly number[], by: number): Tensor =>
  fromNumbers(
    'f32',
    dims,
    toNumbers(randomTensor('f32', dims, 1)).map(v => v * by),
  );

describe('weights of several uses', () => {
  const product = (x: Value, w: Value): Value => apply1(MatMul, [x, w], { transB: true }, noLoc);
  const conv = (x: Value, w: Value): Value =>
    apply1(Conv, [x, w], { strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1] }, noLoc);
  const added = (x: Value, w: Value): Value => apply1(Add, [x, w], {}, noLoc);
  it.each([
    ['products', [1, 70], scaled([70, 70], 0.2), product, 1.2],
    ['convolutions', [1, 8, 9, 9], scaled([8, 8, 3, 3], 0.2), conv, 4.5],
    ['plain reads', [4, 70], scaled([4, 70], 1), added, 1],
  ] as const)('of %s are packed once, also where each has its own copy', (_, shape, w, use, most) => {
    for (const own of [(t: Tensor) => t, copy]) {
      const [all, one] = sizes(shape, w, use, own);
      expect(all / one).toBeLessThanOrEqual(most);
    }
  });
  it('are there once for each way to pack them, and each type', () => {
    const w = scaled([70, 70], 0.2);
    const x = input('x', { dtype: 'f32', shape: [1, 70] });
    const both = apply1(MatMul, [product(x, constant(w)), constant(w)], {}, noLoc);
    expect(weights(lowerGraph(graphOf(x, both), profile))).toHaveLength(2);
  });
  it('make equal nodes one, however large they are', () => {
    const w = scaled([40, 40], 1);
    const x = input('x', { dtype: 'f32', shape: [40, 40] });
    const [a, b] = [w, copy(w)].map(t => apply1(Mul, [x, constant(t)], {}, noLoc));
    const other = apply1(Mul, [x, constant(scaled([40, 40], 2))], {}, noLoc);
    const sum = apply1(Add, [apply1(Add, [must(a), must(b)], {}, noLoc), other], {}, noLoc);
    const g = cse.run(graphOf(x, sum), { profile });
    expect(nodesOf(g).filter(n => n.op === Mul)).toHaveLength(2);
  });
});
