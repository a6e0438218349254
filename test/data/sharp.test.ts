import { describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { fromNumbers, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { sharpened } from '../../compiler/data/sharp.ts';
import { randomTensor } from '../../compiler/data/random.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { constant, input, type Graph, type Value } from '../../compiler/graph/graph.ts';
import { Add, Clip, Equal, Exp, Greater, Log, Max, Mul, Relu, Sub, Where } from '../../compiler/ops/elementwise/index.ts';
import { Gather } from '../../compiler/ops/movement/gather.ts';
import { Softmax } from '../../compiler/ops/reduce/norm.ts';
import { ArgReduce, Reduce } from '../../compiler/ops/reduce/reduce.ts';
import { compare } from '../../compiler/verify/compare.ts';
import { DEFAULTS } from '../../compiler/verify/verify.ts';
import { make } from '../passes/rule-graphs.ts';

const x = input('x', { dtype: 'f32', shape: [16, 12] });
const num = (v: number): Value => constant(fromNumbers('f32', [], [v]));
const graphOf = (value: Value, from: Value = x): Graph => ({
  name: 'g',
  inputs: [from],
  outputs: [{ name: 'y', value }],
  symbolDefinitions: [],
});
const MOST = 3.4028234663852886e38;
const run = (g: Graph, t: Tensor): Tensor => must(evaluate(g, new Map([['x', t]])).get('y'));
const differ = (a: Value, b: Value, t: Tensor): boolean => !compare(run(graphOf(b), t), run(graphOf(a), t), DEFAULTS).ok;

describe('made-up inputs', () => {
  const log = make(Log, [make(Relu, [x])]);
  /** What a model says, and what a compiler that knows no better makes of it. */
  it.each<readonly [string, Value, Value]>([
    [
      'a bound that stops infinities',
      make(Softmax, [make(Clip, [log], { lo: -MOST })], { axis: 1 }),
      make(Softmax, [log], { axis: 1 }),
    ],
    [
      'a threshold',
      make(Where, [make(Greater, [x, num(0.37)]), x, num(5)]),
      make(Where, [make(Greater, [num(0.37), x]), num(5), x]),
    ],
    [
      'where a sum is 0',
      make(Log, [make(Mul, [make(Add, [x, num(3.5)]), make(Add, [x, num(3.5)])])]),
      make(Log, [make(Add, [make(Mul, [x, x]), make(Add, [make(Mul, [x, num(7)]), num(12.25)])])]),
    ],
    ['rows that are hidden', make(Softmax, [x], { axis: 1 }), make(Mul, [make(Exp, [x]), make(Sub, [num(2), num(1)])])],
    [
      'rows of zeros',
      make(Max, [make(Log, [make(Reduce, [make(Mul, [x, x])], { of: 'sum', axes: [1] })]), num(-100)]),
      make(Log, [make(Reduce, [make(Mul, [x, x])], { of: 'sum', axes: [1] })]),
    ],
  ])('reach %s', (_, right, wrong) => {
    const plain = randomTensor('f32', [16, 12], 1);
    const t = sharpened(graphOf(right), 'x', plain, 1);
    expect(differ(right, wrong, t)).toBe(true);
    expect(differ(right, right, t)).toBe(false);
  });
  it('are the same for the same seed, and keep indices in their table', () => {
    const ids = input('x', { dtype: 'i64', shape: [8, 8] });
    const table = constant(randomTensor('f32', [30, 2], 1));
    const g = graphOf(make(Gather, [table, ids], { axis: 0 }), ids);
    const t = sharpened(g, 'x', randomTensor('i64', [8, 8], 3), 3);
    expect(sharpened(g, 'x', randomTensor('i64', [8, 8], 3), 3).bytes).toEqual(t.bytes);
    const values = [...toNumbers(t)];
    expect([Math.min(...values), Math.max(...values)]).toEqual([0, 29]);
  });
  it('keep indices in all their tables, also where some numbers hide', () => {
    const ids = input('x', { dtype: 'i64', shape: [16, 16] });
    const table = (rows: number): Value => constant(randomTensor('f32', [rows, 2], 1));
    const whole = (n: number): Value => constant(fromNumbers('i64', [], [n]));
    const hidden = [0, 12].map(n => make(Where, [make(Equal, [ids, whole(n)]), num(1), num(2)]));
    const both = [9, 5].map(rows => make(Gather, [table(rows), ids], { axis: 0 }));
    const g: Graph = {
      ...graphOf(must(both[0]), ids),
      outputs: [...both, ...hidden].map((value, i) => ({ name: `y${i}`, value })),
    };
    const values = [...toNumbers(sharpened(g, 'x', randomTensor('i64', [16, 16], 3), 3))];
    expect([Math.min(...values), Math.max(...values)]).toEqual([0, 4]);
  });
  it('have no equal rows where equals are decided between', () => {
    const t = sharpened(
      graphOf(make(ArgReduce, [make(Exp, [x])], { of: 'max', axis: 1 })),
      'x',
      randomTensor('f32', [16, 12], 1),
      1,
    );
    const rows = Array.from({ length: 16 }, (_, r) => [...toNumbers(t)].slice(12 * r, 12 * r + 12));
    expect(rows.every(r => new Set(r).size > 4)).toBe(true);
  });
});
