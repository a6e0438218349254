import { must } from '../../../core/diagnostic.ts';
import { dimEq, dimMin, type Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { rankOf } from '../axes.ts';
import type { ImportBuilder } from '../builder.ts';
import { transform } from '../fourier.ts';
import { reshape, slice } from '../views.ts';

/** Fourier transforms and complex numbers of TensorFlow: pairs along a last axis, which the shapes of TensorFlow do not have. */

/** The transform of real x over its last axes, as many as there are lengths: what is missing is zero, what is over is cut off. */
export function realTransform(c: ImportBuilder, x: Value, lengths: readonly Dim[]): Value {
  const first = rankOf(x) - lengths.length;
  if (first < 0) c.reject(`${lengths.length} lengths for ${rankOf(x)} axes`);
  const start = reshape(c, x, [...x.type.shape, 1]);
  return lengths.reduceRight((v: Value, length, i) => {
    const axis = first + i;
    const size = must(v.type.shape[axis]);
    const least = dimMin(size, length);
    const cut = dimEq(least, size) ? v : slice(c, v, new Map([[axis, { start: 0, size: least, step: 1 }]]));
    return transform(c, cut, { axis, length, inverse: false, onesided: i === lengths.length - 1 });
  }, start);
}
/** The real or the imaginary parts. */
export function partOf(c: ImportBuilder, x: Value, part: 'real' | 'imaginary'): Value {
  const axis = rankOf(x) - 1;
  const cut = slice(c, x, new Map([[axis, { start: part === 'real' ? 0 : 1, size: 1, step: 1 }]]));
  return reshape(c, cut, x.type.shape.slice(0, -1));
}
/** |x|, by the greater part, so that squares stay finite. */
export function magnitude(c: ImportBuilder, x: Value): Value {
  const [re, im] = [partOf(c, x, 'real'), partOf(c, x, 'imaginary')].map(v => c.apply1(e.Abs, [v]));
  const [a, b] = [must(re), must(im)];
  const [more, less] = [c.apply1(e.Max, [a, b]), c.apply1(e.Min, [a, b])];
  const zero = c.literal(more.type.dtype, 0);
  const none = c.apply1(e.Equal, [more, zero]);
  const part = c.apply1(e.Div, [less, c.apply1(e.Where, [none, c.literal(more.type.dtype, 1), more])]);
  const root = c.apply1(e.Sqrt, [c.apply1(e.Add, [c.literal(more.type.dtype, 1), c.apply1(e.Mul, [part, part])])]);
  return c.apply1(e.Mul, [more, root]);
}
