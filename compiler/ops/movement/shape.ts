import { must } from '../../core/diagnostic.ts';
import { symbol } from '../../core/dim.ts';
import { isInt } from '../../core/dtype.ts';
import { tensorType } from '../../core/shape.ts';
import { fromNumbers, toNumbers } from '../../core/tensor.ts';
import { cast, clampInt, I32, konst, max, min, vtype, type Expr } from '../../kernel/ir.ts';
import { attr, defineOp } from '../define.ts';

/** Operators between sizes and data: sizes that come out of data, and sizes as data. */

export const DimOf = defineOp({
  name: 'DimOf',
  doc: 'Gives a run-time symbol its value: the one integer of x, which must be in lo..hi or, with `clamp`, is brought there.',
  inputs: ['x'],
  attrs: { symbol: attr.string(), lo: attr.int(), hi: attr.int(), clamp: attr.bool(false) },
  infer: c => {
    const x = must(c.types[0]);
    if (!isInt(x.dtype)) c.reject(`a size must be an integer, not ${x.dtype}`);
    if (c.attrs.lo > c.attrs.hi) c.reject(`range ${c.attrs.lo}..${c.attrs.hi} is empty`);
    for (const d of x.shape) c.same(d, 1, 'a size is one number');
    return [x];
  },
  symbolic: c => [[symbol(c.attrs.symbol, c.attrs.lo, c.attrs.hi)]],
  definesSymbols: n => {
    const { symbol: name, lo, hi } = n.attrs;
    return lo === hi || typeof name !== 'string' ? [] : [name];
  },
  eval: (c, x) => {
    const t = must(x);
    const v = toNumbers(t)[0] ?? 0;
    return [c.attrs.clamp ? fromNumbers(t.dtype, t.dims, [Math.min(Math.max(v, c.attrs.lo), c.attrs.hi)]) : t];
  },
  lower: {
    k: 'kernel',
    accepts: () => 'indexMap',
    build: c => {
      const { symbol: name, lo, hi, clamp } = c.attrs;
      const x = c.need(0);
      const out = c.sink(0);
      const cell = c.temp('size', 'i32', 1);
      c.kernel('dim_of', k => {
        const zero = x.dims.map(() => 0);
        const v = x.at(k, zero);
        // What is outside lo..hi stays outside in 32 bits, so that reading the symbol can tell.
        const n = k.let(cast(I32, clamp ? clampWide(v, lo, hi) : clampWide(v, -(2 ** 31), 2 ** 31 - 1)));
        k.store(cell, 0, n);
        out.store(k, zero, cast(v.t, n));
      });
      if (lo !== hi) c.readSymbol(name, cell);
    },
  },
});
/** Clamps in the type of the value, so that nothing is lost before the conversion to i32. */
function clampWide(v: Expr, lo: number, hi: number): Expr {
  const unsigned = v.t.base === 'u32' || v.t.base === 'u64';
  const low = unsigned ? Math.max(lo, 0) : lo;
  return v.t.base === 'i32' ? clampInt(v, lo, hi) : max(min(v, konst(v.t, hi)), konst(v.t, low));
}

export const Guarded = defineOp({
  name: 'Guarded',
  doc: 'x. Each size of `a` must be that of `b` in its place when the model runs; else the run stops with `what`.',
  inputs: ['x'],
  attrs: { a: attr.dims(), b: attr.dims(), what: attr.string() },
  infer: c => {
    const { a, b, what } = c.attrs;
    if (a.length !== b.length) c.reject(`${a.length} and ${b.length} sizes`);
    a.forEach((d, i) => c.same(d, must(b[i]), what));
    return [must(c.types[0])];
  },
  symbolic: c => [c.symbolic[0]],
  eval: (_, x) => [must(x)],
  lower: { k: 'view', ref: x => x },
});

export const Sizes = defineOp({
  name: 'Sizes',
  doc: 'Sizes as an integer tensor: what is left of Shape where data need it.',
  inputs: [],
  attrs: { values: attr.dims(), shape: attr.ints(), dtype: attr.dtype('i64') },
  infer: c => {
    const n = c.attrs.shape.reduce((a, b) => a * b, 1);
    if (n !== c.attrs.values.length) c.reject(`${c.attrs.values.length} values for ${n} elements`);
    if (!isInt(c.attrs.dtype) && c.attrs.dtype !== 'bool') c.reject(`sizes as ${c.attrs.dtype}`);
    return [tensorType(c.attrs.dtype, c.attrs.shape)];
  },
  symbolic: c => [c.attrs.values],
  eval: c => [
    fromNumbers(
      c.attrs.dtype,
      c.attrs.shape,
      c.attrs.values.map(d => c.dim(d)),
    ),
  ],
  lower: {
    k: 'kernel',
    build: c => {
      const out = c.sink(0).merge([c.attrs.shape.map((_, i) => i)]);
      const t = vtype(out.dtype === 'i64' || out.dtype === 'u64' ? out.dtype : out.dtype === 'u32' ? 'u32' : 'i32');
      c.kernel('sizes', k =>
        c.attrs.values.forEach((d, i) => {
          const wide = typeof d === 'number' ? konst(t, d) : cast(t, k.dim(d));
          out.store(k, [i], wide);
        }),
      );
    },
  },
});
