import { must } from '../../../core/diagnostic.ts';
import type { Value } from '../../../graph/graph.ts';
import type { Attrs } from '../../../ops/define.ts';
import { ConvInteger } from '../../../ops/conv/conv-integer.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import {
  asI32,
  cuts,
  magnitude,
  rangeOf,
  runningSums,
  shift,
  sizesOfConstant,
  total,
  type Shifted,
} from '../../../passes/exact-sums.ts';
import { isExact } from '../../../passes/integer-conv.ts';
import type { ImportCtx } from '../registry.ts';
import { rankOf } from './axes.ts';
import { reduceOver } from './reduce.ts';
import { slice } from './view.ts';

export { asI32 };

/** The matrix product of a and b, as i32 or as f32 that holds the same integers. */
export function integerMatMul(c: ImportCtx, a: Shifted, b: Shifted): Value {
  const n = a.x.type.shape.at(-1);
  const most = magnitude(a);
  const [fa, fb] = [shift(c, a, 'f32'), shift(c, b, 'f32')];
  const across = Math.max(0, rankOf(b.x) - 2);
  const at = typeof n === 'number' && n > 0 && Number.isFinite(most) ? cuts(n, columnSums) : undefined;
  if (!at) return c.apply1(MatMul, [shift(c, a, 'i32'), shift(c, b, 'i32')]);
  // A zero point that is not known yet is taken off the sums: what is multiplied stays within 8 bits.
  const later = a.zero && !c.tensor(a.zero) && a.zero.type.shape.every(d => d === 1) && c.tensor(b.x) && rankOf(b.x) === 2;
  const x = later ? { x: a.x, zero: undefined } : a;
  const integers = must(rangeOf(x));
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
    const w = sizesOfConstant(b);
    if (!w || w.dims.length !== 2) return (from, to) => (to - from) * most * magnitude(b);
    const columns = must(w.dims[1]);
    const sums = runningSums(w.data, steps, columns, (s, r) => [s * columns + r]);
    return (from, to) => sums(from, to) * most;
  }
}

/** The convolution of x with w, both of 8 bits: as f32 where that holds all sums, else as i32. */
export const integerConv = (c: ImportCtx, x: Shifted, w: Shifted, attrs: Attrs): Value =>
  c.apply1(ConvInteger, [x.x, w.x, x.zero, w.zero], { ...attrs, to: isExact(x, w) ? 'f32' : 'i32' });
