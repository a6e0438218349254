/** Loops for the rules over them, as frameworks write them: a counter, a list, elements of a sequence by number. */
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { randomTensor } from '../../compiler/core/random.ts';
import { fromNumbers } from '../../compiler/core/tensor.ts';
import { apply, apply1, constant, input, type Value } from '../../compiler/graph/graph.ts';
import { symbol } from '../../compiler/core/dim.ts';
import { rewriteGraph } from '../../compiler/graph/rewrite.ts';
import type { Attrs, Op } from '../../compiler/ops/define.ts';
import { Loop } from '../../compiler/ops/control/loop.ts';
import * as e from '../../compiler/ops/elementwise/index.ts';
import { MatMul } from '../../compiler/ops/matmul/matmul.ts';
import { Concat } from '../../compiler/ops/movement/concat.ts';
import { Gather } from '../../compiler/ops/movement/gather.ts';
import { Indices } from '../../compiler/ops/movement/indices.ts';
import { ScatterND } from '../../compiler/ops/movement/scatter.ts';
import { Reshape, Slice } from '../../compiler/ops/movement/view.ts';
import { loopRules } from '../../compiler/passes/idioms-loops.ts';
import type { Dice } from './random-graph.ts';

const make = (op: Op, xs: readonly (Value | undefined)[], attrs: Attrs = {}): Value => apply1(op, xs, attrs, noLoc);
const num = (v: number, dtype: 'f32' | 'i32' | 'bool' = 'f32', dims: readonly number[] = []): Value =>
  constant(
    fromNumbers(
      dtype,
      dims,
      Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => v),
    ),
  );
const shaped = (v: Value, shape: readonly number[]): Value => make(Reshape, [v], { shape });

/** What a step makes: the next states, and what goes into the list. */
interface Made {
  readonly states: readonly Value[];
  readonly element: Value;
}
/** A loop over the first axis of `xs` that begins at `from`: lists and states behind each other in one vector. */
function over(
  xs: Value,
  o: { readonly from: number; readonly to: number; readonly start: readonly Value[]; readonly list: readonly number[] },
  step: (x: Value, states: readonly Value[], time: Value) => Made,
): Value {
  const time = input('time', { dtype: 'i32', shape: [] });
  const size = Number(must(xs.type.shape[0]));
  const list = input('list', { dtype: 'f32', shape: [size, ...o.list] });
  const states = o.start.map((s, i) => input(`state${i}`, s.type));
  const seq = input('seq', xs.type);
  const at = make(Indices, [time], { sizes: [size], negative: false });
  const made = step(make(Gather, [seq, at], { axis: 0 }), states, time);
  const next = make(e.Add, [time, num(1, 'i32')]);
  const outs = [
    make(e.And, [make(e.Less, [next, num(o.to, 'i32')]), num(1, 'bool')]),
    next,
    make(ScatterND, [list, shaped(at, [1, 1]), shaped(made.element, [1, ...o.list])], { reduction: 'none' }),
    ...made.states,
  ];
  const body = {
    name: 'body',
    inputs: [
      input('iteration', { dtype: 'i64', shape: [] }),
      input('on', { dtype: 'bool', shape: [] }),
      time,
      list,
      ...states,
      seq,
    ],
    outputs: outs.map((value, i) => ({ name: `out${i}`, value })),
    symbolDefinitions: [],
  };
  const start = [num(o.from, 'i32'), num(0, 'f32', [size, ...o.list]), ...o.start, xs];
  const ends = apply(
    Loop,
    [undefined, undefined, ...start],
    {
      body,
      carried: 2 + states.length,
      counts: true,
      conditional: true,
      iter: symbol('iteration', 0, 2 ** 31 - 2),
      trip: 2 ** 31 - 1,
      count: symbol('count', 0, 2 ** 31 - 1),
      outAxes: [],
      outReverse: [],
    },
    noLoc,
  );
  const flat = (v: Value): Value => shaped(v, [v.type.shape.reduce<number>((a, b) => a * Number(b), 1)]);
  return make(Concat, [make(e.Cast, [flat(must(ends[0]))], { to: 'f32' }), ...ends.slice(1, 2 + states.length).map(flat)], {
    axis: 0,
  });
}
/** A running sum that a counter takes part in. */
export function counting(d: Dice, x: Value): Value {
  const xs = shaped(x, [6, 8]);
  const from = d.pick([0, 0, 0, 1]);
  return over(xs, { from, to: d.pick([6, 6, 5]), start: [num(0, 'f32', [8])], list: [8] }, (v, [sum], time) => {
    const now = make(e.Max, [v, must(sum)]);
    const other = make(e.Where, [make(e.Less, [time, num(3, 'i32')]), now, v]);
    return { states: [now], element: d.roll(2) === 0 ? other : now };
  });
}

/** The same with the number of its iterations known, and elements taken apart and put together by the loop itself. */
function counted(y: Value): Value {
  const g = rewriteGraph({ name: '', inputs: [], outputs: [{ name: 'y', value: y }], symbolDefinitions: [] }, loopRules);
  return must(g.outputs[0]).value;
}

const UNITS = 4;
/** A cell over 4 steps of 6 rows of 5 numbers: of any kind, spelt in one of the ways that there are, masked or not. */
export const cell = (d: Dice, z: Value, near: (v: number) => number): Value => counted(cellOf(d, z, near));
function cellOf(d: Dice, z: Value, near: (v: number) => number): Value {
  const xs = shaped(z, [4, 6, 5]);
  const weights = (rows: number, gates: number): Value =>
    constant(randomTensor('f32', [rows, gates * UNITS], d.roll(1e6), -0.4, 0.4));
  const part = (v: Value, i: number): Value => make(Slice, [v], { starts: [0, i * UNITS], sizes: [6, UNITS], steps: [1, 1] });
  const add = (a: Value, b: Value): Value => (d.roll(2) === 0 ? make(e.Add, [a, b]) : make(e.Add, [b, a]));
  const mul = (a: Value, b: Value): Value => (d.roll(2) === 0 ? make(e.Mul, [a, b]) : make(e.Mul, [b, a]));
  const joint = d.roll(2) === 0;
  /** Gates of inputs and state: two products, or one of both together. */
  const gates = (x: Value, h: Value, count: number): Value => {
    const biased = (v: Value): Value => add(v, make(Reshape, [weights(1, count)], { shape: [count * UNITS] }));
    if (joint) return biased(make(MatMul, [make(Concat, [x, h], { axis: 1 }), weights(5 + UNITS, count)]));
    return biased(add(make(MatMul, [x, weights(5, count)]), make(MatMul, [h, weights(UNITS, count)])));
  };
  const sigmoid = d.pick([
    (v: Value): Value => make(e.Sigmoid, [v]),
    (v: Value): Value => make(e.Sigmoid, [v]),
    (v: Value): Value => make(e.Div, [make(e.Clip, [make(e.Add, [v, num(3)])], { lo: 0, hi: 6 }), num(near(6))]),
  ]);
  const tanh = (v: Value): Value => make(d.roll(8) === 0 ? e.Softsign : e.Tanh, [v]);
  const kept = d.roll(3) === 0;
  const ended = new Map<Value, Value>();
  const masked = (made: Value, old: Value, time: Value): Value => {
    if (!kept) return made;
    const lengths = constant(fromNumbers('i32', [6, 1], [4, 2, 0, 1, 3, 4]));
    const cond = ended.get(time) ?? make(e.GreaterOrEqual, [time, lengths]);
    ended.set(time, cond);
    return make(e.Where, [cond, old, made]);
  };
  const zero = num(0, 'f32', [6, UNITS]);
  const first = d.pick([zero, constant(randomTensor('f32', [6, UNITS], d.roll(1e6), -1, 1))]);
  const o = { from: 0, to: 4, list: [6, UNITS] };
  const element = (made: Value, time: Value): Value => masked(made, zero, time);
  switch (d.roll(4)) {
    case 0:
      return over(xs, { ...o, start: [first] }, (x, [h], time) => {
        const made = tanh(gates(x, must(h), 1));
        return { states: [masked(made, must(h), time)], element: element(made, time) };
      });
    case 1:
      return over(xs, { ...o, start: [first, zero] }, (x, [h, c], time) => {
        const all = gates(x, must(h), 4);
        const looks =
          d.roll(3) === 0 ? (v: Value, s: Value): Value => add(v, mul(s, constant(randomTensor('f32', [UNITS], 5)))) : undefined;
        const gate = (i: number, s: Value): Value => sigmoid(looks ? looks(part(all, i), s) : part(all, i));
        const sum = add(mul(gate(1, must(c)), must(c)), mul(gate(0, must(c)), tanh(part(all, 2))));
        const now = d.roll(4) === 0 ? make(e.Clip, [sum], { lo: -0.3, hi: 0.3 }) : sum;
        const made = mul(gate(3, now), tanh(now));
        return { states: [masked(made, must(h), time), masked(now, must(c), time)], element: element(made, time) };
      });
    case 2:
      return over(xs, { ...o, start: [first] }, (x, [h], time) => {
        const old = must(h);
        const zr = gates(x, old, 2);
        const [z1, r] = [sigmoid(part(zr, 0)), sigmoid(part(zr, 1))];
        const candidate = tanh(gates(x, mul(r, old), 1));
        const made = add(mul(z1, old), mul(make(e.Sub, [num(near(1)), z1]), candidate));
        return { states: [masked(made, old, time)], element: element(made, time) };
      });
    default:
      return over(xs, { ...o, start: [first] }, (x, [h], time) => {
        const old = must(h);
        const [fed, own] = [make(MatMul, [x, weights(5, 3)]), make(MatMul, [old, weights(UNITS, 3)])];
        const inner = d.roll(2) === 0 ? own : add(own, make(Reshape, [weights(1, 3)], { shape: [3 * UNITS] }));
        const [z1, r] = [0, 1].map(i => sigmoid(add(part(fed, i), part(inner, i))));
        const candidate = tanh(add(part(fed, 2), mul(must(r), part(inner, 2))));
        const made = add(mul(must(z1), old), mul(make(e.Sub, [num(1), must(z1)]), candidate));
        return { states: [masked(made, old, time)], element: element(made, time) };
      });
  }
}
