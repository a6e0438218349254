/**
 * ONNX's own backend tests: a model a folder, with data sets of inputs and the outputs that the standard wants.
 * https://github.com/onnx/onnx/blob/main/docs/OnnxBackendTest.md
 */
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CompileError } from '../../compiler/core/diagnostic.ts';
import type { Tensor } from '../../compiler/core/tensor.ts';
import {
  decodeModel,
  decodeTensor,
  tensorOf,
  type ModelProto,
  type TensorProto,
  type TypeProto,
} from '../../compiler/import/onnx/decode.ts';
import { Tensor as TensorSchema } from '../../compiler/import/onnx/schema.ts';
import { decodeMessage, message, messages, type Message } from '../../compiler/import/shared/protobuf.ts';
import { cacheDir } from '../../fixtures/paths.ts';

export const SUITES = ['node', 'simple', 'pytorch-converted', 'pytorch-operator'] as const;
export type Suite = (typeof SUITES)[number];
export const isOnnxSuite = (s: string): s is Suite => SUITES.some(x => x === s);
/** What the standard's own runner allows. */
export const RTOL = 1e-3;
export const ATOL = 1e-7;

/** A tensor, the tensors of a sequence, or undefined for an optional input left out. */
export type Datum = Tensor | readonly Tensor[] | undefined;
/** Inputs and outputs in the order of the model's own. */
export type DataSet =
  | { readonly k: 'data'; readonly inputs: readonly Datum[]; readonly outputs: readonly Datum[] }
  | { readonly k: 'unsupported'; readonly why: string };
export interface BackendCase {
  readonly suite: Suite;
  readonly name: string;
  readonly folder: string;
  readonly modelBytes: Uint8Array;
  /** Names of what the data sets hold, in their order. Initialisers are not among the inputs. */
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly dataSets: readonly DataSet[];
}
/**
 * The folder that holds node, simple, …: `SINTER_ONNX_TESTS`, or the cache, where `npm run fixtures -- onnx-tests` puts the tests of the
 * wheel onnx; undefined where neither is there.
 */
export function findBackendTests(): string | undefined {
  const root = process.env['SINTER_ONNX_TESTS'] ?? join(cacheDir, 'onnx-backend-tests');
  return existsSync(join(root, 'node')) ? root : undefined;
}

/** The cases of some suites in the order of their names, read one at a time. */
export function* backendCases(root: string, suites: readonly Suite[] = SUITES, match = /(?:)/): Generator<BackendCase> {
  for (const suite of suites) {
    const dir = join(root, suite);
    if (!existsSync(dir)) continue;
    for (const name of readdirSync(dir).sort())
      if (match.test(name) && existsSync(join(dir, name, 'model.onnx'))) yield readCase(suite, name, join(dir, name));
  }
}
/** Reads one case; throws only where the model itself cannot be decoded. */
export function readCase(suite: Suite, name: string, folder: string): BackendCase {
  const modelBytes = readFileSync(join(folder, 'model.onnx'));
  const model = decodeModel(modelBytes, `${suite}/${name}`);
  const { inputs, outputs } = interfaceOf(model);
  const sets = readdirSync(folder)
    .filter(d => d.startsWith('test_data_set_') && statSync(join(folder, d)).isDirectory())
    .sort();
  return {
    suite,
    name,
    folder,
    modelBytes,
    inputNames: inputs.map(v => v.name),
    outputNames: outputs.map(v => v.name),
    dataSets: sets.map(d =>
      readSet(
        join(folder, d),
        inputs.map(v => v.type),
        outputs.map(v => v.type),
      ),
    ),
  };
}
function interfaceOf(model: ModelProto) {
  const held = new Set(model.graph?.initializer.map(t => t.name));
  return { inputs: model.graph?.input.filter(v => !held.has(v.name)) ?? [], outputs: model.graph?.output ?? [] };
}
/** SequenceProto and OptionalProto of onnx.in.proto, as far as they hold tensors. */
const Sequence: Message<{ readonly tensors: readonly TensorProto[] }> = {
  name: 'SequenceProto',
  fields: { tensors: messages(3, () => TensorSchema) },
};
const Optional: Message<{
  readonly tensor: TensorProto | undefined;
  readonly sequence: { readonly tensors: readonly TensorProto[] } | undefined;
}> = {
  name: 'OptionalProto',
  fields: { tensor: message(3, () => TensorSchema), sequence: message(5, () => Sequence) },
};
function datumOf(bytes: Uint8Array, type: TypeProto | undefined, path: string): Datum {
  const tensor = (t: TensorProto): Tensor => tensorOf(t, undefined, path);
  if (type?.sequenceType) return decodeMessage(bytes, Sequence, 'a sequence', path).tensors.map(tensor);
  if (!type?.optionalType) return tensor(decodeTensor(bytes, path));
  const o = decodeMessage(bytes, Optional, 'an optional value', path);
  return o.sequence ? o.sequence.tensors.map(tensor) : o.tensor && tensor(o.tensor);
}
function readSet(dir: string, inputs: readonly (TypeProto | undefined)[], outputs: readonly (TypeProto | undefined)[]): DataSet {
  for (const type of [...inputs, ...outputs]) {
    if (type?.mapType) return { k: 'unsupported', why: 'a value of type map' };
  }
  const read = (kind: 'input' | 'output', type: TypeProto | undefined, i: number): Datum => {
    const path = join(dir, `${kind}_${i}.pb`);
    if (!existsSync(path)) return undefined;
    const bytes = readFileSync(path);
    return bytes.length === 0 && !type?.sequenceType ? undefined : datumOf(bytes, type, path);
  };
  try {
    return {
      k: 'data',
      inputs: inputs.map((t, i) => read('input', t, i)),
      outputs: outputs.map((t, i) => read('output', t, i)),
    };
  } catch (e) {
    if (e instanceof CompileError && e.code === 'E106') return { k: 'unsupported', why: e.message };
    throw e;
  }
}
