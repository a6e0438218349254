/** A bundle as exports need it: its files, what it takes and gives, and what it needs to run. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Manifest } from 'sinter';
import { MiB } from '../core/limits.ts';
import { datatypeOf } from '../core/tensors.ts';

/** What a person can mend: no bundle, one that the target cannot run, a name that it does not allow. */
export class ExportError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ExportError';
  }
}
/** An input or an output. */
export interface Port {
  readonly name: string;
  /** As the Open Inference Protocol names it. */
  readonly datatype: string;
  /** -1: varies. */
  readonly shape: readonly number[];
}
export interface ExportedBundle {
  readonly name: string;
  readonly manifest: Manifest;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** The most rows of a run, where the first size of all inputs and outputs is the number of rows. */
  readonly maxRows: number | undefined;
  /** Code of the machine; `arch` as images name processors, undefined where the code is for any or for one that they do not name. */
  readonly native: { readonly arch: 'amd64' | 'arm64' | undefined } | undefined;
  /** The WebAssembly module and its weights where the bundle has one module only. */
  readonly module: { readonly wasm: string; readonly weights: string | undefined } | undefined;
  /** Memory that an instance should get, in MiB. */
  readonly memory: number;
}
/** What is read of a manifest besides what `Manifest` promises. */
interface Modules {
  readonly modules?: readonly {
    readonly wasm: { readonly file: string };
    readonly weights: { readonly file: string | null };
    readonly arena: number;
  }[];
}
/** What Node and one model take without its memory, in MiB. */
const BASE = 256;
/** The largest bundle that is exported, in bytes. */
const LARGEST = 4096 * MiB;

/** Reads a bundle. ExportError where the folder holds none, or one that lacks files. */
export function readBundle(dir: string): ExportedBundle {
  const manifest = readManifest(dir);
  const names = readdirSync(dir).filter(f => statSync(join(dir, f)).isFile());
  const size = names.reduce((n, f) => n + statSync(join(dir, f)).size, 0);
  if (size > LARGEST) throw new ExportError(`${dir} holds ${Math.ceil(size / MiB)} MiB; at most ${LARGEST / MiB} are exported`);
  const files = new Map<string, Uint8Array>(names.map(f => [f, readFileSync(join(dir, f))]));
  const { modules } = manifest;
  const [only, second] = modules ?? [];
  const needed = [
    'index.js',
    ...(modules ?? []).flatMap(m => [m.wasm.file, ...(m.weights.file === null ? [] : [m.weights.file])]),
  ];
  const missing = needed.filter(f => !files.has(f));
  if (missing.length > 0) throw new ExportError(`${dir} lacks ${missing.join(', ')}; compile the model again`);
  const arena = manifest.native?.arena ?? Math.max(...(modules ?? []).map(m => m.arena));
  const flags = (manifest.native?.flags ?? []).join(' ');
  return {
    name: manifest.name,
    manifest,
    files,
    inputs: manifest.inputs.map(portOf),
    outputs: manifest.outputs.map(portOf),
    maxRows: maxRowsOf(manifest),
    native: manifest.native && {
      arch: flags.includes('-march=x86-64') ? 'amd64' : flags.includes('-march=armv8') ? 'arm64' : undefined,
    },
    module: only && !second ? { wasm: only.wasm.file, weights: only.weights.file ?? undefined } : undefined,
    memory: BASE + 64 * Math.ceil((2 * (arena + size)) / MiB / 64),
  };
}
function readManifest(dir: string): Manifest & Modules {
  if (!existsSync(dir) || !statSync(dir).isDirectory())
    throw new ExportError(`${dir} is not a folder; give the folder of a bundle`);
  const file = join(dir, 'manifest.json');
  const hint = 'make one with `sinter compile MODEL -o FOLDER`';
  if (!existsSync(file)) {
    const inside = readdirSync(dir).filter(d => existsSync(join(dir, d, 'manifest.json')));
    throw new ExportError(
      inside.length > 0
        ? `${dir} is not a bundle; it holds ${inside.join(', ')}: give one of them`
        : `${dir} is not a bundle: ${hint}`,
    );
  }
  let m: unknown;
  try {
    m = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    throw new ExportError(`${file} is damaged; compile the model again`);
  }
  if (!isManifest(m)) throw new ExportError(`${file} is not of Sinter: ${hint}`);
  return m;
}
const isManifest = (m: unknown): m is Manifest & Modules =>
  typeof m === 'object' &&
  m !== null &&
  'sinter' in m &&
  'name' in m &&
  typeof m.name === 'string' &&
  ['inputs', 'outputs', 'symbols'].every(k => Array.isArray(Reflect.get(m, k))) &&
  ('native' in m || 'modules' in m);
type ManifestPort = Manifest['inputs'][number];
const portOf = (p: ManifestPort): Port => ({
  name: p.name,
  datatype: datatypeOf(p.type),
  shape: p.shape.map(d => (typeof d === 'number' ? d : -1)),
});
function maxRowsOf(m: Manifest): number | undefined {
  const [rows] = new Set(m.inputs.map(p => p.shape[0]));
  const same = [...m.inputs, ...m.outputs].every(p => p.shape[0] === rows);
  const symbol = m.symbols.find(s => s.name === rows);
  return same && symbol?.lo === 1 ? symbol.hi : undefined;
}
