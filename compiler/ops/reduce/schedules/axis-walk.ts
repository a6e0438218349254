/**
 * The loops that reductions and normalisations share: axes are `inside` (taken together) or `outside`; neighbours of one kind are merged.
 * ```
 * nest:             for i0 in dims[g0]: for i1 in dims[g1]: … body
 * forBlocks:        for i in 0..n by 4 * lanes; then by lanes; then by 1: body(i, vectors, lanes)
 * forAccumulators:  for i in 0..n by 4: body(accumulator 0, i) … body(accumulator 3, i + 3); then the rest with accumulator 0
 * ```
 */
import { must } from '../../../core/diagnostic.ts';
import { dimFloorDiv, dimMul, isMultiple, type Dim } from '../../../core/dim.ts';
import { type DType, regOf } from '../../../core/dtype.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import { add, int, type Expr, type Lanes } from '../../../kernel/ir.ts';
import { planAxes } from '../axes.ts';
import type { Sink, Source } from '../../lowering.ts';
import { lanesOf } from '../../loops.ts';
import type { Profile } from '../../../target/profile.ts';

/**
 * How a kernel walks a tensor some of whose axes are taken together (`inside`): neighbouring axes of one kind are merged where the
 * memory of both sides allows. Indices are one a group.
 */
export interface AxisWalk {
  readonly rank: number;
  /** Sizes of the groups. */
  readonly dims: readonly Dim[];
  /** Groups that are taken together, and the others. */
  readonly inside: readonly number[];
  readonly outside: readonly number[];
  readonly x: Source;
  /** Stores at the index of the groups; the axes taken together count as 0 where the result has them with size 1. */
  store(k: KernelBuilder, idx: readonly Expr[], value: Expr): void;
  /** The result, with one axis a group; its memory is there where there is no epilogue. Only where the result has the shape of x. */
  readonly y: Sink;
}

/** `keep`: the result has all axes; else those in `axes` are gone. `full`: the result has the shape of x. */
export function walkAxes(x: Source, y: Sink, axes: readonly number[], result: 'full' | 'keep' | 'drop'): AxisWalk {
  const rank = x.dims.length;
  const at: (number | undefined)[] = [];
  for (let i = 0, n = 0; i < rank; i++) at.push(result === 'drop' && axes.includes(i) ? undefined : n++);
  const sinkMerges = (i: number): boolean => {
    const gone = axes.includes(i + 1) && x.dims[i + 1] !== 1 && result !== 'full';
    const left = at.slice(0, i + 1).findLast(a => a !== undefined);
    return gone || at[i + 1] === undefined || left === undefined || y.canMerge(left);
  };
  const groups = planAxes(x.dims, axes, i => x.canMerge(i) && sinkMerges(i));
  const sinkGroups: number[][] = [];
  const home = groups.map(g => {
    const own = g.axes.flatMap(a => at[a] ?? []);
    if (g.inside && result !== 'full') {
      for (const a of own) sinkGroups.push([a]);
      return undefined;
    }
    return own.length === 0 ? undefined : sinkGroups.push(own) - 1;
  });
  const sink = y.merge(sinkGroups);
  const merged = x.merge(groups.map(g => g.axes));
  const all = groups.map((_, i) => i);
  return {
    rank: groups.length,
    dims: merged.dims,
    inside: all.filter(i => groups[i]?.inside === true),
    outside: all.filter(i => groups[i]?.inside === false),
    x: merged,
    store: (k, idx, value) => {
      const to: Expr[] = sinkGroups.map(() => int(0));
      home.forEach((h, g) => {
        if (h !== undefined) to[h] = must(idx[g]);
      });
      sink.store(k, to, value);
    },
    y: sink,
  };
}

/** A loop nest over some groups; indices of the others stay as they are. */
export function nest(
  k: KernelBuilder,
  w: AxisWalk,
  over: readonly number[],
  idx: readonly Expr[],
  body: (idx: readonly Expr[]) => void,
  parallel = false,
): void {
  const [g, ...rest] = over;
  if (g === undefined) body(idx);
  else
    k.for(0, must(w.dims[g]), i => nest(k, w, rest, withAt(idx, g, i), body, parallel), {
      parallel,
    });
}
export const withAt = (idx: readonly Expr[], g: number, i: Expr): Expr[] => idx.map((x, j) => (j === g ? i : x));
export const noIndex = (w: AxisWalk): Expr[] => w.dims.map(() => int(0));

/** How many neighbours of this type a kernel computes at once. Truth values are left to scalar code. */
export function vectorLanes(p: Profile, dtype: DType, x: Source): Lanes {
  const reg = regOf(dtype);
  return x.vector && dtype !== 'bool' && (reg === 'f32' || reg === 'i32' || reg === 'u32') ? lanesOf(p) : 1;
}

/** Walks 0..n in blocks of `many` vectors, then single vectors, then elements: `body` gets the first index, vectors and lanes. */
export function forBlocks(
  k: KernelBuilder,
  n: Dim,
  lanes: Lanes,
  many: number,
  body: (i: Expr, vectors: number, lanes: Lanes) => void,
  opt: { readonly parallel?: boolean } = {},
): void {
  const blocks = [many * lanes, lanes, 1].filter((b, i, all) => i === 0 || b < must(all[i - 1]));
  let from: Dim = 0;
  for (const b of blocks) {
    const to = b === 1 ? n : dimMul(dimFloorDiv(n, b), b);
    const wide: Lanes = b === 1 ? 1 : lanes;
    k.for(from, to, i => body(i, b / wide, wide), { step: b, ...opt });
    if (isMultiple(n, b)) return;
    from = to;
  }
}
/**
 * Walks 0..n round-robin over `turns` accumulators, which hides the latency of a step: consecutive steps do not depend on each other.
 * `body` gets the number of the accumulator and the index.
 */
export function forAccumulators(k: KernelBuilder, n: Dim, turns: number, body: (turn: number, i: Expr) => void): void {
  const main = dimMul(dimFloorDiv(n, turns), turns);
  k.for(
    0,
    main,
    i => {
      for (let u = 0; u < turns; u++) body(u, add(i, u));
    },
    { step: turns },
  );
  if (!isMultiple(n, turns)) k.for(main, n, i => body(0, i));
}
