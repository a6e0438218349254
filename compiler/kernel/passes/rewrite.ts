import { children, withChildren, type CallArg, type Expr, type Kernel, type Stmt, type WordRows } from '../ir.ts';

/** Rewrites bottom-up: `f` sees each node with its children rewritten. What does not change stays the same object. */
export function mapExpr(e: Expr, f: (e: Expr) => Expr): Expr {
  const before = children(e);
  if (before.length === 0) return f(e);
  const after = before.map(c => mapExpr(c, f));
  return f(after.every((c, i) => c === before[i]) ? e : withChildren(e, after));
}
/** A statement over other expressions and blocks; the same object where nothing changes. */
export function mapStmt(s: Stmt, expr: (e: Expr) => Expr, block: (b: readonly Stmt[]) => readonly Stmt[]): Stmt {
  switch (s.k) {
    case 'let':
    case 'set': {
      const value = expr(s.value);
      return value === s.value ? s : { ...s, value };
    }
    case 'store': {
      const at = expr(s.at);
      const base = s.base && expr(s.base);
      const value = expr(s.value);
      if (at === s.at && value === s.value && base === s.base) return s;
      return base ? { ...s, at, base, value } : { ...s, at, value };
    }
    case 'prefetch': {
      const at = expr(s.at);
      return at === s.at ? s : { ...s, at };
    }
    case 'mma': {
      const rows = (r: WordRows): WordRows => {
        const [at, stride] = [expr(r.at), expr(r.stride)];
        return at === r.at && stride === r.stride ? r : { ...r, at, stride };
      };
      const [a, b, to] = [rows(s.a), rows(s.b), rows(s.to)];
      return a === s.a && b === s.b && to === s.to ? s : { ...s, a, b, to };
    }
    case 'call': {
      const args = s.args.map((a): CallArg => {
        const before = a.k === 'buf' ? a.at : a.value;
        const after = expr(before);
        return after === before ? a : a.k === 'buf' ? { ...a, at: after } : { ...a, value: after };
      });
      const over = s.over && { count: expr(s.over.count), cost: expr(s.over.cost) };
      const same = args.every((a, i) => a === s.args[i]) && over?.count === s.over?.count && over?.cost === s.over?.cost;
      return same ? s : { ...s, args, ...(over && { over }) };
    }
    case 'if': {
      const c = expr(s.c);
      const then = block(s.then);
      const other = block(s.else);
      return c === s.c && then === s.then && other === s.else ? s : { ...s, c, then, else: other };
    }
    case 'for': {
      const lo = expr(s.lo);
      const hi = expr(s.hi);
      const body = block(s.body);
      return lo === s.lo && hi === s.hi && body === s.body ? s : { ...s, lo, hi, body };
    }
    case 'while': {
      const c = expr(s.c);
      const body = block(s.body);
      return c === s.c && body === s.body ? s : { ...s, c, body };
    }
  }
}
/** Each expression of a statement itself, blocks not included. */
export function exprsOf(s: Stmt): readonly Expr[] {
  switch (s.k) {
    case 'let':
    case 'set':
      return [s.value];
    case 'store':
      return s.base ? [s.at, s.base, s.value] : [s.at, s.value];
    case 'prefetch':
      return [s.at];
    case 'mma':
      return [s.a, s.b, s.to].flatMap(r => [r.at, r.stride]);
    case 'call':
      return [...s.args.map(a => (a.k === 'buf' ? a.at : a.value)), ...(s.over ? [s.over.count, s.over.cost] : [])];
    case 'if':
    case 'while':
      return [s.c];
    case 'for':
      return [s.lo, s.hi];
  }
}
export function blocksOf(s: Stmt): readonly (readonly Stmt[])[] {
  switch (s.k) {
    case 'let':
    case 'set':
    case 'store':
    case 'prefetch':
    case 'mma':
    case 'call':
      return [];
    case 'if':
      return [s.then, s.else];
    case 'while':
    case 'for':
      return [s.body];
  }
}
/** Every statement, outer before inner. */
export function walk(body: readonly Stmt[], f: (s: Stmt) => void): void {
  for (const s of body) {
    f(s);
    for (const b of blocksOf(s)) walk(b, f);
  }
}
/** Every node of an expression, parents before children. */
export function walkExpr(e: Expr, f: (e: Expr) => void): void {
  f(e);
  for (const c of children(e)) walkExpr(c, f);
}
/** Every variable that an expression reads. */
export function readsOf(e: Expr, f: (name: string) => void): void {
  walkExpr(e, x => {
    if (x.k === 'var') f(x.name);
  });
}
/** The kernels that a kernel calls itself. */
export function calleesOf(kernel: Kernel): ReadonlySet<Kernel> {
  const out = new Set<Kernel>();
  walk(kernel.body, s => {
    if (s.k === 'call') out.add(s.kernel);
  });
  return out;
}
/** The kernel with calls of others; the same object where it calls none of them. */
export function withCallees(kernel: Kernel, to: ReadonlyMap<Kernel, Kernel>): Kernel {
  const block = (body: readonly Stmt[]): readonly Stmt[] => {
    const out = body.map(s => {
      const callee = s.k === 'call' ? to.get(s.kernel) : undefined;
      if (s.k === 'call' && callee && callee !== s.kernel) return { ...s, kernel: callee };
      return mapStmt(s, e => e, block);
    });
    return out.every((s, i) => s === body[i]) ? body : out;
  };
  const body = block(kernel.body);
  return body === kernel.body ? kernel : { ...kernel, body };
}
/** The variables that some `set` changes. */
export function changedNames(body: readonly Stmt[]): Set<string> {
  const out = new Set<string>();
  walk(body, s => {
    if (s.k === 'set') out.add(s.name);
  });
  return out;
}
export const isLoop = (s: Stmt): boolean => s.k === 'for' || s.k === 'while';
/** Whether a statement itself writes to memory; what it calls may. */
export const writes = (s: Stmt): boolean => s.k === 'store' || s.k === 'mma' || s.k === 'call';
/** Whether a block has a loop anywhere. */
export const hasLoop = (body: readonly Stmt[]): boolean => body.some(s => isLoop(s) || blocksOf(s).some(hasLoop));
