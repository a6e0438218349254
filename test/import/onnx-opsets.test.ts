import { describe, it } from '@jest/globals';
import type { DType } from '../../compiler/core/dtype.ts';
import { fromNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { asFloat, expectPeer, numbers, type Problem } from './peer.ts';

const f = (dims: readonly number[], seed = 7): Tensor => numbers('f32', dims, seed);
const t = (dtype: DType, dims: readonly number[], ...values: number[]): Tensor => fromNumbers(dtype, dims, values);
const i64 = (...values: number[]): Tensor => t('i64', [values.length], ...values);
const f32 = (...values: number[]): Tensor => t('f32', [values.length], ...values);
const one = (v: number): Tensor => t('i64', [], v);

/** Operators whose meaning changed: a model of each side of a border, against onnxruntime. */
const at = (
  op: string,
  opsets: readonly number[],
  problem: Omit<Problem, 'op' | 'opset' | 'outputs'>,
  outputs: readonly DType[] = ['f32'],
): Problem[] => opsets.map(opset => ({ op, opset, outputs, ...problem }));
const cube = f([2, 3, 4]);
const picture = f([1, 2, 5, 6]);
const borders: readonly Problem[] = [
  ...['Softmax', 'LogSoftmax', 'Hardmax'].flatMap(op => [
    ...at(op, [9, 11, 12, 13], { inputs: [cube] }),
    ...at(op, [11, 12, 13], { inputs: [cube], attrs: { axis: 1 } }),
    ...at(op, [11, 13], { inputs: [cube], attrs: { axis: 0 } }),
    ...at(op, [11, 13], { inputs: [cube], attrs: { axis: -1 } }),
  ]),
  ...at('Clip', [7, 10], { inputs: [cube], attrs: { min: asFloat(-0.2), max: asFloat(0.3) } }),
  ...at('Clip', [11, 12, 13], { inputs: [cube, t('f32', [], -0.2), t('f32', [], 0.3)], constants: [1, 2] }),
  // An open end is that of the finite numbers.
  ...at('Clip', [7, 10, 11, 13], { inputs: [f32(-Infinity, -2, NaN, 3, Infinity)] }),
  ...at('Clip', [11, 13], { inputs: [f32(-Infinity, -2, NaN, 3, Infinity), t('f32', [], -1)], constants: [1] }),
  ...at('Clip', [12, 13], { inputs: [t('f64', [2], -Infinity, Infinity)] }, ['f64']),
  ...at('Clip', [12, 13], { inputs: [i64(-5, 0, 5), undefined, one(3)] }, ['i64']),
  ...at('TopK', [7, 9], { inputs: [cube], attrs: { k: 2, axis: 1 } }, ['f32', 'i64']),
  ...at('TopK', [10, 11], { inputs: [cube, i64(2)], constants: [1], attrs: { axis: 1 } }, ['f32', 'i64']),
  ...at('TopK', [11], { inputs: [cube, i64(2)], constants: [1], attrs: { axis: -1, largest: 0 } }, ['f32', 'i64']),
  ...at('Pad', [7, 10], { inputs: [cube], attrs: { pads: [0, 1, 0, 1, 0, 2], value: asFloat(3) } }),
  ...at('Pad', [11, 13, 18], { inputs: [cube, i64(0, 1, 0, 1, 0, 2), t('f32', [], 3)], constants: [1, 2] }),
  ...at('Pad', [18], { inputs: [cube, i64(1, 2), undefined, i64(-1)], constants: [1, 3], attrs: { mode: 'reflect' } }),
  ...at('Pad', [19], { inputs: [cube, i64(0, 1, 0, 0, 0, 2)], constants: [1], attrs: { mode: 'wrap' } }),
  ...at('Dropout', [7, 10, 12, 13], { inputs: [cube] }),
  ...['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceL2', 'ReduceLogSumExp'].flatMap(op => {
    const inputFrom = op === 'ReduceSum' ? 13 : 18;
    return [
      ...at(op, [7, inputFrom - 1], { inputs: [cube], attrs: { axes: [0, 2] } }),
      ...at(op, [inputFrom], { inputs: [cube, i64(0, -1)], constants: [1], attrs: { keepdims: 0 } }),
      ...at(op, [7, inputFrom], { inputs: [cube] }),
      ...at(op, [inputFrom], { inputs: [cube], attrs: { noop_with_empty_axes: 1 } }),
    ];
  }),
  ...at('Cast', [7, 9, 13, 19], { inputs: [f32(1.5, -2.5, 0, 100)], attrs: { to: 7 } }, ['i64']),
  ...[0, 1].flatMap(pad => [
    ...at('AveragePool', [7, 10, 11, 19], {
      inputs: [picture],
      attrs: { kernel_shape: [3, 2], pads: [1, 1, 1, 1], count_include_pad: pad },
    }),
    ...at('AveragePool', [10, 11, 19], {
      inputs: [picture],
      attrs: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 0, 1, 0], ceil_mode: 1, count_include_pad: pad },
    }),
    ...at('AveragePool', [19], { inputs: [picture], attrs: { kernel_shape: [2, 2], dilations: [2, 3], count_include_pad: pad } }),
  ]),
  ...at('MaxPool', [7, 8, 10, 11, 12], { inputs: [picture], attrs: { kernel_shape: [3, 3], strides: [2, 2] } }),
  ...at('MaxPool', [10, 12], {
    inputs: [picture],
    attrs: { kernel_shape: [2, 3], strides: [2, 2], ceil_mode: 1, dilations: [2, 1] },
  }),
  ...at('MaxPool', [8, 12], { inputs: [picture], attrs: { kernel_shape: [2, 2], storage_order: 1 } }, ['f32', 'i64']),
  ...at('LpPool', [7, 11, 18], { inputs: [picture], attrs: { kernel_shape: [2, 3], p: 2 } }),
  ...at('LpPool', [18], {
    inputs: [picture],
    attrs: { kernel_shape: [2, 2], p: 1, dilations: [2, 2], strides: [2, 2], ceil_mode: 1 },
  }),
  ...['bilinear', 'bicubic', 'nearest'].flatMap(mode =>
    at('GridSample', [16], { inputs: [picture, f([1, 3, 3, 2])], attrs: { mode } }),
  ),
  ...['linear', 'cubic', 'nearest'].flatMap(mode =>
    at('GridSample', [20], { inputs: [picture, f([1, 3, 3, 2])], attrs: { mode } }),
  ),
  ...['ArgMax', 'ArgMin'].flatMap(op => [
    ...at(op, [7, 11, 12, 13], { inputs: [t('f32', [2, 3], 1, 1, 0, 0, 0, 1)], attrs: { axis: 1 } }, ['i64']),
    ...at(
      op,
      [12, 13],
      { inputs: [t('f32', [2, 3], 1, 1, 0, 0, 0, 1)], attrs: { axis: -1, select_last_index: 1, keepdims: 0 } },
      ['i64'],
    ),
  ]),
  ...at('Squeeze', [7, 11], { inputs: [f([1, 3, 1])], attrs: { axes: [0] } }),
  ...at('Squeeze', [11, 13], { inputs: [f([1, 3, 1])] }),
  ...at('Squeeze', [7, 11], { inputs: [f([1, 3, 1])], attrs: { axes: [] } }),
  ...at('ReduceMax', [7, 11, 13], { inputs: [cube], attrs: { axes: [] } }),
  ...at('Squeeze', [13], { inputs: [f([1, 3, 1]), i64(-1)], constants: [1] }),
  ...at('Unsqueeze', [7, 11], { inputs: [cube], attrs: { axes: [0, 4] } }),
  ...at('Unsqueeze', [13], { inputs: [cube, i64(-1, 0)], constants: [1] }),
  ...at('Split', [7, 11], { inputs: [f([7])], attrs: { split: [3, 4] } }, ['f32', 'f32']),
  ...at('Split', [7, 11, 13], { inputs: [f([6])] }, ['f32', 'f32']),
  ...at('Split', [13, 18], { inputs: [f([7]), i64(5, 2)], constants: [1] }, ['f32', 'f32']),
  ...at('Split', [18], { inputs: [f([7])], attrs: { num_outputs: 3 } }, ['f32', 'f32', 'f32']),
  ...at('Slice', [7, 9], { inputs: [cube], attrs: { starts: [1, -3], ends: [9, -1], axes: [1, 2] } }),
  ...at('Slice', [10, 11, 13], { inputs: [cube, i64(2, -1), i64(-9, -9), i64(1, 2), i64(-1, -2)], constants: [1, 2, 3, 4] }),
  ...at('Upsample', [7], { inputs: [picture], attrs: { scales: { floats: [1, 1, 2, 1.5] } } }),
  ...at('Upsample', [9], { inputs: [picture, f32(1, 1, 2, 1.5)], constants: [1], attrs: { mode: 'linear' } }),
  ...at('Resize', [10], { inputs: [picture, f32(1, 1, 2, 0.5)], constants: [1] }),
  ...at('Resize', [10], { inputs: [picture, f32(1, 1, 1.6, 0.7)], constants: [1] }),
  ...at('Resize', [10], { inputs: [picture, f32(1, 1, 2, 0.5)], constants: [1], attrs: { mode: 'linear' } }),
  ...['nearest', 'linear', 'cubic'].flatMap(mode => [
    ...at('Resize', [11], { inputs: [picture, f32(), f32(1, 1, 1.6, 0.5)], constants: [1, 2], attrs: { mode } }),
    ...at('Resize', [13, 18, 19], { inputs: [picture, undefined, f32(1, 1, 1.6, 0.5)], constants: [2], attrs: { mode } }),
    ...at('Resize', [13, 18, 19], {
      inputs: [picture, undefined, undefined, i64(1, 2, 8, 3)],
      constants: [3],
      attrs: { mode, coordinate_transformation_mode: 'pytorch_half_pixel' },
    }),
    ...at('Resize', [13, 19], {
      inputs: [picture, undefined, undefined, i64(1, 2, 1, 9)],
      constants: [3],
      attrs: { mode, coordinate_transformation_mode: 'pytorch_half_pixel' },
    }),
  ]),
  ...at('Resize', [18, 19], {
    inputs: [picture, undefined, undefined, i64(7, 7)],
    constants: [3],
    attrs: { axes: [2, 3], keep_aspect_ratio_policy: 'not_larger' },
  }),
  ...at('Resize', [18], {
    inputs: [picture, undefined, undefined, i64(1, 2, 3, 3)],
    constants: [3],
    attrs: { mode: 'linear', antialias: 1 },
  }),
  ...at('BatchNormalization', [7, 9, 14, 15], { inputs: [picture, f32(1, 2), f32(0, 1), f32(0.1, 0.2), f32(1, 2)] }),
  ...at('Flatten', [7, 9, 11, 13], { inputs: [cube], attrs: { axis: 2 } }),
  ...at('Flatten', [11, 13], { inputs: [cube], attrs: { axis: -1 } }),
  ...at('Gemm', [7, 9, 11, 13], { inputs: [f([2, 3]), f([3, 4]), f([4])], attrs: { alpha: asFloat(0.5), beta: asFloat(2) } }),
  ...at('Gemm', [11, 13], { inputs: [f([2, 3]), f([3, 4])] }),
  ...at('RoiAlign', [10, 16], {
    inputs: [picture, t('f32', [1, 4], 0.5, 0.5, 4, 3), i64(0)],
    attrs: { output_height: 2, output_width: 2, sampling_ratio: 2 },
  }),
  ...at('OneHot', [9, 11], { inputs: [i64(1, 3, 7), one(4), f32(0, 1)], constants: [1] }),
  ...at('OneHot', [11], { inputs: [i64(-1, -4, -5), one(4), f32(0, 1)], constants: [1], attrs: { axis: 0 } }),
  ...at('DepthToSpace', [7, 11, 13], { inputs: [f([1, 8, 2, 3])], attrs: { blocksize: 2 } }),
  ...at('DepthToSpace', [11, 13], { inputs: [f([1, 8, 2, 3])], attrs: { blocksize: 2, mode: 'CRD' } }),
  ...at('PRelu', [7, 9, 16], { inputs: [picture, f([2, 1, 1])] }),
  ...at('Pow', [7, 12, 13], { inputs: [t('f32', [3], 1, 2, 3), f32(2, 0.5, -1)] }),
  ...at('Pow', [12, 13], { inputs: [t('f32', [3], 1, 2, 3), i64(2, 3, -1)] }),
  ...at('Reshape', [7, 13, 14], { inputs: [cube, i64(0, -1)], constants: [1] }),
  ...at('Reshape', [14], { inputs: [f([0, 3]), i64(3, 0)], constants: [1], attrs: { allowzero: 1 } }),
  ...at('Shape', [7, 13, 15], { inputs: [cube] }, ['i64']),
  ...at('Shape', [15], { inputs: [cube], attrs: { start: -2, end: 9 } }, ['i64']),
  ...at('Scatter', [9], { inputs: [f([3]), i64(2, -3), f([2])] }),
  ...at('ScatterElements', [11, 13], { inputs: [f([3]), i64(2, -3), f([2])] }),
  ...at('ScatterElements', [16, 18], { inputs: [f([3]), i64(2, 2), f([2])], attrs: { reduction: 'add' } }),
  ...at('ScatterElements', [18], { inputs: [f([3]), i64(2, 2), f([2])], attrs: { reduction: 'max' } }),
  ...at('ScatterND', [11, 13], { inputs: [f([3]), t('i64', [2, 1], 2, 0), f([2])] }),
  ...at('ScatterND', [16, 18], { inputs: [f([3]), t('i64', [2, 1], 2, 2), f([2])], attrs: { reduction: 'mul' } }),
  ...at('GatherND', [11, 12, 13], { inputs: [f([2, 3]), t('i64', [2, 1], 1, 0)] }),
  ...at('GatherND', [12, 13], { inputs: [f([2, 3]), t('i64', [2, 1], 1, 0)], attrs: { batch_dims: 1 } }),
  ...at('MeanVarianceNormalization', [9, 13], { inputs: [picture] }),
  ...at('DequantizeLinear', [10, 13, 19], { inputs: [t('u8', [3], 0, 128, 255), t('f32', [], 0.5), t('u8', [], 10)] }),
  ...at('DequantizeLinear', [13, 19], {
    inputs: [t('i8', [2, 3], 1, 2, 3, -4, -5, -6), f32(0.5, 2), t('i8', [2], 0, 1)],
    attrs: { axis: 0 },
  }),
  ...at('QuantizeLinear', [10, 13, 19], { inputs: [f32(-1000, 0.5, 1.5, 1000), t('f32', [], 1), t('u8', [], 3)] }, ['u8']),
  ...at('Max', [7, 8, 12, 13], { inputs: [f([3], 1), f([3], 2), f([3], 3)] }),
  ...at('Max', [8, 13], { inputs: [f([2, 1]), f([3])] }),
  ...at('Equal', [7, 11, 13], { inputs: [i64(1, 2), i64(1, 3)] }, ['bool']),
  ...at('Where', [9, 16], { inputs: [t('bool', [2], 1, 0), f32(1, 2), f32(3, 4)] }),
  ...at('Mod', [10, 13], { inputs: [i64(-7, 7, -7), i64(3, -3, 5)] }, ['i64']),
  ...at('IsInf', [10, 20], { inputs: [f32(Infinity, -Infinity, 0)], attrs: { detect_negative: 0 } }, ['bool']),
  ...at('DFT', [17], { inputs: [f([1, 6, 4, 2])] }),
  ...at('DFT', [20], { inputs: [f([1, 6, 4, 2])] }),
  ...at('ConvTranspose', [7, 11], {
    inputs: [f([1, 1, 3, 3]), f([1, 1, 3, 3])],
    attrs: { auto_pad: 'SAME_UPPER', strides: [2, 2] },
  }),
  ...at('LSTM', [7, 14], { inputs: [f([3, 2, 4]), f([1, 12, 4]), f([1, 12, 3])], attrs: { hidden_size: 3 } }),
  ...at('GRU', [7, 14], {
    inputs: [f([3, 2, 4]), f([1, 9, 4]), f([1, 9, 3])],
    attrs: { hidden_size: 3, linear_before_reset: 1 },
  }),
  ...at('EyeLike', [9, 22], { inputs: [f([3, 4])], attrs: { k: 1 } }),
  ...at('Sum', [7, 8, 13], { inputs: [f([3], 1), f([3], 2)] }),
];
describe('operators on each side of the sets that changed them give what onnxruntime gives', () => {
  for (const p of borders) it(`${p.op} of ${p.opset ?? 0} ${JSON.stringify(p.attrs ?? {})}`, () => expectPeer(p));
});

/** Operators of the first sets that were taken back; onnxruntime has them still. */
describe('operators that were experiments', () => {
  const some = f([1, 2, 3, 4]);
  for (const p of [
    { op: 'Affine', inputs: [some], attrs: { alpha: asFloat(2), beta: asFloat(3) } },
    { op: 'ImageScaler', inputs: [some], attrs: { scale: asFloat(0.5), bias: { floats: [1, 2] } } },
    { op: 'ParametricSoftplus', inputs: [some], attrs: { alpha: asFloat(2), beta: asFloat(3) } },
    { op: 'ScaledTanh', inputs: [some], attrs: { alpha: asFloat(2), beta: asFloat(3) } },
    { op: 'Crop', inputs: [some], attrs: { border: [1, 0, 1, 1] } },
    { op: 'Crop', inputs: [some], attrs: { border: [1, 1, 0, 0], scale: [2, 2] } },
  ])
    it(`${p.op} ${JSON.stringify(p.attrs)}`, () => expectPeer({ ...p, opset: 7, outputs: ['f32'] }));
});
