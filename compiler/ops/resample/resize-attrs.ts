import { must } from '../../core/diagnostic.ts';
import { dimEq, type Dim } from '../../core/dim.ts';
import { attr, type Typed } from '../define.ts';
import {
  arithmeticOf,
  COORDINATES,
  NEAREST_MODES,
  RESIZE_MODES,
  tapTable,
  type TapOptions,
  type TapTable,
} from './resize-taps.ts';

export const resizeAttrs = {
  /** Sizes of the result. */
  shape: attr.dims(),
  /** Per axis; 0: output size over input size. The input `scales` goes before it. */
  scales: attr.floats(),
  mode: attr.oneOf(RESIZE_MODES),
  coordinates: attr.oneOf(COORDINATES),
  nearest: attr.oneOf(NEAREST_MODES, 'round_prefer_floor'),
  cubic: attr.float(-0.75),
  excludeOutside: attr.bool(false),
  antialias: attr.bool(false),
  /** Per axis, for tf_crop_and_resize: where the part begins and ends, from 0 to 1. */
  starts: attr.floats(),
  ends: attr.floats(),
  extrapolation: attr.float(0),
} as const;
export type ResizeAttrs = Typed<typeof resizeAttrs>;

/** Whether an axis stays as it is. (A scale out of data that leaves a size as it is is taken for 1.) */
export function isWholeAxis(a: ResizeAttrs, axis: number, from: Dim): boolean {
  const scale = a.scales[axis];
  return dimEq(from, must(a.shape[axis])) && (scale === 0 || scale === 1) && a.coordinates !== 'tf_crop_and_resize';
}
/** The taps of an axis whose sizes are numbers. */
export function axisTable(a: Omit<ResizeAttrs, 'shape'>, axis: number, input: number, output: number): TapTable {
  const given = must(a.scales[axis]);
  const m = arithmeticOf(a);
  const scale = given === 0 ? m.div(m.num(output), m.num(input)) : m.num(given);
  const options: TapOptions = a;
  return tapTable(options, {
    input,
    output,
    scale,
    exact: given === 0 ? output : m.mul(scale, m.num(input)),
    start: m.num(must(a.starts[axis])),
    end: m.num(must(a.ends[axis])),
  });
}
