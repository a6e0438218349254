import { must } from '../../core/diagnostic.ts';
import { dimAdd } from '../../core/dim.ts';
import { concatBytes } from '../../core/bytes.ts';
import { tensorType } from '../../core/shape.ts';
import { add } from '../../kernel/ir.ts';
import { defineOp } from '../define.ts';
import { rest } from './case.ts';
import { checkSpelt, eachText, rowOf, spellings, spelt, textsIn } from './rows.ts';
import { byteAt, emitLength } from './search.ts';

export const TextJoin = defineOp({
  name: 'TextJoin',
  doc: 'Each text of a with that of b behind it.',
  inputs: ['a', 'b'],
  attrs: {},
  infer: c => {
    const [a, b] = [checkSpelt(c, 0), checkSpelt(c, 1)];
    if (a.shape.length !== b.shape.length) c.reject('a and b must have as many axes');
    const sizes = a.shape.slice(0, -1).map((d, i) => c.same(d, must(b.shape[i]), 'sizes of a and b'));
    return [tensorType('u8', [...sizes, dimAdd(must(a.shape.at(-1)), must(b.shape.at(-1)))])];
  },
  eval: (c, a, b) => {
    const behind = spellings(must(b));
    const dims = c.dims(0);
    const all = spellings(must(a)).map((t, i) => concatBytes([t, must(behind[i])]));
    return [spelt(dims.slice(0, -1), must(dims.at(-1)), all)];
  },
  lower: {
    k: 'kernel',
    build: c => {
      const [a, b] = [textsIn(c, 0), textsIn(c, 1)];
      const out = c.sink(0);
      c.kernel('text_join', k =>
        eachText(k, a.sizes, (idx, n) => {
          const [p, q] = [rowOf(k, a.x, n), rowOf(k, b.x, n)];
          const [m, l] = [emitLength(k, p, k.dim(a.width)), emitLength(k, q, k.dim(b.width))];
          k.for(0, m, i => out.store(k, [...idx, i], byteAt(k, p, i)));
          k.for(0, l, i => out.store(k, [...idx, add(m, i)], byteAt(k, q, i)));
          rest(k, out, idx, k.let(add(m, l)));
        }),
      );
    },
  },
});
