import { isFloat } from '../../../core/dtype.ts';
import type { Value } from '../../../graph/graph.ts';
import { activation, cellActivationOf } from '../../shared/tensorflow/activation.ts';
import type { Activation } from '../../../ops/recurrent/activation.ts';
import { concat, reshape, transpose } from '../../shared/views.ts';
import { rankOf } from '../../shared/axes.ts';
import type { TfliteCtx, TfliteNode } from '../registry.ts';
import { realOr, result } from './real.ts';

/** What recurrent operators have in common. Inside, sequences are [time, batch, features]. */

/** Which way a cell goes, and what it reads. */
export interface Way {
  readonly x: Value;
  /** What the other network of a stack gives, which has weights of its own. */
  readonly aux: Value | undefined;
  readonly reverse: boolean;
}
/** Input i as a sequence; one of two axes is a single step. E101: it holds integers. */
export function sequenceOf(n: TfliteNode, c: TfliteCtx, i: number, timeMajor: boolean): Value {
  const x = n.input(i);
  if (!isFloat(x.type.dtype)) n.unsupported('a sequence of integers; convert the model with float activations');
  if (rankOf(x) === 2) return reshape(c, x, [1, ...x.type.shape]);
  if (rankOf(x) !== 3) n.reject(`its input has ${rankOf(x)} axes, must have 3`);
  return timeMajor ? x : transpose(c, x, [1, 0, 2]);
}
/** A sequence as the file has it. */
export const placed = (c: TfliteCtx, y: Value, timeMajor: boolean): Value => (timeMajor ? y : transpose(c, y, [1, 0, 2]));

/** The places of the second sequence, and of the first of its weights, in an operator that goes both ways. */
interface Second {
  readonly input: number;
  readonly weights: number;
  /** Whether the backward network reads it in the place of the first where it has no weights; else it is left alone. */
  readonly instead: boolean;
}
/** A forward and a backward network. With weights of its own a second sequence is added to the first in both. */
export function bothWays(
  n: TfliteNode,
  c: TfliteCtx,
  second: Second,
  run: (w: Way, forward: boolean) => Value,
): readonly Value[] {
  const major = n.bool('time_major');
  const x = sequenceOf(n, c, 0, major);
  const other = n.optional(second.input) && sequenceOf(n, c, second.input, major);
  const weighted = n.optional(second.weights) !== undefined;
  const aux = weighted ? other : undefined;
  const outs = [
    run({ x, aux, reverse: false }, true),
    run({ x: other && !weighted && second.instead ? other : x, aux, reverse: true }, false),
  ].map(y => placed(c, y, major));
  return (n.bool('merge_outputs') ? [concat(c, outs, 2)] : outs).map((y, i) => result(n, c, i, y));
}
/** The activation of a cell: as the recurrent operator knows it, or undefined, and as an operator of its own. */
export function cellActivation(n: TfliteNode): {
  readonly cell: Activation | undefined;
  apply(c: TfliteCtx, x: Value): Value;
} {
  const name = n.activation;
  return {
    cell: cellActivationOf(name, 2),
    apply: (c, x) => activation(c, name, x) ?? n.unsupported(`its activation ${name}`),
  };
}
/** Whether a value follows from constants alone. */
const isFixed = (v: Value): boolean =>
  v.def.k === 'const' || (v.def.k === 'node' && v.def.inputs.every(x => x === undefined || isFixed(x)));
/** Weights inside of a loop, which must be constants. */
export const fixedWeights = (n: TfliteNode, v: Value): Value =>
  isFixed(v) ? v : n.unsupported('weights that the model computes, in a cell of this form');
/** Weights that may be left out. */
export const weightsAt = (n: TfliteNode, c: TfliteCtx, i: number, rank: number): Value | undefined => {
  const w = realOr(n, c, i);
  if (w && rankOf(w) !== rank) n.reject(`input ${i} has ${rankOf(w)} axes, must have ${rank}`);
  return w;
};
export const need = (n: TfliteNode, v: Value | undefined, i: number): Value => v ?? n.reject(`input ${i} is missing`);
