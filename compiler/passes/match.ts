import { dimsEq, type Dim } from '../core/dim.ts';
import { isFloat } from '../core/dtype.ts';
import { splatOf } from '../core/tensor.ts';
import { tensorOf, type Node, type Value } from '../graph/graph.ts';
import type { Attrs } from '../ops/define.ts';

/** What rules ask about values. */

/** The number that all elements of a constant are, if it is a constant and they are all one. */
export function splat(v: Value | undefined): number | undefined {
  const t = tensorOf(v);
  return t && splatOf(t);
}
/** Whether two values have the same type and sizes. */
export const sameType = (a: Value, b: Value): boolean => a.type.dtype === b.type.dtype && dimsEq(a.type.shape, b.type.shape);
export const out = (n: Node): Value => {
  const [v] = n.outputs;
  if (!v) throw new Error('a node without results');
  return v;
};
export const isFloatValue = (v: Value): boolean => isFloat(v.type.dtype);
export const ints = (a: Attrs, name: string): readonly number[] => {
  const v = a[name];
  return Array.isArray(v) ? v.map(Number) : [];
};
const isDims = (v: unknown): v is readonly Dim[] => Array.isArray(v);
export const dims = (a: Attrs, name: string): readonly Dim[] => {
  const v = a[name];
  return isDims(v) ? v : [];
};
export const number = (a: Attrs, name: string): number | undefined => {
  const v = a[name];
  return typeof v === 'number' ? v : undefined;
};
/** The node that makes a value, if it is of this operator and the value its first result. */
export const madeBy = (v: Value | undefined, op: string): Node | undefined =>
  v?.def.k === 'node' && v.def.op.name === op && v.index === 0 ? v.def : undefined;
