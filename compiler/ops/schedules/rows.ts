/**
 * How `n` rows are cut into blocks of MR rows (`most`), for `gemm.ts` and others.
 * ```
 * n known, and a multiple of MR or at most 10 MR:       for each height of nearly equal blocks: for block, parallel: body(first, height)
 * else: if n < the lowest height:                       for row in 0..n, parallel: body(row, 1)
 *       else: for t in 0..ceil(n / MR), parallel:       first = min(t * MR, n - MR); body(first, MR, skip = t * MR - first)
 * with lower heights (`few`, or MR > 8):                the last t covers what is left by blocks of 8 or 4 rows instead
 * ```
 * The last block overlaps the one before it, so that there are no remainder kernels; its first `skip` rows are computed again, not stored.
 */
import { must } from '../../core/diagnostic.ts';
import { dimCeilDiv, dimSub, isMultiple, rangeOf, type Dim } from '../../core/dim.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import { add, and, div, eq, ge, int, lt, max, min, mul, select, sub, type Expr } from '../../kernel/ir.ts';

/** Does some rows: the first, how many, and from which of them on they are new (undefined: all are). */
export type BlockBody = (first: Expr, rows: number, skip: Expr | undefined) => void;

/**
 * Rows of the blocks that there is code for, highest first. A low micro-kernel has others beside it only where there may be a few rows
 * (`few`): they take as much code as it does. Three lower blocks are less than two of the highest and a row, so that only the last tile has
 * some.
 */
const heightsOf = (most: number, few: boolean): readonly number[] =>
  most > 8 || few ? [most, ...[8, 4].filter(rows => 3 * rows <= 2 * most)] : [most];

/**
 * Calls `body` for blocks of up to `most` of `n` rows. A small static `n` is split into blocks of nearly equal size. Else there is one
 * micro-kernel for full blocks and a few lower ones, and a block that would reach over the end begins early: it computes some rows
 * again, but only those from `skip` on are new. `parallel`: whether the blocks may run at the same time.
 */
export function forRowBlocks(k: KernelBuilder, n: Dim, most: number, body: BlockBody, o: RowOptions = {}): void {
  const { parallel = false } = o;
  if (typeof n === 'number' && (n % most === 0 || n <= 10 * most)) {
    let at = 0;
    for (const g of splitRows(n, most)) {
      k.for(at, at + g.rows * g.times, i => body(i, g.rows, undefined), { step: g.rows, parallel });
      at += g.rows * g.times;
    }
    return;
  }
  const tiles = tilesOf(n, most, o);
  dynamicRows(k, n, most, body, () => k.for(0, tiles.count(k), t => tiles.run(k, t, body), { parallel }), o);
}
interface RowOptions {
  readonly parallel?: boolean;
  readonly few?: boolean;
}
/** Runs `blocks`, which use `tilesOf`; where `n` may be less than the lowest block, single rows do it. */
export function dynamicRows(k: KernelBuilder, n: Dim, most: number, body: BlockBody, blocks: () => void, o: RowOptions): void {
  const { parallel = false, few = false } = o;
  const least = heightsOf(most, few).at(-1) ?? most;
  if (rangeOf(n).lo >= least) blocks();
  else k.if(lt(k.dim(n), least), () => k.for(0, n, i => body(i, 1, undefined), { parallel }), blocks);
}

/** `n` rows as tiles of `most` that are done one by one; the last takes what is left, which may be up to two of them. */
interface RowTiles {
  count(k: KernelBuilder): Expr;
  run(k: KernelBuilder, t: Expr, body: BlockBody): void;
}
/**
 * Tiles of blocks of these heights, highest first, of whose lowest there are enough rows. What is left is done by the lowest blocks that
 * are no more in number than the highest would be: 6 and 4 do 8 rows as 4 + 4, 9 as 6 + 4 and 11 as 6 + 6, of which one row is done twice.
 */
export function tilesOf(n: Dim, most: number, o: { readonly few?: boolean; readonly heights?: readonly number[] }): RowTiles {
  const { few = false, heights = heightsOf(most, few) } = o;
  if (isMultiple(n, most))
    return { count: k => k.dim(dimCeilDiv(n, most)), run: (k, t, body) => body(k.let(mul(t, most)), most, undefined) };
  const block = (k: KernelBuilder, at: Expr, rows: number, body: BlockBody): void => {
    const first = k.let(min(at, k.dim(dimSub(n, rows))));
    body(first, rows, k.let(sub(at, first)));
  };
  if (typeof n === 'number' && n >= most) return knownTiles(n, most, heights, block);
  if (heights.length === 1)
    return { count: k => k.dim(dimCeilDiv(n, most)), run: (k, t, body) => block(k, k.let(mul(t, most)), most, body) };
  const count = (k: KernelBuilder): Expr => k.let(max(sub(k.dim(dimCeilDiv(n, most)), 1), 1));
  return {
    count,
    run: (k, t, body) => {
      const at = k.var(mul(t, most));
      const last = eq(t, sub(count(k), 1));
      const end = k.let(select(last, k.dim(n), add(at, most)));
      k.while(
        () => lt(at, end),
        () => {
          const left = k.let(sub(k.dim(n), at));
          const blocks = k.let(div(add(left, most - 1), most));
          const pick = (i: number): void => {
            const rows = must(heights[i]);
            const lower = heights[i + 1];
            const run = (): void => {
              block(k, at, rows, body);
              k.set(at, add(at, rows));
            };
            if (lower === undefined) {
              run();
              return;
            }
            const needed = lt(mul(blocks, lower), left);
            k.if(rangeOf(n).lo >= rows ? needed : and(ge(k.dim(n), rows), needed), run, () => pick(i + 1));
          };
          pick(0);
        },
      );
    },
  };
}
/** The same where `n` is known, and so which blocks there are. */
function knownTiles(
  n: number,
  most: number,
  heights: readonly number[],
  block: (k: KernelBuilder, at: Expr, rows: number, body: BlockBody) => void,
): RowTiles {
  const low: number[] = [];
  // While more than most * most rows are left, lower blocks would be more in number.
  let full = Math.max(0, Math.floor(n / most) - most);
  let at = full * most;
  while (at < n) {
    const blocks = Math.ceil((n - at) / most);
    const rows = heights.findLast(h => blocks * h >= n - at) ?? most;
    if (rows === most) full++;
    else low.push(rows);
    at += rows;
  }
  const whole = full * most <= n;
  const tile = (k: KernelBuilder, t: Expr, body: BlockBody): void => {
    if (whole) body(k.let(mul(t, most)), most, undefined);
    else block(k, k.let(mul(t, most)), most, body);
  };
  const rest = (k: KernelBuilder, body: BlockBody): void => {
    const rows = low[0] ?? most;
    k.for(0, low.length, i => block(k, k.let(add(full * most, mul(i, rows))), rows, body));
  };
  if (low.length === 0) return { count: () => int(full), run: tile };
  return {
    count: () => int(full + 1),
    run: (k, t, body) =>
      k.if(
        lt(t, full),
        () => tile(k, t, body),
        () => rest(k, body),
      ),
  };
}
/** `n` as blocks of at most `most`: a small rest is shared with the block before it (6 + 2 → 4 + 4). */
export function splitRows(n: number, most: number): readonly { readonly rows: number; readonly times: number }[] {
  let times = Math.floor(n / most);
  const rest = n % most;
  const out: { rows: number; times: number }[] = [];
  const push = (rows: number, count: number): void => {
    const last = out.at(-1);
    if (rows === 0 || count === 0) return;
    if (last?.rows === rows) last.times += count;
    else out.push({ rows, times: count });
  };
  const share = rest > 0 && rest <= most / 2 && times > 0;
  if (share) times--;
  push(most, times);
  if (share) {
    push(Math.ceil((most + rest) / 2), 1);
    push(Math.floor((most + rest) / 2), 1);
  } else push(rest, 1);
  return out;
}
