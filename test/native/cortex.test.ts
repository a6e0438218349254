import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { buildLibraries, type NativeBuild } from '../../compiler/host/build.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { randomTensor } from '../../compiler/core/random.ts';
import { toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { compile } from '../../compiler/index.ts';
import type { CompileOptions } from '../../compiler/options.ts';
import { projectDir } from '../../fixtures/paths.ts';
import { tinyNetworks } from '../../fixtures/networks/network.ts';
import { networkTflite } from '../../fixtures/networks/tflite.ts';
import { feed, loadBundle } from '../models/bundle.ts';
import { attribute, model, node, sub, tensor, value } from '../onnx-writer.ts';
import { needs } from '../needs.ts';
import { CC, onBoard } from './board.ts';
import { WARNINGS } from './build.ts';
import { keywordNetwork } from './keywords.ts';

/** Bundles for microcontrollers, built by ARM's GCC and run on boards that QEMU plays: the bits, and the memory that was promised. */
const board = needs(CC, 'qemu-system-arm');
const folders: string[] = [];
afterAll(() => {
  for (const f of folders) rmSync(f, { recursive: true, force: true });
});

interface Model extends Pick<CompileOptions, 'model' | 'file' | 'dims'> {
  readonly inputs: ReadonlyMap<string, Tensor>;
  /** Bytes that a person would call too many for it. */
  readonly most: { readonly flash: number; readonly ram: number };
}
const MODELS: Readonly<Record<string, Model>> = {
  'a keyword network': {
    model: keywordNetwork(),
    file: 'keywords.onnx',
    inputs: new Map([['features', randomTensor('f32', [1, 1, 49, 10], 7)]]),
    most: { flash: 110e3, ram: 72e3 },
  },
  'a keyword network in 8-bit integers': {
    model: networkTflite(must(tinyNetworks()[0]), 'int8'),
    file: 'keywords.tflite',
    inputs: new Map([['x', randomTensor('i8', [1, 49, 10, 1], 7, -128, 127)]]),
    // Its largest layers have 8000 bytes before and behind them: nothing else takes memory.
    most: { flash: 31e3, ram: 17e3 },
  },
  '150 trees': {
    model: readFileSync(join(projectDir, 'fixtures/bike/model.json')),
    file: 'bike.json',
    dims: { batch: 3 },
    inputs: new Map([['features', randomTensor('f32', [3, 13], 7, 0, 40)]]),
    most: { flash: 40e3, ram: 2e3 },
  },
};

it('weights for microcontrollers are as small as the model says', async () => {
  const w = randomTensor('f32', [32, 32, 3, 3], 5);
  const picture = model([
    sub(5, tensor({ name: 'w', dims: w.dims, type: 1, raw: w.bytes })),
    node('Conv', ['x', 'w'], ['y'], attribute('pads', [1, 1, 1, 1])),
    value(11, 'x', 1, [1, 32, 16, 16]),
    value(12, 'y', 1, [1, 32, 16, 16]),
  ]);
  const weights = async (target: string, optimize: 'size' | 'start' = 'size'): Promise<number> =>
    must((await compile({ model: picture, target, optimize })).report.modules[0]).weights;
  expect(await weights('cortex-m4')).toBe(w.bytes.length);
  expect(await weights('cortex-m4', 'start')).toBe(w.bytes.length);
  // Elsewhere they are transformed, for speed: before the first run, or by the compiler.
  expect(await weights('c-portable')).toBeLessThan(1.1 * w.bytes.length);
  expect(await weights('c-portable', 'start')).toBeGreaterThan(3 * w.bytes.length);
});
board.describe('microcontrollers', () => {
  it.each([
    ['cortex-m4', 'mps2-an386', 'a keyword network'],
    ['cortex-m4', 'mps2-an386', 'a keyword network in 8-bit integers'],
    ['cortex-m4', 'mps2-an386', '150 trees'],
    ['cortex-m7', 'mps2-an500', 'a keyword network'],
    ['cortex-m7', 'mps2-an500', '150 trees'],
  ] as const)(
    '%s (%s) computes %s as WebAssembly does, in the memory that was promised',
    async (target, board, name) => {
      const { inputs, most, ...options } = must(MODELS[name]);
      const wasm = (await loadBundle((await compile({ ...options, target: 'wasm-mvp' })).files)).run(feed(inputs));
      const { files } = await compile({ ...options, target });
      const dir = mkdtempSync(join(tmpdir(), 'sinter-board-'));
      folders.push(dir);
      for (const [file, bytes] of files) writeFileSync(join(dir, file), bytes);
      const { native } = JSON.parse(readFileSync(join(dir, 'manifest.json'), 'utf8')) as { readonly native: NativeBuild };
      // No arithmetic in double precision slips in, which these processors emulate.
      const built = buildLibraries(dir, { ...native, flags: [...native.flags, ...WARNINGS, '-Wdouble-promotion'] });
      if ('why' in built) throw new Error(built.why);
      expect(built.made.map(([file]) => file)).toEqual(['libmodel.a']);
      const { flash, ram, stack } = must(built.footprint);
      expect(flash).toBeGreaterThan(files.get('weights.c') === undefined ? 0 : 1000);
      expect(flash).toBeLessThan(most.flash);
      expect(ram).toBeLessThan(most.ram);
      const run = onBoard(dir, board, native, [...inputs.values()]);
      expect(run.stack).toBeLessThanOrEqual(stack);
      for (const [k, t] of Object.entries(wasm)) {
        const got = run.file(`${k}.npy`);
        expect(got.dims).toEqual(t.dims);
        expect([...toNumbers(got)]).toEqual([...(t.data as Float32Array)]);
      }
    },
    120_000,
  );
});
