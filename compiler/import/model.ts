import { fail, type Warning } from '../core/diagnostic.ts';
import { didYouMean } from '../core/suggest.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { histogram } from '../graph/stats.ts';
import { isPacked, isTar, readTar, unpack, type TarFile } from './shared/archive.ts';
import { textOf } from './shared/cursor.ts';
import { importLightgbm, type LgbFound } from './lightgbm/import.ts';
import { looksLightgbm, parseLightgbm } from './lightgbm/parse.ts';
import { looksPickledLightgbm, readPickledLightgbm } from './lightgbm/pickled.ts';
import type { DimChoices } from './shared/dims.ts';
import { importOnnx } from './onnx/import.ts';
import { foreignFormat } from './shared/foreign.ts';
import { TREE_OUTPUTS, type Iterations, type TreeImport, type TreeOptions, type TreeOutput } from './shared/trees.ts';
import { importOpened } from './xgboost/folds.ts';
import { formOf, openXgboost, type Opened as OpenedXgboost } from './xgboost/open.ts';
import type { ExternalResolver } from './shared/external.ts';

/** What a model may be written by. */
export const FORMATS = ['onnx', 'xgboost', 'lightgbm'] as const;
export type Format = (typeof FORMATS)[number];
/** In words, for messages. */
export const ACCEPTED =
  'Sinter reads ONNX; XGBoost as JSON, UBJSON, binary, pickle or the model.tar.gz of SageMaker; LightGBM as text or pickle';

/** A model of trees takes rows of features: which input that is, and what the columns are called. */
export interface RowsOfFeatures {
  readonly input: string;
  readonly columns: number;
  /** undefined: the model does not name them. */
  readonly names: readonly string[] | undefined;
}
export interface ImportedModel {
  readonly format: Format;
  readonly graph: Graph;
  readonly warnings: readonly Warning[];
  /** How many operators the model is made of, by name: ONNX's nodes, else those of the graph. */
  readonly histogram: Readonly<Record<string, number>>;
  /** The names of the classes, where the model has them. */
  readonly labels?: readonly string[];
  readonly rows?: RowsOfFeatures;
}
export interface ModelOptions {
  readonly file: string;
  readonly name?: string;
  /** Told from the bytes where it is left out. */
  readonly format?: Format;
  readonly dims?: DimChoices;
  /** Of models of boosted trees: boosting rounds to use, and outputs besides `prediction`. */
  readonly iterations?: Iterations;
  readonly outputs?: readonly string[];
  /** Of ONNX: bytes of files beside the model, and who is told what each name became. */
  readonly external?: ExternalResolver;
  readonly onValue?: (name: string, value: Value) => void;
}

/** A model's bytes, opened as far as it takes to know what it is. */
export type OpenModel =
  | { readonly k: 'onnx'; readonly bytes: Uint8Array }
  | { readonly k: 'xgboost'; readonly opened: OpenedXgboost }
  | { readonly k: 'lightgbm'; readonly found: LgbFound };

/** Files may be packed this often one in the other. */
const MAX_NESTING = 4;
/** Tells a format by the first bytes; undefined: none that has a mark of its own, which ONNX has not. */
function sniff(bytes: Uint8Array): Format | undefined {
  if (looksLightgbm(textOf(bytes.subarray(0, 64)))) return 'lightgbm';
  const form = formOf(bytes);
  if (form === 'pickle') return looksPickledLightgbm(bytes) ? 'lightgbm' : 'xgboost';
  return form === undefined ? undefined : 'xgboost';
}

/** The model of LightGBM in an archive that holds nothing of XGBoost's. */
function soleLightgbm(bytes: Uint8Array, file: string): TarFile | undefined {
  const models = readTar(bytes, file).filter(f => sniff(f.bytes) !== undefined);
  const [first] = models;
  return models.length === 1 && first && sniff(first.bytes) === 'lightgbm' ? first : undefined;
}

/**
 * Opens a model of any format that is known; the bytes tell which, never the file's name, unless `format` forces one.
 * E202: no model, or not of the format. E203: damaged.
 */
export function openModel(bytes: Uint8Array, file: string, format?: Format): OpenModel {
  if (format !== undefined && !FORMATS.includes(format))
    fail('E102', { op: 'format', why: `'${format as string}' is none of ${FORMATS.join(', ')}` });
  if (bytes.length === 0) fail('E202', { file, why: 'the file is empty' });
  let inner = bytes;
  for (let n = 0; isPacked(inner); n++) {
    if (n === MAX_NESTING) fail('E202', { file, why: 'it is packed too many times' });
    inner = unpack(inner, file, bytes.length);
  }
  const packed = format === undefined && isTar(inner) ? soleLightgbm(inner, file) : undefined;
  if (packed) return openModel(packed.bytes, `${file}/${packed.name}`, 'lightgbm');
  const form = format ?? sniff(inner);
  switch (form) {
    case 'xgboost':
      return { k: 'xgboost', opened: openXgboost(inner, file, bytes.length) };
    case 'lightgbm':
      return {
        k: 'lightgbm',
        found:
          formOf(inner) === 'pickle'
            ? readPickledLightgbm(inner, file)
            : { model: parseLightgbm(textOf(inner), file), form: 'text' },
      };
    case 'onnx':
    case undefined: {
      const other = foreignFormat(inner);
      if (other !== undefined) fail('E202', { file, why: `this looks like ${other}. ${ACCEPTED}` });
      return { k: 'onnx', bytes: inner };
    }
  }
}

/** Imports a model of any format. Errors are those of `openModel` and of the importers. */
export function importModel(bytes: Uint8Array, o: ModelOptions): ImportedModel {
  return importOpen(openModel(bytes, o.file, o.format), o);
}
export function importOpen(m: OpenModel, o: ModelOptions): ImportedModel {
  const outputs = checkOutputs(o.outputs ?? []);
  const { file, name, dims, iterations, external, onValue } = o;
  const trees: TreeOptions = {
    file,
    outputs,
    ...(name !== undefined && { name }),
    ...(dims && { dims }),
    ...(iterations && { iterations }),
  };
  switch (m.k) {
    case 'onnx': {
      const only = (op: string, what: string): never =>
        fail('E102', { op, why: `only models of XGBoost and LightGBM have ${what}` }, { k: 'file', file, what: '' });
      if (iterations) only('iterations', 'boosting rounds to choose from');
      if (outputs.length > 0) only('outputs', 'outputs to choose from');
      const i = importOnnx(m.bytes, {
        file,
        ...(name !== undefined && { name }),
        ...(dims && { dims }),
        ...(external && { external }),
        ...(onValue && { onValue }),
      });
      const { graph, warnings, labels } = i;
      return { format: 'onnx', graph, warnings, histogram: i.meta.histogram, ...(labels && { labels }) };
    }
    case 'xgboost':
      return ofTrees('xgboost', importOpened(m.opened, trees), file);
    case 'lightgbm':
      return ofTrees('lightgbm', importLightgbm(m.found, trees), file);
  }
}
function ofTrees(format: Format, t: TreeImport, file: string): ImportedModel {
  const columns = Number(t.graph.inputs[0]?.type.shape[1] ?? 0);
  const { graph } = t;
  const clear = t.featureNames && new Set(t.featureNames).size === columns;
  const warnings =
    t.featureNames && !clear
      ? [
          ...t.warnings,
          {
            code: 'names',
            message: 'two features have one name, so the names are not used',
            loc: { k: 'file', file, what: 'feature names' } as const,
          },
        ]
      : t.warnings;
  const names = clear ? t.featureNames : undefined;
  return {
    format,
    graph,
    warnings,
    histogram: Object.fromEntries(histogram(graph)),
    ...(t.labels && { labels: t.labels }),
    rows: { input: 'features', columns, names },
  };
}
/** Names of outputs as they are asked for; `prediction` is always there. E102: one that no model has. */
function checkOutputs(asked: readonly string[]): readonly TreeOutput[] {
  const known: readonly string[] = TREE_OUTPUTS;
  for (const name of asked)
    if (name !== 'prediction' && !known.includes(name))
      fail('E102', {
        op: 'outputs',
        why: `there is no output '${name}'${didYouMean(name, known)} (${known.join(', ')}, besides prediction)`,
      });
  return TREE_OUTPUTS.filter(t => asked.includes(t));
}
