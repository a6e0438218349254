import { maxOf } from '../../core/extremes.ts';
import { bytesOf, type DType } from '../../core/dtype.ts';
import { add, constOf, I32, int, max, mul, ne, sub, type Expr, type Kernel, type Stmt } from '../ir.ts';
import {
  linAdd,
  linConst,
  linearExpr,
  linearOf,
  linKey,
  linMul,
  linScale,
  termVars,
  withoutConst,
  type Linear,
  type Term,
} from './linear.ts';
import { freshNames } from './names.ts';
import { blocksOf, changedNames, exprsOf, hasLoop, isLoop, mapExpr, mapStmt, readsOf, walk, walkExpr } from './rewrite.ts';

type ForStmt = Extract<Stmt, { k: 'for' }>;
type Access = Extract<Expr, { k: 'load' }> | Extract<Stmt, { k: 'store' }>;
/** Accesses that differ by constants only: they share one pointer. */
interface Group {
  readonly buf: string;
  /** The index of the first iteration in bytes, without its constant. */
  readonly start: Linear;
  /** Bytes by which it grows with each iteration. */
  readonly stride: Linear;
  /** The smallest constant, in bytes. */
  min: number;
  count: number;
  readonly name: string;
}
/** Names seen through, and how deep in loops each was defined. */
interface Scope {
  readonly define: Map<string, Linear>;
  readonly depth: Map<string, number>;
  readonly changed: ReadonlySet<string>;
  readonly fresh: () => string;
}

/**
 * Strength reduction of addresses. In an innermost `for`, accesses of one buffer whose indices differ by constants share a pointer that
 * is made before the loop and advanced at the end of its body; the constants become offsets of the accesses. A loop that then needs its
 * counter no more counts by a pointer. Elsewhere accesses of a block that differ by constants share an address.
 */
export function addresses(kernel: Kernel): Kernel {
  const scope: Scope = {
    define: new Map(),
    depth: new Map(kernel.params.map(p => [p.name, 0])),
    changed: changedNames(kernel.body),
    fresh: freshNames(kernel, 'p'),
  };
  return { ...kernel, body: block(kernel.body, 0, scope) };
}

function block(body: readonly Stmt[], depth: number, scope: Scope): readonly Stmt[] {
  const out: Stmt[] = [];
  for (const s of body) {
    if (s.k === 'for') {
      scope.depth.set(s.v, depth + 1);
      if (hasLoop(s.body)) out.push({ ...s, body: block(s.body, depth + 1, scope) });
      else {
        for (const t of s.body) note(t, depth + 1, scope);
        out.push(...innermost(s, scope));
      }
      continue;
    }
    note(s, depth, scope);
    const inner = isLoop(s) ? depth + 1 : depth;
    out.push(
      mapStmt(
        s,
        e => e,
        b => block(b, inner, scope),
      ),
    );
  }
  return shareBlock(out, scope);
}
/** Remembers what a name stands for. */
function note(s: Stmt, depth: number, scope: Scope): void {
  if (s.k === 'let') {
    scope.depth.set(s.name, depth);
    if (s.value.t.base === 'i32' && s.value.t.lanes === 1 && !scope.changed.has(s.name)) {
      const l = linear(s.value, scope);
      if (s.value.k === 'bin' && ['add', 'sub', 'mul', 'shl'].includes(s.value.op) && l.terms.size <= 4)
        scope.define.set(s.name, l);
    }
  }
  if (s.k === 'if') for (const b of blocksOf(s)) for (const t of b) note(t, depth, scope);
}
const linear = (e: Expr, scope: Scope): Linear => linearOf(e, name => scope.define.get(name));
const variable = (name: string): Expr => ({ k: 'var', t: I32, name });

/** The accesses of a statement itself, and, with `deep`, of the blocks inside it. */
function forAccesses(s: Stmt, f: (a: Access) => void): void {
  for (const e of exprsOf(s))
    walkExpr(e, x => {
      if (x.k === 'load' && !x.base) f(x);
    });
  if (s.k === 'store' && !s.base) f(s);
}
/** Points an access at a pointer. */
const rebase = <T extends Access>(a: T, g: Group, c: number): T => ({
  ...a,
  at: int((c - g.min) / bytesOf(a.dtype)),
  base: variable(g.name),
});
function rewriteAccesses(s: Stmt, to: (a: Access) => { readonly g: Group; readonly c: number } | undefined): Stmt {
  const expr = (e: Expr): Expr =>
    mapExpr(e, x => {
      if (x.k !== 'load') return x;
      const p = to(x);
      return p ? rebase(x, p.g, p.c) : x;
    });
  const p = s.k === 'store' ? to(s) : undefined;
  const t = s.k === 'store' && p ? rebase(s, p.g, p.c) : s;
  return mapStmt(t, expr, b => b);
}
const inBytes = (a: Access, scope: Scope): Linear => linScale(linear(a.at, scope), bytesOf(a.dtype));
/** The address of the smallest access of a group: terms that change seldom come first, so that they can be hoisted. */
function pointer(g: Group, scope: Scope): Expr {
  const rank = (name: string): number => scope.depth.get(name) ?? 0;
  const rankOf = (t: Term): number => maxOf(termVars(t).names.map(rank), 0);
  const all = [...g.start.terms.values()];
  const fixed: Linear = { terms: new Map(all.filter(t => rankOf(t) === 0).map(t => [t.key, t])), c: g.min };
  const rest: Linear = { terms: new Map(all.filter(t => rankOf(t) > 0).map(t => [t.key, t])), c: 0 };
  const u8: DType = 'u8';
  const start: Expr = { k: 'addr', t: I32, buf: g.buf, dtype: u8, at: linearExpr(fixed, rank) };
  return linearExpr(rest, rank, start);
}

/** A loop without loops inside. */
function innermost(s: ForStmt, scope: Scope): Stmt[] {
  const local = new Set<string>([s.v]);
  walk(s.body, t => {
    if (t.k === 'let') local.add(t.name);
  });
  const fixed = (t: Term): boolean => {
    const { names, still } = termVars(t);
    return still && names.every(n => !local.has(n) && !scope.changed.has(n));
  };
  const lo = linear(s.lo, scope);
  const groups = new Map<string, Group>();
  /** By branch, because an expression object may stand in several. */
  const placed = new Map<string, Map<Access, { readonly g: Group; readonly c: number }>>();
  // The statements of one branch run together, so one pointer may serve them: its smallest access is one that happens.
  const visit = (body: readonly Stmt[], branch: string): void => {
    const here = new Map<Access, { readonly g: Group; readonly c: number }>();
    placed.set(branch, here);
    body.forEach((t, i) => {
      forAccesses(t, a => {
        const whole = inBytes(a, scope);
        const start: Term[] = [];
        const stride: Term[] = [];
        for (const x of whole.terms.values()) {
          const times = x.atoms.filter(y => y.key === s.v).length;
          const rest: Term = { coef: x.coef, atoms: x.atoms.filter(y => y.key !== s.v), key: '' };
          if (times > 1 || !fixed(rest)) return;
          if (times === 1) stride.push({ ...rest, key: rest.atoms.map(y => y.key).join('·') });
          else start.push(x);
        }
        const by: Linear = {
          terms: new Map(stride.filter(x => x.atoms.length > 0).map(x => [x.key, x])),
          c: stride.find(x => x.atoms.length === 0)?.coef ?? 0,
        };
        const first = linAdd({ terms: new Map(start.map(x => [x.key, x])), c: whole.c }, linMul(by, lo));
        const id = (where: string): string => `${a.buf} ${linKey(first)} ${linKey(by)} ${by.c} ${where}`;
        const outer = groups.get(id(''));
        const key = outer && first.c >= outer.min ? id('') : id(branch);
        let g = groups.get(key);
        if (!g) {
          g = { buf: a.buf, start: withoutConst(first), stride: by, min: first.c, count: 0, name: scope.fresh() };
          groups.set(key, g);
        }
        g.min = Math.min(g.min, first.c);
        g.count++;
        here.set(a, { g, c: first.c });
      });
      blocksOf(t).forEach((b, j) => visit(b, `${branch}/${i}.${j}`));
    });
  };
  visit(s.body, '');
  const all = [...groups.values()];
  const rewrite = (b: readonly Stmt[], branch: string): readonly Stmt[] => {
    const out = b.map((t, i) => {
      let j = 0;
      return mapStmt(
        rewriteAccesses(t, a => placed.get(branch)?.get(a)),
        e => e,
        inner => rewrite(inner, `${branch}/${i}.${j++}`),
      );
    });
    return shareBlock(out, scope);
  };
  const body = rewrite(s.body, '');
  const before: Stmt[] = [];
  const after: Stmt[] = [];
  const advance = new Map<string, Expr>();
  const rank = (name: string): number => scope.depth.get(name) ?? 0;
  for (const g of all) {
    before.push({ k: 'let', name: g.name, value: pointer(g, scope) });
    const step = linScale(g.stride, s.step);
    const key = `${linKey(step)} ${step.c}`;
    let by = advance.get(key);
    if (!by) {
      by = linearExpr(step, rank);
      if (by.k !== 'const' && by.k !== 'var') {
        const name = scope.fresh();
        before.push({ k: 'let', name, value: by });
        by = variable(name);
      }
      advance.set(key, by);
    }
    if (constOf(by) !== 0) after.push({ k: 'set', name: g.name, value: add(variable(g.name), by) });
  }
  const counter = all.find(g => linKey(g.stride) === '' && g.stride.c !== 0);
  const uses = reads(body, s.v);
  // A pointer that is carried from iteration to iteration ties them together.
  if (uses || !counter) return [...before, { ...s, parallel: s.parallel && after.length === 0, body: [...body, ...after] }];
  return [...before, ...countByPointer(s, counter, [...body, ...after], scope)];
}
function reads(body: readonly Stmt[], name: string): boolean {
  let found = false;
  walk(body, s => {
    for (const e of exprsOf(s))
      readsOf(e, n => {
        found ||= n === name;
      });
  });
  return found;
}
/** The loop as `while (p != end)`: p has a constant stride, so it meets the end exactly. */
function countByPointer(s: ForStmt, g: Group, body: readonly Stmt[], scope: Scope): Stmt[] {
  const by = g.stride.c * s.step;
  const end = scope.fresh();
  const lo = constOf(s.lo);
  const hi = constOf(s.hi);
  const p = variable(g.name);
  const bytes = lo !== undefined && hi !== undefined ? int(Math.max(0, Math.ceil((hi - lo) / s.step)) * by) : mul(trips(s), by);
  const loop: Stmt = { k: 'while', c: ne(p, variable(end)), body };
  return [
    { k: 'let', name: end, value: add(p, bytes) },
    lo !== undefined && hi !== undefined && lo < hi ? { ...loop, enter: true } : loop,
  ];
}
/** How often a loop runs. */
function trips(s: ForStmt): Expr {
  const n = max(sub(s.hi, s.lo), 0);
  if (s.step === 1) return n;
  const up = add(n, s.step - 1);
  const shift = Math.log2(s.step);
  return Number.isInteger(shift)
    ? { k: 'bin', t: I32, op: 'shr', a: up, b: int(shift) }
    : { k: 'bin', t: I32, op: 'div', a: up, b: int(s.step) };
}

/** Accesses of one block whose indices differ by constants: the address is made once, before the first of them. */
function shareBlock(body: readonly Stmt[], scope: Scope): readonly Stmt[] {
  const groups = new Map<string, Group>();
  const first = new Map<Group, number>();
  const placed = new Map<Access, { readonly g: Group; readonly c: number }>();
  const fixed = (t: Term): boolean => {
    const { names, still } = termVars(t);
    return still && names.every(n => !scope.changed.has(n));
  };
  body.forEach((s, i) => {
    // A loop evaluates its condition again and again; leave that alone.
    if (s.k === 'while') return;
    forAccesses(s, a => {
      const l = inBytes(a, scope);
      if (l.terms.size === 0 || ![...l.terms.values()].every(fixed)) return;
      const key = `${a.buf} ${linKey(l)}`;
      let g = groups.get(key);
      if (!g) {
        g = { buf: a.buf, start: withoutConst(l), stride: linConst(0), min: l.c, count: 0, name: '' };
        groups.set(key, g);
        first.set(g, i);
      }
      g.min = Math.min(g.min, l.c);
      g.count++;
      placed.set(a, { g, c: l.c });
    });
  });
  const named = new Map<Group, Group>();
  const starts = new Map<number, Group[]>();
  for (const g of groups.values()) {
    if (g.count === 1) continue;
    const n = { ...g, name: scope.fresh() };
    named.set(g, n);
    const at = first.get(g) ?? 0;
    starts.set(at, [...(starts.get(at) ?? []), n]);
  }
  if (named.size === 0) return body;
  const out: Stmt[] = [];
  body.forEach((s, i) => {
    for (const n of starts.get(i) ?? []) out.push({ k: 'let', name: n.name, value: pointer(n, scope) });
    out.push(
      rewriteAccesses(s, a => {
        const p = placed.get(a);
        const g = p && named.get(p.g);
        return p && g ? { g, c: p.c } : undefined;
      }),
    );
  });
  return out;
}
