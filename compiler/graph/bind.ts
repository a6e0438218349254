import { evalDim, showDim, substitute, symbolsOf, type Dim } from '../core/dim.ts';
import type { Guard } from '../ops/define.ts';

/** The values of the symbols that are known so far. */
export type Bindings = Map<string, number>;

/** Why a size does not fit what it should be. */
export type Misfit =
  | { readonly k: 'differs'; readonly want: Dim; readonly is: number; readonly got: number }
  | { readonly k: 'range'; readonly symbol: string; readonly lo: number; readonly hi: number; readonly value: number }
  | { readonly k: 'divide'; readonly want: Dim; readonly got: number };
/** A misfit in words; `what` is the thing whose size it is. */
export function showMisfit(m: Misfit): string {
  switch (m.k) {
    case 'differs':
      return typeof m.want === 'number' ? `is ${m.got}, must be ${m.want}` : `is ${m.got}, must be ${showDim(m.want)} = ${m.is}`;
    case 'range':
      return `gives ${m.symbol} = ${m.value}, outside its range ${m.lo}..${m.hi}`;
    case 'divide':
      return `is ${m.got}, which is not of the form ${showDim(m.want)}`;
  }
}

/**
 * Makes `want` equal to `got`: a symbol without a value that stands in it linearly gets one. Gives what is wrong, or 'later' where more
 * symbols need values first, or undefined where all is well.
 */
export function bindDim(want: Dim, got: number, env: Bindings): Misfit | 'later' | undefined {
  if (typeof want === 'number') return want === got ? undefined : { k: 'differs', want, is: want, got };
  const left = substitute(want, name => env.get(name));
  if (typeof left === 'number') return left === got ? undefined : { k: 'differs', want, is: left, got };
  const [term] = left.terms;
  const [atom] = term?.atoms ?? [];
  if (left.terms.length !== 1 || term?.atoms.length !== 1 || atom?.k !== 'sym') return 'later';
  const value = (got - left.c) / term.coef;
  if (!Number.isInteger(value)) return { k: 'divide', want, got };
  if (value < atom.lo || value > atom.hi) return { k: 'range', symbol: atom.name, lo: atom.lo, hi: atom.hi, value };
  env.set(atom.name, value);
  return undefined;
}

export interface Pair {
  readonly want: Dim;
  readonly got: number;
}
/** Binds pairs in whatever order they can be solved; `wrong` must throw. Gives the pairs that stay unsolved. */
export function bindAll<P extends Pair>(pairs: readonly P[], env: Bindings, wrong: (p: P, m: Misfit) => never): readonly P[] {
  let todo = pairs;
  for (;;) {
    const before = todo.length;
    todo = todo.filter(p => {
      const m = bindDim(p.want, p.got, env);
      return m === 'later' || (m !== undefined && wrong(p, m));
    });
    if (todo.length === 0 || todo.length === before) return todo;
  }
}

/** Whether every symbol of a dimension has a value. */
export const isBound = (d: Dim, env: Bindings): boolean => typeof d === 'number' || symbolsOf(d).every(s => env.has(s.name));

/** The guards that do not hold, and those that cannot be told yet. */
export function checkGuards(guards: readonly Guard[], env: Bindings, fails: (why: string) => never): readonly Guard[] {
  return guards.filter(g => {
    if (!isBound(g.a, env) || !isBound(g.b, env)) return true;
    const a = evalDim(g.a, env);
    const b = evalDim(g.b, env);
    return a !== b && fails(`${g.what}; they are ${a} and ${b}`);
  });
}

/** Concrete sizes under the bindings. */
export const concrete = (shape: readonly Dim[], env: Bindings): number[] => shape.map(d => evalDim(d, env));
