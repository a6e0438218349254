import { dimEq, rangeOf, type Dim } from '../../../core/dim.ts';
import { showType, tensorType, type TensorType } from '../../../core/shape.ts';
import { must } from '../../../core/diagnostic.ts';
import { symbolicOf, type Graph, type Value } from '../../../graph/graph.ts';
import { If, outTypes } from '../../../ops/control/if.ts';
import { Loop } from '../../../ops/control/loop.ts';
import { reshape } from '../../shared/views.ts';
import { isResource, type Item, type TfliteBuilder, type TfliteCtx, type TfliteOps } from '../registry.ts';

/** What a graph of the file makes of values, without handles. */
function inlined(c: TfliteCtx, subgraph: number, inputs: readonly Value[]): Value[] {
  return c
    .inline(subgraph, inputs)
    .map((x: Item) => (isResource(x) ? c.unsupported('a handle that a branch or a body gives') : x));
}
const typesOf = (values: readonly Value[]): readonly TensorType[] => values.map(v => v.type);

const ifOp: TfliteBuilder = (n, c) => {
  const cond = reshape(c, n.input(0), []);
  const inputs = n.inputs.slice(1);
  const [then, other] = [n.int('then_subgraph_index'), n.int('else_subgraph_index')];
  const [known] = symbolicOf(cond) ?? [];
  if (typeof known === 'number') return inlined(c, known === 0 ? other : then, inputs);
  const [a, b] = [then, other].map(i => c.graph(typesOf(inputs), (d, values) => inlined(d, i, values)));
  const shapes = joined(c, must(a), must(b));
  return c.apply(If, [cond, ...inputs, ...inputs], { then: a, else: b, split: inputs.length, shapes });
};
/** The sizes of the results: where the branches differ, a new symbol. */
function joined(c: TfliteCtx, a: Graph, b: Graph): readonly Dim[] {
  const other = outTypes(b);
  return outTypes(a).flatMap((t, i) => {
    const u = other[i];
    if (!u || u.dtype !== t.dtype || u.shape.length !== t.shape.length)
      return c.unsupported(`result ${i} is ${showType(t)} in one branch and ${u ? showType(u) : 'missing'} in the other`);
    return t.shape.map((x, axis) => {
      const y = must(u.shape[axis]);
      if (dimEq(x, y)) return x;
      const [p, q] = [rangeOf(x), rangeOf(y)];
      return c.symbol(`if_${i}_${axis}`, Math.max(0, Math.min(p.lo, q.lo)), Math.max(p.hi, q.hi));
    });
  });
}

const ENDLESS = 2 ** 31 - 1;
const whileOp: TfliteBuilder = (n, c) => {
  const [cond, body] = [n.int('cond_subgraph_index'), n.int('body_subgraph_index')];
  const initial = n.inputs;
  const goesOn = (d: TfliteCtx, values: readonly Value[]): Value => {
    const [first] = inlined(d, cond, values);
    return first ? reshape(d, first, []) : d.reject('its condition has no result');
  };
  const first = goesOn(c, initial);
  if (symbolicOf(first)?.[0] === 0) return initial;
  const head = [tensorType('i64', []), tensorType('bool', [])];
  const made = c.graph([...head, ...typesOf(initial)], (d, values) => {
    const next = inlined(d, body, values.slice(head.length));
    return [goesOn(d, next), ...next];
  });
  const formals = made.inputs.slice(head.length);
  const results = made.outputs.slice(1);
  results.forEach((o, i) => {
    const [was, is] = [must(formals[i]).type, o.value.type];
    if (was.dtype !== is.dtype || was.shape.length !== is.shape.length || was.shape.some((d, a) => !dimEq(d, must(is.shape[a]))))
      c.unsupported(`value ${i} is ${showType(was)} before an iteration and ${showType(is)} after it`);
  });
  // What an iteration gives back as it was is the same for all of them.
  const places = initial.map((_, i) => i);
  const carried = places.filter(i => results[i]?.value !== formals[i]);
  const fixed = places.filter(i => !carried.includes(i));
  const graph: Graph = {
    ...made,
    inputs: [...made.inputs.slice(0, head.length), ...[...carried, ...fixed].map(i => must(formals[i]))],
    outputs: [must(made.outputs[0]), ...carried.map(i => must(results[i]))],
  };
  const outs = c.apply(Loop, [undefined, first, ...[...carried, ...fixed].map(i => must(initial[i]))], {
    body: graph,
    carried: carried.length,
    counts: true,
    conditional: true,
    iter: c.symbol('iteration', 0, ENDLESS - 1),
    trip: ENDLESS,
    bounded: true,
    count: c.symbol('count', 0, ENDLESS),
    outAxes: [],
    outReverse: [],
  });
  return initial.map((v, i) => (carried.includes(i) ? outs[carried.indexOf(i)] : v));
};

export const controlOps: TfliteOps = { IF: ifOp, WHILE: whileOp };
