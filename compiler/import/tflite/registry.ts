import type { Graph, Value } from '../../graph/graph.ts';
import type { TensorType } from '../../core/shape.ts';
import type { TfliteRounding } from '../importer.ts';
import type { ImportBuilder } from '../shared/builder.ts';
import type { TfliteNode } from './node.ts';

export type { TfliteNode };

/** A table of keys and values, or a variable that keeps its contents from run to run: what handles lead to. */
export interface Resource {
  readonly k: 'resource';
  readonly name: string;
}
export type Item = Value | Resource;
export const isResource = (x: Item | undefined): x is Resource => x !== undefined && 'k' in x;

/**
 * What the tables of operators (`ops/<family>.ts`) are written against. A builder turns one operator into nodes of ours; it may be called
 * more than once for one operator (bodies of loops), so it keeps no state.
 */
export type TfliteBuilder = (n: TfliteNode, c: TfliteCtx) => readonly (Item | undefined)[];
/** By the operator's name: `CONV_2D`, or that of a custom operator. */
export type TfliteOps = Readonly<Record<string, TfliteBuilder>>;

/** What builders make nodes with: the builder of every importer, and the other graphs of the file. */
export interface TfliteCtx extends ImportBuilder {
  readonly rounding: TfliteRounding;
  /** Imports a graph of the file in place. */
  inline(subgraph: number, inputs: readonly Item[]): readonly Item[];
  /** Makes a graph that a node holds, of inputs of the given types; `f` builds in it. */
  graph(inputs: readonly TensorType[], f: (c: TfliteCtx, inputs: readonly Value[]) => readonly Value[]): Graph;
  /** Imports a graph that runs once, before the first run. */
  once(subgraph: number): void;
  /** Gives the variable that is input i of the operator what it holds after it. */
  leave(i: number, v: Value): void;
  /** What a resource holds now. */
  held(r: Resource): Value;
  /** Gives a resource new contents. */
  hold(r: Resource, v: Value): void;
}
