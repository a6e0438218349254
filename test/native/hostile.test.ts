/** A model and a file whose names attack every language that a bundle is written in: it works under these very names, and nothing runs. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it, jest } from '@jest/globals';
import { namesOf, outputNames } from '../../compiler/backend/c/names.ts';
import { importFor, compile } from '../../compiler/compile.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { fromTyped, toNumbers, typed } from '../../compiler/core/tensor.ts';
import { readNpy, writeNpy } from '../../compiler/data/npy.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { typeErrors } from '../bundle/type-errors.ts';
import { loadBundle } from '../models/bundle.ts';
import { has, modules, needs } from '../needs.ts';
import { model, node, value } from '../onnx-writer.ts';
import { WARNINGS } from './build.ts';
import { folder, removeFolders } from './faces.ts';

jest.setTimeout(180_000);
afterAll(removeFolders);

const NAMES = [
  ...['??/', '??/" x', '*/ int main(void) { system("touch PWN"); } /*', '"); system("touch PWN"); //', '\\', 'a\\', '%s%n'],
  ...[
    '$(touch PWN)',
    '$(shell touch PWN)',
    '`touch PWN`',
    '${touch PWN}',
    "'; touch PWN; '",
    '#',
    '$$',
    '@PWN@',
    'a;b',
    '-x',
    '--out',
  ],
  ...[
    '"""',
    '"; import os; os.system("touch PWN") #',
    "'''",
    '{{x}}',
    '__proto__',
    'constructor',
    '</script><script>alert(1)</script>',
  ],
  ...[
    'a\nb',
    'a\r\nb',
    'a\tb',
    '\u001b[31m',
    '\u2028',
    '\u202e evil',
    '😀',
    '名前',
    '名称',
    '_',
    '__x',
    '_X',
    '7',
    'a=b',
    'a',
    ' ',
  ],
  ...['int', 'class', 'lambda', 'None', 'errno', 'NULL', 'EOF', 'INFINITY', 'linux', 'unix', 'stdin', 'NAN', 'I', 'X', 'x'],
  ...[
    'INPUTS',
    'OUTPUTS',
    'ARENA',
    'THREADS',
    'MAX_RANK',
    'ID',
    'MEMORY',
    'ALIGN',
    'STATE',
    'ARGS',
    'INLINE',
    'PREFETCH',
    'dims',
    'sizes',
  ],
];
const FREE = ['n*/', '$(touch PWN)', 'for'];
/** y = -x for each name, on as many numbers as its place tells; the first take sizes that vary. */
const hostile = model([
  ...NAMES.map(n => node('Neg', [n], [`>${n}`])),
  ...NAMES.map((n, i) => value(11, n, 1, [FREE[i] ?? 1, 2])),
  ...NAMES.map((n, i) => value(12, `>${n}`, 1, [FREE[i] ?? 1, 2])),
]);
const NAME = '"??/\n*/ $(touch PWN) `touch PWN` \' # ${touch PWN} </script> 😀 \u202e coding: utf-7 \\';
const dims = Object.fromEntries(FREE.map((n, i) => [n, { min: 1, max: i + 4 }]));
const options = { model: hostile, name: NAME, file: `${NAME}.onnx`, dims };
const inputs = new Map(
  NAMES.map((n, i) => [
    n,
    fromTyped(
      'f32',
      [FREE[i] === undefined ? 1 : i + 2, 2],
      Float32Array.from({ length: FREE[i] === undefined ? 2 : 2 * i + 4 }, (_, j) => i + j / 8),
    ),
  ]),
);
const wanted = NAMES.map(n => [`>${n}`, Array.from(toNumbers(must(inputs.get(n))), x => -x)]);

/** Every folder that a command of these tests ran in. */
const places = new Set([process.cwd()]);
function run(command: string, args: readonly string[], cwd: string): string {
  places.add(cwd);
  const r = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (r.error || r.status !== 0) throw new Error(`${command}: ${String(r.error ?? '')}${r.stderr}${r.stdout}`);
  return r.stdout;
}
/** The checkout's own folder without those in it: they lead back to it by links, and other tests write there. */
const nothingRan = (): void => {
  for (const p of places)
    expect(readdirSync(p, { recursive: p !== process.cwd() }).filter(f => /(^|[/\\])PWN(?!_)/.test(String(f)))).toEqual([]);
};
async function written(target: string): Promise<string> {
  const dir = folder();
  for (const [name, bytes] of (await compile({ ...options, target })).files) {
    expect(name).toMatch(/^[\w.-]+$/);
    writeFileSync(join(dir, name), bytes);
  }
  return dir;
}

it('in WebAssembly', async () => {
  const { files } = await compile({ ...options, target: 'wasm-simd' });
  const text = (f: string): string => new TextDecoder().decode(files.get(f));
  const out = (await loadBundle(files)).run(
    Object.fromEntries([...inputs].map(([n, t]) => [n, { data: typed(t), dims: t.dims }])),
  );
  expect(Object.entries(out).map(([k, t]) => [k, Array.from(t.data, Number)])).toEqual(wanted);
  expect(typeErrors(text('index.d.ts'), '')).toEqual([]);
  for (const f of ['index.js', 'index.d.ts']) expect(text(f)).not.toMatch(/<\/script|\u2028|\u202e/);
  expect(text('demo.html').match(/<\/?script[^>]*>/g)).toEqual(['<script type="module" src="demo.js">', '</script>']);
  nothingRan();
});

/** Headers that code of a bundle includes. */
const HEADERS = 'errno math stdarg stddef stdint stdio stdlib string time'.split(' ');
it.each(['cc', 'x86_64-w64-mingw32-gcc', 'arm-none-eabi-gcc'].filter(has))('no member of a struct is a macro of %s', cc => {
  const include = HEADERS.map(h => `#include <${h}.h>\n`);
  const r = spawnSync(cc, ['-std=gnu11', '-dM', '-E', '-x', 'c', '-'], {
    input: include.join(''),
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  const macros = new Set([...r.stdout.matchAll(/^#define (\w+)\s/gm)].map(m => must(m[1])));
  expect(macros.size).toBeGreaterThan(300);
  expect(outputNames([...macros]).filter(w => macros.has(w))).toEqual([]);
});

const system = process.arch === 'x64' ? 'linux-x64-v2' : 'linux-arm64';
needs('cc', 'make').describe('as C', () => {
  const outputs = (dir: string): unknown => {
    const { graph } = importFor(options);
    const words = namesOf(lowerGraph(graph, must(resolveTarget('c-portable').profiles[0]))).outputs;
    return [...words].map(([p, w]) => [p.name, [...toNumbers(readNpy(readFileSync(join(dir, `${w}.npy`)), p.name))]]);
  };
  const runMain = (program: string, dir: string): void => {
    const out = join(dir, 'out');
    mkdirSync(out);
    const args = NAMES.map((n, i) => {
      writeFileSync(join(dir, `in${i}.npy`), writeNpy(must(inputs.get(n))));
      return `${n}=in${i}.npy`;
    });
    // What begins as an option is told by its word in C.
    const safe = args.map(a => (a.startsWith('--') ? a.replace(/^-+/, '') : a));
    expect(run(program, [...safe.reverse(), '--out', out], dir)).not.toMatch(/[^\P{Cc}\n]/u);
    expect(outputs(out)).toEqual(wanted);
  };
  it.each(['c-portable', system])('%s by make, without a warning', async target => {
    const dir = await written(target);
    const { native } = JSON.parse(readFileSync(join(dir, 'manifest.json'), 'utf8')) as { native: { flags: string[] } };
    const strict = [...native.flags, ...WARNINGS, '-O1'].join(' ');
    for (const std of target === 'c-portable' ? ['', ' -trigraphs -std=c11'] : ['']) {
      run(
        'make',
        ['-B', ...(target === 'c-portable' ? ['model'] : ['model', 'libmodel.so', 'node']), `CFLAGS=${strict}${std}`],
        dir,
      );
    }
    runMain('./model', dir);
    if (has('c++')) run('c++', ['-fsyntax-only', '-Wall', '-Wextra', '-x', 'c++', 'model.h'], dir);
    nothingRan();
  });
  needs('cmake').it('by CMake', async () => {
    const dir = await written('c-portable');
    run('cmake', ['-S', '.', '-B', 'build'], dir);
    run('cmake', ['--build', 'build'], dir);
    const program = must(readdirSync(join(dir, 'build')).find(f => f.endsWith('_main')));
    runMain(`build/${program}`, dir);
    nothingRan();
  });
  needs(modules('numpy')).it('from Python, and as its package', async () => {
    const dir = await written(system);
    run('make', ['libmodel.so'], dir);
    writeFileSync(join(dir, 'names.json'), JSON.stringify(NAMES));
    NAMES.forEach((n, i) => writeFileSync(join(dir, `in${i}.npy`), writeNpy(must(inputs.get(n)))));
    const script = `import json, numpy as np, model
out = model.run(**{n: np.load("in%d.npy" % i) for i, n in enumerate(json.load(open("names.json")))})
print(json.dumps([[k, a.ravel().tolist()] for k, a in out.items()]))`;
    expect(JSON.parse(run('python3', ['-B', '-c', script], dir))).toEqual(wanted);
    const wheel = `import build_wheel, zipfile
from email.parser import BytesParser
z = zipfile.ZipFile(build_wheel.build_wheel("."))
m = BytesParser().parsebytes(z.read([n for n in z.namelist() if n.endswith("METADATA")][0]))
print(sorted(m.keys()))
try:
    import tomllib
    print(sorted(tomllib.load(open("pyproject.toml", "rb"))["project"]))
except ImportError:
    pass`;
    const [keys] = run('python3', ['-B', '-c', wheel], dir).split('\n');
    expect(keys).toBe("['Metadata-Version', 'Name', 'Requires-Dist', 'Requires-Python', 'Summary', 'Version']");
    nothingRan();
  });
});
