import type { Dim } from '../../core/dim.ts';
import type { Value } from '../../graph/graph.ts';
import { sizesOf, unbounded } from '../shared/sizes.ts';
import type { TfliteCtx, TfliteNode } from './registry.ts';

/**
 * The sizes in a vector that are those of the result from axis `first` on: as known, else as the file declares the result, which the run
 * checks, else read when the model runs.
 */
export function askedSizes(n: TfliteNode, c: TfliteCtx, sizes: Value, first = 0): readonly Dim[] {
  const declared = n.declared(0);
  const most = unbounded(c, 'shape', declared.length);
  return sizesOf(c, sizes, i => {
    const d = declared[first + i];
    return d === undefined ? { what: 'size', lo: 0, hi: most() } : { what: 'size', lo: 0, hi: d, declared: d };
  });
}
/** Numbers of elements in a vector, such as of pads; each at most `most`. */
export const askedCounts = (c: TfliteCtx, v: Value, what: string, most: number): readonly Dim[] =>
  sizesOf(c, v, () => ({ what, lo: 0, hi: most }));
