import { describe, expect, it } from '@jest/globals';
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { randomTensor } from '../../compiler/core/random.ts';
import { fromNumbers, fromTyped, numel, toNumbers, typed, type Tensor } from '../../compiler/core/tensor.ts';
import { apply1, constant, input, type Graph, type Value } from '../../compiler/graph/graph.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { narrowed } from '../../compiler/lower/narrow.ts';
import { Conv, ConvTranspose } from '../../compiler/ops/conv/conv.ts';
import { MatMul } from '../../compiler/ops/matmul/matmul.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import type { Program } from '../../compiler/program/program.ts';
import { verifyProgram } from '../../compiler/program/verify.ts';
import { compiledEngine } from '../../compiler/run/graph.ts';
import { target } from '../ops/problems.ts';

const whole = (lo: number, hi: number) => (v: number) => Math.round(lo + ((v + 1) / 2) * (hi - lo)) + 0;
const through = (t: 'f16' | 'bf16') => (v: number) => toNumbers(fromNumbers(t, [1], [v]))[0] ?? 0;
/** What is done to random numbers, and the type and bits of what holds them. */
const KINDS = [
  ['integers of 4 bits', whole(-8, 7), 'u8', 4],
  ['integers of 8 bits', whole(-128, 127), 'i8', 8],
  ['half floats', through('f16'), 'f16', 16],
  ['large half floats of 8 bits of exponent', (v: number) => through('bf16')(v * 1e6), 'bf16', 16],
  ['floats', (v: number) => v, 'f32', 32],
] as const;
const made = (dims: readonly number[], of: (v: number) => number): Tensor =>
  fromNumbers('f32', dims, toNumbers(randomTensor('f32', dims, 5, -1, 1)).map(of));

const strided = { strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1], layout: 'NHWC' };
const graphOf = (x: Value, y: Value): Graph => ({
  name: 'g',
  inputs: [x],
  outputs: [{ name: 'y', value: y }],
  symbolDefinitions: [],
});
const use = (shape: readonly number[], dims: readonly number[], make: (x: Value, w: Value) => Value) => ({ shape, dims, make });
const USES = {
  'a product': use([5, 70], [70, 45], (x, w) => apply1(MatMul, [x, w], {}, noLoc)),
  'a convolution': use([1, 6, 6, 40], [20, 40, 1, 2], (x, w) => apply1(Conv, [x, w], { ...strided, pads: [0, 0, 0, 0] }, noLoc)),
  'a convolution by Winograd': use([1, 12, 12, 32], [32, 32, 3, 3], (x, w) => apply1(Conv, [x, w], strided, noLoc)),
  'a convolution of channels': use([1, 9, 9, 160], [160, 1, 3, 3], (x, w) =>
    apply1(Conv, [x, w], { ...strided, group: 160 }, noLoc),
  ),
  'a transposed convolution': use([1, 5, 5, 24], [24, 16, 2, 2], (x, w) =>
    apply1(ConvTranspose, [x, w], { ...strided, strides: [2, 2], pads: [0, 0, 0, 0], outputPadding: [0, 0] }, noLoc),
  ),
};
const stored = (p: Program): number => p.slots.reduce((sum, s) => sum + (s.where === 'weights' ? (s.bytes?.length ?? 0) : 0), 0);
const bits = (t: Tensor | undefined): string => Buffer.from(must(t).bytes).toString('hex');

describe('weights are stored as the narrowest type that holds them', () => {
  for (const [what, of, dtype, size] of KINDS)
    it.each(Object.entries(USES))(`${what}, of %s`, async (_, { shape, dims, make }) => {
      const w = made(dims, of);
      expect(narrowed(w)?.stored.dtype ?? 'f32').toBe(dtype);
      const x = input('x', { dtype: 'f32', shape });
      const graph = graphOf(x, make(x, constant(w)));
      const given = new Map([['x', randomTensor('f32', shape, 3, -1, 1)]]);
      for (const name of ['wasm-mvp', 'wasm-simd']) {
        const profile = target(name);
        const [small, plain] = [lowerGraph(graph, profile), lowerGraph(graph, profile, { optimize: 'start' })];
        verifyProgram(small);
        const want = interpretProgram(plain, given).get('y');
        expect(bits(interpretProgram(small, given).get('y'))).toBe(bits(want));
        // Padding, and the tables of Winograd.
        expect(stored(small)).toBeLessThan((numel(dims) * 1.15 * size) / 8 + 1024);
        if (name === 'wasm-simd') expect(bits((await compiledEngine(graph))(given).get('y'))).toBe(bits(want));
      }
    });
  it('-0, infinity, NaN and what is out of range are no integers and no half floats', () => {
    const with_ = (v: number): Tensor => fromTyped('f32', [2048], new Float32Array(2048).fill(3).fill(v, 7, 8));
    const kind = (v: number): string | undefined => narrowed(with_(v))?.kind;
    expect([7, 8, -8, -9, 127, -128, 128].map(kind)).toEqual(['nibbles', 'i8', 'nibbles', 'i8', 'i8', 'i8', 'f16']);
    expect([-0, 2 ** -24, 2 ** -25, 65504, 65536, 0.1, NaN, Infinity].map(kind)).toEqual([
      'f16',
      'f16',
      'bf16',
      'f16',
      'bf16',
      undefined,
      undefined,
      undefined,
    ]);
  });
  it('a few are left as they are', () => {
    expect(narrowed(made([500], whole(-8, 7)))).toBeUndefined();
    expect(narrowed(fromTyped('i32', [2000], new Int32Array(2000)))).toBeUndefined();
    expect(typed(must(narrowed(made([1030], whole(-8, 7)))).stored)).toHaveLength(1056 / 2);
  });
});
