/** Graphs for each rule of each pass: its pattern, with numbers that `near` may shift. */
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import type { DType } from '../../compiler/core/dtype.ts';
import { randomTensor } from '../../compiler/core/random.ts';
import { fromNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { apply1, constant, input, type Value } from '../../compiler/graph/graph.ts';
import { Attention } from '../../compiler/ops/attention/attention.ts';
import { ConvInteger } from '../../compiler/ops/conv/conv-integer.ts';
import { Conv } from '../../compiler/ops/conv/conv.ts';
import type { Attrs, Op } from '../../compiler/ops/define.ts';
import {
  Add,
  And,
  Cast,
  Clip,
  Div,
  Equal,
  Erf,
  Exp,
  IsNaN,
  Log,
  Max,
  Min,
  Mul,
  Neg,
  Not,
  Or,
  Pow,
  Reciprocal,
  Relu,
  Sigmoid,
  Softplus,
  Sqrt,
  Sub,
  Tanh,
  Where,
} from '../../compiler/ops/elementwise/index.ts';
import { MatMulInteger } from '../../compiler/ops/matmul/matmul-integer.ts';
import { MatMul } from '../../compiler/ops/matmul/matmul.ts';
import { Concat } from '../../compiler/ops/movement/concat.ts';
import { Gather } from '../../compiler/ops/movement/gather.ts';
import { Pad } from '../../compiler/ops/movement/pad.ts';
import { ScatterND } from '../../compiler/ops/movement/scatter.ts';
import { Expand, Reshape, Slice, Transpose } from '../../compiler/ops/movement/view.ts';
import { DequantizeLinear, QuantizeLinear } from '../../compiler/ops/quant/quant.ts';
import { Softmax } from '../../compiler/ops/reduce/norm.ts';
import { Reduce } from '../../compiler/ops/reduce/reduce.ts';
import { FLOAT_EDGES, MOST } from './float-edges.ts';
import { cell, counting } from './loop-graphs.ts';
import type { Dice } from './random-graph.ts';

export interface RuleGraphs {
  /** A graph with the pattern; `near` gives a number, or one beside it. */
  readonly make: (d: Dice, near: (v: number) => number) => Value;
  /** Rounding errors that the rule may make, in units in the last place of the largest result; undefined: no bit changes. */
  readonly ulps?: number;
  /** Nothing stands behind the result. */
  readonly plain?: true;
  /**
   * Inputs; `special`: 0 for numbers of every size, 1 the same in another order, 2 with infinities and NaN. What is summed has products that
   * float32 holds: the evaluator adds up in float64, and so stands for kernels up to there.
   */
  readonly data: (seed: number, special: number) => ReadonlyMap<string, Tensor>;
}
export const make = (op: Op, xs: readonly (Value | undefined)[], attrs: Attrs = {}): Value => apply1(op, xs, attrs, noLoc);
const num = (v: number, dtype: DType = 'f32'): Value => constant(fromNumbers(dtype, [], [v]));
const list = (dims: readonly number[], data: readonly number[], dtype: DType = 'f32'): Value =>
  constant(fromNumbers(dtype, dims, data));
const random = (d: Dice, dims: readonly number[], dtype: DType = 'f32', lo = -1, hi = 1): Value =>
  constant(randomTensor(dtype, dims, d.roll(1e6), lo, hi));

const EDGES = [...FLOAT_EDGES, 7, -8, 9, 1e-3, 12];
/** 48 numbers at which floats end, and the same in another order; integers; truth values. */
const x = input('x', { dtype: 'f32', shape: [48] });
const y = input('y', { dtype: 'f32', shape: [48] });
const i = input('i', { dtype: 'i32', shape: [48] });
const b = input('b', { dtype: 'bool', shape: [48] });
const c = input('c', { dtype: 'bool', shape: [48] });
/** For sums: 120 numbers of about 1. */
const z = input('z', { dtype: 'f32', shape: [2, 3, 4, 5] });
const u8 = input('u', { dtype: 'u8', shape: [2, 3, 4, 5] });
const none = input('none', { dtype: 'f32', shape: [0, 4, 5] });
export const inputs: readonly Value[] = [x, y, i, b, c, z, u8, none];

function data(seed: number, special: number): ReadonlyMap<string, Tensor> {
  const turn = <T>(xs: readonly T[], by: number): T[] => xs.map((_, at) => must(xs[(at * 5 + by) % xs.length]));
  const edges = turn(EDGES, seed + special);
  const wide = randomTensor('f32', [120], seed, -4, 4);
  const values = new Float64Array(new Float32Array(wide.bytes.slice().buffer));
  // Repeated, zero, large, and from time to time not finite.
  for (let at = 0; at < 120; at += 1) {
    if (special === 1 && at % 7 < 2) values[at] = [0, 1, 1, 300, -0][at % 5] ?? 0;
    if (special === 2 && at % 20 === seed % 20) values[at] = [Infinity, -Infinity, NaN, 1e18, -1e18, 0][Math.floor(at / 20)] ?? 0;
  }
  return new Map([
    ['x', fromNumbers('f32', [48], edges)],
    ['y', fromNumbers('f32', [48], turn(EDGES, seed + special + 11))],
    [
      'i',
      fromNumbers(
        'i32',
        [48],
        EDGES.map((_, at) => (at < 40 ? at - 20 : ([2147483647, -2147483648, 65536, -1][at % 4] ?? 0))),
      ),
    ],
    [
      'b',
      fromNumbers(
        'bool',
        [48],
        EDGES.map((_, at) => (at * seed) % 2),
      ),
    ],
    [
      'c',
      fromNumbers(
        'bool',
        [48],
        EDGES.map((_, at) => Number(at % 3 === seed % 3)),
      ),
    ],
    ['z', fromNumbers('f32', [2, 3, 4, 5], values)],
    ['u', randomTensor('u8', [2, 3, 4, 5], seed, 0, 256)],
    ['none', fromNumbers('f32', [0, 4, 5], [])],
  ]);
}
type Maker = RuleGraphs['make'];
const exact = (f: Maker, plain?: true): RuleGraphs => ({ make: f, data, ...(plain && { plain }) });
const rounded = (ulps: number, f: Maker): RuleGraphs => ({ make: f, ulps, data });

const either = (d: Dice, op: Op, p: Value, q: Value): Value => make(op, d.roll(2) === 0 ? [p, q] : [q, p]);
const shaped = (v: Value, shape: readonly number[]): Value => make(Reshape, [v], { shape });
const matrix = (v: Value = x): Value => shaped(v, [6, 8]);
const cube = (v: Value = x): Value => shaped(v, [2, 4, 6]);
const slice = (v: Value, starts: number[], sizes: number[], steps: number[] = starts.map(() => 1)): Value =>
  make(Slice, [v], { starts, sizes, steps });
const reduce = (v: Value, of: string, axes: readonly number[], keep = true): Value => make(Reduce, [v], { of, axes, keep });
const WINDOW = { strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1] };
const padded = (d: Dice): Attrs => ({ ...WINDOW, pads: d.roll(2) === 0 ? [0, 0, 0, 0] : [1, 1, 1, 1] });
const quantized = (d: Dice): [Value, Value] => [
  make(DequantizeLinear, [u8, num(d.pick([0.02, 1e-30])), num(d.roll(200), 'u8')], { to: 'f32' }),
  make(DequantizeLinear, [random(d, [2, 3, 3, 3], 'i8', -100, 100), num(d.pick([0.01, 1e-12])), num(0, 'i8')], { to: 'f32' }),
];
/** Sums of integers, scaled and shifted, in bytes, and as floats again; seldom of what may be infinite. */
function requantized(d: Dice, zero: number): Value {
  const sums = make(MatMulInteger, [u8, random(d, [5, 5], 'i8', -100, 100), num(d.roll(200), 'u8')], { to: 'f32' });
  const finite = d.roll(4) !== 0;
  const scaled = make(Mul, [finite ? sums : make(Add, [z, sums]), random(d, [5], 'f32', -0.05, 0.05)]);
  const shifted = d.roll(2) === 0 ? scaled : make(Add, [make(Relu, [scaled]), num(d.pick([0.5, -300, 1e30]))]);
  const type = zero < 0 ? 'i8' : 'u8';
  return make(Cast, [make(QuantizeLinear, [shifted, num(d.pick([1, 0.5, 3, 1e-30])), num(zero, type)])], { to: 'f32' });
}
/** Its exact product with whole numbers. */
const wholeProduct = (d: Dice, v: Value): Value =>
  d.roll(2) === 0
    ? make(MatMul, [v, constant(fromNumbers('f32', [5, 2], [3, -4, 0, 1, 7, -9, 2, 2, -1, 5]))], { exact: true })
    : make(Conv, [v, list([1, 3, 1, 1], [3, -4, 7])], { ...padded(d), exact: true });
/** A product, and what its channels are scaled and shifted by. */
function product(d: Dice, from: Value): { readonly y: Value; readonly channel: (lo: number, hi: number) => Value } {
  const conv = d.roll(2) === 0;
  const w = random(d, conv ? [2, 3, 3, 3] : [5, 2]);
  const scale = d.pick([1, 1, 1, 1e-30, 1e-37]);
  const scaled = scale === 1 ? w : constant(randomTensor('f32', conv ? [2, 3, 3, 3] : [5, 2], d.roll(99), -scale, scale));
  return {
    y: make(conv ? Conv : MatMul, [from, scaled], { ...(conv ? padded(d) : {}), fewBits: d.roll(4) === 0 }),
    channel: (lo, hi) => random(d, conv ? [2, 1, 1] : [2], 'f32', lo, hi),
  };
}
const squares = (d: Dice, v: Value, near: (v: number) => number): Value =>
  d.roll(2) === 0 ? make(Mul, [v, v]) : make(Pow, [v, num(near(2))]);
function rooted(d: Dice, v: Value, near: (v: number) => number): Value {
  const root = make(Sqrt, [either(d, Add, reduce(squares(d, v, near), 'mean', [3]), num(d.pick([1e-5, 1e-12, 0])))]);
  return d.roll(2) === 0 ? make(Div, [v, root]) : either(d, Mul, v, make(Reciprocal, [root]));
}
function scores(d: Dice, near: (v: number) => number): Value {
  const k = make(Transpose, [z], { perm: [0, 1, 3, 2] });
  let s = make(MatMul, [z, k]);
  if (d.roll(2) === 0) s = make(Mul, [s, num(near(0.5))]);
  if (d.roll(4) === 0) s = make(Mul, [make(Tanh, [make(Div, [s, num(near(5))])]), num(near(5))]);
  const shape = [1, 1, 4, 4];
  const seen = list(shape, [1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1, 1, 1, 1, 1], 'bool');
  const hidden = num(d.pick([-1e4, -Infinity, -MOST, -20, 0, -1e9]));
  const way = d.roll(4);
  if (way === 0) return make(Where, [seen, s, hidden]);
  if (way === 1) return make(Where, [seen, hidden, s]);
  // Numbers that are added to scores round them, in float32.
  const added = num(d.pick([-Infinity, -MOST, -20]));
  return way === 2 ? make(Add, [s, make(Where, [seen, num(0), added])]) : s;
}

/** By the names of the rules. */
export const RULE_GRAPHS: Readonly<Record<string, RuleGraphs>> = {
  'x + -0': exact((d, n) => either(d, Add, x, num(n(-0)))),
  'x + 0': exact((d, n) => either(d, Add, d.pick([make(Exp, [x]), make(Mul, [x, x]), x, make(Add, [x, num(0)])]), num(n(0)))),
  'x - 0': exact((_, n) => make(Sub, [x, num(n(0))])),
  'x * 1': exact((d, n) => either(d, Mul, x, num(n(1)))),
  'x / 1': exact((_, n) => make(Div, [x, num(n(1))])),
  'x ** 1': exact((d, n) => make(Pow, d.roll(3) === 0 ? [i, num(1, 'i32')] : [x, num(n(1))])),
  'x and true': exact(d => either(d, And, b, num(1, 'bool'))),
  'x or false': exact(d => either(d, Or, b, num(0, 'bool'))),
  'x ** 2': rounded(0.5, (d, n) => make(Pow, d.roll(3) === 0 ? [i, num(2, d.pick(['i32', 'f32']))] : [x, num(n(2))])),
  'x ** 3': rounded(1, (_, n) => make(Pow, [x, num(n(3))])),
  'x ** 0.5': rounded(0.5, (d, n) => make(Pow, [d.pick([make(Mul, [x, x]), make(Exp, [x]), x]), num(n(0.5))])),
  'x ** -1': rounded(0.5, (_, n) => make(Pow, [x, num(n(-1))])),
  'x ** -0.5': rounded(1, (d, n) => make(Pow, [d.pick([make(Mul, [x, x]), make(Exp, [x]), x]), num(n(-0.5))])),
  'x / 2**n': exact((d, n) => {
    const half = d.roll(3) === 0;
    const by = num(
      n(d.pick(half ? [4, 2 ** -24, 2 ** 15, 2 ** -15] : [2, 0.25, 2 ** 100, 2 ** -126, 2 ** 127])),
      half ? 'f16' : 'f32',
    );
    return half ? make(Cast, [make(Div, [make(Cast, [x], { to: 'f16' }), by])], { to: 'f32' }) : make(Div, [x, by]);
  }),
  '1 / x': exact((_, n) => make(Div, [num(n(1)), x])),
  '-(-x)': exact(() => make(Neg, [make(Neg, [x])])),
  'not not x': exact(() => make(Not, [make(Not, [b])])),
  'x * -1': exact((d, n) => either(d, Mul, x, num(n(-1)))),
  'x + (-y)': exact(d => either(d, Add, x, make(Neg, [y]))),
  'x - (-y)': exact(() => make(Sub, [x, make(Neg, [y])])),
  '0 - x': exact((d, n) => (d.roll(3) === 0 ? make(Sub, [num(0, 'i32'), i]) : make(Sub, [num(n(-0)), x]))),
  'bounds of bounds': exact((d, n) => {
    const bound = (): number => n(d.pick([0, -0, 1, 6, -1, MOST, -MOST, Infinity]));
    const one = (v: Value): Value => {
      const [p, q] = [bound(), bound()];
      const way = d.roll(4);
      if (way === 0) return make(Relu, [v]);
      if (way === 1) return make(Clip, [v], { lo: Math.min(p, q), hi: Math.max(p, q) });
      return either(d, way === 2 ? Max : Min, v, num(p));
    };
    return one(one(x));
  }),
  'a bound as Relu or Clip': exact((d, n) =>
    either(d, d.pick([Max, Min]), x, num(n(d.pick([0, -0, 1, MOST, -MOST, Infinity, -Infinity])))),
  ),
  'a Clip that is a Relu, or nothing': exact((d, n) =>
    make(
      Clip,
      [x],
      d.pick<Attrs>([{ lo: n(0) }, { lo: -Infinity }, { hi: Infinity }, { lo: -MOST, hi: MOST }, { lo: 0, hi: MOST }]),
    ),
  ),
  'a cast to the same type': exact(() => make(Cast, [x], { to: 'f32' })),
  'a cast of a cast that loses nothing': exact(d => {
    const [from, middle, to] = d.pick<readonly [Value, DType, DType]>([
      [x, 'f64', 'f32'],
      [x, 'f64', 'i32'],
      [x, 'f64', 'f16'],
      [x, 'f16', 'f32'],
      [i, 'f64', 'f32'],
      [i, 'i64', 'u8'],
      [i, 'f32', 'i8'],
      [b, 'i32', 'f32'],
      [b, 'f32', 'bool'],
    ]);
    return make(Cast, [make(Cast, [from], { to: middle })], { to });
  }),
  'a choice that is made': exact(d => make(Where, [num(d.roll(2), 'bool'), x, d.pick([y, num(2)])])),
  'a choice between equals': exact(() => make(Where, [b, x, x])),
  'a choice turned round': exact(() => make(Where, [make(Not, [b]), x, y])),

  'a reshape to the same shape': exact(
    d => (d.roll(2) === 0 ? make(Reshape, [x], { shape: [48] }) : make(Reshape, [none], { shape: [0, 4, 5] })),
    true,
  ),
  'a reshape of a reshape': exact(() => shaped(matrix(), [3, 16])),
  'a transpose of a transpose': exact(d => {
    const perms = [
      [0, 2, 1],
      [2, 0, 1],
      [1, 2, 0],
      [2, 1, 0],
    ];
    return make(Transpose, [make(Transpose, [cube()], { perm: d.pick(perms) })], { perm: d.pick(perms) });
  }),
  'a transpose that moves nothing': exact(() => make(Transpose, [cube()], { perm: [0, 1, 2] })),
  'a transpose of axes of one element': exact(() => make(Transpose, [shaped(x, [6, 1, 8])], { perm: [1, 0, 2] })),
  'an expansion to the same shape': exact(() => make(Expand, [matrix()], { shape: [6, 8] })),
  'an expansion of an expansion': exact(
    d => make(Expand, [make(Expand, [shaped(x, [48, 1])], { shape: [48, 2] })], { shape: [d.pick([1, 3, 0]), 48, 2] }),
    true,
  ),
  'a slice of everything': exact(() => slice(matrix(), [0, 0], [6, 8])),
  'a slice of a slice': exact(d => {
    const inner = d.roll(2) === 0 ? slice(matrix(), [1, 7], [4, 4], [1, -2]) : slice(matrix(), [0, 1], [5, 6]);
    return slice(inner, [1, d.pick([0, 1])], [2, d.pick([0, 2, 3])], [1, 1]);
  }, true),
  'a slice of one operand of a concatenation': exact(
    d => slice(make(Concat, [matrix(), matrix(y), matrix()], { axis: 1 }), [0, d.pick([0, 8, 9, 7])], [6, d.pick([0, 3, 8])]),
    true,
  ),
  'a slice of an expansion': exact(
    d => slice(make(Expand, [shaped(x, [48, 1])], { shape: [48, 5] }), [0, d.roll(4)], [48, d.pick([1, 0])]),
    true,
  ),
  'a concatenation of one': exact(() => make(Concat, [matrix()], { axis: 0 })),
  'a concatenation with nothing': exact(d => {
    const parts = [none, shaped(z, [6, 4, 5])];
    return make(Concat, d.roll(2) === 0 ? parts : parts.reverse(), { axis: 0 });
  }),
  'a concatenation in a concatenation': exact(() =>
    make(Concat, [matrix(), make(Concat, [matrix(y), matrix()], { axis: 0 })], { axis: 0 }),
  ),
  'neighbouring slices put together again': exact(d => {
    const m = matrix();
    const [from, size] = [d.pick([0, 1]), d.pick([2, 3])];
    const [p, q] = [slice(m, [0, from], [6, size]), slice(m, [0, from + size + d.pick([0, 0, 1])], [6, 8 - from - size - 1])];
    return make(Concat, [p, q], { axis: 1 });
  }),
  'an operand need not be expanded': exact(d =>
    either(
      d,
      d.pick([Add, Mul, Max]),
      make(Expand, [shaped(y, [1, 48])], { shape: [2, 48] }),
      make(Concat, [shaped(x, [1, 48]), shaped(x, [1, 48])], { axis: 0 }),
    ),
  ),
  'a function of an expansion': exact(
    d => make(d.pick([Exp, Neg, Sqrt]), [make(Expand, [shaped(x, [48, 1])], { shape: [48, d.pick([3, 0])] })]),
    true,
  ),
  'a reduction of axes of one element': exact(d =>
    reduce(shaped(x, [6, 1, 8]), d.pick(['sum', 'mean', 'max', 'min', 'prod']), [1], d.roll(2) === 0),
  ),
  'a product with a transposed matrix': exact(d => {
    const t = make(Transpose, [z], { perm: [0, 1, 3, 2] });
    return d.roll(2) === 0 ? make(MatMul, [z, t]) : make(MatMul, [t, z], { transB: false });
  }),
  'zeros around the input of a convolution': exact((d, n) => {
    const value = d.roll(2) === 0 ? undefined : num(n(0));
    const w = d.roll(3) === 0 ? list([1, 3, 1, 1], [1, Infinity, 2]) : random(d, [2, 3, 3, 3]);
    return make(Conv, [make(Pad, [z, value], { begin: [0, 0, 1, 1], end: [0, 0, 1, 2] }), w], padded(d));
  }),
  'one row gathered': exact(d => make(Gather, [matrix(), list(d.pick([[], [1]]), [d.pick([0, 5])], 'i64')], { axis: 0 })),

  'layer normalisation spelt out': rounded(8, (d, n) => rooted(d, make(Sub, [z, reduce(z, 'mean', [3])]), n)),
  'root mean square normalisation spelt out': rounded(8, (d, n) => rooted(d, z, n)),
  'softmax spelt out': rounded(8, d => {
    const e = make(Exp, [d.roll(3) === 0 ? z : make(Sub, [z, reduce(z, 'max', [3])])]);
    const sum = reduce(e, 'sum', [3]);
    return d.roll(2) === 0 ? make(Div, [e, sum]) : either(d, Mul, e, make(Reciprocal, [sum]));
  }),
  'logarithm of softmax spelt out': rounded(8, () => {
    const s = make(Sub, [z, reduce(z, 'max', [3])]);
    return make(Sub, [s, make(Log, [reduce(make(Exp, [s]), 'sum', [3])])]);
  }),
  'an activation function spelt out': rounded(8, (d, n) => {
    const k = (v: number): Value => num(n(v));
    switch (d.roll(5)) {
      case 0:
        return make(Reciprocal, [either(d, Add, k(1), make(Exp, [make(Neg, [x])]))]);
      case 1:
        return either(d, Mul, x, make(Sigmoid, [make(Mul, [x, k(1.702)])]));
      case 2:
        return make(Mul, [make(Mul, [x, k(0.5)]), either(d, Add, k(1), make(Erf, [make(Div, [x, k(Math.SQRT2)])]))]);
      case 3:
        return either(
          d,
          Mul,
          x,
          make(Tanh, [d.roll(2) === 0 ? make(Softplus, [x]) : make(Log, [either(d, Add, k(1), make(Exp, [x]))])]),
        );
      default: {
        const inner = make(Mul, [make(Add, [x, make(Mul, [make(Pow, [x, num(3)]), k(0.044715)])]), k(Math.sqrt(2 / Math.PI))]);
        return make(Mul, [make(Mul, [x, k(0.5)]), either(d, Add, make(Tanh, [inner]), k(1))]);
      }
    }
  }),
  attention: rounded(64, (d, n) => {
    const s = scores(d, n);
    let p = make(Softmax, [s], { axis: 3 });
    const way = d.roll(4);
    if (way === 0) p = make(Where, [make(IsNaN, [p]), num(n(0)), p]);
    if (way === 1) p = make(Where, [make(Equal, [reduce(s, 'max', [3]), num(n(-Infinity))]), num(0), p]);
    return make(MatMul, [p, z]);
  }),
  'attention of heads that share keys': exact(() => {
    const shared = (v: Value): Value =>
      shaped(make(Expand, [shaped(v, [2, 3, 1, 4, 5])], { shape: [2, 3, 2, 4, 5] }), [2, 6, 4, 5]);
    return make(Attention, [shaped(make(Concat, [z, z], { axis: 1 }), [2, 6, 4, 5]), shared(z), shared(z)], { scale: 0.5 });
  }),

  'scale and offset after a product': rounded(1100, (d, n) => {
    const { y: p, channel } = product(d, z);
    const k = (): Value => (d.roll(2) === 0 ? channel(0.5, 1.5) : num(n(d.pick([2, -1, 1e20, 1e-20, 0.1]))));
    const large = d.pick([1, 12582912, 1e4, 3]);
    switch (d.roll(4)) {
      case 0:
        return make(Add, [make(Mul, [p, k()]), channel(-1, 1)]);
      case 1:
        return make(Div, [make(Sub, [p, channel(-1, 1)]), k()]);
      case 2:
        return make(Sub, [make(Add, [p, num(large)]), num(n(large))]);
      default:
        return make(Mul, [make(Add, [make(Neg, [p]), channel(-1, 1)]), k()]);
    }
  }),
  'scale before a product': rounded(64, (d, n) => {
    const conv = d.roll(2) === 0;
    const channel = random(d, conv ? [3, 1, 1] : [5], 'f32', 0.5, 1.5);
    const k = d.roll(2) === 0 ? channel : num(n(d.pick([2, 1e-38, 1e30, -0.5])));
    const shifted = d.roll(3) === 0 ? make(Sub, [z, num(n(300))]) : z;
    const s = make(d.pick([Mul, Div]), [shifted, k]);
    return make(conv ? Conv : MatMul, [s, random(d, conv ? [2, 3, 3, 3] : [5, 2])], conv ? padded(d) : {});
  }),
  // Rounded to f32 and then to f16: a unit in the last place of that is 2^13 of these.
  'products of half floats': rounded(2 ** 13, d => {
    const half = (v: Value): Value => make(Cast, [v], { to: 'f16' });
    const conv = d.roll(2) === 0;
    const w = half(random(d, conv ? [2, 3, 3, 3] : [5, 2]));
    return make(Cast, [make(conv ? Conv : MatMul, [half(z), w], conv ? padded(d) : {})], { to: 'f32' });
  }),
  'a convolution': exact(d => make(Conv, [z, random(d, [2, 3, 3, 3])], padded(d))),
  'sums of integers as floats': exact(d =>
    make(Cast, [make(ConvInteger, [u8, random(d, [2, 3, 3, 3], 'i8', -100, 100), num(d.roll(200), 'u8')], padded(d))], {
      to: 'f32',
    }),
  ),
  'sums of integers and a bias as floats': exact(d => {
    const sums = make(MatMulInteger, [u8, random(d, [5, 3], 'i8', -100, 100)]);
    return make(Cast, [either(d, Add, sums, list([3], [1, d.pick([-5, 2 ** 25 + 1]), 7], 'i32'))], { to: 'f32' });
  }),
  'integers in floats': exact(d =>
    d.roll(2) === 0
      ? make(ConvInteger, [u8, random(d, [2, 3, 3, 3], 'i8', -100, 100), num(d.roll(200), 'u8')], padded(d))
      : make(MatMulInteger, [u8, random(d, [5, 3], d.pick(['i8', 'u8']), 0, 100), num(d.roll(200), 'u8')]),
  ),
  'the sign of bytes that dot products take': exact(d => {
    const type = d.pick(['i8', 'u8'] as const);
    const zero = (): Value => num(d.roll(100) + (type === 'i8' ? -50 : 100), type);
    const q = make(QuantizeLinear, [z, num(d.pick([0.05, 1])), zero()]);
    return d.roll(2) === 0
      ? make(ConvInteger, [q, random(d, [4, 3, 3, 3], 'i8', -100, 100), zero()], padded(d))
      : make(MatMulInteger, [q, random(d, [5, 3], 'i8', -100, 100), zero()]);
  }),
  'a convolution of what is dequantized': rounded(64, d => make(Conv, quantized(d), padded(d))),
  'a product of a quantized value': exact(d => wholeProduct(d, requantized(d, d.pick([0, 0, 1])))),
  'a product of a quantized value less its zero point': exact((d, n) => {
    const zero = d.pick([-128, -3, 0, 7, 255]);
    return wholeProduct(d, make(Sub, [requantized(d, zero), num(Math.round(n(zero)) + Number(d.roll(8) === 0))]));
  }),
  'a product of what is dequantized': rounded(64, d => {
    const w = make(
      DequantizeLinear,
      [random(d, [5, 3], 'i8', -100, 100), list([3], [0.01, 1e-12, 2]), list([3], [0, 0, 0], 'i8')],
      { to: 'f32' },
    );
    return make(MatMul, [make(DequantizeLinear, [u8, num(d.pick([0.02, 1e-30])), num(d.roll(200), 'u8')], { to: 'f32' }), w]);
  }),
  // Large enough to be worth it; sixteen steps share a scale.
  'a product with weights of four bits': rounded(64, d => {
    const scale = random(d, d.roll(2) === 0 ? [1, 4104] : [], 'f32', 0.001, d.pick([1, 1e-30]));
    const w = make(DequantizeLinear, [random(d, [16, 4104], 'i8', -8, 7), scale, num(d.roll(8), 'i8')], { to: 'f32' });
    return make(MatMul, [shaped(slice(shaped(z, [120]), [12], [96]), [6, 16]), w]);
  }),
  'rows that are all written': exact(d => {
    const rows = list(
      [6, 1],
      d.pick([
        [0, 1, 2, 3, 4, 5],
        [0, 1, 2, 4, 3, 5],
      ]),
      'i32',
    );
    return make(ScatterND, [shaped(y, [6, 8]), rows, shaped(x, [6, 8])], { reduction: 'none' });
  }),
  'a loop that counts': { ...exact(d => counting(d, x)), plain: true },
  'a recurrent cell in a loop': { ...rounded(256, (d, n) => cell(d, z, n)), plain: true },
};
