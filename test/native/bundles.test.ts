import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { randomTensor } from '../../compiler/core/random.ts';
import { fromTyped, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { compile } from '../../compiler/index.ts';
import { dimOptions } from '../../fixtures/dims.ts';
import { makeInputs } from '../../fixtures/inputs.ts';
import { locate, REAL_MODELS } from '../../fixtures/models.ts';
import { projectDir } from '../../fixtures/paths.ts';
import { feed, loadBundle } from '../models/bundle.ts';
import { attribute, model, node, sub, tensor, value } from '../onnx-writer.ts';

import { modules, needs } from '../needs.ts';
import { buildBundle, folderOf, type Machine } from './build.ts';

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

type Built = ReturnType<typeof buildBundle>;
/** A real model's bundle, built by its Makefile. */
const built = once((name, target) => build(name, target));
async function build(name: string, target: string, machine?: Machine): Promise<Built> {
  const { bytes, options } = real(name);
  const { files } = await compile({ ...options, model: bytes, target, verifyIr: true });
  return buildBundle(files, machine && { machine });
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
/** A convolution, whose weights are transformed before the first run. */
const kernels = randomTensor('f32', [32, 32, 3, 3], 3);
const picture = model([
  sub(5, tensor({ name: 'w', dims: kernels.dims, type: 1, raw: kernels.bytes })),
  node('Conv', ['x', 'w'], ['y'], attribute('pads', [1, 1, 1, 1])),
  value(11, 'x', 1, [1, 32, 16, 16]),
  value(12, 'y', 1, [1, 32, 16, 16]),
]);
/** Prepares the weights in memory of its own if it is told to, then runs in four threads at a time; prints a hash of each answer. */
const PREPARER = `#include "model.h"
#include <pthread.h>
#include <stdio.h>
static _Alignas(64) unsigned char arenas[4][m_ARENA_BYTES + 64];
static float x[8192], answers[4][8192];
static int codes[4];
static pthread_barrier_t start;
static void *first(void *p) {
  const int i = (int)(size_t)p;
  m_inputs in = {x};
  m_outputs out = {answers[i]};
  pthread_barrier_wait(&start);
  codes[i] = m_run(&in, &out, arenas[i], m_ARENA_BYTES);
  return NULL;
}
int main(int argc, char **argv) {
  (void)argv;
  for (int i = 0; i < 8192; i++) x[i] = (float)(i * 37 % 101) / 50 - 1;
#ifdef m_PREPARED_BYTES
  static _Alignas(64) unsigned char memory[m_PREPARED_BYTES + 64];
  if (argc > 1)
    for (int i = 0; i < 2; i++)
      printf("%d %d %d %d %d\\n", m_prepare(NULL, m_PREPARED_BYTES, arenas[0], m_ARENA_BYTES) == m_NULL,
             m_prepare(memory + 4, m_PREPARED_BYTES, arenas[0], m_ARENA_BYTES) == m_ALIGN,
             m_prepare(memory, m_PREPARED_BYTES - 1, arenas[0], m_ARENA_BYTES) == m_MEMORY,
             m_prepare(memory, m_PREPARED_BYTES, arenas[0], m_ARENA_BYTES - 1) == m_ARENA,
             m_prepare(memory, m_PREPARED_BYTES, arenas[0], m_ARENA_BYTES) == m_OK);
  /* It is this memory that is read. */
  if (argc > 2) for (size_t i = 0; i < m_PREPARED_BYTES; i++) memory[i] = 0;
#else
  (void)argc;
#endif
  pthread_t threads[4];
  pthread_barrier_init(&start, NULL, 4);
  for (size_t i = 0; i < 4; i++) pthread_create(&threads[i], NULL, first, (void *)i);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < 4; i++) {
    uint32_t hash = 0;
    const unsigned char *bytes = (const unsigned char *)answers[i];
    for (size_t j = 0; j < sizeof answers[i]; j++) hash = hash * 31 + bytes[j];
    printf("%d %u\\n", codes[i], hash);
  }
  return 0;
}
`;
native.describe('weights that are transformed before the first run', () => {
  it.each(['c-portable', 'linux-x64-v2'])('%s: by the first run of several threads, or in memory of the caller', async target => {
    const flags = ['-std=c11', '-O1', '-g', '-pthread', '-Wall', '-Wextra', '-Werror', '-D_POSIX_C_SOURCE=200112L'];
    const make = async (optimize: 'size' | 'start', ...more: string[]): Promise<(...args: string[]) => string[]> => {
      const { files } = await compile({ model: picture, name: 'm', target, optimize });
      const dir = folderOf(files);
      writeFileSync(join(dir, 'caller.c'), PREPARER);
      const sources = [...files.keys()].filter(f => /^(?:model|weights|inside)\.[cS]$/.test(f));
      const arch = target === 'c-portable' ? [] : ['-march=x86-64-v2'];
      const built = spawnSync('cc', [...flags, ...arch, ...more, 'caller.c', ...sources, '-o', 'caller', '-lm'], {
        cwd: dir,
        encoding: 'utf8',
      });
      expect(built.stderr).toBe('');
      return (...args) => {
        const r = spawnSync('./caller', args, { cwd: dir, encoding: 'utf8' });
        expect(r.stderr).toBe('');
        return r.stdout.trim().split('\n');
      };
    };
    const ready = await make('start');
    const answers = ready();
    expect(new Set(answers).size).toBe(1);
    const small = await make('size', '-fsanitize=thread');
    expect(small()).toEqual(answers);
    expect(small('own')).toEqual(['1 1 1 1 1', '1 1 1 1 1', ...answers]);
    expect(small('own', 'wiped').slice(2)).not.toEqual(answers);
  });
});
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
    const { dir } = await built('ppocr-cls', 'linux-x64-v2');
    expect(statSync(join(dir, 'libmodel.so')).size).toBeLessThan(150_000);
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
