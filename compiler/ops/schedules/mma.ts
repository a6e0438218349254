import { rangeOf, type Dim } from '../../core/dim.ts';
import { InternalError } from '../../core/diagnostic.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import { add, ge, min, MMA, mul, type Expr, type Num } from '../../kernel/ir.ts';
import { forLanes } from '../loops.ts';
import { product, type Block, type Order, type Panels, type Product } from './gemm.ts';
import { tilesOf } from './rows.ts';

/** Rows of the blocks of `mma`, highest first. */
const HEIGHTS = [2 * MMA, MMA];
/** Rows that a block of `mma` has at most. */
export const MMA_ROWS = 2 * MMA;

/** Panels for `mma`: the last one is as wide as its columns need. */
export const mmaPanels = (p: Panels): Panels => ({ ...p, restWidth: Math.ceil(p.restWidth / MMA) * MMA });

/**
 * All rows times all panels, as `product`, of words that hold 8-bit integers: `words` of them a row, a multiple of MMA. Each block goes
 * through scratch, which has room for MMA_ROWS rows of a panel.
 */
export function mmaProduct(k: KernelBuilder, g: Product, words: number, n: Dim, order: Order): void {
  const { panels: p, parallel = false } = g;
  const tiles = order.k === 'rows' ? 1 : Math.max(1, Math.floor((order.tiles * p.rows) / MMA_ROWS));
  const blocks = (): void => {
    const tiled = tilesOf(n, MMA_ROWS, { heights: HEIGHTS });
    const count = tiled.count(k);
    k.for(
      0,
      count,
      from => {
        const panel = (j: Num, width: number, columns: Dim): void => {
          const tile = (t: Expr): void =>
            tiled.run(k, t, (first, rows, skip) =>
              block(k, g, words, { first, rows, skip, place: g.a.block(first, rows) }, { j, width, columns }),
            );
          if (tiles === 1) tile(from);
          else k.for(from, k.let(min(add(from, tiles), count)), tile);
        };
        k.for(0, p.full, j => panel(j, p.width, p.width));
        if (p.restWidth > 0) panel(k.dim(p.full), p.restWidth, p.rest);
      },
      { step: tiles, parallel },
    );
  };
  if (rangeOf(n).lo >= MMA) blocks();
  else k.if(ge(k.dim(n), MMA), blocks, () => product(k, g, n, order));
}
function block(
  k: KernelBuilder,
  g: Product,
  words: number,
  t: Block,
  b: { readonly j: Num; readonly width: number; readonly columns: Dim },
): void {
  const { at, rows } = t.place;
  if (rows.k !== 'stride') throw new InternalError('mma of rows that do not lie equally far apart');
  k.mma({
    held: 'u8',
    rows: t.rows,
    columns: b.width,
    words,
    a: { buffer: g.a.buffer, at, stride: rows.stride },
    b: { buffer: g.b.buffer, at: add(g.b.base, g.b.panel(b.j)), stride: b.width },
    to: { buffer: g.scratch, at: 0, stride: b.width },
  });
  const start = k.let(mul(b.j, g.panels.width));
  k.for(t.skip ?? 0, t.rows, i => {
    const row = k.let(add(t.first, i));
    const from = k.let(mul(i, b.width));
    forLanes(k, b.columns, g.arith.lanes, (c, n) => g.put(row, add(start, c), k.load(g.scratch, add(from, c), n)));
  });
}
