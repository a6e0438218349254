import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { writeFile } from '../../compiler/host/files.ts';
import { coldStartScript, type ColdStarted, type ColdStart } from './runner.ts';
import type { Footprint } from './result.ts';
import { median, spreadOf } from './statistics.ts';

/** A cold start in Node, as a program in a file, and one that does nothing. */
export function nodeColdStart(work: string, name: string, text: string): ColdStart {
  const file = join(work, `cold-start-${name}.mjs`);
  const idle = join(work, 'idle.mjs');
  writeFile(file, text);
  writeFile(idle, coldStartScript(undefined, ''));
  const node = (f: string): { command: string; args: string[] } => ({ command: process.execPath, args: [f] });
  return { ...node(file), idle: node(idle) };
}

/** Starts fresh processes of each, in turns: the time of a cold start, and the memory that it took. Those who fail have no figures. */
export async function measureColdStarts(
  all: readonly (ColdStart | undefined)[],
  processes: number,
): Promise<Pick<Footprint, 'coldStart' | 'memory'>[]> {
  const answers: ColdStarted[][] = all.map(() => []);
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
          coldStart: spreadOf(list.map(a => a.ms)),
          memory: Math.max(0, median(list.map(a => a.rss)) - median(idle[i] ?? [])),
        },
  );
}
/** What a process says last, as JSON; undefined where it fails. */
function lastLine(command: string, args: readonly string[]): Promise<ColdStarted | undefined> {
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
      done(code === 0 ? (JSON.parse(said.trim().split('\n').at(-1) ?? '') as ColdStarted) : undefined);
    });
  });
}
