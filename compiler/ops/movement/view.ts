import { must } from '../../core/diagnostic.ts';
import { dimAdd, dimEq, dimMul, dimProd, dimsEq, rangeOf, dimSub, type Dim } from '../../core/dim.ts';
import type { Content } from '../../core/float-size.ts';
import { dimStrides, elements, tensorType } from '../../core/shape.ts';
import { stridesOf } from '../../core/tensor.ts';
import { perAxis } from '../axes.ts';
import { attr, defineOp } from '../define.ts';
import type { Ref } from '../lowering.ts';
import { broadcastRef, isCompact, partOf, transposeRef } from '../ref.ts';
import { gatherStrided, withDims } from '../strided.ts';

/** Operators whose result is the memory of their input, seen otherwise. */

export const Reshape = defineOp({
  name: 'Reshape',
  doc: 'The elements in row-major order under other sizes.',
  inputs: ['x'],
  attrs: { shape: attr.dims() },
  infer: c => {
    const x = must(c.types[0]);
    c.same(elements(x), dimProd(c.attrs.shape), 'the number of elements before and after');
    return [tensorType(x.dtype, c.attrs.shape)];
  },
  symbolic: c => [c.contents(0)],
  eval: (c, x) => [withDims(must(x), c.dims(0))],
  lower: { k: 'view', ref: (x, c) => reshapeRef(x, c.out.shape) },
});

/**
 * The same elements under other sizes without a copy, where the strides allow it. Runs of old and new axes that hold equally many
 * elements are matched from the right; a run of old axes must lie without gaps.
 */
export function reshapeRef(x: Ref, shape: readonly Dim[]): Ref | undefined {
  if (isCompact(x)) return { buffer: x.buffer, dims: shape, strides: dimStrides(shape) };
  const old = x.dims.map((d, i) => ({ size: d, stride: must(x.strides[i]) })).filter(a => a.size !== 1);
  const strides: Dim[] = shape.map(() => 0);
  let to = shape.length;
  let from = old.length;
  while (from > 0) {
    const last = from - 1;
    const end = to;
    let inOld = must(old[--from]).size;
    let inNew: Dim = 1;
    while (!dimEq(inOld, inNew)) {
      const more = rangeOf(dimSub(inOld, inNew));
      if (more.lo >= 0 && to > 0) inNew = dimMul(inNew, must(shape[--to]));
      else if (more.hi <= 0 && from > 0) inOld = dimMul(inOld, must(old[--from]).size);
      else return undefined;
    }
    for (let i = from; i < last; i++) {
      const outer = must(old[i]);
      const inner = must(old[i + 1]);
      if (!dimEq(outer.stride, dimMul(inner.stride, inner.size))) return undefined;
    }
    let s = must(old[last]).stride;
    for (let i = end - 1; i >= to; i--) {
      strides[i] = s;
      s = dimMul(s, must(shape[i]));
    }
  }
  return shape.slice(0, to).every(d => d === 1) ? { buffer: x.buffer, dims: shape, strides } : undefined;
}
export const Transpose = defineOp({
  name: 'Transpose',
  doc: 'Axis i of the result is axis perm[i] of the input.',
  inputs: ['x'],
  attrs: { perm: attr.ints() },
  infer: c => {
    const x = must(c.types[0]);
    const { perm } = c.attrs;
    const seen = new Set(perm);
    if (perm.length !== x.shape.length || seen.size !== perm.length || perm.some(p => p < 0 || p >= perm.length))
      c.reject(`perm [${perm.join(', ')}] is not a permutation of ${x.shape.length} axes`);
    return [
      tensorType(
        x.dtype,
        perm.map(p => must(x.shape[p])),
      ),
    ];
  },
  symbolic: c => [c.attrs.perm.length <= 1 ? c.contents(0) : undefined],
  eval: (c, x) => {
    const t = must(x);
    const s = stridesOf(t.dims);
    return [
      gatherStrided(
        t,
        c.dims(0),
        0,
        c.attrs.perm.map(p => s[p] ?? 1),
      ),
    ];
  },
  lower: { k: 'view', ref: (x, c) => transposeRef(x, c.attrs.perm) },
});

export const Slice = defineOp({
  name: 'Slice',
  doc: 'Of each axis the `sizes` elements from `starts` on, `steps` apart (negative: backwards). Importers have resolved ends and clamping.',
  inputs: ['x'],
  attrs: { starts: attr.dims(), sizes: attr.dims(), steps: attr.dims() },
  infer: c => {
    const x = must(c.types[0]);
    const { starts, sizes, steps } = c.attrs;
    const rank = x.shape.length;
    if (starts.length !== rank || sizes.length !== rank || steps.length !== rank)
      c.reject(`starts, sizes and steps are for ${rank} axes`);
    x.shape.forEach((n, i) => {
      const start = must(starts[i]);
      const size = must(sizes[i]);
      const last = dimAdd(start, dimMul(dimSub(size, 1), must(steps[i])));
      if (typeof size === 'number' && size < 0) c.reject(`axis ${i}: size ${size}`);
      if (typeof n !== 'number' || typeof start !== 'number' || typeof last !== 'number' || size === 0) return;
      if (Math.min(start, last) < 0 || Math.max(start, last) >= n)
        c.reject(`axis ${i}: elements ${start} to ${last} of ${n} are wanted`);
    });
    return [tensorType(x.dtype, sizes)];
  },
  symbolic: c => {
    const x = c.contents(0);
    const [start, size, step] = [c.attrs.starts[0], c.attrs.sizes[0], c.attrs.steps[0]];
    if (!x) return [];
    if (c.attrs.starts.length === 0) return [x];
    if (c.attrs.starts.length !== 1 || typeof start !== 'number' || typeof size !== 'number' || typeof step !== 'number')
      return [];
    return [Array.from({ length: size }, (_, i) => must(x[start + i * step]))];
  },
  eval: (c, x) => {
    const t = must(x);
    const strides = stridesOf(t.dims);
    const at = c.attrs.starts.reduce<number>((sum, s, i) => sum + c.dim(s) * (strides[i] ?? 0), 0);
    return [
      gatherStrided(
        t,
        c.dims(0),
        at,
        strides.map((s, i) => s * c.dim(must(c.attrs.steps[i]))),
      ),
    ];
  },
  permuteAxes: (n, perm) => {
    const { starts, sizes, steps } = n.attrs;
    return { starts: perAxis(starts, perm), sizes: perAxis(sizes, perm), steps: perAxis(steps, perm) };
  },
  lower: {
    k: 'view',
    ref: (x, c) => {
      const offset = x.strides.reduce<Dim>((sum, s, i) => dimAdd(sum, dimMul(s, must(c.attrs.starts[i]))), 0);
      return {
        buffer: partOf(x.buffer, offset),
        dims: c.out.shape,
        strides: x.strides.map((s, i) => dimMul(s, must(c.attrs.steps[i]))),
      };
    },
  },
});

export const Expand = defineOp({
  name: 'Expand',
  doc: 'Repeats axes of size 1 and missing leading axes up to the given sizes.',
  inputs: ['x'],
  attrs: { shape: attr.dims() },
  infer: c => {
    const x = must(c.types[0]);
    const { shape } = c.attrs;
    const pad = shape.length - x.shape.length;
    if (pad < 0) c.reject(`${x.shape.length} axes cannot become ${shape.length}`);
    x.shape.forEach((d, i) => {
      if (d !== 1) c.same(d, must(shape[i + pad]), `axis ${i + pad}`);
    });
    return [tensorType(x.dtype, shape)];
  },
  symbolic: c => {
    const x = c.contents(0);
    const n = dimProd(c.attrs.shape);
    if (!x) return [];
    if (x.length === n) return [x];
    return [x.length === 1 && typeof n === 'number' && n <= 256 ? new Array<Content>(n).fill(must(x[0])) : undefined];
  },
  eval: (c, x) => {
    const t = must(x);
    const dims = c.dims(0);
    const strides = stridesOf(t.dims);
    const pad = dims.length - t.dims.length;
    return [
      gatherStrided(
        t,
        dims,
        0,
        dims.map((_, i) => (i < pad || t.dims[i - pad] === 1 ? 0 : (strides[i - pad] ?? 0))),
      ),
    ];
  },
  // What reads it reads its input as well.
  fold: 'small',
  permuteAxes: (n, perm) => ({ shape: perAxis(n.attrs.shape, perm) }),
  lower: { k: 'view', ref: (x, c) => broadcastRef(x, c.out.shape) },
});

/** Whether a slice takes everything in order. */
export const isWholeSlice = (
  shape: readonly Dim[],
  a: { readonly sizes: readonly Dim[]; readonly steps: readonly Dim[] },
): boolean => dimsEq(shape, a.sizes) && a.steps.every(s => s === 1);
