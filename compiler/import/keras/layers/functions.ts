import { must } from '../../../core/diagnostic.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Cumulative } from '../../../ops/reduce/reduce.ts';
import { Softmax } from '../../../ops/reduce/norm.ts';
import { TopK } from '../../../ops/sort/topk.ts';
import { axesFrom, axisOf, rankOf } from '../../shared/axes.ts';
import { field, isObject, type Json } from '../../shared/json.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { activation, hardSigmoid } from '../../shared/tensorflow/activation.ts';
import { cast, reshape, slice } from '../../shared/views.ts';
import type { LayerView } from '../layer.ts';
import { badConfig, layerRecord } from '../records.ts';
import type { KerasBuilder } from '../registry.ts';
import { noWeights } from '../weights.ts';

/** Functions of one tensor: activations, by the names that configurations give them. */

/** Numbers and other arguments of a function. */
interface Args {
  number(name: string, otherwise: number): number;
  json(name: string): Json | undefined;
}
type Fn = (c: KerasBuilder, x: Value, a: Args, version: 1 | 2 | 3) => Value;
const num = (c: KerasBuilder, x: Value, v: number): Value => c.literal(x.type.dtype, v);
const clip = (c: KerasBuilder, x: Value, lo: number, hi: number): Value => c.apply1(e.Clip, [x], { lo, hi });

/** Softmax over one axis, or over several together. */
export function softmaxOver(c: KerasBuilder, x: Value, axes: readonly number[], log = false): Value {
  const rank = rankOf(x);
  const all = axes.map(a => axisOf(c, a, rank));
  if (all.length === 1) return c.apply1(Softmax, [x], { axis: must(all[0]), log });
  const shifted = c.apply1(e.Sub, [x, reduceOver(c, 'max', x, all, true)]);
  const powers = c.apply1(e.Exp, [shifted]);
  const sum = reduceOver(c, 'sum', powers, all, true);
  return log ? c.apply1(e.Sub, [shifted, c.apply1(e.Log, [sum])]) : c.apply1(e.Div, [powers, sum]);
}
const axesArg = (c: KerasBuilder, x: Value, j: Json | undefined): number[] => {
  if (j === undefined || j === null) return axesFrom(x);
  const list = Array.isArray(j) ? (j as readonly Json[]) : [j];
  return list.map(a => (typeof a === 'number' && Number.isInteger(a) ? a : c.reject(`an axis is ${JSON.stringify(a)}`)));
};
/** ReLU with a slope below a threshold and a greatest value (keras/src/backend/common/… relu of Keras 2). */
export function relu(c: KerasBuilder, x: Value, slope: number, most: number | undefined, threshold: number): Value {
  if (threshold === 0 && slope === 0) return most === undefined ? c.apply1(e.Relu, [x]) : clip(c, x, 0, most);
  const above = most === undefined ? x : c.apply1(e.Min, [x, num(c, x, most)]);
  if (threshold === 0 && most === undefined) return c.apply1(e.LeakyRelu, [x], { alpha: slope });
  const below = c.apply1(e.Mul, [c.apply1(e.Sub, [x, num(c, x, threshold)]), num(c, x, slope)]);
  return c.apply1(e.Where, [c.apply1(e.GreaterOrEqual, [x, num(c, x, threshold)]), above, below]);
}
const shrink =
  (soft: boolean): Fn =>
  (c, x, a) => {
    const lambd = a.number('threshold', 0.5);
    return c.apply1(e.Shrink, [x], { lambd, bias: soft ? lambd : 0 });
  };
/** Sparsemax as Keras computes it: where Martins and Astudillo (2016) take the last of the running sums that are inside, it adds them all. */
const sparsemax: Fn = (c, x, a) => {
  const rank = rankOf(x);
  const axis = axisOf(c, a.number('axis', -1), rank);
  const n = must(x.type.shape[axis]);
  const sorted = must(c.apply(TopK, [x], { k: n, axis, largest: true })[0]);
  const sums = c.apply1(Cumulative, [sorted], { of: 'sum', axis });
  const ones = c.apply1(e.Add, [c.apply1(e.Mul, [sorted, num(c, x, 0)]), num(c, x, 1)]);
  const places = c.apply1(Cumulative, [ones], { of: 'sum', axis });
  const inside = c.apply1(e.Greater, [c.apply1(e.Add, [c.apply1(e.Mul, [places, sorted]), num(c, x, 1)]), sums]);
  const count = reduceOver(c, 'sum', cast(c, inside, x.type.dtype), [axis], true);
  const chosen = c.apply1(e.Where, [inside, sums, num(c, x, 0)]);
  const tau = c.apply1(e.Div, [c.apply1(e.Sub, [reduceOver(c, 'sum', chosen, [axis], true), num(c, x, 1)]), count]);
  return c.apply1(e.Relu, [c.apply1(e.Sub, [x, tau])]);
};
const glu: Fn = (c, x, a) => {
  const axis = axisOf(c, a.number('axis', -1), rankOf(x));
  const size = must(x.type.shape[axis]);
  if (typeof size !== 'number' || size % 2 !== 0)
    return c.reject(`an axis of ${typeof size === 'number' ? size : 'open'} elements has no two halves`);
  const half = (i: number): Value => slice(c, x, new Map([[axis, { start: (i * size) / 2, size: size / 2, step: 1 }]]));
  return c.apply1(e.Mul, [half(0), c.apply1(e.Sigmoid, [half(1)])]);
};
/** Functions that take arguments, or differ by version; others are those of TensorFlow. */
const FUNCTIONS: Readonly<Record<string, Fn>> = {
  relu: (c, x, a) => {
    const most = a.json('max_value');
    const slope = a.number('negative_slope', a.number('alpha', 0));
    return relu(c, x, slope, typeof most === 'number' ? most : undefined, a.number('threshold', 0));
  },
  leaky_relu: (c, x, a) => c.apply1(e.LeakyRelu, [x], { alpha: a.number('negative_slope', a.number('alpha', 0.2)) }),
  elu: (c, x, a) => c.apply1(e.Elu, [x], { alpha: a.number('alpha', 1) }),
  celu: (c, x, a) => c.apply1(e.Elu, [x], { alpha: a.number('alpha', 1), beta: a.number('alpha', 1) }),
  hard_sigmoid: (c, x, _, version) => hardSigmoid(c, x, version === 3 ? 3 : 2),
  gelu: (c, x, a) => c.apply1(e.Gelu, [x], { approximate: a.json('approximate') === true ? 'tanh' : 'none' }),
  softmax: (c, x, a) => softmaxOver(c, x, axesArg(c, x, a.json('axis') ?? -1)),
  log_softmax: (c, x, a) => softmaxOver(c, x, axesArg(c, x, a.json('axis') ?? -1), true),
  hard_shrink: shrink(false),
  soft_shrink: shrink(true),
  threshold: (c, x, a) => {
    const above = c.apply1(e.Greater, [x, num(c, x, a.number('threshold', 0))]);
    return c.apply1(e.Where, [above, x, num(c, x, a.number('default_value', a.number('value', 0)))]);
  },
  squareplus: (c, x, a) => {
    const root = c.apply1(e.Sqrt, [c.apply1(e.Add, [c.apply1(e.Mul, [x, x]), num(c, x, a.number('b', 4))])]);
    return c.apply1(e.Mul, [c.apply1(e.Add, [x, root]), num(c, x, 0.5)]);
  },
  sparse_plus: (c, x) => {
    const middle = c.apply1(e.Mul, [
      c.apply1(e.Mul, [c.apply1(e.Add, [x, num(c, x, 1)]), c.apply1(e.Add, [x, num(c, x, 1)])]),
      num(c, x, 0.25),
    ]);
    const upper = c.apply1(e.Where, [c.apply1(e.Less, [x, num(c, x, 1)]), middle, x]);
    return c.apply1(e.Where, [c.apply1(e.LessOrEqual, [x, num(c, x, -1)]), num(c, x, 0), upper]);
  },
  sparse_sigmoid: (c, x) => c.apply1(e.HardSigmoid, [x], { alpha: 0.5, beta: 0.5 }),
  sparsemax,
  glu,
};
const noArgs: Args = { number: (_, otherwise) => otherwise, json: () => undefined };
/** A function of one tensor by its name; undefined where Sinter has none of it. */
export function functionOf(c: KerasBuilder, name: string, x: Value, version: 1 | 2 | 3, a: Args = noArgs): Value | undefined {
  const own = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  return own ? own(c, x, a, version) : activation(c, name, x);
}
/** Applies what a configuration has as an activation: a name, a function of Keras, a layer. */
export function activate(n: LayerView, c: KerasBuilder, x: Value, key = 'activation'): Value {
  const j = n.json(key);
  if (j === undefined || j === null) return x;
  const name = typeof j === 'string' ? j : nameOfFunction(j);
  if (name !== undefined)
    return (
      functionOf(c, name, x, n.version) ??
      c.unsupported(`its activation '${name}' is no function of Keras: it is of your own code`)
    );
  // A layer as an activation.
  const [y] = c.run(layerRecord(j, badConfig(n.name)), noWeights, {
    args: [{ k: 'flow', flow: { value: x } }],
    kwargs: new Map(),
  });
  return y?.value ?? c.reject('its activation gives nothing');
}
/** The name of a serialized function; undefined where it is something else. */
export function nameOfFunction(j: Json): string | undefined {
  const cls = field(j, 'class_name');
  const config = field(j, 'config');
  if (cls === 'function') return typeof config === 'string' ? config : undefined;
  if (typeof cls !== 'string' || (isObject(config) && Object.keys(config).length > 1)) return undefined;
  // Early Keras 3 wrote functions as classes without a configuration.
  return /^[a-z_]+$/.test(cls) ? cls : undefined;
}
/** A vector shaped so that it meets one axis of a tensor. */
export function along(c: KerasBuilder, v: Value, axis: number, rank: number): Value {
  return reshape(
    c,
    v,
    Array.from({ length: rank }, (_, a) => (a === axis ? must(v.type.shape[0]) : 1)),
  );
}
