import { children, constOf, withChildren, type Expr, type Kernel, type Stmt } from '../ir.ts';
import { showExpr } from '../print.ts';
import { mayTrap } from './linear.ts';
import { freshNames } from './names.ts';
import { innermostLoops, type Innermost } from './pressure.ts';
import { changedNames, exprsOf, hasLoop, isLoop, mapStmt, walk, walkExpr } from './rewrite.ts';

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
/** Vector registers that V8 allocates on x86-64. */
const REGISTERS = 15;

/**
 * Moves pure arithmetic out of the loops it does not change in. Vector constants, which engines make anew wherever they stand, leave
 * innermost loops, and others as far as the loops inside have registers to spare. All-zero vectors stay: they cost nothing.
 */
export function hoist(kernel: Kernel): Kernel {
  if (!hasLoop(kernel.body)) return kernel;
  const fresh = freshNames(kernel, 'h');
  const changed = changedNames(kernel.body);
  const defs = new Map<string, Def>();
  for (const p of kernel.params) defs.set(p.name, { depth: 0, alias: undefined });
  const landings: Landing[] = [];
  const inside = innermostLoops(kernel.body);
  const constants = countConstants(kernel.body);
  // One register more for what an expression holds on the way.
  const fits = (loops: readonly Innermost[]): boolean => loops.every(l => l.vectors + 1 + constants <= REGISTERS);
  /** How many of the loops around stay around a vector constant. */
  const constantDepth = (around: readonly Stmt[]): number => {
    const last = around.at(-1);
    if (!last) return 0;
    const innermost = !hasLoop(blockOf(last));
    const others = (loop: Stmt): readonly Innermost[] => (inside.get(loop) ?? []).filter(l => l.loop !== last);
    let depth = around.length;
    for (const loop of around.toReversed()) {
      if (!(loop === last && innermost) && !fits(others(loop))) break;
      depth--;
    }
    return depth;
  };

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
  /** Over aliases, constants landed where loop `at` begins. */
  const expr = (e: Expr, depth: number, at: number): Expr => {
    if (e.k === 'var') return defs.get(e.name)?.alias ?? e;
    if (isVectorConst(e)) return at < depth && !isZero(e) ? land(e, at) : e;
    if (e.k === 'const') return e;
    const before = children(e);
    const after = before.map(c => expr(c, depth, at));
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
  const block = (body: readonly Stmt[], around: readonly Stmt[]): readonly Stmt[] => {
    const depth = around.length;
    const at = constantDepth(around);
    const out: Stmt[] = [];
    const ex = (e: Expr): Expr => place(expr(e, depth, at), depth);
    for (const s of body) {
      if (isLoop(s)) {
        const landing: Landing = { stmts: [], known: new Map() };
        landings[depth] = landing;
        if (s.k === 'for') defs.set(s.v, { depth: depth + 1, alias: undefined });
        const inner = [...around, s];
        const inLoop = (e: Expr): Expr => place(expr(e, depth + 1, constantDepth(inner)), depth + 1);
        // The condition of a while is computed in the loop, the bounds of a for before it.
        const t = mapStmt(s, s.k === 'while' ? inLoop : ex, b => block(b, inner));
        landings.length = depth;
        out.push(...landing.stmts, t);
        continue;
      }
      const t = mapStmt(s, ex, b => block(b, around));
      if (t.k === 'let') {
        const moved = t.value.k === 'var' && !changed.has(t.name) && !changed.has(t.value.name);
        defs.set(t.name, moved ? { depth: level(t.value), alias: t.value } : { depth, alias: undefined });
        if (moved) continue;
      }
      out.push(t);
    }
    return out;
  };
  return { ...kernel, body: block(kernel.body, []) };
}
const blockOf = (s: Stmt): readonly Stmt[] => (s.k === 'for' || s.k === 'while' ? s.body : []);
function countConstants(body: readonly Stmt[]): number {
  const seen = new Set<string>();
  walk(body, s => {
    for (const e of exprsOf(s))
      walkExpr(e, x => {
        if (isVectorConst(x) && !isZero(x)) seen.add(showExpr(x));
      });
  });
  return seen.size;
}
export const isVectorConst = (e: Expr): boolean =>
  e.t.lanes > 1 &&
  (e.k === 'const' || (e.k === 'splat' && e.a.k === 'const') || (e.k === 'vec' && e.parts.every(p => p.k === 'const')));
export const isZero = (e: Expr): boolean =>
  (e.k === 'const' && Object.is(Number(e.value), 0)) ||
  (e.k === 'splat' && isZero(e.a)) ||
  (e.k === 'vec' && e.parts.every(isZero));
/** Whether an expression is worth a variable of its own: conversions between equal registers and addresses of parameters are free. */
function worth(e: Expr): boolean {
  if (e.k === 'addr') return constOf(e.at) === undefined;
  return true;
}
