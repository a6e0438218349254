import { fail } from '../core/diagnostic.ts';
import type { ImportedGraph, ImportOptions, Importer, ModelFile, OpenModel, SpecialOption } from './importer.ts';
import { SPECIAL_OPTIONS } from './importer.ts';
import { keras } from './keras/importer.ts';
import { lightgbm } from './lightgbm/importer.ts';
import { onnx } from './onnx/importer.ts';
import { tflite } from './tflite/importer.ts';
import { isPacked, isTar, readTar, unpack, type TarFile } from './shared/archive.ts';
import type { ExternalResolver } from './shared/external.ts';
import { foreignFormat } from './shared/foreign.ts';
import { zippedFolder } from './shared/zipped-folder.ts';
import { tensorflow } from './tensorflow/importer.ts';
import { xgboost } from './xgboost/importer.ts';

/** The frameworks whose models Sinter reads. Where the bytes tell several, the first one is taken. */
const IMPORTERS = [onnx, tflite, tensorflow, keras, xgboost, lightgbm] as const;

export type Format = (typeof IMPORTERS)[number]['name'];
/** What a model may be written by. */
export const FORMATS: readonly Format[] = IMPORTERS.map(i => i.name);
/** In words, for messages. */
const ACCEPTED = `Sinter reads ${IMPORTERS.map(i => i.accepts).join('; ')}`;
/** Files to begin with where a model is a folder. */
export const mainFiles = (importers: readonly Importer[]): readonly string[] => [
  ...new Set([...importers, ...IMPORTERS].flatMap(i => i.mainFile ?? [])),
];

/** How a model's bytes are to be read. */
interface SourceOptions {
  /** The file's name, for messages. */
  readonly file: string;
  /** The importer's name; told from the bytes where it is left out. */
  readonly format?: string;
  /** Gives bytes of files beside the model. */
  readonly external?: ExternalResolver;
  /** Importers besides those that Sinter has; they are asked first. */
  readonly importers?: readonly Importer[];
}
export type ModelOptions = SourceOptions & ImportOptions;
/** An open model, and who opened it. */
interface Opened extends OpenModel {
  readonly importer: Importer;
}
export interface ImportedModel extends ImportedGraph {
  /** The importer's name. */
  readonly format: string;
}

/** Files may be packed this often one in the other. */
const MAX_NESTING = 4;

/**
 * Opens a model of any format that is known; the bytes tell which, never the file's name, unless `format` forces one.
 * E202: no model, or not of the format. E203: damaged. E403: a format that nobody reads.
 */
export function openModel(given: Uint8Array, s: SourceOptions): Opened {
  const all = [...(s.importers ?? []), ...IMPORTERS];
  const forced = s.format === undefined ? undefined : named(s.format, all);
  if (given.length === 0) fail('E202', { file: s.file, why: 'the file is empty' });
  let bytes = given;
  let { file } = s;
  for (let n = 0; isPacked(bytes); n++) {
    if (n === MAX_NESTING) fail('E202', { file, why: 'it is packed too many times' });
    bytes = unpack(bytes, file, given.length);
  }
  let importer = forced;
  if (!importer && isTar(bytes)) {
    const files = readTar(bytes, file);
    const models = files.flatMap(f => {
      const of = certain(f.bytes, all);
      return of ? [{ f, of }] : [];
    });
    const others = (i: Importer): ReadonlySet<TarFile> => new Set(models.flatMap(m => (m.of === i ? [] : [m.f])));
    importer = all.find(i => i.ownsArchive?.(files.filter(f => !others(i).has(f))) === true);
    const [only] = models;
    if (!importer && only && models.length === 1) {
      importer = only.of;
      bytes = only.f.bytes;
      file = `${file}/${only.f.name}`;
    }
  }
  const folder = importer || certain(bytes, all) ? undefined : zippedFolder(bytes, file, mainFiles(s.importers ?? []));
  if (folder) ({ bytes } = folder);
  if (folder) file = `${file}/${folder.name}`;
  const beside = folder?.beside ?? s.external;
  importer ??= certain(bytes, all) ?? all.find(i => i.sniff(bytes) === 'possible');
  if (!importer) {
    const other = foreignFormat(bytes);
    return fail('E202', {
      file,
      why: other === undefined ? `it is of no format that is known. ${ACCEPTED}` : `this looks like ${other}. ${ACCEPTED}`,
    });
  }
  const model: ModelFile = { name: file, bytes, whole: given.length, ...(beside && { beside }) };
  return { importer, ...importer.open(model) };
}
const certain = (bytes: Uint8Array, all: readonly Importer[]): Importer | undefined =>
  all.find(i => i.sniff(bytes) === 'certain');
const named = (name: string, all: readonly Importer[]): Importer =>
  all.find(i => i.name === name) ??
  fail('E403', { option: 'format', why: `'${name}' is none of ${all.map(i => i.name).join(', ')}` });

/** Opens and imports a model. E403: an option that its importer does not take; else the errors of `openModel` and of the importer. */
export function importModel(bytes: Uint8Array, o: ModelOptions): ImportedModel {
  const m = openModel(bytes, o);
  const check = (option: SpecialOption, given: boolean): void => {
    if (!given || m.importer.takes.includes(option)) return;
    const takers = [...(o.importers ?? []), ...IMPORTERS].filter(i => i.takes.includes(option)).map(i => i.title);
    const why = `only models of ${takers.join(' and ')} have ${SPECIAL_OPTIONS[option]}`;
    fail('E403', { option, why }, { k: 'file', file: o.file, what: '' });
  };
  check('iterations', o.iterations !== undefined);
  check('outputs', (o.outputs ?? []).length > 0);
  check('shapes', Object.keys(o.shapes ?? {}).length > 0);
  check('signature', o.signature !== undefined);
  check('input-names', (o.inputNames ?? []).length > 0);
  check('outputs-at', (o.outputsAt ?? []).length > 0);
  check('inputs-at', (o.inputsAt ?? []).length > 0);
  check('tflite-rounding', o.tfliteRounding !== undefined);
  return { format: m.importer.name, ...m.import(o) };
}
