import { InternalError, noLoc } from '../../core/diagnostic.ts';
import { KernelBuilder } from '../builder.ts';
import { binFn, castFn, cmpFn, getLane, normalise, putLane, unFn } from '../arith.ts';
import { isFloatBase, type Base, type BinOp, type Expr, type UnOp, type VType } from '../ir.ts';

/** A value while a scalar function is evaluated: 64-bit integers are bigint, everything else a number. */
export type Scalar = number | bigint;
type Fn = (env: Scalar[]) => Scalar;

/**
 * Compiles a scalar function written in the kernel IR into a JavaScript closure with reference semantics: floats are computed in
 * float64 and not rounded on the way, integers wrap at their width, transcendentals are JavaScript's.
 * `build` gets the argument expressions; the closure gets their values in the same order.
 */
export function scalarFunction(args: readonly VType[], build: (k: KernelBuilder, args: readonly Expr[]) => Expr): Fn {
  const k = new KernelBuilder();
  const names = new Map<string, number>();
  const vars = args.map((t, i): Expr => {
    names.set(`arg${i}`, i);
    return { k: 'var', t, name: `arg${i}` };
  });
  const result = build(k, vars);
  const lets: { at: number; f: Fn }[] = [];
  for (const s of k.finish('scalar', noLoc).kernel.body) {
    if (s.k !== 'let') throw new InternalError('a scalar function may only bind names');
    const f = compile(s.value, names);
    names.set(s.name, names.size);
    lets.push({ at: names.size - 1, f });
  }
  const f = compile(result, names);
  if (lets.length === 0) return f;
  return env => {
    for (const l of lets) env[l.at] = l.f(env);
    return f(env);
  };
}

function compile(e: Expr, names: ReadonlyMap<string, number>): Fn {
  const go = (x: Expr): Fn => compile(x, names);
  switch (e.k) {
    case 'const': {
      const v = e.value;
      return () => v;
    }
    case 'var': {
      const at = names.get(e.name);
      if (at === undefined) throw new InternalError(`unbound ${e.name}`);
      return env => env[at] ?? 0;
    }
    case 'bin': {
      const f = binary(e.op, e.t);
      const [a, b] = [go(e.a), go(e.b)];
      return env => f(a(env), b(env));
    }
    case 'un': {
      const f = unary(e.op, e.t);
      const a = go(e.a);
      return env => f(a(env));
    }
    case 'cmp': {
      const f = cmpFn(e.op);
      const [a, b] = [go(e.a), go(e.b)];
      return env => +f(a(env), b(env));
    }
    case 'select': {
      const [c, a, b] = [go(e.c), go(e.a), go(e.b)];
      return env => (Number(c(env)) !== 0 ? a(env) : b(env));
    }
    case 'cast': {
      const a = go(e.a);
      const f = castFn(exact(e.a.t), exact(e.t));
      return env => f(a(env));
    }
    case 'fma': {
      const [a, b, c] = [go(e.a), go(e.b), go(e.c)];
      return env => Number(a(env)) * Number(b(env)) + Number(c(env));
    }
    case 'reinterpret': {
      const a = go(e.a);
      const [from, to] = [e.a.t.base, e.t.base];
      return env => {
        putLane(view, 0, from, a(env));
        return getLane(view, 0, to);
      };
    }
    case 'load':
    case 'splat':
    case 'vec':
    case 'lane':
    case 'shuffle':
    case 'permute':
    case 'widen':
    case 'dot':
    case 'reduce':
    case 'addr':
      throw new InternalError(`${e.k} in a scalar function`);
  }
}
const view = new DataView(new ArrayBuffer(8));
const isFloat = (t: VType): boolean => isFloatBase(t.base);
/** What a type is computed as: floats are not rounded to f32. */
const exact = (t: VType): Base => (isFloat(t) ? 'f64' : t.base);
/**
 * Operations are those of the interpreter (`arith.ts`), with two differences: the remainder of floats is defined, and a division by zero,
 * which only stands beside a guard in a kernel, gives 0.
 */
function binary(op: BinOp, t: VType): (a: Scalar, b: Scalar) => Scalar {
  if (isFloat(t) && op === 'rem') return (a, b) => Number(a) % Number(b);
  const f = binFn(exact(t), op);
  if (isFloat(t) || (op !== 'div' && op !== 'rem')) return f;
  return (a, b) => (Number(b) === 0 ? normalise(t.base, 0) : f(a, b));
}
function unary(op: UnOp, t: VType): (a: Scalar) => Scalar {
  return isFloat(t) ? a => FLOAT[op](Number(a)) : unFn(t.base, op);
}
/** The error function: series for small arguments, continued fraction beyond (Abramowitz and Stegun 7.1.6 and 7.1.14). */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (Number.isNaN(x)) return NaN;
  if (a > 6) return Math.sign(x);
  if (a < 2.5) {
    let term = a;
    let sum = a;
    for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
      term *= (2 * a * a) / (2 * n + 1);
      sum += term;
    }
    return (Math.sign(x) * 2 * Math.exp(-a * a) * sum) / Math.sqrt(Math.PI);
  }
  let c = 0;
  for (let n = 80; n > 0; n--) c = n / 2 / (a + c);
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + c));
}
/** Rounds to the nearest integer, ties to even. */
export function roundHalfEven(x: number): number {
  const r = Math.round(x);
  return Math.abs(x % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r === 0 ? x * 0 : r;
}
/** Operations of one float, transcendental ones included. */
export const FLOAT: Readonly<Record<UnOp, (x: number) => number>> = {
  neg: x => -x,
  abs: Math.abs,
  sqrt: Math.sqrt,
  ceil: Math.ceil,
  floor: Math.floor,
  trunc: Math.trunc,
  nearest: roundHalfEven,
  not: x => ~x,
  exp: Math.exp,
  log: Math.log,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  erf,
  sigmoid: x => 1 / (1 + Math.exp(-x)),
};
