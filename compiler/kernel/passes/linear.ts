import { maxOf } from '../../core/extremes.ts';
import { add, ex, int, isFloatBase, mul, type Expr } from '../ir.ts';
import { showExpr } from '../print.ts';
import { walkExpr } from './rewrite.ts';

/** A factor of a term: a variable, or an expression that is not linear in anything. */
interface Atom {
  readonly key: string;
  readonly e: Expr;
}
export interface Term {
  readonly coef: number;
  readonly atoms: readonly Atom[];
  readonly key: string;
}
/** An i32 expression as a sum of products: equal keys mean equal values. */
export interface Linear {
  readonly terms: ReadonlyMap<string, Term>;
  readonly c: number;
}
/** More terms than that are not worth multiplying out. */
const LIMIT = 12;

const term = (coef: number, atoms: readonly Atom[]): Term => {
  const sorted = atoms.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return { coef, atoms: sorted, key: sorted.map(a => a.key).join('·') };
};
function make(terms: readonly Term[], c: number): Linear {
  const out = new Map<string, Term>();
  for (const t of terms) {
    const coef = ((out.get(t.key)?.coef ?? 0) + t.coef) | 0;
    if (coef === 0) out.delete(t.key);
    else out.set(t.key, { ...t, coef });
  }
  return { terms: out, c: c | 0 };
}
export const linAdd = (a: Linear, b: Linear): Linear => make([...a.terms.values(), ...b.terms.values()], a.c + b.c);
export const linScale = (a: Linear, n: number): Linear =>
  make(
    [...a.terms.values()].map(t => ({ ...t, coef: Math.imul(t.coef, n) })),
    Math.imul(a.c, n),
  );
export function linMul(a: Linear, b: Linear): Linear {
  if (a.terms.size === 0) return linScale(b, a.c);
  if (b.terms.size === 0) return linScale(a, b.c);
  const out: Term[] = [];
  for (const x of a.terms.values()) {
    for (const y of b.terms.values()) out.push(term(Math.imul(x.coef, y.coef), [...x.atoms, ...y.atoms]));
    out.push({ ...x, coef: Math.imul(x.coef, b.c) });
  }
  for (const y of b.terms.values()) out.push({ ...y, coef: Math.imul(y.coef, a.c) });
  return make(out, Math.imul(a.c, b.c));
}
export const linConst = (c: number): Linear => ({ terms: new Map(), c });
/** The same sum without its constant. */
export const withoutConst = (a: Linear): Linear => ({ terms: a.terms, c: 0 });
export const linKey = (a: Linear): string =>
  [...a.terms.values()]
    .map(t => `${t.coef}*${t.key}`)
    .sort()
    .join('+');

/** Multiplies out an i32 expression; `define` gives what a name stands for, where it may be seen through. */
export function linearOf(e: Expr, define: (name: string) => Linear | undefined): Linear {
  const atom = (x: Expr): Linear => make([term(1, [{ key: showExpr(x), e: x }])], 0);
  const go = (x: Expr): Linear => {
    if (x.k === 'const') return linConst(Number(x.value));
    if (x.k === 'var') return define(x.name) ?? atom(x);
    if (x.k !== 'bin') return atom(x);
    switch (x.op) {
      case 'add':
        return linAdd(go(x.a), go(x.b));
      case 'sub':
        return linAdd(go(x.a), linScale(go(x.b), -1));
      case 'mul': {
        const a = go(x.a);
        const b = go(x.b);
        return (a.terms.size + 1) * (b.terms.size + 1) > LIMIT ? atom(x) : linMul(a, b);
      }
      case 'shl':
        return x.b.k === 'const' ? linScale(go(x.a), 1 << (Number(x.b.value) & 31)) : atom(x);
      case 'div':
      case 'rem':
      case 'min':
      case 'max':
      case 'and':
      case 'or':
      case 'xor':
      case 'shr':
        return atom(x);
    }
  };
  return go(e);
}
/** The variables of a term, those inside its atoms included; `still`: whether it reads no memory and cannot trap. */
export function termVars(t: Term): { readonly names: readonly string[]; readonly still: boolean } {
  const names: string[] = [];
  let still = true;
  for (const a of t.atoms)
    walkExpr(a.e, x => {
      if (x.k === 'var') names.push(x.name);
      if (x.k === 'load' || mayTrap(x)) still = false;
    });
  return { names, still };
}
/** Whether evaluating this node may trap: a division of integers by what is not known to be another number than 0 and -1. */
export function mayTrap(e: Expr): boolean {
  if (e.k !== 'bin' || (e.op !== 'div' && e.op !== 'rem') || isFloatBase(e.t.base)) return false;
  const d = e.b.k === 'const' ? Number(e.b.value) : 0;
  return d === 0 || d === -1;
}
/** The sum as an expression, terms in rising order of `rank`, so that what changes seldom is a prefix that can be hoisted. */
export function linearExpr(a: Linear, rank: (name: string) => number, start?: Expr): Expr {
  const rankOf = (t: Term): number => maxOf(termVars(t).names.map(rank), -1);
  const sorted = [...a.terms.values()].map(t => ({ t, r: rankOf(t) })).sort((x, y) => x.r - y.r);
  let sum: Expr | undefined = start;
  for (const { t } of sorted) {
    const byRank = t.atoms.toSorted((x, y) => rankOf(term(1, [x])) - rankOf(term(1, [y])));
    const product = byRank.reduce<Expr | undefined>((p, x) => (p ? mul(p, x.e) : x.e), undefined);
    const scaled = mul(ex(product ?? 1), t.coef);
    sum = sum ? add(sum, scaled) : scaled;
  }
  return a.c === 0 && sum ? sum : add(sum ?? int(0), a.c);
}
