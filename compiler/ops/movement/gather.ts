import { must } from '../../core/diagnostic.ts';
import { dimSub } from '../../core/dim.ts';
import { tensorType } from '../../core/shape.ts';
import { numel, stridesOf, toNumbers, typed } from '../../core/tensor.ts';
import type { NodeOf } from '../../graph/graph.ts';
import {
  add,
  cast,
  clampInt,
  eq,
  ge,
  I32,
  int,
  konst,
  le,
  lt,
  select,
  splat,
  sub,
  vec,
  vtype,
  type Lanes,
} from '../../kernel/ir.ts';
import { attr, defineOp, type InferCtx } from '../define.ts';
import { forAll, forLanes, lanesOf } from '../loops.ts';
import type { LowerCtx } from '../lowering.ts';
import { checkIndices, safeIndex, wrapIndex } from './indices.ts';
import { cellOf, cellsOf, forRows, gatherStrided, indexOf, newCells } from '../strided.ts';

/** Operators that read elements at computed places. */

/** Which axis an attribute names; importers give it non-negative. */
export function checkAxis(c: InferCtx<unknown>, axis: number, rank: number): void {
  if (axis < 0 || axis >= rank) c.reject(`axis ${axis} of a tensor with ${rank} axes`);
}

export const Gather = defineOp({
  name: 'Gather',
  doc: 'Slices of x along an axis at the given indices; the axis becomes the axes of the indices.',
  inputs: ['x', 'indices'],
  attrs: { axis: attr.int(0) },
  infer: c => {
    const x = must(c.types[0]);
    const i = must(c.types[1]);
    checkIndices(c, i);
    checkAxis(c, c.attrs.axis, x.shape.length);
    return [tensorType(x.dtype, [...x.shape.slice(0, c.attrs.axis), ...i.shape, ...x.shape.slice(c.attrs.axis + 1)])];
  },
  symbolic: c => {
    const [x, i] = [c.contents(0), c.symbolic[1]];
    if (!x || !i || must(c.inputs[0]).type.shape.length !== 1) return [];
    const out = i.map(at => (typeof at === 'number' ? x[at < 0 ? at + x.length : at] : undefined));
    return [out.every(d => d !== undefined) ? out : undefined];
  },
  eval: (c, x, indices) => {
    const t = must(x);
    const { axis } = c.attrs;
    const n = t.dims[axis] ?? 0;
    const inner = numel(t.dims.slice(axis + 1));
    const outer = numel(t.dims.slice(0, axis));
    const at = toNumbers(must(indices));
    const from = cellsOf(typed(t));
    const { cells: to, tensor } = newCells(t.dtype, c.dims(0));
    for (let o = 0, q = 0; o < outer; o++)
      for (const i of at) {
        const p = (o * n + wrapIndex(i, n)) * inner;
        if (n > 0) for (let e = 0; e < inner; e++) to[q + e] = must(from[p + e]);
        q += inner;
      }
    return [tensor];
  },
  lower: {
    k: 'kernel',
    accepts: i => (i === 1 ? 'indexMap' : 'buffer'),
    iterationSpace: n => gatherSpace(n),
    build: c => lowerGather(c),
  },
});
/** Axes as they are, but those of a slice as one. */
function gatherSpace(n: NodeOf<{ readonly axis: number }>): number[][] {
  const rank = must(n.outputs[0]).type.shape.length;
  const inner = must(n.inputs[0]).type.shape.length - n.attrs.axis - 1;
  const heads = Array.from({ length: rank - inner }, (_, a) => [a]);
  return inner === 0 ? heads : [...heads, Array.from({ length: inner }, (_, i) => rank - inner + i)];
}
function lowerGather(c: LowerCtx<{ readonly axis: number }>): void {
  const { axis } = c.attrs;
  const given = c.need(0);
  const last = given.dims.length - 1;
  const whole = Array.from({ length: Math.max(0, last - axis - 1) }, (_, i) => axis + 1 + i).every(a => given.canMerge(a));
  const source = whole ? given : c.sourceOf(c.contiguous(0));
  const slice = Array.from({ length: last - axis }, (_, i) => axis + 1 + i);
  const x = source.merge([...Array.from({ length: axis + 1 }, (_, a) => [a]), ...(slice.length > 0 ? [slice] : [])]);
  const indices = c.need(1);
  const out = c.sink(0).merge(gatherSpace(c.node));
  const lanes: Lanes = slice.length > 0 && x.vector && out.vector ? lanesOf(c.profile) : 1;
  c.kernel('gather', k =>
    forAll(k, [...x.dims.slice(0, axis), ...indices.dims], idx => {
      const i = safeIndex(k, indices.at(k, idx.slice(axis)), must(x.dims[axis]));
      const from = [...idx.slice(0, axis), i];
      if (slice.length === 0) out.store(k, idx, x.at(k, from));
      else forLanes(k, must(x.dims.at(-1)), lanes, (e, n) => out.store(k, [...idx, e], x.at(k, [...from, e], n)));
    }),
  );
}

export const GatherElements = defineOp({
  name: 'GatherElements',
  doc: 'Each element of x at the place of the result, with the index along one axis taken from `indices`.',
  inputs: ['x', 'indices'],
  attrs: { axis: attr.int(0) },
  infer: c => {
    const x = must(c.types[0]);
    const i = must(c.types[1]);
    checkIndices(c, i);
    checkAxis(c, c.attrs.axis, x.shape.length);
    if (i.shape.length !== x.shape.length) c.reject(`x has ${x.shape.length} axes, indices have ${i.shape.length}`);
    return [tensorType(x.dtype, i.shape)];
  },
  eval: (c, x, indices) => {
    const t = must(x);
    const { axis } = c.attrs;
    const dims = c.dims(0);
    const strides = stridesOf(t.dims);
    const n = t.dims[axis] ?? 0;
    const step = strides[axis] ?? 1;
    const at = toNumbers(must(indices));
    const from = cellsOf(typed(t));
    const { cells: to, tensor } = newCells(t.dtype, dims);
    const rest = strides.map((s, a) => (a === axis ? 0 : s));
    const last = dims.at(-1) ?? 1;
    forRows(
      dims,
      [
        { offset: 0, strides: stridesOf(dims) },
        { offset: 0, strides: rest },
      ],
      ([q = 0, p = 0]) => {
        for (let e = 0; e < last; e++) to[q + e] = must(from[p + e * (rest.at(-1) ?? 0) + wrapIndex(at[q + e] ?? 0, n) * step]);
      },
    );
    return [tensor];
  },
  lower: {
    k: 'indexMap',
    at: (c, idx) => {
      const x = must(c.ins[0]);
      const i = safeIndex(c.k, must(c.ins[1]).at(c.k, idx), must(x.dims[c.attrs.axis]));
      return x.at(
        c.k,
        idx.map((e, a) => (a === c.attrs.axis ? i : e)),
      );
    },
  },
});

export const GatherND = defineOp({
  name: 'GatherND',
  doc: 'Slices of x at index tuples, the last axis of `indices`; the first `batch` axes go together.',
  inputs: ['x', 'indices'],
  attrs: { batch: attr.int(0) },
  infer: c => {
    const x = must(c.types[0]);
    const i = must(c.types[1]);
    const { batch } = c.attrs;
    checkIndices(c, i);
    const tuple = i.shape.at(-1);
    if (typeof tuple !== 'number') return c.reject('the length of the index tuples is not fixed');
    if (batch < 0 || batch >= i.shape.length || batch + tuple > x.shape.length)
      c.reject(`${batch} batch axes and tuples of ${tuple} indices do not fit ${x.shape.length} axes`);
    const shared = i.shape.slice(0, batch).map((d, a) => c.same(d, must(x.shape[a]), `batch axis ${a}`));
    return [tensorType(x.dtype, [...shared, ...i.shape.slice(batch, -1), ...x.shape.slice(batch + tuple)])];
  },
  eval: (c, x, indices) => {
    const t = must(x);
    const ix = must(indices);
    const { batch } = c.attrs;
    const dims = c.dims(0);
    const tuple = ix.dims.at(-1) ?? 0;
    const strides = stridesOf(t.dims);
    const inner = numel(t.dims.slice(batch + tuple));
    const at = toNumbers(ix);
    const from = cellsOf(typed(t));
    const { cells: to, tensor } = newCells(t.dtype, dims);
    const heads = ix.dims.slice(0, -1);
    for (let i = 0; i < numel(heads); i++) {
      const head = indexOf(i, heads);
      let p = 0;
      for (let a = 0; a < batch; a++) p += (head[a] ?? 0) * (strides[a] ?? 0);
      for (let j = 0; j < tuple; j++) p += wrapIndex(at[i * tuple + j] ?? 0, t.dims[batch + j] ?? 0) * (strides[batch + j] ?? 0);
      for (let e = 0; e < inner; e++) to[i * inner + e] = must(from[p + e]);
    }
    return [tensor];
  },
  lower: {
    k: 'indexMap',
    vector: c => must(c.types[0]).shape.length > c.attrs.batch + Number(must(c.types[1]).shape.at(-1)),
    at: (c, idx, lanes) => {
      const x = must(c.ins[0]);
      const indices = must(c.ins[1]);
      const { batch } = c.attrs;
      const heads = indices.dims.length - 1;
      const tuple = Number(indices.dims.at(-1));
      const picked = Array.from({ length: tuple }, (_, j) =>
        safeIndex(c.k, indices.at(c.k, [...idx.slice(0, heads), j]), must(x.dims[batch + j])),
      );
      return x.at(c.k, [...idx.slice(0, batch), ...picked, ...idx.slice(heads)], lanes);
    },
  },
});

export const OneHot = defineOp({
  name: 'OneHot',
  doc: '`values[1]` where the index along `axis` is the one in `indices` (which may count from the end), `values[0]` elsewhere.',
  inputs: ['indices', 'values'],
  attrs: { axis: attr.int(), depth: attr.dim() },
  infer: c => {
    const i = must(c.types[0]);
    const values = must(c.types[1]);
    if (values.shape.length !== 1) c.reject('values must be two numbers');
    c.same(values.shape[0] ?? 0, 2, 'values are off and on');
    checkAxis(c, c.attrs.axis, i.shape.length + 1);
    return [tensorType(values.dtype, i.shape.toSpliced(c.attrs.axis, 0, c.attrs.depth))];
  },
  eval: (c, indices, values) => {
    const dims = c.dims(0);
    const depth = c.dim(c.attrs.depth);
    const inner = numel(dims.slice(c.attrs.axis + 1));
    const at = toNumbers(must(indices));
    const v = must(values);
    const [off, on] = [must(cellsOf(typed(v))[0]), must(cellsOf(typed(v))[1])];
    const { cells: to, tensor } = newCells(v.dtype, dims);
    for (let i = 0; i < to.length; i++) to[i] = off;
    at.forEach((raw, i) => {
      const hot = Math.trunc(raw < 0 ? raw + depth : raw);
      if (hot >= 0 && hot < depth) to[(Math.floor(i / inner) * depth + hot) * inner + (i % inner)] = on;
    });
    return [tensor];
  },
  lower: {
    k: 'indexMap',
    at: (c, idx) => {
      const { axis, depth } = c.attrs;
      const raw = must(c.ins[0]).at(c.k, idx.toSpliced(axis, 1));
      const wide = raw.t.base === 'i64' || raw.t.base === 'u64' ? vtype('i64') : I32;
      const i = c.k.let(cast(wide, raw));
      const hot = select(lt(i, 0), add(i, cast(wide, c.k.dim(depth))), i);
      const values = must(c.ins[1]);
      return select(eq(cast(wide, must(idx[axis])), hot), values.at(c.k, [1]), values.at(c.k, [0]));
    },
  },
});

export const Trilu = defineOp({
  name: 'Trilu',
  doc: 'The upper or lower triangle of the last two axes from diagonal k on; zero elsewhere.',
  inputs: ['x'],
  attrs: { upper: attr.bool(), k: attr.dim(0) },
  infer: c => {
    const x = must(c.types[0]);
    if (x.shape.length < 2) c.reject('needs two axes');
    return [x];
  },
  eval: (c, x) => {
    const t = must(x);
    const out = gatherStrided(t, t.dims, 0, stridesOf(t.dims));
    const a = cellsOf(typed(out));
    const [h = 1, w = 1] = t.dims.slice(-2);
    const diagonal = c.dim(c.attrs.k);
    const zero = cellOf(t.dtype, 0);
    for (let p = 0; p < a.length; p++) {
      const d = (p % w) - (Math.floor(p / w) % h);
      if (c.attrs.upper ? d < diagonal : d > diagonal) a[p] = zero;
    }
    return [out];
  },
  lower: {
    k: 'indexMap',
    vector: () => true,
    at: (c, idx, lanes) => {
      const x = must(c.ins[0]).at(c.k, idx, lanes);
      const [i, j] = [must(idx.at(-2)), must(idx.at(-1))];
      const steps = lanes === 1 ? int(0) : vec(Array.from({ length: lanes }, (_, l) => int(l)));
      const d = add(splat(sub(j, i), lanes), steps);
      const k = splat(c.k.dim(c.attrs.k), lanes);
      return select(c.attrs.upper ? ge(d, k) : le(d, k), x, konst(x.t, 0));
    },
  },
});

export const ReverseSequence = defineOp({
  name: 'ReverseSequence',
  doc: 'Reverses the first `lengths[b]` elements along the time axis of each batch entry b.',
  inputs: ['x', 'lengths'],
  attrs: { batch: attr.int(), time: attr.int() },
  infer: c => {
    const x = must(c.types[0]);
    const l = must(c.types[1]);
    checkIndices(c, l);
    checkAxis(c, c.attrs.batch, x.shape.length);
    checkAxis(c, c.attrs.time, x.shape.length);
    if (c.attrs.batch === c.attrs.time) c.reject('batch and time are the same axis');
    if (l.shape.length !== 1) c.reject('lengths must have one axis');
    c.same(must(l.shape[0]), must(x.shape[c.attrs.batch]), 'lengths and batch');
    return [x];
  },
  eval: (c, x, lengths) => {
    const t = must(x);
    const { batch, time } = c.attrs;
    const lens = toNumbers(must(lengths));
    const strides = stridesOf(t.dims);
    const from = cellsOf(typed(t));
    const { cells: to, tensor } = newCells(t.dtype, t.dims);
    const [sb, st] = [must(strides[batch]), must(strides[time])];
    const [nb, nt] = [must(t.dims[batch]), must(t.dims[time])];
    for (let p = 0; p < from.length; p++) {
      const at = Math.floor(p / st) % nt;
      const l = lens[Math.floor(p / sb) % nb] ?? 0;
      to[p] = must(from[at < l ? p + (l - 1 - 2 * at) * st : p]);
    }
    return [tensor];
  },
  lower: {
    k: 'indexMap',
    vector: c => Math.max(c.attrs.batch, c.attrs.time) < must(c.types[0]).shape.length - 1,
    at: (c, idx, lanes) => {
      const x = must(c.ins[0]);
      const { batch, time } = c.attrs;
      const at = must(idx[time]);
      const l = c.k.let(cast(I32, must(c.ins[1]).at(c.k, [must(idx[batch])])));
      const from = select(lt(at, l), sub(sub(l, 1), at), at);
      const safe = c.k.let(clampInt(from, 0, c.k.dim(dimSub(must(x.dims[time]), 1))));
      return x.at(
        c.k,
        idx.map((e, a) => (a === time ? safe : e)),
        lanes,
      );
    },
  },
});
