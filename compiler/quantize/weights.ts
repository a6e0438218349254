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
function channelPeaks(data: Float64Array, dims: readonly number[], axis: number): Float64Array {
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
