import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { readText } from '../../compiler/host/files.ts';
import type { Bytes, Footprint } from './result.ts';

/** Brotli's level for answers made on the fly; its highest takes minutes for what is here as large as a runtime. Gzip: its default. */
const BROTLI_LEVEL = 5;

/** Larger files are not packed: nobody should wait for that. */
const LARGEST = 1 << 25;

const known = new Map<string, Bytes>();
/** Sizes of files together, each packed by itself as a server does. A file is packed once in the life of the process. */
export async function sizeOf(files: readonly string[]): Promise<Bytes> {
  const all: Bytes[] = [];
  for (const f of files) {
    const had = known.get(f) ?? (await packed(readFileSync(f)));
    known.set(f, had);
    all.push(had);
  }
  return sum(all);
}
function sum(all: readonly Bytes[]): Bytes {
  const of = (key: keyof Bytes): number | undefined =>
    all.reduce<number | undefined>((n, b) => (n === undefined || b[key] === undefined ? undefined : n + b[key]), 0);
  const [gzip, brotli] = [of('gzip'), of('brotli')];
  return { disk: of('disk') ?? 0, ...(gzip !== undefined && { gzip }), ...(brotli !== undefined && { brotli }) };
}
async function packed(bytes: Uint8Array): Promise<Bytes> {
  if (bytes.length > LARGEST) return { disk: bytes.length };
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_SIZE_HINT } = constants;
  const zipped = await promisify(gzip)(bytes);
  const params = { [BROTLI_PARAM_QUALITY]: BROTLI_LEVEL, [BROTLI_PARAM_SIZE_HINT]: bytes.length };
  const broken = await promisify(brotliCompress)(bytes, { params });
  return { disk: bytes.length, gzip: zipped.length, brotli: broken.length };
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
  const [library] = [...has('model.node'), ...has('libmodel.so')];
  if (library === undefined) return undefined;
  const [weights] = has('model.weights');
  if (weights === undefined) return { code: await sizeOf([library]), weights: await sizeOf([]) };
  // The weights lie in the library as they are in their file.
  const all = readFileSync(library);
  const inside = readFileSync(weights);
  const at = all.indexOf(inside);
  const code = at < 0 ? all : Buffer.concat([all.subarray(0, at), all.subarray(at + inside.length)]);
  return { code: await packed(code), weights: await sizeOf([weights]) };
}
