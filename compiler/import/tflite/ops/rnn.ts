import { must } from '../../../core/diagnostic.ts';
import { isFloat } from '../../../core/dtype.ts';
import { dimFloorDiv, dimSub } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import { showActivations } from '../../../ops/recurrent/activation.ts';
import { Recurrent } from '../../../ops/recurrent/recurrent.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { looped } from '../../shared/tensorflow/steps.ts';
import { cast, concat, reshape, slice } from '../../shared/views.ts';
import { factorsOf, targetOf } from '../integers.ts';
import { uniformOf } from '../quant.ts';
import type { TfliteBuilder, TfliteCtx, TfliteNode, TfliteOps } from '../registry.ts';
import { fixedPoint, multipliedTwice, saturated } from '../rounding.ts';
import { fused, real, realOr, result } from './real.ts';
import { bothWays, cellActivation, fixedWeights, need, placed, sequenceOf, weightsAt, type Way } from './sequence.ts';

/** Plain recurrent cells, h = activation(W x + R h + b), and filters whose memory is the state. */

/** Which inputs of the operator one direction has. */
interface Places {
  readonly weights: number;
  readonly recurrent: number;
  readonly bias: number;
  readonly state: number;
  readonly aux?: number;
}
const ONE_WAY: Places = { weights: 1, recurrent: 2, bias: 3, state: 4 };
const FORWARD: Places = { weights: 1, recurrent: 2, bias: 3, state: 4, aux: 10 };
const BACKWARD: Places = { weights: 5, recurrent: 6, bias: 7, state: 8, aux: 11 };

/** One direction; leaves its state for the next run. */
function rnn(n: TfliteNode, c: TfliteCtx, way: Way, p: Places): Value {
  const product = (x: Value, at: number): Value => c.apply1(MatMul, [x, need(n, weightsAt(n, c, at, 2), at)], { transB: true });
  const add = (a: Value, b: Value): Value => c.apply1(e.Add, [a, b]);
  const sums = add(product(way.x, p.weights), need(n, weightsAt(n, c, p.bias, 1), p.bias));
  const fed = way.aux && p.aux !== undefined ? add(sums, product(way.aux, p.aux)) : sums;
  const recurrent = need(n, weightsAt(n, c, p.recurrent, 2), p.recurrent);
  const [state, act] = [real(n, c, p.state), cellActivation(n)];
  const run = (): readonly Value[] => {
    if (act.cell)
      return c.apply(Recurrent, [fed, recurrent, undefined, state], {
        cell: 'rnn',
        reverse: way.reverse,
        activations: showActivations([act.cell]),
      });
    const r = fixedWeights(n, recurrent);
    const y = looped(c, { xs: fed, axis: 0, reverse: way.reverse, start: [state] }, (x, [h]) => [
      act.apply(c, add(x, c.apply1(MatMul, [must(h), r], { transB: true }))),
    ]);
    return [y.sequence, ...y.states];
  };
  const [sequence, last] = run();
  c.leave(p.state, must(last));
  return must(sequence);
}
const sequenceRnn: TfliteBuilder = (n, c) => {
  const major = n.bool('time_major');
  const y = rnn(n, c, { x: sequenceOf(n, c, 0, major), aux: undefined, reverse: false }, ONE_WAY);
  return [result(n, c, 0, placed(c, y, major))];
};
const singleRnn: TfliteBuilder = (n, c) => {
  const y = rnn(n, c, { x: sequenceOf(n, c, 0, true), aux: undefined, reverse: false }, ONE_WAY);
  return [result(n, c, 0, reshape(c, y, y.type.shape.slice(1)))];
};
const bidirectional: TfliteBuilder = (n, c) =>
  bothWays(n, c, { input: 9, weights: 10, instead: false }, (way, forward) => rnn(n, c, way, forward ? FORWARD : BACKWARD));

/**
 * Filters of rank r over features: each unit remembers what r feature filters gave in the last steps, and weighs these by time. x [batch,
 * features], weights [filters, features], weights by time [filters, memory], bias [units], memory [batch, filters * memory].
 */
const svdf: TfliteBuilder = (n, c) => {
  const integers = !isFloat(n.input(0).type.dtype);
  const [x, weights, byTime] = integers
    ? [shifted(n, c, 0), shifted(n, c, 1), shifted(n, c, 2)]
    : [0, 1, 2].map(i => real(n, c, i));
  const state = n.input(4);
  const [filters, memory] = must(byTime).type.shape;
  const [batch] = must(x).type.shape;
  const rank = n.int('rank');
  if (batch === undefined || filters === undefined || memory === undefined || rank < 1) return n.reject('its sizes do not fit');
  const product = c.apply1(MatMul, [must(x), must(weights)], { transB: true });
  const newest = integers ? stored(n, c, product) : product;
  const held = reshape(c, integers ? state : real(n, c, 4), [batch, filters, memory]);
  const older = slice(c, held, new Map([[2, { start: 1, size: dimSub(memory, 1), step: 1 }]]));
  const now = concat(c, [older, reshape(c, newest, [batch, filters, 1])], 2);
  c.leave(4, reshape(c, now, state.type.shape));
  const kept = integers ? cast(c, now, 'f64') : now;
  const weighed = reduceOver(c, 'sum', c.apply1(e.Mul, [kept, must(byTime)]), [2], false);
  const units = dimFloorDiv(filters, rank);
  const y = reduceOver(c, 'sum', reshape(c, weighed, [batch, units, rank]), [2], false);
  const bias = integers ? n.optional(3) : realOr(n, c, 3);
  if (integers) return [given(n, c, y, bias)];
  return [result(n, c, 0, fused(n, c, bias ? c.apply1(e.Add, [y, bias]) : y))];
};
/** Integers of input i less their zero point, in f64, which holds all sums of their products. */
function shifted(n: TfliteNode, c: TfliteCtx, i: number): Value {
  const q = uniformOf(c, n.operand(i)) ?? n.reject(`input ${i} is not quantized`);
  const x = cast(c, n.input(i), 'f64');
  return q.zero === 0 ? x : c.apply1(e.Sub, [x, c.literal('f64', q.zero)]);
}
const scaleOf = (n: TfliteNode, c: TfliteCtx, i: number): number =>
  (uniformOf(c, n.operand(i)) ?? n.reject(`input ${i} is not quantized`)).scale;
/** Sums of products as integers of the memory. */
function stored(n: TfliteNode, c: TfliteCtx, sums: Value): Value {
  const to = n.input(4).type.dtype;
  const factors = factorsOf(scaleOf(n, c, 0), [scaleOf(n, c, 1)], scaleOf(n, c, 4));
  const zero = uniformOf(c, n.operand(4))?.zero ?? 0;
  const range = to === 'i16' ? ([-32768, 32767] as const) : ([-128, 127] as const);
  return saturated(c, multipliedTwice(c, cast(c, sums, 'i32'), factors.double.map(fixedPoint)), { zero, to, range });
}
/** Sums over time as integers of the result, whose type is all that bounds them: the runtime takes no activation but RELU, and does not apply it. */
function given(n: TfliteNode, c: TfliteCtx, sums: Value, bias: Value | undefined): Value {
  const t = targetOf(n, c, 'NONE');
  const factors = factorsOf(scaleOf(n, c, 4), [scaleOf(n, c, 2)], t.scale);
  const all = cast(c, sums, 'i32');
  const biased = bias ? c.apply1(e.Add, [all, cast(c, bias, 'i32')]) : all;
  return saturated(c, multipliedTwice(c, biased, factors.double.map(fixedPoint)), t);
}

export const rnnOps: TfliteOps = {
  UNIDIRECTIONAL_SEQUENCE_RNN: sequenceRnn,
  BIDIRECTIONAL_SEQUENCE_RNN: bidirectional,
  RNN: singleRnn,
  SVDF: svdf,
};
