import { must } from '../../core/diagnostic.ts';
import { dimProd, type Dim } from '../../core/dim.ts';
import type { Value } from '../../graph/graph.ts';
import { rankOf } from '../shared/axes.ts';
import { reshape } from '../shared/views.ts';
import { attrKind } from './decode.ts';
import { dataTypeOfWord } from './tensor.ts';
import type { AttributeProto } from './records.ts';
import type { ImportCtx, OnnxNode } from './registry.ts';

/**
 * Operators as operator sets 1 to 6 mean them, said as set 7 says them: what differs are inputs and attributes, so the builders need not know.
 * Attributes that mean nothing for inference (consumed_inputs, broadcast of equal shapes) are left where they are and not read.
 * https://github.com/onnx/onnx/blob/main/docs/Changelog.md
 */
interface Reworded {
  readonly inputs?: readonly (Value | undefined)[];
  /** Attributes that are added or put in the place of others. */
  readonly attrs?: readonly AttributeProto[];
}
type Rewording = (n: OnnxNode, c: ImportCtx) => Reworded;
/** The first operator set whose meaning the builders know: what follows is for those before it. */
export const FIRST_OPSET = 7;

const BLANK: AttributeProto = {
  name: '',
  refAttrName: '',
  type: 0,
  f: undefined,
  i: undefined,
  s: undefined,
  t: undefined,
  g: undefined,
  sparseTensor: undefined,
  tp: undefined,
  floats: [],
  ints: [],
  strings: [],
  tensors: [],
  graphs: [],
  sparseTensors: [],
  typeProtos: [],
};
const float = (name: string, f: number): AttributeProto => ({ ...BLANK, name, type: 1, f });
const int = (name: string, i: number): AttributeProto => ({ ...BLANK, name, type: 2, i });
const floats = (name: string, list: readonly number[]): AttributeProto => ({ ...BLANK, name, type: 6, floats: list });
const ints = (name: string, list: readonly number[]): AttributeProto => ({ ...BLANK, name, type: 7, ints: list });

/** b as a neighbour of a's axes from `axis` on; without an axis of its own it meets a's last ones, as it does today. */
const broadcast: Rewording = (n, c) => {
  const [a, b] = [n.input(0), n.input(1)];
  const axis = n.int('axis', -1);
  if (!n.bool('broadcast', false) || axis < 0 || dimProd(b.type.shape) === 1) return {};
  const after = rankOf(a) - axis - rankOf(b);
  if (after < 0) n.reject(`${rankOf(b)} axes from axis ${axis} on do not fit ${rankOf(a)} axes`);
  return { inputs: [a, reshape(c, b, [...b.type.shape, ...new Array<Dim>(after).fill(1)])] };
};
/** Slopes were one a channel, which is axis 1. */
const prelu: Rewording = (n, c) => {
  const [x, slope] = [n.input(0, 'X'), n.input(1, 'slope')];
  const { shape } = slope.type;
  if (shape.length !== 1 || shape[0] === 1) return {};
  const rest = new Array<Dim>(Math.max(0, rankOf(x) - 2)).fill(1);
  return { inputs: [x, reshape(c, slope, [...shape, ...rest])] };
};
/** Types were words. */
const cast: Rewording = n => {
  const to = n.attr('to');
  if (!to || attrKind(to) !== 'string') return {};
  const word = n.string('to');
  return { attrs: [int('to', dataTypeOfWord(word) ?? n.reject(`there is no type '${word}'`))] };
};
/** Whether a node is for training, which was the default before set 7, though hardly a file meant it. */
function trains(n: OnnxNode, c: ImportCtx): boolean {
  if (n.has('is_test')) return !n.bool('is_test');
  c.warn('training', `its attribute is_test is missing: it is taken for inference`);
  return false;
}
const batchNorm: Rewording = (n, c) => {
  if (trains(n, c)) n.unsupported('it is exported for training (is_test is 0); export the model for inference');
  return {};
};
const dropout: Rewording = (n, c) => {
  if (trains(n, c) && n.float('ratio', 0.5) !== 0)
    n.unsupported('it drops at random (is_test is 0); export the model for inference');
  return {};
};
/** The exponent of a norm was a float. */
const exponent: Rewording = n => {
  const p = n.attr('p');
  if (!p || attrKind(p) !== 'float') return {};
  const value = n.float('p');
  return { attrs: [int('p', Number.isInteger(value) ? value : n.unsupported(`a norm with an exponent of ${value}`))] };
};
const renamed =
  (from: string, to: string): Rewording =>
  n =>
    n.has(to) || !n.has(from) ? {} : { attrs: [ints(to, n.ints(from))] };
const reshapeByAttribute: Rewording = (n, c) =>
  n.has('shape') ? { inputs: [n.input(0), c.literal('i64', n.ints('shape'))] } : {};
/** One axis was repeated: the second input says how often, the third which one. */
const tile: Rewording = (n, c) => {
  if (n.opset >= 6) return {};
  const [x, tiles, at] = [n.input(0), n.input(1, 'tiles'), n.input(2, 'axis')];
  const [times] = c.intsIn(tiles, 'number of tiles');
  const [axis] = c.intsIn(at, 'axis');
  return {
    inputs: [
      x,
      c.literal(
        'i64',
        x.type.shape.map((_, a) => (a === axis ? must(times) : 1)),
      ),
    ],
  };
};
const upsample: Rewording = n =>
  n.has('height_scale') ? { attrs: [floats('scales', [1, 1, n.float('height_scale'), n.float('width_scale')])] } : {};
const selu: Rewording = n =>
  n.opset >= 6 ? {} : { attrs: [float('alpha', n.float('alpha', 1.6732)), float('gamma', n.float('gamma', 1.0507))] };
const concat: Rewording = n => (n.opset < 4 && !n.has('axis') ? { attrs: [int('axis', 1)] } : {});

const same = (rewording: Rewording, ...ops: readonly string[]): readonly (readonly [string, Rewording])[] =>
  ops.map(op => [op, rewording] as const);
/** By operator of the standard domain. */
export const oldWords: ReadonlyMap<string, Rewording> = new Map([
  ...same(broadcast, 'Add', 'Sub', 'Mul', 'Div', 'Pow', 'And', 'Or', 'Xor', 'Equal', 'Less', 'Greater'),
  ...same(exponent, 'LpPool', 'GlobalLpPool'),
  ['PRelu', prelu],
  ['Cast', cast],
  ['BatchNormalization', batchNorm],
  ['Dropout', dropout],
  ['Pad', renamed('paddings', 'pads')],
  ['Reshape', reshapeByAttribute],
  ['Tile', tile],
  ['Upsample', upsample],
  ['Selu', selu],
  ['Concat', concat],
]);
