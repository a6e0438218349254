import { cast, children, F32, f32, I32, type Expr, type Stmt } from '../ir.ts';
import { changedNames, walk } from './rewrite.ts';

/** Nanoseconds of a simple operation, of a division or a root, and of a call; iterations of a loop that nothing is known of: rough means. */
const SIMPLE = 0.1;
const SLOW = 2;
const CALL = 5000;
const SOME = 8;

/** A sum of products over i32 variables, in nanoseconds: an f32 expression. */
const plus = (a: Expr, b: Expr): Expr => {
  const [p, q] = [numberOf(a), numberOf(b)];
  if (p !== undefined && q !== undefined) return f32(p + q);
  if (p !== undefined) return p === 0 ? b : plus(b, a);
  if (q === 0) return a;
  // Constants of a sum are gathered at its end.
  if (q !== undefined && a.k === 'bin' && a.op === 'add' && numberOf(a.b) !== undefined) return { ...a, b: plus(a.b, b) };
  return { k: 'bin', t: F32, op: 'add', a, b };
};
const times = (a: Expr, b: Expr): Expr => {
  const [p, q] = [numberOf(a), numberOf(b)];
  if (p !== undefined && q !== undefined) return f32(p * q);
  return p === 1 ? b : q === 1 ? a : { k: 'bin', t: F32, op: 'mul', a, b };
};
/** The value of a cost that is a constant. */
export const numberOf = (e: Expr): number | undefined => (e.k === 'const' ? Number(e.value) : undefined);

/**
 * About how many nanoseconds a block takes, as an f32 expression over the variables in `known`. Loops whose ends are not made of these
 * count as a few iterations. Only good for the question whether something is worth a thread.
 */
export function costOf(body: readonly Stmt[], known: ReadonlySet<string>): Expr {
  const changed = changedNames(body);
  const values = new Map<string, Expr>();
  walk(body, s => {
    if (s.k === 'let' && s.value.t.lanes === 1 && s.value.t.base === 'i32' && !changed.has(s.name)) values.set(s.name, s.value);
  });
  /** An i32 expression over known variables. */
  const outside = (e: Expr): Expr | undefined => {
    if (e.k === 'const') return e;
    if (e.k === 'var') {
      if (known.has(e.name)) return e;
      const value = values.get(e.name);
      return value && outside(value);
    }
    if (e.k !== 'bin' || e.t.base !== 'i32') return undefined;
    const [a, b] = [outside(e.a), outside(e.b)];
    return a && b && { ...e, a, b };
  };
  const block = (b: readonly Stmt[]): Expr => b.map(statement).reduce(plus, f32(0));
  const statement = (s: Stmt): Expr => {
    switch (s.k) {
      case 'let':
      case 'set':
        return f32(work(s.value));
      case 'store':
        return f32(SIMPLE + work(s.value));
      case 'prefetch':
        return f32(SIMPLE);
      case 'mma':
        return f32((SIMPLE * s.rows * s.columns * s.words) / 64);
      case 'call':
        return f32(CALL);
      case 'if':
        return times(f32(s.else.length > 0 ? 0.5 : 1), plus(block(s.then), block(s.else)));
      case 'while':
        return times(f32(SOME), block(s.body));
      case 'for': {
        const span = outsideSpan(s.lo, s.hi, outside, values);
        const n = span === undefined ? f32(SOME) : span.k === 'const' ? f32(Number(span.value)) : cast(F32, span);
        return times(n, times(f32(1 / s.step), plus(f32(SIMPLE), block(s.body))));
      }
    }
  };
  return block(body);
}
/** hi - lo, also where hi is given as lo and something more. */
function outsideSpan(
  lo: Expr,
  hi: Expr,
  outside: (e: Expr) => Expr | undefined,
  values: ReadonlyMap<string, Expr>,
): Expr | undefined {
  if (lo.k === 'var' && hi.k === 'var') {
    const end = values.get(hi.name);
    if (end?.k === 'bin' && end.op === 'add' && end.a.k === 'var' && end.a.name === lo.name) return outside(end.b);
  }
  const [from, to] = [outside(lo), outside(hi)];
  if (!from || !to) return undefined;
  if (from.k === 'const' && to.k === 'const') return { ...to, value: Math.max(0, Number(to.value) - Number(from.value)) };
  return Number(from.k === 'const' && from.value) === 0 ? to : { k: 'bin', t: I32, op: 'sub', a: to, b: from };
}
/** The work of an expression; sizes and places are free. */
function work(e: Expr): number {
  if (e.k === 'const' || e.k === 'var' || e.k === 'addr') return 0;
  if (e.k === 'load') return SIMPLE;
  if (e.t.lanes === 1 && e.t.base === 'i32' && e.k === 'bin') return 0;
  const slow = (e.k === 'bin' && (e.op === 'div' || e.op === 'rem')) || (e.k === 'un' && e.op === 'sqrt');
  return children(e).reduce((n, c) => n + work(c), e.k === 'splat' ? 0 : slow ? SLOW : SIMPLE);
}
