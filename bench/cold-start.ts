/**
 * Cold starts: `npm run bench -- cold-start [--target NAME]… [--cold-starts N]`. A fresh process loads a small model and answers once; the
 * time is from the first line of its program, after Node's own start. WebAssembly, native code through Node-API, onnxruntime-web and
 * onnxruntime-node each do so in processes of their own, in turns, and so does a module that is empty: that much is Node's. Then what a call
 * costs: a network so small that it is hardly more than the call.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { model, node, sub, tensor, value, type Part } from '../test/onnx-writer.ts';
import type { BenchCase, PeerName } from './index.ts';
import { casesFor, FLAGS, networks, run } from './script.ts';

const MODELS = ['wakeword-alexa', 'silero-vad', 'ppocr-cls'];
const AGAINST: readonly PeerName[] = ['onnxruntime-web', 'onnxruntime-node'];
const { values } = parseArgs({ options: FLAGS });
const targets = values.target ?? ['wasm-simd', 'linux-x64-v3'];
const small = networks().filter(m => MODELS.includes(m.name));
await run('cold-start', casesFor(small, targets, AGAINST), values, { coldStarts: 31, processes: 1, rounds: 3, seconds: 0 });

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
const work = mkdtempSync(join(tmpdir(), 'sinter-cold-start-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));
const path = join(work, 'tiny.onnx');
writeFileSync(path, tiny());
const calls = targets.map((target): BenchCase => ({
  name: 'layers of 8, 16 and 4',
  source: { k: 'model', path, options: { target } },
  against: AGAINST,
}));
await run('cold-start', calls, values, { coldStarts: 0, seconds: 5 });
