import { must } from '../core/diagnostic.ts';
import type { KernelBuilder } from '../kernel/builder.ts';
import type { Expr, Lanes } from '../kernel/ir.ts';
import type { Ref, Source } from '../ops/lowering.ts';
import { forLanes, lanesOf } from '../ops/loops.ts';
import type { Profile } from '../target/profile.ts';
import { transposeKernel } from './transpose.ts';
import type { SharedValues } from './shared-values.ts';
import { hasNarrowVectors, memorySink } from './source.ts';

/** The longest runs of axes that both sides walk as one. */
function mergedAxes(rank: number, canMerge: (i: number) => boolean): number[][] {
  const groups: number[][] = [];
  for (let i = 0; i < rank; i++) {
    const last = groups.at(-1);
    if (last && canMerge(i - 1)) last.push(i);
    else groups.push([i]);
  }
  return groups;
}

/** Computes every element of a source into memory: the kernel of elementwise groups and of copies. */
export function copyKernel(k: KernelBuilder, from: Source, to: Ref, profile: Profile, shared: SharedValues): void {
  const wide = from.broadcast(to.dims);
  const plain = memorySink(to, hasNarrowVectors(profile));
  const groups = mergedAxes(to.dims.length, i => wide.canMerge(i) && plain.canMerge(i));
  const src = wide.merge(groups);
  const dst = plain.merge(groups);
  if (
    lanesOf(profile) >= 4 &&
    src.ref &&
    dst.ref &&
    !src.vector &&
    transposeKernel(k, src.ref, dst.ref, hasNarrowVectors(profile))
  )
    return;
  const lanes: Lanes = src.vector && dst.vector ? lanesOf(profile) : 1;
  const put = (idx: readonly Expr[], n: Lanes): void => shared.evaluation(() => dst.store(k, idx, src.at(k, idx, n)));
  const nest = (idx: readonly Expr[]): void => {
    const axis = idx.length;
    if (axis === dst.dims.length) put(idx, 1);
    else if (axis < dst.dims.length - 1) k.for(0, must(dst.dims[axis]), i => nest([...idx, i]), { parallel: true });
    else forLanes(k, must(dst.dims[axis]), lanes, (i, n) => put([...idx, i], n), { parallel: true });
  };
  nest([]);
}
