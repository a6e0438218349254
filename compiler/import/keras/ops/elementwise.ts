import { must } from '../../../core/diagnostic.ts';
import { isFloat, type DType } from '../../../core/dtype.ts';
import type { Value } from '../../../graph/graph.ts';
import type { Attrs, Op } from '../../../ops/define.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { cast } from '../../shared/views.ts';
import { dtypeNamed } from '../dtype.ts';
import { functionOf } from '../layers/functions.ts';
import type { CallView, KerasBuilder, LayerBuilder, LayerTable } from '../registry.ts';
import { alike, asFloat, operand, optional, setting, single } from './operands.ts';

/** Functions of numbers. */
type Unary = (c: KerasBuilder, x: Value) => Value;
const unary = (f: Unary): LayerBuilder => single((_, c, call) => f(c, operand(c, call, 'x', 0).value));
/** A function that makes floats of integers. */
const real = (f: Unary): LayerBuilder => unary((c, x) => f(c, asFloat(c, x)));
const op =
  (of: Op, attrs: Attrs = {}): Unary =>
  (c, x) =>
    c.apply1(of, [x], attrs);
const num = (c: KerasBuilder, x: Value, v: number): Value => c.literal(x.type.dtype, v);
const scaled =
  (of: Op, factor: number): Unary =>
  (c, x) =>
    c.apply1(e.Mul, [c.apply1(of, [x]), num(c, x, factor)]);
type Binary = (c: KerasBuilder, a: Value, b: Value) => Value;
const names = [
  ['x1', 'x2'],
  ['x', 'y'],
] as const;
const pair = (c: KerasBuilder, call: CallView): readonly [Value, Value] => {
  const [p, q] = call.kwargs.has('y') ? names[1] : names[0];
  const first = optional(c, call, p, 0) ?? operand(c, call, 'x', 0);
  const [a, b] = alike(c, [first, operand(c, call, q, 1)]);
  return [must(a), must(b)];
};
const binary = (f: Binary): LayerBuilder => single((_, c, call) => f(c, ...pair(c, call)));
const op2 =
  (of: Op, attrs: Attrs = {}): Binary =>
  (c, a, b) =>
    c.apply1(of, [a, b], attrs);
const realPair =
  (f: Binary): Binary =>
  (c, a, b) =>
    f(c, asFloat(c, a), asFloat(c, b));
const logical =
  (of: Op): Binary =>
  (c, a, b) =>
    c.apply1(of, [cast(c, a, 'bool'), cast(c, b, 'bool')]);
/** a / b, or 0 where b is 0. */
const divideNoNan: Binary = (c, a, b) => {
  const zero = c.apply1(e.Equal, [b, num(c, b, 0)]);
  const safe = c.apply1(e.Where, [zero, num(c, b, 1), b]);
  return c.apply1(e.Where, [zero, num(c, a, 0), c.apply1(e.Div, [a, safe])]);
};
const floorDivide: Binary = (c, a, b) => {
  if (isFloat(a.type.dtype)) return c.apply1(e.Floor, [c.apply1(e.Div, [a, b])]);
  // What is left has the sign of b.
  return c.apply1(e.Div, [c.apply1(e.Sub, [a, c.apply1(e.Mod, [a, b], { fmod: false })]), b]);
};
/** The angle of (x, y): of y / x in the half plane that it is in. */
const arctan2: Binary = (c, y, x) => {
  const zero = num(c, x, 0);
  const plain = c.apply1(e.Atan, [c.apply1(e.Div, [y, x])]);
  const turn = c.apply1(e.Where, [c.apply1(e.Less, [y, zero]), num(c, x, -Math.PI), num(c, x, Math.PI)]);
  const left = c.apply1(e.Where, [c.apply1(e.Less, [x, zero]), c.apply1(e.Add, [plain, turn]), plain]);
  const none = c.apply1(e.And, [c.apply1(e.Equal, [x, zero]), c.apply1(e.Equal, [y, zero])]);
  return c.apply1(e.Where, [none, zero, left]);
};
const logAddExp =
  (base: 'e' | 2): Binary =>
  (c, a, b) => {
    const [p, q] = base === 2 ? [a, b].map(v => c.apply1(e.Mul, [v, num(c, v, Math.LN2)])) : [a, b];
    const [x, y] = [must(p), must(q)];
    const apart = c.apply1(e.Neg, [c.apply1(e.Abs, [c.apply1(e.Sub, [x, y])])]);
    const sum = c.apply1(e.Add, [c.apply1(e.Max, [x, y]), c.apply1(e.Softplus, [apart])]);
    return base === 2 ? c.apply1(e.Mul, [sum, num(c, sum, Math.LOG2E)]) : sum;
  };
const isFinite: Unary = (c, x) => c.apply1(e.Not, [c.apply1(e.Or, [c.apply1(e.IsNaN, [x]), c.apply1(e.IsInf, [x])])]);
/** exp(x) - 1 and log(1 + x) keep small numbers. */
const expm1: Unary = op(e.Elu, { alpha: 1 });
const rounded: LayerBuilder = single((n, c, call) => {
  const x = operand(c, call, 'x', 0).value;
  const decimals = setting(n, call, 'decimals') ?? 0;
  if (typeof decimals !== 'number' || !isFloat(x.type.dtype)) return x;
  const factor = num(c, x, 10 ** decimals);
  return decimals === 0 ? c.apply1(e.Round, [x]) : c.apply1(e.Div, [c.apply1(e.Round, [c.apply1(e.Mul, [x, factor])]), factor]);
});
const clip: LayerBuilder = single((n, c, call) => {
  const bound = (name: string, place: number) => {
    const own = n.json(name);
    return typeof own === 'number'
      ? { value: c.literal(Number.isInteger(own) ? 'i32' : 'f32', own), weak: true }
      : optional(c, call, name, place);
  };
  const [lo, hi] = [bound('x_min', 1), bound('x_max', 2)];
  const all = alike(c, [operand(c, call, 'x', 0), ...[lo, hi].flatMap(b => (b ? [b] : []))]);
  const [x, first, second] = all;
  const low = lo ? c.apply1(e.Max, [must(x), must(first)]) : must(x);
  const top = lo ? second : first;
  return hi ? c.apply1(e.Min, [low, must(top)]) : low;
});
const where: LayerBuilder = single((_, c, call) => {
  const condition = cast(c, operand(c, call, 'condition', 0).value, 'bool');
  const [a, b] = alike(c, [operand(c, call, 'x1', 1), operand(c, call, 'x2', 2)]);
  return c.apply1(e.Where, [condition, must(a), must(b)]);
});
const converted: LayerBuilder = single((n, c, call) => {
  const x = operand(c, call, 'x', 0).value;
  const name = setting(n, call, 'dtype');
  const to: DType | undefined = typeof name === 'string' ? dtypeNamed(name) : x.type.dtype;
  return to ? cast(c, x, to) : c.unsupported(`the type ${JSON.stringify(name)}`);
});
const nanToNum: LayerBuilder = single((n, c, call) => {
  const x = operand(c, call, 'x', 0).value;
  if (!isFloat(x.type.dtype)) return x;
  const most = x.type.dtype === 'f64' ? Number.MAX_VALUE : 3.4028234663852886e38;
  const of = (name: string, otherwise: number): Value => {
    const j = setting(n, call, name);
    return num(c, x, typeof j === 'number' ? j : otherwise);
  };
  const plain = c.apply1(e.Where, [c.apply1(e.IsNaN, [x]), of('nan', 0), x]);
  const low = c.apply1(e.Where, [c.apply1(e.Equal, [x, num(c, x, -Infinity)]), of('neginf', -most), plain]);
  return c.apply1(e.Where, [c.apply1(e.Equal, [x, num(c, x, Infinity)]), of('posinf', most), low]);
});
/** An activation with the arguments of the operation. */
const activation =
  (name: string): LayerBuilder =>
  (n, c, call) => {
    const x = asFloat(c, operand(c, call, 'x', 0).value);
    const json = (key: string) => setting(n, call, key);
    const args = {
      json,
      number: (key: string, otherwise: number): number => {
        const j = json(key);
        return typeof j === 'number' ? j : otherwise;
      },
    };
    // gelu approximates unless it is told not to.
    const given =
      name === 'gelu' && json('approximate') === undefined
        ? { ...args, json: (k: string) => (k === 'approximate' ? true : json(k)) }
        : args;
    return [{ value: functionOf(c, name, x, n.version, given) ?? c.unsupported(`the function ${name}`) }];
  };
const ACTIVATIONS: Readonly<Record<string, string>> = {
  Relu: 'relu',
  Relu6: 'relu6',
  Sigmoid: 'sigmoid',
  SparseSigmoid: 'sparse_sigmoid',
  Softplus: 'softplus',
  Softsign: 'softsign',
  SoftShrink: 'soft_shrink',
  SparsePlus: 'sparse_plus',
  Silu: 'silu',
  Squareplus: 'squareplus',
  LogSigmoid: 'log_sigmoid',
  LeakyRelu: 'leaky_relu',
  HardSigmoid: 'hard_sigmoid',
  HardSilu: 'hard_silu',
  Elu: 'elu',
  Selu: 'selu',
  Gelu: 'gelu',
  Celu: 'celu',
  Glu: 'glu',
  TanhShrink: 'tanh_shrink',
  HardTanh: 'hard_tanh',
  HardShrink: 'hard_shrink',
  Threshold: 'threshold',
  Softmax: 'softmax',
  LogSoftmax: 'log_softmax',
  Sparsemax: 'sparsemax',
};
const same: Unary = (_, x) => x;
const isNegInf =
  (sign: number): Unary =>
  (c, x) =>
    c.apply1(e.Equal, [x, num(c, x, sign * Infinity)]);
const absolute: Unary = (c, x) => (x.type.dtype === 'bool' ? x : c.apply1(e.Abs, [x]));

const binaries: Readonly<Record<string, Binary>> = {
  Add: (c, a, b) => (a.type.dtype === 'bool' ? c.apply1(e.Or, [a, b]) : c.apply1(e.Add, [a, b])),
  Subtract: op2(e.Sub),
  Multiply: (c, a, b) => (a.type.dtype === 'bool' ? c.apply1(e.And, [a, b]) : c.apply1(e.Mul, [a, b])),
  Divide: realPair(op2(e.Div)),
  TrueDivide: realPair(op2(e.Div)),
  DivideNoNan: realPair(divideNoNan),
  FloorDivide: floorDivide,
  Mod: (c, a, b) => c.apply1(e.Mod, [a, b], { fmod: false }),
  Fmod: (c, a, b) => c.apply1(e.Mod, [a, b], { fmod: true }),
  Power: op2(e.Pow),
  Maximum: op2(e.Max),
  Minimum: op2(e.Min),
  Equal: op2(e.Equal),
  NotEqual: (c, a, b) => c.apply1(e.Not, [c.apply1(e.Equal, [a, b])]),
  Less: op2(e.Less),
  LessEqual: op2(e.LessOrEqual),
  Greater: op2(e.Greater),
  GreaterEqual: op2(e.GreaterOrEqual),
  LogicalAnd: logical(e.And),
  LogicalOr: logical(e.Or),
  LogicalXor: logical(e.Xor),
  BitwiseAnd: op2(e.BitAnd),
  BitwiseOr: op2(e.BitOr),
  BitwiseXor: op2(e.BitXor),
  Arctan2: realPair(arctan2),
  Logaddexp: realPair(logAddExp('e')),
  Logaddexp2: realPair(logAddExp(2)),
  Hypot: realPair((c, a, b) => c.apply1(e.Sqrt, [c.apply1(e.Add, [c.apply1(e.Mul, [a, a]), c.apply1(e.Mul, [b, b])])])),
  Heaviside: realPair((c, a, b) => {
    const zero = num(c, a, 0);
    const step = c.apply1(e.Where, [c.apply1(e.Less, [a, zero]), zero, num(c, a, 1)]);
    return c.apply1(e.Where, [c.apply1(e.Equal, [a, zero]), b, step]);
  }),
};
const reals: Readonly<Record<string, Unary>> = {
  Exp: op(e.Exp),
  Exp2: (c, x) => c.apply1(e.Exp, [c.apply1(e.Mul, [x, num(c, x, Math.LN2)])]),
  Expm1: expm1Of,
  Log: op(e.Log),
  Log1p: (c, x) => c.apply1(e.Log, [c.apply1(e.Add, [x, num(c, x, 1)])]),
  Log2: scaled(e.Log, Math.LOG2E),
  Log10: scaled(e.Log, Math.LOG10E),
  Sqrt: op(e.Sqrt),
  Rsqrt: (c, x) => c.apply1(e.Reciprocal, [c.apply1(e.Sqrt, [x])]),
  Reciprocal: op(e.Reciprocal),
  Sin: op(e.Sin),
  Cos: op(e.Cos),
  Tan: op(e.Tan),
  Arcsin: op(e.Asin),
  Arccos: op(e.Acos),
  Arctan: op(e.Atan),
  Sinh: op(e.Sinh),
  Cosh: op(e.Cosh),
  Tanh: op(e.Tanh),
  Arcsinh: op(e.Asinh),
  Arccosh: op(e.Acosh),
  Arctanh: op(e.Atanh),
  Erf: op(e.Erf),
  Erfc: (c, x) => c.apply1(e.Sub, [num(c, x, 1), c.apply1(e.Erf, [x])]),
  Deg2rad: (c, x) => c.apply1(e.Mul, [x, num(c, x, Math.PI / 180)]),
  Rad2deg: (c, x) => c.apply1(e.Mul, [x, num(c, x, 180 / Math.PI)]),
};
const unaries: Readonly<Record<string, Unary>> = {
  Absolute: absolute,
  Abs: absolute,
  Fabs: (c, x) => c.apply1(e.Abs, [asFloat(c, x)]),
  Negative: op(e.Neg),
  Sign: op(e.Sign),
  Square: (c, x) => c.apply1(e.Mul, [x, x]),
  Ceil: (c, x) => c.apply1(e.Ceil, [asFloat(c, x)]),
  Floor: (c, x) => c.apply1(e.Floor, [asFloat(c, x)]),
  Trunc: (c, x) => (isFloat(x.type.dtype) ? c.apply1(e.Trunc, [x]) : x),
  LogicalNot: (c, x) => c.apply1(e.Not, [cast(c, x, 'bool')]),
  Isnan: (c, x) => c.apply1(e.IsNaN, [asFloat(c, x)]),
  Isinf: (c, x) => c.apply1(e.IsInf, [asFloat(c, x)]),
  Isfinite: (c, x) => isFinite(c, asFloat(c, x)),
  Isposinf: (c, x) => isNegInf(1)(c, asFloat(c, x)),
  Isneginf: (c, x) => isNegInf(-1)(c, asFloat(c, x)),
  BitwiseNot: op(e.BitNot),
  BitwiseInvert: op(e.BitNot),
  StopGradient: same,
  Copy: same,
  Real: same,
  Conj: same,
  Conjugate: same,
};
/** exp(x) - 1: that of negative numbers as in elu, which keeps small ones. */
function expm1Of(c: KerasBuilder, x: Value): Value {
  const above = c.apply1(e.Sub, [c.apply1(e.Exp, [x]), num(c, x, 1)]);
  return c.apply1(e.Where, [c.apply1(e.Less, [x, num(c, x, 0)]), expm1(c, x), above]);
}

export const prefixed = (table: Readonly<Record<string, LayerBuilder>>): LayerTable =>
  Object.fromEntries(Object.entries(table).map(([k, b]) => [`ops.${k}`, b]));
const each = <T>(table: Readonly<Record<string, T>>, f: (x: T) => LayerBuilder): LayerTable =>
  prefixed(Object.fromEntries(Object.entries(table).map(([k, x]) => [k, f(x)])));
export const elementwiseOps: LayerTable = {
  ...each(binaries, binary),
  ...each(reals, real),
  ...each(unaries, unary),
  ...each(ACTIVATIONS, activation),
  ...prefixed({
    Round: rounded,
    Clip: clip,
    Where: where,
    Cast: converted,
    Array: converted,
    ConvertToTensor: converted,
    NanToNum: nanToNum,
  }),
};
