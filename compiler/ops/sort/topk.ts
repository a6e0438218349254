import { must } from '../../core/diagnostic.ts';
import { dimFloorDiv, dimHi, dimMin, dimMul, type Dim } from '../../core/dim.ts';
import { regOf, type DType } from '../../core/dtype.ts';
import { tensorType } from '../../core/shape.ts';
import { fromNumbers, numel, stridesOf, typed } from '../../core/tensor.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import {
  add,
  and,
  cast,
  eq,
  ge,
  gt,
  int,
  konst,
  le,
  lt,
  min,
  ne,
  not,
  or,
  reduceLanes,
  select,
  splat,
  vtype,
  type Expr,
  type Lanes,
} from '../../kernel/ir.ts';
import { attr, defineOp } from '../define.ts';
import { checkAxis } from '../movement/gather.ts';
import type { LowerCtx } from '../lowering.ts';
import { forAll, lanesOf } from '../loops.ts';
import { keyLess, keyOf, newEntries, sortEntries } from './radix.ts';
import { comesBefore, elementOrder } from './sort.ts';
import { cellsOf, newCells } from '../strided.ts';

interface TopKAttrs {
  readonly k: Dim;
  readonly axis: number;
  readonly largest: boolean;
}
export const TopK = defineOp({
  name: 'TopK',
  doc: 'The k largest (or smallest) elements along an axis in order, and their indices; of equal ones the lower index comes first. NaN is larger than all numbers.',
  inputs: ['x'],
  attrs: { k: attr.dim(), axis: attr.int(), largest: attr.bool(true) },
  infer: c => {
    const x = must(c.types[0]);
    const { k, axis } = c.attrs;
    if (x.dtype === 'text') c.reject('texts have no order');
    checkAxis(c, axis, x.shape.length);
    const n = must(x.shape[axis]);
    if (typeof n === 'number' && typeof k === 'number' && (k < 0 || k > n)) c.reject(`the best ${k} of ${n} elements`);
    const shape = x.shape.with(axis, k);
    return [tensorType(x.dtype, shape), tensorType('i64', shape)];
  },
  eval: (c, x) => {
    const t = must(x);
    const { axis, largest } = c.attrs;
    const dims = c.dims(0);
    const top = dims[axis] ?? 0;
    const n = t.dims[axis] ?? 0;
    const step = must(stridesOf(t.dims)[axis]);
    const outer = numel(t.dims.slice(0, axis));
    const cells = cellsOf(typed(t));
    const order = elementOrder(t, largest);
    const { cells: out, tensor } = newCells(t.dtype, dims);
    const where = new Array<number>(numel(dims)).fill(0);
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < step; i++) {
        const base = o * n * step + i;
        const best = Array.from({ length: n }, (_, j) => j).sort((a, b) => order(base + a * step, base + b * step) || a - b);
        for (let j = 0; j < top; j++) {
          const q = (o * top + j) * step + i;
          where[q] = best[j] ?? 0;
          out[q] = must(cells[base + (best[j] ?? 0) * step]);
        }
      }
    return [tensor, fromNumbers('i64', dims, where)];
  },
  lower: { k: 'kernel', accepts: () => 'indexMap', build: c => topK(c) },
});

/** Up to this many results the best are kept in a short list in order; beyond, in a long one that is sorted when it is full. */
const SHORT = 48;
/** Vectors of values that are compared with the bound at once. */
const WAYS = 4;

function topK(c: LowerCtx<TopKAttrs>): void {
  const x = c.need(0);
  const { axis, k: top } = c.attrs;
  const n = must(x.dims[axis]);
  const [values, indices] = [c.sink(0), c.sink(1)];
  const keep = dimHi(top) <= SHORT ? shortList(c, x.dtype, n) : longList(c, x.dtype, n);
  const reg = regOf(x.dtype);
  const vector = axis === x.dims.length - 1 && x.vector && (reg === 'f32' || x.dtype === 'i32');
  const lanes: Lanes = vector ? lanesOf(c.profile) : 1;
  c.kernel('top_k', k => {
    const row = (idx: readonly Expr[]): void => {
      const at = (j: Expr, width: Lanes): Expr => x.at(k, idx.with(axis, j), width);
      keep(k, { lanes, at }, (j, i) => {
        const to = idx.with(axis, j);
        values.store(k, to, at(i, 1));
        indices.store(k, to, cast(vtype('i64'), i));
      });
    };
    k.if(gt(k.dim(top), 0), () =>
      forAll(
        k,
        x.dims.map((d, a) => (a === axis ? 1 : d)),
        row,
      ),
    );
  });
}
/** The values along the axis; `lanes`: how many neighbours are read at once. */
interface Row {
  readonly lanes: Lanes;
  at(j: Expr, lanes: Lanes): Expr;
}
/** Finds the best of a row, and gives each place in their order with the index of the value there. */
type Keep = (k: KernelBuilder, row: Row, write: (j: Expr, index: Expr) => void) => void;

/** Whether any of the values from `at` on, WAYS vectors of them, may come before the bound. NaN, as value or bound, may. */
function anyBetter(k: KernelBuilder, row: Row, at: Expr, bound: Expr, largest: boolean): Expr {
  const limit = k.let(splat(bound, row.lanes));
  const masks = Array.from({ length: WAYS }, (_, i) => {
    const v = row.at(add(at, i * row.lanes), row.lanes);
    return k.let(not(largest ? le(v, limit) : ge(v, limit)));
  });
  return ne(
    reduceLanes(
      'min',
      masks.reduce((a, b) => k.let(or(a, b))),
    ),
    0,
  );
}
/**
 * ```
 * for block of values in which one is better than the worst of the list, or the list is not full:
 *   for value of the block that is: shift what comes after it by one; put it there
 * ```
 */
function shortList(c: LowerCtx<TopKAttrs>, dtype: DType, n: Dim): Keep {
  const { k: top, largest } = c.attrs;
  const kept = c.scratch('values', dtype, top);
  const order = c.scratch('order', 'i32', top);
  return (k, row, write) => {
    const last = k.let(add(k.dim(top), -1));
    const have = k.var(int(0));
    const bound = k.var(konst(vtype(regOf(dtype)), 0));
    const take = (j: Expr): void => {
      const v = k.let(row.at(j, 1));
      const open = k.let(le(have, last));
      k.if(or(open, comesBefore(dtype, v, bound, largest)), () => {
        const at = k.var(select(open, have, last));
        k.set(have, add(at, 1));
        const go = k.var(int(1));
        k.while(
          () => and(go, gt(at, 0)),
          () => {
            const u = k.let(k.load(kept, add(at, -1)));
            k.if(
              comesBefore(dtype, v, u, largest),
              () => {
                k.store(kept, at, u);
                k.store(order, at, k.load(order, add(at, -1)));
                k.set(at, add(at, -1));
              },
              () => k.set(go, int(0)),
            );
          },
        );
        k.store(kept, at, v);
        k.store(order, at, j);
        k.if(gt(have, last), () => k.set(bound, k.load(kept, last)));
      });
    };
    const size = WAYS * row.lanes;
    if (row.lanes === 1) k.for(0, n, take);
    else {
      const whole = dimMul(dimFloorDiv(n, size), size);
      k.for(
        0,
        whole,
        at => k.if(or(le(have, last), anyBetter(k, row, at, bound, largest)), () => k.for(at, add(at, size), take)),
        { step: size },
      );
      k.for(whole, n, take);
    }
    k.for(0, top, j => write(j, k.load(order, j)));
  };
}
/**
 * The list has room for more than twice the results, so that each value costs O(1), in whatever order they come.
 * ```
 * until all values are seen:
 *   for block of values in which one is better than the bound, while there is room:
 *     for value of the block that is: append it
 *   sort the list; cut it; bound = its last value
 * ```
 */
function longList(c: LowerCtx<TopKAttrs>, dtype: DType, n: Dim): Keep {
  const { k: top, largest } = c.attrs;
  const e = newEntries(c, dtype, dimMin(n, dimMul(top, 3)));
  return (k, row, write) => {
    const [count, room, size] = [k.dim(n), k.dim(e.room), WAYS * row.lanes];
    const key = (v: Expr): Expr => k.let(keyOf(k, dtype, v, largest));
    const have = k.var(int(0));
    const cut = k.var(int(0));
    const bound = k.var(konst(vtype(regOf(dtype)), 0));
    const worst = k.var(konst(vtype(regOf(e.keys.dtype)), 0));
    const next = k.var(int(0));
    const append = (end: Expr): void =>
      k.while(
        () => and(lt(next, end), lt(have, room)),
        () => {
          const own = key(row.at(next, 1));
          k.if(or(eq(cut, 0), keyLess(own, worst)), () => {
            k.store(e.keys, have, own);
            k.store(e.indices, have, next);
            k.set(have, add(have, 1));
          });
          k.set(next, add(next, 1));
        },
      );
    const best = k.var(int(0));
    k.while(
      () => lt(next, count),
      () => {
        k.while(
          () => and(lt(next, count), lt(have, room)),
          () => {
            if (row.lanes === 1) {
              append(count);
              return;
            }
            const end = k.let(add(next, size));
            const none = k.var(int(0));
            k.if(and(ne(cut, 0), le(end, count)), () => k.set(none, eq(anyBetter(k, row, next, bound, largest), 0)));
            k.if(
              none,
              () => k.set(next, end),
              () => append(k.let(min(end, count))),
            );
          },
        );
        k.set(best, sortEntries(k, e, have));
        k.if(lt(next, count), () => {
          k.for(0, top, i => {
            k.store(e.keys, i, k.load(e.keys, add(best, i)));
            k.store(e.indices, i, k.load(e.indices, add(best, i)));
          });
          const last = k.let(add(k.dim(top), -1));
          k.set(have, k.dim(top));
          k.set(cut, int(1));
          k.set(worst, k.load(e.keys, last));
          k.set(bound, row.at(k.let(k.load(e.indices, last)), 1));
        });
      },
    );
    k.for(0, top, j => write(j, k.let(k.load(e.indices, add(best, j)))));
  };
}
