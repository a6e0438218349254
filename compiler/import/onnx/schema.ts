import type {
  AttributeProto,
  DimensionProto,
  ElementTypeProto,
  FunctionProto,
  GraphProto,
  MapTypeProto,
  ModelProto,
  NodeProto,
  OpaqueTypeProto,
  OperatorSetId,
  SparseTensorProto,
  StringEntry,
  TensorAnnotation,
  TensorProto,
  TensorShapeProto,
  TensorTypeProto,
  TypeProto,
  ValueInfoProto,
} from './records.ts';
import {
  floats,
  integer,
  integers,
  maybeBytes,
  maybeFloat,
  maybeInteger,
  maybeString,
  message,
  messages,
  packed,
  string,
  strings,
  type Message,
} from '../shared/protobuf.ts';

/** The field numbers of ONNX 1.22 (IR version 13), for the fields that `records.ts` names. Other fields are skipped. */
export const Model: Message<ModelProto> = {
  name: 'ModelProto',
  fields: {
    irVersion: integer(1),
    opsetImport: messages(8, () => OperatorSet),
    producerName: string(2),
    producerVersion: string(3),
    domain: string(4),
    modelVersion: integer(5),
    graph: message(7, () => Graph),
    metadataProps: messages(14, () => Entry),
    functions: messages(25, () => Func),
  },
};
const OperatorSet: Message<OperatorSetId> = { name: 'OperatorSetIdProto', fields: { domain: string(1), version: integer(2) } };
const Entry: Message<StringEntry> = { name: 'StringStringEntryProto', fields: { key: string(1), value: string(2) } };
const Graph: Message<GraphProto> = {
  name: 'GraphProto',
  fields: {
    name: string(2),
    node: messages(1, () => Node),
    initializer: messages(5, () => Tensor),
    sparseInitializer: messages(15, () => SparseTensor),
    input: messages(11, () => ValueInfo),
    output: messages(12, () => ValueInfo),
    valueInfo: messages(13, () => ValueInfo),
    quantizationAnnotation: messages(14, () => Annotation),
    metadataProps: messages(16, () => Entry),
  },
};
const Node: Message<NodeProto> = {
  name: 'NodeProto',
  fields: {
    name: string(3),
    opType: string(4),
    domain: string(7),
    overload: string(8),
    input: strings(1),
    output: strings(2),
    attribute: messages(5, () => Attribute),
  },
};
const Attribute: Message<AttributeProto> = {
  name: 'AttributeProto',
  fields: {
    name: string(1),
    refAttrName: string(21),
    type: integer(20),
    f: maybeFloat(2),
    i: maybeInteger(3),
    s: maybeString(4),
    t: message(5, () => Tensor),
    g: message(6, () => Graph),
    sparseTensor: message(22, () => SparseTensor),
    tp: message(14, () => Type),
    floats: floats(7),
    ints: integers(8),
    strings: strings(9),
    tensors: messages(10, () => Tensor),
    graphs: messages(11, () => Graph),
    sparseTensors: messages(23, () => SparseTensor),
    typeProtos: messages(15, () => Type),
  },
};
const Segment: Message<{ readonly begin: number; readonly end: number }> = {
  name: 'TensorProto.Segment',
  fields: { begin: integer(1), end: integer(2) },
};
export const Tensor: Message<TensorProto> = {
  name: 'TensorProto',
  fields: {
    name: string(8),
    dims: integers(1),
    dataType: integer(2),
    segmented: message(3, () => Segment),
    rawData: maybeBytes(9),
    floatData: packed(4, 'fixed32'),
    doubleData: packed(10, 'fixed64'),
    int32Data: packed(5, 'varint'),
    int64Data: packed(7, 'varint'),
    uint64Data: packed(11, 'varint'),
    stringData: strings(6),
    dataLocation: integer(14),
    externalData: messages(13, () => Entry),
  },
};
const SparseTensor: Message<SparseTensorProto> = {
  name: 'SparseTensorProto',
  fields: { values: message(1, () => Tensor), indices: message(2, () => Tensor), dims: integers(3) },
};
const ValueInfo: Message<ValueInfoProto> = { name: 'ValueInfoProto', fields: { name: string(1), type: message(2, () => Type) } };
const Type: Message<TypeProto> = {
  name: 'TypeProto',
  fields: {
    tensorType: message(1, () => TensorType),
    sparseTensorType: message(8, () => TensorType),
    sequenceType: message(4, () => ElementType),
    optionalType: message(9, () => ElementType),
    mapType: message(5, () => MapType),
    opaqueType: message(7, () => OpaqueType),
    denotation: string(6),
  },
};
const TensorType: Message<TensorTypeProto> = {
  name: 'TypeProto.Tensor',
  fields: { elemType: integer(1), shape: message(2, () => Shape) },
};
const ElementType: Message<ElementTypeProto> = { name: 'TypeProto.Element', fields: { elemType: message(1, () => Type) } };
const MapType: Message<MapTypeProto> = {
  name: 'TypeProto.Map',
  fields: { keyType: integer(1), valueType: message(2, () => Type) },
};
const OpaqueType: Message<OpaqueTypeProto> = { name: 'TypeProto.Opaque', fields: { domain: string(1), name: string(2) } };
const Shape: Message<TensorShapeProto> = { name: 'TensorShapeProto', fields: { dim: messages(1, () => Dimension) } };
const Dimension: Message<DimensionProto> = {
  name: 'TensorShapeProto.Dimension',
  fields: { dimValue: maybeInteger(1), dimParam: maybeString(2) },
};
const Annotation: Message<TensorAnnotation> = {
  name: 'TensorAnnotation',
  fields: { tensorName: string(1), quantParameterTensorNames: messages(2, () => Entry) },
};
const Func: Message<FunctionProto> = {
  name: 'FunctionProto',
  fields: {
    name: string(1),
    domain: string(10),
    overload: string(13),
    input: strings(4),
    output: strings(5),
    attribute: strings(6),
    attributeProto: messages(11, () => Attribute),
    node: messages(7, () => Node),
    opsetImport: messages(9, () => OperatorSet),
    valueInfo: messages(12, () => ValueInfo),
  },
};
