/** A signal ends the program at once, whatever it is doing, and leaves nothing half-written. */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { build } from 'esbuild';
import { must } from '../../compiler/core/diagnostic.ts';
import { projectDir } from '../../fixtures/paths.ts';
import { PROGRAM } from '../../runtimes/packaging/binaryen.js';
import { CHAINS } from '../limits/chains.ts';
import { model, node, sub, tensor, value } from '../onnx-writer.ts';

jest.setTimeout(120_000);
const root = mkdtempSync(join(tmpdir(), 'sinter-signals-'));
const dist = join(projectDir, 'node_modules/.cache', `sinter-signals-test-${process.pid}`);
const main = join(dist, 'main.js');
afterAll(() => [root, dist].forEach(d => rmSync(d, { recursive: true, force: true })));
beforeAll(async () => {
  await build({
    entryPoints: [join(projectDir, 'compiler/cli/main.ts')],
    outdir: dist,
    ...PROGRAM,
    logLevel: 'error',
  });
});

/** Passes over so long a chain take minutes, and hear nothing. */
const long = must(CHAINS.find(c => c.name === 'index maps')).of(20_000);
const short = must(CHAINS.find(c => c.name === 'index maps')).of(3);
interface Started {
  readonly dir: string;
  /** Sends a signal; gives the code, or the signal, that the program ended with. */
  end(signal: NodeJS.Signals): Promise<number | string | null>;
}
/** Starts a compilation in a folder of its own, and waits until it is so far. */
async function started(
  model: Uint8Array,
  ready: (dir: string) => boolean,
  env: NodeJS.ProcessEnv = {},
  flags: readonly string[] = ['-t', 'c-portable'],
): Promise<Started> {
  const dir = mkdtempSync(join(root, 'run-'));
  const file = join(root, `${model.length}.onnx`);
  writeFileSync(file, model);
  const argv = [main, 'compile', file, ...flags, '-o', join(dir, 'bundle')];
  const child = spawn(process.execPath, argv, { cwd: dir, env: { ...process.env, TMPDIR: dir, ...env }, stdio: 'ignore' });
  const closed = new Promise<number | string | null>(done => child.on('close', (code, signal) => done(code ?? signal)));
  while (!ready(dir)) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
    await new Promise(done => setTimeout(done, 50));
  }
  return {
    dir,
    end: signal => {
      child.kill(signal);
      return closed;
    },
  };
}

it.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('%s while it computes', async (signal, code) => {
  const run = await started(long, dir => readdirSync(dir).some(f => f.startsWith('.bundle')));
  // Reading the file is over by then.
  await new Promise(done => setTimeout(done, 1500));
  // By the signal itself where its thread cannot be stopped at once.
  expect([code, signal]).toContain(await run.end(signal));
  expect(readdirSync(run.dir)).toEqual([]);
});
it('SIGTERM while a compiler runs for it; the bundle that was there stays', async () => {
  const tools = join(root, 'tools');
  mkdirSync(tools);
  writeFileSync(join(tools, 'cc'), '#!/bin/sh\ntouch "$TMPDIR/compiling"\nexec sleep 20\n');
  chmodSync(join(tools, 'cc'), 0o755);
  const run = await started(short, dir => existsSync(join(dir, 'compiling')), { PATH: `${tools}:${process.env['PATH'] ?? ''}` });
  expect([143, 'SIGTERM']).toContain(await run.end('SIGTERM'));
  expect(readdirSync(run.dir)).toEqual(['compiling']);
});
it('SIGINT while it measures; what was known stays', async () => {
  const cache = join(root, 'tune.json');
  writeFileSync(cache, '{ "tuning": 1, "found": [] }');
  const w = tensor({ dims: [64, 64], type: 1, name: 'w', raw: new Uint8Array(4 * 64 * 64) });
  const product = model([node('MatMul', ['x', 'w'], ['y']), sub(5, w), value(11, 'x', 1, [64, 64]), value(12, 'y', 1, [64, 64])]);
  const measures = (dir: string): boolean => readdirSync(dir).some(f => f.startsWith('sinter-run-'));
  const run = await started(product, measures, {}, ['--tune', '100', '--tune-cache', cache]);
  expect([130, 'SIGINT']).toContain(await run.end('SIGINT'));
  expect(readdirSync(run.dir)).toEqual([]);
  expect(readFileSync(cache, 'utf8')).toBe('{ "tuning": 1, "found": [] }');
  expect(readdirSync(root).filter(f => f.startsWith('.'))).toEqual([]);
});
it('a name in the model does nothing to the terminal', () => {
  const file = join(root, 'name.onnx');
  writeFileSync(file, model([node('Nothing', ['x'], ['\u001b[31my']), value(11, 'x', 1, [1]), value(12, '\u001b[31my', 1, [1])]));
  const r = spawnSync(process.execPath, [main, 'compile', file, '-o', join(root, 'none')], { encoding: 'utf8' });
  expect([r.status, r.stdout]).toEqual([1, '']);
  expect(r.stderr).toContain('\\u{1b}[31my');
  expect(r.stderr).not.toContain('\u001b');
});
it('without a signal there is the bundle and nothing else', async () => {
  const run = await started(short, dir => existsSync(join(dir, 'bundle')));
  await new Promise(done => setTimeout(done, 300));
  expect(readdirSync(run.dir)).toEqual(['bundle']);
  expect(JSON.parse(readFileSync(join(run.dir, 'bundle/manifest.json'), 'utf8'))).toMatchObject({ target: 'c-portable' });
  await run.end('SIGTERM');
});
