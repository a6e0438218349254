import { isFloat, type DType } from '../core/dtype.ts';
import { textTensor } from '../core/texts.ts';
import { fromNumbers, numel, type Tensor } from '../core/tensor.ts';

/** A generator of numbers in [0, 1) from a seed (mulberry32): the same on every machine. */
export function random(seed: number): () => number {
  const { imul } = Math;
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = imul(a ^ (a >>> 15), a | 1);
    t ^= t + imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
/** A tensor of random elements: floats uniform in [-1, 1), integers in 0 … 9, bools 0 or 1, and texts of those given. */
export function randomTensor(dtype: DType, dims: readonly number[], seed: number, texts: readonly string[] = ['']): Tensor {
  const next = random(seed);
  if (dtype === 'text')
    return textTensor(
      dims,
      Array.from({ length: numel(dims) }, () => texts[Math.floor(texts.length * next())] ?? ''),
    );
  const one = isFloat(dtype) ? () => 2 * next() - 1 : () => Math.floor((dtype === 'bool' ? 2 : 10) * next());
  return fromNumbers(dtype, dims, Float64Array.from({ length: numel(dims) }, one));
}
