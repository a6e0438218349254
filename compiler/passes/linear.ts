import { must } from '../core/diagnostic.ts';
import { dimEq } from '../core/dim.ts';
import type { GraphBuilder } from '../graph/build.ts';
import type { Value } from '../graph/graph.ts';
import { slice, transpose, type Cut } from '../import/shared/views.ts';
import { Add, Mul, Neg, Sub } from '../ops/elementwise/index.ts';
import { MatMul } from '../ops/matmul/matmul.ts';
import { Concat } from '../ops/movement/concat.ts';
import { Slice } from '../ops/movement/view.ts';
import { madeBy } from './match.ts';
import type { Steps } from './steps.ts';

/** A value of a loop's body as a sum: sum of products + sum of scaled + vector + sum of others. */
export interface Linear {
  /** By what is multiplied, of the body: the weights outside of it, [rows, width]. */
  readonly products: ReadonlyMap<Value, Value>;
  /** By what is scaled element by element, of the body: the factors outside of it. */
  readonly scaled: ReadonlyMap<Value, Value>;
  /** What is the same in all iterations, outside of the body. */
  readonly same: Value | undefined;
  /** What else is added, of the body. */
  readonly others: readonly Value[];
}
const none: Linear = { products: new Map(), scaled: new Map(), same: undefined, others: [] };
/** Sums are so deep at most. */
const DEEPEST = 32;

/** Takes a value apart. */
export function linear(m: GraphBuilder, s: Steps, v: Value, deep = DEEPEST): Linear {
  const other: Linear = { ...none, others: [v] };
  const same = s.same(v);
  if (same) return { ...none, same };
  if (deep === 0 || v.def.k !== 'node') return other;
  const [a, b] = v.def.inputs;
  switch (v.def.op) {
    case Add:
      return sum(m, linear(m, s, must(a), deep - 1), linear(m, s, must(b), deep - 1));
    case Sub: {
      const taken = s.same(must(b));
      return taken ? sum(m, linear(m, s, must(a), deep - 1), { ...none, same: m.apply1(Neg, [taken]) }) : other;
    }
    case Mul: {
      const [x, k] = s.same(must(b)) ? [a, b] : [b, a];
      const factor = k && s.same(k);
      return factor && x ? { ...none, scaled: new Map([[x, factor]]) } : other;
    }
    case MatMul:
      return product(m, s, v) ?? other;
    case Slice: {
      const cut = lastAxis(v);
      const inner = cut && linear(m, s, must(a), deep - 1);
      return inner && inner.others.length === 0 && inner.scaled.size === 0 ? columns(m, inner, cut) : other;
    }
  }
  return other;
}
function sum(m: GraphBuilder, p: Linear, q: Linear): Linear {
  const add = (a: Value | undefined, b: Value | undefined): Value | undefined => (a && b ? m.apply1(Add, [a, b]) : (a ?? b));
  const all = (x: ReadonlyMap<Value, Value>, y: ReadonlyMap<Value, Value>): ReadonlyMap<Value, Value> => {
    const out = new Map(x);
    for (const [v, w] of y) out.set(v, must(add(out.get(v), w)));
    return out;
  };
  return {
    products: all(p.products, q.products),
    scaled: all(p.scaled, q.scaled),
    same: add(p.same, q.same),
    others: [...p.others, ...q.others],
  };
}
/** A product of rows with weights; of rows that are put together, one for each part. */
function product(m: GraphBuilder, s: Steps, v: Value): Linear | undefined {
  const node = madeBy(v, MatMul);
  const [x, y] = node?.inputs ?? [];
  const given = y && s.same(y);
  if (!node || !x || !given || node.attrs.transA || x.type.shape.length !== 2 || given.type.shape.length !== 2) return undefined;
  const w = node.attrs.transB ? transpose(m, given, [1, 0]) : given;
  const parts = madeBy(x, Concat);
  if (!parts || parts.attrs.axis !== 1) return { ...none, products: new Map([[x, w]]) };
  const products = new Map<Value, Value>();
  let start = 0;
  for (const part of parts.inputs) {
    const size = part?.type.shape[1];
    if (!part || typeof size !== 'number' || products.has(part)) return undefined;
    products.set(part, slice(m, w, new Map([[0, { start, size, step: 1 }]])));
    start += size;
  }
  return { ...none, products };
}
/** What a slice takes of the last axis, where it takes the others whole. */
function lastAxis(v: Value): Cut | undefined {
  const node = madeBy(v, Slice);
  const x = node?.inputs[0];
  if (!node || !x) return undefined;
  const { starts, sizes, steps } = node.attrs;
  const last = starts.length - 1;
  const whole = starts.every((d, a) => a === last || (d === 0 && steps[a] === 1 && dimEq(must(sizes[a]), must(x.type.shape[a]))));
  return whole && last >= 0 ? { start: must(starts[last]), size: must(sizes[last]), step: must(steps[last]) } : undefined;
}
function columns(m: GraphBuilder, l: Linear, cut: Cut): Linear {
  // A single number is in all columns.
  const of = (v: Value): Value => {
    const axis = v.type.shape.length - 1;
    return axis < 0 || v.type.shape[axis] === 1 ? v : slice(m, v, new Map([[axis, cut]]));
  };
  return { ...l, products: new Map([...l.products].map(([v, w]) => [v, of(w)])), same: l.same && of(l.same) };
}
