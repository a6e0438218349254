import type { ModelFile } from './model.ts';
import { LARGEST, packed, together, type Bytes } from './packed.ts';

/** What the manifest of a bundle for WebAssembly says of its files. */
interface Modules {
  readonly modules?: readonly {
    readonly wasm: { readonly file: string };
    readonly weights: { readonly file?: string | null };
  }[];
}
/** What a page downloads of a bundle, beside the model that it was made from. */
export interface Download {
  /** All files of the model. */
  readonly model: Bytes;
  /** Of the module that takes most: all of its files, and of them index.js and the code, and the weights. */
  readonly bundle: Bytes;
  readonly code: Bytes;
  readonly weights: Bytes;
}
/** Undefined of a bundle that is not for WebAssembly. `largest`: larger files are not packed. */
export async function downloadOf(
  files: ReadonlyMap<string, Uint8Array>,
  model: readonly ModelFile[],
  largest = LARGEST,
): Promise<Download | undefined> {
  const manifest = files.get('manifest.json');
  const { modules = [] } = manifest ? (JSON.parse(new TextDecoder().decode(manifest)) as Modules) : {};
  const sizes = new Map<string, Bytes>();
  const small = async (f: ModelFile): Promise<Bytes> => (f.bytes > largest ? { disk: f.bytes } : packed(f.read()));
  const sizeOf = async (names: readonly (string | null | undefined)[]): Promise<Bytes> => {
    const all: Bytes[] = [];
    for (const name of names) {
      const bytes = name == null ? undefined : files.get(name);
      if (name == null || !bytes) continue;
      const size = sizes.get(name) ?? (await small({ bytes: bytes.length, read: () => bytes }));
      sizes.set(name, size);
      all.push(size);
    }
    return together(all);
  };
  const all: Omit<Download, 'model'>[] = [];
  for (const m of modules) {
    const code = await sizeOf(['index.js', 'worker.js', m.wasm.file]);
    const weights = await sizeOf([m.weights.file]);
    all.push({ code, weights, bundle: together([code, weights]) });
  }
  const rank = (d: Omit<Download, 'model'>): number => d.bundle.gzip ?? d.bundle.disk;
  const [most] = all.sort((a, b) => rank(b) - rank(a));
  return most && { ...most, model: together(await Promise.all(model.map(small))) };
}
