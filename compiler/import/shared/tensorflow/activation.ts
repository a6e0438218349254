import type { Value } from '../../../graph/graph.ts';
import type { Attrs, Op } from '../../../ops/define.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Softmax } from '../../../ops/reduce/norm.ts';
import { activation as cellActivation, activationName, type Activation } from '../../../ops/recurrent/activation.ts';
import { rankOf } from '../axes.ts';
import type { ImportBuilder } from '../builder.ts';

/** The constants of tf.nn.selu. */
const SELU = { alpha: 1.6732632423543772, gamma: 1.0507009873554805 };
type Make = (c: ImportBuilder, x: Value) => Value;
const op =
  (of: Op, attrs: Attrs = {}): Make =>
  (c, x) =>
    c.apply1(of, [x], attrs);
const clip = (lo: number, hi: number): Make => op(e.Clip, { lo, hi });
/** Activations without parameters by the names that TensorFlow, TFLite and Keras give them, in small letters without `_`. */
const ACTIVATIONS = new Map<string, Make>(
  Object.entries({
    linear: (_, x) => x,
    none: (_, x) => x,
    relu: op(e.Relu),
    relu6: clip(0, 6),
    relun1to1: clip(-1, 1),
    relu0to1: clip(0, 1),
    elu: op(e.Elu),
    selu: op(e.Elu, SELU),
    celu: op(e.Elu, { alpha: 1 }),
    tanh: op(e.Tanh),
    sigmoid: op(e.Sigmoid),
    logsigmoid: (c, x) => c.apply1(e.Neg, [c.apply1(e.Softplus, [c.apply1(e.Neg, [x])])]),
    hardtanh: clip(-1, 1),
    hardswish: op(e.HardSwish),
    hardsilu: op(e.HardSwish),
    swish: op(e.Swish),
    silu: op(e.Swish),
    softplus: op(e.Softplus),
    softsign: op(e.Softsign),
    mish: op(e.Mish),
    gelu: op(e.Gelu, { approximate: 'none' }),
    exponential: op(e.Exp),
    tanhshrink: (c, x) => c.apply1(e.Sub, [x, c.apply1(e.Tanh, [x])]),
    squareplus: (c, x) => {
      const number = (v: number): Value => c.literal(x.type.dtype, v);
      const root = c.apply1(e.Sqrt, [c.apply1(e.Add, [c.apply1(e.Mul, [x, x]), number(4)])]);
      return c.apply1(e.Mul, [c.apply1(e.Add, [x, root]), number(0.5)]);
    },
    softmax: (c, x) => c.apply1(Softmax, [x], { axis: rankOf(x) - 1 }),
    logsoftmax: (c, x) => c.apply1(Softmax, [x], { axis: rankOf(x) - 1, log: true }),
  } satisfies Record<string, Make>),
);
const plain = (name: string): string => name.toLowerCase().replaceAll('_', '');

/** An activation by its name; undefined where none without parameters has it. */
export const activation = (c: ImportBuilder, name: string, x: Value): Value | undefined => ACTIVATIONS.get(plain(name))?.(c, x);

/** `hard_sigmoid`: 0.2 x + 0.5 until Keras 2, x / 6 + 0.5 from Keras 3 and in TFLite, between 0 and 1. */
export const hardSigmoid = (c: ImportBuilder, x: Value, keras: 2 | 3): Value =>
  c.apply1(e.HardSigmoid, [x], keras === 2 ? { alpha: 0.2, beta: 0.5 } : { alpha: 1 / 6, beta: 0.5 });

/** An activation inside of a recurrent cell; undefined where cells have none of the name. */
export function cellActivationOf(name: string, keras: 2 | 3): Activation | undefined {
  const key = plain(name);
  if (key === 'linear' || key === 'none') return cellActivation('Affine', 1, 0);
  if (key === 'hardsigmoid') return cellActivation('HardSigmoid', keras === 2 ? 0.2 : 1 / 6, 0.5);
  const known = activationName(key);
  return known && ['Sigmoid', 'Tanh', 'Relu', 'Elu', 'Softsign', 'Softplus'].includes(known) ? cellActivation(known) : undefined;
}
