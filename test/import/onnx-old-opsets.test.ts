import { describe, expect, it } from '@jest/globals';
import type { DType } from '../../compiler/core/dtype.ts';
import { fromNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { importOnnx } from '../../compiler/import/onnx/import.ts';
import { compiled } from '../conformance/compiled.ts';
import { expectClose } from '../ops/problems.ts';
import { asFloat, modelOf, type Problem } from './peer.ts';

const t = (dtype: DType, dims: readonly number[], ...values: number[]): Tensor => fromNumbers(dtype, dims, values);
const i64 = (...values: number[]): Tensor => t('i64', [values.length], ...values);
const f32 = (...values: number[]): Tensor => t('f32', [values.length], ...values);
const one = (v: number): Tensor => t('i64', [], v);

/** What operators of sets 1 to 6 meant, which no peer runs any more: the right values are written down. */
interface Old {
  readonly title: string;
  readonly problem: Problem;
  readonly want: readonly number[];
  readonly dims: readonly number[];
}
const matrix = t('f32', [2, 2], 1, 2, 3, 4);
const old: readonly Old[] = [
  ...([1, 6] as const).flatMap((opset): Old[] => [
    {
      title: `Add of ${opset} with an axis`,
      problem: { op: 'Add', opset, inputs: [matrix, f32(10, 20)], outputs: ['f32'], attrs: { broadcast: 1, axis: 0 } },
      want: [11, 12, 23, 24],
      dims: [2, 2],
    },
    {
      title: `Sub of ${opset} that meets the last axes`,
      problem: { op: 'Sub', opset, inputs: [matrix, f32(10, 20)], outputs: ['f32'], attrs: { broadcast: 1 } },
      want: [-9, -18, -7, -16],
      dims: [2, 2],
    },
    {
      title: `Mul of ${opset} with neighbours in the middle`,
      problem: {
        op: 'Mul',
        opset,
        inputs: [t('f32', [1, 2, 1, 2], 1, 2, 3, 4), t('f32', [2, 1], 10, 100)],
        outputs: ['f32'],
        attrs: { broadcast: 1, axis: 1 },
      },
      want: [10, 20, 300, 400],
      dims: [1, 2, 1, 2],
    },
    {
      title: `Div of ${opset} by a number`,
      problem: { op: 'Div', opset, inputs: [matrix, f32(2)], outputs: ['f32'], attrs: { broadcast: 1, axis: 0 } },
      want: [0.5, 1, 1.5, 2],
      dims: [2, 2],
    },
    {
      title: `Pow of ${opset} with an axis`,
      problem: { op: 'Pow', opset, inputs: [matrix, f32(2, 3)], outputs: ['f32'], attrs: { broadcast: 1, axis: 0 } },
      want: [1, 4, 27, 64],
      dims: [2, 2],
    },
    {
      title: `Less of ${opset} with an axis`,
      problem: { op: 'Less', opset, inputs: [matrix, f32(2, 3.5)], outputs: ['bool'], attrs: { broadcast: 1, axis: 0 } },
      want: [1, 0, 1, 0],
      dims: [2, 2],
    },
    {
      title: `PRelu of ${opset} has a slope a channel`,
      problem: { op: 'PRelu', opset, inputs: [t('f32', [1, 2, 1, 2], -1, -2, -3, 4), f32(10, 100)], outputs: ['f32'] },
      want: [-10, -20, -300, 4],
      dims: [1, 2, 1, 2],
    },
    {
      title: `Gemm of ${opset}`,
      problem: { op: 'Gemm', opset, inputs: [matrix, matrix, f32(1, 2)], outputs: ['f32'], attrs: { broadcast: 1, transB: 1 } },
      want: [6, 13, 12, 27],
      dims: [2, 2],
    },
    {
      title: `BatchNormalization of ${opset}`,
      problem: {
        op: 'BatchNormalization',
        opset,
        inputs: [t('f32', [1, 2, 2], 1, 2, 3, 4), f32(1, 2), f32(0, 1), f32(1, 3), f32(4, 1)],
        outputs: ['f32'],
        attrs: { is_test: 1, epsilon: asFloat(0), consumed_inputs: [0, 0, 0, 1, 1] },
      },
      want: [0, 0.5, 1, 3],
      dims: [1, 2, 2],
    },
    {
      title: `Dropout of ${opset}`,
      problem: { op: 'Dropout', opset, inputs: [f32(1, 2)], outputs: ['f32'], attrs: { is_test: 1 } },
      want: [1, 2],
      dims: [2],
    },
  ]),
  {
    title: 'Cast of 1 to a word',
    problem: { op: 'Cast', opset: 1, inputs: [f32(1.5, -2.5)], outputs: ['i64'], attrs: { to: 'INT64' } },
    want: [1, -2],
    dims: [2],
  },
  {
    title: 'Concat of 1 along axis 1',
    problem: { op: 'Concat', opset: 1, inputs: [matrix, matrix], outputs: ['f32'] },
    want: [1, 2, 1, 2, 3, 4, 3, 4],
    dims: [2, 4],
  },
  {
    title: 'Pad of 1 by paddings',
    problem: { op: 'Pad', opset: 1, inputs: [matrix], outputs: ['f32'], attrs: { paddings: [0, 1, 0, 0], value: asFloat(9) } },
    want: [9, 1, 2, 9, 3, 4],
    dims: [2, 3],
  },
  {
    title: 'Reshape of 1 by an attribute',
    problem: {
      op: 'Reshape',
      opset: 1,
      inputs: [t('f32', [2, 3], 1, 2, 3, 4, 5, 6)],
      outputs: ['f32'],
      attrs: { shape: [0, 1, -1] },
    },
    want: [1, 2, 3, 4, 5, 6],
    dims: [2, 1, 3],
  },
  {
    title: 'Tile of 1 along one axis',
    problem: { op: 'Tile', opset: 1, inputs: [matrix, one(2), one(1)], outputs: ['f32'], constants: [1, 2] },
    want: [1, 2, 1, 2, 3, 4, 3, 4],
    dims: [2, 4],
  },
  {
    title: 'Upsample of 1',
    problem: {
      op: 'Upsample',
      opset: 1,
      inputs: [t('f32', [1, 1, 1, 2], 1, 2)],
      outputs: ['f32'],
      attrs: { height_scale: asFloat(2), width_scale: asFloat(1), mode: 'nearest' },
    },
    want: [1, 2, 1, 2],
    dims: [1, 1, 2, 2],
  },
  {
    title: 'Selu of 1',
    problem: { op: 'Selu', opset: 1, inputs: [f32(1, 2)], outputs: ['f32'] },
    want: [1.0507, 2.1014],
    dims: [2],
  },
  {
    title: 'GlobalLpPool of 1 with a float for its exponent',
    problem: { op: 'GlobalLpPool', opset: 1, inputs: [t('f32', [1, 1, 2], 3, 4)], outputs: ['f32'], attrs: { p: asFloat(2) } },
    want: [5],
    dims: [1, 1, 1],
  },
  {
    title: 'LpPool of 1 with a float for its exponent',
    problem: {
      op: 'LpPool',
      opset: 1,
      inputs: [t('f32', [1, 1, 3], 3, 4, 0)],
      outputs: ['f32'],
      attrs: { p: asFloat(2), kernel_shape: [2] },
    },
    want: [5, 4],
    dims: [1, 1, 2],
  },
  {
    title: 'TopK of 1',
    problem: { op: 'TopK', opset: 1, inputs: [f32(3, 1, 2)], outputs: ['f32', 'i64'], attrs: { k: 2 } },
    want: [3, 2],
    dims: [2],
  },
  {
    title: 'Split of 1 by an input',
    problem: {
      op: 'Split',
      opset: 1,
      inputs: [f32(1, 2, 3), i64(1, 2)],
      outputs: ['f32', 'f32'],
      constants: [1],
      attrs: { axis: 0 },
    },
    want: [1],
    dims: [1],
  },
];

describe('operators of sets 1 to 6 mean what they meant', () => {
  it.each(old)('$title', async ({ problem, want, dims }) => {
    const { graph } = importOnnx(modelOf(problem));
    const feeds = new Map(
      problem.inputs.flatMap((x, i) => (x && !problem.constants?.includes(i) ? [[`x${i}`, x] as const] : [])),
    );
    for (const run of [
      (x: typeof feeds) => evaluate(graph, x),
      await compiled('program', graph),
      await compiled('wasm', graph),
    ]) {
      const y = run(feeds).get('y0');
      expect(y?.dims).toEqual(dims);
      expectClose(y, fromNumbers(y?.dtype ?? 'f32', dims, want), 1e-6, 1e-6);
    }
  });
  it.each([
    ['Dropout', { is_test: 0 }],
    ['BatchNormalization', { is_test: 0 }],
  ] as const)('%s for training is refused', (op, attrs) => {
    const stats = op === 'Dropout' ? [] : [f32(1), f32(0), f32(0), f32(1)];
    const bytes = modelOf({ op, opset: 6, inputs: [t('f32', [1, 1, 2], 1, 2), ...stats], outputs: ['f32'], attrs });
    expect(() => importOnnx(bytes)).toThrow(/E101.*is_test is 0/);
  });
  it('a file from before there were operator sets is of the first', () => {
    const bytes = modelOf({ op: 'Concat', opset: 1, inputs: [matrix, matrix], outputs: ['f32'] });
    // Field 1 is the version of the format: 2; field 8, the sets, ends the file.
    const first = Uint8Array.from([8, 2, ...bytes.slice(2, bytes.length - 4)]);
    expect(importOnnx(first).graph.outputs[0]?.value.type.shape).toEqual([2, 4]);
  });
});
