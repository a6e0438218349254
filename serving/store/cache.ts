import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** Where models that were compiled or fetched are kept: `sinter` in the user's cache folder. */
export const defaultCache = (): string => join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sinter');

/** A digest of a file, or of all files in a folder with their names. */
export async function digestOf(path: string, ...more: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const text of more) hash.update(`${text}\0`);
  const files = statSync(path).isDirectory()
    ? readdirSync(path, { recursive: true, encoding: 'utf8' })
        .map(f => join(path, f))
        .filter(f => statSync(f).isFile())
        .sort()
    : [path];
  for (const file of files) {
    hash.update(`${file.slice(path.length)}\0${statSync(file).size}\0`);
    await pipeline(createReadStream(file), async source => {
      for await (const chunk of source) hash.update(chunk as Buffer);
    });
  }
  return hash.digest('hex').slice(0, 40);
}
const beginning = new Map<string, Promise<string>>();
/**
 * The folder `name` in the cache. Where it is not there, `make` fills a new one, which appears when it is whole; who asks meanwhile in
 * this process waits for the same.
 */
export function cached(cache: string, name: string, make: (dir: string) => Promise<void>): Promise<string> {
  const dir = join(cache, name);
  if (existsSync(dir)) return Promise.resolve(dir);
  const begun = beginning.get(dir) ?? makeFolder(cache, dir, make).finally(() => beginning.delete(dir));
  beginning.set(dir, begun);
  return begun;
}
async function makeFolder(cache: string, dir: string, make: (dir: string) => Promise<void>): Promise<string> {
  mkdirSync(cache, { recursive: true });
  const half = join(cache, `.${process.pid}-${randomBytes(6).toString('hex')}`);
  try {
    await make(half);
    try {
      renameSync(half, dir);
    } catch (e) {
      // Another process was faster.
      if (!existsSync(dir)) throw e;
    }
    return dir;
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
}
