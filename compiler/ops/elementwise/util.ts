import { must } from '../../core/diagnostic.ts';
import { cast, lane, vec, vtype, type Base, type Expr } from '../../kernel/ir.ts';

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

/** Applies a scalar function lane by lane: for what has no vector instruction. Operands must be bound. */
export function perLane(args: readonly Expr[], f: (args: readonly Expr[]) => Expr): Expr {
  const lanes = must(args[0]).t.lanes;
  if (lanes === 1) return f(args);
  return vec(Array.from({ length: lanes }, (_, i) => f(args.map(a => lane(a, i)))));
}
/** The same number in every lane, of the base given. */
export const castTo = (base: Base, x: Expr): Expr => cast(vtype(base, x.t.lanes), x);
/** Whether an expression is the same constant in every lane. */
export const isConstant = (e: Expr): boolean => e.k === 'const' || (e.k === 'splat' && e.a.k === 'const');
