import { must } from '../../core/diagnostic.ts';
import { dimHi, dimMul, dimProd } from '../../core/dim.ts';
import { isFloat, regOf } from '../../core/dtype.ts';
import { tensorType } from '../../core/shape.ts';
import { fromNumbers, toNumbers } from '../../core/tensor.ts';
import { unflatten } from '../../kernel/builder.ts';
import { abs, add, div, eq, gt, konst, mul, ne, select, sub, vtype, type Num } from '../../kernel/ir.ts';
import { defineOp } from '../define.ts';
import type { LowerCtx } from '../lowering.ts';

export const Det = defineOp({
  name: 'Det',
  doc: 'Determinants of the square matrices in the last two axes, by elimination with row pivots.',
  inputs: ['x'],
  attrs: {},
  infer: c => {
    const x = must(c.types[0]);
    if (!isFloat(x.dtype)) c.reject(`takes floats, not ${x.dtype}`);
    const [p, q] = x.shape.slice(-2);
    if (p === undefined || q === undefined) return c.reject('needs two axes');
    c.same(p, q, 'rows and columns');
    return [tensorType(x.dtype, x.shape.slice(0, -2))];
  },
  eval: (c, x) => {
    const t = must(x);
    const n = t.dims.at(-1) ?? 0;
    const all = toNumbers(t);
    const dims = c.dims(0);
    const count = dims.reduce((a, b) => a * b, 1);
    return [
      fromNumbers(
        t.dtype,
        dims,
        Float64Array.from({ length: count }, (_, i) => determinant(all.subarray(i * n * n, (i + 1) * n * n), n)),
      ),
    ];
  },
  macs: n => dimMul(dimProd(must(n.inputs[0]).type.shape), must(must(n.inputs[0]).type.shape.at(-1))),
  lower: { k: 'kernel', build: lowerDet },
});
/** Overwrites the matrix. */
function determinant(m: Float64Array, n: number): number {
  const at = (i: number, j: number): number => m[i * n + j] ?? 0;
  let det = 1;
  for (let col = 0; col < n; col++) {
    let pivot = col;
    for (let r = col + 1; r < n; r++) if (Math.abs(at(r, col)) > Math.abs(at(pivot, col))) pivot = r;
    if (pivot !== col) {
      det = -det;
      for (let j = 0; j < n; j++) [m[pivot * n + j], m[col * n + j]] = [at(col, j), at(pivot, j)];
    }
    const top = at(col, col);
    det *= top;
    if (top === 0) return 0;
    for (let r = col + 1; r < n; r++) {
      const f = at(r, col) / top;
      for (let j = col; j < n; j++) m[r * n + j] = at(r, j) - f * at(col, j);
    }
  }
  return det;
}
function lowerDet(c: LowerCtx<unknown>): void {
  const x = c.contiguous(0);
  const out = must(c.out[0]);
  if (out.shape.some(d => dimHi(d) === 0)) return;
  const n = must(x.dims.at(-1));
  const reg = regOf(out.dtype);
  const t = vtype(reg);
  const work = c.temp('matrix', reg, dimMul(n, n));
  const sink = c.sink(0);
  c.kernel('det', k => {
    const size = k.dim(n);
    const cells = k.dim(dimMul(n, n));
    k.for(0, dimProd(out.shape), i => {
      const from = k.let(mul(i, cells));
      k.for(0, dimMul(n, n), e => k.store(work, e, k.load(x.buffer, add(from, e))));
      const det = k.var(konst(t, 1));
      k.for(0, n, col => {
        const at = (r: Num, j: Num) => add(mul(size, r), j);
        const pivot = k.var(add(col, 0));
        const best = k.var(abs(k.load(work, at(col, col))));
        k.for(add(col, 1), n, r => {
          const v = k.let(abs(k.load(work, at(r, col))));
          k.if(gt(v, best), () => {
            k.set(best, v);
            k.set(pivot, r);
          });
        });
        k.if(ne(pivot, col), () => {
          k.set(det, sub(konst(t, 0), det));
          k.for(0, n, j => {
            const [a, b] = [k.let(k.load(work, at(pivot, j))), k.let(k.load(work, at(col, j)))];
            k.store(work, at(pivot, j), b);
            k.store(work, at(col, j), a);
          });
        });
        const top = k.let(k.load(work, at(col, col)));
        k.set(det, mul(det, top));
        const safe = k.let(select(eq(top, konst(t, 0)), konst(t, 1), top));
        k.for(add(col, 1), n, r => {
          const f = k.let(div(k.load(work, at(r, col)), safe));
          k.for(col, n, j => {
            const to = k.let(at(r, j));
            k.store(work, to, sub(k.load(work, to), mul(f, k.load(work, at(col, j)))));
          });
        });
      });
      sink.store(k, out.shape.length === 0 ? [] : unflatten(k, i, out.shape), det);
    });
  });
}
