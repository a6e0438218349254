import { children, withChildren, type Expr, type Kernel, type Stmt } from '../ir.ts';
import { showExpr } from '../print.ts';
import { isVectorConst, isZero } from './hoist.ts';
import { freshNames } from './names.ts';
import { changedNames, mapStmt, readsOf, walk, writes } from './rewrite.ts';

/** An expression that was computed before; `name` once it is known to be computed again. */
interface Entry {
  uses: number;
  name: string | undefined;
  readonly reads: ReadonlySet<string>;
  readonly loads: boolean;
}

/**
 * Computes what a block needs more than once only once: addresses, loads with no store in between, vector constants outside of the
 * innermost loops. Both walks below meet the expressions in the same order: the first counts, the second names and replaces.
 */
export function cse(kernel: Kernel): Kernel {
  const entries: Entry[] = [];
  runWalk(kernel, entries, undefined);
  if (!entries.some(e => e.uses > 1)) return kernel;
  return { ...kernel, body: runWalk(kernel, entries, freshNames(kernel, 'c')) };
}

/** What is known at a point of the text. Leaving a block takes back what was learnt and forgotten in it. */
function table(changed: ReadonlySet<string>): {
  get(key: string): Entry | undefined;
  add(key: string, e: Entry): void;
  /** Memory was written. */
  forgetLoads(): void;
  /** A variable has another value. */
  forgetReads(name: string): void;
  inBlock<T>(f: () => T): T;
} {
  const known = new Map<string, Entry>();
  const loading = new Set<string>();
  const readers = new Map<string, Set<string>>();
  const undo: (() => void)[] = [];
  const link = (key: string, e: Entry): void => {
    known.set(key, e);
    if (e.loads) loading.add(key);
    for (const r of e.reads) {
      if (!changed.has(r)) continue;
      const of = readers.get(r) ?? new Set();
      readers.set(r, of.add(key));
    }
  };
  const unlink = (key: string): Entry | undefined => {
    const e = known.get(key);
    known.delete(key);
    loading.delete(key);
    for (const r of e?.reads ?? []) readers.get(r)?.delete(key);
    return e;
  };
  const forget = (key: string): void => {
    const e = unlink(key);
    if (e) undo.push(() => link(key, e));
  };
  return {
    get: key => known.get(key),
    add: (key, e) => {
      link(key, e);
      undo.push(() => unlink(key));
    },
    forgetLoads: () => {
      for (const key of [...loading]) forget(key);
    },
    forgetReads: name => {
      for (const key of [...(readers.get(name) ?? [])]) forget(key);
    },
    inBlock: f => {
      const mark = undo.length;
      const out = f();
      while (undo.length > mark) undo.pop()?.();
      return out;
    },
  };
}

/** Without `fresh` the first walk: it fills the entries. */
function runWalk(kernel: Kernel, entries: Entry[], fresh: (() => string) | undefined): readonly Stmt[] {
  const known = table(changedNames(kernel.body));
  let next = 0;
  const newEntry = (make: () => Entry): Entry => {
    if (!fresh) entries.push(make());
    const e = entries[next++];
    return e ?? make();
  };
  const spoil = (body: readonly Stmt[]): void => {
    if (stores(body)) known.forgetLoads();
    for (const name of changedNames(body)) known.forgetReads(name);
  };
  const block = (body: readonly Stmt[]): readonly Stmt[] => {
    const out: Stmt[] = [];
    const expr = (e: Expr): Expr => {
      if (!candidate(e)) return isVectorConst(e) ? e : deeper(e);
      const key = `${e.t.base}${e.t.lanes} ${showExpr(e)}`;
      const had = known.get(key);
      if (had) {
        if (!fresh) had.uses++;
        return had.name === undefined ? deeper(e) : { k: 'var', t: e.t, name: had.name };
      }
      const reads = new Set<string>();
      readsOf(e, n => reads.add(n));
      const entry = newEntry(() => ({ uses: 1, name: undefined, reads, loads: loads(e) }));
      const x = isVectorConst(e) ? e : deeper(e);
      known.add(key, entry);
      if (!fresh || entry.uses < 2) return x;
      entry.name = fresh();
      out.push({ k: 'let', name: entry.name, value: x });
      return { k: 'var', t: e.t, name: entry.name };
    };
    const deeper = (e: Expr): Expr => {
      const before = children(e);
      const after = before.map(expr);
      return after.every((c, i) => c === before[i]) ? e : withChildren(e, after);
    };
    const same = (e: Expr): Expr => e;
    for (const s of body) {
      // The condition of a while is left alone: it is evaluated again and again.
      const t = mapStmt(s, s.k === 'while' ? same : expr, b => b);
      // What a loop changes is not known inside, nor after it; what a branch changes is not known after it.
      if (t.k === 'for' || t.k === 'while') spoil([t]);
      out.push(mapStmt(t, same, b => known.inBlock(() => block(b))));
      if (t.k === 'if') spoil([t]);
      if (writes(t)) known.forgetLoads();
      if (t.k === 'set') known.forgetReads(t.name);
    }
    return out;
  };
  return block(kernel.body);
}
/** Whether an expression is worth remembering: names, scalar constants and addresses of buffers cost nothing. */
function candidate(e: Expr): boolean {
  if (e.k === 'var') return false;
  if (isVectorConst(e)) return !isZero(e);
  if (e.k === 'const') return false;
  return e.k !== 'addr' || e.at.k !== 'const';
}
function loads(e: Expr): boolean {
  return e.k === 'load' || children(e).some(loads);
}
function stores(body: readonly Stmt[]): boolean {
  let found = false;
  walk(body, s => {
    found ||= writes(s);
  });
  return found;
}
