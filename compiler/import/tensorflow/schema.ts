import {
  floats,
  integer,
  integers,
  maybeBytes,
  maybeFixed32,
  maybeFloat,
  maybeInteger,
  maybeString,
  message,
  messages,
  packed,
  string,
  strings,
  truth,
  type Message,
} from '../shared/protobuf.ts';
import type {
  ArgDef,
  AttrList,
  AttrValue,
  BundleEntry,
  BundleHeader,
  Entry,
  FunctionDef,
  GraphDef,
  MetaGraphDef,
  NameAttrList,
  NodeDef,
  SavedModel,
  ShapeProto,
  SignatureDef,
  TensorInfo,
  TensorProto,
} from './records.ts';

/** The field numbers of TensorFlow 2.21 for the fields that `records.ts` names; they have not changed since 1.0. Others are skipped. */
const Dim: Message<{ readonly size: number }> = { name: 'Dim', fields: { size: integer(1) } };
const Shape: Message<ShapeProto> = {
  name: 'TensorShapeProto',
  fields: { dim: messages(2, () => Dim), unknownRank: truth(3) },
};
const entry = <T>(value: () => Message<T>): Message<Entry<T>> => ({
  name: 'Entry',
  fields: { key: string(1), value: message(2, value) },
});
const Tensor: Message<TensorProto> = {
  name: 'TensorProto',
  fields: {
    dtype: integer(1),
    shape: message(2, () => Shape),
    content: maybeBytes(4),
    floats: packed(5, 'fixed32'),
    doubles: packed(6, 'fixed64'),
    ints: packed(7, 'varint'),
    strings: strings(8),
    complexes: packed(9, 'fixed32'),
    int64s: packed(10, 'varint'),
    bools: packed(11, 'varint'),
    halves: packed(13, 'varint'),
    uint32s: packed(16, 'varint'),
    uint64s: packed(17, 'varint'),
  },
};
const Func: Message<NameAttrList> = { name: 'NameAttrList', fields: { name: string(1) } };
const List: Message<AttrList> = {
  name: 'ListValue',
  fields: {
    s: strings(2),
    i: integers(3),
    f: floats(4),
    b: integers(5),
    type: integers(6),
    shape: messages(7, () => Shape),
    func: messages(9, () => Func),
  },
};
const Attr: Message<AttrValue> = {
  name: 'AttrValue',
  fields: {
    list: message(1, () => List),
    s: maybeString(2),
    i: maybeInteger(3),
    f: maybeFloat(4),
    b: maybeInteger(5),
    type: maybeInteger(6),
    shape: message(7, () => Shape),
    tensor: message(8, () => Tensor),
    func: message(10, () => Func),
  },
};
export const Node: Message<NodeDef> = {
  name: 'NodeDef',
  fields: { name: string(1), op: string(2), input: strings(3), attr: messages(5, () => AttrEntry) },
};
const AttrEntry = entry(() => Attr);
const Arg: Message<ArgDef> = { name: 'ArgDef', fields: { name: string(1), type: integer(3) } };
const OpDef: Message<NonNullable<FunctionDef['signature']>> = {
  name: 'OpDef',
  fields: { name: string(1), inputArg: messages(2, () => Arg), outputArg: messages(3, () => Arg) },
};
const Ret: Message<Entry<string>> = { name: 'RetEntry', fields: { key: string(1), value: maybeString(2) } };
const FunctionMessage: Message<FunctionDef> = {
  name: 'FunctionDef',
  fields: {
    signature: message(1, () => OpDef),
    nodes: messages(3, () => Node),
    ret: messages(4, () => Ret),
    controlRet: messages(6, () => Ret),
  },
};
const Library: Message<NonNullable<GraphDef['library']>> = {
  name: 'FunctionDefLibrary',
  fields: { functions: messages(1, () => FunctionMessage) },
};
export const Graph: Message<GraphDef> = {
  name: 'GraphDef',
  fields: { nodes: messages(1, () => Node), library: message(2, () => Library) },
};
const Info: Message<TensorInfo> = {
  name: 'TensorInfo',
  fields: { name: maybeString(1), dtype: integer(2), shape: message(3, () => Shape) },
};
const InfoEntry = entry(() => Info);
const Signature: Message<SignatureDef> = {
  name: 'SignatureDef',
  fields: { inputs: messages(1, () => InfoEntry), outputs: messages(2, () => InfoEntry), methodName: string(3) },
};
const SignatureEntry = entry(() => Signature);
const NodeList: Message<{ readonly value: readonly string[] }> = { name: 'NodeList', fields: { value: strings(1) } };
const Collection: Message<{ readonly nodes: { readonly value: readonly string[] } | undefined }> = {
  name: 'CollectionDef',
  fields: { nodes: message(1, () => NodeList) },
};
const CollectionEntry = entry(() => Collection);
const AssetTensor: Message<{ readonly name: string }> = { name: 'TensorInfo', fields: { name: string(1) } };
const Asset: Message<MetaGraphDef['assets'][number]> = {
  name: 'AssetFileDef',
  fields: { tensor: message(1, () => AssetTensor), file: string(2) },
};
const MetaInfo: Message<NonNullable<MetaGraphDef['info']>> = {
  name: 'MetaInfoDef',
  fields: { tags: strings(4), version: string(5) },
};
const Saver: Message<NonNullable<MetaGraphDef['saver']>> = {
  name: 'SaverDef',
  fields: { filename: string(1), restore: string(3) },
};
const MetaGraph: Message<MetaGraphDef> = {
  name: 'MetaGraphDef',
  fields: {
    info: message(1, () => MetaInfo),
    graph: message(2, () => Graph),
    saver: message(3, () => Saver),
    collections: messages(4, () => CollectionEntry),
    signatures: messages(5, () => SignatureEntry),
    assets: messages(6, () => Asset),
  },
};
export const Saved: Message<SavedModel> = {
  name: 'SavedModel',
  fields: { version: integer(1), metaGraphs: messages(2, () => MetaGraph) },
};
export const Header: Message<BundleHeader> = {
  name: 'BundleHeaderProto',
  fields: { shards: integer(1), endianness: integer(2) },
};
const Slice: Message<object> = { name: 'TensorSliceProto', fields: {} };
export const BundleRecord: Message<BundleEntry> = {
  name: 'BundleEntryProto',
  fields: {
    dtype: integer(1),
    shape: message(2, () => Shape),
    shard: integer(3),
    offset: integer(4),
    size: integer(5),
    checksum: maybeFixed32(6),
    slices: messages(7, () => Slice),
  },
};
