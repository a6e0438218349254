import type { Tensor } from '../../core/tensor.ts';
import type { FunctionDef, NodeDef, ShapeProto } from './records.ts';
import type { LookupTable } from './registry.ts';

/** A value that the model names as input or output. */
export interface Port {
  readonly name: string;
  /** The value in the graph: `node` or `node:output`. */
  readonly ref: string;
  /** TensorFlow's number of its element type. */
  readonly type: number;
  readonly shape: ShapeProto | undefined;
}
/** A function that a SavedModel offers. */
export interface Signature {
  readonly name: string;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}
/** A model in any of the forms: one list of nodes, functions, and what belongs to them. */
export interface TfModel {
  readonly file: string;
  /** What people call its form. */
  readonly title: string;
  readonly nodes: readonly NodeDef[];
  readonly functions: readonly FunctionDef[];
  /** None: inputs are placeholders, and outputs what nothing reads. */
  readonly signatures: readonly Signature[];
  /** Whether a signature may leave its inputs out. */
  readonly partial?: boolean;
  /** The value that a variable begins with, by the key of its handle. */
  readonly variable: (key: string) => Tensor | undefined;
  readonly table: (key: string) => LookupTable | undefined;
  /** What the file says about itself. */
  readonly facts: Readonly<Record<string, string | number | readonly string[]>>;
}
