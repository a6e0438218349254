import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
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
/** A file of a model. */
export interface ModelFile {
  readonly bytes: number;
  read(): Uint8Array;
}
/** The same, and what has been read of it: the file, and those beside it that were asked for. */
export function countedModel(
  path: string,
  importers: readonly Importer[] = [],
): ModelOnDisk & { readonly files: () => readonly ModelFile[] } {
  const m = readModel(path, importers);
  const asked = new Set<string>();
  const folder = statSync(path).isDirectory() ? path : dirname(path);
  return {
    ...m,
    external: (location, offset, length) => {
      const bytes = m.external(location, offset, length);
      asked.add(location);
      return bytes;
    },
    files: () => [
      { bytes: m.model.length, read: () => m.model },
      ...Array.from(asked, f => ({ bytes: statSync(join(folder, f)).size, read: () => m.external(f, 0, undefined) })),
    ],
  };
}
function mainFileOf(folder: string, importers: readonly Importer[]): string {
  const names = mainFiles(importers);
  const name = names.find(n => existsSync(join(folder, n)));
  return name === undefined
    ? fail('E205', { file: folder, why: `it is a folder without ${names.join(', ')}; give the model's file` })
    : join(folder, name);
}
