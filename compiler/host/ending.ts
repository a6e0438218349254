import type { ChildProcess } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';

/** What must not outlive this process: a half-written file or folder, a process, or a place whose old contents are aside for the moment. */
export type Unfinished =
  | { readonly k: 'path'; readonly path: string }
  | { readonly k: 'process'; readonly pid: number }
  | { readonly k: 'aside'; readonly path: string; readonly old: string };
/** Tells another thread, which outlives this one where a signal comes. */
export interface Change {
  readonly key: number;
  /** Undefined: it is finished. */
  readonly what: Unfinished | undefined;
}
const open = new Map<number, Unfinished>();
let next = 0;
let tell: (c: Change) => void = () => undefined;
export const onChange = (f: (c: Change) => void): void => void (tell = f);

/** Names what is about to begin; call what it gives when that is finished. */
export function unfinished(what: Unfinished): () => void {
  const key = next++;
  // Told first: who ends this process may do it at any time from here on.
  tell({ key, what });
  open.set(key, what);
  return () => {
    open.delete(key);
    tell({ key, what: undefined });
  };
}
/** The same for a process that was started, where it was. */
export const unfinishedProcess = (child: ChildProcess): (() => void) =>
  child.pid === undefined ? () => undefined : unfinished({ k: 'process', pid: child.pid });
process.on('exit', () => endAll(open.values()));

/** Ends what is unfinished, as far as it can be. */
export function endAll(all: Iterable<Unfinished>): void {
  for (const u of all)
    try {
      switch (u.k) {
        case 'path':
          rmSync(u.path, { recursive: true, force: true, maxRetries: 3 });
          break;
        case 'process':
          process.kill(u.pid, 'SIGKILL');
          break;
        case 'aside':
          if (existsSync(u.old) && !existsSync(u.path)) renameSync(u.old, u.path);
          rmSync(u.old, { recursive: true, force: true });
          break;
      }
    } catch {
      // It has ended by itself, or nobody may end it.
    }
}
