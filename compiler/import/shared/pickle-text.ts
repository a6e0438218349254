/** The text forms of protocol 0 of pickles. */

/** Text in Python's raw-unicode-escape: `\uXXXX` and `\UXXXXXXXX`, everything else as it is. */
export function escaped(s: string): string {
  return s.replace(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (all, four?: string, eight?: string) => {
    const code = parseInt(four ?? eight ?? '', 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : all;
  });
}
const PLAIN: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b', f: '\f', v: '\v', '\n': '' };
/** What `repr` of a Python 2 string says; undefined where it has no quotes. */
export function unquote(s: string): string | undefined {
  const t = s.trim();
  const quote = t[0];
  if ((quote !== "'" && quote !== '"') || t.length < 2 || !t.endsWith(quote)) return undefined;
  return t
    .slice(1, -1)
    .replace(/\\x([0-9a-fA-F]{2})|\\([0-7]{1,3})|\\([\s\S])/g, (_, hex?: string, octal?: string, one?: string) =>
      hex !== undefined
        ? String.fromCharCode(parseInt(hex, 16))
        : octal !== undefined
          ? String.fromCharCode(parseInt(octal, 8) & 255)
          : (PLAIN[one ?? ''] ?? one ?? ''),
    );
}
