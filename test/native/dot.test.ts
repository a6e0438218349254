import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { randomTensor } from '../../compiler/core/random.ts';
import { fromNumbers, numel, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { compile } from '../../compiler/index.ts';
import { projectDir } from '../../fixtures/paths.ts';
import { feed, loadBundle } from '../models/bundle.ts';
import { attribute, model, node, sub, tensor, value, type Part } from '../onnx-writer.ts';
import { level, needs, processor, type Need } from '../needs.ts';
import { buildBundle, type Machine } from './build.ts';

/**
 * Products and convolutions of 8-bit integers by the dot products of each target. WebAssembly computes them in floats, exactly, so all must give its bits;
 * that those are right is what ONNX's own tests of the operators say.
 */
const [F32, U8, I8, I32] = [1, 2, 3, 6];
const constant = (name: string, t: Tensor): Part =>
  sub(5, tensor({ name, dims: t.dims, type: t.dtype === 'u8' ? U8 : t.dtype === 'i8' ? I8 : F32, raw: t.bytes }));

interface Case {
  readonly parts: readonly Part[];
  readonly x: Tensor;
}
/** Activations u8 or i8 with a zero point times weights. */
function product(name: string, type: 'u8' | 'i8', zero: number, [rows, depth, columns]: readonly number[], x?: Tensor): Case {
  const [code, lo, hi] = type === 'u8' ? [U8, 0, 255] : [I8, -128, 127];
  const [m, k, n] = [must(rows), must(depth), must(columns)];
  return {
    parts: [
      constant(`${name}_w`, randomTensor('i8', [k, n], 5, -128, 127)),
      constant(`${name}_z`, randomTensor(type, [], 1, zero, zero)),
      node('MatMulInteger', [name, `${name}_w`, `${name}_z`], [`${name}_y`]),
      value(11, name, code, [m, k]),
      value(12, `${name}_y`, 6, [m, n]),
    ],
    x: x ?? randomTensor(type, [m, k], 6, lo, hi),
  };
}
interface Window {
  readonly size: number;
  readonly channels: number;
  readonly outs: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly pad?: number;
  readonly group?: number;
}
const window = (w: Window): Part[] => {
  const { kernel, stride = 1, pad = 0, group = 1 } = w;
  return [
    attribute('strides', [stride, stride]),
    attribute('pads', [pad, pad, pad, pad]),
    attribute('kernel_shape', [kernel, kernel]),
    attribute('group', group),
  ];
};
const weightDims = (w: Window): number[] => [w.outs, w.channels / (w.group ?? 1), w.kernel, w.kernel];
const outDims = (w: Window): number[] => {
  const n = Math.floor((w.size + 2 * (w.pad ?? 0) - w.kernel) / (w.stride ?? 1)) + 1;
  return [1, w.outs, n, n];
};
/**
 * Two layers that quantize what they give; `qdq`: written as floats between dequantized and quantized ones, whose scales are exact. If the
 * second is larger, what the first gives is enlarged.
 */
function layers(name: string, type: 'u8' | 'i8', qdq: boolean, first: Window, second: Window): Case {
  const [code, lo, hi] = type === 'u8' ? [U8, 0, 255] : [I8, -128, 127];
  const zero = type === 'u8' ? 120 : -8;
  const number = (n: string, v: number): Part => constant(n, fromNumbers('f32', [], [v]));
  const layer = (x: string, y: string, w: Window): Part[] => {
    const weights = randomTensor('i8', weightDims(w), 5, -127, 127);
    const scale = 2 ** -Math.ceil(Math.log2(64 * Math.sqrt(numel(weights.dims) / w.outs)));
    const common = [
      constant(`${y}_w`, weights),
      constant(`${y}_wz`, randomTensor('i8', [w.outs], 4, 0, 0)),
      constant(
        `${y}_ws`,
        fromNumbers(
          'f32',
          [w.outs],
          Array.from({ length: w.outs }, (_, i) => scale * 2 ** -(i % 2)),
        ),
      ),
      constant(`${y}_z`, randomTensor(type, [], 3, zero, zero)),
      number(`${y}_s`, 0.5),
    ];
    const by = [`${y}_s`, `${y}_z`];
    if (!qdq) return [...common, node('QLinearConv', [x, ...by, `${y}_w`, `${y}_ws`, `${y}_wz`, ...by], [y], ...window(w))];
    return [
      ...common,
      node('DequantizeLinear', [x, ...by], [`${y}_x`]),
      node('DequantizeLinear', [`${y}_w`, `${y}_ws`, `${y}_wz`], [`${y}_v`], attribute('axis', 0)),
      node('Conv', [`${y}_x`, `${y}_v`], [`${y}_f`], ...window(w)),
      node('QuantizeLinear', [`${y}_f`, ...by], [y]),
    ];
  };
  const dims = [1, first.channels, first.size, first.size];
  const grown = second.size / must(outDims(first)[2]);
  return {
    parts: [
      ...layer(name, `${name}_m`, first),
      ...(grown === 1
        ? []
        : [
            constant(`${name}_g`, fromNumbers('f32', [4], [1, 1, grown, grown])),
            node('Resize', [`${name}_m`, '', `${name}_g`], [`${name}_n`], attribute('mode', 'nearest')),
          ]),
      ...layer(grown === 1 ? `${name}_m` : `${name}_n`, `${name}_y`, second),
      value(11, name, code, dims),
      value(12, `${name}_y`, code, outDims(second)),
    ],
    x: randomTensor(type, dims, 6, lo, hi),
  };
}
/** Sums of a convolution whose zero point comes with the input. */
function sums(name: string, w: Window): Case {
  const dims = [1, w.channels, w.size, w.size];
  return {
    parts: [
      constant(`${name}_w`, randomTensor('u8', weightDims(w), 5, 0, 200)),
      constant(`${name}_wz`, randomTensor('u8', [], 1, 100, 100)),
      node('DynamicQuantizeLinear', [name], [`${name}_q`, `${name}_s`, `${name}_z`]),
      node('ConvInteger', [`${name}_q`, `${name}_w`, `${name}_z`, `${name}_wz`], [`${name}_y`], ...window(w)),
      value(11, name, F32, dims),
      value(12, `${name}_y`, I32, outDims(w)),
    ],
    x: randomTensor('f32', dims, 8, -3, 4),
  };
}
/** Sizes that fill words and panels, or leave rests; and one model of them all. */
const CASES: Readonly<Record<string, Case>> = {
  whole: product('whole', 'u8', 128, [24, 64, 64]),
  largest: product('largest', 'u8', 0, [7, 512, 16], randomTensor('u8', [7, 512], 6, 255, 255)),
  rests: product('rests', 'u8', 7, [13, 37, 41]),
  sign: product('sign', 'i8', -5, [5, 30, 19]),
  centred: product('centred', 'i8', 0, [3, 32, 32]),
  // Enough work for several threads, and then little, for the one that is left.
  large: product('large', 'u8', 3, [256, 512, 256]),
  // More than a block of rows and a panel of columns, and a row of words that must be filled up.
  blocks: product('blocks', 'u8', 11, [83, 150, 107]),
  row: product('row', 'u8', 128, [1, 100, 70]),
  // The range is found while it runs, and what is behind the sums is done as they are stored.
  dynamic: {
    parts: [
      constant('dynamic_w', randomTensor('i8', [48, 40], 5, -127, 127)),
      constant('dynamic_s', randomTensor('f32', [40], 7, 0.01, 0.02)),
      node('DynamicQuantizeLinear', ['dynamic'], ['q', 'scale', 'zero']),
      node('MatMulInteger', ['q', 'dynamic_w', 'zero'], ['sums']),
      node('Cast', ['sums'], ['floats'], attribute('to', F32)),
      node('Mul', ['scale', 'dynamic_s'], ['scales']),
      node('Mul', ['floats', 'scales'], ['dynamic_y']),
      value(11, 'dynamic', F32, [2, 9, 48]),
      value(12, 'dynamic_y', F32, [2, 9, 40]),
    ],
    x: randomTensor('f32', [2, 9, 48], 8, -3, 4),
  },
  layers: layers(
    'layers',
    'u8',
    false,
    { size: 11, channels: 3, outs: 20, kernel: 3, pad: 1, stride: 2 },
    { size: 6, channels: 20, outs: 35, kernel: 1 },
  ),
  signed: layers(
    'signed',
    'i8',
    false,
    { size: 9, channels: 16, outs: 32, kernel: 3, pad: 1 },
    { size: 9, channels: 32, outs: 16, kernel: 3, pad: 1, group: 4 },
  ),
  qdq: layers(
    'qdq',
    'u8',
    true,
    { size: 8, channels: 6, outs: 24, kernel: 3, pad: 1 },
    { size: 8, channels: 24, outs: 18, kernel: 5, pad: 2 },
  ),
  grown: layers(
    'grown',
    'u8',
    false,
    { size: 5, channels: 8, outs: 36, kernel: 1 },
    { size: 10, channels: 36, outs: 20, kernel: 1 },
  ),
  // Channels that fill the words of a block.
  wide: layers(
    'wide',
    'u8',
    false,
    { size: 9, channels: 64, outs: 128, kernel: 3, pad: 1 },
    { size: 9, channels: 128, outs: 40, kernel: 1 },
  ),
  late: sums('late', { size: 7, channels: 8, outs: 12, kernel: 3, pad: 1 }),
};
const bytes = model(Object.values(CASES).flatMap(c => c.parts));
const inputs = new Map(Object.entries(CASES).map(([name, c]) => [name, c.x]));
const wanted = compile({ model: bytes, target: 'wasm-simd' }).then(async ({ files }) =>
  (await loadBundle(files)).run(feed(inputs)),
);

const arm = { cc: 'aarch64-linux-gnu-gcc', under: ['qemu-aarch64-static', '-cpu', 'max', '-L', '/usr/aarch64-linux-gnu'] };
const TARGETS: readonly { readonly target: string; readonly machine?: Machine; readonly needs: readonly (string | Need)[] }[] = [
  { target: 'c-portable', needs: ['cc'] },
  ...(['linux-x64-v2', 'linux-x64-v3', 'linux-x64-v4'] as const).map(target => ({ target, needs: ['cc', level(target)] })),
  { target: 'linux-arm64-dotprod', machine: arm, needs: [arm.cc, must(arm.under[0])] },
];
/** Builds test/native/amx.c, which carries out the instructions of AMX where the processor has none, and gives what runs programs with it. */
function emulator(): { readonly under: readonly string[]; products: () => number } {
  const dir = mkdtempSync(join(tmpdir(), 'sinter-amx-'));
  made.push(dir);
  const [library, count] = [join(dir, 'amx.so'), join(dir, 'count')];
  const source = join(projectDir, 'test/native/amx.c');
  execFileSync('cc', ['-O1', '-shared', '-fPIC', '-Wall', '-Wextra', '-Werror', source, '-o', library, '-ldl']);
  return {
    under: ['env', `LD_PRELOAD=${library}`, `AMX_COUNT=${count}`],
    products: () => Number(readFileSync(count, 'utf8')),
  };
}
const made: string[] = [];
afterAll(() => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
});
const emulated = !processor('amx_int8').here;
describe.each([1, 3])('AMX with %i threads', threads => {
  needs('cc', level('linux-x64-v4')).it(
    'multiplies blocks of integers',
    async () => {
      const { files } = await compile({ model: bytes, target: 'linux-x64-amx', threads, verifyIr: true });
      const bundle = buildBundle(files, { flags: ['-O1'] });
      // Linux must have been asked, and must have given the tiles: a processor without them is told of, and does not crash.
      if (emulated) expect(() => bundle.run(inputs)).toThrow('the processor or its system lacks what the model was compiled for');
      const amx = emulator();
      const got = bundle.run(inputs, amx.under);
      for (const [k, t] of Object.entries(await wanted))
        expect([k, ...toNumbers(must(got.get(k)))]).toEqual([k, ...(t.data as Int32Array)]);
      if (emulated) expect(amx.products()).toBeGreaterThan(50);
    },
    120_000,
  );
});

for (const { target, machine, needs: needed } of TARGETS)
  needs(...needed).it(
    `integer products of ${target}`,
    async () => {
      const { files } = await compile({ model: bytes, target, verifyIr: true });
      const got = buildBundle(files, { flags: ['-O1'], ...(machine && { machine }) }).run(inputs);
      for (const [k, t] of Object.entries(await wanted))
        expect([k, ...toNumbers(must(got.get(k)))]).toEqual([k, ...(t.data as Int32Array)]);
    },
    120_000,
  );
