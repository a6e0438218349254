// The committed models of fixtures/trees with what their libraries predict.
import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { must } from '../../compiler/core/diagnostic.ts';
import { fromTyped, type Tensor } from '../../compiler/core/tensor.ts';
import { readTar } from '../../compiler/import/shared/archive.ts';
import type { Iterations, TreeOutput } from '../../compiler/import/shared/trees.ts';

const FOLDER = new URL('../../fixtures/trees/', import.meta.url);
type Floats = Float32Array | Float64Array;

/** A model, rows of input and what the library that wrote it gives for them. */
export interface TreeCase {
  readonly library: 'xgboost' | 'lightgbm';
  readonly version: string;
  readonly name: string;
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly iterations: Iterations | undefined;
  /** f64 where the model was trained on what f32 does not hold. */
  readonly rows: Tensor;
  readonly prediction: Tensor;
  /** Undefined for the folds of a cross-validation. */
  readonly margin: Floats | undefined;
  readonly leaf: Uint16Array | undefined;
  /** Of the rows `contributionRows`. */
  readonly contributions: Floats | undefined;
  readonly contributionRows: readonly [from: number, to: number];
  /** The names of the classes. */
  readonly labels: readonly string[] | undefined;
}
/** A record of expected.json; arrays are base64. */
interface Expected {
  readonly name: string;
  readonly file: string;
  readonly features: number;
  readonly x: string;
  /** `x` is float64. */
  readonly double?: true;
  readonly margin?: string;
  readonly prediction: string;
  readonly predictionShape: readonly number[];
  readonly leaf?: string;
  readonly contributions?: string;
  readonly rounds?: readonly [number, number];
  readonly labels?: readonly string[];
}
const bytesOf = (text: string): ArrayBuffer => new Uint8Array(Buffer.from(text, 'base64')).buffer;

/** The archives: one for each version of a library. */
export const archives = (library: 'xgboost' | 'lightgbm'): readonly string[] =>
  readdirSync(FOLDER)
    .filter(f => f.startsWith(`${library}-`) && f.endsWith('.tar.gz'))
    .sort();
/** The files of an archive by name. */
export function filesOf(archive: string): ReadonlyMap<string, Uint8Array> {
  const tar = gunzipSync(readFileSync(new URL(archive, FOLDER)));
  return new Map(readTar(new Uint8Array(tar), archive).map(f => [f.name, f.bytes]));
}
export const casesOf = (archive: string): TreeCase[] => casesAmong(filesOf(archive), archive);
/** The cases of expected.json among files; `archive`: LIBRARY-VERSION. */
export function casesAmong(files: ReadonlyMap<string, Uint8Array>, archive: string): TreeCase[] {
  const library = archive.startsWith('xgboost') ? 'xgboost' : 'lightgbm';
  const floats = (s: string): Floats => (library === 'xgboost' ? new Float32Array(bytesOf(s)) : new Float64Array(bytesOf(s)));
  const optional = (s: string | undefined): Floats | undefined => (s === undefined ? undefined : floats(s));
  const { cases } = JSON.parse(new TextDecoder().decode(files.get('expected.json'))) as { readonly cases: readonly Expected[] };
  return cases.map(c => {
    const x = c.double ? new Float64Array(bytesOf(c.x)) : new Float32Array(bytesOf(c.x));
    return {
      library,
      version: must(/-(\d[\d.]*\d)/.exec(archive)?.[1]),
      name: c.name,
      file: c.file,
      bytes: must(files.get(c.file), c.file),
      iterations: c.rounds && { first: c.rounds[0], last: c.rounds[1] - 1 },
      rows: fromTyped(c.double ? 'f64' : 'f32', [x.length / c.features, c.features], x),
      prediction: fromTyped(library === 'xgboost' ? 'f32' : 'f64', c.predictionShape, floats(c.prediction)),
      margin: optional(c.margin),
      leaf: c.leaf === undefined ? undefined : new Uint16Array(bytesOf(c.leaf)),
      contributions: optional(c.contributions),
      contributionRows: library === 'xgboost' ? [4, 20] : [4, 16],
      labels: c.labels,
    };
  });
}
/** The outputs that a case has expected values of. */
export const outputsOf = (c: TreeCase): TreeOutput[] => [
  ...(c.margin ? (['margin'] as const) : []),
  ...(c.leaf ? (['leaf'] as const) : []),
  ...(c.contributions ? (['contributions'] as const) : []),
];
