/** A file as it is, with lists by number; weights stay views of it. Absent numbers are -1 there and here. */
export interface TfliteModel {
  readonly version: number;
  readonly description: string;
  /** The first one is the main one where no signature says otherwise. */
  readonly subgraphs: readonly Subgraph[];
  /** Contents by number; undefined: of tensors that a run computes. */
  readonly buffers: readonly (Uint8Array | undefined)[];
  readonly external: readonly ExternalBuffer[];
  readonly signatures: readonly Signature[];
  /** The whole file: an archive may follow the tables. */
  readonly bytes: Uint8Array;
  /** Contents by name. */
  readonly metadata: ReadonlyMap<string, Uint8Array>;
}
export interface Subgraph {
  readonly name: string;
  readonly tensors: readonly TensorRecord[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly operators: readonly Operator[];
}
export interface TensorRecord {
  readonly name: string;
  /** As in `TENSOR_TYPES`, or its number. */
  readonly type: string;
  readonly shape: readonly number[];
  /** The shape with -1 where it is free. */
  readonly signature: readonly number[] | undefined;
  readonly buffer: number;
  /** Which external buffer holds the contents; 0: none. */
  readonly externalBuffer: number;
  readonly quantization: Quantization | undefined;
  /** Keeps its contents from run to run. */
  readonly variable: boolean;
  readonly sparsity: Sparsity | undefined;
}
/** An integer q stands for (q - zero) * scale; there is one scale, or one for each index along `axis`. */
export interface Quantization {
  readonly scale: readonly number[];
  readonly zero: readonly number[];
  readonly axis: number;
  /** Kinds that have tensors of scales: blockwise and the like. */
  readonly details: boolean;
}
/** A sparse tensor: see `densify`. */
export interface Sparsity {
  readonly order: readonly number[];
  readonly blockMap: readonly number[];
  readonly dims: readonly SparseDim[];
}
export type SparseDim =
  | { readonly k: 'dense'; readonly size: number }
  | { readonly k: 'csr'; readonly segments: readonly number[]; readonly indices: readonly number[] };

export interface Operator {
  /** `CONV_2D`, or the name of a custom operator. */
  readonly op: string;
  readonly custom: boolean;
  readonly version: number;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly options: Options;
  /** Options of custom operators as bytes. */
  readonly customOptions: Uint8Array;
}
/** What a table of options holds. */
export interface Options {
  /** The name of the table; '' where there is none. */
  readonly table: string;
  readonly fields: ReadonlyMap<string, OptionValue>;
}
/** What a handle of a variable leads to, by its options. */
export const variableName = ({ fields }: Options): string =>
  [fields.get('container'), fields.get('shared_name')].filter(s => s !== undefined && s !== '').join('/');
export type OptionValue = number | string | readonly number[];
export interface ExternalBuffer {
  readonly group: string;
  readonly offset: number;
  readonly length: number;
  readonly packing: string;
}
export interface Signature {
  readonly key: string;
  readonly subgraph: number;
  readonly inputs: readonly NamedTensor[];
  readonly outputs: readonly NamedTensor[];
}
export interface NamedTensor {
  readonly name: string;
  readonly tensor: number;
}
