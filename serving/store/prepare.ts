import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import type { LoadedFrom, ModelSpec } from '../core/call.ts';
import { ServeError } from '../core/errors.ts';
import { program } from '../core/process.ts';
import { FOLDS, isArchive, listArchive, pack, unpack } from './archive.ts';
import { cached, defaultCache, digestOf } from './cache.ts';

type Dim = number | { readonly min: number; readonly max: number };
export interface PrepareOptions {
  /** Where compiled models are kept. */
  readonly cache?: string;
  /** Sizes of a trained model that vary, as `sinter compile --dim` takes them. */
  readonly dims?: Readonly<Record<string, Dim>>;
  /** Of several models in a folder the first alone, as `SAGEMAKER_INFERENCE_ENSEMBLE=false` says. */
  readonly first?: boolean;
}
/** What the process that compiles is asked for. */
export interface CompileRequest {
  readonly model: string;
  readonly out: string;
  readonly target: string;
  readonly dims: Readonly<Record<string, Dim>>;
}
/** Bundles that are compiled on load run on every machine. */
const TARGET = 'wasm-simd';
const isBundle = (dir: string): boolean => existsSync(join(dir, 'manifest.json'));

/**
 * Finds the bundle of a model: a folder of one, an archive of one, or a trained model, which is compiled, once for all that have the same
 * content. ServeError 400 where there is no model, or one that cannot be compiled.
 */
export async function prepareModel({ name, path }: ModelSpec, o: PrepareOptions): Promise<LoadedFrom> {
  if (!existsSync(path)) throw new ServeError(400, `there is no model at ${path}`);
  const cache = o.cache ?? defaultCache();
  const found = await bundleOf(path, cache, o);
  return { name, url: path, bundle: resolve(found.dir), compiled: found.compiled };
}
interface Found {
  readonly dir: string;
  readonly compiled: boolean;
}
const given = (dir: string): Found => ({ dir, compiled: false });
async function bundleOf(path: string, cache: string, o: PrepareOptions): Promise<Found> {
  if (statSync(path).isDirectory()) {
    if (isBundle(path)) return given(path);
    const inner = innerBundle(path);
    return inner !== undefined ? given(inner) : compiled(await foldsOf(path, modelIn(path, o.first ?? false), cache), cache, o);
  }
  const names = isArchive(path) ? await listArchive(path) : [];
  if (o.first === true && names.filter(isFold).length > 1) {
    const dir = await cached(cache, `unpacked-${await digestOf(path)}`, into => unpack(path, into));
    return compiled(modelIn(dir, true), cache, o);
  }
  if (!names.some(n => /(?:^|\/)manifest\.json$/.test(n))) return compiled(path, cache, o);
  const dir = await cached(cache, `unpacked-${await digestOf(path)}`, into => unpack(path, into));
  return given(isBundle(dir) ? dir : (innerBundle(dir) ?? none(path, 'its manifest.json is in no folder of its own')));
}
const none = (path: string, why: string): never => {
  throw new ServeError(400, `${path} holds no model that can be served: ${why}`);
};
/** The only bundle that is in a folder. */
function innerBundle(path: string): string | undefined {
  const inside = visible(path).filter(f => isBundle(join(path, f)));
  const [only] = inside;
  if (inside.length > 1) none(path, `it holds the bundles ${inside.join(', ')}; serve it as a folder of models`);
  return only === undefined ? undefined : join(path, only);
}
const visible = (dir: string): string[] =>
  readdirSync(dir)
    .filter(f => !f.startsWith('.'))
    .sort();
/** What in a folder is the model: its only file, its only archive, or the folder itself where a format is of several files. */
function modelIn(path: string, first: boolean): string {
  const files = visible(path).filter(f => statSync(join(path, f)).isFile());
  const [one] = files;
  if (one === undefined) return none(path, 'there is no file in it');
  return files.length === 1 || first ? join(path, one) : path;
}
/** A file of a cross-validation that XGBoost's container trained; several answer together. */
const isFold = (name: string): boolean => /(?:^|[/])xgboost-model-\d+$/.test(name);
/** Folds in a folder as the archive that the compiler reads them from; any other model as it is. */
async function foldsOf(folder: string, model: string, cache: string): Promise<string> {
  const files = visible(folder).filter(isFold);
  if (model !== folder || files.length < 2) return model;
  const dir = await cached(cache, `folds-${await digestOf(folder)}`, into => pack(folder, files, into));
  return join(dir, FOLDS);
}
async function compiled(model: string, cache: string, o: PrepareOptions): Promise<Found> {
  const dims = o.dims ?? {};
  const key = await digestOf(model, version(), TARGET, JSON.stringify(dims));
  const dir = await cached(cache, `compiled-${key}`, out => compileApart({ model: resolve(model), out, target: TARGET, dims }));
  return { dir, compiled: true };
}
function version(): string {
  const { version } = createRequire(import.meta.url)('sinter/package.json') as { readonly version: string };
  return version;
}
function compileApart(request: CompileRequest): Promise<void> {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [program('./compile', import.meta.url), JSON.stringify(request)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let text = '';
    child.stderr.on('data', (chunk: Buffer) => (text = (text + chunk.toString()).slice(-4000)));
    child.on('error', e => failed(new ServeError(500, `the compiler did not start: ${e.message}`, e)));
    child.on('close', (code, signal) => {
      if (code === 0) {
        done();
        return;
      }

      failed(
        new ServeError(
          400,
          `${request.model} cannot be compiled: ${text.trim() || `the compiler ended with ${signal ?? String(code)}`}`,
        ),
      );
    });
  });
}
