import { maxOf, minOf } from '../core/extremes.ts';
import { must } from '../core/diagnostic.ts';
import { staticDims } from '../core/dim.ts';
import { numel, toNumbers } from '../core/tensor.ts';
import { tensorOf, type Node, type Value } from '../graph/graph.ts';
import { byteRange } from '../ops/quant/integers.ts';
import { broadcastIndex } from '../ops/elementwise/op.ts';

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
/** |x - zero| of a constant operand. */
function sizesOfConstant(s: Shifted): Float64Array | undefined {
  const t = tensorOf(s.x);
  const zero = tensorOf(s.zero);
  if (!t || (s.zero && !zero)) return undefined;
  const zeros = zero ? toNumbers(zero) : [0];
  const at = zero ? broadcastIndex(zero.dims, t.dims) : () => 0;
  return toNumbers(t).map((v, i) => Math.abs(v - (zeros[at(i)] ?? 0)));
}

/** The largest sum of steps from..to-1, over all results. */
type SumOf = (from: number, to: number) => number;
/** Longer sums are left to the kernels for integers: hundreds of parts would not be faster. */
const MOST_STEPS = 2 ** 17;
/** Where a sum of `n` steps is cut so that no part exceeds what is exact; undefined where one step already does. */
function cuts(n: number, part: SumOf): readonly number[] | undefined {
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
/** Sums of |w|, where w is [steps, results] through `at`. */
function runningSums(
  data: Float64Array,
  steps: number,
  results: number,
  at: (step: number, result: number) => readonly number[],
): SumOf {
  const sums = new Float64Array((steps + 1) * results);
  for (let s = 0; s < steps; s++)
    for (let r = 0; r < results; r++) {
      let v = sums[s * results + r] ?? 0;
      for (const i of at(s, r)) v += data[i] ?? 0;
      sums[(s + 1) * results + r] = v;
    }
  return (from, to) => {
    let most = 0;
    for (let r = 0; r < results; r++) most = Math.max(most, (sums[to * results + r] ?? 0) - (sums[from * results + r] ?? 0));
    return most;
  };
}

/** Input channels at which the sums of a convolution of x with w are cut: [0, …, channels]. undefined: f32 cannot hold them. */
export function channelCuts(x: Shifted, w: Shifted): readonly number[] | undefined {
  const dims = staticDims(w.x.type.shape);
  const most = magnitude(x);
  if (!dims || !Number.isFinite(most)) return undefined;
  const [outs, channels] = [must(dims[0]), must(dims[1])];
  if (channels > MOST_STEPS) return undefined;
  const taps = numel(dims.slice(2));
  const data = sizesOfConstant(w);
  if (!data) return cuts(channels, (from, to) => (to - from) * taps * most * magnitude(w));
  const inTap = Array.from({ length: taps }, (_, i) => i);
  const sums = runningSums(data, channels, outs, (s, r) => inTap.map(i => (r * channels + s) * taps + i));
  return cuts(channels, (from, to) => sums(from, to) * most);
}
/** The same for the inner axis of a product of a and b: [0, …, its size]. */
export function depthCuts(a: Shifted, b: Shifted, transB: boolean): readonly number[] | undefined {
  const n = a.x.type.shape.at(-1);
  const most = magnitude(a);
  if (typeof n !== 'number' || n === 0 || n > MOST_STEPS || !Number.isFinite(most)) return undefined;
  const data = sizesOfConstant(b);
  const dims = staticDims(b.x.type.shape);
  if (!data || dims?.length !== 2) return cuts(n, (from, to) => (to - from) * most * magnitude(b));
  const columns = must(dims[transB ? 0 : 1]);
  const sums = runningSums(data, n, columns, (s, r) => [transB ? r * n + s : s * columns + r]);
  return cuts(n, (from, to) => sums(from, to) * most);
}
