import { dimEq, dimHi, dimProd, type Dim } from '../../../core/dim.ts';
import { isFloat } from '../../../core/dtype.ts';
import { must } from '../../../core/diagnostic.ts';
import { symbolicOf, type Value } from '../../../graph/graph.ts';
import type { Op } from '../../../ops/define.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { ReduceTo, Spread } from '../../../ops/reduce/reduce-to.ts';
import { ArgReduce, Cumulative, Reduce } from '../../../ops/reduce/reduce.ts';
import { Reshape } from '../../../ops/movement/view.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode, OnnxOps } from '../registry.ts';
import { reductionAxes } from './axes.ts';
import type { Reduction } from '../../../ops/reduce/axes.ts';
import { axesFrom, axisOf, rankOf } from '../../shared/axes.ts';
import { oneOr, element, sizeOf, sizesValue } from '../../shared/sizes.ts';
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
    if (given && given.type.shape[0] !== 0 && !symbolicOf(given)) return [f(x, foldAtRunTime(n, c, x, given, keepdims), c)];
    const axes = reductionAxes(n, c, x, inputFrom);
    return [f(x, (of, v, keep = keepdims) => reduceOver(c, of, v, axes, keep), c)];
  };

/** Reductions over axes that come out when the model runs. How many there are is known, so the number of axes left is too. */
function foldAtRunTime(n: OnnxNode, c: ImportCtx, x: Value, given: Value, keepdims: boolean): Fold {
  const rank = rankOf(x);
  const count = must(given.type.shape[0] ?? 1);
  if (typeof count !== 'number' || given.type.shape.length !== 1)
    return n.reject('the axes must be a vector whose length is known');
  const i64 = (v: readonly number[], dims: readonly number[]): Value => c.literal('i64', v, dims);
  const all = axesFrom(x);
  const axes = c.apply1(e.Cast, [given], { to: 'i64' });
  const isAxis = (shift: number): Value =>
    c.apply1(e.Equal, [
      i64(
        all.map(a => a - shift),
        [rank, 1],
      ),
      axes,
    ]);
  const hit = c.apply1(Reduce, [c.apply1(e.Or, [isAxis(0), isAxis(rank)])], { of: 'max', axes: [1], keep: false });
  const sizes = sizesValue(c, x.type.shape);
  const short = c.apply1(e.Where, [hit, c.literal('i64', 1), sizes]);
  const shape = x.type.shape.map((d, i) => {
    return d === 1 ? 1 : sizeOf(c, element(c, short, i), { what: 'kept', ...oneOr(d) });
  });
  const keep: Fold = (of, v) => c.apply1(ReduceTo, [v], { of, shape });
  if (keepdims) return keep;
  // Size j of what is left is that of the axis before which j others are left.
  const left = c.apply1(e.Not, [hit]);
  const place = c.apply1(Cumulative, [c.apply1(e.Cast, [left], { to: 'i64' })], { of: 'sum', axis: 0 });
  const places = all.slice(0, Math.max(0, rank - count)).map(j => j + 1);
  const its = c.apply1(e.And, [c.apply1(e.Equal, [i64(places, [places.length, 1]), place]), left]);
  const leftSizes = c.apply1(Reduce, [c.apply1(e.Where, [its, sizes, c.literal('i64', 0)])], {
    of: 'sum',
    axes: [1],
    keep: false,
  });
  const most = Math.max(1, ...x.type.shape.map(dimHi));
  const dropped = places.map(j => sizeOf(c, element(c, leftSizes, j - 1), { what: 'left', lo: 0, hi: most }));
  return (of, v, kept = false) => (kept ? keep(of, v) : c.apply1(Reshape, [keep(of, v)], { shape: dropped }));
}
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
    return [c.apply1(ArgReduce, [x], { of, axis, keep: n.bool('keepdims', true), last: n.bool('select_last_index', false) })];
  };
const cumulative =
  (of: 'sum' | 'prod'): OnnxBuilder =>
  (n, c) => {
    const [x, given] = [n.input(0), n.input(1)];
    const attrs = { of, exclusive: n.bool('exclusive', false), reverse: n.bool('reverse', false) };
    const known = symbolicOf(given)?.[0];
    if (typeof known === 'number') return [c.apply1(Cumulative, [x], { ...attrs, axis: axisOf(n, known, rankOf(x)) })];
    // An axis that comes out when the model runs: x as [before, axis, after].
    const shape = splitAtRunTime(c, x, given);
    const y = c.apply1(Cumulative, [c.apply1(Reshape, [x], { shape })], { ...attrs, axis: 1 });
    return [c.apply1(Reshape, [y], { shape: x.type.shape })];
  };
function splitAtRunTime(c: ImportCtx, x: Value, given: Value): readonly Dim[] {
  const rank = rankOf(x);
  const cell = c.apply1(Reshape, [c.apply1(e.Cast, [given], { to: 'i64' })], { shape: [1] });
  const axis = c.apply1(e.Mod, [cell, c.literal('i64', rank)]);
  const places = c.literal('i64', axesFrom(x));
  const sizes = sizesValue(c, x.type.shape);
  const product = (op: Op): Value =>
    reduceOver(c, 'prod', c.apply1(e.Where, [c.apply1(op, [places, axis]), sizes, c.literal('i64', 1)]), [0], true);
  const all = Math.max(1, dimHi(dimProd(x.type.shape)));
  return [
    sizeOf(c, product(e.Less), { what: 'before', lo: 0, hi: all }),
    sizeOf(c, product(e.Equal), { what: 'along', lo: 0, hi: Math.max(...x.type.shape.map(dimHi)) }),
    sizeOf(c, product(e.Greater), { what: 'after', lo: 0, hi: all }),
  ];
}

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
