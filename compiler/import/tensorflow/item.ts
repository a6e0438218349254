import type { Dim } from '../../core/dim.ts';
import type { DType } from '../../core/dtype.ts';
import type { Value } from '../../graph/graph.ts';

/** What flows along the edges of a graph of TensorFlow: tensors, and what is known at import and leaves nothing in our graph. */
export type Item = Value | Complex | Text | Handle | List | Ragged;

/** Complex numbers, as pairs along one more axis, the last. */
export interface Complex {
  readonly k: 'complex';
  readonly pair: Value;
}
/** A constant of text. */
export interface Text {
  readonly k: 'text';
  readonly dims: readonly number[];
  readonly strings: readonly string[];
}
/** A variable, a table, a stack or the like, by its name in the session. */
export interface Handle {
  readonly k: 'handle';
  readonly key: string;
}
/** A list of tensors of one shape, as one tensor with an axis more, the first. */
export interface List {
  readonly k: 'list';
  readonly dtype: DType;
  /** The elements; undefined: none has been given yet, and so their shape is not known. */
  readonly all: Value | undefined;
  /** How many there are. */
  readonly size: Dim;
}
/** A tensor some of whose axes have rows of different lengths, wrapped in one value: the rows' bounds, and their elements. */
export interface Ragged {
  readonly k: 'ragged';
  readonly splits: readonly Value[];
  readonly values: Value;
}
export const isValue = (x: Item | undefined): x is Value => x !== undefined && 'type' in x;
/** What an item is, for messages. */
export function describe(x: Item): string {
  if (isValue(x)) return 'a tensor';
  switch (x.k) {
    case 'complex':
      return 'complex numbers';
    case 'text':
      return 'text';
    case 'handle':
      return 'a resource';
    case 'list':
      return 'a list of tensors';
    case 'ragged':
      return 'a ragged tensor';
  }
}
/** The tensors that an item is made of. */
export function partsOf(x: Item): readonly Value[] {
  if (isValue(x)) return [x];
  switch (x.k) {
    case 'complex':
      return [x.pair];
    case 'list':
      return x.all ? [x.all] : [];
    case 'ragged':
      return [...x.splits, x.values];
    case 'text':
    case 'handle':
      return [];
  }
}
/** The item with others in the place of its tensors. */
export function mapItem(x: Item, f: (v: Value) => Value): Item {
  if (isValue(x)) return f(x);
  switch (x.k) {
    case 'complex':
      return { ...x, pair: f(x.pair) };
    case 'list':
      return x.all ? { ...x, all: f(x.all) } : x;
    case 'ragged':
      return { ...x, splits: x.splits.map(f), values: f(x.values) };
    case 'text':
    case 'handle':
      return x;
  }
}
