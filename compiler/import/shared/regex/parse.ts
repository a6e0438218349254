import { must } from '../../../core/diagnostic.ts';
import { caseless, classOf, negated, PERL, POSIX, united, type Ranges } from './sets.ts';

/**
 * Regular expressions in the syntax of RE2 (https://github.com/google/re2/wiki/Syntax), which has neither back-references nor looking around, so
 * that every expression has an automaton: which texts match it.
 */
export type Regex =
  | { readonly k: 'set'; readonly ranges: Ranges }
  /** Any byte, also one that is part of a character. */
  | { readonly k: 'byte' }
  | { readonly k: 'cat'; readonly items: readonly Regex[] }
  | { readonly k: 'alt'; readonly items: readonly Regex[] }
  | { readonly k: 'repeat'; readonly x: Regex; readonly min: number; readonly max: number }
  | { readonly k: 'assert'; readonly what: Assertion };
export type Assertion = 'text begins' | 'text ends' | 'line begins' | 'line ends' | 'word border' | 'no word border';

interface Flags {
  readonly i: boolean;
  readonly m: boolean;
  readonly s: boolean;
  readonly U: boolean;
}
/** RE2 repeats nothing more often. */
const MOST_REPEATS = 1000;
const DEEPEST = 200;
/** Ranges of characters in all sets of an expression together. */
const MOST_RANGES = 1 << 18;

/** An expression in a message: its beginning, where it is long. */
export const shown = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);

/** An expression by its text; `reject` is told what is wrong with it, and where. */
export function parseRegex(text: string, reject: (why: string) => never): Regex {
  const chars = Array.from(text, c => must(c.codePointAt(0)));
  let at = 0;
  let depth = 0;
  let total = 0;
  const bad = (why: string): never => reject(`the regular expression ${shown(text)}: ${why} at character ${at + 1}`);
  const here = (s: string): boolean => Array.from(s, c => c.codePointAt(0)).every((c, i) => chars[at + i] === c);
  const eat = (s: string): boolean => {
    if (!here(s)) return false;
    at += s.length;
    return true;
  };
  const next = (): number => chars[at++] ?? bad('it ends in the middle');
  const rest = (): string => String.fromCodePoint(...chars.slice(at, at + 64));
  const single = (cp: number, f: Flags): Regex => ({ k: 'set', ranges: f.i ? caseless([[cp, cp]]) : [[cp, cp]] });

  function alternatives(given: Flags): Regex {
    if (++depth > DEEPEST) bad('groups are nested too deeply');
    let f = given;
    const items: Regex[] = [];
    let run: Regex[] = [];
    for (;;) {
      if (at >= chars.length || here(')')) break;
      if (eat('|')) {
        items.push({ k: 'cat', items: run });
        run = [];
      } else if (here('(?') && /^\(\?[imsU]*(?:-[imsU]+)?\)/.test(rest())) {
        at += 2;
        f = flags(f);
        at++;
      } else if (eat('\\Q')) {
        const quoted: Regex[] = [];
        while (at < chars.length && !eat('\\E')) quoted.push(single(next(), f));
        const last = quoted.pop();
        run.push(...quoted, ...(last ? [repeated(last)] : []));
      } else run.push(repeated(one(f)));
    }
    items.push({ k: 'cat', items: run });
    depth--;
    return items.length === 1 ? must(items[0]) : { k: 'alt', items };
  }
  /** The letters of flags, up to `)` or `:`. */
  function flags(f: Flags): Flags {
    let on = true;
    const out: { -readonly [K in keyof Flags]: boolean } = { ...f };
    while (!here(')') && !here(':')) {
      const c = String.fromCodePoint(next());
      if (c === '-' && on) on = false;
      else if (c === 'i' || c === 'm' || c === 's' || c === 'U') out[c] = on;
      else bad(`there is no flag '${c}'`);
    }
    return out;
  }
  function repeated(x: Regex): Regex {
    const times = repetition();
    if (!times) return x;
    // Whether a repetition is greedy (flag U, `?`) does not change which texts match, and of several matches the longest is looked for.
    eat('?');
    if (repetition()) bad('a repetition is repeated');
    // To hold once is to hold as often as one likes.
    return x.k === 'assert' ? { k: 'repeat', x, min: Math.min(1, times.min), max: 1 } : { k: 'repeat', x, ...times };
  }
  function repetition(): { readonly min: number; readonly max: number } | undefined {
    if (eat('*')) return { min: 0, max: Infinity };
    if (eat('+')) return { min: 1, max: Infinity };
    if (eat('?')) return { min: 0, max: 1 };
    // Braces that are no repetition are characters.
    const braces = here('{') ? /^\{(\d{1,9})(,(\d{1,9})?)?\}/.exec(rest()) : null;
    if (!braces) return undefined;
    const min = Number(braces[1]);
    const max = braces[2] === undefined ? min : braces[3] === undefined ? Infinity : Number(braces[3]);
    if (min > MOST_REPEATS || (max > MOST_REPEATS && max !== Infinity) || min > max) bad(`a repetition of ${braces[0]}`);
    at += braces[0].length;
    return { min, max };
  }
  function one(f: Flags): Regex {
    if (eat('(')) return group(f);
    if (eat('[')) return { k: 'set', ranges: counted(bracket(f)) };
    if (eat('.')) return { k: 'set', ranges: f.s ? negated([]) : negated([[10, 10]]) };
    if (eat('^')) return { k: 'assert', what: f.m ? 'line begins' : 'text begins' };
    if (eat('$')) return { k: 'assert', what: f.m ? 'line ends' : 'text ends' };
    if (here('*') || here('+') || here('?')) bad('nothing is repeated');
    if (!eat('\\')) return single(next(), f);
    if (eat('A')) return { k: 'assert', what: 'text begins' };
    if (eat('z')) return { k: 'assert', what: 'text ends' };
    if (eat('b')) return { k: 'assert', what: 'word border' };
    if (eat('B')) return { k: 'assert', what: 'no word border' };
    if (eat('C')) return { k: 'byte' };
    const named = namedClass(f);
    return named ? { k: 'set', ranges: counted(named) } : single(escaped(), f);
  }
  function counted(ranges: Ranges): Ranges {
    total += ranges.length;
    return total <= MOST_RANGES ? ranges : bad('too many sets of characters');
  }
  function group(f: Flags): Regex {
    let inside = f;
    if (eat('?')) {
      const name = /^P?<([\p{L}\p{N}\p{M}_]+)>/u.exec(rest());
      if (name) at += name[0].length;
      else if (here('<') || here('P') || here('=') || here('!'))
        bad('RE2 cannot look around, refer back or name groups like this');
      else {
        inside = flags(f);
        if (!eat(':')) bad('a group begins with flags and has no ":"');
      }
    }
    const x = alternatives(inside);
    if (!eat(')')) bad('a group has no end');
    return x;
  }
  /** What follows a backslash and stands for several characters, in or out of brackets. */
  function namedClass(f: Flags): Ranges | undefined {
    const c = String.fromCodePoint(chars[at] ?? 0);
    const perl = PERL.get(c.toLowerCase());
    if (perl && /[dsw]/i.test(c)) {
      at++;
      const set = f.i ? caseless(perl) : perl;
      return c === c.toLowerCase() ? set : negated(set);
    }
    if (c !== 'p' && c !== 'P') return undefined;
    const name = /^[pP](?:\{(\^?)(\w+)\}|(\w))/.exec(rest()) ?? bad('a class has no name');
    const set = classOf(name[2] ?? name[3] ?? '') ?? bad(`there is no class '${name[2] ?? name[3] ?? ''}'`);
    at += name[0].length;
    const ranges = f.i ? caseless(set) : set;
    return (c === 'P') === (name[1] === '^') ? ranges : negated(ranges);
  }
  /** The one character that follows a backslash. */
  function escaped(): number {
    const simple: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 };
    const c = String.fromCodePoint(next());
    const known = Object.hasOwn(simple, c) ? simple[c] : undefined;
    if (known !== undefined) return known;
    at--;
    const code = /^(?:x\{([0-9A-Fa-f]{1,8})\}|x([0-9A-Fa-f]{2})|(0[0-7]{0,2}|[1-7][0-7]{1,2}))/.exec(rest());
    if (code) {
      at += code[0].length;
      const cp = code[3] === undefined ? parseInt(code[1] ?? code[2] ?? '', 16) : parseInt(code[3], 8);
      return cp <= 0x10ffff ? cp : bad('a character beyond U+10FFFF');
    }
    if (/[1-9]/.test(c)) bad('RE2 cannot refer back to a group');
    return /[\p{L}\p{N}]/u.test(c) ? bad(`there is no escape \\${c}`) : next();
  }
  function bracket(f: Flags): Ranges {
    const not = eat('^');
    const parts: Ranges[] = [];
    for (let first = true; first || !here(']'); first = false) {
      if (at >= chars.length) bad('brackets have no end');
      const posix = /^\[:(\^?)(\w+):\]/.exec(rest());
      if (posix) {
        const set = POSIX.get(posix[2] ?? '') ?? bad(`there is no class ${posix[0]}`);
        parts.push(posix[1] === '^' ? negated(set) : set);
        at += posix[0].length;
        continue;
      }
      if (here('\\')) {
        at++;
        const named = namedClass(f);
        if (named) {
          parts.push(counted(named));
          continue;
        }
        at--;
      }
      const lo = member();
      if (here('-') && chars[at + 1] !== 93 && at + 1 < chars.length) {
        at++;
        const hi = member();
        if (hi < lo) bad('a range ends before it begins');
        parts.push([[lo, hi]]);
      } else parts.push([[lo, lo]]);
    }
    at++;
    const set = united(parts.flat());
    const all = f.i ? caseless(set) : set;
    return not ? negated(all) : all;
  }
  const member = (): number => (eat('\\') ? escaped() : next());

  const whole = alternatives({ i: false, m: false, s: false, U: false });
  if (at < chars.length) bad('a group ends that did not begin');
  return whole;
}
