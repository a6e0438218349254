/** A string, or one of the words that Python writes for numbers which JSON has not. */
const WORDS = /"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g;

/** Reads JSON in UTF-8; NaN, Infinity and -Infinity, which Python writes, become strings. Throws a SyntaxError or a TypeError. */
export function parseJson(bytes: Uint8Array): unknown {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  try {
    return JSON.parse(text) as unknown;
  } catch (e) {
    if (!/NaN|Infinity/.test(text)) throw e;
    return JSON.parse(text.replace(WORDS, word => (word.startsWith('"') ? word : `"${word}"`))) as unknown;
  }
}
