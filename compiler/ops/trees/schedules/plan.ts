/**
 * How an ensemble's sums become kernels:
 * ```
 * for block of rows, parallel:                          tests first             for block of rows, parallel:        gather
 *   enough rows for a block:  makeMasks; sums = start; quickscorer; y = end       makeValues; sums = start; gatherRows; y = end
 *   else: for row, parallel:  makeBits; for tree by unit: interleave; y           single rows: gatherTrees
 * ```
 */
import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimFloorDiv, dimHi, dimMin, dimMul, dimSub, symbol, type Dim } from '../../../core/dim.ts';
import { fromTyped } from '../../../core/tensor.ts';
import { add, gt, mul, type Expr } from '../../../kernel/ir.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import { bytesOf } from '../../../core/dtype.ts';
import type { LowerCtx, SlotBuffer, TreeStrategy } from '../../lowering.ts';
import { readTables, treeDepths, type TreeTables } from '../tables.ts';
import { QUICKSCORER_SCRATCH, scoreComplete, MOST_LEVELS, type CompleteTables } from './quickscorer.ts';
import { completeTrees } from './complete.ts';
import { gatherRows, gatherTrees, makeValues, type SparseTables } from './gather.ts';
import { interleaveTrees } from './interleave.ts';
import { scoreListed, interleaveListed, LISTED_SCRATCH, listTrees, type ListedTables } from './quickscorer-listed.ts';
import { bitsSize, blockOf, makeBits, makeMasks, testTables, type MaskLanes, type Masks, type TestTables } from './masks.ts';
import { sparseTrees } from './sparse.ts';
import { endSums, orderTrees, startSums, sumRow, treeSums, type TreeSums } from './sums.ts';
import { GROUP, testsOf, type Tests } from './tests.ts';
import { setTables } from './values.ts';
import { sumByWalk, type TreeAttrs } from './walk.ts';

/** Rows of a block that `gather` walks, at most. */
const GATHER_BLOCK = 128;
/** Rows that `gather` walks at once. */
const GATHER_UNIT = 4;
/** Trees deeper than this are not completed. */
const MOST_DEPTH = 12;
/** Masks of more tests than this (16 MiB) are not kept. */
const MOST_TESTS = 2 ** 20;
/** Tests are listed by feature, of which there are hardly more: rows of more (4 MiB) are walked. */
const MOST_FEATURES = 2 ** 20;

/**
 * The sums of an ensemble, by the strategy that the caller asks for, or else by the cheapest for its size. Falls back to the plain walk
 * where the strategy cannot express the ensemble (see `sumBy`).
 */
export function sumTrees(c: LowerCtx<TreeAttrs>): void {
  const inputs = Array.from({ length: 12 }, (_, i) => (c.types[i + 1] ? c.constant(i + 1) : undefined));
  const constant = inputs.every((t, i) => t !== undefined || !c.types[i + 1]);
  const plain = c.attrs.aggregate === 'sum';
  const asked = c.settings.treeStrategy ?? 'auto';
  if (!constant || !plain || asked === 'walk' || !sumBy(c, readTables(inputs), asked)) sumByWalk(c);
}
function sumBy(c: LowerCtx<TreeAttrs>, t: TreeTables, asked: Exclude<TreeStrategy, 'walk'>): boolean {
  const depths = treeDepths(t);
  const depth = depths.reduce((a, b) => Math.max(a, b), 0);
  if (depth === 0) return false;
  const features = Number(must(c.types[0]).shape[1]);
  if (asked !== 'gather' && features <= MOST_FEATURES) {
    const tests = testsOf(t, features);
    const steps = depths.reduce((a, b) => a + b, 0);
    const trees = tests.count <= MOST_TESTS ? (completed(c, t, tests, depth) ?? listed(c, t, tests, steps)) : undefined;
    if (trees && (asked !== 'auto' || worthTests(c, tests, trees, steps, t.root.length))) {
      sumByTests(c, trees, testTables(c, tests, t.categories), asked);
      return true;
    }
  }
  return sumByGather(c, t);
}

/**
 * Cost model, in instructions per row: whether evaluating all distinct tests of the ensemble first is cheaper than walking the trees. It
 * is not where there are many features for few trees, or so many thresholds that hardly a test is shared by two nodes.
 */
function worthTests(c: LowerCtx<TreeAttrs>, tests: Tests, { cost }: TestedTrees, steps: number, trees: number): boolean {
  const groups = tests.kinds.flatMap(k => k.groups);
  const search = groups.reduce((n, g) => n + GROUP * (7 * g.steps + 12), 0) + 25 * tests.sets.length;
  const gathered = 4 * GROUP * groups.length + 25 * tests.sets.length + 17 * steps + 12 * trees;
  // Without vectors bytes are written one by one.
  const vectors = c.profile.vector.bits >= 128;
  const alone = search + (vectors ? tests.count / 8 : 2 * tests.count) + cost.singleRow;
  const block = search + (3 * tests.count + cost.block) / blockOf(maskLanes(c, tests)) + cost.blockRow;
  return Math.min(alone, vectors ? block : Infinity) <= 1.2 * gathered && alone <= 2.5 * gathered;
}

/** Trees over tests: what blocks of rows and single rows need. */
interface TestedTrees {
  readonly sums: TreeSums;
  /** Vectors. */
  readonly scratch: number;
  /**
   * About the instructions (measured, of WebAssembly on V8) of a block of rows, of a row in a block, and of a row alone, without the tests;
   * and what a row alone costs more because the tables are not in the cache.
   */
  readonly cost: { readonly block: number; readonly blockRow: number; readonly singleRow: number; readonly misses: number };
  quickscorer(k: KernelBuilder, masks: Masks, sums: SlotBuffer, scratch: SlotBuffer, rows: Expr): void;
  interleave(k: KernelBuilder, bits: SlotBuffer, from: Expr, to: Expr, tell: Tell): void;
}
type Tell = (tree: Expr, leaf: Expr) => void;
const testIds = (c: LowerCtx<TreeAttrs>, tests: Tests, ids: Int32Array): SlotBuffer =>
  c.weights(
    'tree_tests',
    tests.count <= 2 ** 16 ? fromTyped('u16', [ids.length], Uint16Array.from(ids)) : fromTyped('i32', [ids.length], ids),
  );
const i32 = (c: LowerCtx<TreeAttrs>, name: string, a: Int32Array): SlotBuffer => c.weights(name, fromTyped('i32', [a.length], a));
const floats = (c: LowerCtx<TreeAttrs>, name: string, a: Float32Array | Float64Array): SlotBuffer =>
  c.weights(name, fromTyped(a instanceof Float32Array ? 'f32' : 'f64', [a.length], a));

/** Completed trees, where that does not waste much. */
function completed(c: LowerCtx<TreeAttrs>, t: TreeTables, tests: Tests, depth: number): TestedTrees | undefined {
  const size = t.root.length * 2 ** depth;
  if (depth > MOST_DEPTH || (depth > 4 && size > 4 * (t.feature.length + t.root.length))) return undefined;
  const unit = unitOf(t);
  const order = orderTrees(t, unit);
  const of = completeTrees(t, tests.of, depth, order);
  const tables: CompleteTables = {
    depth,
    trees: of.trees,
    tests: testIds(c, tests, of.tests),
  };
  const sums = treeSums(c, t, order, floats(c, 'tree_leaves', of.values));
  const levels = Math.min(depth, MOST_LEVELS);
  // Tables that the second cache does not hold are read once for a block of rows, or piece by piece for each row.
  const large = size * 6 > c.profile.cache.l2;
  return {
    sums,
    scratch: QUICKSCORER_SCRATCH,
    cost: {
      block: of.trees * (60 + 2 ** levels * 4) + (large ? size * 3 : 0),
      blockRow: of.trees * (9 + 9 * (depth - levels)),
      singleRow: of.trees * (6 + 5.5 * depth),
      misses: large ? of.trees * 60 * Math.max(1, depth - 4) : 0,
    },
    quickscorer: (k, masks, to, scratch, rows) => scoreComplete(k, tables, levels, sums, masks, to, scratch, rows),
    interleave: (k, bits, from, to, tell) => interleaveTrees(k, tables, unit, bits, from, to, tell),
  };
}
/** Listed trees, where none has too many leaves. */
function listed(c: LowerCtx<TreeAttrs>, t: TreeTables, tests: Tests, steps: number): TestedTrees | undefined {
  const unit = unitOf(t);
  const order = orderTrees(t, unit);
  const of = listTrees(t, tests.of, order, c.profile.vector.permute);
  if (!of) return undefined;
  const tables: ListedTables = {
    trees: of.trees,
    planes: of.planes,
    tests: testIds(c, tests, of.tests),
    next: c.weights('tree_next', fromTyped('u16', [of.next.length], Uint16Array.from(of.next))),
    places: i32(c, 'tree_places', of.places),
  };
  const sums = treeSums(c, t, order, floats(c, 'tree_leaves', of.values));
  return {
    sums,
    scratch: LISTED_SCRATCH,
    cost: {
      block: of.tests.length * 12 + of.trees * (60 + 2 ** of.planes * 2),
      blockRow: of.trees * 9,
      singleRow: steps * 11,
      misses: 0,
    },
    quickscorer: (k, masks, to, scratch, rows) => scoreListed(k, tables, sums, masks, to, scratch, rows),
    interleave: (k, bits, from, to, tell) => interleaveListed(k, tables, unit, bits, from, to, tell),
  };
}
/** Bytes of a mask: a vector, or less of it where the second cache would not hold the masks of all tests. */
function maskLanes(c: LowerCtx<TreeAttrs>, tests: Tests): MaskLanes {
  const { vector, cache } = c.profile;
  return ([64, 32] as const).find(lanes => 8 * lanes <= vector.bits && tests.count * lanes <= cache.l2) ?? 16;
}
/** From how many rows on a block is faster by QuickScorer than row by row. */
function crossover(t: TestedTrees, tests: number): number {
  const { block, blockRow, singleRow, misses } = t.cost;
  return Math.max(4, Math.ceil((block + 3 * tests) / Math.max(1, singleRow + misses + tests / 8 - blockRow)));
}
/**
 * Trees that are walked at once for one row: the more, the better the processor is busy, but each group of trees is filled up to a
 * multiple. The factors are measured.
 */
function unitOf(t: TreeTables): number {
  const trees = new Int32Array(t.base.length);
  for (const g of t.group) trees[t.width > 1 ? 0 : g] = (trees[t.width > 1 ? 0 : g] ?? 0) + 1;
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

/** In blocks of rows: many rows together, few one by one, both over the same tables. */
function sumByTests(
  c: LowerCtx<TreeAttrs>,
  trees: TestedTrees,
  rows: TestTables,
  asked: 'auto' | 'quickscorer' | 'interleave',
): void {
  const { tests } = rows;
  const sum = trees.sums;
  const out = c.sink(0);
  const batch = must(out.dims[0]);
  const vectors = c.profile.vector.bits >= 128;
  const least = !vectors || asked === 'interleave' ? Infinity : asked === 'quickscorer' ? 1 : crossover(trees, tests.count);
  const one = c.scratch('tree_row', sum.rules.dtype, sum.rules.groups);
  const bits = c.scratch('tree_bits', 'u8', bitsSize(tests));

  const lanes = maskLanes(c, tests);
  const block = blockOf(lanes);
  const quickscorer = (first: Dim, count: Dim): void => {
    const masks: Masks = { lanes, bits: c.scratch('tree_masks', 'u8', tests.count * lanes) };
    const sums = c.scratch('tree_sums', sum.rules.dtype, sum.rules.groups * block);
    const scratch = c.scratch('tree_places', 'u8', trees.scratch * lanes);
    c.kernel('tree_masks', k => k.if(gt(k.dim(count), 0), () => makeMasks(k, rows, k.dim(first), k.dim(count), masks)));
    c.kernel('tree_start', k => startSums(k, sum, sums, block, count));
    c.kernel('tree_compare', k => k.if(gt(k.dim(count), 0), () => trees.quickscorer(k, masks, sums, scratch, k.dim(count))));
    c.kernel('tree_end', k => endSums(k, sum, sums, block, out, first, count));
  };
  const interleave = (from: Dim, to: Dim): void =>
    c.kernel('tree_rows', k =>
      k.for(
        from,
        to,
        row => {
          makeBits(k, rows, row, bits, vectors ? 16 : 1);
          sumRow(k, sum, one, out, row, (from, to, tell) => trees.interleave(k, bits, from, to, tell));
        },
        { parallel: true },
      ),
    );
  const most = dimHi(batch);
  eachBlock(c, batch, block, (first, count) => {
    // All rows of the block, or none.
    const scored = least > Math.min(block, most) ? 0 : dimMul(dimMin(dimFloorDiv(count, least), 1), count);
    if (scored !== 0) quickscorer(first, scored);
    interleave(dimAdd(first, scored), dimAdd(first, count));
  });
}

/** Row by row or in blocks of rows over trees of any shape. False where their table would be too large. */
function sumByGather(c: LowerCtx<TreeAttrs>, t: TreeTables): boolean {
  const unit = unitOf(t);
  const order = orderTrees(t, unit);
  const sparse = sparseTrees(t, order, 4 * (t.feature.length + t.values.length + unit * t.base.length) + 1024);
  if (!sparse || sparse.sets.length > 8 * t.root.length) return false;
  const columns = 1 + sparse.numbers.length + sparse.sets.length;
  const narrow = sparse.links.every(x => x < 2 ** 16);
  const tables: SparseTables = {
    columns,
    numbers: sparse.numbers,
    features: i32(
      c,
      'tree_features',
      Int32Array.from(sparse.numbers, x => x.feature),
    ),
    x: c.need(0),
    sets: setTables(c, sparse.sets, t.categories),
    links: narrow
      ? c.weights('tree_links', fromTyped('u16', [sparse.links.length], Uint16Array.from(sparse.links)))
      : i32(c, 'tree_links', sparse.links),
    bounds: floats(c, 'tree_bounds', sparse.bounds),
    roots: i32(c, 'tree_roots', sparse.roots),
    trees: sparse.roots.length,
  };
  const sum = treeSums(c, t, order, sparse.values ? floats(c, 'tree_leaves', sparse.values) : tables.bounds);
  const one = c.scratch('tree_row', sum.rules.dtype, sum.rules.groups);
  const out = c.sink(0);
  // As many rows as have their values in half of the first cache.
  const fit = Math.floor(c.profile.cache.l1 / 2 / (columns * bytesOf(tables.bounds.dtype)) / GATHER_UNIT) * GATHER_UNIT;
  const rows = Math.max(GATHER_UNIT, Math.min(GATHER_BLOCK, fit));
  const values = c.scratch('tree_values', tables.bounds.dtype, rows * columns);
  const sums = c.scratch('tree_sums', sum.rules.dtype, sum.rules.groups * rows);
  eachBlock(c, must(out.dims[0]), rows, (first, count) => {
    c.kernel('tree_values', k => makeValues(k, tables, GATHER_UNIT, k.dim(first), k.dim(count), values));
    const many = dimMul(dimMin(dimFloorDiv(count, Math.ceil(GATHER_UNIT / 2)), 1), count);
    c.kernel('tree_start', k => startSums(k, sum, sums, rows, many));
    c.kernel('tree_gather', k => gatherRows(k, tables, GATHER_UNIT, sum, values, sums, rows, k.dim(many)));
    c.kernel('tree_end', k => endSums(k, sum, sums, rows, out, first, many));
    c.kernel('tree_rows', k =>
      k.for(many, count, r => {
        const row = k.let(add(k.dim(first), r));
        sumRow(k, sum, one, out, row, (from, to, tell) =>
          gatherTrees(k, tables, unit, sum, values, mul(r, columns), from, to, tell),
        );
      }),
    );
  });
  return true;
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
  c.parallelLoop(at, dimFloorDiv(dimAdd(batch, size - 1), size), () => {
    const first = dimMul(at, size);
    body(first, dimMin(size, dimSub(batch, first)));
  });
}
