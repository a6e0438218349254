import { must } from '../../core/diagnostic.ts';
import { tensorType } from '../../core/shape.ts';
import { fromTyped, typed } from '../../core/tensor.ts';
import { add, eq, mul } from '../../kernel/ir.ts';
import { defineOp } from '../define.ts';

/**
 * Linear boosters: for each row of x [batch, F] and group g, bias[g] + x[0]*weights[0, g] + x[1]*weights[1, g] + …, rounded at every
 * step in this order, NaN (missing) left out. weights: [F, G], bias: [G], all f32. A matrix product would round otherwise.
 */
export const LinearRows = defineOp({
  name: 'LinearRows',
  doc: 'Weighted sums of the features of each row, one after another, missing ones left out.',
  inputs: ['x', 'weights', 'bias'],
  attrs: {},
  infer: c => {
    const [x, w, b] = [must(c.types[0]), must(c.types[1]), must(c.types[2])];
    for (const t of [x, w, b]) if (t.dtype !== 'f32') c.reject(`takes f32, not ${t.dtype}`);
    if (x.shape.length !== 2 || w.shape.length !== 2 || b.shape.length !== 1) c.reject('takes rows, a matrix and a vector');
    c.same(must(x.shape[1]), must(w.shape[0]), 'features');
    c.same(must(w.shape[1]), must(b.shape[0]), 'groups');
    return [tensorType('f32', [must(x.shape[0]), must(w.shape[1])])];
  },
  eval: (_, x, weights, bias) => {
    const [rows = 0, features = 0] = must(x).dims;
    const from = typed(must(x)) as Float32Array;
    const w = typed(must(weights)) as Float32Array;
    const b = typed(must(bias)) as Float32Array;
    const out = new Float32Array(rows * b.length);
    for (let r = 0; r < rows; r++)
      for (let g = 0; g < b.length; g++) {
        let s = must(b[g]);
        for (let f = 0; f < features; f++) {
          const v = must(from[r * features + f]);
          if (!Number.isNaN(v)) s = Math.fround(s + Math.fround(v * must(w[f * b.length + g])));
        }
        out[r * b.length + g] = s;
      }
    return [fromTyped('f32', [rows, b.length], out)];
  },
  lower: {
    k: 'kernel',
    build: c => {
      const x = c.need(0);
      const [weights, bias] = [c.need(1), c.need(2)];
      const out = c.sink(0);
      c.kernel('linear_rows', k =>
        k.for(0, must(out.dims[0]), r =>
          k.for(0, must(out.dims[1]), g => {
            const s = k.var(bias.at(k, [g]));
            k.for(0, must(x.dims[1]), f => {
              const v = k.let(x.at(k, [r, f]));
              k.if(eq(v, v), () => k.set(s, add(s, mul(v, weights.at(k, [f, g])))));
            });
            out.store(k, [r, g], s);
          }),
        ),
      );
    },
  },
});
