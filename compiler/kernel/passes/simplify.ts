import { binFn, castFn, cmpFn, normalise, unFn, type Value } from '../arith.ts';
import { add, div, int, isFloatBase, mul, sub, type Expr, type Kernel, type Stmt } from '../ir.ts';
import { changedNames, exprsOf, mapExpr, mapStmt, readsOf, walk } from './rewrite.ts';

/** Folds constants, drops neutral integer operations, replaces names that stand for names or constants, and drops unused `let`s. */
export function simplify(kernel: Kernel): Kernel {
  const changed = changedNames(kernel.body);
  const known = new Map<string, Expr>();
  const expr = (e: Expr): Expr => mapExpr(e, x => fold(x.k === 'var' ? (known.get(x.name) ?? x) : x));
  const block = (body: readonly Stmt[]): readonly Stmt[] => {
    const out: Stmt[] = [];
    for (const s of body) {
      const t = mapStmt(s, expr, block);
      if (t.k === 'let' && !changed.has(t.name) && isName(t.value, changed)) {
        known.set(t.name, t.value);
        continue;
      }
      if (t.k === 'if' && t.c.k === 'const') {
        out.push(...(Number(t.c.value) !== 0 ? t.then : t.else));
        continue;
      }
      if (t.k === 'for' && t.body.length === 0) continue;
      if (t.k === 'if' && t.then.length === 0 && t.else.length === 0) continue;
      out.push(t);
    }
    return out.length === body.length && out.every((s, i) => s === body[i]) ? body : out;
  };
  const body = dropUnused(block(kernel.body));
  return body === kernel.body ? kernel : { ...kernel, body };
}
/** Scalar constants and variables that keep their value may be read in place of a name for them. */
const isName = (e: Expr, changed: ReadonlySet<string>): boolean =>
  (e.k === 'const' && e.t.lanes === 1) || (e.k === 'var' && !changed.has(e.name));

const scalarConst = (e: Expr): Value | undefined =>
  e.k === 'const' && e.t.lanes === 1 ? normalise(e.t.base, e.value) : undefined;

function fold(e: Expr): Expr {
  switch (e.k) {
    case 'bin': {
      const a = scalarConst(e.a);
      const b = scalarConst(e.b);
      if (a !== undefined && b !== undefined) {
        const zero = (e.op === 'div' || e.op === 'rem') && !isFloatBase(e.t.base) && Number(b) === 0;
        return zero ? e : { k: 'const', t: e.t, value: binFn(e.t.base, e.op)(a, b) };
      }
      if (e.t.base !== 'i32' || e.t.lanes > 1 || (a === undefined && b === undefined && e.op !== 'add')) return e;
      // The constructors know the neutral elements of i32.
      const made =
        e.op === 'add'
          ? add(e.a, e.b)
          : e.op === 'sub'
            ? sub(e.a, e.b)
            : e.op === 'mul'
              ? mul(e.a, e.b)
              : e.op === 'div'
                ? div(e.a, e.b)
                : e;
      return made.k === 'bin' && made.op === e.op && made.a === e.a && made.b === e.b ? e : made;
    }
    case 'un': {
      const a = scalarConst(e.a);
      const machine = ['neg', 'abs', 'sqrt', 'ceil', 'floor', 'trunc', 'nearest', 'not'].includes(e.op);
      return a === undefined || !machine ? e : { k: 'const', t: e.t, value: unFn(e.t.base, e.op)(a) };
    }
    case 'cast': {
      const a = scalarConst(e.a);
      return a === undefined || e.t.lanes > 1 ? e : { k: 'const', t: e.t, value: castFn(e.a.t.base, e.t.base)(a) };
    }
    case 'cmp': {
      const a = scalarConst(e.a);
      const b = scalarConst(e.b);
      return a === undefined || b === undefined ? e : int(cmpFn(e.op)(a, b) ? 1 : 0);
    }
    case 'select': {
      const c = scalarConst(e.c);
      if (c !== undefined) return Number(c) !== 0 ? e.a : e.b;
      // A comparison with 0 as the condition: select takes any i32.
      if (e.c.k === 'cmp' && e.c.op === 'eq' && e.c.t.lanes === 1 && e.c.a.t.base === 'i32' && scalarConst(e.c.b) === 0)
        return { ...e, c: e.c.a, a: e.b, b: e.a };
      return e;
    }
    case 'lane':
      return e.a.k === 'splat' && e.a.a.t.base === e.t.base && e.a.t.base === e.t.base ? e.a.a : e;
    case 'const':
    case 'var':
    case 'load':
    case 'addr':
    case 'reinterpret':
    case 'splat':
    case 'vec':
    case 'shuffle':
    case 'permute':
    case 'widen':
    case 'fma':
    case 'dot':
    case 'reduce':
      return e;
  }
}

/** Without the `let`s, and the `set`s of them, that nothing reads. A name is read after its `let`, so one walk backwards is enough. */
function dropUnused(body: readonly Stmt[]): readonly Stmt[] {
  const changed = changedNames(body);
  // Reads of a changed variable may stand before the change in the text: whether there are any is found out first.
  const everRead = new Set<string>();
  walk(body, s => {
    for (const e of exprsOf(s))
      readsOf(e, name => {
        if (s.k !== 'set' || s.name !== name) everRead.add(name);
      });
  });
  const read = new Set<string>();
  const unused = (s: Stmt): boolean =>
    (s.k === 'let' && !read.has(s.name) && !(changed.has(s.name) && everRead.has(s.name))) ||
    (s.k === 'set' && !everRead.has(s.name));
  const back = (b: readonly Stmt[]): readonly Stmt[] => {
    const out: Stmt[] = [];
    for (const s of b.toReversed()) {
      if (unused(s)) continue;
      const t = mapStmt(s, e => e, back);
      for (const e of exprsOf(t)) readsOf(e, name => read.add(name));
      out.push(t);
    }
    out.reverse();
    return out.length === b.length && out.every((s, i) => s === b[i]) ? b : out;
  };
  return back(body);
}
