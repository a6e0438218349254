import { must } from '../../../core/diagnostic.ts';
import { dimMul, type Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import { Concat } from '../../../ops/movement/concat.ts';
import { Add, Mul } from '../../../ops/elementwise/index.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import { activation, activationName, showActivations, type ActivationName } from '../../../ops/recurrent/activation.ts';
import { Recurrent } from '../../../ops/recurrent/recurrent.ts';
import { Reshape, Slice, Transpose } from '../../../ops/movement/view.ts';
import { DequantizeLinear } from '../../../ops/quant/quant.ts';
import { dynamicallyQuantized, flat, integerProduct } from '../../shared/quant.ts';
import { cast } from '../../shared/views.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode, OnnxOps } from '../registry.ts';
import { ACTIVATIONS, GATES, type Cell } from '../../../ops/recurrent/cells.ts';

const DEFAULTS: Readonly<Record<Cell, readonly ActivationName[]>> = {
  lstm: ['Sigmoid', 'Tanh', 'Tanh'],
  gru: ['Sigmoid', 'Tanh'],
  rnn: ['Tanh'],
};

/** A part of one axis. */
function slice(c: ImportCtx, v: Value, axis: number, start: Dim, size: Dim): Value {
  const { shape } = v.type;
  return c.apply1(Slice, [v], {
    starts: shape.map((_, i) => (i === axis ? start : 0)),
    sizes: shape.map((d, i) => (i === axis ? size : d)),
    steps: shape.map(() => 1),
  });
}
/** Element `i` of an axis, without the axis. */
function pick(c: ImportCtx, v: Value, axis: number, i: number): Value {
  const one = slice(c, v, axis, i, 1);
  return c.apply1(Reshape, [one], { shape: v.type.shape.filter((_, a) => a !== axis) });
}
const unsqueeze = (c: ImportCtx, v: Value, axis: number): Value =>
  c.apply1(Reshape, [v], { shape: [...v.type.shape.slice(0, axis), 1, ...v.type.shape.slice(axis)] });
const transpose = (c: ImportCtx, v: Value, perm: readonly number[]): Value => c.apply1(Transpose, [v], { perm });
const stack = (c: ImportCtx, vs: readonly Value[], axis: number): Value => {
  const parts = vs.map(v => unsqueeze(c, v, axis));
  return parts.length === 1 ? must(parts[0]) : c.apply1(Concat, parts, { axis });
};

/** The activations of each direction; parameters are taken in turn by those that have them. */
function activationsOf(n: OnnxNode, cell: Cell, directions: number): string[] {
  const per = ACTIVATIONS[cell];
  const given = n.strings('activations', undefined);
  const names =
    given?.map(s => activationName(s) ?? n.reject(`activation '${s}' is not known`)) ??
    Array.from({ length: directions }, () => DEFAULTS[cell]).flat();
  if (names.length !== per * directions) n.reject(`${names.length} activations, ${per * directions} are needed`);
  const alphas = [...n.floats('activation_alpha', [])];
  const betas = [...n.floats('activation_beta', [])];
  const list = names.map(name =>
    activation(
      name,
      TAKES_ALPHA.includes(name) ? alphas.shift() : undefined,
      TAKES_BETA.includes(name) ? betas.shift() : undefined,
    ),
  );
  return Array.from({ length: directions }, (_, d) => showActivations(list.slice(d * per, (d + 1) * per)));
}
const TAKES_ALPHA: readonly ActivationName[] = ['Affine', 'LeakyRelu', 'ThresholdedRelu', 'ScaledTanh', 'HardSigmoid', 'Elu'];
const TAKES_BETA: readonly ActivationName[] = ['Affine', 'ScaledTanh', 'HardSigmoid'];

/** The weights of a cell, direction by direction. */
interface Weights {
  readonly hidden: Dim;
  /** The inputs of all steps times their weights: [time, batch, gates * hidden]. */
  fed(direction: number): Value;
  /** The recurrent weights, [gates * hidden, hidden]. */
  recurrent(direction: number): Value;
  /** Whether the state is quantized before each of its products. */
  readonly dynamic: boolean;
}
/** Reads the weights that x [time, batch, input] is fed through. */
type ReadWeights = (n: OnnxNode, c: ImportCtx, x: Value, directions: number) => Weights;

/** Inputs 1 and 2, W and R: a matrix for each direction. */
function matrices(n: OnnxNode, directions: number): readonly [w: Value, r: Value] {
  const [w, r] = [n.input(1, 'W'), n.input(2, 'R')];
  for (const [v, what] of [
    [w, 'W'],
    [r, 'R'],
  ] as const)
    if (v.type.shape.length !== 3 || v.type.shape[0] !== directions) n.reject(`${what} is not for ${directions} direction(s)`);
  return [w, r];
}
/** Floats, [directions, gates * hidden, …]. */
const floatWeights: ReadWeights = (n, c, x, directions) => {
  const [w, r] = matrices(n, directions);
  return {
    hidden: must(r.type.shape[2]),
    fed: d => c.apply1(MatMul, [x, pick(c, w, 0, d)], { transB: true }),
    recurrent: d => pick(c, r, 0, d),
    dynamic: false,
  };
};
/**
 * 8-bit integers, [directions, …, gates * hidden], with a scale and a zero point for each direction or for each of its columns. What they
 * are multiplied with is quantized in the run: the inputs of all steps together, the state at each step.
 */
const quantizedWeights: ReadWeights = (n, c, x, directions) => {
  const [w, r] = matrices(n, directions);
  const q = dynamicallyQuantized(c, x);
  const of = (i: number, what: string, d: number): Value => flat(c, pick(c, n.input(i, what), 0, d));
  return {
    hidden: must(r.type.shape[1]),
    fed: d => {
      const sum = integerProduct(c, q.y, pick(c, w, 0, d), q.zero, of(9, 'W_zero_point', d));
      return c.apply1(Mul, [cast(c, sum, 'f32'), c.apply1(Mul, [q.scale, of(8, 'W_scale', d)])]);
    },
    recurrent: d => {
      const parts = [pick(c, r, 0, d), of(10, 'R_scale', d), of(11, 'R_zero_point', d)];
      return transpose(c, c.apply1(DequantizeLinear, parts, { to: 'f32' }), [1, 0]);
    },
    dynamic: true,
  };
};

/**
 * LSTM, GRU and RNN: the inputs of all time steps are multiplied with their weights at once; what is left is one recurrence a
 * direction.
 */
const recurrent =
  (cell: Cell, read: ReadWeights = floatWeights): OnnxBuilder =>
  (n, c) => {
    const gates = GATES[cell];
    const batchFirst = n.int('layout', 0) === 1;
    const direction = n.string('direction', 'forward');
    if (!['forward', 'reverse', 'bidirectional'].includes(direction)) n.reject(`direction '${direction}'`);
    const directions = direction === 'bidirectional' ? 2 : 1;
    const given = n.input(0, 'X');
    if (given.type.shape.length !== 3) n.reject(`X has ${given.type.shape.length} axes, must have 3`);
    const x = batchFirst ? transpose(c, given, [1, 0, 2]) : given;
    const weights = read(n, c, x, directions);
    const { hidden } = weights;
    const [b, lengths, h0] = [n.inputs[3], n.inputs[4], n.inputs[5]];
    const c0 = cell === 'lstm' ? n.inputs[6] : undefined;
    const peepholes = cell === 'lstm' ? n.inputs[7] : undefined;
    const resetAfter = cell === 'gru' && n.int('linear_before_reset', 0) !== 0;
    for (const [v, rank, what] of [
      [b, 2, 'B'],
      [h0, 3, 'initial_h'],
      [c0, 3, 'initial_c'],
      [peepholes, 2, 'P'],
    ] as const)
      if (v && v.type.shape.length !== rank) n.reject(`${what} has ${v.type.shape.length} axes, must have ${rank}`);
    const activations = activationsOf(n, cell, directions);
    const wide = dimMul(hidden, gates);
    // Where the state carries its batch first, so do its slices by direction.
    const state = (v: Value | undefined, d: number): Value | undefined => v && pick(c, v, batchFirst ? 1 : 0, d);

    const outs = Array.from({ length: directions }, (_, d) => {
      let fed = weights.fed(d);
      let inner: Value | undefined;
      if (b) {
        const row = pick(c, b, 0, d);
        const [wb, rb] = [slice(c, row, 0, 0, wide), slice(c, row, 0, wide, wide)];
        if (resetAfter) {
          const outer = dimMul(hidden, 2);
          inner = slice(c, rb, 0, outer, hidden);
          const both = c.apply1(Add, [slice(c, wb, 0, 0, outer), slice(c, rb, 0, 0, outer)]);
          fed = c.apply1(Add, [fed, c.apply1(Concat, [both, slice(c, wb, 0, outer, hidden)], { axis: 0 })]);
        } else fed = c.apply1(Add, [fed, c.apply1(Add, [wb, rb])]);
      }
      return c.apply(
        Recurrent,
        [fed, weights.recurrent(d), lengths, state(h0, d), state(c0, d), peepholes && pick(c, peepholes, 0, d), inner],
        {
          cell,
          reverse: direction === 'reverse' || d === 1,
          activations: must(activations[d]),
          clip: n.float('clip', 0),
          coupled: cell === 'lstm' && n.int('input_forget', 0) !== 0,
          resetAfter,
          dynamic: weights.dynamic,
        },
      );
    });
    const all = stack(
      c,
      outs.map(o => must(o[0])),
      1,
    );
    const last = (i: number): Value =>
      stack(
        c,
        outs.map(o => must(o[i])),
        batchFirst ? 1 : 0,
      );
    const y = batchFirst ? transpose(c, all, [2, 0, 1, 3]) : all;
    return cell === 'lstm' ? [y, last(1), last(2)] : [y, last(1)];
  };

export const recurrentOps: OnnxOps = {
  LSTM: recurrent('lstm'),
  GRU: recurrent('gru'),
  RNN: recurrent('rnn'),
  'com.microsoft.DynamicQuantizeLSTM': recurrent('lstm', quantizedWeights),
};
