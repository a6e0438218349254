import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ExternalResolver } from '../../compiler/import/shared/external.ts';
import { f32, sequential, writeH5, writeKeras, type TestLayer } from '../import/keras-writer.ts';
import { findTfCases, FORMS, tfCases, TF_SUITES, type Form } from '../suites/tensorflow-cases.ts';
import { constNode, floatsOf, intsOf, longsOf, TF, writeGraph, writeSavedModel, type TfNodeSpec } from '../tensorflow-writer.ts';
import { integerCases } from '../tflite-cases.ts';
import { runsCases } from '../tflite-runs.ts';
import { writeTflite } from '../tflite-writer.ts';
import type { Kind } from './mutate.ts';

/** A model that is right, before something is changed. */
export interface Seed {
  readonly name: string;
  readonly kind: Kind;
  readonly bytes: Uint8Array;
  readonly beside: ExternalResolver;
}
const none: ExternalResolver = (_, __, length) => new Uint8Array(Math.min(length ?? 64, 1 << 20));
const seed = (name: string, kind: Kind, bytes: Uint8Array, beside = none): Seed => ({ name, kind, bytes, beside });

const placeholder: TfNodeSpec = {
  name: 'x',
  op: 'Placeholder',
  attrs: { dtype: { type: TF.f32 }, shape: { shape: [1, 6, 6, 2] } },
};
const node = (name: string, op: string, inputs: readonly string[], attrs: TfNodeSpec['attrs'] = {}): TfNodeSpec => ({
  name,
  op,
  inputs,
  attrs: { T: { type: TF.f32 }, ...attrs },
});
const network: readonly TfNodeSpec[] = [
  placeholder,
  constNode(
    'w',
    floatsOf(
      [3, 3, 2, 4],
      Array.from({ length: 72 }, (_, i) => Math.sin(i)),
    ),
  ),
  constNode('b', floatsOf([4], [1, 2, 3, 4])),
  node('conv', 'Conv2D', ['x', 'w'], { strides: { ints: [1, 2, 2, 1] }, padding: { s: 'SAME' } }),
  node('bias', 'BiasAdd', ['conv', 'b']),
  node('relu', 'Relu', ['bias']),
  node('pool', 'MaxPool', ['relu'], { ksize: { ints: [1, 2, 2, 1] }, strides: { ints: [1, 1, 1, 1] }, padding: { s: 'VALID' } }),
  constNode('axes', intsOf([2], [1, 2])),
  node('mean', 'Mean', ['pool', 'axes'], { keep_dims: { b: false } }),
  constNode('shape', intsOf([2], [2, 2])),
  node('reshaped', 'Reshape', ['mean', 'shape']),
  constNode('k', intsOf([], [1])),
  node('top', 'TopKV2', ['reshaped', 'k']),
  constNode('begin', intsOf([2], [0, 0])),
  constNode('size', intsOf([2], [1, -1])),
  node('part', 'Slice', ['reshaped', 'begin', 'size']),
  node('both', 'ConcatV2', ['part', 'top', 'k'], { N: { i: 2 } }),
];
const loop: readonly TfNodeSpec[] = [
  placeholder,
  constNode('zero', intsOf([], [0])),
  constNode('one', intsOf([], [1])),
  constNode('four', intsOf([], [4])),
  node('i', 'Enter', ['zero'], { frame_name: { s: 'loop' } }),
  node('v', 'Enter', ['x'], { frame_name: { s: 'loop' } }),
  node('most', 'Enter', ['four'], { frame_name: { s: 'loop' }, is_constant: { b: true } }),
  node('im', 'Merge', ['i', 'in']),
  node('vm', 'Merge', ['v', 'vn']),
  node('less', 'Less', ['im', 'most']),
  node('go', 'LoopCond', ['less']),
  node('is', 'Switch', ['im', 'go']),
  node('vs', 'Switch', ['vm', 'go']),
  node('more', 'Add', ['is:1', 'one']),
  node('twice', 'Add', ['vs:1', 'vs:1']),
  node('in', 'NextIteration', ['more']),
  node('vn', 'NextIteration', ['twice']),
  node('y', 'Exit', ['vs']),
];
const saved = writeSavedModel({
  nodes: [
    { ...placeholder, name: 'serving_x' },
    { name: 'table', op: 'HashTableV2', attrs: { key_dtype: { type: TF.i64 }, value_dtype: { type: TF.i64 } } },
    { name: 'handle', op: 'VarHandleOp', attrs: { dtype: { type: TF.f32 }, shape: { shape: [2] } } },
    constNode('keys', longsOf([2], [1, 2])),
    constNode('values', longsOf([2], [3, 4])),
    { name: 'init', op: 'StatefulPartitionedCall', inputs: ['table', 'keys', 'values'], attrs: { f: { func: 'init' } } },
    { name: 'call', op: 'StatefulPartitionedCall', inputs: ['serving_x', 'table'], attrs: { f: { func: 'serve' } } },
  ],
  functions: [
    {
      name: 'init',
      args: { t: TF.resource, k: TF.i64, v: TF.i64 },
      outs: {},
      nodes: [{ name: 'fill', op: 'LookupTableImportV2', inputs: ['t', 'k', 'v'] }],
      ret: {},
    },
    {
      name: 'serve',
      args: { x: TF.f32, t: TF.resource },
      outs: { y: TF.i64 },
      nodes: [
        constNode('default', longsOf([], [9])),
        { name: 'cast', op: 'Cast', inputs: ['x'], attrs: { DstT: { type: TF.i64 }, SrcT: { type: TF.f32 } } },
        { name: 'find', op: 'LookupTableFindV2', inputs: ['t', 'cast:y:0', 'default:output:0'] },
      ],
      ret: { y: 'find:values:0' },
    },
  ],
  signatures: {
    serving_default: {
      inputs: { x: { ref: 'serving_x:0', type: TF.f32, shape: [1, 6, 6, 2] } },
      outputs: { y: { ref: 'call:0', type: TF.i64, shape: [1, 6, 6, 2] } },
    },
  },
});
const layers: readonly TestLayer[] = [
  {
    class_name: 'Conv1D',
    config: { name: 'conv', filters: 2, kernel_size: [2], strides: [1], padding: 'causal', activation: 'relu' },
    weights: {
      kernel: f32(
        [2, 3, 2],
        Array.from({ length: 12 }, (_, i) => i / 7),
      ),
      bias: f32([2], [0.1, 0.2]),
    },
  },
  {
    class_name: 'GRU',
    config: { name: 'gru', units: 1, reset_after: false, return_sequences: true },
    weights: {
      'gru_cell/kernel': f32([2, 3], [1, 2, 3, 4, 5, 6]),
      'gru_cell/recurrent_kernel': f32([1, 3], [0.5, -0.5, 0.25]),
      'gru_cell/bias': f32([3], [0.1, 0.2, 0.3]),
    },
  },
  {
    class_name: 'Dense',
    config: { name: 'dense', units: 2, activation: 'softmax' },
    weights: { kernel: f32([1, 2], [1, 2]), bias: f32([2], [0, 1]) },
  },
];
const graphJson = {
  format: 'graph-model',
  modelTopology: {
    node: [
      {
        name: 'x',
        op: 'Placeholder',
        attr: { dtype: { type: 'DT_FLOAT' }, shape: { shape: { dim: [{ size: '2' }, { size: '3' }] } } },
      },
      { name: 'w', op: 'Const', attr: { dtype: { type: 'DT_FLOAT' } } },
      { name: 'y', op: 'MatMul', input: ['x', 'w'], attr: { transpose_a: { b: false } } },
      {
        name: 'z',
        op: '_FusedMatMul',
        input: ['x', 'w', 'b'],
        attr: { fused_ops: { list: { s: ['Qmlhc0FkZA==', 'UmVsdQ=='] } }, num_args: { i: '1' } },
      },
      { name: 'b', op: 'Const', attr: { dtype: { type: 1 } } },
    ],
  },
  weightsManifest: [
    {
      paths: ['w.bin'],
      weights: [
        { name: 'w', shape: [3, 2], dtype: 'float32' },
        { name: 'b', shape: [2], dtype: 'float32', quantization: { dtype: 'uint8', scale: 0.1, min: -1 } },
      ],
    },
  ],
};
const text = (j: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(j));

/** Models that are made here: some of each kind. */
export function ownSeeds(): Seed[] {
  const config = sequential([null, 5, 3], layers);
  return [
    ...runsCases().map(c => seed(c.name, 'tflite', writeTflite(c.model))),
    ...integerCases()
      .filter((_, i) => i % 5 === 0)
      .map(c => seed(c.name, 'tflite', writeTflite({ graphs: [c.graph] }))),
    ...[network, loop].map((nodes, i) => seed(`graph ${i}`, 'graph', writeGraph(nodes))),
    seed('saved model', 'graph', saved),
    seed('graph model', 'tfjs', text(graphJson)),
    seed(
      'layers',
      'tfjs',
      text({ format: 'layers-model', modelTopology: { model_config: config, keras_version: '2.15.0' }, weightsManifest: [] }),
    ),
    seed(
      'keras',
      'keras',
      writeKeras(config, {
        'layers/conv1d': Object.values(layers[0]?.weights ?? {}),
        'layers/gru/cell': Object.values(layers[1]?.weights ?? {}),
        'layers/dense': Object.values(layers[2]?.weights ?? {}),
      }),
    ),
    seed('h5', 'h5', writeH5(config, layers, '2.15.0')),
  ];
}
const KINDS: Readonly<Record<Form, Kind>> = {
  graphdef: 'graph',
  saved_model: 'graph',
  tfjs: 'tfjs',
  tflite: 'tflite',
  keras: 'keras',
  h5: 'h5',
};
/** Those, and the frameworks' own cases where they are here. */
export function allSeeds(): (() => Seed)[] {
  const own = ownSeeds().map(s => () => s);
  const root = findTfCases();
  if (root === undefined) return own;
  const cases = TF_SUITES.flatMap(form =>
    [...tfCases(root, form)].map(c => (): Seed => {
      const model = join(c.folder, FORMS[form]);
      const path = form === 'saved_model' ? join(model, 'saved_model.pb') : model;
      const folder = dirname(path);
      const beside: ExternalResolver = (name, offset, length) => {
        const known = existsSync(join(folder, name));
        const bytes = known ? new Uint8Array(readFileSync(join(folder, name))) : new Uint8Array();
        return bytes.subarray(offset, length === undefined ? undefined : offset + length);
      };
      return { name: `${form}/${c.name}`, kind: KINDS[form], bytes: new Uint8Array(readFileSync(path)), beside };
    }),
  );
  // Those made here are few: each kind of them in turn with a case.
  return cases.flatMap((c, i) => [c, ...(i % 4 === 0 ? [own[(i / 4) % own.length] ?? c] : [])]);
}
