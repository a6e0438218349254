import { spawnSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, it, jest } from '@jest/globals';
import { openBundle } from '../../compiler/run/bundle.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { compile, type CompileOptions } from '../../compiler/index.ts';
import { projectDir } from '../../fixtures/paths.ts';
import { attribute, model, node, value } from '../onnx-writer.ts';
import { has, needs } from '../needs.ts';
import { WARNINGS } from './build.ts';
import { bike, bundle, folder, indexOf, real, removeFolders, rows, type Case, type Index, type Model } from './faces.ts';

// What a program sees of a bundle is the same in WebAssembly and behind Node-API: the same cases through both.

// Compilers on a busy machine.
jest.setTimeout(60_000);

/** A Clang that makes WebAssembly, with its linker and C library. */
const clang = ['clang', 'clang-19', 'clang-16', 'clang-14'].find(cc => {
  const args = ['--target=wasm32-wasi', '-mexec-model=reactor', '-x', 'c', '-', '-o', '/dev/null'];
  return spawnSync(cc, args, { input: '#include <stdlib.h>\nint main(void) { return malloc(1) == 0; }' }).status === 0;
});
const native = needs('cc', 'make');

afterAll(removeFolders);

/** What a run gives, or what it throws, in a form that can be compared. */
function outcome(m: Model, inputs: Record<string, unknown>): unknown {
  try {
    const bits = (a: ArrayBufferView): string => Buffer.from(a.buffer, a.byteOffset, a.byteLength).toString('hex');
    return Object.entries(m.run(inputs)).map(([k, t]) => [k, t.type, [...t.dims], t.data.constructor.name, bits(t.data)]);
  } catch (e) {
    return e instanceof Error ? e.message : e;
  }
}
const names = (n: number): Record<string, unknown> => ({ hour: n, workingday: true, temp: 21.3, year: null });
/** Sizes that vary, one that the model works out, and a reason of its own to stop; its inputs are a C keyword and in Greek. */
const dynamic = model([
  node('Compress', ['int', 'keep'], ['some'], attribute('axis', 0)),
  node('Add', ['some', 'γ'], ['z']),
  value(11, 'int', 1, [6]),
  value(11, 'keep', 9, [6]),
  value(11, 'γ', 1, ['n']),
  value(12, 'z', 1, ['n']),
  value(12, 'some', 1, ['k']),
]);
const six = Float32Array.of(1, 2, 3, 4, 5, 6);
const y = (n: number): Float32Array => new Float32Array(n).fill(10);

const CASES: readonly (() => Case)[] = [
  () => ({
    name: 'trees',
    options: { model: bike, file: 'bike.json' },
    inputs: () => [
      { features: rows },
      { features: { data: rows, dims: [64, 13] } },
      { features: new Float32Array(new SharedArrayBuffer(13 * 4)) },
      { features: names(17) },
      { features: [names(1), names(2), Array.from({ length: 13 }, (_, i) => i)] },
      { features: [] },
      { features: { houre: 1 } },
      { features: [1, 2, 'x'] },
      { features: new Float64Array(13) },
      { features: new Float32Array(12) },
      { features: { data: rows, dims: [13, 64] } },
      { features: new Float32Array(13 * 10_001) },
      { other: rows },
      {},
    ],
  }),
  () => ({
    name: 'sizes',
    options: { model: dynamic, name: 'm', dims: { n: { min: 2, max: 6 } } },
    inputs: () => [
      { int: six, keep: [0, 1, 1, 0, 0, 1], γ: y(3) },
      { int: six, keep: [true, true, true, true, true, true], γ: y(6) },
      { int: six, keep: [1, 1, 1, 0, 0, 1], γ: y(3) },
      { int: six, keep: Uint8Array.of(1, 1, 0, 0, 0, 0), γ: [1, 2] },
      { int: six, keep: new Uint8Array(6), γ: y(7) },
      { int: six, keep: new Uint8Array(6), γ: y(1) },
      { int: new Int32Array(6), keep: new Uint8Array(6), γ: y(2) },
      { int: six, keep: 'no', γ: y(2) },
    ],
  }),
  () => real('silero-vad'),
  () => real('oww-melspectrogram'),
];

/** Both faces of a model give the same for all cases: values by their bits, errors by their text. */
async function same(c: Case, target: CompileOptions['target'], wasm: string): Promise<void> {
  const [a, b] = await Promise.all(
    [target, wasm].map(async t => (await indexOf(await bundle({ ...c.options, target: t as string }))).load()),
  );
  c.inputs().forEach((given, i) => {
    expect([i, outcome(must(a), given)]).toEqual([i, outcome(must(b), given)]);
  });
}
const emnapi = clang === undefined ? undefined : { name: 'emnapi-test', extends: 'emnapi', toolchain: { cc: clang } };
native.describe('behind Node-API as in WebAssembly', () => {
  it.each(CASES.map(c => c()))('$name', async c => {
    await same(c, 'linux-x64-v2', 'wasm-simd');
  });
  it('with two threads', async () => {
    await same(must(CASES[0])(), { name: 'two', extends: 'linux-x64-v2', threads: 2 }, 'wasm-simd');
  });
  it('scalar C', async () => {
    await same(must(CASES[1])(), 'c-portable', 'wasm-mvp');
  });
});
needs({ name: 'clang with lld and wasi-libc', here: emnapi !== undefined }).describe('through emnapi as in WebAssembly', () => {
  it.each(CASES.slice(0, 3).map(c => c()))('$name', async c => {
    await same(c, emnapi, 'wasm-simd');
  });
  it('is loaded as a module is, and by `sinter run` and `sinter verify`', async () => {
    const dir = await bundle({ ...must(CASES[1])().options, target: emnapi as object });
    const index = await indexOf(dir);
    const bytes = readFileSync(join(dir, 'model.wasm'));
    const given = { int: six, keep: [0, 1, 1, 0, 0, 1], γ: y(3) };
    for (const source of [undefined, `${dir}/`, join(dir, 'model.wasm'), bytes, await WebAssembly.compile(bytes)])
      expect(must((await index.load(source)).run(given)['z']).data).toEqual(Float32Array.of(12, 13, 16));
    // Instances come and go; none waits for the end of the process.
    const waiting = process.listenerCount('beforeExit');
    for (let i = 0; i < 12; i++) await index.load(bytes);
    expect(process.listenerCount('beforeExit')).toBe(waiting);
    const b = await openBundle(dir);
    expect(b.profile).toBe('emnapi-test');
    rmSync(join(dir, 'model.wasm'));
    await expect(index.load()).rejects.toThrow(
      /^E205: cannot read .*model\.wasm: .*; 'make model\.wasm' beside index\.js builds it$/,
    );
    await expect(openBundle(dir)).rejects.toThrow("'make model.wasm'");
  });
});

native.describe('model.node', () => {
  it('is loaded from its folder, a path or a URL, and says what is wrong with it', async () => {
    const dir = await bundle({ model: bike, file: 'bike.json', target: 'linux-x64-v2' });
    const index = await indexOf(dir);
    const file = join(dir, 'model.node');
    for (const source of [undefined, `${dir}/`, file, pathToFileURL(file), pathToFileURL(file).href, pathToFileURL(`${dir}/`)])
      expect(outcome(await index.load(source), { features: names(17) })).toHaveLength(1);
    await expect(index.load(readFileSync(file))).rejects.toThrow(
      'E502: load takes the path or the URL of model.node, not Uint8Array',
    );
    const other = await bundle({ model: bike, file: 'bike.json', target: 'c-portable' });
    await expect(index.load(join(other, 'model.node'))).rejects.toThrow('E502: model.node is not of this index.js');
    // The addon of a path is loaded once: other folders.
    const alone = async (addon?: string | Uint8Array): Promise<Index> => {
      const there = folder();
      for (const f of ['index.js', 'package.json']) copyFileSync(join(dir, f), join(there, f));
      if (addon !== undefined) writeFileSync(join(there, 'model.node'), addon);
      return indexOf(there);
    };
    await expect((await alone()).load()).rejects.toThrow(/^E205: cannot load .*'make model\.node' beside index\.js builds it/s);
    await expect((await alone('no library')).load()).rejects.toThrow(/^E205: cannot load .*(?:ELF|too short)/);
    if (process.arch !== 'x64') return;
    // Instructions of a Xeon Phi, which is none of today's servers.
    const source = readFileSync(join(dir, 'node.c'), 'utf8').replace('supports("sse4.2")', 'supports("avx5124fmaps")');
    writeFileSync(join(dir, 'node.c'), source);
    expect(spawnSync('make', ['node'], { cwd: dir, encoding: 'utf8' }).stderr).toBe('');
    await expect((await alone(readFileSync(file))).load()).rejects.toThrow(
      /^E401: this processor has no .*, which the model was compiled for \(linux-x64-v2\)$/,
    );
  });
  it('finds the model and its weights beside it where they have a file, which they are in once', async () => {
    const { options, inputs } = real('silero-vad');
    const dir = await bundle({ ...options, target: 'linux-x64-v2' });
    const weights = statSync(join(dir, 'model.weights')).size;
    const sizes = readdirSync(dir).map(f => [f, statSync(join(dir, f)).size] as const);
    expect(sizes.filter(([, n]) => n >= weights).map(([f]) => f)).toEqual(['model.weights']);
    const index = await indexOf(dir);
    const [given] = inputs();
    expect(outcome(await index.load(), must(given))).toBeInstanceOf(Array);
    // From another folder, with another library or none.
    const beside = async (library?: string, file = join(dir, 'model.weights')): Promise<Index> => {
      const there = folder();
      if (file !== '') copyFileSync(file, join(there, 'model.weights'));
      for (const f of ['index.js', 'package.json', 'model.node']) copyFileSync(join(dir, f), join(there, f));
      if (library !== undefined) copyFileSync(library, join(there, 'libmodel.so'));
      return indexOf(there);
    };
    const moved = await beside(join(dir, 'libmodel.so'));
    expect(outcome(await moved.load(), must(given))).toEqual(outcome(await index.load(), must(given)));
    const other = await bundle({ ...options, target: 'c-portable' });
    await expect((await beside(join(other, 'libmodel.so'))).load()).rejects.toThrow(
      /^E205: cannot load .*: libmodel\.so beside it is of another compilation; 'make model\.node' beside index\.js builds it/,
    );
    await expect((await beside()).load()).rejects.toThrow(/^E205: cannot load .*libmodel\.so: cannot open shared object file/);
    const damaged = join(folder(), 'model.weights');
    writeFileSync(damaged, new Uint8Array(weights));
    for (const file of ['', damaged])
      await expect((await beside(join(dir, 'libmodel.so'), file)).load()).rejects.toThrow(
        /^E205: cannot load .*: model\.weights is not beside libmodel\.so, or is of another compilation/,
      );
    // What make does: no object with weights is left.
    for (const f of ['libmodel.so', 'model.node']) rmSync(join(dir, f));
    const made = spawnSync('make', [], { cwd: dir, encoding: 'utf8' });
    expect([made.stderr, made.status]).toEqual(['', 0]);
    const all = readdirSync(dir).filter(f => statSync(join(dir, f)).size >= weights);
    expect(all).toEqual(['model.weights']);
    expect(spawnSync('make', ['-q'], { cwd: dir }).status).toBe(0);
    expect(spawnSync('make', ['libmodel.a'], { cwd: dir, encoding: 'utf8' }).stderr).toBe('');
    expect(statSync(join(dir, 'libmodel.a')).size).toBeGreaterThan(weights);
  });
  it('declares the types of a bundle for WebAssembly, but for what load takes', async () => {
    const [a, b] = await Promise.all(
      ['c-portable', 'wasm-simd'].map(async target =>
        new TextDecoder().decode((await compile({ model: bike, file: 'bike.json', target })).files.get('index.d.ts')),
      ),
    );
    const upToLoad = (dts = ''): string =>
      dts.slice(dts.indexOf('\n'), dts.indexOf(dts.includes('export type Source') ? 'export type Source' : '/**\n * Makes'));
    expect(upToLoad(a)).toBe(upToLoad(b));
    expect(a).toContain('export function load(source?: URL | string | Promise<URL | string>): Promise<Model>;\n');
  });
  it('compiles without a warning, against the headers of Node too, and by make', async () => {
    const dir = await bundle({ model: dynamic, name: 'm', target: 'c-portable', dims: { n: { min: 2, max: 6 } } });
    const headers = ['-DNODE_API_HEADERS', `-I${join(projectDir, 'node_modules/node-api-headers/include')}`];
    for (const cc of ['cc', 'clang'].filter(has))
      for (const more of [[], headers]) {
        const args = ['-std=c99', ...WARNINGS, ...more, '-c', 'node.c', '-o', 'node.o'];
        expect(spawnSync(cc, args, { cwd: dir, encoding: 'utf8' }).stderr).toBe('');
      }
    rmSync(join(dir, 'node.o'));
    rmSync(join(dir, 'model.node'));
    const made = spawnSync('make', ['node'], { cwd: dir, encoding: 'utf8' });
    expect(made.stderr).toBe('');
    const given = { int: six, keep: [0, 1, 1, 0, 0, 1], γ: y(3) };
    expect(must((await (await indexOf(dir)).load()).run(given)['z']).data).toEqual(Float32Array.of(12, 13, 16));
  });
  it('survives bad use: threads, garbage, memory that went elsewhere', async () => {
    const dir = await bundle({ model: bike, file: 'bike.json', target: 'linux-x64-v2' });
    copyFileSync(join(projectDir, 'test/native/abuse.mjs'), join(dir, 'abuse.mjs'));
    const r = spawnSync(process.execPath, ['--expose-gc', 'abuse.mjs'], { cwd: dir, encoding: 'utf8' });
    expect(r.stderr).toBe('');
    expect(r.status).toBe(0);
    expect(r.stdout.trim().split('\n')).toEqual([
      'transferred: E502: memory was transferred; load the model again',
      'addon: the memory of the model was transferred; load the model again',
      'addon: run takes the sizes as numbers',
      'addon: a dimension is outside of its range',
      'detached input: E501: input features: dimension 0 (batch) is 0, but must be 1 to 10000; it is float32 [batch, 13]',
      'within: E502: another run is not done',
      'instances: 300, memory bounded',
      'workers: 8 the same',
      'terminated: 4',
    ]);
  });
});
needs('aarch64-linux-gnu-gcc').describe('model.node for other machines', () => {
  it('is built for ARM, and here index.js says that it is not for this machine', async () => {
    const dir = await bundle({ model: bike, file: 'bike.json', target: 'linux-arm64' });
    // The machine of an ELF file: 183 is AArch64.
    expect(readFileSync(join(dir, 'model.node')).readUInt16LE(18)).toBe(183);
    if (process.arch !== 'arm64') await expect((await indexOf(dir)).load()).rejects.toThrow('E205: cannot load');
  });
});
