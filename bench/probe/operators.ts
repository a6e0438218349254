/** Every operator at a large and at an odd size: what `npm run bench -- probe` measures. */
import { randomStream } from '../../compiler/core/random.ts';
import { describe, modelOf, TYPES, type Dims, type Operand, type Probe, type Type } from './model.ts';

const x = (dims: Dims, type: Type = 'f32'): Operand => ({ k: 'input', dims, type });
const w = (dims: Dims, type: 'f32' | 'f16' = 'f32'): Operand => ({ k: 'weights', dims, type });
const i64 = (values: Dims, dims: Dims = [values.length]): Operand => ({ k: 'integers', values, dims, type: 'i64' });
const u8 = (value: number): Operand => ({ k: 'integers', values: [value], dims: [], type: 'u8' });
const floats = (values: Dims, dims: Dims = [values.length]): Operand => ({ k: 'floats', values, dims });
const none: Operand = { k: 'none' };
/** `n` whole numbers below `below`, in no order. */
const places = (n: number, below: number): number[] => {
  const next = randomStream(n);
  return Array.from({ length: n }, () => Math.floor(next() * below));
};

/** A probe for each size. */
const each = <T>(large: T, odd: T, make: (size: T) => Omit<Probe, 'op'>, ...ops: readonly string[]): readonly Probe[] =>
  ops.flatMap(op => [large, odd].map(s => ({ op, ...make(s) })));

type Three = readonly [number, number, number];
type Four = readonly [number, number, number, number];
const VALUES: readonly [Three, Three] = [
  [4, 256, 512],
  [3, 253, 509],
];
const PICTURES: readonly [Four, Four] = [
  [1, 32, 112, 112],
  [1, 29, 83, 107],
];
const half = 0.5;

const probes: readonly Probe[] = [
  // One value at a time.
  ...each(
    ...VALUES,
    s => ({ operands: [x(s)] }),
    ...['Abs', 'Acos', 'Asin', 'Asinh', 'Atan', 'Ceil', 'Cos', 'Cosh', 'Elu', 'Erf', 'Exp', 'Floor', 'HardSigmoid', 'HardSwish'],
    ...['LeakyRelu', 'Log', 'Mish', 'Neg', 'Reciprocal', 'Relu', 'Round', 'Selu', 'Sigmoid', 'Sign', 'Sin', 'Sinh', 'Softplus'],
    ...['Softsign', 'Sqrt', 'Tan', 'Tanh', 'ThresholdedRelu'],
  ).map(p => (p.op === 'Mish' ? { ...p, opset: 18 } : p)),
  ...each(...VALUES, s => ({ operands: [x(s)], opset: 20 }), 'Gelu'),
  ...each(...VALUES, s => ({ operands: [x(s)], outputs: ['bool'] }), 'IsNaN', 'IsInf'),
  ...each(...VALUES, s => ({ operands: [x(s), floats([-half], []), floats([half], [])] }), 'Clip'),
  ...each(...VALUES, s => ({ operands: [x(s), x(s)] }), 'Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Sum', 'Mean'),
  ...each(...VALUES, s => ({ operands: [x(s), x([s[0], 1, s[2]])] }), 'Pow', 'PRelu').slice(0, 2),
  ...each(...VALUES, s => ({ operands: [x(s), x([s[1], 1])] }), 'Add', 'PRelu'),
  ...each(...VALUES, s => ({ operands: [x(s), x(s)], outputs: ['bool'] }), 'Equal', 'Greater', 'Less', 'GreaterOrEqual'),
  ...each(...VALUES, s => ({ operands: [x(s, 'bool'), x(s, 'bool')], outputs: ['bool'] }), 'And', 'Or', 'Xor'),
  ...each(...VALUES, s => ({ operands: [x(s, 'bool')], outputs: ['bool'] }), 'Not'),
  ...each(...VALUES, s => ({ operands: [x(s, 'bool'), x(s), x(s)] }), 'Where'),
  ...each(...VALUES, s => ({ operands: [x(s), x(s)], attributes: { fmod: 1 } }), 'Mod'),
  ...each(...VALUES, s => ({ operands: [x(s)], attributes: { to: TYPES.u8 }, outputs: ['u8'] }), 'Cast'),
  ...each(...VALUES, s => ({ operands: [x(s, 'u8')], attributes: { to: TYPES.f32 } }), 'Cast'),
  ...each(...VALUES, s => ({ operands: [x(s)], attributes: { to: TYPES.f16 }, outputs: ['f16'] }), 'Cast'),
  ...each(...VALUES, s => ({ operands: [x(s, 'f16')], attributes: { to: TYPES.f32 } }), 'Cast'),
  ...each(...VALUES, s => ({ operands: [x(s, 'i64')], attributes: { to: TYPES.f32 } }), 'Cast'),
  ...each(...VALUES, s => ({ operands: [x(s, 'i64'), x(s, 'i64')], outputs: ['i64'] }), 'Add', 'Mul'),
  ...each(...VALUES, s => ({ operands: [x(s), floats([0.02], []), u8(128)], outputs: ['u8'] }), 'QuantizeLinear'),
  ...each(...VALUES, s => ({ operands: [x(s, 'u8'), floats([0.02], []), u8(128)] }), 'DequantizeLinear'),
  ...each(...VALUES, s => ({ operands: [x(s)], outputs: ['u8', 'f32', 'u8'] }), 'DynamicQuantizeLinear'),
  // Along axes.
  ...each(
    ...VALUES,
    s => ({ operands: [x(s)], attributes: { axes: [-1], keepdims: 0 } }),
    ...['ReduceL1', 'ReduceL2', 'ReduceLogSum', 'ReduceLogSumExp', 'ReduceMax', 'ReduceMean', 'ReduceProd', 'ReduceSumSquare'],
  ),
  ...each(...VALUES, s => ({ operands: [x(s)], attributes: { axes: [1], keepdims: 0 } }), 'ReduceMean', 'ReduceMax'),
  ...each(...VALUES, s => ({ operands: [x(s), i64([0, 2])] }), 'ReduceSum'),
  ...each(...VALUES, s => ({ operands: [x(s)], attributes: { axis: -1 }, outputs: ['i64'] }), 'ArgMax', 'ArgMin'),
  ...each(...VALUES, s => ({ operands: [x(s)], attributes: { axis: 1 }, outputs: ['i64'] }), 'ArgMax'),
  ...each(
    ...VALUES,
    s => ({ operands: [x(s)], attributes: { axis: -1 } }),
    'Softmax',
    'LogSoftmax',
    'Hardmax',
    'LpNormalization',
  ),
  ...each(...VALUES, s => ({ operands: [x(s)], attributes: { axis: 1 } }), 'Softmax'),
  ...each(...VALUES, s => ({ operands: [x(s), i64([1], [])] }), 'CumSum'),
  ...each(...VALUES, s => ({ operands: [x(s), w([s[2]]), w([s[2]])] }), 'LayerNormalization'),
  ...each(...PICTURES, s => ({ operands: [x(s), w([s[1]]), w([s[1]])] }), 'InstanceNormalization'),
  ...each(
    ...PICTURES,
    s => ({ operands: [x(s), w([s[1]]), w([s[1]]), w([s[1]]), floats(places(s[1], 9).map(v => v + 1))] }),
    'BatchNormalization',
  ),
  ...each(...PICTURES, s => ({ operands: [x(s)], attributes: { size: 5 } }), 'LRN'),
  ...each(...PICTURES, s => ({ operands: [x(s)] }), 'MeanVarianceNormalization', 'GlobalAveragePool', 'GlobalMaxPool'),
  // Selection.
  ...each([1, 100000], [3, 30011], s => ({ operands: [x(s), i64([300])], outputs: ['f32', 'i64'] }), 'TopK'),
  ...each([64, 1000], [31, 1013], s => ({ operands: [x(s), i64([5])], outputs: ['f32', 'i64'] }), 'TopK'),
  ...each([1, 100000], [3, 30011], s => ({ operands: [x(s), i64([s[1] ?? 1])], outputs: ['f32', 'i64'] }), 'TopK'),
  ...each([100000], [30011], s => ({ operands: [x(s)], outputs: ['f32', 'i64', 'i64', 'i64'] }), 'Unique'),
  ...each(
    [8400, 4],
    [2999, 3],
    ([n = 1, classes = 1]) => ({
      operands: [x([1, n, 4]), x([1, classes, n]), i64([100]), floats([half]), floats([half])],
      outputs: ['i64'],
    }),
    'NonMaxSuppression',
  ),
  ...each(...VALUES, s => ({ operands: [x(s)], outputs: ['i64'] }), 'NonZero'),
  ...each(...VALUES, s => ({ operands: [x(s), x([s[1]], 'bool')], attributes: { axis: 1 } }), 'Compress'),
  // Movement.
  ...each(...PICTURES, s => ({ operands: [x(s)], attributes: { perm: [0, 2, 3, 1] } }), 'Transpose'),
  ...each(...PICTURES, s => ({ operands: [x(s)], attributes: { perm: [3, 1, 2, 0] } }), 'Transpose'),
  ...each(...PICTURES, s => ({ operands: [x(s), x(s)], attributes: { axis: 1 } }), 'Concat'),
  ...each(...PICTURES, s => ({ operands: [x(s), x(s)], attributes: { axis: 3 } }), 'Concat'),
  ...each(...PICTURES, s => ({ operands: [x(s)], attributes: { axis: 3 }, outputs: ['f32', 'f32'], opset: 11 }), 'Split').slice(
    0,
    1,
  ),
  ...each(...PICTURES, s => ({ operands: [x(s), i64([1, 1]), i64([99, 99]), i64([2, 3]), i64([1, 2])] }), 'Slice'),
  ...each(...PICTURES, s => ({ operands: [x(s), i64([0, 0, 3, 5, 0, 0, 2, 7])] }), 'Pad'),
  ...each(...PICTURES, s => ({ operands: [x(s), i64([0, 0, 3, 5, 0, 0, 2, 7])], attributes: { mode: 'reflect' } }), 'Pad'),
  ...each(...PICTURES, s => ({ operands: [x(s), i64([1, 2, 1, 2])] }), 'Tile'),
  ...each(...PICTURES, s => ({ operands: [x([s[1], 1, s[3]]), i64([2, s[1], s[2], s[3]])] }), 'Expand'),
  ...each(
    [1, 64, 56, 56] as Four,
    [1, 36, 53, 47] as Four,
    s => ({ operands: [x(s)], attributes: { blocksize: 2 } }),
    'DepthToSpace',
  ),
  ...each(
    [1, 32, 112, 112] as Four,
    [1, 29, 82, 106] as Four,
    s => ({ operands: [x(s)], attributes: { blocksize: 2 } }),
    'SpaceToDepth',
  ),
  ...each([30000, 384], [997, 253], ([n = 1, d = 1]) => ({ operands: [x([n, d]), i64(places(1024, n))] }), 'Gather'),
  ...each(
    [512, 1024],
    [251, 1021],
    ([n = 1, d = 1]) => ({ operands: [x([n, d]), i64(places(512, d))], attributes: { axis: 1 } }),
    'Gather',
  ),
  ...each(
    [512, 1024],
    [251, 1021],
    ([n = 1, d = 1]) => ({ operands: [x([n, d]), i64(places(n * d, d), [n, d])], attributes: { axis: 1 } }),
    'GatherElements',
  ),
  ...each([512, 1024], [251, 1021], ([n = 1, d = 1]) => ({ operands: [x([n, d]), i64(places(2000, n), [2000, 1])] }), 'GatherND'),
  ...each(
    [512, 1024],
    [251, 1021],
    ([n = 1, d = 1]) => ({
      operands: [
        x([n, d]),
        i64(
          Array.from({ length: n * d }, (_, i) => (i * 7) % d),
          [n, d],
        ),
        x([n, d]),
      ],
      attributes: { axis: 1 },
    }),
    'ScatterElements',
  ),
  ...each(
    [512, 1024],
    [251, 1021],
    ([n = 1, d = 1]) => ({
      operands: [
        x([n, d]),
        i64(
          Array.from({ length: 200 }, (_, i) => i),
          [200, 1],
        ),
        x([200, d]),
      ],
    }),
    'ScatterND',
  ),
  ...each(
    [512, 1024],
    [251, 1021],
    ([n = 1, d = 1]) => ({ operands: [i64(places(n, d)), i64([d], []), floats([0, 1])] }),
    'OneHot',
  ).slice(0, 0),
  ...each([1024, 1024], [1021, 509], s => ({ operands: [x(s)] }), 'Trilu'),
  ...each(
    [128, 16, 256],
    [127, 3, 253],
    ([t = 1, b = 1, d = 1]) => ({ operands: [x([t, b, d]), i64(places(b, t).map(n => n + 1))] }),
    'ReverseSequence',
  ),
  // Products and windows.
  ...each([384, 384, 384], [129, 383, 257], ([m = 1, k = 1, n = 1]) => ({ operands: [x([m, k]), w([k, n])] }), 'MatMul'),
  ...each([384, 384, 384], [129, 383, 257], ([m = 1, k = 1, n = 1]) => ({ operands: [x([m, k]), x([k, n])] }), 'MatMul', 'Gemm'),
  ...each(
    [384, 384, 384],
    [129, 383, 257],
    ([m = 1, k = 1, n = 1]) => ({ operands: [x([m, k], 'f16'), w([k, n], 'f16')], outputs: ['f16'] }),
    'MatMul',
  ),
  ...each([1, 1024, 1024], [1, 1021, 509], ([m = 1, k = 1, n = 1]) => ({ operands: [x([m, k]), w([k, n])] }), 'MatMul'),
  ...each(
    [64, 56],
    [61, 53],
    ([c = 1, n = 1]) => ({ operands: [x([1, c, n, n]), w([c, c, 3, 3])], attributes: { pads: [1, 1, 1, 1] } }),
    'Conv',
  ),
  ...each(
    [64, 56],
    [61, 53],
    ([c = 1, n = 1]) => ({
      operands: [x([1, c, n, n], 'f16'), w([c, c, 3, 3], 'f16')],
      attributes: { pads: [1, 1, 1, 1] },
      outputs: ['f16'],
    }),
    'Conv',
  ),
  ...each(
    [64, 56],
    [61, 53],
    ([c = 1, n = 1]) => ({ operands: [x([1, c, n, n]), w([c, c, 5, 5])], attributes: { pads: [2, 2, 2, 2], strides: [2, 2] } }),
    'Conv',
  ),
  ...each(
    [64, 112],
    [61, 83],
    ([c = 1, n = 1]) => ({ operands: [x([1, c, n, n]), w([c, 1, 3, 3])], attributes: { pads: [1, 1, 1, 1], group: c } }),
    'Conv',
  ),
  ...each(
    [64, 112],
    [60, 83],
    ([c = 1, n = 1]) => ({ operands: [x([1, c, n, n]), w([c, c / 4, 3, 3])], attributes: { pads: [1, 1, 1, 1], group: 4 } }),
    'Conv',
  ),
  ...each(
    [80, 3000],
    [61, 1009],
    ([c = 1, n = 1]) => ({ operands: [x([1, c, n]), w([c, c, 3])], attributes: { pads: [1, 1] } }),
    'Conv',
  ),
  ...each(
    [32, 24],
    [13, 19],
    ([c = 1, n = 1]) => ({ operands: [x([1, c, n, n, n]), w([c, c, 3, 3, 3])], attributes: { pads: [1, 1, 1, 1, 1, 1] } }),
    'Conv',
  ),
  ...each(
    [64, 40],
    [61, 37],
    ([c = 1, n = 1]) => ({ operands: [x([1, c, n, n]), w([c, 32, 4, 4])], attributes: { strides: [2, 2], pads: [1, 1, 1, 1] } }),
    'ConvTranspose',
  ),
  ...each(
    [512, 60],
    [257, 37],
    ([c = 1, n = 1]) => ({ operands: [x([1, c, n]), w([c, 1, 1024])], attributes: { strides: [256] } }),
    'ConvTranspose',
  ),
  ...each(
    [64, 40],
    [61, 37],
    ([c = 1, n = 1]) => ({
      operands: [x([1, c, n, n]), w([c, 1, 4, 4])],
      attributes: { strides: [2, 2], pads: [1, 1, 1, 1], group: c },
    }),
    'ConvTranspose',
  ),
  ...[
    [2, 2, 0],
    [3, 2, 1],
    [3, 1, 1],
    [13, 1, 6],
  ].flatMap(([k = 1, stride = 1, pad = 0]) =>
    each(
      ...PICTURES,
      s => ({ operands: [x(s)], attributes: { kernel_shape: [k, k], strides: [stride, stride], pads: [pad, pad, pad, pad] } }),
      ...['MaxPool', 'AveragePool', 'LpPool'].slice(0, k === 3 && stride === 1 ? 3 : 2),
    ),
  ),
  ...each(
    ...PICTURES,
    s => ({ operands: [x(s)], attributes: { kernel_shape: [3, 3], strides: [2, 2] }, outputs: ['f32', 'i64'] }),
    'MaxPool',
  ),
  // Resampling.
  ...(['nearest', 'linear', 'cubic'] as const).flatMap(mode => [
    ...each(
      [1, 32, 64, 64] as Four,
      [1, 13, 61, 53] as Four,
      s => ({ operands: [x(s), none, floats([1, 1, 2, 2])], attributes: { mode } }),
      'Resize',
    ),
    ...each(
      [1, 3, 512, 512] as Four,
      [1, 3, 509, 383] as Four,
      s => ({
        operands: [x(s), none, none, i64([1, 3, 224, 224])],
        attributes: { mode, ...(mode !== 'nearest' && { antialias: 1 }) },
        opset: 18,
      }),
      'Resize',
    ),
  ]),
  ...each(
    [1, 3, 512, 512] as Four,
    [1, 3, 509, 383] as Four,
    s => ({ operands: [x(s, 'u8'), none, none, i64([1, 3, 224, 224])], attributes: { mode: 'linear' }, outputs: ['u8'] }),
    'Resize',
  ),
  ...each([1, 16, 64, 64] as Four, [1, 13, 61, 53] as Four, s => ({ operands: [x(s), x([1, s[2], s[3], 2])] }), 'GridSample'),
  ...each(
    [32, 56],
    [29, 53],
    ([c = 1, n = 1]) => ({
      operands: [
        x([1, c, n, n]),
        floats(
          places(400, n / 2).map((v, i) => v + ((i % 4) >> 1) * 9),
          [100, 4],
        ),
        i64(places(100, 1)),
      ],
      attributes: { output_height: 7, output_width: 7, sampling_ratio: 2 },
    }),
    'RoiAlign',
  ),
  // Sequences and signals.
  ...[
    { op: 'LSTM', gates: 4 },
    { op: 'GRU', gates: 3 },
    { op: 'RNN', gates: 1 },
  ].flatMap(({ op, gates }) =>
    each(
      [50, 64, 128],
      [37, 61, 67],
      ([t = 1, d = 1, h = 1]) => ({
        operands: [x([t, 1, d]), w([1, gates * h, d]), w([1, gates * h, h]), w([1, 2 * gates * h])],
        attributes: { hidden_size: h },
      }),
      op,
    ),
  ),
  ...each([64, 1024], [31, 509], ([b = 1, n = 1]) => ({ operands: [x([b, n, 1])], attributes: { axis: 1 } }), 'DFT'),
  ...each([1, 16000], [1, 15013], ([b = 1, n = 1]) => ({ operands: [x([b, n, 1]), i64([160], []), w([400])] }), 'STFT'),
  ...each([16, 64], [7, 31], ([b = 1, n = 1]) => ({ operands: [x([b, n, n])] }), 'Det'),
  ...each(
    [64, 56],
    [61, 53],
    ([c = 1, n = 1]) => ({
      operands: [x([1, c * 9, n * n]), i64([n, n]), i64([3, 3])],
      attributes: { pads: [1, 1, 1, 1] },
      opset: 18,
    }),
    'Col2Im',
  ),
  ...each(
    [128, 256, 128],
    [61, 131, 67],
    ([m = 1, k = 1, n = 1]) => ({ operands: [x([m, k], 'u8'), x([k, n], 'u8')], outputs: ['i32'] }),
    'MatMulInteger',
  ),
  ...each([8, 128, 64], [5, 67, 61], ([h = 1, t = 1, d = 1]) => ({ operands: [x([h, t, d]), x([h, d, t])] }), 'MatMul'),
];

interface ProbeModel {
  readonly name: string;
  readonly doc: string;
  readonly bytes: Uint8Array;
}
/** The models, with names that tell them apart. */
export function probeModels(): readonly ProbeModel[] {
  const seen = new Map<string, number>();
  return probes.map(p => {
    const n = (seen.get(p.op) ?? 0) + 1;
    seen.set(p.op, n);
    return { name: `${p.op}-${n}`, doc: describe(p), bytes: modelOf(p) };
  });
}
