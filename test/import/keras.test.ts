import { describe, expect, it } from '@jest/globals';
import { CompileError, must } from '../../compiler/core/diagnostic.ts';
import { fromNumbers, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { importModel } from '../../compiler/import/index.ts';
import type { ImportOptions } from '../../compiler/import/importer.ts';
import { inspect } from '../../compiler/inspect.ts';
import { f32, sequential, writeH5, writeHdf5, writeKeras, writeZip, ascii, type TestLayer } from './keras-writer.ts';

type Named = Readonly<Record<string, Tensor>>;
function run(model: Uint8Array, inputs: Named, o: ImportOptions = {}): Named {
  const { graph } = importModel(model, { file: 'm', ...o });
  return Object.fromEntries(evaluate(graph, new Map(Object.entries(inputs))));
}
const only = (n: Named): number[] => [...toNumbers(must(Object.values(n)[0]))].map(v => Number(v.toFixed(4)));
const failure = (f: () => unknown): CompileError => {
  try {
    f();
  } catch (e) {
    if (e instanceof CompileError) return e;
    throw e;
  }
  throw new Error('nothing failed');
};
/** Runs a sequential model as a .h5 of a version. */
function h5(
  version: string,
  input: readonly (number | null)[],
  layers: readonly TestLayer[],
  x: Tensor,
  dtype = 'float32',
): number[] {
  return only(run(writeH5(sequential(input, layers, dtype), layers, version), { x }));
}

describe('traps of Keras, with the answers of TensorFlow', () => {
  const steps = f32([1, 2, 2], [1, 2, 3, -1]);
  const tenths = (n: number): number[] => Array.from({ length: n }, (_, i) => i / 10);
  it('GRU: reset_after both ways', () => {
    const layer = (reset_after: boolean): TestLayer => ({
      class_name: 'GRU',
      config: { name: 'gru', units: 1, reset_after, recurrent_activation: 'sigmoid' },
      weights: {
        'gru_cell/kernel': f32([2, 3], tenths(6)),
        'gru_cell/recurrent_kernel': f32([1, 3], [0.5, -0.5, 0.25]),
        'gru_cell/bias': reset_after ? f32([2, 3], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]) : f32([3], [0.1, 0.2, 0.3]),
      },
    });
    const all = (l: TestLayer): TestLayer => ({ ...l, config: { ...l.config, return_sequences: true } });
    expect(h5('2.15.0', [null, 2, 2], [all(layer(true))], steps)).toEqual([0.2407, 0.4206]);
    expect(h5('2.15.0', [null, 2, 2], [layer(true)], steps)).toEqual([0.4206]);
    expect(h5('3.0.0', [null, 2, 2], [all(layer(false))], steps)).toEqual([0.3003, 0.357]);
  });
  it('LSTM: gates in the order i f c o', () => {
    const layer: TestLayer = {
      class_name: 'LSTM',
      config: { name: 'lstm', units: 1, recurrent_activation: 'sigmoid', return_sequences: true },
      weights: {
        'lstm_cell/kernel': f32([2, 4], tenths(8)),
        'lstm_cell/recurrent_kernel': f32([1, 4], [0.5, -0.5, 0.25, -0.25]),
        'lstm_cell/bias': f32([4], [0.1, 0.2, 0.3, 0.4]),
      },
    };
    expect(h5('2.15.0', [null, 2, 2], [layer], steps)).toEqual([0.5182, 0.2786]);
  });
  it('masks skip steps', () => {
    const layers: TestLayer[] = [
      {
        class_name: 'Embedding',
        config: { name: 'e', input_dim: 3, output_dim: 1, mask_zero: true },
        weights: { embeddings: f32([3, 1], [9, 1, 2]) },
      },
      {
        class_name: 'SimpleRNN',
        config: { name: 'r', units: 1, return_sequences: true, use_bias: false },
        weights: { 'cell/kernel': f32([1, 1], [1]), 'cell/recurrent_kernel': f32([1, 1], [0.5]) },
      },
    ];
    const ids = fromNumbers('i32', [1, 3], [1, 0, 2]);
    expect(h5('2.15.0', [null, 3], layers, ids, 'int32')).toEqual([0.7616, 0.7616, 0.983]);
  });
  it('hard_sigmoid by version', () => {
    const layer: TestLayer = { class_name: 'Activation', config: { name: 'a', activation: 'hard_sigmoid' } };
    const one = f32([1, 1], [1]);
    expect(h5('2.15.0', [null, 1], [layer], one)).toEqual([0.7]);
    expect(h5('3.0.0', [null, 1], [layer], one)).toEqual([0.6667]);
  });
  it('Flatten of channels first, depthwise channels, SAME pads, mean without pads', () => {
    const flat: TestLayer = { class_name: 'Flatten', config: { name: 'f', data_format: 'channels_first' } };
    expect(h5('2.15.0', [null, 2, 2, 2], [flat], f32([1, 2, 2, 2], [0, 1, 2, 3, 4, 5, 6, 7]))).toEqual([0, 4, 1, 5, 2, 6, 3, 7]);
    const deep: TestLayer = {
      class_name: 'DepthwiseConv2D',
      config: { name: 'd', kernel_size: [1, 1], depth_multiplier: 2, use_bias: false },
      weights: { depthwise_kernel: f32([1, 1, 2, 2], [1, 2, 3, 4]) },
    };
    expect(h5('2.15.0', [null, 1, 1, 2], [deep], f32([1, 1, 1, 2], [1, 10]))).toEqual([1, 2, 30, 40]);
    const conv: TestLayer = {
      class_name: 'Conv1D',
      config: { name: 'c', filters: 1, kernel_size: [2], strides: [2], padding: 'same', use_bias: false },
      weights: { kernel: f32([2, 1, 1], [1, 10]) },
    };
    expect(h5('2.15.0', [null, 5, 1], [conv], f32([1, 5, 1], [1, 2, 3, 4, 5]))).toEqual([21, 43, 5]);
    const pool: TestLayer = {
      class_name: 'AveragePooling2D',
      config: { name: 'p', pool_size: [2, 2], strides: [2, 2], padding: 'same' },
    };
    expect(h5('3.0.0', [null, 3, 3, 1], [pool], f32([1, 3, 3, 1], [1, 2, 3, 4, 5, 6, 7, 8, 9]))).toEqual([3, 4.5, 7.5, 9]);
  });
  it('weights are found by name in .h5, whatever their order, and by place in .keras', () => {
    const bn = (weights: Named): TestLayer => ({
      class_name: 'BatchNormalization',
      config: { name: 'bn', axis: [1], epsilon: 0 },
      weights,
    });
    const parts = { moving_mean: f32([1], [1]), moving_variance: f32([1], [4]), gamma: f32([1], [2]), beta: f32([1], [3]) };
    const x = f32([1, 1], [5]);
    expect(h5('2.15.0', [null, 1], [bn(parts)], x)).toEqual([7]);
    const config = sequential([null, 1], [bn({})]);
    const { gamma, beta, moving_mean, moving_variance } = parts;
    const model = writeKeras(config, { 'layers/batch_normalization': [gamma, beta, moving_mean, moving_variance] });
    expect(only(run(model, { x }))).toEqual([7]);
  });
});

describe('graphs of layers', () => {
  const dense = (name: string, inbound: unknown): TestLayer => ({
    class_name: 'Dense',
    config: { name, units: 1, activation: 'linear' },
    name,
    inbound_nodes: inbound,
    weights: { kernel: f32([1, 1], [2]), bias: f32([1], [1]) },
  });
  const inputs = ['a', 'b'].map(name => ({
    class_name: 'InputLayer',
    name,
    config: { name, batch_input_shape: [null, 1], dtype: 'float32' },
    inbound_nodes: [],
  }));
  const model = (layers: readonly Record<string, unknown>[], outputs: unknown): unknown => ({
    class_name: 'Functional',
    config: {
      name: 'm',
      layers,
      input_layers: [
        ['a', 0, 0],
        ['b', 0, 0],
      ],
      output_layers: outputs,
    },
  });
  it('shared layers, several inputs and outputs', () => {
    const shared = dense('d', [[['a', 0, 0, {}]], [['b', 0, 0, {}]]]);
    const sum = {
      class_name: 'Subtract',
      name: 's',
      config: { name: 's' },
      inbound_nodes: [
        [
          ['d', 0, 0, {}],
          ['d', 1, 0, {}],
        ],
      ],
    };
    const config = model(
      [...inputs, shared, sum],
      [
        ['s', 0, 0],
        ['d', 1, 0],
      ],
    );
    const out = run(writeH5(config, [shared], '2.4.0'), { a: f32([2, 1], [1, 2]), b: f32([2, 1], [5, 7]) });
    expect(Object.entries(out).map(([k, t]) => [k, [...toNumbers(t)]])).toEqual([
      ['s', [-8, -10]],
      ['d', [11, 15]],
    ]);
  });
  it('a cycle, a layer that is not there, and inputs that are never told', () => {
    const cyclic = [dense('d', [[['e', 0, 0, {}]]]), dense('e', [[['d', 0, 0, {}]]])];
    expect(failure(() => run(writeH5(model([...inputs, ...cyclic], [['e', 0, 0]]), cyclic, '2.4.0'), {})).code).toBe('E104');
    const lost = dense('d', [[['a', 3, 0, {}]]]);
    expect(failure(() => run(writeH5(model([...inputs, lost], [['d', 0, 0]]), [lost], '2.4.0'), {})).code).toBe('E105');
    const bare = { class_name: 'Sequential', config: { name: 's', layers: [dense('d', undefined)] } };
    expect(failure(() => run(writeH5(bare, [dense('d', undefined)], '2.4.0'), {})).message).toContain('never built');
  });
});

it('a stateful layer has an input and an output for its state', () => {
  const layer: TestLayer = {
    class_name: 'SimpleRNN',
    config: { name: 'r', units: 1, use_bias: false, activation: 'linear', stateful: true },
    weights: { 'cell/kernel': f32([1, 1], [1]), 'cell/recurrent_kernel': f32([1, 1], [0.5]) },
  };
  const model = writeH5(sequential([1, 2, 1], [layer]), [layer], '2.15.0');
  const x = f32([1, 2, 1], [1, 2]);
  const first = run(model, { x, r_state: f32([1, 1], [0]) });
  expect(Object.entries(first).map(([k, t]) => [k, [...toNumbers(t)]])).toEqual([
    ['r', [2.5]],
    ['r_state_out', [2.5]],
  ]);
  expect(only(run(model, { x, r_state: must(first['r_state_out']) }))).toEqual([3.125]);
});
describe('layers of TensorFlow.js', () => {
  const layer: TestLayer = { class_name: 'Dense', config: { name: 'd', units: 1 } };
  const json = (paths: readonly string[], kernel: Record<string, unknown>): Uint8Array =>
    ascii(
      JSON.stringify({
        format: 'layers-model',
        modelTopology: { keras_version: '2.10.0', backend: 'tensorflow', model_config: sequential([null, 2], [layer]) },
        weightsManifest: [
          {
            paths,
            weights: [
              { name: 'd/kernel', shape: [2, 1], dtype: 'float32', ...kernel },
              { name: 'd/bias', shape: [1], dtype: 'float32' },
            ],
          },
        ],
      }),
    );
  const shards = new Map([
    ['a.bin', Uint8Array.of(0, 4, 0)],
    ['b.bin', Uint8Array.of(0, 128, 63)],
  ]);
  const external = (path: string): Uint8Array => must(shards.get(path));
  const quantized = { quantization: { dtype: 'uint8', scale: 0.5, min: 1 } };
  const x = f32([1, 2], [1, 10]);
  it('has weights in shards, in 8 bits with a scale', () => {
    const { graph } = importModel(json(['a.bin', 'b.bin'], quantized), { file: 'model.json', external });
    expect(only(Object.fromEntries(evaluate(graph, new Map([['x', x]]))))).toEqual([32]);
  });
  it('whose paths stay in the folder, and whose shards are whole', () => {
    const refused = (paths: readonly string[]): string =>
      failure(() => importModel(json(paths, quantized), { file: 'model.json', external })).code;
    expect([refused(['../a.bin']), refused(['/etc/passwd']), refused(['a.bin'])]).toEqual(['E204', 'E204', 'E204']);
  });
});

describe('what is refused', () => {
  it('names every layer that is not supported, with what can be done, and runs no code', () => {
    const layers: TestLayer[] = [
      { class_name: 'Lambda', config: { name: 'l', function: ['4wEAAAAAAAAA', null, null], function_type: 'lambda' } },
      { class_name: 'MyLayer', config: { name: 'mine' }, module: 'my.code', registered_name: 'pkg>MyLayer' },
      { class_name: 'TextVectorization', config: { name: 't' } },
    ];
    const graph = (l: TestLayer, i: number): Record<string, unknown> => ({
      ...l,
      name: l.config.name,
      inbound_nodes: [[['x', 0, 0, {}]]],
      i,
    });
    const config = {
      class_name: 'Functional',
      config: {
        name: 'm',
        layers: [
          { class_name: 'InputLayer', name: 'x', config: { name: 'x', batch_shape: [null, 2] }, inbound_nodes: [] },
          ...layers.map(graph),
        ],
        input_layers: [['x', 0, 0]],
        output_layers: layers.map(l => [l.config.name, 0, 0]),
      },
    };
    const e = failure(() => run(writeH5(config, layers, '3.0.0'), {}));
    expect(e.code).toBe('E103');
    expect(e.message).toMatch(/Lambda: a Lambda layer holds Python code, which is never run; build .*; first 'l'/);
    expect(e.message).toMatch(/my\.code>MyLayer: it is a class of your own code, .*; first 'mine'/);
    expect(e.message).toMatch(/TextVectorization: it works on text/);
  });
  it('weights alone, subclassed models, archives without a model', () => {
    const weights = writeHdf5({ attributes: { layer_names: ['d'], keras_version: '2.4.0' }, children: { d: {} } });
    expect(failure(() => run(weights, {})).message).toMatch(/E202: .* it holds weights only, .*model\.save\('model\.keras'\)/);
    const own = writeKeras({ class_name: 'MyModel', module: '__main__', config: {} }, {});
    expect(failure(() => run(own, {})).message).toMatch(/E202: .*class __main__>MyModel/);
    const empty = writeZip({ 'config.json': ascii('{}'), 'metadata.json': ascii('{}') });
    expect(failure(() => run(empty, {})).code).toBe('E203');
  });
});
it('is inspected, with its batch free', () => {
  const layer: TestLayer = {
    class_name: 'Dense',
    config: { name: 'd', units: 1 },
    weights: { kernel: f32([2, 1], [1, 2]), bias: f32([1], [0]) },
  };
  const model = writeH5(sequential([null, 2], [layer]), [layer], '2.15.0');
  expect(inspect({ model, file: 'm.h5' })).toMatchObject({
    format: 'keras',
    title: 'Keras 2.15.0, HDF5',
    facts: { model: 'Sequential', layers: 1, backend: 'tensorflow' },
    inputs: [{ name: 'x', type: 'float32', shape: ['batch', 2] }],
    outputs: [{ name: 'd', type: 'float32', shape: ['batch', 1] }],
    free: [{ name: 'batch' }],
    problem: undefined,
  });
});
it('damaged files are refused with a code, whatever byte is wrong and wherever they end', () => {
  const layer: TestLayer = {
    class_name: 'Dense',
    config: { name: 'd', units: 1 },
    weights: { kernel: f32([2, 1], [1, 2]), bias: f32([1], [0]) },
  };
  const good = writeH5(sequential([null, 2], [layer]), [layer], '2.15.0');
  const zip = writeKeras(sequential([null, 2], [layer]), { 'layers/dense': [f32([2, 1], [1, 2]), f32([1], [0])] });
  for (const whole of [good, zip])
    for (let at = 0; at < whole.length; at += 3) {
      const bad = whole.slice();
      bad[at] = (bad[at] ?? 0) ^ (at % 2 === 0 ? 0xff : 1 << (at % 8));
      for (const bytes of [bad, whole.subarray(0, at)])
        try {
          run(bytes, { x: f32([1, 2], [1, 1]) });
        } catch (e) {
          if (!(e instanceof CompileError)) throw new Error(`byte ${at}`, { cause: e });
        }
    }
});
