import fc from 'fast-check';
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { symbol, type Dim } from '../../compiler/core/dim.ts';
import type { DType } from '../../compiler/core/dtype.ts';
import { KernelBuilder, type Actual, type Buffer } from '../../compiler/kernel/builder.ts';
import {
  add,
  and,
  cast,
  div,
  ge,
  int,
  loadType,
  lt,
  math,
  max,
  min,
  mul,
  rem,
  select,
  vtype,
  type Expr,
  type Kernel,
  type Lanes,
} from '../../compiler/kernel/ir.ts';
import type { Gen } from './random-expr.ts';

/** Sizes that are parameters, with their values. */
const SIZES: readonly (readonly [string, number])[] = [
  ['n', 5],
  ['m', 3],
  ['s', 12],
];
export const sizeValue = (d: Dim): number => {
  const name = typeof d === 'number' ? '' : d.key;
  return typeof d === 'number' ? d : must(SIZES.find(([n]) => n === name))[1];
};
interface Loop {
  readonly v: Expr;
  /** Largest value. */
  readonly hi: number;
}
/** Elements of each buffer. */
export const LOOP_ELEMENTS = 4096;

/**
 * Loop nests over buffers with affine indices (constant and symbolic strides, either direction), guards as a padded convolution has
 * them, names for parts of an index, accumulators, indices that were loaded, and a `while`.
 */
export function randomLoops(g: Gen, lanes: Lanes): { readonly kernel: Kernel; readonly actuals: readonly Actual[] } {
  const n = (lo: number, hi: number): number => g(fc.integer, { min: lo, max: hi });
  const pick = <T>(xs: readonly T[]): T => must(xs[n(0, xs.length - 1)]);
  const k = new KernelBuilder();
  const dtypes: readonly DType[] = ['f32', 'f32', 'i32', 'u8', 'f16', 'f64'];
  const reads: readonly Buffer[] = dtypes.map((dtype, i) => ({ name: `in${i}`, dtype }));
  const writes: readonly Buffer[] = (['f32', 'f32', 'i32', 'u8'] as const).map((dtype, i) => ({ name: `out${i}`, dtype }));
  const size = (): Dim => (n(0, 1) === 0 ? pick([1, 2, 3, 4, 7, 8]) : symbol(pick(SIZES)[0], 0, 100));
  const value = (d: Dim): number => sizeValue(d);
  const budget = { left: 24 };

  /** An index inside the buffer whatever the loops do: sum of v*stride, then a constant that brings the range into 0..limit. */
  const index = (loops: readonly Loop[], width: number): Expr => {
    let lo = 0;
    let hi = 0;
    let e: Expr = int(0);
    for (const l of loops) {
      if (n(0, 4) === 0) continue;
      const symbolic = n(0, 3) === 0 ? pick(SIZES) : undefined;
      const c = symbolic ? symbolic[1] : pick([1, 1, 2, 4, 8, -1, -3, 16]);
      const term = mul(l.v, symbolic ? k.dim(symbol(symbolic[0], 0, 100)) : c);
      if (c > 0) hi += l.hi * c;
      else lo += l.hi * c;
      e = n(0, 3) === 0 ? k.let(add(e, term)) : add(e, term);
    }
    if (hi - lo + width + 40 > LOOP_ELEMENTS) return int(n(0, 40));
    return add(e, n(0, 40) - lo);
  };
  const read = (loops: readonly Loop[], wide: boolean): Expr => {
    const w = wide ? lanes : 1;
    const b = pick(w > 1 ? reads.filter(r => loadType(r.dtype, w).base === 'f32') : reads);
    const at = index(loops, w);
    const kind = n(0, 5);
    if (kind === 0) {
      // A gather: the index is loaded, and clamped as a kernel must.
      const i = k.let(and(cast(vtype('i32'), k.load(reads[2] ?? b, at)), 1023));
      return cast(vtype('f32', w), k.load(b, add(i, n(0, 9)), w));
    }
    if (kind === 1 && w === 1 && loops.length > 0) {
      const l = pick(loops);
      return cast(vtype('f32'), k.load(b, add(rem(l.v, 3), mul(div(l.v, 3), 5))));
    }
    return cast(vtype('f32', w), k.load(b, at, w));
  };
  const leaf = (loops: readonly Loop[], wide: boolean): Expr => {
    const a = k.let(read(loops, wide));
    const b = read(loops, wide);
    const op = n(0, 5);
    if (op === 0) return math('exp', min(a, 3));
    return op === 1 ? max(a, b) : op === 2 ? mul(a, b) : add(mul(a, b), read(loops, wide));
  };
  const write = (loops: readonly Loop[], x: Expr): void => {
    const w = x.t.lanes;
    const b = w > 1 ? must(writes[n(0, 1)]) : pick(writes);
    k.store(b, index(loops, w), cast(w > 1 ? x.t : loadType(b.dtype, 1), x));
  };
  const body = (loops: readonly Loop[], depth: number): void => {
    for (let i = n(1, 3); i > 0 && budget.left > 0; i--) {
      budget.left--;
      const what = n(0, 7);
      const l = loops.at(-1);
      if (what < 3 && depth > 0) nest(loops, depth);
      else if (what === 3 && l) {
        // Padding: the access is outside of the buffer where the guard fails.
        const pad = n(1, 3);
        k.if(
          and(ge(l.v, pad), lt(l.v, add(k.dim(symbol('s', 0, 100)), n(-3, 3)))),
          () => {
            const x = k.load(must(reads[0]), add(add(l.v, -pad), mul(loops[0]?.v ?? 0, 16)));
            write(loops, n(0, 1) === 0 ? x : add(x, k.load(must(reads[0]), add(l.v, mul(loops[0]?.v ?? 0, 16)))));
          },
          () => {
            if (n(0, 1) === 0) write(loops, read(loops, false));
          },
        );
      } else if (what === 4 && depth > 0) accumulate(loops, depth);
      else write(loops, leaf(loops, lanes > 1 && n(0, 1) === 0));
    }
  };
  const loop = (loops: readonly Loop[], parallel: boolean, f: (inner: readonly Loop[]) => void): void => {
    const hi = size();
    const lo = pick([0, 0, 0, 1]);
    const step = pick([1, 1, 1, 2, 4]);
    k.for(lo, hi, v => f([...loops, { v, hi: Math.max(0, value(hi) - 1) }]), { step, parallel });
  };
  const nest = (loops: readonly Loop[], depth: number): void => loop(loops, n(0, 5) === 0, inner => body(inner, depth - 1));
  const accumulate = (loops: readonly Loop[], depth: number): void => {
    const acc = k.var(cast(vtype('f32'), int(n(0, 2))));
    loop(loops, false, inner => {
      k.set(acc, add(acc, leaf(inner, false)));
      if (n(0, 3) === 0) body(inner, Math.max(0, depth - 2));
    });
    if (n(0, 2) === 0) {
      const i = k.var(int(n(1, 3)));
      k.while(
        () => lt(select(lt(math('exp', acc), 1e6), i, 5), 4),
        () => {
          k.set(i, add(i, 1));
          k.set(acc, add(acc, k.load(must(reads[1]), i)));
        },
      );
    }
    write(loops, acc);
  };
  nest([], 3);
  body([], 2);
  return k.finish('loops', noLoc);
}
