/**
 * Products of 8-bit integers (MatMulInteger) and of floats against onnxruntime-node, in sizes of transformers; convolutions of them
 * (QLinearConv) in sizes of ResNet, and a chain of such: `npm run bench -- int8 [--target NAME]… [--filter TEXT] [--rounds N] …`.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { randomTensor } from '../../compiler/core/random.ts';
import { fromNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { attribute, model, node, sub, tensor, value, type Part } from '../../test/onnx-writer.ts';
import type { BenchCase } from '../index.ts';
import { FLAGS, run } from '../script.ts';

/** ONNX's numbers of element types. */
const TYPES = { f32: 1, u8: 2, i8: 3, i32: 6 } as const;
const SIZES = [
  [1, 1024, 1024],
  [8, 384, 1536],
  [128, 384, 1536],
  [128, 1024, 1024],
] as const;
const initializer = (name: string, type: keyof typeof TYPES, t: Tensor): Part =>
  sub(5, tensor({ name, dims: t.dims, type: TYPES[type], raw: t.bytes }));

interface Layer {
  readonly size: number;
  readonly channels: number;
  readonly outs: number;
  readonly kernel: number;
  readonly stride?: number;
}
const CONVOLUTIONS: readonly (readonly Layer[])[] = [
  [{ size: 56, channels: 64, outs: 64, kernel: 3 }],
  [{ size: 56, channels: 64, outs: 128, kernel: 3, stride: 2 }],
  [{ size: 14, channels: 256, outs: 256, kernel: 3 }],
  [{ size: 14, channels: 256, outs: 256, kernel: 1 }],
  [{ size: 224, channels: 3, outs: 64, kernel: 7, stride: 2 }],
  [
    { size: 56, channels: 64, outs: 64, kernel: 1 },
    { size: 56, channels: 64, outs: 64, kernel: 3 },
    { size: 56, channels: 64, outs: 256, kernel: 1 },
    { size: 56, channels: 256, outs: 128, kernel: 1, stride: 2 },
    { size: 28, channels: 128, outs: 128, kernel: 3 },
  ],
];
const sizeOf = (l: Layer): number => Math.ceil(l.size / (l.stride ?? 1));
/** One layer from value `i` to value `i + 1`: of u8 with the zero point 128, or of floats. */
function layer(l: Layer, i: number, type: 'u8' | 'f32'): Part[] {
  const before = Math.floor((l.kernel - 1) / 2);
  const stride = l.stride ?? 1;
  const window = [
    attribute('kernel_shape', [l.kernel, l.kernel]),
    attribute('strides', [stride, stride]),
    attribute('pads', [before, before, before, before]),
  ];
  const dims = [l.outs, l.channels, l.kernel, l.kernel];
  const bias = [l.outs];
  if (type === 'f32')
    return [
      initializer(`w${i}`, 'f32', randomTensor('f32', dims, 5)),
      initializer(`b${i}`, 'f32', randomTensor('f32', bias, 6)),
      node('Conv', [`v${i}`, `w${i}`, `b${i}`], [`v${i + 1}`], ...window),
    ];
  // Results of the same spread as the inputs.
  const scale = 1 / (73 * Math.sqrt(l.channels * l.kernel * l.kernel));
  return [
    initializer(`w${i}`, 'i8', randomTensor('i8', dims, 5, -127, 127)),
    initializer(`b${i}`, 'i32', randomTensor('i32', bias, 6, -2000, 2000)),
    initializer(`s${i}`, 'f32', fromNumbers('f32', [], [scale])),
    node('QLinearConv', [`v${i}`, 'one', 'z', `w${i}`, `s${i}`, 'wz', 'one', 'z', `b${i}`], [`v${i + 1}`], ...window),
  ];
}
function network(layers: readonly Layer[], type: 'u8' | 'f32'): Uint8Array {
  const [first, last] = [layers[0], layers.at(-1)];
  if (!first || !last) throw new Error('no layers');
  return model([
    initializer('one', 'f32', fromNumbers('f32', [], [1])),
    initializer('z', 'u8', fromNumbers('u8', [], [128])),
    initializer('wz', 'i8', fromNumbers('i8', [], [0])),
    ...layers.flatMap((l, i) => layer(l, i, type)),
    value(11, 'v0', TYPES[type], [1, first.channels, first.size, first.size]),
    value(12, `v${layers.length}`, TYPES[type], [1, last.outs, sizeOf(last), sizeOf(last)]),
  ]);
}

const dir = mkdtempSync(join(tmpdir(), 'sinter-int8-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
const write = (name: string, bytes: Uint8Array): string => {
  const file = join(dir, `${name}.onnx`);
  writeFileSync(file, bytes);
  return file;
};
const products = SIZES.flatMap(([m, k, n]) => {
  const ports = (x: number, y: number): Part[] => [value(11, 'x', x, [m, k]), value(12, 'y', y, [m, n])];
  const integers = model([
    initializer('w', 'i8', randomTensor('i8', [k, n], 5, -63, 63)),
    initializer('z', 'u8', randomTensor('u8', [], 1, 128, 128)),
    node('MatMulInteger', ['x', 'w', 'z'], ['y']),
    ...ports(TYPES.u8, TYPES.i32),
  ]);
  const w = initializer('w', 'f32', randomTensor('f32', [k, n], 5));
  const floats = model([w, node('MatMul', ['x', 'w'], ['y']), ...ports(TYPES.f32, TYPES.f32)]);
  return Object.entries({ int8: integers, f32: floats }).map(([type, bytes]) => write(`${type}-${m}x${k}x${n}`, bytes));
});
const convolutions = CONVOLUTIONS.flatMap(layers => {
  const of = layers.map(l => `${l.size}x${l.size}x${l.channels}-${l.kernel}x${l.kernel}-${l.outs}${l.stride === 2 ? 's2' : ''}`);
  const name = layers.length > 1 ? `${layers.length}-layers` : of.join();
  return [write(`int8-conv-${name}`, network(layers, 'u8')), write(`f32-conv-${name}`, network(layers, 'f32'))];
});
const { values } = parseArgs({ options: FLAGS });
const targets = values.target ?? ['linux-x64-v4'];
const cases = [...products, ...convolutions].flatMap(path =>
  targets.map((target): BenchCase => ({
    name: basename(path, '.onnx'),
    source: { k: 'model', path, options: { target } },
    against: ['onnxruntime-node'],
  })),
);
await run('int8', cases, values, { coldStarts: 0 });
