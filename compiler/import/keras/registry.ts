import type { Tensor } from '../../core/tensor.ts';
import type { Value } from '../../graph/graph.ts';
import type { ImportBuilder } from '../shared/builder.ts';
import type { Json } from '../shared/json.ts';
import type { LayerView } from './layer.ts';
import type { LayerRecord } from './records.ts';
import type { Weights } from './weights.ts';

/** A tensor between layers. `mask`: which steps count, as bool [batch, time]; Keras carries it beside the tensor. */
export interface Flow {
  readonly value: Value;
  readonly mask?: Value | undefined;
}
/** An argument of a call. */
export type Arg =
  | { readonly k: 'flow'; readonly flow: Flow }
  | { readonly k: 'list'; readonly items: readonly Arg[] }
  | { readonly k: 'json'; readonly json: Json };
export interface Call {
  readonly args: readonly Arg[];
  readonly kwargs: ReadonlyMap<string, Arg>;
}
/** Makes the nodes of one call of a layer. It keeps no state, for a layer may be called more than once. */
export type LayerBuilder = (n: LayerView, c: KerasBuilder, call: CallView) => readonly Flow[];
export type LayerTable = Readonly<Record<string, LayerBuilder>>;

/** What the builders of layers make nodes with. */
export interface KerasBuilder extends ImportBuilder {
  /** Runs a layer that is inside of another. */
  run(record: LayerRecord, weights: Weights, call: Call): readonly Flow[];
  /** How a layer inside of another is read. */
  view(record: LayerRecord, weights: Weights): LayerView;
  /** The state of a layer that keeps one between runs: an input that starts as zero, tied to an output. */
  state(name: string, start: Tensor): { readonly value: Value; next(v: Value): void };
}
/** A call as builders read it: with its tensors cast to the type that the layer computes in. */
export interface CallView extends Call {
  /** Tensor i, which must be there (E102); lists of tensors are counted through. */
  x(i?: number): Value;
  flow(i?: number): Flow | undefined;
  /** All tensors among the arguments that have no name. */
  readonly flows: readonly Flow[];
  /** A tensor given by name, or at a place among the arguments. */
  named(name: string, place?: number): Flow | undefined;
  /** Something else given by name or at a place; undefined where it is left out. */
  json(name: string, place?: number): Json | undefined;
}
