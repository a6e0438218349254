import { must } from '../../core/diagnostic.ts';
import { dimHi, type Dim } from '../../core/dim.ts';
import { tensorType } from '../../core/shape.ts';
import { fromNumbers, numel, stridesOf, typed } from '../../core/tensor.ts';
import type { DType } from '../../core/dtype.ts';
import type { Buffer, KernelBuilder } from '../../kernel/builder.ts';
import { add, and, cast, eq, ge, gt, int, or, sub, vtype, type Expr } from '../../kernel/ir.ts';
import { attr, defineOp } from '../define.ts';
import { checkAxis } from '../movement/gather.ts';
import type { LowerCtx } from '../lowering.ts';
import { comesBefore, elementOrder, mergeSort } from './sort.ts';
import { cellsOf, newCells } from '../strided.ts';

/** Up to this many results the best are kept in a short list while the values pass; beyond, everything is sorted. */
const SHORT = 48;

interface TopKAttrs {
  readonly k: Dim;
  readonly axis: number;
  readonly largest: boolean;
}
export const TopK = defineOp({
  name: 'TopK',
  doc: 'The k largest (or smallest) elements along an axis in order, and their indices; of equal ones the lower index comes first, NaN last.',
  inputs: ['x'],
  attrs: { k: attr.dim(), axis: attr.int(), largest: attr.bool(true) },
  infer: c => {
    const x = must(c.types[0]);
    const { k, axis } = c.attrs;
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

function topK(c: LowerCtx<TopKAttrs>): void {
  const x = c.need(0);
  const { axis } = c.attrs;
  const top = c.attrs.k;
  const n = must(x.dims[axis]);
  const [values, indices] = [c.sink(0), c.sink(1)];
  const short = dimHi(top) <= SHORT;
  const room = short ? top : n;
  const kept = c.temp('values', x.dtype, room);
  const order = c.temp('order', 'i32', room);
  const scratch = short ? order : c.temp('scratch', 'i32', room);
  c.kernel('top_k', k => {
    const write = (idx: readonly Expr[]): void =>
      k.for(0, top, j => {
        const at = idx.with(axis, j);
        const i = k.let(k.load(order, j));
        values.store(k, at, k.load(kept, short ? j : i));
        indices.store(k, at, cast(vtype('i64'), i));
      });
    const nest = (idx: readonly Expr[]): void => {
      const a = idx.length;
      if (a < x.dims.length) {
        if (a === axis) nest([...idx, int(0)]);
        else k.for(0, must(x.dims[a]), i => nest([...idx, i]));
        return;
      }
      const value = (j: Expr): Expr => x.at(k, idx.with(axis, j));
      if (short) keepBest(k, c.attrs, x.dtype, n, value, kept, order);
      else {
        k.for(0, n, j => {
          k.store(kept, j, value(j));
          k.store(order, j, j);
        });
        mergeSort(k, order, scratch, k.dim(n), (p, q) =>
          comesBefore(x.dtype, k.let(k.load(kept, p)), k.let(k.load(kept, q)), c.attrs.largest),
        );
      }
      write(idx);
    };
    k.if(gt(k.dim(top), 0), () => nest([]));
  });
}
/** Passes over the values once and keeps the best in order. */
function keepBest(
  k: KernelBuilder,
  attrs: TopKAttrs,
  dtype: DType,
  n: Dim,
  value: (j: Expr) => Expr,
  kept: Buffer,
  order: Buffer,
): void {
  const top = k.dim(attrs.k);
  const have = k.var(int(0));
  k.for(0, n, j => {
    const v = k.let(value(j));
    const worst = k.let(k.load(kept, add(top, -1)));
    const full = k.let(ge(have, top));
    k.if(or(eq(full, 0), comesBefore(dtype, v, worst, attrs.largest)), () => {
      const at = k.var(add(have, sub(0, full)));
      k.set(have, add(at, 1));
      const go = k.var(int(1));
      k.while(
        () => and(go, gt(at, 0)),
        () => {
          const u = k.let(k.load(kept, add(at, -1)));
          k.if(
            comesBefore(dtype, v, u, attrs.largest),
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
    });
  });
}
