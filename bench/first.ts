/**
 * The first answer of a fresh process: `npm run bench -- first [--target linux-x64-v3]`. A child process loads a small model and runs it
 * once; the time is from the first line of its program, after Node's own start. The bundle for WebAssembly, the native one through Node-API,
 * onnxruntime-web and onnxruntime-node each do so in processes of their own, in turns, and so does a module that is empty: that much is Node's.
 * Then what a call costs: a network so tiny that it is hardly more than the call.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { compile, type CompileOptions } from '../compiler/index.ts';
import { dimOptions } from '../fixtures/dims.ts';
import { locate, REAL_MODELS } from '../fixtures/models.ts';
import { projectDir } from '../fixtures/paths.ts';
import { model, node, sub, tensor, value, type Part } from '../test/onnx-writer.ts';

const ROUNDS = 31;
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

/** A file with a program that tells how long it took, and with `--steady` what a call takes after many: the best batch, in microseconds. */
function program(dir: string, setup: string, call: string): string {
  const file = join(dir, 'first.mjs');
  const steady = `let best = Infinity;
  for (let k = 0; k < 40; k++) {
    const from = performance.now();
    for (let i = 0; i < 5000; i++) ${call};
    best = Math.min(best, (performance.now() - from) / 5);
  }
  console.log(best);`;
  writeFileSync(
    file,
    `const start = performance.now();\n${setup}\n${call};
if (!process.argv.includes('--steady')) console.log(performance.now() - start);\nelse {\n  ${steady}\n}\n`,
  );
  return file;
}
/** A bundle that does nothing. */
function empty(): string {
  const dir = mkdtempSync(join(work, 'empty-'));
  writeFileSync(join(dir, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(dir, 'index.js'), 'export const load = async () => ({ run() {} });');
  return program(dir, `const { load } = await import('./index.js');\nconst model = await load();`, 'model.run()');
}
/** A network of two layers, 8 to 16 to 4. */
function tiny(): Uint8Array {
  const weights = (name: string, dims: readonly number[]): Part => {
    const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.fround(Math.sin(i)));
    return sub(5, tensor({ name, dims, type: 1, raw: new Uint8Array(data.buffer) }));
  };
  return model([
    node('Gemm', ['x', 'a', 'b'], ['h']),
    node('Relu', ['h'], ['r']),
    node('Gemm', ['r', 'c', 'd'], ['y']),
    ...[weights('a', [8, 16]), weights('b', [16]), weights('c', [16, 4]), weights('d', [4])],
    value(11, 'x', 1, [1, 8]),
    value(12, 'y', 1, [1, 4]),
  ]);
}
const WIDTHS = [18, 13, 10, 14, 16, 17];
const row = (name: string, cells: readonly string[]): string =>
  [name, ...cells].map((c, i) => (i === 0 ? c.padEnd(WIDTHS[i] ?? 0) : c.padStart(WIDTHS[i] ?? 0))).join(' ');

interface Timed {
  readonly path: string;
  readonly dims: NonNullable<CompileOptions['dims']>;
  readonly inputs: readonly { readonly name: string; readonly dtype: string }[];
  readonly shapes: readonly (readonly number[])[];
}
/** The programs for a model: an empty one, ours in WebAssembly and native, and the peers. */
async function programsFor({ path, dims, inputs, shapes }: Timed): Promise<string[]> {
  const names = inputs.map(i => i.name);
  const types = inputs.map(i => i.dtype);
  const ours = async (target: string): Promise<string> => {
    const dir = mkdtempSync(join(work, 'bundle-'));
    const { files } = await compile({ model: readFileSync(path), file: basename(path), target, dims });
    for (const [file, data] of files) writeFileSync(join(dir, file), data);
    if (files.has('Makefile')) execFileSync('make', ['node'], { cwd: dir, stdio: ['ignore', 'ignore', 'inherit'] });
    const given = inputsOf(shapes, names, types, (_, data, d) => `{ data: ${data}, dims: ${d} }`);
    return program(
      dir,
      `const { load } = await import('./index.js');\nconst model = await load();\nconst inputs = { ${given} };`,
      'model.run(inputs)',
    );
  };
  const peer = (module: string, create: string): string => {
    const given = inputsOf(shapes, names, types, (type, data, d) => `new ort.Tensor('${type}', ${data}, ${d})`);
    return program(
      mkdtempSync(join(work, 'peer-')),
      `const { readFileSync } = await import('node:fs');
const ort = await import(${JSON.stringify(pathToFileURL(join(projectDir, 'node_modules', module)).href)});
${create}
const inputs = { ${given} };`,
      'await session.run(inputs)',
    );
  };
  const file = JSON.stringify(path);
  return [
    empty(),
    await ours('wasm-simd'),
    await ours(args.target),
    peer(
      'onnxruntime-web/dist/ort.node.min.mjs',
      `ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(readFileSync(${file}), { executionProviders: ['wasm'], logSeverityLevel: 3 });`,
    ),
    peer(
      'onnxruntime-node/dist/index.js',
      `const session = await ort.InferenceSession.create(${file}, { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 });`,
    ),
  ];
}
/** The median of what each program says, run in turns. */
function inTurns(programs: readonly string[], rounds: number, flags: readonly string[]): number[] {
  const said = programs.map((): number[] => []);
  const env = { ...process.env, ORT_DISABLE_TELEMETRY: '1' };
  for (let i = 0; i < rounds; i++)
    programs.forEach((file, j) => {
      const text = execFileSync(process.execPath, [file, ...flags], { encoding: 'utf8', env });
      said[j]?.push(Number(text.trim().split('\n').at(-1)));
    });
  return said.map(median);
}
const digits = (x: number): string => x.toFixed(x < 100 ? 2 : 0);

const HEAD = row('', ['empty module', 'wasm-simd', args.target, 'onnxruntime-web', 'onnxruntime-node']);
console.log(
  `# Node ${process.version}; milliseconds from the first line of a fresh process to the first answer, median of ${ROUNDS}\n${HEAD}`,
);
for (const name of MODELS) {
  const m = REAL_MODELS.find(x => x.name === name);
  const path = locate(name);
  if (!m || path === undefined) continue;
  const dims = dimOptions(m, readFileSync(path));
  const programs = await programsFor({ path, dims, inputs: m.inputs, shapes: m.runs[0] ?? [] });
  console.log(row(name, inTurns(programs, ROUNDS, []).map(digits)));
}
const path = join(work, 'tiny.onnx');
writeFileSync(path, tiny());
const programs = await programsFor({ path, dims: {}, inputs: [{ name: 'x', dtype: 'f32' }], shapes: [[1, 8]] });
console.log(`# microseconds that a call takes, median of 5 processes\n${HEAD}`);
console.log(row('layers of 8, 16, 4', inTurns(programs, 5, ['--steady']).map(digits)));
