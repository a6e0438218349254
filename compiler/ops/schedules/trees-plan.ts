import { must } from '../../core/diagnostic.ts';
import { dimAdd, dimFloorDiv, dimHi, dimMin, dimMul, dimSub, symbol, type Dim } from '../../core/dim.ts';
import { fromTyped } from '../../core/tensor.ts';
import { add, gt, mul } from '../../kernel/ir.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import { bytesOf } from '../../core/dtype.ts';
import type { LowerCtx, Sink, SlotBuffer, TreeStrategy } from '../lowering.ts';
import type { Profile } from '../profile.ts';
import { readTables, treeDepths, type TreeTables } from '../trees-tables.ts';
import { COMPARE_SCRATCH, compareTrees, MOST_LEVELS, type CompleteTables } from './trees-compare.ts';
import { completeTrees } from './trees-complete.ts';
import { gatherRows, gatherTrees, makeValues, type SparseTables } from './trees-gather.ts';
import { interleaveTrees } from './trees-interleave.ts';
import { bitsSize, BLOCK, makeBits, makeMasks, testTables } from './trees-masks.ts';
import { sparseTrees } from './trees-sparse.ts';
import { testsOf, type Tests } from './trees-tests.ts';
import { setTables } from './trees-values.ts';
import { sumByWalk, sumRules, type SumRules, type TreeAttrs } from './trees.ts';

/** Rows that `gather` walks at once. */
const GATHER_UNIT = 4;
/** Trees deeper than this are not completed. */
const MOST_DEPTH = 12;
/** Masks of more tests than this (16 MiB) are not kept. */
const MOST_TESTS = 2 ** 20;

/** What an ensemble is like: what the choice of a strategy goes by. */
interface Size {
  readonly trees: number;
  readonly depth: number;
  readonly nodes: number;
  readonly tests: number;
}

/** The sums of an ensemble, by the strategy that is asked for, or that its size asks for. One that does not serve is the plain walk. */
export function sumTrees(c: LowerCtx<TreeAttrs>): void {
  const inputs = Array.from({ length: 12 }, (_, i) => (c.types[i + 1] ? c.constant(i + 1) : undefined));
  const constant = inputs.every((t, i) => t !== undefined || !c.types[i + 1]);
  const plain = c.attrs.aggregate === 'sum' && must(c.types[6]).shape[1] === 1;
  const asked = c.settings.treeStrategy ?? 'auto';
  if (!constant || !plain || asked === 'walk' || !sumBy(c, readTables(inputs), asked)) sumByWalk(c);
}
function sumBy(c: LowerCtx<TreeAttrs>, t: TreeTables, asked: Exclude<TreeStrategy, 'walk'>): boolean {
  const depth = treeDepths(t).reduce((a, b) => Math.max(a, b), 0);
  if (depth === 0) return false;
  if (asked !== 'gather' && depth <= MOST_DEPTH) {
    const tests = testsOf(t, Number(must(c.types[0]).shape[1]));
    const size: Size = { trees: t.root.length, depth, nodes: t.feature.length, tests: tests.count };
    if (asked !== 'auto' ? tests.count <= MOST_TESTS : completes(size, c.profile)) {
      sumByTests(c, t, tests, size, asked);
      return true;
    }
  }
  return sumByGather(c, t);
}

/** Whether trees are worth completing. */
function completes(s: Size, profile: Profile): boolean {
  const waste = (s.trees * 2 ** s.depth) / (s.nodes + s.trees);
  if (s.depth > 6 && waste > 8) return false;
  // Each row has all tests done; without vectors one by one.
  const all = profile.vector.bits >= 128 ? s.tests / 16 : s.tests;
  return s.tests <= MOST_TESTS && all <= 8 * s.trees * s.depth;
}
/**
 * From how many rows on comparing is faster than interleaving: by the instructions of both, about. Tables that the second cache does not
 * hold are read once for a block of rows, or piece by piece for each row.
 */
function crossover(s: Size, levels: number, profile: Profile): number {
  const bytes = s.trees * 2 ** s.depth * 6;
  const [read, pieces] = bytes > profile.cache.l2 ? [bytes / 2, s.trees * 60 * Math.max(1, s.depth - 4)] : [0, 0];
  const block = 5 * s.tests + s.trees * 2 ** levels * 7 + read;
  const compared = s.trees * (9 + 9 * (s.depth - levels));
  const interleaved = s.trees * (6 + 5.5 * s.depth) + s.tests / 8 + pieces;
  return Math.max(4, Math.ceil(block / (interleaved - compared)));
}
/**
 * Trees that are walked at once for one row: the more, the better the processor is busy, but each group of trees is filled up to a
 * multiple. The factors are measured.
 */
function unitOf(t: TreeTables): number {
  const trees = new Int32Array(t.base.length);
  for (const g of t.group) trees[g] = (trees[g] ?? 0) + 1;
  const cost = ([unit, factor]: readonly [number, number]): number =>
    factor * trees.reduce((n, x) => n + Math.ceil(x / unit) * unit, 0);
  const units: readonly (readonly [number, number])[] = [
    [8, 1],
    [4, 1.1],
    [2, 1.5],
    [1, 2.5],
  ];
  return units.reduce((best, u) => (cost(u) < cost(best) ? u : best))[0];
}

/** In blocks of rows: many rows by `compareTrees`, few one by one by `interleaveTrees`, both over the same tables. */
function sumByTests(
  c: LowerCtx<TreeAttrs>,
  t: TreeTables,
  tests: Tests,
  size: Size,
  asked: 'auto' | 'compare' | 'interleave',
): void {
  const { depth } = size;
  const unit = unitOf(t);
  const complete = completeTrees(t, tests.of, depth, unit);
  const ints = (name: string, a: Int32Array): ReturnType<typeof c.weights> =>
    c.weights(name, tests.count <= 2 ** 16 ? fromTyped('u16', [a.length], Uint16Array.from(a)) : fromTyped('i32', [a.length], a));
  const sum = sumRules(c);
  const tables: CompleteTables = {
    depth,
    trees: complete.trees,
    tests: ints('tree_tests', complete.tests),
    values: c.weights('tree_leaves', fromTyped(sum.dtype, [complete.values.length], complete.values)),
    group: sum.groups === 1 ? undefined : c.weights('tree_group', fromTyped('i32', [complete.trees], complete.group)),
  };
  const starts = c.weights('tree_starts', fromTyped('i32', [complete.starts.length], complete.starts));
  const rows = testTables(c, tests, t.categories);
  const out = c.sink(0);
  const batch = must(out.dims[0]);
  const vectors = c.profile.vector.bits >= 128;
  const levels = Math.min(depth, MOST_LEVELS);
  const least = !vectors || asked === 'interleave' ? Infinity : asked === 'compare' ? 1 : crossover(size, levels, c.profile);
  const bits = c.temp('tree_bits', 'u8', bitsSize(tests));

  const compare = (first: Dim, count: Dim): void => {
    const masks = c.temp('tree_masks', 'u8', tests.count * 16);
    const sums = c.temp('tree_sums', sum.dtype, sum.groups * BLOCK);
    const scratch = c.temp('tree_places', 'u8', COMPARE_SCRATCH);
    c.kernel('tree_masks', k => k.if(gt(k.dim(count), 0), () => makeMasks(k, rows, k.dim(first), k.dim(count), masks)));
    c.kernel('tree_start', k => startSums(k, sum, sums, BLOCK, count));
    c.kernel('tree_compare', k =>
      k.if(gt(k.dim(count), 0), () => compareTrees(k, tables, levels, masks, sums, scratch, k.dim(count))),
    );
    c.kernel('tree_end', k => endSums(k, sum, sums, BLOCK, out, first, count));
  };
  const interleave = (from: Dim, to: Dim): void =>
    c.kernel('tree_rows', k =>
      k.for(from, to, row => {
        makeBits(k, rows, row, bits, vectors ? 16 : 1);
        k.for(0, sum.groups, g => {
          const s = k.var(sum.start(k, g));
          interleaveTrees(k, tables, unit, bits, k.let(k.load(starts, g)), k.let(k.load(starts, add(g, 1))), s);
          out.put(k, [row, g], sum.end(k, g, s));
        });
      }),
    );
  const most = dimHi(batch);
  eachBlock(c, batch, BLOCK, (first, count) => {
    // All rows of the block, or none.
    const compared = least > Math.min(BLOCK, most) ? 0 : dimMul(dimMin(dimFloorDiv(count, least), 1), count);
    if (compared !== 0) compare(first, compared);
    interleave(dimAdd(first, compared), dimAdd(first, count));
  });
}

/** Row by row or in blocks of rows over trees of any shape. False where their table would be too large. */
function sumByGather(c: LowerCtx<TreeAttrs>, t: TreeTables): boolean {
  const unit = unitOf(t);
  const sparse = sparseTrees(t, unit, 4 * (t.feature.length + t.values.length + unit * t.base.length) + 1024);
  if (!sparse || sparse.sets.length > 8 * t.root.length) return false;
  const columns = 1 + sparse.numbers.length + sparse.sets.length;
  const sum = sumRules(c);
  const i32 = (name: string, a: Int32Array): SlotBuffer => c.weights(name, fromTyped('i32', [a.length], a));
  const narrow = sparse.links.every(x => x < 2 ** 16);
  const floats = sparse.bounds instanceof Float32Array ? 'f32' : 'f64';
  const tables: SparseTables = {
    columns,
    numbers: sparse.numbers,
    features: i32(
      'tree_features',
      Int32Array.from(sparse.numbers, x => x.feature),
    ),
    x: c.need(0),
    sets: setTables(c, sparse.sets, t.categories),
    links: narrow
      ? c.weights('tree_links', fromTyped('u16', [sparse.links.length], Uint16Array.from(sparse.links)))
      : i32('tree_links', sparse.links),
    bounds: c.weights('tree_bounds', fromTyped(floats, [sparse.bounds.length], sparse.bounds)),
    roots: i32('tree_roots', sparse.roots),
    group: sum.groups === 1 ? undefined : i32('tree_group', sparse.group),
    trees: sparse.roots.length,
  };
  const starts = i32('tree_starts', sparse.starts);
  const out = c.sink(0);
  // As many rows as have their values in half of the first cache.
  const fit = Math.floor(c.profile.cache.l1 / 2 / (columns * bytesOf(floats)) / GATHER_UNIT) * GATHER_UNIT;
  const rows = Math.max(GATHER_UNIT, Math.min(BLOCK, fit));
  const values = c.temp('tree_values', floats, rows * columns);
  const sums = c.temp('tree_sums', sum.dtype, sum.groups * rows);
  eachBlock(c, must(out.dims[0]), rows, (first, count) => {
    c.kernel('tree_values', k => makeValues(k, tables, GATHER_UNIT, k.dim(first), k.dim(count), values));
    const many = dimMul(dimMin(dimFloorDiv(count, Math.ceil(GATHER_UNIT / 2)), 1), count);
    c.kernel('tree_start', k => startSums(k, sum, sums, rows, many));
    c.kernel('tree_gather', k => gatherRows(k, tables, GATHER_UNIT, values, sums, rows, k.dim(many)));
    c.kernel('tree_end', k => endSums(k, sum, sums, rows, out, first, many));
    c.kernel('tree_rows', k =>
      k.for(many, count, r => {
        const row = k.let(add(k.dim(first), r));
        k.for(0, sum.groups, g => {
          const s = k.var(sum.start(k, g));
          const [from, to] = [k.let(k.load(starts, g)), k.let(k.load(starts, add(g, 1)))];
          gatherTrees(k, tables, unit, values, mul(r, columns), from, to, s);
          out.put(k, [row, g], sum.end(k, g, s));
        });
      }),
    );
  });
  return true;
}

function startSums(k: KernelBuilder, sum: SumRules, sums: SlotBuffer, pitch: number, count: Dim): void {
  k.for(0, sum.groups, g => {
    const s = k.let(sum.start(k, g));
    k.for(0, count, r => k.store(sums, add(mul(g, pitch), r), s));
  });
}
function endSums(k: KernelBuilder, sum: SumRules, sums: SlotBuffer, pitch: number, out: Sink, first: Dim, count: Dim): void {
  k.for(0, count, r =>
    k.for(0, sum.groups, g => out.put(k, [k.let(add(k.dim(first), r)), g], sum.end(k, g, k.load(sums, add(mul(g, pitch), r))))),
  );
}
/** Runs steps for each block of rows: its first row, and how many there are. */
function eachBlock(c: LowerCtx<TreeAttrs>, batch: Dim, size: number, body: (first: Dim, count: Dim) => void): void {
  const most = dimHi(batch);
  if (most <= size) {
    body(0, batch);
    return;
  }
  const blocks = Math.ceil(most / size);
  const at = symbol(`tree_block_${blocks}`, 0, blocks - 1);
  c.loop(at, dimFloorDiv(dimAdd(batch, size - 1), size), undefined, () => {
    const first = dimMul(at, size);
    body(first, dimMin(size, dimSub(batch, first)));
  });
}
