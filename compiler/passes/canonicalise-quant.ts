import { must } from '../core/diagnostic.ts';
import { limitsOf } from '../core/dtype.ts';
import { splatOf } from '../core/tensor.ts';
import { any, constantOf, op, rule, type Match, type Rule } from '../graph/rewrite.ts';
import { Conv } from '../ops/conv/conv.ts';
import { attrsOf } from '../ops/define.ts';
import { Cast, Clip, Div, Round, Sub } from '../ops/elementwise/index.ts';
import { MatMul } from '../ops/matmul/matmul.ts';
import { QuantizeLinear } from '../ops/quant/quant.ts';
import { magnitudeOf } from './bounds.ts';
import { out } from './match.ts';

/**
 * Rules over what is quantized and only read as floats again: it stays in floats, rounded and clamped. An integer has no NaN and no -0:
 * the value must be known to be finite, and -0 is lost in the sums of the product that reads it, which begin with +0.
 */
const products = [Conv, MatMul];
const whole = { once: true };
const quantized = op(Cast, [op(QuantizeLinear, [any('x'), constantOf('scale'), constantOf('zero')], whole)], whole);
const exact = { more: true, when: (n: Parameters<typeof attrsOf>[0]): boolean => attrsOf(n, ...products).exact };

/** The product of clamp(round(x / scale), lo - zero, hi - zero) with what else the root reads. */
function inFloats(m: Match, offset: number): ReturnType<Match['apply1']> | undefined {
  const x = m.value('x');
  const [scale, zero] = [m.tensor('scale'), m.tensor('zero')];
  const s = splatOf(scale);
  const z = splatOf(zero);
  const quotients = s !== undefined && s !== 0 && !Number.isNaN(s) && magnitudeOf(x) !== undefined;
  if (x.type.dtype !== 'f32' || out(m.root).type.dtype !== 'f32' || !quotients || z !== offset) return undefined;
  const [lo, hi] = limitsOf(zero.dtype).map(Number);
  const steps = m.apply1(Round, [s === 1 ? x : m.apply1(Div, [x, m.value('scale')])]);
  const clamped = m.apply1(Clip, [steps], { lo: must(lo) - z, hi: must(hi) - z });
  return m.apply1(m.root.op, [clamped, ...m.root.inputs.slice(1)], m.root.attrs);
}
export const quantRules: readonly Rule[] = [
  rule('a product of a quantized value', op(products, [quantized], exact), m => inFloats(m, 0)),
  rule(
    'a product of a quantized value less its zero point',
    op(products, [op(Sub, [quantized, constantOf('offset')], whole)], exact),
    m => {
      const offset = splatOf(m.tensor('offset'));
      return offset === undefined ? undefined : inFloats(m, offset);
    },
  ),
];
