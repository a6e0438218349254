/** The largest of some numbers and `least`. A call with a list as its arguments fails where the list is long. */
export const maxOf = (xs: Iterable<number>, least: number): number => {
  let most = least;
  for (const x of xs) most = Math.max(most, x);
  return most;
};
/** The smallest of some numbers and `most`. */
export const minOf = (xs: Iterable<number>, most: number): number => {
  let least = most;
  for (const x of xs) least = Math.min(least, x);
  return least;
};
