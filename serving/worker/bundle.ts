import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ServeError, messageOf } from '../core/errors.ts';
import type { LoadedFrom } from '../core/call.ts';
import type { Port, Table, Tensors } from '../core/model.ts';
import { checkSignature } from '../core/signature.ts';
import type { Trust } from '../core/trust.ts';
import type { Tensor } from '../core/tensors.ts';

/** What is read of manifest.json. */
export interface Manifest {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly symbols: readonly { readonly name: string; readonly lo: number; readonly hi: number }[];
  readonly rows?: { readonly input: string };
  readonly featureNames?: readonly string[];
  readonly native?: unknown;
  readonly modules?: readonly { readonly wasm?: FileDigest; readonly weights?: FileDigest }[];
  readonly parity?: { readonly files?: Readonly<Record<string, string>> };
}
interface FileDigest {
  readonly file?: string | null;
  readonly sha256?: string;
}
type Run = (inputs: Tensors) => Record<string, Tensor>;
/** A bundle that is loaded, and how its files were checked. */
export interface OpenBundle {
  readonly manifest: Manifest;
  readonly profile: string;
  readonly checked: string;
  /** ServeError 400 where the inputs do not fit, or the model stops on them. */
  readonly run: Run;
}

/** Loads a bundle by its own index.js, after its files were compared with their digests. ServeError 400 where it cannot be. */
export async function openBundle({ bundle: dir, compiled }: LoadedFrom, trust: Trust): Promise<OpenBundle> {
  const signed = trust.k === 'signed' && !compiled;
  if (signed) checkSignature(dir, trust.keys);
  const manifest = readManifest(dir);
  if (manifest.native !== undefined && trust.k === 'webassembly')
    throw new ServeError(
      400,
      `${dir} is native code, which may do whatever this user may: --trust KEY loads it where it is signed, --allow-native in any case`,
    );
  const files = checkFiles(dir, manifest);
  const file = join(dir, 'index.js');
  try {
    // Node keeps what it imported by its URL, and another bundle may have taken the place of one that was open before.
    const { ino, mtimeMs } = statSync(file);
    const index = (await import(`${pathToFileURL(file).href}?${ino}-${mtimeMs}`)) as {
      load(): Promise<{ readonly profile: string; run(inputs: Tensors): Record<string, Tensor> }>;
    };
    const model = await index.load();
    return {
      manifest,
      profile: model.profile,
      checked: signed ? 'signature' : `${files} ${files === 1 ? 'file' : 'files'}`,
      run: inputs => guarded(() => model.run(inputs)),
    };
  } catch (e) {
    throw new ServeError(400, `${dir} cannot be loaded: ${messageOf(e)}`, e);
  }
}
function readManifest(dir: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(join(dir, 'manifest.json'), 'utf8'));
  } catch (e) {
    throw new ServeError(400, `${dir} has no manifest.json that can be read: ${messageOf(e)}`);
  }
  const m = json as Partial<Manifest> | null;
  if (!m || !Array.isArray(m.inputs) || !Array.isArray(m.outputs) || !Array.isArray(m.symbols))
    throw new ServeError(400, `the manifest.json in ${dir} is not of a bundle of Sinter`);
  return json as Manifest;
}
/** Compares files with the digests in manifest.json: of the code and the weights, and of all files where there is a certificate. */
function checkFiles(dir: string, m: Manifest): number {
  const wanted = new Map(Object.entries(m.parity?.files ?? {}));
  for (const { wasm, weights } of m.modules ?? [])
    for (const f of [wasm, weights]) if (typeof f?.file === 'string' && f.sha256 !== undefined) wanted.set(f.file, f.sha256);
  for (const [file, digest] of wanted) {
    if (file.split(/[\\/]/).includes('..')) throw new ServeError(400, `the manifest.json in ${dir} names ${file}, outside of it`);
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(join(dir, file));
    } catch (e) {
      throw new ServeError(400, `${dir}: ${file} cannot be read: ${messageOf(e)}`);
    }
    if (createHash('sha256').update(bytes).digest('hex') !== digest)
      throw new ServeError(400, `${dir}: ${file} is not what manifest.json says: it was changed or damaged`);
  }
  return wanted.size;
}
/** The loader's errors: E501 and E502 say what of the inputs is wrong. */
function guarded<T>(run: () => T): T {
  try {
    return run();
  } catch (e) {
    const code = e instanceof Error && 'code' in e ? String(e.code) : '';
    if (code === 'E501' || code === 'E502') throw new ServeError(400, messageOf(e).replace(/^E50\d: /, ''), e);
    throw e;
  }
}
/** The table that a model takes, where it takes rows of features. */
export function tableOf(m: Manifest): Table | undefined {
  const port = m.inputs.find(p => p.name === m.rows?.input);
  const columns = port?.shape[1];
  if (!port || m.inputs.length !== 1 || typeof columns !== 'number') return undefined;
  if (port.type !== 'float32' && port.type !== 'float64') return undefined;
  return { input: port.name, columns, type: port.type, names: m.featureNames };
}
