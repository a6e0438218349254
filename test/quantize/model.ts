import { fromNumbers, numel, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { noise } from '../ops/problems.ts';
import { attribute, model, node, sub, tensor, value, type Part } from '../onnx-writer.ts';

/** A network of two convolutions (the second of groups), a hard swish between them, pooling and a product with a bias, in ONNX. */
export function smallModel(): Uint8Array {
  const weights = (name: string, dims: readonly number[], seed: number): ReturnType<typeof sub> =>
    sub(5, tensor({ name, dims, type: 1, raw: noise('f32', dims, seed).bytes }));
  return model(
    [
      node('Conv', ['x', 'w1'], ['c1'], attribute('pads', [1, 1, 1, 1]), attribute('kernel_shape', [3, 3])),
      node('HardSwish', ['c1'], ['a1']),
      node('Conv', ['a1', 'w2'], ['c2'], attribute('group', 2), attribute('kernel_shape', [1, 1])),
      node('Relu', ['c2'], ['a2']),
      node('Add', ['a2', 'a1'], ['sum']),
      node('GlobalAveragePool', ['sum'], ['p']),
      node('Flatten', ['p'], ['flat']),
      node('Gemm', ['flat', 'w3', 'b3'], ['g'], attribute('transB', 1)),
      node('MatMul', ['g', 'w4'], ['m']),
      node('Softmax', ['m'], ['y']),
      weights('w1', [8, 4, 3, 3], 1),
      weights('w2', [8, 4, 1, 1], 2),
      weights('w3', [32, 8], 3),
      weights('b3', [32], 4),
      weights('w4', [32, 8], 5),
      value(11, 'x', 1, [1, 4, 6, 7]),
      value(12, 'y', 1, [1, 8]),
    ],
    14,
  );
}
/** Inputs of it. */
export const smallInput = (seed: number): Tensor => {
  const t = noise('f32', [1, 4, 6, 7], seed);
  return fromNumbers(
    'f32',
    t.dims,
    Float64Array.from({ length: numel(t.dims) }, (_, i) => 3 * (new Float32Array(t.bytes.buffer)[i] ?? 0)),
  );
};

/**
 * All kinds of weights that are quantized alone, in ONNX: a table, an LSTM, a product in blocks and one that has none, a convolution and a
 * transposed one. ids [6, 1] are rows of the table.
 */
export function weightsModel(weights: Readonly<Record<string, Tensor>> = floatWeights()): Uint8Array {
  const ints = (name: string, values: readonly number[]): Part =>
    sub(5, tensor({ name, dims: [values.length], type: 7, raw: new Uint8Array(BigInt64Array.from(values, BigInt).buffer) }));
  return model(
    [
      node('Gather', ['table', 'ids'], ['rows']),
      node('LSTM', ['rows', 'W', 'R', 'B'], ['states'], attribute('hidden_size', 32)),
      node('Reshape', ['states', 'steps'], ['h']),
      node('MatMul', ['h', 'blocks'], ['m']),
      node('Gemm', ['m', 'odd', 'offset'], ['g'], attribute('transB', 1)),
      node('Reshape', ['g', 'planes'], ['image']),
      node('Conv', ['image', 'kernel'], ['c'], attribute('pads', [1, 1, 1, 1]), attribute('kernel_shape', [3, 3])),
      node(
        'ConvTranspose',
        ['c', 'spread'],
        ['y'],
        attribute('strides', [2, 2]),
        attribute('kernel_shape', [2, 2]),
        attribute('group', 2),
      ),
      ...Object.entries(weights).map(([name, t]) => sub(5, tensor({ name, dims: t.dims, type: 1, raw: t.bytes }))),
      ints('steps', [6, 32]),
      ints('planes', [1, 6, 6, 11]),
      value(11, 'ids', 7, [6, 1]),
      value(12, 'y', 1, [1, 16, 12, 22]),
    ],
    14,
  );
}
/** Its weights by name. */
export const floatWeights = (): Readonly<Record<string, Tensor>> => {
  const some = (dims: readonly number[], seed: number): Tensor =>
    fromNumbers(
      'f32',
      dims,
      toNumbers(noise('f32', dims, seed)).map(v => v / 4),
    );
  return {
    table: some([300, 64], 1),
    W: some([1, 128, 64], 2),
    R: some([1, 128, 32], 3),
    B: some([1, 256], 4),
    blocks: some([32, 64], 5),
    odd: some([66, 64], 6),
    offset: some([66], 7),
    kernel: some([24, 6, 3, 3], 8),
    spread: some([24, 8, 2, 2], 9),
  };
};
/** Rows to look up. */
export const someIds = (seed: number): Tensor =>
  fromNumbers(
    'i64',
    [6, 1],
    Array.from({ length: 6 }, (_, i) => (seed * 37 + i * 53) % 300),
  );
