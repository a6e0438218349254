/**
 * The product C[M][N] = A[M][K] B[K][N], after Goto and van de Geijn (Anatomy of High-Performance Matrix Multiplication, 2008), with BLIS's
 * names: a micro-kernel makes MR rows by NR columns of C in registers; B lies in panels of NR columns. K is not cut.
 * ```
 * order rows (B fits half of the second cache)        order panels (it does not)
 * for block of MR rows, parallel:                     for group of blocks whose part of A fits half of the second cache:
 *   for panel of NR columns, parallel:                  for panel of NR columns, parallel:
 *     acc[MR][NR] = microKernel(block, panel)             for block of MR rows in group:
 *     C[block][panel] = epilogue(acc)                       acc[MR][NR] = microKernel(block, panel), prefetching the next panel
 *   the last panel, which is narrower                       C[block][panel] = epilogue(acc)
 *                                                       the last panel, which is narrower, for each block
 * ```
 * A is read in place. A block of one or two rows takes three or two panels at once; scalar targets take two columns of a panel at once. A
 * large epilogue runs in one loop over acc in scratch. `tile.ts` has the micro-kernel, `rows.ts` the blocks, `pack.ts` the panels.
 */
import { must } from '../../core/diagnostic.ts';
import { dimCeilDiv, dimFloorDiv, dimHi, dimMul, dimSub, rangeOf, type Dim } from '../../core/dim.ts';
import { bytesOf, type DType } from '../../core/dtype.ts';
import { elementOf, type KernelBuilder } from '../../kernel/builder.ts';
import { add, ge, gt, le, min, mul, select, type Expr, type Num } from '../../kernel/ir.ts';
import { forLanes } from '../loops.ts';
import type { Profile } from '../../target/profile.ts';
import type { SlotBuffer } from '../lowering.ts';
import { dynamicRows, forRowBlocks, tilesOf, type BlockBody } from './rows.ts';
import {
  microKernel,
  columnVectors,
  registerRows,
  usualColumns,
  type Arith,
  type Block,
  type ColumnVector,
  type RowLayout,
  type ReductionLoop,
} from './tile.ts';

/** Runs `body` for the rows of a block that no earlier, overlapping block has stored. */
export function forNewRows(k: KernelBuilder, { mr, skip }: Pick<RowBlock, 'mr' | 'skip'>, body: (row: number) => void): void {
  for (let i = 0; i < mr; i++) {
    if (skip === undefined || i === mr - 1) body(i);
    else k.if(le(skip, i), () => body(i));
  }
}

/** Columns of B as panels: how many full ones there are, and the width of a last, narrower one. */
export interface Panels {
  readonly columns: Dim;
  /** Columns of a full panel. */
  readonly nr: number;
  readonly full: Dim;
  /** Columns left over, and the width they have in memory (0: none). */
  readonly rest: Dim;
  readonly restWidth: number;
  /** Rows of A that a block takes. */
  readonly mr: number;
}
/**
 * Columns as panels, for blocks of the usual size or of this one. The last is whole vectors of four columns at least, on scalar targets too, so
 * that the targets of a family share packed weights.
 */
export function panelsOf(profile: Profile, columns: Dim, arith: Arith, block?: Block): Panels {
  const width = block?.columns ?? usualColumns(profile);
  const full = dimFloorDiv(columns, width);
  const rest = dimSub(columns, dimMul(full, width));
  const last = columnVectors(typeof rest === 'number' ? rest : width, arith.lanes === 1 ? 4 : arith.lanes);
  const restWidth = last.reduce((sum, part) => sum + part.lanes, 0);
  const rows = block?.rows ?? registerRows(arith, full === 0 ? last.length : width / arith.lanes);
  return { columns, nr: width, full, rest, restWidth, mr: rows };
}
/** Elements of the packed form of a matrix of k x columns. */
export const packedSize = (p: Panels, k: Dim): Dim =>
  typeof p.rest === 'number'
    ? dimMul(k, typeof p.full === 'number' ? p.full * p.nr + p.restWidth : dimMul(p.full, p.nr))
    : dimMul(k, dimMul(dimCeilDiv(p.columns, p.nr), p.nr));
/** Elements that a block of rows has in a full panel. */
export const blockSize = (p: Panels): number => p.nr * p.mr;

/** Where a block of rows of A begins, and how its rows lie from there. */
export interface BlockAddress {
  readonly at: Num;
  readonly rows: RowLayout;
}
/** A block of rows: the first, how many, where they lie, and from which on they are new. */
interface RowBlock {
  readonly first: Expr;
  readonly mr: number;
  readonly address: BlockAddress;
  readonly skip: Expr | undefined;
}
/** Panels of B in memory. */
export interface PanelMemory {
  readonly buffer: SlotBuffer;
  readonly base: Num;
  /** Elements from one k to the next, in a full panel and in the last. */
  readonly step: Num;
  readonly restStep: Num;
  panel(p: Num): Num;
  /** Elements from one panel to the next, where that is known at compile time. */
  readonly stride: number | undefined;
}
/** A packed matrix of `depth` rows that begins at `base`. */
export const packedPanels = (k: KernelBuilder, buffer: SlotBuffer, base: Num, p: Panels, depth: Dim): PanelMemory => ({
  buffer,
  base,
  step: p.nr,
  restStep: p.restWidth,
  panel: n => mul(n, k.dim(dimMul(depth, p.nr))),
  stride: typeof depth === 'number' ? depth * p.nr : undefined,
});
/** The product of rows of A with panels of B, and where it goes. */
export interface GemmProblem {
  readonly arith: Arith;
  readonly panels: Panels;
  readonly a: { readonly buffer: SlotBuffer; readonly as?: DType; block(first: Expr, rows: number): BlockAddress };
  readonly b: PanelMemory;
  readonly reduction: readonly ReductionLoop[];
  /** Scratch for the columns of a vector that is not full: at least `blockSize` elements. */
  readonly scratch: SlotBuffer;
  /**
   * The vectors of the last panel are stored whole, with garbage behind the last column: there is room, and later rows overwrite it. Only
   * for less than a full panel of columns.
   */
  readonly loose?: boolean;
  /** Blocks and panels may be done at the same time: neither B nor the result lies in scratch memory. */
  readonly parallel?: boolean;
  /** There may be a few rows, of which lower micro-kernels waste less. */
  readonly few?: boolean;
  /** The epilogue is much code: the block goes through scratch, and one loop stores it, instead of code for each of its vectors. */
  readonly largeEpilogue?: boolean;
  /** Stores a vector or a scalar at (row, column). */
  store(row: Expr, column: Expr, value: Expr): void;
}
/** One block of rows times `count` full panels at once; more than one keeps a block of few rows busy. */
function fullPanels(k: KernelBuilder, g: GemmProblem, t: RowBlock, panel: Expr, count: number, ahead?: Expr): void {
  const { lanes } = g.arith;
  const wide = stepOf(g.panels, lanes);
  const columns = Array.from({ length: (count * wide) / lanes }, (_, j) => j * lanes);
  const parts = columns.map((c): ColumnVector => ({ at: Math.floor(c / wide) * (g.b.stride ?? 0) + (c % wide), lanes }));
  const block = (at: Expr): void => {
    const acc = tileAt(k, g, t, parts, add(g.b.panel(panel), at), g.b.step, ahead);
    const column = k.let(add(mul(panel, g.panels.nr), at));
    if (g.largeEpilogue && lanes > 1) {
      const width = count * wide;
      acc.forEach((row, i) => row.forEach((v, j) => k.store(g.scratch, i * width + j * lanes, v)));
      k.for(t.skip ?? 0, t.mr, i => {
        const row = k.let(add(t.first, i));
        const from = k.let(mul(i, width));
        k.for(0, width, j => g.store(row, add(column, j), k.load(g.scratch, add(from, j), lanes)), { step: lanes });
      });
      return;
    }
    forNewRows(k, t, i => must(acc[i]).forEach((v, j) => g.store(add(t.first, i), add(column, must(columns[j])), v)));
  };
  k.for(0, g.panels.nr, block, { step: wide });
}
/** Columns of a panel that are computed together: on scalar targets it is walked in pairs. */
export const stepOf = (p: Panels, lanes: number): number => (lanes === 1 ? 2 : p.nr);
/** One block of rows times the last, narrower panel. */
function restPanel(k: KernelBuilder, g: GemmProblem, t: RowBlock): void {
  const { lanes } = g.arith;
  const p = g.panels;
  const start = k.let(mul(k.dim(p.full), p.nr));
  const at = g.b.panel(k.dim(p.full));
  if (lanes === 1) {
    k.for(0, p.rest, c => {
      const acc = tileAt(k, g, t, [{ at: 0, lanes }], add(at, c), g.b.restStep);
      forNewRows(k, t, i => g.store(add(t.first, i), add(start, c), must(acc[i]?.[0])));
    });
    return;
  }
  const parts = columnVectors(p.restWidth, lanes);
  const end = g.loose ? p.restWidth : p.rest;
  /** Vectors that are stored as they are; what comes behind them goes through scratch. */
  const direct = g.largeEpilogue || typeof end !== 'number' ? [] : parts.filter(v => v.at + v.lanes <= end);
  const acc = tileAt(k, g, t, parts, at, g.b.restStep);
  forNewRows(k, t, i =>
    must(acc[i]).forEach((v, j) => {
      const from = must(parts[j]).at;
      if (j < direct.length) g.store(add(t.first, i), add(start, from), v);
      else k.store(g.scratch, i * p.restWidth + from, v);
    }),
  );
  const begin = direct.reduce((sum, v) => sum + v.lanes, 0);
  if (begin === end) return;
  k.for(t.skip ?? 0, t.mr, i => {
    const row = k.let(add(t.first, i));
    const from = k.let(add(mul(i, p.restWidth), begin));
    const column = k.let(add(start, begin));
    forLanes(k, dimSub(end, begin), lanes, (c, n) => g.store(row, add(column, c), k.load(g.scratch, add(from, c), n)));
  });
}
function tileAt(
  k: KernelBuilder,
  g: GemmProblem,
  t: RowBlock,
  parts: readonly ColumnVector[],
  at: Num,
  step: Num,
  ahead?: Expr,
): readonly (readonly Expr[])[] {
  return microKernel(k, {
    arith: g.arith,
    mr: t.mr,
    a: { buffer: g.a.buffer, ...(g.a.as && { as: g.a.as }), ...t.address },
    b: { buffer: g.b.buffer, at: add(g.b.base, at), step, parts },
    reduction: g.reduction,
    ...(ahead && { ahead }),
  });
}

/**
 * How rows and panels are nested. `rows`: each block of rows meets all panels before the next, for a B that stays in the cache.
 * `panels`: each panel meets `tiles` blocks of rows before the next, whose part of A stays in the cache.
 */
export type LoopOrder = { readonly k: 'rows' } | { readonly k: 'panels'; readonly tiles: number; readonly prefetch: boolean };

/** All rows times all panels. */
export function gemm(k: KernelBuilder, g: GemmProblem, n: Dim, order: LoopOrder): void {
  const p = g.panels;
  const most = p.mr;
  const hasRest = p.restWidth > 0 && rangeOf(p.rest).hi > 0;
  const rest = (t: RowBlock): void => {
    if (!hasRest) return;
    if (typeof p.rest === 'number') restPanel(k, g, t);
    else k.if(ge(k.dim(p.rest), 1), () => restPanel(k, g, t));
  };
  const parallel = g.parallel ?? false;
  const panels = (t: RowBlock): void => {
    const group = panelGroup(g, t.mr);
    const grouped = dimMul(dimFloorDiv(p.full, group), group);
    k.for(0, grouped, j => fullPanels(k, g, t, j, group), { step: group, parallel });
    k.for(grouped, p.full, j => fullPanels(k, g, t, j, 1), { parallel });
  };
  const withPlace =
    (body: (t: RowBlock) => void): BlockBody =>
    (first, rows, skip) =>
      body({ first, mr: rows, skip, address: g.a.block(first, rows) });
  const all = (t: RowBlock): void => {
    panels(t);
    rest(t);
  };
  if (order.k === 'rows' || dimHi(n) <= most) {
    forRowBlocks(k, n, most, withPlace(all), g);
    return;
  }
  const blocked = (): void => {
    const tiled = tilesOf(n, most, g);
    const count = tiled.count(k);
    k.for(
      0,
      count,
      from => {
        const to = k.let(min(add(from, order.tiles), count));
        const tiles = (body: (t: RowBlock) => void): void => k.for(from, to, t => tiled.run(k, t, withPlace(body)));
        k.for(0, p.full, j => tiles(t => fullPanels(k, g, t, j, 1, aheadOf(k, g, order, t, mul(from, most)))), { parallel });
        if (hasRest) tiles(rest);
      },
      { step: order.tiles },
    );
  };
  dynamicRows(k, n, most, withPlace(all), blocked, g);
}
/**
 * The distance to the same place in the next panel. The first block, from row `first` on, waits for its panel to come from memory; meanwhile
 * the others, whose panel is in the cache, can have the next one fetched.
 */
function aheadOf(k: KernelBuilder, g: GemmProblem, order: LoopOrder, t: RowBlock, first: Expr): Expr | undefined {
  if (order.k === 'rows' || !order.prefetch || g.b.stride === undefined) return undefined;
  return k.let(select(gt(t.first, first), g.b.stride * bytesOf(elementOf(g.b.buffer)), 0));
}
/** Panels that a block of few rows takes at once, so that its multiply-adds do not wait for each other. */
function panelGroup(g: GemmProblem, rows: number): number {
  if (g.arith.lanes === 1 || g.b.stride === undefined) return 1;
  return rows === 1 ? 3 : rows === 2 ? 2 : 1;
}
