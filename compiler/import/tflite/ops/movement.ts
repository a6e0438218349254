import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimEq, dimFloorDiv, dimHi, dimMul, dimProd, dimSub, dimSum, type Dim } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import { GatherND, ReverseSequence } from '../../../ops/movement/gather.ts';
import { Pad } from '../../../ops/movement/pad.ts';
import { axisOf, positionOf, rankOf, sortedAxes } from '../../shared/axes.ts';
import { gather, indexTuples } from '../../shared/gather.ts';
import { sizeOf, sizesOf } from '../../shared/sizes.ts';
import { batchToSpace, depthToSpace, spaceToBatch, spaceToDepth } from '../../shared/tensorflow/space.ts';
import { sliceBySizes, stridedSlice } from '../../shared/tensorflow/slice.ts';
import { cast, concat, expand, flip, reshape, slice, transpose } from '../../shared/views.ts';
import { askedCounts, askedSizes } from '../asked.ts';
import type { TfliteBuilder, TfliteCtx, TfliteNode, TfliteOps } from '../registry.ts';
import { isComplex } from '../tensor.ts';
import { fused, moving, overReals, sameScale } from './real.ts';

/** The sizes that RESHAPE asks for: of its second input, else of its options. */
const reshapeOp: TfliteBuilder = moving((n, c, [x]) => {
  const v = must(x);
  const given = n.count > 1 ? n.optional(1) : undefined;
  const asked = given ? askedSizes(n, c, given) : n.ints('new_shape');
  // Files of old converters write one 0 for no axes.
  const plain = asked.length === 1 && asked[0] === 0 && n.result(0).shape.length === 0 ? [] : asked;
  const target = isComplex(n.operand(0)) ? [...plain, 2] : plain;
  const open = target.indexOf(-1);
  if (open < 0) return [reshape(c, v, target)];
  const rest = dimProd(target.filter((_, i) => i !== open));
  return [
    reshape(
      c,
      v,
      target.map((d, i) => (i === open ? dimFloorDiv(dimProd(v.type.shape), rest) : d)),
    ),
  ];
});
const squeeze: TfliteBuilder = moving((n, c, [x]) => {
  const v = must(x);
  const asked = n.ints('squeeze_dims');
  const dropped = asked.length > 0 ? sortedAxes(c, asked, rankOf(v)) : v.type.shape.flatMap((d, a) => (d === 1 ? [a] : []));
  for (const a of dropped) c.expect(must(v.type.shape[a]), 1, `axis ${a} does not have one element`);
  return [
    reshape(
      c,
      v,
      v.type.shape.filter((_, a) => !dropped.includes(a)),
    ),
  ];
});
const expandDims: TfliteBuilder = moving((n, c, [x]) => {
  const v = must(x);
  const [given = 0] = c.intsIn(n.input(1), 'axis');
  const at = given < 0 ? given + rankOf(v) + 1 : given;
  return [reshape(c, v, v.type.shape.toSpliced(positionOf(c, at, rankOf(v)), 0, 1))];
});
/** Parts along an axis; those of another scale are brought to that of the result first. */
const concatenation: TfliteBuilder = (n, c) => {
  // Of 16 bits the integers are taken as they are.
  const raw = sameScale(n) || n.input(0).type.dtype === 'i16';
  if (raw && n.activation === 'NONE') return [concat(c, n.inputs, axisOf(c, n.int('axis'), rankOf(n.input(0))))];
  return overReals((m, d, xs) => fused(m, d, concat(d, xs, axisOf(d, m.int('axis'), rankOf(m.input(0))))))(n, c);
};
const pack: TfliteBuilder = moving((n, c, xs) => {
  const rank = rankOf(n.input(0));
  const given = n.int('axis');
  const axis = positionOf(c, given < 0 ? given + rank + 1 : given, rank);
  return [
    concat(
      c,
      xs.map(x => reshape(c, x, x.type.shape.toSpliced(axis, 0, 1))),
      axis,
    ),
  ];
});
const unpack: TfliteBuilder = moving((n, c, [x]) => {
  const v = must(x);
  const axis = axisOf(c, n.int('axis'), rankOf(v));
  const parts = n.results.map((_, i) => slice(c, v, new Map([[axis, { start: i, size: 1, step: 1 }]])));
  const size = must(v.type.shape[axis]);
  if (!dimEq(size, parts.length)) c.reject(`${parts.length} results of an axis of another size`);
  return parts.map(p => reshape(c, p, p.type.shape.toSpliced(axis, 1)));
});
/** Parts of the given sizes along an axis. */
function cutInto(c: TfliteCtx, x: Value, axis: number, sizes: readonly Dim[]): readonly Value[] {
  return sizes.map((size, i) => slice(c, x, new Map([[axis, { start: dimSum(sizes.slice(0, i)), size, step: 1 }]])));
}
const split: TfliteBuilder = moving((n, c, [, x]) => {
  const v = must(x);
  const [given = 0] = c.intsIn(n.input(0), 'axis');
  const axis = axisOf(c, given, rankOf(v));
  const [count, size] = [n.results.length, must(v.type.shape[axis])];
  if (typeof size === 'number' && size % count !== 0) c.reject(`${size} elements do not divide into ${count} parts`);
  return cutInto(c, v, axis, new Array<Dim>(count).fill(dimFloorDiv(size, count)));
});
/** What the file says of a size of result i. */
function declaredAt(n: TfliteNode, i: number, axis: number): { readonly declared?: number } {
  const d = n.declared(i)[axis];
  return d === undefined ? {} : { declared: d };
}
const splitV: TfliteBuilder = moving((n, c, [x]) => {
  const v = must(x);
  const [given = 0] = c.intsIn(n.input(2), 'axis');
  const axis = axisOf(c, given, rankOf(v));
  const most = dimHi(must(v.type.shape[axis]));
  const sizes = sizesOf(c, n.input(1), i => ({ what: 'size', lo: 0, hi: most, ...declaredAt(n, i, axis) }));
  const rest = dimSub(must(v.type.shape[axis]), dimSum(sizes.filter(d => d !== -1)));
  return cutInto(
    c,
    v,
    axis,
    sizes.map(d => (d === -1 ? rest : d)),
  );
});

/** More pads than these are not read when the model runs. */
const MOST_PADS = 64;
/** Pairs of numbers, a row for each axis, as two lists. */
function pairs(c: TfliteCtx, v: Value, what: string): readonly (readonly [Dim, Dim])[] {
  const flat = askedCounts(c, reshape(c, v, [dimProd(v.type.shape)]), what, MOST_PADS);
  return Array.from({ length: flat.length / 2 }, (_, i) => [must(flat[2 * i]), must(flat[2 * i + 1])] as const);
}
const pad: TfliteBuilder = (n, c) => {
  const pads = pairs(c, n.input(1), 'paddings');
  const attrs = { mode: 'constant', begin: pads.map(p => p[0]), end: pads.map(p => p[1]) };
  return moving((_, d, [x, , given]) => {
    // What integers are padded with stands for zero.
    const [zero = 0] = n.quantization(0)?.zero ?? [];
    const value = given ?? (zero !== 0 && sameScale(n) ? d.literal(must(x).type.dtype, zero) : undefined);
    return [d.apply1(Pad, [must(x), value && reshape(d, value, [])], attrs)];
  })(n, c);
};
const MIRRORS = ['reflect', 'symmetric'] as const;
const mirrorPad: TfliteBuilder = moving((n, c, [x]) => {
  const pads = pairs(c, n.input(1), 'paddings');
  const mode = MIRRORS[n.int('mode')] ?? n.reject(`its mode is ${n.int('mode')}`);
  if (mode === 'reflect') return [c.apply1(Pad, [must(x)], { mode, begin: pads.map(p => p[0]), end: pads.map(p => p[1]) })];
  // The element at the border is repeated: the mirrored ends come from slices that run backwards.
  return [pads.reduce((v, [before, after], axis) => mirrored(c, v, axis, before, after), must(x))];
});
function mirrored(c: TfliteCtx, x: Value, axis: number, before: Dim, after: Dim): Value {
  const size = must(x.type.shape[axis]);
  const back = (start: Dim, many: Dim): Value[] =>
    many === 0 ? [] : [slice(c, x, new Map([[axis, { start, size: many, step: -1 }]]))];
  return concat(c, [...back(dimSub(before, 1), before), x, ...back(dimSub(size, 1), after)], axis);
}

const gatherOp: TfliteBuilder = moving((n, c, [x, given]) => {
  const [v, indices] = [must(x), must(given)];
  const axis = axisOf(c, n.int('axis'), rankOf(v));
  const batch = n.int('batch_dims') < 0 ? n.int('batch_dims') + rankOf(indices) : n.int('batch_dims');
  if (batch === 0) return [gather(c, v, indices, axis, false)];
  if (batch > axis || batch > rankOf(indices)) n.reject(`${batch} batch axes before axis ${axis}`);
  // The axis goes behind the batch, and what was between them behind the indices.
  const between = Array.from({ length: axis - batch }, (_, i) => batch + i);
  const rest = Array.from({ length: rankOf(v) - axis - 1 }, (_, i) => axis + 1 + i);
  const front = transpose(c, v, [
    ...between.map((_, i) => i).slice(0, 0),
    ...Array.from({ length: batch }, (_, i) => i),
    axis,
    ...between,
    ...rest,
  ]);
  const tuples = reshape(c, indices, [...indices.type.shape, 1]);
  const y = c.apply1(GatherND, [front, indexTuples(c, front, tuples, batch, false)], { batch });
  const own = rankOf(indices) - batch;
  const at = (i: number): number => batch + i;
  const order = [
    ...Array.from({ length: batch }, (_, i) => i),
    ...between.map((_, i) => at(own + i)),
    ...Array.from({ length: own }, (_, i) => at(i)),
    ...rest.map((_, i) => at(own + between.length + i)),
  ];
  return [transpose(c, y, order)];
});
const gatherNd: TfliteBuilder = moving((_, c, [x, given]) => {
  const [v, at] = [must(x), must(given)];
  return [c.apply1(GatherND, [v, indexTuples(c, v, at, 0, false)], { batch: 0 })];
});

const reverse: TfliteBuilder = moving((n, c, [x]) => {
  const v = must(x);
  return [flip(c, v, sortedAxes(c, c.intsIn(n.input(1), 'axes'), rankOf(v)))];
});
const reverseSequence: TfliteBuilder = moving((n, c, [x]) => {
  const lengths = cast(c, n.input(1), 'i64');
  return [c.apply1(ReverseSequence, [must(x), lengths], { batch: n.int('batch_dim'), time: n.int('seq_dim') })];
});
const tile: TfliteBuilder = moving((n, c, [x]) => {
  const v = must(x);
  const { shape } = v.type;
  const declared = n.declared(0);
  const repeats = sizesOf(c, n.input(1), i => {
    const [size, all] = [shape[i], declared[i]];
    const known = typeof size === 'number' && size > 0 && all !== undefined && all % size === 0 ? { declared: all / size } : {};
    return { what: 'repeat', lo: 0, hi: 1024, ...known };
  });
  if (repeats.length !== shape.length) n.reject(`${repeats.length} repeats for ${shape.length} axes`);
  const wide = reshape(
    c,
    v,
    shape.flatMap(d => [1, d]),
  );
  const spread = expand(
    c,
    wide,
    shape.flatMap((d, a) => [must(repeats[a]), d]),
  );
  return [
    reshape(
      c,
      spread,
      shape.map((d, a) => dimMul(d, must(repeats[a]))),
    ),
  ];
});
const broadcastTo: TfliteBuilder = moving((n, c, [x]) => [expand(c, must(x), askedSizes(n, c, n.input(1)))]);

const masked: TfliteBuilder = moving((n, c, [x]) => {
  const masks = {
    begin: n.int('begin_mask'),
    end: n.int('end_mask'),
    ellipsis: n.int('ellipsis_mask'),
    newAxis: n.int('new_axis_mask'),
    shrinkAxis: n.int('shrink_axis_mask'),
  };
  // Ends may count from the begin.
  const end = n.bool('offset') ? ends(n, c) : n.input(2);
  return [stridedSlice(c, must(x), n.input(1), end, n.input(3), masks)];
});
function ends(n: TfliteNode, c: TfliteCtx): Value {
  const [begin, end] = [c.intsIn(n.input(1), 'begin'), c.intsIn(n.input(2), 'end')];
  return c.literal(
    'i32',
    begin.map((b, i) => b + must(end[i])),
  );
}
/** A slice of x replaced by `update` from `start` on, which is moved inside where it would reach over the end. */
const dynamicUpdate: TfliteBuilder = moving((n, c, [x, given]) => {
  const [v, update] = [must(x), must(given)];
  if (rankOf(update) !== rankOf(v)) n.reject(`its update has ${rankOf(update)} axes, what it goes into ${rankOf(v)}`);
  const starts = v.type.shape.map((d, a): Dim => {
    const most = dimSub(d, must(update.type.shape[a]));
    return sizeOf(c, slice(c, n.input(2), new Map([[0, { start: a, size: 1, step: 1 }]])), {
      what: 'start',
      lo: 0,
      hi: dimHi(most),
      clamp: true,
    });
  });
  return [placed(c, v, update, starts, 0)];
});
/** `update` in the place of what is in x, one axis after the other. */
function placed(c: TfliteCtx, x: Value, update: Value, starts: readonly Dim[], axis: number): Value {
  if (axis === rankOf(x)) return update;
  const [size, many, start] = [must(x.type.shape[axis]), must(update.type.shape[axis]), must(starts[axis])];
  const part = (from: Dim, count: Dim): Value => slice(c, x, new Map([[axis, { start: from, size: count, step: 1 }]]));
  const behind = dimAdd(start, many);
  const inner = placed(c, part(start, many), update, starts, axis + 1);
  return dimEq(size, many) ? inner : concat(c, [part(0, start), inner, part(behind, dimSub(size, behind))], axis);
}
const blocks = (c: TfliteCtx, v: Value): readonly number[] => c.intsIn(v, 'block shape');

export const movementOps: TfliteOps = {
  RESHAPE: reshapeOp,
  SQUEEZE: squeeze,
  EXPAND_DIMS: expandDims,
  CONCATENATION: concatenation,
  PACK: pack,
  UNPACK: unpack,
  SPLIT: split,
  SPLIT_V: splitV,
  PAD: pad,
  PADV2: pad,
  MIRROR_PAD: mirrorPad,
  GATHER: gatherOp,
  GATHER_ND: gatherNd,
  REVERSE_V2: reverse,
  REVERSE_SEQUENCE: reverseSequence,
  TILE: tile,
  BROADCAST_TO: broadcastTo,
  STRIDED_SLICE: masked,
  SLICE: moving((n, c, [x]) => [sliceBySizes(c, must(x), n.input(1), n.input(2))]),
  DYNAMIC_UPDATE_SLICE: dynamicUpdate,
  TRANSPOSE: moving((n, c, [x]) => [transpose(c, must(x), sortedOrder(c, n.input(1), rankOf(must(x))))]),
  SPACE_TO_DEPTH: moving((n, c, [x]) => [spaceToDepth(c, must(x), n.int('block_size'), 'NHWC')]),
  DEPTH_TO_SPACE: moving((n, c, [x]) => [depthToSpace(c, must(x), n.int('block_size'), 'NHWC')]),
  SPACE_TO_BATCH_ND: (n, c) => {
    // Zeros that stand for zero.
    const whole = overReals((m, d, [x]) => spaceToBatch(d, must(x), blocks(d, m.input(1)), pairs(d, m.input(2), 'paddings')));
    return whole(n, c);
  },
  BATCH_TO_SPACE_ND: moving((n, c, [x]) => [batchToSpace(c, must(x), blocks(c, n.input(1)), pairs(c, n.input(2), 'crops'))]),
  DENSIFY: moving((_, c, [x]) => [cast(c, must(x), must(x).type.dtype)]),
};
/** The order of axes, each of which may count from the end. */
const sortedOrder = (c: TfliteCtx, v: Value, rank: number): number[] => {
  const order = c.intsIn(v, 'order of axes').map(a => axisOf(c, a, rank));
  sortedAxes(c, order, rank);
  return order;
};
