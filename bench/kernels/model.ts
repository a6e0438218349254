/**
 * Where the time of a model goes: `node bench/kernels/model.ts MODEL.onnx [--target NAME] [--dim NAME=N]… [--top N]`. Each step of the
 * program is called and timed alone, in order, many times; the best times count.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { must, showLoc } from '../../compiler/core/diagnostic.ts';
import { evalDim } from '../../compiler/core/dim.ts';
import { DTYPES } from '../../compiler/core/dtype.ts';
import { emitKernels } from '../../compiler/emit/wasm.ts';
import { importOnnx } from '../../compiler/import/onnx/import.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { planMemory } from '../../compiler/program/plan.ts';
import type { Step } from '../../compiler/program/program.ts';
import { resolveTarget } from '../../compiler/targets.ts';
import { random } from './compile.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    target: { type: 'string', default: 'wasm-simd' },
    dim: { type: 'string', multiple: true, default: [] },
    top: { type: 'string', default: '40' },
    rounds: { type: 'string', default: '30' },
    order: { type: 'boolean', default: false },
    wat: { type: 'string' },
  },
});
const profile = must(resolveTarget(values.target).profiles[0]);
const dims = Object.fromEntries(
  values.dim.map(d => {
    const [name = '', text = ''] = d.split('=');
    const [lo, hi] = text.split('..').map(Number);
    return [name, hi === undefined ? (lo ?? 1) : { lo: lo ?? 1, hi }];
  }),
);
const path = must(positionals[0], 'a model');
const imported = importOnnx(new Uint8Array(readFileSync(path)), { file: path, dims });
const start = performance.now();
const graph = runPasses(imported.graph, profile);
const program = lowerGraph(graph, profile);
const plan = planMemory(program, profile);
const lowered = performance.now();
const pages = Math.ceil((plan.base + plan.weightsBytes + plan.arenaBytes) / 65536) + 1;
const { bytes, text } = await emitKernels(program.kernels, profile, pages);
console.log(
  `lowered in ${(lowered - start).toFixed(0)} ms, emitted in ${(performance.now() - lowered).toFixed(0)} ms: ${program.kernels.length} kernels of ${bytes.length} bytes, ${program.steps.length} steps, arena ${(plan.arenaBytes / 2 ** 20).toFixed(1)} MB`,
);
if (values.wat !== undefined) {
  const all = text();
  const at = all.indexOf(`(func $${values.wat} `);
  console.log(all.slice(at, all.indexOf('\n (func', at + 1)));
}
const instance = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes)));
const exports = instance.exports as unknown as Record<string, (...a: number[]) => void> & { memory: WebAssembly.Memory };
const all = new Uint8Array(exports.memory.buffer);
for (const s of program.slots) {
  const at = plan.offsets.get(s);
  if (s.where === 'weights' && at !== undefined) all.set(must(s.bytes), at);
}
const env = new Map(program.symbols.map(s => [s.name, s.hi]));
for (const p of program.inputs)
  all.set(random(p.type.shape.map(d => evalDim(d, env))).bytes.subarray(0), must(plan.offsets.get(p.slot)));

interface Call {
  readonly kernel: string;
  readonly at: string;
  readonly f: (...a: number[]) => void;
  readonly args: readonly number[];
  best: number;
}
/** The calls of some steps in order; loops are unrolled, of branches the first side counts. */
function callsOf(steps: readonly Step[]): Call[] {
  return steps.flatMap((s): Call[] => {
    switch (s.k) {
      case 'read':
      case 'check':
        return [];
      case 'branch':
        return callsOf(s.then);
      case 'loop': {
        const n = s.trip === undefined ? 1 : evalDim(s.trip, env);
        return Array.from({ length: n }, (_, i) => {
          env.set(s.symbol, i);
          return callsOf(s.body);
        }).flat();
      }
      case 'call':
        return [
          {
            kernel: s.kernel.name,
            at: showLoc(s.loc),
            f: must(exports[s.kernel.name]),
            args: s.args.map((a, i) => {
              if (a.k === 'int') return evalDim(a.dim, env);
              const p = s.kernel.params[i];
              const size = p?.k === 'buf' ? DTYPES[p.dtype].bytes : 4;
              return must(plan.offsets.get(a.slot)) + evalDim(a.offset, env) * size;
            }),
            best: Infinity,
          },
        ];
    }
  });
}
const calls = callsOf(program.steps);
let whole = Infinity;
for (let r = 0; r < Number(values.rounds); r++) {
  const t0 = performance.now();
  for (const c of calls) {
    const t = performance.now();
    c.f(...c.args);
    c.best = Math.min(c.best, performance.now() - t);
  }
  whole = Math.min(whole, performance.now() - t0);
}
const total = calls.reduce((s, c) => s + c.best, 0);
console.log(`sum of best ${total.toFixed(2)} ms, best run ${whole.toFixed(2)} ms`);
const merged = new Map<string, Call>();
for (const c of calls) {
  const had = merged.get(`${c.kernel} ${c.at}`);
  if (had) had.best += c.best;
  else merged.set(`${c.kernel} ${c.at}`, { ...c });
}
const sorted = values.order ? [...merged.values()] : [...merged.values()].sort((a, b) => b.best - a.best);
for (const c of sorted.slice(0, Number(values.top)))
  console.log(
    `${(c.best * 1000).toFixed(0).padStart(7)} us ${((100 * c.best) / total).toFixed(1).padStart(5)} %  ${c.kernel.padEnd(18)}  ${c.at.replaceAll(path, '').slice(0, 110)}`,
  );
