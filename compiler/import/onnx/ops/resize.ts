import { must } from '../../../core/diagnostic.ts';
import { dimFloorDiv, dimMul, rangeOf, type Dim } from '../../../core/dim.ts';
import { toNumbers } from '../../../core/tensor.ts';
import { tensorOf, symbolicOf, type Value } from '../../../graph/graph.ts';
import { Div } from '../../../ops/elementwise/index.ts';
import { Cast } from '../../../ops/elementwise/cast.ts';
import { Gather } from '../../../ops/movement/gather.ts';
import { Reduce } from '../../../ops/reduce/reduce.ts';
import { Expand } from '../../../ops/movement/view.ts';
import { Resize } from '../../../ops/resample/resize.ts';
import { COORDINATES, NEAREST_MODES, RESIZE_MODES } from '../../../ops/resample/resize-taps.ts';
import type { ImportCtx, OnnxNode, OnnxOps } from '../registry.ts';
import { axisOf } from '../../shared/axes.ts';
import { concat, slice } from '../../shared/views.ts';

const word = <const W extends readonly string[]>(n: OnnxNode, words: W, name: string, otherwise: string): W[number] => {
  const s = n.string(name, otherwise);
  return words.includes(s) ? s : n.reject(`${name} is '${s}'; it may be ${words.join(', ')}`);
};
/** An optional input that is left out as an empty tensor too. */
const present = (v: Value | undefined): Value | undefined => (v && v.type.shape.some(d => d === 0) ? undefined : v);
const numbers = (v: Value | undefined): readonly number[] | undefined => {
  const t = tensorOf(v);
  return t && [...toNumbers(t)];
};
/** What a size becomes, in the arithmetic of onnxruntime: floor of a float32 product of a float32 scale. */
const floorScaled = (size: number, scale: number): number => Math.floor(Math.fround(size * Math.fround(scale)));
/** Ranges of sizes up to this are tried out whole. */
const MOST_TRIED = 2 ** 16;
/** The same for a symbolic size, where it is that of a fraction for every size of its range. */
function scaled(n: OnnxNode, size: Dim, scale: number): Dim {
  if (typeof size === 'number') return floorScaled(size, scale);
  if (Number.isInteger(scale)) return dimMul(size, scale);
  const { lo, hi } = rangeOf(size);
  const tried = Array.from({ length: Math.min(hi - lo + 1, MOST_TRIED) }, (_, i) => lo + i);
  for (let den = 2; den <= 64; den++) {
    const num = Math.round(scale * den);
    if (num <= 0 || Math.abs(num / den - scale) >= 1e-6) continue;
    if (tried.every(s => floorScaled(s, scale) === Math.floor((s * num) / den))) return dimFloorDiv(dimMul(size, num), den);
  }
  return n.unsupported(`scale ${scale} of a size that is open until the model runs`);
}

interface Given {
  readonly scales?: Value | undefined;
  readonly sizes?: Value | undefined;
  /** For each of the axes where a part of the input begins, then where it ends. */
  readonly roi?: Value | undefined;
  /** The attribute of the first Upsample. */
  readonly factors?: readonly number[];
}

function resize(n: OnnxNode, c: ImportCtx, given: Given): readonly Value[] {
  const x = n.input(0);
  const rank = x.type.shape.length;
  const upsample = n.op === 'Upsample';
  const old = upsample || n.opset < 11;
  const axes = n.has('axes') ? n.ints('axes').map(a => axisOf(n, a, rank)) : x.type.shape.map((_, i) => i);
  const factors = given.factors ?? numbers(given.scales);
  if (factors && factors.length !== axes.length) n.reject(`${factors.length} scales for ${axes.length} axes`);
  if (factors?.some(s => !(s > 0))) n.reject('scales must be positive');
  const policy = n.string('keep_aspect_ratio_policy', 'stretch');
  if (!['stretch', 'not_larger', 'not_smaller'].includes(policy)) n.reject(`keep_aspect_ratio_policy is '${policy}'`);
  const sizes = factors || given.scales ? undefined : symbolicOf(given.sizes ?? n.reject('neither scales nor sizes are given'));

  const shape: Dim[] = [...x.type.shape];
  const scales = new Array<number>(rank).fill(1);
  axes.forEach((axis, i) => {
    const from = must(x.type.shape[axis]);
    scales[axis] = factors?.[i] ?? 0;
    shape[axis] =
      factors?.[i] !== undefined
        ? scaled(n, from, factors[i])
        : (sizes?.[i] ??
          n.declared(0)?.[axis] ??
          n.unsupported('its scales or sizes come out of data, and the model does not declare the size of its result'));
  });
  let scalesInput = factors || !given.scales ? undefined : onAllAxes(c, given.scales, axes, rank, 1);
  if (given.sizes && !given.scales && policy !== 'stretch') {
    const one = oneScale(n, c, policy === 'not_larger' ? 'min' : 'max', given.sizes, axes, shape, scales, sizes);
    if (one) scalesInput = onAllAxes(c, c.apply1(Expand, [one], { shape: [axes.length] }), axes, rank, 1);
  }

  const coordinates = old ? 'asymmetric' : word(n, COORDINATES, 'coordinate_transformation_mode', 'half_pixel');
  const roi = coordinates === 'tf_crop_and_resize' ? given.roi : undefined;
  const part = numbers(roi);
  const starts = new Array<number>(rank).fill(0);
  const ends = new Array<number>(rank).fill(1);
  axes.forEach((axis, i) => {
    starts[axis] = part?.[i] ?? 0;
    ends[axis] = part?.[i + axes.length] ?? 1;
  });
  const crop =
    roi && !part
      ? concat(
          c,
          [0, 1].map(side => onAllAxes(c, half(c, roi, side, axes.length), axes, rank, side)),
          0,
        )
      : undefined;
  const bilinear = upsample && n.string('mode', 'nearest') === 'bilinear';
  const mode = bilinear ? 'linear' : word(n, RESIZE_MODES, 'mode', 'nearest');
  return c.apply(Resize, [x, scalesInput, crop], {
    shape,
    scales,
    mode,
    coordinates,
    nearest: old ? 'floor' : word(n, NEAREST_MODES, 'nearest_mode', 'round_prefer_floor'),
    cubic: n.float('cubic_coeff_a', -0.75),
    excludeOutside: n.bool('exclude_outside', false),
    antialias: n.bool('antialias', false) && mode !== 'nearest',
    starts,
    ends,
    extrapolation: n.float('extrapolation_value', 0),
  });
}
const half = (c: ImportCtx, v: Value, side: number, size: number): Value =>
  slice(c, v, new Map([[0, { start: side * size, size, step: 1 }]]));
/** Values for some axes as f32 values for all of them; the others get `rest`. */
function onAllAxes(c: ImportCtx, v: Value, axes: readonly number[], rank: number, rest: number): Value {
  const all = concat(c, [c.apply1(Cast, [v], { to: 'f32' }), c.literal('f32', [rest])], 0);
  const from = Array.from({ length: rank }, (_, a) => (axes.includes(a) ? axes.indexOf(a) : axes.length));
  return c.apply1(Gather, [all, c.literal('i64', from)], { axis: 0 });
}
/**
 * One scale for all axes, so that the result fits into, or covers, the sizes asked for: written into `scales` and `shape` where sizes
 * are known, else the scale as a value.
 */
function oneScale(
  n: OnnxNode,
  c: ImportCtx,
  of: 'min' | 'max',
  asked: Value,
  axes: readonly number[],
  shape: Dim[],
  scales: number[],
  sizes: readonly Dim[] | undefined,
): Value | undefined {
  const from = axes.map(a => {
    const d = n.input(0).type.shape[a];
    return typeof d === 'number' ? d : n.unsupported('keeping the aspect ratio of open sizes');
  });
  if (!sizes) {
    const ratios = c.apply1(Div, [c.apply1(Cast, [asked], { to: 'f32' }), c.literal('f32', from)]);
    return c.apply1(Reduce, [ratios], { of, axes: [0], keep: true });
  }
  const ratios = sizes.map((d, i) =>
    typeof d === 'number' ? d / must(from[i]) : n.unsupported('keeping the aspect ratio for open sizes'),
  );
  const scale = of === 'min' ? Math.min(...ratios) : Math.max(...ratios);
  axes.forEach((a, i) => {
    scales[a] = scale;
    shape[a] = Math.floor(scale * must(from[i]) + 0.5);
  });
  return undefined;
}

export const resizeOps: OnnxOps = {
  Resize: (n, c) =>
    n.opset < 11
      ? resize(n, c, { scales: n.input(1, 'scales') })
      : resize(n, c, { roi: present(n.inputs[1]), scales: present(n.inputs[2]), sizes: present(n.inputs[3]) }),
  Upsample: (n, c) => resize(n, c, n.opset >= 9 ? { scales: n.input(1, 'scales') } : { factors: n.floats('scales') }),
};
