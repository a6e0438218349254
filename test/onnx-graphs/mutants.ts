// Models with something changed, compiled in processes that are watched: `npm run fuzz -- mutants [COUNT] [SEED] [FROM]`. None may end with a bug,
// take 20 s or a gigabyte; where onnxruntime runs the changed model too, the answers must agree. What goes wrong is written to out/fuzz.
import { fork, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { projectDir } from '../../fixtures/paths.ts';
import type { Answer } from './mutants-child.ts';

const [count = 1000, seed = 1, from = 0] = process.argv.slice(2).map(Number);
const SECONDS = 20;
const BYTES = 1e9;
const dir = join(projectDir, 'out', 'fuzz');
mkdirSync(dir, { recursive: true });
const tally = new Map<string, number>();
let faults = 0;
let next = from;

/** Bytes of memory that a process has, where the system tells. */
function memoryOf(pid: number | undefined): number {
  try {
    return 1024 * Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
function report(a: Answer): void {
  tally.set(a.end, (tally.get(a.end) ?? 0) + 1);
  if (!a.fault) return;
  faults++;
  console.log(`mutant ${a.k} of seed ${seed}: ${a.end}: ${a.why}\n`);
}
/** Runs mutants in a process until none is left; one that is stopped is followed by another. */
function run(): Promise<void> {
  return new Promise(resolve => {
    let at: number | undefined;
    let since = Date.now();
    let stopped: string | undefined;
    let least = 0; // bytes before the mutant at hand
    const child: ChildProcess = fork(join(import.meta.dirname, 'mutants-child.ts'), [String(seed), dir], {
      execArgv: ['--import', 'tsx'],
    });
    const give = (): void => {
      at = next < from + count ? next++ : undefined;
      since = Date.now();
      least = memoryOf(child.pid);
      if (at === undefined) child.kill();
      else child.send(at);
    };
    child.on('message', (a: Answer | { readonly ready: true }) => {
      if (!('ready' in a)) report(a);
      give();
    });
    const watch = setInterval(() => {
      if (at === undefined || stopped !== undefined) return;
      const ms = Date.now() - since;
      const bytes = memoryOf(child.pid) - least;
      if (ms > SECONDS * 1000) stopped = `takes more than ${SECONDS} s`;
      if (bytes > BYTES) stopped = `takes ${(bytes / 1e6).toFixed(0)} MB`;
      if (stopped !== undefined) child.kill('SIGKILL');
    }, 100);
    child.on('exit', (code, signal) => {
      clearInterval(watch);
      if (at === undefined && signal === null) throw new Error('the process that compiles does not start');
      if (at === undefined) {
        resolve();
        return;
      }
      const why = stopped ?? `the process ends with ${code ?? signal}`;
      report({ k: at, end: 'stopped', why, fault: true });
      resolve(run());
    });
  });
}
await Promise.all(Array.from({ length: availableParallelism() }, run));
for (const [end, n] of [...tally].sort()) console.log(`${end} ${n}`);
console.log(`${faults} faults in ${count} mutants of seed ${seed}, from ${from}`);
process.exitCode = faults > 0 ? 1 : 0;
