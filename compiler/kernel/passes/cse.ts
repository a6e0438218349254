import { children, withChildren, type Expr, type Kernel, type Stmt } from '../ir.ts';
import { showExpr } from '../print.ts';
import { isVectorConst, isZero } from './hoist.ts';
import { freshNames } from './names.ts';
import { changedNames, mapStmt, readsOf, walk } from './rewrite.ts';

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

/** Without `fresh` the first walk: it fills the entries. */
function runWalk(kernel: Kernel, entries: Entry[], fresh: (() => string) | undefined): readonly Stmt[] {
  let next = 0;
  const newEntry = (make: () => Entry): Entry => {
    if (!fresh) entries.push(make());
    const e = entries[next++];
    return e ?? make();
  };
  type Known = Map<string, Entry>;

  const block = (body: readonly Stmt[], outer: Known): readonly Stmt[] => {
    const known: Known = new Map(outer);
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
      known.set(key, entry);
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
    const forget = (f: (e: Entry) => boolean): void => {
      for (const [k, e] of known) if (f(e)) known.delete(k);
    };
    for (const s of body) {
      if (s.k === 'while' || s.k === 'for') {
        // What the loop changes is not known inside, nor after it.
        const sets = changedNames([s]);
        const writes = stores([s]);
        const spoilt = (e: Entry): boolean => (writes && e.loads) || [...e.reads].some(r => sets.has(r));
        const head = s.k === 'for' ? expr : (e: Expr): Expr => e;
        const bounds = mapStmt(s, head, b => b);
        forget(spoilt);
        out.push(
          mapStmt(
            bounds,
            e => e,
            b => block(b, known),
          ),
        );
        continue;
      }
      if (s.k === 'if') {
        const c = mapStmt(s, expr, b => b);
        out.push(
          mapStmt(
            c,
            e => e,
            b => block(b, known),
          ),
        );
        const sets = changedNames([s]);
        const writes = stores([s]);
        forget(e => (writes && e.loads) || [...e.reads].some(r => sets.has(r)));
        continue;
      }
      const t = mapStmt(s, expr, b => b);
      out.push(t);
      if (t.k === 'store') forget(e => e.loads);
      if (t.k === 'set') forget(e => e.reads.has(t.name));
    }
    return out;
  };
  return block(kernel.body, new Map());
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
    found ||= s.k === 'store';
  });
  return found;
}
