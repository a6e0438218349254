import { spawn } from 'node:child_process';
import { unfinishedProcess } from '../../compiler/host/ending.ts';
import { writeFile } from '../../compiler/host/files.ts';
import type { Report } from '../../compiler/options.ts';
import type { ModelOptions } from './case.ts';
import type { Message } from './request.ts';
import type { RuntimeName } from './result.ts';
import { ownProgram } from './self.ts';

/** A measuring process that has said nothing for so long hangs. */
const SILENCE_MS = 600_000;
/** What is kept of what a process wrote. */
const SAID = 2000;

/** What the compiling process is asked for, as JSON in the file of its argument. It prints the report as JSON, or says on stderr why not. */
export interface CompileRequest {
  readonly path: string;
  readonly options: ModelOptions;
  /** The folder for the bundle and, of native code, its libraries. */
  readonly out: string;
}
/** Compiles a model in a process of its own, so that a model that is too large for it, or breaks it, ends no other. */
export function compileApart(
  request: CompileRequest,
  file: string,
): Promise<{ readonly report: Report } | { readonly message: string }> {
  writeFile(file, JSON.stringify(request));
  return new Promise(done => {
    const child = spawn(process.execPath, [...ownProgram('./compile-worker'), file], { stdio: ['ignore', 'pipe', 'pipe'] });
    const finished = unfinishedProcess(child);
    const [printed, said]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on('data', (b: Buffer) => printed.push(b));
    child.stderr.on('data', (b: Buffer) => said.push(b));
    child.on('close', (code, signal) => {
      finished();
      if (code === 0) {
        done({ report: JSON.parse(Buffer.concat(printed).toString()) as Report });
        return;
      }
      const text = Buffer.concat(said).toString().trim();
      done({ message: text === '' || code === null ? `the compiler ended with ${signal ?? String(code)}` : text.slice(-SAID) });
    });
  });
}

/** How a measuring process ended. */
export type Ended =
  | { readonly k: 'done' }
  | { readonly k: 'broken'; readonly message: string }
  /** Without a word; `who` was at work. */
  | { readonly k: 'died'; readonly who: RuntimeName; readonly message: string };
/** Measures what the file asks for (`MeasureRequest`); messages that are not about the end go to `hear`. */
export function measureApart(file: string, hear: (m: Message) => void): Promise<Ended> {
  return new Promise(done => {
    const child = spawn(process.execPath, [...ownProgram('./measure-worker'), file], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
    });
    const end = (): void => void child.kill('SIGKILL');
    const finished = unfinishedProcess(child);
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
      finished();
      const how = silent
        ? `did not answer for ${SILENCE_MS / 60_000} minutes`
        : `ended the process (${signal ?? `exit code ${code ?? 0}`})`;
      const last = said.trim().split('\n').at(-1) ?? '';
      done(ended ?? { k: 'died', who: at.who, message: `${how} while ${at.doing}${last === '' ? '' : `: ${last}`}` });
    });
  });
}
