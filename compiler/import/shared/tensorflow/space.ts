import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimFloorDiv, dimMul, dimProd, dimSub, type Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import { Pad } from '../../../ops/movement/pad.ts';
import type { Layout } from '../../../ops/spatial.ts';
import { axesFrom, rankOf } from '../axes.ts';
import type { ImportBuilder } from '../builder.ts';
import { reshape, slice, transpose, type Cut } from '../views.ts';

/** Blocks of space that move into channels or into the batch, and back. */

const divided = (c: ImportBuilder, d: Dim, by: number): Dim => {
  if (typeof d === 'number' && d % by !== 0) c.reject(`${d} elements do not divide into blocks of ${by}`);
  return dimFloorDiv(d, by);
};
/** [N, H, W, C] to [N, H / b, W / b, b * b * C], or the same with channels first. */
export function spaceToDepth(c: ImportBuilder, x: Value, b: number, layout: Layout): Value {
  const planar = layout === 'NCHW';
  const [n = 1, p = 1, q = 1, r = 1] = rankOf(x) === 4 ? x.type.shape : c.reject('takes four axes');
  const [ch, h, w] = planar ? [p, q, r] : [r, p, q];
  const [hb, wb] = [divided(c, h, b), divided(c, w, b)];
  const deep = dimMul(ch, b * b);
  return planar
    ? reshape(c, transpose(c, reshape(c, x, [n, ch, hb, b, wb, b]), [0, 3, 5, 1, 2, 4]), [n, deep, hb, wb])
    : reshape(c, transpose(c, reshape(c, x, [n, hb, b, wb, b, ch]), [0, 1, 3, 2, 4, 5]), [n, hb, wb, deep]);
}
/** [N, H, W, b * b * C] to [N, H * b, W * b, C], or the same with channels first. */
export function depthToSpace(c: ImportBuilder, x: Value, b: number, layout: Layout): Value {
  const planar = layout === 'NCHW';
  const [n = 1, p = 1, q = 1, r = 1] = rankOf(x) === 4 ? x.type.shape : c.reject('takes four axes');
  const [deep, h, w] = planar ? [p, q, r] : [r, p, q];
  const ch = divided(c, deep, b * b);
  const [hb, wb] = [dimMul(h, b), dimMul(w, b)];
  return planar
    ? reshape(c, transpose(c, reshape(c, x, [n, b, b, ch, h, w]), [0, 3, 4, 1, 5, 2]), [n, ch, hb, wb])
    : reshape(c, transpose(c, reshape(c, x, [n, h, w, b, b, ch]), [0, 1, 3, 2, 4, 5]), [n, hb, wb, ch]);
}

/**
 * Blocks of the axes from 1 on go to the front of the batch: [N, S1, …, rest] to [N * prod(blocks), (S1 + pads) / block, …, rest].
 * `pads`: elements before and after each axis.
 */
export function spaceToBatch(
  c: ImportBuilder,
  x: Value,
  blocks: readonly number[],
  pads: readonly (readonly [Dim, Dim])[],
): Value {
  const m = blocks.length;
  const rank = rankOf(x);
  if (m >= rank || pads.length !== m) c.reject(`${m} blocks and ${pads.length} pairs of pads for ${rank} axes`);
  const rest = rank - m - 1;
  const none = new Array<number>(rest).fill(0);
  const [begin, end] = [0, 1].map(side => [0, ...pads.map(p => must(p[side])), ...none]);
  const padded = pads.flat().every(d => d === 0)
    ? x
    : c.apply1(Pad, [x], { mode: 'constant', begin: must(begin), end: must(end) });
  const [n = 1, ...sizes] = padded.type.shape;
  const spatial = sizes.slice(0, m).map((d, i) => divided(c, d, must(blocks[i])));
  const apart = reshape(c, padded, [n, ...spatial.flatMap((d, i) => [d, must(blocks[i])]), ...sizes.slice(m)]);
  const perm = [...blocks.map((_, i) => 2 * i + 2), 0, ...blocks.map((_, i) => 2 * i + 1), ...axesFrom(apart, 2 * m + 1)];
  return reshape(c, transpose(c, apart, perm), [dimMul(n, dimProd(blocks)), ...spatial, ...sizes.slice(m)]);
}
/** The other way round; `crops`: elements to cut off before and after each axis. */
export function batchToSpace(
  c: ImportBuilder,
  x: Value,
  blocks: readonly number[],
  crops: readonly (readonly [Dim, Dim])[],
): Value {
  const m = blocks.length;
  const rank = rankOf(x);
  if (m >= rank || crops.length !== m) c.reject(`${m} blocks and ${crops.length} pairs of crops for ${rank} axes`);
  const [n = 1, ...sizes] = x.type.shape;
  const batch = dimFloorDiv(n, dimProd(blocks));
  const apart = reshape(c, x, [...blocks, batch, ...sizes]);
  const perm = [m, ...blocks.flatMap((_, i) => [m + 1 + i, i]), ...axesFrom(apart, 2 * m + 1)];
  const wide = sizes.slice(0, m).map((d, i) => dimMul(d, must(blocks[i])));
  const y = reshape(c, transpose(c, apart, perm), [batch, ...wide, ...sizes.slice(m)]);
  const cuts = crops.map(([before, after], i): readonly [number, Cut] => {
    const size = dimSub(must(wide[i]), dimAdd(before, after));
    return [i + 1, { start: before, size, step: 1 }];
  });
  return slice(c, y, new Map(cuts));
}
