import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { WASM } from '../backend/wasm/index.ts';
import type { Profile } from '../target/profile.ts';
import type { Machine } from './cache.ts';

/** This processor, and what makes code of a profile run on it: the engine of WebAssembly, or the C compiler. */
export function machineOf(profile: Profile): Machine {
  const processor = cpus()[0]?.model.replaceAll(/\s+/g, ' ').trim();
  return {
    processor: processor === undefined || processor === '' ? process.arch : processor,
    engine: profile.backEnd.name === WASM.name ? engine() : compiler(profile.toolchain.cc),
  };
}
/** The engine of JavaScript, with the part of its version that changes what it makes of code. */
function engine(): string {
  const { v8, webkit } = process.versions;
  return webkit === undefined ? `V8 ${v8.split('.').slice(0, 2).join('.')}` : `WebKit ${webkit}`;
}
function compiler(cc: string): string {
  const r = spawnSync(cc, ['--version'], { encoding: 'utf8' });
  const line = r.error ? '' : (r.stdout.split('\n')[0] ?? '').trim();
  return line === '' ? cc : line;
}
