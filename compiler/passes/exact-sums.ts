import { must } from '../core/diagnostic.ts';
import type { DType } from '../core/dtype.ts';
import { numel, toNumbers } from '../core/tensor.ts';
import { tensorOf, type Value } from '../graph/graph.ts';
import type { Attrs, Op } from '../ops/define.ts';
import { broadcastIndex } from '../ops/elementwise/op.ts';
import * as e from '../ops/elementwise/index.ts';

/**
 * Products of 8-bit integers, exactly, by the kernels for f32: sums of integers below 2^24 are exact in f32 in any order. Longer sums
 * are cut into parts that stay below, and the parts are added as i32.
 */

/** Makes nodes: an importer, or a rule of a pass. */
export interface Maker {
  apply1(op: Op, inputs: readonly (Value | undefined)[], attrs?: Attrs): Value;
}
/** Integers from which a zero point is taken off; the zero point meets the operand by broadcasting. */
export interface Shifted {
  readonly x: Value;
  readonly zero: Value | undefined;
}
const EXACT = 2 ** 24;
const RANGE: Partial<Record<DType, readonly [number, number]>> = { u8: [0, 255], i8: [-128, 127] };

/** The smallest and largest x - zero there can be, for types of 8 bits. */
export function rangeOf(s: Shifted): readonly [number, number] | undefined {
  const range = RANGE[s.x.type.dtype];
  if (!range) return undefined;
  const [lo, hi] = range;
  const t = tensorOf(s.zero);
  const zeros = s.zero === undefined ? [0] : t && numel(t.dims) <= 4096 ? [...toNumbers(t)] : [lo, hi];
  return [lo - Math.max(...zeros), hi - Math.min(...zeros)];
}
/** The largest |x - zero| there can be. */
export function magnitude(s: Shifted): number {
  const range = rangeOf(s);
  return range ? Math.max(-range[0], range[1]) : Infinity;
}
/** The operand in a type that holds all differences. */
export function shift(c: Maker, s: Shifted, to: DType): Value {
  const cast = (v: Value): Value => (v.type.dtype === to ? v : c.apply1(e.Cast, [v], { to }));
  const zero = tensorOf(s.zero);
  const none = s.zero === undefined || (zero !== undefined && toNumbers(zero).every(z => z === 0));
  return none ? cast(s.x) : c.apply1(e.Sub, [cast(s.x), cast(must(s.zero))]);
}
/** Longer sums are left to the kernels for integers: hundreds of parts would not be faster. */
const MOST_STEPS = 2 ** 17;
/** Where a sum of `n` steps is cut so that no part exceeds what is exact; undefined where one step already does. */
export function cuts(n: number, sums: (steps: number) => (from: number, to: number) => number): readonly number[] | undefined {
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
export function sizesOfConstant(s: Shifted): { readonly data: Float64Array; readonly dims: readonly number[] } | undefined {
  const t = tensorOf(s.x);
  const zero = tensorOf(s.zero);
  if (!t || (s.zero && !zero)) return undefined;
  const zeros = zero ? toNumbers(zero) : [0];
  const at = zero ? broadcastIndex(zero.dims, t.dims) : () => 0;
  return { data: toNumbers(t).map((v, i) => Math.abs(v - (zeros[at(i)] ?? 0))), dims: t.dims };
}
/** The largest sum of |w| over steps from..to, for each of the results; w is [steps, results] through `at`. */
export function runningSums(
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
export const asI32 = (c: Maker, v: Value): Value =>
  v.type.dtype === 'i32' ? v : c.apply1(e.Cast, [c.apply1(e.Round, [v])], { to: 'i32' });
/** Adds up the parts of a sum: one part stays f32, several become i32. */
export function total(c: Maker, at: readonly number[], part: (from: number, to: number) => Value): Value {
  const parts = at.slice(1).map((to, i) => part(must(at[i]), to));
  if (parts.length <= 1) return must(parts[0]);
  return parts.map(v => asI32(c, v)).reduce((a, b) => c.apply1(e.Add, [a, b]));
}
