import { must } from '../../../core/diagnostic.ts';
import { isFloat } from '../../../core/dtype.ts';
import type { Value } from '../../../graph/graph.ts';
import type { Attrs, Op } from '../../../ops/define.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { rankOf } from '../../shared/axes.ts';
import { activation } from '../../shared/tensorflow/activation.ts';
import { partOf } from '../../shared/tensorflow/fourier.ts';
import { cast, expand, reshape } from '../../shared/views.ts';
import { isValue } from '../item.ts';
import type { TfBuilder, TfCtx, TfNode, TfOps } from '../registry.ts';

/** An operator that is one of ours, with attributes computed from the node. */
const direct =
  (op: Op, attrs: (n: TfNode) => Attrs = () => ({})): TfBuilder =>
  (n, c) => [
    c.apply1(
      op,
      op.inputs.map((_, i) => n.input(i)),
      attrs(n),
    ),
  ];
/** Something made of the first input alone. */
const unary =
  (f: (c: TfCtx, x: Value, n: TfNode) => Value): TfBuilder =>
  (n, c) => [f(c, n.input(0), n)];
/** Something made of the first two inputs. */
const binary =
  (f: (c: TfCtx, a: Value, b: Value, n: TfNode) => Value): TfBuilder =>
  (n, c) => [f(c, n.input(0), n.input(1), n)];
const named = (name: string): TfBuilder => unary((c, x, n) => activation(c, name, x) ?? n.unsupported('no such activation'));

const number = (c: TfCtx, like: Value, v: number): Value => c.literal(like.type.dtype, v);
const isZero = (c: TfCtx, x: Value): Value => c.apply1(e.Equal, [x, number(c, x, 0)]);
/** 0 where `zero` holds, else v. */
const unless = (c: TfCtx, zero: Value, v: Value): Value => c.apply1(e.Where, [zero, number(c, v, 0), v]);

/** The integer quotient towards minus infinity. */
function floorDiv(c: TfCtx, a: Value, b: Value): Value {
  if (isFloat(a.type.dtype)) return c.apply1(e.Floor, [c.apply1(e.Div, [a, b])]);
  const q = c.apply1(e.Div, [a, b]);
  const zero = number(c, a, 0);
  const inexact = c.apply1(e.Not, [c.apply1(e.Equal, [c.apply1(e.Mul, [q, b]), a])]);
  const apart = c.apply1(e.Xor, [c.apply1(e.Less, [a, zero]), c.apply1(e.Less, [b, zero])]);
  // Where neither is negative, the quotient is known as it is.
  if (q.symbolic) return q;
  return c.apply1(e.Sub, [q, cast(c, c.apply1(e.And, [inexact, apart]), a.type.dtype)]);
}
const floorMod = (c: TfCtx, a: Value, b: Value): Value => c.apply1(e.Mod, [a, b], { fmod: false });
/** The angle of the point (x, y), in the four quadrants. */
function atan2(c: TfCtx, y: Value, x: Value): Value {
  const zero = number(c, x, 0);
  const turn = c.apply1(e.Atan, [c.apply1(e.Div, [y, x])]);
  const negative = (v: Value): Value => c.apply1(e.Less, [v, zero]);
  // The sign of y, -0 included.
  const below = c.apply1(e.Or, [negative(y), c.apply1(e.And, [isZero(c, y), negative(c.apply1(e.Reciprocal, [y]))])]);
  const half = c.apply1(e.Where, [below, number(c, x, -Math.PI), number(c, x, Math.PI)]);
  const left = c.apply1(e.Or, [negative(x), c.apply1(e.And, [isZero(c, x), negative(c.apply1(e.Reciprocal, [x]))])]);
  const onAxis = c.apply1(e.And, [isZero(c, x), isZero(c, y)]);
  const flat = c.apply1(e.Where, [onAxis, y, turn]);
  return c.apply1(e.Where, [left, c.apply1(e.Add, [flat, half]), flat]);
}
/** exp(x) - 1, by a series near 0 where the difference loses digits. */
function expm1(c: TfCtx, x: Value): Value {
  const direct = c.apply1(e.Sub, [c.apply1(e.Exp, [x]), number(c, x, 1)]);
  // 2 sinh(x / 2) exp(x / 2) keeps them.
  const half = c.apply1(e.Mul, [x, number(c, x, 0.5)]);
  const near = c.apply1(e.Mul, [c.apply1(e.Mul, [c.apply1(e.Sinh, [half]), c.apply1(e.Exp, [half])]), number(c, x, 2)]);
  const small = c.apply1(e.Less, [c.apply1(e.Abs, [x]), number(c, x, 1)]);
  return c.apply1(e.Where, [small, near, direct]);
}
/** log(1 + x), by 2 atanh(x / (2 + x)) near 0. */
function log1p(c: TfCtx, x: Value): Value {
  const direct = c.apply1(e.Log, [c.apply1(e.Add, [x, number(c, x, 1)])]);
  const ratio = c.apply1(e.Div, [x, c.apply1(e.Add, [x, number(c, x, 2)])]);
  const near = c.apply1(e.Mul, [c.apply1(e.Atanh, [ratio]), number(c, x, 2)]);
  const small = c.apply1(e.Less, [c.apply1(e.Abs, [x]), number(c, x, 0.5)]);
  return c.apply1(e.Where, [small, near, direct]);
}
const addN: TfBuilder = (n, c) => {
  const all = n.inputs();
  return [all.slice(1).reduce((a, b) => c.apply1(e.Add, [a, b]), must(all[0] ?? n.input(0)))];
};
/** Of Select, a vector of conditions chooses along the first axis. */
const select: TfBuilder = (n, c) => {
  const [cond, a, b] = [n.input(0), n.input(1), n.input(2)];
  const rows = rankOf(cond) === 1 && rankOf(a) > 1;
  return [c.apply1(e.Where, [rows ? reshape(c, cond, [...cond.type.shape, ...a.type.shape.slice(1).map(() => 1)]) : cond, a, b])];
};
const filled = (v: number): TfBuilder => unary((c, x) => expand(c, c.literal(x.type.dtype, v), x.type.shape));
const compared =
  (op: Op, negate = false): TfBuilder =>
  (n, c) => {
    const y = c.apply1(op, [n.input(0), n.input(1)]);
    return [negate ? c.apply1(e.Not, [y]) : y];
  };
/** Of complex numbers the real part. */
const convert: TfBuilder = (n, c) => {
  const x = n.item(0);
  const real = isValue(x) || x.k !== 'complex' ? n.input(0) : partOf(c, x.pair, 'real');
  return [cast(c, real, n.dtype('DstT'))];
};
const clipByValue: TfBuilder = (n, c) => [c.apply1(e.Min, [c.apply1(e.Max, [n.input(0), n.input(1)]), n.input(2)])];
const shift = (left: boolean): TfBuilder => binary((c, a, b) => c.apply1(e.BitShift, [a, b], { left }));
const erfc = (c: TfCtx, x: Value): Value => c.apply1(e.Sub, [number(c, x, 1), c.apply1(e.Erf, [x])]);
const approximatelyEqual: TfBuilder = binary((c, a, b, n) =>
  c.apply1(e.Less, [c.apply1(e.Abs, [c.apply1(e.Sub, [a, b])]), number(c, a, n.float('tolerance', 1e-5))]),
);
const square = (c: TfCtx, x: Value): Value => c.apply1(e.Mul, [x, x]);
/** a times b, 0 where `at` is 0, whatever the other is. */
const noNaN =
  (op: (c: TfCtx, a: Value, b: Value) => Value, at: 0 | 1): TfBuilder =>
  (n, c) => {
    const [a, b] = [n.input(0), n.input(1)];
    return [unless(c, isZero(c, at === 0 ? a : b), op(c, a, b))];
  };

export const elementwiseOps: TfOps = {
  Abs: direct(e.Abs),
  Acos: direct(e.Acos),
  Acosh: direct(e.Acosh),
  Add: direct(e.Add),
  AddN: addN,
  AccumulateNV2: addN,
  AddV2: direct(e.Add),
  ApproximateEqual: approximatelyEqual,
  Asin: direct(e.Asin),
  Asinh: direct(e.Asinh),
  Atan: direct(e.Atan),
  Atan2: binary(atan2),
  Atanh: direct(e.Atanh),
  Bitcast: direct(e.BitCast, n => ({ to: n.dtype('type') })),
  BitwiseAnd: direct(e.BitAnd),
  BitwiseOr: direct(e.BitOr),
  BitwiseXor: direct(e.BitXor),
  Cast: convert,
  Ceil: direct(e.Ceil),
  ClipByValue: clipByValue,
  Cos: direct(e.Cos),
  Cosh: direct(e.Cosh),
  Div: direct(e.Div),
  DivNoNan: noNaN((c, a, b) => c.apply1(e.Div, [a, b]), 1),
  Elu: named('elu'),
  Equal: compared(e.Equal),
  Erf: direct(e.Erf),
  Erfc: unary(erfc),
  Exp: direct(e.Exp),
  Expm1: unary(expm1),
  Floor: direct(e.Floor),
  FloorDiv: binary(floorDiv),
  FloorMod: binary(floorMod),
  Greater: compared(e.Greater),
  GreaterEqual: compared(e.GreaterOrEqual),
  Inv: direct(e.Reciprocal),
  Invert: direct(e.BitNot),
  IsFinite: unary((c, x) => {
    const odd = c.apply1(e.Or, [c.apply1(e.IsInf, [x]), c.apply1(e.IsNaN, [x])]);
    return c.apply1(e.Not, [odd]);
  }),
  IsInf: direct(e.IsInf),
  IsNan: direct(e.IsNaN),
  LeakyRelu: direct(e.LeakyRelu, n => ({ alpha: n.float('alpha', 0.2) })),
  LeftShift: shift(true),
  Less: compared(e.Less),
  LessEqual: compared(e.LessOrEqual),
  Log: direct(e.Log),
  Log1p: unary(log1p),
  LogicalAnd: direct(e.And),
  LogicalNot: direct(e.Not),
  LogicalOr: direct(e.Or),
  LogicalXor: direct(e.Xor),
  Maximum: direct(e.Max),
  Minimum: direct(e.Min),
  Mod: binary((c, a, b) => c.apply1(e.Mod, [a, b], { fmod: true })),
  Mul: direct(e.Mul),
  MulNoNan: noNaN((c, a, b) => c.apply1(e.Mul, [a, b]), 1),
  Neg: direct(e.Neg),
  NotEqual: compared(e.Equal, true),
  OnesLike: filled(1),
  Pow: direct(e.Pow),
  Prelu: direct(e.PRelu),
  RealDiv: direct(e.Div),
  Reciprocal: direct(e.Reciprocal),
  Relu: named('relu'),
  Relu6: named('relu6'),
  RightShift: shift(false),
  Rint: direct(e.Round),
  Round: unary((c, x) => (isFloat(x.type.dtype) ? c.apply1(e.Round, [x]) : x)),
  Rsqrt: unary((c, x) => c.apply1(e.Reciprocal, [c.apply1(e.Sqrt, [x])])),
  Select: select,
  SelectV2: direct(e.Where),
  Selu: named('selu'),
  Sigmoid: direct(e.Sigmoid),
  Sign: direct(e.Sign),
  Sin: direct(e.Sin),
  Sinh: direct(e.Sinh),
  Softplus: direct(e.Softplus),
  Softsign: direct(e.Softsign),
  Sqrt: direct(e.Sqrt),
  Square: unary(square),
  SquaredDifference: binary((c, a, b) => square(c, c.apply1(e.Sub, [a, b]))),
  Step: unary((c, x) => cast(c, c.apply1(e.Greater, [x, number(c, x, 0)]), x.type.dtype)),
  Sub: direct(e.Sub),
  Tan: direct(e.Tan),
  Tanh: direct(e.Tanh),
  TruncateDiv: direct(e.Div),
  TruncateMod: binary((c, a, b) => c.apply1(e.Mod, [a, b], { fmod: true })),
  Xdivy: noNaN((c, a, b) => c.apply1(e.Div, [a, b]), 0),
  Xlog1py: noNaN((c, a, b) => c.apply1(e.Mul, [a, log1p(c, b)]), 0),
  Xlogy: noNaN((c, a, b) => c.apply1(e.Mul, [a, c.apply1(e.Log, [b])]), 0),
  ZerosLike: filled(0),
};
