import { isMultiple, dimFloorDiv, dimMul, type Dim } from '../core/dim.ts';
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Expr, Lanes } from '../kernel/ir.ts';
import type { Profile } from '../target/profile.ts';

/** How many f32 (or i32) fit a vector of this target; 1 on scalar targets. */
export const lanesOf = (p: Profile): Lanes => Math.max(1, p.vector.bits / 32) as Lanes;

/** A loop nest over all indices of a shape, last axis innermost, which may be walked in any order and at the same time. */
export function forAll(k: KernelBuilder, dims: readonly Dim[], body: (idx: readonly Expr[]) => void, parallel = true): void {
  const nest = (done: readonly Expr[]): void => {
    const n = dims[done.length];
    if (n === undefined) body(done);
    else k.for(0, n, i => nest([...done, i]), { parallel });
  };
  nest([]);
}
/** The same in order. */
export const inOrder = (k: KernelBuilder, dims: readonly Dim[], body: (idx: readonly Expr[]) => void): void =>
  forAll(k, dims, body, false);
/** The vectors that walk what vectors of `lanes` leave over: half as many lanes again and again down to four, then single elements. */
export const narrower = (lanes: Lanes): readonly Lanes[] => ([32, 16, 8, 4, 1] as const).filter(n => n < lanes);

/** Walks 0..n by vectors, and the rest by narrower ones. `body` is called with the first index and the lanes to do there. */
export function forLanes(
  k: KernelBuilder,
  n: Dim,
  lanes: Lanes,
  body: (i: Expr, lanes: Lanes) => void,
  opt: { readonly parallel?: boolean } = {},
): void {
  let from: Dim = 0;
  for (const l of [lanes, ...narrower(lanes)]) {
    const to = dimMul(dimFloorDiv(n, l), l);
    k.for(from, to, i => body(i, l), { step: l, ...opt });
    if (isMultiple(n, l)) return;
    from = to;
  }
}
