import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as Esbuild from 'esbuild';
import type { Trust } from './trust.ts';

/**
 * The argument by which Node runs a module of this package as a process: `name` without ending, relative to the module with the URL
 * `beside`. What is not built, as in tests, is first bundled to one file by esbuild: a loader that reads each module as it is imported
 * would cost five times the processor time in every process, and rights that a worker does not get.
 */
export function program(name: string, beside: string): string {
  if (!beside.endsWith('.ts')) return fileURLToPath(new URL(`${name}.js`, beside));
  const source = fileURLToPath(new URL(`${name}.ts`, beside));
  const file = bundles.get(source) ?? bundled(source);
  bundles.set(source, file);
  return file;
}
const bundles = new Map<string, string>();
function bundled(source: string): string {
  const { buildSync } = createRequire(import.meta.url)('esbuild') as typeof Esbuild;
  const { outputFiles } = buildSync({
    entryPoints: [source],
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
    write: false,
  });
  const code = outputFiles[0]?.contents ?? new Uint8Array();
  // Inside of the package, so that its packages are found; the name is of the content, as several processes may write it.
  const folder = fileURLToPath(new URL('../out/', import.meta.url));
  const name = `${basename(source, '.ts')}-${createHash('sha256').update(code).digest('hex').slice(0, 16)}.mjs`;
  const file = join(folder, name);
  if (existsSync(file)) return file;
  mkdirSync(folder, { recursive: true });
  const half = join(folder, `.${process.pid}-${name}`);
  writeFileSync(half, code);
  renameSync(half, file);
  return file;
}
/**
 * What keeps a worker from more than reading files: a bundle's index.js is a program, and a worker that runs only WebAssembly needs no
 * right to write, to start processes or to load native code. Node's permission model. Signed native code may be loaded (from Node 20.12
 * on); it is not held back by the model.
 */
function permissions(trust: Trust): readonly string[] {
  if (trust.k === 'all') return [];
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const flag = major > 23 || (major === 23 && minor >= 5) ? '--permission' : '--experimental-permission';
  return [flag, '--allow-fs-read=*', '--no-warnings', ...(trust.k === 'signed' ? ['--allow-addons'] : [])];
}
/** Names of variables that a model has no use for. */
const SECRET = /^AWS_|SECRET|TOKEN|PASSWORD|CREDENTIAL|^NODE_OPTIONS$/i;
const withoutSecrets = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !SECRET.test(name)));

/** Starts a worker; its file 3 is a Unix socket to this process. */
export const spawnWorker = (trust: Trust): ChildProcess =>
  spawn(process.execPath, [...permissions(trust), program('../worker/main', import.meta.url)], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: withoutSecrets(process.env),
  });
