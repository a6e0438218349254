/**
 * The fast Fourier transform of a length whose prime factors are small: Stockham's, which needs no reordering (Van Loan, Computational
 * Frameworks for the Fast Fourier Transform, 1992, 1.7), with real and imaginary parts apart.
 * ```
 * for outer, parallel: for inner:
 *   re, im = the row, zeros behind its end, or the other half of a one-sided spectrum
 *   s = 1; for each factor r of the length: m = length / (s r)
 *     for p in 0..m: for q in 0..s by lanes:
 *       a[v] = from[q + s (p + v m)]                                           v, u in 0..r, unrolled
 *       to[q + s (r p + u)] = (sum of a[v] e^(-2 pi i u v / r)) e^(-2 pi i u p s / length)
 *     s = s r; swap from and to
 *   y = re, im
 * ```
 */
import { fail, must } from '../../../core/diagnostic.ts';
import { dimProd, type Dim } from '../../../core/dim.ts';
import { regOf } from '../../../core/dtype.ts';
import { room } from '../../../core/room.ts';
import { fromNumbers } from '../../../core/tensor.ts';
import { unflatten, type KernelBuilder } from '../../../kernel/builder.ts';
import { add, div, konst, lt, mul, splat, sub, vtype, type Expr, type Lanes } from '../../../kernel/ir.ts';
import { forLanes, lanesOf } from '../../loops.ts';
import type { LowerCtx, SlotBuffer } from '../../lowering.ts';
import { cosTurn, sinTurn, type DftAttrs } from '../dft.ts';

/** A length as factors, of which the first make whole vectors; undefined where the definition is no slower, or a factor is large. */
export function factorsOf(length: Dim): readonly number[] | undefined {
  if (typeof length !== 'number' || length < 16) return undefined;
  const factors: number[] = [];
  let rest = length;
  for (const r of [4, 2, 3, 5, 7])
    while (rest % r === 0) {
      factors.push(r);
      rest /= r;
    }
  return rest === 1 ? factors : undefined;
}
interface Complex {
  readonly re: Expr;
  readonly im: Expr;
}
/** Complex numbers in memory, real and imaginary parts apart. */
interface ComplexBuffer {
  readonly re: SlotBuffer;
  readonly im: SlotBuffer;
}

/** The transform of `n` elements, a number with these factors. */
export function lowerFft(c: LowerCtx<DftAttrs>, n: number, factors: readonly number[]): void {
  const { axis, inverse, onesided } = c.attrs;
  const out = must(c.out[0]);
  const base = regOf(out.dtype);
  const x = c.contiguous(0);
  const sink = c.sink(0);
  const lanes: Lanes = base === 'f32' ? lanesOf(c.profile) : 1;
  const [parts, outParts] = [Number(x.dims.at(-1)), Number(out.shape.at(-1))];
  const [size, bins] = [must(x.dims[axis]), must(out.shape[axis])];
  const inner = dimProd(x.dims.slice(axis + 1, -1));
  const complex = (name: string): ComplexBuffer => ({
    re: c.scratch(`${name}_re`, base, n),
    im: c.scratch(`${name}_im`, base, n),
  });
  const buffers = [complex('from'), complex('to')] as const;
  room(n, 'a table of its length', why => fail('E102', { op: 'DFT', why }, c.loc));
  const turn = (f: (k: number, n: number) => number, sign: number): SlotBuffer =>
    c.weights(
      'turns',
      fromNumbers(
        base,
        [n],
        Float64Array.from({ length: n }, (_, i) => sign * f(i, n)),
      ),
    );
  const turns: ComplexBuffer = { re: turn(cosTurn, 1), im: turn(sinTurn, inverse ? 1 : -1) };
  c.kernel('fft', k => {
    const row = (o: Expr, i: Expr): void => {
      const [first] = buffers;
      const load = (j: Expr): Complex => {
        const at = k.let(mul(add(mul(add(mul(o, k.dim(size)), j), k.dim(inner)), i), parts));
        return { re: k.load(x.buffer, at), im: parts === 2 ? k.load(x.buffer, add(at, 1)) : konst(vtype(base), 0) };
      };
      const put = (j: Expr, v: Complex): void => {
        k.store(first.re, j, v.re);
        k.store(first.im, j, v.im);
      };
      const zero = konst(vtype(base), 0);
      const given = (j: Expr): void =>
        k.if(
          lt(j, k.dim(size)),
          () => put(j, load(j)),
          () => put(j, { re: zero, im: zero }),
        );
      if (inverse && onesided) {
        const half = Math.floor(n / 2);
        k.for(0, half + 1, given);
        // The other half is the mirrored conjugate.
        k.for(half + 1, n, j => {
          const other = k.let(sub(n, j));
          put(j, { re: k.load(first.re, other), im: sub(zero, k.load(first.im, other)) });
        });
      } else k.for(0, n, given);
      let s = 1;
      factors.forEach((r, step) => {
        pass(k, { n, r, s, lanes, inverse }, must(buffers[step % 2]), must(buffers[(step + 1) % 2]), turns);
        s *= r;
      });
      const result = must(buffers[factors.length % 2]);
      const scaled = (e: Expr): Expr => (inverse ? div(e, konst(e.t, n)) : e);
      k.for(0, bins, b => {
        const idx = (part: number): (Expr | number)[] => [
          ...place(k, o, x.dims.slice(0, axis)),
          b,
          ...place(k, i, x.dims.slice(axis + 1, -1)),
          part,
        ];
        sink.store(k, idx(0), scaled(k.load(result.re, b)));
        if (outParts === 2) sink.store(k, idx(1), scaled(k.load(result.im, b)));
      });
    };
    k.for(0, dimProd(x.dims.slice(0, axis)), o => k.for(0, inner, i => row(o, i)), { parallel: true });
  });
}
/** The index along each of some axes of a flat position. */
const place = (k: KernelBuilder, flat: Expr, dims: readonly Dim[]): Expr[] => (dims.length === 0 ? [] : unflatten(k, flat, dims));

interface Pass {
  readonly n: number;
  readonly r: number;
  readonly s: number;
  readonly lanes: Lanes;
  readonly inverse: boolean;
}
function pass(k: KernelBuilder, t: Pass, from: ComplexBuffer, to: ComplexBuffer, turns: ComplexBuffer): void {
  const { n, r, s } = t;
  const m = n / (r * s);
  const all = Array.from({ length: r }, (_, v) => v);
  k.for(0, m, p => {
    const w = all.map((u): Complex | undefined => {
      if (u === 0 || m === 1) return undefined;
      const at = mul(p, u * s);
      return { re: k.let(k.load(turns.re, at)), im: k.let(k.load(turns.im, at)) };
    });
    const [source, target] = [k.let(mul(p, s)), k.let(mul(p, r * s))];
    forLanes(k, s, t.lanes, (q, l) => {
      const a = all.map((v): Complex => {
        const at = add(add(source, q), v * m * s);
        return { re: k.let(k.load(from.re, at, l)), im: k.let(k.load(from.im, at, l)) };
      });
      all.forEach(u => {
        const sum = a.map((x, v) => turned(x, (u * v) % r, r, t.inverse)).reduce((x, y) => plus(k, x, y));
        const at = add(add(target, q), u * s);
        const by = w[u];
        const y = by ? times(k, sum, { re: splat(by.re, l), im: splat(by.im, l) }) : sum;
        k.store(to.re, at, y.re);
        k.store(to.im, at, y.im);
      });
    });
  });
}
const plus = (k: KernelBuilder, a: Complex, b: Complex): Complex => ({ re: k.let(add(a.re, b.re)), im: k.let(add(a.im, b.im)) });
const times = (k: KernelBuilder, a: Complex, b: Complex): Complex => ({
  re: k.let(sub(mul(a.re, b.re), mul(a.im, b.im))),
  im: k.let(add(mul(a.re, b.im), mul(a.im, b.re))),
});
/** A number times e^(-2 pi i e / r), or its conjugate: factors that are 0 or 1 take no multiplication. */
function turned(a: Complex, e: number, r: number, inverse: boolean): Complex {
  const [c, s] = [cosTurn(e, r), inverse ? sinTurn(e, r) : -sinTurn(e, r)];
  const scaled = (x: Expr, by: number): Expr | undefined =>
    by === 0 ? undefined : by === 1 ? x : by === -1 ? sub(konst(x.t, 0), x) : mul(x, konst(x.t, by));
  const sum = (x: Expr | undefined, y: Expr | undefined, t: Expr): Expr => (x && y ? add(x, y) : (x ?? y ?? konst(t.t, 0)));
  return {
    re: sum(scaled(a.re, c), scaled(a.im, -s), a.re),
    im: sum(scaled(a.im, c), scaled(a.re, s), a.re),
  };
}
