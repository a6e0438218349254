/** Bundles whose runs several threads share: any number of them gives the same bits, and ThreadSanitizer has nothing to say. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { writeNpy } from '../../compiler/data/npy.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import type { CompileOptions } from '../../compiler/options.ts';
import { fromTyped, type Tensor } from '../../compiler/core/tensor.ts';
import { compile } from '../../compiler/index.ts';
import { dimOptions } from '../../fixtures/dims.ts';
import { makeInputs } from '../../fixtures/inputs.ts';
import { locate, REAL_MODELS } from '../../fixtures/models.ts';
import { projectDir } from '../../fixtures/paths.ts';
import { needs } from '../needs.ts';
import { buildBundle } from './build.ts';

const native = needs('cc', 'make');
const THREADS = 4;

interface Model {
  readonly options: Pick<CompileOptions, 'model' | 'file'> & Partial<CompileOptions>;
  readonly inputs: ReadonlyMap<string, Tensor>;
}
function real(name: string): Model {
  const m = must(REAL_MODELS.find(x => x.name === name));
  const path = must(locate(name), `${name}: npm run fixtures`);
  const model = readFileSync(path);
  return { options: { model, file: basename(path), dims: dimOptions(m, model) }, inputs: makeInputs(m, must(m.runs[0])) };
}
const ROWS = 1000;
/** Rows of features over some blocks of a forest, with what is missing. */
function trees(): Model {
  const rows = Float32Array.from({ length: ROWS * 13 }, (_, i) => (i % 17 === 5 ? NaN : Math.fround(((i * 7919) % 1009) / 40)));
  const model = readFileSync(join(projectDir, 'fixtures/bike/model.json'));
  return { options: { model, file: 'bike.json' }, inputs: new Map([['features', fromTyped('f32', [ROWS, 13], rows)]]) };
}
const MODELS: readonly (readonly [name: string, model: () => Model])[] = [
  ['trees', trees],
  ['trees, gathered', () => ({ ...trees(), options: { ...trees().options, treeStrategy: 'gather' } })],
  ['silero-vad', () => real('silero-vad')],
  ['ppocr-det', () => real('ppocr-det')],
];

/** Compiles and builds a model, and gives what its program writes when it runs with so many threads. */
async function built(m: Model, threads: number, flags: readonly string[]): Promise<(...args: readonly string[]) => string[]> {
  const { files } = await compile({ ...m.options, target: 'linux-x64-v2', threads });
  const { dir } = buildBundle(files, { flags: ['-O1', ...flags] });
  const given = [...m.inputs].map(([name, t], i) => {
    writeFileSync(join(dir, `in${i}.npy`), writeNpy(t));
    return `${name}=in${i}.npy`;
  });
  const manifest = JSON.parse(readFileSync(join(dir, 'manifest.json'), 'utf8')) as { outputs: readonly unknown[] };
  return (...args) => {
    const out = join(dir, `out${args.join('')}`);
    mkdirSync(out);
    const r = spawnSync('./model', [...given, '--out', out, ...args], { cwd: dir, encoding: 'utf8' });
    expect([r.status, r.stderr]).toEqual([0, '']);
    const written = spawnSync('ls', [out], { encoding: 'utf8' }).stdout.trim().split('\n');
    expect(written).toHaveLength(manifest.outputs.length);
    return written.map(f => readFileSync(join(out, f)).toString('base64'));
  };
}

/** Two threads that run a model on one pool, each with an arena of its own; what they write must be what one without a pool writes. */
const CALLER = `#include "model.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
enum { ROWS = ${ROWS}, COLUMNS = 13, TIMES = 50 };
static float rows[ROWS * COLUMNS], alone[ROWS];
static _Alignas(m_ARENA_ALIGN) unsigned char arenas[3][m_ARENA_BYTES];
static sinter_pool *pool;
static int run(sinter_pool *p, unsigned char *arena, float *out) {
  const m_inputs in = {rows};
  const m_outputs to = {out};
  return m_run_on(p, &in, &to, arena, m_ARENA_BYTES);
}
static void *caller(void *arena) {
  static char wrong;
  float out[ROWS];
  for (int i = 0; i < TIMES; i++) {
    memset(out, 0, sizeof out);
    if (run(pool, arena, out) != m_OK || memcmp(out, alone, sizeof out) != 0) return &wrong;
  }
  return NULL;
}
int main(void) {
  pthread_t threads[2];
  int wrong = 0;
  for (int i = 0; i < ROWS * COLUMNS; i++) rows[i] = (float)(i * 7919 % 1009) / 40;
  if (run(NULL, arenas[2], alone) != m_OK) return 1;
  pool = sinter_pool_create(m_THREADS);
  for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, caller, arenas[i]);
  for (int i = 0; i < 2; i++) {
    void *bad;
    pthread_join(threads[i], &bad);
    wrong += bad != NULL;
  }
  sinter_pool_destroy(pool);
  sinter_pool_destroy(NULL);
  printf("%d wrong\\n", wrong);
  return 0;
}
`;
/** Loops of all lengths, short and long, while others use the pool: each iteration must run once, on no thread twice at a time. */
const POOL_CALLER = `#include "pool.h"
#include <pthread.h>
#include <stdio.h>
enum { MOST = 3000, THREADS = 3 };
typedef struct { int *times; int working[THREADS]; } job;
static sinter_pool *pool;
static void slice(const void *args, int32_t begin, int32_t end, int32_t thread) {
  const job *j = args;
  ((job *)args)->working[thread]++;
  for (int32_t i = begin; i < end; i++) j->times[i]++;
}
static void *caller(void *arg) {
  int times[MOST] = {0}, want[MOST] = {0};
  (void)arg;
  for (int r = 0; r < 2000; r++) {
    const int n = r * 7919 % (MOST + 1);
    job j = {times, {0}};
    sinter_pool_run(pool, THREADS, slice, &j, n, r % 3 == 0 ? 0.5f : 5e4f);
    for (int i = 0; i < n; i++) want[i]++;
  }
  for (int i = 0; i < MOST; i++)
    if (times[i] != want[i]) return pool;
  return NULL;
}
int main(void) {
  for (int threads = 1; threads <= 5; threads++) {
    pthread_t other;
    void *bad;
    pool = sinter_pool_create(threads);
    pthread_create(&other, NULL, caller, NULL);
    const int wrong = caller(NULL) != NULL;
    pthread_join(other, &bad);
    printf("%d", wrong + (bad != NULL));
    sinter_pool_destroy(pool);
  }
  return 0;
}
`;
/** Builds a program with ThreadSanitizer beside a bundle and gives what it prints. */
function sanitized(dir: string, source: string, others: readonly string[]): string {
  writeFileSync(join(dir, 'caller.c'), source);
  const args = ['-std=c11', '-O1', '-g', '-fsanitize=thread', '-pthread', 'caller.c', ...others, '-o', 'caller', '-lm'];
  const made = spawnSync('cc', args, { cwd: dir, encoding: 'utf8' });
  expect(made.stderr).toBe('');
  const r = spawnSync('./caller', { cwd: dir, encoding: 'utf8' });
  expect(r.stderr).toBe('');
  return r.stdout;
}

native.describe('threads', () => {
  it.each(MODELS)(
    'any number gives the bits of one: %s',
    async (_, model) => {
      const m = model();
      const want = (await built(m, 1, []))();
      const run = await built(m, THREADS, []);
      for (const n of [1, 2, 3, THREADS]) expect(run('--threads', String(n))).toEqual(want);
    },
    120_000,
  );
  it.each(MODELS.slice(0, 3))(
    'ThreadSanitizer is silent: %s',
    async (_, model) => {
      const m = model();
      const run = await built(m, THREADS, ['-g', '-fsanitize=thread']);
      run('--repeat', '3');
    },
    120_000,
  );
  it('two callers of one library on one pool agree, and ThreadSanitizer is silent', async () => {
    const { options } = trees();
    const { files } = await compile({ ...options, name: 'm', target: 'c-portable', threads: THREADS, dims: { batch: ROWS } });
    const { dir } = buildBundle(files);
    expect(sanitized(dir, CALLER, ['model.c', 'weights.c', 'pool.c'])).toBe('0 wrong\n');
    expect(sanitized(dir, POOL_CALLER, ['pool.c'])).toBe('00000');
  }, 60_000);
});

describe('who has no threads', () => {
  it.each([
    ['wasm-mvp', "'threads' of WebAssembly need 'bulk-memory'"],
    ['cortex-m4', 'needs POSIX threads'],
  ])('%s says so', async (target, why) => {
    await expect(compile({ ...trees().options, target, threads: 2 })).rejects.toThrow(why);
  });
  it('a number that makes no sense is told', async () => {
    await expect(compile({ ...trees().options, target: 'linux-x64-v2', threads: 0 })).rejects.toThrow("'threads'");
  });
});
