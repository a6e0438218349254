import { describe, expect, it } from '@jest/globals';
import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { KernelBuilder } from '../../compiler/kernel/builder.ts';
import { interpret } from '../../compiler/kernel/interpret.ts';
import { math, type MathOp } from '../../compiler/kernel/ir.ts';
import { expandMath } from '../../compiler/kernel/passes/expand-math.ts';
import { MATH_OPS } from './random-expr.ts';
import { ULPS } from './ulps.ts';

/** erf by its series and, further out, by the continued fraction of erfc: good to 1e-14. */
function erf(x: number): number {
  const a = Math.abs(x);
  if (Number.isNaN(x)) return NaN;
  if (a > 6) return Math.sign(x);
  if (a < 2) {
    let t = x;
    let s = x;
    // e^(-x^2) * sum of 2^n x^(2n+1) / (2n+1)!!: all terms of one sign.
    for (let n = 1; n < 80; n++) s += t *= (2 * x * x) / (2 * n + 1);
    return (s * 2 * Math.exp(-x * x)) / Math.sqrt(Math.PI);
  }
  let c = 0;
  for (let n = 120; n > 0; n--) c = n / 2 / (a + c);
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + c));
}
function reference(op: MathOp, x: number): number {
  if (op === 'erf') return erf(x);
  return op === 'sigmoid' ? 1 / (1 + Math.exp(-x)) : Math[op](x);
}
type DT = 'f32' | 'f64';
/** In the interpreter; `fused` as for targets with fused multiply-adds, of which the interpreter rounds each operation. */
function run(op: MathOp, dtype: DT, xs: readonly number[], fused = false): Float32Array | Float64Array {
  const k = new KernelBuilder();
  const a = { name: 'a', dtype };
  const b = { name: 'b', dtype };
  k.for(0, xs.length, i => k.store(b, i, math(op, k.load(a, i))));
  const Ctor = dtype === 'f32' ? Float32Array : Float64Array;
  const out = new Ctor(xs.length);
  interpret(expandMath(k.finish(op, noLoc).kernel, fused), [
    { dtype, data: Ctor.from(xs) },
    { dtype, data: out },
  ]);
  return out;
}
/** Points where an operation must be accurate: evenly spread in [lo, hi], and by magnitude from 1e-6 on. */
const DOMAIN: Readonly<Record<MathOp, readonly [number, number]>> = {
  exp: [-80, 85],
  log: [1e-5, 1e6],
  sin: [-1e5, 1e5],
  cos: [-1e5, 1e5],
  tan: [-1e5, 1e5],
  asin: [-1, 1],
  acos: [-1, 1],
  atan: [-50, 50],
  sinh: [-80, 80],
  cosh: [-80, 80],
  tanh: [-12, 12],
  asinh: [-1e4, 1e4],
  acosh: [1, 1e4],
  atanh: [-0.999, 0.999],
  erf: [-4, 4],
  sigmoid: [-80, 80],
};
function points(op: MathOp, round: (x: number) => number): number[] {
  const [lo, hi] = DOMAIN[op];
  const out: number[] = [];
  for (let i = 0; i <= 3000; i++) out.push(round(lo + ((hi - lo) * i) / 3000));
  for (let e = -6; e < Math.log10(hi); e += 0.004)
    for (const x of [10 ** e, -(10 ** e)]) if (x >= lo && x <= hi) out.push(round(x));
  return out;
}
describe.each([
  ['f32', false],
  ['f32', true],
  ['f64', false],
] as const)('accuracy on %s, fused: %s', (dtype, fused) => {
  const round = dtype === 'f32' ? Math.fround : (x: number): number => x;
  const ulp = dtype === 'f32' ? 2 ** -23 : 2 ** -52;
  it.each(MATH_OPS)('%s', op => {
    const xs = points(op, round);
    const got = run(op, dtype, xs, fused);
    const worst = { ulps: 0, at: 0 };
    xs.forEach((x, i) => {
      const want = reference(op, x);
      // Close to a zero that is not at 0 (of sin at pi, say) the argument's own rounding is what one sees.
      const scale = Math.max(Math.abs(want), op === 'sin' || op === 'cos' || op === 'tan' ? 1e-3 : 0);
      const ulps = want === 0 ? Math.abs(must(got[i])) / ulp : Math.abs(must(got[i]) - want) / scale / ulp;
      if (ulps > worst.ulps) Object.assign(worst, { ulps, at: x });
    });
    expect(worst.ulps).toBeGreaterThan(0);
    expect(`${worst.ulps <= ULPS[op][dtype] ? 'within' : `${worst.ulps} at ${worst.at}, beyond`} ${ULPS[op][dtype]}`).toBe(
      `within ${ULPS[op][dtype]}`,
    );
  });
});

describe.each(['f32', 'f64'] as const)('special values on %s', dtype => {
  const max = dtype === 'f32' ? 3.4028234663852886e38 : Number.MAX_VALUE;
  const tiny = dtype === 'f32' ? 1e-42 : 1e-310;
  const same = (op: MathOp, xs: readonly number[], want: readonly number[]): void => {
    expect([...run(op, dtype, xs)]).toEqual([...(dtype === 'f32' ? Float32Array : Float64Array).from(want)]);
  };
  it('NaN gives NaN', () => {
    for (const op of MATH_OPS) same(op, [NaN], [NaN]);
  });
  it('overflow, underflow and poles', () => {
    same('exp', [Infinity, -Infinity, max, -max, 0, -0, 1000, -1000], [Infinity, 0, Infinity, 0, 1, 1, Infinity, 0]);
    same('log', [0, -0, -1, Infinity, -Infinity, 1], [-Infinity, -Infinity, NaN, Infinity, NaN, 0]);
    same('sigmoid', [Infinity, -Infinity, 0, max, -max], [1, 0, 0.5, 1, 0]);
    same('tanh', [Infinity, -Infinity, max, -max, 0, -0], [1, -1, 1, -1, 0, -0]);
    same('erf', [Infinity, -Infinity, max, -max, 0, -0], [1, -1, 1, -1, 0, -0]);
    same('sinh', [Infinity, -Infinity, max, 0, -0], [Infinity, -Infinity, Infinity, 0, -0]);
    same('cosh', [Infinity, -Infinity, max, 0], [Infinity, Infinity, Infinity, 1]);
    same('asinh', [Infinity, -Infinity, 0, -0], [Infinity, -Infinity, 0, -0]);
    same('acosh', [Infinity, 1, 0.5, -1, -max, -Infinity], [Infinity, 0, NaN, NaN, NaN, NaN]);
    same('atanh', [1, -1, 1.5, -1.5, 0, -0, Infinity], [Infinity, -Infinity, NaN, NaN, 0, -0, NaN]);
    same('asin', [1.5, -1.5, 0, -0, Infinity], [NaN, NaN, 0, -0, NaN]);
    same('acos', [1, -1, 1.5, Infinity], [0, Math.PI, NaN, NaN]);
    same('atan', [Infinity, -Infinity, 0, -0], [Math.PI / 2, -Math.PI / 2, 0, -0]);
    same('sin', [Infinity, -Infinity, 0, -0], [NaN, NaN, 0, -0]);
    same('cos', [Infinity, -Infinity, 0], [NaN, NaN, 1]);
    same('tan', [Infinity, -Infinity, 0, -0], [NaN, NaN, 0, -0]);
  });
  it('numbers below the normal ones are arguments like others', () => {
    for (const op of ['sin', 'tan', 'asin', 'atan', 'sinh', 'asinh', 'atanh'] as const) same(op, [tiny, -tiny], [tiny, -tiny]);
    expect(
      Math.abs(must(run('log', dtype, [tiny])[0]) / Math.log((dtype === 'f32' ? Math.fround : Number)(tiny)) - 1),
    ).toBeLessThan(3e-7);
  });
  it('sin and cos stay between -1 and 1, however large the angle', () => {
    const xs = Array.from({ length: 300 }, (_, i) => 1.37 * 10 ** (i / 8));
    for (const op of ['sin', 'cos'] as const)
      for (const y of run(
        op,
        dtype,
        xs.filter(x => x < max),
      ))
        expect(Math.abs(y)).toBeLessThanOrEqual(1);
  });
});
