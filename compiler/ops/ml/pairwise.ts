import { must } from '../../core/diagnostic.ts';
import { dimMul } from '../../core/dim.ts';
import { isFloat } from '../../core/dtype.ts';
import { tensorType } from '../../core/shape.ts';
import { fromNumbers, toNumbers } from '../../core/tensor.ts';
import { abs, add, and, div, ge, int, konst, max, mul, neg, sub, vtype, type Expr } from '../../kernel/ir.ts';
import { attr, defineOp } from '../define.ts';

/**
 * Probabilities of k classes from the probability that each wins over each other, by the second method of Wu, Lin and Weng, "Probability
 * Estimates for Multi-class Classification by Pairwise Coupling" (2004), in the form of libsvm's svm.cpp, which onnxruntime follows.
 */
const ITERATIONS = 100;
const tolerance = (k: number): number => 0.005 / k;

function couple(r: (i: number, j: number) => number, k: number): Float64Array {
  const q = (i: number, j: number): number => {
    if (i !== j) return -r(j, i) * r(i, j);
    let sum = 0;
    for (let o = 0; o < k; o++) if (o !== i) sum += r(o, i) ** 2;
    return sum;
  };
  const p = new Float64Array(k).fill(1 / k);
  const qp = new Float64Array(k);
  for (let iter = 0; iter < Math.max(ITERATIONS, k); iter++) {
    let pqp = 0;
    for (let t = 0; t < k; t++) {
      qp[t] = p.reduce((sum, v, j) => sum + q(t, j) * v, 0);
      pqp += (p[t] ?? 0) * (qp[t] ?? 0);
    }
    if (qp.every(v => Math.abs(v - pqp) < tolerance(k))) break;
    for (let t = 0; t < k; t++) {
      const diff = (pqp - (qp[t] ?? 0)) / q(t, t);
      p[t] = (p[t] ?? 0) + diff;
      pqp = (pqp + diff * (diff * q(t, t) + 2 * (qp[t] ?? 0))) / (1 + diff) ** 2;
      for (let j = 0; j < k; j++) {
        qp[j] = ((qp[j] ?? 0) + diff * q(t, j)) / (1 + diff);
        p[j] = (p[j] ?? 0) / (1 + diff);
      }
    }
  }
  return p;
}

export const PairwiseCoupling = defineOp({
  name: 'PairwiseCoupling',
  doc: 'Class probabilities [N, k] from r [N, k, k], where r[i, j] is the probability of class i if it is i or j.',
  inputs: ['r'],
  attrs: { classes: attr.int() },
  infer: c => {
    const r = must(c.types[0]);
    const { classes } = c.attrs;
    if (!isFloat(r.dtype)) c.reject(`takes floats, not ${r.dtype}`);
    if (r.shape.length !== 3) c.reject(`r has ${r.shape.length} axes, not 3`);
    for (const d of r.shape.slice(1)) c.same(d, classes, 'the number of classes');
    return [tensorType(r.dtype, [must(r.shape[0]), classes])];
  },
  eval: (c, r) => {
    const t = must(r);
    const k = c.attrs.classes;
    const data = toNumbers(t);
    const rows = t.dims[0] ?? 0;
    const out = new Float64Array(rows * k);
    for (let n = 0; n < rows; n++)
      out.set(
        couple((i, j) => data[(n * k + i) * k + j] ?? 0, k),
        n * k,
      );
    return [fromNumbers(t.dtype, c.dims(0), out)];
  },
  lower: {
    k: 'kernel',
    build: c => {
      const n = c.attrs.classes;
      const x = c.need(0);
      const y = c.sink(0);
      const base = x.dtype === 'f64' ? 'f64' : 'f32';
      const t = vtype(base);
      const q = c.temp('q', base, n * n);
      const qp = c.temp('qp', base, n);
      const p = c.temp('p', base, n);
      c.kernel('pairwise_coupling', k => {
        const at = (i: Expr, j: Expr): Expr => add(mul(i, n), j);
        const r = (row: Expr, i: Expr, j: Expr): Expr => x.at(k, [row, i, j]);
        const sumOver = (f: (j: Expr) => Expr): Expr => {
          const sum = k.var(konst(t, 0));
          k.for(0, n, j => k.set(sum, add(sum, f(j))));
          return sum;
        };
        k.for(0, must(x.dims[0]), row => {
          k.for(0, n, i => {
            k.for(0, n, j => k.store(q, at(i, j), neg(mul(r(row, j, i), r(row, i, j)))));
            const all = sumOver(o => {
              const v = k.let(r(row, o, i));
              return mul(v, v);
            });
            const own = k.let(r(row, i, i));
            k.store(q, at(i, i), sub(all, mul(own, own)));
            k.store(p, i, konst(t, 1 / n));
          });
          const left = k.var(int(Math.max(ITERATIONS, n)));
          const error = k.var(konst(t, 1));
          k.while(
            () => and(ge(left, 1), ge(error, tolerance(n))),
            () => {
              k.set(left, sub(left, 1));
              k.for(0, n, i =>
                k.store(
                  qp,
                  i,
                  sumOver(j => mul(k.load(q, at(i, j)), k.load(p, j))),
                ),
              );
              const pqp = k.var(sumOver(i => mul(k.load(p, i), k.load(qp, i))));
              k.set(error, konst(t, 0));
              k.for(0, n, i => k.set(error, max(error, abs(sub(k.load(qp, i), pqp)))));
              k.if(ge(error, tolerance(n)), () =>
                k.for(0, n, i => {
                  const own = k.let(k.load(q, at(i, i)));
                  const its = k.let(k.load(qp, i));
                  const diff = k.let(div(sub(pqp, its), own));
                  const scale = k.let(add(diff, 1));
                  k.store(p, i, add(k.load(p, i), diff));
                  const grown = add(pqp, mul(diff, add(mul(diff, own), mul(its, 2))));
                  k.set(pqp, div(div(grown, scale), scale));
                  k.for(0, n, j => {
                    k.store(qp, j, div(add(k.load(qp, j), mul(diff, k.load(q, at(i, j)))), scale));
                    k.store(p, j, div(k.load(p, j), scale));
                  });
                }),
              );
            },
          );
          k.for(0, n, i => y.store(k, [row, i], k.load(p, i)));
        });
      });
    },
  },
  macs: n => dimMul(must(n.outputs[0]?.type.shape[0]), ITERATIONS),
});
