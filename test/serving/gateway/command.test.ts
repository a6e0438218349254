/** `sinter serve` as a user runs it: as a process, with signals. */
import { afterAll, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { servingProgram } from '../program.ts';
import { bikeBundle, cleanUp, post, PREDICTED, ROWS, temporary } from './models.ts';

afterAll(cleanUp);
interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}
/** Runs it; `hear` is told what it has printed so far. */
async function run(
  args: readonly string[],
  hear: (out: string, end: () => void) => void = () => undefined,
  program?: readonly string[],
): Promise<Ran> {
  const start = program ?? [await servingProgram()];
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [...start, 'serve', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    child.stdout.on('data', (b: Buffer) => {
      out += b.toString();
      hear(out, () => child.kill('SIGTERM'));
    });
    child.stderr.on('data', (b: Buffer) => (err += b.toString()));
    child.on('error', failed);
    child.on('close', code => done({ code, out, err }));
  });
}
it('serves a bundle until SIGTERM, and ends with 0', async () => {
  const answers: Promise<{ readonly text: string }>[] = [];
  const { code, out, err } = await run([await bikeBundle(), '--port', '0', '--grpc-port', '0', '--workers', '1'], (text, end) => {
    const [, url] = /listening on (http:\S+?), gRPC on port \d+/.exec(text) ?? [];
    if (url === undefined || !text.includes('ready: bike') || answers.length > 0) return;
    const answer = post(`${url}/invocations`, ROWS[0] ?? '', { 'content-type': 'text/csv' });
    answers.push(answer);
    void answer.finally(end);
  });
  expect([code, out.split('\n').length]).toEqual([0, 3]);
  expect(Math.fround(Number((await answers[0])?.text))).toBe(Math.fround(PREDICTED[0] ?? 0));
  for (const line of err.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('msg');
});
it.each([
  [['--port', 'x', 'bundle'], 2, "argument 'x' is invalid. must be a whole number from 0 to 65535"],
  [['/nowhere'], 1, 'there is no model at /nowhere'],
  [[join(import.meta.dirname, 'command.test.ts'), '--port', '0'], 1, 'is not a model that Sinter reads'],
])('says what is wrong with %j', async (args, code, text) => {
  const r = await run([...args, '--cache', temporary()]);
  expect(r.err).toContain(text);
  expect(r.code).toBe(code);
});
it('is a command of sinter', async () => {
  const main = resolve(import.meta.dirname, '../../../compiler/cli/main.ts');
  const r = await run(['--nothing'], undefined, ['--import', 'tsx', main]);
  expect(r.err).toContain("unknown option '--nothing'");
  expect(r.code).toBe(2);
});
