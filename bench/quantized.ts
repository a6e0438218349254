/**
 * Quantized bundles beside the float one: `npm run bench -- quantized MODEL --data FILE [--dim NAME=SIZE]… [--target NAME] [--seconds S] PLAN…`.
 * Bytes of all files and of these compressed, the time to load, and that of a call on the first sample of the data, in turns in one process;
 * how many times faster than floats is the median over the rounds.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { importFor } from '../compiler/compile.ts';
import { must } from '../compiler/core/diagnostic.ts';
import { showBytes, table } from '../compiler/core/format.ts';
import type { Tensor } from '../compiler/core/tensor.ts';
import { compile } from '../compiler/host/compile.ts';
import type { DimOption } from '../compiler/options.ts';
import { parseDimOption } from '../compiler/ranges.ts';
import { openBundle } from '../compiler/run/bundle.ts';
import { openCalibration } from '../compiler/run/calibration.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string', default: 'random' },
    dim: { type: 'string', multiple: true, default: [] },
    target: { type: 'string', default: 'wasm-simd' },
    seconds: { type: 'string', default: '10' },
  },
});
const [model = '', ...plans] = positionals;
const dims: Record<string, DimOption> = {};
for (const d of values.dim) {
  const [name = '', size = ''] = d.split('=');
  dims[name] = must(parseDimOption(size), `the size of --dim ${d}`);
}
const { graph } = importFor({ model: readFileSync(model), dims });
let sample: ReadonlyMap<string, Tensor> | undefined;
for await (const s of openCalibration({ data: values.data, samples: 1 }, graph).read()) sample ??= s;
const inputs = must(sample);

interface Made {
  readonly name: string;
  readonly bytes: number;
  readonly gzip: number;
  readonly load: number;
  run(): void;
  readonly times: number[];
}
async function made(plan: string | undefined): Promise<Made> {
  const { files } = await compile({
    model,
    dims,
    target: values.target,
    ...(plan !== undefined && { quantization: readFileSync(plan, 'utf8'), quantizationFile: plan }),
  });
  const dir = mkdtempSync(join(tmpdir(), 'sinter-quantized-'));
  try {
    let [bytes, gzip] = [0, 0];
    for (const [name, data] of files) {
      writeFileSync(join(dir, name), data);
      // The plan is for people, and nothing loads it.
      if (name === 'quantization.json') continue;
      bytes += data.length;
      gzip += gzipSync(data, { level: 9 }).length;
    }
    const start = performance.now();
    const bundle = await openBundle(dir);
    const load = performance.now() - start;
    return {
      name: plan === undefined ? 'float' : basename(plan, '.json'),
      bytes,
      gzip,
      load,
      run: () => void bundle.run(inputs),
      times: [],
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
const all: Made[] = [];
for (const plan of [undefined, ...plans]) all.push(await made(plan));
for (const m of all) m.run();
for (const end = performance.now() + 1000 * Number(values.seconds); performance.now() < end;)
  for (const m of all) {
    const start = performance.now();
    m.run();
    m.times.push(performance.now() - start);
  }
const median = (v: readonly number[]): number => [...v].sort((a, b) => a - b)[v.length >> 1] ?? NaN;
const float = must(all[0]);
console.log(
  table(
    [
      ['', 'bytes', 'of float', 'gzip', 'of float', 'load, ms', 'call, ms', 'times faster'],
      ...all.map(m => [
        m.name,
        showBytes(m.bytes),
        (m.bytes / float.bytes).toFixed(3),
        showBytes(m.gzip),
        (m.gzip / float.gzip).toFixed(3),
        m.load.toFixed(0),
        Math.min(...m.times).toFixed(2),
        median(m.times.map((t, i) => must(float.times[i]) / t)).toFixed(2),
      ]),
    ],
    [1, 2, 3, 4, 5, 6, 7],
  ),
);
