import { must } from '../../core/diagnostic.ts';
import { dimEq } from '../../core/dim.ts';
import { DTYPES, isFloat, limitsOf } from '../../core/dtype.ts';
import { tensorType } from '../../core/shape.ts';
import { fromNumbers, fromTyped, numel, toNumbers, typed, type Tensor } from '../../core/tensor.ts';
import type { Node } from '../../graph/graph.ts';
import { perAxis } from '../axes.ts';
import { defineOp } from '../define.ts';
import type { TapTable } from './resize-taps.ts';
import { lowerResize } from './schedules/resize.ts';
import { resizeAttrs, isWholeAxis, axisTable } from './resize-attrs.ts';

export const Resize = defineOp({
  name: 'Resize',
  doc: 'Samples a tensor at other sizes along some axes: nearest, linear or cubic, one axis after the other. Integers are truncated, and saturate.',
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
    const { dtype } = t;
    const [least, greatest] = limitsOf(dtype).map(Number);
    const held = (v: number): number => Math.min(Math.max(v, must(least)), must(greatest));
    const exact = c.attrs.mode === 'nearest';
    const resized = dims.flatMap((_, axis) => (isWholeAxis(c.attrs, axis, must(t.dims[axis])) ? [] : [axis]));
    // Cubic weights overshoot: integers saturate after each axis, the last one first.
    const overshoots = c.attrs.mode === 'cubic' && !isFloat(dtype);
    for (const axis of overshoots ? resized.reverse() : resized) {
      t = resizeAxis(t, axis, axisTable(attrs, axis, must(t.dims[axis]), must(dims[axis])), exact, c.attrs.extrapolation);
      if (overshoots) t = fromNumbers(t.dtype, t.dims, toNumbers(t).map(held));
    }
    if (t.dtype === dtype) return [t];
    return [fromNumbers(dtype, t.dims, isFloat(dtype) ? toNumbers(t) : toNumbers(t).map(v => held(Math.trunc(v))))];
  },
  permuteAxes: (n, perm) => {
    const a = n.attrs;
    // Scales and crops that come with the input are in the order of the axes.
    if (n.inputs[1] || n.inputs[2]) return undefined;
    const [shape, scales] = [perAxis(a.shape, perm), perAxis(a.scales, perm)];
    return { ...a, shape, scales, starts: perAxis(a.starts, perm), ends: perAxis(a.ends, perm) };
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
            from[(o * input + (table.first[i] ?? 0)) * inner + e],
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
          const at = Math.min(Math.max((table.first[i] ?? 0) + k, 0), input - 1);
          sum += (table.weight[i * table.taps + k] ?? 0) * (from[(o * input + at) * inner + e] ?? 0);
        }
        to[(o * output + i) * inner + e] = table.outside[i] === 1 ? extrapolation : sum;
      }
  return { dtype: 'f64', dims, bytes: new Uint8Array(to.buffer) };
}
