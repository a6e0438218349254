import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readText } from '../../compiler/host/files.ts';
import { LARGEST, packed, together, type Bytes } from '../../compiler/host/packed.ts';
import type { Footprint } from './result.ts';

const known = new Map<string, Bytes>();
/** Sizes of files together, each packed by itself as a server does. A file is packed once in the life of the process. */
export async function sizeOf(files: readonly string[]): Promise<Bytes> {
  const all: Bytes[] = [];
  for (const f of files) {
    const disk = statSync(f).size;
    const had = known.get(f) ?? (disk > LARGEST ? { disk } : await packed(readFileSync(f)));
    known.set(f, had);
    all.push(had);
  }
  return together(all);
}

/** What a manifest says of sizes. */
interface Parts {
  readonly macs?: number | null;
  readonly modules?: readonly {
    readonly profile: string;
    readonly wasm: { readonly file: string };
    readonly weights: { readonly file?: string | null };
    readonly arena: number;
  }[];
  readonly native?: { readonly arena: number };
}
const partsOf = (dir: string): Parts => JSON.parse(readText(join(dir, 'manifest.json'))) as Parts;
/** Bytes of inputs, outputs and scratch memory of the module that runs, and multiply-adds of a run where operators tell. */
export function aboutBundle(dir: string, profile: string): { readonly arena: number; readonly macs: number | undefined } {
  const m = partsOf(dir);
  const arena = m.native?.arena ?? m.modules?.find(x => x.profile === profile)?.arena ?? 0;
  return { arena, macs: m.macs ?? undefined };
}
/** What a user gets of a bundle: of several modules the one that runs, of a native one its library. undefined: nothing is built. */
export async function sizeOfBundle(dir: string, profile: string): Promise<Footprint['size']> {
  const has = (f: string): string[] => (existsSync(join(dir, f)) ? [join(dir, f)] : []);
  const module = partsOf(dir).modules?.find(m => m.profile === profile);
  if (module) {
    const weights = module.weights.file ?? undefined;
    return {
      code: await sizeOf([...has('index.js'), ...has(module.wasm.file)]),
      weights: await sizeOf(weights === undefined ? [] : has(weights)),
    };
  }
  const libraries = [...has('model.node'), ...has('libmodel.so')];
  const [first] = libraries;
  if (first === undefined) return undefined;
  const [weights] = has('model.weights');
  // Without a file of weights each library is whole.
  if (weights === undefined) return { code: await sizeOf([first]), weights: await sizeOf([]) };
  // The weights lie in the library as they are in their file.
  const all = Buffer.concat(libraries.map(f => readFileSync(f)));
  const inside = readFileSync(weights);
  const at = all.indexOf(inside);
  const code = at < 0 ? all : Buffer.concat([all.subarray(0, at), all.subarray(at + inside.length)]);
  return { code: await packed(code), weights: await sizeOf([weights]) };
}
