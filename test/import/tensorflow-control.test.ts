// Loops and branches of TensorFlow's first generation, as its converters still write them.
import { expect, test } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { fromNumbers, toNumbers } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { importModel } from '../../compiler/import/index.ts';
import {
  constNode,
  floatsOf,
  intsOf,
  TF,
  writeGraph,
  type TfAttr,
  type TfFunctionSpec,
  type TfNodeSpec,
} from '../tensorflow-writer.ts';

const node = (name: string, op: string, inputs: readonly string[], attrs: Readonly<Record<string, TfAttr>> = {}): TfNodeSpec => ({
  name,
  op,
  inputs,
  attrs,
});
const placeholder = (name: string, shape: readonly number[], type: number = TF.f32): TfNodeSpec =>
  node(name, 'Placeholder', [], { dtype: { type }, shape: { shape } });
const enter = (name: string, from: string, frame: string, constant = false): TfNodeSpec =>
  node(name, 'Enter', [from], { frame_name: { s: frame }, is_constant: { b: constant } });
/** What a graph gives for x and p, by the names of its outputs. */
function run(nodes: readonly TfNodeSpec[], x: readonly number[], p?: number): Record<string, number[]> {
  const { graph } = importModel(writeGraph(nodes), { file: 'm.pb' });
  const given = graph.inputs.map(v => {
    const name = v.def.k === 'input' ? v.def.name : '';
    return [name, fromNumbers(v.type.dtype, v.type.shape.map(Number), name === 'p' ? [p ?? 0] : x)] as const;
  });
  return Object.fromEntries([...evaluate(graph, new Map(given))].map(([name, t]) => [name, [...toNumbers(t)]]));
}
/** A loop of so many variables: Merge, Switch, Exit and NextIteration of each, which begins at `NAME_enter` and goes on with `NAME_new`. */
const variables = (frame: string, starts: Readonly<Record<string, string>>, cond: string): TfNodeSpec[] => [
  ...Object.entries(starts).flatMap(([v, from]) => [
    enter(`${v}_enter`, from, frame),
    node(`${v}_merge`, 'Merge', [`${v}_enter`, `${v}_next`]),
    node(`${v}_switch`, 'Switch', [`${v}_merge`, `${frame}_cond`]),
    node(`${v}_body`, 'Identity', [`${v}_switch:1`]),
    node(`${v}_next`, 'NextIteration', [`${v}_new`]),
    node(`${v}_exit`, 'Exit', [`${v}_switch:0`]),
  ]),
  node(`${frame}_cond`, 'LoopCond', [cond]),
];

test('a loop of frames doubles while a counter is below a number', () => {
  const nodes = [
    placeholder('x', [2]),
    constNode('zero', intsOf([], [0])),
    constNode('four', intsOf([], [4])),
    constNode('two', floatsOf([], [2])),
    ...variables('loop', { i: 'zero', v: 'x' }, 'less'),
    enter('limit', 'four', 'loop', true),
    node('less', 'Less', ['i_merge', 'limit']),
    { ...constNode('one', intsOf([], [1])), inputs: ['^i_body'] },
    node('i_new', 'Add', ['i_body', 'one']),
    enter('factor', 'two', 'loop', true),
    node('v_new', 'Mul', ['v_body', 'factor']),
  ];
  expect(run(nodes, [1, 3])).toEqual({ i_exit: [4], v_exit: [16, 48] });
});

test('a frame in a frame', () => {
  // sum = 0; for i < 3: for j < i: sum += x
  const nodes = [
    placeholder('x', [1]),
    constNode('zero', intsOf([], [0])),
    constNode('none', floatsOf([1], [0])),
    constNode('three', intsOf([], [3])),
    ...variables('outer', { i: 'zero', s: 'none' }, 'i_less'),
    enter('x_outer', 'x', 'outer', true),
    enter('three_outer', 'three', 'outer', true),
    enter('zero_outer', 'zero', 'outer', true),
    node('i_less', 'Less', ['i_merge', 'three_outer']),
    constNode('one', intsOf([], [1])),
    node('i_new', 'Add', ['i_body', 'one']),
    ...variables('inner', { j: 'zero_outer', t: 's_body' }, 'j_less'),
    enter('i_inner', 'i_body', 'inner', true),
    enter('x_inner', 'x_outer', 'inner', true),
    node('j_less', 'Less', ['j_merge', 'i_inner']),
    constNode('step', intsOf([], [1])),
    node('j_new', 'Add', ['j_body', 'step']),
    node('t_new', 'Add', ['t_body', 'x_inner']),
    node('s_new', 'Identity', ['t_exit']),
  ];
  expect(run(nodes, [5])['s_exit']).toEqual([15]);
});

const branch = (more: readonly TfNodeSpec[], no: string, yes: string): TfNodeSpec[] => [
  placeholder('x', [2]),
  placeholder('p', [], TF.bool),
  node('x_switch', 'Switch', ['x', 'p']),
  node('pivot', 'Switch', ['p', 'p']),
  node('switch_f', 'Identity', ['pivot:0']),
  node('switch_t', 'Identity', ['pivot:1']),
  ...more,
  node('y', 'Merge', [no, yes]),
];
test('Switch and Merge choose between two branches', () => {
  const nodes = branch([node('no', 'Neg', ['x_switch:0']), node('yes', 'Square', ['x_switch:1'])], 'no', 'yes');
  expect(run(nodes, [2, 3], 0)).toEqual({ y: [-2, -3] });
  expect(run(nodes, [2, 3], 1)).toEqual({ y: [4, 9] });
});
test('a branch may be a constant, or what is switched itself, and the order may be the other one', () => {
  const constant = { ...constNode('fixed', floatsOf([2], [7, 8])), inputs: ['^switch_f'] };
  expect(run(branch([constant], 'fixed', 'x_switch:1'), [2, 3], 0)).toEqual({ y: [7, 8] });
  expect(run(branch([constant], 'fixed', 'x_switch:1'), [2, 3], 1)).toEqual({ y: [2, 3] });
  expect(run(branch([constant], 'x_switch:1', 'fixed'), [2, 3], 1)).toEqual({ y: [2, 3] });
});
test('a branch in a branch, and one in a loop', () => {
  // p ? (p ? x + x : x) : -x
  const inner = [
    node('deep', 'Switch', ['x_switch:1', 'p_switch:1']),
    node('p_switch', 'Switch', ['p', 'p']),
    node('both', 'Add', ['deep:1', 'deep:1']),
    node('in', 'Merge', ['deep:0', 'both']),
    node('no', 'Neg', ['x_switch:0']),
  ];
  expect([0, 1].map(p => run(branch(inner, 'no', 'in'), [2, 3], p)['y'])).toEqual([
    [-2, -3],
    [4, 6],
  ]);
  // Three times: v = v < 10 ? v * v : v - 1
  const loop = [
    placeholder('x', []),
    constNode('zero', intsOf([], [0])),
    constNode('three', intsOf([], [3])),
    constNode('one', intsOf([], [1])),
    constNode('ten', floatsOf([], [10])),
    constNode('minus', floatsOf([], [1])),
    ...variables('loop', { i: 'zero', v: 'x' }, 'less'),
    node('less', 'Less', ['i_merge', 'three']),
    node('i_new', 'Add', ['i_body', 'one']),
    node('small', 'Less', ['v_body', 'ten']),
    node('choice', 'Switch', ['v_body', 'small']),
    node('no', 'Sub', ['choice:0', 'minus']),
    node('yes', 'Mul', ['choice:1', 'choice:1']),
    node('v_new', 'Merge', ['no', 'yes']),
  ];
  expect([2, 3, 20].map(x => must(run(loop, [x])['v_exit'])[0])).toEqual([15, 80, 17]);
});
test('a frame without a condition is named', () => {
  const nodes = [placeholder('x', [1]), enter('e', 'x', 'f'), node('y', 'Exit', ['e'])];
  expect(() => importModel(writeGraph(nodes), { file: 'm.pb' })).toThrow(/E103[^]*Enter[^]*Exit|E103[^]*Exit[^]*Enter/);
});

test('one of several branches by a number that data tell; the last where none has it', () => {
  const branch = (name: string, op: string): TfFunctionSpec => ({
    name,
    args: { v: TF.f32 },
    outs: { y: TF.f32 },
    nodes: [node('made', op, ['v'])],
    ret: { y: 'made' },
  });
  const bytes = writeGraph(
    [
      placeholder('x', [2]),
      placeholder('p', [], TF.i32),
      node('y', 'Case', ['p', 'x'], { branches: { funcs: ['a', 'b', 'c'] } }),
    ],
    [branch('a', 'Neg'), branch('b', 'Square'), branch('c', 'Identity')],
  );
  const { graph } = importModel(bytes, { file: 'm.pb' });
  const x = fromNumbers('f32', [2], [2, 3]);
  // TensorFlow 2.21's answers.
  const want = { '-1': [2, 3], 0: [-2, -3], 1: [4, 9], 2: [2, 3], 7: [2, 3] };
  for (const [p, values] of Object.entries(want)) {
    const y = evaluate(
      graph,
      new Map([
        ['x', x],
        ['p', fromNumbers('i32', [], [Number(p)])],
      ]),
    ).get('y');
    expect([...toNumbers(must(y))]).toEqual(values);
  }
});
