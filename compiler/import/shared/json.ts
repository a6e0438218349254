import { fail } from '../../core/diagnostic.ts';
import type { TypedArray } from '../../core/dtype.ts';

/** What JSON, UBJSON and pickles hold. Typed arrays come from UBJSON. Objects have no prototype or only own keys: read with `field`. */
export type Json = null | boolean | number | bigint | string | TypedArray | readonly Json[] | JsonObject;
interface JsonObject {
  readonly [key: string]: Json;
}
const isTyped = (j: Json | undefined): j is TypedArray => ArrayBuffer.isView(j);
export const isObject = (j: Json | undefined): j is JsonObject =>
  typeof j === 'object' && j !== null && !Array.isArray(j) && !isTyped(j);
export const isArray = (j: Json | undefined): j is readonly Json[] | TypedArray => Array.isArray(j) || isTyped(j);
/** An own field of an object, else undefined. */
export const field = (j: Json | undefined, key: string): Json | undefined =>
  isObject(j) && Object.hasOwn(j, key) ? j[key] : undefined;
/** The elements of an array; none where it is something else. */
export const asList = (j: Json | undefined): readonly Json[] => (isArray(j) ? Array.from<Json>(j) : []);
/** A text; empty where it is something else. */
export const asText = (j: Json | undefined): string => (typeof j === 'string' ? j : '');
/** A number, also where it is written as text (`"5E-1"`, `"NaN"`) or as true and false; undefined for anything else. */
export function asNumber(j: Json | undefined): number | undefined {
  if (typeof j === 'number') return j;
  if (typeof j === 'boolean' || typeof j === 'bigint') return Number(j);
  if (typeof j !== 'string') return undefined;
  const s = j.trim();
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(s)) return Number(s);
  if (/^[+-]?nan$/i.test(s)) return NaN;
  const inf = /^([+-]?)inf(?:inity)?$/i.exec(s);
  return inf ? (inf[1] === '-' ? -Infinity : Infinity) : undefined;
}

/** A string of V8 holds no more. */
const MAX_JSON = 2 ** 29 - 24;
/** Parses JSON; NaN and infinities, which Python and XGBoost write bare, become text. E203 where it is no JSON. */
export function parseJson(bytes: Uint8Array, file: string, what = ''): Json {
  if (bytes.length > MAX_JSON)
    fail(
      'E202',
      { file, why: `JSON of more than ${MAX_JSON} bytes cannot be read; save the model as UBJSON` },
      { k: 'file', file, what },
    );
  try {
    return parseJsonText(new TextDecoder().decode(bytes));
  } catch (e) {
    const why = e instanceof Error ? e.message : String(e);
    return fail('E203', { file, why: `it is no complete JSON: ${why}` }, { k: 'file', file, what });
  }
}
/** The same; throws what JSON.parse throws. */
export function parseJsonText(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (e) {
    const plain = quoteBare(text);
    if (plain === text) throw e;
    return JSON.parse(plain) as Json;
  }
}
/** Text in which NaN and infinities outside of strings are in quotes. One pass, whatever the text. */
function quoteBare(text: string): string {
  const bare = /-?\b(?:NaN|Infinity|nan|inf)\b/y;
  let out = '';
  let done = 0;
  for (let at = 0; at < text.length; at++) {
    const ch = text.charCodeAt(at);
    if (ch === 0x22) {
      for (at++; at < text.length && text.charCodeAt(at) !== 0x22; at++) if (text.charCodeAt(at) === 0x5c) at++;
      continue;
    }
    // '-', 'I', 'N', 'i', 'n'
    if (ch !== 0x2d && ch !== 0x49 && ch !== 0x4e && ch !== 0x69 && ch !== 0x6e) continue;
    bare.lastIndex = at;
    const word = bare.exec(text)?.[0];
    if (word === undefined) continue;
    out += `${text.slice(done, at)}"${word}"`;
    done = at + word.length;
    at = done - 1;
  }
  return out + text.slice(done);
}
