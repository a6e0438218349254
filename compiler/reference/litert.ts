import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { compileFunction } from 'node:vm';
import { DTYPES, type TypedArray } from '../core/dtype.ts';
import { must } from '../core/diagnostic.ts';
import { fromTyped, typed, type Tensor } from '../core/tensor.ts';
import { findPackage } from '../host/packages.ts';
import { alike } from './names.ts';

/** The part of @litertjs/core that is used. */
interface LiteRt {
  loadLiteRt(folder: string): Promise<unknown>;
  loadAndCompile(model: Uint8Array, o: object): Promise<CompiledModel>;
  readonly Tensor: new (data: TypedArray, dims: readonly number[]) => LiteRtTensor;
}
interface LiteRtTensor {
  readonly type: { readonly dtype: string; readonly layout: { readonly dimensions: readonly number[] } };
  toTypedArray(): TypedArray;
  delete(): void;
}
interface CompiledModel {
  getInputDetails(): readonly { readonly name: string }[];
  getOutputDetails(): readonly { readonly name: string }[];
  run(inputs: readonly LiteRtTensor[]): Promise<readonly LiteRtTensor[]>;
  delete(): void;
}
/** A model in a framework that runs in this process. */
export interface JsSession {
  /** A call on these inputs with its copies in and out: for timing. */
  prepare(inputs: ReadonlyMap<string, Tensor>): () => Promise<unknown>;
  run(inputs: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>>;
  close(): void;
}

let loading: Promise<LiteRt> | undefined;
/** LiteRT.js of this machine, loaded once in a process; undefined where it is not installed. */
async function findLiteRt(): Promise<LiteRt | undefined> {
  const place = findPackage('@litertjs/core');
  if (!place) return undefined;
  loading ??= load(place.main, join(place.dir, 'wasm/'));
  return loading;
}
/**
 * It is made for pages: its WebAssembly comes with a script for `importScripts`, which in Node finds its file by `__dirname`, and it asks for
 * a GPU and tells the console that there is none.
 */
async function load(main: string, wasm: string): Promise<LiteRt> {
  const g = globalThis as unknown as Record<string, unknown>;
  const quiet = (): void => undefined;
  const before = g['self'];
  g['self'] = globalThis;
  g['Module'] = { print: quiet, printErr: quiet };
  g['importScripts'] = (url: string) => {
    const file = fileURLToPath(url);
    const script = compileFunction(
      `${readFileSync(file, 'utf8')}\nself.ModuleFactory = ModuleFactory;`,
      ['require', '__dirname'],
      {
        filename: file,
      },
    );
    (script as (require: unknown, folder: string) => void)(createRequire(file), dirname(file));
  };
  const { warn } = console;
  console.warn = quiet;
  try {
    const litert = (await import(pathToFileURL(main).href)) as LiteRt;
    await litert.loadLiteRt(pathToFileURL(wasm).href);
    return litert;
  } finally {
    console.warn = warn;
    delete g['importScripts'];
    g['self'] = before;
  }
}
/** A model in LiteRT.js, given by its bytes; undefined where that is not installed. It takes float32, int32 and uint8 only. */
export async function openLiteRt(
  bytes: Uint8Array,
  names: { readonly inputs: readonly string[]; readonly outputs: readonly string[] },
  threads: number,
): Promise<JsSession | undefined> {
  const litert = await findLiteRt();
  if (!litert) return undefined;
  const model = await litert.loadAndCompile(bytes, { accelerator: 'wasm', cpuOptions: { numThreads: threads } });
  const inputNames = alike(
    model.getInputDetails().map(d => d.name),
    names.inputs,
  );
  const outputNames = alike(
    model.getOutputDetails().map(d => d.name),
    names.outputs,
  );
  const call = async (
    inputs: ReadonlyMap<string, Tensor>,
  ): Promise<readonly { dims: readonly number[]; type: string; data: TypedArray }[]> => {
    const given = inputNames.map(n => {
      const t = must(inputs.get(n), n);
      return new litert.Tensor(typed(t), t.dims);
    });
    const out = await model.run(given);
    const read = out.map(t => ({ dims: t.type.layout.dimensions, type: t.type.dtype, data: t.toTypedArray() }));
    for (const t of [...given, ...out]) t.delete();
    return read;
  };
  return {
    prepare: inputs => () => call(inputs),
    run: async inputs => {
      const out = await call(inputs);
      return new Map(out.map((t, i) => [outputNames[i] ?? '', fromTyped(typeOf(t.type), t.dims, t.data)]));
    },
    close: () => model.delete(),
  };
}
const typeOf = (name: string): 'f32' | 'i32' | 'u8' => (name === DTYPES.i32.ort ? 'i32' : name === DTYPES.u8.ort ? 'u8' : 'f32');
