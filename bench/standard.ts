/**
 * The standard suite against every peer that is here, with its report: `npm run bench -- standard [options of sinter bench]`. Writes
 * out/bench.html and out/bench.json, unless --html and --json say otherwise. Takes about half an hour; `--filter TEXT` some of it,
 * `--profile` more.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { projectDir } from '../fixtures/paths.ts';
import './suites/make.ts';

const args = process.argv.slice(2);
const out = join(projectDir, 'out');
mkdirSync(out, { recursive: true });
const file = (flag: string, name: string): string[] => (args.includes(flag) ? [] : [flag, join(out, name)]);
// As users run it: what compiles while it runs would be part of the times of compilation.
const built = spawnSync('npm', ['run', 'build', '--silent'], {
  cwd: projectDir,
  stdio: 'inherit',
  shell: process.platform === 'win32',
});
if (built.status !== 0) process.exit(1);
const main = join(projectDir, 'dist', 'compiler', 'cli', 'main.js');
const suite = ['--suite', join(projectDir, 'bench', 'suites', 'standard.json')];
const flags = [...suite, ...file('--html', 'bench.html'), ...file('--json', 'bench.json'), ...args];
const r = spawnSync(process.execPath, [main, 'bench', ...flags], { stdio: 'inherit' });
if (!args.includes('--html')) console.log('the report: out/bench.html');
process.exitCode = r.status ?? 1;
