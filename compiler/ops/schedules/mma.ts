/**
 * `gemm.ts` for 8-bit integers on targets with matrix registers (AMX): one `mma` statement multiplies whole blocks.
 * ```
 * for block of 32 rows (16 for what is left), parallel:
 *   rows of words: in place, or gathered into scratch
 *   for panel of NR columns:                            outside groups of blocks where B does not fit the second cache
 *     scratch[32][NR] = mma(rows, B[panel])             sums over all words of K
 *     for row in block: for column in panel by lanes:
 *       C[row][column] = epilogue(scratch[row][column])
 * ```
 */
import { InternalError, must } from '../../core/diagnostic.ts';
import { rangeOf, type Dim } from '../../core/dim.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import { add, ex, ge, int, min, MMA, mul, type Expr, type Num } from '../../kernel/ir.ts';
import { forLanes } from '../loops.ts';
import type { SlotBuffer } from '../lowering.ts';
import { gemm, type LoopOrder, type Panels, type GemmProblem } from './gemm.ts';
import { tilesOf } from './rows.ts';

/** Rows of the blocks of `mma`, highest first. */
const HEIGHTS = [2 * MMA, MMA];
/** Rows that a block of `mma` has at most. */
export const MMA_ROWS = 2 * MMA;

/** Panels for `mma`: the last one is as wide as its columns need. */
export const mmaPanels = (p: Panels): Panels => ({ ...p, restWidth: Math.ceil(p.restWidth / MMA) * MMA });

/** What `mma` needs besides a product. */
interface MmaOperands {
  /** Words of a row of A, of which those behind the last one of the product count nothing, and of a column of B: a multiple of MMA. */
  readonly words: number;
  /** Room for MMA_ROWS rows of A, where they do not lie as rows of so many words. */
  readonly rows?: SlotBuffer;
}
/**
 * All rows times all panels, as `product`, of words that hold 8-bit integers. Each block goes through scratch, which has room for MMA_ROWS
 * rows of a panel.
 */
export function mmaGemm(k: KernelBuilder, g: GemmProblem, b: MmaOperands, n: Dim, order: LoopOrder): void {
  const { panels: p, parallel = false } = g;
  // Rows that are gathered meet all panels.
  const tiles = order.k === 'rows' || b.rows ? 1 : Math.max(1, Math.floor((order.tiles * p.mr) / MMA_ROWS));
  const panels = (body: (panel: Panel) => void): void => {
    k.for(0, p.full, j => body({ j, width: p.nr, columns: p.nr }));
    if (p.restWidth > 0) body({ j: k.dim(p.full), width: p.restWidth, columns: p.rest });
  };
  const blocks = (): void => {
    const tiled = tilesOf(n, MMA_ROWS, { heights: HEIGHTS });
    const count = tiled.count(k);
    k.for(
      0,
      count,
      from => {
        if (tiles === 1)
          tiled.run(k, from, (first, rows, skip) => {
            const a = rowsOf(k, g, b, first, rows);
            panels(panel => block(k, g, b.words, a, { first, rows, skip }, panel));
          });
        else
          panels(panel =>
            k.for(from, k.let(min(add(from, tiles), count)), t =>
              tiled.run(k, t, (first, rows, skip) =>
                block(k, g, b.words, rowsOf(k, g, b, first, rows), { first, rows, skip }, panel),
              ),
            ),
          );
      },
      { step: tiles, parallel },
    );
  };
  if (rangeOf(n).lo >= MMA) blocks();
  else k.if(ge(k.dim(n), MMA), blocks, () => gemm(k, g, n, order));
}
interface Panel {
  readonly j: Expr;
  readonly width: number;
  readonly columns: Dim;
}
/** Rows of words, as `mma` takes them. */
interface WordRows {
  readonly buffer: SlotBuffer;
  readonly at: Num;
  readonly stride: Num;
}
/** Where the rows of a block lie, or are brought to. */
function rowsOf(k: KernelBuilder, g: GemmProblem, b: MmaOperands, first: Expr, rows: number): WordRows {
  const { buffer } = g.a;
  const to = b.rows;
  if (!to) {
    const place = g.a.block(first, rows);
    if (place.rows.k !== 'stride') throw new InternalError('mma of rows that do not lie equally far apart');
    return { buffer, at: place.at, stride: place.rows.stride };
  }
  k.for(0, rows, i => {
    const start = ex(g.a.block(k.let(add(first, i)), 1).at);
    const at = k.var(mul(i, b.words));
    const nest = (depth: number, from: Expr): void => {
      const { n, stride } = must(g.reduction[depth]);
      if (typeof n !== 'number') throw new InternalError('mma over steps that are not known');
      if (depth < g.reduction.length - 1) {
        k.for(0, n, s => nest(depth + 1, k.let(add(from, mul(s, stride)))));
        return;
      }
      forLanes(k, n, g.arith.lanes, (s, lanes) => k.store(to, add(at, s), k.load(buffer, add(from, s), lanes, g.a.as)));
      k.set(at, add(at, n));
    };
    nest(0, start);
  });
  return { buffer: to, at: int(0), stride: b.words };
}
function block(
  k: KernelBuilder,
  g: GemmProblem,
  words: number,
  a: WordRows,
  t: { readonly first: Expr; readonly rows: number; readonly skip: Expr | undefined },
  panel: Panel,
): void {
  const { width } = panel;
  k.mma({
    rows: t.rows,
    columns: width,
    words,
    a,
    b: { buffer: g.b.buffer, at: add(g.b.base, g.b.panel(panel.j)), stride: width },
    to: { buffer: g.scratch, at: 0, stride: width },
  });
  const start = k.let(mul(panel.j, g.panels.nr));
  k.for(t.skip ?? 0, t.rows, i => {
    const row = k.let(add(t.first, i));
    const from = k.let(mul(i, width));
    forLanes(k, panel.columns, g.arith.lanes, (c, n) => g.store(row, add(start, c), k.load(g.scratch, add(from, c), n)));
  });
}
