import { maxOf } from './extremes.ts';

/**
 * Text of a model (names, labels, a file's name) as it stands in each language that the compiler writes. A literal gives back exactly the
 * given text, and a comment ends where it should: nothing of a model ever runs. `test/quote.test.ts` asks the real compilers and parsers.
 */

const utf8 = new TextEncoder();
const hex = (n: number, digits: number): string => n.toString(16).padStart(digits, '0');
/** Text without halves of surrogate pairs, which UTF-8 cannot hold: as TextEncoder writes it. */
const wellFormed = (s: string): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(utf8.encode(s));

/**
 * A string literal of C99, C11 or C++: the UTF-8 bytes of the text. Question marks are escaped, because `??/` is a backslash where
 * trigraphs are on; bytes are octal, because a hexadecimal escape goes on as long as digits follow.
 */
export function quoteC(s: string): string {
  const bytes = [...utf8.encode(s)].map(b => {
    const c = String.fromCharCode(b);
    if (c === '"' || c === '\\' || c === '?') return `\\${c}`;
    return b >= 0x20 && b <= 0x7e ? c : `\\${b.toString(8).padStart(3, '0')}`;
  });
  return `"${bytes.join('')}"`;
}
/** What ends a script in a page, or begins another. */
const SCRIPT = /<(?=\/script|script|!--)/gi;
/**
 * A literal of JavaScript, TypeScript or JSON: strings, and what is made of them. Characters that are not seen or that turn the line around
 * (bidirectional controls) are escaped, and what would end a script in a page.
 */
export const quoteJs = (x: unknown): string =>
  JSON.stringify(x)
    .replace(/[\x7f-\x9f\u2028\u2029]|\p{Cf}/gu, c =>
      Array.from({ length: c.length }, (_, i) => `\\u${hex(c.charCodeAt(i), 4)}`).join(''),
    )
    .replace(SCRIPT, '\\u003c');
/** A property's name in JavaScript or TypeScript, quoted where it must be. `__proto__` unquoted or quoted would set the prototype. */
export const keyJs = (name: string): string =>
  name === '__proto__' ? '["__proto__"]' : /^[A-Za-z_$][\w$]*$/.test(name) ? name : quoteJs(name);
/** A string literal of Python 3, in ASCII. */
export const quotePython = (s: string): string =>
  `"${Array.from(s, c => {
    const n = c.codePointAt(0) ?? 0;
    if (c === '"' || c === '\\') return `\\${c}`;
    if (n >= 0x20 && n <= 0x7e) return c;
    return n < 0x100 ? `\\x${hex(n, 2)}` : n < 0x10000 ? `\\u${hex(n, 4)}` : `\\U${hex(n, 8)}`;
  }).join('')}"`;
/** Text inside a string of Python between three quotes, in one line. */
export const docPython = (s: string): string => quotePython(oneLine(s)).slice(1, -1);
/** A basic string of TOML, in ASCII. TOML has no lone surrogates: they become U+FFFD. */
export const quoteToml = (s: string): string =>
  `"${Array.from(wellFormed(s), c => {
    const n = c.codePointAt(0) ?? 0;
    if (c === '"' || c === '\\') return `\\${c}`;
    if (n >= 0x20 && n <= 0x7e) return c;
    return n < 0x10000 ? `\\u${hex(n, 4)}` : `\\U${hex(n, 8)}`;
  }).join('')}"`;
/** A word of a POSIX shell. It cannot hold NUL, which is left out. */
export const quoteShell = (s: string): string =>
  /^[\w./:=,@%+-]+$/.test(s) ? s : `'${s.replaceAll('\0', '').replaceAll("'", `'\\''`)}'`;
/** Text of several lines for a terminal: what it would obey, or not show, is seen as its number. */
export const quoteTerminal = (s: string): string => s.replace(/[^\P{C}\n\t]/gu, c => `\\u{${hex(c.codePointAt(0) ?? 0, 2)}}`);
/** Text or the value of a quoted attribute in HTML and SVG, in one line. */
export const quoteHtml = (s: string): string =>
  oneLine(s).replace(/[&<>"']/g, c => `&${{ '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": '#39' }[c] ?? ''};`);
/** Text inside a quoted string of DOT, in which Graphviz reads entities of HTML and escapes of its own. */
export const quoteDot = (s: string): string => quoteHtml(s).replaceAll('\\', '\\\\');
/** Text in a line of Markdown, also at its beginning: no markup, no HTML. An underscore between letters is none. */
export const quoteMarkdown = (s: string): string =>
  oneLine(s)
    .replace(/[\\`*{}[\]()<>#+!|~&$]|(?<![a-z\d])_|_(?![a-z\d])/gi, c => `\\${c}`)
    .replace(/^ *(?:[-=]|\d+(?=[.)]))/, c => (/\d$/.test(c) ? `${c}\\` : `${c.slice(0, -1)}\\${c.slice(-1)}`));
/** Code in a line of Markdown: a fence longer than any run of backticks inside. */
export function codeMarkdown(s: string): string {
  const text = oneLine(s);
  const longest = maxOf(
    [...text.matchAll(/`+/g)].map(m => m[0].length),
    0,
  );
  const fence = '`'.repeat(longest + 1);
  const pad = longest > 0 || /^ .* $/.test(text) ? ' ' : '';
  return text.trim() === '' ? '` `' : `${fence}${pad}${text}${pad}${fence}`;
}

/** Text as one line: every run of white space and of characters that are not seen (controls, formats, halves of pairs) is a space. */
export const oneLine = (s: string): string => s.replace(/[\s\p{C}]+/gu, ' ');
/** Text in a block comment of C, JavaScript or TypeScript: it neither ends one nor begins one, nor a script in a page. */
export const commentBlock = (s: string): string =>
  oneLine(s).replaceAll('*/', '* /').replaceAll('/*', '/ *').replace(SCRIPT, '< ');
/** Text in a comment to the end of the line, in any language: a backslash at its end would let the comment go on. */
export const commentLine = (s: string): string =>
  commentBlock(s)
    .replace(/[\\\s]+$/, '')
    .replaceAll('??/', '? ?/');
