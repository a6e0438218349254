// What becomes of models of TensorFlow's family: pictures stay as they lie, normalisations and activations vanish, cells are one operator.
import { describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { nodesOf } from '../../compiler/graph/graph.ts';
import { importModel } from '../../compiler/import/index.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { networkH5 } from '../../fixtures/networks/keras.ts';
import { mobileNetV1, mobileNetV2, type Network } from '../../fixtures/networks/network.ts';
import { networkTflite } from '../../fixtures/networks/tflite.ts';
import { f32, sequential, writeH5, type TestLayer } from './keras-writer.ts';

const profile = must(resolveTarget('wasm-simd').profiles[0]);
/** How many nodes of each operator a model is when all passes have run, and of how many kernels it is. */
function parts(
  model: Uint8Array,
  dims: Readonly<Record<string, number>> = { batch: 1 },
): { readonly count: (op: string) => number; readonly kernels: () => number } {
  const graph = runPasses(importModel(model, { file: 'm', dims }).graph, profile);
  const ops = nodesOf(graph).map(n => n.op.name);
  return {
    count: op => ops.filter(o => o === op).length,
    kernels: () => lowerGraph(graph, profile).steps.filter(s => s.k === 'call').length,
  };
}
const convolutions = (n: Network): number => n.layers.filter(l => l.k === 'conv' || l.k === 'depthwise').length;

describe.each([mobileNetV1(0.25, 32, 10), mobileNetV2(0.25, 32, 10)])('$name', n => {
  it('of Keras has no transposes, and its normalisations and activations are parts of the convolutions', () => {
    const p = parts(networkH5(n));
    expect(p.count('Transpose')).toBe(0);
    expect(p.count('Conv')).toBe(convolutions(n));
    // What is left beside products is residual sums and the end: a mean, the product of the classifier, a softmax.
    expect(p.count('Mul') + p.count('Sub') + p.count('BatchNormalization')).toBe(0);
    expect(p.kernels()).toBeLessThanOrEqual(convolutions(n) + 3);
  });
  it('of TensorFlow Lite has none either, in floats and in integers', () => {
    for (const precision of ['float', 'int8'] as const) {
      const p = parts(networkTflite(n, precision), {});
      expect([precision, p.count('Transpose')]).toEqual([precision, 0]);
      expect(p.count('Conv') + p.count('ConvInteger')).toBe(convolutions(n));
    }
  });
});

it('a dense layer and its activation are one kernel', () => {
  const dense = (name: string, activation: string): TestLayer => ({
    class_name: 'Dense',
    config: { name, units: 3, activation },
    weights: { kernel: f32([3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]), bias: f32([3], [1, 2, 3]) },
  });
  const layers = [dense('a', 'relu'), dense('b', 'tanh'), dense('c', 'gelu')];
  expect(parts(writeH5(sequential([null, 3], layers), layers, '3.0.0')).kernels()).toBe(3);
});

describe('recurrent layers of Keras are recurrent operators', () => {
  const zeros = (...dims: number[]): ReturnType<typeof f32> =>
    f32(dims, new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(0.1));
  const cell = (class_name: string, gates: number, bias: readonly number[]): TestLayer => ({
    class_name,
    config: { name: 'rnn', units: 2, ...(class_name === 'GRU' && { reset_after: true }) },
    weights: { 'cell/kernel': zeros(3, 2 * gates), 'cell/recurrent_kernel': zeros(2, 2 * gates), 'cell/bias': zeros(...bias) },
  });
  it.each([
    ['LSTM', 4, [8]],
    ['GRU', 3, [2, 6]],
    ['SimpleRNN', 1, [2]],
  ] as const)('%s', (name, gates, bias) => {
    const layer = cell(name, gates, bias);
    const p = parts(writeH5(sequential([null, 5, 3], [layer]), [layer], '2.15.0'));
    expect([p.count('Recurrent'), p.count('Loop'), p.count('If')]).toEqual([1, 0, 0]);
  });
});
