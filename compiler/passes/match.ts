import { dimsEq } from '../core/dim.ts';
import { isFloat } from '../core/dtype.ts';
import { splatOf } from '../core/tensor.ts';
import { tensorOf, type Node, type NodeOf, type Value } from '../graph/graph.ts';
import { nodeOf, type Op, type Typed } from '../ops/define.ts';

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
/** The node that makes a value, if it is of this operator and the value its first result. */
export const madeBy = <O extends Op>(v: Value | undefined, op: O): NodeOf<Typed<O['attrs']>> | undefined =>
  v?.def.k === 'node' && v.index === 0 ? nodeOf(v.def, op) : undefined;
