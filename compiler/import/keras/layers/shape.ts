import { must } from '../../../core/diagnostic.ts';
import { dimFloorDiv, dimMul, dimProd, dimSub, type Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import { Pad } from '../../../ops/movement/pad.ts';
import { spatialAxes, toChannelsLast, toPlanar } from '../../../ops/spatial.ts';
import { axesFrom, rankOf } from '../../shared/axes.ts';
import { resizeBicubic, resizeBilinear, resizeNearest, type Resizing } from '../../shared/tensorflow/resize.ts';
import { spatialSizes } from '../../shared/tensorflow/window.ts';
import { cast, expand, reshape, slice, transpose, type Cut } from '../../shared/views.ts';
import type { LayerView } from '../layer.ts';
import type { KerasBuilder, LayerBuilder, LayerTable } from '../registry.ts';

/** Sizes of which one may be -1: what is left. */
export function reshaped(c: KerasBuilder, x: Value, lead: readonly Dim[], sizes: readonly number[]): Value {
  if (sizes.filter(s => s === -1).length > 1) c.reject('more than one size is -1');
  const all = dimProd(x.type.shape);
  const known = dimProd([...lead, ...sizes.filter(s => s !== -1)]);
  const rest = known === 0 ? 0 : dimFloorDiv(all, known);
  return reshape(c, x, [...lead, ...sizes.map((s): Dim => (s === -1 ? rest : s))]);
}
const flatten: LayerBuilder = (l, c, call) => {
  const x = call.x();
  const [batch = 1, ...rest] = x.type.shape;
  const turned = l.layout === 'NCHW' && rankOf(x) > 1 ? transpose(c, x, [0, ...axesFrom(x, 2), 1]) : x;
  return [{ value: reshape(c, turned, [batch, dimProd(rest)]) }];
};
const permute: LayerBuilder = (l, c, call) => {
  const x = call.x();
  const dims = l.ints('dims');
  if ([...dims].sort((a, b) => a - b).some((d, i) => d !== i + 1) || dims.length !== rankOf(x) - 1)
    l.bad(`'dims' is ${dims.join()}`);
  return [{ value: transpose(c, x, [0, ...dims]) }];
};
const repeatVector: LayerBuilder = (l, c, call) => {
  const [batch = 1, features = 1] = call.x().type.shape;
  return [{ value: expand(c, reshape(c, call.x(), [batch, 1, features]), [batch, l.int('n'), features]) }];
};
/** Numbers before and after each of n axes: one for all, one for each axis, or pairs. */
function pairs(l: LayerView, key: string, n: number, otherwise: number): readonly (readonly [number, number])[] {
  const j = l.json(key) ?? otherwise;
  const whole = (x: unknown): x is number => typeof x === 'number' && Number.isInteger(x) && x >= 0;
  const bad = (): never => l.bad(`'${key}' is ${JSON.stringify(j)}`);
  const pair = (x: unknown): readonly [number, number] => {
    if (whole(x)) return [x, x];
    const [a, b, more] = Array.isArray(x) ? (x as readonly unknown[]) : [];
    return whole(a) && whole(b) && more === undefined ? [a, b] : bad();
  };
  if (whole(j)) return Array.from({ length: n }, () => [j, j] as const);
  if (!Array.isArray(j)) return bad();
  const list = j as readonly unknown[];
  if (n === 1) return [list.length === 1 ? pair(list[0]) : pair(list)];
  // Keras 1 wrote the four sides one after the other.
  if (n === 2 && list.length === 4 && list.every(whole)) return [pair(list.slice(0, 2)), pair(list.slice(2))];
  return list.length === n ? list.map(pair) : bad();
}
const cropping =
  (n: number): LayerBuilder =>
  (l, c, call) => {
    const x = call.x();
    const cut = pairs(l, 'cropping', n, n === 1 ? 1 : 0);
    const cuts = spatialAxes(l.layout, rankOf(x)).map((a, i): readonly [number, Cut] => {
      const [before, after] = must(cut[i]);
      return [a, { start: before, size: dimSub(must(x.type.shape[a]), before + after), step: 1 }];
    });
    return [{ value: slice(c, x, new Map(cuts)) }];
  };
const zeroPadding =
  (n: number): LayerBuilder =>
  (l, c, call) => {
    const x = call.x();
    const around = pairs(l, 'padding', n, 1);
    const [begin, end] = [axesFrom(x).map(() => 0), axesFrom(x).map(() => 0)];
    spatialAxes(l.layout, rankOf(x)).forEach((a, i) => ([begin[a], end[a]] = must(around[i])));
    return [{ value: c.apply1(Pad, [x], { mode: 'constant', begin, end }) }];
  };
/** Each element some times along an axis. */
export function repeated(c: KerasBuilder, x: Value, axis: number, times: number): Value {
  if (times === 1) return x;
  const { shape } = x.type;
  const apart = reshape(c, x, [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)]);
  const wide = expand(c, apart, [...shape.slice(0, axis + 1), times, ...shape.slice(axis + 1)]);
  return reshape(c, wide, shape.with(axis, dimMul(must(shape[axis]), times)));
}
const upSampling =
  (n: number): LayerBuilder =>
  (l, c, call) => {
    const x = call.x();
    const size = l.ints(l.json('length') === undefined ? 'size' : 'length', n, 2);
    const kind = l.text('interpolation', 'nearest');
    const sizes = spatialSizes(x, l.layout).map((d, i) => dimMul(d, must(size[i])));
    const axes = spatialAxes(l.layout, rankOf(x));
    if (kind === 'nearest' && n !== 2) return [{ value: axes.reduce((v, a, i) => repeated(c, v, a, must(size[i])), x) }];
    return [{ value: resizedBy(c, x, kind, { sizes, layout: l.layout, coordinates: 'half_pixel' }) }];
  };
/** A picture at another size by the name of an interpolation. */
export function resizedBy(c: KerasBuilder, given: Value, kind: string, o: Resizing): Value {
  const planar = o.layout === 'NCHW';
  const x = given;
  switch (kind) {
    case 'nearest':
      return resizeNearest(c, x, o);
    case 'bilinear':
      return cast(c, resizeBilinear(c, x, o), x.type.dtype);
    case 'bicubic': {
      const last = planar ? transpose(c, x, toChannelsLast(rankOf(x))) : x;
      const y = cast(c, resizeBicubic(c, last, { ...o, layout: 'NHWC' }), x.type.dtype);
      return planar ? transpose(c, y, toPlanar(rankOf(x))) : y;
    }
    default:
      return c.unsupported(`interpolation '${kind}'; nearest, bilinear and bicubic are supported`);
  }
}
/** The middle of a picture; one that is smaller is enlarged first. */
const centerCrop: LayerBuilder = (l, c, call) => {
  const x = call.x();
  const want = [l.int('height'), l.int('width')];
  const planar = l.layout === 'NCHW';
  const rank = rankOf(x);
  const axes = planar ? [rank - 2, rank - 1] : [rank - 3, rank - 2];
  const cuts = axes.map((a, i): readonly [number, Cut] => {
    const room = dimSub(must(x.type.shape[a]), must(want[i]));
    if (typeof room !== 'number') return c.unsupported('pictures of open sizes; fix them with --dim');
    return room < 0
      ? c.unsupported('a picture that is smaller than the crop')
      : [a, { start: Math.floor(room / 2), size: must(want[i]), step: 1 }];
  });
  return [{ value: slice(c, x, new Map(cuts)) }];
};
const resizing: LayerBuilder = (l, c, call) => {
  const x = call.x();
  if (l.bool('antialias', false)) c.unsupported('antialias');
  if (l.bool('pad_to_aspect_ratio', false)) c.unsupported('pad_to_aspect_ratio');
  const sizes = [l.int('height'), l.int('width')];
  const single = rankOf(x) === 3;
  const whole = single ? reshape(c, x, [1, ...x.type.shape]) : x;
  const part = l.bool('crop_to_aspect_ratio', false) ? cropped(c, whole, l.layout, sizes) : whole;
  const y = resizedBy(c, part, l.text('interpolation', 'bilinear').toLowerCase(), {
    sizes,
    layout: l.layout,
    coordinates: 'half_pixel',
  });
  return [{ value: single ? reshape(c, y, y.type.shape.slice(1)) : y }];
};
/** The largest part in the middle that has the proportions of `sizes`. */
function cropped(c: KerasBuilder, x: Value, layout: 'NCHW' | 'NHWC', sizes: readonly number[]): Value {
  const [h, w] = spatialSizes(x, layout);
  const [th = 1, tw = 1] = sizes;
  if (typeof h !== 'number' || typeof w !== 'number') return c.unsupported('pictures of open sizes; fix them with --dim');
  const [ch, cw] = [Math.trunc((w * th) / tw), Math.trunc((h * tw) / th)];
  const part = [Math.max(1, Math.min(h, ch)), Math.max(1, Math.min(w, cw))];
  const starts = [h, w].map((d, i) => Math.trunc((d - must(part[i])) / 2));
  const cuts = spatialAxes(layout, rankOf(x)).map((a, i): readonly [number, Cut] => [
    a,
    { start: must(starts[i]), size: must(part[i]), step: 1 },
  ]);
  return slice(c, x, new Map(cuts));
}

export const shapeLayers: LayerTable = {
  Flatten: flatten,
  Reshape: (l, c, call) => [{ value: reshaped(c, call.x(), [must(call.x().type.shape[0])], l.ints('target_shape')) }],
  Permute: permute,
  RepeatVector: repeatVector,
  Cropping1D: cropping(1),
  Cropping2D: cropping(2),
  Cropping3D: cropping(3),
  ZeroPadding1D: zeroPadding(1),
  ZeroPadding2D: zeroPadding(2),
  ZeroPadding3D: zeroPadding(3),
  UpSampling1D: upSampling(1),
  UpSampling2D: upSampling(2),
  UpSampling3D: upSampling(3),
  CenterCrop: centerCrop,
  Resizing: resizing,
};
