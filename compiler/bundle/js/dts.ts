import { showDim, type Dim } from '../../core/dim.ts';
import { isCoded } from '../../core/codes.ts';
import { DTYPES, type DType } from '../../core/dtype.ts';
import { commentBlock, commentLine, keyJs, quoteJs } from '../../core/quote.ts';
import type { Port, SymbolInfo } from '../../program/program.ts';
import type { Loader } from './loaders.ts';
import { rangeText, solveSymbols } from '../../program/symbols.ts';
import { seenType } from '../about.ts';
import type { RowsOfFeatures } from '../../import/importer.ts';

const arrayName = (t: DType): string => (t === 'text' ? 'readonly string[]' : DTYPES[t].array.name);
/** What an output holds. */
const resultName = (t: DType): string => (t === 'text' ? 'string[]' : arrayName(t));
const shapeText = (shape: readonly Dim[]): string => `[${shape.map(showDim).join(', ')}]`;
const tuple = (shape: readonly Dim[]): string => `[${shape.map(d => (typeof d === 'number' ? d : 'number')).join(', ')}]`;

const ortOf = (p: Port): string => DTYPES[seenType(p).dtype].ort;

/** The type declarations of one model's index.js: names, shapes and element types are literal. */
export function indexDts(
  head: string,
  loader: Loader,
  inputs: readonly Port[],
  outputs: readonly Port[],
  symbols: readonly SymbolInfo[],
  labels: readonly string[] | undefined,
  rows: RowsOfFeatures | undefined,
): string {
  const ranges = solveSymbols(inputs, symbols);
  const range = (i: number): string =>
    ranges
      .filter(r => r.port === i)
      .map(r => `; dimension ${r.axis} is ${rangeText(r)}`)
      .join('');
  const input = (p: Port, i: number): string => {
    const t = p.name === rows?.input ? 'Rows' : `InputTensor<${arrayName(seenType(p).dtype)}, ${quoteJs(ortOf(p))}>`;
    return `  /** ${commentBlock(`${ortOf(p)} ${shapeText(seenType(p).shape)}${range(i)}`)} */\n  ${keyJs(p.name)}: ${t};`;
  };
  const output = (p: Port): string =>
    `  /** ${commentBlock(`${ortOf(p)} ${shapeText(seenType(p).shape)}`)} */\n` +
    `  ${keyJs(p.name)}: Tensor<${resultName(seenType(p).dtype)}, ${tuple(seenType(p).shape)}, ${quoteJs(ortOf(p))}>;`;
  const into = (p: Port): string =>
    `  ${keyJs(p.name)}?: ${seenType(p).dtype === 'text' ? '' : `${arrayName(p.type.dtype)} | `}Outputs[${quoteJs(p.name)}];`;
  const view = (p: Port): string => `${keyJs(p.name)}: View<${DTYPES[p.type.dtype].array.name}, ${quoteJs(ortOf(p))}>`;
  const outView = (p: Port): string => `${keyJs(p.name)}: Outputs[${quoteJs(p.name)}]`;
  const names = (ports: readonly Port[]): string => `readonly (${ports.map(p => quoteJs(p.name)).join(' | ') || 'never'})[]`;
  const body = (members: readonly string[]): string => (members.length === 0 ? '{}' : `{\n${members.join('\n')}\n}`);
  return `// ${commentLine(head)}
${labels ? `/** The names of the classes. */\nexport const labels: readonly [${labels.map(quoteJs).join(', ')}];\n` : ''}${rows ? `/** The columns of ${commentBlock(quoteJs(rows.input))}. */\nexport const featureNames: ${rows.names ? `readonly [${rows.names.map(quoteJs).join(', ')}]` : 'readonly string[]'};\n` : ''}
export interface Tensor<Data, Dims extends readonly number[] = readonly number[], Type extends string = string> {
  data: Data;
  dims: Dims;
  type: Type;
}
/**
 * A typed array or a tensor. 'dims' may be left out where they follow from the length. Plain numbers are converted.${inputs.some(p => isCoded(p.type.dtype)) ? '\n * Floats of less than 32 bits are given as their bits; elements of less than 8 bits have a byte each.' : ''}
 */
export type InputTensor<Data, Type extends string> =
  | Data
  | readonly (number | bigint | boolean)[]
  | { readonly data: Data | readonly (number | bigint | boolean)[]; readonly dims?: readonly number[]; readonly type?: Type };
/** Memory of the model. */
export interface View<Data, Type extends string> {
  readonly data: Data;
  readonly dims: readonly number[];
  readonly type: Type;
  /** Sizes; names stand for sizes that may vary. */
  readonly shape: readonly (number | string)[];
}
${rows ? rowTypes(rows, inputs) : ''}export interface Inputs ${body(inputs.map(input))}
export interface Outputs ${body(outputs.map(output))}
export interface Into ${body(outputs.map(into))}
export interface Model {
  readonly name: string;
  /** The target that the running module was compiled for. */
  readonly profile: string;
  readonly inputNames: ${names(inputs)};
  readonly outputNames: ${names(outputs)};
  /** The inputs' memory: write into 'data' and pass it to 'run', and nothing is copied. */
  readonly inputs: { ${inputs.map(view).join('; ')} };
  /** The outputs' memory, valid until the next run: 'run(inputs, { into: model.outputs })' copies nothing. */
  readonly outputs: { ${outputs.map(outView).join('; ')} };
  /**
   * Runs the model. Outputs are new arrays, except where 'into' names an array or the tensor of an earlier run to write into.
   * Throws an Error with a 'code' (E501: an input is wrong, E502: the run failed); the model stays usable.
   */
  run(inputs${inputs.length === 0 ? '?' : ''}: Inputs, options?: { into?: Into }): ${loader.async ? 'Promise<Outputs>' : 'Outputs'};${loader.later ? LATER : ''}
}
${loader.types}`;
}

const LATER = `
  /**
   * The same in a worker, while this thread goes on: a window stays alive. Runs of one model wait for each other. Without workers, as in a page
   * that is not isolated from other origins, it runs here.
   */
  runAsync(inputs: Inputs, options?: { into?: Into }): Promise<Outputs>;`;

/** What an input of rows of features takes. */
function rowTypes(r: RowsOfFeatures, inputs: readonly Port[]): string {
  const dtype = inputs.find(p => p.name === r.input)?.type.dtype ?? 'f32';
  return `/** A value of a row: NaN, null and undefined are missing. */
export type Feature = number | boolean | null | undefined;
/** A row by feature name; what is left out is missing. */
export interface Row {
${r.names ? r.names.map(n => `  readonly ${keyJs(n)}?: Feature;`).join('\n') : '  readonly [feature: `f${number}`]: Feature;'}
}
/** One row or several, as objects or as lists in the order of 'featureNames'; or the numbers of whole rows one after another. */
export type Rows =
  | InputTensor<${dtype === 'f64' ? 'Float64Array | Float32Array' : arrayName(dtype)}, ${quoteJs(DTYPES[dtype].ort)}>
  | Row
  | readonly (Row | readonly Feature[] | Float32Array | Float64Array)[]
  | readonly Feature[];
`;
}
