import { fail } from '../core/diagnostic.ts';
import type { TypedArray } from '../core/dtype.ts';

/** What JSON, UBJSON and pickles hold. Typed arrays come from UBJSON. Objects have no prototype or only own keys: read with `field`. */
export type Json = null | boolean | number | bigint | string | TypedArray | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}
export const isTyped = (j: Json | undefined): j is TypedArray => ArrayBuffer.isView(j);
export const isObject = (j: Json | undefined): j is JsonObject =>
  typeof j === 'object' && j !== null && !Array.isArray(j) && !isTyped(j);
export const isArray = (j: Json | undefined): j is readonly Json[] | TypedArray => Array.isArray(j) || isTyped(j);
/** An own field of an object, else undefined. */
export const field = (j: Json | undefined, key: string): Json | undefined =>
  isObject(j) && Object.hasOwn(j, key) ? j[key] : undefined;
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

/** Parses JSON; NaN and infinities, which Python and XGBoost write bare, become text. E203 where it is no JSON. */
export function parseJson(bytes: Uint8Array, file: string, what = ''): Json {
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
    const odd = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\b(?:NaN|Infinity|nan|inf)\b/gs;
    const plain = text.replace(odd, m => (m.startsWith('"') ? m : `"${m}"`));
    if (plain === text) throw e;
    return JSON.parse(plain) as Json;
  }
}
