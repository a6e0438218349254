import { fork, type ChildProcess } from 'node:child_process';
import { bundled } from '../bundled.ts';
import type { Outcome } from './outcome.ts';
import type { Way } from './runners.ts';

export interface Job {
  readonly row: number;
  readonly suite: string;
  readonly name: string;
  readonly folder: string;
  readonly way: Way;
  readonly symbolic: boolean;
}
export interface PoolOptions {
  readonly workers: number;
  /** A case that takes longer is counted as broken. */
  readonly timeoutMs: number;
}
/** Runs jobs in worker processes. A worker that dies or hangs costs its job alone. */
export async function runAll(jobs: readonly Job[], o: PoolOptions, report: (job: Job, outcome: Outcome) => void): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    let child: ChildProcess | undefined;
    for (let job = jobs[next++]; job; job = jobs[next++]) {
      const todo = job;
      child ??= await start();
      const outcome = await ask(child, todo, o.timeoutMs);
      if (outcome.k === 'broken' && outcome.fatal) child = undefined;
      report(todo, outcome);
    }
    child?.disconnect();
  };
  await Promise.all(Array.from({ length: Math.max(1, o.workers) }, lane));
}

/** A worker that has loaded everything. */
async function start(): Promise<ChildProcess> {
  const child = fork(await bundled('test/conformance/worker.ts'), { serialization: 'advanced', execArgv: [] });
  return new Promise((resolve, reject) => {
    child.once('message', () => {
      child.removeAllListeners();
      resolve(child);
    });
    child.once('exit', code => reject(new Error(`the worker ended with ${code} before it began`)));
  });
}
function ask(child: ChildProcess, job: Job, timeoutMs: number): Promise<Outcome & { readonly fatal?: boolean }> {
  return new Promise(resolve => {
    const start = performance.now();
    const end = (o: Outcome & { readonly fatal?: boolean }): void => {
      clearTimeout(timer);
      child.removeAllListeners();
      resolve(o);
    };
    const dead = (why: string): void => {
      child.kill('SIGKILL');
      end({ suite: job.suite, name: job.name, way: job.way, k: 'broken', why, ms: performance.now() - start, fatal: true });
    };
    const timer = setTimeout(() => dead(`did not end within ${timeoutMs / 1000} s`), timeoutMs);
    child.on('message', m => end(m as Outcome));
    child.on('exit', (code, signal) => dead(`took its process down (${signal ?? `exit ${code}`})`));
    child.on('error', e => dead(e.message));
    child.send(job);
  });
}
