/**
 * Dot products of the rows of A[M][K] with x[K] (GEMV), both along k:
 * ```
 * for row in 0..M by 4, parallel; then one by one:
 *   acc[4] = 0                                          vectors
 *   for k in 0..K by lanes:
 *     v = x[k ..]                                       loaded once for four rows
 *     acc[i] += v * A[row + i][k ..]                    unrolled
 *   for k left over: scalar sums
 *   y[row + i] = epilogue(sum of the lanes of acc[i])   with four lanes: a transpose by shuffles and three additions
 * ```
 */
import { must } from '../../core/diagnostic.ts';
import { dimFloorDiv, dimMul, isMultiple, type Dim } from '../../core/dim.ts';
import { elementOf, type Buffer, type KernelBuilder } from '../../kernel/builder.ts';
import { add, konst, lane, mul, reduceLanes, vtype, type Expr, type Num } from '../../kernel/ir.ts';
import { address, advance, inBytes, loadFrom } from './pointer.ts';
import { turned } from './pack.ts';
import { mulAdd, zero, type Arith } from './tile.ts';

/** Dot products of rows with one vector: both contiguous along k. */
interface RowDots {
  readonly arith: Arith;
  readonly rows: Dim;
  readonly k: Dim;
  readonly a: { readonly buffer: Buffer; readonly at: Num; readonly stride: Dim };
  readonly x: { readonly buffer: Buffer; readonly at: Num };
  /** Whether the rows may be done at the same time: they are not put into scratch memory. */
  readonly parallel?: boolean;
  /** Stores the value of one row, or of as many neighbours as the value has lanes. */
  store(row: Expr, value: Expr): void;
}

/** Four rows at once, so that each vector of x is loaded once for four products; the sums are turned by shuffles at the end. */
export function rowDots(b: KernelBuilder, d: RowDots): void {
  const four = dimMul(dimFloorDiv(d.rows, 4), 4);
  const way = { parallel: d.parallel ?? false };
  b.for(0, four, row => dots(b, d, row, 4), { step: 4, ...way });
  if (!isMultiple(d.rows, 4)) b.for(four, d.rows, row => dots(b, d, row, 1), { ...way });
}
function dots(b: KernelBuilder, d: RowDots, row: Expr, rows: number): void {
  const { arith: m, a, x } = d;
  const vectors = dimFloorDiv(d.k, m.lanes);
  const done = dimMul(vectors, m.lanes);
  const acc = Array.from({ length: rows }, () => b.var(zero(m)));
  const start = b.let(address(b, a.buffer, add(a.at, mul(row, b.dim(a.stride)))));
  const fixed = typeof a.stride === 'number' ? a.stride : undefined;
  const apart = Array.from({ length: rows }, (_, i) =>
    fixed === undefined && i > 0 ? b.let(inBytes(elementOf(a.buffer), mul(b.dim(a.stride), i))) : undefined,
  );
  const pa = b.var(start);
  const px = b.var(address(b, x.buffer, x.at));
  const place = (i: number): { p: Expr; at: number } => {
    const from = apart[i];
    return { p: from ? add(pa, from) : pa, at: (fixed ?? 0) * i };
  };
  const step = (lanes: Arith, into: readonly Expr[]): void => {
    const v = b.let(loadFrom(b, x.buffer, px, 0, lanes.lanes));
    for (let i = 0; i < rows; i++) {
      const { p, at } = place(i);
      const c = must(into[i]);
      b.set(c, mulAdd(lanes, v, loadFrom(b, a.buffer, p, at, lanes.lanes), c));
    }
    advance(b, pa, elementOf(a.buffer), lanes.lanes);
    advance(b, px, elementOf(x.buffer), lanes.lanes);
  };
  b.for(0, vectors, () => step(m, acc));
  if (m.lanes === 1) {
    acc.forEach((v, i) => d.store(add(row, i), v));
    return;
  }
  const rest = !isMultiple(d.k, m.lanes);
  const scalar: Arith = { ...m, lanes: 1, fma: false };
  const sums = rest ? acc.map(() => b.var(konst(vtype(m.base), 0))) : [];
  if (rest) b.for(done, d.k, () => step(scalar, sums));
  if (rows === 4 && m.lanes === 4) {
    const [p, q, r, s] = turned(b, acc).map(v => b.let(v));
    const total = b.let(add(add(must(p), must(q)), add(must(r), must(s))));
    if (!rest) d.store(row, total);
    else sums.forEach((v, i) => d.store(add(row, i), add(lane(total, i), v)));
    return;
  }
  acc.forEach((v, i) => {
    const total = reduceLanes('add', v);
    d.store(add(row, i), rest ? add(total, must(sums[i])) : total);
  });
}
