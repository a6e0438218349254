import { RUNTIME } from './runtime.data.ts';

/** The part of index.js that brings the code of a model to life. It reads `MODEL`, which stands before it, and exports `load`. */
export interface Loader {
  /** Its source is runtimes/js/NAME.js. */
  readonly name: string;
  readonly script: string;
  /** The declaration of `load`, after that of `Model`. */
  readonly types: string;
  /** Whether `run` of a model gives a promise. */
  readonly async: boolean;
  /** Whether a model has `runAsync` beside `run`. */
  readonly later?: boolean;
}
const SOURCE = 'export type Source = ArrayBuffer | ArrayBufferView | Blob | Response | URL | string;';
const LOAD_TYPES = `/**
 * Makes the model ready to run. Without an argument the files beside this one are read. Bytes, a Response, a WebAssembly.Module or a
 * URL: the module; a URL that ends with '/': the folder of both files; { wasm, weights }: each on its own.
 */
export function load(
  source?:
    | Source
    | WebAssembly.Module
    | Promise<Source | WebAssembly.Module>
    | { wasm?: Source | WebAssembly.Module | Promise<Source>; weights?: Source | Promise<Source> },
): Promise<Model>;
`;
export const WASM_LOADER: Loader = {
  name: 'wasm',
  script: RUNTIME['wasm.min.js'],
  types: `${SOURCE}
${LOAD_TYPES}`,
  async: false,
};
/** What the loader of a model for several threads needs as a file beside index.js. */
export const WORKER_JS = 'worker.js';
export const THREADS_LOADER: Loader = {
  name: 'threads',
  script: RUNTIME['threads.min.js'],
  types: `${SOURCE}
export interface LoadOptions {
  /** How many threads share the work of a run at most, the caller's among them; otherwise as many as the processor has. */
  threads?: number;
}
${LOAD_TYPES.replace('): Promise<Model>', '  options?: LoadOptions,\n): Promise<Model>')}`,
  async: false,
  later: true,
};
export const ADDON_LOADER: Loader = {
  name: 'addon',
  script: RUNTIME['addon.min.js'],
  types: `/**
 * Makes the model ready to run. Without an argument model.node beside this file is loaded, else the one at a path or URL, or in the folder
 * where that ends with '/'.
 */
export function load(source?: URL | string | Promise<URL | string>): Promise<Model>;
`,
  async: false,
};
export const EMNAPI_LOADER: Loader = {
  name: 'emnapi',
  script: RUNTIME['emnapi.min.js'],
  types: `${SOURCE}
/**
 * Makes the model ready to run. Without an argument the file beside this one is read. Bytes, a Response, a WebAssembly.Module or a
 * URL: the module; a URL that ends with '/': its folder.
 */
export function load(source?: Source | WebAssembly.Module | Promise<Source | WebAssembly.Module>): Promise<Model>;
`,
  async: false,
};
