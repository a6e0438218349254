import { must } from '../../../core/diagnostic.ts';
import { staticDims } from '../../../core/dim.ts';
import type { DType } from '../../../core/dtype.ts';
import { numel, toNumbers } from '../../../core/tensor.ts';
import type { Value } from '../../../graph/graph.ts';
import type { Attrs } from '../../../ops/define.ts';
import { Conv } from '../../../ops/conv.ts';
import { broadcastIndex } from '../../../ops/elementwise-op.ts';
import * as e from '../../../ops/elementwise.ts';
import { MatMul } from '../../../ops/matmul.ts';
import type { ImportCtx } from '../registry.ts';
import { rankOf } from './axes.ts';
import { reduceOver } from './reduce.ts';
import { slice } from './view.ts';

/**
 * Products of 8-bit integers, exactly. Sums of integers below 2^24 are exact in f32 in any order, so the f32 kernels do the work:
 * longer sums are cut into parts that stay below, and the parts are added as i32.
 */

/** Integers from which a zero point is taken off; the zero point meets the operand by broadcasting. */
export interface Shifted {
  readonly x: Value;
  readonly zero: Value | undefined;
}
const EXACT = 2 ** 24;
const RANGE: Partial<Record<DType, readonly [number, number]>> = { u8: [0, 255], i8: [-128, 127] };

/** The smallest and largest x - zero there can be, for types of 8 bits. */
function rangeOf(c: ImportCtx, s: Shifted): readonly [number, number] | undefined {
  const range = RANGE[s.x.type.dtype];
  if (!range) return undefined;
  const [lo, hi] = range;
  const t = c.tensor(s.zero);
  const zeros = s.zero === undefined ? [0] : t && numel(t.dims) <= 4096 ? [...toNumbers(t)] : [lo, hi];
  return [lo - Math.max(...zeros), hi - Math.min(...zeros)];
}
/** The largest |x - zero| there can be. */
function magnitude(c: ImportCtx, s: Shifted): number {
  const range = rangeOf(c, s);
  return range ? Math.max(-range[0], range[1]) : Infinity;
}
/** The operand in a type that holds all differences. */
function shift(c: ImportCtx, s: Shifted, to: DType): Value {
  const cast = (v: Value): Value => (v.type.dtype === to ? v : c.apply1(e.Cast, [v], { to }));
  const zero = c.tensor(s.zero);
  const none = s.zero === undefined || (zero !== undefined && toNumbers(zero).every(z => z === 0));
  return none ? cast(s.x) : c.apply1(e.Sub, [cast(s.x), cast(must(s.zero))]);
}
/** Longer sums are left to the kernels for integers: hundreds of parts would not be faster. */
const MOST_STEPS = 2 ** 17;
/** Where a sum of `n` steps is cut so that no part exceeds what is exact; undefined where one step already does. */
function cuts(n: number, sums: (steps: number) => (from: number, to: number) => number): number[] | undefined {
  if (n > MOST_STEPS) return undefined;
  const part = sums(n);
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
/** |x - zero| of a constant operand. */
function sizesOfConstant(
  c: ImportCtx,
  s: Shifted,
): { readonly data: Float64Array; readonly dims: readonly number[] } | undefined {
  const t = c.tensor(s.x);
  const zero = c.tensor(s.zero);
  if (!t || (s.zero && !zero)) return undefined;
  const zeros = zero ? toNumbers(zero) : [0];
  const at = zero ? broadcastIndex(zero.dims, t.dims) : () => 0;
  return { data: toNumbers(t).map((v, i) => Math.abs(v - (zeros[at(i)] ?? 0))), dims: t.dims };
}
/** The largest sum of |w| over steps from..to, for each of the results; w is [steps, results] through `at`. */
function runningSums(
  data: Float64Array,
  steps: number,
  results: number,
  at: (step: number, result: number) => readonly number[],
) {
  const sums = new Float64Array((steps + 1) * results);
  for (let s = 0; s < steps; s++)
    for (let r = 0; r < results; r++) {
      let v = sums[s * results + r] ?? 0;
      for (const i of at(s, r)) v += data[i] ?? 0;
      sums[(s + 1) * results + r] = v;
    }
  return (from: number, to: number): number => {
    let most = 0;
    for (let r = 0; r < results; r++) most = Math.max(most, (sums[to * results + r] ?? 0) - (sums[from * results + r] ?? 0));
    return most;
  };
}
/** A product as i32. Convolutions may be computed by transforms that leave a small error: it is rounded away. */
export const asI32 = (c: ImportCtx, v: Value): Value =>
  v.type.dtype === 'i32' ? v : c.apply1(e.Cast, [c.apply1(e.Round, [v])], { to: 'i32' });
/** Adds up the parts of a sum: one part stays f32, several become i32. */
function total(c: ImportCtx, at: readonly number[], part: (from: number, to: number) => Value): Value {
  const parts = at.slice(1).map((to, i) => part(must(at[i]), to));
  if (parts.length <= 1) return must(parts[0]);
  return parts.map(v => asI32(c, v)).reduce((a, b) => c.apply1(e.Add, [a, b]));
}

/** The matrix product of a and b, as i32 or as f32 that holds the same integers. */
export function integerMatMul(c: ImportCtx, a: Shifted, b: Shifted): Value {
  const n = a.x.type.shape.at(-1);
  const most = magnitude(c, a);
  const [fa, fb] = [shift(c, a, 'f32'), shift(c, b, 'f32')];
  const across = Math.max(0, rankOf(b.x) - 2);
  const at = typeof n === 'number' && n > 0 && Number.isFinite(most) ? cuts(n, columnSums) : undefined;
  if (!at) return c.apply1(MatMul, [shift(c, a, 'i32'), shift(c, b, 'i32')]);
  // A zero point that is not known yet is taken off the sums: what is multiplied stays within 8 bits.
  const later = a.zero && !c.tensor(a.zero) && a.zero.type.shape.every(d => d === 1) && c.tensor(b.x) && rankOf(b.x) === 2;
  const x = later ? { x: a.x, zero: undefined } : a;
  const integers = must(rangeOf(c, x));
  const left = later ? shift(c, x, 'f32') : fa;
  return total(c, at, (start, end) => {
    const cut = { start, size: end - start, step: 1 };
    const part = slice(c, fb, new Map([[across, cut]]));
    const y = c.apply1(MatMul, [slice(c, left, new Map([[rankOf(a.x) - 1, cut]])), part], { integers });
    if (!later) return y;
    return c.apply1(e.Sub, [
      y,
      c.apply1(e.Mul, [c.apply1(e.Cast, [must(a.zero)], { to: 'f32' }), reduceOver(c, 'sum', part, [0], false)]),
    ]);
  });
  function columnSums(steps: number): (from: number, to: number) => number {
    const w = sizesOfConstant(c, b);
    if (!w || w.dims.length !== 2) return (from, to) => (to - from) * most * magnitude(c, b);
    const columns = must(w.dims[1]);
    const sums = runningSums(w.data, steps, columns, (s, r) => [s * columns + r]);
    return (from, to) => sums(from, to) * most;
  }
}

/** The convolution of x with w, as i32 or as f32 that holds the same integers. */
export function integerConv(c: ImportCtx, x: Shifted, w: Shifted, attrs: Attrs): Value {
  const dims = staticDims(w.x.type.shape);
  const most = magnitude(c, x);
  const [fx, fw] = [shift(c, x, 'f32'), shift(c, w, 'f32')];
  const at = dims && Number.isFinite(most) ? cuts(must(dims[1]), () => channelSums(dims)) : undefined;
  const whole = at?.length === 2;
  if (!at || (!whole && attrs['group'] !== 1)) return c.apply1(Conv, [shift(c, x, 'i32'), shift(c, w, 'i32')], attrs);
  return total(c, at, (start, end) => {
    const cut = new Map([[1, { start, size: end - start, step: 1 }]]);
    return c.apply1(Conv, [whole ? fx : slice(c, fx, cut), slice(c, fw, cut)], { ...attrs, integers: must(rangeOf(c, x)) });
  });
  function channelSums(sizes: readonly number[]): (from: number, to: number) => number {
    const [outs, channels] = [must(sizes[0]), must(sizes[1])];
    const taps = numel(sizes.slice(2));
    const t = sizesOfConstant(c, w);
    if (!t) return (from, to) => (to - from) * taps * most * magnitude(c, w);
    const inTap = Array.from({ length: taps }, (_, i) => i);
    const sums = runningSums(t.data, channels, outs, (s, r) => inTap.map(i => (r * channels + s) * taps + i));
    return (from, to) => sums(from, to) * most;
  }
}
