// SavedModels as they are written: tables, functions, archives.
import { expect, test } from '@jest/globals';
import { zipSync } from 'fflate';
import { must } from '../../compiler/core/diagnostic.ts';
import { fromNumbers, toNumbers } from '../../compiler/core/tensor.ts';
import { textTensor } from '../../compiler/core/texts.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { showDim } from '../../compiler/core/dim.ts';
import { importModel } from '../../compiler/import/index.ts';
import { importTf } from '../../compiler/import/tensorflow/import.ts';
import type { Port, TfModel } from '../../compiler/import/tensorflow/model.ts';
import type { NodeDef } from '../../compiler/import/tensorflow/records.ts';
import {
  constNode,
  longsOf,
  TF,
  writeGraph,
  writeSavedModel,
  type SavedModelSpec,
  type TfAttr,
  type TfNodeSpec,
} from '../tensorflow-writer.ts';

const texts = (...strings: string[]): TfAttr => ({ tensor: { type: TF.string, dims: [strings.length], strings } });
const types = (key: number, value: number): Readonly<Record<string, TfAttr>> => ({
  key_dtype: { type: key },
  value_dtype: { type: value },
});
const lookup = (key: number, value: number): Readonly<Record<string, TfAttr>> => ({ Tin: { type: key }, Tout: { type: value } });
/** A model that looks x up in a table, through functions as TensorFlow 2 writes it; `fill` are the nodes of the initializer. */
function model(key: number, value: number, otherwise: TfAttr, fill: TfNodeSpec, more: readonly TfNodeSpec[]): SavedModelSpec {
  return {
    nodes: [
      { name: 'x', op: 'Placeholder', attrs: { dtype: { type: key }, shape: { shape: [3] } } },
      { name: 'table', op: 'HashTableV2', attrs: types(key, value) },
      constNode('default', otherwise),
      ...more,
      { name: 'serve', op: 'StatefulPartitionedCall', inputs: ['x', 'table', 'default'], attrs: { f: { func: 'serving' } } },
      {
        name: 'init',
        op: 'StatefulPartitionedCall',
        inputs: ['table', ...more.map(n => n.name)],
        attrs: { f: { func: 'initializer' } },
      },
    ],
    functions: [
      {
        name: 'serving',
        args: { keys: key, handle: TF.resource, otherwise: value },
        outs: { found: value, count: TF.i64 },
        nodes: [
          { name: 'find', op: 'LookupTableFindV2', inputs: ['handle', 'keys', 'otherwise'], attrs: lookup(key, value) },
          { name: 'size', op: 'LookupTableSizeV2', inputs: ['handle'] },
        ],
        ret: { found: 'find:values:0', count: 'size:size:0' },
      },
      {
        name: 'initializer',
        args: { handle: TF.resource, ...Object.fromEntries(more.map((_, i) => [`a${i}`, TF.string])) },
        outs: {},
        nodes: [fill],
        ret: {},
      },
    ],
    signatures: {
      serving_default: {
        inputs: { x: { ref: 'x:0', type: key, shape: [3] } },
        outputs: { y: { ref: 'serve:0', type: value, shape: [3] }, n: { ref: 'serve:1', type: TF.i64, shape: [] } },
      },
    },
    assets: { 'file:0': 'words.txt' },
  };
}
const imported: TfNodeSpec = { name: 'fill', op: 'LookupTableImportV2', inputs: ['handle', 'a0', 'a1'] };
const longs = (values: readonly number[]) => fromNumbers('i64', [values.length], values);

test('a table of integers finds the values of its keys, and the default of others', () => {
  const m = model(TF.i64, TF.i64, longsOf([], [-1]), imported, [
    constNode('keys', longsOf([3], [10, 7, 1000])),
    constNode('values', longsOf([3], [1, 2, 3])),
  ]);
  const { graph } = importModel(writeSavedModel(m), { file: 'saved_model.pb' });
  const out = evaluate(graph, new Map([['x', longs([7, 8, 1000])]]));
  expect([...out].map(([name, t]) => [name, [...toNumbers(t)]])).toEqual([
    ['n', [3]],
    ['y', [2, -1, 3]],
  ]);
});
test('a table of texts is filled from a file of the model, which may be a zip archive', () => {
  const fill: TfNodeSpec = {
    name: 'fill',
    op: 'InitializeTableFromTextFileV2',
    inputs: ['handle', 'a0'],
    attrs: { key_index: { i: -2 }, value_index: { i: -1 } },
  };
  const bytes = writeSavedModel(
    model(TF.string, TF.i64, longsOf([], [9]), fill, [constNode('file', texts('/home/me/words.txt'))]),
  );
  const words = new TextEncoder().encode('cat\ndog\r\nbird\n');
  const zip = zipSync({ 'net/saved_model.pb': bytes, 'net/assets/words.txt': words });
  const { graph } = importModel(zip, { file: 'net.zip' });
  const v = must(graph.inputs[0]);
  expect(v.type.dtype).toBe('text');
  const out = evaluate(graph, new Map([['x', textTensor([3], ['bird', 'cow', 'dog'])]]));
  expect([...toNumbers(must(out.get('y')))]).toEqual([2, 9, 1]);
  expect(() => importModel(zipSync({ 'net/saved_model.pb': bytes }), { file: 'net.zip' })).toThrow(/E204[^]*assets\/words.txt/);
  const away = zipSync({ 'a/saved_model.pb': bytes, 'b/saved_model.pb': bytes });
  expect(() => importModel(away, { file: 'net.zip' })).toThrow(/E202[^]*several models/);
});

test('variables that a function assigns are states, read and written in the order that its nodes say', () => {
  const node = (name: string, op: string, input: readonly string[] = []): NodeDef => ({ name, op, input, attr: [] });
  const call: NodeDef = {
    ...node('call', 'StatefulPartitionedCall', ['x', 'total', 'last']),
    attr: [{ key: 'f', value: { func: { name: 'f' } } }],
  };
  const port = (name: string, ref: string): Port => ({
    name,
    ref,
    type: TF.f32,
    shape: { unknownRank: false, dim: [{ size: 2 }] },
  });
  const arg = (name: string) => ({ name, type: TF.f32 });
  const m: TfModel = {
    file: 'saved_model.pb',
    title: '',
    nodes: [node('x', 'Placeholder'), node('last', 'VarHandleOp'), node('total', 'VarHandleOp'), call],
    functions: [
      {
        signature: { name: 'f', inputArg: ['x', 'total', 'last'].map(arg), outputArg: [arg('y')] },
        nodes: [
          // Nothing but control inputs orders these.
          node('before', 'ReadVariableOp', ['total']),
          node('add', 'AssignAddVariableOp', ['total', 'x', '^before']),
          node('after', 'ReadVariableOp', ['total', '^add']),
          node('keep', 'AssignVariableOp', ['last', 'x']),
          node('sum', 'AddV2', ['after:value:0', 'before:value:0']),
          node('done', 'NoOp', ['^add', '^keep']),
          node('y', 'Identity', ['sum:z:0', '^done']),
        ],
        ret: [{ key: 'y', value: 'y:output:0' }],
        controlRet: [],
      },
    ],
    signatures: [{ name: 's', inputs: [port('x', 'x:0')], outputs: [port('y', 'call:0')] }],
    variable: key => fromNumbers('f32', [2], key === 'total' ? [10, 20] : [0, 0]),
    table: () => undefined,
    facts: {},
  };
  const { graph, warnings } = importTf(m, {});
  const names = graph.inputs.map(v => (v.def.k === 'input' ? v.def.name : ''));
  // Nothing reads what was kept last.
  expect([names, graph.outputs.map(o => o.name)]).toEqual([
    ['x', 'total'],
    ['y', 'total:next'],
  ]);
  expect(warnings.map(w => w.message)).toEqual([expect.stringMatching(/'total' begins as 10, 20/)]);
  const x = fromNumbers('f32', [2], [1, 2]);
  const first = evaluate(
    graph,
    new Map([
      ['x', x],
      ['total', fromNumbers('f32', [2], [10, 20])],
    ]),
  );
  expect([...toNumbers(must(first.get('y')))]).toEqual([21, 42]);
  expect([...toNumbers(must(first.get('total:next')))]).toEqual([11, 22]);
});
test('a batch may be chosen for all inputs whose first axis has no name', () => {
  const m = (name: string): TfNodeSpec => ({
    name,
    op: 'Placeholder',
    attrs: { dtype: { type: TF.f32 }, shape: { shape: [-1, 2] } },
  });
  const bytes = writeGraph([m('a'), m('b'), { name: 'y', op: 'AddV2', inputs: ['a', 'b'] }]);
  const { graph } = importModel(bytes, { file: 'm.pb', dims: { batch: { lo: 1, hi: 4 } } });
  expect(graph.inputs.map(v => v.type.shape.map(showDim))).toEqual([
    ['batch', '2'],
    ['batch', '2'],
  ]);
});
test('of a frozen function the results are those that TensorFlow calls so', () => {
  const x: TfNodeSpec = { name: 'x', op: 'Placeholder', attrs: { dtype: { type: TF.f32 }, shape: { shape: [2] } } };
  const nodes: readonly TfNodeSpec[] = [
    x,
    { name: 'unread', op: 'Neg', inputs: ['x'] },
    { name: 'weights', op: 'Identity', inputs: ['c'] },
    constNode('c', longsOf([1], [1])),
  ];
  const outs = (list: readonly TfNodeSpec[]): string[] =>
    importModel(writeGraph(list), { file: 'm.pb' }).graph.outputs.map(o => o.name);
  // What depends on no input is none.
  expect(outs(nodes)).toEqual(['unread']);
  const ends = ['Identity_1', 'Identity'].map((name): TfNodeSpec => ({ name, op: 'Identity', inputs: ['x'] }));
  expect(outs([...nodes, ...ends])).toEqual(['Identity', 'Identity_1']);
});
