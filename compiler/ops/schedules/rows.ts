import { dimCeilDiv, dimSub, isMultiple, rangeOf, type Dim } from '../../core/dim.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import { add, and, div, ge, gt, lt, min, mul, sub, type Expr } from '../../kernel/ir.ts';

/** Does some rows: the first, how many, and from which of them on they are new (undefined: all are). */
export type RowBlock = (first: Expr, rows: number, skip: Expr | undefined) => void;

/** Rows of the blocks that there is code for, highest first. A low micro-kernel is not worth others beside it. */
const heightsOf = (most: number): readonly number[] => (most > 8 ? [most, 8, 4] : [most]);

/**
 * Calls `body` for blocks of up to `most` of `n` rows. A small static `n` is split into blocks of nearly equal size. Else there is one
 * micro-kernel for full blocks and a few lower ones, and a block that would reach over the end begins early: it computes some rows
 * again, but only those from `skip` on are new. `parallel`: whether the blocks may run at the same time.
 */
export function rowTiles(k: KernelBuilder, n: Dim, most: number, body: RowBlock, parallel = false): void {
  if (typeof n === 'number' && (n % most === 0 || n <= 10 * most)) {
    let at = 0;
    for (const g of splitRows(n, most)) {
      k.for(at, at + g.rows * g.times, i => body(i, g.rows, undefined), { step: g.rows, parallel });
      at += g.rows * g.times;
    }
    return;
  }
  const blocks = (): void => k.for(0, dimCeilDiv(n, most), t => tileOf(k, n, most, t, body), { parallel });
  dynamicRows(k, n, most, body, blocks, parallel);
}
/** Runs `blocks`, which use `tileOf`; where `n` may be less than the lowest block, single rows do it. */
export function dynamicRows(k: KernelBuilder, n: Dim, most: number, body: RowBlock, blocks: () => void, parallel = false): void {
  const least = heightsOf(most).at(-1) ?? most;
  if (rangeOf(n).lo >= least) blocks();
  else k.if(lt(k.dim(n), least), () => k.for(0, n, i => body(i, 1, undefined), { parallel }), blocks);
}
/** Tile `t` of `most` rows out of `n`, of which there are enough for the lowest block. */
export function tileOf(
  k: KernelBuilder,
  n: Dim,
  most: number,
  t: Expr,
  body: RowBlock,
  sizes: readonly number[] = heightsOf(most),
): void {
  const begin = k.let(mul(t, most));
  if (isMultiple(n, most)) {
    body(begin, most, undefined);
    return;
  }
  const block = (at: Expr, rows: number): void => {
    const first = k.let(min(at, k.dim(dimSub(n, rows))));
    body(first, rows, k.let(sub(at, first)));
  };
  const left = sizes.length > 1 ? k.let(min(sub(k.dim(n), begin), most)) : undefined;
  const pick = (i: number): void => {
    const rows = sizes[i] ?? 1;
    const next = sizes[i + 1];
    const run = (): void => {
      if (i === 0 || !left) block(begin, rows);
      else k.for(0, div(add(left, rows - 1), rows), u => block(k.let(add(begin, mul(u, rows))), rows));
    };
    if (next === undefined || !left) {
      run();
      return;
    }
    const many = gt(left, next);
    k.if(rangeOf(n).lo >= rows ? many : and(ge(k.dim(n), rows), many), run, () => pick(i + 1));
  };
  pick(0);
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
