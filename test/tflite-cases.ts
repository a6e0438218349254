import { randomStream } from '../compiler/core/random.ts';
import type { GraphSpec, OperatorSpec, TensorSpec } from './tflite-writer.ts';

/**
 * Models of one operator over quantized tensors, drawn from a seed: what `test/tflite-oracle.py` asks LiteRT about, and what
 * `test/import/tflite-integers.test.ts` compares with its answers. The same models come out every time.
 */
export interface IntegerCase {
  readonly name: string;
  readonly graph: GraphSpec;
  /** Elements of the inputs, by name. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
}
type Type = 'INT8' | 'UINT8' | 'INT16';
const RANGE: Readonly<Record<Type, readonly [number, number]>> = { INT8: [-128, 127], UINT8: [0, 255], INT16: [-32768, 32767] };
const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export function integerCases(): IntegerCase[] {
  const next = randomStream(7);
  const int = (lo: number, hi: number): number => lo + Math.floor(next() * (hi - lo + 1));
  const scale = (lo: number, hi: number): number => Math.fround(lo * (hi / lo) ** next());
  const numbers = (n: number, [lo, hi]: readonly [number, number]): number[] => Array.from({ length: n }, () => int(lo, hi));
  /** A quantized tensor; 16-bit ones have no zero point. */
  const tensor = (name: string, type: Type, shape: readonly number[], by?: number): TensorSpec => ({
    name,
    type,
    shape,
    scale: [Math.fround(by ?? scale(0.01, 0.05) / (type === 'INT16' ? 256 : 1))],
    zero: [type === 'INT16' ? 0 : int(...RANGE[type])],
  });
  const scaleOf = (t: TensorSpec): number => t.scale?.[0] ?? 1;
  const cases: IntegerCase[] = [];
  const add = (name: string, tensors: readonly TensorSpec[], operator: OperatorSpec): void => {
    const inputs = tensors.flatMap((t, i) => (t.data || operator.outputs.includes(i) ? [] : [i]));
    const graph: GraphSpec = { tensors, inputs, outputs: operator.outputs, operators: [operator] };
    const given = inputs.map(i => {
      const t = tensors[i];
      const type: Type = t?.type === 'UINT8' || t?.type === 'INT16' ? t.type : 'INT8';
      return [t?.name ?? '', numbers(count(t?.shape ?? []), RANGE[type])] as const;
    });
    cases.push({ name, graph, inputs: Object.fromEntries(given) });
  };
  const types: readonly Type[] = ['INT8', 'UINT8', 'INT16'];
  const each = (f: (type: Type, i: number, shape: readonly number[]) => void): void => {
    const shapes = [
      [1, 30],
      [1, 3, 4, 3],
      [2, 17],
    ];
    for (const type of types) shapes.forEach((shape, i) => f(type, i, shape));
  };

  // Convolutions and products: weights per channel and per tensor.
  each((type, i) => {
    for (const depthwise of [false, true]) {
      const [h, w, ci, k, s] = [int(4, 6), int(4, 6), int(2, 4), int(2, 3), int(1, 2)];
      const co = depthwise ? ci : int(1, 5);
      const same = i !== 1;
      const out = (n: number): number => (same ? Math.ceil(n / s) : Math.ceil((n - k + 1) / s));
      const x = tensor('x', type, [1, h, w, ci]);
      const bytes = type === 'UINT8' ? 'UINT8' : 'INT8';
      const shape = depthwise ? [1, k, k, co] : [co, k, k, ci];
      const perChannel = type !== 'UINT8' && i !== 2;
      const scales = Array.from({ length: perChannel ? co : 1 }, () => scale(0.002, 0.02));
      const weights: TensorSpec = {
        name: 'w',
        type: bytes,
        shape,
        scale: scales,
        zero: scales.map(() => (bytes === 'UINT8' ? 121 : 0)),
        axis: depthwise ? 3 : 0,
        data: numbers(count(shape), bytes === 'UINT8' ? [0, 255] : [-127, 127]),
      };
      const bias: TensorSpec = {
        name: 'b',
        type: type === 'INT16' ? 'INT64' : 'INT32',
        shape: [co],
        scale: scales.map(v => v * scaleOf(x)),
        zero: scales.map(() => 0),
        data: numbers(co, [-2000, 2000]),
      };
      const y = tensor('y', type, [1, out(h), out(w), co], scaleOf(x) * 0.5 * k * Math.sqrt(depthwise ? 1 : ci));
      const op = depthwise ? 'DEPTHWISE_CONV_2D' : 'CONV_2D';
      add(`${op} ${type} ${i}`, [x, weights, bias, y], {
        op,
        inputs: [0, 1, 2],
        outputs: [3],
        table: depthwise ? 'DepthwiseConv2D' : 'Conv2D',
        options: {
          padding: same ? 0 : 1,
          stride_w: s,
          stride_h: s,
          fused_activation_function: [0, 1, 3][i] ?? 0,
          dilation_w_factor: 1,
          dilation_h_factor: 1,
          ...(depthwise && { depth_multiplier: 1 }),
        },
      });
    }
    const [n, ci, co] = [int(2, 5), int(3, 20), int(2, 6)];
    const x = tensor('x', type, [n, ci]);
    const bytes = type === 'UINT8' ? 'UINT8' : 'INT8';
    const four = type === 'INT8' && i === 2;
    const ws = scale(0.002, 0.02) * (four ? 8 : 1);
    add(
      `FULLY_CONNECTED ${four ? 'INT4' : type} ${i}`,
      [
        x,
        {
          name: 'w',
          type: four ? 'INT4' : bytes,
          shape: [co, ci],
          scale: [ws],
          zero: [bytes === 'UINT8' ? 130 : 0],
          data: numbers(co * ci, four ? [-7, 7] : bytes === 'UINT8' ? [0, 255] : [-127, 127]),
        },
        {
          name: 'b',
          type: type === 'INT16' ? 'INT64' : 'INT32',
          shape: [co],
          scale: [ws * scaleOf(x)],
          zero: [0],
          data: numbers(co, [-2000, 2000]),
        },
        tensor('y', type, [n, co], scaleOf(x) * Math.sqrt(ci) * 0.5),
      ],
      { op: 'FULLY_CONNECTED', inputs: [0, 1, 2], outputs: [3], table: 'FullyConnected', options: {} },
    );
  });
  // Two operands.
  for (const [op, table] of [
    ['ADD', 'Add'],
    ['SUB', 'Sub'],
    ['MUL', 'Mul'],
    ['LESS', 'Less'],
  ] as const)
    each((type, i, shape) => {
      const [a, b] = [tensor('a', type, shape), tensor('b', type, i === 1 ? shape.slice(-1) : shape)];
      const wide = type === 'INT16' ? 20000 : 90;
      const by = op === 'MUL' ? scaleOf(a) * scaleOf(b) * wide : Math.max(scaleOf(a), scaleOf(b)) * 1.3;
      const y = op === 'LESS' ? { name: 'y', type: 'BOOL', shape } : tensor('y', type, shape, by);
      const act = { fused_activation_function: i, ...(/ADD|SUB/.test(op) && { pot_scale_int16: false }) };
      const options = op === 'LESS' ? {} : act;
      // Activation 2 is RELU_N1_TO_1.
      add(`${op} ${type} ${i}`, [a, b, y], { op, inputs: [0, 1], outputs: [2], table, options });
    });
  // One operand.
  const unary: readonly (readonly [op: string, types: readonly Type[], table?: string, options?: OperatorSpec['options']])[] = [
    ['LOGISTIC', types],
    ['TANH', types],
    ['SOFTMAX', ['INT8', 'UINT8'], 'Softmax', { beta: 1 }],
    ['HARD_SWISH', ['INT8', 'UINT8'], 'HardSwish'],
    ['LEAKY_RELU', types, 'LeakyRelu', { alpha: 0.3 }],
    ['RELU', types],
    ['RELU6', types],
    ['L2_NORMALIZATION', ['INT8', 'UINT8'], 'L2Norm'],
    ['QUANTIZE', types, 'Quantize'],
    ['ABS', ['INT8', 'INT16'], 'Abs'],
  ];
  for (const [op, of, table, options] of unary)
    each((type, i, shape) => {
      if (!of.includes(type)) return;
      const fixed: Readonly<Record<string, readonly [scale: number, zero: number]>> =
        type === 'INT16'
          ? { LOGISTIC: [1 / 32768, 0], TANH: [1 / 32768, 0] }
          : {
              LOGISTIC: [1 / 256, RANGE[type][0]],
              SOFTMAX: [1 / 256, RANGE[type][0]],
              TANH: [1 / 128, RANGE[type][0] + 128],
              L2_NORMALIZATION: [1 / 128, RANGE[type][0] + 128],
            };
      const y = tensor('y', type, shape);
      const [by, zero] = fixed[op] ?? [];
      const out = by === undefined || zero === undefined ? y : { ...y, scale: [by], zero: [zero] };
      add(`${op} ${type} ${i}`, [tensor('x', type, shape), out], {
        op,
        inputs: [0],
        outputs: [1],
        ...(table !== undefined && { table, options: options ?? {} }),
      });
    });
  // Windows, means and pictures.
  each((type, i) => {
    const [h, w, ch, k, s] = [int(4, 6), int(4, 6), int(1, 3), int(2, 3), int(1, 2)];
    const x = tensor('x', type, [1, h, w, ch]);
    const like = (shape: readonly number[]): TensorSpec => ({ ...x, name: 'y', shape });
    const options = { padding: 0, stride_w: s, stride_h: s, filter_width: k, filter_height: k, fused_activation_function: 0 };
    add(`AVERAGE_POOL_2D ${type} ${i}`, [x, like([1, Math.ceil(h / s), Math.ceil(w / s), ch])], {
      op: 'AVERAGE_POOL_2D',
      inputs: [0],
      outputs: [1],
      table: 'Pool2D',
      options,
    });
    const mean = tensor('y', type, [1, ch]);
    const axes: TensorSpec = { name: 'a', type: 'INT32', shape: [2], data: [1, 2] };
    add(`MEAN ${type} ${i}`, [x, axes, mean], {
      op: 'MEAN',
      inputs: [0, 1],
      outputs: [2],
      table: 'Reducer',
      options: { keep_dims: false },
    });
    if (type === 'UINT8') return;
    const size: TensorSpec = { name: 's', type: 'INT32', shape: [2], data: [h + 3, w + 1] };
    add(`RESIZE_BILINEAR ${type} ${i}`, [x, size, like([1, h + 3, w + 1, ch])], {
      op: 'RESIZE_BILINEAR',
      inputs: [0, 1],
      outputs: [2],
      table: 'ResizeBilinear',
      options: { align_corners: i === 1, half_pixel_centers: i === 2 },
    });
  });
  return cases;
}
