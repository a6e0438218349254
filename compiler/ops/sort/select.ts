import { must } from '../../core/diagnostic.ts';
import { dimMin, symbolsOf, type Dim } from '../../core/dim.ts';
import { tensorType } from '../../core/shape.ts';
import { fromNumbers, numel, toNumbers, typed } from '../../core/tensor.ts';
import type { NodeOf } from '../../graph/graph.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import { add, cast, int, konst, ne, vtype, type Expr, type Lanes } from '../../kernel/ir.ts';
import { attr, defineOp } from '../define.ts';
import { checkAxis } from '../movement/gather.ts';
import { forLanes, lanesOf } from '../loops.ts';
import type { LowerCtx, SlotBuffer } from '../lowering.ts';
import { cellsOf, indexOf, newCells } from '../strided.ts';

/** Operators whose data say how much comes out. The number is a symbol: `count`. */

/** The symbols that an attribute `count` is made of. */
export function countSymbols(n: NodeOf<{ readonly count: Dim }>): readonly string[] {
  return symbolsOf(n.attrs.count).map(s => s.name);
}
/** Reads the symbol of a count from where a kernel put it; a count that is a number needs none. */
export function readCount(c: LowerCtx<{ readonly count: Dim }>, from: SlotBuffer): void {
  const { count } = c.attrs;
  if (typeof count === 'number') return;
  const [s] = symbolsOf(count);
  c.readSymbol(must(s).name, from);
}

export const Compress = defineOp({
  name: 'Compress',
  doc: 'The slices along an axis whose condition is true; slices beyond the conditions are dropped.',
  inputs: ['x', 'condition'],
  attrs: { axis: attr.int(), count: attr.dim() },
  infer: c => {
    const x = must(c.types[0]);
    const cond = must(c.types[1]);
    if (cond.dtype !== 'bool' || cond.shape.length !== 1) c.reject('the condition must be a vector of booleans');
    checkAxis(c, c.attrs.axis, x.shape.length);
    return [tensorType(x.dtype, x.shape.with(c.attrs.axis, c.attrs.count))];
  },
  symbolic: c => {
    const [x, cond] = c.symbolic;
    if (!x || !cond || must(c.inputs[0]).type.shape.length !== 1 || cond.some(d => typeof d !== 'number')) return [];
    return [x.filter((_, i) => (cond[i] ?? 0) !== 0)];
  },
  definesSymbols: countSymbols,
  eval: (c, x, condition) => {
    const t = must(x);
    const { axis } = c.attrs;
    const n = t.dims[axis] ?? 0;
    const kept = [...toNumbers(must(condition))].flatMap((b, i) => (b !== 0 && i < n ? [i] : []));
    const inner = numel(t.dims.slice(axis + 1));
    const outer = numel(t.dims.slice(0, axis));
    const from = cellsOf(typed(t));
    const { cells, tensor } = newCells(t.dtype, t.dims.with(axis, kept.length));
    let q = 0;
    for (let o = 0; o < outer; o++)
      for (const i of kept) for (let e = 0; e < inner; e++) cells[q++] = must(from[(o * n + i) * inner + e]);
    return [tensor];
  },
  lower: {
    k: 'kernel',
    accepts: () => 'indexMap',
    build: c => {
      const { axis } = c.attrs;
      const x = c.need(0);
      const cond = c.need(1);
      const out = c.sink(0);
      const cell = c.temp('count', 'i32', 1);
      const limit = dimMin(must(cond.dims[0]), must(x.dims[axis]));
      c.kernel('compress_count', k => {
        const n = k.var(int(0));
        k.for(0, limit, i => k.if(ne(cond.at(k, [i]), 0), () => k.set(n, add(n, 1))));
        k.store(cell, 0, n);
      });
      readCount(c, cell);
      const last = x.dims.length - 1;
      const lanes: Lanes = axis < last && x.vector && out.vector ? lanesOf(c.profile) : 1;
      c.kernel('compress', k => {
        const to = k.var(int(0));
        k.for(0, limit, i =>
          k.if(ne(cond.at(k, [i]), 0), () => {
            const walk = (from: readonly Expr[], dest: readonly Expr[]): void => {
              const a = from.length;
              const n = must(x.dims[a]);
              const next = (f: Expr, d: Expr): void => {
                if (a === last) out.store(k, [...dest, d], x.at(k, [...from, f]));
                else walk([...from, f], [...dest, d]);
              };
              if (a === axis) next(i, to);
              else if (a === last)
                forLanes(k, n, lanes, (e, l) => {
                  out.store(k, [...dest, e], x.at(k, [...from, e], l));
                });
              else k.for(0, n, e => next(e, e));
            };
            walk([], []);
            k.set(to, add(to, 1));
          }),
        );
      });
    },
  },
});

export const NonZero = defineOp({
  name: 'NonZero',
  doc: 'The indices of the elements that are not zero, in row-major order: one column for each.',
  inputs: ['x'],
  attrs: { count: attr.dim() },
  infer: c => [tensorType('i64', [must(c.types[0]).shape.length, c.attrs.count])],
  definesSymbols: countSymbols,
  eval: (_, x) => {
    const t = must(x);
    const hits: number[][] = [];
    toNumbers(t).forEach((v, p) => {
      if (v !== 0) hits.push(indexOf(p, t.dims));
    });
    const rank = t.dims.length;
    return [
      fromNumbers(
        'i64',
        [rank, hits.length],
        Array.from({ length: rank * hits.length }, (_v, i) => must(hits[i % hits.length]?.[Math.floor(i / hits.length)])),
      ),
    ];
  },
  lower: {
    k: 'kernel',
    accepts: () => 'indexMap',
    build: c => {
      const x = c.need(0);
      const out = c.sink(0);
      const cell = c.temp('count', 'i32', 1);
      const i64 = vtype('i64');
      const walk = (k: KernelBuilder, hit: (idx: readonly Expr[]) => void): void => {
        const nest = (idx: readonly Expr[]): void => {
          const n = x.dims[idx.length];
          if (n !== undefined) {
            k.for(0, n, i => nest([...idx, i]));
            return;
          }
          const v = x.at(k, idx);
          k.if(ne(v, konst(v.t, 0)), () => hit(idx));
        };
        nest([]);
      };
      c.kernel('nonzero_count', k => {
        const n = k.var(int(0));
        walk(k, () => k.set(n, add(n, 1)));
        k.store(cell, 0, n);
      });
      readCount(c, cell);
      c.kernel('nonzero', k => {
        const n = k.var(int(0));
        walk(k, idx => {
          idx.forEach((e, a) => out.store(k, [int(a), n], cast(i64, e)));
          k.set(n, add(n, 1));
        });
      });
    },
  },
});
