import { fail, InternalError, must } from './diagnostic.ts';

/** A size that is known only when the model runs, with the range it may take. Two symbols of one name are the same symbol. */
export interface Sym {
  readonly k: 'sym';
  readonly key: string;
  readonly name: string;
  readonly lo: number;
  readonly hi: number;
}
/** What a polynomial is made of: symbols, and the operations that are not polynomial. */
type Atom = Sym | { readonly k: 'floordiv' | 'min' | 'max'; readonly key: string; readonly a: Dim; readonly b: Dim };
interface Term {
  readonly coef: number;
  readonly atoms: readonly Atom[];
  readonly key: string;
}
/** A polynomial in canonical form (terms sorted by key): equal polynomials have equal keys. */
interface Poly {
  readonly k: 'poly';
  readonly terms: readonly Term[];
  readonly c: number;
  readonly key: string;
}
/** A size or an index: an integer, or an integer expression over symbols. */
export type Dim = number | Poly;
export interface Range {
  readonly lo: number;
  readonly hi: number;
}

/**
 * Letters of an expression, and products of terms on the way to one, beyond which it is refused (E302): a size that is used twice at each
 * step of a chain doubles what it is made of. Everything that walks an expression is bounded by it.
 */
const LONGEST = 8192;
function tooLong(what: string): never {
  return fail('E302', {
    dim: what.length > 60 ? `${what.slice(0, 60)}…` : what,
    why: 'what the model makes of it is an expression too long to follow; fix the sizes that it depends on with --dim NAME=N',
  });
}

function term(coef: number, atoms: readonly Atom[]): Term {
  const sorted = [...atoms].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return { coef, atoms: sorted, key: sorted.map(a => a.key).join('*') };
}
function poly(terms: readonly Term[], c: number): Dim {
  const sum = new Map<string, Term>();
  for (const t of terms) {
    const had = sum.get(t.key);
    sum.set(t.key, had ? { ...t, coef: had.coef + t.coef } : t);
  }
  const kept = [...sum.values()].filter(t => t.coef !== 0).sort((a, b) => (a.key < b.key ? -1 : 1));
  if (kept.length === 0) return c;
  const text = kept.map(t => (t.coef === 1 ? t.key : `${t.coef}*${t.key}`)).join('+') + (c === 0 ? '' : c > 0 ? `+${c}` : `${c}`);
  if (text.length > LONGEST) tooLong(text);
  return { k: 'poly', terms: kept, c, key: text.replaceAll('+-', '-') };
}
const parts = (d: Dim): { terms: readonly Term[]; c: number } => (typeof d === 'number' ? { terms: [], c: d } : d);
const atom = (a: Atom): Dim => poly([term(1, [a])], 0);
/** A fresh symbol; `lo` and `hi` are inclusive. */
export const symbol = (name: string, lo: number, hi: number): Dim =>
  lo === hi ? lo : atom({ k: 'sym', key: name, name, lo, hi });

/** The text of a dimension; equal dimensions have equal text. */
export const showDim = (d: Dim): string => (typeof d === 'number' ? String(d) : d.key);
export const dimEq = (a: Dim, b: Dim): boolean => (typeof a === 'number' || typeof b === 'number' ? a === b : a.key === b.key);
export const dimsEq = (a: readonly Dim[], b: readonly Dim[]): boolean =>
  a.length === b.length && a.every((d, i) => dimEq(d, b[i] ?? NaN));

export function dimAdd(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  const x = parts(a);
  const y = parts(b);
  return poly([...x.terms, ...y.terms], x.c + y.c);
}
export function dimMul(a: Dim, b: Dim): Dim {
  // The sum keeps -0 out of sizes.
  if (typeof a === 'number' && typeof b === 'number') return a * b + 0;
  if (a === 1) return b;
  if (b === 1) return a;
  const x = parts(a);
  const y = parts(b);
  if (x.terms.length * y.terms.length > LONGEST) tooLong(showDim(a));
  const out: Term[] = [];
  for (const s of x.terms) {
    for (const t of y.terms) out.push(term(s.coef * t.coef, [...s.atoms, ...t.atoms]));
    out.push(term(s.coef * y.c, s.atoms));
  }
  for (const t of y.terms) out.push(term(t.coef * x.c, t.atoms));
  return poly(out, x.c * y.c);
}
export const dimNeg = (a: Dim): Dim => dimMul(a, -1);
export const dimSub = (a: Dim, b: Dim): Dim => dimAdd(a, dimNeg(b));
export const dimProd = (ds: readonly Dim[]): Dim => ds.reduce(dimMul, 1);
export const dimSum = (ds: readonly Dim[]): Dim => ds.reduce(dimAdd, 0);

/** Splits a monomial divisor out of every term, if it divides all of them. */
function exactDiv(a: Dim, b: Dim): Dim | undefined {
  if (dimEq(a, b)) return 1;
  if (b === 1) return a;
  if (a === 0) return 0;
  const y = parts(b);
  const only = y.terms.length === 0 ? term(y.c, []) : y.c === 0 && y.terms.length === 1 ? y.terms[0] : undefined;
  if (only === undefined || only.coef === 0) return undefined;
  const x = parts(a);
  const out: Term[] = [];
  const all = x.c === 0 ? x.terms : [...x.terms, term(x.c, [])];
  for (const t of all) {
    if (t.coef % only.coef !== 0) return undefined;
    const left = [...t.atoms];
    for (const need of only.atoms) {
      const at = left.findIndex(l => l.key === need.key);
      if (at < 0) return undefined;
      left.splice(at, 1);
    }
    out.push(term(t.coef / only.coef, left));
  }
  return out.reduce<Dim>((sum, t) => dimAdd(sum, t.atoms.length === 0 ? t.coef : poly([t], 0)), 0);
}

/** Floor division. A zero divisor gives 0. */
export function dimFloorDiv(a: Dim, b: Dim): Dim {
  if (b === 0) return 0;
  if (typeof a === 'number' && typeof b === 'number') return Math.floor(a / b);
  const exact = exactDiv(a, b);
  if (exact !== undefined) return exact;
  if (typeof b === 'number' && b > 0 && typeof a !== 'number') {
    // floor((b*q + r) / b) = q + floor(r / b)
    const whole = a.terms.filter(t => t.coef % b === 0).map(t => ({ ...t, coef: t.coef / b }));
    const rest = a.terms.filter(t => t.coef % b !== 0);
    const q = Math.floor(a.c / b);
    if (whole.length > 0 || q !== 0) return dimAdd(poly(whole, q), dimFloorDiv(poly(rest, a.c - q * b), b));
    // floor((floor(x / m) + c) / n) = floor((x + c*m) / (m*n))
    const inner =
      a.terms.length === 1 && a.terms[0]?.coef === 1 && a.terms[0].atoms.length === 1 ? a.terms[0].atoms[0] : undefined;
    if (inner?.k === 'floordiv' && typeof inner.b === 'number') return dimFloorDiv(dimAdd(inner.a, a.c * inner.b), inner.b * b);
    const r = rangeOf(a);
    if (Math.floor(r.lo / b) === Math.floor(r.hi / b)) return Math.floor(r.lo / b);
  }
  return atom({ k: 'floordiv', key: `floor((${showDim(a)})/(${showDim(b)}))`, a, b });
}
export const dimCeilDiv = (a: Dim, b: Dim): Dim => dimNeg(dimFloorDiv(dimNeg(a), b));
/** The remainder that goes with `dimFloorDiv`: it has the sign of `b`. */
export function dimMod(a: Dim, b: Dim): Dim {
  return dimSub(a, dimMul(b, dimFloorDiv(a, b)));
}
function extreme(k: 'min' | 'max', a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return k === 'min' ? Math.min(a, b) : Math.max(a, b);
  const d = rangeOf(dimSub(a, b));
  if (d.hi <= 0) return k === 'min' ? a : b;
  if (d.lo >= 0) return k === 'min' ? b : a;
  const [x, y] = showDim(a) < showDim(b) ? [a, b] : [b, a];
  return atom({ k, key: `${k}(${showDim(x)},${showDim(y)})`, a: x, b: y });
}
export const dimMin = (a: Dim, b: Dim): Dim => extreme('min', a, b);
export const dimMax = (a: Dim, b: Dim): Dim => extreme('max', a, b);

/** Bounds by interval arithmetic: safe, not always tight. */
export function rangeOf(d: Dim): Range {
  if (typeof d === 'number') return { lo: d, hi: d };
  const r = intervalOf(d);
  if (d.terms.length < 2 || !d.terms.some(t => quotientOf(t))) return r;
  // What a quotient stands for takes part in cancelling: floor(n/2) - n never exceeds -n/2.
  const lo = intervalOf(relax(d, 'lo')).lo;
  const hi = intervalOf(relax(d, 'hi')).hi;
  return { lo: Math.max(r.lo, Math.ceil(lo - 1e-6)), hi: Math.min(r.hi, Math.floor(hi + 1e-6)) };
}
function intervalOf(d: Dim): Range {
  if (typeof d === 'number') return { lo: d, hi: d };
  return d.terms.reduce<Range>(
    (sum, t) => {
      const r = t.atoms.reduce<Range>((p, a) => mulRange(p, atomRange(a)), { lo: t.coef, hi: t.coef });
      return { lo: sum.lo + r.lo, hi: sum.hi + r.hi };
    },
    { lo: d.c, hi: d.c },
  );
}
/** The quotient by a positive number that a term is a multiple of. */
function quotientOf(t: Term): { readonly a: Dim; readonly b: number } | undefined {
  const [q] = t.atoms;
  return t.atoms.length === 1 && q?.k === 'floordiv' && typeof q.b === 'number' && q.b > 0 ? { a: q.a, b: q.b } : undefined;
}
/** A bound without rounding: x/b - (b-1)/b <= floor(x/b) <= x/b. */
function relax(d: Dim, to: 'lo' | 'hi'): Dim {
  if (typeof d === 'number') return d;
  return d.terms.reduce<Dim>((sum, t) => {
    const q = quotientOf(t);
    if (!q) return dimAdd(sum, poly([t], 0));
    const up = t.coef > 0 === (to === 'hi');
    const whole = relax(q.a, up ? 'hi' : 'lo');
    return dimAdd(sum, dimMul(up ? whole : dimAdd(whole, 1 - q.b), t.coef / q.b));
  }, d.c);
}
function mulRange(a: Range, b: Range): Range {
  const all = [a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi].map(x => (Number.isNaN(x) ? 0 : x));
  return { lo: Math.min(...all), hi: Math.max(...all) };
}
/** The ranges of atoms that were asked for: one that is part of many, again and again. */
const ranges = new WeakMap<Atom, Range>();
function atomRange(a: Atom): Range {
  if (a.k === 'sym') return a;
  const had = ranges.get(a);
  if (had) return had;
  const made = compoundRange(a);
  ranges.set(a, made);
  return made;
}
function compoundRange(a: Exclude<Atom, Sym>): Range {
  const x = rangeOf(a.a);
  const y = rangeOf(a.b);
  switch (a.k) {
    case 'min':
      return { lo: Math.min(x.lo, y.lo), hi: Math.min(x.hi, y.hi) };
    case 'max':
      return { lo: Math.max(x.lo, y.lo), hi: Math.max(x.hi, y.hi) };
    case 'floordiv': {
      if (y.lo <= 0) return { lo: Math.min(x.lo, -Math.abs(x.hi), 0), hi: Math.max(x.hi, Math.abs(x.lo), 0) };
      const all = [x.lo / y.lo, x.lo / y.hi, x.hi / y.lo, x.hi / y.hi].map(Math.floor);
      return { lo: Math.min(...all), hi: Math.max(...all) };
    }
  }
}
/** The largest value a size can take: what storage is planned for. */
export const dimHi = (d: Dim): number => rangeOf(d).hi;
/** The number a dimension is, where it is static. */
export const staticDim = (d: Dim): number | undefined => (typeof d === 'number' ? d : undefined);
export const staticDims = (ds: readonly Dim[]): number[] | undefined =>
  ds.every(d => typeof d === 'number') ? [...ds] : undefined;
/** Whether `d` is a multiple of `m` whatever the symbols are. */
export const isMultiple = (d: Dim, m: number): boolean =>
  typeof d === 'number' ? d % m === 0 : d.c % m === 0 && d.terms.every(t => t.coef % m === 0);
/** Whether the two can never be equal. */
export function dimsNeverEqual(a: Dim, b: Dim): boolean {
  const r = rangeOf(dimSub(a, b));
  return r.lo > 0 || r.hi < 0;
}

type Env = ReadonlyMap<string, number>;
/** The value under an assignment of the symbols. */
export function evalDim(d: Dim, env: Env): number {
  const v = substitute(d, name => env.get(name));
  return typeof v === 'number' ? v : failUnbound(v);
}
function failUnbound(v: Poly): never {
  throw new InternalError(
    `dimension ${v.key} has no value: ${symbolsOf(v)
      .map(s => s.name)
      .join(', ')} not bound`,
  );
}
/** Replaces symbols by what `to` gives for them; undefined leaves a symbol as it is. */
export function substitute(d: Dim, to: (name: string) => Dim | undefined): Dim {
  if (typeof d === 'number') return d;
  const atomTo = (a: Atom): Dim => {
    switch (a.k) {
      case 'sym':
        return to(a.name) ?? atom(a);
      case 'floordiv':
        return dimFloorDiv(substitute(a.a, to), substitute(a.b, to));
      case 'min':
        return dimMin(substitute(a.a, to), substitute(a.b, to));
      case 'max':
        return dimMax(substitute(a.a, to), substitute(a.b, to));
    }
  };
  return d.terms.reduce<Dim>(
    (sum, t) =>
      dimAdd(
        sum,
        t.atoms.reduce<Dim>((p, a) => dimMul(p, atomTo(a)), t.coef),
      ),
    d.c,
  );
}
/** The symbols a dimension depends on, each once. */
export function symbolsOf(d: Dim): Sym[] {
  const out = new Map<string, Sym>();
  const walk = (x: Dim): void => {
    if (typeof x === 'number') return;
    for (const t of x.terms)
      for (const a of t.atoms)
        if (a.k === 'sym') out.set(a.name, a);
        else {
          walk(a.a);
          walk(a.b);
        }
  };
  walk(d);
  return [...out.values()];
}
/** Folds a dimension into another domain: kernel expressions, JavaScript source, C source. */
export function foldDim<T>(
  d: Dim,
  to: { num(n: number): T; sym(name: string): T; bin(op: 'add' | 'mul' | 'floordiv' | 'min' | 'max', a: T, b: T): T },
): T {
  if (typeof d === 'number') return to.num(d);
  const one = (a: Atom): T => (a.k === 'sym' ? to.sym(a.name) : to.bin(a.k, foldDim(a.a, to), foldDim(a.b, to)));
  const terms = d.terms.map(t => {
    const atoms = t.atoms.map(one);
    const all = t.coef === 1 ? atoms : [to.num(t.coef), ...atoms];
    return all.reduce((a, b) => to.bin('mul', a, b));
  });
  const sum = terms.reduce((a, b) => to.bin('add', a, b));
  return d.c === 0 ? sum : to.bin('add', sum, to.num(d.c));
}

/** Reads what `showDim` writes; `range` gives the range of a symbol. */
export function parseDim(text: string, range: (name: string) => Range): Dim {
  let i = 0;
  const eat = (s: string): boolean => (text.startsWith(s, i) ? ((i += s.length), true) : false);
  const need = (s: string): void => {
    if (!eat(s)) throw new InternalError(`expected '${s}' at ${i} of dimension '${text}'`);
  };
  const factor = (): Dim => {
    for (const k of ['min', 'max'] as const)
      if (eat(`${k}(`)) {
        const a = sum();
        need(',');
        const b = sum();
        need(')');
        return extreme(k, a, b);
      }
    if (eat('floor((')) {
      const a = sum();
      need(')/(');
      const b = sum();
      need('))');
      return dimFloorDiv(a, b);
    }
    const m = /^(?:-?\d+|[A-Za-z_][\w.:/]*)/.exec(text.slice(i));
    const word = must(m, `dimension '${text}'`)[0];
    i += word.length;
    if (/^-?\d/.test(word)) return Number(word);
    const r = range(word);
    return symbol(word, r.lo, r.hi);
  };
  const product = (): Dim => {
    let d = factor();
    while (eat('*')) d = dimMul(d, factor());
    return d;
  };
  const sum = (): Dim => {
    let d = product();
    for (;;) {
      if (eat('+')) d = dimAdd(d, product());
      else if (text.startsWith('-', i)) d = dimAdd(d, product());
      else return d;
    }
  };
  const d = sum();
  if (i < text.length) throw new InternalError(`cannot parse dimension '${text}'`);
  return d;
}
