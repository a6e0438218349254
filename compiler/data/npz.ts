import { unzipSync, zipSync } from 'fflate';
import { CompileError, fail } from '../core/diagnostic.ts';
import type { Tensor } from '../core/tensor.ts';
import { readNpy, writeNpy } from './npy.ts';

/** Deflate never expands further than this, so an entry that claims more lies about its size. */
const MAX_RATIO = 1032;

/** Reads NumPy's .npz: a zip archive of .npy files, by name without the ending. E205 where it is not sound. */
export function readNpz(bytes: Uint8Array, file: string): Map<string, Tensor> {
  const entries = unzip(bytes, file);
  const out = new Map<string, Tensor>();
  for (const [name, data] of Object.entries(entries)) out.set(name.slice(0, -'.npy'.length), readNpy(data, `${file}#${name}`));
  if (out.size === 0) fail('E205', { file, why: 'it holds no .npy files' });
  return out;
}
function unzip(bytes: Uint8Array, file: string): Record<string, Uint8Array> {
  try {
    return unzipSync(bytes, {
      filter: e => {
        if (e.originalSize > MAX_RATIO * e.size + 64)
          fail('E205', { file, why: `entry '${e.name}' claims ${e.originalSize} bytes` });
        return e.name.endsWith('.npy');
      },
    });
  } catch (e) {
    if (e instanceof CompileError) throw e;
    return fail('E205', { file, why: `it is not a sound .npz archive (${e instanceof Error ? e.message : String(e)})` });
  }
}
/** A .npz archive, stored without compression as `numpy.savez` does; equal tensors give equal bytes. */
export function writeNpz(tensors: ReadonlyMap<string, Tensor>): Uint8Array {
  const files = [...tensors].map(([name, t]) => [`${name}.npy`, writeNpy(t)] as const);
  return zipSync(Object.fromEntries(files), { level: 0, mtime: new Date(1980, 0, 1) });
}
