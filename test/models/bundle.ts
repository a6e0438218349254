import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { typed, type Tensor } from '../../compiler/core/tensor.ts';

/** A model's output as the loader gives it. */
export interface OutTensor {
  readonly data: ArrayLike<number | bigint>;
  readonly dims: readonly number[];
  readonly type: string;
}
export interface LoadedModel {
  run(inputs: Readonly<Record<string, unknown>>): Readonly<Record<string, OutTensor>>;
}
/** Writes a bundle to a temporary folder and loads it through its own index.js. */
export async function loadBundle(files: ReadonlyMap<string, Uint8Array>): Promise<LoadedModel> {
  const dir = mkdtempSync(join(tmpdir(), 'sinter-bundle-'));
  for (const [name, bytes] of files) {
    mkdirSync(join(dir, name, '..'), { recursive: true });
    writeFileSync(join(dir, name), bytes);
  }
  const bundle = (await import(pathToFileURL(join(dir, 'index.js')).href)) as { load(): Promise<LoadedModel> };
  return bundle.load();
}
export const feed = (inputs: ReadonlyMap<string, Tensor>): Record<string, unknown> =>
  Object.fromEntries([...inputs].map(([k, t]) => [k, { data: typed(t), dims: t.dims }]));
