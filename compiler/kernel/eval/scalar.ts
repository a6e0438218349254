import { InternalError, noLoc } from '../../core/diagnostic.ts';
import { KernelBuilder } from '../builder.ts';
import type { BinOp, CmpOp, Expr, UnOp, VType } from '../ir.ts';

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
    case 'bin':
      return binary(e.op, e.t, go(e.a), go(e.b));
    case 'un':
      return unary(e.op, e.t, go(e.a));
    case 'cmp':
      return compare(e.op, go(e.a), go(e.b));
    case 'select': {
      const [c, a, b] = [go(e.c), go(e.a), go(e.b)];
      return env => (Number(c(env)) !== 0 ? a(env) : b(env));
    }
    case 'cast': {
      const a = go(e.a);
      const to = wrapTo(e.t);
      const float = e.a.t.base === 'f32' || e.a.t.base === 'f64';
      const sat = saturate(e.t);
      return float ? env => sat(Number(a(env))) : env => to(a(env));
    }
    case 'fma': {
      const [a, b, c] = [go(e.a), go(e.b), go(e.c)];
      return env => Number(a(env)) * Number(b(env)) + Number(c(env));
    }
    case 'reinterpret': {
      const a = go(e.a);
      const [from, to] = [e.a.t.base, e.t.base];
      return env => bits(from, to, a(env));
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
function bits(from: string, to: string, v: Scalar): Scalar {
  if (from === 'f32') view.setFloat32(0, Number(v));
  else if (from === 'f64') view.setFloat64(0, Number(v));
  else if (typeof v === 'bigint') view.setBigInt64(0, BigInt.asIntN(64, v));
  else view.setInt32(0, v | 0);
  if (to === 'f32') return view.getFloat32(0);
  if (to === 'f64') return view.getFloat64(0);
  if (to === 'i64') return view.getBigInt64(0);
  if (to === 'u64') return view.getBigUint64(0);
  return to === 'u32' ? view.getUint32(0) : view.getInt32(0);
}
/** Brings a result into the range of its integer type; floats stay as they are. */
function wrapTo(t: VType): (v: Scalar) => Scalar {
  switch (t.base) {
    case 'f32':
    case 'f64':
      return Number;
    case 'i64':
      return v => BigInt.asIntN(64, BigInt(v));
    case 'u64':
      return v => BigInt.asUintN(64, BigInt(v));
    case 'u32':
      return v => (typeof v === 'bigint' ? Number(BigInt.asUintN(32, v)) : v >>> 0);
    case 'i32':
    case 'i8':
    case 'u8':
    case 'i16':
    case 'u16':
      return v => (typeof v === 'bigint' ? Number(BigInt.asIntN(32, v)) : v | 0);
  }
}
function saturate(t: VType): (v: number) => Scalar {
  const clamp = (lo: bigint, hi: bigint) => (v: number) => {
    if (Number.isNaN(v)) return 0n;
    if (v >= Number(hi)) return hi;
    if (v <= Number(lo)) return lo;
    return BigInt(Math.trunc(v));
  };
  switch (t.base) {
    case 'f32':
    case 'f64':
      return v => v;
    case 'i64':
      return clamp(-(2n ** 63n), 2n ** 63n - 1n);
    case 'u64':
      return clamp(0n, 2n ** 64n - 1n);
    case 'u32':
      return v => (Number.isNaN(v) ? 0 : Math.min(Math.max(Math.trunc(v), 0), 4294967295));
    case 'i32':
    case 'i8':
    case 'u8':
    case 'i16':
    case 'u16':
      return v => (Number.isNaN(v) ? 0 : Math.min(Math.max(Math.trunc(v), -2147483648), 2147483647));
  }
}
function binary(op: BinOp, t: VType, a: Fn, b: Fn): Fn {
  const wrap = wrapTo(t);
  const float = t.base === 'f32' || t.base === 'f64';
  const big = t.base === 'i64' || t.base === 'u64';
  if (float) {
    const x = (env: Scalar[]): number => a(env) as number;
    const y = (env: Scalar[]): number => b(env) as number;
    switch (op) {
      case 'add':
        return env => x(env) + y(env);
      case 'sub':
        return env => x(env) - y(env);
      case 'mul':
        return env => x(env) * y(env);
      case 'div':
        return env => x(env) / y(env);
      case 'rem':
        return env => x(env) % y(env);
      case 'min':
        return env => {
          const [p, q] = [x(env), y(env)];
          return q < p ? q : p;
        };
      case 'max':
        return env => {
          const [p, q] = [x(env), y(env)];
          return p < q ? q : p;
        };
      case 'and':
      case 'or':
      case 'xor':
      case 'shl':
      case 'shr':
        throw new InternalError(`${op} of floats`);
    }
  }
  const f = big ? bigBinary(op, t.base === 'u64') : intBinary(op, t.base === 'u32');
  return env => wrap(f(a(env), b(env)));
}
function intBinary(op: BinOp, unsigned: boolean): (a: Scalar, b: Scalar) => Scalar {
  const of =
    (f: (a: number, b: number) => number) =>
    (a: Scalar, b: Scalar): number =>
      f(a as number, b as number);
  switch (op) {
    case 'add':
      return of((a, b) => a + b);
    case 'sub':
      return of((a, b) => a - b);
    case 'mul':
      return of(Math.imul);
    case 'div':
      return of((a, b) => (b === 0 ? 0 : Math.trunc(a / b)));
    case 'rem':
      return of((a, b) => (b === 0 ? 0 : a % b));
    case 'min':
      return of((a, b) => (b < a ? b : a));
    case 'max':
      return of((a, b) => (a < b ? b : a));
    case 'and':
      return of((a, b) => a & b);
    case 'or':
      return of((a, b) => a | b);
    case 'xor':
      return of((a, b) => a ^ b);
    case 'shl':
      return of((a, b) => a << b);
    case 'shr':
      return of((a, b) => (unsigned ? a >>> b : a >> b));
  }
}
function bigBinary(op: BinOp, unsigned: boolean): (a: Scalar, b: Scalar) => Scalar {
  const of =
    (f: (a: bigint, b: bigint) => bigint) =>
    (a: Scalar, b: Scalar): bigint =>
      f(BigInt(a), BigInt(b));
  switch (op) {
    case 'add':
      return of((a, b) => a + b);
    case 'sub':
      return of((a, b) => a - b);
    case 'mul':
      return of((a, b) => a * b);
    case 'div':
      return of((a, b) => (b === 0n ? 0n : a / b));
    case 'rem':
      return of((a, b) => (b === 0n ? 0n : a % b));
    case 'min':
      return of((a, b) => (b < a ? b : a));
    case 'max':
      return of((a, b) => (a < b ? b : a));
    case 'and':
      return of((a, b) => a & b);
    case 'or':
      return of((a, b) => a | b);
    case 'xor':
      return of((a, b) => a ^ b);
    case 'shl':
      return of((a, b) => a << (b & 63n));
    case 'shr':
      return of((a, b) => (unsigned ? BigInt.asUintN(64, a) >> (b & 63n) : a >> (b & 63n)));
  }
}
function compare(op: CmpOp, a: Fn, b: Fn): Fn {
  switch (op) {
    case 'eq':
      return env => +(a(env) === b(env));
    case 'ne':
      return env => +(a(env) !== b(env));
    case 'lt':
      return env => +(a(env) < b(env));
    case 'le':
      return env => +(a(env) <= b(env));
    case 'gt':
      return env => +(a(env) > b(env));
    case 'ge':
      return env => +(a(env) >= b(env));
  }
}
function unary(op: UnOp, t: VType, a: Fn): Fn {
  const wrap = wrapTo(t);
  if (typeof wrap(0) === 'bigint' || t.base === 'i32' || t.base === 'u32') {
    if (op === 'neg') return env => wrap(-a(env));
    if (op === 'not') return env => wrap(~a(env));
    if (op === 'abs')
      return env => {
        const v = a(env);
        return wrap(v < 0 ? -v : v);
      };
  }
  const f = FLOAT[op];
  return env => f(a(env) as number);
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
