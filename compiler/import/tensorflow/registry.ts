import type { Dim } from '../../core/dim.ts';
import type { Graph, Value } from '../../graph/graph.ts';
import type { TensorType } from '../../core/shape.ts';
import type { ImportBuilder } from '../shared/builder.ts';
import type { Item } from './item.ts';
import type { TfNode } from './node.ts';
import type { TensorProto } from './records.ts';

export type { TfNode };

/**
 * What the tables of TensorFlow's operators (`ops/<family>.ts`) are written against. A builder turns one node into nodes of ours, or into
 * what is known about it at import. It may be called more than once for one node (functions are inlined, bodies of loops imported until
 * their types settle), so it keeps no state. It may give undefined for outputs that nothing wants.
 */
export type TfBuilder = (n: TfNode, c: TfCtx) => readonly (Item | undefined)[];
export type TfOps = Readonly<Record<string, TfBuilder>>;

/** An input of a body as the operator that runs it passes it. `symbolic`: its contents as dimensions where they can be told. */
interface Formal {
  readonly type: TensorType;
  readonly symbolic?: readonly Dim[];
}
/** A function as the body of a loop or a branch: what its inputs are, of which some are inputs of the graph of their own. */
export interface BodyOf {
  readonly name: string;
  /** Graph inputs, in order. */
  readonly formals: readonly Formal[];
  /** The function's arguments, given those inputs. */
  arguments(formals: readonly Value[]): readonly Item[];
  /** The tensors that the graph gives, of what the function does with `given`. */
  results(items: readonly Item[], c: TfCtx, given: readonly Item[]): readonly Value[];
}
/** What builders make nodes with: the builder of every importer, and functions and resources as TensorFlow has them. */
export interface TfCtx extends ImportBuilder {
  /** Puts the body of a function in the place of a call; `wants`: which results are needed, by default all. */
  call(name: string, inputs: readonly Item[], wants?: (i: number) => boolean): readonly (Item | undefined)[];
  /** Imports functions that one node will hold. Each graph gets inputs for what it uses of the graph around, which are `captures` outside. */
  bodies(list: readonly BodyOf[]): { readonly graphs: readonly Graph[]; readonly captures: readonly Value[] };
  readonly resources: Resources;
}
/** Variables and tables of the model. */
interface Resources {
  /** A variable's value; undefined: nothing has given it one. */
  variable(key: string): Value | undefined;
  /** Gives a variable a value. E101 inside of loops and branches. */
  assign(key: string, v: Value): void;
  /** What a table holds; undefined: nothing fills it. */
  table(key: string): LookupTable | undefined;
}
/** Vectors of one length. */
export interface LookupTable {
  readonly keys: TensorProto;
  readonly values: TensorProto;
}
