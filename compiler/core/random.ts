import { isFloat, type DType } from './dtype.ts';
import { fromNumbers, numel, type Tensor } from './tensor.ts';

/** A stream of numbers in [0, 1) from a seed (mulberry32): the same everywhere. */
export function randomStream(seed: number): () => number {
  let a = seed | 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
/** A tensor of random elements from `lo` to `hi`: floats uniform in between (default -1 to 1), integers both included (default 0 to 9). */
export function randomTensor(dtype: DType, dims: readonly number[], seed: number, lo?: number, hi?: number): Tensor {
  const next = randomStream(seed);
  const float = isFloat(dtype);
  const from = lo ?? (float ? -1 : 0);
  const to = hi ?? (dtype === 'bool' || float ? 1 : 9);
  const draw = float ? () => from + next() * (to - from) : () => from + Math.floor(next() * (to - from + 1));
  return fromNumbers(dtype, dims, Float64Array.from({ length: numel(dims) }, draw));
}
/** A 32-bit hash of bytes (FNV-1a over words): names contents, proves nothing. */
export function hashBytes(bytes: Uint8Array, seed = 0x811c9dc5): number {
  let h = seed;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let i = 0;
  for (; i + 4 <= bytes.length; i += 4) h = Math.imul(h ^ view.getInt32(i, true), 0x01000193);
  for (; i < bytes.length; i++) h = Math.imul(h ^ (bytes[i] ?? 0), 0x01000193);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}
