import { describe, expect, it } from '@jest/globals';
import { noLoc } from '../../compiler/core/diagnostic.ts';
import { dimAdd, symbol, type Dim } from '../../compiler/core/dim.ts';
import { tensorType } from '../../compiler/core/shape.ts';
import { fromNumbers, scalar, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { apply, apply1, constant, input, type Graph, type Value } from '../../compiler/graph/graph.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { Concat } from '../../compiler/ops/movement/concat.ts';
import { If } from '../../compiler/ops/control/if.ts';
import { Add, Less, Mul, Relu } from '../../compiler/ops/elementwise/index.ts';
import { Loop } from '../../compiler/ops/control/loop.ts';
import { Slice } from '../../compiler/ops/movement/view.ts';
import type { Attrs, Op } from '../../compiler/ops/define.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import { expectClose, noise, target } from './problems.ts';

const profile = target('wasm-simd');
const op1 = (op: Op, inputs: readonly Value[], attrs: Attrs = {}): Value => apply1(op, inputs, attrs, noLoc);
const graph = (
  name: string,
  inputs: readonly Value[],
  outputs: readonly Value[],
  symbolDefinitions: readonly Value[] = [],
): Graph => ({
  name,
  inputs,
  outputs: outputs.map((value, i) => ({ name: `y${i}`, value })),
  symbolDefinitions: symbolDefinitions,
});
const f32 = (name: string, ...shape: readonly Dim[]): Value => input(name, tensorType('f32', shape));
/** Both ways agree; gives what came out. */
function both(g: Graph, inputs: Readonly<Record<string, Tensor>>): Tensor[] {
  const given = new Map(Object.entries(inputs));
  const want = evaluate(g, given);
  const got = interpretProgram(lowerGraph(g, profile), given);
  for (const [name, t] of want) expectClose(got.get(name), t);
  return [...want.values()];
}
const list = (t: Tensor | undefined): number[] => (t ? [...toNumbers(t)] : []);

describe('If', () => {
  const cond = input('cond', tensorType('bool', []));
  it('takes the side that the condition says, with sizes of its own', () => {
    const x = f32('x', 4);
    const a = f32('a', 4);
    const b = f32('b', 4);
    const then = graph('then', [a], [op1(Relu, [a])]);
    const other = graph('else', [b], [op1(Slice, [b], { starts: [1], sizes: [2], steps: [1] })]);
    const outs = apply(If, [cond, x, x], { then, else: other, split: 1, shapes: [symbol('if.n', 2, 4)] }, noLoc);
    const g = graph('g', [cond, x], [op1(Add, [outs[0] ?? x, constant(scalar('f32', 1))])], outs);
    const data = fromNumbers('f32', [4], [-1, 2, -3, 4]);
    expect(list(both(g, { cond: scalar('bool', 1), x: data })[0])).toEqual([1, 3, 1, 5]);
    expect(list(both(g, { cond: scalar('bool', 0), x: data })[0])).toEqual([3, -2]);
  });
  it('gives NaN for a side that cannot be computed', () => {
    const x = f32('x', 3);
    const a = f32('a', 3);
    const outs = apply(If, [cond, x], { else: graph('else', [a], [op1(Relu, [a])]), split: 0, shapes: [3] }, noLoc);
    const g = graph('g', [cond, x], outs);
    const data = noise('f32', [3], 1);
    expect(list(both(g, { cond: scalar('bool', 1), x: data })[0])).toEqual([NaN, NaN, NaN]);
    expect(list(both(g, { cond: scalar('bool', 0), x: data })[0])).toEqual(list(data).map(v => Math.max(v, 0)));
  });
  it('rejects sides of different types', () => {
    const a = f32('a', 3);
    const b = f32('b', 3, 1);
    const make = () =>
      apply(If, [cond, a, b], { then: graph('t', [a], [a]), else: graph('e', [b], [b]), split: 1, shapes: [3] }, noLoc);
    expect(make).toThrow(/E102.*output 0/);
  });
});

describe('Loop', () => {
  const base = {
    carried: 0,
    scanned: 0,
    counts: false,
    conditional: false,
    inAxes: [],
    inReverse: [],
    outAxes: [],
    outReverse: [],
  };
  const iter = (hi: number): Dim => symbol('i', 0, hi - 1);

  it('exchanges carried values without mixing them up', () => {
    const [a, b] = [f32('a', 2), f32('b', 2)];
    const body = graph('body', [a, b], [b, op1(Add, [a, b])]);
    const [x, y] = [f32('x', 2), f32('y', 2)];
    const outs = apply(
      Loop,
      [undefined, undefined, x, y],
      { ...base, body, carried: 2, iter: iter(6), trip: 6, count: 6 },
      noLoc,
    );
    const g = graph('g', [x, y], outs);
    // Fibonacci numbers from (0, 1) and (1, 1).
    const res = both(g, { x: fromNumbers('f32', [2], [0, 1]), y: fromNumbers('f32', [2], [1, 1]) });
    expect(res.map(list)).toEqual([
      [8, 13],
      [13, 21],
    ]);
  });
  it('passes carried values through, also transposed places of them', () => {
    const [a, b, c] = [f32('a', 2), f32('b', 2), f32('c', 2)];
    const flipped = op1(Slice, [c], { starts: [1], sizes: [2], steps: [-1] });
    const body = graph('body', [a, b, c], [b, a, flipped]);
    const ins = [f32('x', 2), f32('y', 2), f32('z', 2)];
    const outs = apply(
      Loop,
      [undefined, undefined, ...ins],
      { ...base, body, carried: 3, iter: iter(3), trip: 3, count: 3 },
      noLoc,
    );
    const of = (p: number, q: number): Tensor => fromNumbers('f32', [2], [p, q]);
    const res = both(graph('g', ins, outs), { x: of(1, 2), y: of(3, 4), z: of(5, 6) });
    expect(res.map(list)).toEqual([
      [3, 4],
      [1, 2],
      [6, 5],
    ]);
  });
  it('ends when the condition says so, and counts', () => {
    // Doubles until the value is 100 or more; gives each value on the way.
    const number = input('number', tensorType('i64', []));
    const cond = input('cond', tensorType('bool', []));
    const v = f32('v', 1);
    const twice = op1(Mul, [v, constant(scalar('f32', 2))]);
    const on = op1(Slice, [op1(Less, [twice, constant(scalar('f32', 100))])], { starts: [0], sizes: [1], steps: [1] });
    const body = graph('body', [number, cond, v], [on, twice, twice]);
    const x = f32('x', 1);
    const count = symbol('count', 0, 20);
    const attrs = {
      ...base,
      body,
      carried: 1,
      counts: true,
      conditional: true,
      iter: iter(20),
      trip: 20,
      count,
      outAxes: [0],
      outReverse: [0],
    };
    const outs = apply(Loop, [undefined, undefined, x], attrs, noLoc);
    const g = graph('g', [x], outs, outs.slice(0, 1));
    const [last, all] = both(g, { x: fromNumbers('f32', [1], [3]) });
    expect(list(last)).toEqual([192]);
    expect([all?.dims, list(all)]).toEqual([
      [6, 1],
      [6, 12, 24, 48, 96, 192],
    ]);
  });
  it('takes the number of iterations from data', () => {
    const number = input('number', tensorType('i64', []));
    const cond = input('cond', tensorType('bool', []));
    const v = f32('v', 2);
    const body = graph('body', [number, cond, v], [cond, op1(Add, [v, v]), v]);
    const n = input('n', tensorType('i64', []));
    const x = f32('x', 2);
    const trip = symbol('trip', 0, 5);
    const attrs = { ...base, body, carried: 1, counts: true, iter: iter(5), trip, count: trip, outAxes: [0], outReverse: [0] };
    const outs = apply(Loop, [n, undefined, x], attrs, noLoc);
    const g = graph('g', [n, x], outs, outs.slice(0, 1));
    const data = fromNumbers('f32', [2], [1, -1]);
    expect(both(g, { n: scalar('i64', 3), x: data }).map(t => [t.dims, list(t)])).toEqual([
      [[2], [8, -8]],
      [
        [3, 2],
        [1, -1, 2, -2, 4, -4],
      ],
    ]);
    expect(both(g, { n: scalar('i64', -2), x: data }).map(t => t.dims)).toEqual([[2], [0, 2]]);
  });
  it('lets a carried value grow', () => {
    const i = iter(4);
    const all = f32('all', 2, dimAdd(i, 1));
    const x = f32('x', 2, 1);
    const body = graph('body', [all, x], [op1(Concat, [all, x], { axis: 1 })]);
    const outer = f32('x', 2, 1);
    const outs = apply(
      Loop,
      [undefined, undefined, outer, outer],
      { ...base, body, carried: 1, iter: i, trip: 4, count: 4 },
      noLoc,
    );
    const [y] = both(graph('g', [outer], outs), { x: fromNumbers('f32', [2, 1], [1, 2]) });
    expect([y?.dims, list(y)]).toEqual([
      [2, 5],
      [1, 1, 1, 1, 1, 2, 2, 2, 2, 2],
    ]);
  });
  it('takes inputs apart and puts results together along any axis, in both directions', () => {
    const [state, e] = [f32('state', 2), f32('e', 2)];
    const sum = op1(Add, [state, e]);
    const body = graph('body', [state, e], [sum, sum]);
    const [s, x] = [f32('s', 2), f32('x', 2, 3)];
    const attrs = {
      ...base,
      body,
      carried: 1,
      scanned: 1,
      iter: iter(3),
      trip: 3,
      count: 3,
      inAxes: [1],
      inReverse: [1],
      outAxes: [1],
      outReverse: [1],
    };
    const outs = apply(Loop, [undefined, undefined, s, x], attrs, noLoc);
    const [last, all] = both(graph('g', [s, x], outs), {
      s: fromNumbers('f32', [2], [0, 10]),
      x: fromNumbers('f32', [2, 3], [1, 2, 3, 4, 5, 6]),
    });
    expect(list(last)).toEqual([6, 25]);
    expect(list(all)).toEqual([6, 5, 3, 25, 21, 16]);
  });
});
