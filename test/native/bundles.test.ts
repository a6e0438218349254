import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { fromTyped, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { compile } from '../../compiler/index.ts';
import { dimOptions } from '../../fixtures/dims.ts';
import { makeInputs } from '../../fixtures/inputs.ts';
import { locate, REAL_MODELS } from '../../fixtures/models.ts';
import { projectDir } from '../../fixtures/paths.ts';
import { feed, loadBundle } from '../models/bundle.ts';
import { attribute, model, node, value } from '../onnx-writer.ts';
import { modules, needs } from '../needs.ts';
import { buildBundle, type Machine } from './build.ts';

const native = needs('cc', 'make');
const bits = (t: Tensor): string => Buffer.from(t.bytes.buffer, t.bytes.byteOffset, t.bytes.byteLength).toString('base64');

/** What is made of a model for a target, once for all tests. */
function once<T>(make: (name: string, target: string) => Promise<T>): (name: string, target: string) => Promise<T> {
  const made = new Map<string, Promise<T>>();
  return (name, target) => {
    const key = `${name} ${target}`;
    const had = made.get(key) ?? make(name, target);
    made.set(key, had);
    return had;
  };
}
/** The outputs of a real model's bundle for WebAssembly, and its inputs: the first run of the table. */
const inWasm = once(async (name, target): Promise<{ inputs: Map<string, Tensor>; outputs: Map<string, Tensor> }> => {
  const { bytes, options, inputs } = real(name);
  const { files } = await compile({ ...options, model: bytes, target });
  const out = (await loadBundle(files)).run(feed(inputs));
  return {
    inputs,
    outputs: new Map(
      Object.entries(out).map(([k, t]) => {
        if (!(t.data instanceof Float32Array)) throw new Error(`${k} is ${t.type}`);
        return [k, fromTyped('f32', t.dims, t.data)];
      }),
    ),
  };
});
function real(name: string): {
  bytes: Uint8Array;
  options: { file: string; dims: ReturnType<typeof dimOptions> };
  inputs: Map<string, Tensor>;
} {
  if (name === TREES)
    return {
      bytes: bike,
      options: { file: 'bike.json', dims: {} },
      inputs: new Map([['features', fromTyped('f32', [64, 13], rows)]]),
    };
  const m = must(REAL_MODELS.find(x => x.name === name));
  const path = must(locate(name), `${name}: npm run fixtures`);
  const bytes = readFileSync(path);
  return { bytes, options: { file: basename(path), dims: dimOptions(m, bytes) }, inputs: makeInputs(m, must(m.runs[0])) };
}
/** The tree model that the README tries, on made-up rows with what is missing and what is infinite. */
const TREES = 'trees';
const bike = readFileSync(join(projectDir, 'fixtures/bike/model.json'));
const rows = Float32Array.from({ length: 64 * 13 }, (_, i) =>
  i % 17 === 5 ? NaN : i % 101 === 7 ? -Infinity : Math.fround(((i * 7919) % 1009) / 40),
);
const MODELS = [TREES, 'ppocr-cls', 'silero-vad', 'wakeword-alexa', 'oww-melspectrogram'];

interface Built extends ReturnType<typeof buildBundle> {
  /** Bytes of its weights. */
  readonly weights: number;
}
/** A real model's bundle, built by its Makefile. */
const built = once((name, target) => build(name, target));
async function build(name: string, target: string, machine?: Machine): Promise<Built> {
  const { bytes, options } = real(name);
  const { files, report } = await compile({ ...options, model: bytes, target, verifyIr: true });
  return { ...buildBundle(files, machine && { machine }), weights: must(report.modules[0]).weights };
}

native.describe('C and WebAssembly give the same bits', () => {
  it.each(MODELS.flatMap(m => [[m, 'c-portable', 'wasm-mvp'] as const, [m, 'linux-x64-v2', 'wasm-simd'] as const]))(
    '%s on %s as on %s',
    async (name, target, wasm) => {
      const { inputs, outputs } = await inWasm(name, wasm);
      const got = (await built(name, target)).run(inputs);
      for (const [k, t] of outputs) expect([k, bits(must(got.get(k)))]).toEqual([k, bits(t)]);
    },
    120_000,
  );
});

const MACHINES: readonly (readonly [string, Machine])[] = [
  ['linux-arm64', { cc: 'aarch64-linux-gnu-gcc', under: ['qemu-aarch64-static', '-L', '/usr/aarch64-linux-gnu'] }],
  ['linux-armv7', { cc: 'arm-linux-gnueabihf-gcc', under: ['qemu-arm-static', '-L', '/usr/arm-linux-gnueabihf'] }],
  ['linux-riscv64', { cc: 'riscv64-linux-gnu-gcc', under: ['qemu-riscv64-static', '-L', '/usr/riscv64-linux-gnu'] }],
];
for (const [target, machine] of MACHINES) {
  needs(machine.cc, must(machine.under[0])).describe(`${target} under emulation`, () => {
    it.each([TREES, 'ppocr-cls', 'silero-vad'])(
      '%s',
      async name => {
        const { inputs, outputs } = await inWasm(name, 'wasm-simd');
        const got = (await build(name, target, machine)).run(inputs);
        for (const [k, t] of outputs) {
          const mine = must(got.get(k));
          expect(mine.dims).toEqual(t.dims);
          const want = [...toNumbers(t)];
          const worst = [...toNumbers(mine)].map((v, i) => Math.abs(v - (want[i] ?? NaN)) / (1e-5 + 1e-4 * Math.abs(v)));
          expect(Math.max(...worst)).toBeLessThanOrEqual(1);
        }
      },
      240_000,
    );
  });
}

const dynamic = model([
  node('Compress', ['x', 'keep'], ['some'], attribute('axis', 0)),
  node('Add', ['some', 'y'], ['z']),
  value(11, 'x', 1, [6]),
  value(11, 'keep', 9, [6]),
  value(11, 'y', 1, ['n']),
  value(12, 'z', 1, ['n']),
]);
const CALLER = `#include "model.h"
#include <stdio.h>
#include <string.h>
int main(void) {
  static _Alignas(m_ARENA_ALIGN) unsigned char arena[m_ARENA_BYTES + 64];
  const float x[6] = {1, 2, 3, 4, 5, 6}, y[6] = {10, 20, 30};
  const uint8_t three[6] = {0, 1, 1, 0, 0, 1}, four[6] = {1, 1, 1, 0, 0, 1};
  float z[6] = {0};
  m_sizes sizes = {0};
  m_inputs in = {{3}, x, three, y};
  m_outputs out = {z, &sizes};
  const int code = m_run(&in, &out, arena, sizeof arena);
  printf("%d %g %g %g %d\\n", code, z[0], z[1], z[2], sizes.count);
  printf("%s\\n", m_error(m_run(NULL, &out, arena, sizeof arena)));
  printf("%s\\n", m_error(m_run(&in, &out, NULL, sizeof arena)));
  printf("%s\\n", m_error(m_run(&in, &out, arena + 1, sizeof arena - 1)));
  printf("%s\\n", m_error(m_run(&in, &out, arena, 1)));
  in.x = NULL;
  printf("%s\\n", m_error(m_run(&in, &out, arena, sizeof arena)));
  in.x = (const float *)((const char *)x + 1);
  printf("%s\\n", m_error(m_run(&in, &out, arena, sizeof arena)));
  in.x = x;
  in.dims.n = 7;
  printf("%s\\n", m_error(m_run(&in, &out, arena, sizeof arena)));
  in.dims.n = 3;
  in.keep = four;
  printf("%s\\n", strstr(m_error(m_run(&in, &out, arena, sizeof arena)), "count and n must be equal") != NULL ? "stopped" : "?");
  printf("%s\\n", m_error(12345));
  return 0;
}
`;
native.describe('a program that calls a model', () => {
  it('gets sizes that the model works out, and a code and a text for each mistake, also from sanitizers', async () => {
    const { files } = await compile({ model: dynamic, name: 'm', target: 'c-portable', dims: { n: { min: 2, max: 6 } } });
    const sanitize = ['-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
    const { dir } = buildBundle(files);
    writeFileSync(join(dir, 'caller.c'), CALLER);
    const built = spawnSync('cc', ['-std=c11', ...sanitize, 'caller.c', 'model.c', '-o', 'caller', '-lm'], {
      cwd: dir,
      encoding: 'utf8',
    });
    expect(built.stderr).toBe('');
    const r = spawnSync('./caller', { cwd: dir, encoding: 'utf8' });
    expect(r.stderr).toBe('');
    expect(r.stdout.split('\n')).toEqual([
      '0 12 23 36 3',
      'a pointer is null',
      'a pointer is null',
      'a buffer or the arena is not aligned',
      'the arena is too small',
      'a pointer is null',
      'a buffer or the arena is not aligned',
      'a dimension is outside of its range',
      'stopped',
      'no such code',
      '',
    ]);
  }, 60_000);
  it('has a small library: PP-OCR classifier, without its weights', async () => {
    const { dir, weights } = await built('ppocr-cls', 'linux-x64-v2');
    expect(statSync(join(dir, 'libmodel.so')).size - weights).toBeLessThan(150_000);
  }, 60_000);
});

needs('cc', 'make', modules('numpy')).describe('model.py', () => {
  it.each(MODELS)('gives what main.c gives: %s', async name => {
    const { inputs } = real(name);
    const b = await built(name, 'linux-x64-v2');
    const want = b.run(inputs);
    const names = [...inputs.keys()];
    const script = `import sys, numpy as np, model
out = model.run(**{n: np.load("in%d.npy" % i) for i, n in enumerate(${JSON.stringify(names)})})
for name, array in out.items():
    print(name, array.shape, array.tobytes().hex())`;
    const r = spawnSync('python3', ['-c', script], { cwd: b.dir, encoding: 'utf8', maxBuffer: 2 ** 28 });
    expect(r.stderr).toBe('');
    expect(r.stdout.trim().split('\n')).toEqual(
      [...want].map(
        ([k, t]) => `${k} (${t.dims.join(', ')}${t.dims.length === 1 ? ',' : ''}) ${Buffer.from(t.bytes).toString('hex')}`,
      ),
    );
  });
  it('works out sizes, and says what is wrong', async () => {
    const { files } = await compile({ model: dynamic, name: 'm', target: 'c-portable', dims: { n: { min: 2, max: 6 } } });
    const { dir } = buildBundle(files);
    const script = `import numpy as np, model
x, y = np.arange(1, 7, dtype=np.float32), np.array([10, 20, 30], np.float32)
keep = np.array([0, 1, 1, 0, 0, 1], np.bool_)
print(model.run(x=x, keep=keep, y=y)["z"].tolist())
for bad in (dict(x=x, keep=~keep, y=y[:2]), dict(x=x, keep=keep), dict(x=x, keep=keep, y=np.zeros(9, np.float32))):
    try:
        model.run(**bad)
    except Exception as e:
        print(type(e).__name__, e)`;
    const r = spawnSync('python3', ['-c', script], { cwd: dir, encoding: 'utf8' });
    expect(r.stderr).toBe('');
    const [good, ...bad] = r.stdout.trim().split('\n');
    expect(good).toBe('[12.0, 23.0, 36.0]');
    expect(bad).toEqual([
      expect.stringMatching(/^ValueError .*count and n must be equal/),
      'TypeError input y [n] is missing',
      'ValueError n is 9, but must be 2 to 6',
    ]);
  });
});
