// Recurrent layers as Keras writes them into graphs: a loop over lists of tensors. The values are TensorFlow's.
import { expect, test } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { fromNumbers, toNumbers } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { nodesOf } from '../../compiler/graph/graph.ts';
import { importModel } from '../../compiler/import/index.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { constNode, floatsOf, intsOf, TF, writeGraph, type TfAttr, type TfNodeSpec } from '../tensorflow-writer.ts';

const node = (name: string, op: string, inputs: readonly string[], attrs: Readonly<Record<string, TfAttr>> = {}): TfNodeSpec => ({
  name,
  op,
  inputs,
  attrs,
});
const part = (i: number): readonly TfNodeSpec[] => [
  constNode(`begin${i}`, intsOf([2], [0, i])),
  node(`part${i}`, 'Slice', ['sum', `begin${i}`, 'one_column']),
];
/** Nodes of a body in which `x` is the element and `h` the state; the last one but for the states is `made`. */
interface Cell {
  readonly gates: number;
  readonly kernel: readonly number[];
  readonly recurrent: readonly number[];
  readonly states: Readonly<Record<string, string>>;
  readonly nodes: readonly TfNodeSpec[];
}
/** Nothing reads the types of arguments. */
const typed = (names: readonly string[]): Readonly<Record<string, number>> => Object.fromEntries(names.map(n => [n, TF.f32]));
/** A loop over two steps of two numbers. `mask`: whether each counts. */
function layer(c: Cell, mask?: readonly number[]): Uint8Array {
  const states = Object.keys(c.states);
  const args = ['time', 'list', 'input', ...states, 'kernel', 'recurrent', 'mask'];
  const type = { element_dtype: { type: TF.f32 } };
  const kept = mask ? states.map(s => node(`kept_${s}`, 'SelectV2', ['counts', must(c.states[s]), s])) : [];
  const loop = {
    cond: { func: 'cond' },
    body: { func: 'body' },
  };
  return writeGraph(
    [
      node('x', 'Placeholder', [], { dtype: { type: TF.f32 }, shape: { shape: [2, 1, 2] } }),
      constNode('kernel', floatsOf([2, c.gates], c.kernel)),
      constNode('recurrent', floatsOf([1, c.gates], c.recurrent)),
      constNode('zero', intsOf([], [0])),
      constNode('two', intsOf([], [2])),
      constNode('shape', intsOf([2], [1, 1])),
      constNode('start', floatsOf([1, 1], [0])),
      constNode('mask', floatsOf([2, 1, 1], mask ?? [1, 1])),
      node('list', 'TensorListReserve', ['shape', 'two'], type),
      node('inputs', 'TensorListFromTensor', ['x', 'shape'], type),
      node('masks', 'TensorListFromTensor', ['mask', 'shape'], type),
      node('loop', 'While', ['zero', 'list', 'inputs', ...states.map(() => 'start'), 'kernel', 'recurrent', 'masks'], loop),
      node('y', 'TensorListStack', ['loop:1', 'shape'], type),
      ...states.map((s, i) => node(`last_${s}`, 'Identity', [`loop:${3 + i}`])),
    ],
    [
      {
        name: 'cond',
        args: typed(args),
        outs: { go: TF.bool },
        nodes: [constNode('most', intsOf([], [2])), node('less', 'Less', ['time', 'most'])],
        ret: { go: 'less' },
      },
      {
        name: 'body',
        args: typed(args),
        outs: typed(args.map(a => `${a}_out`)),
        nodes: [
          constNode('shape', intsOf([2], [1, 2])),
          constNode('one', intsOf([], [1])),
          constNode('one_column', intsOf([2], [1, 1])),
          constNode('half', floatsOf([], [0.5])),
          constNode('unit', floatsOf([], [1])),
          node('next', 'AddV2', ['time', 'one']),
          node('element', 'TensorListGetItem', ['input', 'time', 'shape'], type),
          node('fed', 'MatMul', ['element', 'kernel']),
          node('own', 'MatMul', ['h', 'recurrent']),
          ...c.nodes,
          node('m', 'TensorListGetItem', ['mask', 'time', 'shape'], type),
          node('counts', 'Greater', ['m', 'half']),
          ...kept,
          node('put', 'TensorListSetItem', ['list', 'time', mask ? 'kept_h' : must(c.states['h'])], type),
        ],
        ret: Object.fromEntries(
          args.map(a => {
            const made =
              a === 'time' ? 'next' : a === 'list' ? 'put' : states.includes(a) ? (mask ? `kept_${a}` : must(c.states[a])) : a;
            return [`${a}_out`, made];
          }),
        ),
      },
    ],
  );
}
const biased = (values: readonly number[]): readonly TfNodeSpec[] => [constNode('bias', floatsOf([values.length], values))];
const lstm: Cell = {
  gates: 4,
  kernel: [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7],
  recurrent: [0.5, -0.5, 0.25, -0.25],
  states: { h: 'made', c: 'now' },
  nodes: [
    ...biased([0.1, 0.2, 0.3, 0.4]),
    node('product', 'AddV2', ['fed', 'own']),
    node('sum', 'BiasAdd', ['product', 'bias']),
    ...[0, 1, 2, 3].flatMap(part),
    ...[0, 1, 3].map(i => node(`gate${i}`, 'Sigmoid', [`part${i}`])),
    node('candidate', 'Tanh', ['part2']),
    node('forget', 'Mul', ['gate1', 'c']),
    node('add', 'Mul', ['gate0', 'candidate']),
    node('now', 'AddV2', ['forget', 'add']),
    node('shown', 'Tanh', ['now']),
    node('made', 'Mul', ['gate3', 'shown']),
  ],
};
const gru: Cell = {
  gates: 3,
  kernel: [0, 0.1, 0.2, 0.3, 0.4, 0.5],
  recurrent: [0.5, -0.5, 0.25],
  states: { h: 'made' },
  nodes: [
    ...biased([0.1, 0.2, 0.3]),
    constNode('inner', floatsOf([3], [0.4, 0.5, 0.6])),
    node('fed_b', 'BiasAdd', ['fed', 'bias']),
    node('own_b', 'BiasAdd', ['own', 'inner']),
    ...[0, 1, 2].flatMap(i => [
      constNode(`begin${i}`, intsOf([2], [0, i])),
      node(`fed${i}`, 'Slice', ['fed_b', `begin${i}`, 'one_column']),
      node(`own${i}`, 'Slice', ['own_b', `begin${i}`, 'one_column']),
    ]),
    ...[0, 1].flatMap(i => [node(`sum${i}`, 'AddV2', [`fed${i}`, `own${i}`]), node(`gate${i}`, 'Sigmoid', [`sum${i}`])]),
    node('reset', 'Mul', ['gate1', 'own2']),
    node('sum2', 'AddV2', ['fed2', 'reset']),
    node('candidate', 'Tanh', ['sum2']),
    node('kept', 'Mul', ['gate0', 'h']),
    node('rest', 'Sub', ['unit', 'gate0']),
    node('new', 'Mul', ['rest', 'candidate']),
    node('made', 'AddV2', ['kept', 'new']),
  ],
};
const profile = must(resolveTarget('wasm-simd').profiles[0]);
function run(bytes: Uint8Array): {
  readonly ops: readonly string[];
  readonly y: readonly number[];
  readonly h: readonly number[];
} {
  const { graph } = importModel(bytes, { file: 'm.pb' });
  const after = runPasses(graph, profile);
  const x = new Map([['x', fromNumbers('f32', [2, 1, 2], [1, 2, 3, -1])]]);
  const [before, now] = [evaluate(graph, x), evaluate(after, x)];
  for (const [name, t] of before) toNumbers(t).forEach((v, i) => expect(toNumbers(must(now.get(name)))[i]).toBeCloseTo(v, 5));
  const of = (name: string): number[] => [...toNumbers(must(now.get(name)))];
  return { ops: nodesOf(after).map(n => n.op.name), y: of('y'), h: of('last_h') };
}

test.each([
  ['an LSTM', lstm, [0.5182, 0.2786]],
  ['a GRU', gru, [0.2407, 0.4206]],
])('%s is one operator', (_, c, want) => {
  const { ops, y, h } = run(layer(c));
  want.forEach((v, i) => expect(y[i]).toBeCloseTo(v, 4));
  expect(h[0]).toBeCloseTo(must(want[1]), 4);
  expect(ops.filter(o => o === 'Loop' || o === 'Recurrent')).toEqual(['Recurrent']);
});
test('steps that a mask leaves out keep the state', () => {
  const { ops, y, h } = run(layer(lstm, [1, 0]));
  for (const v of [y[0], y[1], h[0]]) expect(v).toBeCloseTo(0.5182, 4);
  expect(ops).not.toContain('Loop');
});
