import { didYouMean } from './suggest.ts';

/** Reads a value out of JSON, or calls `bad` with what is wrong with it, in words that follow its name: `must be text`. */
export type Check<T> = (v: unknown, bad: (why: string) => never) => T;

/** What is wrong inside of a value, told with the way to it: `.runs[0].label must be text`. */
const inside =
  (path: string, bad: (why: string) => never) =>
  (why: string): never =>
    bad(`${path}${/^[.[]/.test(why) ? '' : ' '}${why}`);
const shown = (v: unknown): string => (JSON.stringify(v) as string | undefined)?.slice(0, 60) ?? 'nothing';
export const isObject = (v: unknown): v is Readonly<Record<string, unknown>> =>
  typeof v === 'object' && v !== null && !Array.isArray(v);

export const text: Check<string> = (v, bad) => (typeof v === 'string' && v !== '' ? v : bad(`must be text, not ${shown(v)}`));
export const flag: Check<boolean> = (v, bad) => (typeof v === 'boolean' ? v : bad(`must be true or false, not ${shown(v)}`));
export const number: Check<number> = (v, bad) =>
  typeof v === 'number' && Number.isFinite(v) ? v : bad(`must be a number, not ${shown(v)}`);
export const whole =
  (lo: number, hi: number): Check<number> =>
  (v, bad) =>
    typeof v === 'number' && Number.isInteger(v) && v >= lo && v <= hi
      ? v
      : bad(`must be a whole number from ${lo} to ${hi}, not ${shown(v)}`);
export const oneOf =
  <const T extends readonly (string | number)[]>(...words: T): Check<T[number]> =>
  (v, bad) =>
    words.find(w => w === v) ??
    bad(`must be one of ${words.join(', ')}, not ${shown(v)}${typeof v === 'string' ? didYouMean(v, words.map(String)) : ''}`);
export const listOf =
  <T>(item: Check<T>): Check<readonly T[]> =>
  (v, bad) =>
    Array.isArray(v) ? v.map((x, i) => item(x, inside(`[${i}]`, bad))) : bad(`must be a list, not ${shown(v)}`);
/** An object whose keys are free. */
export const recordOf =
  <T>(item: Check<T>): Check<Readonly<Record<string, T>>> =>
  (v, bad) =>
    isObject(v)
      ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, item(x, inside(`.${k}`, bad))]))
      : bad(`must be an object, not ${shown(v)}`);
/** What may be left out. */
interface Optional<T> {
  readonly optional: Check<T>;
}
export const optional = <T>(check: Check<T>): Optional<T> => ({ optional: check });
type Shape = Readonly<Record<string, Check<unknown> | Optional<unknown>>>;
type Read<S extends Shape> = {
  readonly [K in keyof S as S[K] extends Optional<unknown> ? never : K]: S[K] extends Check<infer T> ? T : never;
} & { readonly [K in keyof S as S[K] extends Optional<unknown> ? K : never]?: S[K] extends Optional<infer T> ? T : never };
/** An object with these fields and no others. `missing`: what is said of one that is not there. */
export const fields =
  <S extends Shape>(shape: S, missing = 'is missing'): Check<Read<S>> =>
  (v, bad) => {
    if (!isObject(v)) return bad(`must be an object, not ${shown(v)}`);
    const names = Object.keys(shape);
    for (const k of Object.keys(v))
      if (!names.includes(k)) bad(`has no field '${k}'${didYouMean(k, names)} (${names.join(', ')})`);
    const out: Record<string, unknown> = {};
    for (const [k, check] of Object.entries(shape)) {
      const at = inside(`.${k}`, bad);
      if (typeof check === 'function') out[k] = v[k] === undefined ? at(missing) : check(v[k], at);
      else if (v[k] !== undefined) out[k] = check.optional(v[k], at);
    }
    return out as Read<S>;
  };
/** One of several objects, told apart by their field `k`. */
export const tagged =
  <S extends Readonly<Record<string, Shape>>>(
    shapes: S,
  ): Check<{ [K in keyof S & string]: { readonly k: K } & Read<S[K]> }[keyof S & string]> =>
  (v, bad) => {
    if (!isObject(v)) return bad(`must be an object, not ${shown(v)}`);
    const { k, ...rest } = v;
    const kind = oneOf(...Object.keys(shapes))(k, inside('.k', bad));
    const shape = shapes[kind];
    if (!shape) return bad('.k is not known');
    return { k: kind, ...fields(shape)(rest, bad) } as { [K in keyof S & string]: { readonly k: K } & Read<S[K]> }[keyof S &
      string];
  };
