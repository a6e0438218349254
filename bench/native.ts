/**
 * Native bundles against onnxruntime-node, one thread: `npm run bench -- native [--target linux-x64-v3] [--filter TEXT] [--rounds N]
 * [--threads N]`. Ours runs in the program that the bundle's own Makefile builds, the peer in this process, in turns; the figures are each
 * side's best call, in time of the processor, so that other programs that run do not count. Several threads are timed by the clock.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import * as ort from 'onnxruntime-node';
import { writeNpy } from '../compiler/data/npy.ts';
import { DTYPES } from '../compiler/core/dtype.ts';
import { must } from '../compiler/core/diagnostic.ts';
import { typed } from '../compiler/core/tensor.ts';
import { compile } from '../compiler/index.ts';
import { dimOptions } from '../fixtures/dims.ts';
import { makeInputs } from '../fixtures/inputs.ts';
import { locate, REAL_MODELS } from '../fixtures/models.ts';
import { geomean } from './engine/statistics.ts';

const { values: args } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: {
    target: { type: 'string', default: 'linux-x64-v3' },
    filter: { type: 'string', default: '' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '1' },
  },
});
const work = mkdtempSync(join(tmpdir(), 'sinter-bench-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));
const threads = Number(args.threads);
/** Calls of a round: about this many milliseconds. */
const ROUND = 300;

const median = (xs: readonly number[]): number => [...xs].sort((a, b) => a - b)[xs.length >> 1] ?? NaN;
const ratios: number[] = [];
console.log(
  `# ${args.target}, ${threads === 1 ? 'one thread' : `${threads} threads`}, best call in milliseconds; the ratio is the median of ${args.rounds} rounds`,
);
console.log(
  `${'model'.padEnd(20)} ${'shape'.padEnd(18)} ${'sinter'.padStart(9)} ${'onnxruntime-node'.padStart(17)} ${'ratio'.padStart(6)}`,
);
for (const model of REAL_MODELS.filter(m => m.name.includes(args.filter))) {
  const path = locate(model.name);
  if (path === undefined) {
    console.log(`${model.name.padEnd(20)} not here: npm run fixtures`);
    continue;
  }
  const bytes = readFileSync(path);
  const { files } = await compile({
    model: bytes,
    file: basename(path),
    target: args.target,
    threads,
    dims: dimOptions(model, bytes),
  });
  const dir = mkdtempSync(join(work, 'bundle-'));
  for (const [name, data] of files) writeFileSync(join(dir, name), data);
  const built = spawnSync('make', ['model'], { cwd: dir, encoding: 'utf8' });
  if (built.status !== 0) throw new Error(built.stderr);
  const session = await ort.InferenceSession.create(path, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  for (const shapes of model.runs) {
    const inputs = makeInputs(model, shapes);
    [...inputs.values()].forEach((t, i) => {
      writeFileSync(join(dir, `in${i}.npy`), writeNpy(t));
    });
    const given = [...inputs.keys()].map((n, i) => `${n}=in${i}.npy`);
    const feed = Object.fromEntries(
      [...inputs].map(([k, t]) => [k, new ort.Tensor(DTYPES[t.dtype].ort as 'float32', typed(t) as Float32Array, t.dims)]),
    );
    const peer = async (ms: number): Promise<number> => {
      let best = Infinity;
      for (const end = performance.now() + ms; performance.now() < end;) {
        const [t, clock] = [process.cpuUsage(), performance.now()];
        await session.run(feed);
        const { user, system } = process.cpuUsage(t);
        best = Math.min(best, threads > 1 ? performance.now() - clock : (user + system) / 1000);
      }
      return best;
    };
    const warm = await peer(ROUND);
    const repeat = Math.max(3, Math.round(ROUND / warm));
    const ours = (): number => {
      const r = spawnSync('./model', [...given, '--repeat', String(repeat)], { cwd: dir, encoding: 'utf8' });
      if (r.status !== 0) throw new Error(r.stderr);
      return Number(must(/([\d.]+) ms\s*$/.exec(r.stdout)?.[1]));
    };
    const rounds: (readonly [number, number])[] = [];
    for (let i = 0; i < Number(args.rounds); i++) rounds.push([ours(), await peer(ROUND)] as const);
    const ratio = median(rounds.map(([a, b]) => b / a));
    ratios.push(ratio);
    const [a, b] = [0, 1].map(k => Math.min(...rounds.map(r => r[k] ?? NaN)));
    const shape = shapes.map(s => s.join('x')).find(s => s.length > 0) ?? '';
    console.log(
      `${model.name.padEnd(20)} ${shape.padEnd(18)} ${a?.toFixed(3).padStart(9)} ${b?.toFixed(3).padStart(17)} ${ratio.toFixed(2).padStart(6)}`,
    );
  }
  await session.release();
}
if (ratios.length > 0) console.log(`geometric mean ${geomean(ratios).toFixed(2)}, slowest ${Math.min(...ratios).toFixed(2)}`);
