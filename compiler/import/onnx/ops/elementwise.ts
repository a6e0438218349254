import { isFloat, isInt, type DType } from '../../../core/dtype.ts';
import { must } from '../../../core/diagnostic.ts';
import { numel, splatOf, toNumbers } from '../../../core/tensor.ts';
import { tensorOf, symbolicOf, type Value } from '../../../graph/graph.ts';
import type { Attrs, Op } from '../../../ops/define.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Expand } from '../../../ops/movement/view.ts';
import { measured } from '../../shared/sizes.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode, OnnxOps } from '../registry.ts';
import { castTo, type RoundMode } from '../../shared/small.ts';

/** An ONNX operator that is one of ours: the first inputs as they are, and attributes computed from the node. */
const direct =
  (op: Op, attrs: (n: OnnxNode) => Attrs = () => ({})): OnnxBuilder =>
  (n, c) => [
    c.apply1(
      op,
      op.inputs.map((what, i) => n.input(i, what)),
      attrs(n),
    ),
  ];
/** Any number of inputs, folded from the left. */
const fold =
  (op: Op, end: (v: Value, n: OnnxNode, c: ImportCtx) => Value = v => v): OnnxBuilder =>
  (n, c) => {
    const all = n.inputs.map((_, i) => n.input(i));
    if (all.length === 0) n.reject('takes at least one input');
    return [
      end(
        all.slice(1).reduce((a, b) => c.apply1(op, [a, b]), must(all[0])),
        n,
        c,
      ),
    ];
  };

/** Small whole powers of integers are products, of which symbolic values are known. */
const pow: OnnxBuilder = (n, c) => {
  const [x, y] = [n.input(0), n.input(1)];
  const t = tensorOf(y);
  const p = t && numel(t.dims) === 1 && t.dims.length <= x.type.shape.length ? toNumbers(t)[0] : undefined;
  const few = p !== undefined && p > 0 && p <= 8 && Number.isInteger(p);
  if (!few || !isInt(x.type.dtype) || !isInt(y.type.dtype)) return [c.apply1(e.Pow, [x, y])];
  let result: Value | undefined;
  let square = x;
  for (let left = p; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result = result ? c.apply1(e.Mul, [result, square]) : square;
    if (left > 1) square = c.apply1(e.Mul, [square, square]);
  }
  return [must(result)];
};

/** The greatest finite numbers: bounds that a Clip has where the file gives none, so that it stops infinities. */
const FINITE: Partial<Record<DType, number>> = {
  f64: Number.MAX_VALUE,
  f32: 3.4028234663852886e38,
  bf16: 3.3895313892515355e38,
  f16: 65504,
};
/** Bounds are attributes before opset 11, inputs from then on. Constant bounds become attributes of ours. */
const clip: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const attrs: { lo?: number; hi?: number } = {};
  if (n.opset < 11) {
    const most = n.opset >= 6 && isFloat(x.type.dtype) ? FINITE.f32 : undefined;
    const lo = n.float('min', most && -most);
    const hi = n.float('max', most);
    if (!isFloat(x.type.dtype) && [lo, hi].some(v => v !== undefined && !Number.isInteger(v)))
      n.reject('bounds of integers must be whole');
    return [c.apply1(e.Clip, [x], { ...(lo === undefined ? {} : { lo }), ...(hi === undefined ? {} : { hi }) })];
  }
  for (const b of n.inputs.slice(1))
    if (b && b.type.dtype !== x.type.dtype) n.reject(`a bound is of ${b.type.dtype}, and the input of ${x.type.dtype}`);
  const bound = (i: number): number | undefined => {
    const t = tensorOf(n.inputs[i]);
    const v = t && splatOf(t);
    return v === undefined || Number.isNaN(v) || numel(must(t).dims) !== 1 ? undefined : v;
  };
  const most = FINITE[x.type.dtype];
  const lo = n.inputs[1] ? bound(1) : most && -most;
  const hi = n.inputs[2] ? bound(2) : most;
  if (lo !== undefined) attrs.lo = lo;
  if (hi !== undefined) attrs.hi = hi;
  let v = x;
  // Bounds that come out when the model runs are operands; the lower one goes first, so the upper one wins.
  if (lo === undefined && n.inputs[1]) v = c.apply1(e.Max, [v, n.inputs[1]]);
  if (lo === undefined && hi === undefined) return [n.inputs[2] ? c.apply1(e.Min, [v, n.inputs[2]]) : v];
  v = c.apply1(e.Clip, [v], attrs);
  return [hi === undefined && n.inputs[2] ? c.apply1(e.Min, [v, n.inputs[2]]) : v];
};

const mod: OnnxBuilder = (n, c) => {
  const [a, b] = [n.input(0), n.input(1)];
  const fmod = n.bool('fmod', false);
  if (isFloat(a.type.dtype) && !fmod) n.reject('floats need fmod=1');
  return [c.apply1(e.Mod, [a, b], { fmod })];
};
const bitShift: OnnxBuilder = (n, c) => {
  const direction = n.string('direction');
  if (direction !== 'LEFT' && direction !== 'RIGHT') n.reject(`direction is '${direction}', not LEFT or RIGHT`);
  return [c.apply1(e.BitShift, [n.input(0), n.input(1)], { left: direction === 'LEFT' })];
};
const mean: OnnxBuilder = fold(e.Add, (sum, n, c) =>
  n.inputs.length === 1 ? sum : c.apply1(e.Div, [sum, c.literal(sum.type.dtype, n.inputs.length)]),
);
const ROUND_MODES: readonly RoundMode[] = ['up', 'down', 'nearest'];
const convert = (n: OnnxNode, c: ImportCtx, to: DType): readonly Value[] => {
  const from = n.input(0).type.dtype;
  if (from === to) return [n.input(0)];
  if (from === 'text' || to === 'text') return [throughText(n, c, n.input(0), to)];
  const mode = n.string('round_mode', 'up');
  const round = ROUND_MODES.find(r => r === mode) ?? n.reject(`round_mode is '${mode}', not up, down or nearest`);
  return [measured(c, castTo(c, n.input(0), to, { saturate: n.bool('saturate', true), round }))];
};

/** Texts of constants as numbers, or the other way round. What a run reads or writes as text is left to the caller. */
function throughText(n: OnnxNode, c: ImportCtx, x: Value, to: DType): Value {
  const t = tensorOf(x);
  if (!t)
    return n.unsupported(
      to === 'text'
        ? 'it writes numbers as text when the model runs; take the numbers as the output and write them outside'
        : 'it reads numbers from text when the model runs; read them outside and pass them as an input',
    );
  if (to === 'text')
    return isInt(t.dtype)
      ? c.texts([...toNumbers(t)].map(String), t.dims)
      : n.unsupported(`it writes ${t.dtype} as text, which every framework does in its own way`);
  const values = [...toNumbers(t)].map(i => numberIn(must(c.textList.texts[i])) ?? n.reject('a text that it reads is no number'));
  return c.literal(to, values, t.dims);
}
function numberIn(text: string): number | undefined {
  const word = text.trim().toLowerCase();
  const special = { nan: NaN, inf: Infinity, '+inf': Infinity, '-inf': -Infinity, infinity: Infinity, '-infinity': -Infinity }[
    word
  ];
  const v = special ?? Number(word);
  return word === '' || (special === undefined && Number.isNaN(v)) ? undefined : v;
}

/** Gelu of x, or of x plus a bias where one is given. */
const biased =
  (approximate: 'none' | 'tanh'): OnnxBuilder =>
  (n, c) => {
    const x = n.inputs[1] ? c.apply1(e.Add, [n.input(0), n.inputs[1]]) : n.input(0);
    return [c.apply1(e.Gelu, [x], { approximate })];
  };
const gelu: OnnxBuilder = (n, c) => {
  const approximate = n.string('approximate', 'none');
  if (approximate !== 'none' && approximate !== 'tanh') n.reject(`approximate is '${approximate}', not none or tanh`);
  return [c.apply1(e.Gelu, [n.input(0)], { approximate })];
};

/** The input: what is dropped in training is kept here, and the mask says so. */
const dropout: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const training = n.inputs[2];
  if (n.opset >= 12 && training) {
    const on = symbolicOf(training)?.[0];
    const ratio = n.inputs[1] && tensorOf(n.inputs[1]);
    if (on !== 0 && !(ratio && splatOf(ratio) === 0))
      n.unsupported('it may run in training mode, which drops at random; export the model for inference');
  }
  if (!n.wants(1)) return [x];
  const mask = n.opset < 10 ? x.type.dtype : 'bool';
  return [x, c.apply1(Expand, [c.literal(mask, 1)], { shape: x.type.shape })];
};

export const elementwiseOps: OnnxOps = {
  Add: direct(e.Add),
  Sub: direct(e.Sub),
  Mul: direct(e.Mul),
  Div: direct(e.Div),
  Mod: mod,
  Pow: pow,
  Sum: fold(e.Add),
  Mean: mean,
  Min: fold(e.Min),
  Max: fold(e.Max),
  Clip: clip,
  Neg: direct(e.Neg),
  Abs: direct(e.Abs),
  Sign: direct(e.Sign),
  Ceil: direct(e.Ceil),
  Floor: direct(e.Floor),
  Round: direct(e.Round),
  Sqrt: direct(e.Sqrt),
  Reciprocal: direct(e.Reciprocal),
  BitShift: bitShift,
  BitwiseAnd: direct(e.BitAnd),
  BitwiseOr: direct(e.BitOr),
  BitwiseXor: direct(e.BitXor),
  BitwiseNot: direct(e.BitNot),

  Equal: direct(e.Equal),
  Less: direct(e.Less),
  LessOrEqual: direct(e.LessOrEqual),
  Greater: direct(e.Greater),
  GreaterOrEqual: direct(e.GreaterOrEqual),
  And: direct(e.And),
  Or: direct(e.Or),
  Xor: direct(e.Xor),
  Not: direct(e.Not),
  Where: direct(e.Where),
  IsNaN: direct(e.IsNaN),
  IsInf: direct(e.IsInf, n => ({ negative: n.bool('detect_negative', true), positive: n.bool('detect_positive', true) })),

  Exp: direct(e.Exp),
  Log: direct(e.Log),
  Sin: direct(e.Sin),
  Cos: direct(e.Cos),
  Tan: direct(e.Tan),
  Asin: direct(e.Asin),
  Acos: direct(e.Acos),
  Atan: direct(e.Atan),
  Sinh: direct(e.Sinh),
  Cosh: direct(e.Cosh),
  Tanh: direct(e.Tanh),
  Asinh: direct(e.Asinh),
  Acosh: direct(e.Acosh),
  Atanh: direct(e.Atanh),
  Erf: direct(e.Erf),
  Sigmoid: direct(e.Sigmoid),

  Relu: direct(e.Relu),
  LeakyRelu: direct(e.LeakyRelu, n => ({ alpha: n.float('alpha', 0.01) })),
  PRelu: direct(e.PRelu),
  Elu: direct(e.Elu, n => ({ alpha: n.float('alpha', 1) })),
  Selu: direct(e.Elu, n => ({
    alpha: n.float('alpha', 1.67326319217681884765625),
    gamma: n.float('gamma', 1.05070102214813232421875),
  })),
  Celu: direct(e.Elu, n => ({ alpha: n.float('alpha', 1), beta: n.float('alpha', 1) })),
  ThresholdedRelu: direct(e.ThresholdedRelu, n => ({ alpha: n.float('alpha', 1) })),
  Shrink: direct(e.Shrink, n => ({ lambd: n.float('lambd', 0.5), bias: n.float('bias', 0) })),
  HardSigmoid: direct(e.HardSigmoid, n => ({ alpha: n.float('alpha', 0.2), beta: n.float('beta', 0.5) })),
  HardSwish: direct(e.HardSwish),
  Softplus: direct(e.Softplus),
  Softsign: direct(e.Softsign),
  Mish: direct(e.Mish),
  Swish: direct(e.Swish, n => ({ alpha: n.float('alpha', 1) })),
  SwiGLU: (n, c) => [c.apply1(e.Mul, [c.apply1(e.Swish, [n.input(0)], { alpha: n.float('alpha', 1) }), n.input(1)])],
  Gelu: gelu,
  'com.microsoft.Gelu': biased('none'),
  'com.microsoft.FastGelu': biased('tanh'),
  'com.microsoft.BiasGelu': biased('none'),
  'com.microsoft.QuickGelu': direct(e.Swish, n => ({ alpha: n.float('alpha', 1.702) })),

  Cast: (n, c) => convert(n, c, n.dtype('to')),
  CastLike: (n, c) => convert(n, c, n.input(1).type.dtype),
  BitCast: direct(e.BitCast, n => ({ to: n.dtype('to') })),
  Dropout: dropout,
  Identity: n => [n.input(0)],
};
