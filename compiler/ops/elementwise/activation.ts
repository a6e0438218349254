import { must } from '../../core/diagnostic.ts';
import { isFloat } from '../../core/dtype.ts';
import { abs, add, div, gt, lt, math, max, min, mul, neg, select, sub, type Expr } from '../../kernel/ir.ts';
import { attr } from '../define.ts';
import { elementwise, floats, numbers } from './op.ts';
import { log1p } from './util.ts';

/** exp(x) - 1 */
const expm1 = (x: Expr): Expr => sub(math('exp', x), 1);

export const Relu = elementwise({
  name: 'Relu',
  doc: 'max(x, 0); NaN stays NaN',
  inputs: ['x'],
  result: numbers,
  scalar: ([x]) => max(must(x), 0),
});
export const LeakyRelu = elementwise({
  name: 'LeakyRelu',
  doc: 'x, or alpha * x where x < 0',
  inputs: ['x'],
  attrs: { alpha: attr.float(0.01) },
  result: floats,
  scalar: ([x], c) => select(lt(must(x), 0), mul(must(x), c.attrs.alpha), must(x)),
});
export const PRelu = elementwise({
  name: 'PRelu',
  doc: 'x, or slope * x where x < 0',
  inputs: ['x', 'slope'],
  result: numbers,
  scalar: ([x, slope]) => select(lt(must(x), 0), mul(must(x), must(slope)), must(x)),
});
export const Elu = elementwise({
  name: 'Elu',
  doc: 'gamma * x, or gamma * alpha * (exp(x / beta) - 1) where x < 0: Elu, Selu and Celu',
  inputs: ['x'],
  attrs: { alpha: attr.float(1), beta: attr.float(1), gamma: attr.float(1) },
  result: floats,
  scalar: ([arg], c) => {
    const x = must(arg);
    const { alpha, beta, gamma } = c.attrs;
    const below = mul(expm1(beta === 1 ? x : div(x, beta)), alpha * gamma);
    return select(lt(x, 0), below, gamma === 1 ? x : mul(x, gamma));
  },
});
export const ThresholdedRelu = elementwise({
  name: 'ThresholdedRelu',
  doc: 'x where x > alpha, else 0',
  inputs: ['x'],
  attrs: { alpha: attr.float(1) },
  result: floats,
  scalar: ([x], c) => select(gt(must(x), c.attrs.alpha), must(x), 0),
});
export const Shrink = elementwise({
  name: 'Shrink',
  doc: 'x - bias where x > lambd, x + bias where x < -lambd, else 0',
  inputs: ['x'],
  attrs: { lambd: attr.float(0.5), bias: attr.float(0) },
  result: (types, a, reject) => {
    const t = numbers(types, a, reject);
    return isFloat(t) || (Number.isInteger(a.lambd) && Number.isInteger(a.bias))
      ? t
      : reject(`lambd and bias must be integers for ${t}`);
  },
  scalar: ([arg], c) => {
    const x = must(arg);
    const { lambd, bias } = c.attrs;
    return select(lt(x, -lambd), add(x, bias), select(gt(x, lambd), sub(x, bias), 0));
  },
});
export const HardSigmoid = elementwise({
  name: 'HardSigmoid',
  doc: 'max(0, min(1, alpha * x + beta))',
  inputs: ['x'],
  attrs: { alpha: attr.float(0.2), beta: attr.float(0.5) },
  result: floats,
  scalar: ([x], c) => max(min(add(mul(must(x), c.attrs.alpha), c.attrs.beta), 1), 0),
});
export const HardSwish = elementwise({
  name: 'HardSwish',
  doc: 'x * max(0, min(1, x / 6 + 1 / 2))',
  inputs: ['x'],
  result: floats,
  scalar: ([x]) => mul(must(x), max(min(add(mul(must(x), 1 / 6), 0.5), 1), 0)),
});
export const Softplus = elementwise({
  name: 'Softplus',
  doc: 'log(1 + exp(x))',
  inputs: ['x'],
  result: floats,
  scalar: ([arg], c) => {
    const x = must(arg);
    return add(max(x, 0), log1p(c.k, c.k.let(math('exp', neg(abs(x))))));
  },
});
export const Softsign = elementwise({
  name: 'Softsign',
  doc: 'x / (1 + |x|)',
  inputs: ['x'],
  result: floats,
  scalar: ([x]) => div(must(x), add(abs(must(x)), 1)),
});
export const Mish = elementwise({
  name: 'Mish',
  doc: 'x * tanh(log(1 + exp(x)))',
  inputs: ['x'],
  result: floats,
  // tanh(log(1 + e)) = n / (n + 2) with n = e * (e + 2). From x = 20 on it is 1 in f32 and f64 alike but for 1e-17.
  scalar: ([arg], c) => {
    const x = must(arg);
    const e = c.k.let(math('exp', min(x, 20)));
    const n = c.k.let(mul(e, add(e, 2)));
    return mul(x, div(n, add(n, 2)));
  },
});
export const Swish = elementwise({
  name: 'Swish',
  doc: 'x * sigmoid(alpha * x): SiLU, and the quick form of Gelu',
  inputs: ['x'],
  attrs: { alpha: attr.float(1) },
  result: floats,
  scalar: ([arg], c) => {
    const x = must(arg);
    return mul(x, math('sigmoid', c.attrs.alpha === 1 ? x : mul(x, c.attrs.alpha)));
  },
});
export const Gelu = elementwise({
  name: 'Gelu',
  doc: 'x * Phi(x), by erf or by the approximation with tanh',
  inputs: ['x'],
  attrs: { approximate: attr.oneOf(['none', 'tanh'], 'none') },
  result: floats,
  scalar: ([arg], c) => {
    const x = must(arg);
    if (c.attrs.approximate === 'none') return mul(mul(x, 0.5), add(math('erf', mul(x, Math.SQRT1_2)), 1));
    // (1 + tanh(u)) / 2 = sigmoid(2u), which keeps its digits where tanh is near -1.
    const u = mul(x, add(mul(mul(x, x), 2 * 0.044715 * Math.sqrt(2 / Math.PI)), 2 * Math.sqrt(2 / Math.PI)));
    return mul(x, math('sigmoid', u));
  },
});
