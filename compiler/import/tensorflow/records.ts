/** The messages of TensorFlow's model files, as far as they are read (tensorflow/core/framework and tensorflow/core/protobuf). */

export interface ShapeProto {
  readonly dim: readonly { readonly size: number }[];
  readonly unknownRank: boolean;
}
export interface TensorProto {
  readonly dtype: number;
  readonly shape: ShapeProto | undefined;
  readonly content: Uint8Array | undefined;
  /** Elements by type, as packed bytes; the last one repeats. */
  readonly floats: Uint8Array | undefined;
  readonly doubles: Uint8Array | undefined;
  readonly ints: Uint8Array | undefined;
  readonly int64s: Uint8Array | undefined;
  readonly bools: Uint8Array | undefined;
  readonly halves: Uint8Array | undefined;
  readonly uint32s: Uint8Array | undefined;
  readonly uint64s: Uint8Array | undefined;
  readonly complexes: Uint8Array | undefined;
  readonly strings: readonly string[];
}
export interface NameAttrList {
  readonly name: string;
}
export interface AttrList {
  readonly s: readonly string[];
  readonly i: readonly number[];
  readonly f: readonly number[];
  readonly b: readonly number[];
  readonly type: readonly number[];
  readonly shape: readonly ShapeProto[];
  readonly func: readonly NameAttrList[];
}
/** One of the fields. */
export interface AttrValue {
  readonly list?: AttrList | undefined;
  readonly s?: string | undefined;
  readonly i?: number | undefined;
  readonly f?: number | undefined;
  readonly b?: number | undefined;
  readonly type?: number | undefined;
  readonly shape?: ShapeProto | undefined;
  readonly tensor?: TensorProto | undefined;
  readonly func?: NameAttrList | undefined;
}
export interface Entry<T> {
  readonly key: string;
  readonly value: T | undefined;
}
export interface NodeDef {
  readonly name: string;
  readonly op: string;
  /** `node`, `node:output`, `node:argument:output` in functions, or `^node` for what only has to come before. */
  readonly input: readonly string[];
  readonly attr: readonly Entry<AttrValue>[];
}
export interface ArgDef {
  readonly name: string;
  readonly type: number;
}
export interface FunctionDef {
  readonly signature:
    | { readonly name: string; readonly inputArg: readonly ArgDef[]; readonly outputArg: readonly ArgDef[] }
    | undefined;
  readonly nodes: readonly NodeDef[];
  /** Output argument → a value in the body. */
  readonly ret: readonly Entry<string>[];
  /** Nodes that run whatever is wanted of the results, such as those that assign variables. */
  readonly controlRet: readonly Entry<string>[];
}
export interface GraphDef {
  readonly nodes: readonly NodeDef[];
  readonly library: { readonly functions: readonly FunctionDef[] } | undefined;
}
export interface TensorInfo {
  /** `node:output`. */
  readonly name: string | undefined;
  readonly dtype: number;
  readonly shape: ShapeProto | undefined;
}
export interface SignatureDef {
  readonly inputs: readonly Entry<TensorInfo>[];
  readonly outputs: readonly Entry<TensorInfo>[];
  readonly methodName: string;
}
export interface MetaGraphDef {
  readonly info: { readonly tags: readonly string[]; readonly version: string } | undefined;
  readonly graph: GraphDef | undefined;
  readonly saver: { readonly filename: string; readonly restore: string } | undefined;
  readonly signatures: readonly Entry<SignatureDef>[];
  readonly collections: readonly Entry<{ readonly nodes: { readonly value: readonly string[] } | undefined }>[];
  readonly assets: readonly { readonly tensor: { readonly name: string } | undefined; readonly file: string }[];
}
export interface SavedModel {
  readonly version: number;
  readonly metaGraphs: readonly MetaGraphDef[];
}
export interface BundleHeader {
  readonly shards: number;
  readonly endianness: number;
}
export interface BundleEntry {
  readonly dtype: number;
  readonly shape: ShapeProto | undefined;
  readonly shard: number;
  readonly offset: number;
  readonly size: number;
  readonly checksum: number | undefined;
  readonly slices: readonly object[];
}
