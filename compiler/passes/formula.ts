import { splatOf } from '../core/tensor.ts';
import { tensorOf, type Value } from '../graph/graph.ts';
import type { Op } from '../ops/define.ts';
import {
  Abs,
  Add,
  Div,
  Erf,
  Exp,
  Log,
  Mul,
  Neg,
  Pow,
  Reciprocal,
  Sigmoid,
  Softplus,
  Sub,
  Tanh,
} from '../ops/elementwise/index.ts';

/**
 * Formulas of one variable in a normal form, so that an expression is recognised by what it says and not by how it is written: factors and
 * terms have no order, constants of a product are one coefficient, and a sum has the coefficient of its first term in front. Nothing is
 * distributed and no function is rewritten into another, so that two equal formulas differ by roundings of their steps alone.
 */
export interface Product {
  readonly coefficient: number;
  /** Atoms by number, with their powers: integers, negative for what is divided by. */
  readonly powers: ReadonlyMap<number, number>;
}
type Atom =
  | { readonly k: 'x' }
  | { readonly k: 'sum'; readonly terms: readonly Product[] }
  | { readonly k: 'call'; readonly f: Op; readonly x: Product };

/** Two roundings of a constant to f32: what spelling 1/sqrt(2) as a division, or in a file of f32, changes. */
const ROUNDINGS = 2 ** -22;
const near = (a: number, b: number): boolean => Math.abs(a - b) <= ROUNDINGS * Math.max(Math.abs(a), Math.abs(b));

const FUNCTIONS: ReadonlySet<Op> = new Set([Abs, Erf, Exp, Log, Sigmoid, Softplus, Tanh]);
/** Expressions of more nodes than this are not looked into. */
const MOST_NODES = 16;

/** Formulas whose atoms are numbered alike, so that they can be compared. */
export interface Formulas {
  readonly x: Product;
  num(v: number): Product;
  add(...terms: readonly Product[]): Product;
  mul(...factors: readonly Product[]): Product;
  /** 1 / p. */
  inv(p: Product): Product;
  call(f: Op, x: Product): Product;
  /**
   * The formula that a value is of `x`; undefined where something else is in it, or where a value on the way has another use (`once` tells)
   * and so would be computed anyway.
   */
  of(root: Value, x: Value, once: (v: Value) => boolean): Product | undefined;
}
export const sameFormula = (a: Product, b: Product): boolean => near(a.coefficient, b.coefficient) && keyOf(a) === keyOf(b);
/** The atoms of a product, in order. */
const keyOf = (p: Product): string =>
  [...p.powers]
    .sort((a, b) => a[0] - b[0])
    .map(([atom, power]) => `${atom}^${power}`)
    .join(' ');

export function newFormulas(): Formulas {
  const atoms: Atom[] = [{ k: 'x' }];
  const same = (a: Atom, b: Atom): boolean => {
    switch (a.k) {
      case 'x':
        return b.k === 'x';
      case 'call':
        return b.k === 'call' && a.f === b.f && sameFormula(a.x, b.x);
      case 'sum':
        return (
          b.k === 'sum' &&
          a.terms.length === b.terms.length &&
          a.terms.every((t, i) => {
            const u = b.terms[i];
            return u !== undefined && sameFormula(t, u);
          })
        );
    }
  };
  const atom = (a: Atom): Product => {
    const had = atoms.findIndex(b => same(a, b));
    const id = had < 0 ? atoms.push(a) - 1 : had;
    return { coefficient: 1, powers: new Map([[id, 1]]) };
  };
  const num = (v: number): Product => ({ coefficient: v, powers: new Map() });
  const mul = (...factors: readonly Product[]): Product => {
    const powers = new Map<number, number>();
    let coefficient = 1;
    for (const f of factors) {
      coefficient *= f.coefficient;
      for (const [id, n] of f.powers) {
        const power = (powers.get(id) ?? 0) + n;
        if (power === 0) powers.delete(id);
        else powers.set(id, power);
      }
    }
    return { coefficient, powers };
  };
  const inv = (p: Product): Product => ({
    coefficient: 1 / p.coefficient,
    powers: new Map([...p.powers].map(([id, n]) => [id, -n])),
  });
  const add = (...terms: readonly Product[]): Product => {
    const byKey = new Map<string, Product>();
    for (const t of terms) {
      const had = byKey.get(keyOf(t));
      byKey.set(keyOf(t), had ? { ...had, coefficient: had.coefficient + t.coefficient } : t);
    }
    const all = [...byKey].sort(([a], [b]) => (a < b ? 1 : -1)).map(([, t]) => t);
    const [first] = all;
    if (first === undefined) return num(0);
    if (all.length === 1) return first;
    const sum = atom({ k: 'sum', terms: all.map(t => ({ ...t, coefficient: t.coefficient / first.coefficient })) });
    return { ...sum, coefficient: first.coefficient };
  };
  const call = (f: Op, x: Product): Product => atom({ k: 'call', f, x });

  /** 1 / p where p is a constant or a sum: other quotients could meet a factor that cancels, and floats do not cancel at their ends. */
  const inverse = (p: Product): Product | undefined => {
    const [first, ...more] = p.powers;
    const isSum = first !== undefined && more.length === 0 && first[1] === 1 && atoms[first[0]]?.k === 'sum';
    return first === undefined || isSum ? inv(p) : undefined;
  };
  const multiplied = (a: Product, b: Product | undefined): Product | undefined => b && mul(a, b);

  function of(root: Value, x: Value, once: (v: Value) => boolean): Product | undefined {
    let nodes = 0;
    const visit = (v: Value | undefined): Product | undefined => {
      if (v === undefined) return undefined;
      if (v === x) return { coefficient: 1, powers: new Map([[0, 1]]) };
      const t = tensorOf(v);
      const constant = t && splatOf(t);
      if (constant !== undefined) return num(constant);
      const { def } = v;
      if (def.k !== 'node' || ++nodes > MOST_NODES || (v !== root && !once(v))) return undefined;
      const a = visit(def.inputs[0]);
      if (!a) return undefined;
      if (FUNCTIONS.has(def.op)) return call(def.op, a);
      if (def.op === Neg) return mul(a, num(-1));
      if (def.op === Reciprocal) return inverse(a);
      const b = visit(def.inputs[1]);
      if (!b) return undefined;
      switch (def.op) {
        case Add:
          return add(a, b);
        case Sub:
          return add(a, mul(b, num(-1)));
        case Mul:
          return mul(a, b);
        case Div:
          return multiplied(a, inverse(b));
        case Pow:
          return b.powers.size === 0 && (b.coefficient === 2 || b.coefficient === 3)
            ? mul(...Array.from({ length: b.coefficient }, () => a))
            : undefined;
      }
      return undefined;
    };
    return visit(root);
  }
  return { x: { coefficient: 1, powers: new Map([[0, 1]]) }, num, add, mul, inv, call, of };
}
