import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { fail } from '../core/diagnostic.ts';
import { unfinished } from './ending.ts';

const codeOf = (e: unknown): string => (typeof e === 'object' && e !== null && 'code' in e ? String(e.code) : '');
/** Why the system refused, in words. */
function reason(e: unknown): string {
  switch (codeOf(e)) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'EISDIR':
      return 'it is a folder';
    case 'ENOTDIR':
      return 'a part of its path is not a folder';
    case 'EROFS':
      return 'the file system is read-only';
    case 'ENOSPC':
      return 'no space is left';
    default:
      return e instanceof Error ? e.message : String(e);
  }
}
/** The bytes of a file. E205 where it cannot be read. */
export function readBytes(path: string): Uint8Array {
  try {
    const b = readFileSync(path);
    return new Uint8Array(b.buffer, b.byteOffset, b.byteLength);
  } catch (e) {
    return fail('E205', { file: path, why: reason(e) });
  }
}
export const readText = (path: string): string => new TextDecoder().decode(readBytes(path));
const placeOf = (path: string): string => (existsSync(path) ? realpathSync(path) : resolve(path));
/** Writes a file, and the folders on the way: it is there as a whole or as it was. E206 where that cannot be done. */
export function writeFile(path: string, data: Uint8Array | string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const place = placeOf(path);
    if (existsSync(place) && !statSync(place).isFile()) writeFileSync(place, data);
    else replaceFile(place, data);
  } catch (e) {
    fail('E206', { file: path, why: reason(e) });
  }
}
function replaceFile(place: string, data: Uint8Array | string): void {
  const half = join(dirname(place), `.${basename(place)}.${process.pid}`);
  const done = unfinished({ k: 'path', path: half });
  try {
    writeFileSync(half, data);
    renameSync(half, place);
  } catch (e) {
    rmSync(half, { force: true });
    throw e;
  } finally {
    done();
  }
}

/** A file that appears as a whole or not at all; what was there before stays until then. */
interface NewFile {
  commit(data: Uint8Array | string): void;
}
/** Begins a file that is only written in the end. E206 where nothing can be written, before any work is done. */
export function newFile(path: string): NewFile {
  const place = placeOf(path);
  const folder = dirname(place);
  const refuse = (why: string): never => fail('E206', { file: path, why });
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (e) {
    refuse(reason(e));
  }
  if (existsSync(place) && !statSync(place).isFile()) refuse('it is no file');
  return {
    commit: data => {
      try {
        replaceFile(place, data);
      } catch (e) {
        refuse(reason(e));
      }
    },
  };
}
/** A new folder of the system's for temporary files; the end of the process removes it. */
export function temporaryFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'sinter-'));
  unfinished({ k: 'path', path: dir });
  return dir;
}

/** A folder that appears with all its files or not at all. */
interface NewFolder {
  /** Where to put the files until then. */
  readonly dir: string;
  /** Puts the folder in its place; what was there before goes. */
  commit(): void;
  /** Removes what was written; nothing after `commit`. */
  abort(): void;
}
/**
 * Begins a folder beside its place, so that an error, or the end of the process, leaves nothing half-written. A place that holds
 * something else than bundles is not touched. E206 where nothing can be written, before any work is done.
 */
export function newFolder(path: string): NewFolder {
  const place = placeOf(path);
  checkPlace(path, place);
  const dir = join(dirname(place), `.${basename(place)}.${process.pid}.${Math.random().toString(36).slice(2, 8)}`);
  const done = unfinished({ k: 'path', path: dir });
  const abort = (): void => {
    rmSync(dir, { recursive: true, force: true });
    done();
  };
  try {
    mkdirSync(dir, { recursive: true });
  } catch (e) {
    done();
    fail('E206', { file: path, why: reason(e) });
  }
  return {
    dir,
    abort,
    commit: () => {
      const old = `${dir}.old`;
      const back = unfinished({ k: 'aside', path: place, old });
      try {
        if (existsSync(place)) renameSync(place, old);
        renameSync(dir, place);
      } catch (e) {
        if (existsSync(old) && !existsSync(place)) renameSync(old, place);
        back();
        abort();
        fail('E206', { file: path, why: reason(e) });
      }
      done();
      rmSync(old, { recursive: true, force: true });
      back();
    },
  };
}
/**
 * Writes the files of a bundle, by name, to the folder `out`: it appears with all of them or not at all, and replaces a bundle that was
 * there before. Errors: E206 where it cannot be written or holds other files, E403 where it is or holds the current folder.
 */
export function writeBundle(out: string, files: ReadonlyMap<string, Uint8Array>): void {
  const folder = newFolder(out);
  try {
    for (const [name, bytes] of files) writeFile(join(folder.dir, name), bytes);
    folder.commit();
  } finally {
    folder.abort();
  }
}
function checkPlace(path: string, place: string): void {
  if (`${process.cwd()}${sep}`.startsWith(place.endsWith(sep) ? place : place + sep))
    fail('E403', {
      option: 'out',
      why: `${path} is or holds the current folder; give a folder of its own, which may be replaced`,
    });
  if (!existsSync(place)) return;
  if (!statSync(place).isDirectory()) fail('E206', { file: path, why: 'it is a file' });
  const entries = readdirSync(place);
  if (entries.length > 0 && !isBundle(place) && !entries.every(e => isBundle(join(place, e))))
    fail('E206', {
      file: path,
      why: 'it holds other files than a bundle, and would be replaced; remove it, or choose another --out',
    });
}
/** Whether a folder is a bundle by its manifest. */
export function isBundle(dir: string): boolean {
  try {
    const m: unknown = JSON.parse(readFileSync(join(dir, 'manifest.json'), 'utf8'));
    return typeof m === 'object' && m !== null && 'sinter' in m;
  } catch {
    return false;
  }
}
