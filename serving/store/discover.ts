import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { ModelSpec } from '../core/call.ts';
import { ServeError } from '../core/errors.ts';

/** Endings of files that hold a model, for names. */
const ENDING = /\.(?:tar\.gz|tgz|tar|onnx|tflite|json|ubj|txt|pkl|model|bin|pb|keras|h5)$/i;
const nameOf = (path: string): string => basename(path).replace(ENDING, '') || 'model';
const isBundle = (path: string): boolean => existsSync(join(path, 'manifest.json'));
const visible = (dir: string): string[] =>
  readdirSync(dir)
    .filter(f => !f.startsWith('.'))
    .sort();

/**
 * The models at a path: one, or all in a folder whose entries are bundles, archives or folders of models. `NAME=PATH` names it. ServeError
 * 400 where there is none.
 */
export function discover(argument: string): readonly ModelSpec[] {
  const [, given, rest] = /^([\w.-]+)=(.+)$/s.exec(argument) ?? [];
  const path = given !== undefined && !existsSync(argument) ? (rest ?? '') : argument;
  const name = path === argument ? undefined : given;
  if (!existsSync(path)) throw new ServeError(400, `there is no model at ${path}`);
  const one = (): readonly ModelSpec[] => [{ name: name ?? nameOf(path), path }];
  if (!statSync(path).isDirectory() || isBundle(path)) return one();
  const entries = visible(path);
  const folders = entries.filter(f => statSync(join(path, f)).isDirectory());
  const archives = entries.filter(f => /\.(?:tar\.gz|tgz)$/i.test(f));
  const several =
    folders.filter(f => isBundle(join(path, f))).length > 1 ||
    archives.length > 1 ||
    (folders.length > 1 && folders.length === entries.length);
  if (entries.length === 0) throw new ServeError(400, `${path} is empty`);
  if (!several || name !== undefined) return one();
  return entries.map(f => ({ name: nameOf(f), path: join(path, f) }));
}
