/** How large the blocks of `gemm.ts` are, and how it walks them: the estimates from registers and caches, and what else may be tried. */
import { dimHi, type Dim } from '../../core/dim.ts';
import type { Profile } from '../../target/profile.ts';
import type { LowerCtx } from '../lowering.ts';
import { panelsOf, type LoopOrder, type Panels } from './gemm.ts';
import { registerRows, type Arith, type Block } from './tile.ts';

const nameOf = (b: Block): string => `${b.rows}x${b.columns}`;
/** Blocks that may be better than that of `p`: fewer rows or one more, and of floats wider and narrower panels. */
function blocksFor(p: Panels, arith: Arith): Block[] {
  const own = { rows: p.mr, columns: p.nr };
  if (arith.lanes === 1) return [own];
  const fewer = Math.max(2, Math.floor((2 * p.mr) / 3));
  const rows = [own, { ...own, rows: fewer }, ...(arith.fma ? [] : [{ ...own, rows: p.mr + 1 }])];
  if (arith.dot) return rows;
  const widths = [1, 2, 3, 4].map(n => n * arith.lanes).filter(n => n >= 8 && n !== p.nr && n <= dimHi(p.columns));
  return [...rows, ...widths.map(columns => ({ rows: registerRows(arith, columns / arith.lanes), columns }))];
}
/** The panels of a step: as they were found best, else by the estimate. */
export function choosePanels(c: Pick<LowerCtx<unknown>, 'profile' | 'choose'>, columns: Dim, arith: Arith): Panels {
  const p = panelsOf(c.profile, columns, arith);
  const blocks = Object.fromEntries(blocksFor(p, arith).map(b => [nameOf(b), b]));
  return panelsOf(c.profile, columns, arith, c.choose('blocks', blocks, nameOf({ rows: p.mr, columns: p.nr })));
}

/** The order by the estimate: rows outside while all of B, of so many bytes, fits half of the second cache. */
export function loopOrder({ cache: { l2, prefetch } }: Profile, p: Panels, bBytes: number, rowBytes: number): LoopOrder {
  if (bBytes <= l2 / 2) return { k: 'rows' };
  return panelOrder(p, l2 / 2, rowBytes, prefetch);
}
/** Panels outside, each for as many rows as this part of the cache holds. */
const panelOrder = (p: Panels, cache: number, rowBytes: number, prefetch: boolean): LoopOrder => ({
  k: 'panels',
  tiles: Math.max(1, Math.floor(cache / (p.mr * Math.max(1, rowBytes)))),
  prefetch,
});
/** The order for `rows` rows of these many bytes, and all of B: as it was found best, else by the estimate. */
export function chooseOrder(
  c: Pick<LowerCtx<unknown>, 'profile' | 'choose'>,
  p: Panels,
  rows: Dim,
  bBytes: number,
  rowBytes: number,
): LoopOrder {
  const { l1, l2, prefetch } = c.profile.cache;
  const estimate = loopOrder(c.profile, p, bBytes, rowBytes);
  // Of few rows, or with all of B near, the orders are much the same.
  if (dimHi(rows) <= p.mr || bBytes <= l1) return estimate;
  const panels = (cache: number): LoopOrder => panelOrder(p, cache, rowBytes, prefetch);
  const orders: Record<string, LoopOrder> = { rows: { k: 'rows' }, panels: panels(l2 / 2), 'panels, few rows': panels(l2 / 8) };
  return c.choose('order', orders, estimate.k);
}
