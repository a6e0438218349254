import { must } from '../../core/diagnostic.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import {
  add,
  cast,
  div,
  isFloatBase,
  konst,
  lane,
  math,
  max,
  min,
  ne,
  select,
  sub,
  vec,
  vtype,
  type Base,
  type Expr,
} from '../../kernel/ir.ts';

/** A scalar function of one operand. */
export const unary =
  (f: (x: Expr) => Expr) =>
  (args: readonly Expr[]): Expr =>
    f(must(args[0]));
/** A scalar function of two operands. */
export const binary =
  (f: (a: Expr, b: Expr) => Expr) =>
  (args: readonly Expr[]): Expr =>
    f(must(args[0]), must(args[1]));

/** The kernel language's min and max keep NaN of the first operand only: of `b`, which is bound, it stays as well. */
const keepNaN =
  (pick: (a: Expr, b: Expr) => Expr) =>
  (a: Expr, b: Expr): Expr =>
    isFloatBase(a.t.base) ? select(ne(b, b), b, pick(a, b)) : pick(a, b);
export const greatest = keepNaN(max);
export const least = keepNaN(min);

/** Applies a scalar function lane by lane: for what has no vector instruction. Operands must be bound. */
export function perLane(args: readonly Expr[], f: (args: readonly Expr[]) => Expr): Expr {
  const lanes = must(args[0]).t.lanes;
  if (lanes === 1) return f(args);
  return vec(Array.from({ length: lanes }, (_, i) => f(args.map(a => lane(a, i)))));
}
/** The same number in every lane, of the base given. */
export const castTo = (base: Base, x: Expr): Expr => cast(vtype(base, x.t.lanes), x);
/** The number that an expression is in every lane, if that is a constant. */
export function constantOf(e: Expr): number | undefined {
  const one = e.k === 'splat' ? e.a : e;
  return one.k === 'const' ? Number(one.value) : undefined;
}
/** log(1 + x) without the loss of a small x (Higham, Accuracy and Stability of Numerical Algorithms, 1.14.1). */
export function log1p(k: KernelBuilder, x: Expr): Expr {
  const u = k.let(add(konst(x.t, 1), x));
  return add(math('log', u), div(sub(x, sub(u, 1)), u));
}
