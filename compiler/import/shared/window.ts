import { must } from '../../core/diagnostic.ts';
import { dimAdd, dimCeilDiv, dimFloorDiv, dimMax, dimMul, dimSub, type Dim } from '../../core/dim.ts';
import { extent } from '../../ops/spatial.ts';

/** How many elements come before and after an axis when `total` are shared out. */
export function splitPads(total: Dim, more: 'after' | 'before'): readonly [Dim, Dim] {
  const half = dimFloorDiv(total, 2);
  const rest = dimSub(total, half);
  return more === 'after' ? [half, rest] : [rest, half];
}
/** Pads with which a window of stride s gives ceil(size / s) elements along each axis; all the starts, then all the ends. */
export function samePads(
  sizes: readonly Dim[],
  kernel: readonly Dim[],
  strides: readonly number[],
  dilations: readonly number[],
  more: 'after' | 'before',
): readonly Dim[] {
  const pairs = sizes.map((size, i) => {
    const stride = must(strides[i]);
    const reach = extent(must(kernel[i]), must(dilations[i]));
    const covered = dimAdd(dimMul(dimSub(dimCeilDiv(size, stride), 1), stride), reach);
    return splitPads(dimMax(0, dimSub(covered, size)), more);
  });
  return [...pairs.map(p => p[0]), ...pairs.map(p => p[1])];
}
