/** A copy of an object without some of its members. */
export function omit<T extends object, K extends keyof T>(from: T, ...keys: readonly K[]): Omit<T, K> {
  const copy = { ...from };
  for (const k of keys) Reflect.deleteProperty(copy, k);
  return copy;
}
