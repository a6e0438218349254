import type { Loc } from '../../core/diagnostic.ts';
import type { Dim } from '../../core/dim.ts';
import type { DType } from '../../core/dtype.ts';
import type { TensorType } from '../../core/shape.ts';
import type { Tensor } from '../../core/tensor.ts';
import type { Graph, Value } from '../../graph/graph.ts';
import type { ImportBuilder } from '../shared/builder.ts';
import type { AttributeProto, GraphProto } from './records.ts';

/**
 * What the tables of ONNX operators (`ops/<family>.ts`) are written against. A builder turns one ONNX node into nodes of ours: all
 * quirks of opset versions end there. It may be called more than once for one node (bodies of loops, inlined functions), so it keeps
 * no state.
 */
export type OnnxBuilder = (n: OnnxNode, c: ImportCtx) => readonly (Value | undefined)[];
/** By operator name: `Relu` for the standard domain, `com.microsoft.Gelu`, `ai.onnx.ml.Scaler` … for the others. */
export type OnnxOps = Readonly<Record<string, OnnxBuilder>>;

/** A sequence of tensors. Its length is known, so nothing of it is left in the graph: it is a list of values. */
export interface Sequence {
  readonly items: readonly Value[];
}
export type Item = Value | Sequence;
export const isSequence = (x: Item | undefined): x is Sequence => x !== undefined && 'items' in x;
/** A builder of an operator over sequences. `n.inputs` has undefined where `inputs` has a sequence. */
export type SequenceBuilder = (n: OnnxNode, c: ImportCtx, inputs: readonly (Item | undefined)[]) => readonly Item[];

/** Reads an attribute. E102 where it has another type; without a default also where it is missing. */
interface Get<T> {
  (name: string): T;
  <const D extends T | undefined>(name: string, otherwise: D): T | D;
}
/** One node of the file. Attributes that refer to those of an enclosing function are resolved. */
export interface OnnxNode {
  readonly op: string;
  /** '' for the standard domain. */
  readonly domain: string;
  /** The version of the domain's operator set that the model is written for. */
  readonly opset: number;
  /** undefined: an optional input left out. Trailing ones may be missing altogether. */
  readonly inputs: readonly (Value | undefined)[];
  /** Names of the outputs; '' where not wanted. A builder may give undefined, or nothing, for outputs that are not wanted. */
  readonly outputs: readonly string[];
  readonly loc: Loc;
  /** Input i, which must be there (E102). `what` names it in the message. */
  input(i: number, what?: string): Value;
  /** Whether output i is wanted. */
  wants(i: number): boolean;
  /** The sizes that the file declares for output i (undefined: open), if it says anything: for sizes that only data would tell. */
  declared(i: number): readonly (number | undefined)[] | undefined;
  has(attr: string): boolean;
  readonly int: Get<number>;
  /** An int that is 0 or 1. */
  readonly bool: Get<boolean>;
  readonly float: Get<number>;
  readonly string: Get<string>;
  readonly ints: Get<readonly number[]>;
  readonly floats: Get<readonly number[]>;
  readonly strings: Get<readonly string[]>;
  /** A tensor, dense or sparse. */
  readonly tensor: Get<Tensor>;
  /** An element type given by ONNX's number; E106 where Sinter has none. */
  readonly dtype: Get<DType>;
  readonly graph: Get<GraphProto>;
  /** The attribute as it lies in the file, for what the readers above do not cover. */
  attr(name: string): AttributeProto | undefined;
  /** The node is wrong: E102. */
  reject(why: string): never;
  /** The node is right, and Sinter cannot do it (yet): E101. Collected, so that the user sees all of them at once. */
  unsupported(why: string): never;
}

/** An input of a sub-graph as the operator that runs it passes it. `symbolic`: its contents as dimensions where they can be told. */
export interface Formal {
  readonly type: TensorType;
  readonly symbolic?: readonly Dim[];
}
/** A sub-graph of an attribute and what its own inputs are given. */
export interface SubGraph {
  readonly graph: GraphProto;
  readonly inputs: readonly Formal[];
}

/** What builders of ONNX operators make nodes with: the builder of every importer, and sub-graphs and names as ONNX has them. */
export interface ImportCtx extends ImportBuilder {
  /**
   * Imports sub-graphs that one node will hold. Values of the graph around that they use become explicit: every graph gets the same
   * inputs after its own, one a capture, which are `captures` outside. Constants are shared and not captured.
   */
  graphs(subs: readonly SubGraph[]): { readonly graphs: readonly Graph[]; readonly captures: readonly Value[] };
  /** Imports a sub-graph in place, with the given values for its inputs: a branch whose condition is known, an unrolled loop. */
  inline(graph: GraphProto, inputs: readonly Value[]): readonly Value[];
  /** A value by its name, for the few attributes that name values. E105: nothing has the name. */
  named(name: string): Value;
}
