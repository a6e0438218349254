import { must } from '../../../core/diagnostic.ts';
import {
  dimAdd,
  dimEq,
  dimFloorDiv,
  dimHi,
  dimMax,
  dimMul,
  dimProd,
  dimsNeverEqual,
  dimSub,
  dimSum,
  showDim,
  type Dim,
} from '../../../core/dim.ts';
import { symbolicOf, type Value } from '../../../graph/graph.ts';
import { broadcastShapes } from '../../../ops/elementwise/op.ts';
import { Div, Equal, Mod, Sub, Where } from '../../../ops/elementwise/index.ts';
import { Gather } from '../../../ops/movement/gather.ts';
import { Pad } from '../../../ops/movement/pad.ts';
import { Range } from '../../../ops/movement/range.ts';
import { axisOf, positionOf, rankOf, sortedAxes } from '../../shared/axes.ts';
import { reduceOver } from '../../shared/reduce.ts';
import { element, expectSizes, lengthOf, sizeOf, sizesOf, sizesValue, unbounded } from '../../shared/sizes.ts';
import { sliceBySizes, stridedSlice } from '../../shared/tensorflow/slice.ts';
import { batchToSpace, depthToSpace, spaceToBatch, spaceToDepth } from '../../shared/tensorflow/space.ts';
import { cast, concat, expand, flip, reshape, slice, transpose } from '../../shared/views.ts';
import { isValue, type Complex, type Item } from '../item.ts';
import type { TfBuilder, TfCtx, TfNode, TfOps } from '../registry.ts';

/** A builder of a view whose first input may be complex numbers: their pairs move along. `f` gets the axes that count. */
const ofPairs =
  (f: (n: TfNode, c: TfCtx, x: Value, rank: number, tail: readonly Dim[]) => Value): TfBuilder =>
  (n, c) => {
    const x = n.item(0);
    if (isValue(x) || x.k !== 'complex') return [f(n, c, n.input(0), rankOf(n.input(0)), [])];
    const pair = f(n, c, x.pair, rankOf(x.pair) - 1, [2]);
    return [{ k: 'complex', pair } satisfies Complex];
  };
const places = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** The sizes that Reshape means: one -1 is what is left. */
function resolveShape(n: TfNode, shape: readonly Dim[], target: readonly Dim[]): Dim[] {
  const open = target.indexOf(-1);
  if (open >= 0 && target.indexOf(-1, open + 1) >= 0) n.reject('more than one size is -1');
  for (const d of target) if (typeof d === 'number' && d < -1) n.reject(`size ${d}`);
  const out = [...target];
  if (open >= 0) out[open] = dimFloorDiv(dimProd(shape), dimProd(out.filter((_, i) => i !== open)));
  return out;
}
const reshapeOp = ofPairs((n, c, x, rank, tail) => {
  const target = n.input(1);
  const shape = x.type.shape.slice(0, rank);
  const known = symbolicOf(target);
  if (known) return reshape(c, x, [...resolveShape(n, shape, known), ...tail]);
  // Data tell some of the sizes. Those that are known stay, and one that is not is what is left.
  const count = lengthOf(c, target);
  const parts = places(count).map(i => symbolicOf(element(c, target, i))?.[0]);
  const open = parts.filter(d => d === undefined).length;
  if (open === 1 && !parts.includes(-1)) {
    const sizes = resolveShape(
      n,
      shape,
      parts.map(d => d ?? -1),
    );
    const given = cast(c, target, 'i64');
    const rest = c.apply1(Equal, [given, c.literal('i64', -1)]);
    expectSizes(c, c.apply1(Where, [rest, sizesValue(c, sizes), given]), sizes, 'the size that data give does not fit');
    return reshape(c, x, [...sizes, ...tail]);
  }
  const most = unbounded(c, 'shape', open);
  // What is left for -1, in the run.
  const given = cast(c, target, 'i64');
  const rest = c.apply1(Equal, [given, c.literal('i64', -1)]);
  const others = reduceOver(c, 'prod', c.apply1(Where, [rest, c.literal('i64', 1), given]), [0], true);
  const left = c.apply1(Div, [sizesValue(c, [dimProd(shape)]), others]);
  const wanted = c.apply1(Where, [rest, left, given]);
  const sizes = parts.map((d, i) =>
    d !== undefined && d !== -1 ? d : sizeOf(c, element(c, wanted, i), () => ({ what: 'size', lo: 0, hi: most() })),
  );
  return reshape(c, x, [...sizes, ...tail]);
});
const transposeOp = ofPairs((n, c, x, rank) => {
  const perm = c.intsIn(n.input(1), 'permutation');
  if (perm.length !== rank) n.reject(`a permutation of ${perm.length} axes for ${rank}`);
  return transpose(c, x, [...perm.map(a => axisOf(n, a, rank)), ...places(rankOf(x)).slice(rank)]);
});
const expandDims = ofPairs((n, c, x, rank) => {
  const [axis = 0] = c.intsIn(n.input(1), 'axis');
  const at = positionOf(n, axis < 0 ? axis + rank + 1 : axis, rank);
  return reshape(c, x, [...x.type.shape.slice(0, at), 1, ...x.type.shape.slice(at)]);
});
const squeeze = ofPairs((n, c, x, rank) => {
  const given = n.ints('squeeze_dims', n.ints('axis', []));
  const { shape } = x.type;
  const dropped = given.length > 0 ? sortedAxes(n, given, rank) : shape.slice(0, rank).flatMap((d, a) => (d === 1 ? [a] : []));
  shape.slice(0, rank).forEach((d, a) => {
    if (given.length === 0 && typeof d !== 'number' && !dimsNeverEqual(d, 1))
      n.unsupported(`it drops all axes of one element, and axis ${a} (${showDim(d)}) may have one; give a size with --dim`);
    if (dropped.includes(a)) c.expect(d, 1, `axis ${a} has ${showDim(d)} elements, not 1`);
  });
  return reshape(
    c,
    x,
    shape.filter((_, a) => !dropped.includes(a)),
  );
});
const stridedSliceOp = ofPairs((n, c, x, _, tail) => {
  const masks = {
    begin: n.int('begin_mask', 0),
    end: n.int('end_mask', 0),
    ellipsis: n.int('ellipsis_mask', 0),
    newAxis: n.int('new_axis_mask', 0),
    shrinkAxis: n.int('shrink_axis_mask', 0),
  };
  if (tail.length > 0 && masks.ellipsis !== 0) return n.unsupported('an ellipsis into complex numbers');
  return stridedSlice(c, x, n.input(1), n.input(2), n.input(3), masks);
});

const concatenated = (n: TfNode, c: TfCtx, xs: readonly Value[], axis: number): Value => {
  const [first] = xs;
  if (!first) return n.reject('takes at least one tensor');
  for (const x of xs) if (rankOf(x) !== rankOf(first)) n.reject(`tensors of ${rankOf(first)} and ${rankOf(x)} axes`);
  return concat(c, xs, axisOf(n, axis, rankOf(first)));
};
const concatV2: TfBuilder = (n, c) => {
  const last = n.items.length - 1;
  const [axis = 0] = c.intsIn(n.input(last), 'axis');
  return [concatenated(n, c, n.inputs(0, last), axis)];
};
const concatV1: TfBuilder = (n, c) => {
  const [axis = 0] = c.intsIn(n.input(0), 'axis');
  return [concatenated(n, c, n.inputs(1), axis)];
};
const pack: TfBuilder = (n, c) => {
  const xs = n.inputs();
  const rank = rankOf(n.input(0));
  const axis = axisOf(n, n.int('axis', 0), rank + 1);
  const parts = xs.map(x => reshape(c, x, [...x.type.shape.slice(0, axis), 1, ...x.type.shape.slice(axis)]));
  return [concat(c, parts, axis)];
};
const unpack: TfBuilder = (n, c) => {
  const x = n.input(0);
  const axis = axisOf(n, n.int('axis', 0), rankOf(x));
  const count = n.int('num');
  c.expect(must(x.type.shape[axis]), count, `axis ${axis} has other than ${count} elements`);
  const rest = x.type.shape.filter((_, a) => a !== axis);
  return places(count).map(i =>
    n.wants(i) ? reshape(c, slice(c, x, new Map([[axis, { start: i, size: 1, step: 1 }]])), rest) : undefined,
  );
};
/** Consecutive parts of an axis. */
function parts(n: TfNode, c: TfCtx, x: Value, axis: number, sizes: readonly Dim[]): (Value | undefined)[] {
  let at: Dim = 0;
  return sizes.map((size, i) => {
    const start = at;
    at = dimAdd(at, size);
    return n.wants(i) ? slice(c, x, new Map([[axis, { start, size, step: 1 }]])) : undefined;
  });
}
const split: TfBuilder = (n, c) => {
  const x = n.input(1);
  const axis = axisOf(n, must(c.intsIn(n.input(0), 'axis')[0]), rankOf(x));
  const count = n.int('num_split');
  const size = must(x.type.shape[axis]);
  if (count < 1 || (typeof size === 'number' && size % count !== 0)) n.reject(`${showDim(size)} elements in ${count} parts`);
  c.room(count, 'a list of parts');
  return parts(n, c, x, axis, new Array<Dim>(count).fill(dimFloorDiv(size, count)));
};
const splitV: TfBuilder = (n, c) => {
  const x = n.input(0);
  const axis = axisOf(n, must(c.intsIn(n.input(2), 'axis')[0]), rankOf(x));
  const size = must(x.type.shape[axis]);
  const given = sizesOf(c, n.input(1), () => ({ what: 'part', lo: 0, hi: dimHi(size) }));
  const open = given.indexOf(-1);
  const sizes = given.map((d, i) => (i === open ? dimSub(size, dimSum(given.filter((_, j) => j !== i))) : d));
  c.expect(dimSum(sizes), size, `parts of ${sizes.map(showDim).join(', ')} do not make ${showDim(size)}`);
  return parts(n, c, x, axis, sizes);
};
function tiled(c: TfCtx, x: Value, repeats: readonly Dim[]): Value {
  const split: Dim[] = [];
  const wide: Dim[] = [];
  x.type.shape.forEach((d, a) => {
    const r = must(repeats[a]);
    if (r !== 1 && d !== 1) {
      split.push(1);
      wide.push(r);
    }
    split.push(d);
    wide.push(d === 1 ? r : d);
  });
  return reshape(
    c,
    expand(c, reshape(c, x, split), wide),
    x.type.shape.map((d, a) => dimMul(d, must(repeats[a]))),
  );
}
const tile: TfBuilder = (n, c) => {
  const x = n.input(0);
  const most = unbounded(c, 'shape', rankOf(x));
  const repeats = sizesOf(c, n.input(1), i => ({
    what: 'repeat',
    lo: 0,
    hi: Math.max(1, Math.floor(most() / Math.max(1, dimHi(x.type.shape[i] ?? 1)))),
  }));
  if (repeats.length !== rankOf(x)) n.reject(`${repeats.length} repeats for ${rankOf(x)} axes`);
  return [tiled(c, x, repeats)];
};
/** Pairs of sizes from a tensor [n, 2]. */
function pairsOf(n: TfNode, c: TfCtx, v: Value, count: number, what: string): (readonly [Dim, Dim])[] {
  const most = unbounded(c, what, count);
  const flat = reshape(c, v, [2 * count]);
  if (!dimEq(dimProd(v.type.shape), 2 * count))
    n.reject(`its ${what} is for ${showDim(dimProd(v.type.shape))} numbers, not ${2 * count}`);
  const all = sizesOf(c, flat, () => ({ what, lo: 0, hi: most() }));
  return places(count).map(i => [must(all[2 * i]), must(all[2 * i + 1])] as const);
}
const pad =
  (mode: 'constant' | 'mirror'): TfBuilder =>
  (n, c) => {
    const x = n.input(0);
    const pads = pairsOf(n, c, n.input(1), rankOf(x), 'padding');
    const word = mode === 'mirror' ? n.string('mode') : '';
    if (mode === 'mirror' && word !== 'REFLECT' && word !== 'SYMMETRIC') n.reject(`mode '${word}'`);
    const [begin, end] = [pads.map(p => p[0]), pads.map(p => p[1])];
    if (word === 'SYMMETRIC') return [symmetric(n, c, x, begin, end)];
    const fill = n.items[2] ? reshape(c, n.input(2), []) : undefined;
    if (pads.flat().every(d => d === 0)) return [x];
    return [c.apply1(Pad, [x, fill], { mode: mode === 'mirror' ? 'reflect' : 'constant', begin, end })];
  };
/** Pads mirrored with the border itself: parts of the axis backwards. */
function symmetric(n: TfNode, c: TfCtx, x: Value, begin: readonly Dim[], end: readonly Dim[]): Value {
  return places(rankOf(x)).reduce((v, a) => {
    const size = must(v.type.shape[a]);
    const [before, after] = [must(begin[a]), must(end[a])];
    for (const p of [before, after])
      if (typeof p === 'number' && typeof size === 'number' && p > size) n.reject(`${p} mirrored elements of ${size}`);
    const back = (start: Dim, many: Dim): Value[] =>
      many === 0 ? [] : [slice(c, v, new Map([[a, { start, size: many, step: -1 }]]))];
    return concat(c, [...back(dimSub(before, 1), before), v, ...back(dimSub(size, 1), after)], a);
  }, x);
}
const reverseV2: TfBuilder = (n, c) => {
  const x = n.input(0);
  return [flip(c, x, sortedAxes(n, c.intsIn(n.input(1), 'axes'), rankOf(x)))];
};
const roll: TfBuilder = (n, c) => {
  const x = n.input(0);
  const axes = c.intsIn(n.input(2), 'axis').map(a => axisOf(n, a, rankOf(x)));
  if (lengthOf(c, n.input(1)) !== axes.length) n.reject(`${lengthOf(c, n.input(1))} shifts for ${axes.length} axes`);
  return [axes.reduce((v, a, i) => rolled(c, v, a, element(c, n.input(1), i)), x)];
};
function rolled(c: TfCtx, x: Value, axis: number, shift: Value): Value {
  const size = must(x.type.shape[axis]);
  const [by] = symbolicOf(shift) ?? [];
  if (typeof size === 'number' && typeof by === 'number') {
    const cut = size === 0 ? 0 : ((by % size) + size) % size;
    if (cut === 0) return x;
    const part = (start: number, many: number): Value => slice(c, x, new Map([[axis, { start, size: many, step: 1 }]]));
    return concat(c, [part(size - cut, cut), part(0, size - cut)], axis);
  }
  const places = c.apply1(Range, [c.literal('i64', 0), c.literal('i64', 1)], { n: size });
  const from = c.apply1(Sub, [places, reshape(c, cast(c, shift, 'i64'), [])]);
  const at = c.apply1(Mod, [from, sizesValue(c, [dimMax(1, size)], [])], { fmod: false });
  return c.apply1(Gather, [x, at], { axis });
}
const broadcastTo: TfBuilder = (n, c) => {
  const x = n.input(0);
  const most = unbounded(c, 'shape', lengthOf(c, n.input(1)));
  const target = sizesOf(c, n.input(1), () => ({ what: 'size', lo: 0, hi: most() }));
  return [
    expand(
      c,
      x,
      broadcastShapes(x.type.shape, target, (_, b) => b),
    ),
  ];
};
const broadcastArgs: TfBuilder = (n, c) => {
  const [a, b] = [c.dimsIn(n.input(0), 'shape'), c.dimsIn(n.input(1), 'shape')];
  return [
    cast(
      c,
      sizesValue(
        c,
        broadcastShapes(a, b, (x, y) => (dimEq(x, y) ? x : c.unsupported('sizes that are not known to be equal'))),
      ),
      n.input(0).type.dtype,
    ),
  ];
};

const blocksOf = (n: TfNode, c: TfCtx): readonly number[] => c.intsIn(n.input(1), 'block shape');
const square = (n: TfNode): readonly number[] => [n.int('block_size'), n.int('block_size')];
const moveToBatch =
  (blocks: (n: TfNode, c: TfCtx) => readonly number[], at: number): TfBuilder =>
  (n, c) => {
    const b = blocks(n, c);
    return [spaceToBatch(c, n.input(0), b, pairsOf(n, c, n.input(at), b.length, 'padding'))];
  };
const moveToSpace =
  (blocks: (n: TfNode, c: TfCtx) => readonly number[], at: number): TfBuilder =>
  (n, c) => {
    const b = blocks(n, c);
    return [batchToSpace(c, n.input(0), b, pairsOf(n, c, n.input(at), b.length, 'crops'))];
  };
/** The value as it is, whatever it is. */
const same: TfBuilder = n => [n.item(0)];
const ensureShape: TfBuilder = (n, c) => {
  const x = n.input(0);
  const given = n.shape('shape');
  if (given && !given.unknownRank) {
    if (given.dim.length !== rankOf(x)) n.reject(`the shape must have ${given.dim.length} axes, it has ${rankOf(x)}`);
    given.dim.forEach((d, a) => {
      if (d.size >= 0) c.expect(must(x.type.shape[a]), d.size, `axis ${a} must have ${d.size} elements`);
    });
  }
  return [x];
};
export const viewOps: TfOps = {
  BatchToSpace: moveToSpace(square, 1),
  BatchToSpaceND: moveToSpace(blocksOf, 2),
  BroadcastArgs: broadcastArgs,
  BroadcastTo: broadcastTo,
  CheckNumerics: same,
  Concat: concatV1,
  ConcatV2: concatV2,
  DepthToSpace: (n, c) => [depthToSpace(c, n.input(0), n.int('block_size'), n.layout())],
  EnsureShape: ensureShape,
  ExpandDims: expandDims,
  Identity: same,
  IdentityN: n => n.items.map((_, i): Item => n.item(i)),
  MirrorPad: pad('mirror'),
  Pack: pack,
  Pad: pad('constant'),
  PadV2: pad('constant'),
  PlaceholderWithDefault: same,
  PreventGradient: same,
  Reshape: reshapeOp,
  ReverseV2: reverseV2,
  Roll: roll,
  Slice: (n, c) => [sliceBySizes(c, n.input(0), n.input(1), n.input(2))],
  Snapshot: same,
  SpaceToBatch: moveToBatch(square, 1),
  SpaceToBatchND: moveToBatch(blocksOf, 2),
  SpaceToDepth: (n, c) => [spaceToDepth(c, n.input(0), n.int('block_size'), n.layout())],
  Split: split,
  SplitV: splitV,
  Squeeze: squeeze,
  StopGradient: same,
  StridedSlice: stridedSliceOp,
  Tile: tile,
  Transpose: transposeOp,
  Unpack: unpack,
};
