import { must } from '../../../core/diagnostic.ts';
import type { Tensor } from '../../../core/tensor.ts';
import { fromTyped, numel, typed } from '../../../core/tensor.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { axisOf, rankOf } from '../../shared/axes.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { cast } from '../../shared/views.ts';
import type { KerasBuilder } from '../registry.ts';

/** Weights and inputs as quantized models of Keras 3 have them (keras/src/quantizers/quantizers.py). */

/** Two numbers of 4 bits a byte along an axis, the lower bits first, as bytes; `length`: how many there were. */
export function unpackInt4(c: KerasBuilder, t: Tensor, axis: number, length: number): Tensor {
  const at = axis < 0 ? axis + t.dims.length : axis;
  const half = must(t.dims[at], 'axis');
  if (Math.ceil(length / 2) !== half) c.reject(`${length} numbers of 4 bits are not packed into ${half} bytes`);
  const inner = numel(t.dims.slice(at + 1));
  const outer = numel(t.dims.slice(0, at));
  const from = typed(t);
  const out = new Int8Array(outer * length * inner);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < length; i++)
      for (let k = 0; k < inner; k++) {
        const byte = Number(from[(o * half + (i >> 1)) * inner + k]);
        const four = i % 2 === 0 ? byte & 15 : (byte >> 4) & 15;
        out[(o * length + i) * inner + k] = (four ^ 8) - 8;
      }
  return fromTyped('i8', t.dims.with(at, length), out);
}
/** x as whole numbers up to 127 in size, with what they were multiplied by: the greatest of each group along an axis becomes 127. */
export function absMaxQuantized(
  c: KerasBuilder,
  x: Value,
  axes: readonly number[],
): { readonly y: Value; readonly scale: Value } {
  const number = (v: number): Value => c.literal(x.type.dtype, v);
  const most = reduceOver(
    c,
    'max',
    c.apply1(e.Abs, [x]),
    axes.map(a => axisOf(c, a, rankOf(x))),
    true,
  );
  const scale = c.apply1(e.Div, [number(127), c.apply1(e.Add, [most, number(1e-7)])]);
  const rounded = c.apply1(e.Round, [c.apply1(e.Mul, [x, scale])]);
  return { y: c.apply1(e.Clip, [rounded], { lo: -127, hi: 127 }), scale };
}
/** x rounded to 8-bit floats of the format e4m3 and back, as layers of the mode float8 do. */
export function throughFloat8(c: KerasBuilder, x: Value, scale: Value): Value {
  const s = cast(c, scale, x.type.dtype);
  const small = c.apply1(e.Clip, [c.apply1(e.Div, [x, s])], { lo: -448, hi: 448 });
  return c.apply1(e.Mul, [cast(c, cast(c, small, 'f8e4m3fn'), x.type.dtype), s]);
}
