import { must } from '../../core/diagnostic.ts';
import { isFloat, type DType } from '../../core/dtype.ts';
import { fromNumbers, numel, stridesOf, toNumbers, typed, type Tensor } from '../../core/tensor.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import { add, cast, I32, lt, max, mul, rem, select, type Expr, type Lanes, type Num } from '../../kernel/ir.ts';
import { attr, defineOp, type InferCtx } from '../define.ts';
import { greatest, least as lesser } from '../elementwise/util.ts';
import { checkAxis } from './gather.ts';
import { checkIndices, safeIndex, wrapIndex } from './indices.ts';
import { forLanes, inOrder, lanesOf } from '../loops.ts';
import type { LowerCtx, Ref } from '../lowering.ts';
import { refIndex } from '../ref.ts';
import { cellsOf, indexOf } from '../strided.ts';

/**
 * Operators that write elements to computed places of a copy of their first input, in order: later writes to one place win. Indices are
 * wrapped and clamped.
 */

export const REDUCTIONS = ['none', 'add', 'mul', 'min', 'max'] as const;
export type Reduction = (typeof REDUCTIONS)[number];

function combine(k: KernelBuilder, r: Reduction, old: () => Expr, v: Expr): Expr {
  switch (r) {
    case 'none':
      return v;
    case 'add':
      return add(old(), v);
    case 'mul':
      return mul(old(), v);
    case 'min':
      return lesser(old(), k.let(v));
    case 'max':
      return greatest(old(), k.let(v));
  }
}
/** Combines element p of a tensor with element q of another of its type. */
function combiner(r: Reduction, into: Tensor, from: Tensor): { put(p: number, q: number): void; result(): Tensor } {
  if (r === 'none') {
    const a = { ...into, bytes: into.bytes.slice() };
    const cells = cellsOf(typed(a));
    const values = cellsOf(typed(from));
    return { put: (p, q) => void (cells[p] = must(values[q])), result: () => a };
  }
  if (into.dtype === 'i64' || into.dtype === 'u64') {
    const a = { ...into, bytes: into.bytes.slice() };
    const x = typed(a) as BigInt64Array | BigUint64Array;
    const y = typed(from) as BigInt64Array | BigUint64Array;
    const f = {
      add: (u: bigint, v: bigint) => u + v,
      mul: (u: bigint, v: bigint) => u * v,
      min: least<bigint>,
      max: most<bigint>,
    }[r];
    return { put: (p, q) => void (x[p] = f(x[p] ?? 0n, y[q] ?? 0n)), result: () => a };
  }
  const x = toNumbers(into);
  const y = toNumbers(from);
  const f = { add: (u: number, v: number) => u + v, mul: (u: number, v: number) => u * v, min: least<number>, max: most<number> }[
    r
  ];
  const whole = !isFloat(into.dtype);
  return {
    put: (p, q) => {
      const v = f(x[p] ?? 0, y[q] ?? 0);
      x[p] = whole && r === 'mul' ? Math.imul(x[p] ?? 0, y[q] ?? 0) : v;
    },
    result: () => fromNumbers(into.dtype, into.dims, x),
  };
}
// NaN of either stays.
const least = <T extends number | bigint>(a: T, b: T): T => (b < a || b !== b ? b : a);
const most = <T extends number | bigint>(a: T, b: T): T => (a < b || b !== b ? b : a);

function checkScatter(c: InferCtx<{ readonly reduction: Reduction }>): void {
  const [x, indices, updates] = c.types.map(t => must(t));
  checkIndices(c, must(indices));
  if (must(x).dtype !== must(updates).dtype) c.reject(`data of ${must(x).dtype}, updates of ${must(updates).dtype}`);
  if (must(x).dtype === 'bool' && c.attrs.reduction !== 'none') c.reject(`reduction ${c.attrs.reduction} of booleans`);
}
/** The output as memory with the first input copied into it. */
function startFrom(c: LowerCtx<unknown>): Ref {
  const out = must(c.sink(0).ref, 'memory of the result');
  c.copy('scatter_data', c.need(0), out);
  return out;
}
function update(k: KernelBuilder, r: Reduction, out: Ref, idx: readonly Num[], v: Expr): void {
  const at = k.let(refIndex(k, out, idx));
  k.store(
    out.buffer,
    at,
    combine(k, r, () => k.load(out.buffer, at, v.t.lanes), v),
  );
}
/** Vector loads of these types are vectors of what they compute with. */
const vectorMemory = (t: DType): boolean => t === 'f32' || t === 'i32' || t === 'u32';

export const ScatterElements = defineOp({
  name: 'ScatterElements',
  doc: 'A copy of x in which each element of `updates` goes to (or is combined with) the place that `indices` gives along an axis.',
  inputs: ['x', 'indices', 'updates'],
  attrs: { axis: attr.int(0), reduction: attr.oneOf(REDUCTIONS, 'none') },
  infer: c => {
    const [x, indices, updates] = c.types.map(t => must(t));
    checkScatter(c);
    checkAxis(c, c.attrs.axis, must(x).shape.length);
    if (must(indices).shape.length !== must(x).shape.length || must(updates).shape.length !== must(x).shape.length)
      c.reject('x, indices and updates must have equally many axes');
    must(indices).shape.forEach((d, a) => c.same(d, must(must(updates).shape[a]), `axis ${a} of indices and updates`));
    return [must(x)];
  },
  symbolic: c => {
    const [x, at, updates] = c.symbolic;
    if (!x || !at || !updates || must(c.inputs[0]).type.shape.length !== 1 || c.attrs.reduction !== 'none') return [];
    const out = [...x];
    for (const [j, i] of at.entries()) {
      if (typeof i !== 'number') return [];
      out[wrapIndex(i, out.length)] = must(updates[j]);
    }
    return [out];
  },
  eval: (c, x, indices, updates) => {
    const t = must(x);
    const ix = must(indices);
    const { axis } = c.attrs;
    const strides = stridesOf(t.dims);
    const at = toNumbers(ix);
    const to = combiner(c.attrs.reduction, t, must(updates));
    for (let q = 0; q < at.length; q++) {
      const idx = indexOf(q, ix.dims);
      idx[axis] = wrapIndex(at[q] ?? 0, t.dims[axis] ?? 0);
      to.put(
        idx.reduce((p, i, a) => p + i * must(strides[a]), 0),
        q,
      );
    }
    return [to.result()];
  },
  lower: {
    k: 'kernel',
    accepts: () => 'indexMap',
    build: c => {
      const { axis, reduction } = c.attrs;
      const out = startFrom(c);
      const [indices, updates] = [c.need(1), c.need(2)];
      c.kernel(`scatter_${reduction}`, k =>
        inOrder(k, indices.dims, idx => {
          const i = safeIndex(k, indices.at(k, idx), must(out.dims[axis]));
          update(
            k,
            reduction,
            out,
            idx.map((e, a) => (a === axis ? i : e)),
            updates.at(k, idx),
          );
        }),
      );
    },
  },
});

export const ScatterND = defineOp({
  name: 'ScatterND',
  doc: 'A copy of x in which slices at index tuples are replaced by, or combined with, slices of `updates`.',
  inputs: ['x', 'indices', 'updates'],
  attrs: { reduction: attr.oneOf(REDUCTIONS, 'none') },
  infer: c => {
    const [x, indices, updates] = c.types.map(t => must(t));
    checkScatter(c);
    const tuple = must(indices).shape.at(-1);
    if (typeof tuple !== 'number') return c.reject('the length of the index tuples is not fixed');
    if (tuple > must(x).shape.length) c.reject(`tuples of ${tuple} indices do not fit ${must(x).shape.length} axes`);
    const want = [...must(indices).shape.slice(0, -1), ...must(x).shape.slice(tuple)];
    if (want.length !== must(updates).shape.length) c.reject(`updates must have ${want.length} axes`);
    want.forEach((d, a) => c.same(d, must(must(updates).shape[a]), `axis ${a} of updates`));
    return [must(x)];
  },
  eval: (c, x, indices, updates) => {
    const t = must(x);
    const ix = must(indices);
    const tuple = ix.dims.at(-1) ?? 0;
    const strides = stridesOf(t.dims);
    const inner = numel(t.dims.slice(tuple));
    const at = toNumbers(ix);
    const to = combiner(c.attrs.reduction, t, must(updates));
    for (let i = 0; i < numel(ix.dims.slice(0, -1)); i++) {
      let p = 0;
      for (let j = 0; j < tuple; j++) p += wrapIndex(at[i * tuple + j] ?? 0, t.dims[j] ?? 0) * must(strides[j]);
      for (let e = 0; e < inner; e++) to.put(p + e, i * inner + e);
    }
    return [to.result()];
  },
  lower: {
    k: 'kernel',
    accepts: () => 'indexMap',
    build: c => {
      const { reduction } = c.attrs;
      const out = startFrom(c);
      const [indices, updates] = [c.need(1), c.need(2)];
      const heads = indices.dims.slice(0, -1);
      const tuple = Number(indices.dims.at(-1));
      const inner = out.dims.slice(tuple);
      const vector = updates.vector && out.strides.at(-1) === 1 && vectorMemory(out.buffer.dtype);
      const lanes: Lanes = vector ? lanesOf(c.profile) : 1;
      c.kernel(`scatter_nd_${reduction}`, k =>
        inOrder(k, heads, idx => {
          const at = Array.from({ length: tuple }, (_, j) => safeIndex(k, indices.at(k, [...idx, j]), must(out.dims[j])));
          const row = (i: readonly Expr[], n: Lanes): void =>
            update(k, reduction, out, [...at, ...i], updates.at(k, [...idx, ...i], n));
          const last = inner.at(-1);
          if (last === undefined) row([], 1);
          else inOrder(k, inner.slice(0, -1), i => forLanes(k, last, lanes, (e, n) => row([...i, e], n)));
        }),
      );
    },
  },
});

export const TensorScatter = defineOp({
  name: 'TensorScatter',
  doc: 'A copy of a cache with `update` written along an axis from `start[b]` on, for each batch entry b (from 0 on where absent); circular: past the end it goes on at the beginning.',
  inputs: ['cache', 'update', 'start?'],
  attrs: { axis: attr.int(), circular: attr.bool(false) },
  infer: c => {
    const cache = must(c.types[0]);
    const u = must(c.types[1]);
    const start = c.types[2];
    checkAxis(c, c.attrs.axis, cache.shape.length);
    if (c.attrs.axis === 0) c.reject('the axis cannot be the batch');
    if (u.dtype !== cache.dtype || u.shape.length !== cache.shape.length)
      c.reject('cache and update must have one type and rank');
    u.shape.forEach((d, a) => {
      if (a !== c.attrs.axis) c.same(d, must(cache.shape[a]), `axis ${a} of cache and update`);
    });
    if (start) {
      checkIndices(c, start);
      if (start.shape.length !== 1) c.reject('the start must be one number for each batch entry');
      c.same(must(start.shape[0]), must(cache.shape[0]), 'starts and batch');
    }
    return [cache];
  },
  eval: (c, cache, updates, start) => {
    const t = must(cache);
    const u = must(updates);
    const { axis, circular } = c.attrs;
    const strides = stridesOf(t.dims);
    const from = start ? toNumbers(start) : undefined;
    const to = combiner('none', t, u);
    const n = t.dims[axis] ?? 0;
    for (let q = 0; q < numel(u.dims); q++) {
      const idx = indexOf(q, u.dims);
      const at = (from?.[idx[0] ?? 0] ?? 0) + must(idx[axis]);
      idx[axis] = circular ? at % n : wrapIndex(at, n);
      to.put(
        idx.reduce((p, i, a) => p + i * must(strides[a]), 0),
        q,
      );
    }
    return [to.result()];
  },
  lower: {
    k: 'kernel',
    accepts: () => 'indexMap',
    build: c => {
      const { axis, circular } = c.attrs;
      const out = startFrom(c);
      const u = c.need(1);
      const start = c.source(2);
      const inner = u.dims.length - 1 > axis;
      const vector = inner && u.vector && out.strides.at(-1) === 1 && vectorMemory(out.buffer.dtype);
      const lanes: Lanes = vector ? lanesOf(c.profile) : 1;
      c.kernel('tensor_scatter', k => {
        const size = k.let(max(k.dim(must(out.dims[axis])), 1));
        const place = (idx: readonly Expr[]): Expr => {
          const raw = k.let(add(start ? cast(I32, start.at(k, [must(idx[0])])) : 0, must(idx[axis])));
          if (!circular) return safeIndex(k, raw, must(out.dims[axis]));
          const r = k.let(rem(raw, size));
          return k.let(select(lt(r, 0), add(r, size), r));
        };
        const put = (idx: readonly Expr[], at: Expr, n: Lanes): void =>
          update(
            k,
            'none',
            out,
            idx.map((e, a) => (a === axis ? at : e)),
            u.at(k, idx, n),
          );
        if (!inner) inOrder(k, u.dims, idx => put(idx, place(idx), 1));
        else
          inOrder(k, u.dims.slice(0, -1), idx => {
            const at = place(idx);
            forLanes(k, must(u.dims.at(-1)), lanes, (e, n) => put([...idx, e], at, n));
          });
      });
    },
  },
});
