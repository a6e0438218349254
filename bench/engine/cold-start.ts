import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { writeFile } from '../../compiler/host/files.ts';
import { firstScript, type Answered, type FirstAnswer } from './runner.ts';
import type { Footprint } from './result.ts';
import { median, spreadOf } from './statistics.ts';

/** The program of a first answer in Node as files, and one that does nothing. */
export function scripts(work: string, name: string, text: string): FirstAnswer {
  const file = join(work, `first-${name}.mjs`);
  const idle = join(work, 'idle.mjs');
  writeFile(file, text);
  writeFile(idle, firstScript(undefined, ''));
  const node = (f: string): { command: string; args: string[] } => ({ command: process.execPath, args: [f] });
  return { ...node(file), idle: node(idle) };
}

/** Fresh processes of each, in turns: time to the first answer, and the memory that it took. Those who fail have no figures. */
export async function measureFirst(
  all: readonly (FirstAnswer | undefined)[],
  processes: number,
): Promise<Pick<Footprint, 'first' | 'memory'>[]> {
  const answers: Answered[][] = all.map(() => []);
  const idle: number[][] = all.map(() => []);
  for (let r = 0; r < processes; r++)
    for (const [i, f] of all.entries()) {
      if (!f || (r > 0 && answers[i]?.length === 0)) continue;
      const got = await lastLine(f.command, f.args);
      if (got) answers[i]?.push(got);
      const nothing = got && (await lastLine(f.idle.command, f.idle.args));
      if (nothing) idle[i]?.push(nothing.rss);
    }
  return answers.map((list, i) =>
    list.length === 0
      ? {}
      : {
          first: spreadOf(list.map(a => a.ms)),
          memory: Math.max(0, median(list.map(a => a.rss)) - median(idle[i] ?? [])),
        },
  );
}
/** What a process says last, as JSON; undefined where it fails. */
function lastLine(command: string, args: readonly string[]): Promise<Answered | undefined> {
  return new Promise(done => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
    });
    const end = (): void => void child.kill('SIGKILL');
    process.once('exit', end);
    let said = '';
    child.stdout.on('data', (text: Buffer) => (said += String(text)));
    child.on('error', () => done(undefined));
    child.on('close', code => {
      process.off('exit', end);
      done(code === 0 ? (JSON.parse(said.trim().split('\n').at(-1) ?? '') as Answered) : undefined);
    });
  });
}
