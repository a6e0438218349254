import { must } from '../../../core/diagnostic.ts';
import { staticDims } from '../../../core/dim.ts';
import { numel } from '../../../core/tensor.ts';
import type { Value } from '../../../graph/graph.ts';
import { roundHalfEven } from '../../../kernel/eval/scalar.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { Gather } from '../../../ops/movement/gather.ts';
import { axisOf, rankOf, sortedAxes } from '../../shared/axes.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { averagePool } from '../../shared/tensorflow/pool.ts';
import { cast } from '../../shared/views.ts';
import { askedSizes } from '../asked.ts';
import { targetOf } from '../integers.ts';
import { quantizedAs, uniformOf } from '../quant.ts';
import type { TfliteBuilder, TfliteOps } from '../registry.ts';
import { activationRange, fixedPoint, multipliedTwice, multipliedWide, roundedAway, saturated, type Fixed } from '../rounding.ts';
import { poolOf } from './pool.ts';
import { real } from './real.ts';

/** Quantized means, sums and pictures. */

const { fround } = Math;
/** The mean of the integers, half away from zero; their zero point stays. */
const average: TfliteBuilder = (n, c) => {
  const t = targetOf(n, c);
  const x = n.input(0);
  // Where the quotient is no half, it is further from one than floats of the type are from each other.
  const pool = poolOf(n);
  const wide = x.type.dtype === 'i16' || numel(pool.kernel) > 4096 ? 'f64' : 'f32';
  const mean = averagePool(c, cast(c, x, wide), pool);
  const range = activationRange(n.activation, t, t.to, 'away') ?? t.range;
  return [saturated(c, cast(c, roundedAway(c, mean), 'i32'), { ...t, zero: 0, range })];
};

/** The factor of a mean: that of the scales over the number of elements (QuantizedMeanOrSum in tflite/kernels/internal/reference/reduce.h). */
function overCount({ m, shift }: Fixed, count: number): Fixed {
  const by = Math.min(Math.floor(Math.log2(count)), 32, 31 + shift);
  return { m: Number((BigInt(m) << BigInt(by)) / BigInt(count)), shift: shift - by };
}
const reduced =
  (of: 'mean' | 'sum'): TfliteBuilder =>
  (n, c) => {
    const x = n.input(0);
    const q = uniformOf(c, n.operand(0)) ?? n.reject('its operand is not quantized');
    const t = targetOf(n, c, 'NONE');
    const given = c.intsIn(n.input(1), 'axes').map(a => axisOf(c, a, rankOf(x)));
    const axes = sortedAxes(c, [...new Set(given)], rankOf(x));
    const keep = n.bool('keep_dims');
    if (c.rounding === 'xnnpack' && x.type.dtype !== 'i16')
      return [quantizedAs(c, reduceOver(c, of, real(n, c, 0), axes, keep), t, t.to)];
    const sizes = staticDims(axes.map(a => must(x.type.shape[a])));
    if (!sizes) return n.unsupported('a mean over open sizes; fix them with --dim');
    const wide = cast(c, x, 'i32');
    const moved = q.zero === 0 ? wide : c.apply1(e.Sub, [wide, c.literal('i32', q.zero)]);
    const factor = fixedPoint(q.scale / t.scale);
    const fixed = of === 'sum' ? factor : overCount(factor, Math.max(1, numel(sizes)));
    const sums = reduceOver(c, 'sum', moved, axes, keep);
    // Sums of 16-bit integers have 64 bits.
    const wideSum = of === 'sum' && x.type.dtype === 'i16';
    return [saturated(c, wideSum ? multipliedWide(c, sums, [fixed]) : multipliedTwice(c, sums, [fixed]), t)];
  };

/**
 * Rows over their length, 128 to one. The inverse root of the sum of squares, times a power of 4 that brings it to a quarter or more, is
 * what five steps of Newton's method give from 1 on (GetInvSqrtQuantizedMultiplierExp in tflite/kernels/internal/common.h). All is in f64,
 * which holds the integers of that method.
 */
const normalized: TfliteBuilder = (n, c) => {
  const t = targetOf(n, c);
  const q = uniformOf(c, n.operand(0)) ?? n.reject('its operand is not quantized');
  // Of u8 the integers are multiplied by 128 first.
  const [early, point] = t.to === 'u8' ? [128, 11] : [1, 4];
  const number = (v: number): Value => c.literal('f64', v);
  const mul = (a: Value, b: Value): Value => c.apply1(e.Mul, [a, b]);
  const sumOf = (v: Value): Value => reduceOver(c, 'sum', v, [rankOf(v) - 1], true);
  const x = c.apply1(e.Sub, [cast(c, n.input(0), 'f64'), number(q.zero)]);
  const squares = c.apply1(e.Max, [sumOf(mul(x, x)), number(1)]);
  const places = Array.from({ length: 14 }, (_, j) => j + 1);
  const small = c.apply1(e.Less, [
    squares,
    c.literal(
      'f64',
      places.map(j => 2 ** (29 - 2 * j)),
    ),
  ]);
  const pairs = sumOf(cast(c, small, 'i32'));
  const power = (f: (p: number) => number): Value =>
    c.apply1(Gather, [c.literal('f64', [0, ...places].map(f)), pairs], { axis: 0 });
  const a = mul(
    squares,
    power(p => 2 ** (2 * p - 29)),
  );
  let root = number(1);
  for (let i = 0; i < 5; i++)
    root = c.apply1(e.Sub, [mul(number(1.5), root), mul(mul(a, number(0.5)), mul(root, mul(root, root)))]);
  const factor = c.apply1(e.Round, [mul(root, number(Math.SQRT1_2 * 2 ** 28))]);
  const product = mul(
    mul(x, mul(factor, number(early))),
    power(p => 2 ** (Math.max(0, p - point) - 31)),
  );
  const high = c.apply1(e.Floor, [c.apply1(e.Add, [product, number(0.5)])]);
  const quotient = mul(
    high,
    power(p => 2 ** Math.min(0, p - point)),
  );
  return [saturated(c, cast(c, roundedAway(c, quotient), 'i32'), t)];
};

/** Between which two elements each place of a resized axis lies, and how far behind the first. */
interface Taps {
  readonly first: readonly number[];
  readonly second: readonly number[];
  readonly weight: readonly number[];
}
/** Weights of 11 bits, of places in f32 (XNNPACK, src/indirection.c, xnn_indirection_init_resize_bilinear2d_hwc_q11). */
function tapsQ11(input: number, output: number, align: boolean, half: boolean): Taps {
  const scale = align && output > 1 ? fround((input - 1) / (output - 1)) : fround(input / output);
  const at = Array.from({ length: output }, (_, i) => {
    const place = half && !align ? fround(fround(fround(i + 0.5) * scale) - 0.5) : fround(i * scale);
    return Math.min(Math.max(place, 0), input - 1);
  });
  const first = at.map(Math.floor);
  const second = first.map(p => Math.min(p + 1, input - 1));
  return { first, second, weight: at.map((p, i) => roundHalfEven(fround(p - must(first[i])) * 2048)) };
}
/** Weights of 10 bits, of places in integers (ComputeInterpolationValuesInteger in tflite/kernels/internal/reference/resize_bilinear.h). */
function tapsQ10(input: number, output: number, align: boolean, half: boolean): Taps {
  const div = (a: number, b: number): number => Math.trunc(a / b);
  const scale =
    align && output > 1 ? div(1024 * (input - 1) + div(output - 1, 2), output - 1) : div(1024 * input + div(output, 2), output);
  const at = Array.from({ length: output }, (_, i) => (half ? i * scale + div(scale, 2) - 512 : i * scale));
  const floor = at.map(p => Math.floor(p / 1024));
  const first = floor.map(p => Math.max(p, 0));
  const second = floor.map(p => Math.min(Math.max(p, 0) === p ? p + 1 : p + 1, input - 1));
  return {
    first: first.map(p => Math.min(p, input - 1)),
    second: second.map(p => Math.max(p, 0)),
    weight: at.map((p, i) => p - 1024 * must(first[i])),
  };
}
const resize: TfliteBuilder = (n, c) => {
  const x = n.input(0);
  const t = targetOf(n, c, 'NONE');
  const [ins, outs] = [staticDims(x.type.shape.slice(1, 3)), staticDims(askedSizes(n, c, n.input(1), 1))];
  if (!ins || !outs) return n.unsupported('integers of open sizes; fix them with --dim');
  outs.forEach(size => c.room(size, 'places along a resized axis'));
  const byte = x.type.dtype !== 'i16';
  const xnn = c.rounding === 'xnnpack' && byte;
  const [align, half] = [n.bool('align_corners'), n.bool('half_pixel_centers')];
  const taps = ins.map((size, i) => (xnn ? tapsQ11 : tapsQ10)(size, must(outs[i]), align, half));
  const wide = byte ? 'i32' : 'i64';
  const one = xnn ? 2048 : 1024;
  // The rows that are needed, then the columns of these.
  const along = (v: Value, axis: number, { first, second, weight }: Taps): Value => {
    const take = (at: readonly number[]): Value => cast(c, c.apply1(Gather, [v, c.literal('i32', at)], { axis }), wide);
    const behind = new Array<number>(3 - axis).fill(1);
    const weights = (f: (w: number) => number): Value => c.literal(wide, weight.map(f), [weight.length, ...behind]);
    const [a, b] = [take(first), take(second)];
    return c.apply1(e.Add, [c.apply1(e.Mul, [a, weights(w => one - w)]), c.apply1(e.Mul, [b, weights(w => w)])]);
  };
  const sum = along(along(x, 2, must(taps[1])), 1, must(taps[0]));
  const int = (v: number): Value => c.literal(wide, v);
  if (xnn)
    return [
      saturated(c, c.apply1(e.BitShift, [c.apply1(e.Add, [sum, int(2 ** 21)]), int(22)], { left: false }), { ...t, zero: 0 }),
    ];
  const sign = c.apply1(e.Where, [c.apply1(e.Greater, [sum, int(0)]), int(2 ** 19), int(-(2 ** 19))]);
  return [cast(c, c.apply1(e.Div, [c.apply1(e.Add, [sum, sign]), int(2 ** 20)]), t.to)];
};

export const integerWindow: TfliteOps = {
  L2_NORMALIZATION: normalized,
  AVERAGE_POOL_2D: average,
  MEAN: reduced('mean'),
  SUM: reduced('sum'),
  RESIZE_BILINEAR: resize,
};
