import { must } from '../../../core/diagnostic.ts';
import { dimMul, type Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import { GatherND } from '../../../ops/movement/gather.ts';
import { Cumulative } from '../../../ops/reduce/reduce.ts';
import { showActivations, type Activation } from '../../../ops/recurrent/activation.ts';
import { GATES, type Cell } from '../../../ops/recurrent/cells.ts';
import { Recurrent } from '../../../ops/recurrent/recurrent.ts';
import { TopK } from '../../../ops/sort/topk.ts';
import type { GraphBuilder } from '../../../graph/build.ts';
import type { ImportBuilder } from '../builder.ts';
import { reduceOver } from '../reduce.ts';
import { cast, concat, reshape, slice, transpose } from '../views.ts';

/** The weights of a layer as Keras has them: gates are columns, i f c o of an LSTM and z r h of a GRU. */
export interface CellWeights {
  /** [input, gates * units]. */
  readonly kernel: Value;
  /** [units, gates * units]. */
  readonly recurrent: Value;
  /** [gates * units]; [2, gates * units] for a GRU with `resetAfter`: of the inputs, then of the state. */
  readonly bias?: Value | undefined;
}
interface RecurrentLayer {
  readonly cell: Cell;
  /** Of the gates; rnn has none. */
  readonly gate: Activation;
  /** Of the candidate state, and of the result of an LSTM. */
  readonly activation: Activation;
  /** A GRU applies its reset gate after the product with the state. */
  readonly resetAfter?: boolean;
  /** From the last step to the first; results stay at their steps. */
  readonly reverse?: boolean;
  /** First state, and first cell of an LSTM: [batch, units]; zero where absent. */
  readonly state?: Value | undefined;
  readonly carry?: Value | undefined;
  /** [batch, time] of bool: steps that are false are skipped, and have the result of the step before them. */
  readonly mask?: Value | undefined;
}
interface RecurrentResult {
  /** [batch, time, units]. */
  readonly sequence: Value;
  /** [batch, units]. */
  readonly state: Value;
  readonly carry?: Value | undefined;
}
/** In which order the operator has the gates of Keras. */
const ORDER: Readonly<Record<Cell, readonly number[]>> = { lstm: [0, 3, 1, 2], gru: [0, 1, 2], rnn: [0] };

/** A recurrent layer over x [batch, time, input], in one direction. */
export function recurrentLayer(c: ImportBuilder, x: Value, w: CellWeights, o: RecurrentLayer): RecurrentResult {
  const units = must(w.recurrent.type.shape[0]);
  const gates = GATES[o.cell];
  if (x.type.shape.length !== 3) c.reject(`the input has ${x.type.shape.length} axes, must have batch, time and features`);
  /** Columns of gates in the order of the operator. */
  const ordered = (v: Value): Value => {
    const axis = v.type.shape.length - 1;
    const part = (g: number): Value => slice(c, v, new Map([[axis, { start: dimMul(units, g), size: units, step: 1 }]]));
    return o.cell === 'lstm' ? concat(c, ORDER.lstm.map(part), axis) : v;
  };
  const packed = o.mask && packedSteps(c, x, o.mask);
  const steps = transpose(c, packed?.x ?? x, [1, 0, 2]);
  let fed = c.apply1(MatMul, [steps, ordered(w.kernel)]);
  let inner: Value | undefined;
  if (w.bias) {
    const both = o.cell === 'gru' && o.resetAfter === true && w.bias.type.shape.length === 2;
    if (both) {
      const [own, other] = [0, 1].map(i => reshape(c, row(c, must(w.bias), i), [dimMul(units, gates)]));
      const [z, h] = [
        [0, 2],
        [2, 1],
      ].map(([start = 0, many = 1]) => ({ start: dimMul(units, start), size: dimMul(units, many), step: 1 }));
      const part = (v: Value | undefined, cut: typeof z): Value => slice(c, must(v), new Map([[0, must(cut)]]));
      inner = part(other, h);
      const outer = c.apply1(e.Add, [part(own, z), part(other, z)]);
      fed = c.apply1(e.Add, [fed, concat(c, [outer, part(own, h)], 0)]);
    } else fed = c.apply1(e.Add, [fed, ordered(reshape(c, w.bias, [dimMul(units, gates)]))]);
  }
  const r = transpose(c, ordered(w.recurrent), [1, 0]);
  const acts = { lstm: [o.gate, o.activation, o.activation], gru: [o.gate, o.activation], rnn: [o.activation] }[o.cell];
  const [all, state, carry] = c.apply(Recurrent, [fed, r, packed?.lengths, o.state, o.carry, undefined, inner], {
    cell: o.cell,
    reverse: o.reverse ?? false,
    activations: showActivations(acts),
    resetAfter: o.resetAfter ?? false,
  });
  const sequence = transpose(c, must(all), [1, 0, 2]);
  return { sequence: packed ? packed.unpack(sequence) : sequence, state: must(state), carry };
}
const row = (c: ImportBuilder, v: Value, i: number): Value => slice(c, v, new Map([[0, { start: i, size: 1, step: 1 }]]));

/** The steps that count moved to the front of each sequence. */
interface Packed {
  readonly x: Value;
  /** How many count, [batch] of i32. */
  readonly lengths: Value;
  /** Results of the packed steps at all steps: a skipped one repeats what was before it, which is `start` [batch, units] or zero at first. */
  unpack(y: Value, start?: Value): Value;
}
/** The steps of x [batch, time, …] that a mask [batch, time] lets count. */
export function packedSteps(c: GraphBuilder, x: Value, mask: Value): Packed {
  const [batch = 1, time = 1] = x.type.shape;
  const counts = cast(c, mask, 'i32');
  // Equal ones keep their order.
  const order = must(c.apply(TopK, [counts], { k: time, axis: 1, largest: true })[1]);
  const at = (v: Value, places: Value): Value => c.apply1(GatherND, [v, reshape(c, places, [batch, time, 1])], { batch: 1 });
  const last = c.apply1(e.Sub, [c.apply1(Cumulative, [counts], { of: 'sum', axis: 1 }), c.literal('i32', 1)]);
  return {
    x: at(x, order),
    lengths: reduceOver(c, 'sum', counts, [1], false),
    unpack: (y, start) => {
      const shape: readonly Dim[] = [batch, time, 1];
      const began = reshape(c, c.apply1(e.GreaterOrEqual, [last, c.literal('i32', 0)]), shape);
      const before = at(y, cast(c, c.apply1(e.Max, [last, c.literal('i32', 0)]), 'i64'));
      const first = start && reshape(c, start, [batch, 1, ...start.type.shape.slice(1)]);
      return c.apply1(e.Where, [began, before, first ?? c.literal(y.type.dtype, 0)]);
    },
  };
}
