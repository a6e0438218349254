import { must } from '../../core/diagnostic.ts';
import type { Dim } from '../../core/dim.ts';
import { stridesOf } from '../../core/tensor.ts';
import type { InferCtx } from '../define.ts';

/** Operators that treat some axes of a tensor together (reductions, normalisations) share this. */

export const REDUCTIONS = ['sum', 'mean', 'prod', 'max', 'min'] as const;
export type Reduction = (typeof REDUCTIONS)[number];

/** Checks that axes are in range, sorted and different; importers give them so. */
export function checkAxes(c: InferCtx<unknown>, axes: readonly number[], rank: number): void {
  axes.forEach((a, i) => {
    if (a < 0 || a >= rank) c.reject(`axis ${a} of a tensor with ${rank} axes`);
    if (i > 0 && a <= must(axes[i - 1])) c.reject(`axes ${axes.join(', ')} are not in order`);
  });
}
/** The sizes after a reduction. */
export const reducedShape = (shape: readonly Dim[], axes: readonly number[], keep: boolean): readonly Dim[] =>
  keep ? shape.map((d, i) => (axes.includes(i) ? 1 : d)) : shape.filter((_, i) => !axes.includes(i));

/** Flat offsets of every index over some axes of a row-major tensor, last axis fastest. */
function offsetsOver(dims: readonly number[], axes: readonly number[]): Int32Array {
  const strides = stridesOf(dims);
  let out = new Int32Array(1);
  for (const a of axes) {
    const n = must(dims[a]);
    const s = must(strides[a]);
    const next = new Int32Array(out.length * n);
    for (let i = 0, q = 0; i < out.length; i++) for (let j = 0; j < n; j++) next[q++] = (out[i] ?? 0) + j * s;
    out = next;
  }
  return out;
}
export interface Offsets {
  /** Where each group starts, in the order of the axes that are not in it. */
  readonly starts: Int32Array;
  /** Where the members of a group lie from its start on. */
  readonly members: Int32Array;
}
/** How the elements of a tensor fall into groups along `axes`. */
export const groupsAlong = (dims: readonly number[], axes: readonly number[]): Offsets => ({
  starts: offsetsOver(
    dims,
    dims.map((_, i) => i).filter(i => !axes.includes(i)),
  ),
  members: offsetsOver(dims, axes),
});

/** The axes of a tensor in the order a kernel walks them, neighbours of one kind merged where memory allows. */
interface AxisGroup {
  readonly axes: readonly number[];
  /** Whether these are axes that are taken together. */
  readonly inside: boolean;
}
/** Splits all axes into groups; an axis of size 1 joins its neighbour, whatever it is. */
export function planAxes(
  dims: readonly Dim[],
  inside: readonly number[],
  canMerge: (i: number) => boolean,
): readonly AxisGroup[] {
  const groups: { axes: number[]; inside: boolean }[] = [];
  const kinds = dims.map((_, i) => inside.includes(i));
  dims.forEach((d, i) => {
    const last = groups.at(-1);
    if (last && (d === 1 || last.axes.every(a => dims[a] === 1) || last.inside === must(kinds[i])) && canMerge(i - 1)) {
      if (d !== 1) last.inside = must(kinds[i]);
      last.axes.push(i);
    } else groups.push({ axes: [i], inside: must(kinds[i]) });
  });
  return groups;
}
