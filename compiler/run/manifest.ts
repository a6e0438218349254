import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fail } from '../core/diagnostic.ts';
import { parseDim, rangeOf, type Dim } from '../core/dim.ts';
import { DTYPES, isDType, type DType } from '../core/dtype.ts';
import type { Columns } from '../data/csv.ts';
import type { NativeBuild } from '../host/build.ts';
import { isBundle, readText } from '../host/files.ts';
import type { CompileOptions, ModelChoices, PortReport, Report } from '../options.ts';
import type { ProfileData } from '../target/profile.ts';
import type { Want } from './load.ts';

/** What is read of a bundle's manifest.json. */
export interface Manifest {
  readonly name: string;
  readonly target: string;
  readonly source: Report['source'];
  readonly options: ModelChoices & Pick<CompileOptions, 'treeStrategy' | 'optimize'>;
  readonly inputs: readonly PortReport[];
  readonly outputs: readonly PortReport[];
  readonly symbols: Report['symbols'];
  /** Sizes that must be equal when it runs. */
  readonly guards?: readonly (readonly [string, string])[];
  /** The texts that the model knows. */
  readonly texts?: readonly string[];
  /** The input that takes rows of features, and what its columns are called (f0, f1, … where the model does not say). */
  readonly rows?: { readonly input: string };
  readonly featureNames?: readonly string[];
  readonly profiles: Readonly<Record<string, ProfileData>>;
  /** Where it is C. */
  readonly native?: NativeBuild;
}
/** What a bundle says of itself. E207 where the folder holds none. */
export function readManifest(dir: string): Manifest {
  if (!isBundle(dir)) {
    const inside = existsSync(dir) ? readdirSync(dir).filter(d => isBundle(join(dir, d))) : [];
    const hint = inside.length === 0 ? '' : `; it holds the bundles ${inside.join(', ')}`;
    fail('E207', { dir, why: `it has no manifest.json of Sinter${hint}` });
  }
  return JSON.parse(readText(join(dir, 'manifest.json'))) as Manifest;
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
export interface InputPort {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}
export const port = (p: PortReport, m: Manifest): InputPort => ({ name: p.name, dtype: dtypeOf(p.type), shape: dimsOf(p, m) });
export const portsOf = (m: Manifest): InputPort[] => m.inputs.map(p => port(p, m));
/** An input's type, and its sizes where they are fixed. E501 where there is none of that name. */
export function inputOf(m: Manifest, name: string): { readonly dtype: DType; readonly dims: readonly number[] | undefined } {
  const p = m.inputs.find(x => x.name === name) ?? noInput(m, name);
  const dims = p.shape.flatMap(d => (typeof d === 'number' ? [d] : []));
  return { dtype: dtypeOf(p.type), dims: dims.length === p.shape.length ? dims : undefined };
}
export const noInput = (m: Manifest, input: string): never =>
  fail('E501', { input, why: `there is no such input; the inputs are ${m.inputs.map(p => p.name).join(', ')}` });
export const wantsOf = (ports: readonly InputPort[], m: Manifest): Want[] =>
  ports.map(p => {
    const columns = columnsOf(p, m);
    const dims = p.shape.map(d => rangeOf(d).lo);
    return { name: p.name, dtype: p.dtype, dims, ...(columns && { columns }), ...(m.texts && { texts: m.texts }) };
  });
/** The columns of an input that is a table. */
function columnsOf(p: InputPort, m: Manifest): Columns | undefined {
  const [, count] = p.shape;
  if (p.shape.length !== 2 || typeof count !== 'number') return undefined;
  const names = m.rows?.input === p.name ? m.featureNames : undefined;
  return { count, names: names?.every((n, i) => n === `f${i}`) === true ? undefined : names };
}
