/**
 * Equality and hashes of immutable data: numbers, bigints, strings, booleans, and arrays and records of these. Fields that are undefined
 * count as absent. Numbers are equal as `Object.is` has it: NaN is itself, and -0 is not 0.
 */

const isList = (x: object): x is readonly unknown[] => Array.isArray(x);
/** Whether two values are built alike of equal parts. */
export function equalData(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (isList(a)) return isList(b) && a.length === b.length && a.every((x, i) => equalData(x, b[i]));
  if (isList(b)) return false;
  const [p, q] = [a as Fields, b as Fields];
  for (const f in p) if (!equalData(p[f], q[f])) return false;
  for (const f in q) if (q[f] !== undefined && p[f] === undefined) return false;
  return true;
}
type Fields = Readonly<Record<string, unknown>>;

const mix = (h: number, x: number): number => Math.imul(h ^ x, 0x01000193);
const bits = new DataView(new ArrayBuffer(8));
function hashText(s: string, from: number): number {
  let h = from;
  for (let i = 0; i < s.length; i++) h = mix(h, s.charCodeAt(i));
  return h;
}
/** A number of 32 bits that is the same for equal values (FNV-1a over their parts). Fields may be in any order. */
export function hashData(x: unknown): number {
  switch (typeof x) {
    case 'number':
      if (Number.isInteger(x) && Math.abs(x) < 2 ** 31 && x !== 0) return mix(1, x);
      bits.setFloat64(0, x);
      return mix(mix(2, bits.getInt32(0)), bits.getInt32(4));
    case 'string':
      return hashText(x, 3);
    case 'bigint':
      return hashText(x.toString(), 4);
    case 'boolean':
      return x ? 5 : 6;
    case 'object': {
      if (x === null) return 7;
      if (isList(x)) return x.reduce<number>((h, y) => mix(h, hashData(y)), 8);
      let sum = 9;
      const fields = x as Fields;
      for (const f in fields) if (fields[f] !== undefined) sum = (sum + Math.imul(hashText(f, 10), hashData(fields[f]) | 1)) | 0;
      return sum;
    }
    case 'undefined':
    case 'function':
    case 'symbol':
      return 11;
  }
}

/** A table by contents: what was made for the first key that is equal to this one, else what `make` gives. */
export function byContents<K, V>(hash: (key: K) => number, equal: (a: K, b: K) => boolean): (key: K, make: () => V) => V {
  const found = new Map<number, { readonly key: K; readonly value: V }[]>();
  return (key, make) => {
    const h = hash(key);
    const same = found.get(h);
    const had = same?.find(x => equal(x.key, key));
    if (had) return had.value;
    const made = { key, value: make() };
    if (same) same.push(made);
    else found.set(h, [made]);
    return made.value;
  };
}
