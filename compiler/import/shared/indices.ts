import { must } from '../../core/diagnostic.ts';
import { dimHi, rangeOf, type Dim, type Range as Bounds } from '../../core/dim.ts';
import { toNumbers } from '../../core/tensor.ts';
import type { GraphBuilder } from '../../graph/build.ts';
import { symbolicOf, tensorOf, type Node, type Value } from '../../graph/graph.ts';
import { nodeOf, type Op } from '../../ops/define.ts';
import { Cast } from '../../ops/elementwise/cast.ts';
import { Gather } from '../../ops/movement/gather.ts';
import { Indices } from '../../ops/movement/indices.ts';
import { Expand, Reshape, Slice, Transpose } from '../../ops/movement/view.ts';
import { ArgReduce } from '../../ops/reduce/reduce.ts';
import { TopK } from '../../ops/sort/topk.ts';

/**
 * Indices along an axis of `sizes[0]` elements, or along an axis for each place of the last axis of `v`. Those that are not known to be inside are
 * checked when the model runs; `negative`: whether they may count from the end.
 */
export function indicesInto(c: GraphBuilder, v: Value, sizes: readonly Dim[], negative = true): Value {
  const least = Math.min(...sizes.map(d => rangeOf(d).lo));
  const b = boundsOf(v);
  if (b && b.hi < least && b.lo >= (negative ? -least : 0)) return v;
  return c.apply1(Indices, [v], { sizes, negative });
}

/** Operators whose result holds elements of their first input. */
const PASS: readonly Op[] = [Cast, Reshape, Transpose, Slice, Expand, Gather];
/** Constants with more elements are not searched. */
const MOST = 1 << 20;
/** Between what the elements of a value lie; undefined where that is not known. */
function boundsOf(given: Value): Bounds | undefined {
  for (let v = given; ;) {
    const known = symbolicOf(v);
    if (known) return hull(known.map(rangeOf));
    const t = tensorOf(v);
    if (t) {
      if (t.bytes.length > 8 * MOST) return undefined;
      let [lo, hi] = [0, 0];
      for (const x of toNumbers(t)) {
        if (x < lo) lo = x;
        if (x > hi) hi = x;
      }
      return { lo, hi };
    }
    if (v.def.k !== 'node') return undefined;
    const picked = positions(v.def, v.index);
    if (picked) return picked;
    // Narrow types wrap.
    const wide = v.type.dtype === 'i32' || v.type.dtype === 'i64';
    const next = wide && PASS.includes(v.def.op) ? v.def.inputs[0] : undefined;
    if (!next) return undefined;
    v = next;
  }
}
/** Places along an axis, where a node gives such. */
function positions(n: Node, index: number): Bounds | undefined {
  const along = (axis: number): Bounds => ({ lo: 0, hi: Math.max(0, dimHi(must(must(n.inputs[0]).type.shape[axis])) - 1) });
  const best = nodeOf(n, ArgReduce);
  if (best) return along(best.attrs.axis);
  const top = nodeOf(n, TopK);
  return top && index === 1 ? along(top.attrs.axis) : undefined;
}
const hull = (all: readonly Bounds[]): Bounds => ({
  lo: Math.min(0, ...all.map(b => b.lo)),
  hi: Math.max(0, ...all.map(b => b.hi)),
});
