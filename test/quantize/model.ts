import { fromNumbers, numel, type Tensor } from '../../compiler/core/tensor.ts';
import { noise } from '../ops/problems.ts';
import { attribute, model, node, sub, tensor, value } from '../onnx-writer.ts';

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
