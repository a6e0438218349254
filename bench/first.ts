/**
 * The first answer of a fresh process: `npm run bench -- first`. A child process loads a small model and runs it once; the time is from
 * the first line of its program, after Node's own start. onnxruntime-web does the same in a process of its own, in turns.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compile } from '../compiler/index.ts';
import { dimOptions } from '../fixtures/dims.ts';
import { locate, REAL_MODELS } from '../fixtures/models.ts';
import { projectDir } from '../fixtures/paths.ts';

const ROUNDS = 15;
const MODELS = ['wakeword-alexa', 'silero-vad', 'ppocr-cls'];
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

console.log(
  `# Node ${process.version}; milliseconds from the first line of a fresh process to the first answer, median of ${ROUNDS}`,
);
console.log(`${'model'.padEnd(18)} ${'sinter'.padStart(8)} ${'onnxruntime-web'.padStart(16)}`);
for (const name of MODELS) {
  const model = REAL_MODELS.find(m => m.name === name);
  const path = locate(name);
  if (!model || path === undefined) continue;
  const bytes = readFileSync(path);
  const { files } = await compile({ model: bytes, file: basename(path), dims: dimOptions(model, bytes) });
  const dir = mkdtempSync(join(work, 'bundle-'));
  for (const [file, data] of files) writeFileSync(join(dir, file), data);
  const shapes = model.runs[0] ?? [];
  const names = model.inputs.map(i => i.name);
  const types = model.inputs.map(i => i.dtype);
  const ours = join(dir, 'first.mjs');
  writeFileSync(
    ours,
    `const start = performance.now();
const { load } = await import('./index.js');
const model = await load();
model.run({ ${inputsOf(shapes, names, types, (_, data, dims) => `{ data: ${data}, dims: ${dims} }`)} });
console.log(performance.now() - start);`,
  );
  const peer = join(dir, 'peer.mjs');
  const ort = pathToFileURL(join(projectDir, 'node_modules/onnxruntime-web/dist/ort.node.min.mjs')).href;
  writeFileSync(
    peer,
    `const start = performance.now();
const { readFileSync } = await import('node:fs');
const ort = await import(${JSON.stringify(ort)});
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(readFileSync(${JSON.stringify(path)}), { executionProviders: ['wasm'], logSeverityLevel: 3 });
await session.run({ ${inputsOf(shapes, names, types, (type, data, dims) => `new ort.Tensor('${type}', ${data}, ${dims})`)} });
console.log(performance.now() - start);`,
  );
  const times = { ours: [] as number[], peer: [] as number[] };
  const once = (file: string): number =>
    Number(execFileSync(process.execPath, [file], { encoding: 'utf8' }).trim().split('\n').at(-1));
  for (let i = 0; i < ROUNDS; i++) {
    times.ours.push(once(ours));
    times.peer.push(once(peer));
  }
  console.log(`${name.padEnd(18)} ${median(times.ours).toFixed(2).padStart(8)} ${median(times.peer).toFixed(0).padStart(16)}`);
}
