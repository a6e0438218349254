import type { Dim } from '../../../core/dim.ts';
import { fromTyped } from '../../../core/tensor.ts';
import type { Buffer, KernelBuilder } from '../../../kernel/builder.ts';
import { add, cast, int, maskType, mul, vec, vtype, type Expr, type Lanes } from '../../../kernel/ir.ts';
import type { LowerCtx, Sink, SlotBuffer } from '../../lowering.ts';
import type { TreeTables } from '../tables.ts';
import { lookUp, lookupLanes, MOST_VECTORS } from './lookup.ts';
import { sumRules, type SumRules, type TreeAttrs } from './walk.ts';

/** The order in which trees are summed: -1 is a tree of -0 that only fills up; it changes no sum. */
export interface TreeOrder {
  readonly tree: Int32Array;
  /** The first tree of each run, and their number. Runs are groups, or, of vector leaves, one of all trees. */
  readonly starts: Int32Array;
  /** By tree: the group its leaves, or their first values, are added to. */
  readonly group: Int32Array;
}
/** Each run is filled up to a multiple of `unit`. Vectors stay in their order: they may share groups without starting at the same. */
export function orderTrees(t: TreeTables, unit: number): TreeOrder {
  const runs = t.width > 1 ? 1 : t.base.length;
  const members: number[][] = Array.from({ length: runs }, () => []);
  t.group.forEach((g, i) => void members[t.width > 1 ? 0 : g]?.push(i));
  const starts = new Int32Array(runs + 1);
  const tree: number[] = [];
  const group: number[] = [];
  members.forEach((of, run) => {
    starts[run] = tree.length;
    while (of.length % unit !== 0) of.push(-1);
    for (const i of of) {
      tree.push(i);
      group.push(i < 0 ? (t.width > 1 ? 0 : run) : (t.group[i] ?? 0));
    }
  });
  starts[runs] = tree.length;
  return { tree: Int32Array.from(tree), starts, group: Int32Array.from(group) };
}

/** Sums of rows, in memory for a block of them: [groups, pitch], or [pitch, groups] where leaves are vectors. */
export interface TreeSums {
  readonly rules: SumRules;
  /** [leaves, width]; maybe wider floats than the sums. */
  readonly values: Buffer;
  readonly width: number;
  /** i32[trees]; absent: all trees add to group 0. */
  readonly group: Buffer | undefined;
  readonly starts: Buffer;
  readonly runs: number;
  /** Lanes for adding vectors. */
  readonly lanes: Lanes;
  /** Lanes of vectors that leaves are looked up in; undefined: one by one in memory. */
  readonly lookup: Lanes | undefined;
}
export function treeSums(c: LowerCtx<TreeAttrs>, t: TreeTables, order: TreeOrder, values: Buffer): TreeSums {
  const rules = sumRules(c);
  const i32 = (name: string, a: Int32Array): SlotBuffer => c.weights(name, fromTyped('i32', [a.length], a));
  const lanes = c.profile.vector.bits < 128 || values.dtype !== rules.dtype ? 1 : rules.dtype === 'f32' ? 4 : 2;
  return {
    rules,
    values,
    width: t.width,
    group: order.group.every(g => g === 0) ? undefined : i32('tree_group', order.group),
    starts: i32('tree_starts', order.starts),
    runs: order.starts.length - 1,
    lanes,
    lookup: values.dtype === rules.dtype ? lookupLanes(c.profile, rules.dtype) : undefined,
  };
}
const indexOf = (s: TreeSums, pitch: number, g: Expr, r: Expr): Expr =>
  s.width > 1 ? add(mul(r, s.rules.groups), g) : add(mul(g, pitch), r);

export function startSums(k: KernelBuilder, s: TreeSums, sums: Buffer, pitch: number, count: Dim): void {
  k.for(0, s.rules.groups, g => {
    const v = k.let(s.rules.start(k, g));
    k.for(0, count, r => k.store(sums, indexOf(s, pitch, g, r), v));
  });
}
export function endSums(k: KernelBuilder, s: TreeSums, sums: Buffer, pitch: number, out: Sink, first: Dim, count: Dim): void {
  k.for(0, count, r =>
    k.for(0, s.rules.groups, g =>
      out.store(k, [k.let(add(k.dim(first), r)), g], s.rules.end(k, g, k.load(sums, indexOf(s, pitch, g, r)))),
    ),
  );
}
/** Where the sums of a tree start, for `addLeaves`. */
export const placeOf = (k: KernelBuilder, s: TreeSums, pitch: number, tree: Expr): Expr =>
  s.group ? k.let(s.width > 1 ? k.load(s.group, tree) : mul(k.load(s.group, tree), pitch)) : int(0);

/** Adds a leaf (its number) of one tree to each of some neighbouring rows. */
export function addLeaves(k: KernelBuilder, s: TreeSums, sums: Buffer, place: Expr, row: Expr, leaves: readonly Expr[]): void {
  const t = vtype(s.rules.dtype);
  if (s.width > 1) {
    leaves.forEach((leaf, i) => addVector(k, s, sums, k.let(add(mul(add(row, i), s.rules.groups), place)), leaf));
    return;
  }
  const at = k.let(add(place, row));
  const values = leaves.map(leaf => cast(t, k.load(s.values, leaf)));
  if (s.lanes === leaves.length) k.store(sums, at, add(k.load(sums, at, s.lanes), vec(values)));
  else values.forEach((v, i) => k.store(sums, add(at, i), add(k.load(sums, add(at, i)), v)));
}
/** The leaves of a tree in registers, a power of two of vectors. */
interface LeafTable {
  readonly lanes: Lanes;
  readonly vectors: readonly Expr[];
}
/** 2^planes leaves from `first` on, where the target can look them up. */
export function leafTable(k: KernelBuilder, s: TreeSums, first: Expr, planes: number): LeafTable | undefined {
  const lanes = s.lookup;
  const leaves = 2 ** planes;
  if (lanes === undefined || s.width > 1 || leaves < 2 * lanes || leaves > MOST_VECTORS * lanes) return undefined;
  const from = k.let(first);
  const vectors = Array.from({ length: leaves / lanes }, (_, i) => k.let(k.load(s.values, add(from, i * lanes), lanes)));
  return { lanes, vectors };
}
/** Adds to the sums of neighbouring rows the leaves at places (u8, one a row) of one tree. */
export function addLookedUp(
  k: KernelBuilder,
  s: TreeSums,
  sums: Buffer,
  place: Expr,
  row: Expr,
  { lanes, vectors }: LeafTable,
  places: Expr,
): void {
  const at = k.let(cast(maskType(vtype(s.rules.dtype, lanes)), places));
  const to = k.let(add(place, row));
  k.store(sums, to, add(k.load(sums, to, lanes), lookUp(k, vectors, at)));
}
function addVector(k: KernelBuilder, s: TreeSums, sums: Buffer, at: Expr, leaf: Expr): void {
  const t = vtype(s.rules.dtype);
  const from = k.let(mul(leaf, s.width));
  const whole = s.width - (s.width % s.lanes);
  const some = (w: Expr, lanes: Lanes): void => {
    const v = k.load(s.values, add(from, w), lanes);
    k.store(sums, add(at, w), add(k.load(sums, add(at, w), lanes), lanes === 1 ? cast(t, v) : v));
  };
  k.for(0, whole, w => some(w, s.lanes), { step: s.lanes });
  k.for(whole, s.width, w => some(w, 1));
}

/** A row by itself: `walk` finds the leaves of the trees `from` to `to` - 1 and tells them in order. sums: [groups], for vectors. */
export function sumRow(
  k: KernelBuilder,
  s: TreeSums,
  sums: Buffer,
  out: Sink,
  row: Expr,
  walk: (from: Expr, to: Expr, tell: (tree: Expr, leaf: Expr) => void) => void,
): void {
  const { groups, start, end, dtype } = s.rules;
  if (s.width > 1) k.for(0, groups, g => k.store(sums, g, start(k, g)));
  k.for(0, s.runs, run => {
    const [from, to] = [k.let(k.load(s.starts, run)), k.let(k.load(s.starts, add(run, 1)))];
    if (s.width > 1) walk(from, to, (tree, leaf) => addVector(k, s, sums, placeOf(k, s, 1, tree), leaf));
    else {
      const sum = k.var(start(k, run));
      walk(from, to, (_, leaf) => k.set(sum, add(sum, cast(vtype(dtype), k.load(s.values, leaf)))));
      out.store(k, [row, run], end(k, run, sum));
    }
  });
  if (s.width > 1) k.for(0, groups, g => out.store(k, [row, g], end(k, g, k.load(sums, g))));
}
