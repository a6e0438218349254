import { dimFloorDiv, dimMul, isMultiple, rangeOf } from '../core/dim.ts';
import { bytesOf, isInt } from '../core/dtype.ts';
import { must } from '../core/diagnostic.ts';
import type { KernelBuilder } from '../kernel/builder.ts';
import { add, shuffle, type Expr } from '../kernel/ir.ts';
import type { Ref } from '../ops/lowering.ts';
import { refIndex } from '../ops/ref.ts';
import { turned } from '../ops/schedules/pack.ts';

/**
 * Copies between layouts whose contiguous axes differ (NCHW to NHWC and back) by vectors of 16 bytes: square tiles are loaded along the
 * source's contiguous axis, transposed in registers and stored along the target's. Gives false where that does not apply. `narrow`:
 * whether the target has vectors of elements of less than four bytes.
 */
export function transposeKernel(k: KernelBuilder, from: Ref, to: Ref, narrow: boolean): boolean {
  const last = to.dims.length - 1;
  const dtype = to.buffer.dtype;
  const bytes = bytesOf(dtype);
  const V = bytes === 4 ? 4 : narrow && isInt(dtype) ? ({ 1: 16, 2: 8 } as const)[bytes] : undefined;
  if (last < 1 || V === undefined || from.buffer.dtype !== dtype || to.strides[last] !== 1) return false;
  const axis = from.strides.findIndex((s, i) => i < last && s === 1 && rangeOf(must(from.dims[i])).hi >= V);
  if (axis < 0) return false;
  const n = must(to.dims[last]);
  const three = V === 4 && n === 3 && to.strides[axis] === 3;
  if (!three && rangeOf(n).lo < V) return false;
  const load = (idx: readonly Expr[]): Expr => k.let(k.load(from.buffer, refIndex(k, from, idx), V));
  const scalar = (idx: readonly Expr[]): void =>
    k.store(to.buffer, refIndex(k, to, idx), k.load(from.buffer, refIndex(k, from, idx)));
  const set = (idx: readonly Expr[], a: number, e: Expr): Expr[] => idx.map((x, i) => (i === a ? e : x));
  const tile = (idx: readonly Expr[], i: Expr, j: Expr): void => {
    const r = Array.from({ length: V }, (_, t) => load(set(set(idx, axis, i), last, add(j, t))));
    turned(k, r).forEach((v, t) => k.store(to.buffer, refIndex(k, to, set(set(idx, axis, add(i, t)), last, j)), v));
  };
  const interleave3 = (idx: readonly Expr[], i: Expr): void => {
    const [a, b, c] = [0, 1, 2].map(t => load(set(set(idx, axis, i), last, { k: 'const', t: i.t, value: t })));
    const x = must(a);
    const y = must(b);
    const z = must(c);
    const at = refIndex(k, to, set(set(idx, axis, i), last, { k: 'const', t: i.t, value: 0 }));
    k.store(to.buffer, at, shuffle(shuffle(x, y, [0, 4, 1, 5]), z, [0, 1, 4, 2]));
    k.store(to.buffer, add(at, 4), shuffle(shuffle(x, y, [5, 5, 2, 6]), z, [0, 5, 2, 3]));
    k.store(to.buffer, add(at, 8), shuffle(shuffle(x, y, [0, 3, 7, 0]), z, [6, 1, 2, 7]));
  };
  const m = must(to.dims[axis]);
  const m4 = dimMul(dimFloorDiv(m, V), V);
  const n4 = dimMul(dimFloorDiv(n, V), V);
  const inner = (idx: readonly Expr[]): void => {
    k.for(
      0,
      m4,
      i => {
        if (three) interleave3(idx, i);
        else {
          k.for(0, n4, j => tile(idx, i, j), { step: V });
          if (!isMultiple(n, V)) k.for(n4, n, j => k.for(0, V, t => scalar(set(set(idx, axis, add(i, t)), last, j))));
        }
      },
      { step: V, parallel: true },
    );
    if (!isMultiple(m, V)) k.for(m4, m, i => k.for(0, n, j => scalar(set(set(idx, axis, i), last, j))));
  };
  const nest = (idx: readonly Expr[]): void => {
    const a = idx.length;
    const zero: Expr = { k: 'const', t: { base: 'i32', lanes: 1 }, value: 0 };
    if (a === to.dims.length) inner(idx);
    else if (a === axis || a === last) nest([...idx, zero]);
    else k.for(0, must(to.dims[a]), i => nest([...idx, i]), { parallel: true });
  };
  nest([]);
  return true;
}
