/**
 * Quantized bundles beside the float one: `npm run bench -- plans MODEL --data FILE [--dim NAME=SIZE]… [--target NAME] [--seconds S] PLAN…`.
 * Bytes of all files and of these compressed, the time to load, and that of a call on the first sample of the data, in turns in one process;
 * how many times faster than floats is the median over the rounds.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { importFor } from '../../compiler/compile.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { showBytes, table } from '../../compiler/core/format.ts';
import type { Tensor } from '../../compiler/core/tensor.ts';
import type { DimOption } from '../../compiler/options.ts';
import { parseDimOption } from '../../compiler/ranges.ts';
import { openCalibration } from '../../compiler/run/calibration.ts';
import { factors, inTurns, opened, type Opened } from './bundles.ts';

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

const all: Opened[] = [];
for (const plan of [undefined, ...plans])
  all.push(
    await opened({
      model,
      dims,
      target: values.target,
      ...(plan !== undefined && { quantization: readFileSync(plan, 'utf8'), quantizationFile: plan }),
    }),
  );
const times = inTurns(all, must(sample), Number(values.seconds));
const float = must(all[0]);
const faster = factors(times);
console.log(
  table(
    [
      ['', 'bytes', 'of float', 'gzip', 'of float', 'load, ms', 'call, ms', 'times faster'],
      ...all.map((m, i) => [
        i === 0 ? 'float' : basename(must(plans[i - 1]), '.json'),
        showBytes(m.bytes),
        (m.bytes / float.bytes).toFixed(3),
        showBytes(m.gzip),
        (m.gzip / float.gzip).toFixed(3),
        m.load.toFixed(0),
        Math.min(...must(times[i])).toFixed(2),
        must(faster[i]).toFixed(2),
      ]),
    ],
    [1, 2, 3, 4, 5, 6, 7],
  ),
);
