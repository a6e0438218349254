import { children, constOf, withChildren, type Expr, type Kernel, type Stmt } from '../ir.ts';
import { showExpr } from '../print.ts';
import { mayTrap } from './linear.ts';
import { freshNames } from './names.ts';
import { changedNames, hasLoop, isLoop, mapStmt } from './rewrite.ts';

/** What a name is to the pass: how many loops are around its definition, and what it is replaced by. */
interface Def {
  readonly depth: number;
  readonly alias: Expr | undefined;
}
/** Statements to be put in front of the loop that starts depth + 1, by the text of their values. */
interface Landing {
  readonly stmts: Stmt[];
  readonly known: Map<string, Expr>;
}
const NEVER = Number.MAX_SAFE_INTEGER;

/**
 * Moves pure arithmetic out of the loops it does not change in, and vector constants out of innermost loops: engines make a vector
 * constant anew wherever it stands. All-zero vectors stay, they cost nothing.
 */
export function hoist(kernel: Kernel): Kernel {
  if (!hasLoop(kernel.body)) return kernel;
  const fresh = freshNames(kernel, 'h');
  const changed = changedNames(kernel.body);
  const defs = new Map<string, Def>();
  for (const p of kernel.params) defs.set(p.name, { depth: 0, alias: undefined });
  const landings: Landing[] = [];

  /** The number of loops an expression must stay in, and whether moving it is worth a name. */
  const levels = new Map<Expr, number>();
  const level = (e: Expr): number => {
    const had = levels.get(e);
    if (had !== undefined) return had;
    const l = levelOf(e);
    levels.set(e, l);
    return l;
  };
  const levelOf = (e: Expr): number => {
    if (e.k === 'var') return changed.has(e.name) ? NEVER : (defs.get(e.name)?.depth ?? NEVER);
    if (e.k === 'load') return NEVER;
    if (mayTrap(e)) return NEVER;
    return children(e).reduce((m, c) => Math.max(m, level(c)), 0);
  };
  const land = (e: Expr, at: number): Expr => {
    const landing = landings[at];
    if (!landing) return e;
    const key = `${e.t.base}${e.t.lanes} ${showExpr(e)}`;
    const had = landing.known.get(key);
    if (had) return had;
    const name = fresh();
    landing.stmts.push({ k: 'let', name, value: e });
    defs.set(name, { depth: at, alias: undefined });
    const v: Expr = { k: 'var', t: e.t, name };
    landing.known.set(key, v);
    return v;
  };
  const expr = (e: Expr, depth: number, innermost: boolean): Expr => {
    if (e.k === 'var') return defs.get(e.name)?.alias ?? e;
    if (isVectorConst(e)) return depth > 0 && innermost && !isZero(e) ? land(e, 0) : e;
    if (e.k === 'const') return e;
    const before = children(e);
    const after = before.map(c => expr(c, depth, innermost));
    const x = after.every((c, i) => c === before[i]) ? e : withChildren(e, after);
    return x;
  };
  /** Lands the largest invariant parts; `e` is already over aliases. */
  const place = (e: Expr, depth: number): Expr => {
    if (e.k === 'var' || e.k === 'const' || isVectorConst(e)) return e;
    const l = level(e);
    if (l < depth) {
      // Parts that change even less go further out.
      const inner = placeChildren(e, l);
      return worth(e) ? land(inner, l) : inner;
    }
    return placeChildren(e, depth);
  };
  const placeChildren = (e: Expr, depth: number): Expr => {
    const before = children(e);
    const after = before.map(c => place(c, depth));
    return after.every((c, i) => c === before[i]) ? e : withChildren(e, after);
  };
  const block = (body: readonly Stmt[], depth: number): readonly Stmt[] => {
    const innermost = depth > 0 && !hasLoop(body);
    const out: Stmt[] = [];
    const ex = (e: Expr): Expr => place(expr(e, depth, innermost), depth);
    for (const s of body) {
      if (isLoop(s)) {
        const landing: Landing = { stmts: [], known: new Map() };
        landings[depth] = landing;
        if (s.k === 'for') defs.set(s.v, { depth: depth + 1, alias: undefined });
        const inLoop = (e: Expr): Expr => place(expr(e, depth + 1, !hasLoop(blockOf(s))), depth + 1);
        // The condition of a while is computed in the loop, the bounds of a for before it.
        const t = s.k === 'while' ? mapStmt(s, inLoop, b => block(b, depth + 1)) : mapStmt(s, ex, b => block(b, depth + 1));
        landings.length = depth;
        out.push(...landing.stmts, t);
        continue;
      }
      const t = mapStmt(s, ex, b => block(b, depth));
      if (t.k === 'let') {
        const moved = t.value.k === 'var' && !changed.has(t.name) && !changed.has(t.value.name);
        defs.set(t.name, moved ? { depth: level(t.value), alias: t.value } : { depth, alias: undefined });
        if (moved) continue;
      }
      out.push(t);
    }
    return out;
  };
  return { ...kernel, body: block(kernel.body, 0) };
}
const blockOf = (s: Stmt): readonly Stmt[] => (s.k === 'for' || s.k === 'while' ? s.body : []);
const isVectorConst = (e: Expr): boolean =>
  e.t.lanes > 1 &&
  (e.k === 'const' || (e.k === 'splat' && e.a.k === 'const') || (e.k === 'vec' && e.parts.every(p => p.k === 'const')));
const isZero = (e: Expr): boolean =>
  (e.k === 'const' && Object.is(Number(e.value), 0)) ||
  (e.k === 'splat' && isZero(e.a)) ||
  (e.k === 'vec' && e.parts.every(isZero));
/** Whether an expression is worth a variable of its own: conversions between equal registers and addresses of parameters are free. */
function worth(e: Expr): boolean {
  if (e.k === 'addr') return constOf(e.at) === undefined;
  return true;
}
