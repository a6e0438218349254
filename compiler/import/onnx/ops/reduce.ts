import { dimEq, dimMax, dimMin, dimProd, dimSub, type Dim } from '../../../core/dim.ts';
import { isFloat } from '../../../core/dtype.ts';
import { must } from '../../../core/diagnostic.ts';
import { symbolicOf, type Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Spread } from '../../../ops/reduce/reduce-to.ts';
import { ArgReduce, Cumulative } from '../../../ops/reduce/reduce.ts';
import type { ImportCtx, OnnxBuilder, OnnxOps } from '../registry.ts';
import { reductionAxes } from './axes.ts';
import type { Reduction } from '../../../ops/reduce/axes.ts';
import { axesFrom, axisOf, rankOf } from '../../shared/axes.ts';
import { alongDataAxis, reducingAtRunTime } from '../../shared/data-axes.ts';
import { reduceOver } from '../../shared/reduce.ts';

type Fold = (of: Reduction, x: Value, keep?: boolean) => Value;
/**
 * ONNX's ten reductions are five of ours with something elementwise before or after. `f` gets the input and a function that folds over
 * the node's axes; it leaves them as the node says unless told to keep them.
 */
const reduction =
  (inputFrom: number, f: (x: Value, fold: Fold, c: ImportCtx) => Value): OnnxBuilder =>
  (n, c) => {
    const x = n.input(0);
    const keepdims = n.bool('keepdims', true);
    const given = n.opset < inputFrom ? undefined : n.inputs[1];
    if (given && given.type.shape[0] !== 0 && !symbolicOf(given)) return [f(x, reducingAtRunTime(c, x, given, keepdims), c)];
    const axes = reductionAxes(n, c, x, inputFrom);
    return [f(x, (of, v, keep = keepdims) => reduceOver(c, of, v, axes, keep), c)];
  };

/** Square roots and logarithms of integers are computed in f64 and truncated. */
const inFloat =
  (f: (x: Value, fold: Fold, c: ImportCtx) => Value) =>
  (x: Value, fold: Fold, c: ImportCtx): Value =>
    isFloat(x.type.dtype)
      ? f(x, fold, c)
      : c.apply1(e.Cast, [f(c.apply1(e.Cast, [x], { to: 'f64' }), fold, c)], { to: x.type.dtype });

/** log(sum(exp(x))) with the maximum taken out; where that is infinite it stays in. */
function logSumExp(x: Value, fold: Fold, c: ImportCtx): Value {
  const finite = (m: Value): Value => c.apply1(e.Where, [c.apply1(e.IsInf, [m]), c.literal(m.type.dtype, 0), m]);
  const shift = spread(c, finite(fold('max', x, true)), x);
  const sum = fold('sum', c.apply1(e.Exp, [c.apply1(e.Sub, [x, shift])]));
  return c.apply1(e.Add, [c.apply1(e.Log, [sum]), finite(fold('max', x))]);
}

/** Repeats v to the shape of x where it cannot be told now which of its sizes are 1. */
const spread = (c: ImportCtx, v: Value, x: Value): Value =>
  v.type.shape.every((d, i) => d === 1 || dimEq(d, must(x.type.shape[i]))) ? v : c.apply1(Spread, [v], { shape: x.type.shape });

const argReduce =
  (of: 'max' | 'min'): OnnxBuilder =>
  (n, c) => {
    const x = n.input(0);
    const axis = axisOf(n, n.int('axis', 0), rankOf(x));
    const one = (d: Dim): Dim => dimMin(1, d);
    const others = dimProd(x.type.shape.filter((_, a) => a !== axis));
    // Nothing has no greatest element; where there is nothing to find one for, none is missing.
    c.expect(dimMax(one(x.type.shape[axis] ?? 1), dimSub(1, one(others))), 1, `axis ${axis} has no elements to choose from`);
    return [c.apply1(ArgReduce, [x], { of, axis, keep: n.bool('keepdims', true), last: n.bool('select_last_index', false) })];
  };
const cumulative =
  (of: 'sum' | 'prod'): OnnxBuilder =>
  (n, c) => {
    const [x, given] = [n.input(0), n.input(1)];
    const attrs = { of, exclusive: n.bool('exclusive', false), reverse: n.bool('reverse', false) };
    const known = symbolicOf(given)?.[0];
    if (typeof known === 'number') return [c.apply1(Cumulative, [x], { ...attrs, axis: axisOf(n, known, rankOf(x)) })];
    const along = (axis: number): Value => c.apply1(Cumulative, [x], { ...attrs, axis });
    return [alongDataAxis(c, given, rankOf(x), axesFrom(x), along)];
  };

export const reduceOps: OnnxOps = {
  ReduceSum: reduction(13, (x, fold) => fold('sum', x)),
  ReduceMean: reduction(18, (x, fold) => fold('mean', x)),
  ReduceProd: reduction(18, (x, fold) => fold('prod', x)),
  ReduceMax: reduction(18, (x, fold) => fold('max', x)),
  ReduceMin: reduction(18, (x, fold) => fold('min', x)),
  ReduceL1: reduction(18, (x, fold, c) => fold('sum', c.apply1(e.Abs, [x]))),
  ReduceSumSquare: reduction(18, (x, fold, c) => fold('sum', c.apply1(e.Mul, [x, x]))),
  ReduceL2: reduction(
    18,
    inFloat((x, fold, c) => c.apply1(e.Sqrt, [fold('sum', c.apply1(e.Mul, [x, x]))])),
  ),
  ReduceLogSum: reduction(
    18,
    inFloat((x, fold, c) => c.apply1(e.Log, [fold('sum', x)])),
  ),
  ReduceLogSumExp: reduction(18, inFloat(logSumExp)),
  ArgMax: argReduce('max'),
  ArgMin: argReduce('min'),
  CumSum: cumulative('sum'),
  CumProd: cumulative('prod'),
};
