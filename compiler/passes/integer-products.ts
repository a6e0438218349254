import type { Dim } from '../core/dim.ts';
import { fromNumbers, toNumbers, type Tensor } from '../core/tensor.ts';
import { constant, tensorOf, type Value } from '../graph/graph.ts';
import { any, constantOf, op, rewriteGraph, rule, type Match, type Rule } from '../graph/rewrite.ts';
import { ConvInteger } from '../ops/conv/conv-integer.ts';
import { Conv } from '../ops/conv/conv.ts';
import { Cast, Mul } from '../ops/elementwise/index.ts';
import { attrsOf } from '../ops/define.ts';
import { MatMulInteger } from '../ops/matmul/matmul-integer.ts';
import { MatMul } from '../ops/matmul/matmul.ts';
import { Reshape } from '../ops/movement/view.ts';
import { DequantizeLinear, QuantizeLinear } from '../ops/quant/quant.ts';
import { byteRange } from '../ops/quant/integers.ts';
import { dotBytes } from '../ops/schedules/int-dot.ts';
import type { Profile } from '../target/profile.ts';
import { channelCuts, depthCuts, type Shifted } from './exact-sums.ts';
import { out } from './match.ts';
import type { GraphPass } from './pass.ts';

const dequantized = [
  op(DequantizeLinear, [any('x'), any('scale'), any('zero')]),
  op(DequantizeLinear, [any('w'), any('wScale'), any('wZero')]),
];
/** The integers that the operands of a float product stand for; undefined where they do not make up a product of 8-bit integers. */
function operands(m: Match): { readonly x: Shifted; readonly w: Shifted } | undefined {
  const [x, w] = [
    { x: m.value('x'), zero: m.value('zero') },
    { x: m.value('w'), zero: m.value('wZero') },
  ];
  if (![x, w].every(s => byteRange(s.x.type.dtype)) || out(m.root).type.dtype !== 'f32') return undefined;
  return m.value('scale').type.shape.length > 0 || x.zero.type.shape.length > 0 ? undefined : { x, w };
}
/** What sums of integers stand for. `shape` gives the scales of w the axis of the result that they belong to. */
function scaled(m: Match, sums: Value, shape: readonly Dim[]): Value {
  const floats = sums.type.dtype === 'f32' ? sums : m.apply1(Cast, [sums], { to: 'f32' });
  const own = m.value('wScale');
  const wScale = own.type.shape.length === shape.length ? own : m.apply1(Reshape, [own], { shape });
  const [a, b] = [m.value('scale'), wScale];
  return together(a, own) ? m.apply1(Mul, [floats, m.apply1(Mul, [a, b])]) : m.apply1(Mul, [m.apply1(Mul, [floats, a]), b]);
}
/** Whether scales are known and may be multiplied with each other first: no product is infinite, or so small that it loses digits. */
function together(a: Value, b: Value): boolean {
  const [s, t] = [tensorOf(a), tensorOf(b)];
  const [scale] = s ? toNumbers(s) : [];
  return (
    scale !== undefined &&
    t !== undefined &&
    toNumbers(t).every(v => Math.abs(scale * v) > 2 ** -126 && Math.abs(scale * v) < 2 ** 127)
  );
}
const isNative = (sums: Value, profile: Profile): boolean =>
  sums.def.k === 'node' && (sums.def.op.native?.(sums.def, profile) ?? true);

/** Convolutions of floats have transforms that save more than exact sums are worth: they stay where there are no dot products. */
const convolution = (profile: Profile): Rule =>
  rule('a convolution of what is dequantized', op(Conv, dequantized), m => {
    const o = operands(m);
    const scales = m.value('wScale').type.shape;
    if (!o || !scales.slice(1).every(d => d === 1)) return undefined;
    const { strides, pads, dilations, layout, group } = attrsOf(m.root, Conv);
    const to = channelCuts(o.x, o.w)?.length === 2 ? 'f32' : 'i32';
    const attrs = { strides, pads, dilations, layout, group, to };
    const sums = m.apply1(ConvInteger, [o.x.x, o.w.x, o.x.zero, o.w.zero], attrs);
    return isNative(sums, profile) ? scaled(m, sums, scales.slice(0, -1)) : undefined;
  });
/** Products are exact on all targets, if that takes one product of floats where there are no dot products. */
const product = (profile: Profile): Rule =>
  rule('a product of what is dequantized', op(MatMul, dequantized), m => {
    const o = operands(m);
    const { transA, transB } = attrsOf(m.root, MatMul);
    const [w, scales] = [m.value('w').type.shape, m.value('wScale').type.shape];
    // Scales of columns lie along the last axis, or along the first of a transposed matrix.
    const byColumn = scales.every((d, i) => d === 1 || (transB ? scales.length === 2 && i === 0 : i === scales.length - 1));
    if (!o || transA || w.length !== 2 || m.value('w').def.k !== 'const' || !byColumn) return undefined;
    const single = depthCuts(o.x, o.w, transB)?.length === 2;
    const sums = m.apply1(MatMulInteger, [o.x.x, o.w.x, o.x.zero, o.w.zero], { transB, to: single ? 'f32' : 'i32' });
    if (!single && !isNative(sums, profile)) return undefined;
    return scaled(m, sums, transB ? scales.slice(0, 1) : scales.slice(-1));
  });

/** Bytes that are made for one product get the sign that its dot products take, so that they need not be moved there. */
const integerOps = [ConvInteger, MatMulInteger];
const bytes = (profile: Profile): Rule =>
  rule(
    'the sign of bytes that dot products take',
    op(
      integerOps,
      [op(QuantizeLinear, [any('x'), any('scale'), constantOf('made')], { once: true }), any('w'), constantOf('read')],
      {
        more: true,
        when: n => n.op.native?.(n, profile) === true,
      },
    ),
    m => {
      const to = dotBytes(profile);
      const [made, read] = [m.tensor('made'), m.tensor('read')];
      if (!to || made.dtype === to || !byteRange(made.dtype) || read.dtype !== made.dtype) return undefined;
      const by = to === 'u8' ? 128 : -128;
      const moved = (t: Tensor): Value =>
        constant(
          fromNumbers(
            to,
            t.dims,
            toNumbers(t).map(z => z + by),
          ),
        );
      const q = m.apply1(QuantizeLinear, [m.value('x'), m.value('scale'), moved(made)]);
      return m.apply1(m.root.op, [q, m.value('w'), moved(read), ...m.root.inputs.slice(3)], m.root.attrs);
    },
  );

const rules = (profile: Profile): readonly Rule[] => [convolution(profile), product(profile), bytes(profile)];

export const integerProducts: GraphPass = {
  name: 'integer-products',
  doc: 'Products and convolutions of dequantized integers become products of the integers and a scale; bytes get the sign that the target wants.',
  rules,
  run: (g, { profile }) => rewriteGraph(g, rules(profile)),
};
