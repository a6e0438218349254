import { must } from '../../core/diagnostic.ts';
import { dimMul, type Dim } from '../../core/dim.ts';
import type { DType } from '../../core/dtype.ts';
import { tensorType } from '../../core/shape.ts';
import { fromNumbers, numel, typed } from '../../core/tensor.ts';
import type { Buffer, KernelBuilder } from '../../kernel/builder.ts';
import { add, and, cast, div, eq, int, lt, mul, ne, rem, sub, vtype, type Expr } from '../../kernel/ir.ts';
import { attr, defineOp } from '../define.ts';
import { checkAxis } from '../movement/gather.ts';
import type { LowerCtx } from '../lowering.ts';
import { countSymbols, readCount } from './select.ts';
import { refIndex } from '../ref.ts';
import { keyOf, newEntries, sortEntries } from './radix.ts';
import { comesBefore, elementOrder, mergeSort } from './sort.ts';
import { cellsOf, newCells } from '../strided.ts';

interface UniqueAttrs {
  readonly axis: number;
  readonly sorted: boolean;
  readonly count: Dim;
}
export const Unique = defineOp({
  name: 'Unique',
  doc: 'The different slices along an axis, sorted or in order of first occurrence; where each occurs first; which one each slice is; how often each occurs.',
  inputs: ['x'],
  attrs: { axis: attr.int(), sorted: attr.bool(true), count: attr.dim() },
  infer: c => {
    const x = must(c.types[0]);
    const { axis, count } = c.attrs;
    if (x.dtype === 'text') c.reject('texts have no order');
    checkAxis(c, axis, x.shape.length);
    const perGroup = tensorType('i64', [count]);
    return [tensorType(x.dtype, x.shape.with(axis, count)), perGroup, tensorType('i64', [must(x.shape[axis])]), perGroup];
  },
  definesSymbols: countSymbols,
  eval: (c, x) => {
    const t = must(x);
    const { axis, sorted } = c.attrs;
    const n = t.dims[axis] ?? 0;
    const inner = numel(t.dims.slice(axis + 1));
    const outer = numel(t.dims.slice(0, axis));
    const elements = elementOrder(t, false);
    const compare = (a: number, b: number): number => {
      for (let o = 0; o < outer; o++)
        for (let e = 0; e < inner; e++) {
          const d = elements((o * n + a) * inner + e, (o * n + b) * inner + e);
          if (d !== 0) return d;
        }
      return 0;
    };
    const groups: number[][] = [];
    for (const i of Array.from({ length: n }, (_, j) => j).sort((a, b) => compare(a, b) || a - b)) {
      const last = groups.at(-1);
      if (last?.[0] !== undefined && compare(last[0], i) === 0) last.push(i);
      else groups.push([i]);
    }
    if (!sorted) groups.sort((a, b) => must(a[0]) - must(b[0]));
    const inverse = new Array<number>(n).fill(0);
    groups.forEach((g, at) => {
      for (const i of g) inverse[i] = at;
    });
    const from = cellsOf(typed(t));
    const { cells, tensor } = newCells(t.dtype, t.dims.with(axis, groups.length));
    let q = 0;
    for (let o = 0; o < outer; o++)
      for (const g of groups) for (let e = 0; e < inner; e++) cells[q++] = must(from[(o * n + must(g[0])) * inner + e]);
    const m = [groups.length];
    return [
      tensor,
      fromNumbers(
        'i64',
        m,
        groups.map(g => must(g[0])),
      ),
      fromNumbers('i64', [n], inverse),
      fromNumbers(
        'i64',
        m,
        groups.map(g => g.length),
      ),
    ];
  },
  lower: { k: 'kernel', build: c => unique(c) },
});

/** Slices of compact memory: slice a has element (o*n + a)*inner + e for each o and e. */
interface Slices {
  readonly data: Buffer;
  readonly dtype: DType;
  readonly n: Dim;
  readonly inner: Dim;
  readonly outer: Dim;
}
/** Whether the slices are single elements. */
const isSingle = (s: Slices): boolean => s.inner === 1 && s.outer === 1;
/** Compares two slices element by element: -1, 0 or 1. */
function compareSlices(k: KernelBuilder, s: Slices, a: Expr, b: Expr): Expr {
  const inner = k.dim(s.inner);
  const total = k.let(mul(inner, k.dim(s.outer)));
  const order = (u: Expr, v: Expr): Expr => sub(comesBefore(s.dtype, v, u, false), comesBefore(s.dtype, u, v, false));
  if (isSingle(s)) return k.let(order(k.let(k.load(s.data, a)), k.let(k.load(s.data, b))));
  const result = k.var(int(0));
  const p = k.var(int(0));
  k.while(
    () => and(lt(p, total), eq(result, 0)),
    () => {
      const e = k.let(rem(p, inner));
      const row = k.let(mul(div(p, inner), k.dim(s.n)));
      const load = (i: Expr): Expr => k.let(k.load(s.data, add(mul(add(row, i), inner), e)));
      k.set(result, order(load(a), load(b)));
      k.set(p, add(p, 1));
    },
  );
  return result;
}
/** The indices of the elements in their order. */
function sortElements(c: LowerCtx<UniqueAttrs>, s: Slices, order: Buffer): void {
  const e = newEntries(c, s.dtype, s.n);
  c.kernel('unique_sort', k => {
    k.for(0, s.n, i => {
      k.store(e.keys, i, keyOf(k, s.dtype, k.load(s.data, i), false));
      k.store(e.indices, i, i);
    });
    const from = sortEntries(k, e, k.dim(s.n));
    k.for(0, s.n, i => k.store(order, i, k.load(e.indices, add(from, i))));
  });
}
function unique(c: LowerCtx<UniqueAttrs>): void {
  const { axis, sorted } = c.attrs;
  const x = c.contiguous(0);
  const n = must(x.dims[axis]);
  const product = (ds: readonly Dim[]): Dim => ds.reduce(dimMul, 1);
  const slices: Slices = {
    data: x.buffer,
    dtype: x.buffer.dtype,
    n,
    inner: product(x.dims.slice(axis + 1)),
    outer: product(x.dims.slice(0, axis)),
  };
  const [order, group, first, times, cell] = [
    c.temp('order', 'i32', n),
    c.temp('group', 'i32', n),
    c.temp('first', 'i32', n),
    c.temp('times', 'i32', n),
    c.temp('count', 'i32', 1),
  ];
  if (isSingle(slices)) sortElements(c, slices, order);
  else {
    const scratch = c.temp('scratch', 'i32', n);
    c.kernel('unique_sort', k => {
      k.for(0, n, i => k.store(order, i, i));
      mergeSort(k, order, scratch, k.dim(n), (a, b) => lt(compareSlices(k, slices, a, b), 0));
    });
  }
  // Groups in sorted order; the sort is stable, so the first of a group is the one that occurs first.
  c.kernel('unique_groups', k => {
    const count = k.var(int(0));
    const leader = k.var(int(0));
    k.for(0, n, j => {
      const i = k.let(k.load(order, j));
      const fresh = k.var(int(1));
      k.if(ne(count, 0), () => k.set(fresh, ne(compareSlices(k, slices, leader, i), 0)));
      k.if(ne(fresh, 0), () => {
        k.set(leader, i);
        k.store(first, count, i);
        k.store(times, count, int(0));
        k.set(count, add(count, 1));
      });
      const g = k.let(add(count, -1));
      k.store(group, i, g);
      k.store(times, g, add(k.load(times, g), 1));
    });
    k.store(cell, 0, count);
    if (sorted) k.for(int(0), count, g => k.store(order, g, g));
    else {
      // A group's place is how many groups began before it.
      const next = k.var(int(0));
      k.for(0, n, i => {
        const g = k.let(k.load(group, i));
        k.if(eq(k.load(first, g), i), () => {
          k.store(order, g, next);
          k.set(next, add(next, 1));
        });
      });
    }
  });
  readCount(c, cell);
  const [y, indices, inverse, counts] = [c.sink(0), c.sink(1), c.sink(2), c.sink(3)];
  const i64 = vtype('i64');
  c.kernel('unique', k => {
    k.for(0, n, i => inverse.store(k, [i], cast(i64, k.load(order, k.load(group, i)))));
    k.for(0, c.attrs.count, g => {
      const to = k.let(k.load(order, g));
      const from = k.let(k.load(first, g));
      indices.store(k, [to], cast(i64, from));
      counts.store(k, [to], cast(i64, k.load(times, g)));
      const nest = (src: readonly Expr[], dst: readonly Expr[]): void => {
        const a = src.length;
        if (a === x.dims.length) y.store(k, dst, k.load(x.buffer, refIndex(k, x, src)));
        else if (a === axis) nest([...src, from], [...dst, to]);
        else k.for(0, must(x.dims[a]), i => nest([...src, i], [...dst, i]));
      };
      nest([], []);
    });
  });
}
