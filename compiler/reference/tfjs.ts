import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DTYPES, type DType, type TypedArray } from '../core/dtype.ts';
import { must } from '../core/diagnostic.ts';
import { fromTyped, toNumbers, typed, type Tensor } from '../core/tensor.ts';
import { findPackage } from '../host/packages.ts';
import type { JsSession } from './litert.ts';
import { alike } from './names.ts';

/** The part of @tensorflow/tfjs that is used. */
interface Tfjs {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tensor(data: TypedArray, dims: readonly number[], dtype: string): TfTensor;
  loadGraphModel(io: object): Promise<GraphModel>;
  loadLayersModel(io: object): Promise<LayersModel>;
  dispose(what: unknown): void;
}
interface TfTensor {
  readonly shape: readonly number[];
  readonly dtype: string;
  dataSync(): TypedArray;
}
interface GraphModel {
  readonly inputNodes: readonly string[];
  readonly outputNodes: readonly string[];
  execute(inputs: Readonly<Record<string, TfTensor>>): TfTensor | readonly TfTensor[];
  executeAsync(inputs: Readonly<Record<string, TfTensor>>): Promise<TfTensor | readonly TfTensor[]>;
  dispose(): void;
}
interface LayersModel {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  predict(inputs: TfTensor | readonly TfTensor[]): TfTensor | readonly TfTensor[];
  dispose(): void;
}
interface ModelJson {
  readonly format?: string;
  readonly modelTopology?: { readonly node?: unknown };
  readonly weightsManifest?: readonly { readonly paths: readonly string[]; readonly weights: readonly unknown[] }[];
}
/** Packages: TensorFlow.js and its kernels in WebAssembly. */
export const TFJS = ['@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm'] as const;

let loading: Promise<Tfjs> | undefined;
/** TensorFlow.js on its back end of WebAssembly, loaded once in a process; undefined where one of the packages is missing. */
async function findTfjs(): Promise<Tfjs | undefined> {
  const [tfjs, wasm] = TFJS.map(findPackage);
  if (!tfjs || !wasm) return undefined;
  loading ??= load(tfjs.main, wasm.main);
  return loading;
}
async function load(tfjs: string, wasm: string): Promise<Tfjs> {
  const module = (await import(pathToFileURL(tfjs).href)) as Tfjs & { readonly default?: Tfjs };
  const tf = module.default ?? module;
  await import(pathToFileURL(wasm).href);
  if (!(await tf.setBackend('wasm'))) throw new Error('TensorFlow.js does not start its back end of WebAssembly');
  await tf.ready();
  return tf;
}
/** What `loadGraphModel` and `loadLayersModel` read: a model.json with its shards beside it. */
function handler(path: string, json: ModelJson): object {
  const manifest = json.weightsManifest ?? [];
  const shards = manifest.flatMap(g => g.paths.map(p => readFileSync(join(dirname(path), p))));
  const weightData = Uint8Array.from(Buffer.concat(shards)).buffer;
  return { load: () => Promise.resolve({ ...json, weightSpecs: manifest.flatMap(g => g.weights), weightData }) };
}
/** A model.json in TensorFlow.js; undefined where that is not installed. */
export async function openTfjs(
  path: string,
  names: { readonly inputs: readonly string[]; readonly outputs: readonly string[] },
): Promise<JsSession | undefined> {
  const tf = await findTfjs();
  if (!tf) return undefined;
  const json = JSON.parse(readFileSync(path, 'utf8')) as ModelJson;
  const io = handler(path, json);
  const graph = json.format === 'graph-model' || json.modelTopology?.node !== undefined;
  const model = graph ? await openGraph(tf, io) : await openLayers(tf, io);
  const inputNames = alike(model.inputs, names.inputs);
  const outputNames = alike(model.outputs, names.outputs);
  const call = async (
    inputs: ReadonlyMap<string, Tensor>,
  ): Promise<{ dims: readonly number[]; type: string; data: TypedArray }[]> => {
    const given = inputNames.map(n => tensorOf(tf, must(inputs.get(n), n)));
    const got = await model.run(given);
    const out = got instanceof Array ? got : [got];
    const read = out.map(t => ({ dims: t.shape, type: t.dtype, data: t.dataSync() }));
    tf.dispose([...given, ...out]);
    return read;
  };
  return {
    prepare: inputs => () => call(inputs),
    run: async inputs =>
      new Map((await call(inputs)).map((t, i) => [outputNames[i] ?? '', fromTyped(typeOf(t.type), t.dims, t.data)])),
    close: () => model.close(),
  };
}
interface Opened {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  run(given: readonly TfTensor[]): Promise<TfTensor | readonly TfTensor[]>;
  close(): void;
}
async function openGraph(tf: Tfjs, io: object): Promise<Opened> {
  const m = await tf.loadGraphModel(io);
  let later = false;
  return {
    inputs: m.inputNodes,
    outputs: m.outputNodes,
    run: async given => {
      const named = Object.fromEntries(m.inputNodes.map((n, i) => [n, must(given[i])]));
      if (later) return m.executeAsync(named);
      try {
        return m.execute(named);
      } catch {
        // Loops, and sizes that come out of data.
        later = true;
        return m.executeAsync(named);
      }
    },
    close: () => m.dispose(),
  };
}
async function openLayers(tf: Tfjs, io: object): Promise<Opened> {
  const m = await tf.loadLayersModel(io);
  return {
    inputs: m.inputNames,
    outputs: m.outputNames,
    run: given => Promise.resolve(m.predict(given.length === 1 ? must(given[0]) : given)),
    close: () => m.dispose(),
  };
}
const TYPES: Readonly<Record<string, DType>> = { float32: 'f32', int32: 'i32', bool: 'bool' };
const typeOf = (name: string): DType => TYPES[name] ?? 'f32';
/** It has float32, int32 and bool only. */
function tensorOf(tf: Tfjs, t: Tensor): TfTensor {
  const { ort } = DTYPES[t.dtype];
  if (TYPES[ort] !== undefined) return tf.tensor(typed(t), t.dims, ort);
  return tf.tensor(Int32Array.from(toNumbers(t)), t.dims, 'int32');
}
