/**
 * QuickScorer's order (Lucchese et al., QuickScorer: a Fast Algorithm to Rank Documents with Additive Ensembles of Regression Trees, 2015):
 * not tree by tree but feature by feature, each distinct test once for the whole ensemble (`masks.ts`). QuickScorer keeps a bit for each
 * leaf of a tree; here a mask has a bit for each row of a block, and the path of all rows is chosen by bitwise selections.
 * ```
 * for tree:
 *   for level l in 0..levels:                           outcome[l]: a mask, a bit for each row
 *     outcome[l] = the test of each row's node: 2^l masks, halved by select(outcome[l - 1]), …, select(outcome[0])        8 at a time
 *   for 16, 32 or 64 rows (the bytes of a vector):
 *     place = the bits of outcome[0], …, as bytes
 *     for row by lanes: sums[group][row] += leaf[place]     table lookups in registers, or loads; deeper levels are walked
 * ```
 */
import { must } from '../../../core/diagnostic.ts';
import type { Buffer, KernelBuilder } from '../../../kernel/builder.ts';
import {
  add,
  and,
  eq,
  int,
  konst,
  mul,
  reinterpret,
  select,
  shl,
  shr,
  splat,
  sub,
  vec,
  vtype,
  type Expr,
} from '../../../kernel/ir.ts';
import { blockOf, type MaskLanes, type Masks } from './masks.ts';
import { addLeaves, addLookedUp, leafTable, placeOf, type TreeSums } from './sums.ts';

/** Completed trees in memory; see `Complete`. */
export interface CompleteTables {
  readonly depth: number;
  readonly trees: number;
  /** u16 or i32. */
  readonly tests: Buffer;
}
/** Levels at most that `scoreComplete` decides by comparing all of their nodes: a place has to fit a byte. */
export const MOST_LEVELS = 8;
/** Nodes that are chosen from at once: as many as there are registers for. */
const CHUNK = 8;

/**
 * Adds to the sums of the rows of a block the leaf of each tree, in order. masks: of `makeMasks`, sums: [groups, rows of a block], scratch:
 * u8[QUICKSCORER_SCRATCH, lanes]. The way of all rows through the upper `levels` levels is found at once, bit by bit: on level l each row is at one
 * of 2^l nodes, and the outcome of its test is chosen from theirs by the outcomes on the levels above, from the lowest up. Then the
 * outcomes of as many rows as a vector has bytes become their places, bytes, and what is left of a tree is walked.
 */
export function scoreComplete(
  k: KernelBuilder,
  t: CompleteTables,
  levels: number,
  to: TreeSums,
  masks: Masks,
  sums: Buffer,
  scratch: Buffer,
  rows: Expr,
): void {
  const { lanes } = masks;
  const size = 2 ** t.depth;
  const plane = (l: number): Expr => int(l * lanes);
  const kept = (i: Expr): Expr => add(mul(i, lanes), MOST_LEVELS * lanes);
  k.for(0, t.trees, tree => {
    const node = k.let(mul(tree, size));
    const maskOf = (h: Expr): Expr => k.load(masks.bits, mul(k.load(t.tests, add(node, h)), lanes), lanes);
    for (let l = 0; l < levels; l++) {
      let n = 2 ** l;
      let from = (i: Expr): Expr => maskOf(add(i, 2 ** l));
      let by = l - 1;
      // Chosen results of one round are the candidates of the next.
      for (;;) {
        const chunk = Math.min(n, CHUNK);
        const rounds = Math.log2(chunk);
        const selectors = Array.from({ length: rounds }, (_, i) => by - i);
        const load = from;
        k.for(0, n / chunk, c => {
          const outcome = selectors.map(p => k.let(k.load(scratch, plane(p), lanes)));
          let x = Array.from({ length: chunk }, (_, i) => load(add(mul(c, chunk), i)));
          for (const bit of outcome)
            x = Array.from({ length: x.length / 2 }, (_, i) => k.let(select(bit, must(x[2 * i + 1]), must(x[2 * i]))));
          k.store(scratch, n === chunk ? plane(l) : kept(c), must(x[0]));
        });
        if (n === chunk) break;
        n /= chunk;
        by -= rounds;
        from = i => k.load(scratch, kept(i), lanes);
      }
    }
    const rest = t.depth - levels;
    const walk: LowerLevels = (place, goesRight) => {
      let h = k.let(add(place, 2 ** levels));
      for (let d = 0; d < rest; d++) h = k.let(add(shl(h, 1), goesRight(k.load(t.tests, add(node, h)))));
      return sub(h, size);
    };
    addPlaces(k, { planes: levels, first: node, walk: rest > 0 ? walk : undefined }, to, tree, masks, sums, scratch, rows);
  });
}
/** The leaf that a row reaches from a place, among those of its tree. `goesRight`: the outcome of a test for the row, 0 or 1. */
type LowerLevels = (place: Expr, goesRight: (test: Expr) => Expr) => Expr;
/** Where the rows of a block are: the first of scratch are planes, a bit of each row's place each, the highest first. */
interface LeafPlanes {
  readonly planes: number;
  /** The first leaf of the tree: 2^planes may be read from there. */
  readonly first: Expr;
  /** Leads from places to leaves; absent: they are the leaves. */
  readonly walk: LowerLevels | undefined;
}
/** Adds the leaf of each row's place to its sum. */
export function addPlaces(
  k: KernelBuilder,
  { planes, first, walk }: LeafPlanes,
  to: TreeSums,
  tree: Expr,
  masks: Masks,
  sums: Buffer,
  scratch: Buffer,
  rows: Expr,
): void {
  const { lanes } = masks;
  const bytes = lanes / 8;
  const rowsType = vtype('u8', lanes);
  const kept = KEPT * lanes;
  const sum = placeOf(k, to, blockOf(lanes), tree);
  const pattern = k.let(bitPattern(lanes));
  const table = walk ? undefined : leafTable(k, to, first, planes);
  k.for(
    0,
    rows,
    row => {
      const group = k.let(shr(row, Math.log2(lanes)));
      const bitsOf = (plane: number): Expr => {
        const some = k.load(scratch, add(group, plane * 8), 1, PIECE[lanes]);
        return reinterpret(rowsType, splat(some, 8, PIECE[lanes]));
      };
      let place = konst(rowsType, 0);
      for (let l = 0; l < planes; l++) {
        const set = reinterpret(rowsType, eq(and(bitsOf(l), pattern), pattern));
        place = k.let(sub(l === 0 ? place : add(place, place), set));
      }
      k.store(scratch, kept, place);
      const some = (r: Expr): void => {
        if (table) {
          addLookedUp(k, to, sums, sum, k.let(add(row, r)), table, k.load(scratch, add(r, kept), table.lanes));
          return;
        }
        const leaves = Array.from({ length: to.lanes }, (_, i) => {
          const place = k.load(scratch, add(r, kept + i));
          if (!walk) return add(first, place);
          const own = k.let(add(r, i));
          const at = k.let(add(mul(group, bytes), and(own, bytes - 1)));
          const bit = k.let(shr(own, Math.log2(bytes)));
          return add(
            first,
            walk(place, test => and(shr(k.load(masks.bits, add(mul(test, lanes), at)), bit), 1)),
          );
        });
        addLeaves(k, to, sums, sum, k.let(add(row, r)), leaves);
      };
      const step = table?.lanes ?? to.lanes;
      // Walking and adding vectors is long code.
      if (walk || to.width > 1) k.for(0, lanes, some, { step });
      else for (let r = 0; r < lanes; r += step) some(int(r));
    },
    { step: lanes },
  );
}
/** An integer of as many bytes as rows of a vector have in a mask. */
const PIECE = { 16: 'u16', 32: 'i32', 64: 'i64' } as const;
/** In scratch, in vectors: planes, chosen results of a level, and the places of some rows. */
const KEPT = MOST_LEVELS + 2 ** (MOST_LEVELS - 1) / CHUNK;
export const QUICKSCORER_SCRATCH = KEPT + 1;
/** Which bit of its byte is a row's: the bytes of a group of rows, repeated. */
function bitPattern(lanes: MaskLanes): Expr {
  const words = Array.from({ length: lanes / 8 }, (_, w) => {
    let word = 0n;
    for (let i = 0; i < 8; i++) word |= 1n << BigInt(8 * i + Math.floor((8 * w + i) / (lanes / 8)));
    return { k: 'const', t: vtype('i64'), value: BigInt.asIntN(64, word) } as const;
  });
  return reinterpret(vtype('u8', lanes), vec(words));
}
