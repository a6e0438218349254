import { describe, it } from '@jest/globals';
import { fromNumbers, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { asFloat, expectPeer, numbers, type Problem } from './peer.ts';

const f = (dims: readonly number[], seed: number): Tensor => numbers('f32', dims, seed);
const GATES = { LSTM: 4, GRU: 3, RNN: 1 } as const;
interface Options {
  readonly op: keyof typeof GATES;
  readonly time?: number;
  readonly batch?: number;
  readonly hidden?: number;
  readonly directions?: 1 | 2;
  readonly lengths?: readonly number[];
  readonly state?: boolean;
  readonly peepholes?: boolean;
  readonly attrs?: NonNullable<Problem['attrs']>;
}
/** A recurrent node with weights as inputs, against onnxruntime. */
function check(o: Options): Promise<void> {
  const { op, time = 5, batch = 3, hidden = 6, directions: d = 1 } = o;
  const wide = 7;
  const g = GATES[op] * hidden;
  const inputs: (Tensor | undefined)[] = [
    f([time, batch, wide], 1),
    f([d, g, wide], 2),
    f([d, g, hidden], 3),
    f([d, 2 * g], 4),
    o.lengths && fromNumbers('i32', [batch], o.lengths),
    o.state ? f([d, batch, hidden], 5) : undefined,
  ];
  if (op === 'LSTM') inputs.push(o.state ? f([d, batch, hidden], 6) : undefined, o.peepholes ? f([d, 3 * hidden], 7) : undefined);
  return expectPeer({
    op,
    opset: 14,
    inputs,
    outputs: op === 'LSTM' ? ['f32', 'f32', 'f32'] : ['f32', 'f32'],
    attrs: { hidden_size: hidden, ...(d === 2 ? { direction: 'bidirectional' } : {}), ...o.attrs },
  });
}

describe('recurrent operators give what onnxruntime gives', () => {
  for (const op of ['LSTM', 'GRU', 'RNN'] as const) {
    it(`${op} forward`, () => check({ op }));
    it(`${op} backward from a state`, () => check({ op, state: true, attrs: { direction: 'reverse' } }));
    it(`${op} in both directions, with lengths`, () => check({ op, directions: 2, state: true, lengths: [5, 2, 4] }));
    it(`${op} of one row and one step`, () => check({ op, time: 1, batch: 1, hidden: 8, state: true }));
    it(`${op} of many rows`, () => check({ op, batch: 13, hidden: 12 }));
    it(`${op} with clipping`, () => check({ op, state: true, attrs: { clip: asFloat(0.3) } }));
  }
  it('LSTM with other activations', () =>
    check({
      op: 'LSTM',
      attrs: {
        activations: { strings: ['HardSigmoid', 'LeakyRelu', 'Softsign'] },
        activation_alpha: { floats: [0.3, 0.1] },
        activation_beta: { floats: [0.4] },
      },
    }));
  for (const name of ['Affine', 'ThresholdedRelu', 'ScaledTanh', 'Elu', 'Softplus', 'Relu', 'Sigmoid'])
    it(`RNN with ${name}`, () =>
      check({
        op: 'RNN',
        attrs: { activations: { strings: [name] }, activation_alpha: { floats: [0.5] }, activation_beta: { floats: [0.4] } },
      }));
  it('LSTM with peepholes', () => check({ op: 'LSTM', peepholes: true, state: true }));
  it('LSTM with coupled gates', () => check({ op: 'LSTM', attrs: { input_forget: 1 } }));
  it('GRU with the reset gate after the product', () => check({ op: 'GRU', state: true, attrs: { linear_before_reset: 1 } }));
});

/** An LSTM with weights of 8 bits, as onnxruntime's dynamic quantization makes it. */
function checkDynamic(o: {
  readonly unsigned?: boolean;
  readonly byColumn?: boolean;
  readonly directions?: 1 | 2;
  readonly batch?: number;
  readonly attrs?: NonNullable<Problem['attrs']>;
}): Promise<void> {
  const { directions: d = 1, batch = 1, unsigned = false, byColumn = false } = o;
  const [time, wide, hidden] = [5, 7, 13];
  const gates = 4 * hidden;
  const type = unsigned ? 'u8' : 'i8';
  const weights = (rows: number, seed: number): Tensor =>
    fromNumbers(
      type,
      [d, rows, gates],
      toNumbers(f([d, rows, gates], seed)).map(v => Math.round(127 * v) + (unsigned ? 128 : 0)),
    );
  const scales = byColumn ? [d, gates] : [d];
  const scale = (seed: number): Tensor =>
    fromNumbers(
      'f32',
      scales,
      toNumbers(f(scales, seed)).map(v => (0.7 + 0.3 * v) / 127),
    );
  const zero = (v: number): Tensor =>
    fromNumbers(type, scales, new Float64Array(byColumn ? d * gates : d).fill(unsigned ? v : 0));
  const none = undefined;
  return expectPeer({
    op: 'DynamicQuantizeLSTM',
    domain: 'com.microsoft',
    inputs: [
      f([time, batch, wide], 1),
      weights(wide, 2),
      weights(hidden, 3),
      f([d, 2 * gates], 4),
      none,
      none,
      none,
      none,
    ].concat([scale(5), zero(121), scale(6), zero(130)]),
    constants: [1, 2, 3, 8, 9, 10, 11],
    outputs: ['f32', 'f32', 'f32'],
    attrs: { hidden_size: hidden, ...(d === 2 ? { direction: 'bidirectional' } : {}), ...o.attrs },
  });
}
describe('LSTM with dynamic quantization gives what onnxruntime gives', () => {
  it('with signed weights', () => checkDynamic({}));
  it('with unsigned weights and zero points, in both directions', () => checkDynamic({ unsigned: true, directions: 2 }));
  it('with a scale for each column, in both directions', () => checkDynamic({ byColumn: true, directions: 2 }));
  it('backward, with clipping', () => checkDynamic({ unsigned: true, attrs: { direction: 'reverse', clip: asFloat(0.5) } }));
});
