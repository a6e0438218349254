import { must } from '../../../core/diagnostic.ts';

/** Sets of code points: ranges, ascending and apart. */
export type Ranges = readonly (readonly [number, number])[];
const LAST = 0x10ffff;

/** Ranges in any order as a set. */
export function united(ranges: Ranges): Ranges {
  const out: [number, number][] = [];
  for (const [lo, hi] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = out.at(-1);
    if (last && lo <= last[1] + 1) last[1] = Math.max(last[1], hi);
    else out.push([lo, hi]);
  }
  return out;
}
/** Whatever is not in a set. */
export function negated(set: Ranges): Ranges {
  const out: [number, number][] = [];
  let from = 0;
  for (const [lo, hi] of set) {
    if (lo > from) out.push([from, lo - 1]);
    from = hi + 1;
  }
  if (from <= LAST) out.push([from, LAST]);
  return out;
}

const DIGITS: Ranges = [[48, 57]];
const UPPER: Ranges = [[65, 90]];
const LOWER: Ranges = [[97, 122]];
const SPACES: Ranges = [
  [9, 10],
  [12, 13],
  [32, 32],
];
const WORD: Ranges = united([...DIGITS, ...UPPER, ...LOWER, [95, 95]]);
/** `\d`, `\s` and `\w`: those of ASCII. */
export const PERL: ReadonlyMap<string, Ranges> = new Map([
  ['d', DIGITS],
  ['s', SPACES],
  ['w', WORD],
]);
/** The names in `[[:alpha:]]`. */
export const POSIX: ReadonlyMap<string, Ranges> = new Map<string, Ranges>([
  ['alnum', united([...DIGITS, ...UPPER, ...LOWER])],
  ['alpha', united([...UPPER, ...LOWER])],
  ['ascii', [[0, 127]]],
  [
    'blank',
    [
      [9, 9],
      [32, 32],
    ],
  ],
  [
    'cntrl',
    [
      [0, 31],
      [127, 127],
    ],
  ],
  ['digit', DIGITS],
  ['graph', [[33, 126]]],
  ['lower', LOWER],
  ['print', [[32, 126]]],
  [
    'punct',
    [
      [33, 47],
      [58, 64],
      [91, 96],
      [123, 126],
    ],
  ],
  [
    'space',
    [
      [9, 13],
      [32, 32],
    ],
  ],
  ['upper', UPPER],
  ['word', WORD],
  ['xdigit', [...DIGITS, [65, 70], [97, 102]]],
]);

const classes = new Map<string, Ranges | undefined>();
/** The code points of a general category (`L`, `Lu`) or a script (`Greek`); undefined where there is none of that name. */
export function classOf(name: string): Ranges | undefined {
  if (!classes.has(name)) classes.set(name, readClass(name));
  return classes.get(name);
}
function readClass(name: string): Ranges | undefined {
  if (name === 'Any') return [[0, LAST]];
  for (const property of ['gc', 'sc']) {
    if (!/^[A-Za-z_]+$/.test(name)) return undefined;
    try {
      return scanned(new RegExp(`\\p{${property}=${name}}`, 'u'));
    } catch (e) {
      if (!(e instanceof SyntaxError)) throw e;
    }
  }
  return undefined;
}
function scanned(is: RegExp): Ranges {
  const out: [number, number][] = [];
  for (let cp = 0; cp <= LAST; cp++) {
    if ((cp >= 0xd800 && cp <= 0xdfff) || !is.test(String.fromCodePoint(cp))) continue;
    const last = out.at(-1);
    if (last?.[1] === cp - 1) last[1] = cp;
    else out.push([cp, cp]);
  }
  return out;
}

/** No character beyond has another case. */
const CASED = 0x1ffff;
let alike: ReadonlyMap<number, readonly number[]> | undefined;
/** The characters that are one but for their case, by each of them: simple case folding. */
function caseOrbits(): ReadonlyMap<number, readonly number[]> {
  if (alike) return alike;
  const orbits = new Map<number, number[]>();
  const join = (a: number, b: number): void => {
    const [x, y] = [orbits.get(a) ?? [a], orbits.get(b) ?? [b]];
    if (x === y || x.includes(b)) return;
    const both = [...x, ...y];
    for (const c of both) orbits.set(c, both);
  };
  for (let cp = 0; cp <= CASED; cp++) {
    const [lower, upper] = [lowerOf(cp), upperOf(cp)];
    // Folding knows no dotless i.
    if (cp === 0x131) continue;
    if (lower !== cp) join(cp, lower);
    if (upper !== cp) join(cp, upper);
  }
  alike = orbits;
  return alike;
}
const oneOf = (text: string, cp: number): number => {
  const c = must(text.codePointAt(0));
  return text.length === String.fromCodePoint(c).length ? c : cp;
};
/** The other case of a character, where that is one character. */
export const lowerOf = (cp: number): number => oneOf(String.fromCodePoint(cp).toLowerCase(), cp);
const upperOf = (cp: number): number => oneOf(String.fromCodePoint(cp).toUpperCase(), cp);

/** Whether a code point is in a set. */
function has(set: Ranges, cp: number): boolean {
  let [lo, hi] = [0, set.length];
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (must(set[mid])[1] < cp) lo = mid + 1;
    else hi = mid;
  }
  const range = set[lo];
  return range !== undefined && range[0] <= cp;
}
/** A set with the other cases of its characters. */
export function caseless(set: Ranges): Ranges {
  const more: [number, number][] = [];
  for (const [cp, others] of caseOrbits()) if (has(set, cp)) for (const o of others) more.push([o, o]);
  return united([...set, ...more]);
}
