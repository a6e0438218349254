import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fail } from '../core/diagnostic.ts';
import type { Tensor } from '../core/tensor.ts';
import { productsOf } from '../bundle/native/toolchain.ts';
import { dataOf, fromRun, type RunTensor } from '../tensors.ts';
import { dtypeOf, readManifest, type Manifest } from './manifest.ts';
import { openNative } from './native.ts';

/** A loaded bundle; tensors go in and out by name. */
export interface Bundle {
  readonly dir: string;
  readonly manifest: Manifest;
  readonly profile: string;
  run(inputs: ReadonlyMap<string, Tensor>): Map<string, Tensor>;
}
interface RuntimeModel {
  readonly profile: string;
  run(inputs: Record<string, RunTensor>): Record<string, RunTensor>;
}

/**
 * Loads a bundle by its own index.js, or builds its program where it is C without one that loads, or with threads. `threads`: at
 * most so many, of those that it was compiled for. Errors: E207 where the folder holds no bundle, or one that cannot be built or run
 * here; E403 for more threads than it was compiled for.
 */
export async function openBundle(dir: string, threads?: number): Promise<Bundle> {
  const manifest = readManifest(dir);
  const { native } = manifest;
  const most = Math.max(...Object.values(manifest.profiles).map(p => p.threads));
  if (threads !== undefined && threads > most)
    fail('E403', {
      option: 'threads',
      why: `the bundle was compiled for ${most}; \`sinter compile --threads N\` makes one for N`,
    });
  if (!native) return openIndex(dir, manifest, threads);
  if (most > 1) return openNative(dir, manifest, native, threads);
  const { addon, program } = productsOf(native.system);
  if (addon && (program === undefined || existsSync(join(dir, addon.file))))
    try {
      return await openIndex(dir, manifest);
    } catch (e) {
      // The addon may be for another machine, whose programs an emulator may run.
      if (program === undefined) throw e;
    }
  return openNative(dir, manifest, native);
}
type Load = (source: undefined, options: { readonly threads?: number }) => Promise<RuntimeModel>;
/** Loads a bundle by its own index.js, or the addon that this finds. */
export async function openIndex(dir: string, manifest: Manifest, threads?: number): Promise<Bundle> {
  const file = resolve(dir, 'index.js');
  // Node keeps what it imported by its URL, and another bundle may have taken the place of one that was open before.
  const { ino, mtimeMs } = statSync(file);
  const index = (await import(`${pathToFileURL(file).href}?${ino}-${mtimeMs}`)) as { load: Load };
  const model = await index.load(undefined, threads === undefined ? {} : { threads });
  const types = new Map(manifest.outputs.map(p => [p.name, dtypeOf(p.type)]));
  return {
    dir,
    manifest,
    profile: model.profile,
    run: inputs => {
      const given = [...inputs].map(([name, t]): [string, RunTensor] => [name, { data: dataOf(t), dims: t.dims }]);
      const out = Object.entries(model.run(Object.fromEntries(given)));
      return new Map(out.map(([name, t]) => [name, fromRun(name, types.get(name) ?? 'f32', t)]));
    },
  };
}
