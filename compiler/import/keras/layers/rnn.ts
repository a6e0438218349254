import { must } from '../../../core/diagnostic.ts';
import { dimMul, dimSub, type Dim } from '../../../core/dim.ts';
import { zeros } from '../../../core/tensor.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import type { Cell } from '../../../ops/recurrent/cells.ts';
import { rankOf } from '../../shared/axes.ts';
import { cellActivationOf } from '../../shared/tensorflow/activation.ts';
import { biasAdd, convolution, weightsFromHWIO } from '../../shared/tensorflow/conv.ts';
import { recurrentLayer, type CellWeights } from '../../shared/tensorflow/recurrent.ts';
import { looped, type Run } from '../../shared/tensorflow/steps.ts';
import { cast, concat, expand, reshape, slice } from '../../shared/views.ts';
import type { Json } from '../../shared/json.ts';
import { badConfig, layerRecord, type LayerRecord } from '../records.ts';
import type { LayerView } from '../layer.ts';
import type { CallView, Flow, KerasBuilder, LayerBuilder, LayerTable } from '../registry.ts';
import { snakeCase, type Weights } from '../weights.ts';
import { paddingOf, windowOf } from './conv.ts';
import { functionOf, nameOfFunction } from './functions.ts';

/** Recurrent layers: their cells become one operator each, or a loop where the operator has not what they compute. */

interface Steps {
  readonly x: Value;
  readonly mask: Value | undefined;
  readonly states: readonly Value[] | undefined;
}
/** Steps in the other order. */
const reversed = (c: KerasBuilder, x: Value): Value => {
  const time = must(x.type.shape[1]);
  return slice(c, x, new Map([[1, { start: dimSub(time, 1), size: time, step: -1 }]]));
};

const inReverse = (c: KerasBuilder, s: Steps): readonly [Value, Value | undefined] => [
  reversed(c, s.x),
  s.mask && reversed(c, s.mask),
];

const CELLS: Readonly<Record<string, Cell>> = { LSTM: 'lstm', GRU: 'gru', SimpleRNN: 'rnn', CuDNNLSTM: 'lstm', CuDNNGRU: 'gru' };
const STATES: Readonly<Record<Cell, number>> = { lstm: 2, gru: 1, rnn: 1 };
/** The name of an activation of a cell. */
function activationName(n: LayerView, key: string, otherwise: string): string {
  const old = key === 'recurrent_activation' ? n.json('inner_activation') : undefined;
  const j = n.json(key) ?? old ?? otherwise;
  return typeof j === 'string' ? j : (nameOfFunction(j) ?? n.bad(`'${key}' is no function`));
}
/** The weights of a cell, in the one form. Keras 1 had them gate by gate; cuDNN's layers have a bias for the inputs and one for the state. */
function cellWeights(n: LayerView, c: KerasBuilder, kind: Cell): CellWeights {
  const useBias = n.bool('use_bias', true);
  if (n.version === 1 && n.variable('kernel', 0) === undefined) {
    const gates = { lstm: ['i', 'f', 'c', 'o'], gru: ['z', 'r', 'h'], rnn: [''] }[kind];
    const parts = (letter: string): Value => {
      const all = gates.flatMap(g => n.variables(`${letter}${g === '' ? '' : `_${g}`}`));
      return concat(c, all, rankOf(must(all[0])) - 1);
    };
    return { kernel: parts('W'), recurrent: parts('U'), bias: parts('b') };
  }
  const [kernel, recurrent, bias] = n.variables('kernel', 'recurrent_kernel', useBias && 'bias');
  const weights = { kernel: must(kernel), recurrent: must(recurrent) };
  if (!bias || !n.cls.startsWith('CuDNN')) return { ...weights, bias };
  const [size = 0] = bias.type.shape;
  const both = reshape(c, bias, [2, typeof size === 'number' ? size / 2 : c.unsupported('a bias of open size')]);
  if (kind === 'gru') return { ...weights, bias: both };
  const half = (i: number): Value =>
    reshape(c, slice(c, both, new Map([[0, { start: i, size: 1, step: 1 }]])), [must(both.type.shape[1])]);
  return { ...weights, bias: c.apply1(e.Add, [half(0), half(1)]) };
}
/** One cell over all steps. */
function runCell(n: LayerView, c: KerasBuilder, kind: Cell, s: Steps, reverse: boolean): Run {
  const version = n.version === 3 ? 3 : 2;
  const cudnn = n.cls.startsWith('CuDNN');
  const gate = cudnn ? 'sigmoid' : activationName(n, 'recurrent_activation', n.version === 3 ? 'sigmoid' : 'hard_sigmoid');
  const act = cudnn ? 'tanh' : activationName(n, 'activation', 'tanh');
  const resetAfter = kind === 'gru' && (cudnn || n.bool('reset_after', n.version === 3));
  const w = cellWeights(n, c, kind);
  const [inner, outer] = [
    kind === 'rnn' ? cellActivationOf('sigmoid', version) : cellActivationOf(gate, version),
    cellActivationOf(act, version),
  ];
  if (inner && outer && s.x.type.dtype !== 'f16' && s.x.type.dtype !== 'bf16') {
    const [state, carry]: readonly (Value | undefined)[] = s.states ?? [];
    const turn = reverse && s.mask !== undefined;
    const [x, mask] = turn ? inReverse(c, s) : [s.x, s.mask];
    const y = recurrentLayer(c, x, w, {
      cell: kind,
      gate: inner,
      activation: outer,
      resetAfter,
      reverse: reverse && !turn,
      state,
      carry,
      mask,
    });
    return { sequence: turn ? reversed(c, y.sequence) : y.sequence, states: [y.state, ...(y.carry ? [y.carry] : [])] };
  }
  const f = (name: string, x: Value): Value =>
    functionOf(c, name, x, n.version) ?? c.unsupported(`its activation '${name}' is no function of Keras`);
  return looseCell(c, kind, w, s, reverse, { gate: x => f(gate, x), act: x => f(act, x), resetAfter });
}
interface Functions {
  gate(x: Value): Value;
  act(x: Value): Value;
  readonly resetAfter: boolean;
}
/** A cell as a loop, for functions and types that the operator does not have. */
function looseCell(c: KerasBuilder, kind: Cell, w: CellWeights, s: Steps, reverse: boolean, f: Functions): Run {
  const { x, mask } = s;
  const units = must(w.recurrent.type.shape[0]);
  const both = w.bias?.type.shape.length === 2 ? w.bias : undefined;
  const row = (i: number): Value | undefined =>
    both && reshape(c, slice(c, both, new Map([[0, { start: i, size: 1, step: 1 }]])), [must(both.type.shape[1])]);
  const bias = both ? row(0) : w.bias;
  const product = c.apply1(MatMul, [x, w.kernel]);
  const fed = bias ? c.apply1(e.Add, [product, bias]) : product;
  const [batch = 1] = x.type.shape;
  const zero = expand(c, c.literal(x.type.dtype, 0), [batch, units]);
  const start = Array.from({ length: STATES[kind] }, (_, i) => s.states?.[i] ?? zero);
  const part = (v: Value, i: number, many = 1): Value => {
    const axis = rankOf(v) - 1;
    return slice(c, v, new Map([[axis, { start: dimMul(units, i), size: dimMul(units, many), step: 1 }]]));
  };
  const [add, mul] = [
    (a: Value, b: Value): Value => c.apply1(e.Add, [a, b]),
    (a: Value, b: Value): Value => c.apply1(e.Mul, [a, b]),
  ];
  const step = (g: Value, [h, carry]: readonly Value[]): readonly Value[] => {
    const old = must(h);
    if (kind === 'rnn') return [f.act(add(g, c.apply1(MatMul, [old, w.recurrent])))];
    if (kind === 'lstm') {
      const z = add(g, c.apply1(MatMul, [old, w.recurrent]));
      const now = add(mul(f.gate(part(z, 1)), must(carry)), mul(f.gate(part(z, 0)), f.act(part(z, 2))));
      return [mul(f.gate(part(z, 3)), f.act(now)), now];
    }
    const inner = (v: Value, from: number, many: number): Value => {
      const y = c.apply1(MatMul, [v, part(w.recurrent, from, many)]);
      const b = row(1);
      return b ? add(y, part(b, from, many)) : y;
    };
    const zr = add(part(g, 0, 2), inner(old, 0, 2));
    const [z, r] = [f.gate(part(zr, 0)), f.gate(part(zr, 1))];
    const candidate = f.act(add(part(g, 2), f.resetAfter ? mul(r, inner(old, 2, 1)) : inner(mul(r, old), 2, 1)));
    const one = c.literal(old.type.dtype, 1);
    return [add(mul(z, old), mul(c.apply1(e.Sub, [one, z]), candidate))];
  };
  return looped(c, { xs: fed, axis: 1, reverse, mask, start }, step);
}

/** A ConvLSTM: the convolutions of the inputs of all steps at once, those of the state in a loop. */
function runConvLstm(n: LayerView, c: KerasBuilder, axes: number, s: Steps, reverse: boolean): Run {
  const { x, mask } = s;
  if (rankOf(x) !== axes + 3) c.reject(`the input has ${rankOf(x)} axes, must have ${axes + 3}`);
  const w = windowOf(n, axes);
  const [kernel, recurrent, bias] = n.variables('kernel', 'recurrent_kernel', n.bool('use_bias', true) && 'bias');
  const own = weightsFromHWIO(c, must(kernel));
  const inner = weightsFromHWIO(c, must(recurrent));
  const [batch = 1, time = 1, ...rest] = x.type.shape;
  const flat = reshape(c, x, [dimMul(batch, time), ...rest]);
  const padding = paddingOf(n, own.type.shape.slice(2), w.dilations, w.padding);
  const y = biasAdd(c, convolution(c, flat, own, { ...w, padding }), bias, w.layout);
  const fed = reshape(c, y, [batch, time, ...y.type.shape.slice(1)]);
  const channel = w.layout === 'NHWC' ? axes + 1 : 1;
  const filters = n.int('filters', n.version === 1 ? n.int('nb_filter', 0) : undefined);
  const shape: Dim[] = [batch, ...y.type.shape.slice(1)];
  shape[channel] = filters;
  const zero = expand(c, c.literal(x.type.dtype, 0), shape);
  const f = (key: string, otherwise: string, v: Value): Value => {
    const name = activationName(n, key, otherwise);
    return functionOf(c, name, v, n.version) ?? c.unsupported(`its activation '${name}' is no function of Keras`);
  };
  const gate = (v: Value): Value => f('recurrent_activation', n.version === 3 ? 'sigmoid' : 'hard_sigmoid', v);
  const act = (v: Value): Value => f('activation', 'tanh', v);
  const part = (v: Value, i: number): Value => slice(c, v, new Map([[channel, { start: filters * i, size: filters, step: 1 }]]));
  const ones = w.strides.map(() => 1);
  const start = [s.states?.[0] ?? zero, s.states?.[1] ?? zero];
  return looped(c, { xs: fed, axis: 1, reverse, mask, start }, (g, [h, carry]) => {
    const z = c.apply1(e.Add, [g, convolution(c, must(h), inner, { layout: w.layout, strides: ones, padding: { k: 'same' } })]);
    const kept = c.apply1(e.Mul, [gate(part(z, 1)), must(carry)]);
    const now = c.apply1(e.Add, [kept, c.apply1(e.Mul, [gate(part(z, 0)), act(part(z, 2))])]);
    return [c.apply1(e.Mul, [gate(part(z, 3)), act(now)]), now];
  });
}

/** A cell of a layer, with how many states it has. */
interface CellOf {
  readonly count: number;
  run(s: Steps, reverse: boolean): Run;
}
/** The cells of a recurrent layer, one after the other: its own, those of its configuration. */
function cellsOf(n: LayerView, c: KerasBuilder): readonly CellOf[] {
  const conv = /^ConvLSTM([123])D$/.exec(n.cls);
  const inside = n.weights.child('cell', `${n.name}_cell`);
  if (conv) return [{ count: 2, run: (s, r) => runConvLstm(withWeights(n, c, inside), c, Number(conv[1]), s, r) }];
  const own = CELLS[n.cls];
  if (own) {
    // cuDNN's layers have no cell, and neither had those of Keras 1.
    const w = n.cls.startsWith('CuDNN') ? n.weights : inside;
    return [{ count: STATES[own], run: (s, r) => runCell(withWeights(n, c, w), c, own, s, r) }];
  }
  const cell = n.inner('cell');
  return cellsIn(n, c, cell, n.weights.child('cell', cell.name));
}
function cellsIn(n: LayerView, c: KerasBuilder, cell: LayerRecord, weights: Weights): readonly CellOf[] {
  if (cell.cls === 'StackedRNNCells') {
    const list = cell.config['cells'];
    const records = Array.isArray(list)
      ? (list as readonly Json[]).map(j => layerRecord(j, badConfig(n.name)))
      : n.bad("'cells' are missing");
    const counts = new Map<string, number>();
    return records.flatMap((r, i) => {
      if (r.cls === 'StackedRNNCells') return c.unsupported('stacks of stacked cells');
      const snake = snakeCase(r.cls);
      const k = counts.get(snake) ?? 0;
      counts.set(snake, k + 1);
      return cellsIn(n, c, r, weights.child(`cells/${snake}${k === 0 ? '' : `_${k}`}`, r.name, i));
    });
  }
  const kind = CELLS[cell.cls.replace(/Cell$/, '')];
  if (!kind || !cell.cls.endsWith('Cell'))
    return c.unsupported(`its cell '${cell.cls}' is a class of your own code, of which the file has the name only`);
  return [{ count: STATES[kind], run: (s, r) => runCell(c.view(cell, weights), c, kind, s, r) }];
}
const withWeights = (n: LayerView, c: KerasBuilder, weights: Weights): LayerView => c.view(n.record, weights);

interface Result {
  /** At their steps. */
  readonly sequence: Value;
  /** Of the step that comes last in the order of the layer. */
  readonly last: Value;
  readonly states: readonly Value[];
}
/** A recurrent layer over its steps. */
function recur(
  n: LayerView,
  c: KerasBuilder,
  x: Value,
  mask: Value | undefined,
  initial: readonly Value[],
  zeroOutput: boolean,
): Result {
  if (n.bool('time_major', false)) return c.unsupported('time_major: give batches of sequences');
  const reverse = n.bool('go_backwards', false);
  const cells = cellsOf(n, c);
  const count = cells.reduce((sum, k) => sum + k.count, 0);
  if (initial.length > 0 && initial.length !== count) c.reject(`${initial.length} initial states where there are ${count}`);
  let sequence = x;
  const states: Value[] = [];
  for (const cell of cells) {
    const given = initial.length > 0 ? initial.slice(states.length, states.length + cell.count) : undefined;
    const run = cell.run({ x: sequence, mask, states: given }, reverse);
    ({ sequence } = run);
    states.push(...run.states);
  }
  const time = must(sequence.type.shape[1]);
  const rest = sequence.type.shape.slice(2);
  if (mask && zeroOutput) {
    const counts = reshape(c, mask, [...mask.type.shape, ...rest.map(() => 1)]);
    sequence = c.apply1(e.Where, [counts, sequence, c.literal(sequence.type.dtype, 0)]);
  }
  const at = (): Value => {
    const one = slice(c, sequence, new Map([[1, { start: reverse ? 0 : dimSub(time, 1), size: 1, step: 1 }]]));
    return reshape(c, one, [must(sequence.type.shape[0]), ...rest]);
  };
  // Without a mask the last result is the first state of the last cell.
  const final = states[count - must(cells.at(-1)).count];
  return { sequence, last: mask || !final ? at() : final, states };
}
/** Which steps count, of the call or of the tensor. */
const maskOf = (c: KerasBuilder, call: CallView): Value | undefined => {
  const m = call.named('mask')?.value ?? call.flow()?.mask;
  return m && cast(c, m, 'bool');
};
/** The initial states of a call: by name, or behind the sequence. */
function statesOf(call: CallView): readonly Value[] {
  const a = call.kwargs.get('initial_state');
  const flows = a ? flowsIn(a) : call.flows.slice(1);
  return flows.map(f => f.value);
}
const flowsIn = (a: CallView['args'][number]): readonly Flow[] =>
  a.k === 'flow' ? [a.flow] : a.k === 'list' ? a.items.flatMap(flowsIn) : [];

const rnn: LayerBuilder = (n, c, call) => {
  const x = call.x();
  if (call.kwargs.has('constants') && call.kwargs.get('constants')?.k !== 'json') c.unsupported('constants for its cell');
  const mask = maskOf(c, call);
  const given = statesOf(call);
  const kept = n.bool('stateful', false) && given.length === 0 ? keptStates(n, c, x) : [];
  const initial = given.length > 0 ? given : kept.map(k => k.value);
  const y = recur(n, c, x, mask, initial, n.bool('zero_output_for_mask', false));
  kept.forEach((k, i) => k.next(must(y.states[i])));
  const sequences = n.bool('return_sequences', false);
  const ordered = (): Value => (n.bool('go_backwards', false) ? reversed(c, y.sequence) : y.sequence);
  const out: Flow = sequences ? { value: ordered(), mask } : { value: y.last, mask: undefined };
  return n.bool('return_state', false) ? [out, ...y.states.map(value => ({ value, mask: undefined }))] : [out];
};
/** The states that a stateful layer keeps from run to run. */
function keptStates(n: LayerView, c: KerasBuilder, x: Value) {
  const [batch = 1] = x.type.shape;
  if (typeof batch !== 'number') return c.unsupported('a state that is kept between runs needs a fixed batch; fix it with --dim');
  // Their sizes come out of a run from zero.
  const probe = recur(n, c, x, undefined, [], false);
  return probe.states.map((s, i) => {
    const dims = s.type.shape.map(d => (typeof d === 'number' ? d : c.unsupported('a state of open size')));
    return c.state(`${n.name}_state${probe.states.length > 1 ? `_${i}` : ''}`, zeros(s.type.dtype, dims));
  });
}
/** A layer forward and one backward, put together. */
const bidirectional: LayerBuilder = (n, c, call) => {
  const x = call.x();
  const mask = maskOf(c, call);
  const forward = n.inner('layer');
  const other = n.json('backward_layer');
  const own = other === undefined || other === null ? undefined : n.inner('backward_layer');
  const flipped = { ...forward, config: { ...forward.config, go_backwards: forward.config['go_backwards'] !== true } };
  const views = [
    c.view(forward, n.weights.child('forward_layer', /^forward/, 0)),
    c.view(own ?? flipped, n.weights.child('backward_layer', /^backward/, 1)),
  ];
  const sequences = must(views[0]).bool('return_sequences', false);
  const initial = statesOf(call);
  const half = initial.length / 2;
  const [a, b] = views.map((v, i) => {
    if (v.bool('stateful', false)) return c.unsupported('a bidirectional layer that keeps its state');
    return recur(v, c, x, mask, initial.slice(i * half, (i + 1) * half), sequences);
  });
  const [f, r] = [must(a), must(b)];
  // Both sequences are at their steps already.
  const [p, q] = sequences ? [f.sequence, r.sequence] : [f.last, r.last];
  const merged = (): readonly Value[] => {
    if (n.json('merge_mode') === null) return [p, q];
    const mode = n.text('merge_mode', 'concat');
    switch (mode) {
      case 'concat':
        return [concat(c, [p, q], rankOf(p) - 1)];
      case 'sum':
        return [c.apply1(e.Add, [p, q])];
      case 'ave':
        return [c.apply1(e.Div, [c.apply1(e.Add, [p, q]), c.literal(p.type.dtype, 2)])];
      case 'mul':
        return [c.apply1(e.Mul, [p, q])];
      default:
        return n.bad(`'merge_mode' is '${mode}'`);
    }
  };
  const outs: Flow[] = merged().map(value => ({ value, mask: sequences ? mask : undefined }));
  const states = must(views[0]).bool('return_state', false) ? [...f.states, ...r.states] : [];
  return [...outs, ...states.map(value => ({ value, mask: undefined }))];
};
/** The same layer at each step: steps become part of the batch. */
const timeDistributed: LayerBuilder = (n, c, call) => {
  const x = call.x();
  const [batch = 1, time = 1, ...rest] = x.type.shape;
  const inner = n.inner('layer');
  const flat = reshape(c, x, [dimMul(batch, time), ...rest]);
  const weights = n.weights.child('layer', inner.name);
  const outs = c.run(inner, weights, { args: [{ k: 'flow', flow: { value: flat } }], kwargs: new Map() });
  return outs.map(o => ({ value: reshape(c, o.value, [batch, time, ...o.value.type.shape.slice(1)]) }));
};

/** A layer around another whose weights are stored as it made them. */
const around: LayerBuilder = (n, c, call) => {
  const inner = n.inner('layer');
  return c.run(inner, n.weights.child('layer', inner.name), call);
};

export const rnnLayers: LayerTable = {
  RNN: rnn,
  LSTM: rnn,
  GRU: rnn,
  SimpleRNN: rnn,
  CuDNNLSTM: rnn,
  CuDNNGRU: rnn,
  ConvLSTM1D: rnn,
  ConvLSTM2D: rnn,
  ConvLSTM3D: rnn,
  Bidirectional: bidirectional,
  TimeDistributed: timeDistributed,
  SpectralNormalization: around,
};
