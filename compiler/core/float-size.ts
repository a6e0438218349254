import {
  dimAdd,
  dimCeilDiv,
  dimEq,
  dimFloorDiv,
  dimMul,
  dimSub,
  foldDim,
  rangeOf,
  symbol,
  symbolsOf,
  type Dim,
  type Range,
  type Sym,
} from './dim.ts';
import { digitalLine } from './digital-line.ts';

/**
 * Sizes that pass through floats, as exporters write a scaled size: `Cast(Floor(Mul(Cast(h), 1.37)))`. A float is what its operators make
 * of sizes, each rounded as the model rounds it; where it becomes an integer again, that is an expression of the sizes if one is equal to it
 * for every size in range.
 */
interface FloatNode {
  readonly k: 'float';
  readonly rule: FloatRule;
  readonly args: readonly Content[];
  /** The value from the values of the arguments, rounded to the type of the result. */
  readonly at: (args: readonly number[]) => number;
  /** Significant bits of the result's type; more than any float has where it is an integer or bool. */
  readonly bits: number;
  /** Operators above the sizes, at most. */
  readonly depth: number;
}
/** An element of a small tensor that follows from sizes: of integers a dimension, of floats a number or what is made of dimensions. */
export type Content = Dim | FloatNode;

/**
 * What an operator does with numbers, as far as sizes need it. All round the exact result once. `monotone`: of each argument it rises or falls,
 * and so do the arithmetical ones, but for division by what may be 0. To an integer `cast` and `div` cut off the fraction.
 */
export type FloatRule = 'add' | 'sub' | 'mul' | 'div' | 'floor' | 'ceil' | 'cast' | 'monotone' | 'other';

/** The significant bits of whole numbers, which are exact. */
export const WHOLE = 64;
/** Deeper expressions are not followed. */
const MOST_DEPTH = 64;
/** Sizes are tried one by one in ranges of up to so many. */
const MOST_VALUES = 2 ** 14;

export const isFloatNode = (x: Content): x is FloatNode => typeof x === 'object' && x.k === 'float';

/** What an operator makes of its arguments: a number where all are numbers; undefined where it is too deep to follow. */
export function floatContent(
  rule: FloatRule,
  args: readonly Content[],
  at: FloatNode['at'],
  bits: number,
): number | FloatNode | undefined {
  const numbers = args.filter(a => typeof a === 'number');
  if (numbers.length === args.length) return at(numbers);
  const depth = 1 + args.reduce<number>((most, a) => Math.max(most, isFloatNode(a) ? a.depth : 0), 0);
  return depth > MOST_DEPTH ? undefined : { k: 'float', rule, args, at, bits, depth };
}

/** The dimension that is equal to a whole number made of sizes, whatever these are; undefined where none is found. */
export function wholeSize(x: Content): Dim | undefined {
  if (!isFloatNode(x)) return x;
  const ratio = ratioOf(x);
  if (ratio && ratio.den === 1 && ratio.exact) return ratio.num;
  const table = tableOf(x);
  if (!table) return undefined;
  for (const base of table.bases) {
    const line = digitalLine(table.values(base), table.values(x));
    if (line) return dimFloorDiv(dimAdd(dimMul(base, line.a), line.b), line.c);
  }
  return undefined;
}

const ranges = new WeakMap<FloatNode, { readonly range: Range | undefined }>();
/** The least and the greatest value for all sizes in range, or undefined where that cannot be told. */
export function boundsOf(x: Content): Range | undefined {
  if (!isFloatNode(x)) return rangeOf(x);
  const had = ranges.get(x);
  if (had) return had.range;
  const range = tableRange(x) ?? cornerRange(x);
  ranges.set(x, { range });
  return range;
}
function tableRange(x: FloatNode): Range | undefined {
  const values = tableOf(x)?.values(x);
  return (
    values &&
    finite(
      values.reduce((a, b) => Math.min(a, b)),
      values.reduce((a, b) => Math.max(a, b)),
    )
  );
}
/** Of a function that rises or falls in each argument the extremes are at ends of their ranges, rounding included. */
function cornerRange(x: FloatNode): Range | undefined {
  if (x.rule === 'other') return undefined;
  const args = x.args.map(boundsOf);
  const divisor = x.rule === 'div' ? args[1] : undefined;
  if (divisor && divisor.lo <= 0 && divisor.hi >= 0) return undefined;
  let corners: number[][] = [[]];
  for (const a of args) {
    if (!a) return undefined;
    corners = corners.flatMap(c => [
      [...c, a.lo],
      [...c, a.hi],
    ]);
  }
  const values = corners.map(c => x.at(c));
  return finite(Math.min(...values), Math.max(...values));
}
const finite = (lo: number, hi: number): Range | undefined =>
  Number.isFinite(lo) && Number.isFinite(hi) ? { lo, hi } : undefined;

/** num / den, for a positive den: the value of a float, or (not `exact`) what it is the nearest float to. */
interface Ratio {
  readonly num: Dim;
  readonly den: Dim;
  readonly exact: boolean;
}
const ratios = new WeakMap<FloatNode, { readonly ratio: Ratio | undefined }>();
/** What an element is by exact arithmetic, where it is proved by the ranges that floats do the same. */
function ratioOf(x: Content): Ratio | undefined {
  if (typeof x === 'number') return dyadic(x);
  if (!isFloatNode(x)) return { num: x, den: 1, exact: true };
  const had = ratios.get(x);
  if (had) return had.ratio;
  const args = x.args.map(ratioOf);
  const ratio = args.every(a => a !== undefined) ? combined(x, args) : undefined;
  ratios.set(x, { ratio });
  return ratio;
}
function combined(x: FloatNode, [a, b]: readonly Ratio[]): Ratio | undefined {
  if (!a) return undefined;
  /** The result of exact arithmetic where the type holds it: whole numbers of few bits over a power of two. */
  const held = (num: Dim, den: Dim): Ratio | undefined =>
    fits(num, x.bits) && typeof den === 'number' && isPower(den) ? { num, den, exact: true } : undefined;
  switch (x.rule) {
    case 'cast':
      if (x.bits >= WHOLE) return rangeOf(a.num).lo >= 0 ? rounded(x, a, dimFloorDiv) : a.den === 1 && a.exact ? a : undefined;
      return a.exact ? held(a.num, a.den) : undefined;
    case 'floor':
      return rounded(x, a, dimFloorDiv);
    case 'ceil':
      return rounded(x, a, dimCeilDiv);
    case 'add':
    case 'sub': {
      if (!b || !a.exact || !b.exact) return undefined;
      const [p, q] = dimEq(a.den, b.den) ? [a.num, b.num] : [dimMul(a.num, b.den), dimMul(b.num, a.den)];
      return held(x.rule === 'add' ? dimAdd(p, q) : dimSub(p, q), dimEq(a.den, b.den) ? a.den : dimMul(a.den, b.den));
    }
    case 'mul':
      return b && a.exact && b.exact ? held(dimMul(a.num, b.num), dimMul(a.den, b.den)) : undefined;
    case 'div': {
      if (!b || !a.exact || !b.exact) return undefined;
      const [num, den] = [dimMul(a.num, b.den), dimMul(a.den, b.num)];
      if (rangeOf(den).lo < 1) return undefined;
      if (x.bits >= WHOLE) return rangeOf(num).lo >= 0 ? { num: dimFloorDiv(num, den), den: 1, exact: true } : undefined;
      const whole = dimFloorDiv(num, den);
      if (dimEq(dimMul(whole, den), num)) return held(whole, 1);
      return held(num, den) ?? { num, den, exact: false };
    }
    case 'monotone':
    case 'other':
      return undefined;
  }
}
/**
 * The whole number below or above a ratio. Of one that was rounded it is that of the ratio itself if its numerator has at most the bits of the
 * type: the next whole number is 1 / den away, and rounding moves n / den by at most 2^-bits n / den.
 */
function rounded(x: FloatNode, r: Ratio, divide: (a: Dim, b: Dim) => Dim): Ratio | undefined {
  const [from] = x.args;
  const bits = from !== undefined && isFloatNode(from) ? from.bits : WHOLE;
  if (!r.exact && !fits(r.num, bits - 1)) return undefined;
  return { num: divide(r.num, r.den), den: 1, exact: true };
}
function fits(d: Dim, bits: number): boolean {
  const { lo, hi } = rangeOf(d);
  return Math.max(-lo, hi) <= 2 ** Math.min(bits, 31);
}
const isPower = (n: number): boolean => n >= 1 && Number.isInteger(Math.log2(n));
/** A number as a whole one over a power of two, where both are small. */
function dyadic(v: number): Ratio | undefined {
  for (let den = 1; den <= 2 ** 20; den *= 2)
    if (Number.isInteger(v * den)) return Math.abs(v * den) <= 2 ** 31 ? { num: v * den + 0, den, exact: true } : undefined;
  return undefined;
}

/** The values that dimensions and floats take as the one symbol that they depend on goes through its range. */
interface Table {
  /** Dimensions that a float is made of, and the symbol. */
  readonly bases: readonly Dim[];
  values(x: Content): Float64Array;
}
/** Undefined where a float depends on several symbols, or on one of a long range. */
function tableOf(x: FloatNode): Table | undefined {
  const leaves = new Map<string, Dim>();
  const symbols = new Map<string, Sym>();
  const seen = new Set<Content>();
  const visit = (y: Content): void => {
    if (typeof y === 'number' || seen.has(y)) return;
    seen.add(y);
    if (isFloatNode(y)) y.args.forEach(visit);
    else {
      leaves.set(y.key, y);
      for (const s of symbolsOf(y)) symbols.set(s.name, s);
    }
  };
  visit(x);
  const [s] = symbols.values();
  if (!s || symbols.size > 1 || s.hi - s.lo >= MOST_VALUES) return undefined;
  const own = symbol(s.name, s.lo, s.hi);
  const count = s.hi - s.lo + 1;
  const done = new Map<Content, Float64Array>();
  const values = (y: Content): Float64Array => {
    const had = done.get(y);
    if (had) return had;
    const out = new Float64Array(count);
    if (isFloatNode(y)) {
      const args = y.args.map(values);
      const row = new Array<number>(args.length);
      for (let i = 0; i < count; i++) {
        for (let j = 0; j < row.length; j++) row[j] = args[j]?.[i] ?? NaN;
        out[i] = y.at(row);
      }
    } else {
      const at = dimFunction(y);
      for (let i = 0; i < count; i++) out[i] = at(s.lo + i);
    }
    done.set(y, out);
    return out;
  };
  return { bases: [...[...leaves.values()].filter(d => !dimEq(d, own)), own], values };
}
/** A dimension as a function of its only symbol. */
const dimFunction = (d: Dim): ((s: number) => number) =>
  foldDim<(s: number) => number>(d, {
    num: n => () => n,
    sym: () => s => s,
    bin: (op, a, b) => {
      switch (op) {
        case 'add':
          return s => a(s) + b(s);
        case 'mul':
          return s => a(s) * b(s);
        case 'floordiv':
          return s => Number(dimFloorDiv(a(s), b(s)));
        case 'min':
          return s => Math.min(a(s), b(s));
        case 'max':
          return s => Math.max(a(s), b(s));
      }
    },
  });
