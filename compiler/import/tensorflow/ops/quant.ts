import { must } from '../../../core/diagnostic.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { axesFrom } from '../../shared/axes.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { cast, reshape } from '../../shared/views.ts';
import type { TfBuilder, TfCtx, TfNode, TfOps } from '../registry.ts';

const { fround } = Math;
const f32 = (c: TfCtx, v: number | readonly number[]): Value => c.literal('f32', v);
const op = (c: TfCtx, of: typeof e.Add, a: Value, b: Value): Value => c.apply1(of, [a, b]);

/**
 * x rounded to steps between a least and a greatest number, which are moved until 0 is a step
 * (core/kernels/fake_quant_ops_functor.h).
 */
function fakeQuant(n: TfNode, c: TfCtx, least: Value, greatest: Value): Value {
  const x = n.input(0);
  const low = f32(c, n.bool('narrow_range', false) ? 1 : 0);
  const high = f32(c, 2 ** n.int('num_bits', 8) - 1);
  const scale = op(c, e.Div, op(c, e.Sub, greatest, least), op(c, e.Sub, high, low));
  const from = op(c, e.Sub, low, op(c, e.Div, least, scale));
  const zero = op(c, e.Max, low, op(c, e.Min, high, roundAway(c, from)));
  const [min, max] = [op(c, e.Mul, op(c, e.Sub, low, zero), scale), op(c, e.Mul, op(c, e.Sub, high, zero), scale)];
  const held = op(c, e.Max, op(c, e.Min, x, max), min);
  const steps = c.apply1(e.Floor, [op(c, e.Add, op(c, e.Div, op(c, e.Sub, held, min), scale), f32(c, 0.5))]);
  const y = op(c, e.Add, op(c, e.Mul, steps, scale), min);
  // Bounds of 0 give 0.
  const nothing = c.apply1(e.And, [c.apply1(e.Equal, [least, f32(c, 0)]), c.apply1(e.Equal, [greatest, f32(c, 0)])]);
  return c.apply1(e.Where, [nothing, f32(c, 0), y]);
}
/** To the nearest integer, halves away from zero. */
const roundAway = (c: TfCtx, x: Value): Value =>
  op(c, e.Mul, c.apply1(e.Sign, [x]), c.apply1(e.Floor, [op(c, e.Add, c.apply1(e.Abs, [x]), f32(c, 0.5))]));
const args: TfBuilder = (n, c) => [fakeQuant(n, c, f32(c, fround(n.float('min', -6))), f32(c, fround(n.float('max', 6))))];
const vars: TfBuilder = (n, c) => [fakeQuant(n, c, n.input(1), n.input(2))];

/** x rounded to the integers of a scale, and back (core/kernels/quantize_and_dequantize_op.h). */
const quantizeAndDequantize: TfBuilder = (n, c) => {
  const x = n.input(0);
  const { dtype } = x.type;
  const signed = n.bool('signed_input', true);
  const axis = n.int('axis', -1);
  const number = (v: number): Value => c.literal(dtype, v);
  const bits = n.op === 'QuantizeAndDequantizeV3' ? must(c.intsIn(n.input(3), 'number of bits')[0]) : n.int('num_bits', 8);
  const narrow = n.bool('narrow_range', false);
  const axes = axesFrom(x).filter(a => a !== axis);
  const ranged = n.bool('range_given', n.op === 'QuantizeAndDequantizeV3');
  const bound = (i: number, of: 'min' | 'max'): Value => {
    if (!ranged) return reduceOver(c, of, x, axes, axis >= 0);
    const v = n.input(i);
    return axis < 0
      ? reshape(c, v, [])
      : reshape(
          c,
          v,
          axesFrom(x).map(a => (a === axis ? must(v.type.shape[0]) : 1)),
        );
  };
  const [low, high] = [bound(1, 'min'), bound(2, 'max')];
  const lowest = signed ? -(2 ** (bits - 1)) + (narrow ? 1 : 0) : 0;
  const highest = signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  // The scale at which both bounds fit.
  const safe = (v: Value): Value => c.apply1(e.Where, [c.apply1(e.Equal, [v, number(0)]), number(1), v]);
  const fromLow = lowest === 0 ? number(Infinity) : op(c, e.Div, number(lowest), safe(low));
  const fromHigh = op(c, e.Div, number(highest), safe(high));
  const useful = (v: Value, of: Value, sign: -1 | 1): Value =>
    c.apply1(e.Where, [c.apply1(sign < 0 ? e.Less : e.Greater, [of, number(0)]), v, number(Infinity)]);
  const [a, b] = [lowest === 0 ? fromLow : useful(fromLow, low, -1), useful(fromHigh, high, 1)];
  const scale = op(c, e.Min, a, b);
  const least = op(c, e.Div, number(lowest), scale);
  const greatest = op(c, e.Div, number(highest), scale);
  const held = op(c, e.Min, op(c, e.Max, x, least), greatest);
  const scaled = op(c, e.Mul, held, scale);
  const up = n.string('round_mode', 'HALF_TO_EVEN') === 'HALF_UP';
  const rounded = up ? c.apply1(e.Floor, [op(c, e.Add, scaled, number(0.5))]) : c.apply1(e.Round, [scaled]);
  return [op(c, e.Div, rounded, scale)];
};
/** Integers as the real numbers between two bounds. */
const dequantize: TfBuilder = (n, c) => {
  const [x, low, high] = [n.input(0), n.input(1), n.input(2)];
  const mode = n.string('mode', 'MIN_COMBINED');
  if (mode !== 'MIN_COMBINED' || n.int('axis', -1) >= 0) n.unsupported(`mode ${mode}, or an axis`);
  const bits = x.type.dtype === 'i8' || x.type.dtype === 'u8' ? 8 : x.type.dtype === 'i32' ? 32 : 16;
  const half = x.type.dtype === 'i8' || x.type.dtype === 'i16' || x.type.dtype === 'i32' ? 2 ** (bits - 1) : 0;
  const scale = op(c, e.Div, op(c, e.Sub, high, low), f32(c, 2 ** bits - 1));
  return [op(c, e.Add, op(c, e.Mul, op(c, e.Add, cast(c, x, 'f32'), f32(c, half)), scale), low)];
};
export const quantOps: TfOps = {
  Dequantize: dequantize,
  FakeQuantWithMinMaxArgs: args,
  FakeQuantWithMinMaxVars: vars,
  FakeQuantWithMinMaxVarsPerChannel: vars,
  QuantizeAndDequantize: quantizeAndDequantize,
  QuantizeAndDequantizeV2: quantizeAndDequantize,
  QuantizeAndDequantizeV3: quantizeAndDequantize,
};
