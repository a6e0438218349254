import { codeOf } from '../core/codes.ts';
import { must } from '../core/diagnostic.ts';
import { fromNumbers, fromTyped, numel, toNumbers, typed, type Tensor } from '../core/tensor.ts';
import { fittedIntegers } from './gptq.ts';
import type { Moments } from './moments.ts';

/** Weights as integers without a zero point: q stands for q * scale. */
export interface IntegerWeights {
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

/** The scale that -8 to 7 hold numbers with best: of several reaches the one with the least squared error. */
interface Steps {
  readonly scale: number;
  /** What stands for 0, of 0 to 15. */
  readonly zero: number;
}
/** Parts of the largest weight that a scale may hold: clipping it a little can be worth finer steps for the others. */
const REACHES = Array.from({ length: 8 }, (_, i) => 1 - i / 12);
const LEAST_HALF = 2 ** -14;
export const MOST_HALF = 65504;
const half = must(codeOf('f16'));
/** Scales are half floats where these hold their digits: they are stored so. */
function shortScale(v: number): number {
  const a = Math.abs(v);
  return a >= LEAST_HALF && a <= MOST_HALF ? half.decode(half.encode(v)) : Math.fround(v);
}
const nibble = (v: number, { scale, zero }: Steps): number => Math.min(15, Math.max(0, nearestEven(v / scale) + zero));
/**
 * Steps of 4 bits for some weights. The largest magnitude becomes -8, of which there is one more than of 7: a scale may be negative. The
 * best of several scales is then fitted to the integers that it gave. `asymmetric`: 0 may be any of the 16, where that is better.
 */
function stepsOf(values: Float64Array, asymmetric: boolean): Steps {
  const peak = values.reduce((a, v) => (Math.abs(v) > Math.abs(a) ? v : a), 0);
  let best: { readonly steps: Steps; readonly error: number } = { steps: { scale: 1, zero: 8 }, error: Infinity };
  if (Math.abs(peak) < LEAST_SCALE) return best.steps;
  const offer = (steps: Steps): void => {
    let error = 0;
    for (const v of values) error += (v - (nibble(v, steps) - steps.zero) * steps.scale) ** 2;
    if (error < best.error) best = { steps, error };
  };
  for (const reach of REACHES) offer({ scale: shortScale((peak * reach) / -8), zero: 8 });
  if (asymmetric) {
    const [lo, hi] = [values.reduce((a, v) => Math.min(a, v), 0), values.reduce((a, v) => Math.max(a, v), 0)];
    for (const reach of REACHES) {
      const scale = shortScale(((hi - lo) * reach) / 15);
      offer({ scale, zero: Math.min(15, Math.max(0, Math.round((-lo * reach) / scale))) });
    }
  }
  offer(fitted(values, best.steps));
  return best.steps;
}
/** The scale of least squared error for the integers that steps give. */
function fitted(values: Float64Array, steps: Steps): Steps {
  let [products, squares] = [0, 0];
  for (const v of values) {
    const q = nibble(v, steps) - steps.zero;
    products += v * q;
    squares += q * q;
  }
  const scale = shortScale(products / squares);
  return Number.isFinite(scale) && Math.abs(scale) >= LEAST_SCALE ? { ...steps, scale } : steps;
}
/** Weights as rows of integers 0 to 15, a row for each channel: the columns are the other axes, one after the other. */
interface FourBits {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
  /** The steps of the element at a place of `values`. */
  readonly stepsAt: (at: number) => Steps;
  readonly all: readonly Steps[];
}
interface FourBitOptions {
  /** Elements of a row that share a scale; without, all of it. */
  readonly block?: number | undefined;
  readonly asymmetric?: boolean | undefined;
  /** One scale for all rows. */
  readonly whole?: boolean;
}
/** Rows lie along axis `axis`. */
function fourBits(w: Tensor, axis: number, o: FourBitOptions): FourBits {
  const rows = must(w.dims[axis]);
  const columns = numel(w.dims) / rows;
  const values = rowMajor(toNumbers(w), w.dims, axis);
  const size = o.whole === true ? values.length : (o.block ?? columns);
  const all = Array.from({ length: values.length / size }, (_, i) =>
    stepsOf(values.subarray(i * size, (i + 1) * size), o.asymmetric === true),
  );
  return { rows, columns, values, all, stepsAt: at => must(all[Math.floor(at / size)]) };
}
/** Elements in the order of their channels. */
function rowMajor(data: Float64Array, dims: readonly number[], axis: number): Float64Array {
  if (axis === 0) return data;
  const out = new Float64Array(data.length);
  eachRow(dims, axis, (at, to) => (out[to] = must(data[at])));
  return out;
}
/** Visits the elements of weights with their place where channels come first. */
function eachRow(dims: readonly number[], axis: number, visit: (at: number, to: number) => void): void {
  const inner = numel(dims.slice(axis + 1));
  const count = must(dims[axis]);
  const columns = numel(dims) / count;
  eachChannel(dims, axis, (at, c) => visit(at, c * columns + Math.floor(at / (inner * count)) * inner + (at % inner)));
}
/** The integers, each the nearest to its weight, or as many steps away as `moved` says. */
function integersOf(f: FourBits, moved: Int8Array | undefined): Uint8Array {
  return Uint8Array.from(f.values, (v, at) => {
    const q = nibble(v, f.stepsAt(at));
    return moved ? Math.min(15, Math.max(0, q + must(moved[at]))) : q;
  });
}
/** How far to move the integers of weights from the nearest, so that results on inputs with these moments are off by least. */
export function movedFor(w: Tensor, axis: number, o: FourBitOptions, moments: Moments): Int8Array | undefined {
  const f = fourBits(w, axis, o);
  const q = fittedIntegers(
    {
      ...f,
      integer: (at, v) => nibble(v, f.stepsAt(at)),
      number: (at, n) => (n - f.stepsAt(at).zero) * f.stepsAt(at).scale,
    },
    moments,
  );
  const nearest = integersOf(f, undefined);
  return q?.map((n, at) => n - must(nearest[at]));
}
/** 4-bit weights, -8 to 7, with a scale for each channel, or one for all. */
export function fourBitWeights(w: Tensor, axis: number, whole: boolean, moved?: Int8Array): IntegerWeights {
  const f = fourBits(w, axis, { whole });
  const integers = integersOf(f, moved);
  const q = new Int8Array(integers.length);
  eachRow(w.dims, axis, (at, from) => (q[at] = must(integers[from]) - 8));
  const scales = Float32Array.from(f.all, s => s.scale);
  return { q: fromTyped('i8', w.dims, q), scale: fromTyped('f32', whole ? [] : scaleDims(w.dims, axis), scales) };
}

/** Weights as half floats. */
export const halfWeights = (w: Tensor): Tensor => fromNumbers('f16', w.dims, toNumbers(w));

/** Rows of 4-bit integers 0 to 15 in blocks along them: (stored - zero) * scale. */
interface BlockWeights {
  /** [rows, blocks, block], an integer a byte. */
  readonly q: Tensor;
  /** [rows, blocks] */
  readonly scales: Tensor;
  /** [rows, blocks]; without, 8 stands for 0. */
  readonly zeros?: Tensor;
}
/** Weights of 4 bits that share a scale. */
export const BLOCK = 32;
/** Weights in blocks of 4 bits. Rows lie along axis `rows` of [n, k] or [k, n]; k is a multiple of `block`. */
export function blockWeights(
  w: Tensor,
  rows: 0 | 1,
  o: { readonly block?: number; readonly asymmetric?: boolean; readonly moved?: Int8Array | undefined } = {},
): BlockWeights {
  const { block = BLOCK, asymmetric = false, moved } = o;
  const f = fourBits(w, rows, { block, asymmetric });
  const [n, blocks] = [f.rows, f.columns / block];
  return {
    q: fromTyped('u8', [n, blocks, block], integersOf(f, moved)),
    scales: fromTyped(
      'f32',
      [n, blocks],
      Float32Array.from(f.all, s => s.scale),
    ),
    ...(asymmetric && {
      zeros: fromTyped(
        'u8',
        [n, blocks],
        Uint8Array.from(f.all, s => s.zero),
      ),
    }),
  };
}
/** Integers of 4 bits, two a byte: of each block the first of a byte is in its low bits, as in `MatMulNBits`. */
export function pairs({ q }: BlockWeights): Tensor {
  const from = typed(q);
  const out = Uint8Array.from({ length: from.length / 2 }, (_, i) => Number(from[2 * i]) | (Number(from[2 * i + 1]) << 4));
  return fromTyped('u8', [...q.dims.slice(0, -1), must(q.dims.at(-1)) / 2], out);
}
/** The same where a byte holds an element of the first half of a row and that of the second half which is as far on: [rows, row / 2]. */
export function halves({ q }: BlockWeights): Tensor {
  const from = typed(q);
  const rows = must(q.dims[0]);
  const width = from.length / rows;
  const out = new Uint8Array(from.length / 2);
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < width / 2; i++)
      out[(row * width) / 2 + i] = Number(from[row * width + i]) | (Number(from[row * width + width / 2 + i]) << 4);
  return fromTyped('u8', [rows, width / 2], out);
}
