import { gzipSync } from 'node:zlib';
import { Header } from 'tar';

const BLOCK = 512;
/** A .tar.gz of files: the same bytes for the same files. */
export function archive(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (const [path, data] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const header = Buffer.alloc(BLOCK);
    new Header({ path, size: data.length, mode: 0o644, type: 'File', mtime: new Date(0), uid: 0, gid: 0 }).encode(header);
    blocks.push(header, data, new Uint8Array((BLOCK - (data.length % BLOCK)) % BLOCK));
  }
  blocks.push(new Uint8Array(2 * BLOCK));
  return gzipSync(Buffer.concat(blocks), { level: 9 });
}
