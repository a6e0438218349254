import { must } from '../../core/diagnostic.ts';
import { dimAdd, dimMul, dimProd, dimSub, type Dim } from '../../core/dim.ts';
import { isFloat } from '../../core/dtype.ts';
import { tensorType, type TensorType } from '../../core/shape.ts';
import { fromNumbers, numel, stridesOf, toNumbers } from '../../core/tensor.ts';
import { attr, defineOp } from '../define.ts';
import { lowerConvTranspose, transposeSpace } from './schedules/transpose.ts';
import { acceptsConv, ALGORITHMS, convSpace, lowerConv } from './schedules/conv.ts';
import {
  channelAxis,
  channelsLast,
  checkWindow,
  extent,
  indices,
  inLayout,
  layoutShape,
  planar,
  slidSizes,
  spatialAxes,
  taps,
  windowAttrs,
  type Layout,
  type Tap,
} from '../spatial.ts';

/** Sizes of a tensor by their meaning. */
export function partsOf(t: TensorType, layout: Layout): { readonly batch: Dim; readonly channels: Dim; readonly spatial: Dim[] } {
  const rank = t.shape.length;
  return {
    batch: must(t.shape[0]),
    channels: must(t.shape[channelAxis(layout, rank)]),
    spatial: spatialAxes(layout, rank).map(a => must(t.shape[a])),
  };
}

export const Conv = defineOp({
  name: 'Conv',
  doc: 'Convolution over any number of spatial axes. x: [N, C, …] or, with layout NHWC, [N, …, C]; w: [O, C/group, …kernel] in both.',
  inputs: ['x', 'w'],
  // `exact` and `fewBits`: as in MatMul. `algorithm`: see `ALGORITHMS`.
  attrs: {
    ...windowAttrs,
    group: attr.int(1),
    exact: attr.bool(false),
    fewBits: attr.bool(false),
    algorithm: attr.oneOf(ALGORITHMS, 'auto'),
  },
  infer: c => {
    const x = must(c.types[0]);
    const w = must(c.types[1]);
    const { group, layout } = c.attrs;
    const n = x.shape.length - 2;
    if (n < 1) c.reject(`x has ${x.shape.length} axes, at least 3 are needed`);
    if (w.shape.length !== n + 2) c.reject(`w has ${w.shape.length} axes, x has ${n + 2}`);
    if (x.dtype !== w.dtype) c.reject(`x is ${x.dtype}, w is ${w.dtype}`);
    if (!isFloat(x.dtype) && x.dtype !== 'i32') c.reject(`takes floats or i32, not ${x.dtype}`);
    const kernel = w.shape.slice(2);
    checkWindow(c.attrs, kernel, n, why => c.reject(why));
    const p = partsOf(x, layout);
    const outs = must(w.shape[0]);
    c.same(p.channels, dimMul(must(w.shape[1]), group), 'channels of x and of w times group');
    if (typeof outs === 'number' && (group < 1 || outs % group !== 0)) c.reject(`${outs} output channels in ${group} groups`);
    return [tensorType(x.dtype, layoutShape(layout, p.batch, outs, slidSizes(c.attrs, p.spatial, kernel)))];
  },
  eval: (c, x, w) => {
    const a = planar(must(x), c.attrs.layout);
    const k = must(w);
    const dims = planarDims(c.dims(0), c.attrs.layout);
    const [batch, outs, ...spatial] = [must(dims[0]), must(dims[1]), ...dims.slice(2)];
    const inSpatial = a.dims.slice(2);
    const kernel = k.dims.slice(2);
    const perGroup = must(k.dims[1]);
    const outPer = outs / c.attrs.group;
    const axisTaps = spatial.map((n, i) =>
      taps(
        n,
        must(inSpatial[i]),
        must(kernel[i]),
        must(c.attrs.strides[i]),
        must(c.attrs.dilations[i]),
        c.dim(must(c.attrs.pads[i])),
      ),
    );
    const runs = runsOf(axisTaps, inSpatial, spatial, kernel, must(c.attrs.strides.at(-1)));
    const [from, weights] = [toNumbers(a), toNumbers(k)];
    const plane = numel(inSpatial);
    const area = numel(spatial);
    const taps_ = numel(kernel);
    const out = new Float64Array(numel(dims));
    for (let n = 0; n < batch; n++)
      for (let o = 0; o < outs; o++) {
        const to = out.subarray((n * outs + o) * area, (n * outs + o + 1) * area);
        const g = Math.floor(o / outPer);
        const src = from.subarray((n * perGroup * c.attrs.group + g * perGroup) * plane);
        addRuns(to, src, plane, weights.subarray(o * perGroup * taps_, (o + 1) * perGroup * taps_), taps_, runs);
      }
    return [inLayout(fromNumbers(a.dtype, dims, out), c.attrs.layout)];
  },
  macs: n => {
    const w = must(n.inputs[1]).type.shape;
    return dimMul(dimProd(must(n.outputs[0]).type.shape), dimProd(w.slice(1)));
  },
  channelsLast,
  lower: { k: 'kernel', accepts: acceptsConv, iterationSpace: convSpace, build: lowerConv },
});
const planarDims = (dims: readonly number[], layout: Layout): number[] =>
  layout === 'NCHW' ? [...dims] : [must(dims[0]), must(dims.at(-1)), ...dims.slice(1, -1)];

/** One element of the kernel along one row of the output: `count` outputs from `to` on, each `step` inputs apart. */
interface Run {
  readonly tap: number;
  readonly to: number;
  readonly from: number;
  readonly count: number;
  readonly step: number;
}
/** All the work of one input plane for one output plane, row by row. */
function runsOf(
  axes: readonly (readonly (readonly Tap[])[])[],
  inSizes: readonly number[],
  outSizes: readonly number[],
  kernel: readonly number[],
  step: number,
): Run[] {
  const out: Run[] = [];
  const last = must(axes.at(-1));
  const row = must(outSizes.at(-1));
  // For each element of the kernel's last axis: where its outputs begin and end.
  const spans = Array.from({ length: must(kernel.at(-1)) }, (_, j) => {
    const hit = last.flatMap((ts, o) => ts.filter(t => t.kernel === j).map(t => ({ o, at: t.at })));
    return { j, first: hit[0], count: hit.length };
  });
  const outer = axes.slice(0, -1);
  const [si, so, sk] = [stridesOf(inSizes), stridesOf(outSizes), stridesOf(kernel)];
  for (const place of indices(outSizes.slice(0, -1))) {
    const choices = outer.map((a, i) => must(a[place[i] ?? 0]));
    for (const pick of indices(choices.map(ts => ts.length))) {
      const chosen = choices.map((ts, i) => must(ts[pick[i] ?? 0]));
      const at = chosen.reduce((s, t, i) => s + t.at * must(si[i]), 0);
      const tap = chosen.reduce((s, t, i) => s + t.kernel * must(sk[i]), 0);
      const to = place.reduce((s, p, i) => s + p * must(so[i]), 0);
      for (const s of spans)
        if (s.first && row > 0) out.push({ tap: tap + s.j, to: to + s.first.o, from: at + s.first.at, count: s.count, step });
    }
  }
  return out;
}
/**
 * One output plane: all input planes by their weights, `taps` for each plane. Four planes are taken at once, so that an output is read and
 * written once for four products.
 */
function addRuns(
  to: Float64Array,
  from: Float64Array,
  plane: number,
  weights: Float64Array,
  taps: number,
  runs: readonly Run[],
): void {
  const planes = weights.length / taps;
  for (const r of runs) {
    const end = r.to + r.count;
    let i = 0;
    for (; i + 4 <= planes; i += 4) {
      const at = i * taps + r.tap;
      const [w0, w1, w2, w3] = [
        weights[at] ?? 0,
        weights[at + taps] ?? 0,
        weights[at + 2 * taps] ?? 0,
        weights[at + 3 * taps] ?? 0,
      ];
      for (let q = r.to, p = i * plane + r.from; q < end; q++, p += r.step) {
        const two = w0 * (from[p] ?? 0) + w1 * (from[p + plane] ?? 0);
        to[q] = (to[q] ?? 0) + two + (w2 * (from[p + 2 * plane] ?? 0) + w3 * (from[p + 3 * plane] ?? 0));
      }
    }
    for (; i < planes; i++) {
      const w = weights[i * taps + r.tap] ?? 0;
      for (let q = r.to, p = i * plane + r.from; q < end; q++, p += r.step) to[q] = (to[q] ?? 0) + w * (from[p] ?? 0);
    }
  }
}

export const ConvTranspose = defineOp({
  name: 'ConvTranspose',
  doc: 'The gradient of a convolution: each input element adds its multiple of the kernel to the output. w: [C, O/group, …kernel]. Pads crop the output, negative ones extend it.',
  inputs: ['x', 'w'],
  attrs: { ...windowAttrs, group: attr.int(1), outputPadding: attr.ints(), fewBits: attr.bool(false) },
  infer: c => {
    const x = must(c.types[0]);
    const w = must(c.types[1]);
    const { group, layout, strides, dilations, pads, outputPadding } = c.attrs;
    const n = x.shape.length - 2;
    if (n < 1) c.reject(`x has ${x.shape.length} axes, at least 3 are needed`);
    if (w.shape.length !== n + 2) c.reject(`w has ${w.shape.length} axes, x has ${n + 2}`);
    if (x.dtype !== w.dtype) c.reject(`x is ${x.dtype}, w is ${w.dtype}`);
    if (!isFloat(x.dtype)) c.reject(`takes floats, not ${x.dtype}`);
    const kernel = w.shape.slice(2);
    checkWindow(c.attrs, kernel, n, why => c.reject(why));
    if (outputPadding.length !== n) c.reject(`outputPadding must be for ${n} axes`);
    const p = partsOf(x, layout);
    const channels = c.same(p.channels, must(w.shape[0]), 'channels of x and of w');
    if (typeof channels === 'number' && (group < 1 || channels % group !== 0))
      c.reject(`${channels} channels in ${group} groups`);
    const spatial = p.spatial.map((s, i) => {
      const full = dimAdd(dimMul(dimSub(s, 1), must(strides[i])), extent(must(kernel[i]), must(dilations[i])));
      return dimSub(dimSub(dimAdd(full, must(outputPadding[i])), must(pads[i])), must(pads[i + n]));
    });
    return [tensorType(x.dtype, layoutShape(layout, p.batch, dimMul(must(w.shape[1]), group), spatial))];
  },
  eval: (c, x, w) => {
    const a = planar(must(x), c.attrs.layout);
    const k = must(w);
    const dims = planarDims(c.dims(0), c.attrs.layout);
    const { group, strides, dilations } = c.attrs;
    const spatial = dims.slice(2);
    const inSpatial = a.dims.slice(2);
    const kernel = k.dims.slice(2);
    const [so, sk, si] = [stridesOf(spatial), stridesOf(kernel), stridesOf(inSpatial)];
    const before = inSpatial.map((_, i) => c.dim(must(c.attrs.pads[i])));
    // Input element `from` adds kernel element `tap` to output element `to`.
    const links: { from: number; tap: number; to: number }[] = [];
    for (const i of indices(inSpatial))
      for (const j of indices(kernel)) {
        const at = i.map((v, d) => v * must(strides[d]) + must(j[d]) * must(dilations[d]) - must(before[d]));
        if (at.some((v, d) => v < 0 || v >= must(spatial[d]))) continue;
        const dot = (v: readonly number[], s: readonly number[]): number => v.reduce((sum, e, d) => sum + e * must(s[d]), 0);
        links.push({ from: dot(i, si), tap: dot(j, sk), to: dot(at, so) });
      }
    const [from, weights] = [toNumbers(a), toNumbers(k)];
    const [batch, channels] = [must(a.dims[0]), must(a.dims[1])];
    const outPer = must(k.dims[1]);
    const [plane, area, size] = [numel(inSpatial), numel(spatial), numel(kernel)];
    const out = new Float64Array(numel(dims));
    for (let n = 0; n < batch; n++)
      for (let i = 0; i < channels; i++)
        for (let o = 0; o < outPer; o++) {
          const g = Math.floor(i / (channels / group));
          const to = (n * outPer * group + g * outPer + o) * area;
          const src = (n * channels + i) * plane;
          const wt = (i * outPer + o) * size;
          for (const l of links) {
            const q = to + l.to;
            out[q] = (out[q] ?? 0) + (from[src + l.from] ?? 0) * (weights[wt + l.tap] ?? 0);
          }
        }
    return [inLayout(fromNumbers(a.dtype, dims, out), c.attrs.layout)];
  },
  macs: n => {
    const w = must(n.inputs[1]).type.shape;
    return dimMul(dimProd(must(n.inputs[0]).type.shape), dimProd(w.slice(1)));
  },
  channelsLast,
  lower: { k: 'kernel', iterationSpace: transposeSpace, build: lowerConvTranspose },
});
