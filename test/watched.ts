import { fork, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { bundled } from './bundled.ts';

/** How one of many attempts ended, as the process that made it says. */
export interface Answer {
  readonly k: number;
  /** How it ended: an E-code, `right`, `compiled` and the like. */
  readonly end: string;
  readonly why: string;
  readonly fault: boolean;
}
/** Who works on an attempt: what ends the process while another program is asked is not our fault. */
export type Phase = 'ours' | 'peer';
interface Attempts {
  /** The module that makes them, by its path in the project: it sends `{ ready: true }`, and an answer for each number that it gets; `{ phase }` when a peer begins. */
  readonly module: string;
  readonly args: readonly string[];
  readonly from: number;
  readonly count: number;
  readonly processes: number;
  /** What one may take. */
  readonly seconds: number;
  readonly bytes: number;
}
/** Bytes of memory that a process has, where the system tells. */
function memoryOf(pid: number | undefined): number {
  try {
    return 1024 * Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
/** Makes attempts in processes that are watched; one that takes too much is stopped, which is a fault, and another process goes on. */
export async function watched(o: Attempts, report: (a: Answer) => void): Promise<void> {
  let next = o.from;
  const program = await bundled(o.module);
  const run = (): Promise<void> =>
    new Promise(resolve => {
      let at: number | undefined;
      let since = Date.now();
      let stopped: string | undefined;
      let phase: Phase = 'ours';
      let least = 0; // bytes before the attempt at hand
      const child: ChildProcess = fork(program, [...o.args], { execArgv: [] });
      const give = (): void => {
        at = next < o.from + o.count ? next++ : undefined;
        since = Date.now();
        phase = 'ours';
        least = memoryOf(child.pid);
        if (at === undefined) child.kill();
        else child.send(at);
      };
      child.on('message', (a: Answer | { readonly ready: true } | { readonly phase: Phase }) => {
        if ('phase' in a) {
          phase = a.phase;
          return;
        }
        if (!('ready' in a)) report(a);
        give();
      });
      const watch = setInterval(() => {
        if (at === undefined || stopped !== undefined) return;
        const ms = Date.now() - since;
        const bytes = memoryOf(child.pid) - least;
        if (ms > o.seconds * 1000) stopped = `takes more than ${o.seconds} s`;
        if (bytes > o.bytes) stopped = `takes ${(bytes / 1e6).toFixed(0)} MB`;
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
        report({ k: at, end: phase === 'ours' ? 'stopped' : 'peer stopped', why, fault: phase === 'ours' });
        resolve(run());
      });
    });
  await Promise.all(Array.from({ length: o.processes }, run));
}
/** Counts how attempts end, and prints faults as they come. */
export function tallied(what: string): { readonly report: (a: Answer) => void; readonly summary: () => number } {
  const tally = new Map<string, number>();
  let faults = 0;
  let done = 0;
  return {
    report: a => {
      if (++done % 1000 === 0) console.log(`${done} done, ${faults} faults`);
      tally.set(a.end, (tally.get(a.end) ?? 0) + 1);
      if (!a.fault) return;
      faults++;
      console.log(`${what} ${a.k}: ${a.end}: ${a.why}\n`);
    },
    summary: () => {
      for (const [end, n] of [...tally].sort()) console.log(`${end} ${n}`);
      return faults;
    },
  };
}
