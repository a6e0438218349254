import { must } from '../../../core/diagnostic.ts';
import {
  dimAdd,
  dimFloorDiv,
  dimMax,
  dimMin,
  dimNeg,
  dimProd,
  dimSub,
  rangeOf,
  type Dim,
  type Range as Bounds,
} from '../../../core/dim.ts';
import { zeros } from '../../../core/tensor.ts';
import { symbolicOf, type Value } from '../../../graph/graph.ts';
import { Pad, PAD_MODES } from '../../../ops/movement/pad.ts';
import { Eye, Range, RangeSize } from '../../../ops/movement/range.ts';
import { ScatterElements } from '../../../ops/movement/scatter.ts';
import { Slice } from '../../../ops/movement/view.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode, OnnxOps } from '../registry.ts';
import { axisOf, rankOf } from '../../shared/axes.ts';
import { declaredOr } from './declared.ts';
import { element, expectSize, lengthOf, sizeOf, sizesOf, sizesValue, spare, unbounded, boundsIn } from '../../shared/sizes.ts';
import { concat, cutOf, expand, reshape, slice, type Cut } from '../../shared/views.ts';

const shapeOp: OnnxBuilder = (n, c) => {
  const { shape } = n.input(0).type;
  const rank = shape.length;
  const place = (raw: number): number => Math.max(0, Math.min(raw < 0 ? raw + rank : raw, rank));
  return [sizesValue(c, shape.slice(place(n.int('start', 0)), place(n.int('end', rank))))];
};
const size: OnnxBuilder = (n, c) => [sizesValue(c, [dimProd(n.input(0).type.shape)], [])];

const constantOfShape: OnnxBuilder = (n, c) => {
  const value = n.tensor('value', undefined) ?? zeros('f32', [1]);
  const axes = n.input(0).type.shape[0];
  const most = unbounded(c, 'shape', typeof axes === 'number' ? axes : 1);
  const shape = sizesOf(c, n.input(0), i => declaredOr(n, 0, i, 'size', () => ({ lo: 0, hi: most() })));
  return [expand(c, reshape(c, c.constant(value), []), shape)];
};
const range: OnnxBuilder = (n, c) => {
  // Of com.microsoft the step may be left out.
  const step = n.inputs[2] ?? c.literal(n.input(0).type.dtype, 1);
  const [start, limit, delta] = [n.input(0), n.input(1), step].map(v => reshape(c, v, []));
  const count = c.apply1(RangeSize, [start, limit, delta]);
  const most = (): Bounds => boundsIn(count) ?? { lo: 0, hi: unbounded(c, 'length')() };
  const length = sizeOf(c, count, () => declaredOr(n, 0, 0, 'range', most));
  return [c.apply1(Range, [start, delta], { n: length })];
};
const eyeLike: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const [rows = 0, cols = 0] = rankOf(x) === 2 ? x.type.shape : n.reject('takes a matrix');
  return [c.apply1(Eye, [], { rows, cols, k: n.int('k', 0), dtype: n.has('dtype') ? n.dtype('dtype') : x.type.dtype })];
};

/** Pads, where negative ones (that are known to be so) cut off first. */
function pad(
  c: ImportCtx,
  x: Value,
  mode: (typeof PAD_MODES)[number],
  begin: readonly Dim[],
  end: readonly Dim[],
  value?: Value,
): Value {
  const negative = (d: Dim): boolean => rangeOf(d).hi <= 0 && d !== 0;
  const cuts = new Map<number, Cut>();
  x.type.shape.forEach((d, a) => {
    const [b, e] = [must(begin[a]), must(end[a])];
    if (!negative(b) && !negative(e)) return;
    const start = negative(b) ? dimNeg(b) : 0;
    cuts.set(a, cutOf(d, start, negative(e) ? dimAdd(d, e) : d, 1));
  });
  const cut = slice(c, x, cuts);
  const rest = (ds: readonly Dim[]): Dim[] => ds.map(d => (negative(d) ? 0 : d));
  const [b, e] = [rest(begin), rest(end)];
  if ([...b, ...e].every(d => d === 0)) return cut;
  const fill = value ?? (x.type.dtype === 'text' && mode === 'constant' ? c.texts([''], []) : undefined);
  return c.apply1(Pad, [cut, fill], { mode, begin: b, end: e });
}
/** `attributes`: the pads and their value are attributes, not inputs. */
const padOp = (n: OnnxNode, c: ImportCtx, attributes: boolean): readonly Value[] => {
  const x = n.input(0);
  const { shape } = x.type;
  const word = n.string('mode', 'constant');
  const mode = PAD_MODES.find(m => m === word) ?? n.reject(`mode '${word}'`);
  if (attributes) {
    const pads = n.ints('pads');
    if (pads.length !== 2 * shape.length) n.reject(`${pads.length} pads for ${shape.length} axes`);
    const value = n.float('value', 0);
    const fill = value === 0 ? undefined : c.literal(x.type.dtype, value);
    return [pad(c, x, mode, pads.slice(0, shape.length), pads.slice(shape.length), fill)];
  }
  const axesIn = n.inputs[3];
  if (axesIn && !symbolicOf(axesIn)) return [padAnywhere(n, c, x, mode, axesIn)];
  const axes = axesIn ? c.intsIn(axesIn, 'axes').map(a => axisOf(n, a, shape.length)) : shape.map((_, a) => a);
  const pads = padsOf(n, c, n.input(1, 'pads'), axes, shape);
  const of = (first: number): Dim[] =>
    shape.map((_, a) => {
      const at = axes.indexOf(a);
      return at < 0 ? 0 : must(pads[first + at]);
    });
  const fill = n.inputs[2];
  return [pad(c, x, mode, of(0), of(axes.length), fill && reshape(c, fill, []))];
};
/** Pads whose axes only data tell: they are put in their places among those of all axes. */
function padAnywhere(n: OnnxNode, c: ImportCtx, x: Value, mode: (typeof PAD_MODES)[number], axes: Value): Value {
  const pads = n.input(1, 'pads');
  const { shape } = x.type;
  const count = lengthOf(c, axes);
  const zeros = c.literal(pads.type.dtype, new Array<number>(shape.length).fill(0));
  const half = (start: number): Value => {
    const some = c.apply1(Slice, [pads], { starts: [start], sizes: [count], steps: [1] });
    return c.apply1(ScatterElements, [zeros, axes, some], { axis: 0, reduction: 'none' });
  };
  const all = padsOf(
    n,
    c,
    concat(c, [half(0), half(count)], 0),
    shape.map((_, a) => a),
    shape,
  );
  const fill = n.inputs[2];
  return pad(c, x, mode, all.slice(0, shape.length), all.slice(shape.length), fill && reshape(c, fill, []));
}
/** Pads that data give: those behind an axis of a declared size follow from those before it, and a run checks them. */
function padsOf(n: OnnxNode, c: ImportCtx, v: Value, axes: readonly number[], shape: readonly Dim[]): readonly Dim[] {
  const count = axes.length;
  if (lengthOf(c, v) !== 2 * count) n.reject(`${lengthOf(c, v)} pads for ${count} axes`);
  const known = symbolicOf(v);
  if (known) return known;
  const most = unbounded(c, 'padding', count);
  const pads = axes.map((a, i): readonly [Dim, Dim] => {
    const [before, after] = [i, i + count].map(at => element(c, v, at));
    const declared = n.declared(0)?.[a];
    const total = declared === undefined ? undefined : dimSub(declared, must(shape[a]));
    const first = sizeOf(c, must(before), { what: 'pad', ...(total === undefined ? { lo: 0, hi: most() } : spare(total, 0)) });
    if (total === undefined) return [first, sizeOf(c, must(after), { what: 'pad', lo: 0, hi: most() })];
    const last = dimSub(total, first);
    expectSize(c, must(after), last, `the pads of axis ${a} do not give the size that the file declares`);
    return [first, last];
  });
  return [...pads.map(p => p[0]), ...pads.map(p => p[1])];
}

const centerCropPad: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const { shape } = x.type;
  const axes = (n.ints('axes', undefined) ?? shape.map((_, a) => a)).map(a => axisOf(n, a, shape.length));
  const wanted = n.input(1, 'shape');
  if (lengthOf(c, wanted) !== axes.length) n.reject(`${lengthOf(c, wanted)} sizes for ${axes.length} axes`);
  const most = unbounded(c, 'shape', axes.length);
  const target = sizesOf(c, wanted, i => declaredOr(n, 0, must(axes[i]), 'size', () => ({ lo: 0, hi: most() })));
  const cuts = new Map<number, Cut>();
  const begin: Dim[] = shape.map(() => 0);
  const end: Dim[] = shape.map(() => 0);
  axes.forEach((a, i) => {
    const want = must(target[i]);
    const have = must(shape[a]);
    const kept = dimMin(have, want);
    cuts.set(a, { start: dimFloorDiv(dimSub(have, kept), 2), size: kept, step: 1 });
    const more = dimMax(0, dimSub(want, kept));
    begin[a] = dimFloorDiv(more, 2);
    end[a] = dimSub(more, dimFloorDiv(more, 2));
  });
  return [pad(c, slice(c, x, cuts), 'constant', begin, end)];
};

/** Which attribute holds the value of a Constant. */
const constant: OnnxBuilder = (n, c) => {
  if (n.has('value')) return [c.constant(n.tensor('value'))];
  if (n.has('sparse_value')) return [c.constant(n.tensor('sparse_value'))];
  if (n.has('value_float')) return [c.literal('f32', n.float('value_float'))];
  if (n.has('value_floats')) return [c.literal('f32', n.floats('value_floats'))];
  if (n.has('value_int')) return [c.literal('i64', n.int('value_int'))];
  if (n.has('value_ints')) return [c.literal('i64', n.ints('value_ints'))];
  if (n.has('value_string')) return [c.texts([n.string('value_string')], [])];
  return n.has('value_strings') ? [c.texts(n.strings('value_strings'))] : n.reject('it has no value');
};

export const shapeOps: OnnxOps = {
  Constant: constant,
  Shape: shapeOp,
  Size: size,
  ConstantOfShape: constantOfShape,
  Range: range,
  EyeLike: eyeLike,
  Pad: (n, c) => padOp(n, c, n.opset < 11),
  CenterCropPad: centerCropPad,
  'com.microsoft.Range': range,
  'com.microsoft.Pad': (n, c) => padOp(n, c, false),
};
