import { bindSymbols } from '../../compiler/program/bind.ts';
import { fail, must } from '../../compiler/core/diagnostic.ts';
import { C } from '../../compiler/backend/c/index.ts';
import { WASM } from '../../compiler/backend/wasm/index.ts';
import { flushesDenormals } from '../../compiler/compile.ts';
import type { EmitInput } from '../../compiler/backend/backend.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import type { LowerSettings } from '../../compiler/ops/lowering.ts';
import type { Profile as Target } from '../../compiler/target/profile.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { runKernelPasses } from '../../compiler/program/passes/index.ts';
import { planMemory } from '../../compiler/program/plan.ts';
import type { MemoryPlan, Program } from '../../compiler/program/program.ts';
import { ticksOf, timedSteps, type TimedStep } from '../../compiler/program/instrumentation.ts';
import { workOf } from './cost.ts';
import type { Feed } from '../../compiler/run/feeds.ts';
import { instrumentC } from './instrument-c.ts';
import { copyTurn, peakProgram } from './peak.ts';
import type { OperatorTimes, OperatorTime } from '../engine/result.ts';
import { median } from '../engine/statistics.ts';
import { takeTurns, timed, type Turn, type TurnOptions } from '../engine/turns.ts';

/** Code that tells its clock after each step. */
export interface Instrumented {
  /** Loads inputs. */
  load(feed: Feed): Promise<void>;
  /** One run: milliseconds by step, and how often each ran. */
  run(): Promise<{ readonly ms: readonly number[]; readonly times: readonly number[] }>;
  close(): void;
}
export interface ToInstrument extends EmitInput {
  readonly steps: readonly TimedStep[];
}
/** A model made ready to be profiled on several inputs. */
interface OperatorTimer {
  /** `whole`: a run of the bundle as it is. */
  time(label: string, feed: Feed, whole: Turn): Promise<OperatorTimes>;
  close(): void;
}
/** Single runs, as a clock between steps is of no use in many at once. `how` says how many and how long. */
export async function openOperatorTimer(
  imported: Graph,
  target: Target,
  settings: LowerSettings,
  how: Omit<TurnOptions, 'sampleMs' | 'onRound'>,
): Promise<OperatorTimer> {
  const options = { ...how, sampleMs: 0 };
  const graph = runPasses(imported, target);
  const lowered = lowerGraph(graph, target, settings);
  const plan = planMemory(lowered, target);
  const program = runKernelPasses(lowered, target);
  const steps = timedSteps(program);
  const prepare = (p: Program, plan: MemoryPlan, steps: readonly TimedStep[], flushDenormals: boolean): Promise<Instrumented> => {
    const common = { profile: target, file: p.name, embedBelow: Infinity, instrumentation: ticksOf(steps) };
    return instrument({ ...common, program: p, plan, steps, flushDenormals });
  };
  const code = await prepare(program, plan, steps, flushesDenormals(graph));
  const top = peakProgram(target);
  const peakCode = runKernelPasses(top.program, target);
  const peak = await prepare(peakCode, planMemory(top.program, target), timedSteps(peakCode), false);
  await peak.load(new Map());
  const copy = copyTurn(plan.weightsBytes + plan.arenaBytes);
  return {
    time: async (label, feed, whole) => {
      await code.load(feed);
      const env = bindSymbols(program, name => feed.get(name));
      const samples: number[][] = steps.map(() => []);
      let times: readonly number[] = [];
      let kept = -1;
      const run = async (): Promise<void> => {
        const r = await code.run();
        ({ times } = r);
        // Runs before the rounds begin are warm-up.
        if (kept >= 0) r.ms.forEach((ms, i) => samples[i]?.push(ms));
      };
      const [all] = await takeTurns([whole, timed(run)], { ...options, onRound: r => (kept = r) });
      let arithmetic = Infinity;
      const limit = async (): Promise<void> => {
        arithmetic = Math.min(arithmetic, (await peak.run()).ms[0] ?? Infinity);
      };
      const [, copies] = await takeTurns([timed(limit), copy.turn], options);
      const gflops = top.flops / arithmetic / 1e6;
      const gbytes = copy.bytes / Math.min(...must(copies).ms) / 1e6;
      const wholeMs = median(must(all).ms);
      const ms = samples.map(median);
      const total = ms.reduce((a, b) => a + b, 0);
      const rows = workOf(graph, steps, env, times).map((w): OperatorTime => {
        const spent = w.steps.reduce((s, i) => s + (ms[i] ?? 0), 0);
        const [forFlops, forBytes] = [(w.flops ?? 0) / gflops / 1e6, w.bytes / gbytes / 1e6];
        const first = steps[w.steps[0] ?? 0];
        return {
          what: w.what,
          kernel: first?.k === 'call' ? first.kernel.name : 'loop',
          nodes: w.nodes,
          calls: w.steps.reduce((s, i) => s + (times[i] ?? 0), 0),
          ms: spent,
          share: spent / total,
          bytes: w.bytes,
          ...(w.flops !== undefined && { flops: w.flops, gflops: w.flops / spent / 1e6 }),
          gbytes: w.bytes / spent / 1e6,
          efficiency: Math.max(forFlops, forBytes) / spent,
          bound: forFlops > forBytes ? 'arithmetic' : 'memory',
        };
      });
      rows.sort((a, b) => b.ms - a.ms);
      return { label, peak: { gflops, gbytes }, steps: total, whole: wholeMs, rows: rows.filter(r => r.calls > 0) };
    },
    close: () => {
      code.close();
      peak.close();
    },
  };
}
/** How the code of each back end is run with a clock between its steps. */
const INSTRUMENTS: Readonly<Record<string, (x: ToInstrument) => Promise<Instrumented>>> = {
  [WASM.name]: instrumentWasm,
  [C.name]: instrumentC,
};
function instrument(x: ToInstrument): Promise<Instrumented> {
  const of = INSTRUMENTS[x.profile.emit];
  return of ? of(x) : fail('E205', { file: x.profile.name, why: `code for ${x.profile.emit} cannot be profiled` });
}
async function instrumentWasm({ steps, ...input }: ToInstrument): Promise<Instrumented> {
  const { program, plan } = input;
  const { bytes } = (await WASM.emit(input)).artifact;
  const ms = steps.map(() => 0);
  const times = steps.map(() => 0);
  let last = 0;
  const tick = (i: number): void => {
    ms[i] = (ms[i] ?? 0) + performance.now() - last;
    times[i] = (times[i] ?? 0) + 1;
    last = performance.now();
  };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes)), { sinter: { tick } });
  const { memory, prepare, run } = exports as unknown as {
    memory: WebAssembly.Memory;
    prepare?: () => void;
    run: (...sizes: number[]) => void;
  };
  prepare?.();
  const all = new Uint8Array(memory.buffer);
  let sizes: number[] = [];
  let feed: Feed = new Map();
  return {
    load: given => {
      const env = bindSymbols(program, name => given.get(name));
      sizes = program.symbols.flatMap(s => (s.from === 'input' ? [must(env.get(s.name))] : []));
      feed = given;
      return Promise.resolve();
    },
    run: () => {
      // A run may write over its inputs.
      for (const p of program.inputs) all.set(must(feed.get(p.name)).bytes, must(plan.offsets.get(p.slot)));
      ms.fill(0);
      times.fill(0);
      last = performance.now();
      run(...sizes);
      return Promise.resolve({ ms: [...ms], times: [...times] });
    },
    close: () => undefined,
  };
}
