import { fork, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type { CompileOptions } from '../../compiler/index.ts';
import { bundled } from '../bundled.ts';

export interface Job {
  readonly options: CompileOptions;
  /** Whether what the phases make is printed and counted. */
  readonly measure: boolean;
}
export interface Done {
  /** The code of the error; `compiled` where there was none, `crash` for an error that is none of the model's. */
  readonly code: string;
  readonly message: string;
  /** Letters of what each phase made, printed. */
  readonly letters: Readonly<Record<string, number>>;
  /** Bytes of the bundle. */
  readonly bytes: number;
  /** The most memory that the process ever had, in bytes. */
  readonly peak: number;
}
/** Past these a job is stopped: far more than any needs, so that what comes here would go on to take all there is. */
const LIMITS = { ms: 300_000, bytes: 2 ** 30 };

export interface Limited {
  compile(options: CompileOptions, measure?: boolean): Promise<Done>;
  end(): void;
}
/** Compiles in a process that is killed where it takes too much; then the next job gets a new one. */
export function limited(): Limited {
  let child: ChildProcess | undefined;
  const start = async (): Promise<ChildProcess> => {
    const c = fork(await bundled('test/limits/child.ts'), {
      serialization: 'advanced',
      execArgv: ['--max-old-space-size=800'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    return new Promise((resolve, reject) => {
      c.once('message', () => resolve(c));
      c.once('exit', code => reject(new Error(`the process ended with ${code} before it began`)));
    });
  };
  return {
    compile: async (options, measure = false) => {
      const c = (child ??= await start());
      c.removeAllListeners();
      return new Promise(resolve => {
        const end = (d: Done): void => {
          clearInterval(watch);
          clearTimeout(timer);
          c.removeAllListeners();
          resolve(d);
        };
        const stop = (code: string, message: string): void => {
          child = undefined;
          c.kill('SIGKILL');
          end({ code, message, letters: {}, bytes: 0, peak: residentOf(c.pid) });
        };
        const watch = setInterval(() => {
          if (residentOf(c.pid) > LIMITS.bytes) stop('memory', 'it took more than a gigabyte');
        }, 50);
        const timer = setTimeout(() => stop('time', 'it did not end'), LIMITS.ms);
        c.once('exit', (code, signal) => stop('dead', `the process ended with ${signal ?? String(code)}`));
        c.once('message', (d: Done) => end(d));
        c.send({ options, measure } satisfies Job);
      });
    },
    end: () => child?.disconnect(),
  };
}
/** What came of a job, with its message where none of the model is at fault. */
export const said = (d: Done): string => (/^(?:compiled|E\d+)$/.test(d.code) ? d.code : `${d.code}: ${d.message}`);
/** Resident memory of a process, in bytes; 0 where the system does not say. */
function residentOf(pid: number | undefined): number {
  const file = `/proc/${pid ?? 0}/status`;
  const line = existsSync(file) ? /^VmRSS:\s*(\d+) kB/m.exec(readFileSync(file, 'utf8'))?.[1] : undefined;
  return Number(line ?? 0) * 1024;
}
