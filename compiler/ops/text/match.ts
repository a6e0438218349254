import { must } from '../../core/diagnostic.ts';
import { tensorType } from '../../core/shape.ts';
import { fromNumbers, toNumbers } from '../../core/tensor.ts';
import { eq, int } from '../../kernel/ir.ts';
import { defineOp } from '../define.ts';
import { checkSpelt, eachText, rowOf, spellings, textsIn } from './rows.ts';
import { emitLength, emitMatch, matchAt } from './search.ts';

export const TextMatch = defineOp({
  name: 'TextMatch',
  doc: 'Whether an automaton matches the whole of each text.',
  inputs: ['x', 'automaton'],
  attrs: {},
  infer: c => [tensorType('bool', checkSpelt(c, 0).shape.slice(0, -1))],
  eval: (c, x, automaton) => {
    const a = toNumbers(must(automaton));
    return [
      fromNumbers(
        'bool',
        c.dims(0),
        spellings(must(x)).map(t => Number(matchAt(a, t, 0, t.length) === t.length)),
      ),
    ];
  },
  lower: {
    k: 'kernel',
    build: c => {
      const { x, width, sizes } = textsIn(c, 0);
      const { buffer: automaton } = c.contiguous(1);
      const out = c.sink(0);
      c.kernel('text_match', k =>
        eachText(k, sizes, (idx, n) => {
          const row = rowOf(k, x, n);
          const length = emitLength(k, row, k.dim(width));
          const found = k.var(int(-1));
          emitMatch(k, automaton, row, int(0), length, found);
          out.store(k, idx, eq(found, length));
        }),
      );
    },
  },
});
