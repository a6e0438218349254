import { add, div, I32, int, max, mul, rem, sub, type Expr, type Kernel, type Stmt } from '../ir.ts';
import { freshNames } from './names.ts';
import { hasLoop, mapStmt, readsOf } from './rewrite.ts';

type For = Extract<Stmt, { k: 'for' }>;

/**
 * Brings parallel loops into the form that a back end can cut into slices: the outermost of each nest counts from 0 by 1, and no loop
 * inside of it is marked. Parallel loops that stand directly in each other become one, so that there are enough iterations to share even
 * where the outer has few; an innermost loop stays as it is, since it is too small to share and the fastest in its own form.
 */
export function slices(kernel: Kernel): Kernel {
  const fresh = freshNames(kernel, 'slice');
  const block = (body: readonly Stmt[]): readonly Stmt[] => {
    const out = body.map(s => (s.k === 'for' && s.parallel ? sliced(s, fresh) : mapStmt(s, e => e, block)));
    return out.every((s, i) => s === body[i]) ? body : out;
  };
  const body = block(kernel.body);
  return body === kernel.body ? kernel : { ...kernel, body };
}

function sliced(outer: For, fresh: () => string): Stmt {
  /** The loops of the nest, and what stands before each inner one. */
  const loops: For[] = [outer];
  const between: (readonly Stmt[])[] = [];
  const inside = new Set([outer.v]);
  let body = outer.body;
  for (let next = innerOf(body, inside); next; next = innerOf(body, inside)) {
    between.push(body.slice(0, -1));
    loops.push(next);
    inside.add(next.v);
    body = next.body;
  }
  const plain = body.map(unmarked);
  const count = loops.map(trips).reduce(mul);
  const v = fresh();
  let rest: Expr = { k: 'var', t: I32, name: v };
  /** The counter of each loop, innermost first. */
  const index: Stmt[] = [];
  for (let i = loops.length - 1; i >= 0; i--) {
    const l = loops[i];
    if (!l) continue;
    const [n, mine] = [trips(l), rest];
    if (i > 0) {
      const name = fresh();
      index.push({ k: 'let', name, value: div(mine, n) });
      rest = { k: 'var', t: I32, name };
    }
    index.push({ k: 'let', name: l.v, value: add(l.lo, mul(i > 0 ? rem(mine, n) : mine, l.step)) });
  }
  return { k: 'for', v, lo: int(0), hi: count, step: 1, parallel: true, body: [...index, ...between.flat(), ...plain] };
}
/** The parallel loop that a block ends with, where nothing but values stand before it and its bounds are known outside of the nest. */
function innerOf(body: readonly Stmt[], inside: Set<string>): For | undefined {
  const last = body.at(-1);
  if (last?.k !== 'for' || !last.parallel || !hasLoop(last.body)) return undefined;
  const names = new Set(inside);
  for (const s of body.slice(0, -1)) {
    if (s.k !== 'let') return undefined;
    names.add(s.name);
  }
  const needed: string[] = [];
  for (const e of [last.lo, last.hi]) readsOf(e, name => needed.push(name));
  if (needed.some(name => names.has(name))) return undefined;
  for (const name of names) inside.add(name);
  return last;
}
const unmarked = (s: Stmt): Stmt => {
  const t = mapStmt(
    s,
    e => e,
    b => {
      const out = b.map(unmarked);
      return out.every((x, i) => x === b[i]) ? b : out;
    },
  );
  return t.k === 'for' && t.parallel ? { ...t, parallel: false } : t;
};
/** How often a loop runs. */
const trips = (l: For): Expr => {
  const span = sub(l.hi, l.lo);
  return max(l.step === 1 ? span : div(add(span, l.step - 1), l.step), 0);
};
