import { closeSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { fail } from '../core/diagnostic.ts';
import { unsafePath, type ExternalResolver } from '../import/shared/external.ts';

/** One call of read(2) gives at most about this much. */
const CHUNK = 1 << 30;

/**
 * Reads the tensors that a model keeps in files beside it, each only where it is used. E204 for what is missing, too short, not a
 * plain file, or outside the model's folder, also by way of a symbolic link.
 */
export function folderResolver(modelPath: string): ExternalResolver {
  const folder = realpathSync(dirname(modelPath));
  return (location, offset, length) => {
    const bad = (why: string): never => fail('E204', { why: `'${location}' ${why}` });
    const unsafe = unsafePath(location);
    if (unsafe !== undefined) bad(unsafe);
    let path: string;
    try {
      path = realpathSync(join(folder, location));
    } catch {
      return bad('is not there, beside the model');
    }
    if (!path.startsWith(folder.endsWith(sep) ? folder : folder + sep))
      bad("is a link that leaves the model's folder; put the file itself there");
    // Before it is opened: opening a pipe waits for its writer.
    const stat = statSync(path);
    if (!stat.isFile()) bad('is not a plain file');
    const size = length ?? stat.size - offset;
    if (offset < 0 || size < 0 || offset + size > stat.size)
      bad(`has ${stat.size} bytes; ${size} from byte ${offset} are wanted`);
    const out = new Uint8Array(size);
    let fd: number;
    try {
      fd = openSync(path, 'r');
    } catch (e) {
      return bad(`cannot be opened (${String(e)})`);
    }
    try {
      for (let at = 0; at < size;) {
        const got = readSync(fd, out, at, Math.min(CHUNK, size - at), offset + at);
        if (got === 0) bad('became shorter while it was read');
        at += got;
      }
    } finally {
      closeSync(fd);
    }
    return out;
  };
}
