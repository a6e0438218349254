/** CMakeLists.txt of bundles: built alone, as a part of an application of two models, and installed for one. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it, jest } from '@jest/globals';
import { readNpy, writeNpy } from '../../compiler/data/npy.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { fromTyped, typed, type Tensor } from '../../compiler/core/tensor.ts';
import { compile, type CompileOptions } from '../../compiler/index.ts';
import { importFor } from '../../compiler/compile.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { needs, x64 } from '../needs.ts';
import { bike, folder, indexOf, removeFolders } from './faces.ts';
import { keywordNetwork } from './keywords.ts';

jest.setTimeout(120_000);
afterAll(removeFolders);

const ROWS = 500;
const numbers = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => ((i * 7919) % 1009) / 40);
/** The same in C. */
const NUMBERS = `static float *numbers(float *x, int n) { for (int i = 0; i < n; i++) x[i] = (float)(i * 7919 % 1009) / 40; return x; }`;
interface Model {
  readonly options: CompileOptions;
  readonly inputs: ReadonlyMap<string, Tensor>;
}
/** Weights as assembly; a name that CMake has for itself. */
const network: Model = {
  options: { model: keywordNetwork(), file: 'test.onnx', target: 'c-portable', embedBelow: 0 },
  inputs: new Map([['features', fromTyped('f32', [1, 1, 49, 10], numbers(490))]]),
};
const LEVELS = { name: 'levels', doc: 'two levels of a processor', modules: ['linux-x64-v3', 'linux-x64-v2'] };
/** Sources with flags of their own, and threads. */
const trees: Model = {
  options: { model: bike, file: 'bike.json', target: LEVELS, threads: 2, embedBelow: 0 },
  inputs: new Map([['features', fromTyped('f32', [ROWS, 13], numbers(ROWS * 13))]]),
};
const expected = ({ options, inputs }: Model): Tensor => must([...evaluate(importFor(options).graph, inputs).values()][0]);

const compiled = new Map<Model, ReturnType<typeof compile>>();
async function write(m: Model, name = ''): Promise<string> {
  const dir = join(folder(), name);
  mkdirSync(dir, { recursive: true });
  const result = compiled.get(m) ?? compile(m.options);
  compiled.set(m, result);
  for (const [file, bytes] of (await result).files) writeFileSync(join(dir, file), bytes);
  return dir;
}
function run(command: string, args: readonly string[], cwd = '.'): Buffer {
  const r = spawnSync(command, args, { cwd });
  if (r.status !== 0)
    throw new Error(
      `${[command, ...args].join(' ')}: ${r.signal ?? String(r.status)}\n${String(r.error ?? '')}${String(r.stdout)}${String(r.stderr)}`,
    );
  // What CMake and compilers warn of they write there.
  expect(String(r.stderr)).toBe('');
  return r.stdout;
}
function built(source: string, ...options: readonly string[]): string {
  const out = join(folder(), 'build');
  run('cmake', ['-S', source, '-B', out, '-DCMAKE_C_FLAGS=-Wall -Wextra', ...options]);
  run('cmake', ['--build', out, '--parallel', '2']);
  return out;
}

/** Writes what the models give. */
const APPLICATION = `#include <stdio.h>
#include <test/model.h>
#include <bike/model.h>
${NUMBERS}
static _Alignas(test_ARENA_ALIGN) unsigned char arena[test_ARENA_BYTES];
static _Alignas(bike_ARENA_ALIGN) unsigned char more[bike_ARENA_BYTES];
static float words[12], rentals[${ROWS}];
int main(void) {
  static float features[490], rows[${ROWS * 13}];
  sinter_pool *pool = sinter_pool_create(bike_THREADS);
  const test_inputs sound = {numbers(features, 490)};
  const test_outputs heard = {words};
  const bike_inputs days = {{${ROWS}}, numbers(rows, ${ROWS * 13})};
  const bike_outputs counts = {rentals};
  const int wrong = test_run(&sound, &heard, arena, sizeof arena) + bike_run_on(pool, &days, &counts, more, sizeof more);
  sinter_pool_destroy(pool);
  fwrite(words, sizeof *words, 12, stdout);
  fwrite(rentals, sizeof *rentals, ${ROWS}, stdout);
  return wrong;
}
`;
const PROJECT = `cmake_minimum_required(VERSION 3.14)
project(application C)
set(CMAKE_C_STANDARD 11)
if(FOLDERS)
  foreach(folder \${FOLDERS})
    add_subdirectory(\${folder} \${folder}/build)
  endforeach()
else()
  find_package(test REQUIRED)
  find_package(bike REQUIRED)
endif()
add_executable(application main.c)
target_link_libraries(application test::model bike::model)
`;
async function application(): Promise<{ readonly dir: string; readonly models: readonly string[] }> {
  const dir = folder();
  writeFileSync(join(dir, 'main.c'), APPLICATION);
  writeFileSync(join(dir, 'CMakeLists.txt'), PROJECT);
  return { dir, models: [await write(network, 'test'), await write(trees, 'bike')] };
}
function check(program: string): void {
  const all = run(program, []);
  const got = new Float32Array(new Uint8Array(all).buffer);
  const words = typed(expected(network)) as Float32Array;
  words.forEach((w, i) => expect(got[i]).toBeCloseTo(w, 5));
  expect(all.subarray(48).equals(expected(trees).bytes)).toBe(true);
}

needs('cmake', 'cc', x64).describe('CMake', () => {
  it('builds the library, its program and its addon', async () => {
    const dir = await write(trees);
    const out = built(dir);
    writeFileSync(join(out, 'rows.npy'), writeNpy(must(trees.inputs.get('features'))));
    run('./bike_main', ['rows.npy', '--out', '.'], out);
    const want = expected(trees);
    expect(readNpy(readFileSync(join(out, 'prediction.npy')), 'prediction.npy').bytes).toEqual(want.bytes);
    run('cmake', ['--build', out, '--target', 'bike_node']);
    const model = await (await indexOf(dir)).load();
    expect(model.run({ features: { data: numbers(ROWS * 13), dims: [ROWS, 13] } })['prediction']?.data).toEqual(typed(want));
  });
  it('builds an application with two models as its parts', async () => {
    const { dir, models } = await application();
    check(join(built(dir, `-DFOLDERS=${models.join(';')}`), 'application'));
  });
  it.each(['OFF', 'ON'])('installs what applications find (shared: %s)', async shared => {
    const { dir, models } = await application();
    const prefix = folder();
    for (const m of models) run('cmake', ['--install', built(m, `-DBUILD_SHARED_LIBS=${shared}`), '--prefix', prefix]);
    check(join(built(dir, `-DCMAKE_PREFIX_PATH=${prefix}`), 'application'));
  });
});
