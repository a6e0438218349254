/**
 * The records of an ONNX file, one interface a message of its schema (field names in camel case). A scalar that the file leaves out
 * has the schema's default, except where its absence means something: those are `| undefined`. 64-bit integers are numbers; what a
 * number cannot hold exactly is clamped to ±Number.MAX_SAFE_INTEGER, which keeps sentinels such as INT64_MAX at the far end.
 * Free text for people (doc strings), training information and sharding hints are not read.
 */
export interface ModelProto {
  readonly irVersion: number;
  readonly opsetImport: readonly OperatorSetId[];
  readonly producerName: string;
  readonly producerVersion: string;
  readonly domain: string;
  readonly modelVersion: number;
  readonly graph: GraphProto | undefined;
  readonly metadataProps: readonly StringEntry[];
  readonly functions: readonly FunctionProto[];
}
export interface OperatorSetId {
  readonly domain: string;
  readonly version: number;
}
export interface StringEntry {
  readonly key: string;
  readonly value: string;
}
export interface GraphProto {
  readonly name: string;
  readonly node: readonly NodeProto[];
  readonly initializer: readonly TensorProto[];
  readonly sparseInitializer: readonly SparseTensorProto[];
  readonly input: readonly ValueInfoProto[];
  readonly output: readonly ValueInfoProto[];
  readonly valueInfo: readonly ValueInfoProto[];
  readonly quantizationAnnotation: readonly TensorAnnotation[];
  readonly metadataProps: readonly StringEntry[];
}
export interface NodeProto {
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  readonly overload: string;
  /** An empty name is an optional input left out. */
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly attribute: readonly AttributeProto[];
}
/** One attribute: a tagged union in spirit, spelt in the schema as one field for every kind. `attrKind` says which one counts. */
export interface AttributeProto {
  readonly name: string;
  /** The attribute of the enclosing function that this one stands for; empty for a value of its own. */
  readonly refAttrName: string;
  /** The number in the schema's AttributeType; 0 in files older than that field. */
  readonly type: number;
  readonly f: number | undefined;
  readonly i: number | undefined;
  readonly s: string | undefined;
  readonly t: TensorProto | undefined;
  readonly g: GraphProto | undefined;
  readonly sparseTensor: SparseTensorProto | undefined;
  readonly tp: TypeProto | undefined;
  readonly floats: readonly number[];
  readonly ints: readonly number[];
  readonly strings: readonly string[];
  readonly tensors: readonly TensorProto[];
  readonly graphs: readonly GraphProto[];
  readonly sparseTensors: readonly SparseTensorProto[];
  readonly typeProtos: readonly TypeProto[];
}
/** A tensor as stored; `tensorOf` turns it into one to compute with. The bytes are views of the file. */
export interface TensorProto {
  readonly name: string;
  readonly dims: readonly number[];
  /** The number in the schema's DataType; see `dtypeOf` and `dataTypeName`. */
  readonly dataType: number;
  readonly segmented: { readonly begin: number; readonly end: number } | undefined;
  readonly rawData: Uint8Array | undefined;
  /** Packed values of the field as they lie in the file: little-endian floats, doubles; base-128 varints for the integers. */
  readonly floatData: Uint8Array | undefined;
  readonly doubleData: Uint8Array | undefined;
  readonly int32Data: Uint8Array | undefined;
  readonly int64Data: Uint8Array | undefined;
  readonly uint64Data: Uint8Array | undefined;
  readonly stringData: readonly string[];
  /** 1: the elements are in another file, which `externalData` tells. */
  readonly dataLocation: number;
  readonly externalData: readonly StringEntry[];
}
export interface SparseTensorProto {
  /** The elements that are not zero, one-dimensional; its name is the tensor's name. */
  readonly values: TensorProto | undefined;
  /** Linear indices [n] or coordinates [n, rank], in ascending order. */
  readonly indices: TensorProto | undefined;
  readonly dims: readonly number[];
}
export interface ValueInfoProto {
  readonly name: string;
  readonly type: TypeProto | undefined;
}
/** At most one of the kinds is there. */
export interface TypeProto {
  readonly tensorType: TensorTypeProto | undefined;
  readonly sparseTensorType: TensorTypeProto | undefined;
  readonly sequenceType: ElementTypeProto | undefined;
  readonly optionalType: ElementTypeProto | undefined;
  readonly mapType: MapTypeProto | undefined;
  readonly opaqueType: OpaqueTypeProto | undefined;
  readonly denotation: string;
}
export interface TensorTypeProto {
  readonly elemType: number;
  /** Undefined where not even the rank is known. */
  readonly shape: TensorShapeProto | undefined;
}
export interface ElementTypeProto {
  readonly elemType: TypeProto | undefined;
}
export interface MapTypeProto {
  readonly keyType: number;
  readonly valueType: TypeProto | undefined;
}
export interface OpaqueTypeProto {
  readonly domain: string;
  readonly name: string;
}
export interface TensorShapeProto {
  readonly dim: readonly DimensionProto[];
}
/** A number, a name, or neither (then the size is unknown). */
export interface DimensionProto {
  readonly dimValue: number | undefined;
  readonly dimParam: string | undefined;
}
export interface TensorAnnotation {
  readonly tensorName: string;
  readonly quantParameterTensorNames: readonly StringEntry[];
}
export interface FunctionProto {
  readonly name: string;
  readonly domain: string;
  readonly overload: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  /** Names of attributes without a default. */
  readonly attribute: readonly string[];
  /** Attributes with their defaults. */
  readonly attributeProto: readonly AttributeProto[];
  readonly node: readonly NodeProto[];
  readonly opsetImport: readonly OperatorSetId[];
  readonly valueInfo: readonly ValueInfoProto[];
}
