/** .ci/run does what README says is tested. */
import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
/** Where its lines break says nothing. */
const readme = read('README.md').replace(/\s+/g, ' ');
const ci = read('.ci/run');
const named = (text: string, what: RegExp): string[] => [...new Set([...text.matchAll(what)].map(m => m[1] ?? ''))].sort();

/** Scripts that README names and .ci/run leaves to something else, and to what. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  bench: 'it measures, and asserts nothing; test/cli/bench.test.ts runs the engine',
  conformance: 'test/conformance/conformance.test.ts runs all cases',
  demo: 'test/models/real.test.ts compares the same network with onnxruntime',
  fuzz: 'it runs until something is found; test/import, test/kernel and test/passes try a fixed number',
  'regress:speed': 'a speed is compared with what the same machine measured before',
  trees: 'test/import/xgboost.test.ts and lightgbm.test.ts run a part of it',
};
/** What README names, and the package or the word of .ci/run that brings it. */
const TOOLS: readonly (readonly [promise: RegExp, ci: RegExp])[] = [
  [/Chromium/, /\(chromium\)/],
  [/Wine/, /wine wine64/],
  [/MinGW/, /gcc-mingw-w64-x86-64/],
  [/CMake/, /\(cmake\)/],
  [/pip install/, /python3-pip/],
  [/NumPy/, /python3-numpy/],
  [/Clang, lld and wasi-libc/, /clang-16 lld-16 libclang-rt-16-dev-wasm32 wasi-libc/],
  [/ARM/, /gcc-aarch64-linux-gnu(?:.|\n)*gcc-arm-linux-gnueabihf/],
  [/RISC-V/, /gcc-riscv64-linux-gnu/],
  [/Cortex-M/, /gcc-arm-none-eabi(?:.|\n)*qemu-system-arm/],
  [/under emulators/, /qemu-user-static/],
  [/allocates nothing/, /\(valgrind /],
  [/ONNX's own tests run/, /fixtures -- [^\n]*onnx-tests/],
  [/real models against onnxruntime/, /fixtures -- [^\n]*keijiro[^]*minilm/],
  [/`wasm-relaxed-simd`/, /node@24 [^\n]*-t 'wasm-relaxed-simd/],
  [/npm test/, /^step [^\n]*npm test$/m],
];

describe('.ci/run', () => {
  it('runs every script that README names, or something else does', () => {
    const scripts = named(readme, /npm run ([\w:]+)/g);
    expect(scripts.length).toBeGreaterThan(5);
    const run = named(ci, /npm run ([\w:]+)/g);
    expect(scripts.filter(s => !run.includes(s))).toEqual(Object.keys(ELSEWHERE).sort());
  });
  it('brings every tool that README names', () => {
    expect(TOOLS.filter(([promise]) => !promise.test(readme)).map(([promise]) => promise.source)).toEqual([]);
    expect(TOOLS.filter(([, there]) => !there.test(ci)).map(([, there]) => there.source)).toEqual([]);
  });
  it('fails where a test is skipped', () => {
    expect(ci).toMatch(/^export CI=1$/m);
  });
});
it('tests run every command of sinter that README names', () => {
  const tests = readdirSync(join(root, 'test/cli')).map(f => read(`test/cli/${f}`));
  const commands = named(readme, /sinter (compile|run|verify|inspect|bench|regress|targets|opt)\b/g);
  expect(commands).toEqual(['bench', 'compile', 'inspect', 'regress', 'run', 'targets', 'verify']);
  expect(commands.filter(c => !tests.some(t => t.includes(`'${c}'`)))).toEqual([]);
});
