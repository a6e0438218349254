import { must } from '../../core/diagnostic.ts';
import type { Buffer, KernelBuilder } from '../../kernel/builder.ts';
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
} from '../../kernel/ir.ts';
import { BLOCK } from './trees-masks.ts';
import { addLeaves, placeOf, type TreeSums } from './trees-sums.ts';

/** Completed trees in memory; see `Complete`. */
export interface CompleteTables {
  readonly depth: number;
  readonly trees: number;
  /** u16 or i32. */
  readonly tests: Buffer;
}
/** Levels at most that `compareTrees` decides by comparing all of their nodes: a place has to fit a byte. */
export const MOST_LEVELS = 8;
export const ROWS = vtype('u8', 16);
/** Nodes that are chosen from at once: as many as there are registers for. */
const CHUNK = 8;

/**
 * Adds to the sums of the rows of a block the leaf of each tree, in order. masks: of `makeMasks`, sums: [groups, BLOCK], scratch:
 * u8[COMPARE_SCRATCH]. The way of all rows through the upper `levels` levels is found at once, bit by bit: on level l each row is at one
 * of 2^l nodes, and the outcome of its test is chosen from theirs by the outcomes on the levels above, from the lowest up. Then the
 * outcomes of 16 rows at a time become their places, bytes, and what is left of a tree is walked.
 */
export function compareTrees(
  k: KernelBuilder,
  t: CompleteTables,
  levels: number,
  to: TreeSums,
  masks: Buffer,
  sums: Buffer,
  scratch: Buffer,
  rows: Expr,
): void {
  const size = 2 ** t.depth;
  const plane = (l: number): Expr => int(l * 16);
  const kept = (i: Expr): Expr => add(mul(i, 16), MOST_LEVELS * 16);
  k.for(0, t.trees, tree => {
    const node = k.let(mul(tree, size));
    const maskOf = (h: Expr): Expr => k.load(masks, mul(k.load(t.tests, add(node, h)), 16), 16);
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
          const outcome = selectors.map(p => k.let(k.load(scratch, plane(p), 16)));
          let x = Array.from({ length: chunk }, (_, i) => load(add(mul(c, chunk), i)));
          for (const bit of outcome)
            x = Array.from({ length: x.length / 2 }, (_, i) => k.let(select(bit, must(x[2 * i + 1]), must(x[2 * i]))));
          k.store(scratch, n === chunk ? plane(l) : kept(c), must(x[0]));
        });
        if (n === chunk) break;
        n /= chunk;
        by -= rounds;
        from = i => k.load(scratch, kept(i), 16);
      }
    }
    const rest = t.depth - levels;
    const leaf = (place: Expr, w: Walker): Expr => {
      if (rest === 0) return add(node, place);
      let h = k.let(add(place, 2 ** levels));
      for (let d = 0; d < rest; d++) h = k.let(add(shl(h, 1), w.goesRight(k.load(t.tests, add(node, h)))));
      return add(node, sub(h, size));
    };
    addPlaces(k, levels, leaf, rest > 0, to, tree, masks, sums, scratch, rows);
  });
}
/** A row in the middle of `addPlaces`. */
export interface Walker {
  /** The outcome of a test, 0 or 1. */
  readonly goesRight: (test: Expr) => Expr;
}
/**
 * Turns planes, the first of scratch, into places, a bit of each plane, the first being the highest; and adds the leaf of that place
 * (its number) to the sum of each row. `loop`: finding a leaf is long code, so that it stands there once for 16 rows.
 */
export function addPlaces(
  k: KernelBuilder,
  planes: number,
  leaf: (place: Expr, w: Walker) => Expr,
  loop: boolean,
  to: TreeSums,
  tree: Expr,
  masks: Buffer,
  sums: Buffer,
  scratch: Buffer,
  rows: Expr,
): void {
  const sum = placeOf(k, to, BLOCK, tree);
  const pattern = k.let(bitPattern());
  k.for(
    0,
    rows,
    row => {
      const pair = k.let(shr(row, 4));
      let place = konst(ROWS, 0);
      for (let l = 0; l < planes; l++) {
        const two = splat(k.load(scratch, add(pair, l * 8), 1, 'u16'), 8, 'u16');
        const set = reinterpret(ROWS, eq(and(reinterpret(ROWS, two), pattern), pattern));
        place = k.let(sub(l === 0 ? place : add(place, place), set));
      }
      k.store(scratch, KEPT, place);
      const { lanes } = to;
      const some = (r: Expr): void => {
        const leaves = Array.from({ length: lanes }, (_, i) => {
          const goesRight = (test: Expr): Expr => {
            const byte = k.load(masks, add(add(mul(test, 16), mul(pair, 2)), i & 1));
            return and(shr(byte, add(shr(r, 1), i >> 1)), 1);
          };
          return leaf(k.load(scratch, add(r, KEPT + i)), { goesRight });
        });
        addLeaves(k, to, sums, sum, k.let(add(row, r)), leaves);
      };
      if (loop || to.width > 1) k.for(0, 16, some, { step: lanes });
      else for (let r = 0; r < 16; r += lanes) some(int(r));
    },
    { step: 16 },
  );
}
/** Planes, chosen results of a level, and the places of 16 rows. */
const KEPT = (MOST_LEVELS + 2 ** (MOST_LEVELS - 1) / CHUNK) * 16;
export const COMPARE_SCRATCH = KEPT + 16;
/** Bit i / 2 in byte i of 16: which bit of two bytes, repeated, is the row's. */
const bitPattern = (): Expr =>
  reinterpret(
    ROWS,
    vec([
      { k: 'const', t: vtype('i64'), value: 0x0808040402020101n },
      { k: 'const', t: vtype('i64'), value: BigInt.asIntN(64, 0x8080404020201010n) },
    ]),
  );
