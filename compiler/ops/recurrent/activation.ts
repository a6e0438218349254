import type { KernelBuilder } from '../../kernel/builder.ts';
import { abs, add, div, gt, lt, math, max, min, mul, neg, select, sub, type Expr } from '../../kernel/ir.ts';
import type { Attrs, Op } from '../define.ts';
import { log1p } from '../elementwise/util.ts';

/** The activations that recurrent cells may have, with the parameters that some take. */
interface Shape {
  /** Parameters where none are given. */
  readonly alpha: number;
  readonly beta: number;
  /** On reference values. */
  eval(x: number, alpha: number, beta: number): number;
  /** In kernels, on any number of lanes. x is bound. */
  emit(k: KernelBuilder, x: Expr, alpha: number, beta: number): Expr;
}
const SHAPES = {
  Sigmoid: { alpha: 0, beta: 0, eval: x => 1 / (1 + Math.exp(-x)), emit: (_, x) => math('sigmoid', x) },
  Tanh: { alpha: 0, beta: 0, eval: x => Math.tanh(x), emit: (_, x) => math('tanh', x) },
  Relu: { alpha: 0, beta: 0, eval: x => Math.max(x, 0), emit: (_, x) => max(x, 0) },
  Affine: { alpha: 1, beta: 0, eval: (x, a, b) => a * x + b, emit: (_, x, a, b) => add(mul(x, a), b) },
  LeakyRelu: { alpha: 0.01, beta: 0, eval: (x, a) => (x < 0 ? a * x : x), emit: (_, x, a) => select(lt(x, 0), mul(x, a), x) },
  ThresholdedRelu: { alpha: 1, beta: 0, eval: (x, a) => (x > a ? x : 0), emit: (_, x, a) => select(gt(x, a), x, 0) },
  ScaledTanh: {
    alpha: 1,
    beta: 1,
    eval: (x, a, b) => a * Math.tanh(b * x),
    emit: (_, x, a, b) => mul(math('tanh', mul(x, b)), a),
  },
  HardSigmoid: {
    alpha: 0.2,
    beta: 0.5,
    eval: (x, a, b) => Math.max(0, Math.min(1, a * x + b)),
    emit: (_, x, a, b) => max(min(add(mul(x, a), b), 1), 0),
  },
  Elu: {
    alpha: 1,
    beta: 0,
    eval: (x, a) => (x < 0 ? a * Math.expm1(x) : x),
    emit: (_, x, a) => select(lt(x, 0), mul(sub(math('exp', x), 1), a), x),
  },
  Softsign: { alpha: 0, beta: 0, eval: x => x / (1 + Math.abs(x)), emit: (_, x) => div(x, add(abs(x), 1)) },
  Softplus: {
    alpha: 0,
    beta: 0,
    eval: x => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    emit: (k, x) => add(max(x, 0), log1p(k, k.let(math('exp', neg(abs(x)))))),
  },
} as const satisfies Record<string, Shape>;
export type ActivationName = keyof typeof SHAPES;
const names = Object.keys(SHAPES) as ActivationName[];
/** The activation of a name, whatever its case. */
export const activationName = (s: string): ActivationName | undefined => names.find(n => n.toLowerCase() === s.toLowerCase());

/** A name and its two parameters. */
export interface Activation {
  readonly name: ActivationName;
  readonly alpha: number;
  readonly beta: number;
}
/** An activation with the default parameters where none are given. */
export const activation = (name: ActivationName, alpha?: number, beta?: number): Activation => ({
  name,
  alpha: alpha ?? SHAPES[name].alpha,
  beta: beta ?? SHAPES[name].beta,
});
/** What changes nothing. */
export const IDENTITY = activation('Affine');
/** max(0, min(1, alpha x + beta)). */
export const hardSigmoid = (alpha: number, beta: number): Activation => activation('HardSigmoid', alpha, beta);
/** The activation that an elementwise operator is. */
export function activationOf(op: Op, attrs: Attrs): Activation | undefined {
  const name = op.inputs.length === 1 && op.lower.k === 'elementwise' ? activationName(op.name) : undefined;
  const { alpha, beta, gamma = 1 } = attrs;
  const number = (a: Attrs[string]): number | undefined => (typeof a === 'number' ? a : undefined);
  // Selu and Celu are none.
  if (name === undefined || gamma !== 1 || (SHAPES[name].beta === 0 && (beta ?? 1) !== 1)) return undefined;
  return activation(name, number(alpha), SHAPES[name].beta === 0 ? undefined : number(beta));
}
export const evalActivation = (a: Activation): ((x: number) => number) => {
  const s: Shape = SHAPES[a.name];
  return x => s.eval(x, a.alpha, a.beta);
};
export const emitActivation = (k: KernelBuilder, a: Activation, x: Expr): Expr =>
  (SHAPES[a.name] as Shape).emit(k, k.let(x), a.alpha, a.beta);

/** Activations as text, which is how attributes hold them: `Sigmoid,Affine(2,0.5),Tanh`. */
export const showActivations = (list: readonly Activation[]): string =>
  list
    .map(a => (a.alpha === SHAPES[a.name].alpha && a.beta === SHAPES[a.name].beta ? a.name : `${a.name}(${a.alpha},${a.beta})`))
    .join(',');
/** Reads what `showActivations` writes; undefined where it is something else. */
export function parseActivations(text: string): readonly Activation[] | undefined {
  const out: Activation[] = [];
  for (const m of text.matchAll(/([A-Za-z]+)(?:\(([^,)]+),([^)]+)\))?(?:,|$)/g)) {
    const name = activationName(m[1] ?? '');
    if (!name) return undefined;
    const [a, b] = [m[2], m[3]].map(x => (x === undefined ? undefined : Number(x)));
    out.push(activation(name, a, b));
  }
  return out;
}
