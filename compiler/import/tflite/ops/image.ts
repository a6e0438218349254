import { must } from '../../../core/diagnostic.ts';
import type { Value } from '../../../graph/graph.ts';
import { magnitude, partOf, realTransform } from '../../shared/tensorflow/fourier.ts';
import { coordinatesOf, resizeBilinear, resizeNearest, type Resizing } from '../../shared/tensorflow/resize.ts';
import { askedSizes } from '../asked.ts';
import type { TfliteCtx, TfliteNode, TfliteOps } from '../registry.ts';
import { moving, overReals } from './real.ts';

/** Operators over pictures and signals. */

const resizing = (n: TfliteNode, c: TfliteCtx): Resizing => ({
  layout: 'NHWC',
  sizes: askedSizes(n, c, n.input(1), 1),
  coordinates: coordinatesOf(n.bool('align_corners'), n.bool('half_pixel_centers')),
});
/** Complex numbers are pairs along a last axis. */
const complex = (f: (c: TfliteCtx, x: Value) => Value) => (n: TfliteNode, c: TfliteCtx) => [f(c, n.input(0))];

export const imageOps: TfliteOps = {
  RESIZE_BILINEAR: overReals((n, c, [x]) => resizeBilinear(c, must(x), resizing(n, c))),
  RESIZE_NEAREST_NEIGHBOR: moving((n, c, [x]) => [resizeNearest(c, must(x), resizing(n, c))]),
  RFFT2D: (n, c) => [realTransform(c, n.input(0), c.dimsIn(n.input(1), 'lengths'))],
  COMPLEX_ABS: complex(magnitude),
  REAL: complex((c, x) => partOf(c, x, 'real')),
  IMAG: complex((c, x) => partOf(c, x, 'imaginary')),
};
