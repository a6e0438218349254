import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { dimAdd, dimMul, dimProd, dimsEq, rangeOf, symbol, type Dim } from '../../compiler/core/dim.ts';
import { randomTensor } from '../../compiler/core/random.ts';
import { fromNumbers } from '../../compiler/core/tensor.ts';
import { apply1, constant, input, type Graph, type Value } from '../../compiler/graph/graph.ts';
import type { Attrs, Op } from '../../compiler/ops/define.ts';
import { Concat } from '../../compiler/ops/movement/concat.ts';
import { ConvInteger } from '../../compiler/ops/conv/conv-integer.ts';
import { Conv } from '../../compiler/ops/conv/conv.ts';
import {
  Abs,
  Add,
  Cast,
  Clip,
  Div,
  Exp,
  Greater,
  Max,
  Min,
  Mul,
  Neg,
  Not,
  Pow,
  Reciprocal,
  Relu,
  Sigmoid,
  Sqrt,
  Sub,
  Tanh,
  Where,
} from '../../compiler/ops/elementwise/index.ts';
import { Gather } from '../../compiler/ops/movement/gather.ts';
import { MatMul } from '../../compiler/ops/matmul/matmul.ts';
import { Softmax } from '../../compiler/ops/reduce/norm.ts';
import { Pad } from '../../compiler/ops/movement/pad.ts';
import { Reduce } from '../../compiler/ops/reduce/reduce.ts';
import { DequantizeLinear, QuantizeLinear } from '../../compiler/ops/quant/quant.ts';
import { DimOf, Sizes } from '../../compiler/ops/movement/shape.ts';
import { Expand, Reshape, Slice, Transpose } from '../../compiler/ops/movement/view.ts';

/** Reproducible choices. */
export interface Dice {
  /** 0 to n - 1 */
  roll(n: number): number;
  pick<T>(xs: readonly T[]): T;
}
export function dice(seed: number): Dice {
  let s = (seed * 2654435761 + 1) >>> 0;
  const roll = (n: number): number => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return Math.floor((s / 2 ** 32) * n);
  };
  return {
    roll,
    pick: xs => {
      const x = xs[roll(xs.length)];
      if (x === undefined) throw new Error('nothing to pick from');
      return x;
    },
  };
}

/** A graph of about `size` operators as exporters write them: with neutral constants, views of views and what else rules look for. */
export function randomGraph(seed: number, size: number): Graph {
  const d = dice(seed);
  const n = symbol('n', 1, 5);
  const inputs = [
    input('a', { dtype: 'f32', shape: [n, 4, 6] }),
    input('b', { dtype: 'f32', shape: [1, 4, 5, 5] }),
    input('c', { dtype: 'f32', shape: [n, 4, 6] }),
  ];
  const values: Value[] = [...inputs];
  const make = (op: Op, xs: readonly (Value | undefined)[], attrs: Attrs = {}): Value => apply1(op, xs, attrs, noLoc);
  const number = (): Value => constant(fromNumbers('f32', d.pick([[], [1], [1, 1]]), [d.pick([0, 1, 2, -1, 0.5, 3, 0.25, 6])]));
  // Later values are picked more often, so that chains grow.
  const some = (): Value => d.pick(d.roll(3) > 0 ? values.slice(-4) : values);
  const channel = (x: Value): Value => {
    const axis = d.roll(x.type.shape.length);
    const own = x.type.shape[axis];
    if (typeof own !== 'number') return number();
    const dims = x.type.shape.map((_, i) => (i === axis ? own : 1)).slice(axis);
    return constant(randomTensor('f32', dims, seed + values.length, 0.5, 1.5));
  };
  const alike = (x: Value): Value => d.pick(values.filter(v => dimsEq(v.type.shape, x.type.shape)));
  const steps: ((x: Value) => Value | undefined)[] = [
    x => make(d.pick([Add, Sub, Mul]), d.roll(2) === 0 ? [x, number()] : [number(), x]),
    x => make(d.pick([Add, Sub, Mul, Div]), [x, channel(x)]),
    x => make(d.pick([Add, Sub, Mul]), [x, alike(x)]),
    x => make(d.pick([Relu, Neg, Abs, Tanh, Sigmoid]), [x]),
    x => make(Clip, [x], d.pick([{ lo: 0, hi: 6 }, { lo: -1 }, { hi: 1 }, { lo: 0 }, { lo: 0, hi: 1 }])),
    x => make(d.pick([Min, Max]), [x, number()]),
    x => make(Pow, [make(Abs, [x]), constant(fromNumbers('f32', [], [d.pick([1, 2, 3, 0.5])]))]),
    x => make(Sqrt, [make(Add, [make(Mul, [x, x]), constant(fromNumbers('f32', [], [0.5]))])]),
    x => make(Reciprocal, [make(Add, [make(Exp, [make(Clip, [x], { lo: -5, hi: 5 })]), constant(fromNumbers('f32', [], [1]))])]),
    x => make(Cast, [make(Cast, [x], { to: d.pick(['f64', 'f32'] as const) })], { to: 'f32' }),
    x => {
      const c = make(Greater, [x, number()]);
      return make(Where, [d.roll(2) === 0 ? make(Not, [c]) : c, x, d.pick([alike(x), number()])]);
    },
    x => {
      const rank = x.type.shape.length;
      const perm = Array.from({ length: rank }, (_, i) => i);
      for (let i = rank - 1; i > 0; i--) {
        const j = d.roll(i + 1);
        [perm[i], perm[j]] = [perm[j] ?? 0, perm[i] ?? 0];
      }
      return make(Transpose, [x], { perm });
    },
    x => {
      const { shape } = x.type;
      const at = d.roll(shape.length);
      const joined: Dim[] =
        at + 1 < shape.length
          ? [...shape.slice(0, at), dimMul(shape[at] ?? 1, shape[at + 1] ?? 1), ...shape.slice(at + 2)]
          : [...shape, 1];
      return make(Reshape, [x], { shape: d.roll(4) === 0 ? [dimProd(shape)] : joined });
    },
    x => {
      const attrs = { starts: [] as Dim[], sizes: [] as Dim[], steps: [] as Dim[] };
      for (const size of x.type.shape) {
        const least = rangeOf(size).lo;
        const way = least < 2 ? 0 : d.roll(3);
        attrs.starts.push(way === 0 ? 0 : way === 1 ? 1 : dimAdd(size, -1));
        attrs.sizes.push(way === 0 ? size : dimAdd(size, -1));
        attrs.steps.push(way === 2 ? -1 : 1);
      }
      return make(Slice, [x], attrs);
    },
    x => make(Concat, d.roll(3) === 0 ? [x] : [x, alike(x), x].slice(0, 2 + d.roll(2)), { axis: d.roll(x.type.shape.length) }),
    x => {
      const zeros = x.type.shape.map(() => d.pick([0, 0, 1]));
      return make(Pad, [x, d.roll(2) === 0 ? undefined : constant(fromNumbers('f32', [], [0]))], { begin: zeros, end: zeros });
    },
    x => {
      const keep = d.roll(2) === 0;
      const r = make(Reduce, [x], { of: d.pick(['sum', 'mean', 'max']), axes: [d.roll(x.type.shape.length)], keep });
      return keep ? make(d.pick([Sub, Add]), [x, r]) : r;
    },
    x => make(Softmax, [x], { axis: d.roll(x.type.shape.length) }),
    x => make(Expand, [x], { shape: [d.pick([1, 2]), ...x.type.shape] }),
    x => {
      const axis = x.type.shape.findIndex(s => rangeOf(s).lo >= 1);
      return axis < 0 ? undefined : make(Gather, [x, constant(fromNumbers('i64', d.pick([[], [1]]), [0]))], { axis });
    },
    x => {
      const k = x.type.shape.at(-1);
      return typeof k !== 'number' || k < 1 ? undefined : make(MatMul, [x, constant(randomTensor('f32', [k, 3], seed + k))]);
    },
    x => {
      const c = x.type.shape[1];
      if (
        x.type.shape.length !== 4 ||
        typeof c !== 'number' ||
        c < 1 ||
        x.type.shape.some(s => rangeOf(s).lo < 3 && s !== c && s !== 1)
      )
        return undefined;
      if (rangeOf(x.type.shape[2] ?? 1).lo < 3 || rangeOf(x.type.shape[3] ?? 1).lo < 3) return undefined;
      const pads = d.pick([
        [0, 0, 0, 0],
        [1, 1, 1, 1],
      ]);
      const w = constant(randomTensor('f32', [2, c, 3, 3], seed + c));
      return make(Conv, [x, w], { strides: [1, 1], dilations: [1, 1], pads });
    },
  ];
  // Of an input alone: a pass may round what lies before a quantization otherwise, and one step of that is a large difference.
  const image = must(inputs[1]);
  const window = {
    strides: [1, 1],
    dilations: [1, 1],
    pads: d.pick([
      [0, 0, 0, 0],
      [1, 1, 1, 1],
    ]),
  };
  const f32 = (x: number): Value => constant(fromNumbers('f32', [], [x]));
  const integers = (): { x: Value; zero: Value; w: Value; wZero: Value } => {
    const zero = constant(fromNumbers('u8', [], [d.roll(200)]));
    return {
      x: make(QuantizeLinear, [image, f32(0.02), zero]),
      zero,
      w: constant(randomTensor('i8', [2, 4, 3, 3], seed + values.length, -100, 100)),
      wZero: constant(fromNumbers('i8', [], [0])),
    };
  };
  steps.push(
    () => {
      const half = make(Cast, [image], { to: 'f16' });
      const w = constant(randomTensor('f16', [5, 3], seed + values.length));
      return make(Cast, [make(MatMul, [half, w])], { to: 'f32' });
    },
    () => {
      const q = integers();
      const sums = make(ConvInteger, [q.x, q.w, q.zero], window);
      return make(Mul, [make(Cast, [sums], { to: 'f32' }), f32(0.001)]);
    },
    () => {
      const q = integers();
      return make(
        Conv,
        [
          make(DequantizeLinear, [q.x, f32(0.02), q.zero], { to: 'f32' }),
          make(DequantizeLinear, [q.w, f32(0.01), q.wZero], { to: 'f32' }),
        ],
        window,
      );
    },
    () => {
      const y = make(Conv, [image, constant(randomTensor('f32', [2, 4, 3, 3], seed + values.length))], window);
      return make(d.pick([Add, Mul]), [y, constant(randomTensor('f32', [2, 1, 1], seed, 0.5, 1.5))]);
    },
    // What exporters spell out, write twice, or compute although it is known.
    x => make(Mul, [x, make(Reciprocal, [make(Add, [make(Exp, [make(Neg, [x])]), f32(1)])])]),
    x => make(Add, [make(Tanh, [x]), make(Tanh, [x])]),
    x => make(Mul, [x, make(Add, [number(), number()])]),
    x => {
      const counts = make(Sizes, [], { values: [n, 4], shape: [2], dtype: 'i64' });
      const [from, twice] = [0, 2].map(i => constant(fromNumbers('i64', [], [i])));
      return make(Mul, [x, make(Cast, [make(Mul, [make(Gather, [counts, from], { axis: 0 }), twice])], { to: 'f32' })]);
    },
  );
  for (let i = 0; i < size; i++) {
    const x = some();
    if (rangeOf(dimProd(x.type.shape)).hi > 3000 || x.type.shape.length === 0 || x.type.shape.length > 5) continue;
    const y = d.pick(steps)(x);
    if (y) values.push(y);
  }
  const made = values.filter(v => v.def.k === 'node');
  const outputs = [...new Set([...made.slice(-2), ...(made.length > 2 ? [d.pick(made)] : [])])];
  return {
    name: `random ${seed}`,
    inputs,
    outputs: outputs.map((value, i) => ({ name: `y${i}`, value })),
    symbolDefinitions:
      d.roll(2) === 0 ? [] : [make(DimOf, [constant(fromNumbers('i64', [1], [3]))], { symbol: 'k', lo: 0, hi: 8 })],
  };
}
