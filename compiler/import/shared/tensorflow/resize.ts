import { must } from '../../../core/diagnostic.ts';
import { staticDims, type Dim } from '../../../core/dim.ts';
import { isFloat } from '../../../core/dtype.ts';
import type { Value } from '../../../graph/graph.ts';
import { roundHalfEven } from '../../../kernel/eval/scalar.ts';
import { Gather } from '../../../ops/movement/gather.ts';
import { spatialAxes, type Layout } from '../../../ops/spatial.ts';
import { Resize } from '../../../ops/resample/resize.ts';
import { rankOf } from '../axes.ts';
import type { ImportBuilder } from '../builder.ts';
import { einsum } from '../einsum.ts';
import { cast } from '../views.ts';

/** Where elements of a resized axis lie in the input: from the first to the last element, by their middles, or by their left edges. */
type Coordinates = 'align_corners' | 'half_pixel' | 'legacy';
export const coordinatesOf = (alignCorners: boolean, halfPixel: boolean): Coordinates =>
  alignCorners ? 'align_corners' : halfPixel ? 'half_pixel' : 'legacy';
export interface Resizing {
  readonly layout: Layout;
  /** The sizes of the spatial axes of the result. */
  readonly sizes: readonly Dim[];
  readonly coordinates: Coordinates;
}
const { fround } = Math;
/** Input elements to one output element, in the f32 arithmetic of TensorFlow (core/util/image_resizer_state.h). */
const step = (input: number, output: number, of: Coordinates): number =>
  of === 'align_corners' && output > 1 ? fround((input - 1) / (output - 1)) : fround(input / output);

function resized(
  c: ImportBuilder,
  x: Value,
  o: Resizing,
  mode: 'nearest' | 'linear',
  coordinates: string,
  nearest: string,
): Value {
  const shape = [...x.type.shape];
  spatialAxes(o.layout, rankOf(x)).forEach((a, i) => (shape[a] = must(o.sizes[i])));
  const none = shape.map(() => 0);
  const attrs = { shape, scales: none, starts: none, ends: shape.map(() => 1), mode, coordinates, nearest };
  return c.apply1(Resize, [x], attrs);
}
/** The result in f32, as ResizeBilinear has it whatever the type of x. */
export function resizeBilinear(c: ImportBuilder, x: Value, o: Resizing): Value {
  const wide = isFloat(x.type.dtype) ? x : cast(c, x, 'f32');
  const coordinates = o.coordinates === 'legacy' ? 'asymmetric' : o.coordinates;
  return resized(c, wide, o, 'linear', coordinates, 'floor');
}

/** Which input element an output element of ResizeNearestNeighbor is (core/kernels/image/resize_nearest_neighbor_op.cc). */
function nearestPlaces(input: number, output: number, of: Coordinates): number[] {
  const scale = step(input, output, of);
  return Array.from({ length: output }, (_, i) => {
    const at = fround((of === 'half_pixel' ? i + 0.5 : i) * scale);
    const place = of === 'align_corners' ? Math.floor(at + 0.5) : Math.floor(at);
    return Math.max(0, Math.min(place, input - 1));
  });
}
/** The same as `Resize` computes it in f64: near a whole number they may differ. */
function exactPlace(i: number, input: number, output: number, of: Coordinates): number {
  const at =
    of === 'align_corners'
      ? Math.floor((output > 1 ? (i * (input - 1)) / (output - 1) : 0) + 0.5)
      : Math.floor((of === 'half_pixel' ? i + 0.5 : i) / (output / input));
  return Math.max(0, Math.min(at, input - 1));
}
export function resizeNearest(c: ImportBuilder, x: Value, o: Resizing): Value {
  const coordinates = { align_corners: 'align_corners', half_pixel: 'tf_half_pixel_for_nn', legacy: 'asymmetric' }[o.coordinates];
  const rounding = o.coordinates === 'align_corners' ? 'round_prefer_ceil' : 'floor';
  const axes = spatialAxes(o.layout, rankOf(x));
  // Where rounding in f32 tells another neighbour, it is gathered.
  const odd = axes.flatMap((axis, i) => {
    const [input, output] = [x.type.shape[axis], o.sizes[i]];
    if (typeof input !== 'number' || typeof output !== 'number') return [];
    c.room(output, 'places along a resized axis');
    const places = nearestPlaces(input, output, o.coordinates);
    return places.some((p, at) => p !== exactPlace(at, input, output, o.coordinates)) ? [{ axis, i, places }] : [];
  });
  const gathered = odd.reduce((v, { axis, places }) => c.apply1(Gather, [v, c.literal('i64', places)], { axis }), x);
  const done = new Set(odd.map(d => d.axis));
  if (done.size === axes.length) return gathered;
  return resized(c, gathered, o, 'nearest', coordinates, rounding);
}

/** Weights [output, input] of an axis. */
type Weights = (input: number, output: number) => Float64Array;
/** Resizes each spatial axis by a product with a matrix of weights. The result is f32. */
function byWeights(c: ImportBuilder, x: Value, o: Resizing, weights: Weights): Value {
  const axes = spatialAxes(o.layout, rankOf(x));
  const letters = 'nabcdefgh'.slice(0, rankOf(x));
  return axes.reduce(
    (v, axis, i) => {
      const [input, output] = staticDims([must(x.type.shape[axis]), must(o.sizes[i])]) ?? [];
      if (input === undefined || output === undefined)
        return c.unsupported('it resizes open sizes by a filter; fix them with --dim');
      c.room(input * output, 'weights of a resized axis');
      const w = c.literal('f32', weights(input, output), [output, input]);
      const from = letters.charAt(axis);
      return einsum(c, `${letters},z${from}->${letters.replace(from, 'z')}`, [v, w]);
    },
    cast(c, x, 'f32'),
  );
}
/** The mean of the part of the input that an output element covers (core/kernels/image/resize_area_op.cc). */
export const resizeArea = (c: ImportBuilder, x: Value, o: Resizing): Value =>
  byWeights(c, x, o, (input, output) => {
    const scale = step(input, output, o.coordinates);
    const w = new Float64Array(input * output);
    for (let i = 0; i < output; i++) {
      const [from, to] = [fround(i * scale), fround((i + 1) * scale)];
      for (let j = Math.floor(from); j < Math.ceil(to); j++) {
        const covered = Math.min(j + 1, to) - Math.max(j, from);
        const at = i * input + Math.max(0, Math.min(j, input - 1));
        w[at] = (w[at] ?? 0) + covered / scale;
      }
    }
    return w;
  });

/** Steps between two elements at which the table of TensorFlow's cubic filter has values. */
const CUBIC_STEPS = 1024;
/** Smaller sums of weights are not divided by. */
const LEAST_SUM = 1000 * 2 ** -126;
/**
 * Keys' cubic filter at 1024 steps between elements (core/kernels/image/resize_bicubic_op.cc). By the middles of elements it has the
 * parameter -1/2 and leaves out what is outside, else -3/4 and the element at the border counts.
 */
export const resizeBicubic = (c: ImportBuilder, x: Value, o: Resizing): Value =>
  byWeights(c, x, o, (input, output) => {
    const half = o.coordinates === 'half_pixel';
    const a = half ? -0.5 : -0.75;
    const near = (d: number): number => ((a + 2) * d - (a + 3)) * d * d + 1;
    const far = (d: number): number => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
    const scale = step(input, output, o.coordinates);
    const w = new Float64Array(input * output);
    for (let i = 0; i < output; i++) {
      const at = half ? fround(fround((i + 0.5) * scale) - 0.5) : fround(i * scale);
      const first = Math.floor(at);
      const f = roundHalfEven((at - first) * CUBIC_STEPS) / CUBIC_STEPS;
      const taps = [far(1 + f), near(f), near(1 - f), far(2 - f)];
      const inside = (t: number): boolean => first - 1 + t >= 0 && first - 1 + t < input;
      const used = taps.map((v, t) => (half && !inside(t) ? 0 : v));
      const sum = half ? used.reduce((s, v) => s + v, 0) : 1;
      used.forEach((v, t) => {
        const j = i * input + Math.max(0, Math.min(first - 1 + t, input - 1));
        w[j] = (w[j] ?? 0) + (Math.abs(sum) >= LEAST_SUM ? v / sum : v);
      });
    }
    return w;
  });
