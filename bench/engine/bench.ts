import { rmSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { CompileError } from '../../compiler/core/diagnostic.ts';
import { VERSION } from '../../compiler/core/version.data.ts';
import { temporaryFolder } from '../../compiler/host/files.ts';
import { NATIVE, nativeTarget } from '../../compiler/host/native-target.ts';
import { resolveTarget, type Target } from '../../compiler/target/resolve.ts';
import { openBrowser, type BenchBrowser } from './browser.ts';
import type { BenchCase } from './case.ts';
import { measureCase } from './measure-case.ts';
import { RESULT_VERSION, type BenchResult, type CaseResult, type Machine, type Outcome } from './result.ts';

export interface BenchOptions {
  /** Rounds in each process; everybody has one turn a round. At least 3. */
  readonly rounds: number;
  /** In each process, no further round of a run begins after so many seconds, and warm-up takes no longer. */
  readonly seconds: number;
  /** Processes that a case is measured in, one after the other. */
  readonly processes: number;
  /** Threads of each, where it has them. */
  readonly threads: number;
  /** What random inputs are made from. */
  readonly seed: number;
  /** The command that is Python. */
  readonly python: string;
  /** Fresh processes of each runtime for the time of a cold start; 0: none. */
  readonly coldStarts: number;
  /** Whether to tell where our time goes, operator by operator. */
  readonly operators: boolean;
  /** Whether to measure in Chromium instead of Node. */
  readonly browser: boolean;
  /** The command line that repeats the benchmark, for the result. */
  readonly command: string;
}
export const DEFAULTS: BenchOptions = {
  rounds: 25,
  seconds: 20,
  processes: 3,
  threads: 1,
  seed: 1,
  python: 'python3',
  coldStarts: 5,
  operators: false,
  browser: false,
  command: '',
};

/** What is told while a benchmark runs. */
export type BenchProgress =
  /** What is done now, in a few words. `target` is empty for bundles. */
  | { readonly k: 'doing'; readonly name: string; readonly target: string; readonly what: string }
  | { readonly k: 'done'; readonly result: CaseResult };

/**
 * Measures cases one after the other, each against its peers in turns, on the same inputs. Options that are left out are those of
 * `DEFAULTS`. A model is compiled in one process and measured in others, so that whatever ends its process is one line of the result (an
 * outcome or a runtime with `k: 'failed'`) and the rest goes on. Times are milliseconds, sizes bytes. Throws E601 where `browser` is asked
 * for and Chromium or playwright-core is missing, E401 for a target that there is not, and E403 for sizes that an input does not take.
 */
export async function bench(
  cases: readonly BenchCase[],
  options: Partial<BenchOptions> = {},
  onProgress: (p: BenchProgress) => void = () => undefined,
): Promise<BenchResult> {
  const o: BenchOptions = { ...DEFAULTS, ...options };
  const targets = cases.map(targetOf);
  const browser = o.browser ? await openBrowser() : undefined;
  try {
    const results: CaseResult[] = [];
    for (const [i, c] of cases.entries()) {
      const result = await resultOf(c, targets[i], o, onProgress, browser);
      results.push(result);
      onProgress({ k: 'done', result });
    }
    const { rounds, processes, threads, seed } = o;
    return {
      version: RESULT_VERSION,
      sinter: VERSION,
      date: new Date().toISOString().slice(0, 10),
      command: o.command,
      machine: { ...machine(), ...(browser && { engine: browser.version }) },
      settings: { rounds, processes, threads, seed },
      cases: results,
    };
  } finally {
    await browser?.close();
  }
}
/** What a model is compiled for; undefined for a bundle. */
function targetOf({ source }: BenchCase): Target | undefined {
  if (source.k === 'bundle') return undefined;
  const { target = 'wasm-simd' } = source.options;
  return resolveTarget(target === NATIVE ? nativeTarget() : target);
}
async function resultOf(
  c: BenchCase,
  target: Target | undefined,
  o: BenchOptions,
  onProgress: (p: BenchProgress) => void,
  browser: BenchBrowser | undefined,
): Promise<CaseResult> {
  const { source, name, doc, group } = c;
  const work = temporaryFolder();
  const doing = (what: string): void => onProgress({ k: 'doing', name, target: target?.name ?? '', what });
  const outcome = await measureCase(c, target, o, work, doing, browser).catch((e: unknown): Outcome => {
    // What is wrong with a model or its data is a line of the result; anything else is wrong with us.
    // A wrong option is the caller's mistake, and no result.
    if (e instanceof CompileError && e.code !== 'E403') return { k: 'failed', message: e.message };
    throw e;
  });
  rmSync(work, { recursive: true, force: true });
  return {
    name,
    ...(doc !== undefined && { doc }),
    ...(group !== undefined && { group }),
    source: source.k === 'model' ? source.path : source.dir,
    target: target?.name ?? (outcome.k === 'done' ? outcome.profile : ''),
    outcome,
  };
}
/** The machine at hand and the engine of this process. */
export function machine(): Machine {
  const all = cpus();
  return {
    cpu: (all[0]?.model ?? 'unknown').trim(),
    cores: all.length,
    memory: totalmem(),
    system: `${process.platform} ${process.arch}`,
    engine: `Node ${process.version} (V8 ${process.versions.v8})`,
  };
}
