import { dimAdd, dimEq, dimMul, type Dim } from '../core/dim.ts';
import { dimStrides } from '../core/shape.ts';
import { must } from '../core/diagnostic.ts';
import type { KernelBuilder } from '../kernel/builder.ts';
import { add, ex, int, mul, type Expr, type Num } from '../kernel/ir.ts';
import type { Ref, SlotBuffer, SlotId } from './lowering.ts';

export const slotBuffer = (slot: SlotId, offset: Dim = 0): SlotBuffer => ({
  name: slot.name,
  dtype: slot.dtype,
  slot,
  offset,
  ...(slot.scratch && { scratch: true }),
});
/** The same memory, `offset` elements further on. */
export const partOf = (b: SlotBuffer, offset: Dim): SlotBuffer => (offset === 0 ? b : { ...b, offset: dimAdd(b.offset, offset) });
/** A compact row-major tensor at the start of a buffer. */
export const compactRef = (buffer: SlotBuffer, dims: readonly Dim[]): Ref => ({ buffer, dims, strides: dimStrides(dims) });

/** Whether axis `i` counts: an axis of one element can have any stride. */
const counts = (r: Ref, i: number): boolean => r.dims[i] !== 1;
/** Whether the elements lie row-major without gaps from axis `from` on. */
export function isCompact(r: Ref, from = 0): boolean {
  let want: Dim = 1;
  for (let i = r.dims.length - 1; i >= from; i--) {
    if (!counts(r, i)) continue;
    if (!dimEq(must(r.strides[i]), want)) return false;
    want = dimMul(want, must(r.dims[i]));
  }
  return true;
}
/** The element index of a position. */
export function refIndex(k: KernelBuilder, r: Ref, idx: readonly Num[]): Expr {
  return r.strides.reduce<Expr>((sum, s, i) => (counts(r, i) ? add(sum, mul(ex(idx[i] ?? 0), k.dim(s))) : sum), int(0));
}
/** Part of a tensor: `start` and `size` along one axis. */
export function sliceRef(r: Ref, axis: number, start: Dim, size: Dim, step = 1): Ref {
  const stride = must(r.strides[axis]);
  return {
    buffer: partOf(r.buffer, dimMul(start, stride)),
    dims: r.dims.map((d, i) => (i === axis ? size : d)),
    strides: r.strides.map((s, i) => (i === axis ? dimMul(s, step) : s)),
  };
}
export const transposeRef = (r: Ref, perm: readonly number[]): Ref => ({
  buffer: r.buffer,
  dims: perm.map(p => must(r.dims[p])),
  strides: perm.map(p => must(r.strides[p])),
});
/** The tensor repeated along missing leading axes and axes of size 1. */
export function broadcastRef(r: Ref, dims: readonly Dim[]): Ref {
  const pad = dims.length - r.dims.length;
  return {
    buffer: r.buffer,
    dims,
    strides: dims.map((_, i) => (i < pad || r.dims[i - pad] === 1 ? 0 : must(r.strides[i - pad]))),
  };
}
/** Whether axes i and i + 1 can be walked as one; axes of size 1 are looked through. */
export function canMergeRef(r: Ref, i: number): boolean {
  let j = i;
  while (j >= 0 && r.dims[j] === 1) j--;
  let m = i + 1;
  while (m < r.dims.length && r.dims[m] === 1) m++;
  if (j < 0 || m >= r.dims.length) return true;
  return dimEq(must(r.strides[j]), dimMul(must(r.strides[m]), must(r.dims[m])));
}
/** The tensor with groups of neighbouring axes as one axis each. */
export function mergeRef(r: Ref, groups: readonly (readonly number[])[]): Ref {
  const last = (g: readonly number[]): number | undefined => g.filter(a => r.dims[a] !== 1).at(-1);
  return {
    buffer: r.buffer,
    dims: groups.map(g => g.map(a => must(r.dims[a])).reduce(dimMul, 1)),
    strides: groups.map(g => {
      const a = last(g);
      return a === undefined ? 0 : must(r.strides[a]);
    }),
  };
}
