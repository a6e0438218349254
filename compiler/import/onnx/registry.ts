import { InternalError } from '../../core/diagnostic.ts';
import type { Dim } from '../../core/dim.ts';
import type { TensorType } from '../../core/shape.ts';
import type { Graph, Value } from '../../graph/graph.ts';
import type { ImportBuilder } from '../shared/builder.ts';
import type { OnnxNode } from './node.ts';
import type { GraphProto } from './records.ts';
import type { Spelt } from './spelt.ts';

export type { OnnxNode };

/**
 * What the tables of ONNX operators (`ops/<family>.ts`) are written against. A builder turns one ONNX node into nodes of ours: all
 * quirks of opset versions end there. It may be called more than once for one node (bodies of loops, inlined functions), so it keeps
 * no state.
 */
export type OnnxBuilder = (n: OnnxNode, c: ImportCtx) => readonly (Item | undefined)[];
/** By operator name: `Relu` for the standard domain, `com.microsoft.Gelu`, `ai.onnx.ml.Scaler` … for the others. */
export type OnnxOps = Readonly<Record<string, OnnxBuilder>>;

/** A sequence of tensors. Its length is known, so nothing of it is left in the graph: it is a list of values. */
export interface Sequence {
  readonly items: readonly Value[];
}
export type Item = Value | Sequence | Spelt;
export const isSequence = (x: Item | undefined): x is Sequence => x !== undefined && 'items' in x;
export const isSpelt = (x: Item | undefined): x is Spelt => x !== undefined && 'spelt' in x;
export const isTensor = (x: Item | undefined): x is Value => x !== undefined && 'type' in x;
/** The same item of other values. */
export const mapItem = (x: Item, f: (v: Value) => Value): Item =>
  isSequence(x) ? { items: x.items.map(f) } : isSpelt(x) ? { spelt: f(x.spelt) } : f(x);
/** A builder of an operator over sequences. `n.inputs` has undefined where `inputs` has a sequence. */
export type SequenceBuilder = (n: OnnxNode, c: ImportCtx, inputs: readonly (Item | undefined)[]) => readonly Item[];

/** The tensors that an item is made of. */
export const valuesOf = (x: Item): readonly Value[] => (isSequence(x) ? x.items : isSpelt(x) ? [x.spelt] : [x]);
/** An item made as another one is, of the next of some values. */
export function itemLike(x: Item, values: Iterator<Value, unknown>): Item {
  return mapItem(x, () => {
    const next = values.next();
    if (next.done === true) throw new InternalError('too few values');
    return next.value;
  });
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
  /** Whether its results may be sequences and texts by what they hold, whose tensors are outputs of their own. */
  readonly sequences?: true;
}

/** What builders of ONNX operators make nodes with: the builder of every importer, and sub-graphs and names as ONNX has them. */
export interface ImportCtx extends ImportBuilder {
  /**
   * Imports sub-graphs that one node will hold. Values of the graph around that they use become explicit: every graph gets the same
   * inputs after its own, one a capture, which are `captures` outside. Constants are shared and not captured.
   */
  graphs(subs: readonly SubGraph[]): {
    readonly graphs: readonly Graph[];
    readonly captures: readonly Value[];
    /** The results of each. */
    readonly items: readonly (readonly Item[])[];
  };
  /** Imports a sub-graph in place, with the given values for its inputs: a branch whose condition is known, an unrolled loop. */
  inline(graph: GraphProto, inputs: readonly Value[]): readonly Value[];
  /** The same where inputs or results may be sequences. */
  inlineItems(graph: GraphProto, inputs: readonly Item[]): readonly Item[];
  /** A value by its name, for the few attributes that name values. E105: nothing has the name. */
  named(name: string): Value;
}
