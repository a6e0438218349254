import { must } from '../core/diagnostic.ts';
import { staticDims } from '../core/dim.ts';
import { numel } from '../core/tensor.ts';
import type { Node, Value } from '../graph/graph.ts';
import { any, op, rewriteGraph, rule, type Rule } from '../graph/rewrite.ts';
import { Conv } from '../ops/conv/conv.ts';
import { ConvInteger } from '../ops/conv/conv-integer.ts';
import type { Attrs } from '../ops/define.ts';
import * as e from '../ops/elementwise/index.ts';
import { DequantizeLinear } from '../ops/quant/quant.ts';
import type { Profile } from '../target/profile.ts';
import { wordForm } from '../ops/conv/schedules/integer.ts';
import { Reshape, Slice } from '../ops/movement/view.ts';
import {
  asI32,
  cuts,
  magnitude,
  rangeOf,
  runningSums,
  shift,
  sizesOfConstant,
  total,
  type Maker,
  type Shifted,
} from './exact-sums.ts';
import { out } from './match.ts';
import type { GraphPass } from './pass.ts';

/** Input channels at which the sums of a convolution of x with w are cut, so that f32 holds each part; undefined where it cannot. */
function channelCuts(x: Shifted, w: Shifted): readonly number[] | undefined {
  const dims = staticDims(w.x.type.shape);
  const most = magnitude(x);
  if (!dims || !Number.isFinite(most)) return undefined;
  const [outs, channels] = [must(dims[0]), must(dims[1])];
  const taps = numel(dims.slice(2));
  return cuts(channels, () => {
    const t = sizesOfConstant(w);
    if (!t) return (from, to) => (to - from) * taps * most * magnitude(w);
    const inTap = Array.from({ length: taps }, (_, i) => i);
    const sums = runningSums(t.data, channels, outs, (s, r) => inTap.map(i => (r * channels + s) * taps + i));
    return (from, to) => sums(from, to) * most;
  });
}
/** Whether f32 holds all sums of a convolution of x with w. */
export const isExact = (x: Shifted, w: Shifted): boolean => channelCuts(x, w)?.length === 2;

/** A ConvInteger by convolutions of floats, exactly; of i32 where floats hold nothing. */
function inFloats(c: Maker, n: Node): Value {
  const [x, w] = [0, 1].map(i => ({ x: must(n.inputs[i]), zero: n.inputs[i + 2] })) as [Shifted, Shifted];
  const { to, ...attrs } = n.attrs;
  const at = channelCuts(x, w);
  const whole = at?.length === 2;
  const sum = (): Value => {
    if (!at || (!whole && attrs['group'] !== 1)) return c.apply1(Conv, [shift(c, x, 'i32'), shift(c, w, 'i32')], attrs);
    const [fx, fw] = [shift(c, x, 'f32'), shift(c, w, 'f32')];
    const part = (v: Value, start: number, end: number): Value => (whole ? v : channels(c, v, start, end));
    const integers = must(rangeOf(x));
    return total(c, at, (start, end) => c.apply1(Conv, [part(fx, start, end), part(fw, start, end)], { ...attrs, integers }));
  };
  const y = sum();
  return to === 'i32' ? asI32(c, y) : y.type.dtype === 'f32' ? y : c.apply1(e.Cast, [y], { to: 'f32' });
}
/** Channels start..end-1 of [N, C, …]. */
function channels(c: Maker, v: Value, start: number, end: number): Value {
  const { shape } = v.type;
  const starts = shape.map((_, i) => (i === 1 ? start : 0));
  const sizes = shape.map((d, i) => (i === 1 ? end - start : d));
  return c.apply1(Slice, [v], { starts, sizes, steps: shape.map(() => 1) });
}

/** Targets without dot products that are faster compute integers in floats. It comes first: the passes after it see what they know. */
export const expandIntegers: GraphPass = {
  name: 'expand-integers',
  doc: 'Convolutions of integers become exact ones of floats where the target has no faster dot products',
  run: (g, { profile }) =>
    rewriteGraph(g, [
      rule('a convolution of integers in floats', op(ConvInteger, [], { more: true }), m =>
        wordForm(profile, m.root) ? undefined : inFloats(m, m.root),
      ),
    ]),
};

/** A convolution of numbers that small integers stand for, as one of the integers. */
const quantized = (profile: Profile): Rule =>
  rule(
    'a convolution of what is dequantized',
    op(Conv, [
      op(DequantizeLinear, [any('x'), any('scale'), any('zero')]),
      op(DequantizeLinear, [any('w'), any('wScale'), any('wZero')]),
    ]),
    m => {
      const [x, w] = [
        { x: m.value('x'), zero: m.value('zero') },
        { x: m.value('w'), zero: m.value('wZero') },
      ];
      const [scale, wScale] = [m.value('scale'), m.value('wScale')];
      const types = [x, w].map(s => s.x.type.dtype);
      if (!types.every(t => t === 'u8' || t === 'i8') || out(m.root).type.dtype !== 'f32') return undefined;
      const perOutput = wScale.type.shape.slice(1).every(d => d === 1);
      if (scale.type.shape.length > 0 || x.zero.type.shape.length > 0 || !perOutput) return undefined;
      const { strides, pads, dilations, layout, group } = m.root.attrs;
      const attrs: Attrs = { strides, pads, dilations, layout, group, to: isExact(x, w) ? 'f32' : 'i32' };
      const sums = m.apply1(ConvInteger, [x.x, w.x, x.zero, w.zero], attrs);
      if (sums.def.k !== 'node' || !wordForm(profile, sums.def)) return undefined;
      const floats = attrs['to'] === 'f32' ? sums : m.apply1(e.Cast, [sums], { to: 'f32' });
      const byChannel =
        wScale.type.shape.length === 0 ? wScale : m.apply1(Reshape, [wScale], { shape: wScale.type.shape.slice(0, -1) });
      return m.apply1(e.Mul, [floats, m.apply1(e.Mul, [scale, byChannel])]);
    },
  );
/** Where the target computes with integers faster than with floats. */
export const integerConv: GraphPass = {
  name: 'integer-conv',
  doc: 'Convolutions of dequantized integers become convolutions of integers where the target has dot products for them',
  run: (g, { profile }) => rewriteGraph(g, [quantized(profile)]),
};
