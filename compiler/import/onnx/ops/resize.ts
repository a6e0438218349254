import { must } from '../../../core/diagnostic.ts';
import type { Dim } from '../../../core/dim.ts';
import { toNumbers } from '../../../core/tensor.ts';
import { tensorOf, symbolicOf, type Value } from '../../../graph/graph.ts';
import { Add, Div, Floor, Mul } from '../../../ops/elementwise/index.ts';
import { Cast } from '../../../ops/elementwise/cast.ts';
import { Gather } from '../../../ops/movement/gather.ts';
import { Reduce } from '../../../ops/reduce/reduce.ts';
import { Expand } from '../../../ops/movement/view.ts';
import { Resize } from '../../../ops/resample/resize.ts';
import { COORDINATES, NEAREST_MODES, RESIZE_MODES } from '../../../ops/resample/resize-taps.ts';
import type { ImportCtx, OnnxNode, OnnxOps } from '../registry.ts';
import { axisOf } from '../../shared/axes.ts';
import { declaredOr } from './declared.ts';
import { boundsIn, element, sizeOf, sizesValue } from '../../shared/sizes.ts';
import { cast, concat, slice } from '../../shared/views.ts';

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
  const asked = factors || given.scales ? undefined : (given.sizes ?? n.reject('neither scales nor sizes are given'));
  const sizes = symbolicOf(asked);
  const open = (): never =>
    n.unsupported(
      'its scales or sizes come out of data, and the file does not declare the size of its result: declare it, or make them constants',
    );

  const float = (v: Value): Value => cast(c, v, 'f32');
  const ofAxes = (): Value =>
    sizesValue(
      c,
      axes.map(a => must(x.type.shape[a])),
    );
  // One scale for all axes, where data tell it.
  const one =
    asked && !sizes && policy !== 'stretch'
      ? c.apply1(Reduce, [c.apply1(Div, [float(asked), float(ofAxes())])], {
          of: policy === 'not_larger' ? 'min' : 'max',
          axes: [0],
          keep: true,
        })
      : undefined;
  // In the arithmetic of onnxruntime: a float32 product of a float32 scale.
  const sizeOfAxis = (i: number, from: Dim): Value => {
    if (asked && !one) return element(c, asked, i);
    const factor = factors?.[i];
    const scale = one ?? (factor === undefined ? element(c, must(given.scales), i) : c.literal('f32', [factor]));
    const size = c.apply1(Mul, [float(sizesValue(c, [from])), float(scale)]);
    return cast(c, c.apply1(Floor, [one ? c.apply1(Add, [size, c.literal('f32', 0.5)]) : size]), 'i64');
  };
  const shape: Dim[] = [...x.type.shape];
  const scales = new Array<number>(rank).fill(1);
  axes.forEach((axis, i) => {
    const from = must(x.type.shape[axis]);
    scales[axis] = factors?.[i] ?? 0;
    const size = sizeOfAxis(i, from);
    shape[axis] = sizeOf(c, size, () => declaredOr(n, 0, axis, 'size', () => boundsIn(size) ?? open()));
  });
  let scalesInput = factors || !given.scales ? undefined : onAllAxes(c, given.scales, axes, rank, 1);
  if (one) scalesInput = onAllAxes(c, c.apply1(Expand, [one], { shape: [axes.length] }), axes, rank, 1);
  else if (sizes && policy !== 'stretch') oneScale(n, policy === 'not_larger' ? 'min' : 'max', axes, shape, scales, sizes);

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
  const attrs = {
    mode,
    coordinates,
    cubic: n.float('cubic_coeff_a', -0.75),
    excludeOutside: n.bool('exclude_outside', false),
    antialias: n.bool('antialias', false) && mode !== 'nearest',
    starts,
    ends,
    extrapolation: n.float('extrapolation_value', 0),
  };
  if (!old) {
    const nearest = word(n, NEAREST_MODES, 'nearest_mode', 'round_prefer_floor');
    return c.apply(Resize, [x, scalesInput, crop], { ...attrs, shape, scales, nearest });
  }
  // Sets before 11 do not say how nearest elements are found: as in onnxruntime, rounded up along axes that get smaller.
  const smaller = scales.map(s => mode === 'nearest' && s > 0 && s < 1);
  const shrunk = smaller.includes(true)
    ? c.apply1(Resize, [x], {
        ...attrs,
        shape: shape.map((d, a) => (smaller[a] === true ? d : must(x.type.shape[a]))),
        scales: scales.map((s, a) => (smaller[a] === true ? s : 1)),
        nearest: 'ceil',
      })
    : x;
  return c.apply(Resize, [shrunk, scalesInput, crop], {
    ...attrs,
    shape,
    scales: scales.map((s, a) => (smaller[a] === true ? 1 : s)),
    nearest: 'floor',
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
/** One scale for all axes, so that the result fits into, or covers, the sizes asked for: written into `scales` and `shape`. */
function oneScale(
  n: OnnxNode,
  of: 'min' | 'max',
  axes: readonly number[],
  shape: Dim[],
  scales: number[],
  sizes: readonly Dim[],
): void {
  const known = (d: Dim | undefined): number =>
    typeof d === 'number' ? d : n.unsupported('keeping the aspect ratio of open sizes: fix them with --dim');
  const from = axes.map(a => known(n.input(0).type.shape[a]));
  const ratios = sizes.map((d, i) => known(d) / must(from[i]));
  const scale = of === 'min' ? Math.min(...ratios) : Math.max(...ratios);
  axes.forEach((a, i) => {
    scales[a] = scale;
    shape[a] = Math.floor(scale * must(from[i]) + 0.5);
  });
}

export const resizeOps: OnnxOps = {
  Resize: (n, c) =>
    n.opset < 11
      ? resize(n, c, { scales: n.input(1, 'scales') })
      : resize(n, c, { roi: present(n.inputs[1]), scales: present(n.inputs[2]), sizes: present(n.inputs[3]) }),
  Upsample: (n, c) => resize(n, c, n.opset >= 9 ? { scales: n.input(1, 'scales') } : { factors: n.floats('scales') }),
};
