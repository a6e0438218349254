/** What a pickle describes. Nothing in it is ever executed: calls and objects stay records of what would be called. */
export type Pickled =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickledList
  | PickledDict
  | PickledObject
  | PickledGlobal;
/** Lists, tuples and sets. */
export interface PickledList {
  readonly k: 'list';
  readonly items: Pickled[];
}
interface PickledDict {
  readonly k: 'dict';
  readonly entries: [Pickled, Pickled][];
}
/** A class or function by its name, such as `xgboost.core.Booster`. */
export interface PickledGlobal {
  readonly k: 'global';
  readonly name: string;
}
/** What a class or function would give. */
export interface PickledObject {
  readonly k: 'object';
  readonly of: string;
  readonly args: readonly Pickled[];
  /** What `__setstate__` or `__dict__` would be given. */
  state: Pickled;
  /** joblib: the array that follows in the stream, its bytes or a pickle of its own. */
  raw?: Pickled;
}

/** An attribute of an object. Objects may refer to themselves: a walk over them needs an end. */
export const attribute = (o: Pickled | undefined, name: string): Pickled | undefined => {
  if (!isPickled(o, 'object')) return undefined;
  // With __slots__ the state is a pair of dictionaries.
  const states = isPickled(o.state, 'list') ? o.state.items : [o.state];
  for (const s of states) if (isPickled(s, 'dict')) for (const [key, v] of s.entries) if (key === name) return v;
  return undefined;
};
export function isPickled<K extends 'list' | 'dict' | 'object' | 'global'>(
  v: Pickled | undefined,
  k: K,
): v is Extract<Pickled, { readonly k: K }> {
  return typeof v === 'object' && v !== null && !(v instanceof Uint8Array) && v.k === k;
}
