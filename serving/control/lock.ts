import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Keeps a folder for this process; gives what releases it. A lock whose process is gone, as after kill -9, is taken over. */
export function lockFolder(folder: string): () => void {
  const path = join(folder, 'lock');
  for (let tries = 0; tries < 3; tries++) {
    try {
      const fd = openSync(path, 'wx', 0o600);
      writeSync(fd, String(process.pid));
      closeSync(fd);
      return () => rmSync(path, { force: true });
    } catch (e) {
      if (!(e instanceof Error && 'code' in e && e.code === 'EEXIST')) throw e;
      const owner = Number(readFileSync(path, 'utf8'));
      if (owner !== process.pid && owner > 0 && lives(owner))
        throw new Error(`${folder} is in use by process ${owner}; end it, or give another folder`, { cause: e });
      rmSync(path, { force: true });
    }
  }
  throw new Error(`${path} cannot be made`);
}
function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (e) {
    return e instanceof Error && 'code' in e && e.code === 'EPERM';
  }
}
