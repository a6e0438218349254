import { must } from '../../core/diagnostic.ts';
import { toNumbers, type Tensor } from '../../core/tensor.ts';
import type { GraphBuilder } from '../../graph/build.ts';
import type { Value } from '../../graph/graph.ts';
import { Lookup } from '../../ops/ml/lookup.ts';

/** The value at the place of each x among the keys; the first of equal keys counts, and NaN is no key. */
export function lookedUp(c: GraphBuilder, x: Value, keys: Tensor, values: Tensor, otherwise: number): Value {
  const numbers = [...toNumbers(keys)];
  const given = [...toNumbers(values)];
  const firsts = new Map<number, number>();
  numbers.forEach((v, i) => {
    if (!firsts.has(v) && !Number.isNaN(v)) firsts.set(v, i);
  });
  const places = [...firsts.values()].sort((a, b) => must(numbers[a]) - must(numbers[b]));
  const sorted = c.literal(
    keys.dtype,
    places.map(i => must(numbers[i])),
  );
  const table = c.literal(values.dtype, [...places.map(i => given[i] ?? 0), otherwise]);
  return c.apply1(Lookup, [x, sorted, table]);
}
