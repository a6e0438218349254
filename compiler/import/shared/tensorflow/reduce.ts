import type { DType } from '../../../core/dtype.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import type { Reduction } from '../../../ops/reduce/axes.ts';
import { ArgReduce, Cumulative } from '../../../ops/reduce/reduce.ts';
import type { ImportBuilder } from '../builder.ts';
import { reduceOver } from '../reduce.ts';
import { cast } from '../views.ts';

/** The reductions of TensorFlow. `all` and `any` are of truth values; `norm` is the root of the sum of squares. */
export type TfReduction = Reduction | 'all' | 'any' | 'norm' | 'logSumExp';
export function reduction(c: ImportBuilder, of: TfReduction, x: Value, axes: readonly number[], keep: boolean): Value {
  switch (of) {
    case 'all':
      return reduceOver(c, 'min', x, axes, keep);
    case 'any':
      return reduceOver(c, 'max', x, axes, keep);
    case 'norm':
      return c.apply1(e.Sqrt, [reduceOver(c, 'sum', c.apply1(e.Mul, [x, x]), axes, keep)]);
    case 'logSumExp':
      return logSumExp(c, x, axes, keep);
    case 'sum':
    case 'mean':
    case 'prod':
    case 'max':
    case 'min':
      return reduceOver(c, of, x, axes, keep);
  }
}
/** log(sum(exp(x))) with the maximum taken out; where that is infinite it stays in. */
function logSumExp(c: ImportBuilder, x: Value, axes: readonly number[], keep: boolean): Value {
  const finite = (m: Value): Value => c.apply1(e.Where, [c.apply1(e.IsInf, [m]), c.literal(m.type.dtype, 0), m]);
  const shift = finite(reduceOver(c, 'max', x, axes, true));
  const sum = reduceOver(c, 'sum', c.apply1(e.Exp, [c.apply1(e.Sub, [x, shift])]), axes, keep);
  return c.apply1(e.Add, [c.apply1(e.Log, [sum]), finite(reduceOver(c, 'max', x, axes, keep))]);
}
/** Where the greatest or least element along an axis is; the first of equal ones. */
export function argReduce(c: ImportBuilder, of: 'max' | 'min', x: Value, axis: number, to: DType, keep = false): Value {
  // Truth values have no order of their own.
  const numbers = x.type.dtype === 'bool' ? cast(c, x, 'i32') : x;
  return cast(c, c.apply1(ArgReduce, [numbers], { of, axis, keep }), to);
}
interface Running {
  readonly axis: number;
  /** Without the element itself. */
  readonly exclusive: boolean;
  /** From the end. */
  readonly reverse: boolean;
}
export const cumulative = (c: ImportBuilder, of: 'sum' | 'prod', x: Value, o: Running): Value =>
  c.apply1(Cumulative, [x], { of, ...o });
