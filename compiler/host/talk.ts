import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { unfinishedProcess } from './ending.ts';

/** A process that answers line by line. */
export interface Talk {
  /** Writes a line and gives the one that comes back. It fails where the process ends, with what it said last. */
  readonly ask: (line: string) => Promise<string>;
  /** The next line. */
  readonly hear: () => Promise<string>;
  readonly end: () => void;
}
/** Starts a process to talk with; it ends with this one. */
export function talk(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}, cwd?: string): Talk {
  const child = spawn(command, args, { stdio: 'pipe', env: { ...process.env, ...env }, ...(cwd !== undefined && { cwd }) });
  const waiting: { readonly done: (line: string) => void; readonly failed: (e: Error) => void }[] = [];
  const early: string[] = [];
  let said = '';
  let ended: Error | undefined;
  const over = (why: string): void => {
    const last = said.trim().split('\n').at(-1) ?? '';
    ended = new Error(`${command} ended (${why})${last === '' ? '' : `: ${last}`}`);
    for (const w of waiting.splice(0)) w.failed(ended);
  };
  child.stdin.on('error', () => undefined);
  child.stderr.on('data', (text: Buffer) => (said = (said + String(text)).slice(-2000)));
  createInterface({ input: child.stdout }).on('line', line => {
    const w = waiting.shift();
    if (w) w.done(line);
    else early.push(line);
  });
  child.on('error', e => over(e.message));
  child.on('close', (code, signal) => over(signal ?? `exit code ${code ?? 0}`));
  const finished = unfinishedProcess(child);
  const hear = (): Promise<string> =>
    new Promise((done, failed) => {
      const line = early.shift();
      if (line !== undefined) done(line);
      else if (ended) failed(ended);
      else waiting.push({ done, failed });
    });
  return {
    hear,
    ask: line => {
      child.stdin.write(`${line}\n`);
      return hear();
    },
    end: () => {
      finished();
      child.kill('SIGKILL');
    },
  };
}
