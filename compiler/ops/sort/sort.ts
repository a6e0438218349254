import { isCoded } from '../../core/codes.ts';
import { isFloat, type DType } from '../../core/dtype.ts';
import { toNumbers, typed, type Tensor } from '../../core/tensor.ts';
import type { Buffer, KernelBuilder } from '../../kernel/builder.ts';
import { add, and, eq, ge, int, lt, min, mul, ne, or, type Expr } from '../../kernel/ir.ts';

/** Order of values, ascending or descending: NaN is the largest and equal to itself, as in NumPy and onnxruntime. */
export function comesBefore(dtype: DType, a: Expr, b: Expr, descending: boolean): Expr {
  const [less, more] = descending ? [b, a] : [a, b];
  return isFloat(dtype) ? or(lt(less, more), and(ne(more, more), eq(less, less))) : lt(less, more);
}
/** The same of elements of a tensor, for the evaluator. */
export function elementOrder(t: Tensor, descending: boolean): (a: number, b: number) => number {
  const wide = isCoded(t.dtype) ? toNumbers(t) : typed(t);
  const less = (u: number | bigint, v: number | bigint): boolean => u < v || (v !== v && u === u);
  const sign = descending ? -1 : 1;
  return (p, q) => {
    const u = wide[p] ?? 0;
    const v = wide[q] ?? 0;
    return less(u, v) ? -sign : less(v, u) ? sign : 0;
  };
}

/**
 * Emits a stable bottom-up merge sort of the i32 indices in `order` (n of them from `at` on), with `scratch` of the same size.
 * `before(a, b)` says whether index a must come before index b, strictly. The sorted indices end in `order`.
 */
export function mergeSort(k: KernelBuilder, order: Buffer, scratch: Buffer, n: Expr, before: (a: Expr, b: Expr) => Expr): void {
  const width = k.var(int(1));
  k.while(
    () => lt(width, n),
    () => {
      const lo = k.var(int(0));
      k.while(
        () => lt(lo, n),
        () => {
          const mid = k.let(min(add(lo, width), n));
          const hi = k.let(min(add(lo, mul(width, 2)), n));
          const i = k.var(lo);
          const j = k.var(mid);
          k.for(lo, hi, to => {
            // Indices stay in range in the comparison, whose result only counts where both runs have something left.
            const a = k.let(k.load(order, min(i, add(mid, -1))));
            const b = k.let(k.load(order, min(j, add(hi, -1))));
            const left = k.let(and(lt(i, mid), or(ge(j, hi), eq(before(b, a), 0))));
            k.if(
              left,
              () => {
                k.store(scratch, to, a);
                k.set(i, add(i, 1));
              },
              () => {
                k.store(scratch, to, b);
                k.set(j, add(j, 1));
              },
            );
          });
          k.set(lo, hi);
        },
      );
      k.for(int(0), n, i => k.store(order, i, k.load(scratch, i)));
      k.set(width, mul(width, 2));
    },
  );
}
