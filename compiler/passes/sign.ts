import { toNumbers } from '../core/tensor.ts';
import { tensorOf, type Value } from '../graph/graph.ts';
import { Conv, ConvTranspose } from '../ops/conv/conv.ts';
import { attrsOf, nodeOf, type Op } from '../ops/define.ts';
import { Abs, Add, Div, Exp, Mul, Pow, Sigmoid, Sqrt } from '../ops/elementwise/index.ts';
import { MatMul } from '../ops/matmul/matmul.ts';
import { Reshape, Transpose } from '../ops/movement/view.ts';
import { Reduce } from '../ops/reduce/reduce.ts';
import { isFloatValue, splat } from './match.ts';

/**
 * Whether no element of a float value is -0: what has no sign, sums of products (they begin with +0), and whatever +0 was added to. Whether
 * a sum of products is -0 where all its products are is not promised anywhere.
 */
export function isNeverMinusZero(v: Value): boolean {
  const { def } = v;
  if (hasNoSign(v) || def.k !== 'node') return hasNoSign(v);
  const of = nodeOf(def, Reduce)?.attrs.of;
  if (SUMS.has(def.op) || of === 'sum' || of === 'mean') return true;
  return def.op === Add && def.inputs.some(x => x !== undefined && (Object.is(splat(x), 0) || hasNoSign(x)));
}
const SUMS: ReadonlySet<Op> = new Set<Op>([Conv, ConvTranspose, MatMul]);

/** Operators deep that signs are followed. */
const DEPTH = 6;
/** Whether all elements of a float value are +0, above it, or NaN: squares, exponentials and what is summed of them. */
export function hasNoSign(v: Value, depth = DEPTH): boolean {
  if (!isFloatValue(v) || depth === 0) return false;
  const t = tensorOf(v);
  if (t) return toNumbers(t).every(x => !(x < 0 || Object.is(x, -0)));
  const { def } = v;
  if (def.k !== 'node') return false;
  const [a, b] = def.inputs;
  const first = (): boolean => a !== undefined && hasNoSign(a, depth - 1);
  const both = (): boolean => first() && b !== undefined && hasNoSign(b, depth - 1);
  switch (def.op) {
    case Abs:
    case Exp:
    case Sigmoid:
      return true;
    case Pow:
      return splat(b) === 2;
    case Mul:
      return a === b || both();
    case Add:
    case Div:
      return both();
    case Sqrt:
    case Reshape:
    case Transpose:
      return first();
    case Reduce: {
      const { of } = attrsOf(def, Reduce);
      return (of === 'sum' || of === 'mean') && first();
    }
  }
  return false;
}
