import { DTYPES, isInt, limitsOf } from '../core/dtype.ts';
import { maxOf, minOf } from '../core/extremes.ts';
import { toNumbers } from '../core/tensor.ts';
import { tensorOf, type Value } from '../graph/graph.ts';
import { ConvInteger } from '../ops/conv/conv-integer.ts';
import { Conv } from '../ops/conv/conv.ts';
import { attrsOf } from '../ops/define.ts';
import { Add, Cast, Clip, Div, Mul, Neg, Relu, Round, Sub } from '../ops/elementwise/index.ts';
import { MatMulInteger } from '../ops/matmul/matmul-integer.ts';
import { MatMul } from '../ops/matmul/matmul.ts';
import { Reshape, Transpose } from '../ops/movement/view.ts';
import { EXACT } from './exact-sums.ts';

/** Operators deep that magnitudes are followed. */
const DEPTH = 8;
const LARGEST = 3.4e38;

/** What |x| of no element of an f32 or integer value exceeds; undefined where that is not known, or it might be infinite or NaN. */
export function magnitudeOf(v: Value, depth = DEPTH): number | undefined {
  const m = bounded(v, depth);
  // NaN among them is the largest of all, and no number.
  return m !== undefined && m <= LARGEST ? m : undefined;
}
function bounded(v: Value, depth: number): number | undefined {
  const { dtype } = v.type;
  if (isInt(dtype)) return DTYPES[dtype].bits <= 32 ? Math.max(...limitsOf(dtype).map(x => Math.abs(Number(x)))) : undefined;
  const t = tensorOf(v);
  if (t) return maxOf(toNumbers(t).map(Math.abs), 0);
  if (dtype !== 'f32' || v.def.k !== 'node' || depth === 0) return undefined;
  const { def } = v;
  const of = (i: number): number | undefined => {
    const x = def.inputs[i];
    return x && magnitudeOf(x, depth - 1);
  };
  const one = (f: (a: number) => number): number | undefined => {
    const a = of(0);
    return a === undefined ? undefined : f(a);
  };
  const both = (f: (a: number, b: number) => number): number | undefined => {
    const b = of(1);
    return b === undefined ? undefined : one(a => f(a, b));
  };
  switch (def.op) {
    case ConvInteger:
    case MatMulInteger:
      return 2 ** 31;
    case Conv:
      return attrsOf(def, Conv).exact ? EXACT : undefined;
    case MatMul:
      return attrsOf(def, MatMul).exact ? EXACT : undefined;
    case Add:
    case Sub:
      return both((a, b) => a + b);
    case Mul:
      return both((a, b) => a * b);
    case Div: {
      const by = tensorOf(def.inputs[1]);
      const least = by ? minOf(toNumbers(by).map(Math.abs), Infinity) : 0;
      return least > 0 ? one(a => a / least) : undefined;
    }
    case Round:
      return one(a => a + 1);
    case Clip: {
      const { lo = 0, hi = 0 } = attrsOf(def, Clip);
      return one(a => Math.max(a, Math.abs(lo), Math.abs(hi)));
    }
    case Cast:
    case Neg:
    case Relu:
    case Reshape:
    case Transpose:
      return of(0);
  }
  return undefined;
}
