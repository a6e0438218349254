/**
 * The discrete Fourier transform by its definition, for lengths that neither a matrix of constants nor `fft.ts` serves; and mel filters.
 * ```
 * for i in 0..length: cos[i], sin[i]
 * for outer, parallel: for inner: for bin:
 *   re = im = 0; angle = 0                              scalar registers
 *   for j: re += p cos[angle] + q sin[angle]; im += q cos[angle] - p sin[angle]; angle = (angle + bin) mod length
 * MelWeights: for mel bin: for bin of the spectrum: the triangle's value
 * ```
 */
import { must } from '../../../core/diagnostic.ts';
import { dimHi, dimProd, type Dim } from '../../../core/dim.ts';
import { regOf } from '../../../core/dtype.ts';
import { unflatten, type KernelBuilder } from '../../../kernel/builder.ts';
import {
  add,
  and,
  cast,
  div,
  eq,
  floor,
  ge,
  I32,
  int,
  konst,
  le,
  lt,
  math,
  max,
  min,
  mul,
  ne,
  or,
  select,
  sub,
  vtype,
  within,
  type Expr,
} from '../../../kernel/ir.ts';
import type { LowerCtx, Source } from '../../lowering.ts';
import type { DftAttrs } from '../dft.ts';
import { factorsOf, lowerFft } from './fft.ts';

export function lowerDft(c: LowerCtx<DftAttrs>): void {
  const { axis, length, inverse, onesided } = c.attrs;
  const out = must(c.out[0]);
  if (out.shape.some(d => dimHi(d) === 0)) return;
  const factors = factorsOf(length);
  if (factors) {
    lowerFft(c, Number(length), factors);
    return;
  }
  const t = vtype(regOf(out.dtype));
  const x = c.contiguous(0);
  const sink = c.sink(0);
  const [parts, outParts] = [Number(x.dims.at(-1)), Number(out.shape.at(-1))];
  const real = onesided && inverse;
  const cos = c.temp('cos', regOf(out.dtype), length);
  const sin = c.temp('sin', regOf(out.dtype), length);
  c.kernel('angles', k => {
    const n = k.dim(length);
    k.for(0, length, i => {
      // Reduced to an eighth of a turn either way of a quarter, so that what is 0 or 1 is so exactly.
      const quarter = k.let(div(add(mul(i, 8), n), mul(n, 2)));
      const rest = k.let(div(mul(cast(t, sub(mul(i, 4), mul(quarter, n))), Math.PI / 2), cast(t, n)));
      const [cs, sn] = [k.let(math('cos', rest)), k.let(math('sin', rest))];
      const odd = eq(and(quarter, 1), 1);
      const signed = (negative: Expr, e: Expr): Expr => select(negative, sub(konst(t, 0), e), e);
      k.store(cos, i, signed(within(and(quarter, 3), 1, 3), select(odd, sn, cs)));
      k.store(sin, i, signed(ge(and(quarter, 3), 2), select(odd, cs, sn)));
    });
  });
  const inner: Dim = dimProd(x.dims.slice(axis + 1, -1));
  const outer: Dim = dimProd(x.dims.slice(0, axis));
  const [size, bins] = [must(x.dims[axis]), must(out.shape[axis])];
  c.kernel('dft', k => {
    const n = k.dim(length);
    const used = k.let(min(k.dim(size), real ? add(div(n, 2), 1) : n));
    const m = k.dim(inner);
    k.for(
      0,
      outer,
      o =>
        k.for(0, inner, i =>
          k.for(0, bins, b => {
            const re = k.var(konst(t, 0));
            const im = k.var(konst(t, 0));
            const angle = k.var(int(0));
            k.for(0, used, j => {
              const at = k.let(mul(add(mul(add(mul(o, k.dim(size)), j), m), i), parts));
              const w = real ? k.let(select(or(eq(j, 0), eq(mul(j, 2), n)), konst(t, 1), konst(t, 2))) : undefined;
              const weighted = (e: Expr): Expr => k.let(w ? mul(e, w) : e);
              const p = weighted(k.load(x.buffer, at));
              const q = parts === 2 ? weighted(k.load(x.buffer, add(at, 1))) : undefined;
              const cs = k.let(k.load(cos, angle));
              const plain = k.load(sin, angle);
              const sn = k.let(inverse ? sub(konst(t, 0), plain) : plain);
              k.set(re, add(re, q ? add(mul(p, cs), mul(q, sn)) : mul(p, cs)));
              if (outParts === 2) k.set(im, add(im, q ? sub(mul(q, cs), mul(p, sn)) : sub(konst(t, 0), mul(p, sn))));
              k.set(angle, add(angle, b));
              k.set(angle, select(ge(angle, n), sub(angle, n), angle));
            });
            const scaled = (e: Expr): Expr => (inverse ? div(e, cast(t, n)) : e);
            const idx = (part: number): Expr[] => [
              ...place(k, o, x.dims.slice(0, axis)),
              b,
              ...place(k, i, x.dims.slice(axis + 1, -1)),
              int(part),
            ];
            sink.store(k, idx(0), scaled(re));
            if (outParts === 2) sink.store(k, idx(1), scaled(im));
          }),
        ),
      { parallel: true },
    );
  });
}
/** The index along each of some axes of a flat position. */
function place(k: KernelBuilder, flat: Expr, dims: readonly Dim[]): Expr[] {
  return dims.length === 0 ? [] : unflatten(k, flat, dims);
}

interface MelAttrs {
  readonly length: Dim;
  readonly mels: Dim;
}
/** In f64, since points are rounded down to whole bins. */
export function lowerMelWeights(c: LowerCtx<MelAttrs>): void {
  const out = must(c.out[0]);
  const sink = c.sink(0);
  const F64 = vtype('f64');
  const one = (k: KernelBuilder, s: Source): Expr =>
    k.let(
      cast(
        F64,
        s.at(
          k,
          s.dims.map(() => 0),
        ),
      ),
    );
  c.kernel('mel_weights', k => {
    const [rate, low, high] = [one(k, c.need(0)), one(k, c.need(1)), one(k, c.need(2))];
    const log10 = (x: Expr): Expr => mul(math('log', k.let(x)), Math.LOG10E);
    const mel = (hertz: Expr): Expr => k.let(mul(log10(add(div(hertz, 700), 1)), 2595));
    const from = mel(low);
    const step = k.let(div(sub(mel(high), from), cast(F64, add(k.dim(c.attrs.mels), 2))));
    const point = (i: Expr): Expr => {
      const power = math('exp', k.let(mul(div(add(mul(cast(F64, i), step), from), 2595), Math.LN10)));
      const hertz = mul(sub(power, 1), 700);
      return k.let(cast(I32, floor(div(mul(cast(F64, add(k.dim(c.attrs.length), 1)), hertz), rate))));
    };
    k.for(0, must(out.shape[1]), i => {
      const [lower, center, higher] = [point(i), point(add(i, 1)), point(add(i, 2))];
      const share = (a: Expr, b: Expr): Expr => div(cast(F64, a), cast(F64, max(b, 1)));
      k.for(0, must(out.shape[0]), j => {
        const rising = select(ne(center, lower), share(sub(j, lower), sub(center, lower)), konst(F64, 1));
        const up = select(and(ge(j, lower), le(j, center)), rising, konst(F64, 0));
        const v = select(and(ge(j, center), lt(j, higher)), share(sub(higher, j), sub(higher, center)), up);
        sink.store(k, [j, i], cast(vtype(regOf(out.dtype)), v));
      });
    });
  });
}
