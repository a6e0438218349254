import { must } from '../../../core/diagnostic.ts';
import { dimSub, type Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import * as e from '../../../ops/elementwise/index.ts';
import { GatherND } from '../../../ops/movement/gather.ts';
import { Range } from '../../../ops/movement/range.ts';
import { rankOf } from '../../shared/axes.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { sizesOf, sizesValue } from '../../shared/sizes.ts';
import {
  coordinatesOf,
  resizeArea,
  resizeBicubic,
  resizeBilinear,
  resizeNearest,
  type Resizing,
} from '../../shared/tensorflow/resize.ts';
import { cast, concat, expand, reshape, slice } from '../../shared/views.ts';
import { patches } from '../patches.ts';
import type { TfBuilder, TfCtx, TfOps } from '../registry.ts';
import { paddingOf, spatialOf } from './conv.ts';

const resize =
  (f: (c: TfCtx, x: Value, o: Resizing) => Value): TfBuilder =>
  (n, c) => {
    const x = n.input(0);
    const sizes = sizesOf(c, n.input(1), () => ({ what: 'size', lo: 1, hi: 2048 }));
    if (rankOf(x) !== 4 || sizes.length !== 2) n.reject('takes [batch, height, width, channels] and two sizes');
    const coordinates = coordinatesOf(n.bool('align_corners', false), n.bool('half_pixel_centers', false));
    return [f(c, x, { layout: 'NHWC', sizes, coordinates })];
  };
const arith = (c: TfCtx, of: typeof e.Add, a: Value, b: Value | number): Value =>
  c.apply1(of, [a, typeof b === 'number' ? c.literal(a.type.dtype, b) : b]);
/** Where the samples of each box lie along an axis, [boxes, samples], in elements of the picture. */
function places(c: TfCtx, low: Value, high: Value, size: Dim, samples: Dim): Value {
  const float = (d: Dim): Value => cast(c, sizesValue(c, [d], []), 'f32');
  const last = float(dimSub(size, 1));
  const middle = arith(c, e.Mul, arith(c, e.Mul, arith(c, e.Add, low, high), 0.5), last);
  if (samples === 1) return middle;
  const step = arith(c, e.Div, arith(c, e.Mul, arith(c, e.Sub, high, low), last), float(dimSub(samples, 1)));
  const at = reshape(c, c.apply1(Range, [c.literal('f32', 0), c.literal('f32', 1)], { n: samples }), [1, samples]);
  const wide = arith(c, e.Add, arith(c, e.Mul, low, last), arith(c, e.Mul, step, at));
  if (typeof samples === 'number') return wide;
  const one = c.apply1(e.Equal, [sizesValue(c, [samples], []), c.literal('i64', 1)]);
  return c.apply1(e.Where, [one, middle, wide]);
}
/** Parts of pictures, resized: bilinear or nearest, with a number for what lies outside (core/kernels/image/crop_and_resize_op.cc). */
const cropAndResize: TfBuilder = (n, c) => {
  const [pictures, boxes, which] = [n.input(0), cast(c, n.input(1), 'f32'), n.input(2)];
  const [, height = 1, width = 1] = pictures.type.shape;
  const [rows = 1, cols = 1] = sizesOf(c, n.input(3), () => ({ what: 'size', lo: 1, hi: 512 }));
  const many = must(boxes.type.shape[0]);
  const method = n.string('method', 'bilinear');
  const corner = (i: number): Value => slice(c, boxes, new Map([[1, { start: i, size: 1, step: 1 }]]));
  const y = reshape(c, places(c, corner(0), corner(2), height, rows), [many, rows, 1]);
  const x = reshape(c, places(c, corner(1), corner(3), width, cols), [many, 1, cols]);
  const within = (v: Value, size: Dim): Value => {
    const last = cast(c, sizesValue(c, [dimSub(size, 1)], []), 'f32');
    return c.apply1(e.And, [c.apply1(e.GreaterOrEqual, [v, c.literal('f32', 0)]), c.apply1(e.LessOrEqual, [v, last])]);
  };
  const inside = c.apply1(e.And, [within(y, height), within(x, width)]);
  const index = (v: Value, size: Dim): Value => {
    const wide = cast(c, v, 'i64');
    return c.apply1(e.Min, [c.apply1(e.Max, [wide, c.literal('i64', 0)]), sizesValue(c, [dimSub(size, 1)], [])]);
  };
  const batch = reshape(c, cast(c, which, 'i64'), [many, 1, 1]);
  const shape = [many, rows, cols];
  const pick = (row: Value, col: Value): Value => {
    const parts = [batch, index(row, height), index(col, width)].map(v => reshape(c, expand(c, v, shape), [...shape, 1]));
    return cast(c, c.apply1(GatherND, [pictures, concat(c, parts, 3)], { batch: 0 }), 'f32');
  };
  const outside = c.literal('f32', n.float('extrapolation_value', 0));
  const held = (v: Value): Value => c.apply1(e.Where, [reshape(c, inside, [...shape, 1]), v, outside]);
  if (method === 'nearest') {
    const near = (v: Value): Value => c.apply1(e.Floor, [arith(c, e.Add, v, 0.5)]);
    return [held(pick(near(y), near(x)))];
  }
  const [top, left] = [c.apply1(e.Floor, [y]), c.apply1(e.Floor, [x])];
  const [bottom, right] = [c.apply1(e.Ceil, [y]), c.apply1(e.Ceil, [x])];
  const part = (v: Value, low: Value, tail: readonly Dim[]): Value => reshape(c, c.apply1(e.Sub, [v, low]), tail);
  const [dy, dx] = [part(y, top, [many, rows, 1, 1]), part(x, left, [many, 1, cols, 1])];
  const mix = (a: Value, b: Value, t: Value): Value => arith(c, e.Add, a, arith(c, e.Mul, arith(c, e.Sub, b, a), t));
  const upper = mix(pick(top, left), pick(top, right), dx);
  const lower = mix(pick(bottom, left), pick(bottom, right), dx);
  return [held(mix(upper, lower, dy))];
};

/** The elements of each window as channels. */
const imagePatches: TfBuilder = (n, c) => {
  const x = n.input(0);
  const rank = rankOf(x);
  const list = (name: string): readonly number[] => spatialOf(n, n.ints(name), 'NHWC', rank, name);
  const ones = x.type.shape.slice(1, -1).map(() => 1);
  const o = {
    kernel: list('ksizes'),
    strides: list('strides'),
    dilations: n.has('rates') ? list('rates') : ones,
    padding: paddingOf(n, 'NHWC', rank),
    fill: 0,
  };
  return [concat(c, patches(c, x, o), rank - 1)];
};

/** Channels 0 to 2 of the last axis. */
const channels = (c: TfCtx, x: Value): readonly [Value, Value, Value] => {
  const axis = rankOf(x) - 1;
  const at = (i: number): Value => slice(c, x, new Map([[axis, { start: i, size: 1, step: 1 }]]));
  return [at(0), at(1), at(2)];
};
interface Hsv {
  /** From 0 to 6. */
  readonly hue: Value;
  readonly value: Value;
  /** The greatest less the least channel. */
  readonly range: Value;
}
function hsvOf(c: TfCtx, x: Value): Hsv {
  const [r, g, b] = channels(c, x);
  const value = c.apply1(e.Max, [r, c.apply1(e.Max, [g, b])]);
  const range = c.apply1(e.Sub, [value, c.apply1(e.Min, [r, c.apply1(e.Min, [g, b])])]);
  const zero = c.literal(x.type.dtype, 0);
  const gray = c.apply1(e.Equal, [range, zero]);
  const norm = c.apply1(e.Where, [gray, c.literal(x.type.dtype, 1), range]);
  const turn = (a: Value, d: Value, from: number): Value => arith(c, e.Add, arith(c, e.Div, c.apply1(e.Sub, [a, d]), norm), from);
  const is = (v: Value): Value => c.apply1(e.Equal, [v, value]);
  const raw = c.apply1(e.Where, [is(r), turn(g, b, 0), c.apply1(e.Where, [is(g), turn(b, r, 2), turn(r, g, 4)])]);
  const turned = c.apply1(e.Where, [c.apply1(e.Less, [raw, zero]), arith(c, e.Add, raw, 6), raw]);
  return { hue: c.apply1(e.Where, [gray, zero, turned]), value, range };
}
/** How much of each channel a hue from 0 to 6 has. */
function partsOfHue(c: TfCtx, hue: Value): readonly Value[] {
  const away = (from: number): Value => c.apply1(e.Abs, [arith(c, e.Sub, hue, from)]);
  const held = (v: Value): Value => c.apply1(e.Clip, [v], { lo: 0, hi: 1 });
  const two = c.literal(hue.type.dtype, 2);
  return [held(arith(c, e.Sub, away(3), 1)), held(c.apply1(e.Sub, [two, away(2)])), held(c.apply1(e.Sub, [two, away(4)]))];
}
const rgbOf = (c: TfCtx, h: Hsv): Value => {
  const least = c.apply1(e.Sub, [h.value, h.range]);
  const parts = partsOfHue(c, h.hue).map(p => arith(c, e.Add, arith(c, e.Mul, p, h.range), least));
  return concat(c, parts, rankOf(h.hue) - 1);
};
const adjustHue: TfBuilder = (n, c) => {
  const h = hsvOf(c, n.input(0));
  const moved = arith(c, e.Add, h.hue, arith(c, e.Mul, reshape(c, cast(c, n.input(1), h.hue.type.dtype), []), 6));
  return [rgbOf(c, { ...h, hue: c.apply1(e.Mod, [moved, c.literal(h.hue.type.dtype, 6)], { fmod: false }) })];
};
const adjustSaturation: TfBuilder = (n, c) => {
  const h = hsvOf(c, n.input(0));
  const scaled = c.apply1(e.Mul, [h.range, reshape(c, cast(c, n.input(1), h.range.type.dtype), [])]);
  return [rgbOf(c, { ...h, range: c.apply1(e.Max, [c.apply1(e.Min, [scaled, h.value]), c.literal(h.range.type.dtype, 0)]) })];
};
const adjustContrast: TfBuilder = (n, c) => {
  const x = n.input(0);
  const mean = reduceOver(c, 'mean', x, [rankOf(x) - 3, rankOf(x) - 2], true);
  const factor = reshape(c, cast(c, n.input(1), x.type.dtype), []);
  return [c.apply1(e.Add, [c.apply1(e.Mul, [c.apply1(e.Sub, [x, mean]), factor]), mean])];
};
const rgbToHsv: TfBuilder = (n, c) => {
  const h = hsvOf(c, n.input(0));
  const zero = c.literal(h.value.type.dtype, 0);
  const dark = c.apply1(e.LessOrEqual, [h.value, zero]);
  const one = c.literal(h.value.type.dtype, 1);
  const saturation = c.apply1(e.Where, [dark, zero, c.apply1(e.Div, [h.range, c.apply1(e.Where, [dark, one, h.value])])]);
  return [concat(c, [arith(c, e.Div, h.hue, 6), saturation, h.value], rankOf(h.hue) - 1)];
};
const hsvToRgb: TfBuilder = (n, c) => {
  const [hue, saturation, value] = channels(c, n.input(0));
  const range = c.apply1(e.Mul, [saturation, value]);
  return [rgbOf(c, { hue: arith(c, e.Mul, hue, 6), value, range })];
};
export const imageOps: TfOps = {
  AdjustContrastv2: adjustContrast,
  AdjustHue: adjustHue,
  AdjustSaturation: adjustSaturation,
  CropAndResize: cropAndResize,
  ExtractImagePatches: imagePatches,
  ExtractVolumePatches: imagePatches,
  HSVToRGB: hsvToRgb,
  RGBToHSV: rgbToHsv,
  ResizeArea: resize(resizeArea),
  ResizeBicubic: resize(resizeBicubic),
  ResizeBilinear: resize(resizeBilinear),
  ResizeNearestNeighbor: resize(resizeNearest),
};
