import { must } from '../../core/diagnostic.ts';
import type { Value } from '../../graph/graph.ts';
import type { GraphBuilder } from '../../graph/build.ts';
import { rankOf } from '../shared/axes.ts';
import { concat, reshape, slice } from '../shared/views.ts';
import type { Complex } from './item.ts';

/** Complex numbers are pairs along one more axis, the last: real and imaginary part. */

/** Part 0 is the real one. */
export function partOf(c: GraphBuilder, x: Complex, part: 0 | 1): Value {
  const axis = rankOf(x.pair) - 1;
  const one = slice(c, x.pair, new Map([[axis, { start: part, size: 1, step: 1 }]]));
  return reshape(c, one, x.pair.type.shape.slice(0, -1));
}
/** Complex numbers of two parts of one shape. */
export function complexOf(c: GraphBuilder, real: Value, imaginary: Value): Complex {
  const parts = [real, imaginary].map(v => reshape(c, v, [...v.type.shape, 1]));
  return { k: 'complex', pair: concat(c, parts, rankOf(must(parts[0])) - 1) };
}
