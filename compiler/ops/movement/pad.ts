import { must } from '../../core/diagnostic.ts';
import { dimAdd, dimEq, dimMax, dimMin, dimMul, dimNeg, dimSub, rangeOf, type Dim } from '../../core/dim.ts';
import { tensorType } from '../../core/shape.ts';
import { stridesOf, typed } from '../../core/tensor.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import {
  add,
  and,
  clampInt,
  gt,
  int,
  konst,
  loadType,
  lt,
  max,
  rem,
  select,
  splat,
  sub,
  within,
  type Expr,
  type Lanes,
  type Num,
} from '../../kernel/ir.ts';
import { perAxis } from '../axes.ts';
import { attr, defineOp } from '../define.ts';
import { forLanes, lanesOf } from '../loops.ts';
import type { LowerCtx, Sink, Source } from '../lowering.ts';
import { cellOf, cellsOf, forRows, newCells } from '../strided.ts';

export const PAD_MODES = ['constant', 'edge', 'reflect', 'wrap'] as const;
export type PadMode = (typeof PAD_MODES)[number];
interface PadAttrs {
  readonly mode: PadMode;
  readonly begin: readonly Dim[];
  readonly end: readonly Dim[];
}

export const Pad = defineOp({
  name: 'Pad',
  doc: 'Adds `begin` elements before and `end` after each axis: a value (0), the nearest element, or elements mirrored at or taken from the other side. In constant mode negative numbers cut off.',
  inputs: ['x', 'value?'],
  attrs: { mode: attr.oneOf(PAD_MODES, 'constant'), begin: attr.dims(), end: attr.dims() },
  infer: c => {
    const x = must(c.types[0]);
    const { mode, begin, end } = c.attrs;
    if (begin.length !== x.shape.length || end.length !== x.shape.length)
      c.reject(`begin and end are for ${x.shape.length} axes`);
    const value = c.types[1];
    if (value) {
      if (value.dtype !== x.dtype) c.reject(`pads ${x.dtype} with ${value.dtype}`);
      for (const d of value.shape) c.same(d, 1, 'the value is one number');
    }
    const shape = x.shape.map((n, a) => {
      const [b, e] = [must(begin[a]), must(end[a])];
      if (mode !== 'constant' && (rangeOf(b).lo < 0 || rangeOf(e).lo < 0)) c.reject(`cannot cut off in mode ${mode}`);
      const size = dimAdd(dimAdd(b, n), e);
      if (typeof size === 'number' && size < 0) c.reject(`axis ${a} would have ${size} elements`);
      return size;
    });
    return [tensorType(x.dtype, shape)];
  },
  symbolic: c => {
    const x = c.symbolic[0];
    const [b, e] = [c.attrs.begin[0], c.attrs.end[0]];
    const value = c.inputs[1] ? c.symbolic[1]?.[0] : 0;
    if (!x || c.attrs.begin.length !== 1 || typeof b !== 'number' || typeof e !== 'number' || value === undefined) return [];
    if (c.attrs.mode !== 'constant') return [];
    return [Array.from({ length: Math.max(0, b + x.length + e) }, (_, i) => x[i - b] ?? value)];
  },
  eval: (c, x, value) => {
    const t = must(x);
    const dims = c.dims(0);
    const from = cellsOf(typed(t));
    const fill = value ? must(cellsOf(typed(value))[0]) : cellOf(t.dtype, 0);
    const { cells, tensor } = newCells(t.dtype, dims);
    // Where each index of an axis comes from, in elements; NaN: from nowhere.
    const strides = stridesOf(t.dims);
    const table = dims.map((size, a) => {
      const n = t.dims[a] ?? 0;
      const b = c.dim(must(c.attrs.begin[a]));
      return Array.from({ length: size }, (_, i) => origin(c.attrs.mode, i - b, n) * must(strides[a]));
    });
    const own = stridesOf(dims);
    const last = table.at(-1) ?? [0];
    forRows(dims, [{ offset: 0, strides: own }], ([q = 0]) => {
      let p = 0;
      for (let a = 0; a < dims.length - 1; a++) p += must(table[a]?.[Math.floor(q / must(own[a])) % must(dims[a])]);
      for (let i = 0; i < last.length; i++) cells[q + i] = from[p + must(last[i])] ?? fill;
    });
    return [tensor];
  },
  permuteAxes: (n, perm) => ({ ...n.attrs, begin: perAxis(n.attrs.begin, perm), end: perAxis(n.attrs.end, perm) }),
  lower: { k: 'kernel', accepts: () => 'indexMap', build: c => padKernel(c) },
});
/** The index that index i of a padded axis comes from, where 0 to n-1 is the axis itself; NaN: the constant. */
function origin(mode: PadMode, i: number, n: number): number {
  switch (mode) {
    case 'constant':
      return i >= 0 && i < n ? i : NaN;
    case 'edge':
      return Math.max(0, Math.min(i, n - 1));
    case 'wrap':
      return ((i % n) + n) % n;
    case 'reflect': {
      const period = Math.max(1, 2 * (n - 1));
      const m = ((i % period) + period) % period;
      return m < n ? m : period - m;
    }
  }
}
/** The same as an expression, always in 0..n-1. */
function originExpr(k: KernelBuilder, mode: PadMode, i: Expr, n: Dim): Expr {
  const size = k.dim(n);
  const safe = (e: Expr): Expr => k.let(clampInt(e, 0, sub(size, 1)));
  const cyclic = (period: Expr): Expr => {
    const r = k.let(rem(i, period));
    return k.let(select(lt(r, 0), add(r, period), r));
  };
  switch (mode) {
    case 'constant':
    case 'edge':
      return safe(i);
    case 'wrap':
      return safe(cyclic(max(size, 1)));
    case 'reflect': {
      const period = k.let(max(sub(add(size, size), 2), 1));
      const m = cyclic(period);
      return safe(select(lt(m, size), m, sub(period, m)));
    }
  }
}

/** An axis of the padded tensor as the kernel walks it: some axes as one. */
interface Axis {
  readonly n: Dim;
  readonly begin: Dim;
  readonly total: Dim;
}
/**
 * Walks rows (the last axis). A row is a run before, a copy by vectors and a run after; rows that come from nowhere are filled.
 * Axes that are not padded are walked as one with the axis before them.
 */
function padKernel(c: LowerCtx<PadAttrs>): void {
  const { mode, begin, end } = c.attrs;
  const x = c.need(0);
  const value = c.source(1);
  const out = c.sink(0);
  if (x.dims.length === 0) {
    c.copy('pad', x, must(out.ref));
    return;
  }
  const padded = (a: number): boolean => begin[a] !== 0 || end[a] !== 0;
  const groups: number[][] = [];
  x.dims.forEach((_, a) => {
    const last = groups.at(-1);
    const joins = last && !padded(a) && (mode === 'constant' || !last.some(padded)) && x.canMerge(a - 1) && out.canMerge(a - 1);
    if (joins) last.push(a);
    else groups.push([a]);
  });
  const src = x.merge(groups);
  const dst = out.merge(groups);
  const axes = groups.map(([a = 0, ...rest]): Axis => {
    const inner = rest.map(r => must(x.dims[r])).reduce(dimMul, 1);
    const total = dimAdd(dimAdd(must(begin[a]), must(x.dims[a])), must(end[a]));
    return { n: dimMul(must(x.dims[a]), inner), begin: dimMul(must(begin[a]), inner), total: dimMul(total, inner) };
  });
  const lanes: Lanes = src.vector && dst.vector ? lanesOf(c.profile) : 1;
  c.kernel(`pad_${mode}`, k => {
    const zero = konst(loadType(x.dtype, 1), 0);
    const fill = value
      ? k.let(
          value.at(
            k,
            value.dims.map(() => 0),
          ),
        )
      : zero;
    padRows(k, { src, dst, axes, mode, lanes, fill }, [], [], int(1));
  });
}
interface Plan {
  readonly src: Source;
  readonly dst: Sink;
  readonly axes: readonly Axis[];
  readonly mode: PadMode;
  readonly lanes: Lanes;
  readonly fill: Expr;
}
function padRows(k: KernelBuilder, p: Plan, to: readonly Num[], from: readonly Num[], inside: Expr): void {
  const axis = must(p.axes[to.length]);
  if (to.length < p.axes.length - 1) {
    k.for(
      0,
      axis.total,
      i => {
        if (axis.begin === 0 && dimEq(axis.total, axis.n)) {
          padRows(k, p, [...to, i], [...from, i], inside);
          return;
        }
        const raw = k.let(sub(i, k.dim(axis.begin)));
        const here = p.mode === 'constant' ? k.let(and(inside, within(raw, 0, k.dim(axis.n)))) : inside;
        padRows(k, p, [...to, i], [...from, originExpr(k, p.mode, raw, axis.n)], here);
      },
      { parallel: true },
    );
    return;
  }
  const first = dimMax(0, dimMin(axis.begin, axis.total));
  const after = dimMax(first, dimMin(axis.total, dimAdd(axis.begin, axis.n)));
  const outside = (lo: Dim, hi: Dim): void => {
    const vector = p.mode === 'constant' && p.lanes > 1 ? p.lanes : 1;
    forLanes(k, dimSub(hi, lo), vector, (i, n) => {
      const at = add(i, k.dim(lo));
      if (p.mode === 'constant') p.dst.store(k, [...to, at], fillLanes(p, n));
      else p.dst.store(k, [...to, at], p.src.at(k, [...from, originExpr(k, p.mode, sub(at, k.dim(axis.begin)), axis.n)]));
    });
  };
  k.if(
    inside,
    () => {
      outside(0, first);
      const skipped = dimMax(0, dimNeg(axis.begin));
      forLanes(k, dimSub(after, first), p.lanes, (i, n) =>
        p.dst.store(k, [...to, add(i, k.dim(first))], p.src.at(k, [...from, add(i, k.dim(skipped))], n)),
      );
      outside(after, axis.total);
    },
    () => outside(0, axis.total),
  );
}
/** The constant in as many lanes; truth values are masks there. */
function fillLanes(p: Plan, lanes: Lanes): Expr {
  if (lanes === 1) return p.fill;
  return p.src.dtype === 'bool' ? gt(splat(p.fill, lanes), 0) : splat(p.fill, lanes);
}
