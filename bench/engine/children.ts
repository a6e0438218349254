import { spawn } from 'node:child_process';
import type { Report } from '../../compiler/options.ts';
import type { Message } from './job.ts';
import type { ContenderName } from './result.ts';
import { ownProgram } from './self.ts';

/** A measuring process that has said nothing for so long hangs. */
const SILENCE_MS = 600_000;
/** What is kept of what a process wrote. */
const SAID = 2000;

/** `sinter compile` in a process of its own, so that a model that is too large for it, or breaks it, ends no other. */
export function compileApart(
  model: { readonly path: string; readonly target: string; readonly options: readonly string[] },
  out: string,
): Promise<{ readonly report: Report } | { readonly message: string }> {
  const args = ['compile', model.path, '--target', model.target, '--out', out, '--json', ...model.options];
  return new Promise(done => {
    const child = spawn(process.execPath, [...ownProgram('../../compiler/cli/main'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const end = (): void => void child.kill('SIGKILL');
    process.once('exit', end);
    const [printed, said]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on('data', (b: Buffer) => printed.push(b));
    child.stderr.on('data', (b: Buffer) => said.push(b));
    child.on('close', (code, signal) => {
      process.off('exit', end);
      if (code === 0) {
        done({ report: JSON.parse(Buffer.concat(printed).toString()) as Report });
        return;
      }
      const text = Buffer.concat(said)
        .toString()
        .trim()
        .replace(/^error: /, '');
      done({ message: text === '' || code === null ? `the compiler ended with ${signal ?? String(code)}` : text.slice(-SAID) });
    });
  });
}

/** How a measuring process ended. */
export type Ended =
  | { readonly k: 'done' }
  | { readonly k: 'broken'; readonly message: string }
  /** Without a word; `who` was at work. */
  | { readonly k: 'died'; readonly who: ContenderName; readonly message: string };
/** Runs the job in a file; messages that are not about the end go to `hear`. */
export function measureApart(job: string, hear: (m: Message) => void): Promise<Ended> {
  return new Promise(done => {
    const child = spawn(process.execPath, [...ownProgram('./worker'), job], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
    });
    const end = (): void => void child.kill('SIGKILL');
    process.once('exit', end);
    let said = '';
    let at: Extract<Message, { k: 'at' }> = { k: 'at', who: 'sinter', doing: 'starting' };
    let ended: Ended | undefined;
    let silent = false;
    let alarm: NodeJS.Timeout | undefined;
    const wait = (): void => {
      clearTimeout(alarm);
      alarm = setTimeout(() => {
        silent = true;
        end();
      }, SILENCE_MS);
    };
    wait();
    child.stderr?.on('data', (b: Buffer) => (said = (said + String(b)).slice(-SAID)));
    child.on('message', m => {
      wait();
      const message = m as Message;
      if (message.k === 'at') at = message;
      if (message.k === 'done' || message.k === 'broken') ended = message;
      else hear(message);
    });
    child.on('close', (code, signal) => {
      clearTimeout(alarm);
      process.off('exit', end);
      const how = silent
        ? `did not answer for ${SILENCE_MS / 60_000} minutes`
        : `ended the process (${signal ?? `exit code ${code ?? 0}`})`;
      const last = said.trim().split('\n').at(-1) ?? '';
      done(ended ?? { k: 'died', who: at.who, message: `${how} while ${at.doing}${last === '' ? '' : `: ${last}`}` });
    });
  });
}
