/**
 * The first answer of a fresh process: `npm run bench -- first [--target linux-x64-v3]`. A child process loads a small model and runs it
 * once; the time is from the first line of its program, after Node's own start. The bundle for WebAssembly, the native one through Node-API,
 * onnxruntime-web and onnxruntime-node each do so in processes of their own, in turns.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { compile } from '../compiler/index.ts';
import { dimOptions } from '../fixtures/dims.ts';
import { locate, REAL_MODELS } from '../fixtures/models.ts';
import { projectDir } from '../fixtures/paths.ts';

const ROUNDS = 15;
const MODELS = ['wakeword-alexa', 'silero-vad', 'ppocr-cls'];
const { values: args } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: { target: { type: 'string', default: 'linux-x64-v3' } },
});
const work = mkdtempSync(join(tmpdir(), 'sinter-first-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));

const inputsOf = (
  shapes: readonly (readonly number[])[],
  names: readonly string[],
  types: readonly string[],
  tensor: (type: string, data: string, dims: string) => string,
): string =>
  names
    .map((name, i) => {
      const dims = shapes[i] ?? [];
      const n = dims.reduce((a, b) => a * b, 1);
      const data = types[i] === 'i64' ? `BigInt64Array.of(16000n)` : `new Float32Array(${n})`;
      return `${JSON.stringify(name)}: ${tensor(types[i] === 'i64' ? 'int64' : 'float32', data, JSON.stringify(dims))}`;
    })
    .join(', ');
const median = (xs: readonly number[]): number => [...xs].sort((a, b) => a - b)[xs.length >> 1] ?? NaN;

/** A file with a program that tells how long it took. */
function program(dir: string, text: string): string {
  const file = join(dir, 'first.mjs');
  writeFileSync(file, `const start = performance.now();\n${text}\nconsole.log(performance.now() - start);\n`);
  return file;
}
const WIDTHS = [18, 10, 14, 16, 17];
const row = (name: string, cells: readonly string[]): string =>
  [name, ...cells].map((c, i) => (i === 0 ? c.padEnd(WIDTHS[i] ?? 0) : c.padStart(WIDTHS[i] ?? 0))).join(' ');

console.log(
  `# Node ${process.version}; milliseconds from the first line of a fresh process to the first answer, median of ${ROUNDS}`,
);
console.log(row('model', ['wasm-simd', args.target, 'onnxruntime-web', 'onnxruntime-node']));
for (const name of MODELS) {
  const model = REAL_MODELS.find(m => m.name === name);
  const path = locate(name);
  if (!model || path === undefined) continue;
  const bytes = readFileSync(path);
  const dims = dimOptions(model, bytes);
  const shapes = model.runs[0] ?? [];
  const names = model.inputs.map(i => i.name);
  const types = model.inputs.map(i => i.dtype);
  /** A bundle, and its program. */
  const ours = async (target: string): Promise<string> => {
    const dir = mkdtempSync(join(work, 'bundle-'));
    const { files } = await compile({ model: bytes, file: basename(path), target, dims });
    for (const [file, data] of files) writeFileSync(join(dir, file), data);
    if (files.has('Makefile')) execFileSync('make', ['node'], { cwd: dir, stdio: ['ignore', 'ignore', 'inherit'] });
    return program(
      dir,
      `const { load } = await import('./index.js');
const model = await load();
model.run({ ${inputsOf(shapes, names, types, (_, data, dims) => `{ data: ${data}, dims: ${dims} }`)} });`,
    );
  };
  const peer = (module: string, create: string): string =>
    program(
      mkdtempSync(join(work, 'peer-')),
      `const { readFileSync } = await import('node:fs');
const ort = (await import(${JSON.stringify(pathToFileURL(join(projectDir, 'node_modules', module)).href)}));
${create}
await session.run({ ${inputsOf(shapes, names, types, (type, data, dims) => `new ort.Tensor('${type}', ${data}, ${dims})`)} });`,
    );
  const programs = [
    await ours('wasm-simd'),
    await ours(args.target),
    peer(
      'onnxruntime-web/dist/ort.node.min.mjs',
      `ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(readFileSync(${JSON.stringify(path)}), { executionProviders: ['wasm'], logSeverityLevel: 3 });`,
    ),
    peer(
      'onnxruntime-node/dist/index.js',
      `const session = await ort.InferenceSession.create(${JSON.stringify(path)}, { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 });`,
    ),
  ];
  const times = programs.map((): number[] => []);
  for (let i = 0; i < ROUNDS; i++)
    programs.forEach((file, j) => {
      const env = { ...process.env, ORT_DISABLE_TELEMETRY: '1' };
      const text = execFileSync(process.execPath, [file], { encoding: 'utf8', env });
      times[j]?.push(Number(text.trim().split('\n').at(-1)));
    });
  console.log(
    row(
      name,
      times.map((t, j) => median(t).toFixed(j < 2 ? 2 : 0)),
    ),
  );
}
