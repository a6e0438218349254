import {
  dimAdd,
  dimEq,
  dimMul,
  dimSub,
  evalDim,
  rangeOf,
  showDim,
  substitute,
  symbol,
  symbolsOf,
  type Dim,
  type Sym,
} from './dim.ts';
import type { Guard } from '../ops/define.ts';

/** `d` as mul * s + add, if it is that and tells s: mul is not 0. */
export function linearIn(d: Dim, s: Pick<Sym, 'name' | 'lo' | 'hi'>): { readonly mul: Dim; readonly add: Dim } | undefined {
  if (typeof d === 'number' || !symbolsOf(d).some(x => x.name === s.name)) return undefined;
  const at = (v: Dim): Dim => substitute(d, name => (name === s.name ? v : undefined));
  const add = at(0);
  const mul = dimSub(at(1), add);
  const range = rangeOf(mul);
  if (range.lo <= 0 && range.hi >= 0) return undefined;
  return dimEq(d, dimAdd(dimMul(mul, symbol(s.name, s.lo, s.hi)), add)) ? { mul, add } : undefined;
}

/** The values of the symbols that are known so far. */
export type Bindings = Map<string, number>;

/** Why a size does not fit what it should be. */
type Misfit =
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
  const [s, ...others] = symbolsOf(left);
  const line = s && others.length === 0 ? linearIn(left, s) : undefined;
  if (!s || typeof line?.mul !== 'number' || typeof line.add !== 'number') return 'later';
  const value = (got - line.add) / line.mul;
  if (!Number.isInteger(value)) return { k: 'divide', want, got };
  if (value < s.lo || value > s.hi) return { k: 'range', symbol: s.name, lo: s.lo, hi: s.hi, value };
  env.set(s.name, value);
  return undefined;
}

interface Pair {
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
const isBound = (d: Dim, env: Bindings): boolean => typeof d === 'number' || symbolsOf(d).every(s => env.has(s.name));

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
