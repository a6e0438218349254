import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, must, CompileError } from '../core/diagnostic.ts';
import { dimHi } from '../core/dim.ts';
import { WASM } from '../backend/wasm/index.ts';
import { importWhole } from '../compile.ts';
import { randomTensor } from '../data/random.ts';
import type { Graph } from '../graph/graph.ts';
import { readSource, type NodeCompileOptions } from '../host/compile.ts';
import { newFile, readText, temporaryFolder } from '../host/files.ts';
import { NATIVE, nativeTarget } from '../host/native-target.ts';
import type { LowerSettings } from '../ops/lowering.ts';
import type { Tuned } from '../ops/tuning.ts';
import type { Tuning } from '../options.ts';
import { algorithm } from '../passes/algorithm.ts';
import { openGraph } from '../run/graph.ts';
import type { Profile } from '../target/profile.ts';
import { resolveTarget, type Target } from '../target/resolve.ts';
import { NOTHING, pickSteps, readCache, stepsOf, withSteps, writeCache, type Steps, type TuneCache } from './cache.ts';
import { machineOf } from './machine.ts';
import { searchSteps, type Clock, type OpenStep } from './search.ts';

/** The file that is written where none is named. */
export const CACHE_FILE = 'sinter-tune.json';
/** Measurements begin for at most so many seconds, where nothing else is said. */
export const SECONDS = 60;
export interface TuneOptions extends NodeCompileOptions {
  /** The file that keeps what is found, and has what was found before; default: sinter-tune.json in the current folder. */
  readonly cache?: string;
  /** How long candidates may be measured on this machine, for steps that the file does not know; 0: the file is only read. Default: 60. */
  readonly seconds?: number;
  /** A part of the name of the processor whose findings are taken from the file; default: this machine's. Nothing is measured. */
  readonly tunedOn?: string;
  /** Is told of each step that is begun. */
  readonly onStep?: (step: string, index: number, of: number) => void;
}
/** What measures: tests have one of their own. */
export interface Meter {
  readonly clock: Clock;
  readonly open: (profile: Profile, settings: LowerSettings) => OpenStep;
}
const HERE: Meter = { clock: () => performance.now(), open: openHere };

/**
 * Finds out how the heaviest steps of a model are computed best on this machine, for `CompileOptions.tuning`, and keeps it in a file:
 * with the same file the same bundles are made, wherever that is. Errors: those of compiling; E209 where the file is damaged, of another
 * version, or, if nothing is to be measured, without findings of the machine; E403 where code of the target does not run here.
 */
export async function tune(
  { model, cache: file = CACHE_FILE, seconds = SECONDS, tunedOn, onStep, ...options }: TuneOptions,
  meter: Meter = HERE,
): Promise<Tuning> {
  const target = resolveTarget(options.target === NATIVE ? nativeTarget() : (options.target ?? 'wasm-simd'), options.backEnds);
  const measures = seconds > 0 && tunedOn === undefined;
  let cache: TuneCache = measures && !existsSync(file) ? NOTHING : readCache(readText(file), file);
  if (!measures) {
    const steps = target.profiles.map((p): [string, Steps] => [p.name, pickSteps(cache, p.name, machineOf(p), tunedOn, file)]);
    return { file, steps: Object.fromEntries(steps) };
  }
  const out = newFile(file);
  const { graph } = await importWhole({ ...readSource(model, options.importers), ...options });
  const settings: LowerSettings = { ...(options.optimize && { optimize: options.optimize }) };
  const end = meter.clock() + 1000 * seconds;
  const found: Record<string, Steps> = {};
  for (const [i, profile] of target.profiles.entries()) {
    const here = machineOf(profile);
    const known = stepsOf(cache, here, profile.name) ?? {};
    const more = await searchSteps({
      graph,
      profile,
      settings,
      known,
      shared: target.profiles.length > 1,
      // What is left is shared by the profiles to come.
      ms: (end - meter.clock()) / (target.profiles.length - i),
      clock: meter.clock,
      open: meter.open(profile, settings),
      ...(onStep && { onStep }),
    });
    cache = withSteps(cache, here, profile.name, more);
    found[profile.name] = must(stepsOf(cache, here, profile.name));
    out.commit(writeCache(cache));
  }
  return { file, steps: found };
}

/** Opens steps on this machine. E403 where code for the profile does not run here. */
function openHere(profile: Profile, settings: LowerSettings): OpenStep {
  const target: Target = { name: profile.name, doc: profile.doc, profiles: [profile], backEnd: profile.backEnd };
  if (profile.backEnd.name !== WASM.name && !runsHere(profile)) foreign(profile.name, 'this processor has not all that it needs');
  return async (step: Graph, tuned: Tuned) => {
    try {
      const run = await openGraph(step, target, g => algorithm.run(g, { profile, tuned }), { ...settings, tuned });
      const inputs = new Map(
        step.inputs.map((v, i) => [`x${i}`, randomTensor(v.type.dtype, v.type.shape.map(dimHi), i + 1)] as const),
      );
      return () => void run(inputs);
    } catch (e) {
      if (e instanceof CompileError && e.code === 'E207') return foreign(profile.name, must(e.holes['why']));
      throw e;
    }
  };
}
const foreign = (profile: string, why: string): never =>
  fail('E403', { option: 'tune', why: `code for ${profile} cannot be measured here: ${why}` });
/** Whether this processor has what a profile of C asks for: a program asks it. */
function runsHere({ toolchain: { cc, cpu } }: Profile): boolean {
  if (cpu.length === 0) return true;
  const dir = temporaryFolder();
  const asks = cpu.map(f => `__builtin_cpu_supports(${JSON.stringify(f)})`).join(' && ');
  writeFileSync(join(dir, 'ask.c'), `int main(void) { __builtin_cpu_init(); return ${asks} ? 0 : 1; }\n`);
  const program = join(dir, 'ask');
  return (
    spawnSync(cc, ['-o', program, join(dir, 'ask.c')], { stdio: 'ignore' }).status === 0 &&
    spawnSync(program, [], { stdio: 'ignore' }).status === 0
  );
}
