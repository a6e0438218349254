/** Regular expressions of RE2's syntax as automata: JavaScript's own are the oracle where the two agree. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { automatonOf } from '../../compiler/import/shared/regex/dfa.ts';
import { matchAt, searchFrom } from '../../compiler/ops/text/search.ts';

const bytes = (s: string): Uint8Array => new TextEncoder().encode(s);
const fails = (why: string): never => {
  throw new Error(why);
};
const made = (pattern: string): Int32Array => automatonOf(pattern, fails, fails);
function matchesWhole(pattern: string, text: string): boolean {
  const b = bytes(text);
  return matchAt(made(pattern), b, 0, b.length) === b.length;
}
/** The first match, the longest of those that begin where it does. */
function firstMatch(pattern: string, text: string): string | undefined {
  const b = bytes(text);
  const m = searchFrom(made(pattern), b, 0, b.length);
  return m && new TextDecoder().decode(b.subarray(...m));
}
/** The same by trying all parts of the text, with what is around them in view. */
function firstInJs(pattern: string, text: string): string | undefined {
  const chars = Array.from(text);
  const n = chars.length;
  for (let from = 0; from <= n; from++)
    for (let to = n; to >= from; to--)
      if (new RegExp(`(?<=^[^]{${from}})(?:${pattern})(?=[^]{${n - to}}$)`, 'u').test(text)) {
        // The look around counts characters, and `^` and `$` stay the ends of the text.
        const m = new RegExp(`(?<=^[^]{${from}})(?:${pattern})(?=[^]{${n - to}}$)`, 'u').exec(text);
        if (m && Array.from(m[0]).length === to - from) return m[0];
      }
  return undefined;
}

/** Expressions that JavaScript reads as RE2 does. `empty`: they match the empty text, which the two repeat in different ways. */
interface Drawn {
  readonly text: string;
  readonly empty: boolean;
}
const atoms: readonly Drawn[] = [
  ...['a', 'b', 'é', '😀', '\\.', '.', '[ab]', '[^a]', '[à-ü]', '\\w', '\\d', '\\W', '[^\\w😀]', '\\x{1F600}', '[[:alpha:]]'].map(
    text => ({ text, empty: false }),
  ),
  ...['^', '$', '\\b', '\\B'].map(text => ({ text, empty: true })),
];
const drawn = fc.letrec<{ x: Drawn }>(tie => ({
  x: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(...atoms),
    fc.array(tie('x'), { minLength: 1, maxLength: 3 }).map(xs => ({
      text: xs.map(x => x.text).join(''),
      empty: xs.every(x => x.empty),
    })),
    fc.array(tie('x'), { minLength: 2, maxLength: 3 }).map(xs => ({
      text: `(?:${xs.map(x => x.text).join('|')})`,
      empty: xs.some(x => x.empty),
    })),
    fc
      .tuple(tie('x'), fc.constantFrom('*', '+', '?', '{2}', '{1,2}', '{2,}'), fc.boolean())
      .map(([x, times, lazy]) => (x.empty ? x : { text: `(?:${x.text})${times}${lazy ? '?' : ''}`, empty: /[*?]/.test(times) })),
  ),
})).x;
/** The same in JavaScript's spelling. */
const inJs = (pattern: string): string =>
  pattern
    .replaceAll('\\x{1F600}', '\\u{1F600}')
    .replaceAll('[[:alpha:]]', '[A-Za-z]')
    .replaceAll('.', x => x)
    .replaceAll(/(?<!\\)\./g, '[^\\n]');
const texts = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '😀', '.', ' ', '\n', '7'), maxLength: 8 });

it('match whole texts as JavaScript does', () => {
  fc.assert(
    fc.property(drawn, texts, ({ text }, subject) => {
      expect([text, matchesWhole(text, subject)]).toEqual([text, new RegExp(`^(?:${inJs(text)})$`, 'u').test(subject)]);
    }),
    { numRuns: 2000 },
  );
});
it('find the first match, and there the longest', () => {
  fc.assert(
    fc.property(drawn, texts, ({ text }, subject) => {
      expect([text, firstMatch(text, subject)]).toEqual([text, firstInJs(inJs(text), subject)]);
    }),
    { numRuns: 1000 },
  );
});
it.each([
  ['(?i)straße', 'STRAßE', true],
  ['(?i)k', '\u212a', true],
  ['(?i)[^k]', '\u212a', false],
  ['(?i)ı', 'I', false],
  ['\\pL+', 'grünЯ', true],
  ['\\p{Greek}+', 'αβγ', true],
  ['\\p{^Greek}+', 'αβγ', false],
  ['[\\PL]', '1', true],
  ['(?s).', '\n', true],
  ['.', '\n', false],
  ['(?m)a$\\nb', 'a\nb', true],
  ['a$\\nb', 'a\nb', false],
  ['(?m:^)a', 'a', true],
  ['\\Qa.b*\\E+', 'a.b**', true],
  ['a{,2}', 'a{,2}', true],
  ['a{0,2}', 'aaa', false],
  ['(?P<name>a)(?<other>b)', 'ab', true],
  ['[]a]+', ']a', true],
  ['[a-]+', 'a-', true],
  ['\\x41\\101\\x{42}', 'AAB', true],
  ['[\\d\\-x]+', '1-x', true],
  ['(?U)a+', 'aaa', true],
  ['', '', true],
  ['|a', 'a', true],
  ['(?i:a)b', 'AB', false],
  ['\\C', 'a', true],
  ['\\C\\C', 'é', true],
  ['x*', '', true],
  ['[[:^digit:]]', '1', false],
])('%s matches %j: %s', (pattern, text, is) => {
  expect(matchesWhole(pattern, text)).toBe(is);
});
it.each([
  ['(a)\\1', 'cannot refer back'],
  ['(?=a)', 'cannot look around'],
  ['(?<=a)b', 'cannot look around'],
  ['a**', 'repeated at character 4'],
  ['*a', 'nothing is repeated'],
  ['(a', 'a group has no end'],
  ['a)', 'a group ends'],
  ['[a', 'brackets have no end'],
  ['[b-a]', 'a range ends before'],
  ['a{1001}', 'a repetition of {1001}'],
  ['\\pX', 'there is no class'],
  ['[[:foo:]]', 'there is no class'],
  ['\\y', 'there is no escape'],
  ['(?z)', 'there is no flag'],
  ['a\\', 'ends in the middle'],
  ['('.repeat(300), 'nested too deeply'],
  ['[', 'brackets have no end'],
])('%s is refused: %s', (pattern, why) => {
  expect(() => made(pattern)).toThrow(why);
});
describe('expressions that are hard for others', () => {
  it.each(['(a*)*b', '(a|aa)+$', '(a|a)*b', 'a?'.repeat(40) + 'a'.repeat(40), '(.*)*=', '(\\w+\\s?)+!'])(
    '%s takes time that the text bounds',
    pattern => {
      expect(matchesWhole(pattern, `${'a'.repeat(100_000)}x`)).toBe(false);
    },
  );
  it.each([
    '(?i)' + '[\\PL\\pN]'.repeat(3000),
    '(a|b)*a(a|b){20}',
    '(\\pL{50}){50}',
    '((a{100}){100}){100}',
    '(x+x+)+y{1000}'.repeat(50),
  ])('%s ends soon, with an automaton or without', pattern => {
    const big = (): never => fails('too large');
    let why = '';
    try {
      automatonOf(pattern, fails, big);
    } catch (e) {
      why = e instanceof Error ? e.message : '';
    }
    expect(why).toMatch(/^$|too large|too many sets/);
  });
});
