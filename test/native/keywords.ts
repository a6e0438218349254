import { randomStream } from '../../compiler/core/random.ts';
import { attribute, model, node, sub, tensor, value, type Part } from '../onnx-writer.ts';

/**
 * A network of the size that finds spoken keywords on microcontrollers, as ONNX: the DS-CNN of Zhang and others, "Hello Edge" (2017), in
 * the shape of MLPerf Tiny's benchmark (49 frames of 10 coefficients, 64 channels, four depthwise-separable blocks, 12 words). The weights
 * are drawn from a seed, scaled so that the activations keep their size.
 */
export function keywordNetwork(seed = 1): Uint8Array {
  const next = randomStream(seed);
  const parts: Part[] = [];
  const weight = (name: string, dims: readonly number[], fan: number): string => {
    const values = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => (2 * next() - 1) * Math.sqrt(6 / fan));
    parts.push(sub(5, tensor({ name, dims, type: 1, raw: new Uint8Array(values.buffer) })));
    return name;
  };
  const conv = (name: string, x: string, to: number, from: number, kernel: readonly number[], ...more: Part[]): string => {
    const w = weight(`${name}.weight`, [to, from, ...kernel], from * kernel.reduce((a, b) => a * b, 1));
    const bias = weight(`${name}.bias`, [to], 100);
    parts.push(node('Conv', [x, w, bias], [name], ...more), node('Relu', [name], [`${name}.relu`]));
    return `${name}.relu`;
  };
  let x = conv('first', 'features', 64, 1, [10, 4], attribute('strides', [2, 2]), attribute('pads', [4, 1, 5, 1]));
  for (let i = 1; i <= 4; i++) {
    x = conv(`depthwise${i}`, x, 64, 1, [3, 3], attribute('group', 64), attribute('pads', [1, 1, 1, 1]));
    x = conv(`pointwise${i}`, x, 64, 64, [1, 1]);
  }
  parts.push(
    node('GlobalAveragePool', [x], ['pooled']),
    node('Flatten', ['pooled'], ['flat']),
    node('Gemm', ['flat', weight('words.weight', [64, 12], 64), weight('words.bias', [12], 100)], ['scores']),
    node('Softmax', ['scores'], ['words']),
  );
  return model([...parts, value(11, 'features', 1, [1, 1, 49, 10]), value(12, 'words', 1, [1, 12])]);
}
