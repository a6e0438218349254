import { must } from '../../../core/diagnostic.ts';
import { isFloat } from '../../../core/dtype.ts';
import { dimEq, dimMul } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import { activation, showActivations } from '../../../ops/recurrent/activation.ts';
import { Recurrent } from '../../../ops/recurrent/recurrent.ts';
import { LayerNorm } from '../../../ops/reduce/norm.ts';
import { rankOf, sizeAt } from '../../shared/axes.ts';
import { looped } from '../../shared/tensorflow/steps.ts';
import { concat, reshape, slice } from '../../shared/views.ts';
import type { TfliteBuilder, TfliteCtx, TfliteNode, TfliteOps } from '../registry.ts';
import { real, result } from './real.ts';
import { bothWays, cellActivation, fixedWeights, need, placed, sequenceOf, weightsAt, type Way } from './sequence.ts';

/** LSTMs (tflite/kernels/lstm_eval.cc). Gates are i f c o in the file, i o f c in our operator. */

/** Which inputs of the operator one direction has: the first of four gates, of three peepholes, and so on. */
interface Places {
  readonly weights: number;
  readonly recurrent: number;
  readonly peepholes: number;
  readonly biases: number;
  readonly projection: number;
  readonly state: number;
  readonly cell: number;
  readonly norms?: number;
  readonly aux?: number;
}
const ONE_WAY: Places = {
  weights: 1,
  recurrent: 5,
  peepholes: 9,
  biases: 12,
  projection: 16,
  state: 18,
  cell: 19,
  norms: 20,
};
const FORWARD: Places = {
  weights: 1,
  recurrent: 5,
  peepholes: 9,
  biases: 12,
  projection: 16,
  state: 35,
  cell: 36,
  aux: 40,
};
const BACKWARD: Places = {
  weights: 18,
  recurrent: 22,
  peepholes: 26,
  biases: 29,
  projection: 33,
  state: 37,
  cell: 38,
  aux: 44,
};
/** The gates of the file in the order of our operator. */
const ORDER = [0, 3, 1, 2] as const;
/** The peepholes of the file, i f o, likewise. */
const PEEPHOLES = [0, 2, 1] as const;
/** What normalisation adds to variances (kNormalizationConstant). */
const EPSILON = 1e-8;

interface Parts {
  /** Gates of all steps from the inputs, with biases where nothing is normalised: [time, batch, gates * units]. */
  readonly fed: Value;
  readonly recurrent: Value;
  /** i o f. */
  readonly peepholes: readonly Value[] | undefined;
  /** i o f c, with their biases. */
  readonly norms: readonly { readonly scale: Value; readonly bias: Value }[] | undefined;
  readonly projection: { readonly weights: Value; readonly bias: Value | undefined } | undefined;
  /** What the run before left. */
  readonly state: Value;
  readonly cell: Value;
}
function partsOf(n: TfliteNode, c: TfliteCtx, { x, aux }: Way, p: Places): Parts {
  // Without an input gate it is what the forget gate leaves: sigmoid(-z) = 1 - sigmoid(z).
  const coupled = n.optional(p.weights) === undefined;
  const diagonal = n.op === 'UNIDIRECTIONAL_SEQUENCE_LSTM' && n.bool('diagonal_recurrent_tensors');
  const gate = (first: number, g: number, rank: number): Value => {
    const at = first + (coupled && g === 0 ? 1 : g);
    const w = need(n, weightsAt(n, c, at, rank), at);
    return coupled && g === 0 ? c.apply1(e.Neg, [w]) : w;
  };
  const gates = (first: number, rank: number): Value =>
    concat(
      c,
      ORDER.map(g => gate(first, g, rank)),
      0,
    );
  const product = (v: Value, first: number): Value => c.apply1(MatMul, [v, gates(first, 2)], { transB: true });
  const add = (a: Value, b: Value): Value => c.apply1(e.Add, [a, b]);
  const sums = product(x, p.weights);
  const both = aux && p.aux !== undefined ? add(sums, product(aux, p.aux)) : sums;
  const { norms: first } = p;
  const normalised = first !== undefined && n.optional(first + 1) !== undefined;
  const peeps = n.optional(p.peepholes + 2) !== undefined;
  const projection = weightsAt(n, c, p.projection, 2);
  return {
    fed: normalised ? both : add(both, gates(p.biases, 1)),
    recurrent: gates(p.recurrent, diagonal ? 1 : 2),
    peepholes: peeps ? PEEPHOLES.map(g => gate(p.peepholes, g, 1)) : undefined,
    norms: normalised
      ? ORDER.map(g => {
          const at = first + (coupled && g === 0 ? 1 : g);
          return { scale: need(n, weightsAt(n, c, at, 1), at), bias: gate(p.biases, g, 1) };
        })
      : undefined,
    projection: projection && { weights: projection, bias: weightsAt(n, c, p.projection + 1, 1) },
    state: real(n, c, p.state),
    cell: real(n, c, p.cell),
  };
}

/** One direction; leaves its states for the next run. */
function lstm(n: TfliteNode, c: TfliteCtx, way: Way, p: Places): Value {
  const parts = partsOf(n, c, way, p);
  const act = cellActivation(n);
  const [units, outputs] = [parts.cell, parts.state].map(v => sizeAt(c, v, 1));
  const plain = !parts.projection && !parts.norms && rankOf(parts.recurrent) === 2 && dimEq(must(units), must(outputs));
  const cellClip = n.int('cell_clip');
  const run = (): readonly Value[] => {
    if (!plain || !act.cell) return loose(n, c, way, parts);
    const peepholes = parts.peepholes && concat(c, parts.peepholes, 0);
    return c.apply(Recurrent, [parts.fed, parts.recurrent, undefined, parts.state, parts.cell, peepholes], {
      cell: 'lstm',
      reverse: way.reverse,
      activations: showActivations([activation('Sigmoid'), act.cell, act.cell]),
      cellClip,
    });
  };
  const [sequence, state, cell] = run();
  c.leave(p.state, must(state));
  c.leave(p.cell, must(cell));
  return must(sequence);
}
/** A cell of any form as a loop: the sequence, the state and the cell. */
function loose(n: TfliteNode, c: TfliteCtx, way: Way, p: Parts): readonly Value[] {
  const fixed = (v: Value): Value => fixedWeights(n, v);
  const [recurrent, projection] = [fixed(p.recurrent), p.projection && fixed(p.projection.weights)];
  const act = cellActivation(n);
  const [cellClip, outputClip] = [n.int('cell_clip'), n.int('proj_clip')];
  const add = (a: Value, b: Value): Value => c.apply1(e.Add, [a, b]);
  const mul = (a: Value, b: Value): Value => c.apply1(e.Mul, [a, b]);
  const clipped = (v: Value, at: number): Value => (at > 0 ? c.apply1(e.Clip, [v], { lo: -at, hi: at }) : v);
  const units = must(p.cell.type.shape[1]);
  const cut = (v: Value, g: number): Value =>
    slice(c, v, new Map([[rankOf(v) - 1, { start: dimMul(units, g), size: units, step: 1 }]]));
  const step = (x: Value, [h, cell]: readonly Value[]): readonly Value[] => {
    const [old, before] = [must(h), must(cell)];
    const all = rankOf(recurrent) === 1 ? undefined : add(x, c.apply1(MatMul, [old, recurrent], { transB: true }));
    /** Gate g of i o f c, with its look at a state of the cell. */
    const gate = (g: number, seen: Value): Value => {
      const z = all ? cut(all, g) : add(cut(x, g), mul(cut(recurrent, g), old));
      const peep = p.peepholes?.[g];
      const sum = peep ? add(z, mul(fixed(peep), seen)) : z;
      const norm = p.norms?.[g];
      if (!norm) return sum;
      const even = c.apply1(LayerNorm, [sum], { axes: [1], epsilon: EPSILON });
      return add(mul(even, fixed(norm.scale)), fixed(norm.bias));
    };
    const sigmoid = (v: Value): Value => c.apply1(e.Sigmoid, [v]);
    const made = mul(sigmoid(gate(0, before)), act.apply(c, gate(3, before)));
    const now = clipped(add(mul(sigmoid(gate(2, before)), before), made), cellClip);
    const inner = mul(sigmoid(gate(1, now)), act.apply(c, now));
    if (!projection) return [inner, now];
    const y = c.apply1(MatMul, [inner, projection], { transB: true });
    return [clipped(p.projection?.bias ? add(y, fixed(p.projection.bias)) : y, outputClip), now];
  };
  const y = looped(c, { xs: p.fed, axis: 0, reverse: way.reverse, start: [p.state, p.cell] }, step);
  return [y.sequence, ...y.states];
}

const sequenceLstm: TfliteBuilder = (n, c) => {
  const major = n.bool('time_major');
  const y = lstm(n, c, { x: sequenceOf(n, c, 0, major), aux: undefined, reverse: false }, ONE_WAY);
  return [result(n, c, 0, placed(c, y, major))];
};
const bidirectional: TfliteBuilder = (n, c) =>
  bothWays(n, c, { input: 39, weights: 41, instead: true }, (way, forward) => lstm(n, c, way, forward ? FORWARD : BACKWARD));

/** The number of the kernel that takes all weights as one matrix. */
const BASIC = 1;
/** One step; in the basic form of x, h, the weights [gates * units, inputs + units] in the order i c f o, their biases, and the cell. */
const singleLstm: TfliteBuilder = (n, c) => {
  if (n.int('kernel_type') !== BASIC) {
    const y = lstm(n, c, { x: sequenceOf(n, c, 0, true), aux: undefined, reverse: false }, ONE_WAY);
    return [result(n, c, 0, reshape(c, y, y.type.shape.slice(1)))];
  }
  if (!isFloat(n.input(0).type.dtype)) n.unsupported('integers; convert the model with float activations');
  if (rankOf(n.input(0)) !== 2) n.reject('x must have two axes');
  const [h, cell] = [real(n, c, 1), real(n, c, 4)];
  const both = concat(c, [n.input(0), h], 1);
  const weights = need(n, weightsAt(n, c, 2, 2), 2);
  const z = c.apply1(e.Add, [c.apply1(MatMul, [both, weights], { transB: true }), need(n, weightsAt(n, c, 3, 1), 3)]);
  const units = sizeAt(c, cell, 1);
  const cut = (g: number): Value => slice(c, z, new Map([[1, { start: dimMul(units, g), size: units, step: 1 }]]));
  const mul = (a: Value, b: Value): Value => c.apply1(e.Mul, [a, b]);
  const sigmoid = (g: number): Value => c.apply1(e.Sigmoid, [cut(g)]);
  const now = c.apply1(e.Add, [mul(sigmoid(0), c.apply1(e.Tanh, [cut(1)])), mul(sigmoid(2), cell)]);
  return [mul(sigmoid(3), c.apply1(e.Tanh, [now])), now, both, z];
};

export const lstmOps: TfliteOps = {
  UNIDIRECTIONAL_SEQUENCE_LSTM: sequenceLstm,
  BIDIRECTIONAL_SEQUENCE_LSTM: bidirectional,
  LSTM: singleLstm,
};
