/**
 * Clients and tools that others wrote, which judge what Sinter serves. They are Python packages in an environment of their own: .ci/run makes
 * it in out/judges; SINTER_JUDGES names another Python.
 */
import { spawn, spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import type { Need } from '../needs.ts';

export const judgesPython = (): string =>
  process.env['SINTER_JUDGES'] ?? resolve(import.meta.dirname, '../../out/judges/bin/python');
/** Modules that the Python of the judges has. */
export const judges = (...names: readonly string[]): Need => ({
  name: names.join(' and '),
  here: spawnSync(judgesPython(), ['-c', `import ${names.join()}`], { stdio: 'ignore' }).status === 0,
  how: 'test/serving/judges.sh makes out/judges',
});
/** Runs a script by the Python of the judges, and gives what it prints. Throws with its errors where it fails. */
export function judge(script: string, args: readonly string[]): Promise<string> {
  return new Promise((done, failed) => {
    const child = spawn(judgesPython(), ['-c', script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', (b: Buffer) => (out += b.toString()));
    child.stderr.on('data', (b: Buffer) => (err += b.toString()));
    child.on('error', failed);
    child.on('close', code =>
      code === 0 ? done(out) : failed(new Error(`the judge ended with ${code ?? 'a signal'}:\n${out}${err}`)),
    );
  });
}
