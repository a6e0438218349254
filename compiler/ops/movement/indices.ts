import { fail, must } from '../../core/diagnostic.ts';
import { dimSub, showDim, type Dim } from '../../core/dim.ts';
import { isInt } from '../../core/dtype.ts';
import { tensorType, type TensorType } from '../../core/shape.ts';
import { fromNumbers, toNumbers } from '../../core/tensor.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import { add, and, cast, clampInt, ge, I32, int, konst, lt, select, sub, type Expr } from '../../kernel/ir.ts';
import { attr, defineOp, type InferCtx } from '../define.ts';
import { forAll, inOrder } from '../loops.ts';
import type { LowerCtx } from '../lowering.ts';

/**
 * Indices from data. `Indices` checks them once, outside of whatever reads with them; the operators that read with them clamp them all the
 * same, so that no load or store is out of range whoever made them.
 */

/** An index from data as i32 in 0..n-1, bound to a name. Negative ones count from the end. */
export function safeIndex(k: KernelBuilder, raw: Expr, n: Dim): Expr {
  const size = k.dim(n);
  const i = k.let(cast(I32, raw));
  return k.let(clampInt(select(lt(i, 0), add(i, size), i), 0, sub(size, 1)));
}
/** The same for the evaluator. */
export const wrapIndex = (i: number, n: number): number => Math.max(0, Math.min(i < 0 ? i + n : i, n - 1));
export function checkIndices(c: InferCtx<unknown>, t: TensorType): void {
  if (!isInt(t.dtype)) c.reject(`indices must be integers, not ${t.dtype}`);
}

interface IndicesAttrs {
  readonly sizes: readonly Dim[];
  readonly negative: boolean;
}
export const Indices = defineOp({
  name: 'Indices',
  doc:
    'Indices as i32 in 0..n-1. `sizes` is the n of all, or that of each place along the last axis. With `negative`, negative ones count ' +
    'from the end. One that is outside stops the run; where the profile has them clamped, it means the nearest.',
  inputs: ['x'],
  attrs: { sizes: attr.dims(), negative: attr.bool(true) },
  infer: c => {
    const x = must(c.types[0]);
    const { sizes } = c.attrs;
    checkIndices(c, x);
    if (sizes.length !== 1 && sizes.length !== x.shape.at(-1)) c.reject(`${sizes.length} sizes`);
    return [tensorType('i32', x.shape)];
  },
  symbolic: c => {
    const x = c.symbolic[0];
    const { sizes } = c.attrs;
    // What counts from the end is told by its sign, which a symbol may leave open.
    const of = (d: Dim, i: number): Dim | undefined =>
      typeof d !== 'number' ? undefined : d >= 0 ? d : dimSub(must(sizes[i % sizes.length]), -d);
    const out = x?.map(of);
    return [out?.every(d => d !== undefined) ? out : undefined];
  },
  eval: (c, x) => {
    const at = toNumbers(must(x));
    const sizes = c.attrs.sizes.map(d => c.dim(d));
    const out = at.map((raw, i) => {
      const n = must(sizes[i % sizes.length]);
      const v = c.attrs.negative && raw < 0 ? raw + n : raw;
      if (!(v >= 0 && v < n)) fail('E502', { why: outside(c.attrs) });
      return v;
    });
    return [fromNumbers('i32', c.dims(0), out)];
  },
  lower: { k: 'kernel', accepts: () => 'indexMap', build: c => lowerIndices(c) },
});
const outside = (a: IndicesAttrs): string =>
  `an index is outside of its axis of ${[...new Set(a.sizes.map(showDim))].join(' or ')} elements`;

function lowerIndices(c: LowerCtx<IndicesAttrs>): void {
  const { sizes, negative } = c.attrs;
  const x = c.need(0);
  const out = c.sink(0);
  // The last axis is walked by hand where each of its places has a size of its own.
  const walked = sizes.length === 1 ? x.dims : x.dims.slice(0, -1);
  const places = sizes.length === 1 ? [[]] : sizes.map((_, i) => [i]);
  if (c.profile.indices === 'clamped') {
    c.kernel('indices', k =>
      forAll(k, walked, idx =>
        places.forEach((p, i) => out.store(k, [...idx, ...p], safeIndex(k, x.at(k, [...idx, ...p]), must(sizes[i])))),
      ),
    );
    return;
  }
  const cell = c.temp('outside', 'i32', 1);
  c.kernel('indices', k => {
    const bad = k.var(int(0));
    inOrder(k, walked, idx =>
      places.forEach((p, i) => {
        const raw = k.let(x.at(k, [...idx, ...p]));
        const size = k.let(cast(raw.t, k.dim(must(sizes[i]))));
        const signed = raw.t.base === 'i32' || raw.t.base === 'i64';
        const zero = konst(raw.t, 0);
        const v = signed && negative ? k.let(select(lt(raw, zero), add(raw, size), raw)) : raw;
        const inside = k.let(signed ? and(ge(v, zero), lt(v, size)) : lt(v, size));
        k.set(bad, select(inside, bad, 1));
        out.store(k, [...idx, ...p], cast(I32, select(inside, v, zero)));
      }),
    );
    k.store(cell, 0, bad);
  });
  c.stopIf(cell, outside(c.attrs));
}
