import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { unfinishedProcess } from '../../compiler/host/ending.ts';
import { writeFile } from '../../compiler/host/files.ts';
import { COLD_START_JS } from '../peers/programs.data.ts';
import type { ColdStarted, ColdStart } from './runner.ts';
import type { Footprint } from './result.ts';
import { median, spreadOf } from './statistics.ts';

/** What a fresh process of Node does once; bench/peers/cold-start.js. `inputs` names the file that lists them. */
type NodeColdStart =
  | { readonly k: 'bundle'; readonly module: string; readonly inputs: string }
  | {
      readonly k: 'onnxruntime';
      readonly module: string;
      readonly inputs: string;
      readonly model: string;
      /** Whether the model is given as bytes instead of its path. */
      readonly read: boolean;
      readonly threads: number;
      readonly options: object;
    }
  /** LiteRT.js or TensorFlow.js, opened by a module of compiler/reference. */
  | {
      readonly k: 'framework';
      readonly framework: 'litert-js' | 'tfjs-wasm';
      readonly module: string;
      readonly inputs: string;
      readonly model: string;
      readonly names: { readonly inputs: readonly string[]; readonly outputs: readonly string[] };
      readonly threads: number;
    };
/** A cold start in Node; its idle process imports an empty module. */
export function nodeColdStart(work: string, request: NodeColdStart): ColdStart {
  const file = join(work, 'cold-start.mjs');
  const empty = join(work, 'empty.mjs');
  writeFile(file, COLD_START_JS);
  writeFile(empty, 'export {};\n');
  const start = (r: object): { command: string; args: string[] } => ({
    command: process.execPath,
    args: [file, JSON.stringify(r)],
  });
  return { ...start(request), idle: start({ k: 'empty', module: pathToFileURL(empty).href }) };
}

/** Starts fresh processes of each, in turns: the time of a cold start, and the memory that it took. Those who fail have no figures. */
export async function measureColdStarts(
  all: readonly (ColdStart | undefined)[],
  processes: number,
): Promise<Pick<Footprint, 'coldStart' | 'idle' | 'memory'>[]> {
  const answers: ColdStarted[][] = all.map(() => []);
  const idle: ColdStarted[][] = all.map(() => []);
  for (let r = 0; r < processes; r++)
    for (const [i, f] of all.entries()) {
      if (!f || (r > 0 && answers[i]?.length === 0)) continue;
      const got = await lastLine(f.command, f.args);
      if (got) answers[i]?.push(got);
      const nothing = got && (await lastLine(f.idle.command, f.idle.args));
      if (nothing) idle[i]?.push(nothing);
    }
  return answers.map((list, i) =>
    list.length === 0
      ? {}
      : {
          coldStart: spreadOf(list.map(a => a.ms)),
          idle: spreadOf((idle[i] ?? []).map(a => a.ms)),
          memory: Math.max(0, median(list.map(a => a.rss)) - median((idle[i] ?? []).map(a => a.rss))),
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
    const finished = unfinishedProcess(child);
    let said = '';
    child.stdout.on('data', (text: Buffer) => (said += String(text)));
    child.on('error', () => done(undefined));
    child.on('close', code => {
      finished();
      done(code === 0 ? (JSON.parse(said.trim().split('\n').at(-1) ?? '') as ColdStarted) : undefined);
    });
  });
}
