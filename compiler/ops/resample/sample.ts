import { must } from '../../core/diagnostic.ts';
import { dimMul, dimProd, type Dim } from '../../core/dim.ts';
import { isFloat, isInt } from '../../core/dtype.ts';
import { elements, tensorType } from '../../core/shape.ts';
import { fromNumbers, numel, stridesOf, toNumbers } from '../../core/tensor.ts';
import type { Node } from '../../graph/graph.ts';
import { attr, defineOp } from '../define.ts';
import { lowerDeformed, lowerGridSample, lowerRoiAlign, lowerRoiPool } from './schedules/sample.ts';
import { checkWindow, indices, slidSizes } from '../spatial.ts';
import { SAMPLE_MODES, type SampleMode, BORDERS, type Border } from './sample-modes.ts';

/** Operators that read a [N, C, …] tensor between its elements, at places that come from data. */

/** One element that a sample is made of along one axis; outside of the input where `at` is undefined. */
interface AxisTap {
  readonly at: number | undefined;
  readonly weight: number;
}
/** A position mirrored at both ends until it lies between them. */
function reflected(x: number, lo: number, hi: number): number {
  const range = hi - lo;
  if (range <= 0) return lo;
  const away = x < lo ? lo - x : x > hi ? x - hi : 0;
  if (away === 0) return x;
  const n = Math.trunc(away / range);
  const r = away - n * range;
  return (n % 2 === 0) === x < lo ? lo + r : hi - r;
}
const cubicWeights = (f: number): number[] => {
  const a = -0.75;
  const far = (x: number): number => ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  const near = (x: number): number => ((a + 2) * x - (a + 3)) * x * x + 1;
  return [far(f + 1), near(f), near(1 - f), far(2 - f)];
};
/** The taps of a position in -1..1 (`position`) along an axis of `size` elements. */
function axisTaps(position: number, size: number, mode: SampleMode, border: Border, alignCorners: boolean): AxisTap[] {
  const [lo, hi] = alignCorners ? [0, size - 1] : [-0.5, size - 0.5];
  let x = Math.fround(alignCorners ? ((position + 1) / 2) * (size - 1) : ((position + 1) * size - 1) / 2);
  if (Number.isNaN(x)) x = 0;
  if (mode === 'nearest') x = roundEven(x);
  if (x < lo || x > hi)
    x = border === 'border' ? Math.max(0, Math.min(x, size - 1)) : border === 'reflection' ? reflected(x, lo, hi) : x;
  const tap = (i: number, weight: number): AxisTap => {
    if (border === 'zeros') return { at: i >= 0 && i < size ? i : undefined, weight };
    const at = border === 'border' ? i : Math.trunc(reflected(i, lo, hi));
    return { at: Math.max(0, Math.min(at, size - 1)), weight };
  };
  if (mode === 'nearest') return [tap(Math.trunc(x), 1)];
  const first = Math.floor(x);
  const f = x - first;
  if (mode === 'linear') return [tap(first, 1 - f), tap(first + 1, f)];
  return cubicWeights(f).map((w, i) => tap(first - 1 + i, w));
}
function roundEven(x: number): number {
  const f = Math.floor(x);
  const d = x - f;
  return d > 0.5 || (d === 0.5 && f % 2 !== 0) ? f + 1 : f;
}
/** A sample from one plane. */
function sample(plane: Float64Array, at: number, strides: readonly number[], axes: readonly (readonly AxisTap[])[]): number {
  let sum = 0;
  for (const pick of indices(axes.map(a => a.length))) {
    const chosen = pick.map((p, i) => must(axes[i]?.[p]));
    if (chosen.some(t => t.at === undefined)) continue;
    const place = chosen.reduce((p, t, i) => p + (t.at ?? 0) * must(strides[i]), at);
    sum += chosen.reduce((w, t) => w * t.weight, 1) * must(plane[place]);
  }
  return sum;
}

export const GridSample = defineOp({
  name: 'GridSample',
  doc: 'Samples of x: [N, C, …] at the positions grid: [N, …out, axes] (last axis of x first), -1..1 from one side to the other.',
  inputs: ['x', 'grid'],
  attrs: {
    mode: attr.oneOf(SAMPLE_MODES, 'linear'),
    border: attr.oneOf(BORDERS, 'zeros'),
    alignCorners: attr.bool(false),
  },
  infer: c => {
    const [x, grid] = [must(c.types[0]), must(c.types[1])];
    const n = x.shape.length - 2;
    if (n < 1) c.reject(`x has ${x.shape.length} axes, at least 3 are needed`);
    if (!isFloat(grid.dtype)) c.reject(`the grid is ${grid.dtype}, must be floats`);
    if (!isFloat(x.dtype)) c.reject(`takes floats, not ${x.dtype}`);
    if (grid.shape.length !== n + 2) c.reject(`the grid has ${grid.shape.length} axes, must have ${n + 2}`);
    c.same(must(grid.shape.at(-1)), n, 'coordinates of a position');
    const batch = c.same(must(x.shape[0]), must(grid.shape[0]), 'batches of x and of the grid');
    return [tensorType(x.dtype, [batch, must(x.shape[1]), ...grid.shape.slice(1, -1)])];
  },
  eval: (c, x, grid) => {
    const [t, g] = [must(x), must(grid)];
    const dims = c.dims(0);
    const sizes = t.dims.slice(2);
    const strides = stridesOf(sizes);
    const [from, positions] = [toNumbers(t), toNumbers(g)];
    const [batch, channels] = [must(dims[0]), must(dims[1])];
    const [plane, area] = [numel(sizes), numel(dims.slice(2))];
    const out = new Float64Array(numel(dims));
    const { mode, border, alignCorners } = c.attrs;
    for (let n = 0; n < batch; n++)
      for (let o = 0; o < area; o++) {
        const at = (n * area + o) * sizes.length;
        const axes = sizes.map((s, i) => axisTaps(must(positions[at + sizes.length - 1 - i]), s, mode, border, alignCorners));
        for (let ch = 0; ch < channels; ch++)
          out[(n * channels + ch) * area + o] = sample(from, (n * channels + ch) * plane, strides, axes);
      }
    return [fromNumbers(t.dtype, dims, out)];
  },
  macs: n => dimMul(elements(must(n.outputs[0]).type), 4),
  lower: { k: 'kernel', iterationSpace: eachAxis, build: lowerGridSample },
});
function eachAxis(n: Node): number[][] {
  return must(n.outputs[0]).type.shape.map((_, i) => [i]);
}

export const DeformedColumns = defineOp({
  name: 'DeformedColumns',
  doc: 'The inputs of a deformable convolution: [N, C, kernel elements, output positions], each sampled (linear, zeros outside) where the window has it, moved by an offset, times a mask. offset: [N, groups * elements * axes, …out], mask: [N, groups * elements, …out].',
  inputs: ['x', 'offset', 'mask?'],
  attrs: {
    strides: attr.ints(),
    pads: attr.dims(),
    dilations: attr.ints(),
    kernel: attr.ints(),
    offsetGroups: attr.int(1),
  },
  infer: c => {
    const [x, offset, mask] = c.types;
    const t = must(x);
    const n = t.shape.length - 2;
    if (n < 1) c.reject('x must be [N, C, …]');
    if (!isFloat(t.dtype)) c.reject(`takes floats, not ${t.dtype}`);
    checkWindow(c.attrs, c.attrs.kernel, n, why => c.reject(why));
    const size = numel(c.attrs.kernel);
    const out = slidSizes(c.attrs, t.shape.slice(2), c.attrs.kernel);
    const check = (s: readonly Dim[], channels: number, what: string): void => {
      if (s.length !== n + 2) c.reject(`the ${what} has ${s.length} axes, must have ${n + 2}`);
      [must(t.shape[0]), channels, ...out].forEach((d, i) => c.same(d, must(s[i]), `axis ${i} of the ${what}`));
    };
    check(must(offset).shape, c.attrs.offsetGroups * size * n, 'offset');
    if (mask) check(mask.shape, c.attrs.offsetGroups * size, 'mask');
    return [tensorType(t.dtype, [must(t.shape[0]), must(t.shape[1]), size, dimProd(out)])];
  },
  eval: (c, x, offset, mask) => {
    const t = must(x);
    const { kernel, strides, dilations, offsetGroups } = c.attrs;
    const dims = c.dims(0);
    const sizes = t.dims.slice(2);
    const n = sizes.length;
    const before = sizes.map((_, i) => c.dim(must(c.attrs.pads[i])));
    const outs = must(offset).dims.slice(2);
    const [batch, channels, size, area] = [must(dims[0]), must(dims[1]), must(dims[2]), must(dims[3])];
    const from = toNumbers(t);
    const moves = toNumbers(must(offset));
    const factors = mask && toNumbers(mask);
    const plane = numel(sizes);
    const planeStrides = stridesOf(sizes);
    const out = new Float64Array(numel(dims));
    const perGroup = channels / offsetGroups;
    for (let b = 0; b < batch; b++)
      for (let g = 0; g < offsetGroups; g++) {
        let e = 0;
        for (const j of indices(kernel)) {
          let o = 0;
          for (const place of indices(outs)) {
            const axes = sizes.map((s, a): AxisTap[] => {
              const move = must(moves[((b * offsetGroups + g) * size * n + e * n + a) * area + o]);
              const p = must(place[a]) * must(strides[a]) - must(before[a]) + must(j[a]) * must(dilations[a]) + move;
              const first = Math.floor(p);
              const tap = (i: number, weight: number): AxisTap => ({ at: i >= 0 && i < s ? i : undefined, weight });
              return [tap(first, 1 - (p - first)), tap(first + 1, p - first)];
            });
            const factor = factors ? must(factors[((b * offsetGroups + g) * size + e) * area + o]) : 1;
            for (let ch = g * perGroup; ch < (g + 1) * perGroup; ch++)
              out[((b * channels + ch) * size + e) * area + o] =
                factor * sample(from, (b * channels + ch) * plane, planeStrides, axes);
            o++;
          }
          e++;
        }
      }
    return [fromNumbers(t.dtype, dims, out)];
  },
  lower: { k: 'kernel', build: lowerDeformed },
});

export const RoiAlign = defineOp({
  name: 'RoiAlign',
  doc: 'Pools the parts of x: [N, C, H, W] that rois: [R, 4] (x and y of two corners) name, each in the picture of its batch index, over a grid of samples.',
  inputs: ['x', 'rois', 'batch'],
  attrs: {
    of: attr.oneOf(['mean', 'max'], 'mean'),
    height: attr.int(),
    width: attr.int(),
    /** Samples along each axis of a bin; 0: as many as the bin has elements. */
    samples: attr.int(0),
    scale: attr.float(1),
    halfPixel: attr.bool(true),
  },
  infer: c => {
    const [x, rois, batch] = [must(c.types[0]), must(c.types[1]), must(c.types[2])];
    if (x.shape.length !== 4) c.reject(`x has ${x.shape.length} axes, must have 4`);
    if (!isFloat(x.dtype) || !isFloat(rois.dtype)) c.reject('x and rois must be floats');
    if (!isInt(batch.dtype)) c.reject(`batch indices must be integers, not ${batch.dtype}`);
    if (rois.shape.length !== 2 || batch.shape.length !== 1) c.reject('rois must be [R, 4], batch indices [R]');
    c.same(must(rois.shape[1]), 4, 'corners of a region');
    const count = c.same(must(rois.shape[0]), must(batch.shape[0]), 'regions and their batch indices');
    return [tensorType(x.dtype, [count, must(x.shape[1]), c.attrs.height, c.attrs.width])];
  },
  eval: (c, x, rois, batch) => {
    const t = must(x);
    const [, channels = 0, h = 0, w = 0] = t.dims;
    const { height, width, samples, scale, halfPixel, of } = c.attrs;
    const dims = c.dims(0);
    const from = toNumbers(t);
    const r = toNumbers(must(rois));
    const pictures = toNumbers(must(batch));
    const out = new Float64Array(numel(dims));
    const shift = halfPixel ? 0.5 : 0;
    let q = 0;
    for (let i = 0; i < (dims[0] ?? 0); i++) {
      const at = (j: number): number => must(r[i * 4 + j]) * scale - shift;
      const [x0, y0, x1, y1] = [at(0), at(1), at(2), at(3)];
      const size = (a: number, b: number): number => (halfPixel ? b - a : Math.max(b - a, 1));
      const [binH, binW] = [size(y0, y1) / height, size(x0, x1) / width];
      const [nh, nw] = [samples > 0 ? samples : Math.ceil(binH), samples > 0 ? samples : Math.ceil(binW)];
      const picture = Math.max(0, Math.min(must(pictures[i]), (t.dims[0] ?? 1) - 1));
      for (let ch = 0; ch < channels; ch++)
        for (let ph = 0; ph < height; ph++)
          for (let pw = 0; pw < width; pw++) {
            let acc = 0;
            let first = true;
            for (let iy = 0; iy < nh; iy++)
              for (let ix = 0; ix < nw; ix++) {
                const y = y0 + ph * binH + ((iy + 0.5) * binH) / nh;
                const xx = x0 + pw * binW + ((ix + 0.5) * binW) / nw;
                const parts = corners(from, (picture * channels + ch) * h * w, y, xx, h, w);
                if (of === 'mean') acc += parts.reduce((s, v) => s + v, 0);
                else acc = first ? Math.max(...parts) : Math.max(acc, ...parts);
                first = false;
              }
            out[q++] = of === 'mean' ? acc / Math.max(nh * nw, 1) : acc;
          }
    }
    return [fromNumbers(t.dtype, dims, out)];
  },
  lower: { k: 'kernel', iterationSpace: eachAxis, build: lowerRoiAlign },
});
/** The four neighbours of a place, each times its weight; zeros far outside. */
function corners(from: Float64Array, at: number, y: number, x: number, h: number, w: number): number[] {
  if (y < -1 || y > h || x < -1 || x > w) return [0, 0, 0, 0];
  const axis = (v: number, n: number): { lo: number; hi: number; f: number } => {
    const p = Math.max(v, 0);
    const lo = Math.trunc(p);
    return lo >= n - 1 ? { lo: n - 1, hi: n - 1, f: 0 } : { lo, hi: lo + 1, f: p - lo };
  };
  const [a, b] = [axis(y, h), axis(x, w)];
  const v = (i: number, j: number): number => must(from[at + i * w + j]);
  return [
    (1 - a.f) * (1 - b.f) * v(a.lo, b.lo),
    (1 - a.f) * b.f * v(a.lo, b.hi),
    a.f * (1 - b.f) * v(a.hi, b.lo),
    a.f * b.f * v(a.hi, b.hi),
  ];
}

export const RoiPool = defineOp({
  name: 'RoiPool',
  doc: 'The largest elements of the bins of regions of x: [N, C, H, W]; rois: [R, 5] (picture, x and y of two corners).',
  inputs: ['x', 'rois'],
  attrs: { height: attr.int(), width: attr.int(), scale: attr.float(1) },
  infer: c => {
    const [x, rois] = [must(c.types[0]), must(c.types[1])];
    if (x.shape.length !== 4 || rois.shape.length !== 2) c.reject('x must be [N, C, H, W], rois [R, 5]');
    if (!isFloat(x.dtype) || !isFloat(rois.dtype)) c.reject('x and rois must be floats');
    c.same(must(rois.shape[1]), 5, 'numbers of a region');
    return [tensorType(x.dtype, [must(rois.shape[0]), must(x.shape[1]), c.attrs.height, c.attrs.width])];
  },
  eval: (c, x, rois) => {
    const t = must(x);
    const [batch = 0, channels = 0, h = 0, w = 0] = t.dims;
    const { height, width, scale } = c.attrs;
    const dims = c.dims(0);
    const from = toNumbers(t);
    const r = toNumbers(must(rois));
    const out = new Float64Array(numel(dims));
    const away = (v: number): number => (v < 0 ? -Math.floor(0.5 - v) : Math.floor(v + 0.5));
    let q = 0;
    for (let i = 0; i < (dims[0] ?? 0); i++) {
      const picture = Math.max(0, Math.min(Math.trunc(must(r[i * 5])), batch - 1));
      const at = (j: number): number => away(must(r[i * 5 + j]) * scale);
      const [x0, y0, x1, y1] = [at(1), at(2), at(3), at(4)];
      const [binH, binW] = [Math.max(y1 - y0 + 1, 1) / height, Math.max(x1 - x0 + 1, 1) / width];
      const span = (p: number, bin: number, start: number, n: number): [number, number] => [
        Math.max(0, Math.min(Math.floor(p * bin) + start, n)),
        Math.max(0, Math.min(Math.ceil((p + 1) * bin) + start, n)),
      ];
      for (let ch = 0; ch < channels; ch++)
        for (let ph = 0; ph < height; ph++)
          for (let pw = 0; pw < width; pw++) {
            const [ya, yb] = span(ph, binH, y0, h);
            const [xa, xb] = span(pw, binW, x0, w);
            let best = yb <= ya || xb <= xa ? 0 : -Infinity;
            for (let y = ya; y < yb; y++)
              for (let xx = xa; xx < xb; xx++) best = Math.max(best, must(from[((picture * channels + ch) * h + y) * w + xx]));
            out[q++] = best;
          }
    }
    return [fromNumbers(t.dtype, dims, out)];
  },
  lower: { k: 'kernel', iterationSpace: eachAxis, build: lowerRoiPool },
});
