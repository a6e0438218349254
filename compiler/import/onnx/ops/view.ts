import { must } from '../../../core/diagnostic.ts';
import {
  dimAdd,
  dimCeilDiv,
  dimFloorDiv,
  dimHi,
  dimMul,
  dimProd,
  dimsNeverEqual,
  dimSub,
  dimSum,
  showDim,
  type Dim,
} from '../../../core/dim.ts';
import { symbolicOf, type Value } from '../../../graph/graph.ts';
import { Equal, Where } from '../../../ops/elementwise/index.ts';
import { broadcastShapes } from '../../../ops/elementwise/op.ts';
import { ScatterElements } from '../../../ops/movement/scatter.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode, OnnxOps } from '../registry.ts';
import { axisOf, positionOf, rankOf, sortedAxes } from '../../shared/axes.ts';
import { declaredOr } from './declared.ts';
import { dataAxes, sizesWith, sizesWithout } from '../../shared/data-axes.ts';
import { element, expectSize, expectSizes, lengthOf, reach, sizeOf, sizesOf, sizesValue, unbounded } from '../../shared/sizes.ts';
import { type Cut, cast, concat, cutOf, expand, reshape, slice, transpose } from '../../shared/views.ts';

/** The sizes that Reshape means: 0 copies a size (unless `allowZero`), one -1 is what is left. */
function resolveShape(n: OnnxNode, x: Value, target: readonly Dim[], allowZero: boolean): Dim[] {
  const { shape } = x.type;
  const open = target.indexOf(-1);
  if (target.indexOf(-1, open + 1) > open && open >= 0) n.reject('more than one size is -1');
  const out = target.map((d, i): Dim => {
    if (typeof d === 'number' && d < -1) return n.reject(`size ${d}`);
    return d === 0 && !allowZero
      ? (shape[i] ?? n.reject(`size ${i} is to be copied, but the input has ${shape.length} axes`))
      : d;
  });
  if (open >= 0) out[open] = dimFloorDiv(dimProd(shape), dimProd(out.filter((_, i) => i !== open)));
  return out;
}

const reshapeOp: OnnxBuilder = (n, c) => {
  const x = n.input(0, 'data');
  const target = n.input(1, 'shape');
  const known = symbolicOf(target);
  if (known) return [reshape(c, x, resolveShape(n, x, known, n.bool('allowzero', false)))];
  // Data tell the shape. One size may be left open where the file declares the others.
  const declared = Array.from({ length: lengthOf(c, target) }, (_, i) => n.declared(0)?.[i] ?? -1);
  if (declared.filter(s => s === -1).length > 1)
    n.unsupported('its shape is computed from data when the model runs, and the file declares too few of its sizes');
  const shape = resolveShape(n, x, declared, true);
  expectSizes(c, resolvedAtRunTime(n, c, x, target, shape), shape, 'its shape is not what the file declares');
  return [reshape(c, x, shape)];
};
/** The sizes that a shape from data means, as a vector; `shape` is what they must be in the end. */
function resolvedAtRunTime(n: OnnxNode, c: ImportCtx, x: Value, target: Value, shape: readonly Dim[]): Value {
  const given = cast(c, target, 'i64');
  const is = (v: Value, k: number): Value => c.apply1(Equal, [v, c.literal('i64', k)]);
  const own = shape.map((_, i) => x.type.shape[i] ?? 0);
  const copied = n.bool('allowzero', false) ? given : c.apply1(Where, [is(given, 0), sizesValue(c, own), given]);
  // The number of elements tells whether what is left is right.
  return c.apply1(Where, [is(copied, -1), sizesValue(c, shape), copied]);
}

const transposeOp: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const perm = n.ints('perm', undefined) ?? x.type.shape.map((_, i) => rankOf(x) - 1 - i);
  return [transpose(c, x, perm)];
};

const flatten: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const axis = positionOf(n, n.int('axis', 1), rankOf(x));
  return [reshape(c, x, [dimProd(x.type.shape.slice(0, axis)), dimProd(x.type.shape.slice(axis))])];
};

/** Axes given as an attribute or, from opset 13, as an input; undefined where they are not given or only data tell them. */
function axesOf(n: OnnxNode, c: ImportCtx): { readonly given: boolean; readonly axes: readonly number[] | undefined } {
  const list = n.ints('axes', undefined);
  // A list of nothing is as good as none: so says the standard's reference, and onnxruntime.
  const attribute = list?.length === 0 ? undefined : list;
  const second = n.inputs[1];
  if (!second) return { given: attribute !== undefined, axes: attribute };
  return { given: true, axes: symbolicOf(second) && c.intsIn(second, 'axes') };
}
/** The sizes of the result that a vector has, for operators whose axes only data tell. */
const sizesInto = (n: OnnxNode, c: ImportCtx, x: Value, sizes: Value): readonly Dim[] =>
  sizesOf(c, sizes, i => declaredOr(n, 0, i, 'size', () => ({ lo: 0, hi: Math.max(1, ...x.type.shape.map(dimHi)) })));
const squeeze: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const { given, axes } = axesOf(n, c);
  if (given && !axes) return [reshape(c, x, sizesInto(n, c, x, sizesWithout(c, x, dataAxes(c, n.input(1), rankOf(x)))))];
  const dropped = axes ? sortedAxes(n, axes, rankOf(x)) : x.type.shape.flatMap((d, a) => (d === 1 ? [a] : []));
  x.type.shape.forEach((d, a) => {
    if (!axes && typeof d !== 'number' && !dimsNeverEqual(d, 1))
      n.unsupported(
        `it drops all axes of one element, and axis ${a} (${showDim(d)}) may have one: give a size with --dim, or a range without 1; or export it with axes`,
      );
    if (dropped.includes(a)) c.expect(d, 1, `axis ${a} has ${showDim(d)} elements, not 1`);
  });
  return [
    reshape(
      c,
      x,
      x.type.shape.filter((_, a) => !dropped.includes(a)),
    ),
  ];
};
const unsqueeze: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const { given, axes } = axesOf(n, c);
  if (given && !axes) {
    const second = n.input(1);
    const added = dataAxes(c, second, rankOf(x) + lengthOf(c, second));
    return [reshape(c, x, sizesInto(n, c, x, sizesWith(c, x, added)))];
  }
  const added = sortedAxes(n, axes ?? n.reject('axes are missing'), rankOf(x) + (axes?.length ?? 0));
  const rest = [...x.type.shape];
  return [
    reshape(
      c,
      x,
      Array.from({ length: rest.length + added.length }, (_, a) => (added.includes(a) ? 1 : must(rest.shift()))),
    ),
  ];
};

const expandOp: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const given = n.input(1, 'shape');
  const known = symbolicOf(given);
  // Sizes that may turn out unequal are left to Expand, which guards them.
  if (known)
    return [
      expand(
        c,
        x,
        broadcastShapes(x.type.shape, known, (_, b) => b),
      ),
    ];
  const rank = Math.max(rankOf(x), lengthOf(c, given));
  const ones = (count: number): readonly number[] => new Array<number>(count).fill(1);
  const own = [...ones(rank - rankOf(x)), ...x.type.shape];
  const asked = concat(c, [c.literal('i64', ones(rank - lengthOf(c, given))), given], 0);
  const both = c.apply1(Where, [c.apply1(Equal, [asked, c.literal('i64', 1)]), sizesValue(c, own), asked]);
  const most = unbounded(c, 'shape', rank);
  const shape = own.map((d, i) => {
    const size = element(c, both, i);
    if (d === 1 || typeof d !== 'number')
      return sizeOf(
        c,
        size,
        declaredOr(n, 0, i, 'size', () => ({ lo: 0, hi: most() })),
      );
    expectSize(c, size, d, `axis ${i} has ${d} elements and cannot be expanded`);
    return d;
  });
  return [expand(c, x, shape)];
};
const tile: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const { shape } = x.type;
  const most = unbounded(c, 'shape', shape.length);
  const repeats = sizesOf(c, n.input(1, 'repeats'), i => {
    const declared = n.declared(0)?.[i];
    const size = shape[i];
    if (declared !== undefined && typeof size === 'number' && declared % size === 0)
      return { what: 'repeat', lo: 0, hi: 0, declared: declared / size };
    return { what: 'repeat', lo: 0, hi: Math.max(1, Math.floor(most() / Math.max(1, dimHi(size ?? 1)))) };
  });
  if (repeats.length !== shape.length) n.reject(`${repeats.length} repeats for ${shape.length} axes`);
  const split: Dim[] = [];
  const wide: Dim[] = [];
  shape.forEach((d, a) => {
    const r = must(repeats[a]);
    if (r !== 1 && d !== 1) {
      split.push(1);
      wide.push(r);
    }
    split.push(d);
    wide.push(d === 1 ? r : d);
  });
  return [
    reshape(
      c,
      expand(c, reshape(c, x, split), wide),
      shape.map((d, a) => dimMul(d, must(repeats[a]))),
    ),
  ];
};

const sliceOp: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const { shape } = x.type;
  if (n.opset < 10) {
    const starts = n.ints('starts');
    const axes = n.ints('axes', undefined) ?? starts.map((_, i) => i);
    return [
      sliceAxes(
        n,
        c,
        x,
        axes,
        starts,
        n.ints('ends'),
        starts.map(() => 1),
      ),
    ];
  }
  const [starts, ends, axesIn, stepsIn] = [n.input(1, 'starts'), n.input(2, 'ends'), n.inputs[3], n.inputs[4]];
  const count = lengthOf(c, starts);
  if (axesIn && !symbolicOf(axesIn)) return [sliceAnywhere(n, c, x, starts, ends, axesIn, stepsIn)];
  const axes = axesIn ? c.intsIn(axesIn, 'axes') : Array.from({ length: count }, (_, i) => i);
  const size = (i: number): Dim => shape[axisOf(n, axes[i] ?? 0, shape.length)] ?? 1;
  const read = (what: string) => (i: number) => ({ what, ...reach(size(i)), clamp: true });
  return [
    sliceAxes(
      n,
      c,
      x,
      axes,
      sizesOf(c, starts, read('start')),
      sizesOf(c, ends, read('end')),
      stepsIn ? sizesOf(c, stepsIn, read('step')) : axes.map(() => 1),
    ),
  ];
};
function sliceAxes(
  n: OnnxNode,
  c: ImportCtx,
  x: Value,
  axes: readonly number[],
  starts: readonly Dim[],
  ends: readonly Dim[],
  steps: readonly Dim[],
): Value {
  if (starts.length !== axes.length || ends.length !== axes.length || steps.length !== axes.length)
    n.reject('starts, ends, axes and steps must be equally many');
  const cuts = new Map<number, Cut>();
  axes.forEach((raw, i) => {
    const a = axisOf(n, raw, rankOf(x));
    if (steps[i] === 0) n.reject('a step of 0');
    if (cuts.has(a)) n.reject(`axis ${a} is given twice`);
    cuts.set(a, cutOf(must(x.type.shape[a]), must(starts[i]), must(ends[i]), must(steps[i])));
  });
  return slice(c, x, cuts);
}
/** A slice whose axes only data tell: its bounds are put in their places among those of all axes. */
function sliceAnywhere(
  n: OnnxNode,
  c: ImportCtx,
  x: Value,
  starts: Value,
  ends: Value,
  axes: Value,
  steps: Value | undefined,
): Value {
  const rank = rankOf(x);
  const all = (dflt: number, given: Value | undefined): readonly Dim[] => {
    if (!given) return x.type.shape.map(() => dflt);
    const base = c.literal(given.type.dtype, new Array<number>(rank).fill(dflt));
    const full = c.apply1(ScatterElements, [base, axes, given], { axis: 0, reduction: 'none' });
    return x.type.shape.map((d, a) => sizeOf(c, element(c, full, a), { what: 'bound', ...reach(d), clamp: true }));
  };
  const end = 2 ** 31 - 1;
  const cuts = [all(0, starts), all(end, ends), all(1, steps)];
  return sliceAxes(
    n,
    c,
    x,
    x.type.shape.map((_, a) => a),
    must(cuts[0]),
    must(cuts[1]),
    must(cuts[2]),
  );
}

const split: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const axis = axisOf(n, n.int('axis', 0), rankOf(x));
  const size = must(x.type.shape[axis]);
  const second = n.inputs[1];
  const attribute = n.ints('split', undefined);
  const parts = (): readonly Dim[] => {
    if (second) return sizesOf(c, second, i => declaredOr(n, i, axis, 'part', () => ({ lo: 0, hi: dimHi(size) })));
    if (attribute) return attribute;
    const count = n.int('num_outputs', n.outputs.length);
    if (count !== n.outputs.length) n.reject(`num_outputs is ${count}, but it has ${n.outputs.length} outputs`);
    const each = n.opset < 18 ? dimFloorDiv(size, count) : dimCeilDiv(size, count);
    const fair = Array.from({ length: count }, () => each);
    fair[count - 1] = dimSub(size, dimMul(each, count - 1));
    return fair;
  };
  let at: Dim = 0;
  const sizes = parts();
  c.expect(dimSum(sizes), size, `parts of ${sizes.map(showDim).join(', ')} do not make ${showDim(size)}`);
  return sizes.map(part => {
    const start = at;
    at = dimAdd(at, part);
    return slice(c, x, new Map([[axis, { start, size: part, step: 1 }]]));
  });
};

const concatOp: OnnxBuilder = (n, c) => {
  const xs = n.inputs.map((_, i) => n.input(i));
  const axis = axisOf(n, n.int('axis'), rankOf(n.input(0)));
  // Operands without elements are dropped only if they fit otherwise.
  for (const x of xs) if (rankOf(x) !== rankOf(n.input(0))) n.reject(`operands of ${rankOf(n.input(0))} and ${rankOf(x)} axes`);
  return [concat(c, xs, axis)];
};

const spaceToDepth: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const b = n.int('blocksize');
  const [batch = 1, ch = 1, h = 1, w = 1] = rankOf(x) === 4 ? x.type.shape : n.reject('takes four axes');
  const [hb, wb] = [dimFloorDiv(h, b), dimFloorDiv(w, b)];
  const six = reshape(c, x, [batch, ch, hb, b, wb, b]);
  return [reshape(c, transpose(c, six, [0, 3, 5, 1, 2, 4]), [batch, dimMul(ch, b * b), hb, wb])];
};
const depthToSpace: OnnxBuilder = (n, c) => {
  const x = n.input(0);
  const b = n.int('blocksize');
  const [batch = 1, ch = 1, h = 1, w = 1] = rankOf(x) === 4 ? x.type.shape : n.reject('takes four axes');
  const deep = dimFloorDiv(ch, b * b);
  const mode = n.string('mode', 'DCR');
  if (mode !== 'DCR' && mode !== 'CRD') n.reject(`mode '${mode}'`);
  const six = reshape(c, x, mode === 'DCR' ? [batch, b, b, deep, h, w] : [batch, deep, b, b, h, w]);
  const perm = mode === 'DCR' ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3];
  return [reshape(c, transpose(c, six, perm), [batch, deep, dimMul(h, b), dimMul(w, b)])];
};

export const viewOps: OnnxOps = {
  Reshape: reshapeOp,
  Transpose: transposeOp,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Expand: expandOp,
  Tile: tile,
  Slice: sliceOp,
  Split: split,
  Concat: concatOp,
  SpaceToDepth: spaceToDepth,
  DepthToSpace: depthToSpace,
};
