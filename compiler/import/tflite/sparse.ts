import { must } from '../../core/diagnostic.ts';
import { numel } from '../../core/tensor.ts';
import type { Sparsity } from './records.ts';

/**
 * Where each stored element of a sparse tensor stands in the dense one, as TensorFlow Lite stores it
 * (https://github.com/google-ai-edge/LiteRT, tflite/kernels/internal/utils/sparsity_format_converter.h): the axes in traversal order, of
 * which the last are blocks of earlier ones; each is dense, or lists its indices between segments, one for each place of the axis before.
 */
export function sparsePlaces(s: Sparsity, dims: readonly number[], bad: (why: string) => never): readonly number[] {
  const rank = dims.length;
  const { order, blockMap } = s;
  const sorted = [...order].sort((a, b) => a - b);
  if (order.length !== rank + blockMap.length || s.dims.length !== order.length || sorted.some((a, i) => a !== i))
    bad(`its sparse axes ${order.join(', ')} do not fit ${rank} axes and ${blockMap.length} blocks`);
  if (blockMap.some((a, i) => !(a >= 0 && a < rank) || order[rank + i] === undefined))
    bad('blocks of an axis that it does not have');
  const blockOf = blockMap.map((_, i) => {
    const d = must(s.dims[order.indexOf(rank + i)]);
    return d.k === 'dense' && d.size > 0 ? d.size : bad('a block without a size');
  });
  /** How far a step along each traversed axis leads in the dense tensor. */
  const strides = order.map(axis => {
    const own = axis < rank ? axis : must(blockMap[axis - rank]);
    const step = numel(dims.slice(own + 1));
    return axis < rank ? step * blockMap.reduce((n, a, i) => (a === own ? n * must(blockOf[i]) : n), 1) : step;
  });
  const total = numel(dims);
  let level: { readonly at: number; readonly place: number }[] = [{ at: 0, place: 0 }];
  s.dims.forEach((d, i) => {
    const next: typeof level = [];
    const stride = must(strides[i]);
    const push = (at: number, index: number, place: number): void => {
      if (index < 0 || next.length >= total) bad('more elements than it has places');
      next.push({ at: at + index * stride, place });
    };
    for (const { at, place } of level) {
      if (d.k === 'dense') for (let j = 0; j < d.size; j++) push(at, j, place * d.size + j);
      else {
        const [from, to] = [d.segments[place], d.segments[place + 1]];
        if (from === undefined || to === undefined || from < 0 || to > d.indices.length)
          return bad('segments outside of its indices');
        for (let j = from; j < to; j++) push(at, d.indices[j] ?? -1, j);
      }
    }
    level = next;
  });
  const places = new Array<number>(level.length).fill(-1);
  for (const { at, place } of level) {
    if (!(place < places.length) || at >= total) bad('an element outside of the tensor');
    places[place] = at;
  }
  return places.some(p => p < 0) ? bad('an element without a place') : places;
}
