import { spawn, type ChildProcess } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** A module of this package that runs in a process of its own; what is not built yet is run by tsx. */
export function entry(name: 'worker' | 'compile'): readonly string[] {
  const source = import.meta.url.endsWith('.ts');
  const file = fileURLToPath(
    new URL(`../${name === 'worker' ? 'worker/main' : 'store/compile'}${source ? '.ts' : '.js'}`, import.meta.url),
  );
  if (!source) return [file];
  const tsx = dirname(createRequire(import.meta.url).resolve('tsx/package.json'));
  return ['--import', pathToFileURL(join(tsx, 'dist/loader.mjs')).href, file];
}
/**
 * What keeps a worker from more than reading files: a bundle's index.js is a program, and a worker that runs only WebAssembly needs no
 * right to write, to start processes or to load native code. Node's permission model; sources that tsx runs need these rights.
 */
function permissions(allowNative: boolean): readonly string[] {
  if (allowNative || import.meta.url.endsWith('.ts')) return [];
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const flag = major > 23 || (major === 23 && minor >= 5) ? '--permission' : '--experimental-permission';
  return [flag, '--allow-fs-read=*', '--no-warnings'];
}
/** Names of variables that a model has no use for. */
const SECRET = /^AWS_|SECRET|TOKEN|PASSWORD|CREDENTIAL|^NODE_OPTIONS$/i;
const withoutSecrets = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !SECRET.test(name)));

/** Starts a worker; its file 3 is a Unix socket to this process. */
export const spawnWorker = (allowNative: boolean): ChildProcess =>
  spawn(process.execPath, [...permissions(allowNative), ...entry('worker')], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: withoutSecrets(process.env),
  });
