import type { Next } from './protobuf.ts';
import { pick, SIZES } from './protobuf.ts';

/** JSON as trees: configurations of Keras, graphs and layers of TF.js. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
const WORDS = [
  '',
  'relu',
  'tanh',
  'same',
  'valid',
  'causal',
  'channels_first',
  'DT_FLOAT',
  'DT_INT32',
  'float16',
  'int8',
  'nonsense',
];

/** Another value in the place of one. */
function other(next: Next, j: Json): Json {
  switch (Math.floor(next() * 7)) {
    case 0:
      return null;
    case 1:
      return pick(next, SIZES) ?? 0;
    case 2:
      return pick(next, WORDS) ?? '';
    case 3:
      return [];
    case 4:
      return typeof j === 'object' ? 0 : [j];
    case 5:
      return typeof j === 'number' ? j + (pick(next, [-1, 1, 0.5]) ?? 1) : typeof j === 'boolean' ? !j : {};
    default:
      return pick(next, [1e30, -0.5, true, false]) ?? 0;
  }
}
function changed(next: Next, j: Json): Json {
  if (typeof j !== 'object' || j === null) return other(next, j);
  const entries = Object.entries(j);
  const at = Math.floor(next() * entries.length);
  const entry = entries[at];
  if (!entry || next() < 0.03) return other(next, j);
  const [key, value] = entry;
  const choice = next();
  if (Array.isArray(j)) {
    const list = j as readonly Json[];
    if (choice < 0.08) return list.toSpliced(at, 1);
    if (choice < 0.14) return [...list, value];
    if (choice < 0.2) return list.toReversed();
    return list.toSpliced(at, 1, changed(next, value));
  }
  if (choice < 0.08) return Object.fromEntries(entries.toSpliced(at, 1));
  const [, swapped] = pick(next, entries) ?? entry;
  return Object.fromEntries(entries.with(at, [key, choice < 0.12 ? swapped : changed(next, value)]));
}
/** One or a few things changed in a text of JSON; the text as it is where it is none. */
export function mutateJson(next: Next, text: string): string {
  let j: Json;
  try {
    j = JSON.parse(text) as Json;
  } catch {
    return text;
  }
  do j = changed(next, j);
  while (next() < 0.4);
  return JSON.stringify(j);
}
