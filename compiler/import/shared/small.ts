import { greatest, isMiniFloat } from '../../core/codes.ts';
import { isFloat, type DType } from '../../core/dtype.ts';
import type { GraphBuilder } from '../../graph/build.ts';
import type { Value } from '../../graph/graph.ts';
import * as e from '../../ops/elementwise/index.ts';
import { cast } from './views.ts';

/** How a number between two powers of two becomes one of them. */
export type RoundMode = 'up' | 'down' | 'nearest';
interface SmallCast {
  /** Whether numbers beyond the greatest, and infinities, become the greatest; else they become what the type has for them. */
  readonly saturate: boolean;
  /** For f8e8m0. */
  readonly round: RoundMode;
}

/** x as another element type, as ONNX's Cast defines it for small floats (https://onnx.ai/onnx/technical/float8.html). */
export function castTo(c: GraphBuilder, x: Value, to: DType, o: SmallCast): Value {
  if (x.type.dtype === to) return x;
  if (to === 'f8e8m0') return powerOfTwo(c, cast(c, x, 'f32'), o);
  // f4e2m1 has nothing beyond its greatest number, so that it always saturates.
  if (!isMiniFloat(to) || !o.saturate || to === 'f4e2m1') return cast(c, x, to);
  const { dtype } = x.type;
  const wide = isFloat(dtype) && dtype !== 'f64' && !isMiniFloat(dtype) ? x : cast(c, x, 'f32');
  return cast(c, c.apply1(e.Clip, [wide], { lo: -greatest(to), hi: greatest(to) }), to);
}
/** The exponent of an f32, which goes up by one as the mantissa says; numbers below 2^-126 have the exponent 0 in an f32 too. */
function powerOfTwo(c: GraphBuilder, x: Value, { saturate, round }: SmallCast): Value {
  const int = (v: number): Value => c.literal('i32', v);
  const bits = c.apply1(e.BitAnd, [c.apply1(e.BitCast, [x], { to: 'i32' }), int(0x7fffffff)]);
  const exponent = c.apply1(e.BitShift, [bits, int(23)], { left: false });
  const code = (v: Value): Value => c.apply1(e.BitCast, [c.apply1(e.Cast, [v], { to: 'u8' })], { to: 'f8e8m0' });
  if (round === 'down') return code(exponent);
  const mantissa = c.apply1(e.BitAnd, [bits, int(0x7fffff)]);
  const half = c.apply1(e.Where, [c.apply1(e.Equal, [exponent, int(0)]), int(0x400000), int(0x3fffff)]);
  const above = c.apply1(e.Greater, [mantissa, round === 'up' ? int(0) : half]);
  const raised = c.apply1(e.And, [above, c.apply1(e.Less, [exponent, int(saturate ? 254 : 255)])]);
  return code(c.apply1(e.Where, [raised, c.apply1(e.Add, [exponent, int(1)]), exponent]));
}
