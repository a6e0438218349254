import { must } from '../../core/diagnostic.ts';
import { dimMul, dimProd, type Dim } from '../../core/dim.ts';
import { isFloat, isInt, limitsOf } from '../../core/dtype.ts';
import { tensorType, type TensorType } from '../../core/shape.ts';
import { fromNumbers, numel, stridesOf, toNumbers, type Tensor } from '../../core/tensor.ts';
import type { Node, NodeOf } from '../../graph/graph.ts';
import { partsOf } from '../conv/conv.ts';
import { attr, defineOp, type EvalCtx, type InferCtx } from '../define.ts';
import { lowerMaxIndices, lowerPool, lowerUnpool } from './schedules/pool.ts';
import {
  checkWindow,
  indices,
  inLayout,
  layoutShape,
  planar,
  slidSizes,
  taps,
  toChannelsLast,
  toPlanar,
  type Layout,
  type Tap,
} from '../spatial.ts';
import { poolAttrs, type PoolAttrs } from './windows.ts';

function inferPool(c: InferCtx<PoolAttrs>): TensorType {
  const x = must(c.types[0]);
  const n = x.shape.length - 2;
  if (n < 1) c.reject(`x has ${x.shape.length} axes, at least 3 are needed`);
  checkWindow(c.attrs, c.attrs.kernel, n, why => c.reject(why));
  if (c.attrs.kernel.some(k => k < 1)) c.reject('kernel must be positive');
  const p = partsOf(x, c.attrs.layout);
  return tensorType(
    x.dtype,
    layoutShape(c.attrs.layout, p.batch, p.channels, slidSizes(c.attrs, p.spatial, c.attrs.kernel, c.attrs.ceil)),
  );
}
/** A window of one plane: the taps that meet the input, as (flat position, flat kernel position). */
type Fold = (values: readonly number[], positions: readonly number[], place: readonly number[]) => number;
/** Folds each window of each plane; the result has the planar layout. */
function foldWindows(c: EvalCtx<PoolAttrs>, x: Tensor, layout: Layout, f: Fold): { values: Float64Array; dims: number[] } {
  const own = c.dims(0);
  const dims = layout === 'NCHW' ? own : [must(own[0]), must(own.at(-1)), ...own.slice(1, -1)];
  const sizes = x.dims.slice(2);
  const spatial = dims.slice(2);
  const axes = axisTaps(c, sizes, spatial);
  const strides = stridesOf(sizes);
  const from = toNumbers(x);
  const [plane, area] = [numel(sizes), numel(spatial)];
  const out = new Float64Array(numel(dims));
  let place = 0;
  for (const at of indices(spatial)) {
    const choices = axes.map((a, i) => must(a[must(at[i])]));
    const positions: number[] = [];
    for (const pick of indices(choices.map(t => t.length)))
      positions.push(choices.reduce((s, ts, i) => s + must(ts[must(pick[i])]).at * must(strides[i]), 0));
    const values = new Array<number>(positions.length).fill(0);
    for (let p = 0; p < numel(dims.slice(0, 2)); p++) {
      positions.forEach((q, i) => (values[i] = must(from[p * plane + q])));
      out[p * area + place] = f(values, positions, at);
    }
    place++;
  }
  return { values: out, dims };
}
function axisTaps(c: EvalCtx<PoolAttrs>, sizes: readonly number[], spatial: readonly number[]): Tap[][][] {
  const a = c.attrs;
  return spatial.map((n, i) =>
    taps(n, must(sizes[i]), must(a.kernel[i]), must(a.strides[i]), must(a.dilations[i]), c.dim(must(a.pads[i]))),
  );
}
const finish = (t: Tensor, r: { values: Float64Array; dims: number[] }, layout: Layout): Tensor =>
  inLayout(fromNumbers(t.dtype, r.dims, r.values), layout);
const poolMacs = (n: NodeOf<PoolAttrs>): Dim => dimMul(dimProd(must(n.outputs[0]).type.shape), numel(n.attrs.kernel));
const eachAxis = (n: Node): number[][] => must(n.outputs[0]).type.shape.map((_, i) => [i]);
/** Windows that do not overlap read each element once. */
const readsOnce = (n: NodeOf<PoolAttrs>): 'indexMap' | 'buffer' => {
  const a = n.attrs;
  return a.kernel.every((k, i) => (k - 1) * must(a.dilations[i]) < must(a.strides[i])) ? 'indexMap' : 'buffer';
};
/** NaN stays. */
const larger = (m: number, v: number): number => (v > m || Number.isNaN(v) ? v : m);
/**
 * Pools follow the layout that their input has: by themselves they are as fast with channels first, and their result is smaller to turn.
 */
function followsLayout<A extends PoolAttrs>(n: NodeOf<A>, perm: readonly number[]): A | undefined {
  const { layout } = n.attrs;
  const turned = layout === 'NCHW' ? toChannelsLast(perm.length) : toPlanar(perm.length);
  return perm.every((p, i) => p === turned[i]) ? { ...n.attrs, layout: layout === 'NCHW' ? 'NHWC' : 'NCHW' } : undefined;
}
export const MaxPool = defineOp({
  name: 'MaxPool',
  doc: 'The largest element of each window; NaN if there is one.',
  inputs: ['x'],
  attrs: poolAttrs,
  infer: c => {
    const t = inferPool(c);
    if (!isFloat(t.dtype) && !isInt(t.dtype)) c.reject(`takes numbers, not ${t.dtype}`);
    return [t];
  },
  eval: (c, x) => {
    const t = planar(must(x), c.attrs.layout);
    const least = Number(limitsOf(t.dtype)[0]);
    const r = foldWindows(c, t, c.attrs.layout, values => values.reduce(larger, least));
    return [finish(t, r, c.attrs.layout)];
  },
  macs: n => poolMacs(n),
  permuteAxes: followsLayout,
  lower: { k: 'kernel', accepts: (_, n) => readsOnce(n), iterationSpace: eachAxis, build: c => lowerPool(c, { k: 'max' }) },
});

export const MaxPoolIndices = defineOp({
  name: 'MaxPoolIndices',
  doc: 'MaxPool of [N, C, …] that also gives the flat position of each result in the input; with `columns` the first spatial axis runs fastest.',
  inputs: ['x'],
  attrs: { ...poolAttrs, columns: attr.bool(false) },
  infer: c => {
    if (c.attrs.layout !== 'NCHW') c.reject('positions are for the layout NCHW');
    const t = inferPool(c);
    return [t, tensorType('i64', t.shape)];
  },
  eval: (c, x) => {
    const t = must(x);
    const least = Number(limitsOf(t.dtype)[0]);
    const sizes = t.dims.slice(2);
    const rowMajor = stridesOf(sizes);
    const columnMajor = stridesOf([...sizes].reverse()).reverse();
    const position = (flat: number): number =>
      c.attrs.columns
        ? rowMajor.reduce((sum, s, i) => sum + (Math.floor(flat / s) % must(sizes[i])) * must(columnMajor[i]), 0)
        : flat;
    const best = (values: readonly number[]): number => {
      let at = -1;
      let m = least;
      values.forEach((v, i) => {
        if (at < 0 || v > m || (Number.isNaN(v) && !Number.isNaN(m))) [m, at] = [v, i];
      });
      return at;
    };
    const y = foldWindows(c, t, 'NCHW', values => values.reduce(larger, least));
    const plane = numel(sizes);
    const area = numel(y.dims.slice(2));
    const i = foldWindows(c, t, 'NCHW', (values, positions) => position(positions[best(values)] ?? 0));
    const flat = i.values.map((v, at) => v + Math.floor(at / area) * plane);
    return [fromNumbers(t.dtype, y.dims, y.values), fromNumbers('i64', y.dims, flat)];
  },
  macs: n => poolMacs(n),
  lower: { k: 'kernel', iterationSpace: eachAxis, build: lowerMaxIndices },
});

export const AveragePool = defineOp({
  name: 'AveragePool',
  doc: 'The mean of each window: of the elements that exist, or with `countPads` also of zeros in the pads.',
  inputs: ['x'],
  attrs: { ...poolAttrs, countPads: attr.bool(false) },
  infer: c => {
    const t = inferPool(c);
    if (!isFloat(t.dtype)) c.reject(`takes floats, not ${t.dtype}`);
    return [t];
  },
  eval: (c, x) => {
    const t = planar(must(x), c.attrs.layout);
    const { strides, dilations, kernel, pads, countPads } = c.attrs;
    const n = kernel.length;
    const counted = (place: readonly number[]): number =>
      place.reduce((count, o, i) => {
        const end = must(t.dims[i + 2]) + c.dim(must(pads[i + n]));
        const start = o * must(strides[i]) - c.dim(must(pads[i]));
        let k = 0;
        while (k < must(kernel[i]) && start + k * must(dilations[i]) < end) k++;
        return count * k;
      }, 1);
    const r = foldWindows(c, t, c.attrs.layout, (values, _, place) => {
      const count = countPads ? counted(place) : values.length;
      return count === 0 ? 0 : values.reduce((s, v) => s + v, 0) / count;
    });
    return [finish(t, r, c.attrs.layout)];
  },
  macs: n => poolMacs(n),
  permuteAxes: followsLayout,
  lower: {
    k: 'kernel',
    accepts: (_, n) => readsOnce(n),
    iterationSpace: eachAxis,
    build: c => lowerPool(c, { k: 'average', countPads: c.attrs.countPads }),
  },
});

export const LpPool = defineOp({
  name: 'LpPool',
  doc: 'The p-norm of each window.',
  inputs: ['x'],
  attrs: { ...poolAttrs, p: attr.int(2) },
  infer: c => {
    const t = inferPool(c);
    if (!isFloat(t.dtype)) c.reject(`takes floats, not ${t.dtype}`);
    if (c.attrs.p < 1) c.reject(`p must be positive, not ${c.attrs.p}`);
    return [t];
  },
  eval: (c, x) => {
    const t = planar(must(x), c.attrs.layout);
    const { p } = c.attrs;
    const r = foldWindows(c, t, c.attrs.layout, values => values.reduce((s, v) => s + Math.abs(v) ** p, 0) ** (1 / p));
    return [finish(t, r, c.attrs.layout)];
  },
  macs: n => poolMacs(n),
  permuteAxes: followsLayout,
  lower: {
    k: 'kernel',
    accepts: (_, n) => readsOnce(n),
    iterationSpace: eachAxis,
    build: c => lowerPool(c, { k: 'norm', p: c.attrs.p }),
  },
});

export const MaxUnpool = defineOp({
  name: 'MaxUnpool',
  doc: 'Zeros of the given shape with each element of x at its flat position.',
  inputs: ['x', 'positions'],
  attrs: { shape: attr.dims() },
  infer: c => {
    const [x, i] = [must(c.types[0]), must(c.types[1])];
    if (!isInt(i.dtype)) c.reject(`positions must be integers, not ${i.dtype}`);
    c.same(dimProd(x.shape), dimProd(i.shape), 'elements of x and of positions');
    return [tensorType(x.dtype, c.attrs.shape)];
  },
  eval: (c, x, positions) => {
    const dims = c.dims(0);
    const t = must(x);
    const out = new Float64Array(numel(dims));
    const values = toNumbers(t);
    toNumbers(must(positions)).forEach((at, i) => {
      if (at >= 0 && at < out.length) out[at] = must(values[i]);
    });
    return [fromNumbers(t.dtype, dims, out)];
  },
  lower: { k: 'kernel', build: lowerUnpool },
});
