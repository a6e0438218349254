import type { Dim } from '../../core/dim.ts';
import type { DType } from '../../core/dtype.ts';
import type { Value } from '../../graph/graph.ts';

/** What flows along the edges of a graph of TensorFlow: tensors, and what is known at import and leaves nothing in our graph. */
export type Item = Value | Complex | Text | Handle | List;

/** Complex numbers, as pairs along one more axis, the last. */
export interface Complex {
  readonly k: 'complex';
  readonly pair: Value;
}
/** A constant of text. */
interface Text {
  readonly k: 'text';
  readonly dims: readonly number[];
  readonly strings: readonly string[];
}
/** A variable, a table, a stack or the like, by its name in the session. */
interface Handle {
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
    case 'text':
    case 'handle':
      return x;
  }
}
