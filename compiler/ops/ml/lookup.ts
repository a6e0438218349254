import { must } from '../../core/diagnostic.ts';
import { staticDim } from '../../core/dim.ts';
import type { DType } from '../../core/dtype.ts';
import { tensorType } from '../../core/shape.ts';
import { toNumbers, typed } from '../../core/tensor.ts';
import { add, and, eq, int, lt, min, select, shr } from '../../kernel/ir.ts';
import { defineOp } from '../define.ts';
import { cellsOf, newCells } from '../strided.ts';

export const Lookup = defineOp({
  name: 'Lookup',
  doc: 'The value at the place of each x among the keys, which ascend; the last value (one more than keys) where it is none of them. NaN is no key.',
  inputs: ['x', 'keys', 'values'],
  attrs: {},
  infer: c => {
    const [x, keys, values] = [must(c.types[0]), must(c.types[1]), must(c.types[2])];
    if (x.dtype !== keys.dtype) c.reject(`x is ${x.dtype}, the keys are ${keys.dtype}`);
    if (keys.shape.length !== 1 || values.shape.length !== 1) c.reject('keys and values are vectors');
    const n = staticDim(must(keys.shape[0])) ?? c.reject('the number of keys must be fixed');
    if (values.shape[0] !== n + 1) c.reject(`${n} keys need ${n + 1} values`);
    return [tensorType(values.dtype, x.shape)];
  },
  eval: (_, x, keys, values) => {
    const t = must(x);
    const at = new Map<number | bigint, number>();
    elements(must(keys).dtype, typed(must(keys)), toNumbers(must(keys))).forEach((k, i) => at.set(k, i));
    const from = cellsOf(typed(must(values)));
    const none = from.length - 1;
    const { cells, tensor } = newCells(must(values).dtype, t.dims);
    elements(t.dtype, typed(t), toNumbers(t)).forEach((v, i) => {
      // To a Map NaN is a key like others; -0 and 0 are one.
      cells[i] = must(from[Number.isNaN(v) ? none : (at.get(v) ?? none)]);
    });
    return [tensor];
  },
  lower: {
    k: 'indexMap',
    at: (c, idx) => {
      const { k } = c;
      const [source, keys, values] = [must(c.ins[0]), must(c.ins[1]), must(c.ins[2])];
      const x = k.let(source.at(k, idx));
      const n = staticDim(must(keys.dims[0])) ?? 0;
      const lo = k.var(int(0));
      if (n === 0) return values.at(k, [lo]);
      const hi = k.var(int(n));
      k.while(
        () => lt(lo, hi),
        () => {
          const mid = k.let(shr(add(lo, hi), 1));
          const below = k.let(lt(keys.at(k, [mid]), x));
          k.set(hi, select(below, hi, mid));
          k.set(lo, select(below, add(mid, 1), lo));
        },
      );
      const found = and(lt(lo, n), eq(keys.at(k, [k.let(min(lo, n - 1))]), x));
      return values.at(k, [k.let(select(found, lo, n))]);
    },
  },
});
/** 64-bit integers exactly, everything else as numbers. */
const elements = (t: DType, data: ReturnType<typeof typed>, numbers: Float64Array): readonly (number | bigint)[] =>
  t === 'i64' || t === 'u64' ? Array.from(data as Iterable<number | bigint>) : Array.from(numbers);
