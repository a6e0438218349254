import { must } from '../../core/diagnostic.ts';
import { dimEq, type Dim } from '../../core/dim.ts';
import { DTYPES, isFloat } from '../../core/dtype.ts';
import { tensorType } from '../../core/shape.ts';
import { fromNumbers, fromTyped, numel, toNumbers, typed, type Tensor } from '../../core/tensor.ts';
import type { Node } from '../../graph/graph.ts';
import { attr, defineOp, type Typed } from '../define.ts';
import { COORDINATES, NEAREST_MODES, RESIZE_MODES, tapTable, type TapOptions, type TapTable } from './resize-taps.ts';
import { lowerResize } from './schedules/resize.ts';

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
  const scale = given === 0 ? output / input : given;
  const options: TapOptions = a;
  return tapTable(options, {
    input,
    output,
    scale,
    exact: given === 0 ? output : scale * input,
    start: must(a.starts[axis]),
    end: must(a.ends[axis]),
  });
}

export const Resize = defineOp({
  name: 'Resize',
  doc: 'Samples a tensor at other sizes along some axes: nearest, linear or cubic, one axis after the other.',
  inputs: ['x', 'scales?', 'crop?'],
  attrs: resizeAttrs,
  infer: c => {
    const x = must(c.types[0]);
    const { shape, scales, starts, ends, mode } = c.attrs;
    const rank = x.shape.length;
    if ([shape, scales, starts, ends].some(l => l.length !== rank)) c.reject(`sizes and scales must be for ${rank} axes`);
    if (scales.some(s => !(s >= 0 && Number.isFinite(s)))) c.reject('scales must be positive');
    if (c.types[1] && (c.types[1].dtype !== 'f32' || !dimEq(must(c.types[1].shape[0]), rank)))
      c.reject(`scales must be ${rank} floats`);
    if (c.types[2] && (c.types[2].dtype !== 'f32' || !dimEq(must(c.types[2].shape[0]), 2 * rank)))
      c.reject(`crop must be ${2 * rank} floats`);
    if (mode !== 'nearest' && !isFloat(x.dtype) && DTYPES[x.dtype].bytes > 4)
      c.reject(`mode ${mode} takes floats, not ${x.dtype}`);
    return [tensorType(x.dtype, shape)];
  },
  eval: (c, x, scales, crop) => {
    const dims = c.dims(0);
    const part = crop && [...toNumbers(crop)];
    const attrs = {
      ...c.attrs,
      ...(scales && { scales: [...toNumbers(scales)] }),
      ...(part && { starts: part.slice(0, dims.length), ends: part.slice(dims.length) }),
    };
    let t = must(x);
    const exact = c.attrs.mode === 'nearest';
    for (let axis = 0; axis < dims.length; axis++)
      if (!isWholeAxis(c.attrs, axis, must(t.dims[axis])))
        t = resizeAxis(t, axis, axisTable(attrs, axis, must(t.dims[axis]), must(dims[axis])), exact, c.attrs.extrapolation);
    const dtype = must(x).dtype;
    return [
      t.dtype === dtype
        ? t
        : fromNumbers(
            dtype,
            t.dims,
            toNumbers(t).map(v => (isFloat(dtype) ? v : Math.trunc(v))),
          ),
    ];
  },
  lower: {
    k: 'kernel',
    iterationSpace: (n: Node) => must(n.outputs[0]).type.shape.map((_, i) => [i]),
    build: c => lowerResize(c),
  },
});

/** One axis at its new size; other than for nearest the result is in float64. */
function resizeAxis(t: Tensor, axis: number, table: TapTable, exact: boolean, extrapolation: number): Tensor {
  const inner = numel(t.dims.slice(axis + 1));
  const input = must(t.dims[axis]);
  const outer = numel(t.dims.slice(0, axis));
  const output = table.outside.length;
  const dims = t.dims.map((d, i) => (i === axis ? output : d));
  if (exact && !table.outside.includes(1)) {
    const from = typed(t);
    const to = new DTYPES[t.dtype].array(outer * output * inner);
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < output; i++)
        for (let e = 0; e < inner; e++)
          (to as unknown as number[])[(o * output + i) * inner + e] = must(
            from[(o * input + (table.index[i] ?? 0)) * inner + e],
          ) as number;
    return fromTyped(t.dtype, dims, to);
  }
  const from = toNumbers(t);
  const to = new Float64Array(outer * output * inner);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < output; i++)
      for (let e = 0; e < inner; e++) {
        let sum = 0;
        for (let k = 0; k < table.taps; k++) {
          const at = i * table.taps + k;
          sum += (table.weight[at] ?? 0) * (from[(o * input + (table.index[at] ?? 0)) * inner + e] ?? 0);
        }
        to[(o * output + i) * inner + e] = table.outside[i] === 1 ? extrapolation : sum;
      }
  return { dtype: 'f64', dims, bytes: new Uint8Array(to.buffer) };
}
