import { utf8 } from '../core/bytes.ts';
import { fail } from '../core/diagnostic.ts';
import type { DType } from '../core/dtype.ts';
import type { Tensor } from '../core/tensor.ts';
import { blank } from '../core/texts.ts';
import { readCsv, type Columns } from '../data/csv.ts';
import { readJson } from '../data/json.ts';
import { readNpy } from '../data/npy.ts';
import { readNpz } from '../data/npz.ts';
import { randomTensor } from '../data/random.ts';
import { readBytes } from '../host/files.ts';

/** What an input of a bundle is: `dims` are those to make data of, where no file says others. */
export interface Want {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** Texts to make data of. */
  readonly texts?: readonly string[];
  /** Of a table of rows: what its columns are. */
  readonly columns?: Columns;
}

/**
 * The tensor that the command line names for an input: `zeros`, `random`, `random:SEED`, or a file .npy, .npz (the entry of the
 * input's name, or the only one), .json, or .csv for rows of features (see `readCsv`; `note` is told what it passes over). Random floats are uniform in [-1, 1), integers in 0 … 9, bools 0 or 1. A file's own sizes
 * and type are kept: whether they suit the input is for the caller to say. E205 for a file that cannot be read.
 */
export function loadInput(source: string, want: Want, note: (text: string) => void = () => undefined): Tensor {
  if (source === 'zeros') return blank(want.dtype, want.dims);
  const seed = /^random(?::(\d{1,9}))?$/.exec(source);
  if (seed) return randomTensor(want.dtype, want.dims, Number(seed[1] ?? 1), want.texts);
  const format = formatOf(source);
  const bytes = readBytes(source);
  switch (format) {
    case 'npy':
      return readNpy(bytes, source);
    case 'npz':
      return pick(readNpz(bytes, source), want.name, source);
    case 'json':
      return pick(readJson(bytes, source), want.name, source)(want.dtype);
    case 'csv':
      if (!want.columns)
        return fail('E205', { file: source, why: `CSV holds rows, and the input ${want.name} does not take rows` });
      return readCsv(bytes, source, { ...want, ...want.columns }, note);
  }
}
/** The inputs that a text in JSON holds, by name. E205, E501. */
export function textInputs(json: string, place: string, wants: readonly Want[]): Map<string, Tensor> {
  const all = readJson(utf8(json), place);
  const [only] = wants;
  return new Map(
    [...all].map(([name, make]) => {
      const want = name === '' && wants.length === 1 && only ? only : wanted(name, wants, place);
      return [want.name, make(want.dtype)];
    }),
  );
}
const wanted = (name: string, wants: readonly Want[], file: string): Want =>
  wants.find(w => w.name === name) ??
  fail('E501', { input: name, why: `${file} names it, and there are only ${wants.map(w => w.name).join(', ')}` });
/** All tensors of a .npz or .json file, by input name; JSON without types takes those of `wants`. E205, E501. */
export function loadInputs(file: string, wants: readonly Want[]): Map<string, Tensor> {
  const format = formatOf(file);
  const bytes = readBytes(file);
  const [only] = wants;
  if (wants.length === 1 && only && (format === 'npy' || format === 'csv')) return new Map([[only.name, loadInput(file, only)]]);
  if (format === 'npy' || format === 'csv')
    return fail('E205', { file, why: `a .${format} file holds one array without a name; .npz or .json hold several` });
  if (format === 'npz') {
    const all = readNpz(bytes, file);
    for (const name of all.keys()) wanted(name, wants, file);
    return all;
  }
  return new Map([...readJson(bytes, file)].map(([name, make]) => [name, make(wanted(name, wants, file).dtype)]));
}
function formatOf(path: string): 'npy' | 'npz' | 'json' | 'csv' {
  const end = /\.(npy|npz|json|csv)$/i.exec(path)?.[1]?.toLowerCase();
  if (end === 'npy' || end === 'npz' || end === 'json' || end === 'csv') return end;
  return fail('E205', {
    file: path,
    why: 'inputs are .npy, .npz, .json or (rows of features) .csv files, `zeros`, `random` or `random:SEED`',
  });
}
function pick<T>(all: ReadonlyMap<string, T>, name: string, file: string): T {
  const only = all.size === 1 ? [...all.values()][0] : undefined;
  return (
    all.get(name) ??
    only ??
    fail('E205', { file, why: `it has no entry '${name}', only ${[...all.keys()].slice(0, 20).join(', ')}` })
  );
}
