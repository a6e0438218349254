import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { fail } from '../core/diagnostic.ts';
import { utf8 } from '../core/bytes.ts';
import { DTYPES, type TypedArray } from '../core/dtype.ts';
import { textsOf, textTensor } from '../core/texts.ts';
import { fromTyped, typed, type Tensor } from '../core/tensor.ts';
import { findPackage } from '../host/packages.ts';
import { dtypeOf } from '../run/manifest.ts';

type Ort = typeof import('onnxruntime-node');

/** A model in onnxruntime. */
interface OrtModel {
  /** Outputs that are no tensors, which JavaScript cannot have. */
  readonly others: readonly string[];
  run(inputs: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>>;
  /** A call on these inputs, and nothing but the call: for timing. */
  prepare(inputs: ReadonlyMap<string, Tensor>): () => Promise<unknown>;
  release(): Promise<void>;
}

/** The versions of onnxruntime for JavaScript: native code, and WebAssembly. */
export type OrtPackage = 'onnxruntime-node' | 'onnxruntime-web';
/** A package of onnxruntime; undefined where there is none. */
export async function findOnnxruntime(name: OrtPackage = 'onnxruntime-node'): Promise<Ort | undefined> {
  // It reports to its maker by default.
  process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
  const place = findPackage(name);
  if (!place) return undefined;
  const m = (await import(pathToFileURL(place.main).href)) as Ort & { readonly default?: Ort };
  return m.default ?? m;
}
export async function needOnnxruntime(): Promise<Ort> {
  return (
    (await findOnnxruntime()) ??
    fail('E601', { what: 'onnxruntime-node', how: 'npm install onnxruntime-node, or verify with --against evaluate' })
  );
}

/** A session and what it says about its outputs; older versions say nothing. */
interface Outputs {
  readonly outputNames: readonly string[];
  readonly outputMetadata?: readonly { readonly name: string; readonly isTensor: boolean }[];
}
const tensorOutputs = (s: Outputs): string[] =>
  s.outputNames.filter(n => s.outputMetadata?.find(m => m.name === n)?.isTensor !== false);
/** Full sums of 8-bit products, also on processors without VNNI, where onnxruntime saturates them for speed. For whom answers count. */
export const EXACT_SUMS = { x64quantprecision: '1' };
/**
 * Opens a model, given by its bytes; `path` tells where files beside it are. Outputs that are no tensors (maps of ZipMap) are left
 * out. `options` are onnxruntime's own, `settings` those of its session that have no name there. E202 where onnxruntime does not take it.
 */
export async function openOrt(
  ort: Ort,
  bytes: Uint8Array,
  path: string,
  options: InferenceSession.SessionOptions = {},
  settings: Readonly<Record<string, string>> = {},
): Promise<OrtModel> {
  let session: InferenceSession;
  try {
    session = await ort.InferenceSession.create(bytes, {
      // Errors come as exceptions, too.
      logSeverityLevel: 4,
      extra: { session: { model_external_initializers_file_folder_path: dirname(path), ...settings } },
      ...options,
    });
  } catch (e) {
    return fail('E202', { file: path, why: `onnxruntime does not take it: ${e instanceof Error ? e.message : String(e)}` });
  }
  const fetches = tensorOutputs(session);
  const tensor = (t: OrtTensor): Tensor => {
    if (t.type === 'string') return textTensor(t.dims, t.data as string[]);
    return fromTyped(dtypeOf(t.type), t.dims, t.data as unknown as TypedArray);
  };
  const feedsOf = (inputs: ReadonlyMap<string, Tensor>): Record<string, OrtTensor> => {
    const feeds: Record<string, OrtTensor> = {};
    for (const [name, t] of inputs)
      // Models may have initialisers for inputs that the session does not list.
      feeds[name] =
        t.dtype === 'text'
          ? new ort.Tensor('string', textsOf(t), t.dims)
          : new ort.Tensor(DTYPES[t.dtype].ort as 'float32', typed(t) as Float32Array, t.dims);
    return feeds;
  };
  return {
    others: session.outputNames.filter(n => !fetches.includes(n)),
    release: () => session.release(),
    prepare: inputs => {
      const feeds = feedsOf(inputs);
      return () => session.run(feeds, fetches);
    },
    run: async inputs => {
      const out = await session.run(feedsOf(inputs), fetches).catch((e: unknown) =>
        fail('E502', {
          why: `onnxruntime stops on these inputs: ${e instanceof Error ? e.message : String(e)}. Give inputs that make sense with --inputs FILE`,
        }),
      );
      return new Map(Object.entries(out).map(([name, t]) => [name, tensor(t)]));
    },
  };
}

/**
 * The model with more of its values as outputs. Protobuf merges a message that comes twice, so appending a graph with nothing but
 * outputs adds them, and the model itself is not decoded.
 */
export function withOutputs(model: Uint8Array, names: readonly string[]): Uint8Array {
  const varint = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >>> 7)]);
  const message = (field: number, body: readonly number[]): number[] => [
    ...varint(field * 8 + 2),
    ...varint(body.length),
    ...body,
  ];
  // GraphProto.output = 12, ValueInfoProto.name = 1, ModelProto.graph = 7.
  const outputs = names.flatMap(n => message(12, message(1, [...utf8(n)])));
  const tail = message(7, outputs);
  const out = new Uint8Array(model.length + tail.length);
  out.set(model);
  out.set(tail, model.length);
  return out;
}
