import { must } from '../core/diagnostic.ts';
import { dimEq, type Dim } from '../core/dim.ts';
import type { GraphBuilder } from '../graph/build.ts';
import { nodesOf, type Node, type Value } from '../graph/graph.ts';
import { flip, reshape, transpose } from '../import/shared/views.ts';
import { attrsOf } from '../ops/define.ts';
import { MatMul } from '../ops/matmul/matmul.ts';
import { Concat } from '../ops/movement/concat.ts';
import { Gather } from '../ops/movement/gather.ts';
import { Range } from '../ops/movement/range.ts';
import { Expand, Reshape, Slice, Transpose } from '../ops/movement/view.ts';
import type { LoopParts } from './idioms-loops.ts';

/** Values of the body of a loop as values outside of it. */
export interface Steps {
  readonly trip: Dim;
  /** What is the same in every iteration. */
  same(v: Value): Value | undefined;
  /** What depends on nothing that is carried: its values in all iterations, along a first axis more. */
  all(v: Value): Value | undefined;
  /** Says what a value of the body is in all iterations, and finds out what follows from that. */
  learn(v: Value, all: Value): void;
}
/** An axis moved to the front, or back from it. */
export function moveAxis(m: GraphBuilder, v: Value, axis: number, back: boolean): Value {
  const rest = v.type.shape.map((_, a) => a).filter(a => a !== axis);
  const front = [axis, ...rest];
  return transpose(m, v, back ? v.type.shape.map((_, a) => front.indexOf(a)) : front);
}

/** The body of a loop whose sizes and number of iterations stay. */
export function stepsOf(m: GraphBuilder, p: LoopParts): Steps {
  const { trip, body } = p.attrs;
  const one = new Map<Value, Value>(p.captured.map(c => [c.formal, c.given]));
  const each = new Map<Value, Value>();
  for (const s of p.scanned) {
    const first = moveAxis(m, s.given, s.axis, false);
    each.set(s.formal, s.reverse ? flip(m, first, [0]) : first);
  }
  if (p.iteration) each.set(p.iteration, m.apply1(Range, [m.literal('i64', 0), m.literal('i64', 1)], { n: trip }));
  const same = (v: Value): Value | undefined => (v.def.k === 'const' ? v : one.get(v));
  const nodes = nodesOf(body);
  const settle = (): void => {
    for (const n of nodes) {
      if (n.outputs.every(v => one.has(v) || each.has(v))) continue;
      const inputs = n.inputs.map(v => v && same(v));
      if (inputs.every((v, i) => v !== undefined || n.inputs[i] === undefined)) {
        m.apply(n.op, inputs, n.attrs).forEach((v, i) => one.set(must(n.outputs[i]), v));
        continue;
      }
      const known = n.inputs.every(v => !v || same(v) || each.has(v));
      const made = known ? overAll(m, n, trip, same, v => each.get(v)) : undefined;
      if (made) each.set(must(n.outputs[0]), made);
    }
  };
  settle();
  return {
    trip,
    same,
    all: v => each.get(v),
    learn: (v, all) => {
      each.set(v, all);
      settle();
    },
  };
}
/** A node over all iterations at once; undefined where its operator cannot be told so. */
function overAll(
  m: GraphBuilder,
  n: Node,
  trip: Dim,
  same: (v: Value) => Value | undefined,
  each: (v: Value) => Value | undefined,
): Value | undefined {
  const { shape } = must(n.outputs[0]).type;
  const [x, y] = n.inputs;
  const first = x && each(x);
  /** With as many axes behind the first as the result has. */
  const wide = (v: Value): Value => {
    const all = each(v);
    if (!all) return must(same(v));
    const more = shape.length - v.type.shape.length;
    return reshape(m, all, [trip, ...Array.from({ length: more }, () => 1), ...v.type.shape]);
  };
  if (n.op.lower.k === 'elementwise')
    return 'axis' in n.attrs
      ? undefined
      : m.apply1(
          n.op,
          n.inputs.map(v => v && wide(v)),
          n.attrs,
        );
  switch (n.op) {
    case MatMul: {
      const w = y && same(y);
      const plain = x?.type.shape.length === 2 && y?.type.shape.length === 2 && !attrsOf(n, MatMul).transA;
      return first && w && plain ? m.apply1(MatMul, [first, w], n.attrs) : undefined;
    }
    case Slice: {
      const a = attrsOf(n, Slice);
      return first && m.apply1(Slice, [first], { starts: [0, ...a.starts], sizes: [trip, ...a.sizes], steps: [1, ...a.steps] });
    }
    case Concat: {
      const parts = n.inputs.map(v => v && (each(v) ?? m.apply1(Expand, [must(same(v))], { shape: [trip, ...v.type.shape] })));
      return m.apply1(Concat, parts, { axis: attrsOf(n, Concat).axis + 1 });
    }
    case Reshape:
      return first && m.apply1(Reshape, [first], { shape: [trip, ...shape] });
    case Expand:
      return x && m.apply1(Expand, [wide(x)], { shape: [trip, ...shape] });
    case Transpose:
      return first && m.apply1(Transpose, [first], { perm: [0, ...attrsOf(n, Transpose).perm.map(a => a + 1)] });
    case Gather: {
      const table = x && same(x);
      const at = y && each(y);
      return table && at && attrsOf(n, Gather).axis === 0 ? m.apply1(Gather, [table, at], n.attrs) : undefined;
    }
  }
  return undefined;
}
/** Whether a value is as large as another in all axes. */
export const fits = (v: Value, shape: readonly Dim[]): boolean =>
  v.type.shape.length === shape.length && v.type.shape.every((d, i) => dimEq(d, must(shape[i])));
