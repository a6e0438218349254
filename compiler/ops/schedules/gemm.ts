import { must } from '../../core/diagnostic.ts';
import { dimCeilDiv, dimFloorDiv, dimHi, dimMul, dimSub, isMultiple, rangeOf, type Dim } from '../../core/dim.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import { add, ge, le, lt, min, mul, sub, type Expr, type Num } from '../../kernel/ir.ts';
import type { Profile } from '../profile.ts';
import type { SlotBuffer } from '../lowering.ts';
import { gemmTile, type Arith, type Rows, type Seg } from './tile.ts';

/** Columns of a packed panel of B. The same for all targets of a family, so that they share packed weights. */
export const PANEL = 8;

/** Rows of a micro-kernel: two vectors of B, a splat and the accumulators fill the registers. A separate product takes some more. */
export const tileRows = (m: Arith): number => (m.lanes > 4 ? 12 : m.lanes > 1 && m.fma ? 6 : 4);

/**
 * Calls `body` for blocks of up to `most` of `n` rows. A small static `n` is split into blocks of nearly equal size. Else all blocks
 * are full, so that there is one micro-kernel, and the last begins early: it computes some rows again, but only rows from `skip` on
 * are new. Where `n` may be less than a block, single rows do it.
 */
export function rowTiles(
  k: KernelBuilder,
  n: Dim,
  most: number,
  body: (first: Expr, rows: number, skip: Expr | undefined) => void,
): void {
  if (typeof n === 'number' && (n % most === 0 || n <= 10 * most)) {
    let at = 0;
    for (const g of splitRows(n, most)) {
      k.for(at, at + g.rows * g.times, i => body(i, g.rows, undefined), { step: g.rows });
      at += g.rows * g.times;
    }
    return;
  }
  const full = (): void => k.for(0, dimCeilDiv(n, most), t => tileOf(k, n, most, t, body));
  if (rangeOf(n).lo >= most) full();
  else k.if(lt(k.dim(n), most), () => k.for(0, n, i => body(i, 1, undefined)), full);
}
/** Block number `t` of `most` rows out of `n`, which are at least as many. */
function tileOf(
  k: KernelBuilder,
  n: Dim,
  most: number,
  t: Expr,
  body: (first: Expr, rows: number, skip: Expr | undefined) => void,
): void {
  const begin = k.let(mul(t, most));
  if (isMultiple(n, most)) {
    body(begin, most, undefined);
    return;
  }
  const first = k.let(min(begin, k.dim(dimSub(n, most))));
  body(first, most, k.let(sub(begin, first)));
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
/** Runs `put` for the rows of a block that are new. */
export function newRows(k: KernelBuilder, { rows, skip }: Pick<Block, 'rows' | 'skip'>, put: (row: number) => void): void {
  for (let i = 0; i < rows; i++) {
    if (skip === undefined || i === rows - 1) put(i);
    else k.if(le(skip, i), () => put(i));
  }
}

/** Columns of B as panels: how many full ones there are, and the width of a last, narrower one. */
export interface Panels {
  readonly columns: Dim;
  readonly full: Dim;
  /** Columns left over, and the width they have in memory (0: none). */
  readonly rest: Dim;
  readonly restWidth: number;
}
/** `lanes` is that of the arithmetic: the last panel is whole vectors, of four columns on scalar targets too, so that they share weights. */
export function panelsOf(columns: Dim, lanes: number): Panels {
  const full = dimFloorDiv(columns, PANEL);
  const rest = dimSub(columns, dimMul(full, PANEL));
  const unit = Math.max(4, lanes);
  const restWidth = typeof rest === 'number' ? Math.ceil(rest / unit) * unit : PANEL;
  return { columns, full, rest, restWidth };
}
/** Elements of the packed form of a matrix of k x columns. */
export const packedSize = (p: Panels, k: Dim): Dim =>
  typeof p.rest === 'number'
    ? dimMul(k, typeof p.full === 'number' ? p.full * PANEL + p.restWidth : dimMul(p.full, PANEL))
    : dimMul(k, dimMul(dimCeilDiv(p.columns, PANEL), PANEL));

/** Where a block of rows of A begins, and how its rows lie from there. */
export interface Place {
  readonly at: Num;
  readonly rows: Rows;
}
/** A block of rows: the first, how many, where they lie, and from which on they are new. */
export interface Block {
  readonly first: Expr;
  readonly rows: number;
  readonly place: Place;
  readonly skip: Expr | undefined;
}
/** The product of rows of A with panels of B, and where it goes. */
export interface Product {
  readonly arith: Arith;
  readonly profile: Profile;
  readonly a: { readonly buffer: SlotBuffer; block(first: Expr, rows: number): Place };
  readonly b: {
    readonly buffer: SlotBuffer;
    readonly base: Num;
    /** Elements from one k to the next, in a full panel and in the last. */
    readonly step: Num;
    readonly restStep: Num;
    panel(p: Num): Num;
    /** Elements from one panel to the next, where that is known at compile time. */
    readonly stride: number | undefined;
  };
  readonly k: readonly Seg[];
  /** Scratch for the columns of a vector that is not full: at least PANEL * rows elements. */
  readonly scratch: SlotBuffer;
  /**
   * The vectors of the last panel are put whole, with garbage behind the last column: there is room, and later rows are put later. Only
   * for less than a full panel of columns.
   */
  readonly loose?: boolean;
  /** A put takes much code: it stands in a loop over the block instead of once for each of its vectors. */
  readonly costly?: boolean;
  /** Stores a vector or a scalar at (row, column). */
  put(row: Expr, column: Expr, value: Expr): void;
}
/** One block of rows times `count` full panels at once; more than one keeps a block of few rows busy. */
export function fullPanels(k: KernelBuilder, g: Product, t: Block, panel: Expr, count: number): void {
  const { lanes } = g.arith;
  // On scalar targets a panel is walked in pairs of columns.
  const wide = lanes === 1 ? 2 : PANEL;
  const vectors = Array.from({ length: (count * wide) / lanes }, (_, j) => {
    const column = j * lanes;
    return { at: Math.floor(column / wide) * (g.b.stride ?? 0) + (column % wide), column };
  });
  const block = (at: Expr): void => {
    const acc = tileAt(
      k,
      g,
      t,
      vectors.map(v => v.at),
      add(g.b.panel(panel), at),
      g.b.step,
    );
    const column = k.let(add(mul(panel, PANEL), at));
    if (g.costly && lanes > 1) {
      const width = count * wide;
      acc.forEach((row, i) => row.forEach((v, j) => k.store(g.scratch, i * width + j * lanes, v)));
      k.for(t.skip ?? 0, t.rows, i => {
        const row = k.let(add(t.first, i));
        const from = k.let(mul(i, width));
        k.for(0, width, j => g.put(row, add(column, j), k.load(g.scratch, add(from, j), lanes)), { step: lanes });
      });
      return;
    }
    newRows(k, t, i => must(acc[i]).forEach((v, j) => g.put(add(t.first, i), add(column, must(vectors[j]).column), v)));
  };
  k.for(0, PANEL, block, { step: wide });
}
/** One block of rows times the last, narrower panel. */
export function restPanel(k: KernelBuilder, g: Product, p: Panels, t: Block): void {
  const { lanes } = g.arith;
  const start = k.let(mul(k.dim(p.full), PANEL));
  const at = g.b.panel(k.dim(p.full));
  if (lanes === 1) {
    k.for(0, p.rest, c => {
      const acc = tileAt(k, g, t, [0], add(at, c), g.b.restStep);
      newRows(k, t, i => g.put(add(t.first, i), add(start, c), must(acc[i]?.[0])));
    });
    return;
  }
  const vectors = Array.from({ length: p.restWidth / lanes }, (_, j) => j * lanes);
  const whole = g.loose ? vectors.length : typeof p.rest === 'number' ? Math.floor(p.rest / lanes) : 0;
  const acc = tileAt(k, g, t, vectors, at, g.b.restStep);
  const direct = g.costly ? 0 : whole;
  newRows(k, t, i =>
    must(acc[i]).forEach((v, j) => {
      if (j < direct) g.put(add(t.first, i), add(start, j * lanes), v);
      else k.store(g.scratch, i * p.restWidth + j * lanes, v);
    }),
  );
  if (direct < whole)
    k.for(t.skip ?? 0, t.rows, i => {
      const row = k.let(add(t.first, i));
      const from = k.let(mul(i, p.restWidth));
      k.for(0, whole * lanes, c => g.put(row, add(start, c), k.load(g.scratch, add(from, c), lanes)), { step: lanes });
    });
  if (typeof p.rest === 'number' && whole * lanes >= p.rest) return;
  const columns = (i: Num, row: Expr): void =>
    k.for(whole * lanes, p.rest, c => g.put(row, add(start, c), k.load(g.scratch, add(mul(i, p.restWidth), c))));
  k.for(t.skip ?? 0, t.rows, i => columns(i, add(t.first, i)));
}
function tileAt(
  k: KernelBuilder,
  g: Product,
  t: Block,
  vectors: readonly number[],
  at: Num,
  step: Num,
): readonly (readonly Expr[])[] {
  return gemmTile(k, {
    arith: g.arith,
    rows: t.rows,
    a: { buffer: g.a.buffer, ...t.place },
    b: { buffer: g.b.buffer, at: add(g.b.base, at), step, vectors },
    k: g.k,
  });
}

/**
 * How rows and panels are nested. `rows`: each block of rows meets all panels before the next, for a B that stays in the cache.
 * `panels`: each panel meets `tiles` blocks of rows before the next, whose part of A stays in the cache.
 */
export type Order = { readonly k: 'rows' } | { readonly k: 'panels'; readonly tiles: number };
/** The order for matrices of these many bytes: of all of B, and of one row of A. */
export function orderOf(profile: Profile, bBytes: number, rowBytes: number, most: number): Order {
  const half = profile.cache.l2 / 2;
  if (bBytes <= half) return { k: 'rows' };
  return { k: 'panels', tiles: Math.max(1, Math.floor(half / (most * Math.max(1, rowBytes)))) };
}

/** All rows times all panels. */
export function product(k: KernelBuilder, g: Product, n: Dim, p: Panels, order: Order): void {
  const most = tileRows(g.arith);
  const hasRest = p.restWidth > 0 && rangeOf(p.rest).hi > 0;
  const rest = (t: Block): void => {
    if (!hasRest) return;
    if (typeof p.rest === 'number') restPanel(k, g, p, t);
    else k.if(ge(k.dim(p.rest), 1), () => restPanel(k, g, p, t));
  };
  const panels = (t: Block): void => {
    const group = panelGroup(g, t.rows);
    const grouped = dimMul(dimFloorDiv(p.full, group), group);
    k.for(0, grouped, j => fullPanels(k, g, t, j, group), { step: group });
    k.for(grouped, p.full, j => fullPanels(k, g, t, j, 1));
  };
  const withPlace =
    (body: (t: Block) => void) =>
    (first: Expr, rows: number, skip: Expr | undefined): void =>
      body({ first, rows, skip, place: g.a.block(first, rows) });
  const all = (t: Block): void => {
    panels(t);
    rest(t);
  };
  if (order.k === 'rows' || dimHi(n) <= most) {
    rowTiles(k, n, most, withPlace(all));
    return;
  }
  const blocked = (): void => {
    const count = dimCeilDiv(n, most);
    k.for(
      0,
      count,
      from => {
        const to = k.let(min(add(from, order.tiles), k.dim(count)));
        const tiles = (body: (t: Block) => void): void => k.for(from, to, t => tileOf(k, n, most, t, withPlace(body)));
        k.for(0, p.full, j => tiles(t => fullPanels(k, g, t, j, 1)));
        if (hasRest) tiles(rest);
      },
      { step: order.tiles },
    );
  };
  if (rangeOf(n).lo >= most) blocked();
  else k.if(lt(k.dim(n), most), () => k.for(0, n, i => withPlace(all)(i, 1, undefined)), blocked);
}
/** Panels that a block of few rows takes at once, so that its multiply-adds do not wait for each other. */
function panelGroup(g: Product, rows: number): number {
  if (g.arith.lanes === 1 || g.b.stride === undefined) return 1;
  return rows === 1 ? 3 : rows === 2 ? 2 : 1;
}
