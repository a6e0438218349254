import { InternalError } from '../../core/diagnostic.ts';
import { children, MATH_OPS, showVType, withChildren, type Expr, type Kernel, type MathOp, type Stmt, type UnOp } from '../ir.ts';
import { F32_MATH, maths } from './math-f32.ts';
import { F64_MATH } from './math-f64.ts';
import { freshNames } from './names.ts';
import { mapStmt } from './rewrite.ts';

const MATH: ReadonlySet<UnOp> = new Set(MATH_OPS);
const isMath = (op: UnOp): op is MathOp => MATH.has(op);

/** How to expand: `fused` lets polynomials of f32 use `fma`. */
interface To {
  readonly fresh: () => string;
  readonly fused: boolean;
}
/**
 * Replaces exp, log, tanh, … by arithmetic, the same for scalars and vectors, so that every back end and the interpreter agree to the
 * bit. Intermediate values become `let`s before the statement. With `fused`, f32 polynomials use `fma`: half the time, a little more
 * accurate, rounded as the target does.
 */
export function expandMath(kernel: Kernel, fused = false): Kernel {
  const to: To = { fresh: freshNames(kernel, 'e'), fused };
  const body = block(kernel.body, to);
  return body === kernel.body ? kernel : { ...kernel, body };
}

function block(body: readonly Stmt[], to: To): readonly Stmt[] {
  let changed = false;
  const out: Stmt[] = [];
  for (const s of body) {
    const before = out.length;
    statement(s, out, to);
    changed ||= out.length !== before + 1 || out[before] !== s;
  }
  return changed ? out : body;
}
function statement(s: Stmt, out: Stmt[], to: To): void {
  if (s.k !== 'while') {
    out.push(
      mapStmt(
        s,
        e => expand(e, out, to),
        b => block(b, to),
      ),
    );
    return;
  }
  const body = block(s.body, to);
  const pre: Stmt[] = [];
  const c = expand(s.c, pre, to);
  if (pre.length === 0) {
    out.push(body === s.body ? s : { ...s, body });
    return;
  }
  // The condition needs statements: it is kept in a variable and computed again at the end of the body.
  const name = to.fresh();
  const again: Stmt[] = [];
  const c2 = expand(s.c, again, to);
  out.push(...pre, { k: 'let', name, value: c });
  out.push({ ...s, c: { k: 'var', t: c.t, name }, body: [...body, ...again, { k: 'set', name, value: c2 }] });
}
/** Sub-expressions that are unchanged stay the same objects. */
function expand(e: Expr, out: Stmt[], to: To): Expr {
  const before = children(e);
  const after = before.map(c => expand(c, out, to));
  const x = after.every((c, i) => c === before[i]) ? e : withChildren(e, after);
  if (x.k !== 'un' || !isMath(x.op)) return x;
  const bind = (v: Expr): Expr => {
    if (v.k === 'var' || v.k === 'const') return v;
    const name = to.fresh();
    out.push({ k: 'let', name, value: v });
    return { k: 'var', t: v.t, name };
  };
  if (x.t.base === 'f32') return F32_MATH[x.op](maths(bind, to.fused), bind(x.a));
  if (x.t.base === 'f64') return F64_MATH[x.op](maths(bind, false), bind(x.a));
  throw new InternalError(`${x.op} of ${showVType(x.t)}`);
}
