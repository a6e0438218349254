import { isMultiple, dimFloorDiv, dimMul, type Dim } from '../core/dim.ts';
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Expr, Lanes } from '../kernel/ir.ts';
import type { Profile } from './profile.ts';

/** How many f32 (or i32) fit a vector of this target; 1 on scalar targets. */
export const lanesOf = (p: Profile): Lanes => Math.max(1, p.vector.bits / 32) as Lanes;

/** A loop nest over all indices of a shape, last axis innermost. */
export function forAll(k: KernelBuilder, dims: readonly Dim[], body: (idx: readonly Expr[]) => void): void {
  const nest = (done: readonly Expr[]): void => {
    const n = dims[done.length];
    if (n === undefined) body(done);
    else k.for(0, n, i => nest([...done, i]), { parallel: done.length === 0 });
  };
  nest([]);
}
/** Walks 0..n by vectors, then the rest one by one. `body` is called with the first index and the lanes to do there. */
export function forLanes(k: KernelBuilder, n: Dim, lanes: Lanes, body: (i: Expr, lanes: Lanes) => void): void {
  if (lanes === 1) {
    k.for(0, n, i => body(i, 1));
    return;
  }
  const main = dimMul(dimFloorDiv(n, lanes), lanes);
  k.for(0, main, i => body(i, lanes), { step: lanes });
  if (!isMultiple(n, lanes)) k.for(main, n, i => body(i, 1));
}
