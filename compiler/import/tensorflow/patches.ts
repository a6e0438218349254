import { must } from '../../core/diagnostic.ts';
import { dimAdd, dimMul, dimSub } from '../../core/dim.ts';
import type { Value } from '../../graph/graph.ts';
import { Pad } from '../../ops/movement/pad.ts';
import { indices, slidSizes } from '../../ops/spatial.ts';
import type { ImportBuilder } from '../shared/builder.ts';
import { windowAttrs, type Padding } from '../shared/tensorflow/window.ts';
import { slice } from '../shared/views.ts';

interface Patches {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padding: Padding;
  /** What padding holds. */
  readonly fill: number;
}
/** Windows have at most so many elements. */
const MOST = 4096;
/** What each element of a window that slides over [N, …spatial, C] meets: one tensor of the result's sizes for each, in row-major order. */
export function patches(c: ImportBuilder, x: Value, o: Patches): Value[] {
  const w = windowAttrs(c, x, o.kernel, { layout: 'NHWC', strides: o.strides, dilations: o.dilations, padding: o.padding });
  const count = o.kernel.length;
  const spatial = x.type.shape.slice(1, 1 + count);
  const sizes = slidSizes(w, spatial, o.kernel);
  const elements = o.kernel.reduce((a, b) => a * b, 1);
  if (elements > MOST) c.unsupported(`windows of ${elements} elements`);
  const begin = [0, ...w.pads.slice(0, count), 0];
  // As far as the last window reaches, and no further.
  const end = spatial.map((d, i) => {
    const reach = dimAdd(
      dimMul(dimSub(must(sizes[i]), 1), must(o.strides[i])),
      (must(o.kernel[i]) - 1) * must(o.dilations[i]) + 1,
    );
    return dimSub(dimSub(reach, d), must(w.pads[i]));
  });
  const value = o.fill === 0 ? undefined : c.literal(x.type.dtype, o.fill);
  const padded = c.apply1(Pad, [x, value], { mode: 'constant', begin, end: [0, ...end, 0] });
  // The walk gives one array again and again.
  return Array.from(indices(o.kernel), at => [...at]).map(at =>
    slice(
      c,
      padded,
      new Map(at.map((k, i) => [i + 1, { start: k * must(o.dilations[i]), size: must(sizes[i]), step: must(o.strides[i]) }])),
    ),
  );
}
