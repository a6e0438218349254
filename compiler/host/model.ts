import { existsSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fail } from '../core/diagnostic.ts';
import type { Importer } from '../import/importer.ts';
import { mainFiles } from '../import/index.ts';
import type { ExternalResolver } from '../import/shared/external.ts';
import { folderResolver } from './external.ts';
import { readBytes } from './files.ts';

/** A model on disk, as `compile` and `inspect` take it. */
interface ModelOnDisk {
  readonly model: Uint8Array;
  readonly file: string;
  readonly external: ExternalResolver;
}
/**
 * Reads a model: a file, or a folder that holds the file which some format begins with. Files beside it are read where the model asks.
 * E205: it cannot be read, or the folder holds no such file.
 */
export function readModel(path: string, importers: readonly Importer[] = []): ModelOnDisk {
  const main = existsSync(path) && statSync(path).isDirectory() ? mainFileOf(path, importers) : path;
  return { model: readBytes(main), file: basename(main), external: folderResolver(main) };
}
function mainFileOf(folder: string, importers: readonly Importer[]): string {
  const names = mainFiles(importers);
  const name = names.find(n => existsSync(join(folder, n)));
  return name === undefined
    ? fail('E205', { file: folder, why: `it is a folder without ${names.join(', ')}; give the model's file` })
    : join(folder, name);
}
