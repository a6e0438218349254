import { maxOf, minOf } from '../core/extremes.ts';
import { must } from '../core/diagnostic.ts';
import { staticDims } from '../core/dim.ts';
import { numel, toNumbers, type Tensor } from '../core/tensor.ts';
import { tensorOf, type Node, type Value } from '../graph/graph.ts';
import { byteRange, numbersOf, shifted } from '../ops/quant/integers.ts';

/** Where sums of products of 8-bit integers must be cut so that f32 holds each part, in any order of summation. */

/** Integers from which a zero point is taken off; the zero point meets the operand by broadcasting. */
export interface Shifted {
  readonly x: Value;
  readonly zero: Value | undefined;
}
/** The two operands of a ConvInteger or MatMulInteger. */
export const operandsOf = (n: Node): readonly [Shifted, Shifted] => [
  { x: must(n.inputs[0]), zero: n.inputs[2] },
  { x: must(n.inputs[1]), zero: n.inputs[3] },
];
/** Whether a zero point takes nothing off. */
export const isZero = (zero: Value | undefined): boolean => {
  const t = tensorOf(zero);
  return zero === undefined || (t !== undefined && toNumbers(t).every(z => z === 0));
};

/** All integers up to this size are exact in f32. */
export const EXACT = 2 ** 24;
/** The largest |x - zero| there can be. */
function magnitude(s: Shifted): number {
  const range = byteRange(s.x.type.dtype);
  if (!range) return Infinity;
  const t = tensorOf(s.zero);
  const zeros = s.zero === undefined ? [0] : t && numel(t.dims) <= 4096 ? [...toNumbers(t)] : range;
  return Math.max(maxOf(zeros, -Infinity) - range[0], range[1] - minOf(zeros, Infinity));
}
/** x - zero of a constant operand. */
function constantOf(s: Shifted): ArrayLike<number> | undefined {
  const t = tensorOf(s.x);
  const zero = tensorOf(s.zero);
  if (!t || (s.zero && !zero)) return undefined;
  return isZero(s.zero) ? numbersOf(t) : numbersOf(shifted(t, zero));
}

/** The largest sum of steps from..to-1, over all results. */
type SumOf = (from: number, to: number) => number;
/** Longer sums are left to the kernels for integers: hundreds of parts would not be faster. */
const MOST_STEPS = 2 ** 17;
/** Where a sum of `n` steps is cut so that no part exceeds what is exact; undefined where one step already does. */
function cuts(n: number, part: SumOf): readonly number[] | undefined {
  // Nearly all are exact as a whole, which one look tells.
  if (part(0, n) <= EXACT) return [0, n];
  const at = [0];
  for (let from = 0, to = 1; to <= n; to++) {
    if (part(from, to) <= EXACT) continue;
    if (to - 1 === from) return undefined;
    at.push(to - 1);
    from = to - 1;
    to = from;
  }
  return [...at, n];
}
/** Sums of |data|. The `terms` that a step adds to a result lie one after the other, from stepStride * step + resultStride * result on. */
interface Terms {
  readonly data: ArrayLike<number>;
  readonly steps: number;
  readonly results: number;
  readonly terms: number;
  readonly stepStride: number;
  readonly resultStride: number;
}
const sumOfTerms = ({ data, terms, stepStride, resultStride }: Terms, step: number, result: number): number => {
  const from = step * stepStride + result * resultStride;
  let v = 0;
  for (let i = from; i < from + terms; i++) v += Math.abs(data[i] ?? 0);
  return v;
};
function sumsOf(t: Terms): SumOf {
  const { steps, results } = t;
  let running: Float64Array | undefined;
  return (from, to) => {
    if (from === 0 && to === steps) return maxOf(wholeSums(t), 0);
    const sums = (running ??= runningSums(t));
    let most = 0;
    for (let r = 0; r < results; r++) most = Math.max(most, (sums[to * results + r] ?? 0) - (sums[from * results + r] ?? 0));
    return most;
  };
}
/** The sums of all steps, in the order in which the terms lie. */
function wholeSums(t: Terms): Float64Array {
  const { steps, results, stepStride, resultStride } = t;
  const sums = new Float64Array(results);
  if (stepStride > resultStride) {
    for (let s = 0; s < steps; s++) for (let r = 0; r < results; r++) sums[r] = (sums[r] ?? 0) + sumOfTerms(t, s, r);
    return sums;
  }
  for (let r = 0; r < results; r++) {
    let v = 0;
    for (let s = 0; s < steps; s++) v += sumOfTerms(t, s, r);
    sums[r] = v;
  }
  return sums;
}
function runningSums(t: Terms): Float64Array {
  const { steps, results } = t;
  const sums = new Float64Array((steps + 1) * results);
  for (let s = 0; s < steps; s++)
    for (let r = 0; r < results; r++) sums[(s + 1) * results + r] = (sums[s * results + r] ?? 0) + sumOfTerms(t, s, r);
  return sums;
}

interface Cut {
  readonly zero: Value | undefined;
  readonly key: string;
  readonly at: readonly number[] | undefined;
}
const known = new WeakMap<Tensor, Cut>();
/** Cuts by constant weights, which several rules ask for, are found once. */
function once(s: Shifted, key: string, find: () => readonly number[] | undefined): readonly number[] | undefined {
  const t = tensorOf(s.x);
  const had = t && known.get(t);
  if (had && had.key === key && tensorOf(had.zero) === tensorOf(s.zero)) return had.at;
  const at = find();
  if (t) known.set(t, { zero: s.zero, key, at });
  return at;
}

/** Input channels at which the sums of a convolution of x with w are cut: [0, …, channels]. undefined: f32 cannot hold them. */
export function channelCuts(x: Shifted, w: Shifted): readonly number[] | undefined {
  const dims = staticDims(w.x.type.shape);
  const most = magnitude(x);
  if (!dims || !Number.isFinite(most)) return undefined;
  const [outs, channels] = [must(dims[0]), must(dims[1])];
  if (channels > MOST_STEPS) return undefined;
  const taps = numel(dims.slice(2));
  // Short sums are exact whatever the weights are.
  if (channels * taps * most * magnitude(w) <= EXACT) return [0, channels];
  return once(w, `channels ${most}`, () => {
    const data = constantOf(w);
    if (!data) return cuts(channels, (from, to) => (to - from) * taps * most * magnitude(w));
    const sums = sumsOf({ data, steps: channels, results: outs, terms: taps, stepStride: taps, resultStride: channels * taps });
    return cuts(channels, (from, to) => sums(from, to) * most);
  });
}
/** The same for the inner axis of a product of a and b: [0, …, its size]. */
export function depthCuts(a: Shifted, b: Shifted, transB: boolean): readonly number[] | undefined {
  const n = a.x.type.shape.at(-1);
  const most = magnitude(a);
  if (typeof n !== 'number' || n === 0 || n > MOST_STEPS || !Number.isFinite(most)) return undefined;
  if (n * most * magnitude(b) <= EXACT) return [0, n];
  return once(b, `depth ${most} ${transB}`, () => {
    const data = constantOf(b);
    const dims = staticDims(b.x.type.shape);
    if (!data || dims?.length !== 2) return cuts(n, (from, to) => (to - from) * most * magnitude(b));
    const columns = must(dims[transB ? 0 : 1]);
    const strides = transB ? { stepStride: 1, resultStride: n } : { stepStride: columns, resultStride: 1 };
    const sums = sumsOf({ data, steps: n, results: columns, terms: 1, ...strides });
    return cuts(n, (from, to) => sums(from, to) * most);
  });
}
