import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as tar from 'tar';
import { ServeError, messageOf } from '../core/errors.ts';

/** The most that an archive may unfold to. */
const MOST_BYTES = 2 ** 30;
const MOST_ENTRIES = 10_000;

/** Whether a file is an archive by its name; models of XGBoost in archives are read by the compiler. */
export const isArchive = (path: string): boolean => /\.(?:tar|tar\.gz|tgz)$/i.test(path);

/** Names of the files in an archive. ServeError 400 where it is damaged, or holds what may not be unpacked. */
export async function listArchive(file: string): Promise<string[]> {
  const names: string[] = [];
  await guarded(file, check => tar.t({ file, strict: true, onReadEntry: e => (check(e), names.push(e.path)) }));
  return names;
}
/** Unpacks an archive into a folder: files and folders inside of it, and nothing else. ServeError 400. */
export async function unpack(file: string, cwd: string): Promise<void> {
  mkdirSync(cwd, { recursive: true });
  await guarded(file, check =>
    tar.x({ file, cwd, strict: true, preserveOwner: false, filter: (_, e) => !('type' in e) || check(e) }),
  );
}
export const FOLDS = 'model.tar';
/** Packs files of a folder into an archive in another. */
export async function pack(cwd: string, files: readonly string[], into: string): Promise<void> {
  mkdirSync(into, { recursive: true });
  await tar.c({ cwd, file: join(into, FOLDS), portable: true }, [...files]);
}
interface Entry {
  readonly path: string;
  readonly type: string;
  readonly size: number;
}
/** Looks at every entry before it is used. */
async function guarded(file: string, read: (check: (e: Entry) => boolean) => Promise<unknown>): Promise<void> {
  let bytes = 0;
  let entries = 0;
  let wrong: string | undefined;
  const check = (e: Entry): boolean => {
    bytes += e.size;
    entries++;
    if (/^[/\\]|^[a-z]:|(?:^|[/\\])\.\.(?:[/\\]|$)/i.test(e.path)) wrong ??= `'${e.path.slice(0, 100)}' leaves its folder`;
    else if (!['File', 'OldFile', 'ContiguousFile', 'Directory', 'GNUDumpDir'].includes(e.type))
      wrong ??= `'${e.path.slice(0, 100)}' is a ${e.type}; only files and folders are unpacked`;
    else if (bytes > MOST_BYTES) wrong ??= `it unfolds to more than ${MOST_BYTES} bytes`;
    else if (entries > MOST_ENTRIES) wrong ??= `it has more than ${MOST_ENTRIES} entries`;
    return wrong === undefined;
  };
  try {
    await read(check);
  } catch (e) {
    throw new ServeError(400, `${file} is no archive that can be read: ${wrong ?? messageOf(e)}`, e);
  }
  if (wrong !== undefined) throw new ServeError(400, `${file} is refused: ${wrong}`);
  if (entries === 0) throw new ServeError(400, `${file} is an archive without files`);
}
