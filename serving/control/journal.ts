/**
 * A map on disk that survives kill -9 at any moment: each change is one line, synced before it counts. Reading stops at the first line that
 * is not whole, which can only be the last one; opening writes the file anew with one line for each value.
 */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

export interface Journal {
  /** All values of a kind, in the order of their keys' first change. */
  all(kind: string): ReadonlyMap<string, unknown>;
  get(kind: string, key: string): unknown;
  put(kind: string, key: string, value: unknown): void;
  delete(kind: string, key: string): void;
  close(): void;
}
type Line = readonly [kind: string, key: string, value?: unknown];
/** Lines that are no longer in force, beyond which the file is written anew. */
const SLACK = 10_000;

/** Opens or makes the journal at a path. Errors: those of the file system; an Error where a line in the middle is damaged. */
export function openJournal(path: string): Journal {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const kinds = replay(path);
  let [fd, lines] = compact(path, kinds);
  let broken = false;
  const renew = (): void => {
    closeSync(fd);
    [fd, lines] = compact(path, kinds);
    broken = false;
  };
  const append = (line: Line): void => {
    if (broken) renew();
    try {
      writeWhole(fd, `${JSON.stringify(line)}\n`);
      fdatasyncSync(fd);
    } catch (e) {
      // As when the disk is full: a part of the line may be there.
      broken = true;
      throw e;
    }
    if (++lines > size(kinds) + SLACK) renew();
  };
  const none: ReadonlyMap<string, unknown> = new Map();
  return {
    all: kind => kinds.get(kind) ?? none,
    get: (kind, key) => kinds.get(kind)?.get(key),
    put: (kind, key, value) => {
      append([kind, key, value]);
      kindOf(kinds, kind).set(key, value);
    },
    delete: (kind, key) => {
      if (!kinds.get(kind)?.has(key)) return;
      append([kind, key]);
      kinds.get(kind)?.delete(key);
    },
    close: () => closeSync(fd),
  };
}
type Kinds = Map<string, Map<string, unknown>>;
const size = (kinds: Kinds): number => [...kinds.values()].reduce((n, m) => n + m.size, 0);
function kindOf(kinds: Kinds, kind: string): Map<string, unknown> {
  let map = kinds.get(kind);
  if (map === undefined) kinds.set(kind, (map = new Map<string, unknown>()));
  return map;
}
function replay(path: string): Kinds {
  const kinds: Kinds = new Map<string, Map<string, unknown>>();
  if (!existsSync(path)) return kinds;
  const text = readFileSync(path, 'utf8');
  const lines = text.split('\n');
  // What follows the last line break was being written when the daemon died.
  lines.pop();
  for (const [i, text] of lines.entries()) {
    let line: Line;
    try {
      line = JSON.parse(text) as Line;
    } catch {
      throw new Error(`${path}:${i + 1} is not a line of a journal; mend it, or move the file away to begin anew`);
    }
    const [kind, key, value] = line;
    if (line.length > 2) kindOf(kinds, kind).set(key, value);
    else kinds.get(kind)?.delete(key);
  }
  return kinds;
}
function compact(path: string, kinds: Kinds): [fd: number, lines: number] {
  const fresh = `${path}.new`;
  const fd = openSync(fresh, 'w', 0o600);
  for (const [kind, map] of kinds) for (const [key, value] of map) writeWhole(fd, `${JSON.stringify([kind, key, value])}\n`);
  fsyncSync(fd);
  renameSync(fresh, path);
  const folder = openSync(dirname(path), 'r');
  fsyncSync(folder);
  closeSync(folder);
  return [fd, size(kinds)];
}
function writeWhole(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
}
