import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fail, must } from '../core/diagnostic.ts';
import { parseDim, rangeOf, symbolsOf, type Dim } from '../core/dim.ts';
import { DTYPES, isDType, type DType, type TypedArray } from '../core/dtype.ts';
import { fromTyped, typed, type Tensor } from '../core/tensor.ts';
import { bindAll, concrete, showMisfit, type Bindings } from '../graph/bind.ts';
import { productsOf } from '../bundle/native/toolchain.ts';
import type { CompileOptions, PortReport, Report } from '../options.ts';
import type { Profile } from '../target/profile.ts';
import { isBundle, readText } from '../host/files.ts';
import type { Columns } from '../data/csv.ts';
import { loadInput, loadInputs, type Want } from '../data/inputs.ts';
import { openNative, type NativeBuild } from './native.ts';
import { UsageError } from '../core/diagnostic.ts';

/** What the commands read of a bundle's manifest.json. */
export interface Manifest {
  readonly name: string;
  readonly target: string;
  readonly source: Report['source'];
  readonly options: Pick<CompileOptions, 'dims' | 'format' | 'iterations' | 'outputs' | 'treeStrategy'>;
  readonly inputs: readonly PortReport[];
  readonly outputs: readonly PortReport[];
  readonly symbols: Report['symbols'];
  /** The input that takes rows of features, and what its columns are called (f0, f1, … where the model does not say). */
  readonly rows?: { readonly input: string };
  readonly featureNames?: readonly string[];
  readonly profiles: Readonly<Record<string, Profile>>;
  /** Where it is C. */
  readonly native?: NativeBuild;
}
/** A loaded bundle; tensors go in and out by name. */
export interface Bundle {
  readonly dir: string;
  readonly manifest: Manifest;
  readonly profile: string;
  run(inputs: ReadonlyMap<string, Tensor>): Map<string, Tensor>;
}
interface RuntimeTensor {
  readonly data: TypedArray;
  readonly dims: readonly number[];
}
interface RuntimeModel {
  readonly profile: string;
  run(inputs: Record<string, RuntimeTensor>): Record<string, RuntimeTensor>;
}

/** What a bundle says of itself. E205 where the folder holds none. */
export function readManifest(dir: string): Manifest {
  if (!isBundle(dir)) {
    const inside = existsSync(dir) ? readdirSync(dir).filter(d => isBundle(join(dir, d))) : [];
    const hint = inside.length === 0 ? '' : `; it holds the bundles ${inside.join(', ')}`;
    fail('E205', { file: dir, why: `it is not a bundle: it has no manifest.json of Sinter${hint}` });
  }
  return JSON.parse(readText(join(dir, 'manifest.json'))) as Manifest;
}
/**
 * Loads a bundle by its own index.js, or builds its program where it is C without one that loads, or with threads. E205 where the folder
 * holds none. `threads`: at most so many, of those that it was compiled for.
 */
export async function openBundle(dir: string, threads?: number): Promise<Bundle> {
  const manifest = readManifest(dir);
  const { native } = manifest;
  const most = Math.max(...Object.values(manifest.profiles).map(p => p.threads));
  if (threads !== undefined && threads > most)
    throw new UsageError(
      `--threads ${threads}: the bundle was compiled for ${most}; \`sinter compile --threads N\` makes one for N`,
    );
  if (!native) return openIndex(dir, manifest);
  if (most > 1) return openNative(dir, manifest, native, threads);
  const { addon, program } = productsOf(native.system);
  if (addon && (program === undefined || existsSync(join(dir, addon.file))))
    try {
      return await openIndex(dir, manifest);
    } catch (e) {
      // The addon may be for another machine, whose programs an emulator may run.
      if (program === undefined) throw e;
    }
  return openNative(dir, manifest, native);
}
async function openIndex(dir: string, manifest: Manifest): Promise<Bundle> {
  const index = (await import(pathToFileURL(resolve(dir, 'index.js')).href)) as { load(): Promise<RuntimeModel> };
  const model = await index.load();
  const types = new Map(manifest.outputs.map(p => [p.name, dtypeOf(p.type)]));
  return {
    dir,
    manifest,
    profile: model.profile,
    run: inputs => {
      const given = [...inputs].map(([name, t]): [string, RuntimeTensor] => [name, { data: typed(t), dims: t.dims }]);
      const out = Object.entries(model.run(Object.fromEntries(given)));
      return new Map(out.map(([name, t]) => [name, fromTyped(types.get(name) ?? 'f32', t.dims, t.data)]));
    },
  };
}
/** The element type that onnxruntime calls so. */
export function dtypeOf(ort: string): DType {
  const t = Object.keys(DTYPES).find(k => isDType(k) && DTYPES[k].ort === ort);
  return t !== undefined && isDType(t) ? t : fail('E106', { type: ort, what: 'a tensor of the bundle' });
}

/** The sizes of a port over the symbols of the manifest. */
function dimsOf(p: PortReport, m: Manifest): Dim[] {
  const range = (name: string): { lo: number; hi: number } => m.symbols.find(s => s.name === name) ?? { lo: 0, hi: 2 ** 31 - 1 };
  return p.shape.map(d => (typeof d === 'number' ? d : parseDim(d, range)));
}
interface InputPort {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}
const port = (p: PortReport, m: Manifest): InputPort => ({ name: p.name, dtype: dtypeOf(p.type), shape: dimsOf(p, m) });
const portsOf = (m: Manifest): InputPort[] => m.inputs.map(p => port(p, m));
/** An input's type, and its sizes where they are fixed. E501 where there is none of that name. */
export function inputOf(m: Manifest, name: string): { readonly dtype: DType; readonly dims: readonly number[] | undefined } {
  const p = m.inputs.find(x => x.name === name) ?? noInput(m, name);
  const dims = p.shape.flatMap(d => (typeof d === 'number' ? [d] : []));
  return { dtype: dtypeOf(p.type), dims: dims.length === p.shape.length ? dims : undefined };
}
const noInput = (m: Manifest, input: string): never =>
  fail('E501', { input, why: `there is no such input; the inputs are ${m.inputs.map(p => p.name).join(', ')}` });
const wantsOf = (ports: readonly InputPort[], m: Manifest): Want[] =>
  ports.map(p => {
    const columns = columnsOf(p, m);
    return { name: p.name, dtype: p.dtype, dims: p.shape.map(d => rangeOf(d).lo), ...(columns && { columns }) };
  });
/** The columns of an input that is a table. */
function columnsOf(p: InputPort, m: Manifest): Columns | undefined {
  const [, count] = p.shape;
  if (p.shape.length !== 2 || typeof count !== 'number') return undefined;
  const names = m.rows?.input === p.name ? m.featureNames : undefined;
  return { count, names: names?.every((n, i) => n === `f${i}`) === true ? undefined : names };
}
/** The inputs that a .npz or .json file holds. E205, E501. */
export const inputsOfFile = (m: Manifest, file: string): Map<string, Tensor> => loadInputs(file, wantsOf(portsOf(m), m));

/** The outputs that a .npz, .npy, .json or (of one column or more) .csv file holds. E205, E501. */
export function outputsOfFile(m: Manifest, file: string): Map<string, Tensor> {
  const ports = m.outputs.map(p => port(p, m));
  const list = (p: InputPort): boolean => p.shape.length === 1;
  const wants = wantsOf(ports, m).map((w, i) => (list(must(ports[i])) ? { ...w, columns: { count: 1, names: undefined } } : w));
  const out = loadInputs(file, wants);
  for (const p of ports) {
    const t = out.get(p.name);
    if (t && list(p) && t.dims[1] === 1) out.set(p.name, { ...t, dims: t.dims.slice(0, 1) });
  }
  return out;
}

/** A size to try a symbol with: of a batch one, of a length some, within its range. */
const START = 64;

/**
 * Inputs for a bundle from what the command line says (`NAME=FILE.npy|.npz|.json|.csv|zeros|random[:SEED]`) and the tensors given. Inputs
 * that nothing is said about are random; sizes that nothing tells are small ones within their range, or what `size` chooses for a symbol.
 */
export function makeInputs(
  m: Manifest,
  flags: readonly string[],
  o: {
    readonly given?: ReadonlyMap<string, Tensor>;
    readonly seed?: number;
    readonly size?: (symbol: string, lo: number, hi: number) => number | undefined;
    /** Is told what is passed over in files. */
    readonly note?: (text: string) => void;
  } = {},
): Map<string, Tensor> {
  const env: Bindings = new Map();
  const ports = portsOf(m);
  const say = new Map(flags.map(f => splitFlag(f, m)));
  const out = new Map(o.given);
  for (const w of wantsOf(ports, m)) {
    const source = say.get(w.name);
    if (source !== undefined && !isMade(source)) out.set(w.name, loadInput(source, w, o.note));
  }
  // Files tell sizes; the loader says what is wrong with them, so a misfit here only stops the guessing.
  for (const p of ports) {
    const t = out.get(p.name);
    // Rows may be more than a batch holds: whoever runs them does it in parts.
    if (t?.dims.length === p.shape.length && m.rows?.input !== p.name)
      bindAll(
        p.shape.map((want, axis) => ({ want, got: t.dims[axis] ?? 0 })),
        env,
        (_, misfit) => fail('E501', { input: p.name, why: `size ${showMisfit(misfit)}` }),
      );
  }
  ports.forEach((p, i) => {
    if (out.has(p.name)) return;
    p.shape.forEach((d, axis) => {
      for (const s of symbolsOf(d)) {
        if (env.has(s.name)) continue;
        const small = axis === 0 ? Math.max(1, s.lo) : Math.max(s.lo, Math.floor(START / Math.max(1, stepOf(d))));
        env.set(s.name, Math.min(s.hi, o.size?.(s.name, s.lo, s.hi) ?? small));
      }
    });
    const source = say.get(p.name) ?? `random:${(o.seed ?? 1) + i}`;
    out.set(p.name, loadInput(source, { name: p.name, dtype: p.dtype, dims: concrete(p.shape, env) }));
  });
  return out;
}
const isMade = (source: string): boolean => /^(zeros|random(:\d+)?)$/.test(source);
const stepOf = (d: Dim): number => (typeof d === 'number' ? 1 : Math.abs(d.terms[0]?.coef ?? 1));
function splitFlag(f: string, m: Manifest): readonly [string, string] {
  const names = m.inputs.map(p => p.name);
  // A name may hold '='.
  const name = names.find(n => f.startsWith(`${n}=`));
  if (name !== undefined) return [name, f.slice(name.length + 1)];
  if (!f.includes('=')) throw new UsageError(`--input ${f}: write NAME=FILE.npy, .npz, .json, .csv, zeros or random[:SEED]`);
  return noInput(m, f.slice(0, f.indexOf('=')));
}
