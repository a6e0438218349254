/**
 * Tests that need more than Node and the packages of npm ask here: `needs('cc', 'make').it(title, run)`. Where something is missing, the
 * test is skipped, and its title says why; with CI set it fails instead. `SINTER_WITHOUT=avx512_vnni,relaxed-simd` names what the machine
 * of a CI run cannot have because of its processor or engine: .ci/run sets it, and tests that need it are skipped there too.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from '@jest/globals';
import { hasRelaxedSimd } from '../fixtures/engine.ts';
import { locate } from '../fixtures/models.ts';
import { findBackendTests } from './suites/onnx-backend.ts';

/** Something outside of the project that a test needs. */
export interface Need {
  /** The word that stands for it in `SINTER_WITHOUT`. */
  readonly name: string;
  readonly here: boolean;
  /** How to get it; '' where the name says enough. */
  readonly how?: string;
}
/** `describe` and `it` where all needs are met; else what takes their place. */
export interface Conditional {
  readonly met: boolean;
  describe(title: string, body: () => void): void;
  it(title: string, run: () => Promise<void> | void, timeoutMs?: number): void;
}
const inCi = (): boolean => !['', 'false', '0', undefined].includes(process.env['CI']);
const without = (name: string): boolean => (process.env['SINTER_WITHOUT'] ?? '').split(',').includes(name);

/** Needs, of which a text names a command. */
export function needs(...all: readonly (string | Need)[]): Conditional {
  const missing = all.map(n => (typeof n === 'string' ? command(n) : n)).filter(n => !n.here);
  if (missing.length === 0) return { met: true, describe, it };
  const why = `needs ${missing.map(n => (n.how === undefined ? n.name : `${n.name}: ${n.how}`)).join(', ')}`;
  const instead = (title: string): void => {
    if (inCi() && !missing.every(n => without(n.name)))
      it(title, () => {
        throw new Error(`CI is set, and this test ${why}`);
      });
    else it.skip(`${title} (${why})`, () => undefined);
  };
  return { met: false, describe: instead, it: instead };
}

const commands = new Map<string, boolean>();
/** Whether a command can be started. */
export function has(name: string): boolean {
  const here = commands.get(name) ?? spawnSync(name, ['--version'], { stdio: 'ignore' }).error === undefined;
  commands.set(name, here);
  return here;
}
const command = (name: string): Need => ({ name, here: has(name) });
/** Modules that Python 3 has. */
export const modules = (...names: readonly string[]): Need => ({
  name: `python3 with ${names.join(' and ')}`,
  here: spawnSync('python3', ['-c', `import ${names.join()}`], { stdio: 'ignore' }).status === 0,
});
const cpuinfo = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
/** A feature of the processor, as /proc/cpuinfo calls it. */
export const processor = (feature: string): Need => ({
  name: feature,
  here: new RegExp(`^flags\\b.* ${feature}\\b`, 'm').test(cpuinfo),
  how: 'a feature that this processor has not',
});
/** What a processor of x86-64 needs for the code of a target. */
export const level = (target: 'linux-x64-v2' | 'linux-x64-v3' | 'linux-x64-v4'): Need =>
  processor({ 'linux-x64-v2': 'sse4_2', 'linux-x64-v3': 'avx2', 'linux-x64-v4': 'avx512_vnni' }[target]);
export const x64: Need = { name: 'x86-64', here: process.arch === 'x64' };
export const relaxedSimd: Need = { name: 'relaxed-simd', here: hasRelaxedSimd(), how: 'Node 22 or newer' };
/** A real model of the table in fixtures/models.ts. */
export const modelFile = (name: string): Need => ({ name, here: locate(name) !== undefined, how: 'npm run fixtures' });
/** A file that `npm run fixtures -- WHAT` fetches. */
export const fetched = (what: string, file: string): Need => ({
  name: what,
  here: existsSync(file),
  how: `npm run fixtures -- ${what}`,
});
export const onnxTests: Need = {
  name: "ONNX's backend tests",
  here: findBackendTests() !== undefined,
  how: 'npm run fixtures -- onnx-tests',
};
