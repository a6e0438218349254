import { fail } from '../../core/diagnostic.ts';
import { foreignFormat } from '../shared/foreign.ts';
import type { AttributeProto, ModelProto, TensorProto } from './records.ts';
import { Model, Tensor } from './schema.ts';
import { decodeMessage } from '../shared/protobuf.ts';

export type * from './records.ts';
export { dataTypeName, dataTypeNumber, dtypeOf, externalRange, tensorOf } from './tensor.ts';

/** What files should be, for messages. */
const ONNX = 'an ONNX file';

/**
 * The records of an ONNX model; weights stay views of `bytes`. `file` is its name for messages.
 * E202: not an ONNX model. E203: one that is truncated or damaged.
 */
export function decodeModel(bytes: Uint8Array, file = 'model'): ModelProto & { readonly graph: object } {
  if (bytes.length === 0) fail('E202', { file, why: 'the file is empty' });
  const other = foreignFormat(bytes);
  if (other !== undefined) fail('E202', { file, why: `this looks like ${other}` });
  const m = decodeMessage(bytes, Model, ONNX, file);
  if (m.graph === undefined) {
    const cut = m.irVersion > 0 && m.opsetImport.length > 0;
    return cut ? fail('E203', { file, why: 'it holds no graph' }) : fail('E202', { file, why: 'it holds no ONNX graph' });
  }
  return { ...m, graph: m.graph };
}
/** The record of a tensor in a file of its own, as ONNX's test data has them. E202, E203. */
export const decodeTensor = (bytes: Uint8Array, file = 'tensor'): TensorProto => decodeMessage(bytes, Tensor, ONNX, file);

/** What an attribute holds. */
export type AttrKind =
  | 'float'
  | 'int'
  | 'string'
  | 'tensor'
  | 'graph'
  | 'floats'
  | 'ints'
  | 'strings'
  | 'tensors'
  | 'graphs'
  | 'sparse_tensor'
  | 'sparse_tensors'
  | 'type_proto'
  | 'type_protos'
  | 'undefined';
/** By the number in AttributeProto.type. */
const ATTR_KINDS: readonly AttrKind[] = [
  'undefined',
  'float',
  'int',
  'string',
  'tensor',
  'graph',
  'floats',
  'ints',
  'strings',
  'tensors',
  'graphs',
  'sparse_tensor',
  'sparse_tensors',
  'type_proto',
  'type_protos',
];
/** The kind of an attribute: what its type says, or in files older than that field, whichever field is filled. */
export function attrKind(a: AttributeProto): AttrKind {
  if (a.type !== 0) return ATTR_KINDS[a.type] ?? 'undefined';
  if (a.f !== undefined) return 'float';
  if (a.i !== undefined) return 'int';
  if (a.s !== undefined) return 'string';
  if (a.t !== undefined) return 'tensor';
  if (a.g !== undefined) return 'graph';
  if (a.floats.length > 0) return 'floats';
  if (a.ints.length > 0) return 'ints';
  if (a.strings.length > 0) return 'strings';
  if (a.tensors.length > 0) return 'tensors';
  if (a.graphs.length > 0) return 'graphs';
  return 'undefined';
}
