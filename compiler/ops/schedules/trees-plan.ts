import { must } from '../../core/diagnostic.ts';
import { dimAdd, dimFloorDiv, dimHi, dimMin, dimMul, dimSub, symbol, type Dim } from '../../core/dim.ts';
import { fromTyped } from '../../core/tensor.ts';
import { add, gt, mul } from '../../kernel/ir.ts';
import type { LowerCtx } from '../lowering.ts';
import type { Profile } from '../profile.ts';
import { readTables, treeDepths, type TreeTables } from '../trees-tables.ts';
import { COMPARE_SCRATCH, compareTrees, MOST_LEVELS, type CompleteTables } from './trees-compare.ts';
import { completeTrees } from './trees-complete.ts';
import { interleaveTrees } from './trees-interleave.ts';
import { bitsSize, BLOCK, makeBits, makeMasks, testTables } from './trees-masks.ts';
import { testsOf, type Tests } from './trees-tests.ts';
import { sumByWalk, sumRules, type TreeAttrs } from './trees.ts';

/** Trees that `interleave` walks at once. */
const UNIT = 4;
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

/** The sums of an ensemble, by the strategy that its size asks for. */
export function sumTrees(c: LowerCtx<TreeAttrs>): void {
  const inputs = Array.from({ length: 12 }, (_, i) => (c.types[i + 1] ? c.constant(i + 1) : undefined));
  const constant = inputs.every((t, i) => t !== undefined || !c.types[i + 1]);
  const plain = c.attrs.aggregate === 'sum' && must(c.types[6]).shape[1] === 1;
  const t = constant && plain ? readTables(inputs) : undefined;
  const tests = t && testsOf(t, Number(must(c.types[0]).shape[1]));
  if (t && tests && completes(sizeOf(t, tests), c.profile)) sumByTests(c, t, tests);
  else sumByWalk(c);
}
const sizeOf = (t: TreeTables, tests: Tests): Size => ({
  trees: t.root.length,
  depth: treeDepths(t).reduce((a, b) => Math.max(a, b), 0),
  nodes: t.feature.length,
  tests: tests.count,
});

/** Whether trees are worth completing. */
function completes(s: Size, profile: Profile): boolean {
  if (s.depth === 0 || s.depth > MOST_DEPTH) return false;
  const waste = (s.trees * 2 ** s.depth) / (s.nodes + s.trees);
  if (s.depth > 6 && waste > 8) return false;
  // Each row has all tests done; without vectors one by one.
  const all = profile.vector.bits >= 128 ? s.tests / 16 : s.tests;
  return s.tests <= MOST_TESTS && all <= 8 * s.trees * s.depth;
}
/** From how many rows on comparing is faster than interleaving: by the instructions of both, about. */
function crossover(s: Size, levels: number): number {
  const block = 5 * s.tests + s.trees * 2 ** levels * 7;
  const compared = s.trees * (9 + 9 * (s.depth - levels));
  const interleaved = s.trees * (6 + 5.5 * s.depth) + s.tests / 8;
  return Math.max(4, Math.ceil(block / (interleaved - compared)));
}

/** In blocks of rows: many rows by `compareTrees`, few one by one by `interleaveTrees`, both over the same tables. */
function sumByTests(c: LowerCtx<TreeAttrs>, t: TreeTables, tests: Tests): void {
  const size = sizeOf(t, tests);
  const { depth } = size;
  const complete = completeTrees(t, tests.of, depth, UNIT);
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
  const least = vectors ? crossover(size, levels) : Infinity;
  const bits = c.temp('tree_bits', 'u8', bitsSize(tests));

  const compare = (first: Dim, count: Dim): void => {
    const masks = c.temp('tree_masks', 'u8', tests.count * 16);
    const sums = c.temp('tree_sums', sum.dtype, sum.groups * BLOCK);
    const scratch = c.temp('tree_places', 'u8', COMPARE_SCRATCH);
    c.kernel('tree_masks', k => k.if(gt(k.dim(count), 0), () => makeMasks(k, rows, k.dim(first), k.dim(count), masks)));
    c.kernel('tree_start', k =>
      k.for(0, sum.groups, g => {
        const s = k.let(sum.start(k, g));
        k.for(0, count, r => k.store(sums, add(mul(g, BLOCK), r), s));
      }),
    );
    c.kernel('tree_compare', k =>
      k.if(gt(k.dim(count), 0), () => compareTrees(k, tables, levels, masks, sums, scratch, k.dim(count))),
    );
    c.kernel('tree_end', k =>
      k.for(0, count, r =>
        k.for(0, sum.groups, g =>
          out.put(k, [k.let(add(k.dim(first), r)), g], sum.end(k, g, k.load(sums, add(mul(g, BLOCK), r)))),
        ),
      ),
    );
  };
  const interleave = (from: Dim, to: Dim): void =>
    c.kernel('tree_rows', k =>
      k.for(from, to, row => {
        makeBits(k, rows, row, bits, vectors ? 16 : 1);
        k.for(0, sum.groups, g => {
          const s = k.var(sum.start(k, g));
          interleaveTrees(k, tables, UNIT, bits, k.let(k.load(starts, g)), k.let(k.load(starts, add(g, 1))), s);
          out.put(k, [row, g], sum.end(k, g, s));
        });
      }),
    );
  const most = dimHi(batch);
  eachBlock(c, batch, (first, count) => {
    // All rows of the block, or none.
    const compared = least > Math.min(BLOCK, most) ? 0 : dimMul(dimMin(dimFloorDiv(count, least), 1), count);
    if (compared !== 0) compare(first, compared);
    interleave(dimAdd(first, compared), dimAdd(first, count));
  });
}

/** Runs steps for each block of rows: its first row, and how many there are. */
export function eachBlock(c: LowerCtx<TreeAttrs>, batch: Dim, body: (first: Dim, count: Dim) => void): void {
  const most = dimHi(batch);
  if (most <= BLOCK) {
    body(0, batch);
    return;
  }
  const at = symbol(`tree_block_${most}`, 0, Math.ceil(most / BLOCK) - 1);
  c.loop(at, dimFloorDiv(dimAdd(batch, BLOCK - 1), BLOCK), undefined, () => {
    const first = dimMul(at, BLOCK);
    body(first, dimMin(BLOCK, dimSub(batch, first)));
  });
}
