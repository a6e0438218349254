import { must } from '../core/diagnostic.ts';
import { fromNumbers, fromTyped, numel, toNumbers, type Tensor } from '../core/tensor.ts';

/** Weights as 8-bit integers without a zero point: q stands for q * scale. */
interface IntegerWeights {
  readonly q: Tensor;
  /** One scale, or one for each channel, shaped to meet the weights. */
  readonly scale: Tensor;
}
/** Weights are -127 to 127: a product of two of -128 would be one that no sum of pairs holds in 16 bits. */
const LARGEST = 127;
const LEAST_SCALE = 2 ** -100;

/** Visits the elements of weights with their channel along an axis. */
function eachChannel(dims: readonly number[], axis: number, visit: (at: number, channel: number) => void): void {
  const inner = numel(dims.slice(axis + 1));
  const count = must(dims[axis]);
  const all = numel(dims);
  for (let at = 0; at < all; at++) visit(at, Math.floor(at / inner) % count);
}
/** The largest magnitude of each channel. */
export function channelPeaks(data: Float64Array, dims: readonly number[], axis: number): Float64Array {
  const peaks = new Float64Array(must(dims[axis]));
  eachChannel(dims, axis, (at, c) => {
    const v = Math.abs(must(data[at]));
    if (v > must(peaks[c])) peaks[c] = v;
  });
  return peaks;
}
/** Rounds to the nearest integer, ties to even. */
function nearestEven(v: number): number {
  const r = Math.round(v);
  return r - v === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

/**
 * Symmetric 8-bit weights: the largest magnitude of a channel, or of all with `whole`, is 127. A channel of zeros has the scale 1.
 */
export function integerWeights(w: Tensor, axis: number, whole: boolean): IntegerWeights {
  const data = toNumbers(w);
  const peaks = channelPeaks(data, w.dims, axis);
  const most = peaks.reduce((a, b) => Math.max(a, b), 0);
  const scaleOf = (peak: number): number => (peak === 0 ? 1 : Math.max(LEAST_SCALE, Math.fround(peak / LARGEST)));
  const scales = Float32Array.from(whole ? [most] : peaks, scaleOf);
  const q = new Int8Array(data.length);
  eachChannel(w.dims, axis, (at, c) => {
    const v = nearestEven(must(data[at]) / must(scales[whole ? 0 : c]));
    q[at] = Math.min(LARGEST, Math.max(-LARGEST, v));
  });
  const dims = whole ? [] : scaleDims(w.dims, axis);
  return { q: fromTyped('i8', w.dims, q), scale: fromTyped('f32', dims, scales) };
}
/** The shape in which scales of channels meet weights. Axes before that of the channels fall away. */
const scaleDims = (dims: readonly number[], axis: number): number[] => dims.slice(axis).map((d, i) => (i === 0 ? d : 1));
/** Weights with the rows of each input channel multiplied, as the input is divided (SmoothQuant). */
export function scaledRows(site: { readonly weights: Tensor; readonly channels: number }, by: readonly number[]): Tensor {
  const { dims } = site.weights;
  const out = toNumbers(site.weights);
  // Weights of products have two axes, those of convolutions [O, C, …].
  eachChannel(dims, site.channels === 0 ? 1 : 0, (at, c) => void (out[at] = must(out[at]) * (by[c] ?? 1)));
  return fromNumbers('f32', dims, out);
}

/** Weights [n, k] of 4 bits as `MatMulNBits` holds them: stored - 8 times the scale of a block along k. */
interface BlockWeights {
  readonly q: Tensor;
  readonly scales: Tensor;
}
/** Weights of 4 bits that share a scale. */
export const BLOCK = 32;
/** Parts of the largest weight of a block that its scale may hold: clipping it a little can be worth finer steps for the others. */
const REACHES = Array.from({ length: 9 }, (_, i) => 1 - i / 20);
/**
 * 4-bit weights in blocks: of several scales that with the least squared error. The largest magnitude becomes -8, of which there is one more
 * than of 7: a scale may be negative. `rows` are the results of a product, weights [n, k] if they lie so, else [k, n].
 */
export function blockWeights(w: Tensor, rows: 0 | 1): BlockWeights {
  const [n, k] = [must(w.dims[rows]), must(w.dims[1 - rows])];
  const data = toNumbers(w);
  const at = (row: number, i: number): number => data[rows === 0 ? row * k + i : i * n + row] ?? 0;
  const blocks = k / BLOCK;
  const q = new Uint8Array((n * k) / 2);
  const scales = new Float32Array(n * blocks);
  const values = new Float64Array(BLOCK);
  const stored = (v: number, scale: number): number => Math.min(15, Math.max(0, nearestEven(v / scale) + 8));
  for (let row = 0; row < n; row++)
    for (let b = 0; b < blocks; b++) {
      for (let i = 0; i < BLOCK; i++) values[i] = at(row, b * BLOCK + i);
      const scale = blockScale(values, stored);
      scales[row * blocks + b] = scale;
      for (let i = 0; i < BLOCK; i += 2)
        q[(row * k + b * BLOCK + i) / 2] = stored(must(values[i]), scale) + 16 * stored(must(values[i + 1]), scale);
    }
  return { q: fromTyped('u8', [n, blocks, BLOCK / 2], q), scales: fromTyped('f32', [n, blocks], scales) };
}
function blockScale(values: Float64Array, stored: (v: number, scale: number) => number): number {
  const peak = values.reduce((a, v) => (Math.abs(v) > Math.abs(a) ? v : a), 0);
  let best = { scale: 1, error: Infinity };
  if (Math.abs(peak) < LEAST_SCALE) return 1;
  for (const reach of REACHES) {
    const scale = Math.fround((peak * reach) / -8);
    const error = values.reduce((sum, v) => sum + (v - (stored(v, scale) - 8) * scale) ** 2, 0);
    if (error < best.error) best = { scale, error };
  }
  return best.scale;
}
