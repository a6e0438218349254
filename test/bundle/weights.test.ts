/** What a bundle stores of weights: no more than the model has, and once for all of its modules. */
import { rmSync } from 'node:fs';
import { afterAll, describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { randomStream } from '../../compiler/core/random.ts';
import { fromNumbers, toNumbers } from '../../compiler/core/tensor.ts';
import { compile, evaluate } from '../../compiler/index.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { runsHere } from '../../fixtures/engine.ts';
import { tinyNetworks } from '../../fixtures/networks/network.ts';
import { networkTflite } from '../../fixtures/networks/tflite.ts';
import { model, node, sub, tensor, value } from '../onnx-writer.ts';
import { importBundle, put } from './hand-made.ts';

const folders: string[] = [];
afterAll(() => folders.forEach(d => rmSync(d, { recursive: true, force: true })));

const [ROWS, DEPTH, COLUMNS] = [3, 70, 41] as const;
/** y = x w, for weights of float32. */
function product(w: Float32Array): Uint8Array {
  const raw = new Uint8Array(w.buffer);
  return model([
    sub(5, tensor({ name: 'w', dims: [DEPTH, COLUMNS], type: 1, raw })),
    node('MatMul', ['x', 'w'], ['y']),
    value(11, 'x', 1, [ROWS, DEPTH]),
    value(12, 'y', 1, [ROWS, COLUMNS]),
  ]);
}
const drawn = (of: (u: number) => number): Float32Array => {
  const next = randomStream(3);
  return Float32Array.from({ length: DEPTH * COLUMNS }, () => of(2 * next() - 1));
};
/** As what a type of tensors rounds numbers to. */
const as = (dtype: 'f16' | 'bf16', w: Float32Array): Float32Array =>
  Float32Array.from(toNumbers(fromNumbers(dtype, [w.length], w)));
const bytes = drawn(u => Math.round(127 * u) + 0);
const CASES: readonly (readonly [string, Float32Array, number])[] = [
  ['whole numbers of a byte', bytes, 1],
  [
    'half floats',
    as(
      'f16',
      drawn(u => u),
    ),
    2,
  ],
  [
    'half floats below the normal ones',
    as(
      'f16',
      drawn(u => u / 2 ** 15),
    ),
    2,
  ],
  [
    'bfloat16',
    as(
      'bf16',
      drawn(u => u * 1e20),
    ),
    2,
  ],
  ['floats', drawn(u => u), 4],
  ['whole numbers and a minus zero', bytes.map((v, i) => (i === 5 ? -0 : v)), 2],
  [
    'half floats and an infinity',
    as(
      'f16',
      drawn(u => u),
    ).map((v, i) => (i === 5 ? Infinity : v)),
    2,
  ],
  [
    'half floats and one that is none',
    as(
      'f16',
      drawn(u => u),
    ).map((v, i) => (i === 5 ? NaN : v)),
    4,
  ],
];
describe('weights of float32 are stored in as few bytes as hold them', () => {
  it.each(CASES)('%s', async (_, w, size) => {
    const x = Float32Array.from({ length: ROWS * DEPTH }, (_, i) => ((i * 37) % 101) / 101 - 0.5);
    const answers: Uint8Array[] = [];
    for (const target of ['wasm-simd', 'wasm-mvp'])
      for (const optimize of ['size', 'start'] as const) {
        const { files } = await compile({ model: product(w), target, optimize, embedBelow: 0 });
        const dir = put(files);
        folders.push(dir);
        const loaded = await (await importBundle(dir)).load();
        const y = must(loaded.run({ x })['y']).data;
        answers.push(new Uint8Array(Float32Array.from(y as ArrayLike<number>).buffer));
        // The last columns are filled up to a vector, constants to lines of the cache.
        const most = DEPTH * (COLUMNS + 3) * (optimize === 'size' ? size : 4);
        expect(must(files.get('model.weights')).length).toBeLessThan(most + 64);
        expect(must(files.get('model.weights')).length).toBeGreaterThanOrEqual(most);
      }
    for (const [i, a] of answers.entries()) expect([i, a]).toEqual([i, answers[i - (i % 2)]]);
  });
});

describe('modules of one bundle', () => {
  it.each(tinyNetworks().map(n => [n.name, n] as const))(
    'share the weights of a quantized network: %s',
    async (_, n) => {
      const source = networkTflite(n, 'int8');
      const { files } = await compile({ model: source, file: 'n.tflite', target: 'wasm-auto', embedBelow: 0 });
      const names = [...files.keys()].filter(f => f.endsWith('.weights'));
      expect(names).toEqual(['model.weights']);
      expect(must(files.get('model.weights')).length).toBeLessThan(1.1 * source.length);
      const dir = put(files);
      folders.push(dir);
      const index = await importBundle(dir);
      const dims = [1, ...n.input];
      const data = Int8Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => ((i * 37) % 255) - 128);
      const want = evaluate({ model: source, file: 'n.tflite', inputs: { x: { dims, data } } });
      const ran: string[] = [];
      for (const profile of resolveTarget('wasm-auto').profiles.filter(runsHere)) {
        const wasm = files.get(`model.${profile.name}.wasm`);
        if (!wasm) continue;
        const m = await index.load({ wasm });
        expect([m.profile, ...must(m.run({ x: data })['y']).data]).toEqual([
          profile.name,
          ...(must(want['y']).data as Int8Array),
        ]);
        ran.push(m.profile);
      }
      expect(ran).toEqual(expect.arrayContaining(['wasm-simd', 'wasm-mvp']));
    },
    120_000,
  );
});
